"""How a CSV file is written: its encoding, byte order mark, `sep=` line and delimiter, recognized before it is read."""

import codecs
import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from ocsgw.files.encodings import codec_of
from ocsgw.files.errors import FileError, FileOptionError

_BLOCK = 1 << 20
_SAMPLE = 1 << 16
# Longer marks first: that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
# Files of other kinds, which people rename; what they are, and what to do.
_OTHER_KINDS = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "save it as CSV"),
    (b"\x1f\x8b", "a file compressed with gzip", "unpack it"),
    (b"%PDF", "a PDF document", "export its data as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or another document of Office", "save it as CSV"),
)
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NAMED = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "bar": "|", "space": " "}
_SEPARATOR_LINE = "sep="


@dataclass(frozen=True, slots=True)
class FileForm:
    """How a file is written; `has_separator_line` if its first line only names the delimiter."""

    codec: str
    encoding: str
    delimiter: str
    has_mark: bool
    has_separator_line: bool

    def in_words(self) -> str:
        """Return what was recognized."""
        mark = " with a byte order mark" if self.has_mark else ""
        named = " as its first line says" if self.has_separator_line else ""
        return f"{self.encoding}{mark}, cells separated by {_in_words(self.delimiter)}{named}"


def recognize(name: str, file: BinaryIO, encoding: str | None, delimiter: str | None) -> FileForm:
    """Return how a file is written. What the user has said counts; a contradiction is refused by `FileError`."""
    file.seek(0)
    sample = file.read(_SAMPLE)
    file.seek(0)
    for magic, what, advice in _OTHER_KINDS:
        if sample.startswith(magic):
            raise FileError(f"{name} is {what}, not a CSV file; {advice}")
    codec, called, has_mark = _encoding(name, sample, encoding)
    text = codecs.getincrementaldecoder(codec)("replace").decode(sample)
    first = text.lstrip("\ufeff").split("\n", 1)[0].rstrip("\r").strip('"')
    named = first[len(_SEPARATOR_LINE) :] if first.lower().startswith(_SEPARATOR_LINE) else None
    has_line = named is not None and len(named) <= 1
    if delimiter is not None:
        chosen = delimiter_of(delimiter)
    elif named is not None and len(named) == 1:
        chosen = named
    else:
        chosen = _likely_delimiter(text.split("\n", 1)[1] if has_line and "\n" in text else text)
    return FileForm(codec, called, chosen, has_mark, has_line)


def delimiter_of(text: str) -> str:
    """Return the delimiter that a user means: a character, or its name. Raises `FileOptionError`."""
    delimiter = _NAMED.get(text.lower(), text)
    if len(delimiter) != 1 or delimiter in '"\r\n\0' or delimiter.isalnum():
        raise FileOptionError(
            f"--delimiter {text!r} is not a valid delimiter; write one character, or comma, semicolon, tab or pipe"
        )
    return delimiter


def fingerprint(name: str, file: BinaryIO, form: FileForm, *, is_partial: bool, show: Callable[[int], None]) -> str:
    """Return the SHA-256 of the contents; the whole text is looked at for bytes that are not in the encoding.

    Raises `FileError` for the first of them, unless `is_partial`: then only their rows are refused.
    """
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder(form.codec)("strict")
    lines, done = 1, 0
    file.seek(0)
    while True:
        block = file.read(_BLOCK)
        digest.update(block)
        if not is_partial:
            try:
                lines += decoder.decode(block, final=not block).count("\n")
            except UnicodeError as error:
                raise FileError(_not_in_encoding(name, form, lines, error)) from None
        if not block:
            break
        done += len(block)
        show(done)
    file.seek(0)
    return digest.hexdigest()


def _encoding(name: str, sample: bytes, wanted: str | None) -> tuple[str, str, bool]:
    """Return codec, name, and whether there is a byte order mark."""
    mark = next((each for each in _MARKS if sample.startswith(each[0])), None)
    if wanted is not None:
        codec = codec_of(wanted)
        if mark is None:
            if codec in {"utf-8", "utf-8-sig"}:
                _refuse_unmarked(name, sample)
            return codec, wanted, False
        if not codec.startswith(mark[1].removesuffix("-sig")):
            raise FileError(
                f"{name} begins with the byte order mark of {mark[2]}, but --encoding says {wanted}; leave it out"
            )
        return mark[1], mark[2], True
    if mark is not None:
        return mark[1], mark[2], True
    _refuse_unmarked(name, sample)
    return "utf-8", "UTF-8", False


def _refuse_unmarked(name: str, sample: bytes) -> None:
    """Refuse a file that looks like UTF-16 without a byte order mark."""
    zeros = sample.count(0)
    if not zeros:
        return
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 4 >= len(sample) // 2:
        guess = "utf-16-be" if even > odd else "utf-16-le"
        raise FileError(f"{name} looks like UTF-16 without a byte order mark; use --encoding {guess}")


def _likely_delimiter(text: str) -> str:
    """Return the delimiter that cuts the first row into most cells, as evenly as the rows behind it."""
    best, highest = ",", (1, 0)
    for delimiter in _DELIMITERS:
        try:
            rows = [row for row in csv.reader(text.splitlines(keepends=True)[:_ROWS], delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not rows:
            continue
        width = len(rows[0])
        score = (width, sum(len(row) == width for row in rows))
        if width > 1 and score > highest:
            best, highest = delimiter, score
    return best


_ROWS = 20


def _not_in_encoding(name: str, form: FileForm, lines: int, error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError) and error.reason == _CUT_OFF:
        return (
            f"{name}, line {lines}: the file is cut off, its last character in {form.encoding} is not complete. "
            "Nothing was imported. Get the whole file, or use --partial to refuse such rows only"
        )
    where, what = f"line {lines}", "there are bytes that are"
    if isinstance(error, UnicodeDecodeError):
        newline = "\n".encode(form.codec)[-1:] if form.codec.startswith("utf-8") else b"\n"
        where = f"line {lines + error.object[: error.start].count(newline)}"
        what = f"the byte 0x{error.object[error.start]:02x} is"
    return (
        f"{name}, {where}: {what} not valid in {form.encoding}. Nothing was imported. Name the encoding of the file "
        "with --encoding (windows-1252 for most files of Windows), or use --partial to refuse such rows only"
    )


# What the decoders of UTF-16 and UTF-32 say of it.
_CUT_OFF = "truncated data"


def _in_words(delimiter: str) -> str:
    return _DELIMITERS.get(delimiter, repr(delimiter))
