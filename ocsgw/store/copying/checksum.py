"""The checksum of a table: of its rows, in whatever order they are read."""

from collections.abc import Iterable
from hashlib import blake2b

_BYTES = 16
_MASK = (1 << 8 * _BYTES) - 1


class Checksum:
    """The sum of the hashes of rows, which have the same values as tuples on both sides."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: Iterable[tuple[object, ...]]) -> int:
        """Take rows; return how many bytes they have, about."""
        size = 0
        for row in rows:
            data = repr(row).encode("ascii", "backslashreplace")
            size += len(data)
            self._sum += int.from_bytes(blake2b(data, digest_size=_BYTES).digest(), "big")
            self.rows += 1
        self._sum &= _MASK
        return size

    @property
    def text(self) -> str:
        """The sum as text."""
        return f"{self._sum:0{2 * _BYTES}x}"
