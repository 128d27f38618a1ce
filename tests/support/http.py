"""An HTTP side in memory: connections that behave as Twisted's do on TCP, clients, and an OCS that answers as told."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ocsgw import speedups
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.frames import HEADER_SIZE
from ocsgw.protocol.messages import KV, Event, HttpLimits, Request, Settings, decode, encode
from ocsgw.protocol.sendable import encode_event
from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.channel import HTTPChannel
from ocsgw.proxy.http.exchange import Addressee, Deliver, Exchange, FrameGateway, Outcome
from ocsgw.proxy.http.factory import ChannelFactory
from tests.support.case import ClockTestCase
from tests.support.settings import make_settings

if speedups.is_used():
    from ocsgw.speedups.events import answer

SEGMENT = 1 << 16
PEER = IPv4Address("TCP", "192.0.2.1", 40000)
HOST = IPv4Address("TCP", "127.0.0.1", 8080)

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\x20-\x7e]+)").fullmatch
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t\x20-\x7e\x80-\xff]*)").fullmatch


@dataclass
class Received:
    """One answer as a client sees it; `headers` with names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the one value of a field, None without it."""
        values = [value for key, value in self.headers if key == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"{name} stands {len(values)} times in the answer")
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """Return the body, which has to be strict JSON in the encoding that the answer tells."""
        kind = self.header("content-type") or ""
        charset = kind.removeprefix("application/json; charset=")
        if charset == kind:
            raise AssertionError(f"{kind} is not JSON")
        return json.loads(self.body.decode(charset), parse_constant=_refuse_constant)

    @property
    def error(self) -> str:
        """Return the error text of a JSON answer."""
        return str(self.json["GSW_ERROR"])


def _refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def parse_answers(stream: bytes, without_body: Sequence[int] = ()) -> list[Received]:
    """Return the whole answers in a stream, `100 Continue` included; what is left over is an error.

    `without_body` are the places of answers to HEAD. Raises `AssertionError` for what is no well-formed HTTP/1.1.
    """
    answers: list[Received] = []
    while stream:
        head, end, rest = stream.partition(b"\r\n\r\n")
        if not end:
            raise AssertionError(f"an answer is not complete: {stream[:200]!r}")
        first, *lines = head.split(b"\r\n")
        status = _STATUS_LINE(first)
        if status is None:
            raise AssertionError(f"{first!r} is no status line")
        answer = Received(int(status.group(1)), [])
        for line in lines:
            found = _FIELD_LINE(line)
            if found is None:
                raise AssertionError(f"{line!r} is no field line")
            answer.headers.append((found.group(1).decode().lower(), found.group(2).decode("latin-1")))
        if answer.status != 100:
            length = int(answer.header("content-length") or "-1")
            if len(answers) in without_body:
                length = 0
            if not 0 <= length <= len(rest):
                raise AssertionError(f"a body of {length} bytes is cut off or has no length: {rest[:200]!r}")
            answer.body, rest = rest[:length], rest[length:]
        answers.append(answer)
        stream = rest
    return answers


class TcpTransport:
    """The server's end of a connection, with the buffers, producers and half-closing of Twisted's TCP transports.

    What the server writes reaches the client when `flush` is called; `stalled` means that it takes nothing.
    """

    bufferSize = SEGMENT

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.protocol: HTTPChannel | None = None
        self.connected = True
        self.reading = True
        self.stalled = False
        self.taken = b""
        self.disconnecting = False
        self.write_closed = False
        self.aborted = False
        self.reads = 0
        self.kept_by_system = 0
        self._write_closing = False
        self._unsent = b""
        self._inbox = bytearray()
        self._ended = False
        self._producer: Any = None
        self._producer_paused = False

    # What the server's protocol calls.

    def write(self, data: bytes) -> None:
        """Buffer data; pause the producer when there is too much."""
        if not isinstance(data, bytes):
            raise TypeError("only bytes can be written")
        if not self.connected or self.write_closed:
            return
        self._unsent += data
        if self._producer is not None and len(self._unsent) > self.bufferSize:
            self._producer_paused = True
            self._producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer; only streaming ones are known here."""
        if self._producer is not None or not streaming:
            raise RuntimeError("a second producer, or one that does not stream")
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Read no more."""
        self.reading = False

    def resumeProducing(self) -> None:
        """Read again."""
        if self.connected and not self.disconnecting:
            self.reading = True

    def loseConnection(self) -> None:
        """Close when everything has been written."""
        if self.connected and not self.disconnecting:
            self.reading = False
            if self.write_closed:
                self.lose()
            else:
                self.disconnecting = True

    def loseWriteConnection(self) -> None:
        """Close our side when everything has been written."""
        self._write_closing = True

    def unacknowledged(self) -> int:
        """Return what the system keeps for the client."""
        return self.kept_by_system

    def abortConnection(self) -> None:
        """Close at once; what has not been written is lost."""
        if self.connected and not self.aborted:
            self.aborted = True
            self.reading = False
            self._clock.callLater(0, self.lose, ConnectionAborted())

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As on a socket."""

    def getPeer(self) -> IPv4Address:
        """Return the address of the client."""
        return PEER

    def getHost(self) -> IPv4Address:
        """Return our address."""
        return HOST

    # What the other side does.

    def arrive(self, data: bytes) -> None:
        """Bytes of the client arrive."""
        self._inbox += data

    def end(self) -> None:
        """The client sends nothing more."""
        self._ended = True

    def lose(self, reason: Exception | None = None) -> None:
        """The connection is gone."""
        if self.connected:
            self.connected = False
            self.reading = False
            producer, self._producer = self._producer, None
            if producer is not None:
                producer.stopProducing()
            protocol, self.protocol = self.protocol, None
            if protocol is not None:
                protocol.connectionLost(Failure(reason or ConnectionDone()))

    # One turn of the reactor.

    def turn(self) -> bool:
        """Let the server read once and write what it can; return whether anything happened."""
        happened = False
        if self.reading and self.protocol is not None and not self.aborted:
            if self._inbox:
                self.reads += 1
                data = bytes(self._inbox[:SEGMENT])
                del self._inbox[:SEGMENT]
                self.protocol.dataReceived(data)
                happened = True
            elif self._ended:
                self.reading = False
                self.protocol.readConnectionLost()
                happened = True
        return self._write() or happened

    def _write(self) -> bool:
        if self.stalled or not self.connected or self.aborted:
            return False
        happened = bool(self._unsent)
        self.taken += self._unsent
        self._unsent = b""
        if self._producer is not None and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()
        elif self.disconnecting:
            self.lose()
        elif self._write_closing and not self.write_closed and self.protocol is not None:
            self.write_closed = True
            self.protocol.writeConnectionLost()
        else:
            return happened
        return True

    @property
    def unsent(self) -> int:
        """How many bytes wait for the client to take them."""
        return len(self._unsent)


class Working(Protocol):
    """Whatever works until nothing more happens."""

    def work(self) -> None:
        """Let everything happen that needs no time to pass."""


class HttpClient:
    """A client of the server in memory."""

    def __init__(self, server: Working, transport: TcpTransport, channel: HTTPChannel) -> None:
        self._server = server
        self.transport = transport
        self.channel = channel

    def send(self, data: bytes, every: int | None = None) -> "HttpClient":
        """Send bytes, in segments of `every` bytes if given, and let the server work."""
        step = every or max(len(data), 1)
        for at in range(0, len(data), step):
            self.transport.arrive(data[at : at + step])
            self._server.work()
        return self

    def half_close(self) -> "HttpClient":
        """Send nothing more."""
        self.transport.end()
        self._server.work()
        return self

    def vanish(self) -> None:
        """Be gone."""
        self.transport.lose(ConnectionLost())
        self._server.work()

    def stall(self) -> "HttpClient":
        """Take no more answers."""
        self.transport.stalled = True
        return self

    def take(self) -> "HttpClient":
        """Take answers again."""
        self.transport.stalled = False
        self._server.work()
        return self

    def answers(self, without_body: Sequence[int] = ()) -> list[Received]:
        """Return all answers so far, `100 Continue` included; each has what every answer has (H14, C21)."""
        answers = parse_answers(self.transport.taken, without_body)
        for answer in answers:
            if answer.status != 100:
                assert_has_what_every_answer_has(answer)
        return answers

    def statuses(self) -> list[int]:
        """Return the statuses of all answers so far."""
        return [answer.status for answer in self.answers()]

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection, or its side of it."""
        return not self.transport.connected or self.transport.write_closed or self.transport.disconnecting


def assert_has_what_every_answer_has(answer: Received) -> None:
    """Check H14, H144 and C21."""
    expected = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    for name, value in expected.items():
        if value not in [given for key, given in answer.headers if key == name]:
            raise AssertionError(f"{name}: {value} is missing in {answer}")
    if not re.fullmatch(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", answer.header("date") or ""):
        raise AssertionError(f"the date of {answer} is wrong")
    for name in ("server", "location", "etag", "transfer-encoding"):
        if answer.header(name) is not None:
            raise AssertionError(f"{name} stands in {answer}")
    if not 200 <= answer.status <= 599 or 300 <= answer.status < 400:
        raise AssertionError(f"{answer.status} is no status of ours")


def acknowledge(data: KV) -> Event:
    """Return an acknowledgement that shows the key-values of its request."""
    shown = {key: value for key, value in data.items() if key != "GSW_AGENT_REQ_TYPE"}
    return Event(ref=1, data={"GSW_USER_EVENT": f"{data['GSW_AGENT_REQ_TYPE']}Acknowledge", **shown})


@dataclass
class FakeGateway:
    """The way to OCS under the control of a test.

    `reply` makes the outcome of a request; while `holds` is true outcomes wait until `release`. `refusal` is what the
    gateway says instead of taking a request.
    """

    reply: Callable[[KV], Event | Refusal] = acknowledge
    holds: bool = False
    refusal: Refusal | None = None
    requests: list[KV] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    asked: int = 0

    def ask_for_news(self) -> None:
        """Count how often it was asked."""
        self.asked += 1

    # Whether compiled parts may be used.
    takes_frames: bool = True
    # How many requests have come as frames, and how many answers have gone in one pass.
    carried: int = 0
    written: int = 0
    next_ref: int = 1
    deadline_ms: int = 30000
    head: Callable[[], bytes] = bytes

    @property
    def frames(self) -> FrameGateway | None:
        """The same for requests that are frames already."""
        return self if self.takes_frames else None

    def use_head(self, success_head: Callable[[], bytes]) -> None:
        """Begin answers so."""
        self.head = success_head

    def make_lane(self, frontend: object) -> None:
        """There is none but that of a real link."""

    def room(self) -> int:
        """Return how many bytes a request may have, 0 if none would be taken."""
        return 1 << 20 if self.refusal is None else 0

    def carry(self, exchange: Exchange, frame: bytes, deliver: Deliver, addressee: Addressee | None) -> None:
        """Take a request that is a frame."""
        request = decode(frame[HEADER_SIZE:])
        assert isinstance(request, Request), request
        assert (request.ref, encode(request)) == (self.next_ref, frame)
        assert request.peer == (exchange.peer or None), request
        assert (request.idempotency_key, request.principal) == (exchange.idempotency_key, exchange.principal), request
        self.next_ref += 1
        self.carried += 1

        def answered(exchange: Exchange, outcome: Outcome) -> None:
            """Answer as the link does: in one pass where that is possible."""
            if addressee is not None and isinstance(outcome, Event) and type(outcome.data.get("a")) is not object:
                frame = encode_event(outcome, 1 << 20)
                made = answer(frame, 0, 1 << 20, self.head())
                if made is not None and addressee.answer_written(exchange, made[1]):
                    assert made[0::2] == (outcome.ref, len(frame)), made
                    self.written += 1
                    return
            deliver(exchange, outcome)

        refusal = self.submit(exchange, request.data, answered)
        assert refusal is None, refusal

    def submit(self, exchange: Exchange, data: KV, deliver: Deliver) -> Refusal | None:
        """Take a request."""
        if self.refusal is not None:
            return self.refusal
        self.requests.append(data)
        self.exchanges.append(exchange)
        if self.holds:
            self.waiting.append(lambda: deliver(exchange, self.reply(data)))
        else:
            deliver(exchange, self.reply(data))
        return None

    def release(self, at: int = 0) -> None:
        """Let one outcome come."""
        self.waiting.pop(at)()


class HttpServer:
    """The HTTP side of a proxy on a fake clock."""

    def __init__(
        self,
        clock: Clock,
        settings: Settings | None = None,
        *,
        short_cut: bool = True,
        gateway: FakeGateway | None = None,
    ) -> None:
        self.clock = clock
        self.gateway = gateway or FakeGateway()
        self.frontend = HttpFrontend(
            settings or make_settings(), self.gateway, clock, lambda: 1_774_103_400.0 + clock.seconds()
        )
        self.frontend.start()
        # What makes connections; another factory may take its place.
        self.site: Any = ChannelFactory(self.frontend, short_cut=short_cut)
        self._clients: list[HttpClient] = []

    def connect(self) -> HttpClient:
        """Return a new connection."""
        transport = TcpTransport(self.clock)
        channel: HTTPChannel = self.site.buildProtocol(PEER)
        transport.protocol = channel
        client = HttpClient(self, transport, channel)
        self._clients.append(client)
        channel.makeConnection(transport)
        self.work()
        return client

    def work(self) -> None:
        """Let everything happen that needs no time to pass."""
        happened = True
        while happened:
            turns = [client.transport.turn() for client in self._clients]
            happened = any(turns)
            due = [exchange for exchange in self.clock.getDelayedCalls() if exchange.getTime() <= self.clock.seconds()]
            if due:
                self.clock.advance(0)
                happened = True

    def stop(self) -> None:
        """End every connection and stop watching time limits."""
        for client in self._clients:
            client.transport.lose(ConnectionLost())
        self.frontend.stop()
        self.clock.advance(0)


class HttpTestCase(ClockTestCase):
    """A test with servers in memory; they are stopped at its end."""

    def serve(self, *, short_cut: bool = True, gateway: FakeGateway | None = None, **changes: Any) -> HttpServer:
        """Return a server with these settings; limits may be given by their own names."""
        names = set(HttpLimits.__struct_fields__)
        limits = HttpLimits(**{name: changes.pop(name) for name in list(changes) if name in names})
        server = HttpServer(self.clock, make_settings(limits=limits, **changes), short_cut=short_cut, gateway=gateway)
        self.addCleanup(server.stop)
        return server

    def ask(self, raw: bytes, server: HttpServer | None = None, **changes: Any) -> Received:
        """Return the one answer to a request on a connection of its own."""
        (answer,) = (server or self.serve(**changes)).connect().send(raw).answers()
        return answer


def request(
    target: str | bytes = "/lists/CL?req=AddRecord",
    body: bytes = b'{"GSW_PHONE":"1"}',
    *fields: str | bytes,
    method: str = "POST",
    version: str = "HTTP/1.1",
) -> bytes:
    """Return a well-formed request with further header fields; a body gets its length."""
    raw = target.encode() if isinstance(target, str) else target
    lines = [method.encode() + b" " + raw + b" " + version.encode(), b"Host: ocs.example:8080"]
    lines += [line.encode("latin-1") if isinstance(line, str) else line for line in fields]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*pieces: bytes, ending: bytes = b"0\r\n\r\n") -> bytes:
    """Return pieces in the chunked transfer coding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + ending
