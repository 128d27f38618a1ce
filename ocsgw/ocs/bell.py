"""Tells HTTP Proxies that the outbox has grown, those that have asked, once for each time that they ask."""

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocsgw.contact.outbox import Change
from ocsgw.guard import guarded

# What is committed in this time after the first is told along with it; in seconds.
_PAUSE = 0.05


class Bell:
    """Knows who waits for what is committed next; while nobody does, a commit costs one look."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: dict[object, Callable[[], None]] = {}
        self._is_due = False

    def wait(self, who: object, tell: Callable[[], None]) -> None:
        """Call `tell` once, soon after the next commit."""
        self._waiting[who] = tell

    def forget(self, who: object) -> None:
        """Somebody does not wait any more."""
        self._waiting.pop(who, None)

    def ring(self, changes: Sequence[Change]) -> None:
        """Something has been committed."""
        if self._waiting and not self._is_due:
            self._is_due = True
            self._clock.callLater(_PAUSE, self._tell)

    def _tell(self) -> None:
        self._is_due = False
        waiting, self._waiting = self._waiting, {}
        for tell in waiting.values():
            guarded(self._log, "bell", tell)
