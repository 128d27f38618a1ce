"""The `ocs` listeners of a running OCS: open in every state, so that a backup can say that it is one (P87, C86)."""

import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ocsgw.access.keys import KeyMark, KeyRing
from ocsgw.access.limits import Limit, RateLimiter
from ocsgw.config import Config, Limits, Listener
from ocsgw.counters import REFUSED_LOGINS
from ocsgw.desktop.access import ClientAccess
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.listening_port import RETRY, ListeningPort
from ocsgw.ocs.ocs_session import OcsSession, SessionHost, accepts_certificate
from ocsgw.ocs.principals import certificates_of, keys_of
from ocsgw.ocs.tls_contexts import ListenerContexts
from ocsgw.periodic import Periodic
from ocsgw.protocol.messages import Bye

# How many refused clients have a line of their own within how many seconds; the others are counted.
_LINES = 10
_WINDOW = 60.0


class OcsListeners(Service):
    """Serves each `[[listener]]` of protocol `ocs`.

    Their ports are those of the start (C68); keys, certificates and limits follow reloads. A port that cannot be opened
    is reported and tried again; nothing else waits for it.
    """

    name = "ocs listeners"

    def __init__(self, context: OCSContext, host: SessionHost, wall_clock: Callable[[], float] = time.time) -> None:
        self._context = context
        self._host = host
        self._wall_clock = wall_clock
        self._sessions = 0
        self._listeners: list[_OcsListener] = []

    def startService(self) -> None:
        """Open all."""
        super().startService()
        wanted = [each for each in self._context.config.listeners if each.protocol == "ocs"]
        self._listeners = [_OcsListener(self._context, each, self._host, self) for each in wanted]
        for each in self._listeners:
            each.open()

    def stopService(self) -> "Deferred[None]":
        """Close all."""
        super().stopService()
        return DeferredList([each.close() for each in self._listeners]).addCallback(lambda _: None)

    def use(self, config: Config) -> None:
        """Take keys, certificates and limits of another configuration."""
        by_id = {each.id: each for each in config.listeners if each.protocol == "ocs"}
        for each in self._listeners:
            if each.id in by_id:
                each.use(by_id[each.id], config)

    def next_session(self) -> int:
        """Return a number for a new connection."""
        self._sessions += 1
        return self._sessions

    def access_of(self, listener: Listener) -> ClientAccess:
        """Return who may use a listener."""
        config = self._context.config
        marks = [KeyMark(each.name, each.salt, each.hash, each.expires) for each in keys_of(config, listener)]
        certificates = certificates_of(config, listener)
        return ClientAccess(
            KeyRing(marks),
            {each.subject: each.name for each in certificates} if certificates is not None else None,
            self._wall_clock,
            has_certificates=listener.tls is not None and listener.tls.tls_mutual is not False,
            allow_anonymous=listener.allow_anonymous,
        )

    def urls(self) -> list[str]:
        """Return where the ports are that are open."""
        return [each.url for each in self._listeners if each.url]


class _OcsListener:
    """One port."""

    _log = Logger()

    def __init__(self, context: OCSContext, listener: Listener, host: SessionHost, service: OcsListeners) -> None:
        self._context = context
        self._listener = listener
        self._host = host
        self._service = service
        self._contexts = ListenerContexts.of(listener)
        self._rates = RateLimiter(context.reactor.seconds)
        self._connections: set[OcsSession] = set()
        self._port = ListeningPort(
            context.reactor, listener, _Connections(self._connect), self._contexts, self._opened, self._failed
        )
        self.url = ""
        self._refusals = 0
        self._window = Periodic(f"refused clients of ocs listener {listener.id}", self._end_window, context.reactor)
        self.access = service.access_of(listener)
        self._limit(context.config.limits)

    @property
    def id(self) -> str:
        """The id of the listener."""
        return self._listener.id

    def open(self) -> None:
        """Open the port, now or as soon as possible."""
        self._port.open()
        self._window.start(_WINDOW)

    def close(self) -> "Deferred[Any]":
        """Close the port, and what came through it."""
        self._window.stop()
        self.url = ""
        for session in list(self._connections):
            session.end("OCS is stopping")
        return self._port.close()

    def use(self, listener: Listener, config: Config) -> None:
        """Take keys, certificates and limits of another configuration."""
        self._listener = listener
        self.access = self._service.access_of(listener)
        if self._contexts is not None:
            self._contexts.use(listener)
        self._limit(config.limits)

    def _limit(self, limits: Limits) -> None:
        self._rates.use(
            Limit(limits.address_rate, limits.address_burst, limits.address_connections),
            Limit(limits.principal_rate, limits.principal_burst, limits.principal_connections),
            limits.remembered_addresses,
        )

    # What sessions ask.

    def is_certificate_accepted(self, certificate: Any, address: str) -> bool:
        """Whether the name of a verified certificate is one that the listener takes."""
        return accepts_certificate(self._listener, certificate, address)

    def refused(self, address: str, bye: Bye) -> None:
        """Log that a client was not admitted; that this server is a backup is no news."""
        if bye.code == "not_primary":
            return
        if bye.code == "unauthorized":
            REFUSED_LOGINS.add(protocol="ocs")
        if self._has_a_line():
            say(self._log, 93232, address=address, listener=self.id, code=bye.code, reason=bye.text)

    def handshake_failed(self, address: str, problem: str) -> None:
        """Log why a client did not get through its TLS handshake."""
        if self._has_a_line():
            say(self._log, 93163, peer=address, problem=problem)

    def _has_a_line(self) -> bool:
        self._refusals += 1
        return self._refusals <= _LINES

    def _end_window(self) -> None:
        silent, self._refusals = self._refusals - _LINES, 0
        if silent > 0:
            say(self._log, 93233, count=silent, listener=self.id, window=_WINDOW)

    # The port.

    def _opened(self, address: str) -> None:
        self.url = address
        secure = ", TLS" if self._contexts is not None else ""
        say(self._log, 93230, listener=self.id, address=f"{address}{secure}")

    def _failed(self, port: int, reason: str) -> None:
        say(self._log, 93231, listener=self.id, port=port, reason=reason, delay=RETRY)

    def _connect(self, address: str) -> Any:
        """Return the protocol of a new connection, None to refuse it."""
        if len(self._connections) >= self._context.config.limits.connections:
            self.refused(address, Bye(code="refused", text="there are enough connections"))
            return None
        usage = self._rates.enter(address)
        if not usage.admitted:
            self.refused(address, Bye(code="refused", text="this address has enough connections"))
            return None
        session = OcsSession(self._host, self, self._service.next_session(), address, usage, self._connections.discard)
        self._connections.add(session)
        return session.protocol


class _Connections(Factory):
    """Makes the protocol of each connection."""

    noisy = False

    def __init__(self, connect: Callable[[str], Any]) -> None:
        self._connect = connect

    def buildProtocol(self, addr: Any) -> Any:
        """Return a protocol, None to refuse the connection."""
        return self._connect(getattr(addr, "host", ""))
