"""How members of an AddRecord become a row and its acknowledgement, found out once for each set of keys.

Clients send the same keys in the same order again and again. What `custom.given_columns` and the tables of http.md 10.1
decide key by key for any request, a plan has decided already (H96 to H98, H120, H121).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, cast

from ocsgw import speedups
from ocsgw.contact.added import Draft, Row
from ocsgw.contact.directory import CallingList, Campaign, Directory, TimeZone
from ocsgw.contact.fields import FieldType, to_column, to_event
from ocsgw.contact.new_record import default_campaign, default_record
from ocsgw.contact.transaction import NewRecord, row_of
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.contact.zones import to_date_time, to_epoch
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, KVValue

# Plans are made for sets of keys that clients choose; no more than this are kept.
_MOST_PLANS = 1024
_NO_LIMIT = 1 << 30

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
# Those that the acknowledgement does not show.
_NOT_SHOWN = frozenset({"GSW_CALL_TIME", "GSW_AGENT_ID"})
# Those that neither `shown` nor `named` have, and the request may.
_OTHERS = frozenset({"GSW_DATE_TIME", "GSW_REFERENCE_ID", "GSW_CHAIN_ID"})
_PLACES = {column: at for at, column in enumerate(NewRecord.__struct_fields__)}
# Where in a row of `row_of` the columns stand that more than one request, or more than its members, decides.
RECORD_ID, CHAIN_ID, CHAIN_N = _PLACES["record_id"], _PLACES["chain_id"], _PLACES["chain_n"]
CONTACT, CAMPAIGN, CUSTOM = _PLACES["contact_info"], _PLACES["campaign_id"], _PLACES["custom"]
RECORD_TYPE, CALL_RESULT = _PLACES["record_type"], _PLACES["call_result"]
_TIME, _ZONE = _PLACES["dial_sched_time"], _PLACES["tz_dbid"]


class _Place(NamedTuple):
    """Where in a row a custom member goes; a text up to `longest` characters goes there as it is."""

    at: int
    key: str
    longest: int
    kind: FieldType
    length: int | None


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """What becomes of the members of requests with certain keys.

    `row` has the defaults of all columns, `event` all members of the acknowledgement in their order, with what is shown
    if nothing is given. `shown` are the attributes that are stored and shown as they are, with their places in the row,
    `hidden` those that are only stored. `named` are zone and campaign, with the numbers and names of those that are
    spelled so. `custom` are the custom members, and `unknown` the keys that the list lacks, each with its name. If
    `has_others`, some attributes are not among these. `steps` are the same for the compiled part, if that is enough.
    """

    row: Row
    event: KV
    shown: tuple[tuple[int, str], ...]
    hidden: tuple[tuple[int, str], ...]
    named: tuple[tuple[int, str, dict[str, tuple[int, str]]], ...]
    custom: tuple[_Place, ...]
    unknown: frozenset[tuple[str, str]]
    has_others: bool
    steps: "Steps | None"


def _fill_slowly(plan: RecordPlan, data: KV, row: Row, event: KV) -> Sequence[str]:
    """Store and show what needs no conversion; return the keys whose values do, or are no name as it is spelled."""
    left = []
    for at, key in plan.shown:
        row[at] = event[key] = data[key]
    for at, key in plan.hidden:
        row[at] = data[key]
    for at, key, numbers in plan.named:
        value = data[key]
        found = numbers.get(value) if value.__class__ is str else None
        if found is None:
            left.append(key)
        else:
            row[at], event[key] = found
    for at, key, longest, _, _ in plan.custom:
        value = data[key]
        if value.__class__ is str and 0 < len(value) <= longest:
            row[at] = event[key] = value
        else:
            left.append(key)
    return left


if speedups.is_used():
    from ocsgw.speedups.rows import Steps, drafts, fill

    def _fill(plan: RecordPlan, data: KV, row: Row, event: KV) -> Sequence[str]:
        return fill(plan.shown, plan.hidden, plan.named, plan.custom, data, row, event)

else:
    _fill = _fill_slowly


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of(directory: Directory, calling_list: CallingList, keys: tuple[str, ...]) -> RecordPlan:
    at_of = {field.key: at for at, field in enumerate(calling_list.fields) if field.key is not None}
    places, unknown = [], set()
    for key in keys:
        at = at_of.get(key)
        if at is not None and key[:4] != "GSW_":
            field = calling_list.fields[at]
            is_text = field.kind in ("char", "varchar")
            longest = (field.length if field.length is not None else _NO_LIMIT) if is_text else 0
            places.append(_Place(CUSTOM + at, key, longest, field.kind, field.length))
        elif key[:4] != "GSW_" and key not in calling_list.shown_keys:
            unknown.add((calling_list.name, key))
    classic = [(_PLACES[COLUMN_OF[key]], key) for key in keys if key in COLUMN_OF]
    named = {
        "GSW_TZ_NAME": (_ZONE, "GSW_TZ_NAME", {each.name: (each.dbid, each.name) for each in directory.zones}),
        "GSW_CAMPAIGN_NAME": (
            CAMPAIGN,
            "GSW_CAMPAIGN_NAME",
            {each.name: (each.dbid, each.name) for each in directory.campaigns_of(calling_list)},
        ),
    }
    shown = tuple(each for each in classic if each[1] not in _NOT_SHOWN)
    hidden = tuple(each for each in classic if each[1] in _NOT_SHOWN)
    names = tuple(each for key, each in named.items() if key in keys)
    has_others = not _OTHERS.isdisjoint(keys)
    plan = RecordPlan(
        row_of(default_record(directory, calling_list)),
        _members(directory, calling_list, frozenset(keys)),
        shown,
        hidden,
        names,
        tuple(places),
        frozenset(unknown),
        has_others,
        None,
    )
    if not speedups.is_used() or has_others:
        return plan
    try:
        steps = Steps(keys, shown, hidden, names, tuple(places), plan.event, CHAIN_ID)
    except ValueError:
        # More keys than are usual, or a default that is neither text nor integer.
        return plan
    return replace(plan, steps=steps)


def _members(directory: Directory, calling_list: CallingList, given: frozenset[str]) -> KV:
    """Return the members of an acknowledgement as they are without those that are `given` (http.md 10.1)."""
    record, campaign = default_record(directory, calling_list), default_campaign(directory, calling_list)
    event: KV = {
        "GSW_USER_EVENT": "AddRecordAcknowledge",
        "GSW_APPLICATION_ID": directory.application_dbid,
        "GSW_CALLING_LIST": calling_list.name,
        "GSW_CAMPAIGN_NAME": campaign.name if campaign is not None else None,
        "GSW_PHONE": record.contact_info,
        "GSW_PHONE_TYPE": record.contact_info_type,
        "GSW_RECORD_TYPE": record.record_type,
        "GSW_RECORD_STATUS": record.record_status,
        "GSW_CALL_RESULT": record.call_result,
        "GSW_ATTEMPTS": record.attempt,
        "GSW_FROM": record.daily_from,
        "GSW_UNTIL": record.daily_till,
        "GSW_TZ_NAME": calling_list.tenant.default_zone.name,
        "GSW_DATE_TIME": None,
        "GSW_CHAIN_ID": 0,
        "GSW_CHAIN_N": 0,
    }
    for field in calling_list.fields:
        if field.key is not None:
            event[field.key] = to_event(field.kind, field.default) if field.default is not None else None
    event["GSW_REFERENCE_ID"] = None
    return {key: value for key, value in event.items() if value is not None or key in given}


def drafts_of(unit: UnitOfWork, calling_list: CallingList, requests: Sequence[PendingRequest], at: int) -> list[Draft]:
    """Return the records that requests from `at` on ask for: that of the first, and of those that are like it.

    Those are alike that have the same keys, name the same list, come from the same sender, and need no conversion; so
    what was found out about list and sender of the first is true of all. Raises `Refusal`.
    """
    data = requests[at].data
    keys = tuple(data)
    plan = _plan_of(unit.directory, calling_list, keys)
    if plan.steps is not None and "GSW_CALLING_LIST" in data:
        alike = drafts(cast("list[PendingRequest]", requests), at, plan.steps, plan.row)
        if alike:
            unit.unknown_keys |= plan.unknown
            return alike
    return [_draft(unit, calling_list, plan, at, data)]


def draft_of(unit: UnitOfWork, calling_list: CallingList, at: int, data: KV) -> Draft:
    """Return the record that a request asks for, without numbers: what is given as it is, else defaults (check 16).

    A member that the list does not have is ignored and noted (H97). Raises `Refusal`.
    """
    return _draft(unit, calling_list, _plan_of(unit.directory, calling_list, tuple(data)), at, data)


def _draft(unit: UnitOfWork, calling_list: CallingList, plan: RecordPlan, at: int, data: KV) -> Draft:
    # Types and ranges were checked when the request came in.
    row, event = plan.row.copy(), plan.event.copy()
    left = _fill(plan, data, row, event)
    if left:
        for place in plan.custom:
            if place.key in left:
                _convert(place, data[place.key], row, event)
    if plan.unknown:
        unit.unknown_keys |= plan.unknown
    if left:
        _look_up(unit.directory, calling_list, left, data, row, event)
    if not plan.has_others:
        return Draft(at, row, event, None)
    if "GSW_DATE_TIME" in data:
        _schedule(unit.directory, calling_list, data, row, event)
    if "GSW_REFERENCE_ID" in data:
        _show(event, "GSW_REFERENCE_ID", data["GSW_REFERENCE_ID"])
    return Draft(at, row, event, cast("int | None", data.get("GSW_CHAIN_ID")))


def _convert(place: _Place, value: KVValue, row: Row, event: KV) -> None:
    """Store and show the value of a custom member that is no text which goes in as it is."""
    stored = to_column(place.kind, place.length, place.key, value)
    if stored is None:
        _show(event, place.key, event[place.key])
    else:
        row[place.at] = stored
        _show(event, place.key, to_event(place.kind, stored))


def _look_up(
    directory: Directory, calling_list: CallingList, keys: Sequence[str], data: KV, row: Row, event: KV
) -> None:
    """Find zone and campaign, if they are among `keys`, by any spelling of their names, or the default ones."""
    if "GSW_TZ_NAME" in keys:
        zone = _zone(directory, calling_list, data)
        row[_ZONE], event["GSW_TZ_NAME"] = zone.dbid, zone.name
    if "GSW_CAMPAIGN_NAME" in keys:
        campaign = _campaign(directory, calling_list, data["GSW_CAMPAIGN_NAME"])
        row[CAMPAIGN] = campaign.dbid if campaign is not None else 0
        _show(event, "GSW_CAMPAIGN_NAME", campaign.name if campaign is not None else None)


def _schedule(directory: Directory, calling_list: CallingList, data: KV, row: Row, event: KV) -> None:
    date_time = data["GSW_DATE_TIME"]
    if date_time is not None:
        zone = _zone(directory, calling_list, data)
        # 0 means "not scheduled"; the one date that is 0 is long past, as is the second after it.
        row[_TIME] = to_epoch(cast("str", date_time), zone.zone) or 1
        date_time = to_date_time(row[_TIME], zone.zone)
    _show(event, "GSW_DATE_TIME", date_time)


def _show(event: KV, key: str, value: KVValue) -> None:
    """Give a member of an acknowledgement its value; without one there is no such member."""
    if value is None:
        del event[key]
    else:
        event[key] = value


def _zone(directory: Directory, calling_list: CallingList, data: KV) -> TimeZone:
    """Return the zone that a request names, else that of the tenant. Raises `Refusal`."""
    name = data.get("GSW_TZ_NAME")
    return directory.zone_named(name) if name is not None else calling_list.tenant.default_zone


def _campaign(directory: Directory, calling_list: CallingList, name: KVValue) -> Campaign | None:
    """Return the campaign that a request names; without a name the only one of the list. Raises `Refusal`."""
    if name is None:
        return default_campaign(directory, calling_list)
    campaign = directory.campaign_named(name)
    if campaign not in directory.campaigns_of(calling_list):
        raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
    return campaign
