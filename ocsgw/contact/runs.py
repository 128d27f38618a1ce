"""A batch is cut into runs of requests of one kind, which a rule carries out together (protocol.md P41)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import cast

from ocsgw.contact.by_handle import HANDLE_REQUESTS
from ocsgw.contact.directory import Directory
from ocsgw.contact.groups import CONTROL_REQUESTS, STATUS_REQUESTS
from ocsgw.contact.normal_form import coarse_key, normal_customer_id
from ocsgw.contact.scope import chain_attr, named_by
from ocsgw.contact.unit_of_work import PendingRequest

# What a request may concern without naming it. Two requests that share a name keep their order.
_RECORDS, _HANDOUTS, _CONTACTS, _GROUPS = "any record", "any hand-out", "any contact", "any group"
_OF_KIND = {
    "AddRecord": {_CONTACTS},
    "by handle": {_RECORDS},
    "PreviewRecordRequest": {_HANDOUTS},
    "DoNotCall": {_RECORDS, _HANDOUTS},
    "RequestRecordCancel": {_RECORDS, _HANDOUTS},
    "LogOut": {_RECORDS, _HANDOUTS},
    "status": {_GROUPS},
    "control": {_RECORDS, _HANDOUTS, _GROUPS},
    "continued": {_RECORDS, _HANDOUTS, _CONTACTS, _GROUPS},
}
_KINDS = {**dict.fromkeys(STATUS_REQUESTS, "status"), **dict.fromkeys(CONTROL_REQUESTS, "control")}


@dataclass(slots=True)
class Run:
    """Requests of one kind by their places in the batch; `names` are those of all, empty while nobody has asked."""

    kind: str
    places: list[int] = field(default_factory=list)
    names: set[Hashable] = field(default_factory=set)


def kind_of(pending: PendingRequest) -> str:
    """Return the kind of run that a request belongs to; a request without a rule has a kind of its own.

    With a handle the other identifiers are attributes (P10).
    """
    if pending.resume is not None:
        return "continued"
    name = pending.request.name
    if name in HANDLE_REQUESTS and "GSW_RECORD_HANDLE" in pending.data:
        return "by handle"
    return _KINDS.get(name, name)


def cut_into_runs(requests: Sequence[PendingRequest], places: Sequence[int], directory: Directory) -> list[Run]:
    """Cut requests into runs of one kind, in the order of arrival.

    A request joins the last run of its kind unless a run behind that one may concern the same record, chain, contact or
    customer id: then it has to wait for that one.
    """
    if _are_alike(requests, places):
        return [Run(kind_of(requests[places[0]]), list(places))]
    runs: list[Run] = []
    for at in places:
        pending = requests[at]
        kind = kind_of(pending)
        if runs and runs[-1].kind == kind:
            runs[-1].places.append(at)
            if len(runs) > 1:
                runs[-1].names |= names_of(pending, directory)
            continue
        if not runs:
            runs.append(Run(kind, [at]))
            continue
        names = names_of(pending, directory)
        for run in runs:
            if not run.names:
                run.names.update(*(names_of(requests[each], directory) for each in run.places))
        home = _home(runs, kind, names)
        if home is None:
            home = Run(kind)
            runs.append(home)
        home.places.append(at)
        home.names |= names
    return runs


def _are_alike(requests: Sequence[PendingRequest], places: Sequence[int]) -> bool:
    """Whether requests ask for the same, which says of what kind they are: so most batches are one run."""
    if not places:
        return False
    asked = requests[places[0]].request
    if asked.name in HANDLE_REQUESTS:
        return False
    for at in places:
        pending = requests[at]
        if pending.request is not asked or pending.resume is not None:
            return False
    return True


def _home(runs: Sequence[Run], kind: str, names: set[Hashable]) -> Run | None:
    for run in reversed(runs):
        if run.kind == kind:
            return run
        if run.names & names:
            return None
    return None


def names_of(pending: PendingRequest, directory: Directory) -> set[Hashable]:
    """Return what a request may concern, in forms that can be compared."""
    data, kind = pending.data, kind_of(pending)
    names: set[Hashable] = set(_OF_KIND.get(kind, ()))
    if pending.request.name == "DoNotCall":
        names |= _blocked_by(pending, kind, directory)
    if kind == "AddRecord" and ("GSW_CHAIN_ID" in data or "GSW_RECORD_HANDLE" in data):
        names.add(_RECORDS)
    phone = data.get("GSW_PHONE")
    if isinstance(phone, str):
        names.add(("contact", coarse_key(phone)))
    # A custom member may hold a customer id; its text is enough to be careful.
    for key, value in data.items():
        if isinstance(value, str | int) and (key[:4] != "GSW_" or key == "GSW_CUSTOMER_ID"):
            names.add(("customer", normal_customer_id(str(value))))
    return names


def _blocked_by(pending: PendingRequest, kind: str, directory: Directory) -> set[Hashable]:
    """Return what DoNotCall concerns besides what it names: contacts of the record, or of the chain, that it finds."""
    if kind == "by handle":
        return {_HANDOUTS, _CONTACTS}
    by_phone = named_by(pending) == "GSW_PHONE"
    whole_chain = chain_attr(pending, directory, "phones" if by_phone else "customer_ids") == "AllChain"
    return cast("set[Hashable]", {_CONTACTS}) if by_phone and whole_chain else set()
