"""Which engine a configuration asks for."""

from collections.abc import Callable

from ocsgw.store.engine import Access, Engine, Report, StoreSettings
from ocsgw.store.errors import StoreError
from ocsgw.store.lease import PairMember
from ocsgw.store.sqlite.engine import SQLiteEngine


def open_store(
    settings: StoreSettings, report: Report, access: Access = "serve", member: PairMember | None = None
) -> Engine:
    """Return the engine for section `[store]`; the store itself is not touched before `Engine.open`.

    `member` is this server, if it is one of a pair.

    Raises `StoreError` for an address that cannot be used.
    """
    if settings.kind == "postgresql":
        # The driver is loaded only where it is needed.
        from ocsgw.store.postgresql.engine import PostgreSQLEngine  # noqa: PLC0415

        return PostgreSQLEngine(settings, report, access=access, member=member)
    if settings.file is None:
        raise StoreError("[store] url does not name an SQLite file")
    return SQLiteEngine(
        settings.file,
        report,
        access=access,
        create=settings.create,
        create_indexes=settings.create_indexes,
        member=member,
    )


def migrate_store(settings: StoreSettings, write: Callable[[str], object] | None = None) -> str:
    """Bring our own tables up to date and say what was done; with `write` only write the SQL text of what is missing.

    Raises `StoreError`.
    """
    if settings.kind != "postgresql":
        return "an SQLite store is brought up to date at the start of the server; nothing was done"
    from ocsgw.store.postgresql.own_schema import migrate  # noqa: PLC0415 - the driver, only where it is needed

    return migrate(settings, write)
