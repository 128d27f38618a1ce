"""One HTTP request on its way through HTTP Proxy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from twisted.python.failure import Failure

from ocsgw import speedups
from ocsgw.access.limits import ClientUsage, Quota
from ocsgw.protocol.attributes import Value
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event
from ocsgw.proxy.http.grammar import Head, RequestLine
from ocsgw.proxy.policy.target import Target
from ocsgw.proxy.translation.charset import Encoding


class Outlet(Protocol):
    """Where a stream writes: the rest of a connection, whose head and first bytes are written."""

    def send(self, data: bytes) -> None:
        """Write more of the body."""

    def finish(self, data: bytes) -> None:
        """Write the end of the body, and close."""


class Stream(Protocol):
    """The body of an answer that goes on until one of both sides ends it; its connection is used for nothing else."""

    def opened(self, outlet: Outlet) -> None:
        """The head is written; from now on the stream may write."""

    def pause(self) -> None:
        """The client does not take what is written; write no more until `resume`."""

    def resume(self) -> None:
        """The client has taken everything."""

    def end(self) -> None:
        """No more requests are taken: say the last, and finish."""

    def lost(self) -> None:
        """The connection is gone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header fields and body of an answer; the connection adds its own fields.

    `framed` says that the fields already say where the body ends. `body` is only the beginning where a `stream` goes
    on; such an exchange is the last one of its connection.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    framed: bool = False
    stream: Stream | None = None


# How an exchange ends: with an event of OCS, with a refusal, or with what the resource tree has made.
Outcome = Event | Refusal | Answer

# Takes the outcome of an exchange; called once.
Deliver = Callable[["Exchange", Outcome], None]

_UNKNOWN = Target(None)


if speedups.is_used():
    from ocsgw.speedups.lane import Lane


class Route(Protocol):
    """A part of the target space: by what its requests are judged, and what answers them.

    Each request takes the same way: the router finds its route, the route judges the head, the body is read, the route
    handles the whole.
    """

    def check(self, exchange: "Exchange") -> Refusal | None:
        """Return the refusal that the head earns, None if the request is admitted (checks 2 to 8)."""

    def handle(self, exchange: "Exchange", body: bytes, deliver: Deliver) -> None:
        """Answer an admitted request, now or later."""

    def forget(self, exchange: "Exchange", reason: Failure) -> None:
        """The client is gone; the outcome goes nowhere."""

    @property
    def methods(self) -> bytes:
        """What `Allow` says of another method."""


class Addressee(Protocol):
    """Who takes an answer that is written already, for a request that was sent as a frame."""

    def answer_written(self, exchange: "Exchange", answer: bytes) -> bool:
        """Send an answer; false if something has happened meanwhile that makes it another one."""


class FrameGateway(Protocol):
    """The way to OCS for requests that are frames already, made by a compiled part.

    A frame has the number `next_ref` and the time `deadline_ms` in milliseconds.
    """

    next_ref: int
    deadline_ms: int

    def use_head(self, success_head: Callable[[], bytes]) -> None:
        """Begin answers for the usual events with what this returns: their heads up to the length of the body."""

    def make_lane(self, frontend: object) -> "Lane | None":
        """Return the shortest way for usual requests from connections of a front end, None if there is none."""

    def room(self) -> int:
        """Return how many bytes of payload a request may have that goes out now, 0 if none would."""

    def carry(self, exchange: "Exchange", frame: bytes, deliver: Deliver, addressee: Addressee | None) -> None:
        """Hand a request over, when there is room; `deliver` is called once with its outcome.

        Instead of that an `addressee` gets an answer for the usual event.
        """


class Gateway(Protocol):
    """The way to OCS, as the HTTP side sees it."""

    @property
    def frames(self) -> FrameGateway | None:
        """The same way for requests that are frames already, None if there is none."""

    def ask_for_news(self) -> None:
        """Ask to be told once when the outbox has grown."""

    def submit(self, exchange: "Exchange", data: KV, deliver: Deliver) -> Refusal | None:
        """Hand a request over; `deliver` is called once with its outcome. Return a refusal if it cannot go out."""


if TYPE_CHECKING or not speedups.is_used():

    class Exchange:
        """A request: what its head says, what the checks have found so far, and in the end its outcome.

        `peer` is the address of the client. `certificate` is the verified name of its certificate, None without one.
        `encoding` is that of the answer, None for UTF-8; it is settled when the body has been read (H134). `close` is
        true for the last one of a connection. `usage` counts for the limits of the client, None without limits; `quota`
        is what they leave. `route` is what answers it, None for bytes that are not a request; `began` is when its head
        was there, in seconds of the reactor, while there is an access log, else -1; `transport` and `secure` say where
        it came from, for routes that want to know.
        """

        __slots__ = (
            "began",
            "certificate",
            "close",
            "encoding",
            "head",
            "idempotency_key",
            "line",
            "outcome",
            "peer",
            "principal",
            "quota",
            "reference",
            "route",
            "secure",
            "target",
            "transport",
            "usage",
        )

        def __init__(
            self,
            line: RequestLine,
            head: Head,
            peer: str,
            encoding: Encoding | None = None,
            certificate: str | None = None,
            usage: ClientUsage | None = None,
        ) -> None:
            self.line = line
            self.head = head
            self.peer = peer
            self.encoding = encoding
            self.certificate = certificate
            self.close = not head.keep_alive
            self.target: Target = _UNKNOWN
            self.principal: str | None = None
            self.idempotency_key: str | None = None
            self.reference: Value | None = None
            self.outcome: Outcome | None = None
            self.route: Route | None = None
            self.transport: Any = None
            self.secure = False
            self.began = -1.0
            self.usage = usage
            self.quota: Quota | None = None

else:
    from ocsgw.speedups.lane import Exchange, know

    know(_UNKNOWN)


def check_address(exchange: Exchange) -> Refusal | None:
    """Count a request for its address, where addresses are limited; return the refusal of one too many."""
    if exchange.usage is not None:
        exchange.quota = exchange.usage.request()
        if exchange.quota is not None and exchange.quota.wait is not None:
            return Refusal("too_many_requests")
    return None
