"""The end of OCS of a wire connection (protocol.md sections 4 to 6)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IFileDescriptorReceiver, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.ocs.dispatch import Dispatcher, error_event
from ocsgw.protocol.context import ANONYMOUS, RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import (
    VERSION,
    Bye,
    ByeCode,
    Event,
    Hello,
    Log,
    Message,
    Ping,
    Pong,
    Port,
    Ready,
    Request,
    Welcome,
    WireLimits,
    encode,
)
from ocsgw.protocol.requests import ClientKind
from ocsgw.protocol.session import Heartbeat, ServerSession, WireError
from ocsgw.writing import flush, unsent

# A client says hello within this time (P80), in seconds.
_HELLO_TIMEOUT = 5.0
# Events that go out together, so that the client begins while there is still more to come.
_AT_ONCE = 16
# Contexts that are kept for the next request of the same client; all are made anew when there are more.
_MOST_CONTEXTS = 4096


class LinkOwner(Protocol):
    """Who is told what happens on a link to an HTTP Proxy."""

    def greeted(self, hello: Hello) -> None:
        """The proxy has said hello and was welcomed."""

    def ready(self, port: int, interface: str) -> None:
        """The proxy has opened its port."""

    def log_lines(self, message: Log) -> None:
        """The proxy has sent lines for the log."""

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
    """What OCS tells about itself in `welcome`, and its own limits: `send_buffer` in bytes, times in seconds."""

    application: str
    application_id: int
    limits: WireLimits
    send_buffer: int
    frame_timeout: float


@implementer(IPushProducer, IFileDescriptorReceiver)
class OCSProtocol(TwistedProtocol):
    """One connection to OCS, of a client of the kinds `accepts`.

    `session` is a number that names the connection; `trace` is told every message and whether it was received. What
    breaks the protocol ends this connection and no other (P66).
    """

    transport: Any
    _log = Logger()

    def __init__(
        self,
        owner: LinkOwner,
        dispatcher: Dispatcher,
        identity: Identity,
        clock: IReactorTime,
        *,
        accepts: frozenset[ClientKind],
        session: int,
        trace: Callable[[Message, bool], None] = lambda message, received: None,
    ) -> None:
        self._owner = owner
        self._trace = trace
        self._dispatcher = dispatcher
        self._identity = identity
        self._clock = clock
        self._number = session
        self._base_uri: str | None = None
        # Principal and address -> the context of their requests.
        self._contexts: dict[tuple[str | None, str | None], RequestContext] = {}
        self._session = ServerSession(accepts, identity.limits.frame)
        self._heartbeat = Heartbeat(identity.limits.heartbeat_ms / 1000, clock.seconds())
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = clock
        self._hello_due: IDelayedCall | None = None
        self._frame_began: float | None = None
        self._up = False
        self._ended = False
        self._in_work = 0
        self._answered = 0
        self._slow = False
        # A descriptor whose message has not come yet.
        self._descriptor: int | None = None

    # What Twisted calls.

    def connectionMade(self) -> None:
        """A client is there; it has to greet."""
        self._up = True
        self.transport.registerProducer(self, True)  # noqa: FBT003 - a streaming producer, in Twisted's own order
        self._hello_due = self._clock.callLater(_HELLO_TIMEOUT, self._no_hello)
        self._ticker.start(self._heartbeat.interval / 4, now=False)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._ended:
            return
        self._heartbeat.heard(self._clock.seconds())
        try:
            for message in self._session.receive(data):
                # What is incomplete now, if anything, began with this segment.
                self._frame_began = None
                self._take(message)
        except WireError as error:
            self._log.error("A connection broke the protocol and is closed: {reason}", reason=error.text)
            self.end(error.code, error.text)
        if not self._session.incomplete:
            self._frame_began = None
        elif self._frame_began is None:
            self._frame_began = self._clock.seconds()

    def fileDescriptorReceived(self, descriptor: int) -> None:  # noqa: N802 - Twisted's name
        """Keep a descriptor until the message that it belongs to is there."""
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - in Python's own order
        self._drop_descriptor()
        self._descriptor = descriptor

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        self._lose(reason.getErrorMessage())

    def pauseProducing(self) -> None:
        """The client does not read as fast as we write."""
        self._slow = True
        self._bound_backlog()

    def resumeProducing(self) -> None:
        """The client has read everything."""
        self._slow = False

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` says so too."""

    # What the owner calls.

    def send(self, message: Message) -> None:
        """Send a message, unless the connection has ended."""
        if self._up and not self._ended:
            self._trace(message, False)  # noqa: FBT003 - not received
            self.transport.write(encode(message))
            if self._slow:
                self._bound_backlog()

    def use_base_uri(self, base_uri: str) -> None:
        """Let `GSW_RECORD_URI` begin with this from now on (H65, H68)."""
        if base_uri != self._base_uri:
            self._base_uri = base_uri
            self._contexts.clear()

    def silence(self) -> float:
        """Return the seconds since something came from the client."""
        return self._heartbeat.silence(self._clock.seconds())

    def _bound_backlog(self) -> None:
        """Close a connection that does not take its events (P93)."""
        if unsent(self.transport) > self._identity.send_buffer and self._up:
            self._log.error("A connection does not take its events and is closed")
            self._cut("its send buffer is full")

    def end(self, code: ByeCode, text: str | None = None) -> None:
        """Say goodbye and close."""
        if self._up and not self._ended:
            self.send(Bye(code=code, text=text))
            self._ended = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # Messages.

    def _take(self, message: Message) -> None:
        self._trace(message, True)  # noqa: FBT003 - received
        if isinstance(message, Request):
            self._take_request(message)
        elif isinstance(message, Hello):
            self._greet(message)
        elif isinstance(message, Ping):
            self.send(Pong(ref=message.ref))
        elif isinstance(message, Ready):
            self._owner.ready(message.port, message.interface)
        elif isinstance(message, Log):
            self._owner.log_lines(message)
        elif isinstance(message, Port):
            if self._descriptor is not None:
                descriptor, self._descriptor = self._descriptor, None
                self._owner.port_handed(descriptor)
        elif isinstance(message, Bye):
            self._owner.said_bye(message)

    def _greet(self, hello: Hello) -> None:
        if self._hello_due is not None:
            self._hello_due.cancel()
            self._hello_due = None
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

    def _take_request(self, request: Request) -> None:
        if self._in_work >= self._identity.limits.in_flight:
            self._session.close_request(request.ref)
            self.send(error_event(request, Refusal("busy")))
        else:
            self._in_work += 1
            self._dispatcher.handle(request, self._context_of(request), self._reply)

    def _context_of(self, request: Request) -> RequestContext:
        """Return who sends a request; it is the same object for all requests of the same principal and address."""
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
            )
        return context

    def _reply(self, event: Event) -> None:
        # An event that cannot be sent has not ended its request.
        self.send(event)
        if event.more:
            return
        self._in_work -= 1
        if event.ref is not None:
            self._session.close_request(event.ref)
        self._answered += 1
        if self._answered % _AT_ONCE == 0:
            flush(self.transport)

    # Time.

    def _no_hello(self) -> None:
        self._hello_due = None
        self.end("timeout", "no hello came")

    def _tick(self) -> None:
        now = self._clock.seconds()
        if self._frame_began is not None and now - self._frame_began >= self._identity.frame_timeout:
            self.end("protocol_error", "a frame was not completed in time")
            return
        if not self._session.greeted:
            return
        ping = self._heartbeat.tick(now)
        if ping is not None:
            self.send(ping)
        elif self._heartbeat.is_lost(now):
            self._owner.frozen()
            self._cut("no sign of life")

    def _cut(self, reason: str) -> None:
        self._ended = True
        self.transport.abortConnection()
        self._lose(reason)

    def _lose(self, reason: str) -> None:
        if not self._up:
            return
        self._up = False
        self._ticker.stop()
        self._drop_descriptor()
        if self._hello_due is not None:
            self._hello_due.cancel()
            self._hello_due = None
        self._owner.link_lost(reason)

    def _drop_descriptor(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
