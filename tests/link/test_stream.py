"""The thin layer between a connection and a stream of Twisted."""

import os

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.link.connection import Connection, LinkLimits
from ocsgw.link.stream import StreamProtocol
from ocsgw.protocol.session import ServerSession
from tests.link.test_connection import FakeEnd
from tests.support.processes import LinkTransport


class StreamTests(SynchronousTestCase):
    """One protocol on a transport in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        limits = LinkLimits(3.0, 4096, 30.0, 1000, when_full="wait")
        session = ServerSession(frozenset({"http_proxy"}), 4096)
        self.connection = Connection(FakeEnd(), session, limits, self.clock, "a client")
        self.protocol = StreamProtocol(self.connection)
        self.transport = LinkTransport()
        self.protocol.makeConnection(self.transport)

    def tearDown(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flow(self) -> None:
        """What the transport says about its buffer holds up reading and lets it go on."""
        self.transport.dataBuffer = b"x" * 1001
        self.protocol.pauseProducing()
        self.assertEqual((self.protocol.unsent(), self.transport.producerState), (1001, "paused"))
        self.protocol.resumeProducing()
        self.assertEqual(self.transport.producerState, "producing")
        self.assertTrue(self.transport.streaming)

    def test_descriptors(self) -> None:
        """A descriptor is taken once, and is not inherited by other children; one that nobody takes is closed."""
        first, second = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_RDONLY)
        os.set_inheritable(first, True)  # noqa: FBT003 - in Python's own order
        self.protocol.fileDescriptorReceived(first)
        self.assertFalse(os.get_inheritable(first))
        self.assertEqual((self.protocol.take_descriptor(), self.protocol.take_descriptor()), (first, None))
        os.close(first)
        self.protocol.fileDescriptorReceived(second)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertRaises(OSError, os.fstat, second)

    def test_end(self) -> None:
        """Closing lets go of the producer first, since Twisted closes only then; aborting does not wait."""
        self.connection.end("done")
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer)
        self.protocol.abort()
        self.assertTrue(self.transport.aborted)
