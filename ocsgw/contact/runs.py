"""A batch is cut into runs of requests of one kind, which a rule carries out together (protocol.md P41)."""

from collections.abc import Callable, Container, Hashable, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

from ocsgw.contact.by_handle import HANDLE_REQUESTS
from ocsgw.contact.directory import Directory
from ocsgw.contact.groups import CONTROL_REQUESTS, STATUS_REQUESTS
from ocsgw.contact.normal_form import coarse_key, normal_customer_id
from ocsgw.contact.scope import chain_attr, find_by_phones, named_by
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork

# What a request may concern without naming it. Two requests that share a name keep their order.
_RECORDS, _HANDOUTS, _CONTACTS, _GROUPS = "any record", "any hand-out", "any contact", "any group"
_OF_KIND: dict[str, frozenset[Hashable]] = {
    "AddRecord": frozenset({_CONTACTS}),
    "by handle": frozenset({_RECORDS}),
    "PreviewRecordRequest": frozenset({_HANDOUTS}),
    "DoNotCall": frozenset({_RECORDS, _HANDOUTS}),
    "RequestRecordCancel": frozenset({_RECORDS, _HANDOUTS}),
    "LogOut": frozenset({_RECORDS, _HANDOUTS}),
    "status": frozenset({_GROUPS}),
    "control": frozenset({_RECORDS, _HANDOUTS, _GROUPS}),
    "continued": frozenset({_RECORDS, _HANDOUTS, _CONTACTS, _GROUPS}),
}
_NOTHING: frozenset[Hashable] = frozenset()
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


def cut_into_runs(
    requests: Sequence[PendingRequest],
    places: Sequence[int],
    directory: Directory,
    unmatched: Callable[[], Container[int]] = tuple,
) -> list[Run]:
    """Cut requests into runs of one kind, in the order of arrival.

    A request joins the last run of its kind unless a run behind that one may concern the same record, chain, contact or
    customer id: then it has to wait for that one. `unmatched` returns the places of requests by phone that concern no
    record; it is asked if there are several kinds.
    """
    if _are_alike(requests, places):
        return [Run(kind_of(requests[places[0]]), list(places))]
    runs: list[Run] = []
    without_record: Container[int] | None = None

    def names_at(at: int) -> Set[Hashable]:
        nonlocal without_record
        if without_record is None:
            without_record = unmatched()
        if at in without_record:
            return {_contact_of(cast("str", requests[at].data["GSW_PHONE"]))}
        return names_of(requests[at], directory)

    for at in places:
        kind = kind_of(requests[at])
        if runs and runs[-1].kind == kind:
            runs[-1].places.append(at)
            if len(runs) > 1:
                runs[-1].names |= names_at(at)
            continue
        if not runs:
            runs.append(Run(kind, [at]))
            continue
        names = names_at(at)
        for run in runs:
            if not run.names:
                run.names.update(*(names_at(each) for each in run.places))
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


def _home(runs: Sequence[Run], kind: str, names: Set[Hashable]) -> Run | None:
    for run in reversed(runs):
        if run.kind == kind:
            return run
        if not run.names.isdisjoint(names):
            return None
    return None


def names_of(pending: PendingRequest, directory: Directory) -> Set[Hashable]:
    """Return what a request may concern, in forms that can be compared."""
    data, kind = pending.data, kind_of(pending)
    of_kind = _OF_KIND.get(kind, _NOTHING)
    customers, is_simple = _naming(tuple(data))
    if is_simple and kind != "AddRecord" and pending.request.name != "DoNotCall":
        return of_kind
    names: set[Hashable] = {*of_kind}
    if pending.request.name == "DoNotCall":
        names |= _blocked_by(pending, kind, directory)
    if kind == "AddRecord" and ("GSW_CHAIN_ID" in data or "GSW_RECORD_HANDLE" in data):
        names.add(_RECORDS)
    phone = data.get("GSW_PHONE")
    if isinstance(phone, str):
        names.add(_contact_of(phone))
    for key in customers:
        value = data[key]
        if isinstance(value, str | int):
            names.add(("customer", normal_customer_id(str(value))))
    return names


@lru_cache(maxsize=1024)
def _naming(keys: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Return which of the keys of a request may have a customer id, and whether none names anything but a handle.

    A custom member may hold a customer id; its text is enough to be careful.
    """
    customers = tuple(each for each in keys if each[:4] != "GSW_" or each == "GSW_CUSTOMER_ID")
    return customers, not customers and "GSW_PHONE" not in keys


def _contact_of(phone: str) -> Hashable:
    return "contact", coarse_key(phone)


def unmatched_blocks(unit: UnitOfWork, requests: Sequence[PendingRequest], places: Sequence[int]) -> Container[int]:
    """Return the places of those DoNotCall by phone that concern no record of any list, nor one of these requests.

    They make an entry and mark nothing, so that previews and requests by handle may come before or after them.
    """
    phones = {at: phone for at in places if isinstance(phone := requests[at].data.get("GSW_PHONE"), str)}
    blocks = [at for at in phones if kind_of(requests[at]) == "DoNotCall"]
    if not blocks:
        return ()
    lists = (*unit.directory.calling_lists, *unit.directory.retired)
    found = find_by_phones(unit, [(requests[at], lists) for at in blocks])
    if len(found) < len(lists):
        # What a list has that is not open is not known.
        return ()
    named = {_contact_of(contact) for of_list in found.values() for contact in of_list}
    named.update(_contact_of(phone) for at, phone in phones.items() if at not in blocks)
    return frozenset(at for at in blocks if _contact_of(phones[at]) not in named)


def _blocked_by(pending: PendingRequest, kind: str, directory: Directory) -> set[Hashable]:
    """Return what DoNotCall concerns besides what it names: contacts of the record, or of the chain, that it finds."""
    if kind == "by handle":
        return {_HANDOUTS, _CONTACTS}
    by_phone = named_by(pending) == "GSW_PHONE"
    whole_chain = chain_attr(pending, directory, "phones" if by_phone else "customer_ids") == "AllChain"
    return cast("set[Hashable]", {_CONTACTS}) if by_phone and whole_chain else set()
