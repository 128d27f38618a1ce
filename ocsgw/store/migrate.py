"""Our own tables, brought up to date with alembic (architecture: one source for every engine)."""

import sqlite3

VERSION_TABLE = "ocsgw_alembic_version"
# The newest revision in migrations/versions; a test keeps it true.
HEAD = "0002"


def needs_migration(connection: sqlite3.Connection) -> bool:
    """Whether the tables of this database are older than this program; asked without importing alembic."""
    try:
        row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    except sqlite3.OperationalError:
        return True
    return row is None or row[0] != HEAD


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
