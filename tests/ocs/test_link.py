"""The end of OCS of a wire connection."""

import os

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ocs.link import Identity, OcsEnd
from ocsgw.protocol.messages import (
    KV,
    AccessLines,
    Bye,
    Event,
    Hello,
    Log,
    LogLine,
    Message,
    Ping,
    Pong,
    Port,
    Ready,
    Request,
    Stats,
    Validate,
    Verdict,
    Welcome,
    WireLimits,
    encode,
)
from ocsgw.protocol.session import ClientSession
from tests.ocs.doubles import FakeDispatcher, make_identity
from tests.support.logs import LogCapture
from tests.support.processes import LinkTransport

HELLO = Hello(versions=[1], client="http_proxy", pid=1)


class Owner:
    """Remembers what it is reported."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.failing = False

    def greeted(self, hello: Hello) -> None:
        self.told.append("greeted")

    def ready(self, port: int, interface: str) -> None:
        self.tell(f"ready {port}")

    def log_lines(self, message: Log) -> None:
        self.tell("log")

    def access_lines(self, message: AccessLines) -> None:
        self.tell("access")

    def verdict(self, verdict: Verdict) -> None:
        self.tell(f"verdict {verdict.ref}")

    def counted(self, stats: Stats) -> None:
        self.tell("counted")

    def news_wanted(self) -> None:
        self.tell("news")

    def port_handed(self, descriptor: int) -> None:
        os.close(descriptor)
        self.told.append("port")

    def said_bye(self, bye: Bye) -> None:
        self.told.append(f"bye {bye.code}")

    def frozen(self) -> None:
        self.told.append("frozen")

    def link_lost(self, reason: str) -> None:
        self.tell("lost")

    def tell(self, what: str) -> None:
        if self.failing:
            raise ZeroDivisionError
        self.told.append(what)


class LinkTests(SynchronousTestCase):
    """One connection of a proxy."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.log = LogCapture(self)
        self.begin(make_identity())

    def begin(self, identity: Identity) -> None:
        """Connect a proxy."""
        self.owner = Owner()
        self.dispatcher = FakeDispatcher()
        self.end = OcsEnd(
            self.owner,
            self.dispatcher,
            identity,
            self.clock,
            accepts=frozenset({"http_proxy"}),
            session=42,
        )
        self.protocol = self.end.protocol
        self.transport = LinkTransport()
        self.protocol.makeConnection(self.transport)
        self.peer = ClientSession("http_proxy", 1 << 20)

    def tearDown(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def send(self, *messages: Message) -> list[Message]:
        """Send messages as the proxy; return what OCS answers."""
        self.transport.clear()
        self.protocol.dataReceived(b"".join(map(encode, messages)))
        return self.received()

    def received(self) -> list[Message]:
        self.clock.advance(0)
        got = list(self.peer.receive(self.transport.value()))
        self.transport.clear()
        return got

    def greeted(self) -> None:
        self.send(HELLO)

    def test_descriptors(self) -> None:
        """A descriptor goes with its message; one without a message is closed, by the next one or with the link."""
        self.greeted()
        first, second, third = (os.open(os.devnull, os.O_RDONLY) for _ in range(3))
        self.protocol.fileDescriptorReceived(first)
        self.protocol.fileDescriptorReceived(second)
        self.assertRaises(OSError, os.fstat, first)
        self.send(Port(), Port())
        self.assertEqual(self.owner.told, ["greeted", "port"])
        self.protocol.fileDescriptorReceived(third)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertRaises(OSError, os.fstat, third)

    def test_welcome(self) -> None:
        """P82: hello is answered with version, application, session and limits."""
        (welcome,) = self.send(HELLO)
        self.assertIsInstance(welcome, Welcome)
        assert isinstance(welcome, Welcome)
        self.assertEqual((welcome.version, welcome.application_id, welcome.session), (1, 134, 42))
        self.assertEqual(welcome.limits.in_flight, 3)
        self.assertEqual(self.owner.told, ["greeted"])

    def test_no_hello(self) -> None:
        """P80: a client that does not greet within 5 s is closed with bye timeout."""
        self.clock.advance(4.9)
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(0.2)
        self.assertEqual(self.received(), [Bye(code="timeout", text="no hello came")])
        self.assertTrue(self.transport.disconnecting)

    def test_another_kind_of_client(self) -> None:
        """P85: only an HTTP Proxy is accepted on the inherited socket."""
        (bye,) = self.send(Hello(versions=[1], client="third_party"))
        assert isinstance(bye, Bye)
        self.assertEqual(bye.code, "refused")
        self.assertTrue(self.transport.disconnecting)

    def test_another_version(self) -> None:
        """P81: without a common version the connection ends with bye version."""
        (bye,) = self.send(Hello(versions=[2, 3], client="http_proxy"))
        assert isinstance(bye, Bye)
        self.assertEqual(bye.code, "version")

    def test_protocol_error(self) -> None:
        """P66: a message out of order ends the connection with bye protocol_error; nothing more is read."""
        (bye,) = self.send(Ready(port=1, interface=""))
        assert isinstance(bye, Bye)
        self.assertEqual(bye.code, "protocol_error")
        self.assertEqual(self.send(HELLO), [])

    def test_rubbish(self) -> None:
        """P66: bytes that are no frame end the connection, with a log line and no traceback."""
        self.protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        (bye,) = self.received()
        assert isinstance(bye, Bye)
        self.assertEqual(bye.code, "protocol_error")

    def test_requests_and_replies(self) -> None:
        """P70 to P73: requests go to the dispatcher with their sender; replies may come in any order."""
        self.greeted()
        self.end.use_base_uri("http://x:1")
        self.send(Request(ref=1, data={"a": 1}), Request(ref=2, data={"b": 2}))
        (first, context, reply_first), (second, _, reply_second) = self.dispatcher.handled
        self.assertEqual((first.data, second.data), ({"a": 1}, {"b": 2}))
        self.assertEqual((context.client, context.base_uri), ("http_proxy", "http://x:1"))
        reply_second(Event(ref=2, data={}))
        reply_first(Event(ref=1, data={}))
        self.assertEqual([event.ref for event in self.received() if isinstance(event, Event)], [2, 1])

    def test_context_of_a_sender(self) -> None:
        """Requests of one principal and address have one context; it is made anew when the base URI changes."""
        self.greeted()
        for ref in (1, 2):
            self.send(Request(ref=ref, data={}, principal="crm", peer="192.0.2.1"))
        self.end.use_base_uri("http://x:2")
        self.send(Request(ref=3, data={}, principal="crm", peer="192.0.2.1"))
        first, second, third = (context for _, context, _ in self.dispatcher.handled)
        self.assertIs(first, second)
        self.assertEqual((first.principal, first.peer, first.base_uri), ("crm", "192.0.2.1", None))
        self.assertEqual(third.base_uri, "http://x:2")

    def test_very_many_senders(self) -> None:
        """Contexts of senders are kept for as many as may be, not for ever."""
        self.greeted()
        for ref in range(1, 5000):
            self.send(Request(ref=ref, data={}, peer=f"192.0.2.{ref}"))
            self.dispatcher.handled.pop()[2](Event(ref=ref, data={}))
        self.assertEqual(len(self.end._contexts), 4999 - 4096)

    def test_lone_answer(self) -> None:
        """With nothing else in work an answer leaves at once."""
        self.greeted()
        self.send(Request(ref=1, data={}), Request(ref=2, data={}))
        replies = [reply for _, _, reply in self.dispatcher.handled]
        replies[1](Event(ref=2, data={}))
        self.assertEqual(self.transport.value(), b"")
        replies[0](Event(ref=1, data={}))
        self.assertEqual(self.transport.value(), encode(Event(ref=2, data={})) + encode(Event(ref=1, data={})))
        self.clock.advance(0)

    def test_ref_in_use(self) -> None:
        """P71: a ref that is in use again is a protocol error; after its reply it may be used again."""
        self.greeted()
        self.send(Request(ref=1, data={}))
        self.dispatcher.handled[0][2](Event(ref=1, data={}))
        self.send(Request(ref=1, data={}))
        self.assertEqual(len(self.dispatcher.handled), 2)
        messages = self.send(Request(ref=1, data={}))
        self.assertEqual([message.code for message in messages if isinstance(message, Bye)], ["protocol_error"])

    def test_window(self) -> None:
        """P77: requests beyond in_flight get Error busy; the connection stays."""
        self.greeted()
        messages = self.send(*(Request(ref=ref, data={"GSW_REFERENCE_ID": ref}) for ref in range(1, 6)))
        self.assertEqual(len(self.dispatcher.handled), 3)
        events = [message for message in messages if isinstance(message, Event)]
        self.assertEqual([(event.ref, event.code) for event in events], [(4, "busy"), (5, "busy")])
        self.assertEqual(events[0].data["GSW_REFERENCE_ID"], 4)
        self.assertFalse(self.transport.disconnecting)

    def test_ping(self) -> None:
        """P88: a ping is answered with a pong of the same ref."""
        self.greeted()
        self.assertEqual(self.send(Ping(ref=9)), [Pong(ref=9)])

    def test_heartbeat(self) -> None:
        """P88: after a heartbeat without traffic a ping goes out; an answer keeps the connection."""
        self.greeted()
        for _ in range(20):
            self.clock.advance(0.75)
            for message in self.received():
                if isinstance(message, Ping):
                    self.send(Pong(ref=message.ref))
        self.assertNotIn("frozen", self.owner.told)

    def test_frozen(self) -> None:
        """P88: no byte within another heartbeat: the connection is lost."""
        self.greeted()
        for _ in range(8):
            self.clock.advance(0.75)
        self.assertEqual(self.owner.told, ["greeted", "frozen", "lost"])
        self.assertTrue(self.transport.aborted)

    def test_frame_not_completed(self) -> None:
        """P66: a frame that is not complete within frame_timeout of its first byte ends the connection."""
        self.greeted()
        self.protocol.dataReceived(encode(Ping(ref=1))[:6])
        for _ in range(39):
            self.clock.advance(0.75)
            self.protocol.dataReceived(b"")
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(0.75)
        byes = [message for message in self.received() if isinstance(message, Bye)]
        self.assertEqual([bye.code for bye in byes], ["protocol_error"])

    def test_frames_that_overlap_segments(self) -> None:
        """P66, P67: each frame has its own time; a stream whose segments never end with a frame goes on for ever."""
        self.greeted()
        ping = encode(Ping(ref=1))
        self.protocol.dataReceived(ping[:5])
        for _ in range(60):
            self.clock.advance(0.75)
            self.protocol.dataReceived(ping[5:] + ping[:5])
        self.assertFalse(self.transport.disconnecting)

    def test_slow_reader(self) -> None:
        """While more than `send_buffer` waits for the proxy no more of its requests are read; the link stays."""
        self.greeted()
        transport = self.transport
        transport.dataBuffer = bytes(1 << 20)
        self.protocol.pauseProducing()
        self.end.send(Pong(ref=1))
        self.assertEqual(transport.producerState, "producing")
        transport.dataBuffer += b"x"
        self.end.send(Pong(ref=2))
        self.assertEqual(transport.producerState, "paused")
        self.protocol.resumeProducing()
        self.assertEqual((transport.producerState, self.owner.told), ("producing", ["greeted"]))

    def test_answer_too_large_for_a_frame(self) -> None:
        """P64: such an answer fails its request alone, with an error of its own; the link and the others go on."""
        self.greeted()
        self.send(Request(ref=1, data={"GSW_REFERENCE_ID": "r"}), Request(ref=2, data={}))
        replies = [reply for _, _, reply in self.dispatcher.handled]
        replies[0](Event(ref=1, data={"GSW_PHONE": "1" * 5000}))
        replies[1](Event(ref=2, data={"GSW_PHONE": "1"}))
        first, second = self.received()
        assert isinstance(first, Event)
        assert isinstance(second, Event)
        self.assertEqual((first.ref, first.code, first.data["GSW_REFERENCE_ID"]), (1, "answer_too_large", "r"))
        self.assertEqual((second.ref, second.code), (2, None))
        self.assertEqual(self.log.numbers(), [93103])

    def test_answer_without_a_form(self) -> None:
        """A value that has no form on the wire fails its request alone (500)."""
        values: tuple[object, ...] = (
            10**24,
            -(10**24),
            2**63,
            1.5,
            b"x",
            "\ud800",
            {1, 2},
            object(),
            {"a": 2**63},
            [[[[[[[[]]]]]]]],
        )
        for ref, value in enumerate(values, 1):
            self.setUp()
            self.greeted()
            self.send(Request(ref=ref, data={}), Request(ref=99, data={}))
            replies = [reply for _, _, reply in self.dispatcher.handled]
            replies[0](Event(ref=ref, data={"x": value}))  # type: ignore[dict-item]  # what no rule should give
            replies[1](Event(ref=99, data={}))
            events = [event for event in self.received() if isinstance(event, Event)]
            self.assertEqual([(event.ref, event.code) for event in events], [(ref, "internal"), (99, None)])
            self.assertEqual(self.log.numbers(), [93102])
            self.protocol.connectionLost(Failure(ConnectionDone()))

    def test_reference_that_does_not_fit_back(self) -> None:
        """An error whose reference id is what is too large goes out without it."""
        self.greeted()
        self.send(Request(ref=1, data={"GSW_REFERENCE_ID": "r" * 3990}))
        self.dispatcher.handled[0][2](Event(ref=1, data={"a": "r" * 5000}))
        (event,) = self.received()
        assert isinstance(event, Event)
        self.assertEqual((event.code, "GSW_REFERENCE_ID" in event.data), ("answer_too_large", False))

    def test_dispatcher_that_raises(self) -> None:
        """A request whose dispatch raises gets 500; its neighbours in the same segment are carried out."""
        self.greeted()
        self.dispatcher.failing.add(1)
        events = self.send(Request(ref=1, data={}), Request(ref=2, data={}))
        self.assertEqual([event.code for event in events if isinstance(event, Event)], ["internal"])
        self.assertEqual([request.ref for request, _, _ in self.dispatcher.handled], [2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_owner_that_raises(self) -> None:
        """Whatever the owner raises about one message, the next ones are taken, and the link is lost properly."""
        self.greeted()
        self.owner.failing = True
        self.send(Ready(port=1, interface=""), Log(lines=[]))
        self.send(Request(ref=1, data={}))
        self.assertEqual(len(self.dispatcher.handled), 1)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_answer_in_parts(self) -> None:
        """P20: events with `more` leave the request open; its final event closes it, what comes later is dropped."""
        self.greeted()
        self.send(Request(ref=1, data={}))
        reply = self.dispatcher.handled[0][2]
        for more in (True, True, False, False):
            reply(Event(ref=1, data={}, more=more))
        self.assertEqual([event.more for event in self.received() if isinstance(event, Event)], [True, True, False])

    def chained(self, first: int, count: int, **more: object) -> None:
        """Let the proxy send requests whose answers may be large."""
        data: KV = {"GSW_AGENT_REQ_TYPE": "ChainedRecordRequest", "GSW_RECORD_HANDLE": 1}
        self.send(*(Request(ref=ref, data=dict(data), **more) for ref in range(first, first + count)))  # type: ignore[arg-type]

    def refs(self) -> list[int]:
        """Return the refs of what has been dispatched."""
        return [request.ref for request, _, _ in self.dispatcher.handled]

    def make(self, **identity: object) -> None:
        """Begin anew with another identity."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.begin(make_identity(**identity))
        self.greeted()

    def test_large_answers_wait_for_room(self) -> None:
        """Of requests with large answers only as many are in work as have room; in order, and all in the end."""
        self.make(send_buffer=8000, limits=WireLimits(frame=4096, in_flight=100, heartbeat_ms=3000))
        self.chained(1, 20)
        self.assertEqual(self.refs(), list(range(1, 9)))
        for at in range(20):
            self.dispatcher.handled[at][2](Event(ref=at + 1, data={"a": "x" * 3000}))
            self.assertLessEqual(len(self.refs()) - at - 1, max(2, 8 - at - 1))
        self.assertEqual(self.refs(), list(range(1, 21)))
        self.assertEqual(len(self.received()), 20)

    def test_small_answers_wait_for_nothing(self) -> None:
        """After a while of small answers everything goes to work at once."""
        self.make(send_buffer=80_000, limits=WireLimits(frame=4096, in_flight=100, heartbeat_ms=3000))
        for at in range(60):
            self.chained(at + 1, 1)
            self.dispatcher.handled[at][2](Event(ref=at + 1, data={}))
        self.chained(61, 90)
        self.assertEqual(len(self.refs()), 150)

    def test_order_of_requests_by_handle(self) -> None:
        """P41: a request by handle does not overtake one that waits for room; others do."""
        self.make(send_buffer=8000, limits=WireLimits(frame=4096, in_flight=100, heartbeat_ms=3000))
        self.chained(1, 9)
        self.send(
            Request(ref=10, data={"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": 1}),
            Request(ref=11, data={"GSW_AGENT_REQ_TYPE": "AddRecord"}),
        )
        self.assertEqual(self.refs(), [*range(1, 9), 11])
        self.dispatcher.handled[0][2](Event(ref=1, data={}))
        self.assertEqual(self.refs(), [*range(1, 9), 11, 9, 10])
        self.assertEqual(len(self.received()), 1)

    def test_time_of_those_that_wait(self) -> None:
        """H161: the time that a request has waited for room is taken from its deadline; it is not begun after it."""
        self.make(send_buffer=8000, limits=WireLimits(frame=4096, in_flight=100, heartbeat_ms=3000))
        self.chained(1, 12, deadline_ms=2000)
        self.clock.advance(1.5)
        self.dispatcher.handled[0][2](Event(ref=1, data={}))
        self.assertEqual(self.dispatcher.handled[8][0].deadline_ms, 500)
        self.clock.advance(1)
        self.dispatcher.handled[1][2](Event(ref=2, data={}))
        events = [(event.ref, event.code) for event in self.received() if isinstance(event, Event)]
        self.assertEqual(events[-2:], [(11, "no_response"), (12, "no_response")])
        self.assertEqual(self.refs(), list(range(1, 11)))

    def test_full_buffer_holds_large_answers_up(self) -> None:
        """While the proxy does not read no further large answer is made."""
        self.make(send_buffer=8000, limits=WireLimits(frame=4096, in_flight=100, heartbeat_ms=3000))
        self.transport.dataBuffer = bytes(8001)
        self.protocol.pauseProducing()
        self.chained(1, 1)
        self.assertEqual(self.refs(), [])
        self.transport.dataBuffer = b""
        self.protocol.resumeProducing()
        self.assertEqual(self.refs(), [1])

    def test_answers_leave_together(self) -> None:
        """Answers of one turn of the reactor go out with one write, in order."""
        self.greeted()
        self.send(*(Request(ref=ref, data={}) for ref in (1, 2, 3)))
        writes: list[bytes] = []
        self.patch(self.transport, "write", writes.append)
        for (_, _, reply), ref in zip(self.dispatcher.handled, (1, 2), strict=False):
            reply(Event(ref=ref, data={}))
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual(writes, [encode(Event(ref=1, data={})) + encode(Event(ref=2, data={}))])

    def test_log_ready_and_bye(self) -> None:
        """Log lines, ready and bye reach the owner."""
        self.greeted()
        self.send(
            Ready(port=8080, interface=""),
            Log(lines=[LogLine(time=1, level="info", id=0, text="")]),
            AccessLines(text="a\n", count=1),
            Verdict(ref=3, outcome="positive", status=200, data={}),
            Bye(code="done"),
        )
        self.assertEqual(self.owner.told, ["greeted", "ready 8080", "log", "access", "verdict 3", "bye done"])

    def test_wrong_direction(self) -> None:
        """Section 5: a kind that only OCS may send is a protocol error."""
        self.greeted()
        messages = self.send(Validate(ref=1, purpose="validation", uri="", data={}, timeout_ms=1))
        self.assertIsInstance(messages[-1], Bye)

    def test_end(self) -> None:
        """A bye is the last message; nothing is sent after it."""
        self.greeted()
        self.end.end("done")
        self.end.send(Ping(ref=1))
        self.assertEqual(self.received(), [Bye(code="done")])
