"""DoNotCall by phone and by customer id (http.md section 10.7)."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import cast

from ocsgw.contact.directory import CallingList
from ocsgw.contact.journal import note_records
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.reports import open_chains, report_closed_chains
from ocsgw.contact.scope import (
    EVERY_TENANT,
    FoundByPhone,
    chain_attr,
    find_by_phones,
    find_matches,
    named_by,
    scope_of,
)
from ocsgw.contact.slices import in_slices
from ocsgw.contact.transaction import DoNotCallEntry, Match
from ocsgw.contact.unit_of_work import PendingRequest, Reply, UnitOfWork
from ocsgw.protocol.enumerations import CallResult, RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_MESSAGE_LENGTH = 255
# What marking changes of every record; what was there before is not read.
_MARKED = {"record_type": RecordType.NO_CALL.value, "call_result": CallResult.DO_NOT_CALL.value}
_UNKNOWN: dict[str, object] = {}


def do_not_call(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Block contacts and customer ids (H260 to H266).

    The records of all are found and all entries made first, then records are marked, one request after the other:
    what is found does not depend on marks.
    """
    replies: list[Reply | None] = [None] * len(requests)
    blocks: list[_Block] = []
    for at, pending in enumerate(requests):
        try:
            blocks.append(_Block(unit, at, pending))
        except Refusal as refusal:
            replies[at] = refusal
    found = find_by_phones(unit, [(each.pending, each.scope.lists) for each in blocks])
    entries: list[DoNotCallEntry] = []
    for each in blocks:
        try:
            entries += each.entries(unit, found)
        except Refusal as refusal:
            replies[each.at] = refusal
    if entries:
        # The entries come first: from here on nobody is called, also while very many records are being marked.
        unit.tx.add_do_not_call(_each_once(entries), unit.now)
    for each in blocks:
        if replies[each.at] is None:
            replies[each.at] = in_slices(unit, each.found, partial(_mark, each.pending), each.acknowledge)
    return cast("list[Reply]", replies)


class _Block:
    """A request at a place of its run, and in the end the records that it `found`, by list."""

    def __init__(self, unit: UnitOfWork, at: int, pending: PendingRequest) -> None:
        self.at = at
        self.pending = pending
        self.scope = scope_of(unit, pending)
        self.found: list[tuple[CallingList, list[Match]]] = []
        self._key = named_by(pending)
        self._name = cast("str", pending.data[self._key])
        self._by_phone = self._key == "GSW_PHONE"
        self._resource = "phones" if self._by_phone else "customer_ids"
        self._attr = chain_attr(pending, unit.directory, self._resource)

    def entries(self, unit: UnitOfWork, by_phone: FoundByPhone) -> list[DoNotCallEntry]:
        """Find the records, and return the entries to be made. Raises `Refusal`."""
        self.found = find_matches(unit, self.pending, self.scope.lists, self._attr, by_phone)
        contacts = [self._name] if self._by_phone else []
        if self._by_phone and self._attr == "AllChain":
            contacts += [match.contact_info for _, matches in self.found for match in matches]
        customer_id = None if self._by_phone else normal_customer_id(self._name)
        contacts = different_contacts(contacts)
        check_widths(unit, contacts, customer_id)
        message = message_of(self.pending, self._resource)
        countries = {each.dbid: each.country for each in unit.directory.tenants}
        if len(set(countries.values())) == 1:
            countries[EVERY_TENANT] = unit.directory.tenants[0].country
        where = self.scope.entries
        if customer_id is not None:
            return [DoNotCallEntry(None, customer_id, message, *each) for each in where]
        return [
            DoNotCallEntry(contact, None, message, *each, countries.get(each[0], ""))
            for contact in contacts
            for each in where
        ]

    def acknowledge(self, unit: UnitOfWork, count: int) -> KV:
        """Return the event that ends the request."""
        members: KV = {self._key: self._name, "GSW_CHAIN_ATTR": self._attr, "GSW_RECORDS_COUNT": count}
        return unit.event("DoNotCallAcknowledge", self.pending, members)


def _each_once(entries: Iterable[DoNotCallEntry]) -> list[DoNotCallEntry]:
    """Return entries without those whose customer id an earlier one blocks; the store sees to contacts (H264)."""
    known: set[tuple[object, ...]] = set()
    different = []
    for each in entries:
        mark = (each.customer_id, each.tenant_dbid, each.campaign_dbid, each.list_dbid)
        if each.customer_id is None or mark not in known:
            different.append(each)
            known.add(mark)
    return different


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
