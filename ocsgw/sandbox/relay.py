"""Passes on an answer that does not end by itself, as it comes."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.server import Request

from ocsgw.sandbox.traffic import Entry

# What is noted of a stream, in bytes.
_MOST_NOTED = 64 << 10


class Relay(Protocol):
    """Takes the body of an answer and gives it to a client, no faster than the client takes it.

    The beginning is noted in `entry`. `done` fires when the answer has ended, or the client is gone.
    """

    # A producer that also ends the connection behind it; no one type of Twisted names both.
    transport: Any

    def __init__(self, request: Request, entry: Entry) -> None:
        self._request = request
        self._entry = entry
        self._is_gone = False
        self.done: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """The answer begins: its head goes out at once."""
        self._request.registerProducer(self.transport, True)  # noqa: FBT003 - a streaming one, in Twisted's order
        self._request.write(b"")

    def client_gone(self) -> None:
        """The client is gone: nobody needs the rest."""
        self._is_gone = True
        if self.transport is not None:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Pass a piece on."""
        if self._is_gone:
            return
        room = _MOST_NOTED - len(self._entry.answer)
        if room > 0:
            self._entry.answer += data[:room].decode("utf-8", "replace")
        self._request.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The answer has ended."""
        if not self._is_gone:
            self._request.unregisterProducer()
            self._request.finish()
        self.done.callback(None)
