"""Rules about several keys of the store, the pair, the limits and the outgoing requests."""

import os
from collections.abc import Iterator
from itertools import product
from typing import Final

from ocsgw.config.model import control_socket_in
from ocsgw.config.sections import Section

LONGEST_SOCKET_PATH: Final = 107
"""Bytes; the operating system takes no longer one."""

LEASE_RENEWALS: Final = 3
_SWITCHES: Final = {
    "send_campaigngroup_states": "campaigngroup_states_uri",
    "send_history": "history_uri",
    "contact_processed_notification": "contact_processed_notification_uri",
}
_OUTGOING: Final = ("pre_dial_validation", "notifications")


def complete_options(document: Section) -> None:
    """Add what follows from other keys: the parts of the store's address, state directory, names."""
    for store in document.tables("store"):
        if store.sound("url"):
            store["url"], store["kind"], store["file"] = store["url"]
    for application in document.tables("application"):
        _complete_state_dir(application, document.tables("store"))
        _complete_audit_file(application, document.tables("audit"))
        for ha in document.tables("ha"):
            if application.sound("name") and ha.sound("name") and ha["name"] is None:
                ha["name"] = application["name"]
    for kind in _OUTGOING:
        for section in document.tables(kind):
            if section.sound("headers_file"):
                section["headers_file"] = section["headers_file"] or ()


def check_options(document: Section) -> None:
    """Check keys that have to fit each other."""
    for application in document.tables("application"):
        _check_control_socket(application)
    for ha in document.tables("ha"):
        _check_lease(ha)
        for store in document.tables("store"):
            _check_mode(ha, store)
    for limits in document.tables("limits"):
        _check_frame(limits)
        _check_buffered(limits)
        for kind in _OUTGOING:
            for section in document.tables(kind):
                _check_response_timeout(section, limits)
    for kind in _OUTGOING:
        for section in document.tables(kind):
            _check_certificate_pair(section)
    for notifications in document.tables("notifications"):
        for switch, uri in _SWITCHES.items():
            if notifications.sound(switch, uri) and notifications[switch] and notifications[uri] is None:
                _report_without_uri(notifications, switch, uri)
    _check_pre_dial_validation(document)


def _complete_audit_file(application: Section, audits: list[Section]) -> None:
    for audit in audits:
        known = application.sound("state_dir") and application["state_dir"] is not None
        if known and audit.sound("file") and audit["file"] is None:
            audit["file"] = os.path.join(application["state_dir"], "audit.jsonl")


def _complete_state_dir(application: Section, stores: list[Section]) -> None:
    if not application.sound("state_dir") or application["state_dir"] is not None:
        return
    for store in stores:
        if store.sound("file"):
            file = store["file"]
            application["state_dir"] = (
                os.path.dirname(file) if file else os.path.join(application.place.directory, "var")
            )


def _check_control_socket(application: Section) -> None:
    if not application.sound("state_dir") or application["state_dir"] is None:
        return
    size = len(os.fsencode(control_socket_in(application["state_dir"])))
    if size > LONGEST_SOCKET_PATH:
        application.problem(
            "state_dir",
            f"makes the path of the control socket {size} bytes long; {LONGEST_SOCKET_PATH} are possible",
            "set state_dir to a directory with a shorter path",
        )


def _check_lease(ha: Section) -> None:
    if not ha.sound("lease_time", "renew_interval"):
        return
    # Three times "100ms" is a little more than "300ms" in floating point.
    if round(ha["renew_interval"] * LEASE_RENEWALS, 6) > ha["lease_time"]:
        ha.problem(
            _given(ha, "renew_interval", "lease_time"),
            "renew_interval must be at most a third of lease_time",
            f"shorten renew_interval to {ha['lease_time'] / LEASE_RENEWALS:g} s or lengthen lease_time",
        )


def _check_mode(ha: Section, store: Section) -> None:
    known = ha.sound("enabled", "mode") and store.sound("kind")
    if known and ha["enabled"] and ha["mode"] == "active" and store["kind"] == "sqlite":
        ha.problem(
            "mode",
            "several servers cannot serve one SQLite file at once",
            'use a PostgreSQL database ([store] url = "postgresql://..."), or mode = "pair"',
        )


def _check_frame(limits: Section) -> None:
    if limits.sound("frame", "body") and limits["frame"] < 2 * limits["body"]:
        limits.problem(
            _given(limits, "frame", "body"),
            "frame must be at least twice body",
            f"raise frame to {2 * limits['body']} bytes or lower body",
        )


def _check_buffered(limits: Section) -> None:
    if limits.sound("buffered", "body") and limits["buffered"] < limits["body"]:
        limits.problem(
            _given(limits, "buffered", "body"),
            "buffered must be at least body",
            f"raise buffered to {limits['body']} bytes or lower body",
        )


def _check_response_timeout(section: Section, limits: Section) -> None:
    key, limit = "http_response_timeout", "request_timeout"
    if section.sound(key) and limits.sound(limit) and section[key] >= limits[limit]:
        section.problem(
            key,
            f"must be smaller than [limits] request_timeout, which is {limits[limit]:g} s",
            "shorten it, or lengthen request_timeout",
        )


def _check_certificate_pair(section: Section) -> None:
    pair = ("certificate", "certificate_key")
    for key, other in (pair, pair[::-1]):
        if section.sound(*pair) and section[key] is not None and section[other] is None:
            section.problem(key, f"needs {other}", f"add {other}, or leave {key} out")


def _check_pre_dial_validation(document: Section) -> None:
    """A validation that is on needs a URI, each looked up along the same way (O20)."""
    switch, uri = "pre_dial_validation", "validation_uri"
    reported: list[Section] = []
    for way in _ways_of_options(document):
        if not all(section.sound(switch, uri) for section in way):
            continue
        decisive = next(section for section in way if section[switch] is not None)
        without_uri = all(section[uri] is None for section in way)
        if decisive[switch] and without_uri and decisive not in reported:
            reported.append(decisive)
            _report_without_uri(decisive, switch, uri)


def _ways_of_options(document: Section) -> Iterator[list[Section]]:
    """Give the sections in which an option is looked up, in their order, for all records there may be."""
    for general in document.tables("pre_dial_validation"):
        yield [general]  # its URI is needed even if every list has its own (section 9)
        lists = document.tables("calling_list")
        groups = document.tables("campaign_group")
        campaigns = document.tables("campaign")
        for calling_list in lists:
            if not any(_may_name(campaign, "calling_lists", calling_list) for campaign in campaigns):
                yield [calling_list, general]
        for campaign in campaigns:
            # A list or a group may still be missing; what the campaign says is checked all the same.
            its_lists: list[Section | None] = [each for each in lists if _may_name(campaign, "calling_lists", each)]
            its_groups: list[Section | None] = [each for each in groups if _may_name(each, "campaign", campaign)]
            for its_list, its_group in product(its_lists or [None], its_groups or [None]):
                way = (its_list, its_group, campaign, general)
                yield [section for section in way if section is not None]


def _may_name(section: Section, key: str, target: Section) -> bool:
    """Return whether a key names an object, or may do so when it is corrected."""
    if not section.sound(key) or not target.sound("name"):
        return True
    named = section[key]
    found: bool = target["name"] in (named if isinstance(named, tuple) else (named,))
    return found


def _report_without_uri(section: Section, switch: str, uri: str) -> None:
    section.problem(switch, f"is on, but there is no {uri}", f"add {uri}, or switch it off")


def _given(section: Section, *keys: str) -> str:
    """Choose the key to blame: the first that stands in the file. The defaults fit each other."""
    return next(key for key in keys if key in section.given)
