"""The port and its connections: what they may not lose of Twisted's."""

import errno
import os
import socket
import struct
from typing import Any

from twisted.internet.address import IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.tcp import Port
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocsgw import quick_port
from ocsgw.quick_port import QuickServer
from ocsgw.quick_reactor import make_quick_reactor
from ocsgw.writing import unacknowledged, write_now


class Told(Protocol):
    """Notes what it is told."""

    def __init__(self, told: list[Any]) -> None:
        self.told = told

    def connectionMade(self) -> None:
        """Somebody has come."""
        self.told.append("made")

    def dataReceived(self, data: bytes) -> None:
        """Bytes have come."""
        self.told.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It has ended."""
        self.told.append(reason.type)


class QuickPortTests(SynchronousTestCase):
    """A port on real sockets, one turn at a time."""

    def setUp(self) -> None:
        self.reactor = make_quick_reactor()
        self.addCleanup(self.reactor._poller.close)
        self.told: list[Any] = []
        self.made: list[Any] = []
        self.addresses: list[Any] = []
        factory: Any = Factory()
        factory.buildProtocol = self.build
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)  # noqa: FBT003 - the socket module's own
            self.port = self.reactor.adoptStreamPort(listening.fileno(), listening.family, factory)
        self.addCleanup(self.close)

    def close(self) -> None:
        """Close the port and what it has accepted."""
        for each in self.reactor.removeAll():
            if isinstance(each, QuickServer) and each.connected:
                each.socket.close()
        self.port.socket.close()

    def build(self, address: Any) -> Protocol | None:
        """Return the protocol of one connection."""
        self.addresses.append(address)
        protocol = Told(self.told)
        self.made.append(protocol)
        return protocol

    def connect(self) -> socket.socket:
        """Return the client's side of a new connection."""
        client = socket.create_connection(self.port.socket.getsockname())
        self.addCleanup(client.close)
        return client

    def accepted(self) -> tuple[Any, socket.socket]:
        """Return both sides of a connection."""
        client = self.connect()
        self.reactor.doIteration(1)
        return self.made[-1].transport, client

    def test_conversation(self) -> None:
        """A connection knows both addresses, says who it is, and carries bytes both ways to its end."""
        transport, client = self.accepted()
        there, here = client.getsockname(), client.getpeername()
        self.assertEqual((transport.getPeer().host, transport.getPeer().port), there)
        self.assertEqual((transport.getHost().host, transport.getHost().port), here)
        self.assertEqual(self.addresses, [transport.getPeer()])
        self.assertEqual((transport.logPrefix(), repr(transport)), ("Told,0,127.0.0.1", "<Told,0,127.0.0.1>"))
        client.sendall(b"question")
        self.reactor.doIteration(1)
        transport.write(b"answer")
        self.reactor.doIteration(1)
        self.assertEqual(client.recv(100), b"answer")
        client.close()
        self.reactor.doIteration(1)
        self.assertEqual(self.told, ["made", b"question", ConnectionDone])
        self.assertNotIn(transport, self.reactor.getReaders())
        self.assertEqual(self.accepted()[0].logPrefix(), "Told,1,127.0.0.1")

    def test_end(self) -> None:
        """A connection that we close has an end for the client, one that is cut a reset."""
        for cut, ending in ((False, ConnectionDone), (True, ConnectionAborted)):
            transport, client = self.accepted()
            producers: list[str] = []

            class Producer:
                def stopProducing(self, stopped: list[str] = producers) -> None:
                    stopped.append("stopped")

            transport.registerProducer(Producer(), True)  # noqa: FBT003 - Twisted's own
            reason = ConnectionAborted() if cut else ConnectionDone()
            transport.connectionLost(Failure(reason))
            transport.connectionLost(Failure(reason))
            self.assertEqual((self.told[-1], self.told.count(ending), producers), (ending, 1, ["stopped"]))
            self.assertEqual((transport.connected, transport.disconnected), (0, 1))
            if cut:
                self.assertRaises(ConnectionResetError, client.recv, 1)
            else:
                self.assertEqual(client.recv(1), b"")

    def test_unacknowledged(self) -> None:
        """What a client does not take stays with us, and that is known; of a connection that is gone nothing is."""
        transport, client = self.accepted()
        self.assertEqual(unacknowledged(transport), 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        while transport.socket.send(bytes(100_000)) == 100_000:
            pass
        self.assertGreater(unacknowledged(transport), 0)
        with open(os.devnull, "rb") as no_socket:
            self.patch(transport, "fileno", no_socket.fileno)
            self.assertEqual((unacknowledged(transport), unacknowledged(object())), (0, 0))
            self.patch(transport, "fileno", transport.socket.fileno)

    def test_written_at_once(self) -> None:
        """The short way to the socket knows these connections."""
        transport, client = self.accepted()
        write_now(transport, b"at once")
        client.setblocking(False)  # noqa: FBT003 - the socket module's own
        self.assertEqual(client.recv(100), b"at once")

    def test_several_in_one_turn(self) -> None:
        """As many are accepted in a turn as may be, and more in the next if there may be more."""
        self.port.numberAccepts = 3
        clients = [self.connect() for _ in range(7)]
        self.reactor.doIteration(1)
        self.assertEqual((len(self.made), self.port.numberAccepts), (3, 3 + quick_port._MORE))
        self.reactor.doIteration(1)
        self.assertEqual((len(self.made), self.port.numberAccepts), (7, 4))
        self.assertEqual(len(clients), 7)
        self.port.doRead()
        self.assertEqual((len(self.made), self.port.numberAccepts), (7, 1))

    def test_nobody_wants_it(self) -> None:
        """Where the factory makes no protocol the connection is closed."""
        self.port.factory.buildProtocol = lambda _address: None
        client = self.connect()
        self.reactor.doIteration(1)
        self.assertEqual(client.recv(1), b"")
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.port._begin(ours, ("127.0.0.1", 1))
        self.assertEqual(ours.fileno(), -1)

    def test_factory_that_fails(self) -> None:
        """An exception is logged, and the port goes on."""
        build, self.port.factory.buildProtocol = self.port.factory.buildProtocol, lambda _address: 1 // 0
        self.connect()
        self.reactor.doIteration(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.port.factory.buildProtocol = build
        self.accepted()
        self.assertEqual(self.told, ["made"])

    def test_without_descriptors(self) -> None:
        """Where the system refuses, Twisted deals with it."""

        class Full:
            def _accept(self) -> None:
                raise OSError(errno.EMFILE, "Too many open files")

        asked: list[Any] = []
        self.patch(Port, "doRead", lambda port: asked.append(port))  # noqa: PLW0108 - a method, not a function of C
        patch = self.patch(self.port, "socket", Full())
        self.port.doRead()
        patch.restore()
        self.assertEqual(asked, [self.port])

    def test_version_6(self) -> None:
        """A link-local address of IPv6 has the name of its interface, as Twisted writes it."""
        self.port.addressFamily, self.port._addressType = socket.AF_INET6, IPv6Address
        scope = socket.if_nametoindex("lo")
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        asked: list[int] = []

        def name_of(address: tuple[str, int, int, int], flags: int) -> tuple[str, str]:
            asked.append(flags)
            return f"{address[0]}%lo", "7"

        self.patch(socket, "getnameinfo", name_of)
        self.port._begin(ours, ("fe80::1", 7, 0, scope))
        # Nobody is asked for names.
        self.assertEqual(asked, [socket.NI_NUMERICHOST | socket.NI_NUMERICSERV])
        self.assertEqual(self.addresses, [IPv6Address("TCP", "fe80::1%lo", 7, 0, scope)])
        self.assertEqual(self.made[0].transport.getPeer(), self.addresses[0])

    def test_time_limit_of_the_system(self) -> None:
        """Options that the port has are those of its connections."""
        self.port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 7000)
        transport, _ = self.accepted()
        self.assertEqual(transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 7000)
        self.assertFalse(transport.socket.getblocking())
        self.assertFalse(transport.socket.get_inheritable())
        self.assertEqual(struct.unpack("ii", transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))[0], 0)
