"""The import of a CSV file: slices to the operator, verdicts to the user, and where to go on after an interruption."""

import argparse
import csv
import itertools
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Any

from ocsgw.ctl.csv_files import CsvReader, NumberedRow
from ocsgw.ctl.errors import EXIT_FAILURE, CommandError
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import Operator, open_operator
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.seen import SeenContacts
from ocsgw.ctl.streams import shown

SLICE = 1000
_FEWEST = 250
# Characters; a slice of long rows has fewer of them.
_LONGEST_SLICE = 1 << 20
# One slice is prepared while another one is stored.
_IN_FLIGHT = 2
# More lines on a terminal nobody reads.
_MOST_LINES = 20

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


class _Verdicts:
    """Tells the user what became of rows: in a CSV file, or as lines on standard error."""

    def __init__(self, file: IO[str] | None, progress: Progress, *, is_new: bool) -> None:
        self._file = file
        self._writer = csv.writer(file) if file is not None else None
        self._progress = progress
        self._left = _MOST_LINES if sys.stderr.isatty() else None
        if self._writer is not None and is_new:
            self._writer.writerow(("row", "verdict", "reason"))

    def tell(self, slice_: Slice, verdicts: Iterable[tuple[int, str, str]]) -> None:
        """Tell the verdicts of one slice; each has the place of the row in the slice."""
        for at, name, reason in verdicts:
            number = slice_[at].number
            if self._writer is not None:
                self._writer.writerow((number, name, reason))
            elif self._left != 0:
                self._say(f"row {number}: {name}: {reason}")
        if self._file is not None:
            self._file.flush()

    def _say(self, line: str) -> None:
        self._progress.clear()
        sys.stderr.write(f"{line}\n")
        if self._left is not None:
            self._left -= 1
            if not self._left:
                sys.stderr.write("further rows are told only with --verdicts FILE\n")


def import_file(installation: Installation, arguments: argparse.Namespace, calling_list: str | None) -> int:
    """Import a file into a list, or into the do-not-call table; return 1 if a row was refused, else 0."""
    with (
        CsvReader(arguments.file, arguments.encoding) as file,
        open_operator(installation) as operator,
        ExitStack() as stack,
    ):
        fingerprint = file.fingerprint()
        rows = file.rows()
        header = next(rows, None)
        if header is None or isinstance(header.cells, str):
            wrong = "is empty" if header is None else header.cells
            raise CommandError(f"{shown(arguments.file)}: the first row, which names the columns, {wrong}")
        common = {
            "header": header.cells,
            "fingerprint": fingerprint,
            "file": shown(arguments.file),
            "calling_list": calling_list,
            "duplicates": arguments.duplicates,
            "ignore_unknown": arguments.ignore_unknown,
            "dry_run": arguments.dry_run,
        }
        begun = operator.call("begin import", **common, again=arguments.again)
        if begun["ignored"]:
            sys.stderr.write(f"columns that are not read: {', '.join(begun['ignored'])}\n")
        counts = Counter(begun["counts"])
        if begun["finished_at"] is not None:
            print(f"{shown(arguments.file)} has been imported before: {_summary(counts)}; --again imports it once more")
            return EXIT_FAILURE if counts["refused"] else 0
        if begun["rows"]:
            print(f"going on behind the {begun['rows']} rows that are stored already")
            rows = itertools.islice(rows, begun["rows"], None)
        progress = Progress()
        if (
            arguments.verdicts
            and os.path.exists(arguments.verdicts)
            and os.path.samefile(arguments.verdicts, arguments.file)
        ):
            raise CommandError("--verdicts names the file that is imported; give it another one")
        verdict_file = _open_verdicts(stack, arguments.verdicts, goes_on=bool(begun["rows"]))
        verdicts = _Verdicts(verdict_file, progress, is_new=not begun["rows"])
        handled = 0
        try:
            seen = None
            if arguments.dry_run and arguments.duplicates != "add" and begun["contact_at"] is not None:
                seen = _Seen(stack, begun["contact_at"])
            for slice_, result in _transfer(operator, common, rows, begun["rows"], seen):
                counts.update(result["counts"])
                handled += len(slice_)
                verdicts.tell(slice_, result["verdicts"])
                progress.show(handled, file.position / file.size if file.size else 1.0)
        finally:
            progress.clear()
    would = "dry run, nothing was changed; it would be: " if arguments.dry_run else ""
    seconds = progress.seconds
    print(f"{would}{_summary(counts)} ({seconds:.1f} s, {handled / max(seconds, 1e-9):.0f} rows/s)")
    return EXIT_FAILURE if counts["refused"] else 0


def _transfer(
    operator: Operator, common: dict[str, Any], rows: Iterator[NumberedRow], first: int, seen: "_Seen | None"
) -> Iterator[tuple[Slice, Any]]:
    """Send the rows and yield each slice with its result."""
    sent: deque[Slice] = deque()
    slice_size = SliceSize()
    # The last slice, empty, says that all rows are there.
    for slice_ in itertools.chain(_slices(rows, slice_size), ([],)):
        cells = [each.cells for each in slice_]
        places = seen.places(slice_) if seen is not None else []
        operator.send("import", **common, first=first, rows=cells, last=not slice_, seen=places)
        first += len(slice_)
        sent.append(slice_)
        if len(sent) == _IN_FLIGHT or seen is not None:
            result = operator.receive()
            slice_size.stored()
            if seen is not None:
                seen.add(slice_, result["verdicts"])
            yield sent.popleft(), result
    while sent:
        yield sent.popleft(), operator.receive()


class _Seen:
    """Contacts of earlier slices of a dry run; refused rows do not count."""

    def __init__(self, stack: ExitStack, contact_at: int) -> None:
        self._contact_at = contact_at
        self._contacts = SeenContacts()
        stack.callback(self._contacts.close)

    def places(self, slice_: Slice) -> list[int]:
        return self._contacts.places([self._contact_of(each) for each in slice_])

    def add(self, slice_: Slice, verdicts: Iterable[tuple[int, str, str]]) -> None:
        refused = {at for at, name, _ in verdicts if name == "refused"}
        self._contacts.add([self._contact_of(each) for at, each in enumerate(slice_) if at not in refused])

    def _contact_of(self, row: NumberedRow) -> str:
        short = isinstance(row.cells, str) or len(row.cells) <= self._contact_at
        return "" if short else row.cells[self._contact_at]


def _slices(rows: Iterable[NumberedRow], slice_size: SliceSize) -> Iterator[Slice]:
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


def _open_verdicts(stack: ExitStack, path: str | None, *, goes_on: bool) -> IO[str] | None:
    if path is None:
        return None
    try:
        return stack.enter_context(open(path, "a" if goes_on else "w", encoding="utf-8", newline=""))
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error


def _summary(counts: Counter[str]) -> str:
    rows = sum(counts.values())
    parts = ", ".join(f"{counts[name]} {name}" for name in ("added", "replaced", "skipped", "refused"))
    return f"{rows} rows: {parts}"
