"""Connections whose answers begin within measure: a header without an end would be read for ever (outgoing.md O6)."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web._newclient import HEADER, STATUS, HTTP11ClientProtocol
from twisted.web.client import HTTPConnectionPool, _HTTP11ClientFactory

# Status line and header, with those of answers 1xx before it; in bytes.
LARGEST_HEAD = 64 << 10
# Lines are cut off the front of what has come, and the rest is copied each time.
_SLICE = 4 << 10


class HeadTooLargeError(Exception):
    """The header of an answer has not ended in time."""


class _Connection(HTTP11ClientProtocol):
    """Counts the bytes of an answer until its body begins."""

    transport: Any
    _taken = 0

    def request(self, request: Any) -> "Deferred[Any]":
        """Send a request; its answer is counted anew."""
        self._taken = 0
        answered: Deferred[Any] = super().request(request)
        return answered

    def dataReceived(self, data: bytes) -> None:
        """Take bytes, of a header no more than it may have."""
        while data and self._is_in_head():
            if self._taken >= LARGEST_HEAD:
                self.transport.abortConnection()
                self._disconnectParser(Failure(HeadTooLargeError()))
                return
            size = min(_SLICE, LARGEST_HEAD - self._taken)
            part, data = data[:size], data[size:]
            self._taken += len(part)
            super().dataReceived(part)
        if data:
            super().dataReceived(data)

    def _is_in_head(self) -> bool:
        return self._parser is not None and self._parser.state in (STATUS, HEADER)


class _Connections(_HTTP11ClientFactory):
    """Makes them."""

    def buildProtocol(self, addr: Any) -> _Connection:
        """Return a connection, which goes back to its pool."""
        return _Connection(self._quiescentCallback)


class ConnectionPool(HTTPConnectionPool):
    """Keeps connections that end themselves when the header of an answer is too large."""

    _factory = _Connections
