"""HTTP Proxy as a whole: link, settings, port, drain and end (configuration.md section 15)."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ocsgw.logs import say
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, ListenerSettings, Settings, TlsSettings
from ocsgw.proxy.call import Call
from ocsgw.proxy.front import Deliver, Front
from ocsgw.proxy.link import ProxyLink
from ocsgw.proxy.shipping import LogShipper
from ocsgw.proxy.tree import ProxySite
from ocsgw.tls import ServerContext, TlsError
from ocsgw.version import VERSION

EXIT_OK = 0
EXIT_PORT = 69
EXIT_PROTOCOL = 70
EXIT_LINK_LOST = 75
EXIT_SETTINGS = 78

# Descriptors of the process that are no client's: standard ones, link, port, reactor, outgoing calls.
_OWN_DESCRIPTORS = 64

# How long answers may still be written after the link was lost (P89: all within 1 s).
_LAST_WORDS = 0.5


def server_context(tls: TlsSettings) -> ServerContext:
    """Return the context of a listener. Raises `TlsError`."""
    return ServerContext(
        certificate=tls.certificate,
        certificate_key=tls.certificate_key,
        trusted_ca=tls.trusted_ca,
        tls_crl=tls.tls_crl,
        mutual=tls.tls_mutual,
        versions=tls.sec_protocol,
        ciphers=tls.cipher_list,
    )


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
    ) -> None:
        # IReactorTime, IReactorTCP and IReactorSocket.
        self._reactor = reactor
        self._finish = finish
        self._descriptors = descriptors
        self._wall_clock = wall_clock
        self._link = ProxyLink(self, reactor, f"ocsgw {VERSION}")
        self.shipper = LogShipper(reactor, self._link.send_log)
        self._front: Front | None = None
        self._port: Any = None
        self._drain_limit: IDelayedCall | None = None
        self._status: int | None = None
        self._draining = False
        self._aliases_used: set[str] = set()

    def adopt_link(self, descriptor: int) -> None:
        """Take the connected socket `descriptor` as the link to OCS (P65)."""
        self._reactor.adoptStreamConnection(descriptor, socket.AF_UNIX, Factory.forProtocol(lambda: self._link))
        os.close(descriptor)

    def link(self) -> ProxyLink:
        """Return the protocol of the link, for a transport that is made elsewhere."""
        return self._link

    # What the link tells.

    def use(self, settings: Settings) -> None:
        """Take settings over: open the port with the first, change everything but the port with later ones."""
        self.shipper.level = settings.log_level
        self._fit_connections(settings)
        if self._front is not None:
            self._front.use(settings)
            return
        self._front = Front(settings, self, self._reactor, self._wall_clock)
        self._front.start()
        if settings.listener is None:
            self._link.ready(0, "")
        else:
            self._open(settings.listener, self._front)

    def _fit_connections(self, settings: Settings) -> None:
        """Lower the limit of connections to what the process may have open (`[limits] connections`)."""
        room = max(1, self._descriptors - _OWN_DESCRIPTORS)
        if settings.limits.connections > room:
            self._log.warn(
                "The descriptor limit of the process allows {room} connections, not {wanted}; raise LimitNOFILE",
                room=room,
                wanted=settings.limits.connections,
            )
            settings.limits.connections = room

    def drain(self, timeout: float) -> None:
        """Take no new connections, end the open requests within `timeout` seconds, then leave (P91, H353)."""
        if self._draining:
            return
        self._draining = True
        self._close_port()
        if self._front is None:
            self._leave()
            return
        self._drain_limit = self._reactor.callLater(timeout, self._drained_late)
        self._front.drain(self._leave)

    def terminate(self) -> None:
        """End as after `drain`, because of SIGTERM (C78)."""
        limits = self._front.limits if self._front is not None else None
        self.drain((limits.drain_timeout_ms if limits is not None else 0) / 1000)

    def link_lost(self, reason: str) -> None:
        """OCS is gone: close the port, write the last answers, leave (P89)."""
        self._close_port()
        self._reactor.callLater(_LAST_WORDS, self._end, EXIT_LINK_LOST)

    def link_ended(self) -> None:
        """Our bye is out."""
        self._end(self._status if self._status is not None else EXIT_PROTOCOL)

    # The way to OCS, for the front.

    def submit(self, call: Call, data: KV, deliver: Deliver) -> Refusal | None:
        """Hand a request over to OCS."""
        alias = call.target.alias
        if alias is not None and alias not in self._aliases_used and call.target.request is not None:
            self._aliases_used.add(alias)
            say(self._log, 93009, alias=alias, request=call.target.request.name)
        return self._link.submit(call, data, deliver)

    # The port.

    def _open(self, listener: ListenerSettings, front: Front) -> None:
        interface = "127.0.0.1" if listener.interface == "localhost" else listener.interface
        try:
            factory = self._factory(listener, front)
            self._port = self._reactor.listenTCP(listener.port, factory, backlog=listener.backlog, interface=interface)
        except TlsError as error:
            self._give_up(EXIT_SETTINGS, f"[listener.tls] {error.part} {error}")
            return
        except CannotListenError as error:
            self._give_up(EXIT_PORT, f"{interface}:{listener.port}: {error.socketError}")
            return
        self._link.ready(self._port.getHost().port, interface)

    def _factory(self, listener: ListenerSettings, front: Front) -> Any:
        site = ProxySite(front, self._reactor)
        if listener.tls is None:
            return site
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - only where TLS is used

        # Without the clock TLS would flush by the global reactor.
        return TLSMemoryBIOFactory(server_context(listener.tls), False, site, clock=self._reactor)  # noqa: FBT003

    def _give_up(self, status: int, reason: str) -> None:
        """Tell OCS why this proxy cannot work, and leave (P83)."""
        self._status = status
        self.shipper.flush()
        self._link.end("port" if status == EXIT_PORT else "settings", reason)

    def _close_port(self) -> None:
        if self._port is not None:
            self._port.stopListening()
            self._port = None

    # The end.

    def _drained_late(self) -> None:
        self._drain_limit = None
        self._leave()

    def _leave(self) -> None:
        """Everything is drained, or the time for it is over."""
        if self._drain_limit is not None:
            self._drain_limit.cancel()
            self._drain_limit = None
        if self._status is not None:
            return
        self._status = EXIT_OK
        if self._front is not None:
            self._front.abort_all()
        self.shipper.flush()
        self._link.end("done")

    def _end(self, status: int) -> None:
        if self._front is not None:
            self._front.stop()
        self.shipper.stop()
        self._finish(status)
