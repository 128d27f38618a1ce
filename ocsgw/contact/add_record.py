"""AddRecord (http.md section 10.1)."""

from collections.abc import Mapping, Sequence
from typing import cast

from ocsgw.contact.added import Draft, Row, answer_with, number, rows_of
from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.dnc_lookup import dnc_lookup_for
from ocsgw.contact.outbox import RecordChanged
from ocsgw.contact.record_plan import (
    CALL_RESULT,
    CAMPAIGN,
    CHAIN_ID,
    CHAIN_N,
    CONTACT,
    CUSTOM,
    RECORD_ID,
    RECORD_TYPE,
    drafts_of,
)
from ocsgw.contact.transaction import Admission, DncLookup, UnavailableListError
from ocsgw.contact.unit_of_work import PendingRequest, Reply, UnitOfWork
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.protocol.enumerations import CallResult, RecordType
from ocsgw.protocol.errors import Refusal


def add_records(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Add one record per request, in order; the rows of one list go in at once (H200 to H205)."""
    replies: list[Reply | None] = [None] * len(requests)
    drafts: dict[CallingList, list[Draft]] = {}
    at = 0
    while at < len(requests):
        pending = requests[at]
        try:
            calling_list = _list_of(unit, pending)
            unit.directory.demand_list(pending.context.principal, calling_list)
            made = drafts_of(unit, calling_list, requests, at)
            drafts.setdefault(calling_list, []).extend(made)
            at += len(made)
        except Refusal as refusal:
            replies[at] = refusal
            at += 1
    for calling_list, of_list in drafts.items():
        try:
            _add(unit, calling_list, of_list, requests, replies)
        except UnavailableListError:
            for draft in of_list:
                replies[draft.at] = Refusal("list_unavailable", calling_list.name)
    return cast("list[Reply]", replies)


def _list_of(unit: UnitOfWork, pending: PendingRequest) -> CallingList:
    """Return the list that a request names, or else that of a record which the client holds. Raises `Refusal`."""
    handle = pending.data.get("GSW_RECORD_HANDLE")
    if "GSW_CALLING_LIST" in pending.data or not isinstance(handle, int):
        return unit.directory.calling_list(pending.data.get("GSW_CALLING_LIST"))
    found = unit.tx.handouts_of_handles([handle])
    calling_list = unit.directory.list_by_dbid(found[0][0].list_dbid) if found else None
    if calling_list is None or found[0][0].expires_at <= unit.now:
        raise Refusal("invalid_handle")
    context = pending.context
    if context.tenant not in (None, calling_list.tenant.name):
        raise Refusal("forbidden", missing="tenant")
    if context.client == "desktop" and not found[0][0].holding.get(context.agent_id):
        raise Refusal("invalid_state")
    return unit.directory.calling_list(calling_list.name)


def _add(
    unit: UnitOfWork,
    calling_list: CallingList,
    drafts: list[Draft],
    requests: Sequence[PendingRequest],
    replies: list[Reply | None],
) -> None:
    """Check against the store, number and insert the records of one list; say what was written, and read nothing."""
    named = {draft.chain for draft in drafts if draft.chain is not None}
    chains = unit.tx.chain_ends(calling_list, named) if named else {}
    drafts = _with_known_chain(drafts, chains, replies) if named else drafts
    if not drafts:
        return
    admission = unit.tx.before_adding(
        calling_list,
        len(drafts),
        lambda: [_probe(unit.directory, calling_list, draft.row) for draft in drafts],
        unit.now,
    )
    for place in admission.blocked:
        row, event = drafts[place].row, drafts[place].event
        row[RECORD_TYPE] = event["GSW_RECORD_TYPE"] = RecordType.NO_CALL.value
        row[CALL_RESULT] = event["GSW_CALL_RESULT"] = CallResult.DO_NOT_CALL.value
    free = free_numbers(admission)
    for draft in drafts[free:]:
        replies[draft.at] = Refusal("ids_used_up", calling_list.name)
    drafts = drafts[:free]
    if named:
        _number(drafts, admission, dict(chains))
    else:
        number(drafts, admission.record_id, admission.chain_id, RECORD_ID, CHAIN_ID)
    if drafts:
        unit.tx.insert_rows(calling_list, rows_of(drafts))
        unit.blocked += ["add"] * sum(place < len(drafts) for place in admission.blocked)
        principals = {requests[draft.at].context.principal for draft in drafts}
        unit.outbox.append(
            RecordChanged(
                "AddRecord",
                calling_list.dbid,
                0,
                drafts[0].row[RECORD_ID],
                principal=principals.pop() if len(principals) == 1 else "several",
                last_id=drafts[-1].row[RECORD_ID],
            )
        )
    answer_with(drafts, replies)


def _number(drafts: Sequence[Draft], admission: Admission, ends: dict[int, int]) -> None:
    """Give records their ids, and their places in chains that exist, whose `ends` are given, or in new ones."""
    chain_id = admission.chain_id
    for record_id, draft in enumerate(drafts, admission.record_id + 1):
        row, event, chain = draft.row, draft.event, draft.chain
        row[RECORD_ID] = record_id
        if chain is None:
            chain_id += 1
            row[CHAIN_ID] = event["GSW_CHAIN_ID"] = chain_id
            ends[chain_id] = 0
        else:
            ends[chain] += 1
            row[CHAIN_ID] = event["GSW_CHAIN_ID"] = chain
            row[CHAIN_N] = event["GSW_CHAIN_N"] = ends[chain]


def free_numbers(admission: Admission) -> int:
    """Return how many records can be numbered: neither record ids nor chain ids leave 32 bits."""
    return max(0, INT32_MAX - max(admission.record_id, admission.chain_id))


def _with_known_chain(drafts: list[Draft], chains: Mapping[int, int], replies: list[Reply | None]) -> list[Draft]:
    known = []
    for draft in drafts:
        if draft.chain is not None and draft.chain not in chains:
            replies[draft.at] = Refusal("chain_not_found")
        else:
            known.append(draft)
    return known


def _probe(directory: Directory, calling_list: CallingList, row: Row) -> DncLookup:
    customer_at = calling_list.customer_at
    customer = row[CUSTOM + customer_at] if customer_at is not None else None
    return dnc_lookup_for(directory, calling_list, row[CONTACT], customer, row[CAMPAIGN])
