"""Connections with TLS: the context that each gets, and what becomes of its handshake."""

from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.protocol.messages import TlsSettings
from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.channel import HTTPChannel
from ocsgw.proxy.http.factory import ChannelFactory
from ocsgw.proxy.http.handshakes import Handshakes
from ocsgw.proxy.http.tls_records import Records, has_short_way, opened, sealed
from ocsgw.tls.pem import KeyPair
from ocsgw.tls.server import ServerContexts, ServerOptions
from ocsgw.writing import close_now, write_now

# More than one TLS record, which is what is written at a time.
_MOST_AT_ONCE = 1 << 15


@implementer(IOpenSSLServerConnectionCreator)
class ContextSelector:
    """Gives each new connection the newest contexts; a connection keeps those that it began with (P101)."""

    def __init__(self, tls: TlsSettings) -> None:
        self._contexts = contexts_of(tls)

    def use(self, tls: TlsSettings) -> None:
        """Give contexts of these settings from now on. Raises `TlsError`; then nothing has changed."""
        self._contexts = contexts_of(tls)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Return the state machine of a new connection."""
        return self._contexts.connection()


@implementer(IHandshakeListener)
class SecureChannel(HTTPChannel):
    """A connection whose client has to complete a TLS handshake first, and may be known by it."""

    def __init__(self, frontend: HttpFrontend, peer: str, handshakes: Handshakes) -> None:
        super().__init__(frontend, peer, tls=True)
        self._handshakes = handshakes

    def handshakeCompleted(self) -> None:
        """The time for requests begins, unless the client's certificate has a wrong name."""
        try:
            self._certificate = self._handshakes.verified_name(self.transport, self._peer)
        except PermissionError:
            self._watch(None)
            self.abort()
            return
        if self._limit is self._frontend.handshake:
            self._watch(self._frontend.idle)

    def handshake_timed_out(self) -> None:
        """Cut the connection, with a line in the log."""
        self._handshakes.timed_out(self._peer)
        super().handshake_timed_out()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Report why a handshake has failed."""
        if self._limit is self._frontend.handshake:
            self._handshakes.failed(self.transport, self._peer, reason)
        super().connectionLost(reason)


class SecureChannelFactory(ChannelFactory):
    """Makes the channels of a port with TLS."""

    def __init__(self, frontend: HttpFrontend, handshakes: Handshakes) -> None:
        super().__init__(frontend)
        self._handshakes = handshakes

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a channel for one connection."""
        return SecureChannel(self._frontend, getattr(addr, "host", ""), self._handshakes)


@implementer(IHalfCloseableProtocol)
class PromptTransport(TLSMemoryBIOProtocol):
    """The TLS side of a connection; what it writes goes to the socket at once.

    A channel writes whole answers: nothing has to wait for the next turn of the reactor to be joined. Where Twisted has
    another way to the socket than the method here, that way is taken.
    """

    def makeConnection(self, transport: Any) -> None:
        """Begin as Twisted does, but for what nobody asks for here.

        That is its account of the transport's interfaces, and a first step of the handshake: a server has nothing to
        say before the client has spoken.
        """
        self._input_ended = self._peer_is_silent = self._is_receiving = self._is_over = False
        self._records = Records()
        self._tlsConnection = self.factory._creatorCallable(self)  # noqa: SLF001
        self._has_short_way = has_short_way(self._tlsConnection)
        self._appSendBuffer: list[bytes] = []
        self.factory.registerProtocol(self)
        Protocol.makeConnection(self, transport)
        self.wrappedProtocol.makeConnection(self)

    def readConnectionLost(self) -> None:
        """The client has closed its side of TCP; an end without that of TLS cuts no complete request (H12)."""
        if self._handshakeDone:
            self._peer_is_silent = True
            self._end_of_input()
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our side is never closed alone."""

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of the client; if they are its last, the socket is closed when all has been done with them."""
        is_usual = self._records.is_one(data) and self._may_be_quick()
        self._is_receiving = True
        try:
            if not is_usual:
                super().dataReceived(data)
            elif (content := opened(self._tlsConnection, data)) is None:
                self._flushReceiveBIO()
            elif not self._aborted:
                # Nothing is left behind it, and nothing to be said to it: neither is asked for.
                self.wrappedProtocol.dataReceived(content)
        finally:
            self._is_receiving = False
        if self._is_over and self.transport is not None:
            close_now(self.transport)

    def write(self, data: bytes) -> None:
        """Write; what is not one record, or has to wait, goes Twisted's way."""
        record = sealed(self._tlsConnection, data) if data and not self.disconnecting and self._may_be_quick() else None
        if record is None:
            super().write(data)
        else:
            write_now(self.transport, record)

    def _may_be_quick(self) -> bool:
        """Whether both sides may send data, and nothing waits."""
        return (
            self._handshakeDone
            and self._has_short_way
            and not (self._appSendBuffer or self._lostTLSConnection or self._input_ended or self._aborted)
        )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The socket is closed; where TLS has ended before, it has nothing more to say."""
        if self._input_ended:
            self._lostTLSConnection = True
        super().connectionLost(reason)

    def _shutdownTLS(self) -> None:  # noqa: N802 - Twisted's name
        """End our side; nobody answers it where the client has closed its side of TCP."""
        try:
            is_over = self._tlsConnection.shutdown()
        except SSL.Error:
            is_over = False
        self._flushSendBIO()
        if not is_over and not self._peer_is_silent:
            return
        if self._is_receiving:
            self._is_over = True
        elif self.transport is not None:
            self.transport.loseConnection()

    def _end_of_input(self) -> None:
        """Let the channel answer what is complete, and then close; without a handshake there is nothing to answer."""
        if self._input_ended or self._lostTLSConnection:
            return
        self._input_ended = True
        if self._handshakeDone and not self.disconnecting:
            cast("SecureChannel", self.wrappedProtocol).readConnectionLost()
        else:
            self._shutdownTLS()
            self._tlsShutdownFinished(None)

    def _flushReceiveBIO(self) -> None:  # noqa: N802 - Twisted's name
        """Hand on what has come, as Twisted does, but for the end: Twisted would close both sides."""
        while not self._lostTLSConnection and not self._input_ended:
            try:
                data = self._tlsConnection.recv(_MOST_AT_ONCE)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self._end_of_input()
            except SSL.Error:
                self._tlsShutdownFinished(Failure())
            else:
                if not self._aborted:
                    self.wrappedProtocol.dataReceived(data)
        if not self._is_over:
            self._flushSendBIO()

    def _flushSendBIO(self) -> None:
        try:
            data = self._tlsConnection.bio_read(_MOST_AT_ONCE)
        except SSL.WantReadError:
            return
        write_now(self.transport, data)


class SecureFactory(TLSMemoryBIOFactory):
    """Makes the protocols of a port with TLS. Raises `TlsError`."""

    protocol = PromptTransport

    def __init__(self, frontend: HttpFrontend, clock: IReactorTime, tls: TlsSettings) -> None:
        self._tls = tls
        self._selector = ContextSelector(tls)
        self._handshakes = Handshakes(tls, clock)
        frontend.each_second.append(self._handshakes.tick)
        # Without the clock TLS would flush by the global reactor.
        super().__init__(
            self._selector,
            False,  # noqa: FBT003 - not a client, in Twisted's own order
            SecureChannelFactory(frontend, self._handshakes),
            clock=clock,
        )

    def use(self, tls: TlsSettings) -> None:
        """Serve connections by these settings from now on. Raises `TlsError`; then nothing has changed.

        Files that are the same keep their contexts, and with them the sessions that clients resume.
        """
        if tls != self._tls:
            self._selector.use(tls)
            self._handshakes.tls = self._tls = tls


def contexts_of(tls: TlsSettings) -> ServerContexts:
    """Return new contexts for a listener. Raises `TlsError`."""
    first = KeyPair(tls.certificate, tls.certificate_key)
    others = (KeyPair(each.certificate, each.certificate_key) for each in tls.certificates)
    return ServerContexts(
        ServerOptions(
            pairs=(first, *others),
            trusted_ca=tls.trusted_ca,
            tls_crl=tls.tls_crl,
            mutual=tls.tls_mutual,
            versions=tuple(tls.sec_protocol),
            ciphers=tls.cipher_list,
            depth=tls.verify_depth,
        )
    )
