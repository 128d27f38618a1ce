"""What goes into the audit log: one line per change, in the order of the batch, before the commit."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from ocsgw.audit.file import AuditError, AuditFile, ChainPosition, verify
from ocsgw.audit.recorder import Auditor
from ocsgw.contact.batch import Outcome
from ocsgw.contact.opening import prepare
from ocsgw.contact.transaction import StoreFailureError, Transaction
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, UnitOfWork
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from ocsgw.store.errors import CommitUnknownError
from tests.support.logs import LogCapture
from tests.support.rules import (
    RuleTestCase,
    add_record,
    by_handle,
    by_phone,
    event_of,
    of_group,
    pending,
    preview_record,
)
from tests.support.workers import FlakyStore, InlineWorker


class AuditingTests(RuleTestCase):
    """One line per change."""

    def setUp(self) -> None:
        super().setUp()
        self.path = os.path.join(os.path.abspath(self.mktemp()), "audit.jsonl")
        self.auditor = Auditor(AuditFile(self.path), lambda: 1800000000.25, clear=False)
        self.auditor.open()
        self.addCleanup(self.auditor.close)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines but the first, without what the chain adds."""
        with open(self.path, "rb") as stream:
            found = [json.loads(line) for line in stream.read().splitlines()]
        return [{key: value for key, value in each.items() if key not in {"n", "previous"}} for each in found[1:]]

    def unit(self) -> UnitOfWork:
        """Return the turn of the last batch."""
        unit = self.store.unit
        assert unit is not None
        return unit

    def carry_out(self, *requests: PendingRequest) -> list[Outcome]:
        """Carry out requests in one batch and record them."""
        with self.auditor.batch() as record:
            outcomes = self.store.execute(requests)
            record(self.unit(), requests, outcomes)
        return outcomes

    def fail_after(
        self, error: Exception, *requests: PendingRequest, then: Callable[[], object] = lambda: None
    ) -> None:
        """Record a batch and let its commit fail."""
        with self.auditor.batch() as record:
            outcomes = self.store.execute(requests)
            record(self.unit(), requests, outcomes)
            then()
            raise error

    def test_line(self) -> None:
        """A line says when, who, from where, what, on what, and how it ended; contacts are masked."""
        self.carry_out(pending(add_record(), principal="crm", peer="192.0.2.7", request_id="r-1"))
        self.assertEqual(
            self.lines(),
            [
                {
                    "time": "2027-01-15T08:00:00.250000+00:00",
                    "principal": "crm",
                    "address": "192.0.2.7",
                    "action": "AddRecord",
                    "list": "CL_Test",
                    "campaign": "Campaign1",
                    "chain": 1,
                    "chain_n": 0,
                    "contact": "********00",
                    "request_id": "r-1",
                    "outcome": "AddRecordAcknowledge",
                }
            ],
        )

    def test_changes_only(self) -> None:
        """Reads, refusals, empty previews and replays make no line; everything else does, in the order of the batch."""
        keyed = {"key": "k1", "keep_for": 60}
        self.carry_out(pending(preview_record()), pending(of_group("CampaignStatusRequest")))
        self.carry_out(pending(add_record("1"), **keyed), pending(add_record("2", "none")), pending(add_record("3")))
        self.carry_out(pending(add_record("1"), **keyed))
        (handed_out,) = self.carry_out(pending(preview_record()))
        handle = event_of(handed_out)["GSW_RECORD_HANDLE"]
        self.carry_out(
            pending(by_handle("ChainedRecordRequest", handle)),
            pending(by_handle("RecordProcessed", handle)),
            pending(by_phone("DoNotCall", "3")),
            pending(by_handle("RecordProcessed", handle)),
        )
        found = [(line["action"], line.get("handle"), line.get("records")) for line in self.lines()]
        self.assertEqual(
            found,
            [
                ("AddRecord", None, None),
                ("AddRecord", None, None),
                ("PreviewRecordRequest", handle, None),
                ("RecordProcessed", handle, None),
                ("DoNotCall", None, 1),
            ],
        )

    def test_reschedules(self) -> None:
        """H357: each acknowledged reschedule is one line with type, date and agent, one that replaces another too."""
        self.carry_out(pending(add_record()))
        (handed_out,) = self.carry_out(pending(preview_record()))
        handle = event_of(handed_out)["GSW_RECORD_HANDLE"]
        when = {"GSW_DATE_TIME": "01/20/2027 12:00", "GSW_TZ_NAME": "GMT"}
        personal = {**when, "GSW_CALLBACK_TYPE": "Personal", "GSW_AGENT_ID": "a7"}
        self.carry_out(
            pending(by_handle("RecordReschedule", handle, GSW_CALLBACK_TYPE="Campaign", **when)),
            pending(by_handle("RecordReschedule", handle, **personal), key="k2", keep_for=60),
            pending(by_handle("RecordReschedule", 999999, **personal)),
        )
        self.carry_out(pending(by_handle("RecordReschedule", handle, **personal), key="k2", keep_for=60))
        found = [
            (line["callback_type"], line["date_time"], line.get("agent"))
            for line in self.lines()
            if line["action"] == "RecordReschedule"
        ]
        self.assertEqual(found, [("Campaign", "01/20/2027 12:00", None), ("Personal", "01/20/2027 12:00", "a7")])

    def test_campaign_orders(self) -> None:
        """Orders to campaign groups are changes too; the line names the group."""
        self.carry_out(pending(of_group("StopDialing"), client="third_party", peer="ocsctl"))
        (line,) = self.lines()
        self.assertEqual(
            (line["action"], line["address"], line["group"]), ("StopDialing", "ocsctl", "Campaign1@Group1")
        )

    def test_pending(self) -> None:
        """A request that takes several transactions makes one line, with its first change."""
        event: KV = {"GSW_USER_EVENT": "CampaignUnloaded", "GSW_CAMPAIGN_GROUP_NAME": "Group1"}
        request = pending(of_group("ForceUnloadCampaign"))
        self.carry_out(pending(preview_record()))
        for reply in (Continuation(mock.Mock()), Continuation(mock.Mock(), event=event), event):
            with self.auditor.batch() as record:
                record(self.unit(), [request], [Outcome(reply)])
            request.is_recorded = isinstance(reply, Continuation) and reply.event is not None
        (line,) = self.lines()
        self.assertEqual((line["action"], line["group"]), ("ForceUnloadCampaign", "Group1"))

    def test_operator(self) -> None:
        """What an operator changes is one line for each step, with the counts."""
        self.carry_out(pending(add_record()))
        self.unit().notes.append({"action": "import", "target": "list CL_Test", "file": "a.csv", "added": 7})
        with self.auditor.batch() as record:
            record(self.unit(), (), ())
        told = self.lines()[-1]
        self.assertEqual((told["address"], told["action"], told["added"]), ("ocsctl", "import", 7))

    def test_clear(self) -> None:
        """R54: with `[log] contacts = "clear"` contacts and customer ids stand in full."""
        self.auditor.clear = True
        self.carry_out(pending(add_record()), pending(by_phone("RequestRecordCancel", "6505550100")))
        self.assertEqual([line["contact"] for line in self.lines()], ["6505550100"] * 2)

    def test_not_committed(self) -> None:
        """A commit that fails, or whose outcome nobody knows, is reported in a line of its own."""
        for error, action in ((StoreFailureError("x"), "not committed"), (CommitUnknownError("x"), "commit unknown")):
            self.assertRaises(type(error), self.fail_after, error, pending(add_record("1")), pending(add_record("2")))
            told = self.lines()[-1]
            self.assertEqual((told["action"], told["lines"]), (action, 2))
        self.assertRaises(StoreFailureError, self.fail_after, StoreFailureError("x"))
        self.assertEqual(len(self.lines()), 6)

    def test_owed(self) -> None:
        """What cannot be reported at once, because the disk is full, is reported before the next change."""
        append = self.auditor._file.append

        def fail(bodies: Sequence[bytes]) -> None:
            raise AuditError("full")

        def fill_the_disk() -> None:
            self.patch(self.auditor._file, "append", fail)

        self.assertRaises(
            StoreFailureError, self.fail_after, StoreFailureError("x"), pending(add_record("1")), then=fill_the_disk
        )
        self.assertRaises(StoreFailureError, self.carry_out, pending(add_record("2")))
        self.patch(self.auditor._file, "append", append)
        self.carry_out(pending(add_record("3")))
        self.assertEqual([line["action"] for line in self.lines()], ["AddRecord", "not committed", "AddRecord"])

    def test_hostile_texts(self) -> None:
        """Whatever a client sends, a line stays one line of JSON."""
        for text in ('"}\n{"n":9', "\u2028\x7f", "\\", "é" * 100):
            self.carry_out(pending(add_record(text), principal=text, request_id=text))
            self.assertEqual(self.lines()[-1]["principal"], text)


class _FailingFile(AuditFile):
    """A log that cannot be written."""

    def append(self, bodies: Sequence[bytes]) -> None:
        raise AuditError("the disk is full")


class PositionTests(RuleTestCase):
    """The store knows the last line, with the changes that it stands for."""

    def setUp(self) -> None:
        super().setUp()
        self.log = LogCapture(self)
        self.path = os.path.join(os.path.abspath(self.mktemp()), "audit.jsonl")
        self.start()

    def start(self) -> None:
        """Open the log, and begin with a chore, as the server does."""
        self.auditor = Auditor(AuditFile(self.path), lambda: 1800000000.25, clear=False)
        self.auditor.open()
        self.addCleanup(self.auditor.close)
        self.flaky = FlakyStore(self.store.store)
        self.committer = Committer(self.flaky, InlineWorker(), self.directory, self.clock, auditor=self.auditor)
        self.successResultOf(self.committer.chore(prepare))

    def restart(self, keep: int | None = None) -> None:
        """Restart; of the log only the first `keep` lines are left."""
        self.auditor.close()
        if keep is not None:
            with open(self.path, "rb+") as stream:
                lines = stream.read().splitlines(keepends=True)
                stream.truncate(sum(map(len, lines[:keep])))
        self.start()

    def submit(self, *phones: str) -> None:
        """Add records, in one batch."""
        for phone in phones:
            self.committer.submit(Job(pending(add_record(phone)), lambda outcome: None))
        self.clock.advance(0)

    def position(self) -> tuple[int, str] | None:
        """Return what the store knows."""
        return self.store.chore(lambda unit: unit.tx.audit_position())

    def bad(self) -> str:
        """Return what a verification finds."""
        position = self.position()
        assert position is not None
        with open(self.path, "rb") as stream:
            return str(verify([("f", stream)], ChainPosition(*position)).bad)

    def test_every_change(self) -> None:
        """The position is that of the last line after every commit, from the first one of a new log on."""
        self.assertEqual(self.position(), (1, self.auditor._file.last.mark))
        for number in range(3):
            self.submit(str(number), f"1{number}")
            self.assertEqual(self.position(), (3 + 2 * number, self.auditor._file.last.mark))
        self.restart()
        self.submit("4")
        self.assertEqual(self.position(), (8, self.auditor._file.last.mark))
        self.assertEqual(self.bad(), "None")
        self.assertEqual([text for text in self.log.texts() if "missing" in text], [])

    def test_what_was_not_committed(self) -> None:
        """A commit that fails leaves the position as it was; the lines in the file are no breach."""
        self.submit("1")
        before = self.position()
        self.flaky.after = StoreFailureError("full")
        self.submit("2")
        self.flaky.after = None
        self.assertEqual((self.position(), self.bad()), (before, "None"))
        self.restart()
        self.submit("3")
        self.assertEqual(self.bad(), "None")

    def test_lost_end(self) -> None:
        """A log whose end was cut off is reported before and after the next start, whatever is written then."""
        self.submit("1", "2", "3")
        for keep in (3, 1):
            with self.subTest(keep=keep):
                self.restart(keep)
                self.assertIn(f"it ends with number {keep}, the store knows 4", self.log.texts()[-1])
                self.assertIn("the store knows 4", self.bad())
                if keep == 1:
                    self.submit("4")
                    self.assertIn("has number 5 where 2 is due", self.bad())

    def test_replaced_log(self) -> None:
        """A log that was moved away while the server was down goes on with the next number."""
        self.submit("1", "2")
        self.auditor.close()
        os.rename(self.path, f"{self.path}.1")
        self.start()
        self.submit("3")
        with open(f"{self.path}.1", "rb") as old, open(self.path, "rb") as new:
            position = self.position()
            assert position is not None
            verdict = verify([("old", old), ("new", new)], ChainPosition(*position))
        self.assertEqual((verdict.bad, verdict.lines), (None, 5))


class CommitterTests(RuleTestCase):
    """Nothing is changed that is not in the log."""

    def test_unwritable(self) -> None:
        """If the lines cannot be written, the batch is rolled back and answered with 503."""

        @contextmanager
        def transaction(wait: float, *, alone: bool) -> Iterator[Transaction]:
            with self.store.store.transaction(wait) as tx:
                yield tx

        auditor = Auditor(_FailingFile("/none"), lambda: 0.0, clear=False)
        store = type("Store", (), {"transaction": staticmethod(transaction)})()
        committer = Committer(store, InlineWorker(), self.directory, self.clock, auditor=auditor)
        outcomes: list[Outcome] = []
        committer.submit(Job(pending(add_record()), outcomes.append))
        self.clock.advance(0)
        (outcome,) = outcomes
        self.assertIsInstance(outcome.reply, Refusal)
        self.assertEqual(getattr(outcome.reply, "status", None), 503)
        self.assertEqual(self.rows(), [])
