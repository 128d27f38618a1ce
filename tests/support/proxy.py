"""A whole HTTP Proxy in memory: its application, its clients, and the end of the link that OCS holds."""

import socket
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from ocsgw.protocol.messages import (
    Bye,
    Event,
    HttpLimits,
    KVValue,
    ListenerSettings,
    Log,
    LogLine,
    Message,
    Request,
    Settings,
    Welcome,
    WireLimits,
    encode,
)
from ocsgw.protocol.session import ServerSession
from ocsgw.proxy.app import ProxyApplication
from ocsgw.proxy.listening import PortError
from tests.support.case import ClockTestCase
from tests.support.http import PEER, HttpClient, TcpTransport
from tests.support.processes import FakePort
from tests.support.settings import make_settings

M = TypeVar("M", bound=Message)


class FakeSocket:
    """A listening socket that is not there."""

    family = socket.AF_INET

    def __init__(self, listener: ListenerSettings) -> None:
        self.listener = listener
        self.open = True
        self.options: list[tuple[int, bool]] = []

    def fileno(self) -> int:
        """Return a descriptor that nobody has."""
        return 77

    def getsockname(self) -> tuple[str, int]:
        """Return where it listens."""
        interface = self.listener.interface
        return "127.0.0.1" if interface == "localhost" else interface, self.listener.port

    def setsockopt(self, level: int, option: int, value: bool) -> None:
        """Remember an option."""
        self.options.append((option, value))

    def close(self) -> None:
        """Close it."""
        self.open = False


class ProxyReactor(MemoryReactorClock):
    """A reactor in memory; with `taken` every port belongs to somebody else."""

    taken: OSError | None = None

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[FakeSocket] = []
        self.ports: list[FakePort] = []

    def listening_socket(self, listener: ListenerSettings) -> Any:
        """Open a socket in memory."""
        if self.taken is not None:
            raise PortError(f"{listener.interface}:{listener.port}: {self.taken.strerror}")
        self.sockets.append(FakeSocket(listener))
        return self.sockets[-1]

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        """Accept from a socket in memory."""
        self.ports.append(FakePort(descriptor, factory))
        return self.ports[-1]


class LinkTransport:
    """The child's end of the link; `stalled` means that OCS does not read."""

    bufferSize = 1 << 16

    def __init__(self) -> None:
        # As Twisted's transports call what waits.
        self.dataBuffer = b""
        self.stalled = False
        self.closing = False
        self.aborted = False
        self._producer: Any = None
        self._producer_paused = False

    def write(self, data: bytes) -> None:
        """Buffer data."""
        self.dataBuffer += data
        if self._producer is not None and len(self.dataBuffer) > self.bufferSize:
            self._producer_paused = True
            self._producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None

    def loseConnection(self) -> None:
        """Close when everything has been written."""
        self.closing = True

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborted = True

    def take(self) -> bytes:
        """Return what has been written since."""
        if self.stalled:
            return b""
        data, self.dataBuffer = self.dataBuffer, b""
        if self._producer is not None and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()
        return data


class FakeOcs:
    """The end of OCS under the control of a test: it keeps what the child sends, and says what it is reported."""

    def __init__(self, application: ProxyApplication) -> None:
        self.link = application.link()
        self.transport = LinkTransport()
        self.connected = True
        self.received: list[Message] = []
        self._session = ServerSession(frozenset({"http_proxy"}), 4 << 20)
        self.link.protocol.makeConnection(self.transport)

    def work(self) -> bool:
        """Read what the child has sent; return whether anything happened."""
        data = self.transport.take()
        if data:
            self.received.extend(self._session.receive(data))
        if self.connected and (self.transport.aborted or (self.transport.closing and not self.transport.dataBuffer)):
            self.lose()
            return True
        return bool(data)

    def lose(self) -> None:
        """The link is cut."""
        if self.connected:
            self.connected = False
            self.link.protocol.connectionLost(Failure(ConnectionDone()))

    def send(self, *messages: Message) -> None:
        """Send messages in one segment."""
        self.send_bytes(b"".join(encode(message) for message in messages))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes."""
        if self.connected:
            self.link.protocol.dataReceived(data)

    def all(self, kind: type[M]) -> list[M]:
        """Return all messages of a kind that have come so far."""
        return [message for message in self.received if isinstance(message, kind)]

    @property
    def requests(self) -> list[Request]:
        """Return all requests that have come so far."""
        return self.all(Request)

    @property
    def byes(self) -> list[str]:
        """Return the codes of all goodbyes that have come so far."""
        return [message.code for message in self.all(Bye)]

    @property
    def lines(self) -> list[LogLine]:
        """Return all log lines that have come so far."""
        return [line for message in self.all(Log) for line in message.lines]

    def acknowledge(self, request: Request, **data: KVValue) -> None:
        """Answer a request."""
        self.send(
            Event(ref=request.ref, data={"GSW_USER_EVENT": f"{request.data['GSW_AGENT_REQ_TYPE']}Acknowledge", **data})
        )


class ProxyInMemory:
    """One HTTP Proxy."""

    def __init__(self, reactor: ProxyReactor, *, descriptors: int = 20_000) -> None:
        self.reactor = reactor
        self.statuses: list[int] = []
        self.ended_at: float | None = None
        self.application = ProxyApplication(
            reactor,
            self._finish,
            descriptors=descriptors,
            wall_clock=lambda: 1_774_103_400.0 + reactor.seconds(),
            listening_socket=reactor.listening_socket,
        )
        self.ocs = FakeOcs(self.application)
        self._clients: list[HttpClient] = []
        self.work()

    def _finish(self, status: int) -> None:
        self.statuses.append(status)
        self.ended_at = self.reactor.seconds()

    def welcome(self, frame: int = 2 << 20, in_flight: int = 1024, heartbeat_ms: int = 3000) -> None:
        """Let OCS greet the child."""
        limits = WireLimits(frame=frame, in_flight=in_flight, heartbeat_ms=heartbeat_ms)
        self.ocs.send(Welcome(version=1, application_id=134, application="OCS", session=1, limits=limits))

    def use(self, settings: Settings | None = None) -> None:
        """Let OCS send settings."""
        self.ocs.send(settings or make_settings())
        self.work()

    @property
    def port_open(self) -> bool:
        """Whether the port is open."""
        return any(port.open for port in self.reactor.ports)

    def connect(self) -> HttpClient:
        """Return a new connection to the port."""
        if not self.port_open:
            raise AssertionError("nobody listens")
        transport = TcpTransport(self.reactor)
        channel: Any = self.reactor.ports[-1].factory.buildProtocol(PEER)
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
            happened = self.ocs.work() or any(turns)
            due = [
                exchange for exchange in self.reactor.getDelayedCalls() if exchange.getTime() <= self.reactor.seconds()
            ]
            if due:
                self.reactor.advance(0)
                happened = True

    def stop(self) -> None:
        """End it, if it has not ended, so that nothing is left to do."""
        for client in self._clients:
            client.transport.lose(ConnectionDone())
        self.ocs.lose()
        self.reactor.advance(1)
        self.application.shipper.stop()


class ProxyTestCase(ClockTestCase):
    """A test with whole HTTP Proxies in memory, whose log goes where it goes in the process."""

    reactor: ProxyReactor

    def make_clock(self) -> ProxyReactor:
        self.reactor = ProxyReactor()
        return self.reactor

    def start(
        self,
        settings: Settings | None = None,
        *,
        descriptors: int = 20_000,
        frame: int = 2 << 20,
        in_flight: int = 1024,
        **changes: Any,
    ) -> ProxyInMemory:
        """Return a proxy that is ready; limits may be given by their own names."""
        names = set(HttpLimits.__struct_fields__)
        limits = HttpLimits(**{name: changes.pop(name) for name in list(changes) if name in names})
        proxy = self.child(descriptors=descriptors)
        proxy.welcome(frame=frame, in_flight=in_flight)
        proxy.use(settings or make_settings(limits=limits, **changes))
        return proxy

    def child(self, *, descriptors: int = 20_000) -> ProxyInMemory:
        """Return a proxy that has said hello."""
        proxy = ProxyInMemory(self.reactor, descriptors=descriptors)
        self.addCleanup(proxy.stop)
        globalLogPublisher.addObserver(proxy.application.shipper)
        self.addCleanup(globalLogPublisher.removeObserver, proxy.application.shipper)
        return proxy

    def pass_time(self, proxy: ProxyInMemory, seconds: float, each: Callable[[], object] | None = None) -> None:
        """Let time pass in small steps, in which everything happens; `each` is called before each step."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end - 1e-9:
            if each is not None:
                each()
            self.clock.advance(min(0.125, end - self.clock.seconds()))
            proxy.work()
