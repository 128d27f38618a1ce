"""The connections of the one port of HTTP Proxy: plain or TLS, as the settings of the moment want it."""

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from ocsgw.protocol.messages import TlsSettings
from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.factory import ChannelFactory

if TYPE_CHECKING:
    from ocsgw.proxy.http.secure import SecureFactory


class PortFactory(Factory):
    """Makes the protocol of each connection.

    `use` changes only what later connections get; those that are open go on as they are (P101).
    """

    noisy = False

    def __init__(self, frontend: HttpFrontend, clock: IReactorTime) -> None:
        self._frontend = frontend
        self._clock = clock
        self._plain = ChannelFactory(frontend)
        self._secure: SecureFactory | None = None
        self._current: Any = self._plain

    def use(self, tls: TlsSettings | None) -> None:
        """Make connections of these settings from now on, plain ones for None.

        Raises `TlsError`; then nothing has changed.
        """
        if tls is None:
            self._current = self._plain
            return
        if self._secure is None:
            # OpenSSL is loaded only where TLS is used.
            from ocsgw.proxy.http.secure import SecureFactory  # noqa: PLC0415

            self._secure = SecureFactory(self._frontend, self._clock, tls)
        else:
            self._secure.use(tls)
        self._current = self._secure

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the protocol of one connection."""
        return self._current.buildProtocol(addr)
