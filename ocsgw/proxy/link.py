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
from ocsgw.protocol.messages import (
    KV,
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
    Ready,
    Request,
    Settings,
    Welcome,
    encode,
)
from ocsgw.protocol.session import ClientSession, Heartbeat, WireError
from ocsgw.proxy.call import Call
from ocsgw.proxy.front import Deliver

# Until OCS has told its own.
_FRAME_LIMIT = 64 << 20
_HEARTBEAT = 3.0
# What may wait in the socket before requests are refused: OCS does not read.
_SEND_BUFFER = 16 << 20


class LinkOwner(Protocol):
    """Who is told what comes over the link."""

    def use(self, settings: Settings) -> None:
        """Settings have come."""

    def drain(self, timeout: float) -> None:
        """OCS wants the proxy to end within `timeout` seconds."""

    def link_lost(self, reason: str) -> None:
        """The link is gone; requests in the hands of OCS have been answered."""

    def link_ended(self) -> None:
        """The link was closed after our bye."""


class _Open:
    """A request in the hands of OCS."""

    __slots__ = ("call", "deliver", "since")

    def __init__(self, call: Call, deliver: Deliver, since: float) -> None:
        self.call = call
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
        self._blocked = False
        self._open: dict[int, _Open] = {}
        self._next_ref = 1
        self._window = 0
        self._request_timeout = 30.0
        self.late_events = 0

    # What Twisted calls.

    def connectionMade(self) -> None:
        """The socket is there: greet."""
        self.transport.bufferSize = _SEND_BUFFER
        self.transport.registerProducer(self, True)  # noqa: FBT003 - a streaming producer, in Twisted's own order
        self._send(
            Hello(versions=[VERSION], client="http_proxy", software=self._software, pid=os.getpid()),
        )
        self._up = True
        self._ticker.start(0.5, now=False)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of OCS."""
        self._heartbeat.heard(self._clock.seconds())
        try:
            for message in self._session.receive(data):
                self._take(message)
        except WireError as error:
            self.end("protocol_error", error.text)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """OCS is gone, or we have said bye."""
        self._lose(reason.getErrorMessage())

    def pauseProducing(self) -> None:
        """OCS does not read."""
        self._blocked = True

    def resumeProducing(self) -> None:
        """OCS reads again."""
        self._blocked = False

    def stopProducing(self) -> None:
        """The link is gone; `connectionLost` says so too."""

    # What the proxy calls.

    def submit(self, call: Call, data: KV, deliver: Deliver) -> Refusal | None:
        """Hand a request over; return a refusal if it cannot go out (check 13)."""
        if not self._up or self._ending:
            return Refusal("unavailable")
        if len(self._open) >= self._window or self._blocked:
            return Refusal("busy")
        ref = self._next_ref
        self._next_ref = ref + 1
        self._open[ref] = _Open(call, deliver, self._clock.seconds())
        request_id = call.head.request_id
        self.transport.write(
            encode(
                Request(
                    ref=ref,
                    data=data,
                    deadline_ms=int(self._request_timeout * 1000),
                    idempotency_key=call.idempotency_key,
                    principal=call.principal,
                    request_id=request_id.decode("ascii") if request_id is not None else None,
                    peer=call.peer or None,
                )
            )
        )
        return None

    def ready(self, port: int, interface: str) -> None:
        """Tell OCS that the port is open."""
        self._send(Ready(port=port, interface=interface))

    def send_log(self, message: Log) -> bool:
        """Send log lines, unless the link is down or full: they never delay an answer (P121)."""
        if not self._up or self._blocked:
            return False
        self._send(message)
        return True

    def end(self, code: ByeCode, text: str | None = None) -> None:
        """Say goodbye and close."""
        if self._up and not self._ending:
            self._ending = True
            self._send(Bye(code=code, text=text))
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # Messages.

    def _take(self, message: Message) -> None:
        if isinstance(message, Event):
            self._take_event(message)
        elif isinstance(message, Ping):
            self._send(Pong(ref=message.ref))
        elif isinstance(message, Welcome):
            self._window = message.limits.in_flight
            self._heartbeat.interval = message.limits.heartbeat_ms / 1000
        elif isinstance(message, Settings):
            self._window = min(self._window, message.limits.in_flight)
            self._request_timeout = message.limits.request_timeout_ms / 1000
            self._owner.use(message)
        elif isinstance(message, Drain):
            self._owner.drain(message.timeout_ms / 1000)
        elif isinstance(message, Bye):
            self._log.info("OCS ends the link: {code} {text}", code=message.code, text=message.text or "")

    def _take_event(self, event: Event) -> None:
        waiting = self._open.pop(event.ref, None) if event.ref is not None else None
        if waiting is None:
            self.late_events += 1
            return
        waiting.deliver(waiting.call, event)

    def _send(self, message: Message) -> None:
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
            waiting.deliver(waiting.call, Refusal("no_response"))
        ping = self._heartbeat.tick(now)
        if ping is not None:
            self._send(ping)
        elif self._heartbeat.is_lost(now):
            self.transport.abortConnection()
            self._lose("OCS does not answer")

    def _lose(self, reason: str) -> None:
        if not self._up:
            return
        self._up = False
        self._ticker.stop()
        waiting, self._open = self._open, {}
        for request in waiting.values():
            request.deliver(request.call, Refusal("no_response"))
        if self._ending:
            self._owner.link_ended()
        else:
            self._owner.link_lost(reason)
