"""What became of the rows of a file: counted by reason, and written into a CSV file if there is one."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

from ocsgw.files.csv_files import NumberedRow

_COLUMNS = ("row", "verdict", "reason")
_NUMBER = re.compile(r"\b\d+(?:,\d{3})*\b")


class NumberedVerdict(NamedTuple):
    """What became of a row by its number in the file; rows that were simply added have none."""

    number: int
    name: str
    reason: str

    @property
    def is_wrong(self) -> bool:
        """Whether somebody should look at it; else it is as it was asked for."""
        return self.name == "refused" or "warning" in self.reason


class VerdictBook:
    """Keeps account of verdicts. `stream` gets them as CSV, with a head unless it `goes_on`."""

    def __init__(self, stream: IO[str] | None, *, goes_on: bool = False) -> None:
        self.reasons: Counter[tuple[str, str]] = Counter()
        self._stream = stream
        self._writer = csv.writer(stream) if stream is not None else None
        if self._writer is not None and not goes_on:
            self._writer.writerow(_COLUMNS)

    def note(
        self, slice_: Sequence[NumberedRow], verdicts: Iterable[tuple[int, str, str]]
    ) -> Iterator[NumberedVerdict]:
        """Note the verdicts of one slice, each with the place of the row in the slice; yield them."""
        for at, name, reason in verdicts:
            verdict = NumberedVerdict(slice_[at].number, name, reason)
            self.reasons[name, kind_of(reason)] += 1
            if self._writer is not None:
                self._writer.writerow(verdict)
            yield verdict
        if self._stream is not None:
            self._stream.flush()


def kind_of(reason: str) -> str:
    """Return a reason without what differs from row to row."""
    return _NUMBER.sub("N", reason.partition(": '")[0])
