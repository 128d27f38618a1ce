"""Requests that end a hand-out: RecordProcessed, RecordReject, RequestRecordCancel (http.md 10.2, 10.5, 10.6)."""

from typing import cast

from ocsgw.contact.book import Book
from ocsgw.contact.custom import given_columns
from ocsgw.contact.handouts import Member, Process, record_keys
from ocsgw.contact.scope import CANCELLABLE, chain_attr
from ocsgw.contact.treatments import PERSONAL, apply_treatment, find_treatment
from ocsgw.contact.work import Turn, Work
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType
from ocsgw.protocol.messages import KV

_UPDATED = RecordStatus.UPDATED.value
_NO_CALL = RecordType.NO_CALL.value
_PERSONAL_CALLBACK = RecordType.PERSONAL_CALLBACK.value


def process_record(turn: Turn, book: Book, work: Work) -> KV:
    """RecordProcessed: take the result and end the hand-out of the whole chain (H210 to H216)."""
    data = work.data
    if book.peek(cast("int", data["GSW_RECORD_HANDLE"])) is None:
        spent = _spent(turn, work)
        if spent is not None:
            return turn.event("RecordProcessedAcknowledge", work, spent)
    process, member = book.find(work, is_final=True)
    record, handle = member.record, member.handle
    custom = given_columns(turn, process.calling_list, data)
    if custom:
        member.set_custom(process.calling_list, custom)
        book.forget_blocked(process, member)
    call_time = cast("int", data.get("GSW_CALL_TIME", turn.now))
    call_result = cast("int", data.get("GSW_CALL_RESULT", record.call_result))
    member.set(call_time=call_time, call_result=call_result)
    agent = cast("str", data.get("GSW_AGENT_ID") or work.agent_id or process.handout.agent_id)
    store_last_agent(process, member, agent)
    if handle is not None and not handle.attempts_set:
        member.set(attempt=record.attempt + 1)
    _end(turn, book, process, member, agent)
    return turn.event("RecordProcessedAcknowledge", work, record_keys(process, member))


def _spent(turn: Turn, work: Work) -> KV | None:
    """Return the keys of a record that DoNotCall has ended, for the one RecordProcessed that may follow (H267)."""
    handle = cast("int", work.data["GSW_RECORD_HANDLE"])
    keys = turn.tx.spent_handle(handle, turn.now)
    if keys is None:
        return None
    calling_list = turn.directory.list_named(keys["GSW_CALLING_LIST"])
    if calling_list is not None:
        turn.directory.demand_list(work.principal, calling_list)
    turn.tx.forget_spent_handle(handle)
    return keys


def store_last_agent(process: Process, member: Member, agent: str) -> None:
    """Store who had the record; a personal callback that was agreed meanwhile keeps the agent it is for."""
    agreed = process.is_rescheduled(member) and member.record.record_type == _PERSONAL_CALLBACK
    if agent and not (agreed and member.record.agent_id):
        member.set(agent_id=agent)


def _end(turn: Turn, book: Book, process: Process, member: Member, agent: str) -> None:
    """End a hand-out with a result: do-not-call wins over a reschedule, that over a treatment (H212, H215, H216)."""
    handle, record = member.handle, member.record
    if member.is_no_call or book.is_blocked(process, member):
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


def reject_record(turn: Turn, book: Book, work: Work) -> KV:
    """RecordReject: everything is as before, but for what was changed meanwhile (H240 to H242)."""
    process, member = book.find(work, is_final=True)
    process.release()
    return turn.event("RecordRejectAcknowledge", work, record_keys(process, member))


def cancel_record(turn: Turn, book: Book, work: Work) -> KV:
    """RequestRecordCancel: cancel the record, or its chain; the others are as before (H250 to H253)."""
    process, member = book.find(work, is_final=True)
    attr = chain_attr(work, turn.directory, "records")
    concerned = process.members if attr == "AllChain" else [member]
    cancelled = [each for each in concerned if each.record.record_status in CANCELLABLE]
    process.release()
    for each in cancelled:
        each.set(record_status=RecordStatus.CANCELLED.value, call_result=CallResult.CANCEL_RECORD.value)
    members = record_keys(process, member)
    members["GSW_CHAIN_ATTR"] = attr
    members["GSW_RECORDS_COUNT"] = len(cancelled)
    return turn.event("RecordCancelAcknowledge", work, members)
