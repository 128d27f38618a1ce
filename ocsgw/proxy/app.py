"""HTTP Proxy as a whole: link, settings, port, drain and end (configuration.md section 15)."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ocsgw.guard import guarded
from ocsgw.link.counted import CounterChanges
from ocsgw.logs import say
from ocsgw.periodic import Periodic
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, ByeCode, ListenerSettings, Settings, Validate
from ocsgw.proxy.access_log import AccessLog
from ocsgw.proxy.frontend import HttpFrontend, SettingsError
from ocsgw.proxy.http.exchange import Deliver, Exchange, FrameGateway
from ocsgw.proxy.http.port import PortFactory
from ocsgw.proxy.link import ProxyLink
from ocsgw.proxy.listening import PortError, adapt, listening_socket
from ocsgw.proxy.outgoing.on_demand import CallsOnDemand
from ocsgw.proxy.policy.connection_limiter import connections_of, room_of
from ocsgw.proxy.shipping import LogShipper
from ocsgw.tls import TlsError
from ocsgw.version import VERSION

EXIT_OK = 0
EXIT_PORT = 69
EXIT_PROTOCOL = 70
EXIT_LINK_LOST = 75
EXIT_SETTINGS = 78

# How often OCS gets what has been counted; in seconds.
_REPORT_EVERY = 1.0
# How long answers may still be written when there is nothing more to come (P89: all within 1 s).
_LAST_WORDS = 0.5


class ProxyApplication:
    """One HTTP Proxy on one reactor.

    `finish` is called once with the exit status when everything is done. `descriptors` is how many the process may
    have open; connections are limited by it.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        finish: Callable[[int], None],
        *,
        descriptors: int,
        wall_clock: Callable[[], float] = time.time,
        listening_socket: Callable[[ListenerSettings], socket.socket] = listening_socket,
    ) -> None:
        # IReactorTime and IReactorSocket.
        self._reactor = reactor
        self._finish = finish
        self._room = room_of(descriptors)
        self._wall_clock = wall_clock
        self._listening_socket = listening_socket
        self._link = ProxyLink(self, reactor, f"ocsgw {VERSION}")
        self._calls = CallsOnDemand(reactor, self._link.send_verdict)
        self.shipper = LogShipper(reactor, self._link.send_log)
        self._access_log = AccessLog(reactor, wall_clock, self._link.send_access)
        self._counters = CounterChanges()
        self._reporting = Periodic("report of counters", self._report_counters, reactor)
        self._frontend: HttpFrontend | None = None
        # Those in force; there are some as soon as there is a front.
        self._settings: Settings
        self._factory: PortFactory | None = None
        self._socket: socket.socket | None = None
        self._port: Any = None
        # What is due on the way to the end.
        self._ends_due: list[IDelayedCall] = []
        # Why we say goodbye, once that is decided; and whether everything is over.
        self._status: int | None = None
        self._draining = False
        self._over = False
        self._aliases_used: set[str] = set()

    def adopt_link(self, descriptor: int) -> None:
        """Take the connected socket `descriptor` as the link to OCS (P65)."""
        self._reactor.adoptStreamConnection(
            descriptor, socket.AF_UNIX, Factory.forProtocol(lambda: self._link.protocol)
        )
        os.close(descriptor)

    def link(self) -> ProxyLink:
        """Return the link, for a transport that is made elsewhere."""
        return self._link

    # What the link reports.

    def use(self, settings: Settings) -> None:
        """Take settings over: open the port with the first, change everything but the port with later ones (P100)."""
        try:
            self._use(settings)
        except Exception as error:
            if self._port is None and not self._draining and self._status is None:
                # Nobody would ever be served here; OCS says so and tries again.
                self._give_up(EXIT_SETTINGS, f"unexpected error: {error}")
            raise

    def _use(self, settings: Settings) -> None:
        self.shipper.level = settings.log_level
        self._fit_connections(settings)
        if self._frontend is not None and self._factory is not None:
            self._use_later(settings, self._frontend, self._factory)
            return
        tls = settings.listener.tls if settings.listener is not None else None
        try:
            frontend = self._frontend = HttpFrontend(settings, self, self._reactor, self._wall_clock)
            self._factory = PortFactory(frontend, self._reactor)
            self._factory.use(tls)
            self._calls.use(settings)
        except SettingsError as error:
            self._give_up(EXIT_SETTINGS, str(error))
        except TlsError as error:
            self._give_up(EXIT_SETTINGS, f"[listener.tls] {error.part} {error}; {error.hint}")
        else:
            self._settings = settings
            frontend.access_log = self._access_log_for(settings)
            frontend.start()
            self._reporting.start(_REPORT_EVERY)
            if settings.listener is None:
                self._link.ready(0, "")
            else:
                self._open(settings.listener, self._factory)

    def _use_later(self, settings: Settings, frontend: HttpFrontend, factory: PortFactory) -> None:
        """Change what a running proxy works with; settings that cannot be used leave everything as it is (C38)."""
        old = self._settings
        try:
            frontend.use(settings)
            try:
                self._calls.use(settings)
                factory.use(settings.listener.tls if settings.listener is not None else None)
            except TlsError:
                frontend.use(old)
                raise
        except SettingsError as error:
            say(self._log, 93106, reason=str(error))
        except TlsError as error:
            say(self._log, 93106, reason=f"[listener.tls] {error.part} {error}; {error.hint}")
        else:
            self._settings = settings
            frontend.access_log = self._access_log_for(settings)
            if self._socket is not None and settings.listener is not None:
                adapt(self._socket, settings.listener)

    def _access_log_for(self, settings: Settings) -> AccessLog | None:
        if settings.access_log is None:
            return None
        self._access_log.use(settings.access_log)
        return self._access_log

    def _fit_connections(self, settings: Settings) -> None:
        """Lower the limit of connections to what the process may have open (`[limits] connections`)."""
        room = connections_of(self._room)
        if settings.limits.connections > room:
            say(self._log, 93041, room=room, wanted=settings.limits.connections)
            settings.limits.connections = room

    def drain(self, timeout: float, *, gently: bool = False) -> None:
        """Take no new connections, end the open requests within `timeout` seconds, then leave (P91, H353).

        `gently` because another proxy has the port now: idle clients get half of the time for one more request, so that
        none is cut off while it sends one.
        """
        if self._status is not None:
            return
        if self._draining:
            if self._frontend is not None and not gently:
                self._frontend.drain(self._leave)
            return
        self._draining = True
        if gently and self._port is not None:
            # Connections that wait are served; closing a socket that no other proxy has would reset them.
            self._port.doRead()
        self._close_port()
        if self._frontend is None:
            self._leave()
            return
        self._ends_due.append(self._reactor.callLater(timeout, self._leave))
        if gently:
            self._ends_due.append(self._reactor.callLater(timeout / 2, self._frontend.drain, self._leave))
        self._frontend.drain(self._leave, gently=gently)

    def terminate(self) -> None:
        """End as after `drain`, because of SIGTERM (C78)."""
        self.drain(self._frontend.limits.drain_timeout_ms / 1000 if self._frontend is not None else 0)

    def call(self, order: Validate) -> None:
        """Make an outgoing call."""
        self._calls.call(order)

    def hand_over(self) -> None:
        """Give the listening socket to OCS for the proxy that takes this one's place; both accept from it then."""
        if self._socket is not None:
            self._link.hand_over(self._socket.fileno())

    def news(self) -> None:
        """The outbox has grown."""
        if self._frontend is not None:
            self._frontend.events.news()

    def link_lost(self, reason: str, *, broken: bool) -> None:
        """OCS is gone: close the port, write the last answers, leave (P89). `broken` if the protocol was."""
        self._end_soon(EXIT_PROTOCOL if broken else EXIT_LINK_LOST)

    def link_ended(self) -> None:
        """Our bye is out."""
        self._end_soon(self._status if self._status is not None else EXIT_PROTOCOL)

    # The way to OCS, for the front.

    @property
    def frames(self) -> FrameGateway:
        """The way of requests that are frames already."""
        return self._link

    def submit(self, exchange: Exchange, data: KV, deliver: Deliver) -> Refusal | None:
        """Hand a request over to OCS."""
        alias = exchange.target.alias
        if alias is not None and alias.lower() not in self._aliases_used and exchange.target.request is not None:
            self._aliases_used.add(alias.lower())
            say(self._log, 93009, alias=alias, request=exchange.target.request.name)
        return self._link.submit(exchange, data, deliver)

    def ask_for_news(self) -> None:
        """Ask OCS to say when the outbox has grown."""
        self._link.ask_for_news()

    # The port.

    def _open(self, listener: ListenerSettings, factory: PortFactory) -> None:
        try:
            port = self._socket = self._listening_socket(listener)
        except PortError as error:
            self._give_up(EXIT_PORT, str(error))
            return
        self._port = self._reactor.adoptStreamPort(port.fileno(), port.family, factory)
        # Otherwise it makes itself two loggers for every connection that it accepts.
        self._port._logger = Logger("twisted.internet.tcp.Port")  # noqa: SLF001 - there is no public way
        if self._frontend is not None:
            self._frontend.connection_limiter.guard(self._port, self._room, self._frontend.limits)
        interface, number = port.getsockname()[:2]
        self._link.ready(number, interface)

    def _give_up(self, status: int, reason: str) -> None:
        """Report to OCS why this proxy cannot work, and leave (P83)."""
        self._status = status
        self._close_port()
        code: ByeCode = "port" if status == EXIT_PORT else "settings"
        say(self._log, 93107, what=code, reason=reason)
        self._say_the_last()
        self._link.end(code, reason)

    def _close_port(self) -> None:
        if self._port is not None and self._socket is not None:
            if self._frontend is not None:
                self._frontend.connection_limiter.release()
            self._port.stopListening()
            self._socket.close()
            self._port = self._socket = None

    # The end.

    def _leave(self) -> None:
        """Everything is drained, or the time for it is over: say goodbye.

        What OCS has not answered by then gets `no_response` when the link ends.
        """
        self._cancel_end()
        if self._status is not None:
            return
        self._status = EXIT_OK
        self._say_the_last()
        self._link.end("done")

    def _say_the_last(self) -> None:
        guarded(self._log, "last report of counters", self._report_counters)
        self._access_log.flush()
        self.shipper.flush()

    def _report_counters(self) -> None:
        self._link.send_counters(self._counters.messages())

    def _end_soon(self, status: int) -> None:
        """The link is gone: let answers that are on their way arrive, then end. Without a link it cannot stay."""
        try:
            self._write_last_words(status)
        except Exception:
            self._end(status)
            raise

    def _write_last_words(self, status: int) -> None:
        self._close_port()
        self._cancel_end()
        if self._frontend is None:
            self._end(status)
            return
        self._ends_due.append(self._reactor.callLater(_LAST_WORDS, self._end, status))
        self._frontend.drain(lambda: self._end(status))

    def _cancel_end(self) -> None:
        exchanges, self._ends_due = self._ends_due, []
        for exchange in exchanges:
            if exchange.active():
                exchange.cancel()

    def _end(self, status: int) -> None:
        if self._over:
            return
        self._over = True
        self._reporting.stop()
        self._calls.close()
        self._cancel_end()
        if self._frontend is not None:
            self._frontend.stop()
        self._access_log.stop()
        self.shipper.stop()
        self._finish(status)
