"""One admin listener of a running OCS: its port, its keys and its certificates."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocsgw.access.keys import KeyMark, KeyRing
from ocsgw.admin.access import AdminAccess
from ocsgw.admin.shared import Shared
from ocsgw.admin.site import AdminSite
from ocsgw.admin.view import AdminView
from ocsgw.config import Listener
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.listening_port import RETRY, ListeningPort
from ocsgw.ocs.principals import certificates_of, keys_of
from ocsgw.ocs.tls_contexts import ListenerContexts


class AdminListener:
    """One port."""

    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        listener: Listener,
        view: AdminView,
        shared: Shared,
        wall_clock: Callable[[], float],
    ) -> None:
        self._context = context
        self._listener = listener
        self._wall_clock = wall_clock
        self._site = AdminSite(view, self._access(listener), context.reactor, shared)
        self._contexts = ListenerContexts.of(listener)
        self._port = ListeningPort(context.reactor, listener, self._site, self._contexts, self._opened, self._failed)

    @property
    def id(self) -> str:
        """The id of the listener."""
        return self._listener.id

    def open(self) -> None:
        """Open the port, now or as soon as possible."""
        self._port.open()

    def close(self) -> "Deferred[Any]":
        """Close the port."""
        self._site.stop()
        return self._port.close()

    def use(self, listener: Listener) -> None:
        """Take keys and certificates of another configuration."""
        self._site.access = self._access(listener)
        if self._contexts is not None and listener.tls is not None:
            self._contexts.use(listener)

    def _opened(self, address: str) -> None:
        scheme = "https" if self._contexts is not None else "http"
        say(self._log, 93251, listener=self.id, url=f"{scheme}://{address}")

    def _failed(self, port: int, reason: str) -> None:
        say(self._log, 93250, listener=self.id, port=port, reason=reason, delay=RETRY)

    def _access(self, listener: Listener) -> AdminAccess:
        config = self._context.config
        marks = [KeyMark(each.name, each.salt, each.hash, each.expires) for each in keys_of(config, listener)]
        certificates = certificates_of(config, listener)
        by_subject = {each.subject: each.name for each in certificates} if certificates is not None else None
        verifies = listener.tls is not None and listener.tls.tls_mutual is not False
        return AdminAccess(KeyRing(marks), by_subject, self._wall_clock, verifies=verifies)
