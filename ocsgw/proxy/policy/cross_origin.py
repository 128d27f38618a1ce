"""Pages of other origins in a browser: which may call, and what the browser asks beforehand (Fetch, section 3.2)."""

from collections.abc import Sequence

from twisted.python.failure import Failure

from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.http.exchange import Answer, Deliver, Exchange, check_address
from ocsgw.proxy.http.grammar import Head, RequestLine

Fields = list[tuple[bytes, bytes]]

EVERY_ORIGIN = "*"
# Seconds for which a browser need not ask again.
_MAX_AGE = 600
# What a page may send, and see, beyond what every page may.
_REQUEST_FIELDS = b"Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id"
_ANSWER_FIELDS = (
    b"Idempotency-Replayed, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, WWW-Authenticate, "
    b"X-Request-Id"
)


class CrossOrigin:
    """The origins that `cors_origins` of a listener names; as a route, the answer to what a browser asks beforehand.

    Credentials of the browser itself (cookies, client certificates) are never asked for: a page shows its key.
    """

    methods = b"OPTIONS"

    def __init__(self, origins: Sequence[str]) -> None:
        self._every = EVERY_ORIGIN in origins
        self._origins = frozenset(origin.encode("ascii") for origin in origins)

    def __bool__(self) -> bool:
        return bool(self._origins)

    def fields(self, head: Head) -> Fields:
        """Return the header fields that let the page see an answer; none without an origin that may."""
        origin = head.origin
        if origin is None or not self._allows(origin):
            return []
        return [
            (b"Access-Control-Allow-Origin", origin),
            (b"Access-Control-Expose-Headers", _ANSWER_FIELDS),
            (b"Vary", b"Origin"),
        ]

    def is_preflight(self, line: RequestLine, head: Head) -> bool:
        """Whether a browser asks, for a page of one of the origins, if it may send a request."""
        asks = line.method == b"OPTIONS" and head.asks_for_method
        return asks and head.origin is not None and self._allows(head.origin)

    def check(self, exchange: Exchange) -> Refusal | None:
        """Browsers show no key when they ask; only the limits of the address count."""
        return check_address(exchange)

    def handle(self, exchange: Exchange, body: bytes, deliver: Deliver) -> None:
        """Answer what may be sent."""
        fields = [
            (b"Access-Control-Allow-Methods", b"GET, POST"),
            (b"Access-Control-Allow-Headers", _REQUEST_FIELDS),
            (b"Access-Control-Max-Age", b"%d" % _MAX_AGE),
        ]
        if (b"access-control-request-private-network", b"true") in exchange.head.fields:
            fields.append((b"Access-Control-Allow-Private-Network", b"true"))
        deliver(exchange, Answer(200, fields, b""))

    def forget(self, exchange: Exchange, reason: Failure) -> None:
        """Nothing waits."""

    def _allows(self, origin: bytes) -> bool:
        return self._every or origin in self._origins
