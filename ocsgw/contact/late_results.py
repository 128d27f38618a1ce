"""Results that come after `record_timeout`: kept, and applied if that is wanted (http.md H278, H314)."""

from typing import cast

from ocsgw.contact.custom import given_columns
from ocsgw.contact.directory import CallingList
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import ActiveHandout, Member, record_keys
from ocsgw.contact.transaction import UnavailableListError
from ocsgw.contact.unheld import as_if_handed_out
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.protocol.messages import KV

# How long a handle whose time is over, and a result that came for it, are remembered, in seconds.
_REMEMBERED = 86400
_KEPT = 30 * 86400
# What tells such a handle from one that DoNotCall has ended.
_RECORD, _LIST = "record_id", "list_dbid"
# Which campaign group the hand-out was of, for permissions.
_GROUP = "group_dbid"
_LATE_RESULT = 93180


def remember_expired(unit: UnitOfWork, handouts_cache: HandoutCache) -> None:
    """Remember which records the handles of hand-outs are for whose time is over."""
    for handed_out in handouts_cache.active:
        for member in handed_out.members:
            if member.handle is not None:
                keys = spent_keys(handed_out, member)
                keys[_RECORD], keys[_LIST] = member.record.record_id, handed_out.calling_list.dbid
                unit.tx.spend_handle(member.handle.handle, keys, unit.now + _REMEMBERED)


def spent_keys(handed_out: ActiveHandout, member: Member) -> KV:
    """Return what is remembered of a handle that dies before its RecordProcessed."""
    return {**record_keys(handed_out, member), _GROUP: handed_out.handout.group_dbid}


def demand_spent(unit: UnitOfWork, pending: PendingRequest, keys: KV) -> None:
    """Raise `Refusal` (`forbidden`), unless the principal may touch what a dead handle was for (H346)."""
    directory, principal = unit.directory, pending.context.principal
    calling_list = directory.list_named(keys["GSW_CALLING_LIST"])
    if calling_list is not None:
        directory.demand_list(principal, calling_list)
    group = directory.group_by_dbid(cast("int", keys.get(_GROUP, 0)))
    if group is not None:
        directory.demand_group(principal, group)


def is_of_expired(keys: KV) -> bool:
    """Whether what is remembered of a dead handle is that its time was over."""
    return _RECORD in keys


def keep_late_result(unit: UnitOfWork, pending: PendingRequest, keys: KV) -> tuple[ActiveHandout, Member] | None:
    """Keep the result of a RecordProcessed that came too late: in the log, the audit log and, for 30 days, the store.

    Returns what it can be applied to: with the option, if nobody has had the record since, or has it now. Raises
    `Refusal` (`invalid_attribute`) for a request that would be refused in time; then nothing is kept.
    """
    data = pending.data
    handle = cast("int", data["GSW_RECORD_HANDLE"])
    calling_list = unit.directory.list_by_dbid(cast("int", keys[_LIST]))
    if calling_list is None or "GSW_CALL_RESULT" in keys:
        return None
    given_columns(unit, calling_list, data)
    found = _unchanged(unit, calling_list, keys) if unit.directory.apply_late_results else None
    result = data.get("GSW_CALL_RESULT")
    outcome = "kept" if found is None else "applied"
    unit.warnings.append(
        (
            _LATE_RESULT,
            {
                "handle": handle,
                "calling_list": calling_list.name,
                "call_result": "none" if result is None else result,
                "outcome": outcome,
            },
        )
    )
    note: dict[str, object] = {"action": f"late result {outcome}", "list": calling_list.name, "handle": handle}
    unit.notes.append({**note, "record": keys[_RECORD], "result": result, "time": data.get("GSW_CALL_TIME", unit.now)})
    kept: KV = {**keys, "GSW_CALL_RESULT": -1 if result is None else result}
    unit.tx.spend_handle(handle, kept, unit.now + _KEPT)
    return found


def _unchanged(unit: UnitOfWork, calling_list: CallingList, keys: KV) -> tuple[ActiveHandout, Member] | None:
    """Return the record with its chain, if it is as the end of its time has left it."""
    try:
        chain = unit.tx.records_of_chains(calling_list, {cast("int", keys["GSW_CHAIN_ID"])})
    except UnavailableListError:
        return None
    if unit.tx.handles_of_records(calling_list, [each.record_id for each in chain]):
        return None
    return as_if_handed_out(unit, calling_list, cast("int", keys[_RECORD]), chain)
