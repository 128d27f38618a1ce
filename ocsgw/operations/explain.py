"""Why a contact would, or would not, be handed out at a time, and when that changes (http.md H270 to H278).

Everything is decided by the functions that decide at a preview; what is added here are words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

import msgspec

from ocsgw.contact.bulk_statements import StoredEntry
from ocsgw.contact.choice.daily_window import next_change
from ocsgw.contact.choice.eligibility import (
    CLAIMED,
    agent_of,
    is_open,
    may_be_handed_out,
    open_windows,
    order_of,
    window_of,
)
from ocsgw.contact.directory import CallingList, CampaignGroup, Directory, TimeZone
from ocsgw.contact.dnc_lookup import customer_id_text, customer_value, dnc_lookup_of
from ocsgw.contact.group_states import status_of
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.transaction import Handle, Handout, Match, Record, UnavailableListError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.contact.zones import seconds_of_day, time_in_words
from ocsgw.protocol.enumerations import RecordStatus, RecordType, record_status_name, record_type_name

_READY = RecordStatus.READY.value
_RETRIEVED = RecordStatus.RETRIEVED.value
_CHAIN_READY = RecordStatus.CHAIN_READY.value
_NO_CALL = RecordType.NO_CALL.value
# Reasons that end one after the other are followed so far.
_MOST_STEPS = 16
# So many characters of a value that cannot be read are shown.
_MOST_OF_ODD = 80


class Reason(msgspec.Struct):
    """Why a record is not handed out: the rule, in words, and when that ends by itself; None if it does not."""

    rule: str
    text: str
    until: int | None = None


class GroupVerdict(msgspec.Struct):
    """What a campaign group would do with a record.

    `agent` is the only one who would get it, empty for anyone. `would` says whether it may be handed out at the time
    asked about; then `until` is when that ends by itself, if it does. Otherwise `not_before` is when the last of the
    reasons ends, None if somebody has to do something first.
    """

    group: str
    agent: str
    would: bool
    reasons: list[Reason]
    not_before: int | None = None
    until: int | None = None


class Entry(msgspec.Struct):
    """An entry of the do-not-call list for the contact or a customer id."""

    text: str
    expires_at: int


class RecordExplanation(msgspec.Struct):
    """A record with this contact, in words and by groups."""

    calling_list: str
    record_id: int
    chain_id: int
    chain_n: int
    contact: str
    zone: str
    facts: list[str]
    verdicts: list[GroupVerdict]


class UnreadableRecord(msgspec.Struct):
    """A record with this contact that is never handed out, because a value in `column` cannot be read."""

    calling_list: str
    record_id: int
    chain_id: int
    contact: str
    column: str


class Explanation(msgspec.Struct):
    """What is known about a contact; `at` is the time asked about. Times are in seconds since 1970 UTC."""

    contact: str
    at: int
    records: list[RecordExplanation]
    unreadable: list[UnreadableRecord]
    entries: list[Entry]
    unavailable: list[str]


@dataclass(slots=True, eq=False)
class _Chain:
    """A record with everything that decides about it.

    `holders` are the live handles of the members in process with their hand-outs, `blocked` the ids of the members
    that an entry of the do-not-call list covers, `entries` those that cover the record itself.
    """

    unit: UnitOfWork
    calling_list: CallingList
    record: Record
    members: Sequence[Record]
    holders: dict[int, tuple[Handout, Handle]]
    blocked: frozenset[int]
    entries: list[StoredEntry]

    @property
    def zone(self) -> TimeZone:
        return self.unit.directory.zone_of(self.record.tz_dbid, self.calling_list.tenant)

    def as_of(self, record: Record, at: int) -> Record:
        """Return a member with the status that it has at a time if nobody does anything (H278)."""
        holder = self.holders.get(record.record_id)
        if holder is None or record.record_status != _RETRIEVED or holder[0].expires_at > at:
            return record
        handout, handle = holder
        is_first = record.record_id == handout.record_id or record.record_id in handout.rescheduled
        return msgspec.structs.replace(record, record_status=_READY if is_first else handle.prior_status)

    def text_of(self, at: int) -> str:
        """Return a time in words, in the record's zone and in UTC."""
        zone = self.zone
        local = f"{time_in_words(at, zone.zone)} {zone.name}"
        return f"{local} ({time_in_words(at, UTC)} UTC)"


def explain(unit: UnitOfWork, contact: str, at: int) -> Explanation:
    """Return why the records with this contact would, or would not, be handed out at a time."""
    records: list[RecordExplanation] = []
    unreadable: list[UnreadableRecord] = []
    unavailable: list[str] = []
    for calling_list in unit.directory.calling_lists:
        try:
            normal = normal_contact(contact, calling_list.tenant.country)
            matches = unit.tx.find_by_contacts(calling_list, [normal]).get(normal, [])
            ids = [each.record_id for each in matches]
            found = sorted(unit.tx.records(calling_list, ids), key=lambda each: each.record_id)
            records += [_explain(_chain_of(unit, calling_list, each, at), at) for each in found]
            unreadable += _unreadable(unit, calling_list, matches)
        except UnavailableListError:
            unavailable.append(calling_list.name)
    countries = {"", *(each.country for each in unit.directory.tenants)}
    covering = {
        each.number: each
        for country in countries
        for each in unit.tx.covering_entries(normal_contact(contact, country), None, country)
    }
    entries = [
        Entry(_entry_text(unit.directory, covering[number]), covering[number].expires_at) for number in sorted(covering)
    ]
    return Explanation(contact, at, records, unreadable, entries, unavailable)


def _unreadable(unit: UnitOfWork, calling_list: CallingList, matches: Sequence[Match]) -> list[UnreadableRecord]:
    columns = ((each, unit.tx.unreadable(calling_list, each.record_id)) for each in matches)
    return [
        UnreadableRecord(calling_list.name, each.record_id, each.chain_id, each.contact_info, column)
        for each, column in columns
        if column is not None
    ]


def _chain_of(unit: UnitOfWork, calling_list: CallingList, record: Record, at: int) -> _Chain:
    members = unit.tx.records_of_chains(calling_list, {record.chain_id})
    handles = unit.tx.handles_of_records(calling_list, [each.record_id for each in members])
    handouts = {handout.handout_id: handout for handout, _ in unit.tx.handouts({each.handout_id for each in handles})}
    holders = {each.record_id: (handouts[each.handout_id], each) for each in handles if each.handout_id in handouts}
    lookups = [dnc_lookup_of(unit.directory, calling_list, each) for each in members]
    covered = unit.tx.blocked(calling_list, lookups, at)
    blocked = frozenset(members[place].record_id for place in covered)
    lookup = dnc_lookup_of(unit.directory, calling_list, record)
    customer_id = customer_id_text(customer_value(calling_list, record))
    entries = [
        each
        for each in unit.tx.covering_entries(lookup.contact, customer_id, lookup.country)
        if each.tenant_dbid in (0, calling_list.tenant.dbid)
        and each.list_dbid in (0, calling_list.dbid)
        and each.campaign_dbid in (0, *lookup.campaign_dbids)
    ]
    return _Chain(unit, calling_list, record, members, holders, blocked, entries)


def _explain(chain: _Chain, at: int) -> RecordExplanation:
    record = chain.record
    groups = [each for each in chain.unit.directory.groups if chain.calling_list in each.campaign.calling_lists]
    return RecordExplanation(
        chain.calling_list.name,
        record.record_id,
        record.chain_id,
        record.chain_n,
        record.contact_info,
        chain.zone.zone.key,
        _facts(chain),
        [_verdict(chain, group, at) for group in groups],
    )


def _verdict(chain: _Chain, group: CampaignGroup, at: int) -> GroupVerdict:
    """Return what a group would do with a record at a time, and when that changes."""
    agent = agent_of(chain.record)
    reasons = _reasons(chain, group, at)
    if not reasons:
        record = chain.record
        until = next_change(record.daily_from, record.daily_till, chain.zone.zone, at)
        return GroupVerdict(group.name, agent, True, [], None, until)  # noqa: FBT003 - a field
    not_before = None
    moment, standing = at, reasons
    for _ in range(_MOST_STEPS):
        ends = [each.until for each in standing if each.until is not None]
        if len(ends) < len(standing):
            break
        moment = max(ends)
        standing = _reasons(chain, group, moment)
        if not standing:
            not_before = moment
            break
    return GroupVerdict(group.name, agent, False, reasons, not_before)  # noqa: FBT003 - a field


def _reasons(chain: _Chain, group: CampaignGroup, at: int) -> list[Reason]:
    """Return everything that keeps a group from handing a record out at a time, in the order of H270 to H274."""
    record = chain.as_of(chain.record, at)
    reasons = [
        *_of_group(chain, group),
        *_of_backlog(chain, at),
        *_of_status(chain, record),
        *_of_chain_in_process(chain, at),
        *_of_do_not_call(chain, at),
        *_of_time(chain, record, at),
    ]
    if record.campaign_id not in (0, group.campaign.dbid):
        reasons.append(Reason("H271", f"it belongs to {_campaign_name(chain.unit.directory, record.campaign_id)}"))
    return reasons or _of_order(chain, group, record, at)


def _of_group(chain: _Chain, group: CampaignGroup) -> list[Reason]:
    reasons = []
    state = status_of(chain.unit, group).state
    if state != "started":
        reasons.append(Reason("H270", f"the campaign group is {state}; ocsctl campaign start starts it"))
    if not chain.calling_list.enabled:
        reasons.append(Reason("H271", "the calling list is disabled in the configuration"))
    return reasons


def _of_backlog(chain: _Chain, at: int) -> list[Reason]:
    """Return that nothing at all is handed out, if it is so; nothing is known about that in other times than now."""
    unit = chain.unit
    limit = unit.directory.history_wait
    until = unit.backlog.held_until(unit.tx, limit, unit.now) if limit is not None else None
    if until is None or not unit.now <= at < until:
        return []
    text = f"too many call report records wait for their receiver; this holds until {chain.text_of(until)} at most"
    return [Reason("O55", text, until)]


def _of_status(chain: _Chain, record: Record) -> list[Reason]:
    reasons = []
    if record.record_type == _NO_CALL:
        reasons.append(Reason("H271", "its type is NoCall: it must not be contacted"))
    if record.record_status == _RETRIEVED:
        reasons.append(_in_process(chain, record, "it is in process"))
    elif record.record_status == _CHAIN_READY:
        reasons.append(Reason("H271", "its status is ChainReady: it goes out only together with its chain"))
    elif record.record_status != _READY:
        reasons.append(Reason("H271", f"its status is {record_status_name(record.record_status)}, not Ready"))
    return reasons


def _of_chain_in_process(chain: _Chain, at: int) -> list[Reason]:
    for each in chain.members:
        member = chain.as_of(each, at)
        if member.record_id != chain.record.record_id and member.record_status == _RETRIEVED:
            return [_in_process(chain, member, f"{_name_of(member)} of its chain is in process")]
    return []


def _in_process(chain: _Chain, record: Record, text: str) -> Reason:
    holder = chain.holders.get(record.record_id)
    if holder is None:
        return Reason("K2", f"{text}, but no live handle explains that; so another program holds it")
    handout, handle = holder
    until = chain.text_of(handout.expires_at)
    return Reason(
        "H278",
        f"{text}: {_holder_text(chain, handout, handle)}, and is ready again at {until} without a final request",
        handout.expires_at,
    )


def _holder_text(chain: _Chain, handout: Handout, handle: Handle) -> str:
    group = chain.unit.directory.group_by_dbid(handout.group_dbid)
    name = group.name if group is not None else f"campaign group {handout.group_dbid}"
    agent = f" to agent {handout.agent_id}" if handout.agent_id else ""
    return f"handed out by {name}{agent} at {chain.text_of(handout.started_at)} with handle {handle.handle}"


def _of_do_not_call(chain: _Chain, at: int) -> list[Reason]:
    alive = [each for each in chain.entries if not each.expires_at or each.expires_at > at]
    if not alive:
        return []
    lasting = [each for each in alive if not each.expires_at]
    text = _entry_text(chain.unit.directory, (lasting or alive)[0])
    if lasting:
        return [Reason("H271", f"the do-not-call list has an entry {text}")]
    until = max(each.expires_at for each in alive)
    return [
        Reason(
            "H271",
            f"the do-not-call list has an entry {text}; a preview before {chain.text_of(until)} makes it NoCall (H272)",
            until,
        )
    ]


def _of_time(chain: _Chain, record: Record, at: int) -> list[Reason]:
    reasons = []
    if record.dial_sched_time > at:
        due = record.dial_sched_time
        reasons.append(Reason("H271", f"it is scheduled for {chain.text_of(due)}", due))
    if not is_open(record.daily_from, record.daily_till, seconds_of_day(at, chain.zone.zone)):
        opens = next_change(record.daily_from, record.daily_till, chain.zone.zone, at)
        when = f", which opens at {chain.text_of(opens)}" if opens is not None else ""
        reasons.append(Reason("H271", f"it is outside its daily window {_window_text(chain)}{when}", opens))
    return reasons


def _of_order(chain: _Chain, group: CampaignGroup, record: Record, at: int) -> list[Reason]:
    """Return why another member of the chain comes first (H274)."""
    directory, tenant = chain.unit.directory, chain.calling_list.tenant
    members = [chain.as_of(each, at) for each in chain.members if each.record_id not in chain.blocked]
    agents = ("", agent_of(record))
    windows = {
        each: moment
        for each, moment in open_windows([window_of(each) for each in members], directory, tenant, at).items()
        if each.campaign_dbid in (0, group.campaign.dbid) and each.agent in agents
    }
    ready = [each for each in members if each.record_status in CLAIMED and may_be_handed_out(each, windows, at)]
    first = min(ready, key=lambda each: (order_of(each, group.priorities), each.chain_n), default=record)
    if first.record_id == record.record_id:
        return []
    return [Reason("H274", f"{_name_of(first)} of its chain comes first; this one goes out with it")]


# Words.


def _facts(chain: _Chain) -> list[str]:
    """Return what is written in the row, in words."""
    record = chain.record
    kind, status = record_type_name(record.record_type), record_status_name(record.record_status)
    facts = [
        f"type {kind}, status {status}, {record.attempt} attempts",
        f"daily window {_window_text(chain)}",
    ]
    if record.dial_sched_time:
        facts.append(f"scheduled for {chain.text_of(record.dial_sched_time)}")
    if record.call_time:
        facts.append(f"last called at {chain.text_of(record.call_time)}")
    if record.agent_id:
        only = agent_of(record)
        facts.append(f"for agent {record.agent_id} only (H271)" if only else f"agent {record.agent_id}")
    if record.campaign_id:
        facts.append(f"of {_campaign_name(chain.unit.directory, record.campaign_id)}")
    others = [_name_of(each) for each in chain.members if each.record_id != record.record_id]
    if others:
        facts.append(f"in one chain with {', '.join(others)}")
    return facts


def _name_of(record: Record) -> str:
    return f"record {record.record_id} ({record.contact_info})"


def _window_text(chain: _Chain) -> str:
    record = chain.record
    if record.daily_from == record.daily_till:
        return f"the whole day in {chain.zone.name}"
    return f"{_clock(record.daily_from)} to {_clock(record.daily_till)} in {chain.zone.name}"


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


def _campaign_name(directory: Directory, dbid: int) -> str:
    name = next((each.name for each in directory.campaigns if each.dbid == dbid), None)
    return f"campaign {name}" if name is not None else f"a campaign that is not configured, DBID {dbid}"


def _entry_text(directory: Directory, entry: StoredEntry) -> str:
    """Return what an entry is for, when it was made, with which note, and until when it holds."""
    named = f"for {entry.phone}" if entry.phone is not None else f"for customer id {entry.customer_id}"
    scopes = []
    if entry.tenant_dbid:
        tenant = next((each.name for each in directory.tenants if each.dbid == entry.tenant_dbid), entry.tenant_dbid)
        scopes.append(f"tenant {tenant}" if "tenant_dbid" not in entry.odd else "a tenant that cannot be read")
    if entry.campaign_dbid:
        is_odd = "campaign_dbid" in entry.odd
        scopes.append("a campaign that cannot be read" if is_odd else _campaign_name(directory, entry.campaign_dbid))
    if entry.list_dbid:
        calling_list = directory.list_by_dbid(entry.list_dbid)
        name = calling_list.name if calling_list is not None else entry.list_dbid
        scopes.append(f"list {name}" if "list_dbid" not in entry.odd else "a list that cannot be read")
    where = " and ".join(scopes) or "every tenant"
    made = f", made at {time_in_words(entry.made_at, UTC)} UTC" if entry.made_at else ""
    noted = f", noted {entry.message!r}" if entry.message else ""
    until = f", until {time_in_words(entry.expires_at, UTC)} UTC" if entry.expires_at else ", without an end"
    return f"{named} in {where}{made}{noted}{until}{_odd_text(entry)}"


def _odd_text(entry: StoredEntry) -> str:
    """Return which columns of an entry have a value that cannot be read, and what stands there."""
    return "".join(
        f"; its value in column {column} cannot be read: {value[:_MOST_OF_ODD]!r}; correct it in the database"
        for column, value in entry.odd.items()
    )
