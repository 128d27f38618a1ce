"""DoNotCall by phone and by customer id (http.md section 10.7)."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import cast

from ocsgw.contact.directory import CallingList
from ocsgw.contact.journal import note_records
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.reports import open_chains, report_closed_chains
from ocsgw.contact.scope import EVERY_TENANT, chain_attr, find_matches, named_by, scope_of
from ocsgw.contact.slices import in_slices
from ocsgw.contact.transaction import DoNotCallEntry
from ocsgw.contact.unit_of_work import PendingRequest, Reply, UnitOfWork
from ocsgw.protocol.enumerations import CallResult, RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_MESSAGE_LENGTH = 255
# What marking changes of every record; what was there before is not read.
_MARKED = {"record_type": RecordType.NO_CALL.value, "call_result": CallResult.DO_NOT_CALL.value}
_UNKNOWN: dict[str, object] = {}


def do_not_call(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Block contacts and customer ids, one request after the other (H260 to H266)."""
    replies: list[Reply] = []
    for pending in requests:
        try:
            replies.append(_block(unit, pending))
        except Refusal as refusal:
            replies.append(refusal)
    return replies


def _block(unit: UnitOfWork, pending: PendingRequest) -> Reply:
    key = named_by(pending)
    by_phone = key == "GSW_PHONE"
    resource = "phones" if by_phone else "customer_ids"
    name = cast("str", pending.data[key])
    scope = scope_of(unit, pending)
    attr = chain_attr(pending, unit.directory, resource)
    found = find_matches(unit, pending, scope.lists, attr)
    contacts = [name] if by_phone else []
    if by_phone and attr == "AllChain":
        contacts += [match.contact_info for _, matches in found for match in matches]
    customer_id = None if by_phone else normal_customer_id(name)
    contacts = different_contacts(contacts)
    check_widths(unit, contacts, customer_id)
    message = message_of(pending, resource)
    countries = {each.dbid: each.country for each in unit.directory.tenants}
    if len(set(countries.values())) == 1:
        countries[EVERY_TENANT] = unit.directory.tenants[0].country
    entries = [
        DoNotCallEntry(contact, None, message, *where, countries.get(where[0], ""))
        for contact in contacts
        for where in scope.entries
    ]
    if customer_id is not None:
        entries += [DoNotCallEntry(None, customer_id, message, *where) for where in scope.entries]
    # The entries come first: from here on nobody is called, also while very many records are being marked.
    unit.tx.add_do_not_call(entries, unit.now)

    def acknowledge(unit: UnitOfWork, count: int) -> KV:
        members: KV = {key: name, "GSW_CHAIN_ATTR": attr, "GSW_RECORDS_COUNT": count}
        return unit.event("DoNotCallAcknowledge", pending, members)

    return in_slices(unit, found, partial(_mark, pending), acknowledge)


def _mark(pending: PendingRequest, unit: UnitOfWork, calling_list: CallingList, chains: Mapping[int, int]) -> int:
    """Mark records, given as chain ids by record ids."""
    were_open = open_chains(unit, calling_list, chains.values())
    unit.tx.mark_do_not_call(calling_list, list(chains))
    changed = [(chain_id, record_id, _UNKNOWN) for record_id, chain_id in chains.items()]
    note_records(unit, calling_list, changed, _MARKED, pending.request.name, pending.context.principal)
    report_closed_chains(unit, calling_list, were_open, chains)
    return len(chains)


def different_contacts(contacts: Iterable[str]) -> list[str]:
    """Return contacts, trimmed, each once: the first of those that are the same (K40, K41)."""
    different: dict[str, str] = {}
    for contact in contacts:
        different.setdefault(normal_contact(contact), contact.strip())
    return list(different.values())


def check_widths(unit: UnitOfWork, contacts: Iterable[str], customer_id: str | None) -> None:
    """Refuse what the columns of the do-not-call table cannot hold (K44). Raises `Refusal` (`invalid_attribute`)."""
    contact_width, customer_width = unit.tx.do_not_call_widths()
    if any(len(contact) > contact_width for contact in contacts):
        raise Refusal("invalid_attribute", "GSW_PHONE")
    if customer_id is not None and len(customer_id) > customer_width:
        raise Refusal("invalid_attribute", "GSW_CUSTOMER_ID")


def message_of(pending: PendingRequest, resource: str) -> str:
    """Return what is written beside an entry: who made it, and how (constants.md section 6.1)."""
    principal = pending.context.principal or "anonymous"
    return f"{principal[: _MESSAGE_LENGTH - len(resource) - 1]} {resource}"
