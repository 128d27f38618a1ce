"""The store of an installation whose server does not run: found, judged, never made here."""

import os
import pwd
import sqlite3
from contextlib import closing
from urllib.parse import quote

from ocsgw.ctl.errors import EXIT_UNAVAILABLE, CommandError
from ocsgw.ctl.installation import Installation
from ocsgw.store.errors import StoreError
from ocsgw.store.migrate import needs_migration, revision_of

# Another program may hold the store for so long (seconds).
_WAIT = 5.0


def store_at_rest(installation: Installation) -> str:
    """Return the file of a store that may be worked on where no server runs; it is never created here.

    Raises `CommandError` if there is no such store, or if what is there is not a store of this version.
    """
    config = installation.config
    file = config.store.file
    if file is None:
        raise CommandError("without a server only an SQLite store can be worked on", EXIT_UNAVAILABLE)
    try:
        owner = os.stat(file).st_uid
    except FileNotFoundError:
        raise CommandError(
            f"there is no store {file}, and ocsctl never makes one; is {installation.path} the configuration of the "
            "server? A new store is made by the first start of the server",
            EXIT_UNAVAILABLE,
        ) from None
    except OSError as error:
        raise CommandError(f"the store {file} cannot be opened: {error.strerror}", EXIT_UNAVAILABLE) from None
    if os.geteuid() == 0 != owner:
        # Files that root makes beside the store would keep the server out.
        name = _user_name(owner)
        raise CommandError(
            f"the store {file} belongs to the user {name}; run ocsctl as that user: sudo -u {name} ocsctl ...",
            EXIT_UNAVAILABLE,
        )
    _check_revision(file)
    return file


def _check_revision(file: str) -> None:
    try:
        with closing(sqlite3.connect(f"file:{quote(file)}?mode=rw", uri=True, timeout=_WAIT)) as connection:
            revision = revision_of(connection)
            is_older = needs_migration(connection)
    except sqlite3.Error as error:
        raise CommandError(f"the store {file} cannot be opened: {error}", EXIT_UNAVAILABLE) from None
    except StoreError as error:
        raise CommandError(str(error), EXIT_UNAVAILABLE) from None
    if revision is None:
        raise CommandError(f"{file} is not a store of ocsgw: it has no tables of ours", EXIT_UNAVAILABLE)
    if is_older:
        raise CommandError(
            f"the store {file} was written by an earlier version of ocsgw; start the server once, which brings it up "
            "to date",
            EXIT_UNAVAILABLE,
        )


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"
