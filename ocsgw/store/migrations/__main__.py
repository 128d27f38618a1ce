"""Brings the tables of an SQLite file up to date: `python -m ocsgw.store.migrations FILE`, as OCS starts it.

A process of its own, because SQLAlchemy and alembic are large and nothing else needs them. A failure of SQLite goes to
standard output as JSON, with the status 1.
"""

import json
import sqlite3
import sys

import sqlalchemy as sa

from ocsgw.store.migrate import run_revisions


def upgrade(file: str) -> None:
    """Bring the tables of an SQLite file up to date, in one transaction. Raises `sqlite3.Error`."""
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


def main(file: str) -> int:
    """Do it; return the exit status."""
    try:
        upgrade(file)
    except sqlite3.Error as error:
        failure = {"text": str(error), "code": getattr(error, "sqlite_errorcode", None)}
        sys.stdout.write(json.dumps({**failure, "name": getattr(error, "sqlite_errorname", None)}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
