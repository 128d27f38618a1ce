"""ScheduledCall: personal callbacks that are due go to their agents without being asked for (protocol.md P34, P135)."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ocsgw.contact.choice.choose import choose
from ocsgw.contact.choice.eligibility import open_windows
from ocsgw.contact.directory import CampaignGroup
from ocsgw.contact.group_states import status_of
from ocsgw.contact.preview import claim, note_handouts
from ocsgw.contact.record_events import preview_members
from ocsgw.contact.reports import report_handout
from ocsgw.contact.transaction import UnavailableListError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.messages import KV

# Agents whose callbacks are looked for in one transaction, and how many an agent gets at once.
_AGENTS_AT_ONCE = 100
# Up to so many agents with callbacks are found without asking for each desktop that is connected.
_MOST_WAITING = 200
_CALLS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class WaitingDesktop:
    """A desktop that takes scheduled calls of some campaigns, by their names; `context` says whose it is."""

    context: RequestContext
    campaigns: frozenset[str]


@dataclass(frozen=True, slots=True)
class ScheduledCall:
    """A record handed out to the desktop of session `session`, with its event."""

    session: int
    event: KV


@dataclass(slots=True)
class _Round:
    """What one look at all desktops has found so far, and which are still to be looked at."""

    desktops: Sequence[WaitingDesktop]
    calls: list[ScheduledCall] = field(default_factory=list)


def agents_with_callbacks(unit: UnitOfWork) -> frozenset[str] | None:
    """Return the agents who have personal callbacks in started groups, due or not; None if they are too many to name.

    So desktops whose agents have none cost nothing.
    """
    found: set[str] = set()
    for group in unit.directory.groups:
        if status_of(unit, group).state != "started":
            continue
        for calling_list in group.campaign.calling_lists:
            with suppress(UnavailableListError):
                waiting = unit.tx.waiting_agents(calling_list, [0, group.campaign.dbid], "", _MOST_WAITING)
                if len(waiting) == _MOST_WAITING:
                    return None
                found.update(waiting)
    return frozenset(found)


def hand_out_callbacks(
    unit: UnitOfWork, desktops: Sequence[WaitingDesktop]
) -> "list[ScheduledCall] | Unfinished[list[ScheduledCall]]":
    """Hand out the personal callbacks that are due, each from the first started group that may (P135).

    There is one desktop for each agent. A record whose desktop has gone meanwhile stays handed out (P92).
    """
    return _go_on(unit, _Round(desktops))


def _go_on(unit: UnitOfWork, round_: _Round) -> "list[ScheduledCall] | Unfinished[list[ScheduledCall]]":
    desktops, round_.desktops = round_.desktops[:_AGENTS_AT_ONCE], round_.desktops[_AGENTS_AT_ONCE:]
    for group in sorted(unit.directory.groups, key=lambda each: each.dbid):
        if status_of(unit, group).state == "started":
            round_.calls += _of_group(unit, group, desktops)
    if not round_.desktops:
        return round_.calls
    return Unfinished(lambda unit: _go_on(unit, round_))


def _of_group(unit: UnitOfWork, group: CampaignGroup, desktops: Sequence[WaitingDesktop]) -> list[ScheduledCall]:
    tenant = group.campaign.tenant.name
    calls: list[ScheduledCall] = []
    waiting = {
        each.context.agent_id: each
        for each in desktops
        if group.campaign.name in each.campaigns
        and each.context.tenant in (None, tenant)
        and unit.directory.permissions_of(each.context.principal).missing_for_group(tenant, group.name) is None
    }
    for agent in _agents_with_due_callbacks(unit, group, waiting.keys()) if waiting else ():
        calls += _of_agent(unit, group, waiting[agent].context)
    return calls


def _of_agent(unit: UnitOfWork, group: CampaignGroup, context: RequestContext) -> list[ScheduledCall]:
    agent = context.agent_id
    room = unit.room(_CALLS_AT_ONCE)
    if not room:
        return []
    choices, _ = choose(unit, group, agent, room, context.principal, only_own=True)
    # Where somebody outside has to be asked first the agent gets the callback by asking for a record (O21).
    choices = [each for each in choices if unit.directory.validation_of(each.calling_list, group) is None]
    claimed = claim(unit, group, [agent] * len(choices), choices)
    note_handouts(unit, claimed, context.principal)
    calls = []
    dial_mode = status_of(unit, group).dial_mode
    for handed_out, member in claimed:
        report_handout(unit, handed_out, member)
        event: KV = {"GSW_USER_EVENT": "ScheduledCall", "GSW_APPLICATION_ID": unit.directory.application_dbid}
        event.update(preview_members(unit, context, handed_out, member, dial_mode))
        calls.append(ScheduledCall(context.session, event))
        unit.notes.append(
            {
                "principal": context.principal,
                "address": context.peer,
                "action": "ScheduledCall",
                "list": handed_out.calling_list.name,
                "group": group.name,
                "handle": handed_out.handout.handout_id,
                "chain": handed_out.handout.chain_id,
                "contact": member.record.contact_info,
                "agent": agent,
            }
        )
    return calls


def _agents_with_due_callbacks(unit: UnitOfWork, group: CampaignGroup, agents: Collection[str]) -> list[str]:
    """Return those of `agents` for whom a record that nobody else may have can be handed out now, in order."""
    found: set[str] = set()
    campaign = group.campaign
    for calling_list in campaign.calling_lists:
        if not calling_list.enabled:
            continue
        with suppress(UnavailableListError):
            windows = unit.tx.windows(calling_list, [0, campaign.dbid], list(agents))
            own = [each for each in windows if each.agent]
            open_now = open_windows(own, unit.directory, calling_list.tenant, unit.now)
            for rows in unit.tx.ready_records(calling_list, open_now, unit.now, 1) if open_now else ():
                found.update(each.agent_id for each in rows)
    return sorted(found)
