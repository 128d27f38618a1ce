"""OCS as a client sees it, played by the tests: over transports in memory, and over a socket."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.protocol.messages import KV, VERSION, Event, Hello, Message, Request, Welcome, WireLimits, encode
from ocsgw.protocol.requests import ClientKind
from ocsgw.protocol.session import ServerSession

LIMITS = WireLimits(frame=1 << 20, in_flight=64, heartbeat_ms=3000)
APPLICATIONS: frozenset[ClientKind] = frozenset({"desktop", "third_party"})


def welcome() -> Welcome:
    """Return the answer to a hello."""
    return Welcome(version=VERSION, application_id=134, application="OCS", session=1, limits=LIMITS)


def acknowledgement(request: Request) -> Event:
    """Return an event that answers a request with its own keys."""
    name = f"{request.data['GSW_AGENT_REQ_TYPE']}Acknowledge"
    data: KV = {key: value for key, value in request.data.items() if key != "GSW_AGENT_REQ_TYPE"}
    return Event(ref=request.ref, data={"GSW_USER_EVENT": name, **data})


class PlayedConnection:
    """The other side of one connection in memory."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.transport = StringTransport()
        self.received: list[Message] = []
        self._session = ServerSession(APPLICATIONS, LIMITS.frame)
        protocol.makeConnection(self.transport)

    def read(self) -> list[Message]:
        """Return what has come since the last call."""
        data = self.transport.value()
        self.transport.clear()
        new = list(self._session.receive(data))
        self.received += new
        return new

    def send(self, *messages: Message) -> None:
        """Send messages to the client."""
        for message in messages:
            if isinstance(message, Event) and message.ref is not None and not message.more:
                self._session.close_request(message.ref)
        self.protocol.dataReceived(b"".join(map(encode, messages)))

    def greet(self) -> Hello:
        """Read the hello and welcome the client."""
        (hello,) = self.read()
        assert isinstance(hello, Hello)
        self.send(welcome())
        return hello

    def lose(self) -> None:
        """Let the connection break."""
        self.protocol.connectionLost(Failure(ConnectionDone("gone")))


@implementer(IStreamClientEndpoint)
class PlayedEndpoint:
    """An endpoint whose connections are played; while `refuses` nobody listens there."""

    def __init__(self) -> None:
        self.connections: list[PlayedConnection] = []
        self.refuses = False

    def connect(self, protocolFactory: Any) -> "Deferred[Any]":
        """Connect at once."""
        if self.refuses:
            return fail(ConnectError())
        protocol = protocolFactory.buildProtocol(None)
        self.connections.append(PlayedConnection(protocol))
        return succeed(protocol)


class SocketServer:
    """OCS on a socket: `answer` gives the messages that answer each message of a client."""

    def __init__(self, answer: Callable[[Message], Iterator[Message]]) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listening.getsockname()[:2]
        self.hellos: list[Hello] = []
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End everything."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """Break the connections that there are."""
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _serve(self) -> None:
        threads = []
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                break
            self._connections.append(connection)
            thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()

    def _talk(self, connection: socket.socket) -> None:
        session = ServerSession(APPLICATIONS, LIMITS.frame)
        with connection:
            while True:
                try:
                    data = connection.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                for message in session.receive(data):
                    if isinstance(message, Hello):
                        self.hellos.append(message)
                    for answer in self._answer(message):
                        if isinstance(answer, Event) and answer.ref is not None and not answer.more:
                            session.close_request(answer.ref)
                        connection.sendall(encode(answer))
