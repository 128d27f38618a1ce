"""The write-ahead log, watched while it is used: without its name or its beginning, what is committed into it is lost.

SQLite has it open and looks for it by name only at a start, when it reads the log from its beginning.
"""

import os
from typing import Literal

_HEADER = 32
# The words of a header by which its own checksum is made are of either order; then the version of the format.
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"\x37\x7f\x06\x82": "little", b"\x37\x7f\x06\x83": "big"}
_VERSION = (3_007_000).to_bytes(4, "big")


class WriteAheadLog:
    """The log of a file. `version` is SQLite's `data_version`, by which one knows whether another program has written.

    The log is judged within a write transaction, so that nobody else writes its beginning meanwhile. Its file may be
    opened and closed: SQLite's locks are on others.
    """

    def __init__(self, file: str) -> None:
        self.path = f"{file}-wal"
        self._identity: tuple[int, int] | None = None
        self._was_sound = False
        self._version: object = None
        self._is_in_place = True
        # Whether what the connection has open need not be the whole log, which nothing mends but a start.
        self._is_broken = False
        # Whether the connection has all of a log that is not in place, so that it may be brought into the file. Not
        # where a start would find another log in its place, and write that one over what is in the file.
        self.is_whole = False

    def remember(self, version: object) -> None:
        """Remember which log the connection has, a new one."""
        self._identity = self._identity_there()
        self._was_sound = False
        self._version = version

    def leave(self) -> None:
        """The connection is about to be replaced: with a log that is not in place the next one has another."""
        self._is_broken |= self._is_lost(self._identity_there())

    def is_in_place(self, version: object) -> bool:
        """Return whether a start would find what is committed."""
        there = self._identity_there()
        was_in_place, self._is_in_place = self._is_in_place, False
        header = self._header()
        is_sound = header is not None and _is_sound(header)
        if self._is_lost(there):
            if there is None or header == b"":
                # Nobody has written into another log.
                self._version = version
            self._is_broken |= version != self._version
            self.is_whole = not self._is_broken and not is_sound
            return False
        self.is_whole = False
        # An empty log gets its beginning with the next transaction, and what cannot be read, for want of descriptors
        # say, cannot be judged. A log that was put back lacks what others have written meanwhile.
        self._is_broken |= bool(header) and self._was_sound and not is_sound
        self._is_broken |= not was_in_place and version != self._version
        self._was_sound |= is_sound
        self._version = version
        # A connection that has none yet makes one.
        self._identity = there
        self._is_in_place = not self._is_broken
        return self._is_in_place

    def _is_lost(self, there: tuple[int, int] | None) -> bool:
        return self._identity is not None and there != self._identity

    def _identity_there(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def _header(self) -> bytes | None:
        """Return the beginning of what is there, None if it cannot be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            return os.read(descriptor, _HEADER)
        except OSError:
            return None
        finally:
            os.close(descriptor)


def _is_sound(header: bytes) -> bool:
    """Whether this is the beginning of a log, by which SQLite reads it at a start."""
    order = _ORDERS.get(header[:4])
    if order is None or len(header) < _HEADER or header[4:8] != _VERSION:
        return False
    first = second = 0
    for at in range(0, 24, 8):
        first = (first + int.from_bytes(header[at : at + 4], order) + second) & 0xFFFFFFFF
        second = (second + int.from_bytes(header[at + 4 : at + 8], order) + first) & 0xFFFFFFFF
    return header[24:] == first.to_bytes(4, "big") + second.to_bytes(4, "big")
