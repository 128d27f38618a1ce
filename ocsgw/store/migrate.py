"""Our own tables, brought up to date with alembic (architecture: one source for every engine)."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from ocsgw.store.errors import StoreError, StoreVersionError

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "ocsgw_alembic_version"
# The newest revision in migrations/versions; a test keeps it true.
HEAD = "0009"
OWN_TABLES = frozenset(
    {
        "ocsgw_audit",
        "ocsgw_batch",
        "ocsgw_counter",
        "ocsgw_delivery",
        "ocsgw_group",
        "ocsgw_handle",
        "ocsgw_handout",
        "ocsgw_idempotency",
        "ocsgw_import",
        "ocsgw_import_rows",
        "ocsgw_lease",
        "ocsgw_outbox",
        "ocsgw_spent_handle",
        "ocsgw_standby",
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

    Raises `StoreVersionError` if they are newer.
    """
    revision = revision_of(connection)
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


def upgrade(file: str) -> None:
    """Bring the tables of an SQLite file up to date, in one transaction. Raises `sqlite3.Error`, nothing changed."""
    # Takes longer to import than everything else at a start, and is needed only now.
    import sqlalchemy as sa  # noqa: PLC0415

    # Left to itself the driver commits each CREATE TABLE: a crash or a full disk would leave half of the tables.
    engine = sa.create_engine(sa.URL.create("sqlite", database=file), connect_args={"isolation_level": None})
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            run_revisions(connection)
    except sa.exc.DBAPIError as error:
        raise (error.orig if isinstance(error.orig, sqlite3.Error) else error) from None
    finally:
        engine.dispose()


def run_revisions(connection: object) -> None:
    """Carry out what is missing on a connection of SQLAlchemy that is in a transaction."""
    from alembic import command  # noqa: PLC0415 - slow to import

    command.upgrade(_config(connection=connection), "head")


def print_revisions(dialect: str, since: str | None, write: Callable[[str], object]) -> None:
    """Write the SQL text of what is missing since a revision, None for all of it, for a dialect of SQLAlchemy."""
    from alembic import command  # noqa: PLC0415 - slow to import

    command.upgrade(_config(dialect=dialect, write=write), f"{since or 'base'}:head", sql=True)


def _config(**attributes: object) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - slow to import

    config = Config()
    config.set_main_option("script_location", "ocsgw.store:migrations")
    config.attributes.update(attributes)
    return config
