"""The one thread that talks to the database."""

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class Worker(Protocol):
    """Runs functions one after the other, away from the reactor.

    While it `is_idle` the store may be used in the reactor.
    """

    @property
    def is_idle(self) -> bool:
        """Whether everything that was given has been done."""

    @property
    def is_wanted(self) -> bool:
        """Whether something waits for the end of what is being done; asked by that."""

    def run(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """Return a Deferred that fires in the reactor with the result of `function`."""

    def stop(self) -> None:
        """End after what has been given; nothing may be given afterwards."""


class ThreadWorker:
    """A worker on a thread of its own."""

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self._reactor = reactor
        self._open = 0
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether everything that was given has been done."""
        return self._open == 0

    @property
    def is_wanted(self) -> bool:
        """Whether something waits for the end of what is being done; asked by that."""
        return self._open > 1

    def run(self, function: Callable[[], T]) -> "Deferred[T]":
        """Return a Deferred that fires in the reactor with the result of `function`."""
        done: Deferred[T] = Deferred()
        self._open += 1
        self._tasks.put((function, done))
        return done

    def stop(self) -> None:
        """End after what has been given, and wait for the thread."""
        self._tasks.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            task = self._tasks.get()
            if task is None:
                return
            function, done = task
            try:
                result = function()
            except Exception:  # noqa: BLE001 - goes to the errbacks
                result = Failure()
            self._reactor.callFromThread(self._done, done, result)

    def _done(self, done: "Deferred[Any]", result: Any) -> None:
        self._open -= 1
        done.callback(result)
