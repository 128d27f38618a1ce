"""Bytes to the socket before the turn of the reactor ends.

Twisted writes at the beginning of its next turn, with two system calls more. Where a turn answers many clients
that costs more than the answer, and whoever waits for the bytes begins later than it could.
"""

import os
from typing import Any

from twisted.internet.tcp import Server
from twisted.internet.unix import Server as UnixServer

from ocsgw import speedups
from ocsgw.quick_port import QuickServer

if speedups.is_used():
    from ocsgw.speedups.turn import send as _send
else:

    def _send(descriptor: int, data: bytes) -> int:
        try:
            return os.write(descriptor, data)
        except OSError:
            return 0


_CLIENTS = frozenset({QuickServer, Server})
_STREAMS = frozenset({QuickServer, Server, UnixServer})


def write_now(transport: Any, data: bytes) -> None:
    """Send `data`: what the socket takes at once, and by Twisted what it does not, or all of it if something waits."""
    # No public name says whether something waits.
    if (
        type(transport) in _CLIENTS
        and not transport.dataBuffer
        and not transport._tempDataBuffer  # noqa: SLF001
        and transport.connected
        and not transport._writeDisconnected  # noqa: SLF001
    ):
        # 0 where it would block, or the connection is lost: Twisted finds out which.
        sent = _send(transport.fileno(), data)
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(data)


def close_now(transport: Any) -> None:
    """Close a connection whose client is done: at once if nothing waits to be sent, else by Twisted, a turn later."""
    if (
        type(transport) is QuickServer
        and not transport.dataBuffer
        and not transport._tempDataBuffer  # noqa: SLF001
        and transport.connected
        and not transport.disconnecting
        and transport.producer is None
    ):
        transport.close_done()
    else:
        transport.loseConnection()


def unacknowledged(transport: Any) -> int:
    """Return how many bytes the other side has not acknowledged yet, 0 where nobody knows."""
    ask = getattr(transport, "unacknowledged", None)
    return ask() if ask is not None else 0


def write_link(transport: Any, data: bytes) -> None:
    """Send `data` over the connection between OCS and a client at once, as `write_now`.

    Behind anything that waits already, a descriptor included, it goes by Twisted.
    """
    if (
        type(transport) in _STREAMS
        and not transport.dataBuffer
        and not transport._tempDataBuffer  # noqa: SLF001
        and not getattr(transport, "_sendmsgQueue", None)
        and transport.connected
        and not transport.disconnecting
    ):
        # 0 where it would block, or the connection is lost: Twisted finds out which.
        sent = _send(transport.fileno(), data)
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(data)


def unsent(transport: Any) -> int:
    """Return how many bytes wait in a transport.

    The size at which it pauses its producer is not a measure: so much is set aside for every read, too.
    """
    return (
        len(getattr(transport, "dataBuffer", b""))
        - getattr(transport, "offset", 0)
        + getattr(transport, "_tempDataLen", 0)
    )


def flush(transport: Any) -> None:
    """Send what waits in a transport, as far as it has a socket and is not about to be closed."""
    do_write = getattr(transport, "doWrite", None)
    if do_write is not None and transport.connected and not transport.disconnecting:
        # A failure is found again, and dealt with, by the reactor: the transport stays registered.
        do_write()
