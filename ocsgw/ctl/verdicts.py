"""What became of the rows of a file: the first ones on the terminal, the rest by numbers, all of them in a file."""

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import IO

from ocsgw.ctl.csv_files import NumberedRow
from ocsgw.ctl.errors import CommandError
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.streams import shown

_MOST_LINES = 20
_MOST_OTHER_LINES = 5
_MOST_REASONS = 20
_COLUMNS = ("row", "verdict", "reason")
_NUMBER = re.compile(r"\b\d+\b")


class Verdicts:
    """Reports the first verdicts as lines on standard error, all of them to a CSV file if there is one."""

    def __init__(self, stack: ExitStack, path: str | None, progress: Progress, *, goes_on: bool) -> None:
        self._progress = progress
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._lines = self._shown = 0
        self._left = {"wrong": _MOST_LINES, "as asked for": _MOST_OTHER_LINES}
        self._path = path
        self._file = _open(stack, path, goes_on=goes_on)
        self._writer = csv.writer(self._file) if self._file is not None else None
        if self._writer is not None and not goes_on:
            self._writer.writerow(_COLUMNS)

    def report(self, slice_: Sequence[NumberedRow], verdicts: Iterable[tuple[int, str, str]]) -> None:
        """Report the verdicts of one slice; each has the place of the row in the slice."""
        for at, name, reason in verdicts:
            number = slice_[at].number
            self._reasons[name, kind_of(reason)] += 1
            if self._writer is not None:
                self._writer.writerow((number, name, reason))
            self._lines += 1
            # What is wrong must not drown in what is as it was asked for.
            kind = "wrong" if name == "refused" or "warning" in reason else "as asked for"
            if self._left[kind]:
                self._left[kind] -= 1
                self._shown += 1
                self._progress.clear()
                sys.stderr.write(f"row {number}: {name}: {reason}\n")
        if self._file is not None:
            self._file.flush()

    def reasons(self) -> list[dict[str, object]]:
        """Return how many rows there were for each verdict and reason."""
        return [
            {"verdict": name, "reason": reason, "rows": count} for (name, reason), count in self._reasons.most_common()
        ]

    def summarize(self) -> None:
        """Report how many rows there were for each reason, if not all of them were reported."""
        if self._lines == self._shown:
            return
        where = (
            f"all of them are in {shown(self._path)}" if self._path is not None else "--verdicts FILE has all of them"
        )
        sys.stderr.write(f"... {self._lines - self._shown} more; {where}. By reason:\n")
        for (name, reason), count in self._reasons.most_common(_MOST_REASONS):
            sys.stderr.write(f"{count:>9}  {name}: {reason}\n")
        if len(self._reasons) > _MOST_REASONS:
            sys.stderr.write(f"           and {len(self._reasons) - _MOST_REASONS} further reasons\n")


def kind_of(reason: str) -> str:
    """Return a reason without what differs from row to row."""
    return _NUMBER.sub("N", reason.partition(": '")[0])


def _open(stack: ExitStack, path: str | None, *, goes_on: bool) -> IO[str] | None:
    if path is None:
        return None
    try:
        return stack.enter_context(open(path, "a" if goes_on else "w", encoding="utf-8", newline=""))
    except OSError as error:
        raise CommandError(f"cannot write {shown(path)}: {error.strerror}") from error
