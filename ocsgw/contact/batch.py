"""A batch of requests in one transaction: runs of one kind, idempotency, and faults that stay with their request.

Source: http.md section 12, protocol.md P41, docs/architecture.md.
"""

import hashlib
from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from ocsgw import speedups
from ocsgw.contact.add_record import add_records
from ocsgw.contact.answer_statements import StoredAnswer
from ocsgw.contact.by_handle import HANDLE_REQUESTS, INFORMATION_KEYS, by_handle
from ocsgw.contact.cancel import cancel
from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.do_not_call import do_not_call
from ocsgw.contact.event_stream import open_streams, read_events
from ocsgw.contact.fields import to_column
from ocsgw.contact.groups import campaign_status, control
from ocsgw.contact.log_out import log_out
from ocsgw.contact.preview import preview
from ocsgw.contact.runs import cut_into_runs, kind_of, unmatched_blocks
from ocsgw.contact.transaction import (
    RefusedByTableError,
    StoreFailureError,
    UnavailableListError,
    UnstorableTextError,
)
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, Reply, UnitOfWork, final_event
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, KVValue
from ocsgw.protocol.sendable import event_fits

Rule = Callable[[UnitOfWork, Sequence[PendingRequest]], list[Reply]]


def go_on(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Carry on requests whose answer was still pending, each where it stopped."""
    return [pending.resume(unit) for pending in requests if pending.resume is not None]


# Kind of run -> rule. Requests of one kind that may be carried out together make a run.
_RULES: Mapping[str, Rule] = {
    "AddRecord": add_records,
    "by handle": by_handle,
    "DoNotCall": do_not_call,
    "RequestRecordCancel": cancel,
    "PreviewRecordRequest": preview,
    "LogOut": log_out,
    "EventStreamRequest": open_streams,
    "EventsRequest": read_events,
    "status": campaign_status,
    "control": control,
    "continued": go_on,
}


if TYPE_CHECKING or not speedups.is_used():

    class Outcome(msgspec.Struct):
        """What became of one request; `replayed` if it is the stored answer of an earlier one (H324)."""

        reply: Reply
        replayed: bool = False

    def _are_plain(requests: list[PendingRequest]) -> bool:
        """Whether requests ask for the same, without a key, and none goes on from before."""
        asked = requests[0].request
        return all(each.request is asked and each.key is None and each.resume is None for each in requests)

else:
    # A reply may be a record that was added: then it is known how its acknowledgement is written.
    from ocsgw.speedups.rows import Outcome
    from ocsgw.speedups.rows import are_plain as _are_plain


class Defects(Protocol):
    """What is called when a rule failed on a request, with the exception being handled."""

    def __call__(self, pending: PendingRequest, error: Exception) -> None:
        """A request is answered with 500; its neighbours are not concerned."""


# What may be carried out beside the transactions of other servers: what it judges is locked, as a chain or hand-out, or
# changed only by requests of other kinds.
_SHARED_KINDS = frozenset(
    {"AddRecord", "by handle", "PreviewRecordRequest", "EventStreamRequest", "EventsRequest", "status"}
)
# Of these kinds: DoNotCall concerns other records than its own, AddRecord with one of these a chain of others.
_ALONE_REQUESTS = frozenset({"DoNotCall"})
_ALONE_KEYS = ("GSW_CHAIN_ID", "GSW_RECORD_HANDLE")


def may_share(requests: Sequence[PendingRequest]) -> bool:
    """Whether requests may be carried out in a transaction beside those of other servers."""
    return all(
        (kind := kind_of(pending)) in _SHARED_KINDS
        and pending.request.name not in _ALONE_REQUESTS
        and not (kind == "AddRecord" and any(key in pending.data for key in _ALONE_KEYS))
        for pending in requests
    )


def may_pipeline(pending: PendingRequest) -> bool:
    """Whether a request needs no answer of the database for its own: it adds a record, with a chain of its own."""
    data = pending.data
    return (
        pending.request.name == "AddRecord"
        and pending.resume is None
        and not ("GSW_CHAIN_ID" in data or "GSW_RECORD_HANDLE" in data)
    )


_canonical = msgspec.msgpack.Encoder(order="sorted")


def execute(unit: UnitOfWork, requests: Sequence[PendingRequest], on_defect: Defects) -> list[Outcome]:
    """Return the outcomes of `requests`, in order.

    The caller commits afterwards; until then nothing is acknowledged.
    """
    if requests and requests[0].request.name not in HANDLE_REQUESTS and _are_plain(alike := list(requests)):
        # Most batches: one run, and no answer is stored.
        rule = _RULES.get(kind_of(alike[0]))
        return list(map(Outcome, _run(unit, alike, rule, on_defect, with_keys=False)))
    outcomes: list[Outcome | None] = [None] * len(requests)
    keyed = [at for at, pending in enumerate(requests) if pending.key is not None and pending.resume is None]
    if keyed:
        _replay(unit, requests, keyed, outcomes)
    pending = [at for at, outcome in enumerate(outcomes) if outcome is None]
    runs = cut_into_runs(requests, pending, unit.directory, lambda: unmatched_blocks(unit, requests, pending))
    for run in runs:
        replies = _run(unit, [requests[at] for at in run.places], _RULES.get(run.kind), on_defect)
        for at, reply in zip(run.places, replies, strict=True):
            outcomes[at] = Outcome(reply)
    return cast("list[Outcome]", outcomes)


# Idempotency (http.md section 12).

# The key of a request that another server executes is in use for so long at most (seconds), should that server end.
_EXECUTED_FOR = 120


def _replay(
    unit: UnitOfWork, requests: Sequence[PendingRequest], keyed: Sequence[int], outcomes: list[Outcome | None]
) -> None:
    """Answer what has been answered before (H322 to H325)."""
    stored = unit.tx.stored_answers([_name_of(requests[at]) for at in keyed], unit.now)
    for at in keyed:
        pending = requests[at]
        answer = stored.get(_name_of(pending))
        if answer is not None:
            if not answer.event:
                outcomes[at] = Outcome(Refusal("key_in_use"))
            elif answer.fingerprint == _fingerprint_of(unit, pending, answer.event):
                outcomes[at] = Outcome(_with_reference_of(pending, answer.event), replayed=True)
            else:
                outcomes[at] = Outcome(Refusal("key_mismatch"))


def _store(unit: UnitOfWork, requests: Sequence[PendingRequest], replies: Sequence[Reply]) -> None:
    """Keep the acknowledgements that were given under a key; errors and reads are not kept (H327, H328).

    Where other servers serve too, they see by an answer without members that a request is being executed here (H331).
    """
    answers = {}
    for pending, reply in zip(requests, replies, strict=True):
        if pending.key is None:
            continue
        event = final_event(Outcome(reply).reply)
        if event is not None and is_kept(pending, event):
            mark = _fingerprint_of(unit, pending, event)
            answers[_name_of(pending)] = StoredAnswer(mark, event, unit.now + pending.keep_for)
        elif isinstance(reply, Continuation):
            if unit.origin:
                answers[_name_of(pending)] = StoredAnswer(b"", {}, unit.now + _EXECUTED_FOR)
        elif unit.origin and pending.resume is not None:
            answers[_name_of(pending)] = StoredAnswer(b"", {}, unit.now)
    if answers:
        unit.tx.store_answers(answers)


def _name_of(pending: PendingRequest) -> tuple[str, str]:
    return pending.context.principal, cast("str", pending.key)


def is_kept(pending: PendingRequest, event: KV) -> bool:
    """Whether an acknowledgement is stored under its key (H328)."""
    return not pending.request.reads and event.get("GSW_USER_EVENT") != "PreviewRecordEmpty"


def _with_reference_of(pending: PendingRequest, event: KV) -> KV:
    """Return a stored answer with the reference id of the repetition, which need not be the same (H145, H331)."""
    reference = pending.data.get("GSW_REFERENCE_ID")
    if event.get("GSW_REFERENCE_ID") == reference:
        return event
    answer = {key: value for key, value in event.items() if key != "GSW_REFERENCE_ID"}
    return answer if reference is None else {**answer, "GSW_REFERENCE_ID": reference}


def _fingerprint_of(unit: UnitOfWork, pending: PendingRequest, event: KV) -> bytes:
    """Return the fingerprint of a request that has been answered; the answer names the list of a record."""
    if pending.fingerprint is not None:
        return pending.fingerprint
    if kind_of(pending) == "by handle":
        known = {key: value for key, value in pending.data.items() if key not in INFORMATION_KEYS}
        return _fingerprint(known, unit.directory.list_named(event.get("GSW_CALLING_LIST")))
    return fingerprint(pending.data, unit.directory)


def fingerprint(data: KV, directory: Directory, but: Container[str] = ()) -> bytes:
    """Return what makes two requests the same: target, action and the key-values after their mapping (H322).

    Keys in `but` do not count. Custom members are those of the calling list that the request names.
    """
    counted = {key: value for key, value in data.items() if key not in but} if but else data
    return _fingerprint(counted, directory.list_named(data.get("GSW_CALLING_LIST")))


def _fingerprint(data: KV, calling_list: CallingList | None) -> bytes:
    canonical: dict[str, KVValue | float] = {}
    for key, value in data.items():
        if key[:4] == "GSW_":
            if key != "GSW_APPLICATION_ID":
                canonical[key] = value
            continue
        field = calling_list.fields_by_key.get(key) if calling_list is not None else None
        if field is not None:
            try:
                stored = to_column(field.kind, field.length, key, value)
            except Refusal:
                stored = str(value)
            if stored is not None:
                canonical[key] = stored
    return hashlib.sha256(_canonical.encode(canonical)).digest()


# Runs.


def refusal_of(error: RefusedByTableError) -> Refusal:
    """Return the answer to a request whose row a table does not take."""
    if isinstance(error, UnstorableTextError):
        return Refusal("unstorable_text")
    if error.table:
        return Refusal("refused_by_table", error.table, error.reason)
    return Refusal("refused_by_dnc_table", error.reason)


class _TooLargeError(Exception):
    """An answer does not fit on the wire; its request must have changed nothing."""


def _demand_size(requests: Sequence[PendingRequest], replies: Sequence[Reply]) -> None:
    """Raise `_TooLargeError` if an answer cannot be sent; what AddRecord says is bounded by its request."""
    for pending, reply in zip(requests, replies, strict=True):
        events = reply if isinstance(reply, list) else [reply]
        for event in events:
            if isinstance(event, dict) and not event_fits(event, pending.context.largest_answer):
                raise _TooLargeError


def _run(
    unit: UnitOfWork, requests: list[PendingRequest], rule: Rule | None, on_defect: Defects, *, with_keys: bool = True
) -> list[Reply]:
    """Carry out one run; if it fails as a whole, go through it one by one, so that a fault stays with its request.

    `with_keys`: answers may have to be stored under keys.
    """
    if rule is None:
        return [Refusal("unknown_request", pending.request.name) for pending in requests]
    mark = unit.mark()
    try:
        with unit.tx.savepoint():
            replies = rule(unit, requests)
            if rule is not add_records:
                _demand_size(requests, replies)
            if with_keys:
                _store(unit, requests, replies)
            return replies
    except StoreFailureError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a rule raises concerns its own requests only
        unit.undo(mark)
        if len(requests) == 1:
            if isinstance(error, UnavailableListError):
                return [Refusal("list_unavailable", error.calling_list.name)]
            if isinstance(error, RefusedByTableError):
                return [refusal_of(error)]
            if isinstance(error, _TooLargeError):
                return [Refusal("answer_too_large")]
            on_defect(requests[0], error)
            return [Refusal("internal")]
    return [reply for pending in requests for reply in _run(unit, [pending], rule, on_defect)]
