"""The reactor of both processes: Twisted's own on epoll, with a shorter way to a connection that has one plain event.

Twisted puts a logging context around each event, so that messages of `twisted.python.log` say whose they are. Our
messages say that themselves, and the context costs as much as reading the bytes. That is all that is lost: an exception
is logged and ends the connection as ever, and what is no plain read or write takes Twisted's way.
"""

import errno
import socket
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST, installReactor
from twisted.python import log

from ocsgw import speedups
from ocsgw.light_imports import without

receive_all: Callable[..., None] | None = None
if speedups.is_used():
    from ocsgw.speedups.turn import receive_all

# Linux may end a wait late by a thousandth of its length. So one of more seconds than this ends a little before its
# time, and the rest of it is a wait of its own.
_LONG = 1.0
_MOST_OF_IT = 0.95
# The system takes waits in milliseconds, as a 32-bit integer.
_LONGEST = 2_000_000.0

# EPOLLIN and nothing else, and the same of EPOLLOUT.
_READ, _WRITE = 1, 4
_TLS_OF_TWISTED = ("twisted.protocols.tls", "twisted.internet.ssl", "twisted.internet._newtls")


def install_quick_reactor() -> None:
    """Install the reactor, before anybody imports `twisted.internet.reactor`.

    Without epoll Twisted's choice stays, and so does a reactor that whoever runs us has installed.
    """
    if sys.platform == "linux" and "twisted.internet.reactor" not in sys.modules:
        installReactor(make_quick_reactor())


class EndOfTurnCall:
    """A call at the end of a turn, unless it is cancelled before."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], object]) -> None:
        self.function: Callable[[], object] | None = function

    def cancel(self) -> None:
        """Do not call."""
        self.function = None


def make_quick_reactor() -> Any:
    """Return a new reactor."""
    # Without OpenSSL, 10 MiB in each process. Connections have no `startTLS` then, and the reactor no `listenSSL`; our
    # TLS is a protocol on a plain connection, and loads OpenSSL where it is used.
    with without(*_TLS_OF_TWISTED):
        # There is no such module without epoll.
        from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415
        from twisted.internet.tcp import Server  # noqa: PLC0415
        from twisted.internet.unix import Server as LocalServer  # noqa: PLC0415

        from ocsgw.quick_port import QuickPort, QuickServer  # noqa: PLC0415

    # What is read by the compiled part, and whether descriptors come over it.
    streams = {QuickServer: False, Server: False, LocalServer: True}

    class QuickReactor(EPollReactor):
        """An epoll reactor without logging contexts around reads and writes."""

        def __init__(self) -> None:
            self._ends: list[EndOfTurnCall] = []
            super().__init__()

        def mainLoop(self) -> None:  # noqa: N802 - Twisted's name
            """Take turns until the reactor is stopped, as Twisted does."""
            while self._started:
                try:
                    while self._started:
                        self.doPoll(self._wait())
                except BaseException:  # noqa: BLE001 - as Twisted: it is logged, and the next turn comes
                    log.err()

        def _wait(self) -> float | None:
            """Do what is due, and return how long nothing else is, in seconds, None for ever.

            Most turns find nothing due; what has been asked for since the last one, and the first of the rest, say so.
            """
            calls = self._pendingTimedCalls
            if self.running and not (self._newTimedCalls or self.threadCallQueue or self._justStopped):
                if not calls:
                    return None
                wait: float = calls[0].time - self.seconds()
                if wait > 0:
                    return min(wait, _LONGEST)
            self.runUntilCurrent()
            return self.timeout() if self.running else 0

        def call_at_end_of_turn(self, function: Callable[[], object]) -> EndOfTurnCall:
            """Call a function once everything is dealt with that the next look at the connections brings.

            The same as `callLater(0, ...)` but for its costs. What it raises is logged.
            """
            call = EndOfTurnCall(function)
            self._ends.append(call)
            return call

        def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:  # noqa: N802, N803
            """Listen on a socket of TCP that others have made."""
            if addressFamily not in (socket.AF_INET, socket.AF_INET6):
                return super().adoptStreamPort(fileDescriptor, addressFamily, factory)
            port = QuickPort._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)  # noqa: SLF001
            port.startListening()
            return port

        def _end_turn(self) -> None:
            calls, self._ends = self._ends, []
            for call in calls:
                if call.function is not None:
                    try:
                        call.function()
                    except BaseException:  # noqa: BLE001 - as Twisted: it is logged, and the others have their turn
                        log.err()

        def has_events(self) -> bool:
            """Whether a turn would have something to read or write."""
            return bool(self._poller.poll(0, 1))

        def doPoll(self, timeout: float | None) -> None:  # noqa: N802 - Twisted's name
            """Wait for events, `timeout` seconds at most, and deal with them."""
            selectables = self._selectables
            if self._ends:
                timeout = 0
            elif timeout is not None and timeout > _LONG:
                timeout *= _MOST_OF_IT
            try:
                events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
            except OSError as error:
                if error.errno == errno.EINTR:
                    return
                raise
            if receive_all is not None:
                receive_all(events, selectables, streams, self._deal, self._given, self._ended, self._failed)
            else:
                for descriptor, event in events:
                    selectable = selectables.get(descriptor)
                    # Else somebody before it has closed it.
                    if selectable is not None:
                        self._deal(selectable, descriptor, event)
            if self._ends:
                self._end_turn()

        def _deal(self, selectable: Any, descriptor: int, event: int) -> None:
            """Read or write, as Twisted does."""
            if event not in (_READ, _WRITE):
                log.callWithLogger(selectable, self._doReadOrWrite, selectable, descriptor, event)
                return
            is_read = event == _READ
            try:
                ended = selectable.doRead() if is_read else selectable.doWrite()
            except BaseException as failure:  # noqa: BLE001 - as Twisted: it is logged and ends the connection
                log.err()
                ended = failure
            if ended:
                self._disconnectSelectable(selectable, ended, is_read)

        def _given(self, selectable: Any, descriptors: bytes) -> None:
            """Descriptors have come, integers of the machine: Twisted's way from here."""
            selectable._ancillaryLevelSOLSOCKETTypeSCMRIGHTS(descriptors)  # noqa: SLF001 - it has no public name

        def _ended(self, selectable: Any, is_done: bool) -> None:
            """A connection has nothing more to read: its other side is done, or it is lost."""
            self._disconnectSelectable(selectable, CONNECTION_DONE if is_done else CONNECTION_LOST, isRead=True)

        def _failed(self, selectable: Any) -> None:
            """A protocol has raised the exception that is being handled."""
            log.err()
            self._disconnectSelectable(selectable, sys.exc_info()[1], isRead=True)

        doIteration = doPoll  # noqa: N815 - as above

    return QuickReactor()
