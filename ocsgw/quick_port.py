"""A port and the connections that it accepts: Twisted's own, without what nobody asks them for.

Twisted makes each connection a name for its log and one for people, and shuts a socket down before it closes it, also
where both sides are done; Python asks the port twice what its socket is. None of that is seen from outside, and it
takes as long as the request of a client that connects anew for each one.
"""

import fcntl
import socket
import struct
import termios
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection, Port, Server
from twisted.python import log
from twisted.python.failure import Failure

# How many more connections are accepted in one turn if there may be more.
_MORE = 20
# What the system writes a number into.
_INT = struct.Struct("i")


class QuickServer(Server):
    """One connection."""

    def __init__(self, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any) -> None:
        Connection.__init__(self, sock, protocol, reactor)
        self._addressType = server._addressType  # noqa: SLF001 - as Twisted
        self.client = client
        self.sessionno = sessionno
        self.hostname = client[0]
        reactor.addReader(self)
        self.connected = 1

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """Return what the log says of it."""
        return f"{type(self.protocol).__name__},{self.sessionno},{self.hostname}"

    @property
    def repstr(self) -> str:  # type: ignore[override]  # made when somebody asks
        """What it is, for people."""
        return f"<{self.logPrefix()}>"

    def unacknowledged(self) -> int:
        """Return how many bytes, the end counting as one, the other side has not acknowledged yet."""
        try:
            waiting = fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(_INT.size))
        except OSError:
            return 0
        count: int = _INT.unpack(waiting)[0]
        return count

    def close_done(self) -> None:
        """Close a connection on which both sides are done: nobody else has the descriptor, closing it is enough."""
        self._shouldShutdown = False
        self.connectionLost(connectionDone)

    def connectionLost(self, reason: Failure) -> None:
        """End as Twisted does; `reason` says whether it is cut."""
        if not hasattr(self, "socket"):
            # It has ended within a call of its own.
            return
        self.disconnected = 1
        self.connected = 0
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.reactor.removeReader(self)
        self.reactor.removeWriter(self)
        self._closeSocket(not isinstance(reason.value, ConnectionAborted))
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        protocol.connectionLost(reason)


class QuickPort(Port):
    """A port on TCP; its connections are quick."""

    transport = QuickServer

    def doRead(self) -> None:  # noqa: N802
        """Accept those who have come, `numberAccepts` of them at most; what is unusual is left to Twisted."""
        accepted = 0
        try:
            most = self.numberAccepts
            listening: Any = self.socket
            while accepted < most:
                try:
                    # `accept` asks the port twice what its socket is.
                    descriptor, client = listening._accept()  # noqa: SLF001 - there is no public way
                except BlockingIOError:
                    break
                except OSError:
                    # It finds the same again, and knows what to do without descriptors or memory.
                    super().doRead()
                    return
                accepted += 1
                connected = socket.socket(self.addressFamily, socket.SOCK_STREAM, 0, descriptor)
                self._begin(connected, client)
        except BaseException:  # noqa: BLE001 - as Twisted: it is logged, and the port goes on
            log.deferr()
        else:
            # As Twisted: where there may be more, more are taken next time.
            self.numberAccepts = accepted + _MORE if accepted == self.numberAccepts else max(1, accepted)

    def _begin(self, connected: socket.socket, client: Any) -> None:
        """Make a connection of an accepted socket."""
        if self.addressFamily == socket.AF_INET6:
            # With the scope of a link-local address, as Twisted.
            host, _ = socket.getnameinfo(client, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
            client = (host, *client[1:])
        factory: Any = self.factory
        protocol = factory.buildProtocol(self._addressType("TCP", *client))
        if protocol is None:
            connected.close()
            return
        number = self.sessionno
        self.sessionno = number + 1
        protocol.makeConnection(self.transport(connected, protocol, client, self, number, self.reactor))
