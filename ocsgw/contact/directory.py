"""What is configured, as the rules see it: tenants, zones, lists, campaigns and groups in one frozen snapshot.

A batch of requests uses one snapshot; a reload replaces it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from ocsgw.access.permissions import EVERYTHING, Permissions, demand
from ocsgw.contact.fields import FieldType, FieldValue
from ocsgw.contact.normal_form import normal_name
from ocsgw.protocol.errors import Refusal

DialMode = Literal["Preview", "PushPreview"]
GroupState = Literal["unloaded", "loaded", "started"]
Scope = Literal["tenant", "campaign", "list"]
TreatmentAction = Literal[
    "finish", "next_in_chain", "retry_in", "retry_at", "assign_to_group", "agent_error", "no_call"
]
ChainAttr = Literal["RecordOnly", "AllChain"]
# Numbers of the classes of record types: general, rescheduled, campaign callback, personal; a higher one first (H359).
Priorities = tuple[int, int, int, int]
NEUTRAL: Priorities = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class TimeZone:
    """A named time zone (K50). `iana_names` are all names of its IANA zone, old ones too."""

    dbid: int
    name: str
    zone: ZoneInfo
    iana_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Tenant:
    """Owner of lists and campaigns; in its `country` contacts are compared in E.164, as they are without one (K40)."""

    dbid: int
    name: str
    default_zone: TimeZone
    ccid: str | None = None
    country: str = ""
    customer_name: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A custom column; `key` is its `send_attribute`, None if it does not travel (K30 to K33)."""

    column: str
    kind: FieldType
    length: int | None = None
    default: FieldValue | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ShownColumn:
    """A classic column whose value events show under a key of the list (K64)."""

    column: str
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class CallingList:
    """One calling list.

    `customer_id` is the field that holds the customer id and `customer_at` its place in `fields`, None without one
    (K34). `callback_limit` is how long a personal callback may wait for its agent, in seconds; 0: as long as it takes
    (H360). `shown` are classic columns that events show, under their `shown_keys`.
    """

    dbid: int
    name: str
    table: str
    tenant: Tenant
    fields: tuple[Field, ...] = ()
    customer_id: Field | None = None
    customer_at: int | None = None
    enabled: bool = True
    fields_by_key: Mapping[str, Field] = field(default_factory=dict)
    callback_limit: int = 0
    shown: tuple[ShownColumn, ...] = ()
    shown_keys: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        dbid: int,
        name: str,
        table: str,
        tenant: Tenant,
        fields: tuple[Field, ...] = (),
        *,
        customer_id: str | None = None,
        enabled: bool = True,
        callback_limit: int = 0,
        shown: tuple[ShownColumn, ...] = (),
    ) -> "CallingList":
        """Return a list; `customer_id` is the column that holds the customer id, if the list has it."""
        at = next((place for place, each in enumerate(fields) if each.column == customer_id), None)
        return cls(
            dbid,
            name,
            table,
            tenant,
            fields,
            fields[at] if at is not None else None,
            at,
            enabled,
            {each.key: each for each in fields if each.key is not None},
            callback_limit,
            shown,
            frozenset(each.key for each in shown),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Campaign:
    """A named set of calling lists, in order."""

    dbid: int
    name: str
    tenant: Tenant
    calling_lists: tuple[CallingList, ...]
    description: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CampaignGroup:
    """A campaign with a group of agents.

    `state` is its state when first seen, `record_timeout` is in seconds. `priorities` are those of its records,
    `auto_complete` is the option (P126).
    """

    dbid: int
    name: str
    campaign: Campaign
    group: str
    dial_mode: DialMode = "Preview"
    state: GroupState = "unloaded"
    record_timeout: float = 600.0
    priorities: Priorities = NEUTRAL
    auto_complete: bool = False

    @property
    def timeout(self) -> int:
        """`record_timeout` in whole seconds, at least 1."""
        return max(1, math.ceil(self.record_timeout))


@dataclass(frozen=True, slots=True)
class Treatment:
    """What happens to a record after a call result (configuration.md section 11).

    `calling_lists` are DBIDs, None for all; `interval` and `increment` are in seconds; `at` is what a clock in the
    record's zone shows; a `cycle_attempt` or `max_attempts` of 0 means no limit.
    """

    dbid: int
    name: str
    call_result: int
    action: TreatmentAction
    calling_lists: frozenset[int] | None = None
    sequence: int = 1
    interval: float = 0
    increment: float = 0
    at: datetime | None = None
    cycle_attempt: int = 0
    max_attempts: int = 0


@dataclass(frozen=True, slots=True)
class DoNotCallOptions:
    """`[do_not_call]`: the table and the scope of entries that are made by handle (H265)."""

    table: str = "gsw_donotcall_list"
    scope: Scope = "tenant"


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """Pre-dial validation of the records of a list in a campaign group (outgoing.md O20), times in seconds.

    `call_result` is that of a negative verdict without a result, and of a failure.
    """

    uri: str
    call_result: int
    timeout: float
    max_tries: int
    failure_retry: int
    store_answer_fields: bool = False


@dataclass(frozen=True, slots=True)
class HistoryWait:
    """How many call report records may wait before hand-outs do, and for how many seconds those wait at most (O55)."""

    threshold: int
    timeout: float


class Directory:
    """Looks things up by name or DBID.

    `principals` has the limits of principals by their names; one that is not in it has none (H346). `chain_attr` has
    the defaults of `GSW_CHAIN_ATTR` per resource type. `do_not_call_grace` is in seconds (H267). `log_out_result` is
    what the hand-outs of an agent end with who logs out, None if they do not end (P24).
    `largest_event` is how many bytes an event may have.
    """

    def __init__(
        self,
        *,
        application_dbid: int,
        tenants: tuple[Tenant, ...],
        zones: tuple[TimeZone, ...],
        calling_lists: tuple[CallingList, ...],
        campaigns: tuple[Campaign, ...] = (),
        groups: tuple[CampaignGroup, ...] = (),
        do_not_call: DoNotCallOptions | None = None,
        chain_attr: Mapping[str, ChainAttr] | None = None,
        principals: Mapping[str, Permissions] | None = None,
        treatments: tuple[Treatment, ...] = (),
        treat_on_processed: bool = False,
        apply_late_results: bool = False,
        do_not_call_grace: int = 60,
        log_out_result: int | None = None,
        retired: Iterable[CallingList] = (),
        validations: Mapping[tuple[int, int], ValidationRule] | None = None,
        validation_race_result: int = 3,
        largest_event: int = 2 << 20,
        sends_history: bool = False,
        sends_processed: bool = False,
        history_wait: HistoryWait | None = None,
    ) -> None:
        # By the DBIDs of list and group; without an entry nothing is validated.
        self._validations = validations or {}
        self.validation_race_result = validation_race_result
        # Whether call report records and contact processed notifications are sent.
        self.sends_history = sends_history
        self.sends_processed = sends_processed
        # None: hand-outs never wait for the receiver of the former.
        self.history_wait = history_wait
        self.application_dbid = application_dbid
        self.tenants = tenants
        self.zones = zones
        self.calling_lists = calling_lists
        self.campaigns = campaigns
        self.groups = groups
        self.do_not_call = do_not_call or DoNotCallOptions()
        self.chain_attr: Mapping[str, ChainAttr] = chain_attr or {
            "records": "AllChain",
            "phones": "RecordOnly",
            "customer_ids": "AllChain",
        }
        self.treatments = treatments
        self.treat_on_processed = treat_on_processed
        self.apply_late_results = apply_late_results
        self.do_not_call_grace = do_not_call_grace
        self.log_out_result = log_out_result
        self.largest_event = largest_event
        self.principals: Mapping[str, Permissions] = principals or {}
        self._lists = {normal_name(each.name): each for each in calling_lists}
        # Lists that a reload has removed: their live handles stay valid for final requests (C67).
        kept = {each.dbid for each in calling_lists}
        self.retired = tuple({each.dbid: each for each in reversed(tuple(retired)) if each.dbid not in kept}.values())
        self._retired = frozenset(each.dbid for each in self.retired)
        self._lists_by_dbid = {each.dbid: each for each in (*self.retired, *calling_lists)}
        self._campaigns = {normal_name(each.name): each for each in campaigns}
        self._groups = {each.dbid: each for each in groups}
        self._zones_by_dbid = {each.dbid: each for each in zones}
        self._zones = self._zone_names(zones)
        self._zones_as_spelled = {each.name: each for each in zones}
        self._sequences: dict[tuple[int, int], tuple[Treatment, ...]] = {}
        self._campaigns_of = {
            calling_list.dbid: tuple(each for each in campaigns if calling_list in each.calling_lists)
            for calling_list in calling_lists
        }
        self._campaign_dbids_of = {
            dbid: tuple(each.dbid for each in of_list) for dbid, of_list in self._campaigns_of.items()
        }

    @staticmethod
    def _zone_names(zones: tuple[TimeZone, ...]) -> dict[str, TimeZone]:
        """Names without regard to case; of several zones with an IANA name the lowest DBID counts (H175)."""
        names: dict[str, TimeZone] = {}
        for each in sorted(zones, key=lambda zone: zone.dbid, reverse=True):
            names.update(dict.fromkeys(map(_without_case, {each.zone.key, *each.iana_names}), each))
        names.update({_without_case(each.name): each for each in zones})
        return names

    def calling_list(self, name: object) -> CallingList:
        """Return the enabled list of this name. Raises `Refusal` (`list_not_found`)."""
        found = self.list_named(name)
        if found is None or not found.enabled:
            raise Refusal("list_not_found")
        return found

    def list_named(self, name: object) -> CallingList | None:
        """Return the list of this name, enabled or not; None if there is none (H60)."""
        return self._lists.get(normal_name(name)) if isinstance(name, str) else None

    def list_by_dbid(self, dbid: int) -> CallingList | None:
        """Return the list of this DBID, enabled or not, retired ones included; None if there is none."""
        return self._lists_by_dbid.get(dbid)

    def is_retired(self, calling_list: CallingList) -> bool:
        """Whether a list is no longer configured; only final requests are left for its handles (C67)."""
        return calling_list.dbid in self._retired

    def campaign_named(self, name: object) -> Campaign | None:
        """Return the campaign of this name, None if there is none."""
        return self._campaigns.get(normal_name(name)) if isinstance(name, str) else None

    def campaigns_of(self, calling_list: CallingList) -> tuple[Campaign, ...]:
        """Return the campaigns that contain a list, in the order of the configuration."""
        return self._campaigns_of.get(calling_list.dbid, ())

    def campaign_dbids(self, calling_list: CallingList, campaign_dbid: int) -> tuple[int, ...]:
        """Return the campaigns that a record belongs to: its own, or without one all that contain its list (K11)."""
        return (campaign_dbid,) if campaign_dbid else self._campaign_dbids_of.get(calling_list.dbid, ())

    def group_by_dbid(self, dbid: object) -> CampaignGroup | None:
        """Return the campaign group of this DBID, None if there is none."""
        return self._groups.get(dbid) if isinstance(dbid, int) else None

    def group(self, dbid: object) -> CampaignGroup:
        """Return the campaign group of this DBID. Raises `Refusal` (`group_not_found`)."""
        found = self.group_by_dbid(dbid)
        if found is None:
            raise Refusal("group_not_found")
        return found

    def sequence(self, calling_list: CallingList, call_result: int) -> tuple[Treatment, ...]:
        """Return the treatments of a list for a call result, in the order in which they are applied (C90)."""
        key = (calling_list.dbid, call_result)
        found = self._sequences.get(key)
        if found is None:
            fitting = [
                each
                for each in self.treatments
                if each.call_result == call_result
                and (each.calling_lists is None or calling_list.dbid in each.calling_lists)
            ]
            # The sort keeps the order of the file among equal numbers.
            found = self._sequences[key] = tuple(sorted(fitting, key=lambda each: each.sequence))
        return found

    def validation_of(self, calling_list: CallingList, group: CampaignGroup) -> ValidationRule | None:
        """Return how records of a list are validated before a group hands them out, None if they are not."""
        return self._validations.get((calling_list.dbid, group.dbid)) if self._validations else None

    def needs_treatments_column(self, calling_list: CallingList) -> bool:
        """Whether what treatments do to records of a list depends on what the column `treatments` says (K69)."""
        results = [
            each.call_result
            for each in self.treatments
            if each.calling_lists is None or calling_list.dbid in each.calling_lists
        ]
        sequences = [self.sequence(calling_list, result) for result in set(results)]
        return any(
            len(sequence) > 1 or any(each.cycle_attempt or each.increment for each in sequence)
            for sequence in sequences
        )

    def zone_named(self, name: object) -> TimeZone:
        """Return the time zone of this name (H175). Raises `Refusal` (`invalid_attribute`)."""
        found = None
        if isinstance(name, str):
            found = self._zones_as_spelled.get(name) or self._zones.get(_without_case(name))
        if found is None:
            raise Refusal("invalid_attribute", "GSW_TZ_NAME")
        return found

    def zone_of(self, dbid: int | None, tenant: Tenant) -> TimeZone:
        """Return the zone of a record: unknown or 0 means the tenant's default."""
        return self._zones_by_dbid.get(dbid or 0) or tenant.default_zone

    def tenant(self, dbid: object, name: object) -> Tenant | None:
        """Return the tenant that a request names by DBID or name, None if it names none.

        Raises `Refusal` (`invalid_attribute`) for an unknown one, or if the two do not agree.
        """
        by_dbid = next((each for each in self.tenants if each.dbid == dbid), None)
        wanted = normal_name(name) if isinstance(name, str) else None
        by_name = next((each for each in self.tenants if normal_name(each.name) == wanted), None)
        if dbid is not None and by_dbid is None:
            raise Refusal("invalid_attribute", "GSW_TENANT_DBID")
        if name is not None and (by_name is None or (by_dbid is not None and by_name is not by_dbid)):
            raise Refusal("invalid_attribute", "GSW_TENANT_NAME")
        return by_dbid or by_name

    # Permissions (H346).

    def permissions_of(self, principal: str) -> Permissions:
        """Return what a principal may do."""
        return self.principals.get(principal, EVERYTHING)

    def demand_tenant(self, principal: str, tenant: Tenant) -> None:
        """Raise `Refusal` (`forbidden`), unless a principal may touch what belongs to a tenant."""
        demand(self.permissions_of(principal).missing_for_tenant(tenant.name))

    def demand_list(self, principal: str, calling_list: CallingList) -> None:
        """Raise `Refusal` (`forbidden`), unless a principal may touch a calling list and its records."""
        permissions = self.principals.get(principal)
        if permissions is not None:
            demand(permissions.missing_for_list(calling_list.tenant.name, calling_list.name))

    def demand_group(self, principal: str, group: CampaignGroup) -> None:
        """Raise `Refusal` (`forbidden`), unless a principal may touch a campaign group and what it has handed out."""
        permissions = self.principals.get(principal)
        if permissions is not None:
            demand(permissions.missing_for_group(group.campaign.tenant.name, group.name))

    def lists_of(self, principal: str, lists: Iterable[CallingList]) -> tuple[CallingList, ...]:
        """Return those of `lists` that a principal may touch."""
        may = self.permissions_of(principal)
        return tuple(each for each in lists if may.missing_for_list(each.tenant.name, each.name) is None)

    def tenants_of(self, principal: str) -> tuple[Tenant, ...]:
        """Return the tenants that a principal may touch."""
        may = self.permissions_of(principal)
        return tuple(each for each in self.tenants if may.missing_for_tenant(each.name) is None)


def _without_case(name: str) -> str:
    return normal_name(name).casefold()
