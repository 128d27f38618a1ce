"""Strict JSON of request bodies (RFC 8259; http.md section 6).

The fast reader is msgspec's. What it refuses, or what may hide something that it does not see, is read again by the
strict reader, which knows why a text is refused. Both keep the text of numbers with a fraction or an exponent (H112).
"""

import json
import re
from collections.abc import Iterable
from typing import cast

import msgspec

from ocsgw.protocol.attributes import NotText, NumberText
from ocsgw.protocol.errors import Refusal

# Name -> value as msgspec makes it, with `NumberText` for fractions and `NotText` for what H116 forbids.
Members = dict[str, object]

_fast = msgspec.json.Decoder(dict[str, object], float_hook=NumberText)
_SHORTEST_MEMBER = 5
_UTF8_BOM = b"\xef\xbb\xbf"
_SURROGATE_OR_NUL = re.compile("[\ud800-\udfff\x00]").search


def read_utf8(body: bytes, max_depth: int, max_members: int) -> Members:
    """Return the members of the JSON object in a UTF-8 body (H90 to H93, H131).

    `max_members` counts those of nested objects too. Raises `Refusal`: `invalid_text`, `invalid_json` or `not_object`.
    """
    if not body:
        return {}
    members = read_fast(body, max_depth, max_members)
    if members is not None:
        return members
    try:
        text = body.removeprefix(_UTF8_BOM).decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("invalid_text", "UTF-8") from None
    return read_strictly(text, max_depth, max_members)


def read_fast(body: bytes, max_depth: int, max_members: int) -> Members | None:
    """Return the members, or None if the strict reader has to look."""
    # A member has a colon, and `"":0,` is the shortest one; U+0000 can only come from this escape.
    if (len(body) > _SHORTEST_MEMBER * max_members and body.count(b":") > max_members) or b"\\u0000" in body:
        return None
    try:
        members = _fast.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    # No deeper than there are brackets, the outermost included.
    if body.count(b"{") + body.count(b"[") <= max_depth or not _is_deeper(members, max_depth):
        return members
    return None


def read_strictly(text: str, max_depth: int, max_members: int) -> Members:
    """Return the members. Raises `Refusal`: `invalid_json` (H25, H26, H92, H116) or `not_object`."""
    try:
        value = _strict(max_members).decode(text)
    except (ValueError, RecursionError):
        raise Refusal("invalid_json") from None
    if _is_deeper(value, max_depth):
        raise Refusal("invalid_json")
    if not isinstance(value, _Object):
        raise Refusal("not_object")
    _check_names(value)
    members: Members = {}
    for name, member in value.pairs:
        if not _is_text(member):
            members[name] = NotText()
        elif type(members.get(name)) is not NotText:
            members[name] = _plain(member)
    return members


class _Object:
    """An object with all its members, equal names included."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _integer(digits: str) -> int | NumberText:
    try:
        return int(digits)
    except ValueError:
        # Python converts no more than 4300 digits; so far beyond 64 bits only the text is of use.
        return NumberText(digits)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _strict(max_members: int) -> json.JSONDecoder:
    """Return a decoder that gives up at one member too many, at whatever depth, and spends no more time (H26)."""
    left = max_members

    def make_object(pairs: list[tuple[str, object]]) -> _Object:
        nonlocal left
        left -= len(pairs)
        if left < 0:
            raise ValueError("too many members")
        return _Object(pairs)

    return json.JSONDecoder(
        object_pairs_hook=make_object, parse_float=NumberText, parse_int=_integer, parse_constant=_no_constant
    )


def _is_deeper(value: object, max_depth: int) -> bool:
    """Whether containers are nested more than `max_depth` deep (H25); level by level, without recursion."""
    level: list[object] = [[value]]
    for _ in range(max_depth + 1):
        level = [item for container in level for item in _items(container) if type(item) in _CONTAINERS]
        if not level:
            return False
    return True


_CONTAINERS = frozenset({dict, list, _Object})


def _items(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return container.values()
    if isinstance(container, _Object):
        return [item for _, item in container.pairs]
    return cast("list[object]", container)


def _check_names(value: object) -> None:
    """Raise `Refusal` for a member name, at any depth, that is not text (H116)."""
    if isinstance(value, _Object):
        for name, item in value.pairs:
            if _SURROGATE_OR_NUL(name):
                raise Refusal("invalid_json")
            _check_names(item)
    elif isinstance(value, list):
        for item in value:
            _check_names(item)


def _is_text(value: object) -> bool:
    """Whether all strings in a value are text: no lone surrogate, no U+0000 (H116)."""
    if isinstance(value, str):
        return not _SURROGATE_OR_NUL(value)
    if isinstance(value, list):
        return all(_is_text(item) for item in value)
    if isinstance(value, _Object):
        return all(_is_text(item) for _, item in value.pairs)
    return True


def _plain(value: object) -> object:
    """Return a value as the fast reader would have made it."""
    if isinstance(value, _Object):
        return {name: _plain(item) for name, item in value.pairs}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
