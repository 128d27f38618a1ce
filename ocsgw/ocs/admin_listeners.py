"""The admin listeners of a running OCS: open in every state, so that a backup and a server that opens can be asked."""

import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from ocsgw.access.keys import KeyMark, KeyRing
from ocsgw.admin.access import AdminAccess
from ocsgw.admin.site import AdminSite
from ocsgw.admin.view import AdminView
from ocsgw.config import Config, Listener
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.principals import certificates_of, keys_of
from ocsgw.ocs.tls_contexts import ListenerContexts
from ocsgw.periodic import Periodic

# How often a port that could not be opened is tried again, in seconds.
_RETRY = 5.0


class AdminListeners(Service):
    """Serves each `[[listener]]` of protocol `admin`.

    Their ports are those of the start (C68); keys and certificates follow reloads.
    A port that cannot be opened is reported and tried again; nothing else waits for it.
    """

    name = "admin"
    # Given by the composition.
    view: AdminView

    def __init__(self, context: OCSContext, wall_clock: Callable[[], float] = time.time) -> None:
        self._context = context
        self._wall_clock = wall_clock
        self._listeners: list[_AdminListener] = []

    def startService(self) -> None:
        """Open all."""
        super().startService()
        wanted = [each for each in self._context.config.listeners if each.protocol == "admin"]
        self._listeners = [_AdminListener(self._context, each, self.view, self._wall_clock) for each in wanted]
        for each in self._listeners:
            each.open()

    def stopService(self) -> "Deferred[None]":
        """Close all."""
        super().stopService()
        return DeferredList([each.close() for each in self._listeners]).addCallback(lambda _: None)

    def use(self, config: Config) -> None:
        """Take keys and certificates of another configuration."""
        by_id = {each.id: each for each in config.listeners if each.protocol == "admin"}
        for each in self._listeners:
            if each.id in by_id:
                each.use(by_id[each.id])


class _AdminListener:
    """One port."""

    _log = Logger()

    def __init__(
        self, context: OCSContext, listener: Listener, view: AdminView, wall_clock: Callable[[], float]
    ) -> None:
        self._context = context
        self._listener = listener
        self._wall_clock = wall_clock
        self._site = AdminSite(view, self._access(listener), context.reactor)
        self._contexts = ListenerContexts.of(listener)
        self._port: Any = None
        self._told = ""
        self._retry = Periodic(f"opening admin listener {listener.id}", self._try, context.reactor)

    @property
    def id(self) -> str:
        """The id of the listener."""
        return self._listener.id

    def open(self) -> None:
        """Open the port, now or as soon as possible."""
        self._retry.start(_RETRY, now=True)

    def close(self) -> "Deferred[Any]":
        """Close the port."""
        self._retry.stop()
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening) if port is not None else maybeDeferred(lambda: None)

    def use(self, listener: Listener) -> None:
        """Take keys and certificates of another configuration."""
        self._site.access = self._access(listener)
        if self._contexts is not None and listener.tls is not None:
            self._contexts.use(listener)

    def _try(self) -> None:
        factory: Any = self._site
        if self._contexts is not None:
            factory = TLSMemoryBIOFactory(self._contexts, False, factory)  # noqa: FBT003 - Twisted's order: a server
            factory.noisy = False
        listener, reactor = self._listener, self._context.reactor
        try:
            self._port = reactor.listenTCP(listener.port, factory, listener.backlog, listener.interface)
        except CannotListenError as error:
            reason = str(error.socketError)
            if reason != self._told:
                self._told = reason
                say(self._log, 93250, listener=listener.id, port=listener.port, reason=reason, delay=_RETRY)
            return
        self._retry.stop()
        scheme = "https" if self._contexts is not None else "http"
        interface = f"[{listener.interface}]" if ":" in listener.interface else listener.interface
        url = f"{scheme}://{interface}:{self._port.getHost().port}"
        say(self._log, 93251, listener=listener.id, url=url)

    def _access(self, listener: Listener) -> AdminAccess:
        config = self._context.config
        marks = [KeyMark(each.name, each.salt, each.hash, each.expires) for each in keys_of(config, listener)]
        certificates = certificates_of(config, listener)
        by_subject = {each.subject: each.name for each in certificates} if certificates is not None else None
        verifies = listener.tls is not None and listener.tls.tls_mutual is not False
        return AdminAccess(KeyRing(marks), by_subject, self._wall_clock, verifies=verifies)
