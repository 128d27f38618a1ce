"""What a request by phone or customer id concerns: tenants, lists, records (http.md H250, H265, H346)."""

from collections.abc import Sequence
from typing import cast

from ocsgw.contact.directory import CallingList, ChainAttr, Directory, Tenant
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.transaction import Match, UnavailableListError
from ocsgw.contact.work import Turn, Work
from ocsgw.protocol.errors import Refusal

EVERY_TENANT = 0
# What a cancel ends (H251).
CANCELLABLE = frozenset({1, 2, 8, 9})


def scope_of(turn: Turn, work: Work) -> tuple[tuple[Tenant, ...], list[int]]:
    """Return the tenants concerned, and the tenant DBIDs of do-not-call entries for them.

    Raises `Refusal`: `invalid_attribute` for an unknown tenant, `forbidden` for one that the principal may not touch.
    """
    directory = turn.directory
    tenant = directory.tenant(work.data.get("GSW_TENANT_DBID"), work.data.get("GSW_TENANT_NAME"))
    if tenant is not None:
        if not directory.permits(work.principal, tenant):
            raise Refusal("forbidden")
        return (tenant,), [tenant.dbid]
    tenants = directory.tenants_of(work.principal)
    if len(tenants) == len(directory.tenants):
        return tenants, [EVERY_TENANT]
    return tenants, [each.dbid for each in tenants]


def lists_in_scope(turn: Turn, tenants: tuple[Tenant, ...]) -> list[CallingList]:
    """Return the lists of tenants, disabled ones included: their records are concerned too."""
    return [each for each in turn.directory.calling_lists if each.tenant in tenants]


def named_by(work: Work) -> str:
    """Return the key that says which records are meant; of several the first of phone, customer id counts (P10)."""
    return "GSW_PHONE" if "GSW_PHONE" in work.data else "GSW_CUSTOMER_ID"


def chain_attr(work: Work, directory: Directory, resource: str) -> ChainAttr:
    """Return whether the request concerns records only or whole chains."""
    given = work.data.get("GSW_CHAIN_ATTR") or directory.chain_attr[resource]
    return "AllChain" if given == "AllChain" else "RecordOnly"


def find_matches(
    turn: Turn, work: Work, lists: Sequence[CallingList], attr: ChainAttr
) -> list[tuple[CallingList, list[Match]]]:
    """Return the records of lists that a request by phone or customer id finds, with their chains if asked (H250).

    A list that is not open has nothing to say.
    """
    key = named_by(work)
    name = cast("str", work.data[key])
    found = []
    for calling_list in lists:
        try:
            if key == "GSW_PHONE":
                matches = turn.tx.find_by_contact(calling_list, normal_contact(name))
            else:
                matches = turn.tx.find_by_customer_id(calling_list, normal_customer_id(name))
            if matches and attr == "AllChain":
                matches = turn.tx.find_by_chain(calling_list, {match.chain_id for match in matches})
        except UnavailableListError:
            continue
        if matches:
            found.append((calling_list, matches))
    return found
