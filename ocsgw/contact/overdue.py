"""Personal callbacks that their agents do not take (http.md H360)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ocsgw.contact.choice.eligibility import open_windows
from ocsgw.contact.directory import CallingList
from ocsgw.contact.group_states import status_of
from ocsgw.contact.handouts import Member
from ocsgw.contact.journal import OVERDUE, note_members
from ocsgw.contact.reports import report_kept_back
from ocsgw.contact.transaction import Record, UnavailableListError
from ocsgw.contact.treatments import apply_treatment, find_treatment
from ocsgw.contact.unheld import as_if_handed_out
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.enumerations import CallResult, RecordStatus

# Agents whose callbacks are looked at in one transaction, and how many callbacks of one window.
_AGENTS_AT_ONCE = 50
_RECORDS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Position:
    """How far a search has come: the place of a list among those of the directory, and the last agent."""

    at: int = 0
    agent: str = ""


def treat_overdue(unit: UnitOfWork, position: Position) -> tuple[int, Position | None]:
    """Give overdue callbacks behind a position call result 47 and its treatment, one slice of them.

    Returns how many there were, and where to go on; None when all lists have been looked at. A callback is overdue when
    it was due longer ago than the limit of its list and a started group could hand it out, were it not for its agent.
    """
    lists = unit.directory.calling_lists
    for at in range(position.at, len(lists)):
        calling_list = lists[at]
        campaigns = _started_campaigns(unit, calling_list)
        if not calling_list.callback_limit or not calling_list.enabled or not campaigns:
            continue
        after = position.agent if at == position.at else ""
        try:
            agents = unit.tx.waiting_agents(calling_list, campaigns, after, _AGENTS_AT_ONCE)
            if not agents:
                continue
            count, is_complete = _treat(unit, calling_list, campaigns, agents)
        except UnavailableListError:
            continue
        return count, Position(at, agents[-1] if is_complete else after)
    return 0, None


def _started_campaigns(unit: UnitOfWork, calling_list: CallingList) -> list[int]:
    """Return the campaigns of started groups that contain a list, and 0, which stands for any of them."""
    started = {
        group.campaign.dbid
        for group in unit.directory.groups
        if calling_list in group.campaign.calling_lists and status_of(unit, group).state == "started"
    }
    return [0, *sorted(started)] if started else []


def _treat(
    unit: UnitOfWork, calling_list: CallingList, campaigns: Sequence[int], agents: Sequence[str]
) -> tuple[int, bool]:
    """Treat what is overdue for some agents; return how many there were, and whether that was all."""
    windows = unit.tx.windows(calling_list, campaigns, agents)
    open_now = open_windows(windows, unit.directory, calling_list.tenant, unit.now)
    latest = unit.now - calling_list.callback_limit - 1
    found = unit.tx.ready_records(calling_list, open_now, latest, _RECORDS_AT_ONCE)
    # What has no time is not a callback that was missed.
    records = {each.chain_id: each for rows in found for each in rows if each.dial_sched_time}
    chains: dict[int, list[Record]] = {}
    for each in unit.tx.records_of_chains(calling_list, records):
        chains.setdefault(each.chain_id, []).append(each)
    count = 0
    changes: dict[int, dict[str, object]] = {}
    for chain_id, record in records.items():
        members = _end(unit, calling_list, record.record_id, chains.get(chain_id, []))
        count += bool(members)
        changes.update({member.record.record_id: member.changes for member in members if member.changes})
    unit.tx.change_records(calling_list, changes)
    # One callback of a chain is treated at a time; where there are others, or more than were read, come again.
    others = sum(bool(each.dial_sched_time) for rows in found for each in rows) > len(records)
    full = any(len(rows) >= _RECORDS_AT_ONCE and rows[0].dial_sched_time for rows in found if rows)
    return count, not count or not (others or full)


def _end(unit: UnitOfWork, calling_list: CallingList, record_id: int, chain: Sequence[Record]) -> list[Member]:
    """End an overdue callback as if it had been handed out; return the records changed, none if it is blocked."""
    found = as_if_handed_out(unit, calling_list, record_id, chain)
    if found is None:
        return []
    handed_out, member = found
    member.set(call_result=CallResult.AGENT_CALLBACK_ERROR.value)
    application = find_treatment(unit.directory, calling_list, member.record, unit.now)
    if application is not None:
        apply_treatment(application, handed_out, member, unit.now, is_asked=False)
    else:
        handed_out.finish(member, RecordStatus.UPDATED.value)
    note_members(unit, handed_out, OVERDUE)
    report_kept_back(unit, handed_out, member)
    return handed_out.members
