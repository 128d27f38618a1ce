"""Connections with TLS: the context that each gets, what becomes of its handshake, and of what goes over it."""

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IReactorTime
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.protocol.messages import TlsSettings
from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.channel import HTTPChannel
from ocsgw.proxy.http.handshakes import Handshakes
from ocsgw.proxy.http.state import State
from ocsgw.proxy.http.tls_steps import LARGEST, Records, Steps, steps_of, why_none
from ocsgw.tls.failures import ServerConnection
from ocsgw.tls.pem import KeyPair
from ocsgw.tls.server import ServerContexts, ServerOptions
from ocsgw.writing import close_now, unacknowledged, write_now

if TYPE_CHECKING:
    from ocsgw.speedups.tls import Shortcut


class SecureChannel(HTTPChannel):
    """A connection whose client has to complete a TLS handshake first, and may be known by it."""

    def __init__(self, frontend: HttpFrontend, peer: str, handshakes: Handshakes) -> None:
        super().__init__(frontend, peer, tls=True)
        self._handshakes = handshakes

    def connectionMade(self) -> None:
        """Begin; the client of a connection that is refused has no more time for its handshake than others (H27)."""
        super().connectionMade()
        if self._state is State.CLOSING and self.transport.connected:
            self._frontend.writing.stop(self)
            self._watch(self._frontend.handshake)

    def handshake_completed(self) -> None:
        """The time for requests begins, unless the client's certificate has a wrong name."""
        try:
            self._certificate = self._handshakes.verified_name(self.transport.connection, self._peer)
        except PermissionError:
            self._watch(None)
            self.abort()
            return
        if self._limit is not self._frontend.handshake:
            return
        if self._state is State.CLOSING:
            self._watch(None)
            self._frontend.writing.start(self, self._frontend.clock.seconds())
        else:
            self._watch(self._frontend.idle)

    def handshake_timed_out(self) -> None:
        """Cut the connection, with a line in the log."""
        self._handshakes.timed_out(self._peer)
        super().handshake_timed_out()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Report why a handshake has failed."""
        if self._limit is self._frontend.handshake:
            self._handshakes.failed(self.transport.connection, self._peer, reason)
        super().connectionLost(reason)


@implementer(IHalfCloseableProtocol)
class SecureTransport(Protocol):
    """The TLS side of a connection: a protocol for its socket, a transport for its channel.

    It does what Twisted's does (`twisted.protocols.tls`), which is made for both sides and every protocol: here a
    server's channel writes whole answers, so that nothing has to wait for the next turn of the reactor to be joined,
    and a client that has closed its side still gets those that are due (H12).
    """

    transport: Any
    # Whether it is to be closed, as Twisted calls it.
    disconnecting = False

    # What has been: the handshake; the end of the client's side, by TLS or by TCP, and that of TCP; the end of
    # everything, why, and that the channel takes nothing more.
    _is_established = _input_ended = _peer_is_silent = _is_lost = _is_aborted = False
    _reason: Failure | None = None
    # While bytes of the client are dealt with the socket is not closed, only afterwards.
    _is_receiving = _is_over = False

    def __init__(self, channel: SecureChannel, connection: ServerConnection, steps: type[Steps]) -> None:
        self._channel = channel
        # The state machine of TLS.
        self.connection = connection
        self._steps = steps
        self._records = Records()
        # What waits for the handshake, or for bytes of the client.
        self._waiting: list[bytes] = []
        # For handshakes, whole records, and answers that are one.
        self._shortcut: Shortcut | None = steps.shortcut(connection, self._records)

    # What the socket's side calls.

    def makeConnection(self, transport: Any) -> None:
        """Begin; a server has nothing to say before the client has spoken."""
        self.transport = transport
        self.connected = 1
        self._channel.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of the client; if they are its last, the socket is closed when all has been done with them."""
        if self._input_ended:
            # Behind the end of TLS, where nothing counts (RFC 8446 section 6.1).
            self._channel.drop(len(data))
            return
        self._is_receiving = True
        try:
            if self._shortcut is None or self._waiting:
                self._take(data)
            elif self._is_established:
                self._open(self._shortcut, data)
            else:
                self._shake_at_once(self._shortcut, data)
        finally:
            self._is_receiving = False
        if self._is_over:
            close_now(self.transport)

    def _open(self, shortcut: "Shortcut", data: bytes) -> None:
        """Take bytes of the client by the short cut if they are one record."""
        found = shortcut.open(data)
        if found is None:
            self._take(data)
        elif isinstance(found, bytes):
            if not self._is_aborted:
                self._channel.dataReceived(found)
        else:
            self._read(found)

    def _take(self, data: bytes) -> None:
        """Take any bytes of the client, step by step."""
        is_one = self._records.is_one(data)
        self._steps.put(self.connection, data)
        if self._is_established or self._shake():
            if self._waiting:
                self._write_waiting()
            self._read(is_one=is_one)

    def readConnectionLost(self) -> None:
        """The client has closed its side of TCP; an end without that of TLS cuts no complete request (H12)."""
        self._peer_is_silent = True
        self._end_of_input()

    def writeConnectionLost(self) -> None:
        """The client has got the end of our side; it has a moment to end its own (H11)."""
        self._channel.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The socket is closed."""
        self._is_lost = True
        self.connected = 0
        # Nothing that belongs to a connection outlives it in circles, which nobody would find for long.
        channel, reason = self._channel, self._reason or reason
        self._shortcut = None
        del self._channel
        self._reason = None
        self._waiting.clear()
        try:
            channel.connectionLost(reason)
        finally:
            del self.connection

    # What the channel calls, as it would a connection without TLS.

    def write(self, data: bytes) -> None:
        """Send bytes; before the end of the handshake they wait for it."""
        if self.disconnecting or self._is_lost:
            return
        if self._is_established and not self._waiting:
            self._give(data)
        else:
            self._waiting.append(data)

    def loseConnection(self) -> None:
        """Send what waits, and the end of TLS; the socket is closed when the client has sent its own."""
        if self.disconnecting or not self.connected:
            return
        if not self._is_established and not self._waiting:
            self.abortConnection()
            return
        self.disconnecting = True
        if not self._waiting:
            self._end_ours()

    def abortConnection(self) -> None:
        """Close at once."""
        if self.connected:
            self._is_aborted = self.disconnecting = True
            self._end_ours()
            self.transport.abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have a producer, of the pushing kind, pause while the socket does not take what is written."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """Read nothing."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802 - Twisted's name
        """Send small answers at once."""
        self.transport.setTcpNoDelay(enabled)

    def unacknowledged(self) -> int:
        """Return how many bytes the client has not taken yet, as far as the system knows of them."""
        return unacknowledged(self.transport)

    def getPeer(self) -> Any:
        """Return the address of the client."""
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """Return the address that the client has connected to."""
        return self.transport.getHost()

    # TLS.

    def _shake(self) -> bool:
        """Go on with the handshake; return whether it is complete."""
        try:
            is_complete = self._steps.shake(self.connection)
        except SSL.Error as error:
            self._finish(error)
            return False
        if is_complete:
            self._is_established = True
            self._channel.handshake_completed()
        else:
            self._flush()
        return is_complete

    def _shake_at_once(self, shortcut: "Shortcut", data: bytes) -> None:
        """Take bytes of the client by the short cut as the next of its handshake."""
        found = shortcut.shake(data)
        if isinstance(found, bytes):
            self._send(found)
        elif found is None:
            self._is_established = True
            self._channel.handshake_completed()
            self._read()
        else:
            try:
                why_none(self.connection, found)
            except SSL.Error as error:
                self._finish(error)
            else:
                # The client has ended TLS within its handshake.
                self._finish(SSL.ZeroReturnError())

    def _read(self, failed: int | None = None, *, is_one: bool = False) -> None:
        """Hand on what has come; `is_one` if that is one record, behind which nothing is left.

        `failed` is the result of a short cut that has found no data.
        """
        while not (self._is_lost or self._input_ended):
            try:
                data = self._taken() if failed is None else why_none(self.connection, failed)
                failed = None
            except SSL.Error as error:
                self._finish(error)
            else:
                if data is None:
                    break
                if not data:
                    self._end_of_input()
                elif not self._is_aborted:
                    self._channel.dataReceived(data)
                if is_one:
                    # There is nothing to be said to data.
                    return
        if not self._is_over:
            self._flush()

    def _taken(self) -> bytes | None:
        """Return data of one record as a step does."""
        if self._shortcut is None:
            return self._steps.taken(self.connection)
        data = self._shortcut.read()
        return why_none(self.connection, data) if isinstance(data, int) else data

    def _give(self, data: bytes) -> None:
        """Send bytes; what cannot be sent waits."""
        if self._shortcut is None or not 0 < len(data) <= LARGEST:
            self._give_all(data)
            return
        sealed = self._shortcut.seal(data)
        if isinstance(sealed, bytes):
            self._send(sealed)
            return
        try:
            why_none(self.connection, sealed)
        except SSL.Error as error:
            self._finish(error)
        else:
            self._waiting.append(data)

    def _give_all(self, data: bytes) -> None:
        """Send bytes, record by record; what cannot be sent waits."""
        at = 0
        while at < len(data):
            try:
                is_given = self._steps.give(self.connection, data[at : at + LARGEST])
            except SSL.Error as error:
                self._finish(error)
                return
            if not is_given:
                self._waiting.append(data[at:])
                return
            at += LARGEST
            self._flush()

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            if self._waiting:
                self._waiting.append(data)
            elif not self._is_lost:
                self._give(data)
        if self.disconnecting and not self._waiting:
            self._end_ours()

    def _send(self, data: bytes) -> None:
        """Send what the short cut has to say."""
        if data:
            write_now(self.transport, data)
            if len(data) >= LARGEST:
                self._flush()

    def _flush(self) -> None:
        """Send what TLS has to say."""
        while self.connected and (data := self._outgoing()):
            write_now(self.transport, data)
            if len(data) < LARGEST:
                return

    def _outgoing(self) -> bytes:
        return self._steps.outgoing(self.connection) if self._shortcut is None else self._shortcut.outgoing()

    def _end_ours(self) -> None:
        """End our side, of TLS and of TCP; nobody answers where the client has closed its side of TCP."""
        is_over = self._is_over_after_end()
        self._flush()
        if is_over or self._peer_is_silent:
            self._close()
        else:
            self.transport.loseWriteConnection()

    def _is_over_after_end(self) -> bool:
        """End our side of TLS; return whether both are ended."""
        try:
            if self._shortcut is None:
                return self.connection.shutdown()
            result = self._shortcut.end()
            if result < 0:
                why_none(self.connection, result)
        except SSL.Error:
            return False
        return result > 0

    def _end_of_input(self) -> None:
        """Let the channel answer what is complete, and then close; without a handshake there is nothing to answer."""
        if self._input_ended or self._is_lost:
            return
        self._input_ended = True
        if self._is_established and not self.disconnecting:
            self._channel.readConnectionLost()
        else:
            self._end_ours()
            self._finish(None)

    def _finish(self, error: SSL.Error | None) -> None:
        """TLS is over, by an error if something was wrong; the client gets its alert."""
        if error is not None and self._reason is None:
            # One that has gone without a word is no error of TLS. Where one was raised leads back to this connection.
            gone = isinstance(error, SSL.SysCallError)
            self._reason = Failure(CONNECTION_LOST if gone else error.with_traceback(None))
        self._is_lost = True
        self._flush()
        # Otherwise it would be asked for more when all has been sent, and the connection not closed.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _close(self) -> None:
        if self._is_receiving:
            self._is_over = True
        else:
            self.transport.loseConnection()


class SecureFactory(Factory):
    """Makes the connections of a port with TLS. Raises `TlsError`."""

    noisy = False

    def __init__(self, frontend: HttpFrontend, clock: IReactorTime, tls: TlsSettings) -> None:
        self._frontend = frontend
        self._tls = tls
        self._contexts = contexts_of(tls)
        self._steps = steps_of(self._contexts.connection())
        self._handshakes = Handshakes(tls, clock)
        frontend.each_second.append(self._handshakes.tick)

    def use(self, tls: TlsSettings) -> None:
        """Serve connections by these settings from now on; those that are open keep what they began with (P101).

        Files that are the same keep their contexts, and with them the sessions that clients resume. Raises `TlsError`;
        then nothing has changed.
        """
        if tls != self._tls:
            self._contexts = contexts_of(tls)
            self._handshakes.tls = self._tls = tls

    def buildProtocol(self, addr: IAddress | None) -> SecureTransport:
        """Return the TLS side of one connection, with its channel."""
        channel = SecureChannel(self._frontend, getattr(addr, "host", ""), self._handshakes)
        return SecureTransport(channel, self._contexts.connection(), self._steps)


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
