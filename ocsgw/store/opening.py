"""Which engine a configuration asks for."""

from ocsgw.store.engine import Access, Engine, Report, StoreSettings
from ocsgw.store.errors import StoreError
from ocsgw.store.lease import PairMember
from ocsgw.store.sqlite.engine import SQLiteEngine


def open_store(
    settings: StoreSettings, report: Report, access: Access = "serve", member: PairMember | None = None
) -> Engine:
    """Return the engine for section `[store]`; the store itself is not touched before `Engine.open`.

    `member` is this server, if it is one of a pair.

    Raises `StoreError` for a kind of store that this version does not have.
    """
    if settings.kind != "sqlite" or settings.file is None:
        raise StoreError(f"a store of kind {settings.kind} cannot be used yet; set [store] url to an SQLite file")
    return SQLiteEngine(
        settings.file,
        report,
        access=access,
        create=settings.create,
        create_indexes=settings.create_indexes,
        member=member,
    )
