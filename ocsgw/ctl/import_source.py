"""The file of an import: recognized, looked at as a whole, and asked about before anything is changed."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from ocsgw.ctl.csv_files import CsvReader, NumberedRow
from ocsgw.ctl.errors import EXIT_USAGE, CommandError
from ocsgw.ctl.file_form import FileForm, fingerprint, open_regular, recognize
from ocsgw.ctl.operator import Operator
from ocsgw.ctl.output import rows_were
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.streams import shown

# So many contacts are asked about at once.
_CONTACTS = 1000
# More than every hundredth row whose contact is there already is no accident; a single one may be, in a longer file.
_FEW = 100
# It is not counted further than to this number.
_ENOUGH = 100_000
_DECIMAL_COMMAS = {"comma": True, "point": False}


@dataclass(slots=True)
class Source:
    """A file that is being imported: its form, the hash of its contents, its head and the rows behind it."""

    form: FileForm
    digest: str
    header: list[str]
    rows: Iterator[NumberedRow]
    has_decimal_comma: bool
    reader: CsvReader
    size: int

    @property
    def done(self) -> float:
        """Which part of the file has been read, from 0 to 1."""
        return self.reader.position / self.size if self.size else 1.0


@contextmanager
def open_source(arguments: argparse.Namespace) -> Iterator[Source]:
    """Open the file of an import and look at all of it. Raises `CommandError`."""
    file = open_regular(arguments.file)
    with closing(file):
        size = os.fstat(file.fileno()).st_size
        form = recognize(arguments.file, file, arguments.encoding, arguments.delimiter)
        progress = Progress()
        try:
            digest = fingerprint(
                arguments.file,
                file,
                form,
                is_partial=arguments.partial,
                show=lambda done: progress.show(0, done / size if size else 1.0),
            )
        finally:
            progress.clear()
        reader = CsvReader(file, form)
        rows = reader.rows()
        header = _mapped(_header(arguments.file, rows), arguments.map or ())
        commas = _DECIMAL_COMMAS.get(arguments.decimal or "", form.delimiter == ";")
        yield Source(form, digest, header, rows, commas, reader, size)


def _header(path: str, rows: Iterator[NumberedRow]) -> list[str]:
    first = next(rows, None)
    if first is None or isinstance(first.cells, str):
        wrong = "is empty" if first is None else first.cells
        raise CommandError(f"{shown(path)}: the first row, which names the columns, {wrong}")
    return first.cells


def _mapped(header: list[str], pairs: "list[str] | tuple[()]") -> list[str]:
    """Return the names of the columns with those that the user has said put in place. Raises `CommandError`."""
    names = list(header)
    places = {_plain(name): at for at, name in reversed(list(enumerate(header)))}
    for pair in pairs:
        name, equals, column = pair.rpartition("=")
        if not equals or not name.strip() or not column.strip():
            raise CommandError(f"--map {pair!r} is not NAME=COLUMN, for example Telefon=GSW_PHONE", EXIT_USAGE)
        at = places.get(_plain(name))
        if at is None:
            raise CommandError(f"--map {pair!r}: the file has no column {name!r}; it has {', '.join(header)}")
        names[at] = column.strip()
    return names


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def say_how_read(source: Source, looked: dict[str, Any]) -> None:
    """Say what was recognized, before it is used."""
    commas = ", decimal commas" if source.has_decimal_comma else ""
    sys.stderr.write(f"recognized: {source.form.in_words()}{commas}\n")
    read_as = [
        f"{name.strip()} -> {column}" if name.strip() != column else column
        for name, column in zip(source.header, looked["read_as"], strict=True)
        if column is not None
    ]
    sys.stderr.write(f"columns: {', '.join(read_as)}\n")
    if looked["ignored"]:
        sys.stderr.write(f"columns that are not read: {', '.join(looked['ignored'])}\n")


def say_what_was_mended(source: Source) -> None:
    """Say how many rows were skipped or filled."""
    if source.reader.skipped:
        sys.stderr.write(f"{rows_were(source.reader.skipped)} skipped, with nothing but separators\n")
    if source.reader.filled:
        sys.stderr.write(f"{rows_were(source.reader.filled)} shorter than the first one; empty cells were added\n")


def refuse_known_contacts(
    operator: Operator, arguments: argparse.Namespace, calling_list: str, contact_at: int | None
) -> None:
    """Count the contacts that the list has already. Raises `CommandError` if they are more than a few.

    The file is read by itself for that; nothing is changed.
    """
    if contact_at is None:
        return
    known = rows = 0
    example = ""
    progress = Progress()
    try:
        with open_source(arguments) as source:
            for numbered in _slices(source.rows, contact_at):
                found = operator.call(
                    "known contacts", calling_list=calling_list, contacts=[contact for _, contact in numbered]
                )
                if found is None:
                    return
                rows += len(numbered)
                known += len(found)
                if found and not example:
                    at, record_id = found[0]
                    example = f"row {numbered[at][0]} has that of record {record_id}"
                progress.show(rows, source.done)
                if known >= _ENOUGH:
                    break
    finally:
        progress.clear()
    if not known:
        return
    count = f"{known} of {rows} rows have contacts" if known != 1 else f"1 of {rows} rows has a contact"
    text = f"{count} that the list has already ({example})"
    if known * _FEW <= rows or (known == 1 and rows > 2 * known):
        sys.stderr.write(f"{text}; they are added as further records, --duplicates skip leaves them out\n")
        return
    raise CommandError(
        f"{text}. Nothing was imported. Say what to do with them: --duplicates skip leaves them out, --duplicates "
        "update writes what the rows have over the records, --duplicates add adds further records"
    )


def _slices(rows: Iterator[NumberedRow], contact_at: int) -> Iterator[list[tuple[int, str]]]:
    """Yield number and contact of the rows that can be read, so many at once."""
    slice_: list[tuple[int, str]] = []
    for number, cells in rows:
        if isinstance(cells, str) or len(cells) <= contact_at:
            continue
        slice_.append((number, cells[contact_at]))
        if len(slice_) == _CONTACTS:
            yield slice_
            slice_ = []
    if slice_:
        yield slice_
