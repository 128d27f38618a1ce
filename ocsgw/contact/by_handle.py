"""Requests by record handle (http.md sections 10.2 to 10.7 and 10.9)."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import cast

from ocsgw.contact.custom import given_columns
from ocsgw.contact.directory import CallingList
from ocsgw.contact.handouts import Book, Member, Process, probe_of, record_keys
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.record_events import chained_record
from ocsgw.contact.transaction import DoNotCallEntry, Record, UnavailableListError, new_record_of
from ocsgw.contact.treatments import PERSONAL, apply_treatment, find_treatment
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.contact.zones import to_date_time, to_epoch
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_UPDATED = RecordStatus.UPDATED.value
_NO_CALL = RecordType.NO_CALL.value
# What a cancel ends (H251).
_CANCELLABLE = frozenset({1, 2, 8, 9})


def by_handle(turn: Turn, works: Sequence[Work]) -> list[Reply]:
    """Carry out requests by handle, of any kind, in their order (P41, H315).

    A request that is refused has changed nothing: every action checks first and changes then.
    """
    book = Book(turn.tx, turn.directory, turn.now)
    book.open_for_handles({cast("int", work.data["GSW_RECORD_HANDLE"]) for work in works})
    replies: list[Reply] = []
    for work in works:
        _note_differences(turn, book, work)
        try:
            replies.append(_ACTIONS[cast("str", work.data["GSW_AGENT_REQ_TYPE"])](turn, book, work))
        except Refusal as refusal:
            replies.append(refusal)
        except UnavailableListError:
            replies.append(Refusal("unavailable"))
    book.save()
    return replies


def _note_differences(turn: Turn, book: Book, work: Work) -> None:
    """Note information of the request that is not that of the record; it has no other effect (H103)."""
    handle = work.data["GSW_RECORD_HANDLE"]
    found = book.peek(handle)
    if found is None:
        return
    keys = record_keys(*found)
    turn.differences += [
        f"{key} of a request differs from that of record handle {handle}"
        for key in ("GSW_CAMPAIGN_NAME", "GSW_CALLING_LIST", "GSW_CHAIN_ID")
        if key in work.data and str(work.data[key]) != str(keys.get(key))
    ]


# RecordProcessed (10.2).


def _processed(turn: Turn, book: Book, work: Work) -> KV:
    try:
        process, member = book.find(work.data["GSW_RECORD_HANDLE"], work.principal)
    except Refusal:
        spent = turn.tx.take_spent_handle(cast("int", work.data["GSW_RECORD_HANDLE"]), turn.now)
        if spent is None:
            raise
        return turn.event("RecordProcessedAcknowledge", work, spent)
    data, record, handle = work.data, member.record, member.handle
    custom = given_columns(turn, process.calling_list, data)
    call_result = cast("int", data.get("GSW_CALL_RESULT", record.call_result))
    agent = cast("str", data.get("GSW_AGENT_ID") or process.handout.agent_id)
    keys = record_keys(process, member)
    member.set_custom(process.calling_list, custom)
    member.set(call_result=call_result, call_time=cast("int", data.get("GSW_CALL_TIME", turn.now)))
    if agent:
        member.set(agent_id=agent)
    if handle is not None and not handle.attempts_set:
        member.set(attempt=record.attempt + 1)
    _end(turn, book, process, member, agent)
    return turn.event("RecordProcessedAcknowledge", work, keys)


def _end(turn: Turn, book: Book, process: Process, member: Member, agent: str) -> None:
    """End a hand-out with a result: do-not-call wins over a reschedule, that over a treatment (H212, H215, H216)."""
    handle, record = member.handle, member.record
    if member.is_no_call or book.is_blocked(process, record):
        member.set(record_type=_NO_CALL)
        process.finish(member, _UPDATED)
        return
    if process.is_rescheduled(member):
        process.finish(member, RecordStatus.READY.value)
        return
    asked = handle.treatment if handle is not None else None
    if asked is not None or turn.directory.treat_on_processed:
        treatment = find_treatment(turn.directory, process.campaign, record.call_result, record.attempt)
        if treatment is not None:
            personal = (agent or record.agent_id) if asked == PERSONAL else None
            apply_treatment(treatment, process, member, turn.now, personal_agent=personal)
            return
    status = handle.status_set if handle is not None else None
    process.finish(member, status if status is not None else _UPDATED)


# UpdateCallCompletionStats (10.3).

_PLAIN_COLUMNS = {
    "GSW_CALL_RESULT": "call_result",
    "GSW_PHONE": "contact_info",
    "GSW_PHONE_TYPE": "contact_info_type",
    "GSW_FROM": "daily_from",
    "GSW_UNTIL": "daily_till",
    "GSW_RECORD_TYPE": "record_type",
    "GSW_ATTEMPTS": "attempt",
}


def _update(turn: Turn, book: Book, work: Work) -> KV:
    process, member = book.find(work.data["GSW_RECORD_HANDLE"], work.principal)
    data, handle = work.data, member.handle
    custom = given_columns(turn, process.calling_list, data)
    zone_name = data.get("GSW_TZ_NAME")
    zone = turn.directory.zone_named(zone_name) if zone_name is not None else None
    was_no_call = member.is_no_call
    member.set_custom(process.calling_list, custom)
    member.set(**{column: data[key] for key, column in _PLAIN_COLUMNS.items() if key in data})
    if zone is not None:
        member.set(tz_dbid=zone.dbid)
    if handle is not None:
        handle.attempts_set = handle.attempts_set or "GSW_ATTEMPTS" in data
        handle.status_set = cast("int | None", data.get("GSW_RECORD_STATUS", handle.status_set))
        handle.treatment = cast("str | None", data.get("GSW_TREATMENT", handle.treatment))
    if "GSW_PHONE" in data or custom:
        book.forget_blocked()
    if was_no_call or ("GSW_PHONE" in data and book.is_blocked(process, member.record)):
        member.set(record_type=_NO_CALL)
    book.touch(process)
    members = record_keys(process, member)
    members["GSW_PHONE"] = member.record.contact_info
    members["GSW_CALL_RESULT"] = member.record.call_result
    members["GSW_RECORD_TYPE"] = member.record.record_type
    return turn.event("UpdateCallCompletionStatsAcknowledge", work, members)


# RecordReschedule and ScheduledRecordReschedule (10.4).


def _reschedule(turn: Turn, book: Book, work: Work) -> KV:
    process, member = book.find(work.data["GSW_RECORD_HANDLE"], work.principal)
    data, calling_list = work.data, process.calling_list
    custom = given_columns(turn, calling_list, data)
    zone_name = data.get("GSW_TZ_NAME")
    if zone_name is not None:
        zone = turn.directory.zone_named(zone_name)
    else:
        zone = turn.directory.zone_of(member.record.tz_dbid, calling_list.tenant)
    # 0 means "not scheduled".
    when = to_epoch(cast("str", data["GSW_DATE_TIME"]), zone.zone) or 1
    phone = cast("str", data.get("GSW_PHONE", member.record.contact_info))
    target = _member_with(process, member, phone)
    _refuse_blocked(turn, process, member, phone, target)
    personal = data["GSW_CALLBACK_TYPE"] == "Personal"
    kind = RecordType.PERSONAL_CALLBACK if personal else RecordType.CAMPAIGN_CALLBACK
    columns: dict[str, object] = {"record_type": kind.value, "dial_sched_time": when}
    if personal:
        agent = data.get("GSW_AGENT_ID") or work.agent_id or member.record.agent_id
        if agent:
            columns["agent_id"] = agent
    if "GSW_PHONE_TYPE" in data:
        columns["contact_info_type"] = data["GSW_PHONE_TYPE"]
    member.set_custom(calling_list, custom)
    if "GSW_CALL_RESULT" in data:
        member.set(call_result=data["GSW_CALL_RESULT"])
    if target is None:
        target = _added_to_chain(turn, process, member, phone)
    target.set(**columns)
    process.reschedule(target.record.record_id)
    book.forget_blocked()
    book.touch(process)
    members = record_keys(process, member)
    members["GSW_CALLBACK_TYPE"] = "Personal" if personal else "Campaign"
    members["GSW_DATE_TIME"] = to_date_time(when, zone.zone)
    members["GSW_TZ_NAME"] = zone.name
    members["GSW_PHONE"] = target.record.contact_info
    members["GSW_RECORD_TYPE"] = kind.value
    return turn.event(f"{data['GSW_AGENT_REQ_TYPE']}Acknowledge", work, members)


def _member_with(process: Process, member: Member, phone: str) -> Member | None:
    """Return the member of the chain with a contact, the one of the handle first; None for a new contact (H232)."""
    contact = normal_contact(phone)
    for each in (member, *process.members):
        if normal_contact(each.record.contact_info) == contact:
            return each
    return None


def _refuse_blocked(turn: Turn, process: Process, member: Member, phone: str, target: Member | None) -> None:
    """H234: neither the record, nor the contact to be called back, nor the customer may be blocked."""
    probe = probe_of(process.calling_list, member.record)
    probe.contact = normal_contact(phone)
    marked = member.is_no_call or (target is not None and target.is_no_call)
    if marked or turn.tx.blocked(process.calling_list, [probe], turn.now):
        raise Refusal("do_not_call")


def _added_to_chain(turn: Turn, process: Process, member: Member, phone: str) -> Member:
    """Add a record with a new contact to the chain, copied from the record of the handle (H232)."""
    record = member.record
    calling_list = process.calling_list
    record_id, _ = turn.tx.highest_ids(calling_list)
    chain_n = max(each.record.chain_n for each in process.members) + 1
    fresh = copy(record)
    fresh.record_id = record_id + 1
    fresh.contact_info = phone
    fresh.record_status = RecordStatus.READY.value
    fresh.attempt = 0
    fresh.chain_n = chain_n
    fresh.treatments = ""
    fresh.custom = list(record.custom)
    turn.tx.insert_records(calling_list, [new_record_of(fresh)])
    added = Member(fresh)
    process.members.append(added)
    return added


# RecordReject (10.5).


def _reject(turn: Turn, book: Book, work: Work) -> KV:
    process, member = book.find(work.data["GSW_RECORD_HANDLE"], work.principal)
    keys = record_keys(process, member)
    process.release()
    return turn.event("RecordRejectAcknowledge", work, keys)


# RequestRecordCancel (10.6).


def _cancel(turn: Turn, book: Book, work: Work) -> KV:
    process, member = book.find(work.data["GSW_RECORD_HANDLE"], work.principal)
    keys = record_keys(process, member)
    chain_attr = cast("str", work.data.get("GSW_CHAIN_ATTR") or turn.directory.chain_attr["records"])
    concerned = process.members if chain_attr == "AllChain" else [member]
    cancelled = [each for each in concerned if each.record.record_status in _CANCELLABLE]
    process.release()
    for each in cancelled:
        each.set(record_status=RecordStatus.CANCELLED.value, call_result=CallResult.CANCEL_RECORD.value)
    keys["GSW_CHAIN_ATTR"] = chain_attr
    keys["GSW_RECORDS_COUNT"] = len(cancelled)
    return turn.event("RecordCancelAcknowledge", work, keys)


# DoNotCall (10.7).


def _do_not_call(turn: Turn, book: Book, work: Work) -> KV:
    process, member = book.find(work.data["GSW_RECORD_HANDLE"], work.principal)
    data, calling_list = work.data, process.calling_list
    custom = given_columns(turn, calling_list, data)
    phone = cast("str | None", data.get("GSW_PHONE"))
    customer_id = cast("str | None", data.get("GSW_CUSTOMER_ID"))
    widths = turn.tx.do_not_call_widths()
    if customer_id is not None and len(customer_id) > widths[1]:
        raise Refusal("invalid_attribute", "GSW_CUSTOMER_ID")
    if phone is not None and len(phone) > widths[0]:
        raise Refusal("invalid_attribute", "GSW_PHONE")
    whole_chain = (data.get("GSW_CHAIN_ATTR") or turn.directory.chain_attr["records"]) == "AllChain"
    marked = process.members if whole_chain else [member]
    contacts = [] if customer_id is not None else [phone or member.record.contact_info]
    if whole_chain:
        contacts += [each.record.contact_info for each in marked]
    turn.tx.add_do_not_call(_entries(turn, work, process, member.record, contacts, customer_id), turn.now)
    book.forget_blocked()
    keys = record_keys(process, member)
    member.set_custom(calling_list, custom)
    for each in marked:
        each.set(record_type=_NO_CALL, call_result=CallResult.DO_NOT_CALL.value)
        if each.handle is None:
            each.set(record_status=_UPDATED)
    # What was rescheduled before does not make a blocked chain go on.
    process.handout.rescheduled = [
        each.record.record_id for each in process.members if process.is_rescheduled(each) and not each.is_no_call
    ]
    if work.client == "http_proxy":
        process.finish(member, _UPDATED)
        turn.tx.spend_handle(cast("int", data["GSW_RECORD_HANDLE"]), keys, turn.now + turn.directory.do_not_call_grace)
    else:
        book.touch(process)
    members: KV = {
        **keys,
        "GSW_PHONE": phone or member.record.contact_info,
        "GSW_CHAIN_ATTR": "AllChain" if whole_chain else "RecordOnly",
    }
    return turn.event("DoNotCallAcknowledge", work, members)


def _entries(
    turn: Turn, work: Work, process: Process, record: Record, contacts: Sequence[str], customer_id: str | None
) -> list[DoNotCallEntry]:
    """Return the entries to be made, with the scope of the option (H261, H265)."""
    scope = turn.directory.do_not_call.scope
    calling_list: CallingList = process.calling_list
    campaign = process.campaign.dbid if process.campaign is not None else record.campaign_id
    where = (
        f"{work.principal or 'anonymous'} records",
        calling_list.tenant.dbid,
        campaign if scope == "campaign" else 0,
        calling_list.dbid if scope == "list" else 0,
    )
    different = {normal_contact(contact): contact.strip() for contact in contacts}
    entries = [DoNotCallEntry(contact, None, *where) for contact in different.values()]
    if customer_id is not None:
        entries.append(DoNotCallEntry(None, customer_id, *where))
    return entries


# ChainedRecordRequest (10.9).


def _chained(turn: Turn, book: Book, work: Work) -> KV:
    process, member = book.find(work.data["GSW_RECORD_HANDLE"], work.principal)
    members = record_keys(process, member)
    members["GSW_CHAINED_RECORDS"] = [chained_record(turn, work, process, other) for other in process.others(member)]
    book.touch(process)
    return turn.event("ChainedRecordsDataEnd", work, members)


_ACTIONS: Mapping[str, Callable[[Turn, Book, Work], KV]] = {
    "RecordProcessed": _processed,
    "UpdateCallCompletionStats": _update,
    "RecordReschedule": _reschedule,
    "ScheduledRecordReschedule": _reschedule,
    "RecordReject": _reject,
    "RequestRecordCancel": _cancel,
    "DoNotCall": _do_not_call,
    "ChainedRecordRequest": _chained,
}

HANDLE_REQUESTS = frozenset(_ACTIONS)
