"""The loop of a dialer, and simulated calls."""

import random
from collections import Counter
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.client import Answer, CallOutcome, NotConnectedError, OutcomeUnknownError, RequestError, dial
from ocsgw.client.requests import Requests
from ocsgw.client.simulate import SimulatedCalls, shares_of
from ocsgw.protocol.messages import KV

ANSWERED = CallOutcome()


class PlayedOcs(Requests[Answer]):
    """A server with so many records; `failures` are raised instead of the answers to requests of a name, one by one."""

    def __init__(self, records: int) -> None:
        self.left = records
        self.handle = 0
        self.sent: list[tuple[str, KV, str | None]] = []
        self.failures: dict[str, list[Exception]] = {}

    def request(self, name: str, keys: KV, *, idempotency_key: str | None = None) -> Answer:
        """Answer at once."""
        self.sent.append((name, keys, idempotency_key))
        due = self.failures.get(name)
        if due:
            raise due.pop(0)
        if name != "PreviewRecordRequest":
            return Answer({"GSW_USER_EVENT": f"{name}Acknowledge", **keys})
        if not self.left:
            return Answer({"GSW_USER_EVENT": "PreviewRecordEmpty"})
        self.left -= 1
        self.handle += 1
        return Answer({"GSW_USER_EVENT": "PreviewRecord", "GSW_RECORD_HANDLE": self.handle, "GSW_PHONE": "650"})

    def names(self) -> list[str]:
        """Return what was sent, without the look for the next record."""
        return [name for name, _, _ in self.sent if name != "PreviewRecordRequest"]


class DialTests(SynchronousTestCase):
    """`dial`."""

    def setUp(self) -> None:
        self.waited: list[float] = []

    def dial(self, ocs: PlayedOcs, outcome: CallOutcome = ANSWERED, **options: Any) -> Any:
        """Dial until nothing is left."""
        return dial(ocs, 102, lambda _: outcome, **{"most": 100, "wait": self.waited.append, **options})

    def test_until_nothing_is_left(self) -> None:
        """Every record is called and reported once, with a key of its own."""
        ocs = PlayedOcs(3)
        tally = self.dial(ocs)
        self.assertEqual((tally.calls, tally.results, tally.empty), (3, Counter(Answer=3), 1))
        keys = [key for name, _, key in ocs.sent if name == "RecordProcessed"]
        self.assertEqual((len(set(keys)), None in keys), (3, False))

    def test_most(self) -> None:
        """It ends after so many calls."""
        ocs = PlayedOcs(10)
        self.assertEqual(self.dial(ocs, most=4).calls, 4)
        self.assertEqual(ocs.left, 6)

    def test_callback_and_do_not_call(self) -> None:
        """A callback is agreed before the end of the hand-out; do-not-call takes the place of a result."""
        ocs = PlayedOcs(1)
        self.dial(ocs, CallOutcome("Busy", again_at="12/24/2036 09:00"))
        self.assertEqual(ocs.names(), ["RecordReschedule", "RecordProcessed"])
        ocs = PlayedOcs(1)
        self.assertEqual(self.dial(ocs, CallOutcome(do_not_call=True)).results, Counter({"Do Not Call": 1}))
        self.assertEqual(ocs.names(), ["DoNotCall"])

    def test_lost_answer(self) -> None:
        """A report whose answer was lost is repeated under the same key."""
        ocs = PlayedOcs(1)
        ocs.failures["RecordProcessed"] = [OutcomeUnknownError("lost"), OutcomeUnknownError("lost")]
        tally = self.dial(ocs)
        keys = [key for name, _, key in ocs.sent if name == "RecordProcessed"]
        self.assertEqual((len(keys), len(set(keys)), tally.errors), (3, 1, Counter(repeated=2)))

    def test_refused_report(self) -> None:
        """A hand-out that is over costs its report; the next record is called."""
        ocs = PlayedOcs(2)
        ocs.failures["RecordProcessed"] = [RequestError("invalid_handle", "Invalid record handle", {})]
        self.assertEqual(self.dial(ocs).calls, 2)

    def test_server_away(self) -> None:
        """While the server is away it waits."""
        ocs = PlayedOcs(1)
        ocs.failures["PreviewRecordRequest"] = [NotConnectedError("away"), NotConnectedError("away")]
        tally = self.dial(ocs, idle=2.0)
        self.assertEqual((tally.calls, self.waited), (1, [2.0, 2.0]))

    def test_goes_on(self) -> None:
        """Without a number it goes on, waiting where there is nothing to call, until it is told to stop."""
        ocs = PlayedOcs(1)
        rounds = iter([True] * 4 + [False])
        tally = self.dial(ocs, most=None, goes_on=lambda: next(rounds))
        self.assertEqual((tally.calls, tally.empty, self.waited), (1, 3, [1.0] * 3))

    def test_group_that_is_not_active(self) -> None:
        """A group that hands nothing out ends a dialer that is to end, and keeps the other waiting."""
        ocs = PlayedOcs(1)
        ocs.failures["PreviewRecordRequest"] = [RequestError("group_not_active", "Campaign group is not active", {})]
        self.assertEqual(self.dial(ocs).errors, Counter(group_not_active=1))

    def test_agent(self) -> None:
        """An agent who is named gets personal callbacks too."""
        ocs = PlayedOcs(0)
        self.dial(ocs, agent_id="7")
        self.assertEqual(ocs.sent[0][1]["GSW_AGENT_ID"], "7")


class SimulationTests(SynchronousTestCase):
    """Calls that never happen."""

    def test_shares(self) -> None:
        """Results come by their shares, the same for the same seed; each takes some time."""
        waited: list[float] = []
        calls = SimulatedCalls({"Answer": 3, "Busy": 1, "Do Not Call": 0}, random.Random(7), waited.append)
        found = Counter(calls(Answer({})).result for _ in range(2000))
        self.assertTrue(1400 < found["Answer"] < 1600, found)
        self.assertEqual((found.total(), len(waited), min(waited) >= 0), (2000, 2000, True))

    def test_do_not_call(self) -> None:
        """Who asks not to be called goes on the list."""
        calls = SimulatedCalls({"Do Not Call": 1}, random.Random(1), lambda _: None)
        self.assertTrue(calls(Answer({})).do_not_call)

    def test_text(self) -> None:
        """A distribution as on the command line."""
        self.assertEqual(shares_of("Answer=40, No Answer=60"), {"Answer": 40, "No Answer": 60})
        for wrong in ("Answer", "Answer=", "=x", "Busy=much"):
            self.assertRaises(ValueError, shares_of, wrong)
        self.assertRaises(ValueError, SimulatedCalls, {"Busy": 0.0}, random.Random(1), self.fail)
