"""A stream of Twisted as the carrier of a connection: the thin layer between the two."""

import os
from typing import Any

from twisted.internet.interfaces import IFileDescriptorReceiver, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.link.connection import Connection
from ocsgw.writing import unsent, write_link


@implementer(IPushProducer, IFileDescriptorReceiver)
class StreamProtocol(Protocol):
    """Carries `connection` over its transport; over a Unix socket, descriptors too."""

    transport: Any

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # A descriptor whose message has not come yet.
        self._descriptor: int | None = None

    # What Twisted calls.

    def connectionMade(self) -> None:
        """The transport is there."""
        self.transport.registerProducer(self, True)  # noqa: FBT003 - a streaming producer, in Twisted's own order
        self._connection.attach(self)

    def dataReceived(self, data: bytes) -> None:
        """Pass bytes on."""
        self._connection.received(data)

    def fileDescriptorReceived(self, descriptor: int) -> None:  # noqa: N802 - Twisted's name
        """Keep a descriptor until the message that it belongs to is there."""
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - in Python's own order
        self._drop_descriptor()
        self._descriptor = descriptor

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone."""
        self._connection.detach(reason.getErrorMessage())
        self._drop_descriptor()

    def pauseProducing(self) -> None:
        """The other side does not read as fast as we write."""
        self._connection.slow()

    def resumeProducing(self) -> None:
        """The other side has read everything."""
        self._connection.drained()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` says so too."""

    # The carrier.

    def write(self, data: bytes) -> None:
        """Send."""
        write_link(self.transport, data)

    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""
        return unsent(self.transport)

    def pause(self) -> None:
        """Read no more."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    def close(self) -> None:
        """Close when everything has been sent."""
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    # Descriptors.

    def send_descriptor(self, descriptor: int) -> None:
        """Send a descriptor with the next bytes; it stays open here."""
        self.transport.sendFileDescriptor(descriptor)

    def take_descriptor(self) -> int | None:
        """Return the descriptor that came with the last message, None without one; the caller closes it."""
        descriptor, self._descriptor = self._descriptor, None
        return descriptor

    def _drop_descriptor(self) -> None:
        descriptor = self.take_descriptor()
        if descriptor is not None:
            os.close(descriptor)
