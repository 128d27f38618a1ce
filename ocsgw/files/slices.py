"""Rows in slices, each of which becomes one transaction."""

from collections.abc import Iterable, Iterator

from ocsgw.files.csv_files import NumberedRow

FIRST = 400
_FEWEST = 400
_MOST = 1000
# Characters; a slice of long rows has fewer of them.
_LONGEST_SLICE = 1 << 20
# Requests of clients wait for a slice (seconds).
_WANTED = 0.01

Slice = list[NumberedRow]


class SliceSize:
    """How many rows a slice has: so many that clients of the server hardly notice how long it takes."""

    def __init__(self) -> None:
        self.rows = FIRST

    def stored(self, rows: int, seconds: float) -> None:
        """A slice of so many rows was stored, for which others have waited so long."""
        if rows >= _FEWEST:
            wanted = rows * _WANTED / max(seconds, 1e-6)
            # One that was slow by accident makes less difference than several.
            self.rows = round(min(max(wanted, self.rows / 2, _FEWEST), self.rows * 1.25, _MOST))


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
