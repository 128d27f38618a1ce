"""Requests and chores that take more than one transaction; what is told of a commit; how batches are carried out."""

from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, fail, succeed

from ocsgw.contact import batch
from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import Directory
from ocsgw.contact.groups import SLICE
from ocsgw.contact.outbox import Change, GroupChanged
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import Continuation, Reply, Unfinished, UnitOfWork, final_event
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.protocol.enumerations import RecordStatus, RecordType
from ocsgw.protocol.errors import Refusal
from tests.execution.test_barriers import WAYS
from tests.support.rules import GROUP, NOW, RuleTestCase, add_record, by_phone, of_group, pending
from tests.support.workers import FlakyStore, HeldWorker


class PendingTests(RuleTestCase):
    """One committer for each way of carrying batches out; a rule of the test stands in the place of AddRecord's."""

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[tuple[str, Any]] = []
        self.asked: list[object] = []
        self.answer: Any = lambda question: succeed(None)

    def make_committer(self, way: str) -> Committer:
        """Return a committer that carries batches out in this way."""
        self.worker = WAYS[way]()
        self.flaky = FlakyStore(self.store.store)
        return Committer(
            self.flaky,
            self.worker,
            self.directory,
            self.clock,
            wall_clock=lambda: NOW,
            ask=self.ask,
        )

    def ask(self, question: object) -> "Deferred[object]":
        """Answer a question of a rule."""
        self.asked.append(question)
        answer: Deferred[object] = self.answer(question)
        return answer

    def submit(self, committer: Committer, data: Any, **values: Any) -> None:
        """Submit a request; what becomes of it is kept under its phone, or its name."""

        def deliver(outcome: Outcome) -> None:
            reply = outcome.reply
            name = str(data.get("GSW_PHONE", data["GSW_AGENT_REQ_TYPE"]))
            self.seen.append((name, reply.code if isinstance(reply, Refusal) else final_event(reply)))

        committer.submit(Job(pending(data, **values), deliver))

    def settle(self) -> None:
        """Let everything happen that is to come."""
        for _ in range(20):
            self.clock.advance(0)
            if isinstance(self.worker, HeldWorker) and self.worker.tasks:
                self.worker.go_on()

    def rule(self, steps: int, question: object = None, *, fails: bool = False) -> Any:
        """Return a rule that needs so many further transactions, each after this question."""

        def go_on(left: int) -> Any:
            def resume(unit: UnitOfWork, answer: object) -> Reply:
                self.seen.append(("step", (left, answer)))
                if fails:
                    raise ZeroDivisionError
                return {"GSW_USER_EVENT": "Done"} if left == 1 else Continuation(go_on(left - 1), question)

            return resume

        return lambda unit, requests: [Continuation(go_on(steps), question) for _ in requests]

    def test_slices(self) -> None:
        """A request that is pending without a question goes on in further transactions, with others between."""
        for way in WAYS:
            with self.subTest(way=way), mock.patch.dict(batch._RULES, {"AddRecord": self.rule(2)}):
                committer = self.make_committer(way)
                self.submit(committer, add_record("1"))
                self.submit(committer, of_group("CampaignStatusRequest"))
                done = committer.drained()
                self.settle()
                names = [name for name, _ in self.seen]
                self.assertEqual(names, ["CampaignStatusRequest", "step", "step", "1"])
                self.assertEqual(self.seen[-1], ("1", {"GSW_USER_EVENT": "Done"}))
                self.assertEqual(len(self.flaky.waits), 3)
                self.successResultOf(done)
                self.seen.clear()

    def test_question(self) -> None:
        """A request that is pending with a question waits for the answer; others go on, and `drained` waits too."""
        for way in WAYS:
            with self.subTest(way=way), mock.patch.dict(batch._RULES, {"AddRecord": self.rule(1, "may I?")}):
                answer: Deferred[object] = Deferred()
                self.answer = lambda question, answer=answer: answer
                committer = self.make_committer(way)
                self.submit(committer, add_record("1"))
                self.settle()
                done = committer.drained()
                self.submit(committer, of_group("CampaignStatusRequest"))
                self.settle()
                self.assertEqual([name for name, _ in self.seen], ["CampaignStatusRequest"])
                self.assertNoResult(done)
                answer.callback("yes")
                self.settle()
                self.assertEqual(self.seen[1:], [("step", (1, "yes")), ("1", {"GSW_USER_EVENT": "Done"})])
                self.assertEqual(self.asked, ["may I?"])
                self.successResultOf(done)
                self.seen.clear()
                self.asked.clear()

    def test_no_answer(self) -> None:
        """Whoever cannot answer a question costs its request only: 500; nothing else waits for it."""
        ways: dict[str, Any] = {
            "fails": lambda question: fail(ZeroDivisionError()),
            "raises": mock.Mock(side_effect=ZeroDivisionError),
        }
        for name, self.answer in ways.items():
            with self.subTest(name=name), mock.patch.dict(batch._RULES, {"AddRecord": self.rule(1, "may I?")}):
                committer = self.make_committer("held")
                self.submit(committer, add_record("1"))
                self.submit(committer, of_group("CampaignStatusRequest"))
                done = committer.drained()
                self.settle()
                self.assertEqual([each for each in self.seen if each[0] == "1"], [("1", "internal")])
                self.assertEqual(len(self.seen), 2)
                self.successResultOf(done)
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
                self.seen.clear()

    def test_second_transaction_fails(self) -> None:
        """A fault in a further transaction is that of its request; a failing store answers 503."""
        committer = self.make_committer("held")
        with mock.patch.dict(batch._RULES, {"AddRecord": self.rule(1, fails=True)}):
            self.submit(committer, add_record("1"))
            self.settle()
        self.assertEqual(self.seen.pop(), ("1", "internal"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        with mock.patch.dict(batch._RULES, {"AddRecord": self.rule(1)}):
            self.submit(committer, add_record("1"))
            self.clock.advance(0)
            self.worker.go_on()
            self.flaky.before = StoreFailureError("full")
            self.settle()
        self.assertEqual(self.seen.pop(), ("1", "unavailable"))

    def test_key(self) -> None:
        """H324: the answer of a request that was pending is stored under its key when it is there."""
        for way in WAYS:
            with self.subTest(way=way), mock.patch.dict(batch._RULES, {"AddRecord": self.rule(1)}):
                committer = self.make_committer(way)
                for _ in range(2):
                    self.submit(committer, add_record("1"), key=f"k{way}", keep_for=60)
                    self.settle()
                self.assertEqual([name for name, _ in self.seen], ["step", "1", "1"])
                self.assertEqual(self.seen[1], self.seen[2])
                self.seen.clear()

    def test_chore_in_slices(self) -> None:
        """A chore that is unfinished goes on in further transactions, with requests between."""
        for way in WAYS:
            with self.subTest(way=way):
                committer = self.make_committer(way)

                def chore(left: int) -> Any:
                    return lambda unit: Unfinished(chore(left - 1)) if left else "done"

                done = committer.chore(chore(3))
                self.settle()
                self.assertEqual(self.successResultOf(done), "done")
                self.assertEqual(len(self.flaky.waits), 4)

    # The outbox.

    def test_outbox(self) -> None:
        """What a transaction puts into the outbox is handed to every listener after the commit, in order."""
        for way in WAYS:
            with self.subTest(way=way):
                committer = self.make_committer(way)
                told: list[Change] = []

                def refuse(changes: Any) -> None:
                    raise ZeroDivisionError

                committer.listen(refuse)
                committer.listen(told.extend)
                for order in ("StopDialing", "StopDialing", "StartDialing"):
                    self.submit(committer, of_group(order))
                self.submit(committer, of_group("SetDialingMode", GSW_CAMPAIGN_MODE="PushPreview"))
                self.submit(committer, of_group("SetDialingMode", GSW_CAMPAIGN_MODE="Preview"))
                self.settle()
                names = ["CampaignStopped", "CampaignStarted", "CampaignModeChanged", "CampaignModeChanged"]
                groups = [each for each in told if isinstance(each, GroupChanged)]
                self.assertEqual([each.event for each in groups], names)
                self.assertEqual(groups[0].members["GSW_CAMPAIGN_GROUP_DBID"], GROUP)
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_outbox_of_what_was_undone(self) -> None:
        """Nobody is told of what was undone, be it a run or the whole batch."""
        committer = self.make_committer("held")
        told: list[Change] = []
        committer.listen(told.extend)
        original = batch._RULES["control"]

        def failing(unit: UnitOfWork, requests: Any) -> list[Reply]:
            original(unit, requests)
            raise ZeroDivisionError

        with mock.patch.dict(batch._RULES, {"control": failing}):
            self.submit(committer, of_group("StopDialing"))
            self.settle()
        self.flaky.after = StoreFailureError("full")
        self.submit(committer, of_group("StopDialing"))
        self.settle()
        self.assertEqual(told, [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    # Unloading.

    def hand_out_many(self, count: int) -> None:
        """Add records and hand them out."""
        self.replies(*(add_record(str(number)) for number in range(count)))
        for _ in range(0, count, 100):
            self.replies(*(of_group("PreviewRecordRequest") for _ in range(100)))
        self.assertEqual(set(self.column("record_status")), {2})

    def test_unload_in_slices(self) -> None:
        """P52: a group with many hand-outs is unloaded in slices; the answer comes when all have been released."""
        count = 2 * SLICE + 200
        self.hand_out_many(count)
        for way in WAYS:
            with self.subTest(way=way):
                committer = self.make_committer(way)
                told: list[Change] = []
                committer.listen(told.extend)
                self.submit(committer, of_group("ForceUnloadCampaign"))
                self.settle()
                self.assertEqual(self.seen[-1][1]["GSW_USER_EVENT"], "CampaignUnloaded")
                self.assertEqual(set(self.column("record_status")), {1})
                self.assertEqual(len(self.flaky.waits), 3)
                groups = [each for each in told if isinstance(each, GroupChanged)]
                self.assertEqual(groups, [GroupChanged("CampaignUnloaded", mock.ANY, "unloaded", mock.ANY)])
                self.assertEqual(len(told) - len(groups), count)
                self.reply(of_group("StartDialing"))
                for _ in range(0, count, 100):
                    self.replies(*(of_group("PreviewRecordRequest") for _ in range(100)))

    def test_started_again_meanwhile(self) -> None:
        """P52: what is handed out after a group was started again is not released by the rest of the unloading."""
        self.hand_out_many(2 * SLICE + 200)
        committer = self.make_committer("held")
        self.submit(committer, of_group("ForceUnloadCampaign"))
        self.clock.advance(0)
        self.worker.go_on()
        self.reply(of_group("StartDialing"))
        handles = [
            each["GSW_RECORD_HANDLE"] for each in self.replies(*(of_group("PreviewRecordRequest") for _ in range(3)))
        ]
        self.settle()
        self.assertEqual(self.seen[-1][1]["GSW_USER_EVENT"], "CampaignUnloaded")
        self.assertEqual(sorted(row["record_status"] for row in self.rows()), [1] * (2 * SLICE + 197) + [2] * 3)
        for handle in handles:
            self.reply({"GSW_AGENT_REQ_TYPE": "UpdateCallCompletionStats", "GSW_RECORD_HANDLE": handle})

    def test_cancel_in_slices(self) -> None:
        """H250: a phone that very many records have is cancelled in slices, with the count of all in the answer."""
        for count, expected in ((SLICE, 1), (2 * SLICE + 1, 4)):
            with self.subTest(count=count):
                phone = f"650{count}"
                self.replies(*(add_record(phone) for _ in range(count)))
                committer = self.make_committer("held")
                self.submit(committer, by_phone("RequestRecordCancel", phone))
                self.settle()
                event = self.seen.pop()[1]
                self.assertEqual(
                    (event["GSW_USER_EVENT"], event["GSW_RECORDS_COUNT"]), ("RecordCancelAcknowledge", count)
                )
                self.assertEqual(len(self.flaky.waits), expected)
                statuses = {row["record_status"] for row in self.rows() if row["contact_info"] == phone}
                self.assertEqual(statuses, {RecordStatus.CANCELLED.value})

    def test_do_not_call_in_slices(self) -> None:
        """H260: a phone that very many records have is blocked at once, and its records are marked in slices."""
        count = 2 * SLICE + 1
        self.replies(*(add_record("6505550100") for _ in range(count)))
        committer = self.make_committer("held")
        self.submit(committer, by_phone("DoNotCall", "6505550100"))
        self.clock.advance(0)
        self.worker.go_on()
        self.assertEqual(self.seen, [])
        self.assertEqual(self.column("record_type").count(RecordType.NO_CALL.value), SLICE)
        self.assertEqual(self.add("+6505550100 ext 1")["GSW_RECORD_TYPE"], RecordType.GENERAL.value)
        self.assertEqual(self.add("6505550100 ext 1")["GSW_RECORD_TYPE"], RecordType.NO_CALL.value)
        self.assertEqual(self.reply(of_group("PreviewRecordRequest"))["GSW_PHONE"], "+6505550100 ext 1")
        self.settle()
        event = self.seen.pop()[1]
        self.assertEqual((event["GSW_USER_EVENT"], event["GSW_RECORDS_COUNT"]), ("DoNotCallAcknowledge", count))
        self.assertEqual(len(self.flaky.waits), 4)
        self.assertEqual(self.column("record_type").count(RecordType.NO_CALL.value), count + 1)

    def test_end_of_the_server_meanwhile(self) -> None:
        """P52: what an unloaded group still holds when the server ends is released at the next start, in slices."""
        self.hand_out_many(2 * SLICE + 200)
        committer = self.make_committer("held")
        self.submit(committer, of_group("ForceUnloadCampaign"))
        self.clock.advance(0)
        self.worker.go_on()
        self.assertEqual(self.seen, [])
        self.store.further = 0
        self.store.restart()
        self.assertEqual(set(self.column("record_status")), {1})
        self.assertEqual(self.store.further, 1)

    def test_group_that_is_gone(self) -> None:
        """C67: the hand-outs of a group that is gone are released in slices too."""
        self.hand_out_many(2 * SLICE + 200)
        self.store.reload(without_groups(self.directory))
        self.assertEqual(set(self.column("record_status")), {1})
        self.assertEqual(self.store.further, 2)


def without_groups(directory: Directory) -> Directory:
    """Return a directory with the same lists and no campaign group."""
    return Directory(
        application_dbid=134,
        tenants=directory.tenants,
        zones=directory.zones,
        calling_lists=directory.calling_lists,
        campaigns=directory.campaigns,
        groups=(),
    )
