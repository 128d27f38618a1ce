"""Workers without a thread, and a store that fails when it is told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from ocsgw.contact.transaction import Transaction


class InlineWorker:
    """Runs everything at once, in the caller's thread."""

    def __init__(self) -> None:
        self.stopped = False

    @property
    def is_idle(self) -> bool:
        """Never: whatever there is to do is given to the worker."""
        return False

    is_wanted = False

    def run(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """Return a Deferred that has fired."""
        return maybeDeferred(function)

    def stop(self) -> None:
        """Remember the end."""
        self.stopped = True


class HeldWorker:
    """A worker that keeps what it is given until the test lets it go on."""

    def __init__(self) -> None:
        self.tasks: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self.is_idle = False

    @property
    def is_wanted(self) -> bool:
        """Whether there is more than what is being done."""
        return bool(self.tasks)

    def run(self, function: Callable[[], Any]) -> "Deferred[Any]":
        done: Deferred[Any] = Deferred()
        self.tasks.append((function, done))
        return done

    def stop(self) -> None:
        self.tasks.clear()

    def go_on(self) -> None:
        """Run the next function."""
        function, done = self.tasks.pop(0)
        try:
            result = function()
        except Exception:
            done.errback(Failure())
        else:
            done.callback(result)


class FlakyStore:
    """The store of a test, with errors before or after a transaction's work."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.before: Exception | None = None
        self.after: Exception | None = None
        self.waits: list[float] = []

    @contextmanager
    def transaction(self, wait: float, *, alone: bool = True) -> Iterator[Transaction]:
        """Begin a transaction, or raise `before`; `after` comes in place of the commit."""
        self.waits.append(wait)
        if self.before is not None:
            raise self.before
        with self._store.transaction(wait, alone=alone) as tx:
            yield tx
            if self.after is not None:
                raise self.after


class IdleWorker(InlineWorker):
    """A worker that has nothing to do, so that batches are carried out in the reactor."""

    @property
    def is_idle(self) -> bool:
        return True
