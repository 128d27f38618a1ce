"""Bytes to the socket at once: nothing is lost, doubled or put in another order."""

import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.quick_port import QuickServer
from ocsgw.writing import close_now, flush, write_now


class WritingTests(SynchronousTestCase):
    """A real socket, and a reactor that only notes what it is asked to watch."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = MemoryReactor()
        ours, self.peer = socket.socketpair()
        for each in (ours, self.peer):
            each.setblocking(False)  # noqa: FBT003 - the socket module's own
            self.addCleanup(each.close)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        protocol = Protocol()
        made: Any = QuickServer
        port = SimpleNamespace(_addressType=IPv4Address)
        self.transport = made(ours, protocol, ("127.0.0.1", 1), port, 0, self.reactor)
        protocol.makeConnection(self.transport)

    def received(self) -> bytes:
        """Return what the other side has got."""
        parts = []
        while True:
            try:
                parts.append(self.peer.recv(1 << 16))
            except BlockingIOError:
                return b"".join(parts)

    def test_at_once(self) -> None:
        """What the socket takes is gone before the reactor turns, and nothing is registered."""
        write_now(self.transport, b"one")
        write_now(self.transport, b"two")
        self.assertEqual((self.received(), self.reactor.writers), (b"onetwo", set()))

    def test_more_than_the_socket_takes(self) -> None:
        """The rest waits in the transport, and everything later behind it."""
        data = bytes(range(256)) * 4096
        write_now(self.transport, data)
        self.assertIn(self.transport, self.reactor.writers)
        write_now(self.transport, b"the end")
        received = self.received()
        self.assertLess(len(received), len(data))
        while self.transport in self.reactor.writers:
            self.transport.doWrite()
            received += self.received()
        self.assertEqual(received, data + b"the end")

    def test_behind_what_waits(self) -> None:
        """Bytes that were written before go first."""
        self.transport.write(b"first ")
        write_now(self.transport, b"second")
        self.assertEqual(self.received(), b"")
        self.transport.doWrite()
        self.assertEqual(self.received(), b"first second")

    def test_lost(self) -> None:
        """A connection that is gone is left to the reactor to find out."""
        self.peer.close()
        write_now(self.transport, b"nobody")
        write_now(self.transport, b"reads this")
        self.assertIn(self.transport, self.reactor.writers)
        self.assertIsInstance(self.transport.doWrite(), Exception)

    def test_close(self) -> None:
        """A connection is closed at once if nothing waits, else behind what does; nobody is told twice."""
        lost: list[Failure] = []
        self.transport.protocol.connectionLost = lost.append
        producer = object()
        self.transport.registerProducer(producer, True)  # noqa: FBT003 - Twisted's own
        close_now(self.transport)
        self.assertEqual((len(lost), self.transport.disconnecting), (0, 1))
        self.transport.disconnecting = 0
        self.transport.unregisterProducer()
        self.transport.write(b"last words")
        close_now(self.transport)
        self.assertEqual((len(lost), self.transport.disconnecting), (0, 1))
        self.transport.doWrite()
        self.assertEqual(self.received(), b"last words")
        self.transport.disconnecting = 0
        close_now(self.transport)
        close_now(self.transport)
        self.assertEqual([each.type for each in lost], [ConnectionDone])
        self.assertEqual(self.peer.recv(1), b"")

    def test_other_transports(self) -> None:
        """A transport without a socket of its own is written to in its own way."""
        transport = StringTransport()
        write_now(transport, b"one")
        flush(transport)
        self.assertEqual(transport.value(), b"one")

    def test_flush(self) -> None:
        """What waits is sent, unless the connection is about to end: that is the reactor's to do."""
        self.transport.write(b"one")
        flush(self.transport)
        self.assertEqual((self.received(), self.reactor.writers), (b"one", set()))
        self.transport.write(b"two")
        self.transport.loseConnection()
        flush(self.transport)
        self.assertEqual(self.received(), b"")
        self.assertIn(self.transport, self.reactor.writers)
