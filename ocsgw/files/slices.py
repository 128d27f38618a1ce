"""Rows in slices; whoever stores one begins a further transaction in it when others wait (`operations/imports.py`)."""

from collections.abc import Iterable, Iterator

from ocsgw.files.csv_files import NumberedRow

_FIRST, _FEWEST, _MOST = 2000, 500, 8000
# Characters; a slice of long rows has fewer of them.
_LONGEST_SLICE = 1 << 20
# Who watches an import sees it go on so often, at least (seconds).
_WANTED = 0.5

Slice = list[NumberedRow]


class SliceSize:
    """How many rows a slice has: the more, the less it costs to store a row of it."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self.rows = min(_FIRST, most)

    def stored(self, rows: int, seconds: float) -> None:
        """A slice of so many rows has taken so long."""
        if rows >= _FEWEST:
            wanted = rows * _WANTED / max(seconds, 1e-6)
            # One that was slow by accident makes less difference than several.
            self.rows = round(min(max(wanted, self.rows / 2, _FEWEST), self.rows * 2, self._most))


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
