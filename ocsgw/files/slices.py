"""Rows in slices, each of which becomes one transaction."""

import time
from collections.abc import Callable, Iterable, Iterator

from ocsgw.files.csv_files import NumberedRow

SLICE = 1000
_FEWEST = 250
# Characters; a slice of long rows has fewer of them.
_LONGEST_SLICE = 1 << 20
# Requests of clients wait for a slice; these are seconds.
_TOO_LONG = 0.1
_SHORT = 0.05

Slice = list[NumberedRow]


class SliceSize:
    """How many rows a slice has: fewer where slices take long, so that clients of the server need not wait for them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rows = SLICE
        self._clock = clock
        self._last: float | None = None

    def stored(self) -> None:
        """A slice was stored; slices follow each other at once."""
        now = self._clock()
        if self._last is not None:
            seconds = now - self._last
            if seconds > _TOO_LONG:
                self.rows = max(_FEWEST, self.rows // 2)
            elif seconds < _SHORT:
                self.rows = min(SLICE, self.rows * 2)
        self._last = now


def slices(rows: Iterable[NumberedRow], slice_size: SliceSize) -> Iterator[Slice]:
    """Yield the rows in slices of the size that is right at the moment."""
    slice_: Slice = []
    characters = 0
    for row in rows:
        slice_.append(row)
        characters += sum(map(len, row.cells))
        if len(slice_) >= slice_size.rows or characters > _LONGEST_SLICE:
            yield slice_
            slice_, characters = [], 0
    if slice_:
        yield slice_
