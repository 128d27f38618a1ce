"""Rules about several keys of listeners and their TLS."""

import os

from ocsgw.config.model import is_loopback
from ocsgw.config.network import host_in_uri
from ocsgw.config.sections import Section

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104  compared with, not bound to
_LOCALHOST = frozenset({"localhost", "127.0.0.1", "::1"})


def complete_listeners(document: Section) -> None:
    """Give each listener its inherited TLS keys (C36) and what its clients see of it (H68)."""
    inherited: list[Section] = []
    for application in document.tables("application"):
        inherited += application.tables("tls")
        application.values.pop("tls", None)  # all that is left of it is in the listeners
    for listener in document.tables("listener"):
        if not listener.sound("tls"):
            continue
        tls = listener["tls"]
        if tls is not None:
            for shared in inherited:
                tls.inherit(shared)
            tls.fill()
        if listener.sound("public_scheme") and listener["public_scheme"] is None:
            listener["public_scheme"] = "http" if tls is None else "https"
        if listener.sound("public_host", "interface") and listener["public_host"] is None:
            everywhere = listener["interface"] in _EVERYWHERE
            listener["public_host"] = os.uname().nodename if everywhere else host_in_uri(listener["interface"])


def check_listeners(document: Section) -> None:
    """Check ports (C32), client certificates and authentication (C33, C34)."""
    listeners = document.tables("listener")
    keys = document.tables("api_key")
    _check_ports(listeners)
    for listener in listeners:
        _check_workers(listener)
        _check_client_certificates(listener)
        _check_further_certificates(listener)
        # A misspelled [[api_key]] is reported as such; what it was for cannot be judged.
        if document.sound("api_key"):
            _check_authentication(listener, any(_counts_on(key, listener) for key in keys))


def _check_ports(listeners: list[Section]) -> None:
    taken: list[Section] = []
    for listener in listeners:
        if not listener.sound("interface", "port") or listener["port"] == 0:
            continue
        for other in taken:
            if listener["port"] == other["port"] and _overlap(listener["interface"], other["interface"]):
                line = other.place.report.line(other.place.path)
                listener.problem(
                    "port",
                    f"{listener['port']} of {listener['interface']} is taken by the listener in line {line}",
                    "choose another port or interface",
                )
                break
        taken.append(listener)


def _overlap(one: str, other: str) -> bool:
    same = one == other or bool(_EVERYWHERE & {one, other})
    return same or ("localhost" in {one, other} and {one, other} <= _LOCALHOST)


def _check_workers(listener: Section) -> None:
    if not listener.sound("workers", "port", "protocol") or listener["workers"] == 1:
        return
    if listener["protocol"] != "http":
        listener.problem("workers", "is for http listeners only", "leave it out")
    elif listener["port"] == 0:
        listener.problem("workers", "needs a port that all workers can share", "give port a number above 0")


def _check_client_certificates(listener: Section) -> None:
    tls = listener["tls"] if listener.sound("tls") else None
    if tls is not None and tls.sound("tls_mutual", "trusted_ca") and tls["tls_mutual"] and not tls["trusted_ca"]:
        tls.problem(
            "tls_mutual",
            "needs trusted_ca, which names the authorities of client certificates",
            "add trusted_ca with the file of the authorities",
        )


def _check_further_certificates(listener: Section) -> None:
    if listener.sound("tls") and listener["tls"] is None and listener.tables("sni_certificate"):
        listener.problem(
            "sni_certificate",
            "needs [listener.tls], which alone switches TLS on",
            "add [listener.tls] with the certificate for all other names, or leave this out",
        )


def _check_authentication(listener: Section, has_key: bool) -> None:
    """C33: clients on other machines must authenticate, unless anonymous access is allowed."""
    if not listener.sound("protocol", "interface", "allow_anonymous", "tls"):
        return
    tls = listener["tls"]
    if tls is not None and not tls.sound("tls_mutual"):
        return
    admin = listener["protocol"] == "admin"
    if admin and listener["allow_anonymous"]:
        listener.problem("allow_anonymous", "is not possible for an admin listener", "leave it out")
    if is_loopback(listener["interface"]):
        return
    if has_key and tls is None:
        listener.warn(
            "id", "gets API keys from other machines without TLS", "add [listener.tls], so that nobody can read them"
        )
    mutual = tls is not None and tls["tls_mutual"] is True
    anonymous = listener["allow_anonymous"] and not admin
    if not (mutual or has_key or anonymous):
        instead = "" if admin else ", or allow_anonymous = true"
        listener.problem(
            "interface",
            f"{listener['interface']} can be reached from other machines without authentication",
            f"add [listener.tls] with tls_mutual = true, an [[api_key]]{instead}; or bind to 127.0.0.1",
        )


def _counts_on(key: Section, listener: Section) -> bool:
    if not key.sound("listeners") or not listener.sound("id"):
        return True  # reported already; do not complain of the consequences
    return key["listeners"] is None or listener["id"] in key["listeners"]
