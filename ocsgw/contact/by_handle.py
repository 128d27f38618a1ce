"""Requests by record handle (http.md sections 10.2 to 10.7 and 10.9)."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from ocsgw.contact.block_record import block_record
from ocsgw.contact.custom import given_columns
from ocsgw.contact.endings import cancel_record, process_record, reject_record
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import record_keys
from ocsgw.contact.journal import note_members
from ocsgw.contact.record_events import chained_record
from ocsgw.contact.reports import report_end
from ocsgw.contact.reschedule import reschedule_record
from ocsgw.contact.sharing import share_record
from ocsgw.contact.shown_ends import show_end
from ocsgw.contact.unit_of_work import PendingRequest, Reply, UnitOfWork
from ocsgw.protocol.enumerations import RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_NO_CALL = RecordType.NO_CALL.value
# Keys that are information only on a record (H103).
INFORMATION_KEYS = ("GSW_CAMPAIGN_NAME", "GSW_CALLING_LIST", "GSW_CHAIN_ID")


def by_handle(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Carry out requests by handle, of any kind, in their order (P41, H315).

    A request that is refused has changed nothing: every action checks first and changes then.
    """
    handouts_cache = HandoutCache(unit)
    handouts_cache.open_for_handles({cast("int", pending.data["GSW_RECORD_HANDLE"]) for pending in requests})
    replies: list[Reply] = []
    for pending in requests:
        _note_differences(unit, handouts_cache, pending)
        try:
            replies.append(_ACTIONS[pending.request.name](unit, handouts_cache, pending))
            touched = handouts_cache.peek(cast("int", pending.data["GSW_RECORD_HANDLE"]), ended=True)
            if touched is not None:
                note_members(unit, touched[0], pending.request.name, pending.context.principal)
                if touched[0].ended:
                    report_end(unit, *touched, pending.request.name)
                    show_end(unit, touched[0], pending.context)
        except Refusal as refusal:
            replies.append(refusal)
    handouts_cache.save()
    return replies


def _note_differences(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> None:
    """Note information of the request that is not that of the record; it has no other effect (H103)."""
    given = [key for key in INFORMATION_KEYS if key in pending.data]
    if not given:
        return
    handle = cast("int", pending.data["GSW_RECORD_HANDLE"])
    found = handouts_cache.peek(handle)
    if found is not None:
        keys = record_keys(*found)
        unit.differences += [
            f"{key} of a request differs from that of record handle {handle}"
            for key in given
            if str(pending.data[key]) != str(keys.get(key))
        ]


_UPDATED_COLUMNS = {
    "GSW_CALL_RESULT": "call_result",
    "GSW_PHONE": "contact_info",
    "GSW_PHONE_TYPE": "contact_info_type",
    "GSW_FROM": "daily_from",
    "GSW_UNTIL": "daily_till",
    "GSW_RECORD_TYPE": "record_type",
    "GSW_ATTEMPTS": "attempt",
}


# What is kept with the handle.
_FOR_THE_END = frozenset({"GSW_ATTEMPTS", "GSW_RECORD_STATUS", "GSW_TREATMENT"})


def _update(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> KV:
    """UpdateCallCompletionStats: change what is given; the record stays in process (H220 to H223)."""
    handed_out, member = handouts_cache.find(pending)
    data, handle = pending.data, member.handle
    custom = given_columns(unit, handed_out.calling_list, data)
    zone_name = data.get("GSW_TZ_NAME")
    zone = unit.directory.zone_named(zone_name) if zone_name is not None else None
    was_no_call = member.is_no_call
    member.set_custom(handed_out.calling_list, custom)
    member.set(**{column: data[key] for key, column in _UPDATED_COLUMNS.items() if key in data})
    if zone is not None:
        member.set(tz_dbid=zone.dbid)
    if handle is not None and not _FOR_THE_END.isdisjoint(data):
        handed_out.changed_handles.append(handle)
        handle.attempts_set = handle.attempts_set or "GSW_ATTEMPTS" in data
        handle.status_set = cast("int | None", data.get("GSW_RECORD_STATUS", handle.status_set))
        handle.treatment = cast("str | None", data.get("GSW_TREATMENT", handle.treatment))
    if custom or "GSW_PHONE" in data:
        handouts_cache.forget_blocked(handed_out, member)
    if was_no_call or ("GSW_PHONE" in data and handouts_cache.is_blocked(handed_out, member)):
        member.set(record_type=_NO_CALL)
    handouts_cache.touch(handed_out)
    members = record_keys(handed_out, member)
    members["GSW_PHONE"] = member.record.contact_info
    members["GSW_CALL_RESULT"] = member.record.call_result
    members["GSW_RECORD_TYPE"] = member.record.record_type
    return unit.event("UpdateCallCompletionStatsAcknowledge", pending, members)


def _chained(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> Reply:
    """ChainedRecordRequest: the other members in process, in one event for HTTP, else each in its own (H290, P21)."""
    handed_out, member = handouts_cache.find(pending)
    members = record_keys(handed_out, member)
    records = [chained_record(unit, pending, handed_out, other) for other in handed_out.others(member)]
    handouts_cache.touch(handed_out)
    if pending.context.client == "http_proxy":
        members["GSW_CHAINED_RECORDS"] = [*records]
        return unit.event("ChainedRecordsDataEnd", pending, members)
    events = [unit.event("ChainedRecord", pending, cast("KV", each)) for each in records]
    return [*events, unit.event("ChainedRecordsDataEnd", pending, members)]


_ACTIONS: Mapping[str, Callable[[UnitOfWork, HandoutCache, PendingRequest], Reply]] = {
    "RecordProcessed": process_record,
    "UpdateCallCompletionStats": _update,
    "RecordReschedule": reschedule_record,
    "ScheduledRecordReschedule": reschedule_record,
    "RecordReject": reject_record,
    "RequestRecordCancel": cancel_record,
    "DoNotCall": block_record,
    "ChainedRecordRequest": _chained,
    "RecordShare": share_record,
}

HANDLE_REQUESTS = frozenset(_ACTIONS)
