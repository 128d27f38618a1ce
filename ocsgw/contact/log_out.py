"""LogOut of an agent where it ends hand-outs with a call result (protocol.md P24)."""

from collections.abc import Sequence

from msgspec.structs import replace

from ocsgw.contact.endings import take_result
from ocsgw.contact.groups import SLICE
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import record_keys
from ocsgw.contact.journal import note_members
from ocsgw.contact.notices import Notice
from ocsgw.contact.reports import report_end
from ocsgw.contact.shown_ends import show_end
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, Reply, UnitOfWork


def log_out(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """End what the agents alone hold, and release them from what others hold too."""
    return [_log_out(unit, pending) for pending in requests]


def _log_out(unit: UnitOfWork, pending: PendingRequest, after: int = 0) -> Reply:
    """Do so for one agent, in slices if there is much: those with ids above `after`."""
    acknowledgement = unit.event("LogOutAcknowledge", pending, {})
    result = unit.directory.log_out_result
    agent = pending.context.agent_id
    if result is None or not agent:
        return acknowledgement
    held = sorted(each for each in unit.tx.handouts_of_agent(agent) if each > after)
    now = held[:SLICE]
    _leave(unit, replace(pending, data={"GSW_CALL_RESULT": result}), agent, now)
    if len(held) <= SLICE:
        return acknowledgement
    return Continuation(lambda unit, _: _log_out(unit, pending, now[-1]), event=acknowledgement)


def _leave(unit: UnitOfWork, processed: PendingRequest, agent: str, handout_ids: Sequence[int]) -> None:
    handouts_cache = HandoutCache(unit)
    handouts_cache.open(handout_ids)
    for handed_out in handouts_cache.active:
        if handed_out.is_claim:
            # The agent has not got it, and does not get it any more.
            continue
        holding = handed_out.handout.holding
        (member,) = (each for each in handed_out.members if each.record.record_id == handed_out.handout.record_id)
        if [each for each, is_full in holding.items() if is_full] == [agent]:
            take_result(unit, handouts_cache, handed_out, member, processed)
            note_members(unit, handed_out, processed.request.name, processed.context.principal)
            report_end(unit, handed_out, member, processed.request.name)
            show_end(unit, handed_out, processed.context)
        else:
            handed_out.handout.hold({each: is_full for each, is_full in holding.items() if each != agent})
            handed_out.changed = True
            keys = record_keys(handed_out, member)
            unit.notices.append(Notice("RecordRemove", keys, (agent,), processed.context.session))
    handouts_cache.save()
