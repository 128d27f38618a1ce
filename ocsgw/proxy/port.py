"""The connections of the one port of HTTP Proxy: plain or TLS, as the settings of the moment want it."""

from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from ocsgw.protocol.messages import TlsSettings
from ocsgw.proxy.front import Front
from ocsgw.proxy.tree import ProxySite
from ocsgw.tls import ServerContext


class PortFactory(Factory):
    """Makes the protocol of each connection.

    Each TLS connection keeps the context that it was made with; `use` changes only what later ones get (P101), so no
    context is ever changed while it is in use.
    """

    noisy = False

    def __init__(self, front: Front, clock: IReactorTime) -> None:
        self._clock = clock
        self._plain = ProxySite(front, clock)
        self._secure = ProxySite(front, clock, tls=True)
        self._current: Any = self._plain

    def use(self, tls: TlsSettings | None) -> None:
        """Make connections of these settings from now on, plain ones for None. Raises `TlsError`."""
        if tls is None:
            self._current = self._plain
            return
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - only where TLS is used

        # Without the clock TLS would flush by the global reactor.
        self._current = TLSMemoryBIOFactory(
            server_context(tls),
            False,  # noqa: FBT003 - not a client, in Twisted's own order
            self._secure,
            clock=self._clock,
        )

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the protocol of one connection."""
        return self._current.buildProtocol(addr)


def server_context(tls: TlsSettings) -> ServerContext:
    """Return a new context for a listener. Raises `TlsError`."""
    return ServerContext(
        certificate=tls.certificate,
        certificate_key=tls.certificate_key,
        trusted_ca=tls.trusted_ca,
        tls_crl=tls.tls_crl,
        mutual=tls.tls_mutual,
        versions=tls.sec_protocol,
        ciphers=tls.cipher_list,
    )
