"""Fields of requests and events by the calling list: custom ones, and classic columns under keys of the list.

Source: http.md H96 to H98, H120, H121; constants.md K64.
"""

from collections.abc import Sequence

from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldValue, to_column, to_event
from ocsgw.contact.transaction import Record, further_columns
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.columns import TEXT_COLUMNS
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV


def given_columns(unit: UnitOfWork, calling_list: CallingList, data: KV) -> dict[str, FieldValue]:
    """Return the custom columns that a request sets. Raises `Refusal` (`invalid_attribute`).

    A member that the list does not have is ignored and noted (H97).
    """
    fields = calling_list.fields_by_key
    given: dict[str, FieldValue] = {}
    for key, value in data.items():
        if key[:4] == "GSW_":
            continue
        field = fields.get(key)
        if field is None:
            if key in calling_list.shown_keys:
                # Read-only, and not worth a line in the log (H98).
                continue
            unit.unknown_keys.add((calling_list.name, key))
            continue
        stored = to_column(field.kind, field.length, key, value)
        if stored is not None:
            given[field.column] = stored
    return given


def lenient_columns(unit: UnitOfWork, calling_list: CallingList, data: KV) -> dict[str, FieldValue]:
    """Return the custom columns that an answer from outside sets; what a field does not take is passed over (O23)."""
    given: dict[str, FieldValue] = {}
    for key, value in data.items():
        try:
            given.update(given_columns(unit, calling_list, {key: value}))
        except Refusal:
            unit.unknown_keys.add((calling_list.name, key))
    return given


def custom_members(calling_list: CallingList, custom: Sequence[FieldValue | None]) -> KV:
    """Return the custom fields that have a value and travel, for an event (H121, K31)."""
    members: KV = {}
    for field, stored in zip(calling_list.fields, custom, strict=True):
        if stored is not None and field.key is not None:
            value = (
                stored if type(stored) is str and field.kind not in ("int", "float") else to_event(field.kind, stored)
            )
            if value is not None:
                members[field.key] = value
    return members


def shown_members(calling_list: CallingList, record: Record) -> KV:
    """Return the classic columns that events show under keys of the list; empty texts are left out (K64)."""
    members: KV = {}
    further = dict(zip(further_columns(calling_list), record.further, strict=True))
    for each in calling_list.shown:
        stored = further[each.column] if each.column in further else getattr(record, each.column)
        if stored is not None and stored != "":
            value = to_event("varchar" if each.column in TEXT_COLUMNS else "int", stored)
            if value is not None:
                members[each.key] = value
    return members
