"""A batch of requests in one transaction: runs of one kind, idempotency, and faults that stay with their request.

Source: http.md section 12, protocol.md P41, docs/architecture.md.
"""

import hashlib
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import msgspec

from ocsgw.contact.add_record import add_records
from ocsgw.contact.by_handle import HANDLE_REQUESTS, by_handle
from ocsgw.contact.cancel import cancel
from ocsgw.contact.directory import Directory
from ocsgw.contact.do_not_call import do_not_call
from ocsgw.contact.fields import to_column
from ocsgw.contact.groups import CONTROL_REQUESTS, STATUS_REQUESTS, campaign_status, control
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.preview import preview
from ocsgw.contact.transaction import StoredAnswer, StoreFailureError
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, KVValue
from ocsgw.protocol.requests import REQUESTS

Rule = Callable[[Turn, Sequence[Work]], list[Reply]]

# Kind of run -> rule. Requests of one kind that may be carried out together make a run.
_RULES: Mapping[str, Rule] = {
    "AddRecord": add_records,
    "by handle": by_handle,
    "DoNotCall": do_not_call,
    "RequestRecordCancel": cancel,
    "PreviewRecordRequest": preview,
    "status": campaign_status,
    "control": control,
}


def kind_of(work: Work) -> str:
    """Return the kind of run that a request belongs to; an unknown request has a kind without a rule.

    With a handle the other identifiers are attributes (P10).
    """
    request = work.data.get("GSW_AGENT_REQ_TYPE")
    if request in STATUS_REQUESTS:
        return "status"
    if request in CONTROL_REQUESTS:
        return "control"
    if request in HANDLE_REQUESTS and "GSW_RECORD_HANDLE" in work.data:
        return "by handle"
    return str(request)


class Outcome(msgspec.Struct):
    """What became of one request; `replayed` if it is the stored answer of an earlier one (H324)."""

    reply: Reply
    replayed: bool = False


class Defects(Protocol):
    """Who is told of a rule that failed on a request, with the exception being handled."""

    def __call__(self, work: Work, error: Exception) -> None:
        """A request is answered with 500; its neighbours are not concerned."""


@dataclass(slots=True)
class _Run:
    kind: str
    places: list[int] = field(default_factory=list)
    names: set[Hashable] = field(default_factory=set)


_canonical = msgspec.msgpack.Encoder(order="sorted")


def execute(turn: Turn, works: Sequence[Work], on_defect: Defects) -> list[Outcome]:
    """Return the outcomes of `works`, in order.

    The caller commits afterwards; until then nothing is acknowledged.
    """
    outcomes: list[Outcome | None] = [None] * len(works)
    fingerprints = _replay(turn, works, outcomes)
    pending = [at for at, outcome in enumerate(outcomes) if outcome is None]
    for run in cut_into_runs(works, pending):
        replies = _run(turn, [works[at] for at in run.places], _RULES.get(run.kind), on_defect)
        for at, reply in zip(run.places, replies, strict=True):
            outcomes[at] = Outcome(reply)
    if fingerprints:
        _store(turn, works, outcomes, fingerprints)
    return cast("list[Outcome]", outcomes)


def _replay(turn: Turn, works: Sequence[Work], outcomes: list[Outcome | None]) -> dict[int, bytes]:
    """Answer what has been answered before; return the fingerprints of the other requests with a key (H322 to H325)."""
    keyed = [(at, (work.principal, work.key)) for at, work in enumerate(works) if work.key is not None]
    if not keyed:
        return {}
    names = [name for _, name in keyed]
    stored = turn.tx.stored_answers(names, turn.now)
    fingerprints = {}
    for (at, _), name in zip(keyed, names, strict=True):
        mark = works[at].fingerprint or fingerprint(works[at].data, turn.directory)
        answer = stored.get(name)
        if answer is None:
            fingerprints[at] = mark
        elif answer.fingerprint == mark:
            outcomes[at] = Outcome(answer.event, replayed=True)
        else:
            outcomes[at] = Outcome(Refusal("key_mismatch"))
    return fingerprints


def _store(
    turn: Turn, works: Sequence[Work], outcomes: Sequence[Outcome | None], fingerprints: Mapping[int, bytes]
) -> None:
    """Keep the acknowledgements that were given under a key; errors and reads are not kept (H327, H328)."""
    answers = {}
    for at, mark in fingerprints.items():
        work, outcome = works[at], outcomes[at]
        if outcome is None or isinstance(outcome.reply, Refusal) or not is_kept(work, outcome.reply):
            continue
        answers[(work.principal, cast("str", work.key))] = StoredAnswer(mark, outcome.reply, turn.now + work.keep_for)
    if answers:
        turn.tx.store_answers(answers)


def is_kept(work: Work, event: KV) -> bool:
    """Whether an acknowledgement is stored under its key (H328)."""
    request = REQUESTS.get(str(work.data.get("GSW_AGENT_REQ_TYPE")))
    return request is not None and not request.reads and event.get("GSW_USER_EVENT") != "PreviewRecordEmpty"


def cut_into_runs(works: Sequence[Work], places: Sequence[int]) -> list[_Run]:
    """Cut requests into runs of one kind, in the order of arrival.

    A request joins the last run of its kind unless a run behind that one names the same record, chain, contact or
    customer id: then it has to wait for that one (P41).
    """
    runs: list[_Run] = []
    for at in places:
        work = works[at]
        kind = kind_of(work)
        if runs and runs[-1].kind == kind:
            runs[-1].places.append(at)
            if len(runs) > 1:
                runs[-1].names |= names_of(work)
            continue
        names = names_of(work)
        for run in runs:
            if not run.names:
                run.names.update(*(names_of(works[each]) for each in run.places))
        home = _home(runs, kind, names)
        if home is None:
            home = _Run(kind)
            runs.append(home)
        home.places.append(at)
        home.names |= names
    return runs


def _home(runs: Sequence[_Run], kind: str, names: set[Hashable]) -> _Run | None:
    for run in reversed(runs):
        if run.kind == kind:
            return run
        if run.names & names:
            return None
    return None


def names_of(work: Work) -> set[Hashable]:
    """Return what a request names, in forms that can be compared."""
    data = work.data
    names: set[Hashable] = set()
    phone = data.get("GSW_PHONE")
    if isinstance(phone, str):
        names.add(("contact", normal_contact(phone)))
    for key in ("GSW_RECORD_HANDLE", "GSW_CHAIN_ID"):
        value = data.get(key)
        if value is not None:
            names.add((key, cast("int", value)))
    # A custom member may hold a customer id; its text is enough to be careful.
    for key, value in data.items():
        if isinstance(value, str) and (key[:4] != "GSW_" or key == "GSW_CUSTOMER_ID"):
            names.add(("customer", value.strip()))
    return names


def _run(turn: Turn, works: list[Work], rule: Rule | None, on_defect: Defects) -> list[Reply]:
    """Carry out one run; if it fails as a whole, go through it one by one, so that a fault stays with its request."""
    if rule is None:
        return [Refusal("unknown_request", str(work.data.get("GSW_AGENT_REQ_TYPE"))) for work in works]
    try:
        with turn.tx.savepoint():
            return rule(turn, works)
    except StoreFailureError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a rule raises concerns its own requests only
        if len(works) == 1:
            on_defect(works[0], error)
            return [Refusal("internal")]
    replies: list[Reply] = []
    for work in works:
        replies += _run(turn, [work], rule, on_defect)
    return replies


def fingerprint(data: KV, directory: Directory, but: Container[str] = ()) -> bytes:
    """Return what makes two requests the same: target, action and the key-values after their mapping (H322).

    Keys in `but` do not count.
    """
    try:
        calling_list = directory.calling_list(data.get("GSW_CALLING_LIST"))
    except Refusal:
        calling_list = None
    canonical: dict[str, KVValue | float] = {}
    for key, value in data.items():
        if key == "GSW_APPLICATION_ID" or key in but:
            continue
        if key[:4] == "GSW_":
            canonical[key] = value
        elif calling_list is None:
            canonical[key] = str(value)
        else:
            field_ = calling_list.fields_by_key.get(key)
            if field_ is None:
                continue
            try:
                stored = to_column(field_.kind, field_.length, key, value)
            except Refusal:
                stored = str(value)
            if stored is not None:
                canonical[key] = stored
    return hashlib.sha256(_canonical.encode(canonical)).digest()
