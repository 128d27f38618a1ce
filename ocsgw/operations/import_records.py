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
from ocsgw.contact.transaction import Admission, NewRecord, RefusedByTableError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.operations.cells import LocalTime, RowError, doubt_about_phone, unmarked
from ocsgw.operations.drafts import CHAIN, CONTACT, DUE, LAST_CALL, NUMBERS_OF_LIST, TYPE, ZONE, Draft, Slice, Values
from ocsgw.operations.duplicates import find_duplicates
from ocsgw.operations.header import CLASSIC_COLUMNS, Header
from ocsgw.operations.verdicts import Duplicates, Row, RowVerdict
from ocsgw.protocol.enumerations import CallResult, RecordType
from ocsgw.protocol.errors import Refusal

NO_CALL_REASON = "on the Do Not Call list: stored as NoCall"
# Record types that need a time (http.md section 10.1).
_SCHEDULED = frozenset({3, 4, 5, 6})
_TIMES = (DUE, LAST_CALL)


class Imported(NamedTuple):
    """What became of the rows of a slice, and the ids of the records that were added."""

    verdicts: list[RowVerdict]
    added: list[int]


def import_rows(
    unit: UnitOfWork,
    calling_list: CallingList,
    header: Header,
    rows: Sequence[Row],
    duplicates: Duplicates,
    *,
    is_dry_run: bool = False,
    seen: Collection[int] = (),
) -> Imported:
    """Add rows to a list and return a verdict for each; with `is_dry_run` only say what would become of them.

    `seen` are the places of rows whose contact an earlier slice of the same dry run has.

    `duplicates` says what happens to a row whose contact the list has already, in its normal form (K40): it is added
    as a further record, skipped, or replaces the first record with that contact; or what it gives is written over
    what that record, or else the one with the same customer id, has. A record in process is not changed, and one of
    type NoCall stays so (H266). A row that the table itself refuses, by a constraint of its own, is refused alone.
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
    if not is_dry_run:
        _write(slice_)
        unit.blocked += ["import"] * sum(draft.is_blocked for draft in slice_.drafts)
    added = [] if is_dry_run else [draft.record.record_id for draft in slice_.drafts if draft.replaces is None]
    return Imported(cast("list[RowVerdict]", slice_.verdicts), added)


def _read(slice_: Slice, header: Header, rows: Sequence[Row], *, keeps_given: bool) -> None:
    """Turn texts into records, as far as that needs no store."""
    calling_list = slice_.calling_list
    *classic, custom = msgspec.structs.astuple(default_record(slice_.unit.directory, calling_list))
    template: Values = [*classic, *custom, None]
    template[CONTACT] = template[CHAIN] = None
    width = len(header.names)
    columns = tuple(zip(header.readers, header.places, strict=True))
    contact_at, is_raw = header.contact_at, header.form.raw
    for at, row in enumerate(rows):
        if isinstance(row, str):
            slice_.refuse(at, row)
            continue
        if len(row) != width:
            slice_.refuse(at, f"has {len(row)} columns, the first row {width}")
            continue
        values = template.copy()
        try:
            if "\0" in "".join(row):
                raise Refusal("invalid_attribute", header.names[["\0" in cell for cell in row].index(True)])
            for cell, (read, place) in zip(row, columns, strict=True):
                if cell and read is not None:
                    if cell[0] == "'" and not is_raw:
                        cell = unmarked(cell, is_contact=place == CONTACT)
                    values[place] = read(cell)
            draft = _draft(slice_, header, at, values, may_lack_contact=keeps_given)
            if contact_at is not None and not header.is_export:
                draft.warning = _judge_contact(header, row[contact_at])
            if keeps_given:
                draft.given = {place for cell, (read, place) in zip(row, columns, strict=True) if cell and read}
                draft.values = values
            slice_.drafts.append(draft)
        except Refusal as refusal:
            slice_.refuse(at, refusal.text)
        except RowError as error:
            slice_.refuse(at, str(error))


def _judge_contact(header: Header, cell: str) -> str:
    if header.form.raw or (cell.isascii() and cell.isdigit()):
        return ""
    warning = doubt_about_phone(cell)
    if warning and header.form.strict_phones:
        raise RowError(warning.removeprefix("warning, "))
    return warning


def _draft(slice_: Slice, header: Header, at: int, values: Values, *, may_lack_contact: bool) -> Draft:
    if values[CONTACT] is None:
        if not may_lack_contact:
            raise Refusal("missing_attribute", "GSW_PHONE")
        values[CONTACT] = ""
    for place in _TIMES:
        time = values[place]
        if isinstance(time, LocalTime):
            zone = slice_.unit.directory.zone_of(cast("int", values[ZONE]), slice_.calling_list.tenant)
            # 0 means "not scheduled"; the one date that is 0 is long past, as is the second after it.
            values[place] = time.epoch(zone.zone) or 1
    if not values[DUE] and values[TYPE] in _SCHEDULED and not header.is_export:
        raise Refusal("missing_attribute", "GSW_DATE_TIME")
    chain = cast("int | None", values[CHAIN])
    return Draft(at, record_of(values), chain)


def record_of(values: Values) -> NewRecord:
    """Return the record of the values of a row; the list gives it its numbers."""
    fixed = len(CLASSIC_COLUMNS)
    classic = [*values[:CHAIN], 0, *values[CHAIN + 1 : fixed]]
    return NewRecord(*classic, values[fixed:-1])  # type: ignore[call-arg,arg-type]  # so many


def _check_do_not_call(slice_: Slice) -> None:
    """A row that the do-not-call table covers is stored as NoCall (H202)."""
    unit, calling_list = slice_.unit, slice_.calling_list
    at = calling_list.customer_at
    lookups = []
    for draft in slice_.drafts:
        record = draft.record
        customer_id = record.custom[at] if at is not None else None
        lookup = dnc_lookup_for(unit.directory, calling_list, record.contact_info, customer_id, record.campaign_id)
        draft.contact = lookup.contact
        lookups.append(lookup)
    slice_.admission = admission = unit.tx.before_adding(calling_list, lambda: lookups, unit.now)
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
            reasons = (NO_CALL_REASON if draft.is_blocked else "", draft.warning)
            slice_.verdicts[draft.at] = RowVerdict("added", "; ".join(filter(None, reasons)))
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


def _write(slice_: Slice) -> None:
    """Write all rows; if the table refuses one, write them one by one, so that only that one is refused."""
    try:
        with slice_.unit.tx.savepoint():
            _write_drafts(slice_, slice_.drafts)
    except RefusedByTableError:
        _write_one_by_one(slice_)


def _write_one_by_one(slice_: Slice) -> None:
    for draft in list(slice_.drafts):
        try:
            with slice_.unit.tx.savepoint():
                _write_drafts(slice_, [draft])
        except RefusedByTableError as error:
            slice_.drop(draft, f"the table refuses the row: {error.reason}")


def _write_drafts(slice_: Slice, drafts: Sequence[Draft]) -> None:
    tx, calling_list = slice_.unit.tx, slice_.calling_list
    new = [draft.record for draft in drafts if draft.replaces is None]
    if new:
        tx.insert_records(calling_list, new)
    changes: dict[int, dict[str, object]] = {}
    for draft in drafts:
        if draft.replaces is not None:
            changes.setdefault(draft.replaces, {}).update(_columns(calling_list, draft))
    if changes:
        tx.change_records(calling_list, changes)


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
