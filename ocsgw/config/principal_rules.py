"""Rules about API keys and client certificates, which stand for principals."""

from typing import Final

from ocsgw.config.object_rules import check_unique
from ocsgw.config.sections import Section

_PERMISSIONS: Final = ("actions", "tenants", "calling_lists", "campaign_groups")


def complete_principals(document: Section) -> None:
    """Give each client certificate the subject that it has to have: by default the name of its principal.

    A name alone stands for a subject that is nothing but a common name.
    """
    for certificate in document.tables("client_certificate"):
        if certificate.sound("name", "subject"):
            written = certificate["subject"] or certificate["name"]
            certificate["subject"] = written if "=" in written else f"CN={written}"


def check_principals(document: Section) -> None:
    """Check that a key or certificate identifies one principal, and that each principal has one set of permissions."""
    keys, certificates = document.tables("api_key"), document.tables("client_certificate")
    _check_key_texts(keys)
    check_unique(certificates, "subject")
    _check_permissions([*keys, *certificates])


def _check_key_texts(keys: list[Section]) -> None:
    owners: dict[str, Section] = {}
    for key in keys:
        if key.sound("key_file"):
            owner = owners.setdefault(key["key_file"].value, key)
            if owner is not key:
                line = owner.place.report.line(owner.place.path)
                key.problem("key_file", f"has the same key as the one in line {line}", "make another key")


def _check_permissions(sections: list[Section]) -> None:
    """Several keys of one name are for rotation: what the principal may do does not depend on which one it shows."""
    first_of: dict[str, Section] = {}
    for section in sections:
        if not section.sound("name"):
            continue
        first = first_of.setdefault(section["name"], section)
        for key in _PERMISSIONS:
            if section.sound(key) and first.sound(key) and _names(section[key]) != _names(first[key]):
                line = first.place.report.line(first.place.path)
                section.problem(
                    key,
                    f"differs from that of the same name in line {line}",
                    "give all keys and certificates of one name the same permissions, or choose another name",
                )


def _names(value: tuple[str, ...] | None) -> frozenset[str] | None:
    return frozenset(value) if value is not None else None
