"""What has happened to a record, read from the outbox, and how it was at a time."""

from collections.abc import Mapping

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.outbox import EntryData, OutboxEntry, data_of
from ocsgw.contact.transaction import Record, UnavailableListError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.operations.errors import OperationError

# Of a chain with more entries the newest ones are shown.
MOST_ENTRIES = 10_000


class Change(msgspec.Struct):
    """One change of a record: when, by which request or occasion, who asked, and the columns."""

    at: int
    kind: str
    record_id: int
    group: str
    handle: int
    principal: str
    before: dict[str, object]
    after: dict[str, object]


class ChainHistory(msgspec.Struct):
    """The changes of a chain in their order, and its records now, or as they were at the time asked about.

    A column whose value at that time is not known is left out.
    """

    calling_list: str
    chain_id: int
    changes: list[Change]
    records: list[dict[str, object]]


def chains_of_contact(unit: UnitOfWork, contact: str) -> list[tuple[CallingList, int]]:
    """Return the chains that have a contact, by list."""
    chains: dict[tuple[CallingList, int], None] = {}
    for calling_list in unit.directory.calling_lists:
        try:
            normal = normal_contact(contact, calling_list.tenant.country)
            matches = unit.tx.find_by_contacts(calling_list, [normal]).get(normal, [])
        except UnavailableListError:
            continue
        chains.update(dict.fromkeys((calling_list, match.chain_id) for match in matches))
    return list(chains)


def chains_of_handle(unit: UnitOfWork, handle: int) -> list[tuple[CallingList, int]]:
    """Return the chain that a record handle, dead or alive, was for."""
    return [
        (calling_list, entry.chain_id)
        for entry in unit.tx.outbox_of_handle(handle)[:1]
        if (calling_list := unit.directory.list_by_dbid(entry.list_dbid)) is not None
    ]


def chains_numbered(unit: UnitOfWork, chain_id: int, name: str | None) -> list[tuple[CallingList, int]]:
    """Return the chains of this number: of the list of a name, else of all lists. Raises `OperationError`."""
    lists = unit.directory.calling_lists
    if name is not None:
        named = unit.directory.list_named(name)
        if named is None:
            known = ", ".join(each.name for each in lists)
            raise OperationError(f"there is no calling list {name}; configured: {known}")
        lists = (named,)
    found = []
    for calling_list in lists:
        try:
            known_chain = unit.tx.find_by_chain(calling_list, [chain_id])
        except UnavailableListError:
            known_chain = []
        if known_chain or unit.tx.outbox_of_chain(calling_list.dbid, chain_id, 1):
            found.append((calling_list, chain_id))
    return found


def history(unit: UnitOfWork, calling_list: CallingList, chain_id: int, at: int | None) -> ChainHistory:
    """Return what has happened to a chain."""
    try:
        records = unit.tx.records_of_chains(calling_list, [chain_id])
    except UnavailableListError:
        records = []
    entries = unit.tx.outbox_of_chain(calling_list.dbid, chain_id, MOST_ENTRIES)
    read = [(entry, entry.record_id, data_of(entry)) for entry in entries]
    added = [(found, record.record_id) for record in records if (found := _added(unit, calling_list, record))]
    read += [(entry, record_id, data_of(entry)) for entry, record_id in added]
    read.sort(key=lambda each: each[0].number)
    now = {record.record_id: columns_of(calling_list, record) for record in records}
    if at is not None:
        began = {record_id: entry.at for entry, record_id in added}
        now = {
            record_id: _as_of(columns, [(entry, data) for entry, of, data in read if of == record_id], at)
            for record_id, columns in now.items()
            if began.get(record_id, at) <= at
        }
    return ChainHistory(
        calling_list.name,
        chain_id,
        [_change(unit, *each) for each in read if at is None or each[0].at <= at],
        [{"record_id": record_id, **columns} for record_id, columns in now.items()],
    )


def columns_of(calling_list: CallingList, record: Record) -> dict[str, object]:
    """Return the columns of a record that changes are about."""
    classic = {
        name: getattr(record, name)
        for name in Record.__struct_fields__
        if name not in ("record_id", "custom", "further")
    }
    custom = {field.column: value for field, value in zip(calling_list.fields, record.custom, strict=True)}
    return {**classic, **custom}


def _added(unit: UnitOfWork, calling_list: CallingList, record: Record) -> OutboxEntry | None:
    entry = unit.tx.outbox_of_added(calling_list.dbid, record.record_id)
    return entry if entry is not None and record.record_id <= data_of(entry).last_id else None


def _as_of(columns: Mapping[str, object], entries: list[tuple[OutboxEntry, EntryData]], at: int) -> dict[str, object]:
    """Return columns as they were at a time: what the last change before says, else what the first one after found."""
    known = dict(columns)
    settled: set[str] = set()
    for _, data in (each for each in entries if each[0].at <= at):
        known.update(data.after)
        settled.update(data.after)
    for _, data in (each for each in entries if each[0].at > at):
        for column in data.after.keys() - settled:
            settled.add(column)
            if column in data.before:
                known[column] = data.before[column]
            else:
                known.pop(column, None)
    return known


def _change(unit: UnitOfWork, entry: OutboxEntry, record_id: int, data: EntryData) -> Change:
    group = unit.directory.group_by_dbid(entry.group_dbid)
    name = group.name if group is not None else str(entry.group_dbid or "")
    return Change(entry.at, entry.kind, record_id, name, entry.handle, data.principal, data.before, data.after)
