"""A file while it comes in: written away from the reactor, so that a slow disk holds up its sender and nobody else."""

from collections.abc import Callable
from typing import IO, Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

# Bytes that wait for the disk; then the sender waits.
_MOST_WAITING = 4 << 20

# Calls a function away from the reactor.
Work = Callable[[Callable[[], Any]], "Deferred[Any]"]


class IncomingFile:
    """Takes pieces and writes them in their order.

    `work` calls functions away from the reactor; `pause` and `resume` hold the sender up. After `close` the Deferred
    `done` fires when everything is on its way to the disk; `problem` says why it is not, if it is not.
    """

    def __init__(self, file: IO[bytes], work: Work, pause: Callable[[], object], resume: Callable[[], object]) -> None:
        self.size = 0
        self.problem: str | None = None
        self._file = file
        self._work = work
        self._pause = pause
        self._resume = resume
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._is_paused = False
        self._is_writing = False
        self._is_closed = False
        self._ends: list[Deferred[None]] = []

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        if self.problem is not None:
            return
        self.size += len(piece)
        self._waiting += len(piece)
        self._pieces.append(piece)
        if self._waiting > _MOST_WAITING and not self._is_paused:
            self._is_paused = True
            self._pause()
        self._go_on()

    def close(self) -> None:
        """There is nothing more to come."""
        self._is_closed = True
        self._go_on()

    def done(self) -> "Deferred[None]":
        """Return what fires when it is closed and nothing waits for the disk any more."""
        if self._file.closed:
            return succeed(None)
        end: Deferred[None] = Deferred()
        self._ends.append(end)
        return end

    def _go_on(self) -> None:
        if self._is_writing:
            return
        if self._pieces:
            self._is_writing = True
            pieces, self._pieces = self._pieces, []
            self._work(lambda: self._file.writelines(pieces)).addErrback(self._failed).addCallback(self._written)
        elif self._is_closed and not self._file.closed:
            try:
                self._file.close()
            except OSError:
                self._failed(Failure())
            ends, self._ends = self._ends, []
            for each in ends:
                each.callback(None)

    def _failed(self, reason: Failure) -> None:
        error = reason.value
        text = (error.strerror if isinstance(error, OSError) else None) or reason.getErrorMessage()
        self.problem = f"the file cannot be kept: {text}"
        self._pieces.clear()

    def _written(self, _: object) -> None:
        self._is_writing = False
        self._waiting = sum(map(len, self._pieces))
        if self._is_paused and self._waiting <= _MOST_WAITING:
            self._is_paused = False
            self._resume()
        self._go_on()
