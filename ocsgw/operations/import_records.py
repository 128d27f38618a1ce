"""Rows of a CSV file become records of a calling list, a slice at a time, with a verdict for each row.

The checks are those of AddRecord (http.md section 10.1); reasons begin with its error texts.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec

from ocsgw.contact.add_record import free_numbers
from ocsgw.contact.directory import CallingList
from ocsgw.contact.dnc_lookup import dnc_lookup_for
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.new_record import default_record
from ocsgw.contact.transaction import Admission, DncLookup, NewRecord, Record, RefusedByTableError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.operations.cells import LocalTime, RowError, doubt_about_phone, unmarked
from ocsgw.operations.columns import read_columns
from ocsgw.operations.drafts import (
    CHAIN,
    CONTACT,
    DUE,
    LAST_CALL,
    NUMBERS_OF_LIST,
    SCHEDULED,
    TYPE,
    ZONE,
    Draft,
    Slice,
    Values,
)
from ocsgw.operations.duplicates import find_duplicates
from ocsgw.operations.header import CLASSIC_COLUMNS, Header
from ocsgw.operations.verdicts import ADDED, Duplicates, Row, RowVerdict
from ocsgw.protocol.enumerations import CallResult, RecordType
from ocsgw.protocol.errors import Refusal

NO_CALL_REASON = "on the Do Not Call list: stored as NoCall"


class Imported(NamedTuple):
    """What became of the rows of a slice, and the records that were added, as they stand in the list."""

    verdicts: list[RowVerdict]
    added: list[Record]


def import_rows(
    unit: UnitOfWork,
    calling_list: CallingList,
    header: Header,
    rows: Sequence[Row],
    duplicates: Duplicates,
    *,
    is_dry_run: bool = False,
    is_guarded: bool = True,
    seen: Collection[int] = (),
) -> Imported:
    """Add rows to a list and return a verdict for each; with `is_dry_run` only say what would become of them.

    `seen` are the places of rows whose contact an earlier slice of the same dry run has.

    `duplicates` says what happens to a row whose contact the list has already, in its normal form (K40): it is added
    as a further record, skipped, or replaces the first record with that contact; or what it gives is written over
    what that record, or else the one with the same customer id, has. A record in process is not changed, and one of
    type NoCall stays so (H266). A row that the table itself refuses, by a constraint of its own, is refused alone; if
    the rows are not guarded, `RefusedByTableError` is raised instead, and some of them may have been stored.
    """
    slice_ = Slice(unit, calling_list, [None] * len(rows))
    _read(slice_, header, rows, keeps_given=duplicates == "update")
    _check_do_not_call(slice_)
    if duplicates != "add":
        find_duplicates(slice_, duplicates, frozenset(seen))
    for draft in list(slice_.drafts):
        if draft.replaces is None and not draft.record.contact_info:
            slice_.refuse(draft.at, "Missing attribute GSW_PHONE")
            slice_.drafts.remove(draft)
    _number(slice_, is_dry_run=is_dry_run)
    added: list[Record] = []
    if not is_dry_run:
        added = _write(slice_) if is_guarded else _write_drafts(slice_, slice_.drafts)
        unit.blocked += ["import"] * sum(draft.is_blocked for draft in slice_.drafts)
    return Imported(cast("list[RowVerdict]", slice_.verdicts), added)


def _read(slice_: Slice, header: Header, rows: Sequence[Row], *, keeps_given: bool) -> None:
    """Turn texts into records, as far as that needs no store."""
    calling_list = slice_.calling_list
    *classic, custom = msgspec.structs.astuple(default_record(slice_.unit.directory, calling_list))
    template: Values = [*classic, *custom, None]
    template[CONTACT] = template[CHAIN] = None
    width = len(header.names)
    places = [at for at, row in enumerate(rows) if row.__class__ is list and len(row) == width]
    odd = set(range(len(rows))).difference(places)
    if places:
        of_width = cast("list[list[str]]", [rows[at] for at in places])
        read = read_columns(slice_.unit.directory, calling_list, header, template, of_width)
        drafts = map(Draft, places, read.records, read.chains, read.warnings)
        slice_.drafts = [draft for at, draft in enumerate(drafts) if at not in read.odd]
        odd.update(places[at] for at in read.odd)
    for at in sorted(odd):
        try:
            slice_.drafts.append(_read_row(slice_, header, template, at, rows[at], may_lack_contact=keeps_given))
        except Refusal as refusal:
            slice_.refuse(at, refusal.text)
        except RowError as error:
            slice_.refuse(at, str(error))
    if odd:
        slice_.drafts.sort(key=lambda draft: draft.at)
    if keeps_given:
        for draft in slice_.drafts:
            columns = zip(rows[draft.at], header.readers, header.places, strict=True)
            draft.given = {place for cell, read_cell, place in columns if cell and read_cell is not None}


def _read_row(slice_: Slice, header: Header, template: Values, at: int, row: Row, *, may_lack_contact: bool) -> Draft:
    """Turn one row into a record: the obvious way, by which every column is judged in its turn."""
    if isinstance(row, str):
        raise RowError(row)
    if len(row) != len(header.names):
        raise RowError(f"has {len(row)} columns, the first row {len(header.names)}")
    if "\0" in "".join(row):
        raise Refusal("invalid_attribute", header.names[["\0" in cell for cell in row].index(True)])
    values = template.copy()
    for cell, read, place in zip(row, header.readers, header.places, strict=True):
        if cell and read is not None:
            values[place] = read(cell if header.form.raw else unmarked(cell, is_contact=place == CONTACT))
    if values[CONTACT] is None:
        if not may_lack_contact:
            raise Refusal("missing_attribute", "GSW_PHONE")
        values[CONTACT] = ""
    for place in (DUE, LAST_CALL):
        time = values[place]
        if isinstance(time, LocalTime):
            zone = slice_.unit.directory.zone_of(cast("int", values[ZONE]), slice_.calling_list.tenant)
            values[place] = time.epoch(zone.zone)
    if not values[DUE] and values[TYPE] in SCHEDULED and not header.is_export:
        raise Refusal("missing_attribute", "GSW_DATE_TIME")
    chain = cast("int | None", values[CHAIN])
    warning = "" if header.contact_at is None or header.is_export else _judge_contact(header, row[header.contact_at])
    return Draft(at, record_of(values), chain, warning)


def _judge_contact(header: Header, cell: str) -> str:
    warning = "" if header.form.raw else doubt_about_phone(cell)
    if warning and header.form.strict_phones:
        raise RowError(warning.removeprefix("warning, "))
    return warning


def record_of(values: Values) -> NewRecord:
    """Return the record of the values of a row; the list gives it its numbers."""
    fixed = len(CLASSIC_COLUMNS)
    classic = [*values[:CHAIN], 0, *values[CHAIN + 1 : fixed]]
    return NewRecord(*classic, values[fixed:-1])  # type: ignore[call-arg,arg-type]  # so many


def _check_do_not_call(slice_: Slice) -> None:
    """A row that the do-not-call table covers is stored as NoCall (H202)."""
    unit, calling_list = slice_.unit, slice_.calling_list

    def lookups() -> list[DncLookup]:
        at = calling_list.customer_at
        records = [draft.record for draft in slice_.drafts]
        return [
            dnc_lookup_for(
                unit.directory,
                calling_list,
                each.contact_info,
                each.custom[at] if at is not None else None,
                each.campaign_id,
            )
            for each in records
        ]

    slice_.admission = admission = unit.tx.before_adding(calling_list, len(slice_.drafts), lookups, unit.now)
    for place in admission.blocked:
        draft = slice_.drafts[place]
        draft.is_blocked = True
        draft.record.record_type = RecordType.NO_CALL.value
        draft.record.call_result = CallResult.DO_NOT_CALL.value


def _number(slice_: Slice, *, is_dry_run: bool) -> None:
    """Give new rows their numbers (H200). A chain that a row names and that does not exist is made."""
    tx, calling_list = slice_.unit.tx, slice_.calling_list
    new = [draft for draft in slice_.drafts if draft.replaces is None]
    for draft in new:
        if slice_.verdicts[draft.at] is None:
            reasons = NO_CALL_REASON if draft.is_blocked else "", draft.warning
            slice_.verdicts[draft.at] = RowVerdict("added", "; ".join(filter(None, reasons))) if any(reasons) else ADDED
    if is_dry_run or not new:
        return
    named = {draft.chain for draft in new if draft.chain is not None}
    ends = dict(tx.chain_ends(calling_list, named)) if named else {}
    record_id, chain_id = slice_.admission.record_id, max(slice_.admission.chain_id, *named, 0)
    free = free_numbers(Admission(record_id, chain_id, set()))
    for draft in new[free:]:
        slice_.drop(draft, Refusal("ids_used_up", calling_list.name).text)
    for draft in new[:free]:
        record_id += 1
        draft.record.record_id = record_id
        if draft.chain is None:
            chain_id += 1
            draft.record.chain_id = chain_id
        else:
            draft.record.chain_id = draft.chain
            draft.record.chain_n = ends[draft.chain] = ends.get(draft.chain, -1) + 1


def _write(slice_: Slice) -> list[Record]:
    """Write all rows; if the table refuses one, write them one by one, so that only that one is refused.

    Return the records that were added.
    """
    try:
        with slice_.unit.tx.savepoint():
            return _write_drafts(slice_, slice_.drafts)
    except RefusedByTableError:
        return _write_one_by_one(slice_)


def _write_one_by_one(slice_: Slice) -> list[Record]:
    added = []
    for draft in list(slice_.drafts):
        try:
            with slice_.unit.tx.savepoint():
                added += _write_drafts(slice_, [draft])
        except RefusedByTableError as error:
            slice_.drop(draft, f"the table refuses the row: {error.reason}")
    return added


def _write_drafts(slice_: Slice, drafts: Sequence[Draft]) -> list[Record]:
    tx, calling_list = slice_.unit.tx, slice_.calling_list
    new = [draft.record for draft in drafts if draft.replaces is None]
    added = tx.import_records(calling_list, new) if new else []
    changes: dict[int, dict[str, object]] = {}
    for draft in drafts:
        if draft.replaces is not None:
            changes.setdefault(draft.replaces, {}).update(_columns(calling_list, draft))
    if changes:
        tx.change_records(calling_list, changes)
        # A trigger on changes may have touched them.
        added = tx.records(calling_list, [each.record_id for each in added])
    return added


def _columns(calling_list: CallingList, draft: Draft) -> Mapping[str, object]:
    """Return what a record that is replaced or updated gets; its numbers stay."""
    record = draft.record
    names = (*CLASSIC_COLUMNS, *(each.column for each in calling_list.fields))
    values: list[FieldValue | None] = [*(getattr(record, name) for name in CLASSIC_COLUMNS), *record.custom]
    columns = {name: value for name, value in zip(names, values, strict=True) if name not in NUMBERS_OF_LIST}
    if draft.given is None:
        return columns
    given = {names[place] for place in draft.given if place < len(names)}
    forced = {"record_type", "call_result", "record_status"} if draft.is_blocked else set()
    return {name: value for name, value in columns.items() if name in given | forced}
