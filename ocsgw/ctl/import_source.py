"""The file of an import on the command line: opened, shown as recognized, asked about before anything is changed."""

import argparse
import os
import stat
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, BinaryIO

from ocsgw.ctl.errors import CommandError
from ocsgw.ctl.operator import Operator
from ocsgw.ctl.output import rows_were
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.streams import shown
from ocsgw.files.known import Contacts, KnownContacts
from ocsgw.files.options import ImportOptions
from ocsgw.files.source import Source, reading

# Questions that are sent before the first of them is answered.
_AHEAD = 2


@contextmanager
def open_source(arguments: argparse.Namespace) -> Iterator[Source]:
    """Open the file of an import and look at all of it. Raises `CommandError` or `FileError`."""
    said = {each.name: getattr(arguments, each.name) for each in fields(ImportOptions)}
    options = ImportOptions(**{**said, "map": tuple(arguments.map or ())})
    file = _open_regular(arguments.file)
    progress = Progress()
    try:
        with reading(shown(arguments.file), file, options, lambda done: progress.show(0, done)) as source:
            progress.clear()
            yield source
    finally:
        progress.clear()


def _open_regular(path: str) -> BinaryIO:
    """Open a file to be imported. Raises `CommandError` for what is not a regular file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise CommandError(
                f"{shown(path)} is not a regular file; an import reads a file, so that it can go on if interrupted"
            )
        return open(path, "rb")
    except OSError as error:
        raise CommandError(f"cannot read {shown(path)}: {error.strerror}") from error


def say_how_read(source: Source, looked: dict[str, Any]) -> None:
    """Say what was recognized, before it is used."""
    sys.stderr.write(f"recognized: {source.in_words()}\n")
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
    known = KnownContacts(contact_at)
    progress = Progress()
    try:
        with open_source(arguments) as source:
            _ask(operator, calling_list, known, source, progress)
    finally:
        progress.clear()
    text = known.in_words()
    if not text:
        return
    if known.are_few:
        sys.stderr.write(f"{text}; they are added as further records, --duplicates skip leaves them out\n")
        return
    raise CommandError(
        f"{text}. Nothing was imported. Say what to do with them: --duplicates skip leaves them out, --duplicates "
        "update writes what the rows have over the records, --duplicates add adds further records"
    )


def _ask(operator: Operator, calling_list: str, known: KnownContacts, source: Source, progress: Progress) -> None:
    """Ask about the contacts of a file, one question ahead, until the answers are enough; every answer is received."""
    questions = known.questions(source.rows)
    ahead: deque[Contacts] = deque()
    goes_on = True
    while True:
        asked = next(questions, None) if goes_on else None
        if asked is not None:
            contacts = [contact for _, contact in asked]
            operator.send("known contacts", calling_list=calling_list, contacts=contacts)
            ahead.append(asked)
        elif not ahead:
            return
        if asked is None or len(ahead) == _AHEAD:
            answered, found = ahead.popleft(), operator.receive()
            if goes_on and found is not None:
                known.answered(answered, found)
                progress.show(known.rows, source.done)
            # None: the list has no record at all.
            goes_on = goes_on and found is not None and not known.is_enough
