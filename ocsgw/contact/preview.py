"""PreviewRecordRequest: hand out what comes next (http.md section 10.8)."""

from collections.abc import Sequence
from typing import cast

from ocsgw.contact.choice.choose import Choice, agents_with_callbacks, choose
from ocsgw.contact.directory import CallingList, CampaignGroup
from ocsgw.contact.group_states import status_of
from ocsgw.contact.groups import find_group
from ocsgw.contact.handouts import UNDER_VALIDATION, ActiveHandout, Member
from ocsgw.contact.journal import note_member
from ocsgw.contact.record_events import preview_record
from ocsgw.contact.reports import report_handout
from ocsgw.contact.shown_ends import show_ends
from ocsgw.contact.transaction import GroupStatus, Handle, Handout, further_columns
from ocsgw.contact.unit_of_work import PendingRequest, Reply, UnitOfWork
from ocsgw.contact.validation import Receiver, ask_first, not_asked_about, with_questions
from ocsgw.protocol.enumerations import RecordStatus
from ocsgw.protocol.errors import Refusal


def preview(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Hand out one record per request, in order, as long as there are any (H270 to H279).

    Requests of one group and principal are served together, except those of agents with callbacks of their own. Where
    very many records turn out to be on the do-not-call list the answer is `busy`: what was marked stays so, and the
    next request goes on from there.
    """
    replies: list[Reply | None] = [None] * len(requests)
    asking: dict[tuple[int, str], list[tuple[int, str]]] = {}
    groups: dict[int, tuple[CampaignGroup, GroupStatus]] = {}
    last: PendingRequest | None = None
    for at, pending in enumerate(requests):
        if last is None or pending.context is not last.context or pending.data != last.data:
            # Most ask as the one before them.
            try:
                group, status = _started_group(unit, pending)
            except Refusal as refusal:
                last, replies[at] = None, refusal
                continue
            groups[group.dbid] = (group, status)
            agent = cast("str", pending.data.get("GSW_AGENT_ID") or pending.context.agent_id)
            asked_alike = asking.setdefault((group.dbid, pending.context.principal), [])
            last = pending
        asked_alike.append((at, agent))
    for (dbid, principal), asked in asking.items():
        group, status = groups[dbid]
        for agent, places in _by_agent(unit, group, principal, asked).items():
            room, but = unit.room(len(places)), not_asked_about(unit, group)
            choices, is_complete = choose(unit, group, agent, room, principal, but=but)
            choices = with_questions(unit, group, choices)
            claimed = claim(unit, group, [agent for _, agent in places], choices)
            note_handouts(unit, claimed, principal)
            for (at, of), (handed_out, member) in zip(places, claimed, strict=False):
                replies[at] = _reply(unit, requests[at], of, handed_out, member, status.dial_mode, 0)
            for at, _ in places[len(claimed) :]:
                replies[at] = _empty(unit, requests[at], group) if is_complete else Refusal("busy")
    return cast("list[Reply]", replies)


def _reply(
    unit: UnitOfWork,
    pending: PendingRequest,
    agent: str,
    handed_out: ActiveHandout,
    member: Member,
    mode: str,
    tried: int,
) -> Reply:
    """Return the reply for a record that was claimed; with validation somebody outside is asked first."""
    group = handed_out.group
    rule = unit.directory.validation_of(handed_out.calling_list, group) if group is not None else None
    if rule is None:
        report_handout(unit, handed_out, member)
        return preview_record(unit, pending, handed_out, member, mode)
    receiver = Receiver(
        pending,
        lambda unit, handed_out, member: preview_record(unit, pending, handed_out, member, mode),
        lambda unit, tried: _next(unit, pending, agent, tried),
    )
    return ask_first(unit, receiver, rule, handed_out, member, tried)


def _next(unit: UnitOfWork, pending: PendingRequest, agent: str, tried: int | None) -> Reply:
    """Hand out the next record after one that was kept back, unless so many have been tried; None: no further one."""
    try:
        group, status = _started_group(unit, pending)
    except Refusal as refusal:
        return refusal
    if tried is not None and unit.room(1):
        but = not_asked_about(unit, group)
        choices, _ = choose(unit, group, agent, 1, pending.context.principal, but=but)
        choices = with_questions(unit, group, choices)
        claimed = claim(unit, group, [agent], choices)
        note_handouts(unit, claimed, pending.context.principal)
        for handed_out, member in claimed:
            return _reply(unit, pending, agent, handed_out, member, status.dial_mode, tried)
    return _empty(unit, pending, group)


def _by_agent(
    unit: UnitOfWork, group: CampaignGroup, principal: str, asked: Sequence[tuple[int, str]]
) -> dict[str, list[tuple[int, str]]]:
    """Return requests, as (place, agent), by the agent for whom records are chosen.

    Agents without callbacks of their own get what anybody would get: all of them are served together, as nobody.
    """
    agents = {agent for _, agent in asked}
    own = agents_with_callbacks(unit, group, agents, principal) if len(agents) > 1 else agents
    served: dict[str, list[tuple[int, str]]] = {}
    for at, agent in asked:
        served.setdefault(agent if agent in own else "", []).append((at, agent))
    return served


def _started_group(unit: UnitOfWork, pending: PendingRequest) -> tuple[CampaignGroup, GroupStatus]:
    group = find_group(unit, pending)
    _demand_some_list(unit, pending, group)
    name = pending.data.get("GSW_CAMPAIGN_NAME")
    if name is not None and unit.directory.campaign_named(name) is not group.campaign:
        raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
    if (
        pending.context.agent_id
        and pending.data.get("GSW_AGENT_ID", pending.context.agent_id) != pending.context.agent_id
    ):
        raise Refusal("invalid_attribute", "GSW_AGENT_ID")
    status = status_of(unit, group)
    if status.state != "started":
        raise Refusal("group_not_active")
    return group, status


def _demand_some_list(unit: UnitOfWork, pending: PendingRequest, group: CampaignGroup) -> None:
    """Raise `Refusal` (`forbidden`) if the principal may touch none of the lists that records could come from."""
    lists = group.campaign.calling_lists
    if lists and not unit.directory.lists_of(pending.context.principal, lists):
        unit.directory.demand_list(pending.context.principal, lists[0])


def _empty(unit: UnitOfWork, pending: PendingRequest, group: CampaignGroup) -> Reply:
    return unit.event(
        "PreviewRecordEmpty",
        pending,
        {
            "GSW_CAMPAIGN_NAME": group.campaign.name,
            "GSW_CAMPAIGN_GROUP_NAME": group.name,
            "GSW_CAMPAIGN_GROUP_DBID": group.dbid,
        },
    )


def claim(
    unit: UnitOfWork, group: CampaignGroup, agents: Sequence[str], choices: Sequence[Choice]
) -> list[tuple[ActiveHandout, Member]]:
    """Claim chains, each for its agent: status 2 for their members, a handle for each, first for the record (H276)."""
    if not choices:
        return []
    handle = unit.tx.new_handles(sum(len(each.members) for each in choices))
    claimed: list[tuple[ActiveHandout, Member]] = []
    records: dict[CallingList, list[int]] = {}
    for choice, agent in zip(choices, agents, strict=False):
        record, calling_list = choice.record, choice.calling_list
        handout = Handout(
            handout_id=handle,
            list_dbid=calling_list.dbid,
            chain_id=record.chain_id,
            record_id=record.record_id,
            group_dbid=group.dbid,
            agent_id=agent,
            started_at=unit.now,
            timeout=group.timeout,
            expires_at=unit.now + group.timeout,
            rescheduled=[UNDER_VALIDATION] if unit.directory.validation_of(calling_list, group) is not None else [],
        )
        members = []
        members_in_order = choice.members
        if len(members_in_order) > 1:
            members_in_order = sorted(choice.members, key=lambda each: (each is not record, each.chain_n))
        for each in members_in_order:
            prior = each.record_status
            named = Handle(
                handle, handout.handout_id, calling_list.dbid, each.record_id, prior, unit.new_guid(), each.contact_info
            )
            members.append(Member(each, named))
            handle += 1
        records.setdefault(calling_list, []).extend(each.record_id for each in choice.members)
        claimed.append((ActiveHandout(handout, calling_list, group, group.campaign, members), members[0]))
    columns = {
        "record_status": RecordStatus.RETRIEVED.value,
        "group_id": group.dbid,
        "app_id": unit.directory.application_dbid,
    }
    for handed_out, _ in claimed:
        if not handed_out.calling_list.shown:
            continue
        places = {column: place for place, column in enumerate(further_columns(handed_out.calling_list))}
        for member in handed_out.members:
            # What is written is what the event shows.
            member.record.record_status = RecordStatus.RETRIEVED.value
            for column in places.keys() & columns.keys():
                if member.record.further[places[column]] is not None:
                    member.record.further[places[column]] = columns[column]
    for calling_list, record_ids in records.items():
        _end_forgotten(unit, calling_list, record_ids)
        unit.tx.change_records(calling_list, dict.fromkeys(record_ids, columns))
    unit.tx.open_handouts(
        [handed_out.handout for handed_out, _ in claimed],
        [member.handle for handed_out, _ in claimed for member in handed_out.members if member.handle is not None],
    )
    return claimed


def note_handouts(unit: UnitOfWork, claimed: Sequence[tuple[ActiveHandout, Member]], principal: str) -> None:
    """Note hand-outs for the outbox."""
    for handed_out, _ in claimed:
        for member in handed_out.members:
            if member.handle is not None:
                member.before = {"record_status": member.handle.prior_status}
                member.after = {"record_status": RecordStatus.RETRIEVED.value}
                note_member(unit, handed_out, member, "PreviewRecordRequest", principal)


def _end_forgotten(unit: UnitOfWork, calling_list: CallingList, record_ids: Sequence[int]) -> None:
    """End hand-outs of records that another program has made ready: no chain is handed out twice (K16, H277)."""
    handles = unit.tx.handles_of_records(calling_list, record_ids)
    if handles:
        forgotten = {each.handout_id for each in handles}
        show_ends(unit, forgotten)
        unit.tx.close_handouts(forgotten)
