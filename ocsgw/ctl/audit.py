"""The audit log: `audit verify`, `audit show`."""

import argparse
import gzip
import os
import sqlite3
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ocsgw.audit.file import ChainPosition, last_lines, row_of, verify
from ocsgw.control.errors import UnreachableError
from ocsgw.ctl.arguments import amount
from ocsgw.ctl.errors import EXIT_FAILURE, CommandError
from ocsgw.ctl.families import add_command, add_family, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json, print_table
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.store_at_rest import store_at_rest
from ocsgw.ctl.streams import shown
from ocsgw.store.sqlite.transaction import open_read_only, read_audit_position

# How a compressed file begins (RFC 1952).
_GZIP = b"\x1f\x8b"

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    orders = add_family(commands, "audit", "look at the log of who changed what, and check it")
    parser = add_command(orders, "verify", verify_chain, "check that no line of the audit log was changed or removed")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="files of the log, the oldest first (that of the configuration)"
    )
    add_json(parser)
    parser = add_command(orders, "show", show, "show the newest lines of the audit log, the newest last")
    parser.add_argument("--lines", type=amount, default=20, metavar="N", help="so many of them (%(default)s)")
    parser.add_argument("--find", metavar="TEXT", help="only lines with this text")
    add_json(parser)


def show(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show the newest lines, which may be read without the server too."""
    if not installation.config.audit.enabled:
        raise CommandError("no audit log is kept; [audit] enabled is false")
    wanted = arguments.find or ""
    lines = [each for each in last_lines(installation.config.audit.file) if wanted in each][-arguments.lines :]
    if arguments.json:
        # As they are in the file: JSON already.
        for line in lines:
            print(line)
    else:
        print_table(("LINE", "UTC", "WHO", "ADDRESS", "ACTION", "WHAT"), [row_of(line) for line in lines])
    return 0


def _open(path: str) -> BinaryIO:
    """Open a file of the log; rotated ones are often compressed. Raises `OSError`, `CommandError`."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise CommandError(f"{shown(path)} is not a regular file")
    file = open(path, "rb")  # noqa: SIM115 - whoever calls closes it
    if file.read(len(_GZIP)) == _GZIP:
        file.close()
        return cast("BinaryIO", gzip.open(path, "rb"))
    file.seek(0)
    return file


def _is_whole(installation: Installation, paths: Sequence[str]) -> bool:
    """Whether the log that the server writes is among the files, so that their end is that of the log."""
    try:
        return any(os.path.samefile(path, installation.config.audit.file) for path in paths)
    except OSError:
        return False


def _stored_position(installation: Installation) -> ChainPosition | None:
    """Return the last line that the store knows; asked before the log is read, which may grow meanwhile."""
    try:
        with installation.connect() as client:
            found = client.call("operation", name="audit position", arguments={})
    except UnreachableError:
        try:
            with closing(open_read_only(store_at_rest(installation))) as connection:
                found = read_audit_position(connection)
        except (CommandError, sqlite3.Error) as error:
            sys.stderr.write(f"ocsctl: the end of the log was not compared with the store: {error}\n")
            return None
    return ChainPosition(*found) if found is not None else None


def verify_chain(installation: Installation, arguments: argparse.Namespace) -> int:
    """Verify the chain of hashes; the first bad line is reported on standard error."""
    verdict = verified(installation, arguments.files)
    if not arguments.json:
        return say_verdict(verdict)
    print_json(verdict)
    return EXIT_FAILURE if verdict["bad"] is not None else 0


def verified(installation: Installation, files: Sequence[str]) -> dict[str, Any]:
    """Return the verdict on files of the log, by default on that of the configuration.

    It has `bad`, what is wrong in words or None, the number of `lines`, `first` and `last` number, and the `sha256` of
    the last line. Raises `CommandError`.
    """
    paths = files or [installation.config.audit.file]
    stored = _stored_position(installation) if _is_whole(installation, paths) else None
    with ExitStack() as stack:
        progress = Progress(what="lines")
        stack.callback(progress.clear)
        opened = []
        for path in paths:
            try:
                file = stack.enter_context(_open(path))
                opened.append((shown(path), _lines(file, os.path.getsize(path), progress)))
            except OSError as error:
                hint = "is [audit] enabled, and is this the configuration of the server?"
                raise CommandError(f"cannot read {shown(path)}: {error.strerror}; {hint}") from error
        try:
            verdict = verify(opened, stored)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CommandError(f"a compressed file is damaged: {error}") from error
    return {
        "bad": str(verdict.bad) if verdict.bad is not None else None,
        "lines": verdict.lines,
        "first": verdict.first.number if verdict.first is not None else None,
        "last": verdict.last.number,
        "sha256": verdict.last.mark,
    }


def _lines(file: BinaryIO, size: int, progress: Progress) -> Iterator[bytes]:
    """Yield the lines of a file, and show how far it has been read; of a compressed one nobody knows the length."""
    is_known = not isinstance(file, gzip.GzipFile)
    read = 0
    for number, line in enumerate(file, 1):
        yield line
        read += len(line)
        progress.show(number, min(1.0, read / size) if is_known and size else None)


def say_verdict(verdict: dict[str, Any]) -> int:
    """Say in words what was found; return the exit status."""
    if verdict["bad"] is not None:
        sys.stderr.write(f"ocsctl: {verdict['bad']}\n")
        return EXIT_FAILURE
    if verdict["first"] is not None and verdict["first"] > 1:
        print(f"begins with line number {verdict['first']}; the lines before it are in earlier files")
    print(f"{verdict['lines']} lines, unbroken; the last is number {verdict['last']} with SHA-256 {verdict['sha256']}")
    return 0
