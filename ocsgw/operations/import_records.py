"""Rows of a CSV file become records of a calling list, a slice at a time, with a verdict for each row.

The checks are those of AddRecord (http.md section 10.1); reasons are its error texts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from ocsgw.contact.directory import CallingList
from ocsgw.contact.dnc_lookup import dnc_lookup_for
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.transaction import Admission, NewRecord, Record
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.contact.zones import to_epoch
from ocsgw.operations.header import CLASSIC_COLUMNS, Header
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType
from ocsgw.protocol.errors import Refusal

Duplicates = Literal["add", "skip", "replace"]
VerdictName = Literal["added", "replaced", "skipped", "refused"]
# Cells of a row, or why the row could not be read.
Row = list[str] | str

NO_CALL_REASON = "on the Do Not Call list: stored as NoCall"
_LAST_SECOND = 86399
# Record types that need a time (http.md section 10.1).
_SCHEDULED = frozenset({3, 4, 5, 6})
_NUMBERS_OF_LIST = frozenset({"record_id", "chain_id", "chain_n"})


class RowError(Exception):
    """A row is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What became of one row; `reason` is empty for one that was simply added."""

    name: VerdictName
    reason: str = ""


_REPLACED_EARLIER_ROW = RowVerdict("replaced", "replaced an earlier row with this contact")


@dataclass(slots=True, eq=False)
class _Draft:
    """A row that passed the checks without the store, and its place in the slice.

    `replaces` is the record whose place it takes, `contact` the normal form of its contact.
    """

    at: int
    record: NewRecord
    chain: int | None
    contact: str = ""
    is_blocked: bool = False
    replaces: int | None = None


@dataclass(slots=True)
class _Slice:
    """The rows of one slice on their way."""

    unit: UnitOfWork
    calling_list: CallingList
    verdicts: list[RowVerdict | None]
    drafts: list[_Draft] = field(default_factory=list)
    admission: Admission = field(default_factory=lambda: Admission(0, 0, set()))

    def refuse(self, at: int, reason: str) -> None:
        self.verdicts[at] = RowVerdict("refused", reason)


def import_rows(
    unit: UnitOfWork,
    calling_list: CallingList,
    header: Header,
    rows: Sequence[Row],
    duplicates: Duplicates,
    *,
    is_dry_run: bool = False,
    seen: Collection[int] = (),
) -> list[RowVerdict]:
    """Add rows to a list and return a verdict for each; with `is_dry_run` only say what would become of them.

    `seen` are the places of rows whose contact an earlier slice of the same dry run has.

    `duplicates` says what happens to a row whose contact the list has already, in its normal form (K40): it is added
    as a further record, skipped, or replaces the first record with that contact. A record in process is not replaced,
    and one of type NoCall stays so (H266).
    """
    slice_ = _Slice(unit, calling_list, [None] * len(rows))
    _read(slice_, header, rows)
    _check_do_not_call(slice_)
    if duplicates != "add":
        _find_duplicates(slice_, duplicates, frozenset(seen))
    _number(slice_, is_dry_run=is_dry_run)
    if not is_dry_run:
        _write(slice_)
    return cast("list[RowVerdict]", slice_.verdicts)


def _read(slice_: _Slice, header: Header, rows: Sequence[Row]) -> None:
    """Turn texts into records, as far as that needs no store."""
    calling_list = slice_.calling_list
    campaigns = slice_.unit.directory.campaigns_of(calling_list)
    template: list[FieldValue | None] = [
        0, None, 0, RecordType.GENERAL.value, RecordStatus.READY.value, CallResult.UNKNOWN.value, 0, 0, 0, 0,
        _LAST_SECOND, calling_list.tenant.default_zone.dbid, campaigns[0].dbid if len(campaigns) == 1 else 0, None,
        None, 0, *(each.default for each in calling_list.fields), None, None,
    ]  # fmt: skip
    width = len(header.names)
    columns = tuple(zip(header.readers, header.places, strict=True))
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
                    values[place] = read(cell)
            slice_.drafts.append(_draft(slice_, header, at, values))
        except Refusal as refusal:
            slice_.refuse(at, refusal.text)


def _draft(slice_: _Slice, header: Header, at: int, values: list[FieldValue | None]) -> _Draft:
    fixed = len(CLASSIC_COLUMNS)
    if values[1] is None:
        raise Refusal("missing_attribute", "GSW_PHONE")
    date = values[header.date_place]
    if date is not None:
        zone = slice_.unit.directory.zone_of(cast("int", values[11]), slice_.calling_list.tenant)
        # 0 means "not scheduled"; the one date that is 0 is long past, as is the second after it.
        values[7] = to_epoch(cast("str", date), zone.zone) or 1
    if not values[7] and values[3] in _SCHEDULED:
        raise Refusal("missing_attribute", "GSW_DATE_TIME")
    chain = cast("int | None", values[14])
    values[14] = 0
    record = NewRecord(*values[:fixed], values[fixed : header.date_place])  # type: ignore[call-arg,arg-type]  # so many
    return _Draft(at, record, chain)


def _check_do_not_call(slice_: _Slice) -> None:
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
    slice_.admission = admission = unit.tx.before_adding(calling_list, lookups, unit.now)
    for place in admission.blocked:
        draft = slice_.drafts[place]
        draft.is_blocked = True
        draft.record.record_type = RecordType.NO_CALL.value
        draft.record.call_result = CallResult.DO_NOT_CALL.value


def _find_duplicates(slice_: _Slice, duplicates: Duplicates, seen: frozenset[int]) -> None:
    """Skip the rows whose contact is there already, or let them take the place of what is there."""
    tx, calling_list = slice_.unit.tx, slice_.calling_list
    known = tx.records_by_contact(calling_list, {draft.contact for draft in slice_.drafts})
    if duplicates == "skip":
        kept = []
        earlier: set[str] = set()
        for draft in slice_.drafts:
            if draft.contact in known:
                reason = f"record {known[draft.contact][0]} has this contact"
            elif draft.contact in earlier or draft.at in seen:
                reason = "an earlier row has this contact"
            else:
                earlier.add(draft.contact)
                kept.append(draft)
                continue
            slice_.verdicts[draft.at] = RowVerdict("skipped", reason)
        slice_.drafts = kept
        return
    records = {each.record_id: each for each in tx.records(calling_list, [ids[0] for ids in known.values()])}
    newest: dict[str, _Draft] = {}
    for draft in slice_.drafts:
        ids, earlier_row = known.get(draft.contact), newest.get(draft.contact)
        if ids is not None:
            if not _take_place(slice_, draft, records.get(ids[0])):
                continue
        elif earlier_row is not None:
            draft.chain = earlier_row.chain
            slice_.verdicts[earlier_row.at] = slice_.verdicts[earlier_row.at] or RowVerdict("added")
            slice_.verdicts[draft.at] = _REPLACED_EARLIER_ROW
        elif draft.at in seen:
            slice_.verdicts[draft.at] = _REPLACED_EARLIER_ROW
        # A row that another one replaces keeps its place in the order.
        newest[draft.contact] = draft
    slice_.drafts = list(newest.values())


def _take_place(slice_: _Slice, draft: _Draft, there: Record | None) -> bool:
    """Let a row take the place of a record; return whether it may."""
    if there is None or there.record_status == RecordStatus.RETRIEVED.value:
        slice_.refuse(draft.at, "the record with this contact is in process")
        return False
    draft.replaces = there.record_id
    if there.record_type == RecordType.NO_CALL.value:
        draft.record.record_type = RecordType.NO_CALL.value
        draft.record.call_result = CallResult.DO_NOT_CALL.value
        draft.record.record_status = RecordStatus.UPDATED.value
    slice_.verdicts[draft.at] = RowVerdict("replaced", f"replaced record {there.record_id}")
    return True


def _number(slice_: _Slice, *, is_dry_run: bool) -> None:
    """Give new rows their numbers (H200). A chain that a row names and that does not exist is made."""
    tx, calling_list = slice_.unit.tx, slice_.calling_list
    new = [draft for draft in slice_.drafts if draft.replaces is None]
    for draft in new:
        if slice_.verdicts[draft.at] is None:
            slice_.verdicts[draft.at] = RowVerdict("added", NO_CALL_REASON if draft.is_blocked else "")
    if is_dry_run or not new:
        return
    named = {draft.chain for draft in new if draft.chain is not None}
    ends = dict(tx.chain_ends(calling_list, named)) if named else {}
    record_id, chain_id = slice_.admission.record_id, max(slice_.admission.chain_id, *named, 0)
    for draft in new:
        record_id += 1
        draft.record.record_id = record_id
        if draft.chain is None:
            chain_id += 1
            draft.record.chain_id = chain_id
        else:
            draft.record.chain_id = draft.chain
            draft.record.chain_n = ends[draft.chain] = ends.get(draft.chain, -1) + 1


def _write(slice_: _Slice) -> None:
    tx, calling_list = slice_.unit.tx, slice_.calling_list
    new = [draft.record for draft in slice_.drafts if draft.replaces is None]
    if new:
        tx.insert_records(calling_list, new)
    changes = {
        draft.replaces: _columns(calling_list, draft.record) for draft in slice_.drafts if draft.replaces is not None
    }
    if changes:
        tx.change_records(calling_list, changes)


def _columns(calling_list: CallingList, record: NewRecord) -> Mapping[str, object]:
    """Return what a record that is replaced gets; its numbers stay."""
    columns: dict[str, object] = {
        name: getattr(record, name) for name in CLASSIC_COLUMNS if name not in _NUMBERS_OF_LIST
    }
    columns.update(zip((each.column for each in calling_list.fields), record.custom, strict=True))
    return columns
