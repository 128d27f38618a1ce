"""Batches that the reactor carries out itself while the store is quick (architecture; configuration.md C41)."""

import gc
import weakref
from typing import Any

from ocsgw.contact.batch import Outcome
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.execution.pace import Pace
from ocsgw.protocol.errors import Refusal
from ocsgw.store.errors import StoreBusyError
from tests.support.case import ClockTestCase
from tests.support.rules import NOW, RuleTestCase, add_record, pending
from tests.support.workers import FlakyStore, HeldWorker


class Stopwatch:
    """Time and processor time that go on with each reading, by what the test says."""

    def __init__(self) -> None:
        self.waits = 0.0
        self.requests = 0.0
        self._time = 0.0
        self._work = 0.0

    def __call__(self) -> tuple[float, float]:
        """Return time and processor time, and let both go on."""
        reading = self._time, self._work
        self._time += self.waits + self.requests
        self._work += self.requests
        return reading


class _Rows:
    """Something that a chore has in use."""


class PaceTests(ClockTestCase):
    """When the store is quick."""

    def setUp(self) -> None:
        super().setUp()
        self.stopwatch = Stopwatch()
        self.pace = Pace(self.stopwatch)

    def batches(self, count: int, *, waits: float = 0.0, requests: float = 0.0, turns: float = 0.0) -> bool:
        """Let so many batches wait and work so long, in seconds; return whether the store counts as quick then.

        `turns` is how long each waits for the processor before its commit.
        """
        for _ in range(count):
            self.stopwatch.waits, self.stopwatch.requests = turns, requests
            begun = self.pace.stopwatch()
            self.stopwatch.waits, self.stopwatch.requests = waits, 0.0
            self.pace.note(begun, self.pace.stopwatch())
        return self.pace.is_brisk

    def test_quick(self) -> None:
        """A store that nobody waits for is quick, however much there is to compute in a batch."""
        self.assertTrue(self.pace.is_brisk)
        self.assertTrue(self.batches(100, waits=0.0004, requests=0.005))

    def test_slow_disk(self) -> None:
        """A store that keeps every batch waiting is not; it is again when that ends."""
        self.assertFalse(self.batches(100, waits=0.005))
        self.assertTrue(self.batches(100, waits=0.0004))

    def test_one_slow_batch(self) -> None:
        """One batch that waits for a checkpoint changes nothing; one that waits for a stuck disk does."""
        self.batches(100, waits=0.0004)
        self.assertTrue(self.batches(1, waits=0.012))
        self.assertFalse(self.batches(1, waits=0.2))

    def test_processor_in_use(self) -> None:
        """What a batch waits for the processor says nothing of the disk, before the commit or now and then in it."""
        self.assertTrue(self.batches(100, waits=0.0004, requests=0.005, turns=0.02))
        for _ in range(50):
            self.assertTrue(self.batches(1, waits=0.004))
            self.assertTrue(self.batches(1, waits=0.0004))

    def test_without_a_commit(self) -> None:
        """A batch that came to no commit is judged by its length."""
        self.stopwatch.requests = 0.001
        for _ in range(100):
            self.pace.note(self.pace.stopwatch(), None)
        self.assertTrue(self.pace.is_brisk)
        self.stopwatch.requests = 0.1
        self.pace.note(self.pace.stopwatch(), None)
        self.assertFalse(self.pace.is_brisk)

    def test_long_work(self) -> None:
        """Batches that compute for long are slow too: nothing else happens meanwhile."""
        self.assertFalse(self.batches(2, requests=0.1))


class QuickCommitterTests(RuleTestCase):
    """The committer with a worker that has nothing to do."""

    def setUp(self) -> None:
        super().setUp()
        self.worker = HeldWorker()
        self.worker.is_idle = True
        self.flaky = FlakyStore(self.store.store)
        self.stopwatch = Stopwatch()
        self.pace = Pace(self.stopwatch)
        self.has_events = False
        self.committer = Committer(
            self.flaky,
            self.worker,
            self.directory,
            self.clock,
            lambda: NOW,
            pace=self.pace,
            has_events=lambda: self.has_events,
        )
        self.told: list[bool] = []
        self.seen: list[tuple[str, str]] = []

    def submit(self, phone: str, **values: Any) -> None:
        """Submit an AddRecord."""

        def deliver(outcome: Outcome) -> None:
            self.seen.append((phone, outcome.reply.code if isinstance(outcome.reply, Refusal) else ""))

        self.committer.submit(Job(pending(add_record(phone)), deliver, **values))

    def test_in_the_reactor(self) -> None:
        """A batch is what one turn of the reactor brings; the worker is not troubled."""
        for phone in "12":
            self.submit(phone)
        self.assertEqual(self.seen, [])
        self.clock.advance(0)
        self.assertEqual(self.seen, [("1", ""), ("2", "")])
        self.submit("3")
        drained = self.committer.drained()
        self.clock.advance(0)
        self.successResultOf(drained)
        self.assertEqual((self.column("contact_info"), self.worker.tasks), (["1", "2", "3"], []))

    def test_worker_in_use(self) -> None:
        """While the worker has something to do the store is its own; afterwards it is not."""
        self.worker.is_idle = False
        self.submit("1")
        self.clock.advance(0)
        self.submit("2")
        self.worker.is_idle = True
        self.worker.go_on()
        self.assertEqual((self.seen, self.worker.tasks), ([("1", ""), ("2", "")], []))

    def test_brief_chores(self) -> None:
        """A brief chore is carried out where batches are, in its turn; others go to the worker."""
        done = self.committer.chore(lambda unit: unit.now, is_brief=True)
        self.assertNoResult(done)
        self.clock.advance(0)
        self.assertEqual((self.successResultOf(done), self.worker.tasks), (NOW, []))
        self.assertNoResult(self.committer.chore(lambda unit: unit.now))
        self.worker.go_on()
        self.worker.is_idle = False
        waiting = self.committer.chore(lambda unit: unit.now, is_brief=True)
        self.assertNoResult(waiting)
        self.worker.go_on()
        self.assertEqual(self.successResultOf(waiting), NOW)

    def test_turns(self) -> None:
        """Batches and brief chores take turns, so that neither waits for more than one of the others."""

        def slice_(unit: UnitOfWork) -> None:
            self.seen.append(("slice", ""))
            self.submit("further")

        for _ in range(3):
            self.committer.chore(slice_, is_brief=True)
        for phone in ("1", "2"):
            self.submit(phone)
        drained = self.committer.drained()
        self.clock.advance(0)
        self.successResultOf(drained)
        seen = [what for what, _ in self.seen]
        self.assertEqual(seen, ["1", "2", "slice", "further", "slice", "further", "slice", "further"])

    def test_chore_in_several_transactions(self) -> None:
        """A brief chore that is asked for by others goes on in its next turn, in the reactor."""
        for events, awaited in ((False, False), (True, True)):
            self.has_events = events
            self.committer.chore(lambda unit: self.told.append(unit.is_awaited()), is_brief=True)
            self.clock.advance(0)
            self.assertEqual(self.told.pop(), awaited)
        self.has_events = False

        def begin(unit: UnitOfWork) -> bool | Unfinished[bool]:
            self.submit("1")
            self.assertTrue(unit.is_awaited())
            return Unfinished(lambda unit: unit.is_awaited())

        done = self.committer.chore(begin, is_brief=True)
        self.clock.advance(0)
        self.assertEqual((self.successResultOf(done), self.seen, self.worker.tasks), (False, [("1", "")], []))

    def test_chore_on_the_worker(self) -> None:
        """A chore that the worker has got is asked for by what else is there, and had better be in the reactor."""
        self.worker.is_idle = False
        self.committer.chore(lambda unit: self.told.append(unit.is_awaited()), is_brief=True)
        self.worker.go_on()
        self.assertEqual(self.told.pop(), True)
        self.pace.is_brisk = False
        for others in (0, 1):
            self.committer.chore(lambda unit: self.told.append(unit.is_awaited()), is_brief=True)
            for _ in range(others):
                self.committer.chore(lambda unit: None)
            self.worker.go_on()
            self.assertEqual(self.told.pop(), bool(others))

    def test_nothing_is_kept(self) -> None:
        """What a chore has in use is free when it is done, without a collection: the rows of a slice are many."""
        self.addCleanup(gc.enable)
        gc.disable()
        for is_brief in (True, False):
            rows = _Rows()
            gone = weakref.ref(rows)
            done = self.committer.chore(lambda unit, rows=rows: unit.now, is_brief=is_brief)  # type: ignore[misc]
            del rows
            self.assertIsNotNone(gone())
            self.clock.advance(0)
            if not is_brief:
                self.worker.go_on()
            self.assertEqual(self.successResultOf(done), NOW)
            self.assertIsNone(gone())

    def test_brief_chore_that_fails(self) -> None:
        """What a chore raises is told to whoever asked for it; the next ones have their turn."""
        failed = self.committer.chore(lambda unit: 1 // 0, is_brief=True)
        done = self.committer.chore(lambda unit: unit.now, is_brief=True)
        self.submit("1")
        self.clock.advance(0)
        self.failureResultOf(failed, ZeroDivisionError)
        self.assertEqual((self.successResultOf(done), self.seen), (NOW, [("1", "")]))

    def test_brief_chore_when_the_store_gets_slow(self) -> None:
        """A chore whose turn comes when the worker has the store goes there as well."""
        waiting = self.committer.chore(lambda unit: unit.now, is_brief=True)
        self.worker.is_idle = False
        self.clock.advance(0)
        self.assertNoResult(waiting)
        self.worker.go_on()
        self.assertEqual(self.successResultOf(waiting), NOW)

    def test_brief_chore_beside_another_program(self) -> None:
        """C41: it waits on the worker for a program that holds the store, and tells what fails."""
        self.flaky.before = StoreBusyError("database is locked")
        waiting = self.committer.chore(lambda unit: unit.now, is_brief=True)
        self.clock.advance(0)
        self.assertNoResult(waiting)
        self.flaky.before = None
        self.worker.go_on()
        self.assertEqual((self.successResultOf(waiting), self.flaky.waits), (NOW, [0.0, 5.0]))
        self.flaky.before = StoreFailureError("full")
        failing = self.committer.chore(lambda unit: unit.now, is_brief=True)
        self.clock.advance(0)
        self.failureResultOf(failing, StoreFailureError)

    def test_another_program(self) -> None:
        """C41: a program that holds the store is waited for on the worker, as long as the deadline allows."""
        self.flaky.before = StoreBusyError("database is locked")
        self.submit("1", deadline=10.0)
        self.clock.advance(0)
        self.assertEqual((self.seen, self.flaky.waits), ([], [0.0]))
        self.worker.go_on()
        self.assertEqual((self.seen, self.flaky.waits), ([("1", "unavailable")], [0.0, 9.0]))
        self.flaky.before = None
        self.submit("2")
        self.clock.advance(0)
        self.assertEqual(self.seen[1:], [("2", "")])

    def test_no_time_left_for_another_program(self) -> None:
        """C41: with no time left to wait the answer is the same: not executed."""
        self.flaky.before = StoreBusyError("database is locked")
        self.submit("1", deadline=0.2)
        self.clock.advance(0)
        self.worker.go_on()
        self.assertEqual((self.seen, self.flaky.waits), ([("1", "unavailable")], [0.0, 0.0]))

    def test_slow_store(self) -> None:
        """A slow store is left to the worker, and taken back when it is quick again."""
        self.stopwatch.waits = 1.0
        self.submit("1")
        self.clock.advance(0)
        for phone in "23":
            self.submit(phone)
            self.clock.advance(0)
            self.assertEqual(len(self.worker.tasks), 1)
            self.worker.go_on()
        self.stopwatch.waits = 0.0
        for number in range(200):
            self.submit(str(number))
            self.clock.advance(0)
            if self.worker.tasks:
                self.worker.go_on()
        self.assertEqual(self.worker.tasks, [])
        self.submit("last")
        self.clock.advance(0)
        self.assertEqual((self.worker.tasks, len(self.seen)), ([], 204))

    def test_failure_and_defect(self) -> None:
        """C41, section 8: failures and defects give the answers that they give on the worker."""
        for error, code in ((StoreFailureError("full"), "unavailable"), (ZeroDivisionError("defect"), "internal")):
            self.flaky.after = error
            self.submit("1")
            self.clock.advance(0)
            self.assertEqual(self.seen.pop(), ("1", code))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.rows(), [])
        self.flaky.after = None
        self.submit("2")
        self.clock.advance(0)
        self.assertEqual(self.seen, [("2", "")])

    def test_requests_that_follow_from_answers(self) -> None:
        """H331: requests that wait for one another, however many, come one by one with the turns of the reactor."""

        def again(outcome: Outcome) -> None:
            if len(self.seen) < 3000:
                self.seen.append(("", ""))
                self.committer.submit(Job(pending({"GSW_AGENT_REQ_TYPE": "None"}), again))

        self.committer.submit(Job(pending({"GSW_AGENT_REQ_TYPE": "None"}), again))
        for _ in range(3001):
            self.clock.advance(0)
        self.assertEqual(len(self.seen), 3000)
        self.successResultOf(self.committer.drained())
