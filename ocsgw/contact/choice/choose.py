"""Which record comes next (http.md H271 to H274)."""

from collections.abc import Collection, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass

from ocsgw.contact.choice.eligibility import may_be_handed_out, may_take_part, open_windows, order_of
from ocsgw.contact.directory import CallingList, CampaignGroup, Priorities
from ocsgw.contact.dnc_lookup import dnc_lookup_of
from ocsgw.contact.transaction import Record, UnavailableListError, Window
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.context import ANONYMOUS
from ocsgw.protocol.enumerations import RecordType

_NO_CALL = RecordType.NO_CALL.value
# How many times as much is read when too little was found, and how much at most because of blocked records.
_GROWTH = 4
_MOST_BLOCKED = 4096
# So many records on the do-not-call list are marked in one go at most, or one request would keep all others waiting.
_MOST_MARKED = 16384

# Priority; scheduled before others; the time; record id; place of the list in the campaign (H359, H273).
_Place = tuple[int, int, int, int, int]


@dataclass(slots=True, eq=False)
class Choice:
    """A record to be handed out, and the members of its chain that go with it, itself included."""

    calling_list: CallingList
    record: Record
    members: list[Record]


@dataclass(slots=True, eq=False)
class _Source:
    """A calling list of the campaign with its windows that are open now; `number` is its place in the campaign."""

    number: int
    calling_list: CallingList
    windows: dict[Window, int]
    priorities: Priorities

    def place_of(self, record: Record) -> _Place:
        return (*order_of(record, self.priorities), record.record_id, self.number)


@dataclass(slots=True, eq=False)
class _Candidate:
    """The first record of a chain that may be handed out, before the do-not-call table has been asked."""

    place: _Place
    source: _Source
    chain_id: int


def choose(
    unit: UnitOfWork,
    group: CampaignGroup,
    agent: str,
    wanted: int,
    principal: str = ANONYMOUS,
    *,
    only_own: bool = False,
    but: Collection[CallingList] = (),
) -> tuple[list[Choice], bool]:
    """Return up to `wanted` records with their chains, in the order of H359, of lists that `principal` may touch.

    With `only_own` only those that nobody but the agent may have; lists of `but` are left out.

    Records found to be on the do-not-call list on the way are marked (H272). After very many of them the search is
    given up, in which case the second value is false: there may be others behind them.

    Lists that are closed are left out. Raises `UnavailableListError` if all are.
    """
    closed: set[CallingList] = set()
    agents = [agent] if only_own or not agent else ["", agent]
    while True:
        try:
            return _choose(unit, _sources(unit, group, agents, principal, closed, but), wanted)
        except UnavailableListError as error:
            # Its table has been changed just now; others go on.
            if error.calling_list in closed:
                raise
            closed.add(error.calling_list)


def _choose(unit: UnitOfWork, sources: Sequence[_Source], wanted: int) -> tuple[list[Choice], bool]:
    if not sources:
        return [], True
    marked = 0
    chosen: dict[tuple[int, int], Choice] = {}
    examined = wanted
    # Many windows share what is wanted; the more of them, the less is read of each.
    depth = min(wanted, 1 + _GROWTH * wanted // sum(len(each.windows) for each in sources))
    while len(chosen) < wanted:
        candidates, edge = _candidates(unit, sources, depth)
        waiting = [each for each in candidates if (each.source.calling_list.dbid, each.chain_id) not in chosen]
        if len(waiting) > examined:
            edge = waiting[examined].place
        round_ = _Round(unit, waiting[:examined])
        # What lies beyond the edge may come after records that are not known yet.
        certain = [each for each in round_.choices if edge is None or each[0] <= edge]
        taken = certain[: wanted - len(chosen)]
        chosen.update({(each.calling_list.dbid, each.record.chain_id): each for _, each in taken})
        marked += round_.mark(None if len(chosen) < wanted else taken[-1][0])
        if edge is None:
            break
        if marked >= _MOST_MARKED:
            return list(chosen.values()), False
        depth, examined = depth * _GROWTH, examined * _GROWTH
        if round_.blocked:
            depth, examined = min(depth, _MOST_BLOCKED), min(examined, _MOST_BLOCKED)
    if len(chosen) < wanted:
        for source in sources:
            unit.tx.demand_all_ready(source.calling_list, source.windows, unit.now)
    return list(chosen.values()), True


def agents_with_callbacks(
    unit: UnitOfWork, group: CampaignGroup, agents: Collection[str], principal: str
) -> frozenset[str]:
    """Return those of `agents` for whom there are ready records that nobody else may have."""
    found: set[str] = set()
    campaign = group.campaign
    for calling_list in unit.directory.lists_of(principal, campaign.calling_lists):
        if calling_list.enabled:
            with suppress(UnavailableListError):
                windows = unit.tx.windows(calling_list, [0, campaign.dbid], list(agents))
                found.update(each.agent for each in windows)
    return frozenset(found - {""})


def _sources(
    unit: UnitOfWork,
    group: CampaignGroup,
    agents: Sequence[str],
    principal: str,
    closed: set[CallingList],
    but: Collection[CallingList],
) -> list[_Source]:
    """Return the lists that may be used, with what is open now; adds to `closed` those that cannot be used.

    Raises `UnavailableListError` if no list can be used.
    """
    campaign = group.campaign
    campaigns = [0, campaign.dbid]
    sources = []
    permitted = unit.directory.lists_of(principal, campaign.calling_lists)
    wanted = [
        (number, each)
        for number, each in enumerate(campaign.calling_lists)
        if each.enabled and each in permitted and each not in but
    ]
    for number, calling_list in wanted:
        if calling_list in closed:
            continue
        try:
            windows = unit.tx.recent_windows(calling_list, campaigns, agents)
        except UnavailableListError:
            closed.add(calling_list)
            continue
        open_now = open_windows(windows, unit.directory, calling_list.tenant, unit.now)
        if open_now:
            sources.append(_Source(number, calling_list, open_now, group.priorities))
    if wanted and all(each in closed for _, each in wanted):
        raise UnavailableListError(wanted[0][1])
    return sources


def _candidates(unit: UnitOfWork, sources: Sequence[_Source], depth: int) -> tuple[list[_Candidate], _Place | None]:
    """Return the first candidates of all sources in their order, and the place up to which none is missing.

    That is None if there are no others.
    """
    places: list[tuple[_Place, _Source, Record]] = []
    edges: list[_Place] = []
    for source in sources:
        for rows in unit.tx.ready_records(source.calling_list, source.windows, unit.now, depth):
            of_rows = [(source.place_of(row), source, row) for row in rows]
            places += of_rows
            if len(rows) >= depth:
                edges.append(max(place for place, _, _ in of_rows))
    edge = min(edges, default=None)
    places.sort(key=lambda each: each[0])
    candidates: dict[tuple[int, int], _Candidate] = {}
    for place, source, row in places:
        if edge is not None and place > edge:
            break
        candidates.setdefault((source.number, row.chain_id), _Candidate(place, source, row.chain_id))
    return list(candidates.values()), edge


class _Round:
    """Candidates whose chains have been read and asked for at the do-not-call table.

    `choices` are what may be handed out, each with its place, in order; `blocked` says whether entries were found.
    """

    def __init__(self, unit: UnitOfWork, candidates: Sequence[_Candidate]) -> None:
        self._unit = unit
        self._covered: list[tuple[_Place, CallingList, list[int]]] = []
        choices: list[tuple[_Place, Choice]] = []
        by_source: dict[_Source, list[_Candidate]] = {}
        for each in candidates:
            by_source.setdefault(each.source, []).append(each)
        for source, of_source in by_source.items():
            members = self._members(source.calling_list, of_source)
            for candidate in of_source:
                able = members.get(candidate.chain_id, [])
                ready = [each for each in able if may_be_handed_out(each, source.windows, unit.now)]
                if ready:
                    # Of one chain the first in the order, at a tie the lowest chain_n (H274).
                    priorities = source.priorities
                    record = min(ready, key=lambda each: (order_of(each, priorities), each.chain_n))
                    choices.append((source.place_of(record), Choice(source.calling_list, record, able)))
        choices.sort(key=lambda each: each[0])
        self.choices = choices

    def _members(self, calling_list: CallingList, candidates: Sequence[_Candidate]) -> dict[int, list[Record]]:
        """Return, by chain, the members that may take part."""
        places = {each.chain_id: each.place for each in candidates}
        able = [each for each in self._unit.tx.free_chains(calling_list, places) if may_take_part(each)]
        covered: Set[int] = frozenset()
        if self._unit.tx.has_entries():
            lookups = [dnc_lookup_of(self._unit.directory, calling_list, each) for each in able]
            covered = self._unit.tx.blocked(calling_list, lookups, self._unit.now)
        members: dict[int, list[Record]] = {}
        for at, each in enumerate(able):
            if at in covered:
                self._covered.append((places[each.chain_id], calling_list, [each.record_id]))
            else:
                members.setdefault(each.chain_id, []).append(each)
        return members

    @property
    def blocked(self) -> bool:
        return bool(self._covered)

    def mark(self, last: _Place | None) -> int:
        """Mark the covered records of chains whose turn came before `last`; None: of all of them (H272).

        Returns how many there were.
        """
        by_list: dict[CallingList, list[int]] = {}
        for place, calling_list, record_ids in self._covered:
            if last is None or place <= last:
                by_list.setdefault(calling_list, []).extend(record_ids)
        for calling_list, record_ids in by_list.items():
            self._unit.tx.mark_do_not_call(calling_list, record_ids)
            self._unit.blocked += ["preview"] * len(record_ids)
        return sum(map(len, by_list.values()))
