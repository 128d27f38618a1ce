"""One admin listener of a running OCS: its port, its keys and its certificates."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from ocsgw.access.keys import KeyMark, KeyRing
from ocsgw.admin.access import AdminAccess
from ocsgw.admin.console.history import History
from ocsgw.admin.site import AdminSite
from ocsgw.admin.view import AdminView
from ocsgw.config import Listener
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.principals import certificates_of, keys_of
from ocsgw.ocs.tls_contexts import ListenerContexts
from ocsgw.periodic import Periodic

# How often a port that could not be opened is tried again, in seconds.
_RETRY = 5.0


class AdminListener:
    """One port."""

    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        listener: Listener,
        view: AdminView,
        history: History,
        wall_clock: Callable[[], float],
    ) -> None:
        self._context = context
        self._listener = listener
        self._wall_clock = wall_clock
        self._site = AdminSite(view, self._access(listener), context.reactor, history)
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
        self._site.stop()
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening) if port is not None else maybeDeferred(lambda: None)

    def use(self, listener: Listener) -> None:
        """Take keys and certificates of another configuration."""
        self._site.access = self._access(listener)
        if self._contexts is not None and listener.tls is not None:
            self._contexts.use(listener)

    def _try(self) -> None:
        factory: Any = self._site
        listener, reactor = self._listener, self._context.reactor
        if self._contexts is not None:
            factory = self._contexts.wrapped(factory, reactor)
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
