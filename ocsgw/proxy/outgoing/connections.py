"""Connections of outgoing calls: direct, with TLS, or through an HTTP proxy (outgoing.md O2, O5, O65)."""

from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from ocsgw.tls.client import ClientTls

# What a proxy says before its tunnel begins is short; in bytes.
_LONGEST_HEAD = 16 << 10


class TunnelError(Exception):
    """The HTTP proxy has not made the tunnel."""


@implementer(IAgentEndpointFactory)
class Endpoints:
    """Where one call connects to; `connected` says whether a new connection was made for it."""

    def __init__(self, reactor: Any, tls: ClientTls, http_proxy: str | None) -> None:
        self._reactor = reactor
        self._tls = tls
        self._http_proxy = http_proxy
        self.connected = False

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802 - Twisted's
        """Return where to connect to for a URI."""
        return _Noted(self, self._endpoint(uri))

    def _endpoint(self, uri: URI) -> IStreamClientEndpoint:
        if uri.scheme != b"https":
            return HostnameEndpoint(self._reactor, uri.host, uri.port)
        creator = self._tls.creatorForNetloc(uri.host, uri.port)
        if self._http_proxy is None:
            return wrapClientTLS(creator, HostnameEndpoint(self._reactor, uri.host, uri.port))
        proxy = urlsplit(self._http_proxy)
        host = b"[%s]" % uri.host if b":" in uri.host else uri.host
        to_proxy = HostnameEndpoint(self._reactor, (proxy.hostname or "").encode("ascii"), proxy.port or 80)
        return _Tunnel(to_proxy, b"%s:%d" % (host, uri.port), creator)


@implementer(IStreamClientEndpoint)
class _Noted:
    """Notes that a connection is made."""

    def __init__(self, owner: Endpoints, endpoint: IStreamClientEndpoint) -> None:
        self._owner = owner
        self._endpoint = endpoint

    def connect(self, factory: Any) -> "Deferred[Any]":
        """Connect."""
        self._owner.connected = True
        connected: Deferred[Any] = self._endpoint.connect(factory)
        return connected


@implementer(IStreamClientEndpoint)
class _Tunnel:
    """A TLS connection to `authority` inside a tunnel of an HTTP proxy."""

    def __init__(self, to_proxy: IStreamClientEndpoint, authority: bytes, creator: Any) -> None:
        self._to_proxy = to_proxy
        self._authority = authority
        self._creator = creator

    def connect(self, factory: Any) -> "Deferred[Any]":
        """Connect to the proxy, ask for the tunnel, begin TLS in it; fires with the protocol of `factory`."""
        made: Deferred[Any] = Deferred(lambda _: opening.cancel() if not opening.called else handshake.abort())
        inside = TLSMemoryBIOFactory(self._creator, True, factory)  # noqa: FBT003 - Twisted's
        handshake = _Connect(self._authority, inside, made)
        opening = self._to_proxy.connect(Factory.forProtocol(lambda: handshake))
        opening.addErrback(lambda reason: made.errback(reason) if not made.called else None)
        return made


class _Connect(Protocol):
    """Asks for a tunnel; what follows on the answer belongs to the protocol inside."""

    transport: Any

    def __init__(self, authority: bytes, inside: TLSMemoryBIOFactory, made: "Deferred[Any]") -> None:
        self._authority = authority
        self._inside = inside
        self._made = made
        self._received = b""
        self._tunnel: Any = None

    def connectionMade(self) -> None:
        """Ask, without a body and without the headers of the call."""
        self.transport.write(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (self._authority, self._authority))

    def abort(self) -> None:
        """Give up."""
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take the answer of the proxy, then what comes through the tunnel."""
        if self._tunnel is not None:
            self._tunnel.dataReceived(data)
            return
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _LONGEST_HEAD:
                self._fail("its answer is not HTTP")
            return
        parts = head.split(b"\r\n", 1)[0].split(b" ", 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            self._fail("its answer is not HTTP")
        elif not parts[1].startswith(b"2"):
            self._fail(f"it answers with status {int(parts[1])}")
        else:
            self._tunnel = self._inside.buildProtocol(None)
            self._tunnel.makeConnection(self.transport)
            self._made.callback(self._tunnel.wrappedProtocol)
            if rest:
                self._tunnel.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, of the tunnel too."""
        if self._tunnel is not None:
            self._tunnel.connectionLost(reason)
        elif not self._made.called:
            self._made.errback(TunnelError("the HTTP proxy has closed the connection"))

    def _fail(self, why: str) -> None:
        if not self._made.called:
            self._made.errback(TunnelError(f"the HTTP proxy makes no tunnel: {why}"))
        self.transport.abortConnection()
