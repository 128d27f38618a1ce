"""The file of an import: recognized, looked at as a whole, and what the operations of an import are told about it."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from ocsgw.files.csv_files import CsvReader, NumberedRow
from ocsgw.files.errors import FileError, FileOptionError
from ocsgw.files.file_form import FileForm, fingerprint, recognize
from ocsgw.files.options import ImportOptions

_DECIMAL_COMMAS = {"comma": True, "point": False}


@dataclass(slots=True)
class Source:
    """A file that is being imported: its form, the hash of its contents, its head and the rows behind it.

    `named` are the columns as the first row names them, `header` with those that the user has said in their place.
    """

    name: str
    form: FileForm
    digest: str
    named: list[str]
    header: list[str]
    rows: Iterator[NumberedRow]
    has_decimal_comma: bool
    reader: CsvReader
    size: int
    options: ImportOptions

    @property
    def done(self) -> float:
        """Which part of the file has been read, from 0 to 1."""
        return self.reader.position / self.size if self.size else 1.0

    def arguments(self, calling_list: str | None, *, dry_run: bool) -> dict[str, Any]:
        """Return what every operation of the import is told (`operations/imports.py`, `Import`)."""
        options = self.options
        return {
            "header": self.header,
            "fingerprint": self._identity(),
            "file": self.name,
            "calling_list": calling_list,
            # What is asked about first is added, if the user was not stopped.
            "duplicates": options.duplicates or "add",
            "ignore_unknown": options.ignore_unknown,
            "dry_run": dry_run,
            "decimal_comma": self.has_decimal_comma,
            "day_first": options.day_first,
            "raw": options.raw,
            "strict_phones": options.strict_phones,
        }

    def _identity(self) -> str:
        """Return what makes two imports the same: the contents, and everything that says how they are read."""
        options = self.options
        said = (
            self.form.codec,
            self.form.delimiter,
            self.has_decimal_comma,
            sorted(options.map),
            *(options.duplicates, options.ignore_unknown, options.partial, options.day_first, options.raw),
            options.strict_phones,
        )
        return hashlib.sha256(f"{self.digest} {said!r}".encode()).hexdigest()

    def in_words(self) -> str:
        """Return what was recognized."""
        return self.form.in_words() + (", decimal commas" if self.has_decimal_comma else "")


@contextmanager
def reading(
    name: str, file: BinaryIO, options: ImportOptions, show: Callable[[float], None] = lambda done: None
) -> Iterator[Source]:
    """Look at all of an open file and give it as the source of an import; it is closed at the end. Raises `FileError`.

    `name` is for people. `show` is called with the part of the file that was looked at, from 0 to 1.
    """
    with file:
        size = os.fstat(file.fileno()).st_size
        form = recognize(name, file, options.encoding, options.delimiter)
        digest = fingerprint(
            name, file, form, is_partial=options.partial, show=lambda done: show(done / size if size else 1.0)
        )
        reader = CsvReader(file, form)
        rows = reader.rows()
        named = _header(name, rows)
        commas = _DECIMAL_COMMAS.get(options.decimal or "", form.delimiter == ";")
        header = _mapped(named, options.map)
        yield Source(name, form, digest, named, header, rows, commas, reader, size, options)


def _header(name: str, rows: Iterator[NumberedRow]) -> list[str]:
    first = next(rows, None)
    if first is None or isinstance(first.cells, str):
        wrong = "is empty" if first is None else first.cells
        raise FileError(f"{name}: the first row, which names the columns, {wrong}")
    return first.cells


def _mapped(named: list[str], pairs: tuple[str, ...]) -> list[str]:
    """Return the names of the columns with those that the user has said put in place. Raises `FileError`."""
    names = list(named)
    places = {_plain(name): at for at, name in reversed(list(enumerate(named)))}
    for pair in pairs:
        name, equals, column = pair.rpartition("=")
        if not equals or not name.strip() or not column.strip():
            raise FileOptionError(f"--map {pair!r} is not NAME=COLUMN, for example Telefon=GSW_PHONE")
        at = places.get(_plain(name))
        if at is None:
            raise FileError(f"--map {pair!r}: the file has no column {name!r}; it has {', '.join(named)}")
        names[at] = column.strip()
    return names


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
