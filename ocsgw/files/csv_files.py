"""CSV files (RFC 4180), as people have them, read in constant memory."""

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ocsgw.files.file_form import FileForm

# A line without an end is cut, so that it cannot fill the memory.
_LONGEST_LINE = 1 << 20


class NumberedRow(NamedTuple):
    """A row with its number in the file; the first row, with the names of the columns, has number 1.

    `cells` is a text, which says what is wrong, if the row cannot be read.
    """

    number: int
    cells: list[str] | str


class CsvReader:
    """The rows of an open file, which is closed at the end of the context.

    Rows of nothing but separators are skipped, rows shorter than the first one are filled with empty cells, and empty
    cells behind its width are left out; `skipped` and `filled` count the former two.
    """

    def __init__(self, file: BinaryIO, form: FileForm) -> None:
        self._bytes = file
        self._form = form
        self._number = 0
        self._width = 0
        self.skipped = 0
        self.filled = 0
        codec = "utf-8-sig" if form.codec == "utf-8" else form.codec
        # In UTF-8 a text may have U+FFFD of its own.
        self._is_utf8 = codec == "utf-8-sig"
        errors = "surrogateescape" if self._is_utf8 else "replace"
        self._text = io.TextIOWrapper(file, codec, errors=errors, newline="")

    def __enter__(self) -> "CsvReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._bytes.tell()

    def rows(self) -> Iterator[NumberedRow]:
        """Yield the rows, the one with the names of the columns first.

        A row that is not valid CSV is its first line only: a quote that is never closed takes no row behind it along.
        """
        taken: list[str] = []
        again: deque[str] = deque()

        def lines() -> Iterator[str]:
            while line := again.popleft() if again else self._text.readline(_LONGEST_LINE):
                taken.append(line)
                yield line

        if self._form.has_separator_line:
            self._text.readline(_LONGEST_LINE)
        reader = csv.reader(lines(), strict=True, delimiter=self._form.delimiter)
        while True:
            self._number += 1
            taken.clear()
            try:
                cells: list[str] | str = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells = _in_words(error)
                again.extendleft(reversed(taken[1:]))
                reader = csv.reader(lines(), strict=True, delimiter=self._form.delimiter)
            if isinstance(cells, list):
                text = "".join(cells)
                if not text.isascii() and self._is_broken(text):
                    cells = f"is not valid {self._form.encoding}; use --encoding"
                elif not text or text.isspace():
                    self.skipped += bool(cells)
                    continue
                elif len(cells) != self._width:
                    self._fit(cells)
            yield NumberedRow(self._number, cells)

    def _fit(self, cells: list[str]) -> None:
        """Give a row the width of the first one, as far as that loses nothing."""
        if not self._width:
            while cells and not cells[-1].strip():
                cells.pop()
            self._width = len(cells)
        elif len(cells) < self._width:
            cells += [""] * (self._width - len(cells))
            self.filled += 1
        else:
            while len(cells) > self._width and not cells[-1]:
                cells.pop()

    def _is_broken(self, text: str) -> bool:
        """Whether a text has bytes that could not be decoded."""
        if not self._is_utf8:
            return _REPLACEMENT in text
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return True
        return False


def _in_words(error: csv.Error) -> str:
    """Return what is wrong with a row, as the end of a sentence about it."""
    text = str(error)
    if text.startswith("field larger than"):
        return f"has a field of more than {csv.field_size_limit():,} characters; is a quote missing?"
    if text == "unexpected end of data":
        return "has a quote that is never closed"
    return f"is not valid CSV: {text}"


_REPLACEMENT = "\ufffd"
