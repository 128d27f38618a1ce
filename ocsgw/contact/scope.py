"""Which tenants and lists a request by phone or customer id concerns (http.md H250, H265, H346)."""

from ocsgw.contact.directory import CallingList, ChainAttr, Tenant
from ocsgw.contact.work import Turn, Work
from ocsgw.protocol.errors import Refusal

EVERY_TENANT = 0


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


def chain_attr(turn: Turn, work: Work, resource: str) -> ChainAttr:
    """Return whether the request concerns records only or whole chains."""
    given = work.data.get("GSW_CHAIN_ATTR") or turn.directory.chain_attr[resource]
    return "AllChain" if given == "AllChain" else "RecordOnly"
