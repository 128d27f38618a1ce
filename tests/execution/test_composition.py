"""Dispatcher, committer, worker and store put together: on a thread, in the reactor, and in turns."""

import itertools
import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.trial.unittest import TestCase

from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.execution.committer import Committer
from ocsgw.execution.pace import Pace
from ocsgw.execution.worker import ThreadWorker, Worker
from ocsgw.ocs.dispatch import Dispatcher, DispatchOptions
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.messages import Event, Request
from tests.support.rules import add_record, make_directory, make_store, remove_store
from tests.support.workers import IdleWorker, InlineWorker

_COUNT = 40


class _FixedPace(Pace):
    """A pace that says what the test wants, batch after batch."""

    def __init__(self, *places: str) -> None:
        super().__init__()
        self._verdicts = itertools.cycle(place == "reactor" for place in places)

    @property
    def is_brisk(self) -> bool:
        return next(self._verdicts)

    @is_brisk.setter
    def is_brisk(self, value: bool) -> None:
        """Nothing that is measured counts."""


class CompositionTests(TestCase):
    """Requests go through the real parts, with the real reactor and a store in a file."""

    def compose(self, worker: Worker, *places: str) -> Dispatcher:
        """Put the parts together; `places` say where batches are carried out, in turn."""
        self.store = make_store(make_directory())
        self.addCleanup(remove_store, self.store)
        self.addCleanup(worker.stop)
        self.committer = Committer(
            self.store.store,
            worker,
            self.store.directory,
            reactor,
            pace=_FixedPace(*places),
        )
        return Dispatcher(self.committer, reactor, DispatchOptions())

    def threads_of_batches(self) -> set[bool]:
        """Return a set that collects whether transactions were carried out in the thread of the reactor."""
        seen: set[bool] = set()
        original = self.committer._unit

        def unit(*arguments: Any) -> UnitOfWork:
            seen.add(threading.current_thread() is threading.main_thread())
            return original(*arguments)

        self.patch(self.committer, "_unit", unit)
        return seen

    @inlineCallbacks
    def carry_out(self, dispatcher: Dispatcher) -> Any:
        """Send requests, each when the one before it was answered, on several lines; see that all are in the store."""
        events: list[Event] = []
        numbers = iter(range(1, 4 * _COUNT + 1))
        done: Deferred[None] = Deferred()

        def send(event: Event | None = None) -> None:
            if event is not None:
                events.append(event)
            number = next(numbers, None)
            if number is not None:
                key = f"k{number}" if number % 3 == 0 else None
                request = Request(ref=number, data=add_record(str(number)), idempotency_key=key)
                dispatcher.handle(request, RequestContext(), send)
            elif len(events) == 4 * _COUNT:
                done.callback(None)

        for _ in range(4):
            send()
        chores = [self.committer.chore(lambda unit: 7) for _ in range(3)]
        yield done
        for chore in chores:
            result = yield chore
            self.assertEqual(result, 7)
        yield self.committer.drained()
        self.assertEqual({event.code for event in events}, {None})
        self.assertEqual(sorted(event.ref or 0 for event in events), list(range(1, 4 * _COUNT + 1)))
        phones = sorted(int(row["contact_info"]) for row in self.store.rows("CL_Test"))
        self.assertEqual(phones, list(range(1, 4 * _COUNT + 1)))

    @inlineCallbacks
    def test_on_a_thread(self) -> Any:
        """Every batch on the thread of the store."""
        dispatcher = self.compose(ThreadWorker(reactor, "store of a test"), "thread")  # type: ignore[arg-type]  # as above
        seen = self.threads_of_batches()
        yield self.carry_out(dispatcher)
        self.assertEqual(seen, {False})

    @inlineCallbacks
    def test_in_the_reactor(self) -> Any:
        """Every batch in the reactor, with chores on a worker that answers at once."""
        dispatcher = self.compose(IdleWorker(), "reactor")
        seen = self.threads_of_batches()
        yield self.carry_out(dispatcher)
        self.assertEqual(seen, {True})

    @inlineCallbacks
    def test_in_turns(self) -> Any:
        """A batch here, a batch there: nothing is lost, answered twice, or out of step between reactor and thread."""
        dispatcher = self.compose(ThreadWorker(reactor, "store of a test"), "reactor", "reactor", "thread")  # type: ignore[arg-type]  # as above
        seen = self.threads_of_batches()
        yield self.carry_out(dispatcher)
        self.assertEqual(seen, {True, False})

    @inlineCallbacks
    def test_inline(self) -> Any:
        """A worker that answers at once."""
        yield self.carry_out(self.compose(InlineWorker(), "thread"))
