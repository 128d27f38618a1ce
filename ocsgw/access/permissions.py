"""What a principal may do: by action, tenant, calling list and campaign group (http.md H346)."""

from dataclasses import dataclass
from typing import Literal

from ocsgw.protocol.errors import Refusal

# What a 403 says is missing. Names of objects are left out: they may not concern the client.
Missing = Literal["action", "tenant", "calling_list", "campaign_group"]


@dataclass(frozen=True, slots=True)
class Permissions:
    """Limits of one principal, as names; None for no limit."""

    actions: frozenset[str] | None = None
    tenants: frozenset[str] | None = None
    calling_lists: frozenset[str] | None = None
    campaign_groups: frozenset[str] | None = None

    def missing_for_action(self, action: str) -> Missing | None:
        """Return what is missing to send a request of this canonical name, None if it may be sent."""
        return None if self.actions is None or action in self.actions else "action"

    def missing_for_tenant(self, tenant: str) -> Missing | None:
        """Return what is missing to touch what belongs to a tenant."""
        return None if self.tenants is None or tenant in self.tenants else "tenant"

    def missing_for_list(self, tenant: str, calling_list: str) -> Missing | None:
        """Return what is missing to touch a calling list of a tenant and its records."""
        if self.calling_lists is not None and calling_list not in self.calling_lists:
            return self.missing_for_tenant(tenant) or "calling_list"
        return self.missing_for_tenant(tenant)

    def missing_for_group(self, tenant: str, group: str) -> Missing | None:
        """Return what is missing to touch a campaign group of a tenant and what it has handed out."""
        if self.campaign_groups is not None and group not in self.campaign_groups:
            return self.missing_for_tenant(tenant) or "campaign_group"
        return self.missing_for_tenant(tenant)


EVERYTHING = Permissions()


def demand(missing: Missing | None) -> None:
    """Raise `Refusal` (`forbidden`, naming what is missing), unless nothing is."""
    if missing is not None:
        raise Refusal("forbidden", missing=missing)
