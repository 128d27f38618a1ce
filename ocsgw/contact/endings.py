"""Requests that end a hand-out: RecordProcessed, RecordReject, RequestRecordCancel (http.md 10.2, 10.5, 10.6)."""

from typing import cast

from ocsgw.contact.custom import given_columns
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import ActiveHandout, Member, record_keys
from ocsgw.contact.journal import note_members
from ocsgw.contact.late_results import demand_spent, is_of_expired, keep_late_result
from ocsgw.contact.scope import CANCELLABLE, chain_attr
from ocsgw.contact.treatments import PERSONAL, apply_treatment, find_treatment
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType
from ocsgw.protocol.messages import KV

_UPDATED = RecordStatus.UPDATED.value
_NO_CALL = RecordType.NO_CALL.value
_PERSONAL_CALLBACK = RecordType.PERSONAL_CALLBACK.value


def process_record(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> KV:
    """RecordProcessed: take the result and end the hand-out of the whole chain (H210 to H216)."""
    data = pending.data
    if handouts_cache.peek(cast("int", data["GSW_RECORD_HANDLE"])) is None:
        unit.tx.demand_alone()
        spent = _spent(unit, pending)
        if spent is not None and not is_of_expired(spent):
            unit.tx.forget_spent_handle(cast("int", data["GSW_RECORD_HANDLE"]))
            return unit.event("RecordProcessedAcknowledge", pending, _keys_of_record(spent))
        late = keep_late_result(unit, pending, spent) if spent is not None else None
        if spent is not None and late is not None:
            handed_out, member = late
            take_result(unit, handouts_cache, handed_out, member, pending)
            changes = {each.record.record_id: each.changes for each in handed_out.members if each.changes}
            unit.tx.change_records(handed_out.calling_list, changes)
            note_members(unit, handed_out, pending.request.name, pending.context.principal)
            return unit.event("RecordProcessedAcknowledge", pending, _keys_of_record(spent))
    handed_out, member = handouts_cache.find(pending, is_final=True)
    take_result(unit, handouts_cache, handed_out, member, pending)
    return unit.event("RecordProcessedAcknowledge", pending, record_keys(handed_out, member))


def take_result(
    unit: UnitOfWork,
    handouts_cache: HandoutCache,
    handed_out: ActiveHandout,
    member: Member,
    pending: PendingRequest,
) -> None:
    """Store a result and end the hand-out with it."""
    data, record, handle = pending.data, member.record, member.handle
    custom = given_columns(unit, handed_out.calling_list, data)
    if custom:
        member.set_custom(handed_out.calling_list, custom)
        handouts_cache.forget_blocked(handed_out, member)
    call_time = cast("int", data.get("GSW_CALL_TIME", unit.now))
    call_result = cast("int", data.get("GSW_CALL_RESULT", _default_result(record.call_result)))
    if handle is not None and not handle.attempts_set:
        member.set(call_time=call_time, call_result=call_result, attempt=record.attempt + 1)
    else:
        member.set(call_time=call_time, call_result=call_result)
    agent = cast("str", data.get("GSW_AGENT_ID") or pending.context.agent_id or handed_out.handout.agent_id)
    store_last_agent(handed_out, member, agent)
    if handle is not None:
        # Of several the last one counts (H216).
        handle.treatment = cast("str | None", data.get("GSW_TREATMENT", handle.treatment))
    _end(unit, handouts_cache, handed_out, member, agent)


def _default_result(known: int) -> int:
    """Return the call result where the request has none.

    That an agent did not take a callback is over once somebody has processed the record (H356).
    """
    return CallResult.ANSWER.value if known == CallResult.AGENT_CALLBACK_ERROR.value else known


def _spent(unit: UnitOfWork, pending: PendingRequest) -> KV | None:
    """Return what is remembered of a handle that is dead: by DoNotCall, for one RecordProcessed (H267), or by time."""
    handle = cast("int", pending.data["GSW_RECORD_HANDLE"])
    keys = unit.tx.spent_handle(handle, unit.now)
    if keys is not None:
        demand_spent(unit, pending, keys)
    return keys


def _keys_of_record(spent: KV) -> KV:
    """Return of what is remembered of a dead handle what its client gets."""
    return {key: value for key, value in spent.items() if key.startswith("GSW_")}


def store_last_agent(handed_out: ActiveHandout, member: Member, agent: str) -> None:
    """Store who had the record; a personal callback that was agreed meanwhile keeps the agent it is for."""
    agreed = handed_out.is_rescheduled(member) and member.record.record_type == _PERSONAL_CALLBACK
    if agent and not (agreed and member.record.agent_id):
        member.set(agent_id=agent)


def _end(unit: UnitOfWork, handouts_cache: HandoutCache, handed_out: ActiveHandout, member: Member, agent: str) -> None:
    """End a hand-out with a result: do-not-call wins over a reschedule, that over a treatment (H212, H215, H216)."""
    handle, record = member.handle, member.record
    if member.is_no_call or handouts_cache.is_blocked(handed_out, member):
        member.set(record_type=_NO_CALL)
        handed_out.finish(member, _UPDATED)
        return
    if handed_out.is_rescheduled(member):
        handed_out.finish(member, RecordStatus.READY.value)
        return
    asked = handle.treatment if handle is not None else None
    if asked is not None or unit.directory.treat_on_processed:
        application = find_treatment(unit.directory, handed_out.calling_list, record, unit.now)
        if application is not None:
            personal = (agent or record.agent_id) if asked == PERSONAL else ""
            apply_treatment(application, handed_out, member, unit.now, personal_agent=personal)
            return
    status = handle.status_set if handle is not None else None
    handed_out.finish(member, status if status is not None else _UPDATED)


def reject_record(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> KV:
    """RecordReject: everything is as before, but for what was changed meanwhile (H240 to H242)."""
    handed_out, member = handouts_cache.find(pending, is_final=True)
    handed_out.release()
    return unit.event("RecordRejectAcknowledge", pending, record_keys(handed_out, member))


def cancel_record(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> KV:
    """RequestRecordCancel: cancel the record, or its chain; the others are as before (H250 to H253)."""
    handed_out, member = handouts_cache.find(pending, is_final=True)
    attr = chain_attr(pending, unit.directory, "records")
    concerned = handed_out.members if attr == "AllChain" else [member]
    cancelled = [each for each in concerned if each.record.record_status in CANCELLABLE]
    handed_out.release()
    for each in cancelled:
        each.set(record_status=RecordStatus.CANCELLED.value, call_result=CallResult.CANCEL_RECORD.value)
    members = record_keys(handed_out, member)
    members["GSW_CHAIN_ATTR"] = attr
    members["GSW_RECORDS_COUNT"] = len(cancelled)
    return unit.event("RecordCancelAcknowledge", pending, members)
