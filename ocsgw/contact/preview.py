"""PreviewRecordRequest: which record comes next, and its claim (http.md section 10.8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ocsgw.contact.directory import CallingList, CampaignGroup
from ocsgw.contact.eligibility import is_open, order_of, window_of
from ocsgw.contact.groups import find_group, status_of
from ocsgw.contact.handouts import Member, Process, probe_of
from ocsgw.contact.record_events import preview_record
from ocsgw.contact.transaction import GroupStatus, Handle, Handout, Record, UnavailableListError, Window
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.enumerations import RecordStatus, RecordType
from ocsgw.protocol.errors import Refusal

_READY = RecordStatus.READY.value
_CLAIMED_WITH = frozenset({_READY, RecordStatus.CHAIN_READY.value})
_RETRIEVED = RecordStatus.RETRIEVED.value
_NO_CALL = RecordType.NO_CALL.value
# How many candidates are read beyond those wanted, and how far that grows when they turn out to be blocked.
_SPARE = 4
_MOST_CANDIDATES = 4000


@dataclass(slots=True, eq=False)
class _Source:
    """A calling list of the campaign with its windows that are open now; `place` is that in the campaign."""

    place: int
    calling_list: CallingList
    windows: list[Window]


@dataclass(slots=True, eq=False)
class _Choice:
    """A record that will be handed out, and the members of its chain that go with it."""

    calling_list: CallingList
    record: Record
    members: list[Record]


def preview(turn: Turn, works: Sequence[Work]) -> list[Reply]:
    """Hand out one record per request, in order, as long as there are any (H270 to H279)."""
    replies: list[Reply | None] = [None] * len(works)
    asking: dict[tuple[int, str], list[int]] = {}
    groups: dict[int, tuple[CampaignGroup, GroupStatus]] = {}
    for at, work in enumerate(works):
        try:
            group, status = _group(turn, work)
        except Refusal as refusal:
            replies[at] = refusal
            continue
        groups[group.dbid] = (group, status)
        asking.setdefault((group.dbid, _agent(work)), []).append(at)
    for (dbid, agent), places in asking.items():
        group, status = groups[dbid]
        choices = _choose(turn, group, agent, len(places))
        for at, choice in zip(places, _claim(turn, group, agent, choices), strict=False):
            replies[at] = preview_record(turn, works[at], *choice, status.dial_mode)
        for at in places[len(choices) :]:
            replies[at] = turn.event(
                "PreviewRecordEmpty",
                works[at],
                {
                    "GSW_CAMPAIGN_NAME": group.campaign.name,
                    "GSW_CAMPAIGN_GROUP_NAME": group.name,
                    "GSW_CAMPAIGN_GROUP_DBID": group.dbid,
                },
            )
    return cast("list[Reply]", replies)


def _agent(work: Work) -> str:
    return cast("str", work.data.get("GSW_AGENT_ID") or work.agent_id)


def _group(turn: Turn, work: Work) -> tuple[CampaignGroup, GroupStatus]:
    group = find_group(turn, work)
    name = work.data.get("GSW_CAMPAIGN_NAME")
    if name is not None and name != group.campaign.name:
        raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
    if work.agent_id and work.data.get("GSW_AGENT_ID", work.agent_id) != work.agent_id:
        raise Refusal("invalid_attribute", "GSW_AGENT_ID")
    status = status_of(turn, group)
    if status.state != "started":
        raise Refusal("group_not_active")
    return group, status


# Choice.


def _choose(turn: Turn, group: CampaignGroup, agent: str, wanted: int) -> list[_Choice]:
    """Return up to `wanted` records with their chains, first the most due (H273, H274)."""
    sources = _sources(turn, group, agent)
    choices: list[_Choice] = []
    taken: set[tuple[int, int]] = set()
    limit = wanted + _SPARE
    while len(choices) < wanted and sources:
        candidates = []
        more = False
        for source in sources:
            rows = turn.tx.ready_records(source.calling_list, source.windows, turn.now, limit)
            more = more or len(rows) >= limit
            candidates += [(order_of(row), row.record_id, source.place, row, source) for row in rows]
        candidates.sort(key=lambda each: each[:3])
        first_of_chain: dict[tuple[int, int], tuple[_Source, Record]] = {}
        for _, _, _, row, source in candidates:
            chain = (source.calling_list.dbid, row.chain_id)
            if chain not in taken:
                first_of_chain.setdefault(chain, (source, row))
        missing = wanted - len(choices)
        found = list(first_of_chain.values())[:missing]
        accepted, marked = _unblocked(turn, found)
        choices += accepted
        taken.update((each.calling_list.dbid, each.record.chain_id) for each in accepted)
        if not marked and (not more or not accepted):
            break
        limit = min(max(limit * 2, len(taken) + _SPARE), _MOST_CANDIDATES + len(taken))
    return choices


def _sources(turn: Turn, group: CampaignGroup, agent: str) -> list[_Source]:
    campaigns = [0, group.campaign.dbid]
    agents = ["", agent] if agent else [""]
    sources = []
    for place, calling_list in enumerate(group.campaign.calling_lists):
        if not calling_list.enabled:
            continue
        try:
            windows = turn.tx.windows(calling_list, campaigns, agents)
        except UnavailableListError:
            continue
        open_now = [each for each in windows if is_open(each, turn.directory, calling_list.tenant, turn.now)]
        if open_now:
            sources.append(_Source(place, calling_list, open_now))
    return sources


def _unblocked(turn: Turn, found: Sequence[tuple[_Source, Record]]) -> tuple[list[_Choice], bool]:
    """Return the choices that the do-not-call table allows, and whether it covered and marked any (H272).

    A chain whose first record is covered is left for another round: its next record has another place in the order.
    """
    by_list: dict[CallingList, list[Record]] = {}
    windows: dict[CallingList, set[Window]] = {}
    for source, row in found:
        by_list.setdefault(source.calling_list, []).append(row)
        windows[source.calling_list] = set(source.windows)
    members: dict[tuple[int, int], list[Record]] = {}
    marked = False
    for calling_list, rows in by_list.items():
        of_chains, covered = _members(turn, calling_list, rows)
        marked = marked or covered
        members.update({(calling_list.dbid, chain_id): records for chain_id, records in of_chains.items()})
    choices = []
    for source, row in found:
        of_chain = members.get((source.calling_list.dbid, row.chain_id), [])
        equal = [
            each
            for each in of_chain
            if each.record_status == _READY
            and order_of(each) == order_of(row)
            and window_of(each) in windows[source.calling_list]
        ]
        if any(each.record_id == row.record_id for each in equal):
            first = min(equal, key=lambda each: each.chain_n)
            choices.append(_Choice(source.calling_list, first, of_chain))
    return choices, marked


def _members(turn: Turn, calling_list: CallingList, rows: Sequence[Record]) -> tuple[dict[int, list[Record]], bool]:
    """Return, by chain, the members that may take part; mark those that the do-not-call table covers."""
    of_chains = turn.tx.records_of_chains(calling_list, {row.chain_id for row in rows})
    able = [each for each in of_chains if each.record_status in _CLAIMED_WITH and each.record_type != _NO_CALL]
    covered = turn.tx.blocked(calling_list, [probe_of(calling_list, each) for each in able], turn.now)
    if covered:
        turn.tx.mark_do_not_call(calling_list, [able[place].record_id for place in sorted(covered)])
    members: dict[int, list[Record]] = {}
    for place, each in enumerate(able):
        if place not in covered:
            members.setdefault(each.chain_id, []).append(each)
    return members, bool(covered)


# Claim.


def _claim(turn: Turn, group: CampaignGroup, agent: str, choices: Sequence[_Choice]) -> list[tuple[Process, Member]]:
    """Claim chains: status 2 for their members, a handle for each, first for the record (H276)."""
    if not choices:
        return []
    handle = turn.tx.new_handles(sum(len(each.members) for each in choices))
    claimed = []
    handouts: list[Handout] = []
    handles: list[Handle] = []
    changes: dict[CallingList, dict[int, dict[str, object]]] = {}
    timeout = int(group.record_timeout)
    columns = {
        "record_status": _RETRIEVED,
        "group_id": group.dbid,
        "app_id": turn.directory.application_dbid,
    }
    for choice in choices:
        record = choice.record
        handout = Handout(
            handle,
            choice.calling_list.dbid,
            record.chain_id,
            record.record_id,
            group.dbid,
            agent,
            turn.now,
            timeout,
            turn.now + timeout,
            [],
        )
        members = []
        for each in sorted(choice.members, key=lambda each: (each is not record, each.chain_n)):
            member = Member(
                each,
                Handle(
                    handle,
                    handout.handout_id,
                    choice.calling_list.dbid,
                    each.record_id,
                    each.record_status,
                    turn.new_guid(),
                ),
            )
            handle += 1
            members.append(member)
            changes.setdefault(choice.calling_list, {})[each.record_id] = dict(columns)
        handouts.append(handout)
        handles += [member.handle for member in members if member.handle is not None]
        process = Process(handout, choice.calling_list, group, group.campaign, members)
        claimed.append((process, members[0]))
    for calling_list, of_list in changes.items():
        turn.tx.change_records(calling_list, of_list)
    turn.tx.open_handouts(handouts, handles)
    return claimed
