"""Resources of twisted.web as routes: what is mounted beside the classic surface lives by the same connection rules.

Each request gets its body whole, after the limits and the authentication of the listener.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, cast

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import parse_qs
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.exchange import Answer, Deliver, Exchange
from ocsgw.proxy.policy.reports import report_failure
from ocsgw.proxy.policy.router import path_of


class TreeRequest(Request):
    """A twisted.web request that knows its exchange."""

    exchange: Exchange
    _headers: Headers | None = None
    _args: dict[bytes, list[bytes]] | None = None

    @property
    def requestHeaders(self) -> Headers:
        """The header fields; made when somebody asks."""
        if self._headers is None:
            self._headers = Headers()
            for name, value in self.exchange.head.fields:
                self._headers.addRawHeader(name, value)
        return self._headers

    @requestHeaders.setter
    def requestHeaders(self, headers: Headers) -> None:
        """Twisted makes an empty one for each request; ours come from the exchange."""

    @property
    def args(self) -> dict[bytes, list[bytes]]:  # type: ignore[override]  # nobody sets them
        """The arguments of the query, read when somebody asks."""
        if self._args is None:
            self._args = parse_qs(self.uri.partition(b"?")[2], keep_blank_values=True)
        return self._args

    def received(self, exchange: Exchange, body: bytes) -> None:
        """Begin with a request that is complete: what `requestReceived` does, but for bodies of forms."""
        self.exchange = exchange
        # twisted.web would put a large body into a file (P102).
        self.content = BytesIO(body)
        self.method, self.uri = exchange.line.method, exchange.line.target
        self.clientproto = b"HTTP/1.%d" % exchange.head.minor
        self.path = path_of(self.uri)
        self.process()

    def process(self) -> None:
        """Render the resource of the target; headers of the connection and the target `*` do not concern the tree."""
        collector = cast("_AnswerCollector", self.channel)
        self.site = collector.site
        self.prepath = []
        self.postpath = self.path[1:].split(b"/")
        try:
            self.render(self.site.getResourceFor(self))
        except Exception:  # noqa: BLE001 - a defect of a resource is an answer to one request
            self.processingFailed(Failure())

    def processingFailed(self, reason: Failure) -> Failure:
        """Answer 500 in the form of all errors, and log."""
        cast("_AnswerCollector", self.channel).failed(reason)
        return reason


class ResourceTree:
    """A route whose requests resources answer. `clock` is for their sessions and timers.

    With `public` everybody may ask; otherwise a request needs what the listener asks of its clients. An exchange knows
    its principal then.
    """

    methods = b"POST"

    _log = Logger()

    def __init__(self, frontend: HttpFrontend, clock: IReactorTime, *, public: bool = False) -> None:
        self._frontend = frontend
        self._public = public
        self._root = Resource()
        self._site = Site(self._root, requestFactory=TreeRequest, parsePOSTFormSubmission=False, reactor=clock)
        self._site.displayTracebacks = False
        self._requests: dict[Exchange, TreeRequest] = {}

    def mount(self, segment: bytes, resource: IResource) -> None:
        """Let `resource` answer what begins with `/segment`."""
        self._root.putChild(segment, resource)
        self._frontend.router.mount(segment, self)
        self._frontend.whole_requests.forget()

    def check(self, exchange: Exchange) -> Refusal | None:
        """Return what the client is refused for, whatever the resource."""
        refusal = None if self._public else self._frontend.policy.check_client(exchange)
        if refusal is None and exchange.head.bad_expectation:
            refusal = Refusal("expectation_failed")
        return refusal

    def handle(self, exchange: Exchange, body: bytes, deliver: Deliver) -> None:
        """Let the resource answer."""

        def answered(answer: Answer | Refusal) -> None:
            if self._requests.pop(exchange, None) is not None:
                deliver(exchange, answer)

        request = TreeRequest(_AnswerCollector(self._site, exchange, answered, self._log))
        self._requests[exchange] = request
        request.received(exchange, body)

    def forget(self, exchange: Exchange, reason: Failure) -> None:
        """The client is gone before its answer."""
        request = self._requests.pop(exchange, None)
        if request is not None:
            request.connectionLost(reason)


class _AnswerCollector:
    """What a twisted.web request takes for its channel: its answer is collected, then handed on."""

    def __init__(
        self, site: Site, exchange: Exchange, answered: Callable[[Answer | Refusal], None], log: Logger
    ) -> None:
        self.site = site
        self.transport = exchange.transport
        self._exchange = exchange
        self._answered = answered
        self._log = log
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
        return self._exchange.secure

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
        self._answered(Answer(self._status, self._headers, b"".join(self._body), framed=True))

    def failed(self, reason: Failure) -> None:
        """Log a defect of a resource; answer it, unless its client has been answered."""
        report_failure(self._log, self._exchange, reason)
        self._answered(Refusal("internal"))

    def loseConnection(self) -> None:
        """Close the connection at the end of this request."""
        self._exchange.close = True
