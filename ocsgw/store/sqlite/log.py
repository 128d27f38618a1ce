"""The write-ahead log, watched while it is used: without its name or its beginning, what is committed into it is lost.

SQLite has it open and looks for it by name only at a start, when it reads the log from its beginning.
"""

import os
from typing import Literal

_HEADER = 32
# Each page has a header of its own before it, with the salts of the log's.
_FRAME_HEADER = 24
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
        # The beginning of the log, and of how many frames at certain places it was known that they are its own.
        self._begun: tuple[bytes | None, int] = (None, 0)
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
        header, frames = self._beginning()
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
        # Behind where it was cut SQLite goes on as if nothing were, and a start reads no further than that.
        self._is_broken |= bool(header) and header == self._begun[0] and frames < self._begun[1]
        self._begun = header, frames
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

    def _beginning(self) -> tuple[bytes | None, int]:
        """Return the beginning of what is there, None if it cannot be read, and how many frames are found of some.

        Those are the first, second, fourth and so on: a log that was cut lacks one where it is half as long as it was.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None, 0
        try:
            header = os.read(descriptor, _HEADER)
            return header, _frames(descriptor, header) if len(header) == _HEADER else 0
        except OSError:
            return None, 0
        finally:
            os.close(descriptor)


def _frames(descriptor: int, header: bytes) -> int:
    page, salts, found = int.from_bytes(header[8:12], "big"), header[16:24], 0
    while page:
        at = _HEADER + ((1 << found) - 1) * (_FRAME_HEADER + page)
        if os.pread(descriptor, 16, at)[8:] != salts:
            break
        found += 1
    return found


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
