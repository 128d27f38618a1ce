"""The gate of the port: never more connections than descriptors (http.md H31, H32)."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.messages import HttpLimits
from ocsgw.proxy.policy.connection_limiter import ConnectionLimiter, connections_of, room_of


class FakePort:
    """A port of Twisted's, as far as the gate knows it."""

    def __init__(self) -> None:
        self.numberAccepts = 100
        self.accepting = True
        self.socket = socket.socket()

    def stopReading(self) -> None:
        self.accepting = False

    def startReading(self) -> None:
        self.accepting = True


class RoomTests(SynchronousTestCase):
    """How many connections descriptors suffice for."""

    def test_room(self) -> None:
        """H32: beside what is served there is room for what is refused, for a burst, and for the process itself."""
        for descriptors in (128, 1024, 65536):
            room = room_of(descriptors)
            self.assertLess(room, descriptors - 50)
            self.assertLess(connections_of(room), room)
            self.assertGreater(connections_of(room), descriptors - 100)

    def test_hardly_any(self) -> None:
        """Where there are hardly any descriptors one connection is served."""
        self.assertEqual(connections_of(room_of(20)), 1)


class GateTests(SynchronousTestCase):
    """When the port accepts."""

    def make(self, room: int, connections: int) -> ConnectionLimiter:
        self.connection_limiter = ConnectionLimiter()
        self.port = FakePort()
        self.addCleanup(self.port.socket.close)
        self.connection_limiter.guard(self.port, room, HttpLimits(connections=connections, write_timeout_ms=7000))
        return self.connection_limiter

    def test_full(self) -> None:
        """H32: with no room for another descriptor the port waits, until one connection is gone."""
        connection_limiter = self.make(room=20, connections=4)
        for _ in range(20):
            self.assertTrue(self.port.accepting)
            connection_limiter.enter()
        self.assertFalse(self.port.accepting)
        connection_limiter.enter()
        connection_limiter.leave()
        self.assertFalse(self.port.accepting)
        connection_limiter.leave()
        self.assertTrue(self.port.accepting)

    def test_refused_are_bounded(self) -> None:
        """H32: with descriptors in plenty, 256 connections beyond the limit get their 503 at a time."""
        connection_limiter = self.make(room=60_000, connections=10)
        for _ in range(10 + 256):
            self.assertTrue(self.port.accepting)
            connection_limiter.enter()
        self.assertFalse(self.port.accepting)

    def test_bursts(self) -> None:
        """However many connections were accepted in one turn before, it will be few in the next."""
        connection_limiter = self.make(room=100, connections=50)
        self.assertLess(self.port.numberAccepts, 30)
        self.port.numberAccepts = 500
        connection_limiter.enter()
        self.assertLess(self.port.numberAccepts, 30)

    def test_reload(self) -> None:
        """P100: a new limit opens or closes the port at once."""
        connection_limiter = self.make(room=1000, connections=500)
        for _ in range(300):
            connection_limiter.enter()
        connection_limiter.use(HttpLimits(connections=10))
        self.assertFalse(self.port.accepting)
        connection_limiter.use(HttpLimits(connections=500))
        self.assertTrue(self.port.accepting)

    def test_answers_in_the_system(self) -> None:
        """H31: the system keeps little of what a client does not take, and not longer than the limit."""
        connection_limiter = self.make(room=100, connections=50)
        self.assertEqual(self.port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 7000)
        self.assertLessEqual(self.port.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), 256 << 10)
        connection_limiter.use(HttpLimits(write_timeout_ms=9000))
        self.assertEqual(self.port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 9000)

    def test_closed_port(self) -> None:
        """H353: once the port is closed for good, nothing opens it."""
        connection_limiter = self.make(room=20, connections=1)
        for _ in range(20):
            connection_limiter.enter()
        connection_limiter.release()
        connection_limiter.leave()
        connection_limiter.use(HttpLimits())
        self.assertFalse(self.port.accepting)
