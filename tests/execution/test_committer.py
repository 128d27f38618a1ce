"""The committer: batches, order, deadlines, failures (architecture; http.md H160, H161; configuration.md C41)."""

import sqlite3
from contextlib import closing
from typing import Any, cast

from ocsgw.contact.batch import Outcome, execute
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.protocol.errors import Refusal
from ocsgw.store.errors import CommitUnknownError, StoreBusyError
from tests.support.logs import LogCapture
from tests.support.rules import NOW, RuleTestCase, add_record, by_handle, of_group, pending
from tests.support.workers import FlakyStore, HeldWorker, InlineWorker


class CommitterTests(RuleTestCase):
    """Jobs go in, outcomes come out after the commit."""

    def setUp(self) -> None:
        super().setUp()
        self.log = LogCapture(self)
        self.worker = HeldWorker()
        self.flaky = FlakyStore(self.store.store)
        self.committer = Committer(
            self.flaky, self.worker, self.directory, self.clock, wall_clock=lambda: NOW, new_guid=lambda: "G" * 32
        )
        self.outcomes_seen: list[tuple[str, Outcome]] = []

    def submit(self, phone: str, deadline: float | None = None, **keys: Any) -> None:
        """Submit an AddRecord."""
        self.committer.submit(
            Job(
                pending(add_record(phone, **keys)),
                lambda outcome: self.outcomes_seen.append((phone, outcome)),
                deadline,
            )
        )

    def turn_of_the_reactor(self) -> None:
        """Let the reactor do what is due."""
        self.clock.advance(0)

    def codes(self) -> list[tuple[str, str]]:
        """Return what became of each request so far: its phone and the code of a refusal, empty without one."""
        seen, self.outcomes_seen = self.outcomes_seen, []
        return [(phone, each.reply.code if isinstance(each.reply, Refusal) else "") for phone, each in seen]

    def test_batches(self) -> None:
        """P5: a batch is what arrived while the last commit ran; answers come after the commit, in order."""
        for phone in "12":
            self.submit(phone)
        self.assertEqual(self.worker.tasks, [])
        self.turn_of_the_reactor()
        for phone in "345":
            self.submit(phone)
        self.assertEqual(len(self.worker.tasks), 1)
        self.assertEqual(self.codes(), [])
        self.worker.go_on()
        self.assertEqual(self.codes(), [("1", ""), ("2", "")])
        self.worker.go_on()
        self.assertEqual(self.codes(), [("3", ""), ("4", ""), ("5", "")])
        self.assertEqual((self.worker.tasks, len(self.flaky.waits)), ([], 2))
        self.assertEqual(self.column("contact_info"), list("12345"))

    def test_after_a_pause(self) -> None:
        """Architecture: when nothing waits the committer rests, and begins again with the next request."""
        for phone in "12":
            self.submit(phone)
            self.turn_of_the_reactor()
            self.worker.go_on()
            self.assertEqual(self.codes(), [(phone, "")])

    def test_largest_batch(self) -> None:
        """Architecture: a batch has an upper limit; what is beyond it goes into the next one, in order."""
        for number in range(600):
            self.submit(str(number))
        self.turn_of_the_reactor()
        self.worker.go_on()
        first = len(self.codes())
        self.assertEqual(first, 512)
        self.worker.go_on()
        self.assertEqual(self.codes(), [(str(number), "") for number in range(512, 600)])

    def test_deadline_passed(self) -> None:
        """H161: a request whose deadline has passed before its transaction begins is not executed: 504."""
        self.submit("1")
        self.turn_of_the_reactor()
        self.submit("2", deadline=5.0)
        self.submit("3", deadline=5.5)
        self.submit("4")
        self.clock.advance(5.0)
        self.worker.go_on()
        self.clock.advance(0.01)
        self.worker.go_on()
        self.assertEqual(sorted(self.codes()), [("1", ""), ("2", "no_response"), ("3", ""), ("4", "")])
        self.assertEqual(self.column("contact_info"), ["1", "3", "4"])

    def test_all_deadlines_passed(self) -> None:
        """H161: a batch of which nothing is left begins no transaction."""
        self.submit("1", deadline=0.0)
        self.turn_of_the_reactor()
        self.assertEqual(self.codes(), [("1", "no_response")])
        self.assertEqual(self.worker.tasks, [])

    def test_how_long_it_waits_for_others(self) -> None:
        """Architecture: it waits for other programs so long that the batch's earliest deadline can still be kept."""
        self.submit("1", deadline=7.0)
        self.submit("2", deadline=3.0)
        self.submit("3")
        self.turn_of_the_reactor()
        self.worker.go_on()
        self.submit("4")
        self.turn_of_the_reactor()
        self.worker.go_on()
        first, second = self.flaky.waits
        self.assertTrue(2.0 <= first < 3.0 and 20.0 <= second <= 30.0, self.flaky.waits)

    def test_busy_timeout(self) -> None:
        """A batch waits for other programs no longer than `[store] busy_timeout`; then it was surely not begun: 503."""
        self.committer = Committer(self.store.store, self.worker, self.directory, self.clock, busy_timeout=0.05)
        with closing(sqlite3.connect(self.store.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.submit("1", deadline=30.0)
            self.turn_of_the_reactor()
            self.worker.go_on()
            other.execute("ROLLBACK")
        self.assertEqual(self.codes(), [("1", "unavailable")])
        self.submit("2")
        self.turn_of_the_reactor()
        self.worker.go_on()
        self.assertEqual(self.codes(), [("2", "")])
        self.assertEqual(self.column("contact_info"), ["2"])

    def test_busy_timeout_behind_a_chore(self) -> None:
        """What a batch waits behind a chore counts: it is answered as soon as without one."""
        self.committer = Committer(self.flaky, self.worker, self.directory, self.clock, busy_timeout=2.0)
        chore = self.committer.chore(lambda unit: None)
        self.submit("1", deadline=30.0)
        self.turn_of_the_reactor()
        self.flaky.before = StoreBusyError("database is locked")
        self.clock.advance(1.5)
        self.worker.go_on()
        self.failureResultOf(chore, StoreBusyError)
        self.worker.go_on()
        self.assertEqual(self.codes(), [("1", "unavailable")])
        self.assertEqual(self.flaky.waits, [2.0, 0.5])

    def test_store_fails(self) -> None:
        """C41, H160: while the store fails every request gets 503, told once; it goes on by itself, told once."""
        self.flaky.before = StoreFailureError("database or disk is full")
        for phone in "12":
            self.submit(phone)
            self.turn_of_the_reactor()
            self.worker.go_on()
        self.flaky.before = None
        self.submit("3")
        self.turn_of_the_reactor()
        self.worker.go_on()
        self.assertEqual(self.codes(), [("1", "unavailable"), ("2", "unavailable"), ("3", "")])
        told = [text for text in self.log.texts() if text.startswith("The store")]
        failing = "The store failed: database or disk is full; requests get 503 until it works again"
        self.assertEqual(told, [failing, "The store works again"])
        self.assertEqual(self.column("contact_info"), ["3"])

    def test_failure_in_the_middle(self) -> None:
        """C41: a failure after the rules have worked undoes the whole batch."""
        self.flaky.after = StoreFailureError("disk I/O error")
        for phone in "12":
            self.submit(phone)
        self.turn_of_the_reactor()
        self.worker.go_on()
        self.assertEqual(self.codes(), [("1", "unavailable"), ("2", "unavailable")])
        self.assertEqual(self.rows(), [])

    def test_commit_unknown(self) -> None:
        """C41, H160: a commit whose outcome is unknown gives 504."""
        self.flaky.after = CommitUnknownError("disk I/O error")
        self.submit("1")
        self.turn_of_the_reactor()
        self.worker.go_on()
        self.assertEqual(self.codes(), [("1", "no_response")])

    def test_defect(self) -> None:
        """Section 8: a defect outside of a single request gives 500 to the batch, with the traceback in the log."""
        self.flaky.after = ZeroDivisionError("defect")
        self.submit("1")
        self.turn_of_the_reactor()
        self.worker.go_on()
        self.assertEqual(self.codes(), [("1", "internal")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.flaky.after = None
        self.submit("2")
        self.turn_of_the_reactor()
        self.worker.go_on()
        self.assertEqual(self.codes(), [("2", "")])

    def test_chore(self) -> None:
        """Architecture: a chore runs in a transaction of its own, between batches, and gives back its result."""
        self.submit("1")
        self.turn_of_the_reactor()
        calling_list = self.directory.calling_lists[0]
        done = self.committer.chore(lambda unit: len(unit.tx.records(calling_list, [1, 2])))
        self.submit("2")
        self.worker.go_on()
        self.worker.go_on()
        self.assertEqual(self.successResultOf(done), 1)
        self.worker.go_on()
        self.assertEqual(self.codes(), [("1", ""), ("2", "")])

    def test_chore_fails(self) -> None:
        """Architecture: a chore that fails says so to whoever asked, and nothing of it is done."""
        self.flaky.after = StoreFailureError("full")

        def chore(unit: UnitOfWork) -> None:
            execute(unit, [pending(add_record("1"))], cast("Any", None))

        done = self.committer.chore(chore)
        self.worker.go_on()
        self.failureResultOf(done, StoreFailureError)
        self.assertEqual(self.rows(), [])

    def test_drained(self) -> None:
        """Architecture: drained fires when nothing waits and nothing is being committed, at once if that is so."""
        self.successResultOf(self.committer.drained())
        self.submit("1")
        waiting = self.committer.drained()
        self.turn_of_the_reactor()
        self.submit("2")
        self.worker.go_on()
        self.assertNoResult(waiting)
        self.worker.go_on()
        self.successResultOf(waiting)
        self.assertEqual(self.codes(), [("1", ""), ("2", "")])

    def test_reload(self) -> None:
        """C67: a batch uses the configuration that was in use when it was handed over."""
        self.submit("1", GSW_TZ_NAME="CET")
        self.turn_of_the_reactor()
        self.committer.directory = type(self.directory)(
            application_dbid=1, tenants=self.directory.tenants, zones=self.directory.zones, calling_lists=()
        )
        self.submit("2")
        self.worker.go_on()
        self.worker.go_on()
        self.assertEqual(self.codes(), [("1", ""), ("2", "list_not_found")])

    def test_what_is_logged(self) -> None:
        """H97, H103, 52002: what a committed batch noted is reported, unknown custom keys once per list and name."""
        handle = self.hand_out("9")
        for _ in range(2):
            self.submit("1", Nonsense="x")
            self.committer.submit(
                Job(pending(by_handle("ChainedRecordRequest", handle, GSW_CHAIN_ID=77)), lambda outcome: None)
            )
            self.committer.submit(Job(pending(of_group("StopDialing")), lambda outcome: None))
            self.turn_of_the_reactor()
            self.worker.go_on()
        texts = [text for text in self.log.texts() if "Nonsense" in text or "stopped" in text]
        self.assertEqual(len(texts), 2, texts)
        self.assertEqual(sum("GSW_CHAIN_ID of a request differs" in text for text in self.log.texts()), 2)

    def test_nothing_is_told_of_what_was_undone(self) -> None:
        """C41: what an undone batch has noted is not told."""
        self.flaky.after = StoreFailureError("full")
        self.submit("1", Nonsense="x")
        self.turn_of_the_reactor()
        self.worker.go_on()
        self.assertEqual([text for text in self.log.texts() if "Nonsense" in text], [])

    def test_inline(self) -> None:
        """Architecture: a worker that answers at once makes no difference."""
        committer = Committer(self.flaky, InlineWorker(), self.directory, self.clock, wall_clock=lambda: NOW)
        committer.submit(Job(pending(add_record("1")), lambda outcome: self.outcomes_seen.append(("1", outcome))))
        self.assertEqual(self.codes(), [])
        self.turn_of_the_reactor()
        self.assertEqual(self.codes(), [("1", "")])
