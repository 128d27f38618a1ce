"""A reactor in memory that also starts processes, and processes that end as the test wants.

The order of callbacks is that of a real child on Twisted; an integration test compares the two.
"""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.error import ConnectionLost, ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure


class LinkTransport(StringTransport):
    """Our end of a link to a child that is not there."""

    bufferSize = 1 << 16
    # What waits to be written, as Twisted's transports name it; a test may fill it.
    dataBuffer = b""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.descriptors: list[int] = []

    def sendFileDescriptor(self, descriptor: int) -> None:
        """Remember a descriptor that goes with the next bytes."""
        self.descriptors.append(descriptor)

    def abortConnection(self) -> None:
        """Remember that the connection was cut."""
        self.aborted = True
        self.loseConnection()


class FakeProcess:
    """A started process. `ignores` are the signals that do not end it."""

    def __init__(self, pid: int, protocol: ProcessProtocol, arguments: Mapping[str, Any]) -> None:
        self.pid = pid
        self.protocol = protocol
        self.arguments = arguments
        self.signals: list[str] = []
        self.ignores: set[str] = set()
        self.running = True

    def signalProcess(self, name: str) -> None:
        """Take a signal; KILL and TERM end the process unless it ignores them."""
        if not self.running:
            raise ProcessExitedAlready
        self.signals.append(name)
        if name not in self.ignores:
            self.end(signal={"TERM": 15, "KILL": 9}[name])

    def write(self, descriptor: int, data: bytes) -> None:
        """Let the process write to standard output or error."""
        self.protocol.childDataReceived(descriptor, data)

    def end(self, status: int | None = None, signal: int | None = None, *, pipes_held: bool = False) -> None:
        """End the process; `pipes_held` as if a grandchild kept its output open."""
        self.running = False
        clean = status == 0 and signal is None
        reason = Failure(ProcessDone(0) if clean else ProcessTerminated(status, signal))
        if pipes_held:
            self.protocol.processExited(reason)
            return
        for descriptor in (1, 2):
            self.protocol.childConnectionLost(descriptor)
        self.protocol.processExited(reason)
        self.protocol.processEnded(reason)


class FakePort:
    """A listening port of a fake reactor."""

    def __init__(self, descriptor: int, factory: Any) -> None:
        self.descriptor = descriptor
        self.factory = factory
        self.open = True
        self.accepts = 0

    def doRead(self) -> None:
        """Accept who waits."""
        self.accepts += 1

    def stopListening(self) -> None:
        """Close the port."""
        self.open = False


class ProcessMemoryReactor(MemoryReactorClock):
    """A fake reactor with processes and adopted connections."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.links: list[tuple[Any, LinkTransport]] = []
        self.ports: list[FakePort] = []
        self.spawn_error: OSError | None = None
        self.stopped = False

    def spawnProcess(
        self, protocol: ProcessProtocol, executable: str, args: Any = (), env: Any = None, **more: Any
    ) -> FakeProcess:
        """Start a process."""
        if self.spawn_error is not None:
            raise self.spawn_error
        process = FakeProcess(
            1000 + len(self.processes), protocol, {"executable": executable, "args": args, "env": env, **more}
        )
        self.processes.append(process)
        return process

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Any) -> None:
        """Connect a protocol of the factory to a transport in memory."""
        protocol = factory.buildProtocol(None)
        transport = LinkTransport()
        protocol.makeConnection(transport)
        self.links.append((protocol, transport))

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        """Listen on a socket that is not there."""
        self.ports.append(FakePort(descriptor, factory))
        return self.ports[-1]

    def callFromThread(self, function: Callable[..., Any], *args: Any, **more: Any) -> None:
        """Call at once; there are no threads."""
        function(*args, **more)

    def stop(self) -> None:
        """Remember that the reactor was stopped."""
        self.stopped = True

    def lose_link(self, at: int = -1) -> None:
        """Let a link break."""
        protocol, _ = self.links[at]
        protocol.connectionLost(Failure(ConnectionLost()))
