"""Our own tables, brought up to date with alembic (architecture: one source for every engine)."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import ocsgw
from ocsgw.store.copying.unfinished import UNFINISHED, refusal
from ocsgw.store.errors import StoreError, StoreVersionError
from ocsgw.store.sqlite.own_schema import SCRIPT

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "ocsgw_alembic_version"
# The newest revision in migrations/versions; a test keeps it true.
HEAD = "0012"
OWN_TABLES = frozenset(
    {
        "ocsgw_audit",
        "ocsgw_batch",
        "ocsgw_contact_form",
        "ocsgw_counter",
        "ocsgw_delivery",
        "ocsgw_group",
        "ocsgw_handle",
        "ocsgw_handout",
        "ocsgw_idempotency",
        "ocsgw_import",
        "ocsgw_import_rows",
        "ocsgw_lease",
        "ocsgw_news",
        "ocsgw_outbox",
        "ocsgw_spent_handle",
        "ocsgw_standby",
        "ocsgw_turn",
    }
)


def revision_of(connection: sqlite3.Connection) -> str | None:
    """Return the revision of our own tables in a database, None without them; asked without importing alembic.

    Raises `sqlite3.Error` if the file is not a database.
    """
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone()
    if found is None:
        return None
    row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    return str(row[0]) if row is not None else None


def needs_migration(connection: sqlite3.Connection) -> bool:
    """Whether the tables of this database are older than this program.

    Raises `StoreVersionError` if they are newer, or those of an unfinished copy.
    """
    revision = revision_of(connection)
    if revision == UNFINISHED:
        file = connection.execute("PRAGMA database_list").fetchall()[0][2]
        raise StoreVersionError(refusal(file, lambda text: connection.execute(text).fetchall()))
    if revision is not None and revision > HEAD:
        raise StoreVersionError(
            f"the store was made by a later ocsgw (schema {revision}; this one knows {HEAD}); start that version, or"
            " restore a backup that this version has made"
        )
    return revision != HEAD


def missing_tables(connection: sqlite3.Connection) -> list[str]:
    """Return those of our own tables that are not there, although their revision is written."""
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()}
    return sorted(OWN_TABLES - there)


def copy(connection: sqlite3.Connection, file: str) -> None:
    """Make a copy of a whole database, for whoever wants to go back. Raises `StoreError`."""
    unfinished = f"{file}.new"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with contextlib.closing(sqlite3.connect(unfinished)) as target:
            connection.backup(target)
        os.replace(unfinished, file)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise StoreError(
            f"the store has to be copied to {file} before its tables are changed, and that failed: {error}; make room"
            " there and start again"
        ) from error


def create(connection: sqlite3.Connection) -> None:
    """Make all tables of our own in a file that has none, in one transaction. Raises `sqlite3.Error`."""
    connection.executescript(f"BEGIN IMMEDIATE; {SCRIPT} COMMIT;").close()


def upgrade(file: str) -> None:
    """Bring the tables of an SQLite file up to date, in one transaction and in a process of its own.

    Raises `sqlite3.Error` or `StoreError`; then nothing has changed.
    """
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(ocsgw.__file__)))}
    # What the process prints comes from itself alone, and the path of the file is an argument, no command.
    done = subprocess.run(  # noqa: S603 - as it says above
        [sys.executable, "-P", "-m", "ocsgw.store.migrations", file],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    try:
        failure = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().rpartition("\n")[2] or f"status {done.returncode}"
        raise StoreError(f"the tables of the store {file} could not be brought up to date: {last}") from None
    error = sqlite3.OperationalError(failure["text"])
    error.sqlite_errorcode, error.sqlite_errorname = failure["code"], failure["name"]
    raise error


def run_revisions(connection: object) -> None:
    """Carry out what is missing on a connection of SQLAlchemy that is in a transaction."""
    from alembic import command  # noqa: PLC0415 - slow to import

    command.upgrade(_config(connection=connection), "head")


def print_revisions(dialect: str, since: str | None, write: Callable[[str], object], until: str = "head") -> None:
    """Write the SQL text of what is missing since a revision, None for all of it, for a dialect of SQLAlchemy."""
    from alembic import command  # noqa: PLC0415 - slow to import

    command.upgrade(_config(dialect=dialect, write=write), f"{since or 'base'}:{until}", sql=True)


def _config(**attributes: object) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - slow to import

    config = Config()
    config.set_main_option("script_location", "ocsgw.store:migrations")
    config.attributes.update(attributes)
    return config
