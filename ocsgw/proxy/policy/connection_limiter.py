"""How many connections the port lets in, and what the system keeps for each of them (http.md H31, H32)."""

import socket
from typing import Any

from ocsgw.protocol.messages import HttpLimits

# Descriptors of the process that are not a client's: standard ones, link, port, reactor, outgoing calls.
_OWN_DESCRIPTORS = 32
# Connections that are refused with 503, or are being closed, beside those that are served: this many at most, and
# this many at least where descriptors are few.
_MOST_REFUSED = 256
_LEAST_REFUSED = 16
# Twisted accepts as many connections in one turn as came in the turn before; when it has been all of them, 20 more.
_AT_ONCE = 16
_MOST_AT_ONCE = _AT_ONCE + 20
# What the system keeps of answers that a client does not take, before it is the channel's turn to wait; bytes.
_SEND_BUFFER = 128 << 10


def room_of(descriptors: int) -> int:
    """Return how many connections a process with so many descriptors can have at most, whatever becomes of them."""
    return max(_LEAST_REFUSED + 1, descriptors - _OWN_DESCRIPTORS - _MOST_AT_ONCE)


def connections_of(room: int) -> int:
    """Return how many of them can be served."""
    return room - _LEAST_REFUSED


class ConnectionLimiter:
    """Counts connections, and lets no more be accepted than there is room for; the others wait in the backlog.

    So there is a descriptor for each connection, and with it an answer: one that cannot be served gets its 503.
    """

    def __init__(self) -> None:
        self._port: Any = None
        self._room = 0
        self._most = 0
        self._inside = 0
        self._closed = False

    def guard(self, port: Any, room: int, limits: HttpLimits) -> None:
        """Watch over an open port of Twisted's; `room` is what `room_of` returns."""
        self._port = port
        self._room = room
        port.numberAccepts = _AT_ONCE
        self.use(limits)

    def use(self, limits: HttpLimits) -> None:
        """Work with these limits from now on."""
        if self._port is None:
            return
        self._most = min(limits.connections + _MOST_REFUSED, self._room)
        listening: socket.socket | None = getattr(self._port, "socket", None)
        if listening is not None:
            # Connections have what their port has. The system ends one whose client does not take its answers, even
            # after we have closed it.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limits.write_timeout_ms)
        self._open_or_close()

    def enter(self) -> None:
        """Count a connection that has been accepted."""
        self._inside += 1
        if self._port is not None:
            self._port.numberAccepts = _AT_ONCE
            self._open_or_close()

    def leave(self) -> None:
        """Count a connection that is gone."""
        self._inside -= 1
        if self._port is not None:
            self._open_or_close()

    def release(self) -> None:
        """The port is about to be closed for good."""
        self._port = None

    def _open_or_close(self) -> None:
        closed = self._inside >= self._most
        if closed != self._closed:
            self._closed = closed
            if closed:
                self._port.stopReading()
            else:
                self._port.startReading()
