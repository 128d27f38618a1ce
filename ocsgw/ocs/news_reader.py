"""Brings clients what other servers of the store, which serve at the same time, have to tell."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.contact.news import KEPT, StoredNews, news_of
from ocsgw.contact.notices import Notice
from ocsgw.contact.outbox import Change
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.guard import guarded
from ocsgw.logs import say
from ocsgw.ocs.applications import Applications
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.store_service import StoreService
from ocsgw.periodic import Periodic
from ocsgw.store.errors import CommitUnknownError

# How often is looked for news, in seconds, and how many are read at once.
_EVERY = 0.5
_AT_ONCE = 1000
# Clocks of servers may differ by so much, and a chore begins so much later than it is due (seconds).
_ALLOWANCE = 10


class NewsReader(Service):
    """Reads on from what was the newest when OCS became active.

    A server that stood still, or had no store, for longer than news are kept has missed some, nobody knows which: its
    clients are asked to connect again, and then learn how things are.

    What is waiting to be sent is counted anew with each round: other servers add to it. `ring` is called when the
    outbox has grown.
    """

    name = "news of other servers"
    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        store: StoreService,
        applications: Applications,
        ring: Callable[[Sequence[Change]], None],
    ) -> None:
        self._store = store
        self._applications = applications
        self._ring = ring
        self._last: int | None = None
        # When that was, in seconds since 1970: other clocks may stand still together with the server.
        self._read_at = 0
        self._newest = 0
        self._failing = False
        self._ticker = Periodic(self.name, self._read, context.reactor)

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._last, self._read_at = None, int(self._store.clock())
        self._ticker.start(_EVERY, now=True)

    def stopService(self) -> None:
        """End; what is being read is shown to nobody any more."""
        super().stopService()
        self._ticker.stop()

    def _read(self) -> "Deferred[Any]":
        last = self._last

        def read(unit: UnitOfWork) -> tuple[int, int, list[StoredNews], int]:
            unit.backlog.forget()
            # Asked for first: what another server adds meanwhile is behind it.
            newest = unit.tx.newest_news()
            found = unit.tx.news_after(last, _AT_ONCE) if last is not None else []
            # Without any the newest are behind `last` no more: they are forgotten, or lost with a database that failed.
            return unit.now, found[-1].number if found else newest, found, unit.tx.outbox_bounds()[1]

        return self._store.committer().chore(read, alone=False).addCallbacks(self._have_read, self._not_read)

    def _have_read(self, result: tuple[int, int, Sequence[StoredNews], int]) -> "Deferred[Any] | None":
        """Tell what was read; return the reading of the rest, if there may be more."""
        if not self.running:
            return None
        # What was told while the first reading failed is not known.
        missed_first = self._last is None and self._failing
        now, self._last, found, newest = result
        silent = now - self._read_at
        self._failing, self._read_at = False, now
        if newest != self._newest:
            self._newest = newest
            guarded(self._log, "bell", self._ring, ())
        for each in found:
            if each.origin != self._store.origin:
                guarded(self._log, "news", self._tell, each)
        if missed_first or silent > KEPT - _ALLOWANCE:
            say(self._log, 93229, seconds=silent)
            guarded(self._log, "news", self._applications.start_over, "this server has missed what others have done")
        return self._read() if len(found) == _AT_ONCE else None

    def _tell(self, stored: StoredNews) -> None:
        news = news_of(stored.text)
        if isinstance(news, Notice):
            self._applications.show([news])
        else:
            self._applications.publish([news])

    def _not_read(self, reason: Failure) -> None:
        """Log the first failure of an outage; the next round reads on where the last one that succeeded has ended."""
        reason.trap(StoreFailureError, CommitUnknownError)
        if self.running and not self._failing:
            self._failing = True
            say(self._log, 93228, reason=reason.getErrorMessage())
