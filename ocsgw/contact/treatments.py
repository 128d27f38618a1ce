"""Treatments: what happens to a record after a call result (configuration.md section 11)."""

from ocsgw.contact.directory import Campaign, Directory, Treatment
from ocsgw.contact.handouts import ActiveHandout, Member
from ocsgw.protocol.enumerations import RecordStatus, RecordType

PERSONAL = "RecordTreatPersonal"
_TREATMENTS_LENGTH = 255
_UPDATED = RecordStatus.UPDATED.value
_CHAIN_READY = RecordStatus.CHAIN_READY.value
_FINISH = Treatment("", 0, "finish")


def find_treatment(directory: Directory, campaign: Campaign | None, call_result: int, attempt: int) -> Treatment | None:
    """Return the first treatment that fits; `finish` if those that fit are used up; None if there is none."""
    fitting = [
        each
        for each in directory.treatments
        if each.call_result == call_result
        and (each.campaigns is None or (campaign is not None and campaign.name in each.campaigns))
    ]
    for each in fitting:
        if each.max_attempts == 0 or attempt < each.max_attempts:
            return each
    return _FINISH if fitting else None


def apply_treatment(
    treatment: Treatment, handed_out: ActiveHandout, member: Member, now: int, *, personal_agent: str | None
) -> None:
    """End a hand-out by a treatment; `personal_agent` is the agent of RecordTreatPersonal, None without it."""
    if treatment.name:
        member.set(treatments=noted(member.record.treatments, treatment.name))
    if treatment.action == "retry_in":
        kind = RecordType.CAMPAIGN_RESCHEDULED if personal_agent is None else RecordType.PERSONAL_RESCHEDULED
        member.set(record_type=kind.value, dial_sched_time=now + treatment.interval)
        if personal_agent:
            member.set(agent_id=personal_agent)
        handed_out.finish(member, RecordStatus.READY.value)
    elif treatment.action == "next_in_chain":
        _next_in_chain(handed_out, member)
    elif treatment.action == "no_call":
        member.set(record_type=RecordType.NO_CALL.value)
        handed_out.finish(member, _UPDATED)
    else:
        handed_out.finish(member, _UPDATED)


def _next_in_chain(handed_out: ActiveHandout, member: Member) -> None:
    """End a hand-out so that the chain goes on with the next member, if there is one."""
    following = [
        each
        for each in handed_out.others(member)
        if each.record.chain_n > member.record.chain_n and not each.is_no_call
    ]
    waiting = [
        each for each in handed_out.others(member) if not each.is_no_call and not handed_out.is_rescheduled(each)
    ]
    handed_out.finish(member, _UPDATED)
    if following:
        for each in waiting:
            each.set(record_status=RecordStatus.READY.value if each is following[0] else _CHAIN_READY)


def noted(treatments: str, name: str) -> str:
    """Return the column `treatments` with a name appended, the oldest dropped to fit."""
    text = f"{treatments}{name};"
    while len(text) > _TREATMENTS_LENGTH:
        text = text.partition(";")[2]
    return text
