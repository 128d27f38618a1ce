"""Failure barriers of the committer: what one party raises costs that party only, and the next batch comes."""

from collections.abc import Callable
from typing import Any
from unittest import mock

from ocsgw.contact.batch import Outcome
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.counters import CALLBACK_FAILURES
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.protocol.errors import Refusal
from tests.support.logs import LogCapture
from tests.support.rules import NOW, RuleTestCase, add_record, pending
from tests.support.workers import FlakyStore, HeldWorker, IdleWorker, InlineWorker

# How batches are carried out: on a worker that answers later, on one that answers at once, and in the reactor.
WAYS: dict[str, Callable[[], Any]] = {"held": HeldWorker, "inline": InlineWorker, "in the reactor": IdleWorker}


class BarrierTests(RuleTestCase):
    """One committer for each way of carrying batches out."""

    def setUp(self) -> None:
        super().setUp()
        self.log = LogCapture(self)
        self.seen: list[tuple[str, str]] = []

    def make_committer(self, way: str) -> Committer:
        """Return a committer that carries batches out in this way."""
        self.worker = WAYS[way]()
        self.flaky = FlakyStore(self.store.store)
        return Committer(self.flaky, self.worker, self.directory, self.clock, wall_clock=lambda: NOW)

    def submit(self, committer: Committer, phone: str, *, raises: bool = False, **job: Any) -> None:
        """Submit an AddRecord; `raises` says whether its delivery does."""

        def deliver(outcome: Outcome) -> None:
            code = outcome.reply.code if isinstance(outcome.reply, Refusal) else ""
            self.seen.append((phone, code))
            if raises:
                raise ZeroDivisionError(phone)

        committer.submit(Job(pending(add_record(phone), principal="crm", request_id="r1"), deliver, **job))

    def settle(self, committer: Committer) -> None:
        """Let everything happen that is to come, and see that the committer rests."""
        done = committer.drained()
        for _ in range(20):
            self.clock.advance(0)
            if isinstance(self.worker, HeldWorker) and self.worker.tasks:
                self.worker.go_on()
        self.successResultOf(done)

    def codes(self) -> dict[str, str]:
        """Return what became of each phone."""
        seen, self.seen = self.seen, []
        self.assertEqual(len(dict(seen)), len(seen), seen)
        return dict(seen)

    def test_deliver_raises(self) -> None:
        """A delivery that raises costs nobody else the answer, and the next batch comes; the log says whose it was."""
        for way in WAYS:
            for at in range(3):
                with self.subTest(way=way, at=at):
                    committer = self.make_committer(way)
                    before = CALLBACK_FAILURES.cell(place="deliver").value
                    for number in range(3):
                        self.submit(committer, str(number), raises=number == at)
                    self.settle(committer)
                    self.assertEqual(self.codes(), {"0": "", "1": "", "2": ""})
                    self.submit(committer, "next")
                    self.settle(committer)
                    self.assertEqual(self.codes(), {"next": ""})
                    self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
                    self.assertEqual(CALLBACK_FAILURES.cell(place="deliver").value, before + 1)
                    self.assertIn("AddRecord of crm, request id r1", self.log.texts()[-1])

    def test_deliver_raises_in_batch_after_batch(self) -> None:
        """The same where the next batch waits already while the answers go out."""
        for way in WAYS:
            with self.subTest(way=way):
                committer = self.make_committer(way)
                for number in range(1030):
                    self.submit(committer, str(number), raises=number % 500 == 0)
                self.settle(committer)
                self.assertEqual(len(self.codes()), 1030)
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_late_answer_raises(self) -> None:
        """A request whose deadline has passed is answered before the batch; that its delivery raises costs no other."""
        for way in WAYS:
            with self.subTest(way=way):
                committer = self.make_committer(way)
                self.submit(committer, "late", raises=True, deadline=self.clock.seconds())
                self.submit(committer, "1")
                self.settle(committer)
                self.assertEqual(self.codes(), {"late": "no_response", "1": ""})
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_answer_to_a_failure_raises(self) -> None:
        """Everybody hears of a batch that failed as a whole, and the next one comes."""
        for way in WAYS:
            with self.subTest(way=way):
                committer = self.make_committer(way)
                self.flaky.after = OverflowError("defect")
                for number in range(3):
                    self.submit(committer, str(number), raises=number == 0)
                self.settle(committer)
                self.assertEqual(self.codes(), dict.fromkeys("012", "internal"))
                self.flaky.after = None
                self.submit(committer, "next")
                self.settle(committer)
                self.assertEqual(self.codes(), {"next": ""})
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
                self.assertEqual(len(self.flushLoggedErrors(OverflowError)), 3)

    def test_batch_fails_because_of_one(self) -> None:
        """What makes a whole batch fail, as a line for the audit log that cannot be written, costs its request only."""

        class Audit:
            def batch(self) -> Any:
                return mock.MagicMock(**{"__enter__.return_value": self.record, "__exit__.return_value": None})

            def record(self, unit: Any, requests: Any, outcomes: Any) -> None:
                if any(each.data["GSW_PHONE"] == "1" for each in requests):
                    raise OverflowError("value out of range")

        for way in WAYS:
            with self.subTest(way=way):
                self.make_committer(way)
                committer = Committer(
                    self.flaky,
                    self.worker,
                    self.directory,
                    self.clock,
                    lambda: NOW,
                    auditor=Audit(),  # type: ignore[arg-type]  # a stand-in
                )
                rows = len(self.rows())
                for number in range(3):
                    self.submit(committer, str(number))
                self.settle(committer)
                self.assertEqual(self.codes(), {"0": "", "1": "internal", "2": ""})
                self.assertEqual(len(self.rows()), rows + 2)
                self.assertEqual(len(self.flushLoggedErrors(OverflowError)), 1)

    def test_notes_raise(self) -> None:
        """A note of a batch that cannot be logged costs no answer, and a chore not its result."""

        def note(self: UnitOfWork, *arguments: Any, **options: Any) -> None:
            original(self, *arguments, **options)
            self.group_messages.append((1, "no such message"))

        original = UnitOfWork.__init__
        for way in WAYS:
            with self.subTest(way=way):
                committer = self.make_committer(way)
                with mock.patch.object(UnitOfWork, "__init__", note):
                    self.submit(committer, "1")
                    self.settle(committer)
                    chore = committer.chore(lambda unit: 7)
                    if isinstance(self.worker, HeldWorker):
                        self.worker.go_on()
                self.assertEqual(self.codes(), {"1": ""})
                self.assertEqual(self.successResultOf(chore), 7)
                self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    def test_worker_refuses(self) -> None:
        """A batch that the worker does not take is answered with 500; the next one comes."""
        committer = self.make_committer("held")
        with mock.patch.object(HeldWorker, "run", side_effect=ZeroDivisionError):
            self.submit(committer, "1")
            self.clock.advance(0)
        self.assertEqual(self.codes(), {"1": "internal"})
        self.submit(committer, "2")
        self.settle(committer)
        self.assertEqual(self.codes(), {"2": ""})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_waiter_of_the_end_raises(self) -> None:
        """Everybody who waits for the last answer is told of it."""
        committer = self.make_committer("inline")
        self.submit(committer, "1")
        told = []

        def waiter(_: None) -> None:
            told.append(1)
            raise ZeroDivisionError

        for _ in range(2):
            committer.drained().addCallback(waiter).addErrback(lambda reason: reason.trap(ZeroDivisionError))
        self.settle(committer)
        self.assertEqual(told, [1, 1])
