"""The shorter way to a connection that can be read: what it may not lose."""

import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.tcp import Server
from twisted.python.failure import Failure
from twisted.python.monkey import MonkeyPatcher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocsgw.quick_reactor import make_quick_reactor, receive_all


class Reader(FileDescriptor):
    """A descriptor whose reading the test decides."""

    def __init__(self, reactor: Any, descriptor: int, read: Callable[[], object]) -> None:
        super().__init__(reactor)
        self._descriptor = descriptor
        self._read = read
        self.connected = 1
        self.lost: list[Any] = []

    def doRead(self) -> object:
        """Read as the test says."""
        return self._read()

    # Writing is the same.
    doWrite = doRead

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def connectionLost(self, reason: Any) -> None:
        """Note why it ended."""
        super().connectionLost(reason)
        self.lost.append(reason.value)


class QuickReactorTests(SynchronousTestCase):
    """One turn at a time, on pipes."""

    def setUp(self) -> None:
        self.reactor = make_quick_reactor()
        self.addCleanup(self.reactor._poller.close)

    def reader(self, read: Callable[[], object]) -> Reader:
        """Return a reader with something to read."""
        out, into = os.pipe()
        self.addCleanup(os.close, out)
        self.addCleanup(os.close, into)
        os.write(into, b"x")
        reader = Reader(self.reactor, out, read)
        reader.startReading()
        self.addCleanup(self.reactor.removeReader, reader)
        return reader

    def test_reads(self) -> None:
        """Who can be read is called once a turn, as long as there is something."""
        read: list[int] = []
        reader = self.reader(lambda: read.append(1))
        self.reactor.doIteration(0)
        self.reactor.doIteration(0)
        self.assertEqual((read, reader.lost), ([1, 1], []))

    def test_long_waits(self) -> None:
        """A wait of more than a second ends a little early, because Linux may be late by a thousandth of it."""
        asked: list[float] = []

        class Poller:
            def poll(self, timeout: float, _most: int) -> list[Any]:
                asked.append(timeout)
                return []

        patch = self.patch(self.reactor, "_poller", Poller())
        for timeout in (None, 0, 0.5, 1.0, 10.0):
            self.reactor.doIteration(timeout)
        patch.restore()
        self.assertEqual(asked, [-1, 0, 0.5, 1.0, 9.5])

    def test_loop(self) -> None:
        """What is due is called on time and in order, also from other threads, and failures do not end the loop."""
        now: list[float] = [0.0]
        waits: list[float] = []
        done: list[object] = []
        self.reactor.seconds = lambda: now[0]

        class Poller:
            def poll(self, timeout: float, _most: int) -> list[Any]:
                waits.append(round(timeout, 6))
                now[0] += max(0.0, timeout)
                if now[0] == 0.5:
                    raise ZeroDivisionError
                return []

        def from_elsewhere() -> None:
            self.reactor.callFromThread(done.append, "thread")
            cancelled.cancel()

        patch = self.patch(self.reactor, "_poller", Poller())
        cancelled = self.reactor.callLater(0.75, done.append, "cancelled")
        for delay, call in ((0, done.append), (0.5, done.append), (2.5, done.append)):
            self.reactor.callLater(delay, call, delay)
        self.reactor.callLater(0.5, from_elsewhere)
        self.reactor.callLater(3, self.reactor.stop)
        self.reactor.addSystemEventTrigger("during", "shutdown", done.append, "shutdown")
        self.reactor.run(installSignalHandlers=False)
        patch.restore()
        self.assertEqual(done, [0, 0.5, "thread", 2.5, "shutdown"])
        self.assertEqual(waits[:2], [0.5, 0.25])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(now, [3.0])

    def test_nothing_due(self) -> None:
        """Where nothing is due at all, the loop waits until something happens."""
        waits = []

        class Poller:
            def poll(poller, timeout: float, _most: int) -> list[Any]:  # noqa: N805 - self is the test
                waits.append(timeout)
                self.reactor.callFromThread(self.reactor.stop)
                return []

        patch = self.patch(self.reactor, "_poller", Poller())
        self.reactor.run(installSignalHandlers=False)
        patch.restore()
        self.assertEqual(waits[0], -1)

    def connection(self) -> tuple[Any, socket.socket, list[Any]]:
        """Return a connection of TCP, the other side of it, and what its protocol was told."""
        told: list[Any] = []

        class Told(Protocol):
            def dataReceived(self, data: bytes) -> None:
                told.append(data)
                if data == b"fail":
                    raise ZeroDivisionError

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                told.append(reason.type)

        with socket.create_server(("127.0.0.1", 0)) as server:
            other = socket.create_connection(server.getsockname())
            ours, _ = server.accept()
        self.addCleanup(other.close)
        self.addCleanup(ours.close)
        ours.setblocking(False)  # noqa: FBT003 - the socket module's own
        made: Any = Server
        protocol = Told()
        transport = made(ours, protocol, ("127.0.0.1", 1), None, 0, self.reactor)
        protocol.makeConnection(transport)
        transport.startReading()
        self.addCleanup(self.reactor.removeReader, transport)
        return transport, other, told

    def read_by_compiled_part(self, transport: Any) -> MonkeyPatcher:
        """Let nothing but the compiled part, where there is one, read a connection; return what takes that back."""
        if receive_all is None:
            return MonkeyPatcher()
        patch: MonkeyPatcher = self.patch(transport, "doRead", lambda: self.fail("read by Twisted"))
        return patch

    def test_connections(self) -> None:
        """A connection of TCP gets what has come, as it came, and its end."""
        transport, other, told = self.connection()
        not_by_twisted = self.read_by_compiled_part(transport)
        other.sendall(b"one")
        self.reactor.doIteration(1)
        self.reactor.doIteration(0)
        not_by_twisted.restore()
        other.sendall(bytes(range(256)) * 10)
        other.close()
        while transport in self.reactor.getReaders():
            self.reactor.doIteration(1)
        self.assertEqual(told[0], b"one")
        self.assertEqual((b"".join(told[1:-1]), told[-1]), (bytes(range(256)) * 10, ConnectionDone))

    def test_connection_that_is_reset(self) -> None:
        """A connection that the other side has reset is lost, not done."""
        transport, other, told = self.connection()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()
        self.reactor.doIteration(1)
        self.assertEqual(told, [ConnectionLost])
        self.assertNotIn(transport, self.reactor.getReaders())

    def test_protocol_that_fails(self) -> None:
        """An exception of a protocol is logged and ends its connection; another one goes on."""
        _, other, told = self.connection()
        _, another, told_another = self.connection()
        other.sendall(b"fail")
        another.sendall(b"well")
        self.reactor.doIteration(1)
        self.reactor.doIteration(0)
        self.assertEqual((told, told_another), ([b"fail", ZeroDivisionError], [b"well"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nothing_to_read(self) -> None:
        """A connection that has nothing after all is left as it is."""
        transport, _, told = self.connection()
        if receive_all is not None:
            receive_all(
                [(transport.fileno(), 1)],
                {transport.fileno(): transport},
                {Server: False},
                told.append,
                *[told.append] * 3,
            )
        self.assertEqual(told, [])

    def link(self, made: type[Protocol]) -> tuple[Protocol, socket.socket]:
        """Return the protocol of a local connection that the reactor has adopted, and the other side of it."""
        ours, other = socket.socketpair()
        protocol = made()
        factory = Factory()
        factory.buildProtocol = lambda addr: protocol  # type: ignore[method-assign]
        self.reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)
        ours.close()
        self.addCleanup(other.close)
        self.addCleanup(self.reactor.removeAll)
        return protocol, other

    def test_descriptors(self) -> None:
        """What comes over a local connection goes to its protocol in order, descriptors before their bytes."""
        told: list[Any] = []

        @implementer(IFileDescriptorReceiver)
        class Told(Protocol):
            def fileDescriptorReceived(self, descriptor: int) -> None:
                told.append(os.fstat(descriptor).st_ino)
                os.close(descriptor)

            def dataReceived(self, data: bytes) -> None:
                told.append(data)

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                told.append(reason.type)

        protocol, other = self.link(Told)
        not_by_twisted = self.read_by_compiled_part(protocol.transport)
        out, into = os.pipe()
        inodes = [os.fstat(descriptor).st_ino for descriptor in (out, into)]
        other.sendall(b"before")
        self.reactor.doIteration(1)
        socket.send_fds(other, [b"a message"], [out, into])
        self.reactor.doIteration(1)
        socket.send_fds(other, [b"another"], [into])
        for descriptor in (out, into):
            os.close(descriptor)
        self.reactor.doIteration(1)
        not_by_twisted.restore()
        other.sendall(bytes(100_000))
        other.close()
        while protocol.transport in self.reactor.getReaders():
            self.reactor.doIteration(1)
        self.assertEqual(told[:5], [b"before", *inodes, b"a message", inodes[1]])
        self.assertEqual((told[5], b"".join(told[6:-1])), (b"another", bytes(100_000)))

    def test_descriptors_that_nobody_takes(self) -> None:
        """A protocol that takes no descriptors gets the bytes; the descriptors are closed."""
        told: list[bytes] = []

        class Told(Protocol):
            def dataReceived(self, data: bytes) -> None:
                told.append(data)

        _, other = self.link(Told)
        out, into = os.pipe()
        self.addCleanup(os.close, out)
        socket.send_fds(other, [b"a message"], [into])
        os.close(into)
        self.reactor.doIteration(1)
        self.assertEqual(told, [b"a message"])
        # The pipe is at its end once nobody can write to it any more.
        self.assertEqual(os.read(out, 1), b"")

    def test_receiver_that_fails(self) -> None:
        """An exception of who gets a descriptor is logged and ends the connection."""
        lost: list[Any] = []

        @implementer(IFileDescriptorReceiver)
        class Failing(Protocol):
            def fileDescriptorReceived(self, descriptor: int) -> None:
                os.close(descriptor)
                raise ZeroDivisionError

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                lost.append(reason.type)

        _, other = self.link(Failing)
        socket.send_fds(other, [b"a message"], [other.fileno()])
        self.reactor.doIteration(1)
        self.assertEqual((lost, len(self.flushLoggedErrors(ZeroDivisionError))), ([ZeroDivisionError], 1))

    def test_defects(self) -> None:
        """An exception is logged and ends its connection; the others have their turn."""
        read: list[int] = []

        def fail() -> object:
            raise ZeroDivisionError

        bad, good = self.reader(fail), self.reader(lambda: read.append(1))
        self.reactor.doIteration(0)
        self.assertEqual((read, good.lost), ([1], []))
        self.assertEqual([type(reason) for reason in bad.lost], [ZeroDivisionError])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn(bad, self.reactor.getReaders())

    def test_end(self) -> None:
        """A read that says so ends its connection, as in Twisted."""
        reader = self.reader(lambda: CONNECTION_DONE)
        self.reactor.doIteration(0)
        self.assertEqual([type(reason) for reason in reader.lost], [ConnectionDone])

    def test_writes(self) -> None:
        """Who can be written to is called once a turn, until it says that this is the end."""
        out, into = os.pipe()
        self.addCleanup(os.close, out)
        self.addCleanup(os.close, into)
        results: list[object] = [None, CONNECTION_DONE]
        writer = Reader(self.reactor, into, lambda: results.pop(0))
        writer.startWriting()
        self.reactor.doIteration(0)
        self.assertEqual((len(results), writer.lost), (1, []))
        self.reactor.doIteration(0)
        self.assertEqual([type(reason) for reason in writer.lost], [ConnectionDone])
        self.assertNotIn(writer, self.reactor.getWriters())

    def test_closed_by_another(self) -> None:
        """A connection that one before it in the turn has closed is left alone."""
        both: list[Reader] = []
        read: list[Reader] = []

        def close_the_other() -> None:
            for each in both:
                if not read:
                    self.reactor.removeReader(each)
            read.append(both[0])

        both += [self.reader(close_the_other), self.reader(close_the_other)]
        self.reactor.doIteration(0)
        self.assertEqual(len(read), 1)

    def test_end_of_turn(self) -> None:
        """A call comes behind the reads of a turn, which waits for nothing; what it asks for comes in the next turn."""
        told: list[str] = []

        def first() -> None:
            told.append("first")
            self.reactor.call_at_end_of_turn(lambda: told.append("next turn"))

        reader = self.reader(lambda: told.append("read"))
        self.reactor.call_at_end_of_turn(first)
        self.reactor.call_at_end_of_turn(lambda: told.append("cancelled")).cancel()
        self.reactor.doIteration(None)
        self.assertEqual(told, ["read", "first"])
        reader.stopReading()
        self.reactor.doIteration(None)
        self.assertEqual(told, ["read", "first", "next turn"])

    def test_end_of_turn_fails(self) -> None:
        """What one raises is logged; the next one is called all the same."""
        told: list[int] = []

        def fail() -> None:
            raise ZeroDivisionError

        self.reactor.call_at_end_of_turn(fail)
        self.reactor.call_at_end_of_turn(lambda: told.append(1))
        self.reactor.doIteration(None)
        self.assertEqual((told, len(self.flushLoggedErrors(ZeroDivisionError))), ([1], 1))

    def test_has_events(self) -> None:
        """Whether there is something to deal with is said without dealing with it."""
        self.assertFalse(self.reactor.has_events())
        read: list[int] = []
        reader = self.reader(lambda: read.append(1))
        self.assertTrue(self.reactor.has_events())
        self.assertEqual(read, [])
        self.reactor.doIteration(0)
        self.assertEqual(read, [1])
        reader.stopReading()
        self.assertFalse(self.reactor.has_events())
