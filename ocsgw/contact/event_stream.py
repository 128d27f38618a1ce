"""The outbox for web clients: who may see what of it, and the next events behind a number (docs/http.md)."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ocsgw.contact.directory import CallingList, CampaignGroup, Directory
from ocsgw.contact.outbox import EntryData, OutboxEntry, data_of
from ocsgw.contact.unit_of_work import PendingRequest, Reply, UnitOfWork
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.event_stream import OCCASIONS, EventPage, StreamedEvent, page_text
from ocsgw.protocol.messages import KV

# Entries and bytes of a page: little enough that requests of the same batch do not feel it.
_MOST_ENTRIES = 200
_MOST_BYTES = 64 << 10
# What is left for what stands around the events.
_ENVELOPE = 16 << 10
_KEYS: Mapping[str, str] = {
    "contact_info": "GSW_PHONE",
    "contact_info_type": "GSW_PHONE_TYPE",
    "record_type": "GSW_RECORD_TYPE",
    "record_status": "GSW_RECORD_STATUS",
    "call_result": "GSW_CALL_RESULT",
    "attempt": "GSW_ATTEMPTS",
    "dial_sched_time": "GSW_SCHEDULED_TIME",
    "call_time": "GSW_CALL_TIME",
    "daily_from": "GSW_FROM",
    "daily_till": "GSW_UNTIL",
    "agent_id": "GSW_AGENT_ID",
}

_encode = msgspec.json.Encoder().encode


def open_streams(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Answer what a principal may see of what it asks for, as DBIDs, and the number of the newest event.

    Without `GSW_CALLING_LIST_DBIDS` or `GSW_CAMPAIGN_GROUP_DBIDS` in the answer there is no limit of that kind.
    """
    newest = unit.tx.outbox_bounds()[1]
    replies: list[Reply] = []
    for pending in requests:
        try:
            members: KV = {"GSW_EVENT_ID": newest, **_scope(unit.directory, pending)}
        except Refusal as refusal:
            replies.append(refusal)
        else:
            replies.append(unit.event("EventStream", pending, members))
    return replies


def _scope(directory: Directory, pending: PendingRequest) -> KV:
    """Return the lists and groups that a stream shows. Raises `Refusal` for one that is not there, or not permitted.

    Who asks for a group gets what concerns the records of its lists too, and who asks for a list the states of its
    groups.
    """
    principal, may = pending.context.principal, directory.permissions_of(pending.context.principal)
    lists: Iterable[CallingList] | None = None
    groups: Iterable[CampaignGroup] | None = None
    names, dbids = _given(pending, "GSW_CALLING_LISTS"), _given(pending, "GSW_CAMPAIGN_GROUP_DBIDS")
    if names:
        lists = [directory.calling_list(name) for name in names]
        for each in lists:
            directory.demand_list(principal, each)
    if dbids:
        groups = [directory.group(dbid) for dbid in dbids]
        for group in groups:
            directory.demand_group(principal, group)
        if lists is None:
            lists = directory.lists_of(principal, (each for group in groups for each in group.campaign.calling_lists))
    elif lists is not None:
        groups = [each for each in directory.groups if any(one in lists for one in each.campaign.calling_lists)]
    if lists is None and (may.tenants is not None or may.calling_lists is not None):
        lists = directory.lists_of(principal, (*directory.calling_lists, *directory.retired))
    if groups is None and (may.tenants is not None or may.campaign_groups is not None):
        groups = directory.groups
    scope: KV = {}
    if lists is not None:
        scope["GSW_CALLING_LIST_DBIDS"] = list(dict.fromkeys(each.dbid for each in lists))
    if groups is not None:
        permitted = (each for each in groups if may.missing_for_group(each.campaign.tenant.name, each.name) is None)
        scope["GSW_CAMPAIGN_GROUP_DBIDS"] = list(dict.fromkeys(each.dbid for each in permitted))
    return scope


def _given(pending: PendingRequest, key: str) -> list[object]:
    values = pending.data.get(key)
    return values if isinstance(values, list) else []


def read_events(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Answer the events behind a number, as one text; HTTP Proxy decides who gets which of them."""
    replies: list[Reply] = []
    for pending in requests:
        after = pending.data.get("GSW_EVENT_ID")
        page = _page(unit, after if isinstance(after, int) else 0, pending.context.largest_answer)
        replies.append(unit.event("Events", pending, {"GSW_EVENTS": page_text(page)}))
    return replies


def _page(unit: UnitOfWork, after: int, largest: int) -> EventPage:
    entries = unit.tx.outbox_after(after, _MOST_ENTRIES)
    if not entries:
        # Asked for first: what another server has added since is behind it.
        newest = unit.tx.outbox_bounds()[1]
        entries = unit.tx.outbox_after(after, _MOST_ENTRIES)
    if not entries:
        return EventPage(newest + 1, newest, more=False, events=[])
    most = room = min(_MOST_BYTES, largest - _ENVELOPE)
    events: list[StreamedEvent] = []
    for entry in entries:
        event = _event(unit.directory, entry, most)
        room -= len(event.data.encode("utf-8"))
        if room < 0 and events:
            break
        events.append(event)
    is_cut = len(events) < len(entries) or len(entries) == _MOST_ENTRIES
    return EventPage(entries[0].number, events[-1].number, more=is_cut, events=events)


def _event(directory: Directory, entry: OutboxEntry, most: int) -> StreamedEvent:
    kind = OCCASIONS.get(entry.kind, entry.kind)
    data = data_of(entry)
    members: KV = {"GSW_USER_EVENT": kind, "GSW_EVENT_TIME": entry.at}
    calling_list = directory.list_by_dbid(entry.list_dbid)
    if entry.list_dbid:
        members.update(_record_members(entry, data, calling_list))
    group = directory.group_by_dbid(entry.group_dbid)
    if entry.group_dbid:
        members["GSW_CAMPAIGN_GROUP_DBID"] = entry.group_dbid
    if group is not None:
        members["GSW_CAMPAIGN_NAME"] = group.campaign.name
        members["GSW_CAMPAIGN_GROUP_NAME"] = group.name
    changed: dict[str, object] = dict(data.members)
    for column, value in data.after.items():
        key = _KEYS.get(column) or _custom_key(calling_list, column)
        if key is not None:
            changed[key] = value
    text = _encode({**members, **changed})
    if len(text) > most:
        # What has changed is in the store.
        text = _encode({**members, "GSW_TOO_LARGE": 1})
    return StreamedEvent(entry.number, kind, entry.list_dbid, entry.group_dbid, text.decode("utf-8"))


def _record_members(entry: OutboxEntry, data: EntryData, calling_list: CallingList | None) -> KV:
    members: KV = {"GSW_CALLING_LIST_DBID": entry.list_dbid}
    if calling_list is not None:
        members["GSW_CALLING_LIST"] = calling_list.name
    if entry.chain_id:
        members["GSW_CHAIN_ID"] = entry.chain_id
    members["GSW_RECORD_ID"] = entry.record_id
    if data.last_id:
        members["GSW_LAST_RECORD_ID"] = data.last_id
    if entry.handle:
        members["GSW_RECORD_HANDLE"] = entry.handle
    return members


def _custom_key(calling_list: CallingList | None, column: str) -> str | None:
    if calling_list is None:
        return None
    return next((each.key for each in calling_list.fields if each.column == column), None)
