"""The import of a CSV file: slices to the operator, verdicts to the user, and where to go on after an interruption."""

import argparse
import itertools
import json
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from ocsgw.ctl.errors import EXIT_FAILURE, CommandError
from ocsgw.ctl.import_source import open_source, refuse_known_contacts, say_how_read, say_what_was_mended
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import Operator, open_operator
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.streams import shown
from ocsgw.ctl.verdicts import Verdicts
from ocsgw.files.csv_files import NumberedRow
from ocsgw.files.seen import SeenContacts
from ocsgw.files.slices import Slice, SliceSize, slices
from ocsgw.files.source import Source
from ocsgw.operations.parts import in_parts

# The next slice is prepared while one is stored.
_IN_FLIGHT = 2
# A slice of a dry run is looked at as a whole.
_ROWS_OF_DRY_RUN = 1000
_NAMES = ("added", "updated", "replaced", "skipped", "refused")


def import_file(installation: Installation, arguments: argparse.Namespace, calling_list: str | None) -> int:
    """Import a file into a list, or into the do-not-call table; return 1 if a row was refused, else 0."""
    with ExitStack() as stack:
        source = stack.enter_context(open_source(arguments))
        operator = stack.enter_context(open_operator(installation))
        common = source.arguments(calling_list, dry_run=arguments.dry_run)
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
            seen = SeenContacts(begun["contact_at"], begun["country"])
            stack.callback(seen.close)
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


def _check_verdict_file(arguments: argparse.Namespace) -> None:
    path = arguments.verdicts
    if path and os.path.exists(path) and os.path.samefile(path, arguments.file):
        raise CommandError("--verdicts names the file that is imported; give it another one")


def _transfer(
    operator: Operator, common: dict[str, Any], rows: Iterator[NumberedRow], first: int, seen: SeenContacts | None
) -> Iterator[tuple[Slice, Any]]:
    """Send the rows and yield each slice with its result."""
    sent: deque[Slice] = deque()
    slice_size = SliceSize(_ROWS_OF_DRY_RUN) if common["dry_run"] else SliceSize()
    received = time.monotonic()
    # The last slice, empty, says that all rows are there.
    for slice_ in itertools.chain(slices(rows, slice_size), ([],)):
        parts = in_parts([each.cells for each in slice_])
        places = seen.places(slice_) if seen is not None else []
        operator.send("import", **common, first=first, parts=parts, last=not slice_, seen=places)
        first += len(slice_)
        sent.append(slice_)
        if len(sent) == _IN_FLIGHT or seen is not None:
            result = operator.receive()
            stored = sent.popleft()
            before, received = received, time.monotonic()
            slice_size.stored(len(stored), received - before)
            if seen is not None:
                seen.add(stored, result["verdicts"])
            yield stored, result
    while sent:
        yield sent.popleft(), operator.receive()


def _numbered(begun: dict[str, Any]) -> str:
    return f" as import {begun['number']}" if begun["number"] is not None else ""


def _summary(counts: Counter[str]) -> str:
    rows = sum(counts.values())
    names = [name for name in _NAMES if counts[name] or name != "updated"]
    return f"{rows} rows: {', '.join(f'{counts[name]} {name}' for name in names)}"
