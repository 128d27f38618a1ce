"""One connection between OCS and a client: frames, life, time limits and back-pressure, not what the two talk about.

Bytes of the other side go in by `received`, its messages come out at a `LinkEnd`; what this side says goes in by `send`
and `queue` and comes out at a `Carrier`. OCS, its HTTP Proxies, and whoever connects by TCP stand on the same class.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ocsgw.guard import contain
from ocsgw.link.heartbeat import Heartbeat
from ocsgw.logs import say
from ocsgw.periodic import Periodic
from ocsgw.protocol.frames import HEADER_SIZE
from ocsgw.protocol.messages import Bye, ByeCode, Event, Message, Ping, Pong, Request, Settings, encode
from ocsgw.protocol.sendable import UnsendableError, encode_event
from ocsgw.protocol.session import ClientSession, ServerSession, WireError

# What a process may be given by its parent, whatever `[limits] frame` says: certificates, and lists of revoked ones.
SETTINGS_LIMIT = 64 << 20
# How often time limits are looked at, in seconds; more often where the heartbeat is faster.
_TICK = 0.5
# Frames that are gathered leave at once when there are so many bytes of them.
_GATHERED = 64 << 10


class Carrier(Protocol):
    """What carries the bytes of a connection: a socket of Twisted, or a test."""

    def write(self, data: bytes) -> None:
        """Send, now or as soon as possible."""

    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""

    def pause(self) -> None:
        """Read no more until `resume`."""

    def resume(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Close when everything has been sent."""

    def abort(self) -> None:
        """Close at once."""


class LinkEnd(Protocol):
    """Who stands on a connection. Whatever is raised here is logged and counted, and the connection goes on."""

    def connected(self) -> None:
        """The connection is there."""

    def take(self, message: Message) -> None:
        """A message has come that may come now; pings and pongs are dealt with already."""

    def tick(self, now: float) -> None:
        """Time has passed: several times in a heartbeat, at least every half second."""

    def frozen(self) -> None:
        """The other side does not answer any more; `lost` follows."""

    def lost(self, reason: str) -> None:
        """The connection is gone; called once."""


@dataclass(slots=True)
class LinkLimits:
    """Limits of one connection: times in seconds, sizes in bytes.

    `frame` is the largest payload that is sent. More than `send_buffer` that the other side does not read makes this
    side `wait`: it reads no more requests until there is room. With `close` the connection is closed (P93). With
    `refuse` it goes on, and the end asks `is_full` before it sends what can be refused. `hello` is how long a client
    may take to greet, None at the client's end.
    """

    heartbeat: float
    frame: int
    frame_timeout: float
    send_buffer: int
    when_full: Literal["wait", "close", "refuse"]
    hello: float | None = None


class Connection:
    """One connection.

    `peer` names the other side in the log; `trace` gets every message and whether it was received. `gathered` is how
    many frames left together the last time.
    """

    carrier: Carrier
    _log = Logger()

    def __init__(
        self,
        end: LinkEnd,
        session: ClientSession | ServerSession,
        limits: LinkLimits,
        clock: IReactorTime,
        peer: str,
        trace: Callable[[Message, bool], None] | None = None,
    ) -> None:
        self.session = session
        self.limits = limits
        self.peer = peer
        self._end = end
        self._clock = clock
        self.trace = trace
        self._heartbeat = Heartbeat(limits.heartbeat, clock.seconds())
        self._ticker = Periodic(f"connection of {peer}", self._tick, clock)
        self._hello_due: IDelayedCall | None = None
        self._frame_began: float | None = None
        # There is a carrier; and messages can be sent on it, because no bye of ours has been.
        self._up = False
        self.is_open = False
        self.said_bye = False
        # Whether the carrier could not send everything, whether we read no more, and what waited at the last tick.
        self.is_slow = False
        self._paused = False
        self._unsent = 0
        self._gathered: list[bytes] = []
        self._gathered_size = 0
        self._flush_due = False
        self.gathered = 0
        # Deals with messages that are of the usual kind, from a place in a segment on; returns where another begins.
        self.take_usual: Callable[[bytes, int], int] | None = None
        # Called when the other side has read everything that waited for it.
        self.when_drained: Callable[[], object] = lambda: None
        # Takes requests that have come together, in the place of the end's `take`, and has the session judge each. Only
        # `WireError` comes out of it.
        self.take_requests: Callable[[list[Request]], object] | None = None

    @property
    def is_full(self) -> bool:
        """Whether more than the send buffer waits for the other side."""
        return self.is_slow and self.carrier.unsent() + self._gathered_size > self.limits.send_buffer

    def silence(self) -> float:
        """Return the seconds since the other side gave a sign of life."""
        return self._heartbeat.silence(self._clock.seconds())

    def use_heartbeat(self, interval: float, after_freeze: float = math.inf) -> None:
        """Take the interval that OCS has said, and how long to wait for it after a freeze of our own, in seconds."""
        self._heartbeat.after_freeze = after_freeze
        self._heartbeat.interval = self.limits.heartbeat = interval
        if self._up:
            self._start_ticking()

    # What the carrier reports.

    def attach(self, carrier: Carrier) -> None:
        """Begin on `carrier`."""
        self.carrier = carrier
        self._up = self.is_open = True
        if self.limits.hello is not None:
            self._hello_due = self._clock.callLater(self.limits.hello, self._no_hello)
        self._start_ticking()
        self._guard("connected", self._end.connected)

    def received(self, data: bytes) -> None:
        """Take bytes of the other side."""
        if self.session.ended:
            return
        now = self._clock.seconds()
        self._heartbeat.heard(now)
        try:
            if self.take_requests is not None and self.trace is None:
                requests, data = cast("ServerSession", self.session).usual_requests(data)
                if requests:
                    self._frame_began = None
                    self.take_requests(requests)
            if self.take_usual is not None:
                self._receive_usual(data, self.take_usual)
            elif data:
                self._receive(data)
        except WireError as error:
            say(self._log, 93104, peer=self.peer, reason=error.text)
            self.end(error.code, error.text)
        if self._frame_began is None and self.session.incomplete:
            self._frame_began = now

    def slow(self) -> None:
        """The carrier could not send everything at once."""
        self.is_slow = True
        self._bound()

    def drained(self) -> None:
        """The carrier has sent everything."""
        self.is_slow = False
        self._heartbeat.heard(self._clock.seconds())
        if self._paused:
            self._paused = False
            # While nothing was read, nobody could complete a frame.
            if self._frame_began is not None:
                self._frame_began = self._clock.seconds()
            self.carrier.resume()
        self._guard("room again", self.when_drained)

    def detach(self, reason: str) -> None:
        """The carrier is gone."""
        if not self._up:
            return
        self._up = self.is_open = False
        self._ticker.stop()
        self._stop_waiting_for_hello()
        self._gathered.clear()
        self._gathered_size = 0
        self._guard("lost", lambda: self._end.lost(reason))

    # What the end says.

    def encode(self, message: Message) -> bytes:
        """Return the frame of a message. Raises `UnsendableError`."""
        if isinstance(message, Event):
            return encode_event(message, self.limits.frame)
        try:
            frame = encode(message)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UnsendableError(str(error)) from error
        limit = SETTINGS_LIMIT if isinstance(message, Settings) else self.limits.frame
        if len(frame) - HEADER_SIZE > limit:
            size = len(frame) - HEADER_SIZE
            raise UnsendableError(f"{size} bytes are more than {limit}", size)
        return frame

    def send(self, message: Message) -> None:
        """Send a message at once, unless the connection has ended. Raises `UnsendableError`; nothing is sent then."""
        if self.is_open:
            frame = self.encode(message)
            self.traced(message)
            self.flush()
            self._write(frame)

    def queue(self, frame: bytes, *, is_last: bool = False) -> None:
        """Send a frame together with others: with the next `flush`, at the latest after this turn of the reactor.

        The last one, as far as its sender knows, leaves at once with those before it.
        """
        self._gathered.append(frame)
        self._gathered_size += len(frame)
        if is_last or self._gathered_size >= _GATHERED:
            self.flush()
        elif not self._flush_due:
            self._flush_due = True
            self._clock.callLater(0, self._flush_late)

    def flush(self) -> None:
        """Send what has been gathered."""
        gathered = self._gathered
        if gathered:
            self.gathered = len(gathered)
            data = b"".join(gathered) if len(gathered) > 1 else gathered[0]
            gathered.clear()
            self._gathered_size = 0
            if self.is_open:
                self._write(data)

    def traced(self, message: Message) -> None:
        """Show a message that is sent to whoever traces the connection."""
        if self.trace is not None:
            trace = self.trace
            self._guard("trace", lambda: trace(message, False))  # noqa: FBT003 - not received

    def end(self, code: ByeCode, text: str | None = None) -> None:
        """Say goodbye and close."""
        if self.is_open:
            try:
                self.send(Bye(code=code, text=text))
            except UnsendableError:
                self.send(Bye(code=code))
            self.is_open = False
            self.said_bye = True
            self.carrier.close()

    def leave(self, reason: str) -> None:
        """Close without a word: the other side has said goodbye."""
        if self._up:
            self.is_open = False
            self.carrier.close()
            self.detach(reason)

    def cut(self, reason: str) -> None:
        """Close at once."""
        if self._up:
            self.is_open = False
            self.carrier.abort()
            self.detach(reason)

    # Inside.

    def _receive(self, data: bytes) -> None:
        for message in self.session.receive(data):
            # What is incomplete now, if anything, began with this segment.
            self._frame_began = None
            self._take(message)

    def _receive_usual(self, data: bytes, take_usual: Callable[[bytes, int], int]) -> None:
        """Receive in the same way, but let `take_usual` deal with what it knows; one frame after the other."""
        at, size = 0, len(data)
        while at < size:
            if self.session.takes_usual and self.trace is None:
                begin, at = at, take_usual(data, at)
                if at > begin:
                    self._frame_began = None
            if at < size:
                end = self.session.end_of_frame(data, at)
                self._receive(data[at:end])
                at = end

    def _take(self, message: Message) -> None:
        if self.trace is not None:
            trace = self.trace
            self._guard("trace", lambda: trace(message, True))  # noqa: FBT003 - received
        if self._hello_due is not None:
            self._stop_waiting_for_hello()
        kind = message.__class__
        if kind is Ping:
            self.send(Pong(ref=message.ref))  # type: ignore[attr-defined]  # it is a ping
        elif kind is not Pong:
            try:
                self._end.take(message)
            except Exception:  # noqa: BLE001 - one message fails, the connection goes on
                self._contain(kind.__name__)

    def _write(self, data: bytes) -> None:
        self.carrier.write(data)
        if self.is_slow:
            self._bound()

    def _bound(self) -> None:
        """Do what the limits say about a full send buffer."""
        if not self._up or not self.is_full:
            return
        if self.limits.when_full == "close":
            say(self._log, 93100, peer=self.peer, size=self.carrier.unsent())
            self.cut("its send buffer is full")
        elif self.limits.when_full == "wait" and not self._paused:
            self._paused = True
            self._unsent = self.carrier.unsent()
            self.carrier.pause()

    def _start_ticking(self) -> None:
        self._ticker.start(min(_TICK, self.limits.heartbeat / 4))

    def _flush_late(self) -> None:
        self._flush_due = False
        self.flush()

    def _stop_waiting_for_hello(self) -> None:
        due, self._hello_due = self._hello_due, None
        if due is not None:
            due.cancel()

    def _no_hello(self) -> None:
        self._hello_due = None
        self.end("timeout", "no hello came")

    def _tick(self) -> None:
        now = self._clock.seconds()
        self._guard("tick", lambda: self._end.tick(now))
        if self._paused:
            # Nothing is read meanwhile; that it takes what we send is a sign of life too.
            unsent, before = self.carrier.unsent(), self._unsent
            self._unsent = unsent
            if unsent != before:
                self._heartbeat.heard(now)
        elif self._frame_began is not None and now - self._frame_began >= self.limits.frame_timeout:
            self._frame_began = None
            self.end("protocol_error", "a frame was not completed in time")
            return
        if self._hello_due is not None:
            return
        ping = self._heartbeat.tick(now)
        if ping is not None:
            self.send(ping)
        elif self._heartbeat.is_lost(now):
            self._guard("frozen", self._end.frozen)
            self.cut("it does not answer")

    def _guard(self, what: str, function: Callable[[], Any]) -> None:
        try:
            function()
        except Exception:  # noqa: BLE001 - whoever is called must not end the connection of all others
            self._contain(what)

    def _contain(self, what: str) -> None:
        contain(self._log, "link", f"{what}, {self.peer}")
