"""Rules about the objects of the file: unique numbers and names, references, tenants, zones."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from ocsgw.config.constants import FIRST_TIME_ZONE_DBID, TIME_ZONES
from ocsgw.config.grammar import TENANT
from ocsgw.config.problems import quoted
from ocsgw.config.sections import Section, read_table
from ocsgw.config.values import NAME_CHARACTERS, did_you_mean, shown

DEFAULT_TENANT: Final = {"dbid": 1, "name": "Environment"}


class Unique(NamedTuple):
    """A key that no two tables of a kind may share (C8), perhaps without regard to case."""

    kind: str
    key: str
    any_case: bool = False


class Reference(NamedTuple):
    """A key that names objects of another kind (C9)."""

    kind: str
    key: str
    target: str
    target_key: str = "name"


_UNIQUE: Final = (
    Unique("listener", "id"),
    Unique("tenant", "dbid"),
    Unique("tenant", "name"),
    Unique("time_zone", "dbid"),
    Unique("time_zone", "name", any_case=True),  # H175
    Unique("calling_list", "dbid"),
    Unique("calling_list", "name"),
    Unique("calling_list", "table", any_case=True),  # K10; databases differ in what case means
    Unique("campaign", "dbid"),
    Unique("campaign", "name"),
    Unique("campaign_group", "dbid"),
    Unique("campaign_group", "name"),
    Unique("treatment", "dbid"),
    Unique("treatment", "name"),
)

_REFERENCES: Final = (
    *(
        reference
        for kind in ("api_key", "client_certificate")
        for reference in (
            Reference(kind, "listeners", "listener", "id"),
            Reference(kind, "tenants", "tenant"),
            Reference(kind, "calling_lists", "calling_list"),
            Reference(kind, "campaign_groups", "campaign_group"),
        )
    ),
    Reference("calling_list", "tenant", "tenant"),
    Reference("campaign", "tenant", "tenant"),
    Reference("campaign", "calling_lists", "calling_list"),
    Reference("campaign_group", "campaign", "campaign"),
    Reference("treatment", "calling_lists", "calling_list"),
)


def complete_objects(document: Section) -> None:
    """Add what follows from the other objects: the default tenant, owners, names of groups."""
    if document.sound("tenant") and not document["tenant"]:
        document["tenant"] = [read_table(DEFAULT_TENANT, TENANT, document.place.below("tenant"))]
    for kind in ("calling_list", "campaign"):
        for owned in document.tables(kind):
            _complete_owner(owned, document.tables("tenant"))
    for group in document.tables("campaign_group"):
        _complete_group_name(group)


def check_objects(document: Section) -> None:
    """Check that numbers and names are unique (C8) and references lead somewhere (C9)."""
    for kind, key, any_case in _UNIQUE:
        check_unique(document.tables(kind), key, str.casefold if any_case else None)
    for reference in _REFERENCES:
        _check_reference(document, reference)
    _check_time_zones(document)
    _check_do_not_call_table(document)
    _check_same_tenant(document)


def check_unique(sections: Iterable[Section], key: str, normal: Callable[[str], str] | None = None) -> None:
    """Report each table that has the same value of a key as one before it."""
    first_with: dict[Any, Section] = {}
    for section in sections:
        if not section.sound(key) or section[key] is None:
            continue
        value = section[key]
        first = first_with.setdefault(normal(value) if normal else value, section)
        if first is not section:
            line = first.place.report.line(first.place.path)
            section.problem(key, f"{shown(value)} is used already, by the table in line {line}", "choose another")


def _complete_owner(owned: Section, tenants: list[Section]) -> None:
    if not owned.sound("tenant") or owned["tenant"] is not None:
        return
    if len(tenants) == 1 and tenants[0].sound("name"):
        owned["tenant"] = tenants[0]["name"]
        return
    owned.spoil("tenant")
    if len(tenants) > 1:
        owned.problem("tenant", "is missing, and there are several tenants", "add tenant with the name of one")


def _complete_group_name(group: Section) -> None:
    if not group.sound("name", "campaign", "group") or group["name"] is not None:
        return
    group_name = group["name"] = f"{group['campaign']}@{group['group']}"
    if len(group_name) > NAME_CHARACTERS:
        group.problem(
            "name",
            f"is missing, and <campaign>@<group> would have more than {NAME_CHARACTERS} characters",
            "add a shorter name",
        )


def _check_reference(document: Section, reference: Reference) -> None:
    targets = document.tables(reference.target)
    if not document.sound(reference.target) or not all(target.sound(reference.target_key) for target in targets):
        return  # a target with a broken name is reported already
    # A group of which no name can be made is a problem of its own.
    known = dict.fromkeys(name for target in targets if (name := target[reference.target_key]) is not None)
    for section in document.tables(reference.kind):
        named = section[reference.key] if section.sound(reference.key) else None
        if isinstance(named, str):
            _check_name(section, (reference.key,), named, reference.target, known)
        for index, name in enumerate(named if isinstance(named, tuple) else ()):
            _check_name(section, (reference.key, index), name, reference.target, known)


def _check_name(section: Section, path: tuple[str | int, ...], name: str, target: str, known: Collection[str]) -> None:
    if name not in known:
        section.problem(path, f"there is no [[{target}]] {quoted(name)}", did_you_mean(name, known))


def _check_time_zones(document: Section) -> None:
    """Time zones may replace the built in ones by name (K51); names count in any case (H175)."""
    zones = document.tables("time_zone")
    if not document.sound("time_zone") or not all(zone.sound("name") for zone in zones):
        return  # a zone with a broken name is reported already
    configured = {zone["name"].casefold(): zone["name"] for zone in zones}
    for dbid, (name, _) in enumerate(TIME_ZONES, FIRST_TIME_ZONE_DBID):
        for zone in zones:
            if name.casefold() not in configured and zone.sound("dbid") and zone["dbid"] == dbid:
                zone.problem("dbid", f"{dbid} is used already, by the built in zone {quoted(name)}", "choose another")
    names = {name.casefold(): name for name, _ in TIME_ZONES} | configured
    for tenant in document.tables("tenant"):
        if tenant.sound("default_time_zone"):
            _check_default_time_zone(tenant, names)


def _check_default_time_zone(tenant: Section, names: Mapping[str, str]) -> None:
    name = tenant["default_time_zone"]
    if name.casefold() in names:
        tenant["default_time_zone"] = names[name.casefold()]
    else:
        tenant.problem("default_time_zone", f"there is no time zone {quoted(name)}", did_you_mean(name, names.values()))


def _check_do_not_call_table(document: Section) -> None:
    for do_not_call in document.tables("do_not_call"):
        for calling_list in document.tables("calling_list"):
            both = do_not_call.sound("table") and calling_list.sound("table")
            if both and do_not_call["table"].casefold() == calling_list["table"].casefold():
                calling_list.problem("table", "is the Do Not Call table as well", "choose another table")


def warn_of_lists_in_no_campaign(document: Section) -> None:
    """Warn of lists that no campaign has: they take records, and nobody ever gets them."""
    campaigns = document.tables("campaign")
    if not document.sound("campaign") or not all(campaign.sound("calling_lists") for campaign in campaigns):
        return  # reported already
    in_campaigns = {name for campaign in campaigns for name in campaign["calling_lists"]}
    for calling_list in document.tables("calling_list"):
        if not calling_list.sound("name", "enabled") or not calling_list["enabled"]:
            continue
        if calling_list["name"] not in in_campaigns:
            calling_list.warn(
                "name",
                f"{quoted(calling_list['name'])} is in no campaign: its records are never handed out",
                "add it to calling_lists of a [[campaign]]",
            )


def _check_same_tenant(document: Section) -> None:
    owners = {
        calling_list["name"]: calling_list["tenant"]
        for calling_list in document.tables("calling_list")
        if calling_list.sound("name", "tenant")
    }
    for campaign in document.tables("campaign"):
        if not campaign.sound("tenant", "calling_lists"):
            continue
        for index, name in enumerate(campaign["calling_lists"]):
            owner = owners.get(name, campaign["tenant"])
            if owner != campaign["tenant"]:
                campaign.problem(
                    ("calling_lists", index),
                    f"{quoted(name)} belongs to the tenant {quoted(owner)}, not to {quoted(campaign['tenant'])}",
                    "use lists of the campaign's own tenant",
                )
