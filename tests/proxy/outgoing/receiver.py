"""A real HTTP or HTTPS server on the other side of outgoing calls, and an HTTP proxy before it."""

from dataclasses import dataclass
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.internet.ssl import KeyPair as TwistedKeyPair
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

reactor: Any = installed


@dataclass
class Call:
    """A call that has arrived."""

    method: bytes
    path: bytes
    headers: Any
    body: bytes
    peer: Any


class Receiver(Resource):
    """Answers with `status`, `body` and `headers`; with `hold` it never does. `calls` are those that have come."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.status = 200
        self.body = b""
        self.headers: dict[bytes, bytes] = {}
        self.hold = False
        self.drop = 0
        self.waiting: list[Any] = []
        self.connections: set[Any] = set()

    def render(self, request: Request) -> Any:
        """Take a call."""
        self.connections.add(request.channel)
        transport: Any = request.transport
        peer = transport.getPeer()
        content: Any = request.content
        self.calls.append(Call(request.method, request.path, request.requestHeaders, content.read(), peer))
        if self.drop:
            self.drop -= 1
            transport.abortConnection()
            return NOT_DONE_YET
        if self.hold:
            self.waiting.append(request)
            return NOT_DONE_YET
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return self.body

    def listen(self, test: Any, tls: Any = None) -> int:
        """Listen until the end of a test; return the port."""
        site = Site(self)
        if tls is None:
            port = reactor.listenTCP(0, site, interface="127.0.0.1")
        else:
            port = reactor.listenSSL(0, site, tls, interface="127.0.0.1")
        test.addCleanup(port.stopListening)
        return int(port.getHost().port)


def server_tls(pem: str, key: str, **options: Any) -> CertificateOptions:
    """Return the TLS of a server with a certificate and key as PEM text."""
    made = PrivateCertificate.loadPEM(key + pem)
    assert isinstance(made.privateKey, TwistedKeyPair)
    return CertificateOptions(made.privateKey.original, made.original, **options)


class _Tunnel(Protocol):
    """One connection to the proxy."""

    transport: Any
    other: Any = None
    factory: Any

    def dataReceived(self, data: bytes) -> None:
        """Take the CONNECT, then pass bytes on."""
        if self.other is not None:
            self.other.transport.write(data)
            return
        self.factory.heads.append(data)
        if self.factory.answer is not None:
            self.transport.write(self.factory.answer)
            return
        outer = self

        class Onward(Protocol):
            """The connection to the server."""

            transport: Any

            def connectionMade(self) -> None:
                """Say that the tunnel is there."""
                outer.other = self
                outer.transport.write(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")

            def dataReceived(self, data: bytes) -> None:
                """Pass on."""
                outer.transport.write(data)

            def connectionLost(self, reason: Any = None) -> None:
                """End both."""
                outer.transport.loseConnection()

        port = int(data.split(b" ")[1].rpartition(b":")[2])
        reactor.connectTCP("127.0.0.1", port, ClientFactory.forProtocol(Onward))

    def connectionLost(self, reason: Any = None) -> None:
        """End both."""
        if self.other is not None:
            self.other.transport.loseConnection()


class TunnelFactory(Factory):
    """An HTTP proxy; `heads` are the CONNECT requests, `answer` instead of a tunnel what it says."""

    protocol = _Tunnel

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.answer: bytes | None = None

    def listen(self, test: Any) -> int:
        """Listen until the end of a test; return the port."""
        port = reactor.listenTCP(0, self, interface="127.0.0.1")
        test.addCleanup(port.stopListening)
        return int(port.getHost().port)


def turn() -> "Deferred[None]":
    """Return a Deferred that fires in the next turn of the reactor."""
    done: Deferred[None] = Deferred()
    reactor.callLater(0, done.callback, None)
    return done
