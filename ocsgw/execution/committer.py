"""The committer: everything that waits becomes one transaction, then every answer goes out.

A batch is what arrived while the last one was being committed. While the store is quick the reactor carries batches out
itself, else a worker does, which pauses shortly where that joins two small batches (docs/architecture.md).
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.defer import execute as execute_now
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.audit.recorder import Auditor, not_audited
from ocsgw.contact.backlog import Backlog
from ocsgw.contact.batch import Outcome, may_pipeline
from ocsgw.contact.directory import Directory
from ocsgw.contact.notices import Notice
from ocsgw.contact.outbox import Change
from ocsgw.contact.transaction import Transaction
from ocsgw.contact.unit_of_work import Continuation, Unfinished, UnitOfWork
from ocsgw.execution.batch_log import BatchLog
from ocsgw.execution.continuing import Continuing
from ocsgw.execution.gathering import Gathering
from ocsgw.execution.guids import random_guid
from ocsgw.execution.jobs import Awaiting, Cancellable, Store
from ocsgw.execution.pace import Pace
from ocsgw.execution.pipelining import Pipelining, Sent
from ocsgw.execution.result import BatchResult, joined
from ocsgw.execution.transactions import Transactions
from ocsgw.execution.waiting import ByList, Mixed, Waiting
from ocsgw.execution.worker import Worker
from ocsgw.guard import contain, guarded
from ocsgw.logs import say
from ocsgw.protocol.errors import Refusal
from ocsgw.store.engine import Pipeline
from ocsgw.store.errors import (
    StoreBusyError,
)

_MAX_BATCH = 512
# Without a deadline of its own a request waits so long for other programs that write (seconds).
_LONGEST_WAIT = 30.0
# What is kept of a deadline for the way of the answer (seconds).
_WAY_BACK = 0.5
_CHORE_WAIT = 5.0

T = TypeVar("T")


def nobody_to_ask(question: object) -> "Deferred[object]":
    """Refuse questions of rules where nothing answers them."""
    raise LookupError(f"nobody answers {question!r}")


class Committer:
    """Collects jobs and commits them in batches.

    `wall_clock` is the clock of the rules, in seconds since 1970 UTC (R56); `new_guid` makes ids of hand-outs;
    `auditor` writes the audit log, None without one. `ask` gets the question of a `Continuation` answered;
    `question_room` says how many a URI takes at the moment, in any thread.
    `busy_timeout` is how many seconds a batch waits for other programs that hold the store; then its requests, which
    were not begun, get 503. `in_reactor` is whether the reactor may carry out batches itself. `origin` distinguishes
    this server from others that serve the same store at the same time; empty without any. `pipeline` carries batches
    out beside each other, None where the store has none. With `by_list` each batch is of one list. `has_events` says
    whether the reactor has something to deal with; `soon` calls a function when all is dealt with that a turn brings.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        worker: Worker,
        directory: Directory,
        clock: IReactorTime,
        wall_clock: Callable[[], float] = time.time,
        new_guid: Callable[[], str] = random_guid,
        auditor: Auditor | None = None,
        pace: Pace | None = None,
        ask: Callable[[object], "Deferred[object]"] = nobody_to_ask,
        busy_timeout: float = _LONGEST_WAIT,
        *,
        question_room: Callable[[str], int] = lambda uri: sys.maxsize,
        in_reactor: bool = True,
        origin: str = "",
        pipeline: Pipeline | None = None,
        by_list: bool = False,
        has_events: Callable[[], bool] = lambda: True,
        soon: Callable[[Callable[[], None]], Cancellable] | None = None,
    ) -> None:
        # Bound once: each access to that of the class makes a logger anew.
        self._log = self._log
        self._in_reactor = in_reactor
        self._busy_timeout = busy_timeout
        self._pace = pace or Pace()
        self._audited = auditor.batch if auditor is not None else not_audited
        self.directory = directory
        self._store = store
        self._worker = worker
        self._clock = clock
        self._wall_clock = wall_clock
        self._waiting: Waiting = ByList(lambda: self.directory) if by_list else Mixed()
        # Brief chores that wait for their turn, and whether a batch was the last to have one.
        self._brief: deque[Deferred[None]] = deque()
        self._had_batch = False
        self._busy = False
        self._pipelining: Pipelining | None = None
        # An audit log is written before the commit, one batch after the other.
        if pipeline is not None and auditor is None:
            self._pipelining = Pipelining(pipeline, clock, worker, self._landed, self._refused)
        # Whether the next batch waits for one that is on its way, and with how many requests it does no longer, 0 for
        # any; when it is looked at.
        self._held = False
        self._too_many = 0
        self._due: Cancellable | None = None
        self._soon = soon or (lambda function: clock.callLater(0, function))
        self._gathering = Gathering()
        # While the next batch waits for clients that have just been answered.
        self._pause: IDelayedCall | None = None
        self._idle_waiters: list[Deferred[None]] = []
        self._continuing = Continuing(ask, clock, self.submit, self._answer, self._has_answered)
        self._listeners: list[Callable[[Sequence[Change]], None]] = []
        self._notice_listeners: list[Callable[[Sequence[Notice]], None]] = []
        # Delivers usual outcomes from a place on together, and returns how many; raises nothing.
        self.answer_together: Callable[[Sequence[Awaiting], Sequence[Outcome], int], int] = lambda *_: 0
        self._batch_log = BatchLog(self._log)
        # What waits to be sent.
        self.backlog = Backlog()
        self._unit_of = partial(
            UnitOfWork,
            new_guid=new_guid,
            backlog=self.backlog,
            question_room=question_room,
            origin=origin,
            is_awaited=self._is_awaited,
        )
        # Other servers cannot be asked.
        self._others_wait = bool(origin)
        self._has_events = has_events
        self._transactions = Transactions(
            store,
            self._audited,
            # Looked up each time: a test may put itself between.
            lambda tx, directory: self._unit(tx, directory),  # noqa: PLW0108 - as above
            self.backlog,
            self._pace,
            others_serve=bool(origin),
        )

    @property
    def failure(self) -> str | None:
        """Why the store failed last time, None while it works."""
        return self._batch_log.failure

    def submit(self, job: Awaiting) -> None:
        """Take a job; its outcome is delivered once, after the commit."""
        self._waiting.append(job)
        if not self._busy:
            # Everything else that this turn of the reactor brings joins the batch.
            self._begin()
        elif self._pause is not None and len(self._waiting) >= self._gathering.enough:
            self._pause.reset(0)
        elif self._held and self._too_many and self._goes_beside():
            self._held = False
            self._begin()

    def submit_all(self, jobs: Sequence[Awaiting]) -> None:
        """Take jobs that have come together."""
        if jobs:
            self._waiting.extend(jobs[:-1])
            self.submit(jobs[-1])

    def go_on(self, job: Awaiting, continuation: Continuation) -> None:
        """Take a job that a chore has begun, and whose answer is still pending."""
        self._continuing.go_on(job, continuation)

    def listen(self, listener: Callable[[Sequence[Change]], None]) -> None:
        """Call `listener` with changes once they are committed, those of one transaction at a time."""
        self._listeners.append(listener)

    def listen_for_notices(self, listener: Callable[[Sequence[Notice]], None]) -> None:
        """Call `listener` with what desktops are shown, likewise."""
        self._notice_listeners.append(listener)

    def chore(
        self, function: Callable[[UnitOfWork], T | Unfinished[T]], *, is_brief: bool = False, alone: bool = True
    ) -> "Deferred[T]":
        """Return a Deferred with the result of `function`, called in a transaction of its own between batches.

        Where that is `Unfinished`, it goes on in further transactions. It fails with `StoreFailureError` or
        `CommitUnknownError` if the store does. One that `is_brief` takes no longer than a batch; it is carried out
        where batches are. One that only reads need not be `alone`.
        """
        directory = self.directory

        def run(wait: float) -> tuple[UnitOfWork, T | Unfinished[T]]:
            return self._transactions.carry_out_chore(function, directory, wait, alone=alone)

        def committed(done: tuple[UnitOfWork, T | Unfinished[T]]) -> "T | Deferred[T]":
            unit, result = done
            guarded(self._log, "log of a chore", self._batch_log.notes, [unit])
            self._publish(unit)
            if isinstance(result, Unfinished):
                return self.chore(result.function, is_brief=is_brief, alone=alone)
            return result

        def on_worker() -> "Deferred[tuple[UnitOfWork, T | Unfinished[T]]]":
            return (self._pipelining or self._worker).run(lambda: run(min(_CHORE_WAIT, self._busy_timeout)))

        def busy(reason: Failure) -> "Deferred[tuple[UnitOfWork, T | Unfinished[T]]]":
            reason.trap(StoreBusyError)
            return on_worker()

        def in_turn(_: object) -> "Deferred[tuple[UnitOfWork, T | Unfinished[T]]]":
            return execute_now(run, 0.0).addErrback(busy) if self._is_quick() else on_worker()

        if not is_brief or not self._is_quick():
            return on_worker().addCallback(committed)
        turn: Deferred[None] = Deferred()
        self._brief.append(turn)
        if not self._busy:
            self._begin()
        return turn.addCallback(in_turn).addCallback(committed)

    def recovered(self) -> None:
        """Somebody else has found that the store works: a backup has no transactions of its own to find out."""
        self._batch_log.health(None)

    def drained(self) -> "Deferred[None]":
        """Return a Deferred that fires when nothing waits and nothing is being committed."""
        done: Deferred[None] = Deferred()
        if self._busy or self._continuing.asking or self._on_their_way:
            self._idle_waiters.append(done)
        else:
            done.callback(None)
        return done

    # One batch after the other. Whatever happens to one of them, the next one comes.

    def _begin(self) -> None:
        self._busy = True
        self._due = self._soon(self._next)

    def _next(self) -> None:
        self._due = None
        if self._pipelining is not None and self._on_their_way and self._has_to_wait(self._pipelining):
            self._held = True
            return
        if self._brief and (self._had_batch or not self._waiting):
            # Batches and brief chores take turns; between two of either the requests are read that have come meanwhile.
            self._had_batch = False
            try:
                self._brief.popleft().callback(None)
            finally:
                self._go_on()
            return
        self._had_batch = True
        if (pause := self._gathering.still(len(self._waiting), self._clock.seconds())) and self._is_quick():
            self._pause = self._clock.callLater(pause, self._gathered)
            return
        jobs = self._take_batch()
        if not jobs:
            self._rest()
        elif self._send(jobs):
            self._go_on()
        elif self._on_their_way:
            self._waiting.put_back(jobs)
            self._held, self._too_many = True, 0
        elif not self._is_quick() or not self._carry_out(jobs):
            self._give_to_worker(jobs)

    def _rest(self) -> None:
        self._busy = False
        if self._continuing.asking or self._on_their_way:
            return
        waiters, self._idle_waiters = self._idle_waiters, []
        for waiter in waiters:
            guarded(self._log, "drained", waiter.callback, None)

    def _is_awaited(self) -> bool:
        """Whether somebody waits for the store, or for the reactor while that carries out a chore."""
        if self._waiting or self._brief or self._others_wait:
            return True
        if self._worker.is_idle:
            return self._has_events()
        # What is on the worker only because that had something else to do goes on in the reactor.
        return self._worker.is_wanted or (self._in_reactor and self._pace.is_brisk)

    def _is_quick(self) -> bool:
        """Whether a batch is carried out at once, in the reactor: the store is quick, and nobody else uses it."""
        return self._in_reactor and self._worker.is_idle and self._pace.is_brisk

    def _carry_out(self, jobs: Sequence[Awaiting]) -> bool:
        """Carry out a batch here. False: another program holds the store, and nothing has happened."""
        begun = self._clock.seconds()
        try:
            result = self._transactions.carry_out([job.pending for job in jobs], self.directory, 0.0, in_place=True)
        except StoreBusyError:
            return False
        except Exception:  # noqa: BLE001 - whatever it is concerns this batch
            self._fail(jobs, Failure())
            return True
        self._gathering.answering(len(jobs), begun, self._clock.seconds(), self._has_events)
        try:
            self._deliver(jobs, result)
        finally:
            self._go_on()
        return True

    def _go_on(self) -> None:
        if self._waiting or self._brief:
            # What clients have sent meanwhile is read first and joins the next batch.
            self._due = self._soon(self._next)
        else:
            self._rest()

    def _give_to_worker(self, jobs: Sequence[Awaiting], sent: Sequence[Sent] = ()) -> None:
        """Have the worker carry out a batch, or what was `sent` and not surely committed."""
        wait = min(
            (job.deadline - self._clock.seconds() for job in jobs if job.deadline is not None), default=_LONGEST_WAIT
        )
        # "Surely not executed" has to reach the client before the answer that nobody knows (C41).
        until = self._clock.seconds() + min(max(0.0, wait - max(_WAY_BACK, wait / 10)), self._busy_timeout)
        directory, begun = self.directory, self._clock.seconds()

        def run() -> BatchResult:
            # What the worker has waited for before, a chore perhaps, counts too.
            wait = max(0.0, until - self._clock.seconds())
            if sent:
                return joined([self._transactions.settle(each, directory, wait) for each in sent])
            return self._transactions.carry_out([job.pending for job in jobs], directory, wait)

        try:
            running = self._worker.run(run)
        except Exception:  # noqa: BLE001 - whatever it is concerns this batch
            self._fail(jobs, Failure())
            return
        running.addCallbacks(lambda result: self._finish(jobs, result, begun), lambda reason: self._fail(jobs, reason))
        running.addErrback(lambda reason: say(self._log, 93114, after="a batch", log_failure=reason))
        if self._pipelining is not None:
            self._pipelining.passed_by()

    def _take_batch(self) -> list[Awaiting]:
        """Take what waits, without those whose deadline has passed (H161)."""
        now = self._clock.seconds()
        while self._waiting:
            taken = self._waiting.take(_MAX_BATCH)
            jobs = [job for job in taken if job.deadline is None or job.deadline > now]
            for job in taken if len(jobs) < len(taken) else ():
                if job not in jobs:
                    self._answer(job, Outcome(Refusal("no_response")))
            if jobs:
                return jobs
        return []

    def _finish(self, jobs: Sequence[Awaiting], result: BatchResult, begun: float) -> None:
        waiting: list[Awaiting] = []
        pause = 0.0
        if not self._is_quick() and not self._may_pipeline(self._waiting.following()):
            pause = self._pause_after(jobs, self._clock.seconds() - begun)
            # What waits is committed while these answers go out.
            waiting = self._take_batch() if not pause else []
        try:
            if waiting:
                self._give_to_worker(waiting)
            self._deliver(jobs, result)
        finally:
            if pause:
                self._pause = self._clock.callLater(pause, self._gathered)
            elif not waiting:
                self._next()

    def _pause_after(self, jobs: Sequence[Awaiting], took: float, *, beside: bool = False) -> float:
        if not self._waiting.may_grow:
            return 0.0
        return self._gathering.pause(len(jobs), len(self._waiting), took, beside=beside)

    def _gathered(self) -> None:
        self._pause = None
        self._gathering.note(len(self._waiting))
        self._next()

    def _deliver(self, jobs: Sequence[Awaiting], result: BatchResult) -> None:
        outcomes, at = result.outcomes, 0
        while at < len(jobs):
            at += self.answer_together(jobs, outcomes, at)
            if at < len(jobs):
                reply = outcomes[at].reply
                if isinstance(reply, Continuation):
                    self._continuing.go_on(jobs[at], reply)
                else:
                    self._answer(jobs[at], outcomes[at])
                at += 1
        # HTTP Proxy passes the answers on meanwhile.
        guarded(self._log, "log of a batch", self._batch_log.result, result)
        self._waiting.learn(outcomes)
        for unit in result.units:
            self._publish(unit)

    def _publish(self, unit: UnitOfWork) -> None:
        if unit.outbox:
            for listener in self._listeners:
                guarded(self._log, "outbox", listener, unit.outbox)
        if unit.notices:
            for show in self._notice_listeners:
                guarded(self._log, "notices", show, unit.notices)

    def _answer(self, job: Awaiting, outcome: Outcome) -> None:
        """Deliver an outcome; whatever that raises concerns nobody else."""
        try:
            job.deliver(outcome)
        except Exception:  # noqa: BLE001 - the next one gets its answer
            contain(self._log, "deliver", job.pending.title)

    # Batches beside each other.

    @property
    def _on_their_way(self) -> int:
        return self._pipelining.count if self._pipelining is not None else 0

    def _may_pipeline(self, jobs: Iterable[Awaiting]) -> bool:
        """Whether these may be sent at once."""
        return (
            self._pipelining is not None and self._pipelining.is_open and all(may_pipeline(job.pending) for job in jobs)
        )

    def _has_to_wait(self, pipelining: Pipelining) -> bool:
        """Whether what waits cannot go beside what is on its way, or had better be joined by those who get answers."""
        self._too_many = 0
        if pipelining.is_full or not self._may_pipeline(self._waiting.following()):
            return True
        self._too_many = self._gathering.too_many(pipelining.requests)
        return not self._goes_beside()

    def _goes_beside(self) -> bool:
        """Whether what waits goes beside what is on its way, rather than being joined by those who get answers."""
        return len(self._waiting) >= self._too_many or not self._waiting.may_grow

    def _send(self, jobs: Sequence[Awaiting]) -> bool:
        directory = self.directory
        return (
            self._pipelining is not None
            and self._may_pipeline(jobs)
            and self._pipelining.send(jobs, lambda tx: self._unit(tx, directory))
        )

    def _landed(self, jobs: Sequence[Awaiting], result: BatchResult, took: float) -> None:
        """A batch that was sent is committed."""
        pause = 0.0
        if self._held and not self._on_their_way:
            pause = self._pause_after(jobs, took, beside=True)
        try:
            self._deliver(jobs, result)
        finally:
            if self._held:
                self._held = False
                if pause:
                    self._pause = self._clock.callLater(pause, self._gathered)
                else:
                    self._go_on()
            elif not self._busy:
                self._rest()

    def _refused(self, sent: Sequence[Sent]) -> None:
        """Batches that were sent have not been committed, as far as is known; nothing is on its way."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._held, self._busy = False, True
        self._give_to_worker([job for each in sent for job in each.jobs], sent)

    def _has_answered(self) -> None:
        if not self._busy:
            self._rest()

    def _fail(self, jobs: Sequence[Awaiting], reason: Failure) -> None:
        """A defect outside of the transaction: nothing was committed."""
        say(self._log, 93113, log_failure=reason)
        try:
            for job in jobs:
                self._answer(job, Outcome(Refusal("internal")))
        finally:
            self._go_on()

    def _unit(self, tx: Transaction, directory: Directory) -> UnitOfWork:
        return self._unit_of(tx, int(self._wall_clock()), directory)
