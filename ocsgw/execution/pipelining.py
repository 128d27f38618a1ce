"""Batches that are carried out beside each other: all of a batch is sent at once, and no thread waits for the answers.

Only requests that need no answer of the database for their own go this way (`may_pipeline`). Everything else is carried
out alone by the worker, while nothing is on its way; so is a batch that the database has refused, in the order in
which such batches were sent.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocsgw.contact.batch import Outcome, execute
from ocsgw.contact.transaction import Transaction
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.counters import BATCH_SIZES, COMMIT_SECONDS, COMMITS
from ocsgw.execution.flights import Flight
from ocsgw.execution.jobs import Awaiting
from ocsgw.execution.result import BatchResult
from ocsgw.execution.worker import Worker
from ocsgw.guard import contain
from ocsgw.store.engine import Pipeline, PipelinedBatch
from ocsgw.store.errors import NotPipelinedError

# After a batch in vain so many go the usual way, twice as many after each further one, and so many at most.
_FIRST_DETOUR, _LONGEST_DETOUR = 1, 64
_COMMITTED = COMMITS.cell(result="committed")
# So long connecting may take (seconds).
_CONNECTING = 2.0

T = TypeVar("T")


class Sent(NamedTuple):
    """A batch that was sent, and what becomes of its jobs if it is committed."""

    jobs: Sequence[Awaiting]
    batch: PipelinedBatch
    unit: UnitOfWork
    outcomes: list[Outcome]
    # The seconds since it began.
    took: Callable[[], float]

    def result(self) -> BatchResult:
        """Return the result of the batch, which is committed."""
        self.unit.committed()
        _COMMITTED.value += 1
        BATCH_SIZES.observe(len(self.jobs))
        COMMIT_SECONDS.observe(self.took())
        return BatchResult(self.outcomes, [self.unit])


class Pipelining:
    """Sends batches and takes what becomes of them.

    `landed` is called with the jobs and the result of each batch that was committed, and the seconds since it began;
    `refused` with those that were not, or of which that is not known, once nothing is on its way any more.
    """

    _log = Logger()

    def __init__(
        self,
        pipeline: Pipeline,
        reactor: Any,
        worker: Worker,
        landed: Callable[[Sequence[Awaiting], BatchResult, float], None],
        refused: Callable[[Sequence[Sent]], None],
    ) -> None:
        self._pipeline = pipeline
        self._reactor = reactor
        self._worker = worker
        self._landed = landed
        self._refused = refused
        # How many batches are on their way, with how many requests; and those that have come back without a commit.
        self.count = self.requests = 0
        self._failed: list[Sent] = []
        # What waits for the worker until nothing is on its way.
        self._tasks: deque[tuple[Callable[[], Any], Deferred[Any]]] = deque()
        # How many batches still go the usual way, and how many the last time.
        self._detour = self._last_detour = 0
        self._is_preparing = False

    @property
    def is_open(self) -> bool:
        """Whether batches may begin, as far as others are concerned."""
        return not self._detour and self._worker.is_idle and not self._tasks and not self._failed

    @property
    def is_full(self) -> bool:
        """Whether the next batch has to wait for one that is on its way."""
        return self._pipeline.is_full

    def send(self, jobs: Sequence[Awaiting], unit_of: Callable[[Transaction], UnitOfWork]) -> bool:
        """Send a batch; False if it has to go the usual way, and nothing has happened."""
        batch: PipelinedBatch | None = None
        try:
            batch = self._pipeline.begin()
            if batch is None:
                return False
            begun = self._reactor.seconds()
            unit = unit_of(batch.tx)
            outcomes = execute(unit, [job.pending for job in jobs], _no_defects)
            unit.store_outbox()
            is_sent = batch.send()
        except Exception:  # noqa: BLE001 - whatever it is, the usual way finds it as well
            if batch is not None:
                batch.give_up()
            return False
        sent = Sent(jobs, batch, unit, outcomes, lambda: self._reactor.seconds() - begun)
        self.count += 1
        self.requests += len(jobs)
        if is_sent:
            Flight(self._reactor, batch, lambda: self._has_landed(sent))
        else:
            self._reactor.callLater(0, self._has_landed, sent)
        return True

    def _has_landed(self, sent: Sent) -> None:
        self.count -= 1
        self.requests -= len(sent.jobs)
        try:
            was_committed = sent.batch.was_committed()
        except Exception:  # noqa: BLE001 - what has become of it is then found out in the usual way
            contain(self._log, "outcome of a batch")
            was_committed = False
        if was_committed:
            self._last_detour = 0
            self._go_on()
            self._landed(sent.jobs, sent.result(), sent.took())
            return
        self._failed.append(sent)
        self._go_on()

    def _go_on(self) -> None:
        """Give the worker what has waited for it, once nothing is on its way."""
        if self.count:
            return
        if self._failed:
            self._last_detour = min(_LONGEST_DETOUR, 2 * self._last_detour or _FIRST_DETOUR)
            self._detour = self._last_detour
            failed, self._failed = self._failed, []
            self._refused(failed)
        while self._tasks:
            function, done = self._tasks.popleft()
            self._worker.run(function).chainDeferred(done)

    def run(self, function: Callable[[], T]) -> "Deferred[T]":
        """Return a Deferred with the result of a function that the worker runs while nothing is on its way."""
        if not self.count:
            return self._worker.run(function)
        done: Deferred[T] = Deferred()
        self._tasks.append((function, done))
        return done

    def passed_by(self) -> None:
        """A batch goes the usual way: have the worker get ready for others behind it, if that is of use now."""
        self._detour = max(0, self._detour - 1)
        if self._pipeline.needs_preparation and not self._is_preparing:
            self._is_preparing = True
            self._worker.run(lambda: self._pipeline.prepare(_CONNECTING)).addBoth(self._prepared)

    def _prepared(self, _: object) -> None:
        self._is_preparing = False


def _no_defects(pending: object, error: Exception) -> None:
    """A rule that fails is found out about in the usual way."""
    raise NotPipelinedError from error
