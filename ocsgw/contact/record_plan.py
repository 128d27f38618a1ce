"""How members of an AddRecord become columns, found out once for each set of keys (http.md 10.1, H96 to H98).

Clients send the same keys in the same order again and again. What `custom.given_columns` decides key by key for any
request, a plan has decided already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldType, FieldValue, to_column, to_event
from ocsgw.contact.new_record import DEFAULTS
from ocsgw.contact.transaction import NewRecord
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.messages import KV

# Plans are made for sets of keys that clients choose; no more than this are kept.
_MOST_PLANS = 1024
_NO_LIMIT = 1 << 30
# The values of a new record but for its custom columns.
_DEFAULT_ROW = msgspec.structs.astuple(DEFAULTS)[:-1]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the value of a member goes; a text up to `longest` characters goes there as it is."""

    at: int
    key: str
    kind: FieldType
    length: int | None
    longest: int


# Attributes of AddRecord that are stored as they are, with their columns.
COLUMN_OF = {
    "GSW_PHONE": "contact_info",
    "GSW_PHONE_TYPE": "contact_info_type",
    "GSW_RECORD_TYPE": "record_type",
    "GSW_RECORD_STATUS": "record_status",
    "GSW_CALL_RESULT": "call_result",
    "GSW_ATTEMPTS": "attempt",
    "GSW_CALL_TIME": "call_time",
    "GSW_FROM": "daily_from",
    "GSW_UNTIL": "daily_till",
    "GSW_AGENT_ID": "agent_id",
}
_CLASSIC = {key: NewRecord.__struct_fields__.index(column) for key, column in COLUMN_OF.items()}


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """What becomes of the members of requests with certain keys.

    `classic` are the attributes that are stored as they are, with their places; `custom` says the same of custom
    members, `defaults` are those of all custom columns, and `unknown` the keys that the list lacks, each with its name.
    """

    classic: tuple[tuple[int, str], ...]
    custom: tuple[_Place, ...]
    defaults: list[FieldValue | None]
    unknown: frozenset[tuple[str, str]]


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of(calling_list: CallingList, keys: tuple[str, ...]) -> RecordPlan:
    at_of = {field.key: at for at, field in enumerate(calling_list.fields) if field.key is not None}
    places, unknown = [], set()
    for key in keys:
        at = at_of.get(key)
        if at is not None and key[:4] != "GSW_":
            field = calling_list.fields[at]
            is_text = field.kind in ("char", "varchar")
            longest = (field.length if field.length is not None else _NO_LIMIT) if is_text else 0
            places.append(_Place(at, key, field.kind, field.length, longest))
        elif key[:4] != "GSW_" and key not in calling_list.shown_keys:
            unknown.add((calling_list.name, key))
    classic = tuple((_CLASSIC[key], key) for key in keys if key in _CLASSIC)
    return RecordPlan(classic, tuple(places), [field.default for field in calling_list.fields], frozenset(unknown))


def new_record(unit: UnitOfWork, calling_list: CallingList, data: KV) -> NewRecord:
    """Return the record that a request asks for: what is stored as it is given, else the defaults.

    Time, zone, campaign, chain and numbers are left to the caller. A member that the list does not have is ignored and
    noted (H97). Raises `Refusal` (`invalid_attribute`).
    """
    plan = _plan_of(calling_list, tuple(data))
    # Types and ranges were checked when the request came in.
    row: list[Any] = [*_DEFAULT_ROW, _custom_columns(plan, data)]
    for at, key in plan.classic:
        row[at] = data[key]
    if plan.unknown:
        unit.unknown_keys |= plan.unknown
    return NewRecord(*row)


def _custom_columns(plan: RecordPlan, data: KV) -> list[FieldValue | None]:
    custom = plan.defaults.copy()
    for place in plan.custom:
        value = data[place.key]
        if type(value) is str and 0 < len(value) <= place.longest:
            custom[place.at] = value
        else:
            stored = to_column(place.kind, place.length, place.key, value)
            if stored is not None:
                custom[place.at] = stored
    return custom


def add_custom_members(event: KV, calling_list: CallingList, custom: Sequence[FieldValue | None]) -> None:
    """Add the custom fields that have a value and travel to an event (H121, K31)."""
    for field, stored in zip(calling_list.fields, custom, strict=True):
        if stored is not None and field.key is not None:
            value = (
                stored if type(stored) is str and field.kind not in ("int", "float") else to_event(field.kind, stored)
            )
            if value is not None:
                event[field.key] = value
