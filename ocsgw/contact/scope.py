"""What a request by phone or customer id concerns: tenants, lists, records (http.md H250, H265, H346)."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from ocsgw.access.permissions import demand
from ocsgw.contact.directory import CallingList, ChainAttr, Directory
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.transaction import Match, UnavailableListError
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork

EVERY_TENANT = 0
# What a cancel ends (H251).
CANCELLABLE = frozenset({1, 2, 8, 9})


@dataclass(frozen=True, slots=True)
class Scope:
    """Lists concerned, disabled ones included; and where do-not-call entries count: (tenant, campaign, list) DBIDs."""

    lists: tuple[CallingList, ...]
    entries: tuple[tuple[int, int, int], ...]


def scope_of(unit: UnitOfWork, pending: PendingRequest) -> Scope:
    """Return what a request concerns: what it names, as far as the principal may touch it.

    A principal that may touch some lists only blocks contacts for these and not for the tenant. Raises `Refusal`:
    `invalid_attribute` for an unknown tenant, `forbidden` for one that the principal may not touch, or if nothing is
    left.
    """
    directory, principal = unit.directory, pending.context.principal
    tenant = directory.tenant(pending.data.get("GSW_TENANT_DBID"), pending.data.get("GSW_TENANT_NAME"))
    if tenant is not None:
        directory.demand_tenant(principal, tenant)
    tenants = (tenant,) if tenant is not None else directory.tenants_of(principal)
    demand(None if tenants else "tenant")
    lists = directory.lists_of(principal, (each for each in directory.calling_lists if each.tenant in tenants))
    if directory.permissions_of(principal).calling_lists is not None:
        demand(None if lists else "calling_list")
        return Scope(lists, tuple((each.tenant.dbid, 0, each.dbid) for each in lists))
    if len(tenants) == len(directory.tenants) and tenant is None:
        return Scope(lists, ((EVERY_TENANT, 0, 0),))
    return Scope(lists, tuple((each.dbid, 0, 0) for each in tenants))


def named_by(pending: PendingRequest) -> str:
    """Return the key that says which records are meant; of several the first of phone, customer id counts (P10)."""
    return "GSW_PHONE" if "GSW_PHONE" in pending.data else "GSW_CUSTOMER_ID"


def chain_attr(pending: PendingRequest, directory: Directory, resource: str) -> ChainAttr:
    """Return whether the request concerns records only or whole chains."""
    given = pending.data.get("GSW_CHAIN_ATTR") or directory.chain_attr[resource]
    return "AllChain" if given == "AllChain" else "RecordOnly"


# The records of lists by the normal forms of their contacts; a list that is not open is missing.
FoundByPhone = Mapping[CallingList, Mapping[str, list[Match]]]


def find_by_phones(unit: UnitOfWork, asked: Iterable[tuple[PendingRequest, Iterable[CallingList]]]) -> FoundByPhone:
    """Return what requests by phone concern in their lists; each list is asked once for all of them."""
    contacts: dict[CallingList, set[str]] = {}
    for pending, lists in asked:
        if named_by(pending) == "GSW_PHONE":
            name = cast("str", pending.data["GSW_PHONE"])
            for each in lists:
                contacts.setdefault(each, set()).add(normal_contact(name, each.tenant.country))
    found = {}
    for calling_list, of_list in contacts.items():
        with suppress(UnavailableListError):
            found[calling_list] = unit.tx.find_by_contacts(calling_list, of_list)
    return found


def find_matches(
    unit: UnitOfWork,
    pending: PendingRequest,
    lists: Sequence[CallingList],
    attr: ChainAttr,
    by_phone: FoundByPhone | None = None,
) -> list[tuple[CallingList, list[Match]]]:
    """Return the records of lists that a request by phone or customer id finds, with their chains if asked (H250).

    A list that is not open has nothing to say. `by_phone` is what `find_by_phones` has found already.
    """
    key = named_by(pending)
    name = cast("str", pending.data[key])
    if key == "GSW_PHONE" and by_phone is None:
        by_phone = find_by_phones(unit, [(pending, lists)])
    found = []
    for calling_list in lists:
        try:
            if by_phone is not None and key == "GSW_PHONE":
                contact = normal_contact(name, calling_list.tenant.country)
                matches = by_phone.get(calling_list, {}).get(contact, [])
            else:
                matches = unit.tx.find_by_customer_id(calling_list, normal_customer_id(name))
            if matches and attr == "AllChain":
                matches = unit.tx.find_by_chain(calling_list, {match.chain_id for match in matches})
        except UnavailableListError:
            continue
        if matches:
            found.append((calling_list, matches))
    return found
