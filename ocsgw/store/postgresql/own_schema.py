"""Our own tables in a PostgreSQL database: which are there, and bringing them up to date.

A server makes them in a database that has none. It never changes those of an earlier version by itself: that is for
whoever looks after the database, with `ocsgw migrate`.
"""

from collections.abc import Callable
from typing import Any

import psycopg

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.copying.unfinished import UNFINISHED, refusal
from ocsgw.store.engine import StoreSettings
from ocsgw.store.errors import StoreError, StoreVersionError
from ocsgw.store.migrate import HEAD, OWN_TABLES, VERSION_TABLE, print_revisions, run_revisions
from ocsgw.store.postgresql.address import Address
from ocsgw.store.postgresql.connection import Connection, said


def tables_there(connection: Connection) -> set[str]:
    """Return those of our own tables that are there."""
    rows = connection.rows(
        "SELECT c.relname FROM pg_catalog.pg_class AS c WHERE c.relkind IN ('r', 'p')"
        " AND pg_catalog.pg_table_is_visible(c.oid) AND starts_with(c.relname, 'ocsgw_')"
    )
    return {row[0] for row in rows} & {*OWN_TABLES, VERSION_TABLE}


def revision_of(connection: Connection) -> str | None:
    """Return the revision of our own tables, None without any."""
    if VERSION_TABLE not in tables_there(connection):
        return None
    row = connection.row(f"SELECT version_num FROM {VERSION_TABLE}")
    return str(row[0]) if row is not None else None


def expect_own(connection: Connection, where: str) -> None:
    """Raise `StoreVersionError` unless the tables are those of this version; it says what to do."""
    there, revision = tables_there(connection), revision_of(connection)
    if revision == UNFINISHED:
        raise StoreVersionError(refusal(where, connection.rows))
    if revision is not None and revision > HEAD:
        raise StoreVersionError(
            f"the store {where} was made by a later ocsgw (schema {revision}; this one knows {HEAD}); start that"
            " version, or restore a backup that this version has made"
        )
    if revision != HEAD:
        raise StoreVersionError(
            f"the tables of ocsgw in {where} are not those of this version (schema {revision or 'none'}; this one needs"
            f" {HEAD}); make a backup, stop all servers that use it, and run: ocsgw migrate -c FILE (with --sql it"
            " prints the statements)"
        )
    missing = sorted(OWN_TABLES - there)
    if missing:
        raise StoreVersionError(f"tables of ocsgw are missing in {where}: {', '.join(missing)}; restore a backup")


def migrate(settings: StoreSettings, write: Callable[[str], object] | None) -> str:
    """Bring our own tables up to date and say what was done; with `write` only write the statements for that.

    Raises `StoreError`.
    """
    address = Address(settings)
    try:
        connection = Connection(address.url, address.options)
        try:
            revision = revision_of(connection)
            if revision is not None and revision >= HEAD:
                expect_own(connection, address.shown)
                return f"the tables of ocsgw in {address.shown} are up to date (schema {HEAD})"
            if write is not None:
                print_revisions("postgresql", revision, write)
                return f"statements from schema {revision or 'none'} to {HEAD} for {address.shown}; nothing was done"
            upgrade(lambda: psycopg.connect(address.url, **address.options))
        finally:
            connection.close()
    except (psycopg.Error, StoreFailureError) as error:
        raise StoreError(f"the store {address.shown} cannot be brought up to date: {said(error)}") from None
    return f"the tables of ocsgw in {address.shown} were brought from schema {revision or 'none'} to {HEAD}"


def upgrade(connect: "Callable[[], psycopg.Connection[Any]]") -> None:
    """Bring our own tables up to date, all of it in one transaction. Raises `psycopg.Error`."""
    import sqlalchemy as sa  # noqa: PLC0415 - slow to import

    engine = sa.create_engine("postgresql+psycopg://", creator=connect, poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            run_revisions(connection)
    except sa.exc.DBAPIError as error:
        raise (error.orig if isinstance(error.orig, psycopg.Error) else error) from None
    finally:
        engine.dispose()
