"""The import of a CSV file: slices to the operator, verdicts to the user, and where to go on after an interruption."""

import argparse
import hashlib
import itertools
import json
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from ocsgw.ctl.csv_files import NumberedRow
from ocsgw.ctl.errors import EXIT_FAILURE, CommandError
from ocsgw.ctl.import_source import Source, open_source, refuse_known_contacts, say_how_read, say_what_was_mended
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import Operator, open_operator
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.seen import SeenContacts
from ocsgw.ctl.streams import shown
from ocsgw.ctl.verdicts import Verdicts

SLICE = 1000
_FEWEST = 250
# Characters; a slice of long rows has fewer of them.
_LONGEST_SLICE = 1 << 20
# One slice is prepared while another one is stored.
_IN_FLIGHT = 2
_NAMES = ("added", "updated", "replaced", "skipped", "refused")

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


def import_file(installation: Installation, arguments: argparse.Namespace, calling_list: str | None) -> int:
    """Import a file into a list, or into the do-not-call table; return 1 if a row was refused, else 0."""
    with ExitStack() as stack:
        source = stack.enter_context(open_source(arguments))
        operator = stack.enter_context(open_operator(installation))
        common = {
            "header": source.header,
            "fingerprint": _identity(source, arguments),
            "file": shown(arguments.file),
            "calling_list": calling_list,
            # What is asked about first is added, if the user was not stopped.
            "duplicates": arguments.duplicates or "add",
            "ignore_unknown": arguments.ignore_unknown,
            "dry_run": arguments.dry_run,
            "decimal_comma": source.has_decimal_comma,
            "day_first": arguments.day_first,
            "raw": arguments.raw,
            "strict_phones": arguments.strict_phones,
        }
        looked = operator.call("begin import", **common, look=True, again=arguments.again)
        say_how_read(source, looked)
        counts = Counter(looked["counts"])
        if looked["finished_at"] is not None:
            if arguments.json:
                print(json.dumps({"import": looked["number"], "imported_before": True, "counts": counts}))
                return EXIT_FAILURE if counts["refused"] else 0
            print(
                f"{shown(arguments.file)} has been imported before{_numbered(looked)}: {_summary(counts)}; to import "
                "it once more use --again, with --duplicates"
            )
            return EXIT_FAILURE if counts["refused"] else 0
        _check_verdict_file(arguments)
        if calling_list is not None and arguments.duplicates is None and not looked["rows"]:
            refuse_known_contacts(operator, arguments, calling_list, looked["contact_at"])
        begun = operator.call("begin import", **common, again=arguments.again)
        return _carry_on(stack, operator, source, arguments, common, begun)


def _carry_on(
    stack: ExitStack,
    operator: Operator,
    source: Source,
    arguments: argparse.Namespace,
    common: dict[str, Any],
    begun: dict[str, Any],
) -> int:
    """Send the rows from where the import has come to; report what became of them."""
    rows = source.rows
    if begun["rows"]:
        out = sys.stderr if arguments.json else sys.stdout
        print(f"going on behind the {begun['rows']} rows that are stored already", file=out)
        rows = itertools.islice(rows, begun["rows"], None)
    counts = Counter(begun["counts"])
    progress = Progress()
    verdicts = Verdicts(stack, arguments.verdicts, progress, goes_on=bool(begun["rows"]))
    handled = 0
    try:
        seen = None
        if arguments.dry_run and common["duplicates"] != "add" and begun["contact_at"] is not None:
            seen = _Seen(stack, begun["contact_at"], begun["country"])
        for slice_, result in _transfer(operator, common, rows, begun["rows"], seen):
            counts.update(result["counts"])
            handled += len(slice_)
            verdicts.report(slice_, result["verdicts"])
            progress.show(handled, source.done)
    finally:
        progress.clear()
    verdicts.summarize()
    say_what_was_mended(source)
    if arguments.json:
        number = None if arguments.dry_run else begun["number"]
        summary = {"import": number, "dry_run": arguments.dry_run, "counts": counts, "reasons": verdicts.reasons()}
        print(json.dumps(summary, ensure_ascii=False))
        return EXIT_FAILURE if counts["refused"] else 0
    would = "dry run, nothing was changed; it would be: " if arguments.dry_run else ""
    seconds = progress.seconds
    print(f"{would}{_summary(counts)} ({seconds:.1f} s, {handled / max(seconds, 1e-9):.0f} rows/s)")
    if begun["number"] is not None and not arguments.dry_run:
        family = "dnc" if common["calling_list"] is None else "list"
        print(f"this was import {begun['number']}; ocsctl {family} import --undo {begun['number']} takes it back")
    return EXIT_FAILURE if counts["refused"] else 0


def _identity(source: Source, arguments: argparse.Namespace) -> str:
    """Return what makes two imports the same: the contents of the file, and everything that says how they are read."""
    options = (
        source.form.codec,
        source.form.delimiter,
        source.has_decimal_comma,
        sorted(arguments.map or ()),
        *(getattr(arguments, name) for name in ("duplicates", "ignore_unknown", "partial", "day_first", "raw")),
        arguments.strict_phones,
    )
    return hashlib.sha256(f"{source.digest} {options!r}".encode()).hexdigest()


def _check_verdict_file(arguments: argparse.Namespace) -> None:
    path = arguments.verdicts
    if path and os.path.exists(path) and os.path.samefile(path, arguments.file):
        raise CommandError("--verdicts names the file that is imported; give it another one")


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

    def __init__(self, stack: ExitStack, contact_at: int, country: str) -> None:
        self._contact_at = contact_at
        self._contacts = SeenContacts(country)
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


def _numbered(begun: dict[str, Any]) -> str:
    return f" as import {begun['number']}" if begun["number"] is not None else ""


def _summary(counts: Counter[str]) -> str:
    rows = sum(counts.values())
    names = [name for name in _NAMES if counts[name] or name != "updated"]
    return f"{rows} rows: {', '.join(f'{counts[name]} {name}' for name in names)}"
