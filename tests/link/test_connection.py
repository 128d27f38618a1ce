"""What both ends of a connection share: back-pressure, barriers, gathering, and the end."""

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.link.connection import Connection, LinkLimits
from ocsgw.protocol.messages import Bye, Event, Hello, Message, Ping, Pong, Request, encode
from ocsgw.protocol.sendable import UnsendableError
from ocsgw.protocol.session import ClientSession, ServerSession
from tests.support.logs import LogCapture

HELLO = Hello(versions=[1], client="http_proxy", pid=1)


class FakeCarrier:
    """Keeps what is sent; `waiting` is what the other side has not read."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.waiting = 0
        self.orders: list[str] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def unsent(self) -> int:
        return self.waiting

    def pause(self) -> None:
        self.orders.append("pause")

    def resume(self) -> None:
        self.orders.append("resume")

    def close(self) -> None:
        self.orders.append("close")

    def abort(self) -> None:
        self.orders.append("abort")


class FakeEnd:
    """Remembers what it is reported; `failing` are the names of calls that raise."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.failing: set[str] = set()

    def connected(self) -> None:
        self._tell("connected")

    def take(self, message: Message) -> None:
        self._tell(type(message).__name__)

    def tick(self, now: float) -> None:
        if "tick" in self.failing:
            raise ZeroDivisionError

    def frozen(self) -> None:
        self._tell("frozen")

    def lost(self, reason: str) -> None:
        self._tell("lost")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if what in self.failing:
            raise ZeroDivisionError


class ConnectionTests(SynchronousTestCase):
    """One connection, at the end of OCS."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.log = LogCapture(self)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.finish)
        self.connections: list[Connection] = []
        self.make()

    @property
    def connection(self) -> Connection:
        return self.connections[-1]

    def finish(self) -> None:
        for connection in self.connections:
            connection.detach("the test is over")

    def make(self, *, greet: bool = True, trace: Callable[[Message, bool], None] | None = None, **limits: Any) -> None:
        self.finish()
        values: dict[str, Any] = {
            "heartbeat": 3.0,
            "frame": 4096,
            "frame_timeout": 30.0,
            "send_buffer": 1000,
            "when_full": "wait",
            "hello": 5.0,
        }
        self.end = FakeEnd()
        self.carrier = FakeCarrier()
        connection = Connection(
            self.end,
            ServerSession(frozenset({"http_proxy"}), 4096),
            LinkLimits(**{**values, **limits}),
            self.clock,
            "a client",
            trace,
        )
        self.connections.append(connection)
        connection.attach(self.carrier)
        if greet:
            self.connection.received(encode(HELLO))

    def sent(self) -> list[Message]:
        """Return what has been sent since, as messages."""
        session = ClientSession("http_proxy", 1 << 20)
        session.greeted = True
        session._allowed = frozenset({Event, Ping, Pong, Bye})
        data, self.carrier.written = b"".join(self.carrier.written), []
        return list(session.receive(data))

    def fill(self, waiting: int) -> None:
        """Let so many bytes wait for the other side."""
        self.carrier.waiting = waiting
        self.connection.slow()

    # Back-pressure.

    def test_full_buffer_holds_up_reading(self) -> None:
        """More than the send buffer: nothing is read until the other side has read; the connection stays."""
        self.fill(1000)
        self.assertEqual(self.carrier.orders, [])
        self.fill(1001)
        self.fill(5000)
        self.assertEqual(self.carrier.orders, ["pause"])
        self.carrier.waiting = 0
        self.connection.drained()
        self.connection.drained()
        self.assertEqual(self.carrier.orders, ["pause", "resume"])
        self.assertTrue(self.connection.is_open)

    def test_what_is_written_while_slow_counts(self) -> None:
        """The bound is looked at with each write as long as the other side is slow."""
        self.fill(500)
        self.carrier.waiting = 1500
        self.connection.send(Pong(ref=1))
        self.assertEqual(self.carrier.orders, ["pause"])

    def test_reading_slowly_is_life(self) -> None:
        """P88: while nothing is read, taking what is sent is a sign of life; taking nothing is none."""
        self.fill(100_000)
        for _ in range(40):
            self.carrier.waiting -= 1
            self.clock.advance(0.5)
        self.assertNotIn("frozen", self.end.told)
        for _ in range(14):
            self.clock.advance(0.5)
        self.assertEqual(self.end.told[-2:], ["frozen", "lost"])

    def test_frame_time_stands_still_while_nothing_is_read(self) -> None:
        """P66: a frame that cannot be completed because we do not read is no breach."""
        self.connection.received(encode(Ping(ref=1))[:5])
        self.fill(100_000)
        for _ in range(70):
            self.carrier.waiting -= 1
            self.clock.advance(0.5)
        self.carrier.waiting = 0
        self.connection.drained()
        self.clock.advance(0.5)
        self.assertTrue(self.connection.is_open)

    def test_drained(self) -> None:
        """What waits counts only while the other side is slow: small pieces on their way are no full buffer."""
        self.fill(5000)
        self.assertTrue(self.connection.is_full)
        self.connection.drained()
        self.assertFalse(self.connection.is_full)
        self.connection.send(Pong(ref=1))
        self.assertEqual(self.carrier.orders, ["pause", "resume"])

    def test_told_when_there_is_room(self) -> None:
        """Whoever waits for room is called when everything has been read, and may fail."""
        calls: list[int] = []
        self.connection.when_drained = lambda: calls.append(1 // len(calls))
        calls.append(1)
        self.connection.drained()
        self.assertEqual(calls, [1, 1])
        calls.clear()
        self.connection.drained()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_close_when_full(self) -> None:
        """P93: a client for whom that is right is closed, with a message that says how much waited (93100)."""
        self.make(when_full="close")
        self.fill(1001)
        self.assertEqual(self.carrier.orders, ["abort"])
        self.assertEqual(self.end.told[-1], "lost")
        self.assertIn("it is not reading; 1001 bytes queued", self.log.text(93100))

    def test_refuse_when_full(self) -> None:
        """The end asks; nothing is held up, and what is gathered counts."""
        self.make(when_full="refuse")
        self.fill(990)
        self.assertFalse(self.connection.is_full)
        self.connection.queue(b"x" * 20)
        self.assertTrue(self.connection.is_full)
        self.assertEqual(self.carrier.orders, [])
        self.clock.advance(0)

    # Barriers.

    def test_every_call_is_guarded(self) -> None:
        """Whatever one call raises is logged (93110), and everything after it happens all the same."""
        self.make(greet=False)
        self.end.failing = {"Hello", "Request", "tick", "frozen", "lost"}
        self.connection.received(encode(HELLO) + encode(Request(ref=1, data={})) + encode(Ping(ref=5)))
        self.assertEqual(self.end.told, ["connected", "Hello", "Request"])
        self.assertEqual(self.sent(), [Pong(ref=5)])
        for _ in range(14):
            self.clock.advance(0.5)
        self.assertEqual(self.end.told[3:], ["frozen", "lost"])
        self.assertEqual(self.carrier.orders, ["abort"])
        self.assertEqual(set(self.log.numbers()), {93110})
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 4)

    def test_end_that_fails_at_once(self) -> None:
        """A failure at the very beginning leaves a connection that can be ended."""
        self.make(greet=False)
        self.end.failing = {"connected"}
        self.connection.detach("again")
        self.connection.attach(self.carrier)
        self.assertTrue(self.connection.is_open)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_trace_that_raises(self) -> None:
        """A trace that fails hides no message."""

        def trace(message: Message, received: bool) -> None:
            raise ZeroDivisionError

        self.make(trace=trace)
        self.connection.send(Pong(ref=1))
        self.assertEqual(self.sent(), [Pong(ref=1)])
        self.assertEqual(self.end.told, ["connected", "Hello"])
        self.flushLoggedErrors(ZeroDivisionError)

    # The end.

    def test_breach(self) -> None:
        """P66: a breach of the protocol is said in the log (93104) and in the bye, and nothing more is read."""
        self.connection.received(encode(HELLO) + encode(Request(ref=1, data={})))
        (bye,) = self.sent()
        assert isinstance(bye, Bye)
        self.assertEqual((bye.code, self.log.numbers()), ("protocol_error", [93104]))
        self.assertIn("hello", self.log.text(93104))
        self.connection.received(encode(Request(ref=2, data={})))
        self.assertEqual(self.end.told, ["connected", "Hello"])

    def test_leave(self) -> None:
        """After a bye of the other side the connection is closed without a word, and lost at once."""
        self.connection.leave("OCS said goodbye")
        self.assertEqual((self.sent(), self.carrier.orders, self.end.told[-1]), ([], ["close"], "lost"))
        self.assertFalse(self.connection.said_bye)
        self.connection.leave("again")
        self.connection.cut("again")
        self.assertEqual((self.carrier.orders, self.end.told.count("lost")), (["close"], 1))

    def test_gathered_of_a_lost_connection(self) -> None:
        """What was gathered for a connection that is lost is forgotten."""
        self.connection.queue(b"x" * 2000)
        self.connection.detach("lost")
        self.assertEqual(self.carrier.written, [])
        self.connection.attach(self.carrier)
        self.connection.slow()
        self.assertFalse(self.connection.is_full)
        self.clock.advance(0)
        self.assertEqual(self.carrier.written, [])

    def test_gathered(self) -> None:
        """How many frames left together the last time is known to whoever sends one."""
        for count in (3, 1):
            for _ in range(count):
                self.connection.queue(encode(Pong(ref=1)))
            self.clock.advance(0)
            self.assertEqual((self.connection.gathered, len(self.sent())), (count, count))

    # Sending.

    def test_trace(self) -> None:
        """A trace gets every message, received or sent at once, pings and pongs too."""
        seen: list[tuple[str, bool]] = []
        self.make(trace=lambda message, received: seen.append((type(message).__name__, received)))
        self.connection.received(encode(Ping(ref=1)))
        self.assertEqual(seen, [("Hello", True), ("Ping", True), ("Pong", False)])

    def test_unsendable(self) -> None:
        """What cannot be sent is refused as a whole; the connection goes on."""
        for message in (Event(data={"a": 2**70}), Event(data={"a": "x" * 5000}), Bye(code="done", text="\ud800")):
            self.assertRaises(UnsendableError, self.connection.send, message)
        self.assertEqual(self.sent(), [])

    def test_bye_with_a_text_that_has_no_form(self) -> None:
        """A reason that cannot be sent does not keep a bye from being said."""
        self.connection.end("internal", "\ud800")
        self.assertEqual(self.sent(), [Bye(code="internal")])
        self.assertEqual((self.carrier.orders, self.connection.said_bye), (["close"], True))

    def test_order(self) -> None:
        """What is gathered goes before what is sent at once; much of it does not wait for the end of the turn."""
        first = encode(Event(ref=1, data={}))
        self.connection.queue(first)
        self.assertEqual(self.carrier.written, [])
        self.connection.send(Pong(ref=2))
        self.assertEqual(self.carrier.written, [first, encode(Pong(ref=2))])
        self.connection.queue(b"x" * (64 << 10))
        self.assertEqual(len(self.carrier.written), 3)
        self.clock.advance(0)
        self.assertEqual(len(self.carrier.written), 3)

    def test_nothing_after_the_bye(self) -> None:
        """What is gathered leaves before the bye, and nothing after it."""
        self.connection.queue(encode(Event(ref=1, data={})))
        self.connection.end("done")
        self.connection.queue(encode(Event(ref=2, data={})))
        self.connection.send(Pong(ref=1))
        self.clock.advance(0)
        self.assertEqual(self.sent(), [Event(ref=1, data={}), Bye(code="done")])
