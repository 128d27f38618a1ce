"""Rows whose contact, or customer id, the list or the file has already (K40, K42)."""

from collections.abc import Mapping

from ocsgw.contact.dnc_lookup import customer_id_text
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.transaction import Record
from ocsgw.operations.drafts import Draft, Slice
from ocsgw.operations.verdicts import Duplicates, RowVerdict, VerdictName
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType


def find_duplicates(slice_: Slice, duplicates: Duplicates, seen: frozenset[int]) -> None:
    """Skip rows, or let them take the place, or write over the values, of what is there."""
    tx, calling_list = slice_.unit.tx, slice_.calling_list
    for draft in slice_.drafts:
        draft.contact = normal_contact(draft.record.contact_info, calling_list.tenant.country)
    known = tx.records_by_contact(calling_list, {draft.contact for draft in slice_.drafts if draft.contact})
    if duplicates == "skip":
        _skip(slice_, known, seen)
    elif duplicates == "replace":
        _replace(slice_, known, seen)
    else:
        _update(slice_, known, seen)


def _skip(slice_: Slice, known: Mapping[str, list[int]], seen: frozenset[int]) -> None:
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


def _replace(slice_: Slice, known: Mapping[str, list[int]], seen: frozenset[int]) -> None:
    records = _records(slice_, [ids[0] for ids in known.values()])
    newest: dict[str, Draft] = {}
    for draft in slice_.drafts:
        ids, earlier_row = known.get(draft.contact), newest.get(draft.contact)
        if ids is not None:
            if not _take_place(slice_, draft, records.get(ids[0]), "replaced"):
                continue
        elif earlier_row is not None:
            draft.chain = earlier_row.chain
            slice_.verdicts[earlier_row.at] = slice_.verdicts[earlier_row.at] or RowVerdict("added")
            slice_.verdicts[draft.at] = _of_earlier_row("replaced")
        elif draft.at in seen:
            slice_.verdicts[draft.at] = _of_earlier_row("replaced")
        # A row that another one replaces keeps its place in the order.
        newest[draft.contact] = draft
    slice_.drafts = list(newest.values())


def _update(slice_: Slice, known: Mapping[str, list[int]], seen: frozenset[int]) -> None:
    """Match rows by contact, those without such a record by customer id."""
    targets: dict[int, int] = {}
    for draft in slice_.drafts:
        if draft.contact in known:
            targets[draft.at] = known[draft.contact][0]
            continue
        found = _by_customer_id(slice_, draft)
        if len(found) == 1:
            targets[draft.at] = found[0]
        elif found:
            slice_.refuse(draft.at, f"{len(found)} records have this customer id, and none of them this contact")
    records = _records(slice_, list(targets.values()))
    earlier: dict[str, Draft] = {}
    kept = []
    for draft in slice_.drafts:
        if slice_.verdicts[draft.at] is not None:
            continue
        key = _key(slice_, draft)
        if draft.at in targets:
            if _take_place(slice_, draft, records.get(targets[draft.at]), "updated"):
                kept.append(draft)
        elif key in earlier:
            _write_over(earlier[key], draft)
            slice_.verdicts[draft.at] = _of_earlier_row("updated")
        else:
            if draft.at in seen:
                slice_.verdicts[draft.at] = _of_earlier_row("updated")
            earlier[key] = draft
            kept.append(draft)
    slice_.drafts = kept


def _by_customer_id(slice_: Slice, draft: Draft) -> list[int]:
    customer_id = _customer_id(slice_, draft)
    if customer_id is None:
        return []
    return [each.record_id for each in slice_.unit.tx.find_by_customer_id(slice_.calling_list, customer_id)]


def _customer_id(slice_: Slice, draft: Draft) -> str | None:
    at = slice_.calling_list.customer_at
    return customer_id_text(draft.record.custom[at]) if at is not None else None


def _key(slice_: Slice, draft: Draft) -> str:
    return draft.contact or f"\0{_customer_id(slice_, draft)}"


def _write_over(earlier: Draft, draft: Draft) -> None:
    """Write what a row gives over what an earlier row of the same slice, which is new, has."""
    assert draft.given is not None and earlier.given is not None  # noqa: S101, PT018 - both are updates
    fields = draft.record.__struct_fields__[:-1]
    for place in draft.given:
        if place < len(fields):
            setattr(earlier.record, fields[place], getattr(draft.record, fields[place]))
        elif place - len(fields) < len(draft.record.custom):
            earlier.record.custom[place - len(fields)] = draft.record.custom[place - len(fields)]
    earlier.given |= draft.given


def _take_place(slice_: Slice, draft: Draft, there: Record | None, name: VerdictName) -> bool:
    """Let a row take the place of a record; return whether it may."""
    if there is None or there.record_status == RecordStatus.RETRIEVED.value:
        slice_.refuse(draft.at, "the record with this contact is in process")
        return False
    draft.replaces = there.record_id
    if draft.is_blocked or there.record_type == RecordType.NO_CALL.value:
        draft.is_blocked = True
        draft.record.record_type = RecordType.NO_CALL.value
        draft.record.call_result = CallResult.DO_NOT_CALL.value
        draft.record.record_status = RecordStatus.UPDATED.value
    reason = f"{name} record {there.record_id}" + (f"; {draft.warning}" if draft.warning else "")
    slice_.verdicts[draft.at] = RowVerdict(name, reason)
    return True


def _records(slice_: Slice, ids: list[int]) -> dict[int, Record]:
    return {each.record_id: each for each in slice_.unit.tx.records(slice_.calling_list, ids)}


def _of_earlier_row(name: VerdictName) -> RowVerdict:
    return RowVerdict(name, f"{name} an earlier row with this contact")
