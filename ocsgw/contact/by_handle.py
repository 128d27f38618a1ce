"""Requests by record handle (http.md sections 10.2 to 10.7 and 10.9)."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from ocsgw.contact.block_record import block_record
from ocsgw.contact.book import Book
from ocsgw.contact.custom import given_columns
from ocsgw.contact.endings import cancel_record, process_record, reject_record
from ocsgw.contact.handouts import record_keys
from ocsgw.contact.record_events import chained_record
from ocsgw.contact.reschedule import reschedule_record
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.enumerations import RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_NO_CALL = RecordType.NO_CALL.value
# Keys that are information only on a record (H103).
INFORMATION_KEYS = ("GSW_CAMPAIGN_NAME", "GSW_CALLING_LIST", "GSW_CHAIN_ID")


def by_handle(turn: Turn, works: Sequence[Work]) -> list[Reply]:
    """Carry out requests by handle, of any kind, in their order (P41, H315).

    A request that is refused has changed nothing: every action checks first and changes then.
    """
    book = Book(turn)
    book.open_for_handles({cast("int", work.data["GSW_RECORD_HANDLE"]) for work in works})
    replies: list[Reply] = []
    for work in works:
        _note_differences(turn, book, work)
        try:
            replies.append(_ACTIONS[cast("str", work.data["GSW_AGENT_REQ_TYPE"])](turn, book, work))
        except Refusal as refusal:
            replies.append(refusal)
    book.save()
    return replies


def _note_differences(turn: Turn, book: Book, work: Work) -> None:
    """Note information of the request that is not that of the record; it has no other effect (H103)."""
    given = [key for key in INFORMATION_KEYS if key in work.data]
    if not given:
        return
    handle = cast("int", work.data["GSW_RECORD_HANDLE"])
    found = book.peek(handle)
    if found is not None:
        keys = record_keys(*found)
        turn.differences += [
            f"{key} of a request differs from that of record handle {handle}"
            for key in given
            if str(work.data[key]) != str(keys.get(key))
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


def _update(turn: Turn, book: Book, work: Work) -> KV:
    """UpdateCallCompletionStats: change what is given; the record stays in process (H220 to H223)."""
    process, member = book.find(work)
    data, handle = work.data, member.handle
    custom = given_columns(turn, process.calling_list, data)
    zone_name = data.get("GSW_TZ_NAME")
    zone = turn.directory.zone_named(zone_name) if zone_name is not None else None
    was_no_call = member.is_no_call
    member.set_custom(process.calling_list, custom)
    member.set(**{column: data[key] for key, column in _UPDATED_COLUMNS.items() if key in data})
    if zone is not None:
        member.set(tz_dbid=zone.dbid)
    if handle is not None:
        handle.attempts_set = handle.attempts_set or "GSW_ATTEMPTS" in data
        handle.status_set = cast("int | None", data.get("GSW_RECORD_STATUS", handle.status_set))
        handle.treatment = cast("str | None", data.get("GSW_TREATMENT", handle.treatment))
    if custom or "GSW_PHONE" in data:
        book.forget_blocked(process, member)
    if was_no_call or ("GSW_PHONE" in data and book.is_blocked(process, member)):
        member.set(record_type=_NO_CALL)
    book.touch(process)
    members = record_keys(process, member)
    members["GSW_PHONE"] = member.record.contact_info
    members["GSW_CALL_RESULT"] = member.record.call_result
    members["GSW_RECORD_TYPE"] = member.record.record_type
    return turn.event("UpdateCallCompletionStatsAcknowledge", work, members)


def _chained(turn: Turn, book: Book, work: Work) -> KV:
    """ChainedRecordRequest: the other members in process (H290 to H293)."""
    process, member = book.find(work)
    members = record_keys(process, member)
    members["GSW_CHAINED_RECORDS"] = [chained_record(turn, work, process, other) for other in process.others(member)]
    book.touch(process)
    return turn.event("ChainedRecordsDataEnd", work, members)


_ACTIONS: Mapping[str, Callable[[Turn, Book, Work], KV]] = {
    "RecordProcessed": process_record,
    "UpdateCallCompletionStats": _update,
    "RecordReschedule": reschedule_record,
    "ScheduledRecordReschedule": reschedule_record,
    "RecordReject": reject_record,
    "RequestRecordCancel": cancel_record,
    "DoNotCall": block_record,
    "ChainedRecordRequest": _chained,
}

HANDLE_REQUESTS = frozenset(_ACTIONS)
