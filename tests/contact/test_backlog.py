"""Hand-outs wait while too many call report records do (outgoing.md O55)."""

from typing import Any, cast

from ocsgw.contact.backlog import Backlog
from ocsgw.contact.directory import Directory, HistoryWait, ValidationRule
from ocsgw.contact.scheduled_calls import WaitingDesktop, hand_out_callbacks
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.messages import KV, Verdict
from tests.support.rules import GROUP, RuleTestCase, by_handle, make_directory, pending, preview_record

HELD, RECOVERED, GIVEN_UP = 93246, 93247, 93248


class BacklogTests(RuleTestCase):
    """`history_wait_condition_threshold` and `history_wait_recovery_timeout`."""

    def make_directory(self) -> Directory:
        """Three may wait, for a minute."""
        return self.directory_with()

    def directory_with(self, **options: Any) -> Directory:
        """Return the directory with other options."""
        values: dict[str, Any] = {"sends_history": True, "history_wait": HistoryWait(3, 60.0), **options}
        return make_directory(**values)

    def setUp(self) -> None:
        super().setUp()
        self.said: list[int] = []
        for number in range(9):
            self.add(str(number))

    def event(self) -> str:
        """Ask for a record; return the name of the event."""
        name = str(self.preview()["GSW_USER_EVENT"])
        assert self.store.unit is not None
        self.said += [number for number, _ in self.store.unit.warnings]
        return name

    def events(self, count: int) -> list[bool]:
        """Ask for records in one batch; return of each whether it was handed out."""
        outcomes = self.outcomes(*(pending(preview_record()) for _ in range(count)))
        return [bool(self.is_record(each.reply)) for each in outcomes]

    def is_record(self, reply: Any) -> bool:
        """Whether a record was handed out."""
        return isinstance(reply, dict) and reply["GSW_USER_EVENT"] == "PreviewRecord"

    def deliver(self, count: int) -> list[int]:
        """So many notifications have arrived; return what was said."""

        def remove(unit: Any) -> Any:
            unit.delivered += [each.number for each in unit.tx.deliveries_after(0, count)]
            return unit

        return [number for number, _ in self.store.chore(remove).warnings]

    def test_threshold(self) -> None:
        """O55: nothing is handed out while three or more wait; both is said once."""
        self.assertEqual([self.event() for _ in range(5)], ["PreviewRecord"] * 3 + ["PreviewRecordEmpty"] * 2)
        self.assertEqual(self.said, [HELD])
        self.assertTrue(self.store.backlog.holds)
        self.assertEqual(self.column("record_status")[:4], [2, 2, 2, 1])
        self.assertEqual(self.deliver(1), [RECOVERED])
        self.assertEqual([self.event() for _ in range(2)], ["PreviewRecord", "PreviewRecordEmpty"])

    def test_back_and_forth(self) -> None:
        """What goes back and forth is said once a minute."""
        self.events(3)
        found = []
        for _ in range(3):
            found += self.deliver(1)
            self.event()
        self.assertEqual((found, self.said), ([RECOVERED], []))
        self.store.now += 60
        self.store.chore(lambda unit: unit.delivered.extend([4]))
        self.event()
        self.assertEqual(self.said, [HELD])

    def test_one_batch(self) -> None:
        """Requests of one batch do not go beyond it; other requests are carried out."""
        self.assertEqual(self.events(5), [True] * 3 + [False] * 2)
        self.assertEqual(self.reply(by_handle("RecordProcessed", 1))["GSW_USER_EVENT"], "RecordProcessedAcknowledge")
        self.deliver(3)
        self.assertEqual(self.events(5), [True] * 2 + [False] * 3)

    def test_recovery_timeout(self) -> None:
        """After a minute records are handed out all the same, until fewer wait; then it begins anew."""
        self.events(3)
        self.store.now += 59
        self.assertEqual(self.event(), "PreviewRecordEmpty")
        self.store.now += 1
        self.assertEqual([self.event() for _ in range(2)], ["PreviewRecord"] * 2)
        self.assertFalse(self.store.backlog.holds)
        self.assertEqual(self.said, [GIVEN_UP])
        self.assertEqual(self.deliver(3), [RECOVERED])
        self.assertEqual([self.event() for _ in range(2)], ["PreviewRecord", "PreviewRecordEmpty"])

    def test_clock_put_back(self) -> None:
        """The time counts anew from a clock that was put back."""
        self.events(3)
        self.store.now -= 1000
        self.assertEqual(self.event(), "PreviewRecordEmpty")
        self.store.now += 60
        self.assertEqual(self.event(), "PreviewRecord")

    def test_restart(self) -> None:
        """What waits is counted when the server begins, and after a commit of which nobody knows what it did."""
        self.events(3)
        self.store.backlog = Backlog()
        self.assertEqual(self.event(), "PreviewRecordEmpty")
        self.store.backlog.forget()
        self.assertIsNone(self.store.backlog.total)
        self.assertEqual((self.event(), self.store.backlog.total), ("PreviewRecordEmpty", 3))
        self.store.chore(lambda unit: unit.delivered.extend([1, 999]))
        self.store.chore(lambda unit: unit.delivered.extend([1]))
        self.assertEqual(self.store.backlog.total, 2)

    def test_reload(self) -> None:
        """The option can be taken away; other notifications never count."""
        self.events(3)
        self.store.reload(make_directory(sends_history=True))
        self.assertEqual(self.event(), "PreviewRecord")
        self.assertFalse(self.store.backlog.holds)
        self.use_directory(self.directory_with(sends_history=False, sends_processed=True))
        for number in range(5):
            self.add(str(number))
            self.reply(by_handle("RecordProcessed", cast("int", self.preview()["GSW_RECORD_HANDLE"])))
        self.assertEqual(self.store.backlog.total, 5)

    def test_scheduled_calls(self) -> None:
        """Personal callbacks wait, too."""
        callback: KV = {"GSW_RECORD_TYPE": 5, "GSW_DATE_TIME": "09/21/2026 14:00", "GSW_AGENT_ID": "A"}
        for number in range(5):
            self.add(f"callback {number}", **callback)
        desktop = WaitingDesktop(RequestContext(client="desktop", agent_id="A", session=1), frozenset({"Campaign1"}))
        for count, found in ((0, 3), (1, 1)):
            self.deliver(count)
            self.assertEqual(len(self.store.chore(lambda unit: hand_out_callbacks(unit, [desktop]))), found)

    def test_validation(self) -> None:
        """A record whose verdict comes while nothing is handed out stays as it was (O26)."""
        rule = ValidationRule("http://h/", 3, 10.0, 3, 300)
        self.store.reload(self.directory_with(validations={(201, GROUP): rule}))

        def positive(question: object) -> Verdict:
            self.store.answer = lambda question: None
            self.store.reload(self.directory_with())
            self.events(3)
            return Verdict(ref=1, outcome="positive", status=200, data={})

        self.store.answer = positive
        self.assertEqual(self.event(), "PreviewRecordEmpty")
        self.assertEqual((self.row(1)["record_status"], self.row(1)["call_result"]), (1, 28))
