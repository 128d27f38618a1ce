"""How members of an AddRecord become a row and its acknowledgement, found out once for each set of keys.

Clients send the same keys in the same order again and again. What `custom.given_columns` and the tables of http.md 10.1
decide key by key for any request, a plan has decided already (H96 to H98, H120, H121).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import msgspec

from ocsgw.contact.directory import CallingList, Campaign, Directory
from ocsgw.contact.fields import FieldType, to_column, to_event
from ocsgw.contact.new_record import default_campaign, default_record
from ocsgw.contact.transaction import NewRecord, row_of
from ocsgw.contact.unit_of_work import UnitOfWork
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
_PLACES = {column: at for at, column in enumerate(NewRecord.__struct_fields__)}
# Where in a row of `row_of` the columns stand that more than one request, or more than its members, decides.
RECORD_ID, CHAIN_ID, CHAIN_N = _PLACES["record_id"], _PLACES["chain_id"], _PLACES["chain_n"]
CONTACT, CAMPAIGN, CUSTOM = _PLACES["contact_info"], _PLACES["campaign_id"], _PLACES["custom"]
RECORD_TYPE, CALL_RESULT = _PLACES["record_type"], _PLACES["call_result"]
_TIME, _ZONE = _PLACES["dial_sched_time"], _PLACES["tz_dbid"]

Row = list[Any]


class Draft(msgspec.Struct):
    """A record to be added: its row in the order of the columns, its acknowledgement but for the numbers, its chain."""

    at: int
    row: Row
    event: KV
    chain: int | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a row a custom member goes; a text up to `longest` characters goes there as it is."""

    at: int
    key: str
    kind: FieldType
    length: int | None
    longest: int


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """What becomes of the members of requests with certain keys.

    `row` has the defaults of all columns, `event` all members of the acknowledgement in their order, with what is shown
    if nothing is given. `shown` are the attributes that are stored and shown as they are, with their places in the row,
    `hidden` those that are only stored. `custom` says the same of custom members, and `unknown` are the keys that the
    list lacks, each with its name. `campaigns` are those of the list by their names.
    """

    row: Row
    event: KV
    shown: tuple[tuple[int, str], ...]
    hidden: tuple[tuple[int, str], ...]
    custom: tuple[_Place, ...]
    unknown: frozenset[tuple[str, str]]
    campaigns: Mapping[object, Campaign]


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
            places.append(_Place(CUSTOM + at, key, field.kind, field.length, longest))
        elif key[:4] != "GSW_" and key not in calling_list.shown_keys:
            unknown.add((calling_list.name, key))
    classic = [(_PLACES[COLUMN_OF[key]], key) for key in keys if key in COLUMN_OF]
    return RecordPlan(
        row_of(default_record(directory, calling_list)),
        _members(directory, calling_list, frozenset(keys)),
        tuple(each for each in classic if each[1] not in _NOT_SHOWN),
        tuple(each for each in classic if each[1] in _NOT_SHOWN),
        tuple(places),
        frozenset(unknown),
        {each.name: each for each in directory.campaigns_of(calling_list)},
    )


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


def draft_of(unit: UnitOfWork, calling_list: CallingList, at: int, data: KV) -> Draft:
    """Return the record that a request asks for, without numbers: what is given as it is, else defaults (check 16).

    A member that the list does not have is ignored and noted (H97). Raises `Refusal`.
    """
    directory = unit.directory
    plan = _plan_of(directory, calling_list, tuple(data))
    # Types and ranges were checked when the request came in.
    row, event = plan.row.copy(), plan.event.copy()
    for place, key in plan.shown:
        row[place] = event[key] = data[key]
    for place, key in plan.hidden:
        row[place] = data[key]
    for custom in plan.custom:
        value = data[custom.key]
        if value.__class__ is str and 0 < len(value) <= custom.longest:
            row[custom.at] = event[custom.key] = value
        else:
            _convert(custom, value, row, event)
    if plan.unknown:
        unit.unknown_keys |= plan.unknown
    zone, zone_name = calling_list.tenant.default_zone, data.get("GSW_TZ_NAME")
    if zone_name is not None:
        zone = directory.zone_named(zone_name)
        row[_ZONE], event["GSW_TZ_NAME"] = zone.dbid, zone.name
    if "GSW_CAMPAIGN_NAME" in data:
        name = data["GSW_CAMPAIGN_NAME"]
        campaign = plan.campaigns.get(name) if name.__class__ is str else None
        if campaign is None:
            campaign = _campaign(directory, calling_list, name)
        row[CAMPAIGN] = campaign.dbid if campaign is not None else 0
        _show(event, "GSW_CAMPAIGN_NAME", campaign.name if campaign is not None else None)
    if "GSW_DATE_TIME" in data:
        date_time = data["GSW_DATE_TIME"]
        if date_time is not None:
            # 0 means "not scheduled"; the one date that is 0 is long past, as is the second after it.
            row[_TIME] = to_epoch(cast("str", date_time), zone.zone) or 1
            date_time = to_date_time(row[_TIME], zone.zone)
        _show(event, "GSW_DATE_TIME", date_time)
    if "GSW_REFERENCE_ID" in data:
        _show(event, "GSW_REFERENCE_ID", data["GSW_REFERENCE_ID"])
    return Draft(at, row, event, cast("int | None", data.get("GSW_CHAIN_ID")))


def _convert(custom: _Place, value: KVValue, row: Row, event: KV) -> None:
    """Store and show the value of a custom member that is no text which goes in as it is."""
    stored = to_column(custom.kind, custom.length, custom.key, value)
    if stored is None:
        _show(event, custom.key, event[custom.key])
    else:
        row[custom.at] = stored
        _show(event, custom.key, to_event(custom.kind, stored))


def _show(event: KV, key: str, value: KVValue) -> None:
    """Give a member of an acknowledgement its value; without one there is no such member."""
    if value is None:
        del event[key]
    else:
        event[key] = value


def _campaign(directory: Directory, calling_list: CallingList, name: KVValue) -> Campaign | None:
    """Return the campaign that a request names; without a name the only one of the list. Raises `Refusal`."""
    if name is None:
        return default_campaign(directory, calling_list)
    campaign = directory.campaign_named(name)
    if campaign not in directory.campaigns_of(calling_list):
        raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
    return campaign
