"""Treatments: what happens to a record after a call result (configuration.md section 11, constants.md section 5.2)."""

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

from ocsgw.contact.directory import CallingList, Directory, Treatment
from ocsgw.contact.handouts import ActiveHandout, Member
from ocsgw.contact.transaction import Record
from ocsgw.contact.zones import wall_time_to_epoch
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.protocol.enumerations import PERSONAL_TYPES, RecordStatus, RecordType

PERSONAL = "RecordTreatPersonal"
_FINISH = Treatment(0, "", 0, "finish")
_UPDATED = RecordStatus.UPDATED.value
_CHAIN_READY = RecordStatus.CHAIN_READY.value
_CALLBACKS = PERSONAL_TYPES | {RecordType.CAMPAIGN_CALLBACK.value}
# For other types the column counts as empty (K66).
_CONTINUED = _CALLBACKS | {RecordType.CAMPAIGN_RESCHEDULED.value}
_POSITION = re.compile(" *([0-9]{1,10})@([0-9]{1,10})@([0-9]{1,10})@([0-9]{1,10}) *").fullmatch


class Position(NamedTuple):
    """Where a record stands in its treatments: the text of the column `treatments` (K65).

    `dbid` is the treatment applied last, `number` how many times in succession it has been, `chain_n` the member of the
    chain to be contacted next, and `round` the round through the chain.
    """

    dbid: int
    number: int
    chain_n: int
    round: int

    @property
    def text(self) -> str:
        """The column."""
        return f"{self.dbid}@{self.number}@{self.chain_n}@{self.round}"


@dataclass(frozen=True, slots=True, eq=False)
class Application:
    """A treatment that is to be applied as number `number` in succession, in this `round` through the chain.

    `at` is when a `retry_at` is due, in seconds since 1970 UTC. Without a `number` everything of the sequence is used
    up: nothing is noted in the record (C91).
    """

    treatment: Treatment
    number: int = 0
    round: int = 1
    at: int = 0

    def due(self, now: int) -> int:
        """Return when the record is contacted again (C94)."""
        treatment = self.treatment
        if treatment.action == "retry_at":
            return min(self.at, INT32_MAX)
        return min(now + math.ceil(treatment.interval + (self.number - 1) * treatment.increment), INT32_MAX)


def position_of(record: Record) -> Position | None:
    """Return what the column of a record says; None if it says nothing that counts (K66, K67)."""
    match = _POSITION(record.treatments) if record.record_type in _CONTINUED else None
    if match is None:
        return None
    position = Position(*map(int, match.groups()))
    in_range = max(position) <= INT32_MAX and min(position.dbid, position.number, position.round) >= 1
    return position if in_range else None


def find_treatment(directory: Directory, calling_list: CallingList, record: Record, now: int) -> Application | None:
    """Return what is to be applied to a record with its call result; None without a treatment for it (C90 to C92).

    `finish` is applied when the sequence is used up.
    """
    sequence = directory.sequence(calling_list, record.call_result)
    if not sequence:
        return None
    position = position_of(record)
    round_ = position.round if position is not None else 1
    begin = 0
    if position is not None:
        place = next((place for place, each in enumerate(sequence) if each.dbid == position.dbid), None)
        if place is not None:
            again, begin = sequence[place], place + 1
            if again.cycle_attempt == 0 or again.cycle_attempt > position.number:
                found = _fitting(directory, calling_list, record, now, again, position.number + 1, round_)
                if found is not None:
                    return found
    for each in sequence[begin:]:
        found = _fitting(directory, calling_list, record, now, each, 1, round_)
        if found is not None:
            return found
    return Application(_FINISH)


def _fitting(
    directory: Directory,
    calling_list: CallingList,
    record: Record,
    now: int,
    treatment: Treatment,
    number: int,
    round_: int,
) -> Application | None:
    """Return the application of a treatment if it fits the record (C92)."""
    if treatment.max_attempts and record.attempt >= treatment.max_attempts:
        return None
    at = 0
    if treatment.at is not None:
        at = wall_time_to_epoch(treatment.at, directory.zone_of(record.tz_dbid, calling_list.tenant).zone)
        if at <= now:
            return None
    return Application(treatment, min(number, INT32_MAX), round_, at)


def apply_treatment(
    application: Application,
    handed_out: ActiveHandout,
    member: Member,
    now: int,
    *,
    personal_agent: str = "",
    is_asked: bool = True,
) -> None:
    """End a hand-out by a treatment.

    `personal_agent` is for whom the record stays with RecordTreatPersonal, empty for anyone. Where no client `is_asked`
    for it, a record that is for one agent stays with that agent (C95).
    """
    record, action = member.record, application.treatment.action
    chain_n = record.chain_n
    if action in ("retry_in", "retry_at"):
        _schedule(member, application.due(now), personal_agent, keeps_agent=not is_asked)
        handed_out.finish(member, RecordStatus.READY.value)
    elif action == "assign_to_group":
        callback = record.record_type in (RecordType.PERSONAL_CALLBACK, RecordType.CAMPAIGN_CALLBACK)
        kind = RecordType.CAMPAIGN_CALLBACK if callback else RecordType.CAMPAIGN_RESCHEDULED
        member.set(record_type=kind.value, dial_sched_time=application.due(now))
        handed_out.finish(member, RecordStatus.READY.value)
    elif action == "next_in_chain":
        following = _next_in_chain(handed_out, member, application, now)
        chain_n = following.record.chain_n if following is not None else chain_n
    elif action == "no_call":
        member.set(record_type=RecordType.NO_CALL.value)
        handed_out.finish(member, _UPDATED)
    elif action == "agent_error":
        handed_out.finish(member, RecordStatus.AGENT_ERROR.value)
    else:
        handed_out.finish(member, _UPDATED)
    if application.number:
        position = Position(application.treatment.dbid, application.number, chain_n, application.round)
        member.set(treatments=position.text)


def _schedule(member: Member, due: int, personal_agent: str, *, keeps_agent: bool) -> None:
    """Have a record contacted again, by anyone or by one agent (C95)."""
    record = member.record
    member.set(dial_sched_time=due)
    if personal_agent:
        member.set(record_type=RecordType.PERSONAL_RESCHEDULED.value, agent_id=personal_agent)
    elif not (keeps_agent and record.agent_id and record.record_type in PERSONAL_TYPES):
        member.set(record_type=RecordType.CAMPAIGN_RESCHEDULED.value)


def _next_in_chain(handed_out: ActiveHandout, member: Member, application: Application, now: int) -> Member | None:
    """End a hand-out so that the chain goes on with the next member; return that, None if there is none."""
    following = [
        each
        for each in handed_out.others(member)
        if each.record.chain_n > member.record.chain_n and not each.is_no_call
    ]
    waiting = [
        each for each in handed_out.others(member) if not each.is_no_call and not handed_out.is_rescheduled(each)
    ]
    handed_out.finish(member, _UPDATED)
    if not following:
        return None
    chosen = following[0]
    for each in waiting:
        each.set(record_status=RecordStatus.READY.value if each is chosen else _CHAIN_READY)
        if each is chosen and application.treatment.interval:
            each.set(dial_sched_time=application.due(now))
            if each.record.record_type not in _CALLBACKS:
                each.set(record_type=RecordType.CAMPAIGN_RESCHEDULED.value)
    return chosen
