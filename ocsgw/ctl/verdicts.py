"""What became of the rows of a file: the first ones on the terminal, the rest by numbers, all of them in a file."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import IO

from ocsgw.ctl.errors import CommandError
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.streams import shown
from ocsgw.files.csv_files import NumberedRow
from ocsgw.files.verdicts import VerdictBook

_MOST_LINES = 20
_MOST_OTHER_LINES = 5
_MOST_REASONS = 20


class Verdicts:
    """Reports the first verdicts as lines on standard error, all of them to a CSV file if there is one."""

    def __init__(self, stack: ExitStack, path: str | None, progress: Progress, *, goes_on: bool) -> None:
        self._progress = progress
        self._lines = self._shown = 0
        # What is wrong must not drown in what is as it was asked for.
        self._left = {True: _MOST_LINES, False: _MOST_OTHER_LINES}
        self._path = path
        self._book = VerdictBook(_open(stack, path, goes_on=goes_on), goes_on=goes_on)

    def report(self, slice_: Sequence[NumberedRow], verdicts: Iterable[tuple[int, str, str]]) -> None:
        """Report the verdicts of one slice; each has the place of the row in the slice."""
        for each in self._book.note(slice_, verdicts):
            self._lines += 1
            if self._left[each.is_wrong]:
                self._left[each.is_wrong] -= 1
                self._shown += 1
                self._progress.clear()
                sys.stderr.write(f"row {each.number}: {each.name}: {each.reason}\n")

    def reasons(self) -> list[dict[str, object]]:
        """Return how many rows there were for each verdict and reason."""
        return [
            {"verdict": name, "reason": reason, "rows": count}
            for (name, reason), count in self._book.reasons.most_common()
        ]

    def summarize(self) -> None:
        """Report how many rows there were for each reason, if not all of them were reported."""
        if self._lines == self._shown:
            return
        where = (
            f"all of them are in {shown(self._path)}" if self._path is not None else "--verdicts FILE has all of them"
        )
        sys.stderr.write(f"... {self._lines - self._shown} more; {where}. By reason:\n")
        reasons = self._book.reasons
        for (name, reason), count in reasons.most_common(_MOST_REASONS):
            sys.stderr.write(f"{count:>9}  {name}: {reason}\n")
        if len(reasons) > _MOST_REASONS:
            sys.stderr.write(f"           and {len(reasons) - _MOST_REASONS} further reasons\n")


def _open(stack: ExitStack, path: str | None, *, goes_on: bool) -> IO[str] | None:
    if path is None:
        return None
    try:
        return stack.enter_context(open(path, "a" if goes_on else "w", encoding="utf-8", newline=""))
    except OSError as error:
        raise CommandError(f"cannot write {shown(path)}: {error.strerror}") from error
