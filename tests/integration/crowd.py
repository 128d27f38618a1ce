"""Many hostile connections at once, played by one loop in the process of the test."""

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.integration.server import PATIENCE

_TURN = 0.1
# States in which the system of the server keeps nothing of a connection any more; TIME_WAIT is one.
_OVER = {"06", "07"}


@dataclass(eq=False)
class Visitor:
    """One connection, what it sends at each turn for ever, and when the server has ended it."""

    kind: str
    connection: socket.socket
    drip: bytes
    reads: bool
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    received: bytes = b""

    @property
    def life(self) -> float:
        """How long it lived, in seconds; for one that lives, until now."""
        return (self.ended or time.monotonic()) - self.began

    def send(self, data: bytes) -> None:
        """Send what the connection takes now."""
        with contextlib.suppress(OSError):
            self.connection.send(data)

    @property
    def port(self) -> int:
        """Its own port."""
        port: int = self.connection.getsockname()[1]
        return port


class Crowd:
    """Connections to one port, and the loop that plays them."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._selector = selectors.DefaultSelector()
        self.visitors: list[Visitor] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for visitor in self.visitors:
            self._end(visitor)
        self._selector.close()

    def connect(self, kind: str, first: bytes = b"", drip: bytes = b"", *, reads: bool = True) -> Visitor:
        """Connect, send `first`, then `drip` at each turn; one that does not read has a small window too."""
        connection = socket.socket()
        if not reads:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect(self._address)
        connection.setblocking(False)  # noqa: FBT003 - its only parameter
        visitor = Visitor(kind, connection, drip, reads)
        self.visitors.append(visitor)
        visitor.send(first)
        if reads:
            self._selector.register(connection, selectors.EVENT_READ, visitor)
        return visitor

    def living(self) -> list[Visitor]:
        """Return those that the server has not ended."""
        return [each for each in self.visitors if each.ended is None]

    def play(self, until: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Send and read, ten turns a second, until a condition holds. Raises `AssertionError`."""
        end = time.monotonic() + patience
        turn_at = 0.0
        while not until():
            now = time.monotonic()
            if now > end:
                kinds = sorted({each.kind for each in self.living()})
                raise AssertionError(f"waited {patience} s in vain; {len(self.living())} live: {kinds}")
            self.look(0.02)
            if now >= turn_at:
                turn_at = now + _TURN
                kept = self._kept()
                for visitor in self.living():
                    if not visitor.reads and visitor.port not in kept:
                        self._end(visitor)
                    elif visitor.drip:
                        visitor.send(visitor.drip)

    def look(self, wait: float = 0.0) -> None:
        """Read what has come, or comes within `wait` seconds."""
        for key, _ in self._selector.select(wait):
            self._read(key.data)

    def _kept(self) -> set[int]:
        """Return the ports of clients of whom the server, or its system, still keeps a connection."""
        ours = f":{self._address[1]:04X}"
        lines = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
        return {int(far[-4:], 16) for near, far, state in lines if near.endswith(ours) and state not in _OVER}

    def _read(self, visitor: Visitor) -> None:
        try:
            data = visitor.connection.recv(65536)
        except OSError:
            data = b""
        visitor.received = (visitor.received + data)[:64]
        if data:
            return
        if visitor.kind == "lingering":
            # It has taken the end of the server's side and keeps its own open.
            self._selector.unregister(visitor.connection)
            visitor.reads = False
        else:
            self._end(visitor)

    def _end(self, visitor: Visitor) -> None:
        if visitor.ended is None:
            visitor.ended = time.monotonic()
            if visitor.reads:
                self._selector.unregister(visitor.connection)
            visitor.connection.close()
