"""Custom fields of requests and events, by the calling list (http.md H96 to H98, H120, H121)."""

from collections.abc import Sequence

from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldValue, to_column, to_event
from ocsgw.contact.unit_of_work import UnitOfWork
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
            unit.unknown_keys.add((calling_list.name, key))
            continue
        stored = to_column(field.kind, field.length, key, value)
        if stored is not None:
            given[field.column] = stored
    return given


def custom_members(calling_list: CallingList, custom: Sequence[FieldValue | None]) -> KV:
    """Return the custom fields that have a value and travel, for an event (H121, K31)."""
    members: KV = {}
    for field, stored in zip(calling_list.fields, custom, strict=True):
        if stored is not None and field.key is not None:
            value = to_event(field.kind, stored)
            if value is not None:
                members[field.key] = value
    return members
