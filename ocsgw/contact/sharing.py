"""RecordShare: who holds a hand-out besides the agent for whom it was made (protocol.md section 3.5)."""

from collections.abc import Mapping
from typing import cast

from ocsgw.contact.group_states import status_of
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import record_keys
from ocsgw.contact.notices import Notice
from ocsgw.contact.record_events import preview_members
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV


def share_record(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> KV:
    """RecordShare: give another agent rights to a hand-out, or take them away; its time begins anew (P129 to P133)."""
    handed_out, member = handouts_cache.find(pending)
    data, handout = pending.data, handed_out.handout
    mode = cast("str", data["GSW_SHARE_MODE"])
    agent = cast("str", data.get("GSW_AGENT_ID") or pending.context.agent_id)
    if not agent:
        raise Refusal("missing_attribute", "GSW_AGENT_ID")
    before = handout.holding
    after = _shared(before, mode, agent)
    if mode == "Transfer":
        handout.agent_id = agent
    handout.hold(after)
    handouts_cache.touch(handed_out)
    keys = record_keys(handed_out, member)
    if agent in after and agent not in before:
        group = handed_out.group
        dial_mode = status_of(unit, group).dial_mode if group is not None else ""
        shown = preview_members(unit, pending.context, handed_out, member, dial_mode)
        unit.notices.append(Notice("RecordShared", {**shown, "GSW_SHARE_MODE": mode}, (agent,)))
    lost = tuple(each for each in before if each not in after)
    if lost:
        unit.notices.append(Notice("RecordRemove", keys, lost, pending.context.session))
    return unit.event("RecordShareAcknowledge", pending, {**keys, "GSW_SHARE_MODE": mode, "GSW_AGENT_ID": agent})


def _shared(before: Mapping[str, bool], mode: str, agent: str) -> dict[str, bool]:
    """Return the holders after RecordShare, each with whether it is a full one. Raises `Refusal` (`invalid_state`)."""
    if mode == "Transfer":
        return {agent: True}
    if mode == "Conference":
        return {**before, agent: True}
    if mode == "Consult":
        return {**before, agent: before.get(agent, False)}
    if agent not in before or [each for each, is_full in before.items() if is_full] == [agent]:
        raise Refusal("invalid_state")
    return {each: is_full for each, is_full in before.items() if each != agent}
