"""Lines of the access log: the combined form of web servers, and JSON.

Lines are ASCII, and nothing that a client sends can begin a line or end a field. Phone numbers and customer ids
stand in targets, and in pages that link here; they are masked as everywhere in the log (R54).
"""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ocsgw.logs import mask_contact
from ocsgw.protocol.message_parts import AccessLogSettings
from ocsgw.proxy.http.grammar import Head, RequestLine
from ocsgw.proxy.policy.target import Target

# Longer parts are cut.
_LONGEST = 1024
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# What would end a field or a line of the combined form. Octets beyond ASCII are escaped in the same way when decoded.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x22, 0x5C, 0x7F)}
_ESCAPES_OF_NAME = {**_ESCAPES, 0x20: "\\x20"}
_ORIGIN = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*").match
# Resources whose identifiers are numbers or names of the configuration.
_OPEN = frozenset({"records", "lists", "campaigngroups"})


class Access(NamedTuple):
    """A request with its answer: `when` is in seconds since 1970 UTC, `took` in seconds, `size` that of the body."""

    when: float
    took: float
    peer: str
    principal: str | None
    target: Target
    line: RequestLine
    head: Head
    status: bytes
    size: int


Form = Callable[[Access], str]


def form_of(settings: AccessLogSettings) -> Form:
    """Return what makes a line of a request."""
    form = _json if settings.form == "json" else _combined
    return lambda access: form(access, clear=settings.clear)


def _combined(access: Access, *, clear: bool) -> str:
    line, minor = access.line, access.line.minor
    what = f"{_ascii(line.method)} {_target(access, clear=clear)} HTTP/1.{minor}" if line.method else "-"
    referer, agent = _about_client(access.head, clear=clear)
    return (
        f"{access.peer or '-'} - {_name(access.principal)} [{_day(int(access.when))}] "
        f'"{what.translate(_ESCAPES)}" {access.status.decode()} {access.size} "{_field(referer)}" "{_field(agent)}"\n'
    )


def _json(access: Access, *, clear: bool) -> str:
    line, head = access.line, access.head
    referer, agent = _about_client(head, clear=clear)
    members: dict[str, Any] = {
        "time": f"{datetime.fromtimestamp(access.when, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "peer": access.peer or None,
        "principal": access.principal,
        "method": _ascii(line.method) or None,
        "target": _target(access, clear=clear) or None,
        "request": access.target.request.name if access.target.request is not None else None,
        "status": int(access.status),
        "size": access.size,
        "seconds": round(access.took, 6),
        "request_id": _ascii(head.request_id) if head.request_id is not None else None,
        "referer": _ascii(referer) or None,
        "user_agent": _ascii(agent) or None,
    }
    return json.dumps(members, separators=(",", ":")) + "\n"


def _target(access: Access, *, clear: bool) -> str:
    """Return a target as it may be shown: no identifier that may be a contact, and of the query only the request."""
    whole = access.line.target
    if clear:
        return _ascii(whole)
    path, mark, query = whole.partition(b"?")
    target = access.target
    if target.resource not in _OPEN:
        first, _, rest = path.removeprefix(b"/").partition(b"/")
        shown = f"/{_ascii(first)}" if path.startswith(b"/") else mask_contact(_ascii(path))
        path_shown = f"{shown}/{mask_contact(_ascii(rest))}" if rest else shown
    else:
        path_shown = _ascii(path)
    if not mark:
        return path_shown
    return f"{path_shown}?{f'req={target.request.name}' if target.request is not None else '*' * min(len(query), 8)}"


def _about_client(head: Head, *, clear: bool) -> tuple[bytes, bytes]:
    """Return `Referer` and `User-Agent`, empty without one; unless `clear`, of the page only its origin."""
    referer = agent = b""
    for name, value in head.fields:
        if name == b"user-agent":
            agent = value
        elif name == b"referer":
            referer = value
    if referer and not clear:
        origin = _ORIGIN(referer)
        referer = origin.group() if origin is not None else b""
    return referer, agent


def _ascii(value: bytes) -> str:
    return value[:_LONGEST].decode("ascii", "backslashreplace")


def _field(value: bytes) -> str:
    text = value[:_LONGEST].decode("latin-1").translate(_ESCAPES)
    return text.encode("ascii", "backslashreplace").decode("ascii") or "-"


def _name(name: str | None) -> str:
    return name.translate(_ESCAPES_OF_NAME).encode("ascii", "backslashreplace").decode("ascii") if name else "-"


_last_day = (-1, "")


def _day(second: int) -> str:
    """Return a time as the combined form has it; most requests come in the same second as the one before."""
    global _last_day  # noqa: PLW0603 - a cache of one
    if _last_day[0] != second:
        at = time.gmtime(second)
        day = f"{at.tm_mday:02d}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}"
        _last_day = second, f"{day}:{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} +0000"
    return _last_day[1]
