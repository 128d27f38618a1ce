"""Pre-dial validation: a record is claimed, somebody outside is asked, then it is handed out or not (outgoing.md 2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from ocsgw.contact.choice.choose import Choice
from ocsgw.contact.custom import lenient_columns
from ocsgw.contact.directory import CallingList, CampaignGroup, ValidationRule
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import UNDER_VALIDATION, ActiveHandout, Member
from ocsgw.contact.journal import GROUP_UNLOADED, RECORD_TIMEOUT, note_members, note_records
from ocsgw.contact.reports import report_handout, report_kept_back
from ocsgw.contact.transaction import Record, UnavailableListError
from ocsgw.contact.treatments import apply_treatment, find_treatment
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, Reply, UnitOfWork
from ocsgw.protocol.enumerations import CALL_RESULTS, CallResult, RecordStatus, RecordType, plain_name
from ocsgw.protocol.messages import KV, Verdict

_READY = RecordStatus.READY.value
_UPDATED = RecordStatus.UPDATED.value
_NO_CALL = RecordType.NO_CALL.value
_PERSONAL = frozenset({RecordType.PERSONAL_RESCHEDULED.value, RecordType.PERSONAL_CALLBACK.value})
_LAST_TIME = 2147483647
# What a further try needs beside the time of the call, in seconds (O31).
_MARGIN = 1.0
# What ends a claim without a result, and how far back that is looked for.
_RELEASES = frozenset({RECORD_TIMEOUT, GROUP_UNLOADED})
_LAST_ENTRIES = 100
VALIDATION = "pre-dial validation"


@dataclass(frozen=True, slots=True)
class ValidationQuestion:
    """Whether a record may be handed out now; answered by a `Verdict`, or None if nobody could be asked.

    `timeout` is in seconds; `link` numbers the link through which the request came.
    """

    uri: str
    data: KV
    timeout: float
    link: int


def not_asked_about(unit: UnitOfWork, group: CampaignGroup) -> list[CallingList]:
    """Return the lists of a group whose records nobody can be asked about now: none of them is claimed meanwhile."""
    rules = ((each, unit.directory.validation_of(each, group)) for each in group.campaign.calling_lists)
    return [each for each, rule in rules if rule is not None and not unit.may_ask(rule.uri)]


def with_questions(unit: UnitOfWork, group: CampaignGroup, choices: Sequence[Choice]) -> list[Choice]:
    """Return those of some choices that need no question, or about which one may be asked now."""
    taken = []
    for choice in choices:
        rule = unit.directory.validation_of(choice.calling_list, group)
        if rule is not None:
            if not unit.may_ask(rule.uri):
                continue
            unit.questions[rule.uri] = unit.questions.get(rule.uri, 0) + 1
        taken.append(choice)
    return taken


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets a record that has been claimed, if the verdict is positive.

    `show` makes the event of the hand-out. `again` hands out the next record, given how many have been tried, None if
    no further one is to be tried. `is_there` says whether there still is somebody to hand out to.
    """

    pending: PendingRequest
    show: Callable[[UnitOfWork, ActiveHandout, Member], KV]
    again: Callable[[UnitOfWork, int | None], Reply]
    is_there: Callable[[], bool] = lambda: True


def ask_first(
    unit: UnitOfWork,
    receiver: Receiver,
    rule: ValidationRule,
    handed_out: ActiveHandout,
    member: Member,
    tried: int = 0,
) -> Continuation:
    """Return the reply for a record that has been claimed: it is pending until there is a verdict (O21, O22).

    `tried` counts the records of the request before this one.
    """
    event = receiver.show(unit, handed_out, member)
    data = {key: value for key, value in event.items() if key not in ("GSW_USER_EVENT", "GSW_REFERENCE_ID")}
    claim = _Claim(
        receiver,
        rule,
        handed_out.handout.handout_id,
        handed_out.calling_list.dbid,
        member.record.record_id,
        cast("int", data["GSW_RECORD_HANDLE"]),
        tried + 1,
    )

    def decide(unit: UnitOfWork, answer: object) -> Reply:
        return _decide(unit, claim, cast("Verdict | None", answer))

    link = receiver.pending.context.link
    return Continuation(decide, ValidationQuestion(rule.uri, data, rule.timeout, link))


@dataclass(frozen=True, slots=True)
class _Claim:
    """What is being validated; `tried` counts the records of the request, this one included."""

    receiver: Receiver
    rule: ValidationRule
    handout_id: int
    list_dbid: int
    record_id: int
    handle: int
    tried: int


def _decide(unit: UnitOfWork, claim: _Claim, verdict: Verdict | None) -> Reply:
    receiver = claim.receiver
    cache = HandoutCache(unit)
    cache.open([claim.handout_id])
    found = cache.peek(claim.handle)
    rule = claim.rule
    if found is None:
        if verdict is not None and verdict.outcome == "positive":
            _lose_race(unit, claim)
        return receiver.again(unit, _further(claim))
    handed_out, member = found
    holds = not unit.room(1)
    if verdict is None or (verdict.outcome == "positive" and holds):
        # Nobody was asked, or nothing is handed out at the moment: nothing is known against the record.
        handed_out.release()
    elif member.is_no_call or cache.is_blocked(handed_out, member):
        member.set(record_type=_NO_CALL, call_result=CallResult.DO_NOT_CALL.value)
        handed_out.finish(member, _UPDATED)
    elif verdict.outcome == "positive" and not receiver.is_there():
        handed_out.release()
        member.set(call_result=unit.directory.validation_race_result)
    elif verdict.outcome == "positive":
        if rule.store_answer_fields:
            member.set_custom(handed_out.calling_list, lenient_columns(unit, handed_out.calling_list, verdict.data))
        handed_out.handout.rescheduled.remove(UNDER_VALIDATION)
        cache.touch(handed_out)
        report_handout(unit, handed_out, member)
        note_members(unit, handed_out, VALIDATION)
        cache.save()
        return receiver.show(unit, handed_out, member)
    else:
        _keep_back(unit, rule, handed_out, member, verdict)
        report_kept_back(unit, handed_out, member)
    note_members(unit, handed_out, VALIDATION)
    cache.save()
    unreachable = verdict is None or (verdict.outcome == "failed" and verdict.reason == "connect")
    return receiver.again(unit, None if unreachable else _further(claim))


def _further(claim: _Claim) -> int | None:
    """Return how many records have been tried, None if the request has no room for a further one (O31)."""
    if claim.tried >= claim.rule.max_tries:
        return None
    time_left = claim.receiver.pending.time_left
    if time_left is not None and time_left < claim.rule.timeout + _MARGIN:
        return None
    return claim.tried


def _keep_back(
    unit: UnitOfWork, rule: ValidationRule, handed_out: ActiveHandout, member: Member, verdict: Verdict
) -> None:
    """End the hand-out of a record with a verdict that is not positive (O24 to O30)."""
    result = rule.call_result
    if verdict.outcome == "negative":
        result = _result_of(verdict.data, result)
        member.set_custom(handed_out.calling_list, lenient_columns(unit, handed_out.calling_list, verdict.data))
    member.set(call_result=result, call_time=unit.now)
    application = find_treatment(unit.directory, handed_out.calling_list, member.record, unit.now)
    if application is not None:
        apply_treatment(application, handed_out, member, unit.now, is_asked=False)
    elif verdict.outcome == "failed" and rule.failure_retry:
        personal = member.record.record_type in _PERSONAL
        kind = RecordType.PERSONAL_RESCHEDULED if personal else RecordType.CAMPAIGN_RESCHEDULED
        handed_out.release()
        due = min(unit.now + rule.failure_retry, _LAST_TIME)
        member.set(record_type=kind.value, record_status=_READY, dial_sched_time=due)
    else:
        handed_out.finish(member, _UPDATED)


def _result_of(data: KV, otherwise: int) -> int:
    """Return the call result of an answer, by number or name; `otherwise` without a valid one."""
    given = data.get("GSW_CALL_RESULT")
    if isinstance(given, str):
        given = int(given) if given.isascii() and given.isdigit() else CALL_RESULTS.get(plain_name(given))
    if isinstance(given, int) and not isinstance(given, bool) and given in CALL_RESULTS.values():
        return given
    return otherwise


def _lose_race(unit: UnitOfWork, claim: _Claim) -> None:
    """The record was taken away before its positive verdict came; one that time or unloading released says so (O56)."""
    calling_list = unit.directory.list_by_dbid(claim.list_dbid)
    if calling_list is None:
        return
    try:
        records = unit.tx.records(calling_list, [claim.record_id])
    except UnavailableListError:
        return
    for record in records:
        if record.record_status == _READY and record.record_type != _NO_CALL and _was_released(unit, claim, record):
            member = Member(record)
            member.set(call_result=unit.directory.validation_race_result)
            unit.tx.change_records(calling_list, {record.record_id: member.changes})
            changed = [(record.chain_id, record.record_id, member.before)]
            note_records(unit, calling_list, changed, member.after, VALIDATION, "")


def _was_released(unit: UnitOfWork, claim: _Claim, record: Record) -> bool:
    """Whether the last that happened to a record is the end of a claim by `record_timeout` or by unloading."""
    entries = unit.tx.outbox_of_chain(claim.list_dbid, record.chain_id, _LAST_ENTRIES)
    of_record = [each for each in entries if each.record_id == record.record_id]
    return bool(of_record) and of_record[-1].handle == claim.handle and of_record[-1].kind in _RELEASES
