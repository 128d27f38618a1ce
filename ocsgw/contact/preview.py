"""PreviewRecordRequest: hand out what comes next (http.md section 10.8)."""

from collections.abc import Sequence
from typing import cast

from ocsgw.contact.choice import Choice, choose
from ocsgw.contact.directory import CallingList, CampaignGroup
from ocsgw.contact.groups import find_group, status_of
from ocsgw.contact.handouts import Member, Process
from ocsgw.contact.record_events import preview_record
from ocsgw.contact.transaction import GroupStatus, Handle, Handout
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.enumerations import RecordStatus
from ocsgw.protocol.errors import Refusal


def preview(turn: Turn, works: Sequence[Work]) -> list[Reply]:
    """Hand out one record per request, in order, as long as there are any (H270 to H279).

    Requests of one group, agent and principal are served together. Where very many records turn out to be on the
    do-not-call list the answer is `busy`: what was marked stays so, and the next request goes on from there.
    """
    replies: list[Reply | None] = [None] * len(works)
    asking: dict[tuple[int, str, str], list[int]] = {}
    groups: dict[int, tuple[CampaignGroup, GroupStatus]] = {}
    for at, work in enumerate(works):
        try:
            group, status = _started_group(turn, work)
        except Refusal as refusal:
            replies[at] = refusal
            continue
        groups[group.dbid] = (group, status)
        agent = cast("str", work.data.get("GSW_AGENT_ID") or work.agent_id)
        asking.setdefault((group.dbid, agent, work.principal), []).append(at)
    for (dbid, agent, principal), places in asking.items():
        group, status = groups[dbid]
        choices, is_complete = choose(turn, group.campaign, agent, len(places), principal)
        claimed = _claim(turn, group, agent, choices)
        for at, (process, member) in zip(places, claimed, strict=False):
            replies[at] = preview_record(turn, works[at], process, member, status.dial_mode)
        for at in places[len(claimed) :]:
            replies[at] = _empty(turn, works[at], group) if is_complete else Refusal("busy")
    return cast("list[Reply]", replies)


def _started_group(turn: Turn, work: Work) -> tuple[CampaignGroup, GroupStatus]:
    group = find_group(turn, work)
    _demand_some_list(turn, work, group)
    name = work.data.get("GSW_CAMPAIGN_NAME")
    if name is not None and turn.directory.campaign_named(name) is not group.campaign:
        raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
    if work.agent_id and work.data.get("GSW_AGENT_ID", work.agent_id) != work.agent_id:
        raise Refusal("invalid_attribute", "GSW_AGENT_ID")
    status = status_of(turn, group)
    if status.state != "started":
        raise Refusal("group_not_active")
    return group, status


def _demand_some_list(turn: Turn, work: Work, group: CampaignGroup) -> None:
    """Raise `Refusal` (`forbidden`) if the principal may touch none of the lists that records could come from."""
    lists = group.campaign.calling_lists
    if lists and not turn.directory.lists_of(work.principal, lists):
        turn.directory.demand_list(work.principal, lists[0])


def _empty(turn: Turn, work: Work, group: CampaignGroup) -> Reply:
    return turn.event(
        "PreviewRecordEmpty",
        work,
        {
            "GSW_CAMPAIGN_NAME": group.campaign.name,
            "GSW_CAMPAIGN_GROUP_NAME": group.name,
            "GSW_CAMPAIGN_GROUP_DBID": group.dbid,
        },
    )


def _claim(turn: Turn, group: CampaignGroup, agent: str, choices: Sequence[Choice]) -> list[tuple[Process, Member]]:
    """Claim chains: status 2 for their members, a handle for each, first for the record (H276)."""
    if not choices:
        return []
    handle = turn.tx.new_handles(sum(len(each.members) for each in choices))
    claimed: list[tuple[Process, Member]] = []
    records: dict[CallingList, list[int]] = {}
    for choice in choices:
        record, calling_list = choice.record, choice.calling_list
        handout = Handout(
            handout_id=handle,
            list_dbid=calling_list.dbid,
            chain_id=record.chain_id,
            record_id=record.record_id,
            group_dbid=group.dbid,
            agent_id=agent,
            started_at=turn.now,
            timeout=group.timeout,
            expires_at=turn.now + group.timeout,
            rescheduled=[],
        )
        members = []
        for each in sorted(choice.members, key=lambda each: (each is not record, each.chain_n)):
            prior = each.record_status
            named = Handle(handle, handout.handout_id, calling_list.dbid, each.record_id, prior, turn.new_guid())
            members.append(Member(each, named))
            handle += 1
        records.setdefault(calling_list, []).extend(each.record_id for each in choice.members)
        claimed.append((Process(handout, calling_list, group, group.campaign, members), members[0]))
    columns = {
        "record_status": RecordStatus.RETRIEVED.value,
        "group_id": group.dbid,
        "app_id": turn.directory.application_dbid,
    }
    for calling_list, record_ids in records.items():
        _end_forgotten(turn, calling_list, record_ids)
        turn.tx.change_records(calling_list, dict.fromkeys(record_ids, columns))
    turn.tx.open_handouts(
        [process.handout for process, _ in claimed],
        [member.handle for process, _ in claimed for member in process.members if member.handle is not None],
    )
    return claimed


def _end_forgotten(turn: Turn, calling_list: CallingList, record_ids: Sequence[int]) -> None:
    """End hand-outs of records that another program has made ready: no chain is handed out twice (K16, H277)."""
    handles = turn.tx.handles_of_records(calling_list, record_ids)
    if handles:
        turn.tx.close_handouts({each.handout_id for each in handles})
