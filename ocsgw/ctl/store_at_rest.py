"""The store of an installation whose server does not run: found, judged, never made here."""

import fcntl
import os
import pwd
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import quote

from ocsgw.ctl.errors import EXIT_UNAVAILABLE, CommandError
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.streams import shown
from ocsgw.store.errors import StoreError
from ocsgw.store.migrate import needs_migration, revision_of

# Another program may hold the store for so long (seconds).
_WAIT = 5.0


def store_at_rest(installation: Installation) -> str:
    """Return the file of a store that may be worked on where no server runs; it is never created here.

    Raises `CommandError` if there is no such store, or if what is there is not a store of this version.
    """
    file = store_file(installation)
    check_revision(file)
    return file


def store_file(installation: Installation) -> str:
    """Return the file of the store, which need not be there. Raises `CommandError` for another kind, or another user's.

    Files that root makes beside the store would keep its server out.
    """
    file = installation.config.store.file
    if file is None:
        raise CommandError(
            "only an SQLite store can be worked on as a file; use the tools of PostgreSQL", EXIT_UNAVAILABLE
        )
    check_owner(file)
    return file


def check_owner(file: str) -> None:
    """Raise `CommandError` if a store, which need not be there, belongs to another user."""
    try:
        owner = os.stat(file).st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise CommandError(f"the store {file} cannot be opened: {error.strerror}", EXIT_UNAVAILABLE) from None
    if os.geteuid() == 0 != owner:
        name = _user_name(owner)
        raise CommandError(
            f"the store {file} belongs to the user {name}; run ocsctl as that user: sudo -u {name} ocsctl ...",
            EXIT_UNAVAILABLE,
        )


@contextmanager
def opened(file: str) -> Iterator[sqlite3.Connection]:
    """Give a connection to a database that is there, without changing anything in it. Raises `sqlite3.Error`."""
    with closing(
        sqlite3.connect(f"file:{quote(file)}?mode=rw", uri=True, timeout=_WAIT, isolation_level=None)
    ) as found:
        yield found


@contextmanager
def locked(file: str) -> Iterator[None]:
    """Keep every server off a store. Raises `CommandError` if one has it."""
    with ExitStack() as stack:
        # A server may know the file by another name.
        for name in sorted({file, os.path.realpath(file)}):
            try:
                os.makedirs(os.path.dirname(name), exist_ok=True)
                lock = stack.enter_context(open(f"{name}.lock", "a+", encoding="ascii"))
            except OSError as error:
                raise CommandError(f"cannot write {name}.lock: {error.strerror}", EXIT_UNAVAILABLE) from None
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                holder = lock.read(32).strip() or "unknown"
                raise CommandError(
                    f"the store {file} is in use by process {holder}; stop the server first", EXIT_UNAVAILABLE
                ) from None
        yield


def check_revision(file: str, *, may_be_older: bool = False) -> None:
    """Raise `CommandError` unless a file is a store that this version can work with."""
    if not os.path.exists(file):
        raise CommandError(
            f"there is no store {shown(file)}, and ocsctl never makes one; is this the configuration of the server? A "
            "new store is made by the first start of the server",
            EXIT_UNAVAILABLE,
        )
    try:
        with opened(file) as connection:
            revision = revision_of(connection)
            is_older = needs_migration(connection)
    except sqlite3.Error as error:
        raise CommandError(f"the store {shown(file)} cannot be opened: {error}", EXIT_UNAVAILABLE) from None
    except StoreError as error:
        raise CommandError(str(error), EXIT_UNAVAILABLE) from None
    if revision is None:
        raise CommandError(f"{shown(file)} is not a store of ocsgw: it has no tables of ours", EXIT_UNAVAILABLE)
    if is_older and not may_be_older:
        raise CommandError(
            f"the store {shown(file)} was written by an earlier version of ocsgw; start the server once, which brings "
            "it up to date",
            EXIT_UNAVAILABLE,
        )


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"
