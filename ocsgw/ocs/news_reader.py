"""Brings clients what other servers of the store, which serve at the same time, have to tell."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ocsgw.contact.news import StoredNews, news_of
from ocsgw.contact.notices import Notice
from ocsgw.contact.outbox import Change
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.ocs.applications import Applications
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.store_service import StoreService
from ocsgw.periodic import Periodic
from ocsgw.store.errors import CommitUnknownError

# How often is looked for news, in seconds, and how many are read at once.
_EVERY = 0.5
_AT_ONCE = 1000


class NewsReader(Service):
    """Reads on from what was the newest when OCS became active.

    What is waiting to be sent is counted anew with each round: other servers add to it. `ring` is called when the
    outbox has grown.
    """

    name = "news of other servers"

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
        self._newest = 0
        self._ticker = Periodic(self.name, self._read, context.reactor)

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._last = None
        self._ticker.start(_EVERY, now=True)

    def stopService(self) -> None:
        """End."""
        super().stopService()
        self._ticker.stop()

    def _read(self) -> "Deferred[Any]":
        last = self._last

        def read(unit: UnitOfWork) -> tuple[int, list[StoredNews], int]:
            unit.backlog.forget()
            found = unit.tx.news_after(last, _AT_ONCE) if last is not None else []
            number = found[-1].number if found else unit.tx.newest_news() if last is None else last
            return number, found, unit.tx.outbox_bounds()[1]

        return self._store.committer().chore(read).addCallbacks(self._have_read, _not_read)

    def _have_read(self, result: tuple[int, Sequence[StoredNews], int]) -> None:
        self._last, found, newest = result
        if newest != self._newest:
            self._newest = newest
            self._ring(())
        for each in found:
            if each.origin == self._store.origin:
                continue
            news = news_of(each.text)
            if isinstance(news, Notice):
                self._applications.show([news])
            else:
                self._applications.publish([news])


def _not_read(reason: Failure) -> None:
    # The next round reads it.
    reason.trap(StoreFailureError, CommitUnknownError)
