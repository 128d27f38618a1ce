"""The shorter way to a connection that can be read: what it may not lose."""

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.quick_reactor import make_quick_reactor


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
