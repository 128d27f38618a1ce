"""Text on its way to a descriptor that may be slow, stuck or full, without ever waiting for it."""

import os
import select
import stat

# What a pipe that is ready takes for certain without waiting; bytes.
_PIECE = select.PIPE_BUF
# How much is kept for a reader or a disk that takes nothing just now; bytes.
_MOST_UNSENT = 1 << 20


def open_for_lines(path: str) -> int:
    """Open a file, a device or a named pipe for appending without waiting for anything. Raises `OSError`."""
    # A named pipe is opened for reading too, because without a reader it could not be opened for writing.
    way = os.O_RDWR if _is_pipe(path) else os.O_WRONLY
    return os.open(path, way | os.O_NONBLOCK | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o640)


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


class LogOutput:
    """Writes text to `descriptor`, a file, a pipe, a terminal or the journal.

    What is not taken is kept, up to 1 MiB, and tried again at the next opportunity; what comes beyond that is dropped
    and counted in `dropped`. `reason` says why the last attempt failed.
    """

    def __init__(self, descriptor: int) -> None:
        self.dropped = 0
        self.reason = ""
        self._descriptor = descriptor
        self._unsent = bytearray()
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)

    def write(self, text: str) -> None:
        """Write text, or keep it, or drop it as a whole."""
        data = text.encode("utf-8", "backslashreplace")
        if len(self._unsent) + len(data) > _MOST_UNSENT:
            self.flush()
            if len(self._unsent) + len(data) > _MOST_UNSENT:
                self.dropped += 1
                return
        self._unsent += data
        self.flush()

    def flush(self) -> bool:
        """Write what is kept; return whether nothing is left."""
        unsent = self._unsent
        while unsent:
            try:
                if not self._ready.poll(0):
                    self.reason = "its reader takes nothing"
                    return False
                del unsent[: os.write(self._descriptor, unsent[:_PIECE])]
            except OSError as error:
                self.reason = error.strerror or str(error)
                return False
        return True

    def close(self) -> None:
        """Write what can be written and close the descriptor."""
        self.flush()
        os.close(self._descriptor)
