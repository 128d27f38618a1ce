"""Files without a name: nobody else can open them, and whatever ends the process takes them along."""

import errno
import os
import tempfile
import threading
from typing import BinaryIO, Literal


class NamelessFile:
    """A file on the disk of a folder, which may be opened again, from any thread, until it is closed.

    Raises `OSError` where it cannot be made or opened.
    """

    def __init__(self, folder: str) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        # Numbers of files are used again: none may be opened while it is being closed.
        self._lock = threading.Lock()

    def open_to_read(self) -> BinaryIO:
        """Open it once more, with a place of its own in it."""
        return self._opened(os.O_RDONLY, "rb")

    def open_to_write(self) -> BinaryIO:
        """Open it once more, and empty it."""
        return self._opened(os.O_WRONLY | os.O_TRUNC, "wb")

    def _opened(self, flags: int, mode: Literal["rb", "wb"]) -> BinaryIO:
        with self._lock:
            if self._file.closed:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            return os.fdopen(os.open(f"/proc/self/fd/{self._file.fileno()}", flags | os.O_CLOEXEC), mode)

    def close(self) -> None:
        """Let it go; who has it open still reads it to its end."""
        with self._lock:
            self._file.close()
