"""A worker without a thread."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred


class InlineWorker:
    """Runs everything at once, in the caller's thread."""

    def __init__(self) -> None:
        self.stopped = False

    def run(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """Return a Deferred that has fired."""
        return maybeDeferred(function)

    def stop(self) -> None:
        """Remember the end."""
        self.stopped = True
