"""Our own tables, brought up to date with alembic (architecture: one source for every engine)."""

import sqlite3

from ocsgw.store.errors import StoreError

VERSION_TABLE = "ocsgw_alembic_version"
# The newest revision in migrations/versions; a test keeps it true.
HEAD = "0004"


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
    """Whether the tables of this database are older than this program. Raises `StoreError` if they are newer."""
    revision = revision_of(connection)
    if revision is not None and revision > HEAD:
        raise StoreError(
            f"the store was written by a later version of ocsgw (its tables have revision {revision}, this version "
            f"knows {HEAD}); start that version, or restore a backup that this version has made"
        )
    return revision != HEAD


def upgrade(file: str) -> None:
    """Bring the tables of an SQLite file up to date. Raises `sqlite3.Error`."""
    # Both take longer to import than everything else at a start, and are needed only now.
    import sqlalchemy as sa  # noqa: PLC0415
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    engine = sa.create_engine(sa.URL.create("sqlite", database=file))
    try:
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", "ocsgw.store:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sa.exc.DBAPIError as error:
        raise (error.orig if isinstance(error.orig, sqlite3.Error) else error) from None
    finally:
        engine.dispose()
