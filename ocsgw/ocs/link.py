"""The end of OCS of a connection to a client (protocol.md sections 5 and 6)."""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocsgw.guard import contain
from ocsgw.link.connection import Connection, LinkLimits
from ocsgw.link.stream import StreamProtocol
from ocsgw.logs import say
from ocsgw.ocs.admission import Admission
from ocsgw.ocs.dispatch import MAYBE_LARGE, Home, Reply, error_event
from ocsgw.protocol.context import ANONYMOUS, RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import (
    VERSION,
    AccessLines,
    Bye,
    ByeCode,
    Event,
    Hello,
    Log,
    Message,
    News,
    Port,
    Ready,
    Request,
    Stats,
    Verdict,
    Welcome,
    WireLimits,
)
from ocsgw.protocol.requests import ClientKind
from ocsgw.protocol.sendable import UnsendableError, encode_event
from ocsgw.protocol.session import ServerSession

# Returns the goodbye for a client that is not admitted, None for one that is.
Admit = Callable[[Hello], Bye | None]
# Gets every message, and whether it was received.
Trace = Callable[[Message, bool], None]

# A client says hello within this time (P80), in seconds.
_HELLO_TIMEOUT = 5.0
# Contexts that are kept for the next request of the same client; all are made anew when there are more.
_MOST_CONTEXTS = 4096


class RequestHandler(Protocol):
    """What carries out the requests of a connection: the dispatcher, or what stands before it."""

    def handle_together(self, requests: list[Request], at: int, context: RequestContext, home: Home) -> int:
        """Carry out requests from `at` on that are usual; return how many, none where `handle` has to."""

    def handle(self, request: Request, context: RequestContext, reply: Reply) -> None:
        """Carry out a request; `reply` takes its events, of which the last one is final."""


class LinkOwner(Protocol):
    """What is called with what happens on a link to an HTTP Proxy."""

    def greeted(self, hello: Hello) -> None:
        """The proxy has said hello and was welcomed."""

    def ready(self, port: int, interface: str) -> None:
        """The proxy has opened its port."""

    def log_lines(self, message: Log) -> None:
        """The proxy has sent lines for the log."""

    def access_lines(self, message: AccessLines) -> None:
        """The proxy has sent lines for the access log."""

    def counted(self, stats: Stats) -> None:
        """The proxy has counted."""

    def verdict(self, verdict: Verdict) -> None:
        """The proxy has made an outgoing call."""

    def news_wanted(self) -> None:
        """The proxy wants to be told when the outbox has grown."""

    def port_handed(self, descriptor: int) -> None:
        """The proxy has handed over its listening socket."""

    def said_bye(self, bye: Bye) -> None:
        """The proxy has said goodbye."""

    def frozen(self) -> None:
        """The proxy does not answer any more; the link has been cut."""

    def link_lost(self, reason: str) -> None:
        """The link is gone, for whatever reason."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What OCS says about itself in `welcome`, and its own limits: `send_buffer` in bytes, times in seconds."""

    application: str
    application_id: int
    limits: WireLimits
    send_buffer: int
    frame_timeout: float


class OcsEnd:
    """The end of OCS of one connection, of a client of the kinds `accepts`.

    `session` is a number that names the connection, `peer` what the log calls the client; `trace` gets every message
    and whether it was received. `admit` judges the hello of a client. `close_when_full` is for connections of one
    client: a link of many is never closed because it does not read (P93). What breaks the protocol ends this connection
    and no other (P66). `protocol` is what goes on the transport. `context` is who sends the requests of a connection of
    one client, None where requests say themselves who sends them (P79).
    """

    _log = Logger()

    def __init__(
        self,
        owner: LinkOwner,
        dispatcher: RequestHandler,
        identity: Identity,
        clock: IReactorTime,
        *,
        accepts: frozenset[ClientKind],
        session: int,
        peer: str = "a client",
        trace: Trace | None = None,
        admit: Admit = lambda _: None,
        close_when_full: bool = False,
    ) -> None:
        self.context: RequestContext | None = None
        self._admit = admit
        self._owner = owner
        self._dispatcher = dispatcher
        self._identity = identity
        self._clock = clock
        self._number = session
        self.largest = identity.limits.frame
        self._session = ServerSession(accepts, identity.limits.frame)
        limits = LinkLimits(
            heartbeat=identity.limits.heartbeat_ms / 1000,
            frame=identity.limits.frame,
            frame_timeout=identity.frame_timeout,
            send_buffer=identity.send_buffer,
            when_full="close" if close_when_full else "wait",
            hello=_HELLO_TIMEOUT,
        )
        self._connection = Connection(self, self._session, limits, clock, peer, trace)
        self._connection.when_drained = self._admit_held
        self._connection.take_requests = self._take_requests
        self.protocol = StreamProtocol(self._connection)
        # Requests that wait until there is room for their answers, with the time they came; refs of those in work.
        self._admission = Admission(identity.send_buffer)
        self._held: deque[tuple[Request, float]] = deque()
        self._admitted: set[int] = set()
        self._admitting = False
        self._base_uri: str | None = None
        # Principal and address -> the context of their requests.
        self._contexts: dict[tuple[str | None, str | None], RequestContext] = {}

    # What the owner calls.

    @property
    def peer(self) -> str:
        """What the log calls the client."""
        return self._connection.peer

    @peer.setter
    def peer(self, peer: str) -> None:
        self._connection.peer = peer

    @property
    def in_work(self) -> int:
        """How many requests have no final event yet."""
        return len(self._session.open_requests)

    def send(self, message: Message) -> None:
        """Send a message, unless the connection has ended. Raises `UnsendableError`."""
        self._connection.send(message)

    def end(self, code: ByeCode, text: str | None = None) -> None:
        """Say goodbye and close."""
        self._connection.end(code, text)

    def leave(self, reason: str) -> None:
        """Close without a word: the client has said goodbye."""
        self._connection.leave(reason)

    def use_base_uri(self, base_uri: str) -> None:
        """Let `GSW_RECORD_URI` begin with this from now on (H65, H68)."""
        if base_uri != self._base_uri:
            self._base_uri = base_uri
            self._contexts.clear()

    def use_trace(self, trace: Trace | None) -> None:
        """Show every message to `trace` from now on, or to nobody."""
        self._connection.trace = trace

    def silence(self) -> float:
        """Return the seconds since the client gave a sign of life."""
        return self._connection.silence()

    # What the connection calls.

    def connected(self) -> None:
        """A client is there; it has to greet."""

    def take(self, message: Message) -> None:
        """Deal with a message of the client."""
        if not self._connection.is_open:
            # We have said goodbye: nothing more is begun.
            return
        if message.__class__ is Request:
            self._take_request(message)
        elif isinstance(message, Hello):
            self._greet(message)
        elif isinstance(message, Ready):
            self._owner.ready(message.port, message.interface)
        elif isinstance(message, Log):
            self._owner.log_lines(message)
        elif isinstance(message, AccessLines):
            self._owner.access_lines(message)
        elif isinstance(message, Stats):
            self._owner.counted(message)
        elif isinstance(message, Verdict):
            self._owner.verdict(message)
        elif isinstance(message, News):
            self._owner.news_wanted()
        elif isinstance(message, Port):
            descriptor = self.protocol.take_descriptor()
            if descriptor is not None:
                self._owner.port_handed(descriptor)
        elif isinstance(message, Bye):
            self._owner.said_bye(message)

    def tick(self, now: float) -> None:
        """Requests have deadlines of their own."""

    def frozen(self) -> None:
        """The client does not answer."""
        self._owner.frozen()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        self._owner.link_lost(reason)

    # Requests.

    def _greet(self, hello: Hello) -> None:
        refused = self._admit(hello)
        if refused is not None:
            self.end(refused.code, refused.text)
            return
        identity = self._identity
        self.send(
            Welcome(
                version=VERSION,
                application_id=identity.application_id,
                application=identity.application,
                session=self._number,
                limits=identity.limits,
            )
        )
        self._owner.greeted(hello)

    def _take_requests(self, requests: list[Request]) -> None:
        """Deal with requests that have come together; each is judged when those before it are on their way.

        For a lone one the way of many is longer.
        """
        session, connection = self._session, self._connection
        at = 0
        while at < len(requests):
            if len(requests) - at > 1:
                at += self._take_together(requests, at)
            if at < len(requests):
                request = requests[at]
                session.open_request(request.ref)
                if connection.is_open:
                    self._take_request(request)
                at += 1

    def _take_together(self, requests: list[Request], at: int) -> int:
        """Hand over the requests from `at` on that need no look at each of them; return how many."""
        if not self._connection.is_open or self._held:
            return 0
        return self._dispatcher.handle_together(requests, at, self._context_of(requests[at]), self)

    def _take_request(self, request: Request) -> None:
        if len(self._session.open_requests) > self._identity.limits.in_flight:
            self._answer(request, error_event(request, Refusal("busy")))
            return
        data = request.data
        name = data.get("GSW_AGENT_REQ_TYPE")
        if (name.__class__ is str and name in MAYBE_LARGE) or (self._held and "GSW_RECORD_HANDLE" in data):
            # Requests by handle do not overtake one another (P41).
            self._held.append((request, self._clock.seconds()))
            self._admit_held()
        else:
            self._dispatch(request)

    def _admit_held(self) -> None:
        """Send those to work whose answers have room; one after another, even if some are answered at once."""
        if self._admitting:
            return
        self._admitting = True
        try:
            while self._held and self._admission.room and not self._connection.is_full:
                request, since = self._held.popleft()
                if request.deadline_ms is not None:
                    request.deadline_ms -= int((self._clock.seconds() - since) * 1000)
                if request.deadline_ms is not None and request.deadline_ms <= 0:
                    self._answer(request, error_event(request, Refusal("no_response")))
                else:
                    if request.data.get("GSW_AGENT_REQ_TYPE") in MAYBE_LARGE:
                        self.admit((request.ref,))
                    self._dispatch(request)
        finally:
            self._admitting = False

    def _dispatch(self, request: Request) -> None:
        try:
            self._dispatcher.handle(request, self._context_of(request), self.reply_to(request))
        except Exception:  # noqa: BLE001 - it concerns this request, which is answered
            contain(self._log, "link", f"{_name_of(request)}, request id {request.request_id}")
            self._answer(request, error_event(request, Refusal("internal")))

    def _context_of(self, request: Request) -> RequestContext:
        """Return who sends a request; it is the same object for all requests of the same principal and address."""
        if self.context is not None:
            return self.context
        key = request.principal, request.peer
        context = self._contexts.get(key)
        if context is None:
            if len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.clear()
            context = self._contexts[key] = RequestContext(
                request.principal or ANONYMOUS,
                self._session.client or "http_proxy",
                peer=request.peer or "",
                base_uri=self._base_uri,
                largest_answer=self._identity.limits.frame,
                link=self._number,
            )
        return context

    # For requests that are handed over together.

    @property
    def open_requests(self) -> set[int]:
        """The refs of requests without their final event."""
        return self._session.open_requests

    @property
    def room(self) -> int:
        """How many requests may come until some are answered."""
        return self._identity.limits.in_flight - len(self._session.open_requests)

    @property
    def large_room(self) -> int:
        """How many requests may come whose answers may be large."""
        return 0 if self._connection.is_full else self._admission.room

    def admit(self, refs: Collection[int]) -> None:
        """Requests whose answers may be large go to work."""
        self._admitted.update(refs)
        self._admission.enter(len(refs))

    @property
    def is_plain(self) -> bool:
        """Whether frames can be sent, and nobody wants to see the events in them."""
        return self._connection.is_open and self._connection.trace is None

    def reply_to(self, request: Request) -> Reply:
        """Return what takes the events of a request."""
        return partial(self._answer, request)

    def send_together(self, frames: bytes) -> None:
        """Send the final events of requests that are open no longer."""
        self._connection.queue(frames, is_last=not self._session.open_requests)
        if self._admitted and (answered := self._admitted - self._session.open_requests):
            self._admitted -= answered
            self._admission.leave(len(frames) // len(answered), len(answered))
            self._admit_held()

    def _answer(self, request: Request, event: Event) -> None:
        """Send an event that answers a request; the final one, without `more`, closes it."""
        connection, requests = self._connection, self._session.open_requests
        if not connection.is_open or request.ref not in requests:
            return
        try:
            frame = encode_event(event, self.largest)
        except UnsendableError as error:
            event, frame = self._instead_of(request, error)
        if connection.trace is not None:
            connection.traced(event)
        if not event.more:
            requests.discard(request.ref)
        # With nothing else in work, nothing will come that could go along.
        connection.queue(frame, is_last=not requests)
        if not event.more and self._admitted and request.ref in self._admitted:
            self._admitted.discard(request.ref)
            self._admission.leave(len(frame))
            self._admit_held()

    def _instead_of(self, request: Request, error: UnsendableError) -> tuple[Event, bytes]:
        """Return what a client gets whose answer cannot be sent, and its frame; that request fails alone."""
        number, code = (93103, "answer_too_large") if error.size else (93102, "internal")
        say(self._log, number, request=_name_of(request), id=request.request_id or "-", reason=str(error))
        event = error_event(request, Refusal(code))
        try:
            return event, self._connection.encode(event)
        except UnsendableError:
            # Then it is what the client has sent that does not fit back.
            del event.data["GSW_REFERENCE_ID"]
            return event, self._connection.encode(event)


def _name_of(request: Request) -> str:
    return str(request.data.get("GSW_AGENT_REQ_TYPE"))[:64]
