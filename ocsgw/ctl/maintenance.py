"""The store as a whole: `backup`, `restore`, `check`."""

import argparse
import os
import sqlite3
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

from ocsgw.ctl import audit
from ocsgw.ctl.errors import EXIT_FAILURE, EXIT_UNAVAILABLE, CommandError
from ocsgw.ctl.families import add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json
from ocsgw.ctl.output_files import replaced
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.store_at_rest import check_revision, locked, opened, store_file
from ocsgw.ctl.streams import shown

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

# Of a store, behind its name: the write-ahead log, its index, and the journal of another mode.
_BESIDE = ("-wal", "-shm", "-journal")
# So many pages are copied at once.
_PAGES = 2000
_MOST_FAULTS = 20


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(commands, "backup", backup, "copy the store into a file, also while the server works")
    parser.add_argument("file", metavar="FILE", help="the file, which takes the place of one that is there")
    add_json(parser)
    parser = add_command(commands, "restore", restore, "put a backup in the place of the store of a stopped server")
    parser.add_argument("file", metavar="FILE", help="the backup")
    add_json(parser)
    add_json(add_command(commands, "check", check, "check the store, its indexes and the audit log"))


def backup(installation: Installation, arguments: argparse.Namespace) -> int:
    """Copy the store, as it is at one moment, into a single file."""
    file = store_file(installation)
    check_revision(file)
    target = os.path.realpath(arguments.file)
    if target in {os.path.realpath(f"{file}{suffix}") for suffix in ("", ".lock", *_BESIDE)}:
        raise CommandError(f"{shown(arguments.file)} belongs to the store itself; give the backup another name")
    if os.path.exists(target) and not os.path.isfile(target):
        raise CommandError(f"{shown(arguments.file)} is not a regular file")
    with replaced(arguments.file, mode=0o600) as part:
        _copy(file, part, arguments.file)
        _expect_sound(part, "the copy")
        size = os.path.getsize(part)
    if arguments.json:
        print_json({"file": shown(arguments.file), "bytes": size})
    else:
        sys.stderr.write(f"{size} bytes written to {shown(arguments.file)}\n")
    return 0


def restore(installation: Installation, arguments: argparse.Namespace) -> int:
    """Put a backup in the place of the store; what was there is moved aside, nothing is deleted."""
    file = store_file(installation)
    if not os.path.isfile(arguments.file):
        raise CommandError(f"{shown(arguments.file)} is not a file")
    if os.path.exists(file) and os.path.samefile(arguments.file, file):
        raise CommandError(f"{shown(arguments.file)} is the store itself")
    check_revision(arguments.file, may_be_older=True)
    with locked(file):
        place = os.path.realpath(file)
        try:
            with replaced(place, mode=_mode_of(place)) as part:
                _copy(arguments.file, part, place)
                _expect_sound(part, shown(arguments.file))
                aside = _move_aside(place)
        except OSError as error:
            raise CommandError(f"cannot write {place}: {error.strerror or error}") from error
    if arguments.json:
        print_json({"file": shown(arguments.file), "store": file, "before": aside})
        return 0
    print(f"{shown(arguments.file)} is the store {file} now; start the server")
    if aside is not None:
        print(f"what was there before is {aside}")
    return 0


def check(installation: Installation, arguments: argparse.Namespace) -> int:
    """Check the store with its indexes, and the audit log; return 1 if one of them is damaged."""
    file = store_file(installation)
    check_revision(file)
    faults = _faults(file)
    is_audited = installation.config.audit.enabled
    if arguments.json:
        verdict = audit.verified(installation, []) if is_audited else None
        print_json({"store": file, "faults": faults[:_MOST_FAULTS], "audit": verdict})
        return EXIT_FAILURE if faults or (verdict is not None and verdict["bad"] is not None) else 0
    if faults:
        for fault in faults[:_MOST_FAULTS]:
            sys.stderr.write(f"{fault}\n")
        print(f"store {file}: damaged, {len(faults)} faults; restore a backup with ocsctl restore")
    else:
        print(f"store {file}: good, with its indexes")
    if not is_audited:
        print("audit log: not kept")
        return EXIT_FAILURE if faults else 0
    print("audit log: ", end="", flush=True)
    status = audit.say_verdict(audit.verified(installation, []))
    return status or (EXIT_FAILURE if faults else 0)


def _copy(source: str, target: str, name: str) -> None:
    """Copy a database, as it is at one moment, into a file without a write-ahead log, in the end called `name`.

    Raises `CommandError`.
    """
    progress = Progress(what="pages")

    def show(status: int, remaining: int, total: int) -> None:
        progress.show(total - remaining, (total - remaining) / total if total else 1.0)

    try:
        with opened(source) as one, closing(sqlite3.connect(target, isolation_level=None)) as other:
            # What other programs write meanwhile does not begin the copy anew: it is of this transaction.
            one.execute("BEGIN")
            one.execute("SELECT 1 FROM sqlite_master").fetchall()
            one.backup(other, pages=_PAGES, progress=show)
            other.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise CommandError(f"{shown(source)} cannot be copied to {shown(name)}: {error}", EXIT_UNAVAILABLE) from None
    finally:
        progress.clear()


def _expect_sound(file: str, name: str) -> None:
    faults = _faults(file)
    if faults:
        raise CommandError(f"{name} is damaged: {faults[0]}; nothing was changed")


def _faults(file: str) -> list[str]:
    """Return what is wrong with a database, its tables and indexes."""
    try:
        with opened(file) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.Error as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _mode_of(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        return 0o600


def _move_aside(file: str) -> str | None:
    """Give the store, with what stands beside it, another name; return it, None if there was no store.

    A write-ahead log that stayed would bring its changes into the restored store.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = f"{file}.before-restore-{stamp}"
    number = 1
    while any(os.path.exists(f"{aside}{suffix}") for suffix in ("", *_BESIDE)):
        number += 1
        aside = f"{file}.before-restore-{stamp}-{number}"
    moved = False
    for suffix in (*_BESIDE, ""):
        if os.path.lexists(f"{file}{suffix}"):
            os.rename(f"{file}{suffix}", f"{aside}{suffix}")
            moved = True
    return aside if moved else None
