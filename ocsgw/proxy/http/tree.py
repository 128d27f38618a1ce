"""The resource tree: every route but the fast lane (twisted.web)."""

from io import BytesIO
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import parse_qs
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import Event
from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.channel import HTTPChannel
from ocsgw.proxy.http.exchange import Answer, Exchange


class ProxyRequest(Request):
    """A twisted.web request that knows its call; a fault in a resource is answered in the form of all errors."""

    exchange: Exchange
    refusal: Refusal | None = None
    abandoned = False
    _headers: Headers | None = None
    _args: dict[bytes, list[bytes]] | None = None

    @property
    def requestHeaders(self) -> Headers:
        """The header fields; made when somebody asks, which the classic surface does not."""
        if self._headers is None:
            self._headers = Headers()
            for name, value in self.exchange.head.fields:
                self._headers.addRawHeader(name, value)
        return self._headers

    @requestHeaders.setter
    def requestHeaders(self, headers: Headers) -> None:
        """Twisted makes an empty one for each request; ours come from the call."""

    @property
    def args(self) -> dict[bytes, list[bytes]]:  # type: ignore[override]  # nobody sets them
        """The arguments of the query, read when somebody asks."""
        if self._args is None:
            self._args = parse_qs(self.uri.partition(b"?")[2], keep_blank_values=True)
        return self._args

    def received(self, exchange: Exchange, body: bytes, refusal: Refusal | None) -> None:
        """Begin with a call that is complete: what `requestReceived` does, but for bodies of forms."""
        self.exchange = exchange
        self.refusal = refusal
        # twisted.web would put a large body into a file (P102).
        self.content = BytesIO(body)
        self.method, self.uri = exchange.line.method, exchange.line.target
        self.clientproto = b"HTTP/1.%d" % exchange.head.minor
        self.path = self.uri.partition(b"?")[0]
        self.process()

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone before its answer."""
        self.abandoned = True
        super().connectionLost(reason)

    def process(self) -> None:
        """Render the resource of the target; headers of the connection and the target `*` are no affair of the tree."""
        self.site = cast("_OneRequest", self.channel).site
        self.prepath = []
        self.postpath = self.path[1:].split(b"/")
        try:
            self.render(self.site.getResourceFor(self))
        except Exception:  # noqa: BLE001 - a defect of a resource is an answer to one request
            self.processingFailed(Failure())

    def processingFailed(self, reason: Failure) -> Failure:
        """Answer 500 and log; nothing was changed."""
        cast("ProxySite", self.site).request_failed(self, reason)
        return reason


class ClassicSurface(Resource):
    """The classic surface as a leaf of the tree; it asks the same judge as the fast lane and writes the same answer."""

    isLeaf = True

    def __init__(self, frontend: HttpFrontend) -> None:
        super().__init__()
        self._frontend = frontend

    def render(self, request: ProxyRequest) -> int:
        """Answer at once what the head refuses, everything else when OCS has answered."""
        if request.refusal is not None:
            respond(request, self._frontend, request.refusal)
        else:
            body = request.content.read() if request.content is not None else b""
            self._frontend.handle(
                request.exchange, body, lambda exchange, outcome: respond(request, self._frontend, outcome)
            )
        return NOT_DONE_YET


class Root(Resource):
    """The root: whatever is not mounted beside it belongs to the classic surface, which knows what it has."""

    def __init__(self, frontend: HttpFrontend) -> None:
        super().__init__()
        self._classic = ClassicSurface(frontend)

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Return the leaf for every other first segment."""
        return self._classic


def respond(request: ProxyRequest, frontend: HttpFrontend, outcome: Event | Refusal) -> None:
    """Write the answer to a call through its twisted.web request, unless its client is gone."""
    if request.abandoned:
        return
    cast("_OneRequest", request.channel).whole = frontend.answers.compose(request.exchange, outcome)
    request.startedWriting = 1
    request.finish()


class ProxySite(Site):
    """Makes the channels of one port and brings what does not take the fast lane to the tree."""

    requestFactory = ProxyRequest
    noisy = False
    _log = Logger()

    def __init__(
        self, frontend: HttpFrontend, reactor: IReactorTime, *, tls: bool = False, fast_lane: bool = True
    ) -> None:
        super().__init__(Root(frontend), requestFactory=ProxyRequest, parsePOSTFormSubmission=False, reactor=reactor)
        self.displayTracebacks = False
        self.frontend = frontend
        self.tls = tls
        self._fast_lane = fast_lane
        self._requests: dict[Exchange, ProxyRequest] = {}

    def startFactory(self) -> None:
        """Open no access log; HTTP Proxy has no log of its own (R27)."""

    def stopFactory(self) -> None:
        """There is nothing to close."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a channel for one connection."""
        peer = getattr(addr, "host", "")
        return HTTPChannel(self.frontend, self, peer, tls=self.tls, fast_lane=self._fast_lane)

    def process(self, channel: HTTPChannel, exchange: Exchange, body: bytes, refusal: Refusal | None) -> None:
        """Let the tree answer a call; a refusal by the head alone has been found already."""
        request = ProxyRequest(_OneRequest(self, channel, exchange))
        self._requests[exchange] = request
        request.received(exchange, body, refusal)

    def forget(self, exchange: Exchange, reason: Failure) -> None:
        """The connection of a call is gone before its answer."""
        request = self._requests.pop(exchange, None)
        if request is not None:
            request.connectionLost(reason)

    def finished(self, exchange: Exchange) -> None:
        """The tree has answered a call."""
        self._requests.pop(exchange, None)

    def request_failed(self, request: ProxyRequest, reason: Failure) -> None:
        """Log a defect of a resource and answer it."""
        self._log.failure(
            "A request failed in HTTP Proxy, request id {id}", reason, id=request.exchange.head.request_id
        )
        if not request.startedWriting:
            respond(request, self.frontend, Refusal("internal"))


class _OneRequest:
    """What a twisted.web request needs of its channel, for one request: its answer is collected, then handed on."""

    def __init__(self, site: ProxySite, channel: HTTPChannel, exchange: Exchange) -> None:
        self.site = site
        self.transport = channel.transport
        self._channel = channel
        self._exchange = exchange
        # An answer that came in one piece, in place of what follows.
        self.whole: Answer | None = None
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    def getPeer(self) -> Any:
        """Return the address of the client."""
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """Return our address."""
        return self.transport.getHost()

    def isSecure(self) -> bool:
        """Whether the connection is TLS."""
        return self.site.tls

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Take the head of the answer."""
        self._status = int(code)
        self._headers = [(name, value) for name, values in headers.getAllRawHeaders() for value in values]

    def write(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(data)

    def writeSequence(self, pieces: list[bytes]) -> None:
        """Take pieces of the body."""
        self._body.extend(pieces)

    def requestDone(self, request: Request) -> None:
        """Hand the whole answer on."""
        self.site.finished(self._exchange)
        answer = self.whole or Answer(self._status, self._headers, b"".join(self._body), framed=True)
        self._channel.answer(self._exchange, answer)

    def loseConnection(self) -> None:
        """Close the connection at the end of this call."""
        self._exchange.close = True
