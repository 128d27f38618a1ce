"""CSV files (RFC 4180), read in constant memory."""

import csv
import hashlib
import io
import os
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ocsgw.ctl.encodings import codec_of
from ocsgw.ctl.errors import CommandError

# A line without an end is cut, so that it cannot fill the memory.
_LONGEST_LINE = 1 << 20
_BLOCK = 1 << 20


class NumberedRow(NamedTuple):
    """A row with its number in the file; the first row, with the names of the columns, has number 1.

    `cells` is a text, which says what is wrong, if the row cannot be read.
    """

    number: int
    cells: list[str] | str


class CsvReader:
    """A file to be read. Raises `CommandError` if that is not possible."""

    def __init__(self, path: str, encoding: str) -> None:
        codec = codec_of(encoding).replace("utf-8", "utf-8-sig")
        self._encoding = encoding
        try:
            # Not opened with a context manager: the reader is one.
            self._bytes = open(path, "rb")  # noqa: SIM115
            self.size = os.fstat(self._bytes.fileno()).st_size
            if not self._bytes.seekable():
                raise CommandError(f"{path} is no file; an import reads a file, so that it can go on if interrupted")
        except OSError as error:
            raise CommandError(f"cannot read {path}: {error.strerror}") from error
        self.path = path
        self._number = 0
        self._text = io.TextIOWrapper(self._bytes, codec, errors="surrogateescape", newline="")

    def __enter__(self) -> "CsvReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._bytes.tell()

    def fingerprint(self) -> str:
        """Return the SHA-256 of the contents."""
        digest = hashlib.sha256()
        self._bytes.seek(0)
        while block := self._bytes.read(_BLOCK):
            digest.update(block)
        self._bytes.seek(0)
        return digest.hexdigest()

    def rows(self) -> Iterator[NumberedRow]:
        """Yield the rows, the one with the names of the columns first; empty rows are passed over.

        A row that is no CSV is its first line only: a quote that is never closed takes no row behind it along.
        """
        taken: list[str] = []
        again: deque[str] = deque()

        def lines() -> Iterator[str]:
            while line := again.popleft() if again else self._text.readline(_LONGEST_LINE):
                taken.append(line)
                yield line

        reader = csv.reader(lines(), strict=True)
        while True:
            self._number += 1
            taken.clear()
            try:
                cells: list[str] | str = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells = f"is no CSV: {error}"
                again.extendleft(reversed(taken[1:]))
                reader = csv.reader(lines(), strict=True)
            except UnicodeDecodeError as error:
                raise CommandError(f"{self.path}, row {self._number}: {error}; use --encoding") from error
            if isinstance(cells, list) and _has_surrogates(cells):
                cells = f"is not valid {self._encoding}; use --encoding"
            if cells:
                yield NumberedRow(self._number, cells)


def _has_surrogates(cells: Sequence[str]) -> bool:
    """Whether a row has bytes that could not be decoded."""
    text = "".join(cells)
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
