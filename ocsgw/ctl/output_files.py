"""Files that a command writes: there once everything is in them, in the place and with the mode that they had."""

import csv
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

from ocsgw.ctl.errors import CommandError
from ocsgw.ctl.output import in_json
from ocsgw.ctl.streams import shown
from ocsgw.files.encodings import codec_of

STANDARD = "-"


class RowWriter:
    """Rows on their way into a file, as CSV below their `header`, or each as an object of JSON on a line of its own."""

    def __init__(self, stream: IO[str], header: Sequence[str], *, as_json: bool) -> None:
        self._stream = stream
        self._header = header
        self._csv = csv.writer(stream) if not as_json else None
        if self._csv is not None:
            self.write([header])

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows. Raises `CommandError` for a character that the encoding of the file lacks."""
        try:
            if self._csv is not None:
                self._csv.writerows(rows)
                return
            for row in rows:
                self._stream.write(f"{in_json(dict(zip(self._header, row, strict=True)))}\n")
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            raise CommandError(f"{error.encoding} has no character {character!r}; use --encoding utf-8") from None


@contextmanager
def open_rows(path: str, encoding: str, header: Sequence[str], *, as_json: bool = False) -> Iterator[RowWriter]:
    """Give a writer of rows for a file, or for standard output. Raises `CommandError` or `FileOptionError`.

    A byte order mark is written if the encoding has one in its name or by its nature: utf-8-sig, utf-16.
    """
    codec = codec_of(encoding)
    if path == STANDARD:
        sys.stdout.reconfigure(encoding=codec, errors="strict", newline="")  # type: ignore[union-attr]  # Python's own
        yield RowWriter(sys.stdout, header, as_json=as_json)
        sys.stdout.flush()
        return
    with replaced(path) as target, open(target, "w", encoding=codec, newline="") as stream:
        yield RowWriter(stream, header, as_json=as_json)


@contextmanager
def replaced(path: str, mode: int | None = None) -> Iterator[str]:
    """Give the path to write to, which takes the place of `path` when the block ends without an exception.

    A device or a pipe is written to directly, a symbolic link stays and its target is replaced, and a file that was
    there before keeps its mode; a new one gets `mode`. Raises `CommandError`.
    """
    place = os.path.realpath(path)
    try:
        before = _mode_of(place)
        if before is not None and not stat.S_ISREG(before):
            if stat.S_ISDIR(before):
                raise CommandError(f"cannot write {shown(path)}: it is a directory")
            yield place
            return
        descriptor, part = tempfile.mkstemp(prefix=".ocsctl-", dir=os.path.dirname(place))
        os.close(descriptor)
        try:
            usual = mode if mode is not None else 0o666 & ~_umask()
            os.chmod(part, stat.S_IMODE(before) if before is not None else usual)
            yield part
            _synchronize(part)
            os.replace(part, place)
            _synchronize(os.path.dirname(place))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise CommandError(f"cannot write {shown(path)}: {error.strerror or error}") from error


def _mode_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _synchronize(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
