"""ScheduledCall: personal callbacks that are due go to their agents without being asked for (protocol.md P34, P135)."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ocsgw.contact.choice.choose import Choice, choose
from ocsgw.contact.choice.eligibility import open_windows
from ocsgw.contact.directory import CampaignGroup
from ocsgw.contact.group_states import status_of
from ocsgw.contact.handouts import ActiveHandout, Member
from ocsgw.contact.preview import claim, note_handouts
from ocsgw.contact.record_events import preview_members
from ocsgw.contact.reports import report_handout
from ocsgw.contact.transaction import UnavailableListError
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, Reply, Unfinished, UnitOfWork
from ocsgw.contact.validation import Receiver, ask_first, not_asked_about, with_questions
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.messages import KV
from ocsgw.protocol.requests import RequestType

# Agents whose callbacks are looked for in one transaction, and how many an agent gets at once.
_AGENTS_AT_ONCE = 100
# Up to so many agents with callbacks are found without asking for each desktop that is connected.
_MOST_WAITING = 200
_CALLS_AT_ONCE = 10


# What the audit log calls the hand-out of a record that somebody outside had to be asked about.
_SCHEDULED_CALL = RequestType("ScheduledCall", ("ScheduledCall",))


@dataclass(frozen=True, slots=True)
class WaitingDesktop:
    """A desktop that takes scheduled calls of some campaigns, by their names; `context` says whose it is.

    With `is_asking` somebody outside is asked about a record for it already; there is one such question at a time.
    """

    context: RequestContext
    campaigns: frozenset[str]
    is_asking: bool = False


@dataclass(frozen=True, slots=True)
class ScheduledCall:
    """A record handed out to the desktop of session `session`, with its event."""

    session: int
    event: KV


@dataclass(frozen=True, slots=True)
class AskedCall:
    """A record claimed for a desktop, about which somebody outside is asked first (O21).

    `pending` goes on with `continuation`; its last event is ScheduledCall if the record is handed out.
    """

    pending: PendingRequest
    continuation: Continuation


Call = ScheduledCall | AskedCall


# Whether a session still takes calls of a campaign, by its name.
IsThere = Callable[[int, str], bool]


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
    unit: UnitOfWork, desktops: Sequence[WaitingDesktop], is_there: IsThere = lambda session, campaign: True
) -> "list[Call] | Unfinished[list[Call]]":
    """Hand out the personal callbacks that are due, each from the first started group that may (P135).

    There is one desktop for each agent. A record whose desktop has gone meanwhile stays handed out (P92); with
    pre-dial validation it is handed out only if `is_there` says so when the verdict comes.
    """
    return _go_on(unit, desktops, is_there, [])


def _go_on(
    unit: UnitOfWork, desktops: Sequence[WaitingDesktop], is_there: IsThere, before: Sequence[Call]
) -> "list[Call] | Unfinished[list[Call]]":
    # A transaction may be carried out again: nothing that it is given is changed.
    calls = list(before)
    for group in sorted(unit.directory.groups, key=lambda each: each.dbid):
        if status_of(unit, group).state == "started":
            calls += _of_group(unit, group, desktops[:_AGENTS_AT_ONCE], is_there)
    rest = desktops[_AGENTS_AT_ONCE:]
    return Unfinished(lambda unit: _go_on(unit, rest, is_there, calls)) if rest else calls


def _of_group(
    unit: UnitOfWork, group: CampaignGroup, desktops: Sequence[WaitingDesktop], is_there: IsThere
) -> list[Call]:
    tenant = group.campaign.tenant.name
    calls: list[Call] = []
    waiting = {
        each.context.agent_id: each
        for each in desktops
        if group.campaign.name in each.campaigns
        and each.context.tenant in (None, tenant)
        and unit.directory.permissions_of(each.context.principal).missing_for_group(tenant, group.name) is None
    }
    for agent in _agents_with_due_callbacks(unit, group, waiting.keys()) if waiting else ():
        calls += _of_desktop(unit, group, waiting[agent], is_there)
    return calls


def _of_desktop(unit: UnitOfWork, group: CampaignGroup, desktop: WaitingDesktop, is_there: IsThere) -> list[Call]:
    context = desktop.context
    calls: list[Call] = []
    dial_mode = status_of(unit, group).dial_mode

    def show(unit: UnitOfWork, handed_out: ActiveHandout, member: Member) -> KV:
        event: KV = {"GSW_USER_EVENT": "ScheduledCall", "GSW_APPLICATION_ID": unit.directory.application_dbid}
        return {**event, **preview_members(unit, context, handed_out, member, dial_mode)}

    choices = _choices(unit, group, desktop)
    claimed = claim(unit, group, [context.agent_id] * len(choices), choices)
    note_handouts(unit, claimed, context.principal)
    for handed_out, member in claimed:
        rule = unit.directory.validation_of(handed_out.calling_list, group)
        if rule is None:
            report_handout(unit, handed_out, member)
            calls.append(ScheduledCall(context.session, show(unit, handed_out, member)))
            unit.notes.append(_note(context, group, handed_out, member))
            continue
        pending = PendingRequest(_SCHEDULED_CALL, {}, context)
        still_there = partial(is_there, context.session, group.campaign.name)
        receiver = Receiver(pending, show, partial(_no_call, pending), still_there)
        calls.append(AskedCall(pending, ask_first(unit, receiver, rule, handed_out, member)))
    return calls


def _no_call(pending: PendingRequest, unit: UnitOfWork, _: object) -> Reply:
    """Nothing is handed out; the next look finds what comes next."""
    return unit.event("PreviewRecordEmpty", pending, {})


def _choices(unit: UnitOfWork, group: CampaignGroup, desktop: WaitingDesktop) -> list[Choice]:
    """Return the callbacks of an agent that may be handed out now, with one at most that has to be asked about."""
    context = desktop.context
    rules = {each: unit.directory.validation_of(each, group) for each in group.campaign.calling_lists}
    validated = [each for each, rule in rules.items() if rule is not None]
    but = validated if desktop.is_asking else not_asked_about(unit, group)
    room = unit.room(_CALLS_AT_ONCE)
    found, _ = choose(unit, group, context.agent_id, room, context.principal, only_own=True, but=but)
    asked = [each for each in found if each.calling_list in validated]
    return with_questions(unit, group, [each for each in found if each not in asked[1:]])


def _note(
    context: RequestContext, group: CampaignGroup, handed_out: ActiveHandout, member: Member
) -> dict[str, object]:
    """Return what the audit log says of a call."""
    return {
        "principal": context.principal,
        "address": context.peer,
        "action": "ScheduledCall",
        "list": handed_out.calling_list.name,
        "group": group.name,
        "handle": handed_out.handout.handout_id,
        "chain": handed_out.handout.chain_id,
        "contact": member.record.contact_info,
        "agent": context.agent_id,
    }


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
