"""The life of one HTTP Proxy, from its hello to its exit status, on a fake reactor."""

import socket
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel

from ocsgw.counters import CALLBACK_FAILURES
from ocsgw.protocol.message_parts import CounterChange
from ocsgw.protocol.messages import (
    RENEWAL,
    VERSION,
    Bye,
    Drain,
    Event,
    Hello,
    HttpLimits,
    ListenerSettings,
    Log,
    Message,
    Ping,
    Port,
    Ready,
    Request,
    Settings,
    Stats,
    Welcome,
    WireLimits,
    encode,
)
from ocsgw.protocol.session import ServerSession
from ocsgw.proxy.app import ProxyApplication
from ocsgw.proxy.listening import PortError
from tests.support.case import ClockTestCase
from tests.support.http import TcpTransport, parse_answers, request
from tests.support.processes import FakePort, LinkTransport, ProcessMemoryReactor
from tests.support.proxy import FakeSocket
from tests.support.settings import make_settings

PEER = IPv4Address("TCP", "127.0.0.1", 50000)
LISTENER = ListenerSettings(id="default", interface="127.0.0.1", port=8080, public_host="ocs.example")
LIMITS = WireLimits(frame=2 << 20, in_flight=2, heartbeat_ms=3000)


class ApplicationTests(ClockTestCase):
    """One HTTP Proxy; the test is OCS, its clients and its operating system."""

    def make_clock(self) -> MemoryReactorClock:
        self.reactor = ProcessMemoryReactor()
        return self.reactor

    def setUp(self) -> None:
        super().setUp()
        self.statuses: list[int] = []
        self.sockets: list[FakeSocket] = []
        self.port_error: PortError | None = None
        self.application = ProxyApplication(
            self.reactor, self.statuses.append, descriptors=4096, listening_socket=self.listening_socket
        )
        self.link = self.application.link().protocol
        self.transport = LinkTransport()
        self.link.makeConnection(self.transport)
        self.session = ServerSession(frozenset({"http_proxy"}), 1 << 22)
        self.clients: list[TcpTransport] = []
        self.addCleanup(self.finish)

    def finish(self) -> None:
        """Lose everything, so that nothing is left to do."""
        self.reactor.advance(0)
        self.lose_link()
        for client in self.clients:
            client.lose()
        self.advance(1)

    def listening_socket(self, listener: ListenerSettings) -> Any:
        if self.port_error is not None:
            raise self.port_error
        self.sockets.append(FakeSocket(listener))
        return self.sockets[-1]

    # The side of OCS.

    def received(self) -> list[Message]:
        """Return what has come since the last time."""
        data = self.transport.value()
        self.transport.clear()
        return list(self.session.receive(data))

    def send(self, message: Message) -> list[Message]:
        """Send to the proxy; return what comes back."""
        self.link.dataReceived(encode(message))
        return self.received()

    def start(self, settings: Settings | None = None) -> list[Message]:
        """Welcome the proxy and give it settings."""
        hello = self.received()
        self.assertEqual([type(message) for message in hello], [Hello])
        self.send(Welcome(version=VERSION, application_id=134, application="OCS", session=1, limits=LIMITS))
        return self.send(settings or make_settings(listener=LISTENER, limits=HttpLimits(drain_timeout_ms=10_000)))

    def lose_link(self) -> None:
        self.link.connectionLost()

    # The side of clients.

    @property
    def port(self) -> FakePort:
        return self.reactor.ports[-1]

    def connect(self, data: bytes = b"") -> TcpTransport:
        """Return a connection on which bytes have been sent."""
        transport = TcpTransport(self.reactor)
        transport.protocol = self.port.factory.buildProtocol(PEER)
        transport.protocol.makeConnection(transport)
        self.clients.append(transport)
        transport.arrive(data)
        self.work()
        return transport

    def work(self) -> None:
        """Let everything happen that needs no time to pass."""
        happened = True
        while happened:
            turns = [client.turn() for client in self.clients]
            happened = any(turns)
            self.reactor.advance(0)

    def answers(self, client: TcpTransport) -> list[tuple[int, str | None]]:
        """Return status and `Connection` of each answer."""
        self.work()
        return [(answer.status, answer.header("Connection")) for answer in parse_answers(client.taken)]

    # Start.

    def test_port(self) -> None:
        """R23, P82: with its first settings the proxy opens the interface and port of the listener, then says ready."""
        (ready,) = self.start()
        self.assertEqual(ready, Ready(port=8080, interface="127.0.0.1"))
        self.assertEqual([each.listener for each in self.sockets], [LISTENER])
        self.assertEqual([each.descriptor for each in self.reactor.ports], [77])

    def test_no_listener(self) -> None:
        """P82: without a listener no port is opened; the proxy is ready for outgoing calls."""
        self.assertEqual(self.start(make_settings(listener=None)), [Ready(port=0, interface="")])
        self.assertEqual(self.reactor.ports, [])

    def test_port_taken(self) -> None:
        """R24, P83: a proxy that cannot open its port logs why, says bye and shuts down with status 69."""
        self.port_error = PortError("127.0.0.1:8080: Address already in use")
        *_, bye = self.start()
        self.assertEqual(bye, Bye(code="port", text="127.0.0.1:8080: Address already in use"))
        self.lose_link()
        self.assertEqual(self.statuses, [69])

    def test_unusable_settings(self) -> None:
        """P83: an encoding that nobody knows ends the proxy with status 78; no port is opened."""
        *_, bye = self.start(make_settings(listener=LISTENER, encoding="klingon"))
        self.assertIsInstance(bye, Bye)
        self.assertEqual(getattr(bye, "code", None), "settings")
        self.lose_link()
        self.assertEqual((self.statuses, self.reactor.ports), ([78], []))

    def test_new_settings(self) -> None:
        """R32, P100: later settings change everything but the port, which stays the one that is open."""
        self.start()
        moved = ListenerSettings(id="other", interface="0.0.0.0", port=9090, public_host="ocs.example", shared=True)
        self.assertEqual(self.send(make_settings(listener=moved, encoding="windows-1252")), [])
        self.assertEqual((len(self.sockets), len(self.reactor.ports), self.port.open), (1, 1, True))
        self.assertEqual(self.sockets[0].options, [(socket.SO_REUSEPORT, True), (socket.TCP_DEFER_ACCEPT, 0)])

    # Work.

    def test_request(self) -> None:
        """R14, R15: one HTTP request is one message to OCS, and its event is the answer."""
        self.start()
        client = self.connect(request())
        (asked,) = self.received()
        self.assertIsInstance(asked, Request)
        self.send(Event(ref=1, data={"GSW_USER_EVENT": "AddRecordAcknowledge"}))
        self.assertEqual([status for status, _ in self.answers(client)], [200])

    def test_log(self) -> None:
        """R28, P120: what the proxy has to say goes to OCS within 200 ms, with its own time and level."""
        self.start()
        self.application.shipper(
            {"log_level": LogLevel.warn, "log_format": "disk {what}", "what": "full", "log_time": 12.5}
        )
        self.reactor.advance(0.2)
        (log,) = self.received()
        assert isinstance(log, Log)
        self.assertEqual(
            [(line.time, line.level, line.text) for line in log.lines], [(12_500_000, "warning", "disk full")]
        )

    def test_log_is_bounded(self) -> None:
        """P121: of lines that cannot be sent 1000 are kept; the rest is counted and told."""
        self.start()
        self.link.pauseProducing()
        self.transport.dataBuffer = bytes(32 << 20)
        for number in range(1234):
            self.application.shipper({"log_level": LogLevel.info, "log_format": "{n}", "n": number, "log_time": 1.0})
        self.advance(1)
        self.assertEqual(self.received(), [])
        self.transport.dataBuffer = b""
        self.link.resumeProducing()
        self.advance(0.25)
        logs = [message for message in self.received() if isinstance(message, Log)]
        self.assertEqual(sum(len(log.lines) for log in logs), 1000)
        self.assertEqual([log.dropped for log in logs], [234] + [0] * (len(logs) - 1))
        self.assertEqual({len(log.lines) for log in logs[:-1]}, {64})

    def test_counters(self) -> None:
        """What is counted here reaches OCS within a second, and only once; the rest before the bye."""
        self.start()
        CALLBACK_FAILURES.add(place="test")
        self.advance(1)
        change = CounterChange(name=CALLBACK_FAILURES.name, labels=["test"], value=1)
        self.assertEqual([each.counters for each in self.received() if isinstance(each, Stats)], [[change]])
        self.advance(1)
        self.assertEqual([each for each in self.received() if isinstance(each, Stats)], [])
        CALLBACK_FAILURES.add(place="test")
        self.assertEqual([type(each) for each in self.send(Drain(timeout_ms=1000))], [Stats, Bye])

    # The end.

    def test_drain(self) -> None:
        """P91, H353: a drain closes the port, lets requests in work end with `Connection: close`, then says done."""
        self.start()
        idle, busy = self.connect(), self.connect(request())
        self.received()
        self.send(Drain(timeout_ms=10_000))
        self.work()
        self.assertEqual((self.port.open, self.sockets[0].open, idle.connected), (False, False, False))
        self.assertEqual(self.statuses, [])
        self.send(Event(ref=1, data={"GSW_USER_EVENT": "AddRecordAcknowledge"}))
        self.assertEqual(self.answers(busy), [(200, "close")])
        busy.lose()
        self.assertEqual(self.received(), [Bye(code="done")])
        self.lose_link()
        self.assertEqual(self.statuses, [0])

    def test_drain_has_a_limit(self) -> None:
        """C74, H353: what OCS has left open after the drain timeout gets 504; the status is 0 all the same."""
        self.start()
        busy = self.connect(request())
        self.received()
        self.send(Drain(timeout_ms=2_000))
        self.advance(1.75)
        self.assertTrue(busy.connected)
        self.advance(0.5)
        self.assertIn(Bye(code="done"), self.received())
        self.lose_link()
        self.assertEqual(self.answers(busy), [(504, "close")])
        self.advance(1)
        self.assertEqual(self.statuses, [0])

    def test_terminate(self) -> None:
        """C78: SIGTERM is taken as a drain."""
        self.start()
        self.application.terminate()
        self.assertFalse(self.port.open)
        self.assertEqual(self.received(), [Bye(code="done")])
        self.lose_link()
        self.assertEqual(self.statuses, [0])

    def test_gentle_drain(self) -> None:
        """P91: a proxy that was replaced lets idle clients have one more answer, which ends the connection."""
        self.start()
        client, silent = self.connect(), self.connect()
        self.send(Drain(timeout_ms=10_000, reason=RENEWAL))
        self.assertEqual((self.port.open, self.port.accepts), (False, 1))
        self.work()
        self.assertTrue(client.connected)
        client.arrive(request())
        self.work()
        self.assertEqual([type(message) for message in self.received()], [Request])
        self.send(Event(ref=1, data={"GSW_USER_EVENT": "AddRecordAcknowledge"}))
        self.assertEqual(self.answers(client), [(200, "close")])
        self.advance(4.75)
        self.work()
        self.assertTrue(silent.connected)
        self.advance(0.5)
        self.work()
        self.assertFalse(silent.connected)

    def test_urgent_drain_after_a_gentle_one(self) -> None:
        """C74: a stop while a replaced proxy still waits for its clients makes it leave at once."""
        self.start()
        idle = self.connect()
        self.send(Drain(timeout_ms=10_000, reason=RENEWAL))
        self.send(Drain(timeout_ms=10_000))
        self.work()
        self.assertFalse(idle.connected)
        self.assertEqual(self.received(), [Bye(code="done")])

    def test_port_is_handed_over(self) -> None:
        """P91: asked for its port, the proxy sends the listening socket with the message, and goes on serving."""
        self.start()
        self.assertEqual(self.send(Port()), [Port()])
        self.assertEqual(self.transport.descriptors, [77])
        self.assertTrue(self.port.open)

    def test_lost_link(self) -> None:
        """R35, P89: without OCS the port closes at once, 504 for what was handed over, 503 for the rest, status 75."""
        self.start()
        first, second, third = self.connect(request()), self.connect(request()), self.connect(request())
        self.assertEqual([status for status, _ in self.answers(third)], [503])
        idle, late = self.connect(), self.connect(request()[:-5])
        self.lose_link()
        self.assertEqual((self.port.open, self.sockets[0].open), (False, False))
        late.arrive(request()[-5:])
        self.assertEqual(self.answers(first), [(504, "close")])
        self.assertEqual(self.answers(second), [(504, "close")])
        self.assertEqual(self.answers(late), [(503, "close")])
        self.assertFalse(idle.connected)
        self.advance(1)
        self.assertEqual(self.statuses, [75])

    def test_frozen_ocs(self) -> None:
        """P88, P89: two heartbeats without a byte of OCS are a lost link."""
        self.start()
        client = self.connect(request())
        self.advance(3.25)
        self.assertEqual([type(message) for message in self.received()], [Request, Ping])
        self.advance(3.5)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.answers(client), [(504, "close")])
        self.advance(1)
        self.assertEqual(self.statuses, [75])

    def test_broken_protocol(self) -> None:
        """P66: an OCS that says that this proxy broke the protocol makes it end with status 70."""
        self.start()
        self.send(Bye(code="protocol_error", text="a second hello"))
        self.advance(1)
        self.assertEqual(self.statuses, [70])
