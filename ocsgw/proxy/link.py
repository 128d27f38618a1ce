"""The child's end of the link to OCS (protocol.md sections 5 and 6)."""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocsgw import speedups
from ocsgw.guard import contain
from ocsgw.link.connection import SETTINGS_LIMIT, Connection, LinkLimits
from ocsgw.link.stream import StreamProtocol
from ocsgw.logs import say
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import (
    KV,
    RENEWAL,
    VERSION,
    AccessLines,
    Bye,
    ByeCode,
    Drain,
    Event,
    Hello,
    Log,
    Message,
    News,
    Port,
    Ready,
    Request,
    Settings,
    Stats,
    Validate,
    Verdict,
    Welcome,
)
from ocsgw.protocol.parts import joined
from ocsgw.protocol.sendable import UnsendableError
from ocsgw.protocol.session import ClientSession
from ocsgw.proxy.http.exchange import Addressee, Deliver, Exchange, FrameGateway
from ocsgw.proxy.http.state import Hold, State
from ocsgw.quick_port import QuickServer

if speedups.is_used():
    from ocsgw.speedups.events import answer
    from ocsgw.speedups.lane import Lane

# Until OCS has said its own, in seconds.
_HEARTBEAT = 3.0
# A proxy that stood still may belong to an OCS that was replaced meanwhile. It waits no longer than this for a sign of
# it, so that its port is closed within a second of its waking (C83).
_AFTER_FREEZE = 0.5
# How long a frame may take from its first byte on (P66), in seconds.
_FRAME_TIMEOUT = 30.0
# What an event that reports a success cannot be called.
_NO_SUCCESS = (None, "Error")
# Goodbyes of OCS that report a breach.
_BROKEN = frozenset({"protocol_error", "version", "refused", "internal"})
# What may wait in the socket before requests are refused: OCS does not read.
_SEND_BUFFER = 16 << 20


class LinkOwner(Protocol):
    """What is called with what comes over the link."""

    def use(self, settings: Settings) -> None:
        """Settings have come."""

    def drain(self, timeout: float, *, gently: bool = False) -> None:
        """OCS wants the proxy to end within `timeout` seconds; `gently` if another one has taken its place."""

    def call(self, order: Validate) -> None:
        """OCS orders an outgoing call; whatever happens, there is one verdict on it."""

    def hand_over(self) -> None:
        """OCS asks for the listening socket."""

    def news(self) -> None:
        """The outbox has grown since `ask_for_news`."""

    def link_lost(self, reason: str, *, broken: bool) -> None:
        """The link is gone; requests in the hands of OCS are answered next. `broken` if OCS says we broke it."""

    def link_ended(self) -> None:
        """The link was closed after our bye."""


if TYPE_CHECKING or not speedups.is_used():

    class Waiting:
        """A request in the hands of OCS; `parts` are the events that came before its final one.

        There is an `addressee` if the usual event may be answered in one pass. `since` is a time of the clock.
        """

        __slots__ = ("addressee", "deliver", "exchange", "parts", "since")

        def __init__(
            self, exchange: Exchange, deliver: Deliver, since: float, addressee: Addressee | None = None
        ) -> None:
            self.exchange = exchange
            self.deliver = deliver
            self.addressee = addressee
            self.since = since
            self.parts: list[KV] | None = None

    class LinkFields:
        """What a compiled lane needs of the link is an attribute of its class there."""

else:
    from ocsgw.speedups.lane import LinkFields, Waiting


class ProxyLink(LinkFields):
    """Carries requests to OCS and events back; bounds what is in flight (H30, H33).

    `clock` is the reactor's, `protocol` what goes on the transport. After a loss every open request is answered with
    `no_response`, every later one with `unavailable` (P89, H160).
    """

    _log = Logger()

    def __init__(self, owner: LinkOwner, clock: IReactorTime, software: str) -> None:
        self._owner = owner
        self._clock = clock
        self._software = software
        self._session = ClientSession("http_proxy", SETTINGS_LIMIT)
        limits = LinkLimits(
            heartbeat=_HEARTBEAT,
            frame=SETTINGS_LIMIT,
            frame_timeout=_FRAME_TIMEOUT,
            send_buffer=_SEND_BUFFER,
            when_full="refuse",
        )
        self._connection = Connection(self, self._session, limits, clock, "OCS")
        if speedups.is_used():
            self._connection.take_usual = self.take_usual
        self.protocol = StreamProtocol(self._connection)
        self._open: dict[int, Waiting] = {}
        self.next_ref = 1
        self._success_head: Callable[[], bytes] = bytes
        self.lane: Lane | None = None
        self._window = 0
        self._welcomed_window = 0
        self._request_timeout = 30.0
        self.deadline_ms = 30000
        # Whether OCS has reported a breach of ours.
        self._broken = False
        self.late_events = 0

    # What the proxy calls.

    def submit(self, exchange: Exchange, data: KV, deliver: Deliver) -> Refusal | None:
        """Hand a request over; return a refusal if it cannot go out (check 13)."""
        connection = self._connection
        if not connection.is_open or not self._session.greeted:
            return Refusal("unavailable")
        if not self.room():
            return Refusal("busy")
        request_id = exchange.head.request_id
        try:
            frame = connection.encode(
                Request(
                    ref=self.next_ref,
                    data=data,
                    deadline_ms=self.deadline_ms,
                    idempotency_key=exchange.idempotency_key,
                    principal=exchange.principal,
                    request_id=request_id.decode("ascii") if request_id is not None else None,
                    peer=exchange.peer or None,
                )
            )
        except UnsendableError as error:
            # Text of an old encoding may be three times as long in UTF-8; OCS would cut the link (P66).
            return Refusal("body_too_large" if error.size else "bad_request")
        self.carry(exchange, frame, deliver)
        return None

    @property
    def frames(self) -> FrameGateway:
        """The way of requests that are frames already."""
        return self

    def use_head(self, success_head: Callable[[], bytes]) -> None:
        """Begin answers for the usual events with what this returns."""
        self._success_head = success_head

    def make_lane(self, frontend: object) -> "Lane | None":
        """Return the lane of a front end's connections, None without compiled parts."""
        if speedups.is_used():
            self.lane = Lane(frontend, self, State.READING, Hold.NOTHING, QuickServer)
        return self.lane

    def room(self) -> int:
        """Return how many bytes of payload a request may have that goes out now, 0 if none would."""
        connection = self._connection
        if not connection.is_open or not self._session.greeted:
            return 0
        return connection.limits.frame if len(self._open) < self._window and not connection.is_full else 0

    def carry(self, exchange: Exchange, frame: bytes, deliver: Deliver, addressee: Addressee | None = None) -> None:
        """Send the frame of a request whose number is `next_ref`."""
        connection = self._connection
        # A lone client: there was nothing to go along with the last request either.
        is_last = not self._open and connection.gathered <= 1
        self._open[self.next_ref] = Waiting(exchange, deliver, self._clock.seconds(), addressee)
        self.next_ref += 1
        connection.queue(frame, is_last=is_last)

    def ready(self, port: int, interface: str) -> None:
        """Report to OCS that the port is open."""
        self._connection.send(Ready(port=port, interface=interface))

    def hand_over(self, descriptor: int) -> None:
        """Give OCS the listening socket; it stays open here."""
        if self._connection.is_open:
            self._connection.flush()
            self.protocol.send_descriptor(descriptor)
            self._connection.send(Port())

    def send_log(self, message: Log) -> bool:
        """Send log lines, unless the link is down or full: they never delay an answer (P121)."""
        if not self._connection.is_open or self._connection.is_full:
            return False
        self._connection.send(message)
        return True

    def send_access(self, message: AccessLines) -> bool:
        """Send lines of the access log, unless the link is down or full."""
        if not self._connection.is_open or self._connection.is_full:
            return False
        self._connection.send(message)
        return True

    def send_counters(self, messages: Iterable[Stats]) -> None:
        """Send what has been counted; while the link is full it waits for the next time."""
        if self._connection.is_open and self._session.greeted and not self._connection.is_full:
            for message in messages:
                self._connection.send(message)

    def ask_for_news(self) -> None:
        """Ask to be told when the outbox has grown."""
        self._connection.send(News())

    def send_verdict(self, verdict: Verdict) -> None:
        """Report what has become of an outgoing call."""
        self._connection.send(verdict)

    def end(self, code: ByeCode, text: str | None = None) -> None:
        """Say goodbye and close."""
        self._connection.end(code, text)

    # What the connection calls.

    def connected(self) -> None:
        """The socket is there: greet."""
        self._connection.send(Hello(versions=[VERSION], client="http_proxy", software=self._software, pid=os.getpid()))

    def take(self, message: Message) -> None:
        """Deal with a message of OCS."""
        if message.__class__ is Event:
            self._take_event(message)
        elif isinstance(message, Welcome):
            limits = message.limits
            self._window = self._welcomed_window = limits.in_flight
            self._connection.limits.frame = limits.frame
            # OCS has made this process, and its settings may be large.
            self._session.frame_limit = max(SETTINGS_LIMIT, limits.frame)
            self._connection.use_heartbeat(limits.heartbeat_ms / 1000, _AFTER_FREEZE)
        elif isinstance(message, Settings):
            self._window = min(self._welcomed_window, message.limits.in_flight)
            self.deadline_ms = message.limits.request_timeout_ms
            self._request_timeout = self.deadline_ms / 1000
            self._owner.use(message)
        elif isinstance(message, Drain):
            self._owner.drain(message.timeout_ms / 1000, gently=message.reason == RENEWAL)
        elif isinstance(message, Validate):
            self._owner.call(message)
        elif isinstance(message, Port):
            self._owner.hand_over()
        elif isinstance(message, News):
            self._owner.news()
        elif isinstance(message, Bye):
            say(self._log, 93261, code=message.code, text=message.text or "")
            self._broken = message.code in _BROKEN
            self._connection.leave(f"OCS said goodbye, {message.code}")

    def tick(self, now: float) -> None:
        """Answer what has waited too long (H30)."""
        over = []
        for ref, waiting in self._open.items():
            if now - waiting.since < self._request_timeout:
                break
            over.append(ref)
        for ref in over:
            self._deliver(self._open.pop(ref), Refusal("no_response"))

    def frozen(self) -> None:
        """OCS does not answer; that the link is lost says enough."""

    def lost(self, reason: str) -> None:
        """The link is gone: every open request is answered, whatever happens to the others."""
        waiting, self._open = self._open, {}
        try:
            # First, so that the answers say that they are the last of their connections (H2).
            if self._connection.said_bye:
                self._owner.link_ended()
            else:
                self._owner.link_lost(reason, broken=self._broken)
        finally:
            for request in waiting.values():
                self._deliver(request, Refusal("no_response"))

    # Events.

    def take_usual(self, data: bytes, at: int) -> int:
        """Answer the usual events from `at` on, in one pass each; return where something else begins."""
        head, limit, waiting = self._success_head(), self._session.frame_limit, self._open
        if self.lane is not None:
            at = self.lane.answer(data, at, limit, head)
        while (found := answer(data, at, limit, head)) is not None:
            ref, written, end = found
            request = waiting.get(ref)
            if request is None or request.addressee is None or request.parts is not None:
                break
            try:
                if not request.addressee.answer_written(request.exchange, written):
                    break
            except Exception:  # noqa: BLE001 - it concerns this client alone
                self._fail(request)
            del waiting[ref]
            at = end
        return at

    def _take_event(self, event: Event) -> None:
        waiting = self._open.get(event.ref) if event.ref is not None else None
        if waiting is None or event.ref is None:
            self.late_events += 1
            return
        if event.more:
            if waiting.parts is None:
                waiting.parts = []
            waiting.parts.append(event.data)
            return
        del self._open[event.ref]
        if waiting.parts is not None:
            event.data = joined(waiting.parts, event.data)
        if event.code is None and event.data.get("GSW_USER_EVENT") in _NO_SUCCESS:
            # Never a 2xx (H143).
            event.code = "internal"
        self._deliver(waiting, event)

    def _deliver(self, waiting: Waiting, outcome: Event | Refusal) -> None:
        """Give a client its answer. If that fails, its connection gets the failure once more; others go on."""
        try:
            waiting.deliver(waiting.exchange, outcome)
        except Exception:  # noqa: BLE001 - it concerns this client alone
            self._fail(waiting)

    def _fail(self, waiting: Waiting) -> None:
        self._undelivered(waiting)
        try:
            waiting.deliver(waiting.exchange, Refusal("internal"))
        except Exception:  # noqa: BLE001 - it concerns this client alone
            self._undelivered(waiting)

    def _undelivered(self, waiting: Waiting) -> None:
        contain(self._log, "answer", f"request id {waiting.exchange.head.request_id!r}")
