"""The child's end of the link to OCS (protocol.md sections 4 to 6)."""

import os
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.frames import HEADER_SIZE
from ocsgw.protocol.messages import (
    KV,
    RENEWAL,
    VERSION,
    Bye,
    ByeCode,
    Drain,
    Event,
    Hello,
    Log,
    Message,
    Ping,
    Pong,
    Port,
    Ready,
    Request,
    Settings,
    Welcome,
    encode,
)
from ocsgw.protocol.session import ClientSession, Heartbeat, WireError
from ocsgw.proxy.frontend import Deliver
from ocsgw.proxy.http.exchange import Exchange
from ocsgw.writing import flush, unsent

# Until OCS has told its own.
_FRAME_LIMIT = 64 << 20
_HEARTBEAT = 3.0
# How long a frame may take from its first byte on (P66), in seconds.
_FRAME_TIMEOUT = 30.0
# How often time limits are looked at; more often where the heartbeat is faster.
_TICK = 0.5
# What an event that tells a success cannot be called.
_NO_SUCCESS = (None, "Error")
# Goodbyes of OCS that tell a breach.
_BROKEN = frozenset({"protocol_error", "version", "refused", "internal"})
# Requests that go out together; the last ones go with the turn of the reactor.
_AT_ONCE = 16
# What may wait in the socket before requests are refused: OCS does not read.
_SEND_BUFFER = 16 << 20


class LinkOwner(Protocol):
    """Who is told what comes over the link."""

    def use(self, settings: Settings) -> None:
        """Settings have come."""

    def drain(self, timeout: float, *, gently: bool = False) -> None:
        """OCS wants the proxy to end within `timeout` seconds; `gently` if another one has taken its place."""

    def hand_over(self) -> None:
        """OCS asks for the listening socket."""

    def link_lost(self, reason: str, *, broken: bool) -> None:
        """The link is gone; requests in the hands of OCS are answered next. `broken` if OCS says we broke it."""

    def link_ended(self) -> None:
        """The link was closed after our bye."""


class _Open:
    """A request in the hands of OCS."""

    __slots__ = ("deliver", "exchange", "since")

    def __init__(self, exchange: Exchange, deliver: Deliver, since: float) -> None:
        self.exchange = exchange
        self.deliver = deliver
        self.since = since


@implementer(IPushProducer)
class ProxyLink(TwistedProtocol):
    """Carries requests to OCS and events back; bounds what is in flight (H30, H33).

    `clock` is the reactor's. After a loss every open request is answered with `no_response`, every later one with
    `unavailable` (P89, H160).
    """

    transport: Any
    _log = Logger()

    def __init__(self, owner: LinkOwner, clock: IReactorTime, software: str) -> None:
        self._owner = owner
        self._clock = clock
        self._software = software
        self._session = ClientSession("http_proxy", _FRAME_LIMIT)
        self._heartbeat = Heartbeat(_HEARTBEAT, clock.seconds())
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = clock
        self._up = False
        self._ending = False
        self._slow = False
        self._open: dict[int, _Open] = {}
        self._next_ref = 1
        self._window = 0
        self._welcomed_window = 0
        self._frame_limit = 0
        self._frame_began: float | None = None
        self._request_timeout = 30.0
        self.late_events = 0

    # What Twisted calls.

    def connectionMade(self) -> None:
        """The socket is there: greet."""
        self.transport.registerProducer(self, True)  # noqa: FBT003 - a streaming producer, in Twisted's own order
        self._send(
            Hello(versions=[VERSION], client="http_proxy", software=self._software, pid=os.getpid()),
        )
        self._up = True
        self._ticker.start(_TICK, now=False)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of OCS."""
        if self._session.ended:
            return
        now = self._clock.seconds()
        self._heartbeat.heard(now)
        try:
            for message in self._session.receive(data):
                # What is incomplete now, if anything, began with this segment.
                self._frame_began = None
                self._take(message)
        except WireError as error:
            self._log.error("OCS has broken the protocol of the link: {reason}", reason=error.text)
            self.end(error.code, error.text)
        if not self._session.incomplete:
            self._frame_began = None
        elif self._frame_began is None:
            self._frame_began = now

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """OCS is gone, or we have said bye."""
        self._lose(reason.getErrorMessage())

    def pauseProducing(self) -> None:
        """OCS does not read as fast as we write."""
        self._slow = True

    def resumeProducing(self) -> None:
        """OCS has read everything."""
        self._slow = False

    def stopProducing(self) -> None:
        """The link is gone; `connectionLost` says so too."""

    @property
    def _blocked(self) -> bool:
        return self._slow and unsent(self.transport) > _SEND_BUFFER

    # What the proxy calls.

    def submit(self, exchange: Exchange, data: KV, deliver: Deliver) -> Refusal | None:
        """Hand a request over; return a refusal if it cannot go out (check 13)."""
        if not self._up or self._ending or not self._session.greeted:
            return Refusal("unavailable")
        if len(self._open) >= self._window or self._blocked:
            return Refusal("busy")
        ref = self._next_ref
        request_id = exchange.head.request_id
        frame = encode(
            Request(
                ref=ref,
                data=data,
                deadline_ms=int(self._request_timeout * 1000),
                idempotency_key=exchange.idempotency_key,
                principal=exchange.principal,
                request_id=request_id.decode("ascii") if request_id is not None else None,
                peer=exchange.peer or None,
            )
        )
        if len(frame) > self._frame_limit:
            # Text of an old encoding may be three times as long in UTF-8; OCS would cut the link (P66).
            return Refusal("body_too_large")
        self._next_ref = ref + 1
        self._open[ref] = _Open(exchange, deliver, self._clock.seconds())
        self.transport.write(frame)
        if ref % _AT_ONCE == 0:
            # OCS begins while we still read what other clients want.
            flush(self.transport)
        return None

    def ready(self, port: int, interface: str) -> None:
        """Tell OCS that the port is open."""
        self._send(Ready(port=port, interface=interface))

    def hand_over(self, descriptor: int) -> None:
        """Give OCS the listening socket; it stays open here."""
        if self._up and not self._ending:
            self.transport.sendFileDescriptor(descriptor)
            self._send(Port())

    def send_log(self, message: Log) -> bool:
        """Send log lines, unless the link is down or full: they never delay an answer (P121)."""
        if not self._up or self._ending or self._blocked:
            return False
        self._send(message)
        return True

    def end(self, code: ByeCode, text: str | None = None) -> None:
        """Say goodbye and close."""
        if self._up and not self._ending:
            self._send(Bye(code=code, text=text))
            self._ending = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # Messages.

    def _take(self, message: Message) -> None:
        if isinstance(message, Event):
            self._take_event(message)
        elif isinstance(message, Ping):
            self._send(Pong(ref=message.ref))
        elif isinstance(message, Welcome):
            limits = message.limits
            self._window = self._welcomed_window = limits.in_flight
            self._frame_limit = limits.frame + HEADER_SIZE
            self._heartbeat.interval = limits.heartbeat_ms / 1000
            self._ticker.stop()
            self._ticker.start(min(_TICK, self._heartbeat.interval / 4), now=False)
        elif isinstance(message, Settings):
            self._window = min(self._welcomed_window, message.limits.in_flight)
            self._request_timeout = message.limits.request_timeout_ms / 1000
            self._owner.use(message)
        elif isinstance(message, Drain):
            self._owner.drain(message.timeout_ms / 1000, gently=message.reason == RENEWAL)
        elif isinstance(message, Port):
            self._owner.hand_over()
        elif isinstance(message, Bye):
            self._log.info("OCS ends the link: {code} {text}", code=message.code, text=message.text or "")
            self.transport.loseConnection()
            self._lose(f"OCS said goodbye, {message.code}", broken=message.code in _BROKEN)

    def _take_event(self, event: Event) -> None:
        waiting = self._open.pop(event.ref, None) if event.ref is not None else None
        if waiting is None:
            self.late_events += 1
            return
        if event.code is None and event.data.get("GSW_USER_EVENT") in _NO_SUCCESS:
            # Never a 2xx (H143).
            event.code = "internal"
        waiting.deliver(waiting.exchange, event)

    def _send(self, message: Message) -> None:
        if not self._ending:
            self.transport.write(encode(message))

    # Time.

    def _tick(self) -> None:
        now = self._clock.seconds()
        over = []
        for ref, waiting in self._open.items():
            if now - waiting.since < self._request_timeout:
                break
            over.append(ref)
        for ref in over:
            waiting = self._open.pop(ref)
            waiting.deliver(waiting.exchange, Refusal("no_response"))
        if self._frame_began is not None and now - self._frame_began >= _FRAME_TIMEOUT:
            self._frame_began = None
            self.end("protocol_error", "a frame was not completed in time")
        ping = self._heartbeat.tick(now)
        if ping is not None:
            self._send(ping)
        elif self._heartbeat.is_lost(now):
            self.transport.abortConnection()
            self._lose("OCS does not answer")

    def _lose(self, reason: str, *, broken: bool = False) -> None:
        if not self._up:
            return
        self._up = False
        self._ticker.stop()
        waiting, self._open = self._open, {}
        # First, so that the answers say that they are the last of their connections (H2).
        if self._ending:
            self._owner.link_ended()
        else:
            self._owner.link_lost(reason, broken=broken)
        for request in waiting.values():
            request.deliver(request.exchange, Refusal("no_response"))
