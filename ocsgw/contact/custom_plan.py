"""How custom members of an AddRecord become columns, found out once for each set of keys (http.md H96 to H98).

Clients send the same keys in the same order again and again. What `custom.given_columns` decides key by key for any
request, a plan has decided already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldType, FieldValue, to_column, to_event
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.messages import KV

# Plans are made for sets of keys that clients choose; no more than this are kept.
_MOST_PLANS = 1024
_NO_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the value of a member goes; a text up to `longest` characters goes there as it is."""

    at: int
    key: str
    kind: FieldType
    length: int | None
    longest: int


@dataclass(frozen=True, slots=True)
class CustomPlan:
    """What becomes of the custom members of requests with certain keys: their places, and keys that the list lacks."""

    defaults: list[FieldValue | None]
    places: tuple[_Place, ...]
    unknown: frozenset[tuple[str, str]]


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of(calling_list: CallingList, keys: tuple[str, ...]) -> CustomPlan:
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
    return CustomPlan([field.default for field in calling_list.fields], tuple(places), frozenset(unknown))


def custom_columns(unit: UnitOfWork, calling_list: CallingList, data: KV) -> list[FieldValue | None]:
    """Return the custom columns of a new record: what the request gives, else the defaults.

    A member that the list does not have is ignored and noted (H97). Raises `Refusal` (`invalid_attribute`).
    """
    plan = _plan_of(calling_list, tuple(data))
    custom = plan.defaults.copy()
    for place in plan.places:
        value = data[place.key]
        if type(value) is str and 0 < len(value) <= place.longest:
            custom[place.at] = value
        else:
            stored = to_column(place.kind, place.length, place.key, value)
            if stored is not None:
                custom[place.at] = stored
    if plan.unknown:
        unit.unknown_keys |= plan.unknown
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
