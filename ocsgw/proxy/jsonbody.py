"""Strict JSON of request bodies (RFC 8259; http.md section 6).

The fast reader is msgspec's. What it refuses, or what may hide something that it does not see, is read again by the
strict reader, which knows why a text is refused. Both keep the text of numbers with a fraction or an exponent (H112).
"""

import json
import re
from collections.abc import Iterator

import msgspec

from ocsgw.protocol.attributes import NumberText
from ocsgw.protocol.errors import Refusal

Members = dict[str, object]

_fast = msgspec.json.Decoder(dict[str, object], float_hook=NumberText)
_UTF8_BOM = b"\xef\xbb\xbf"
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_SURROGATE_OR_NUL = re.compile("[\ud800-\udfff\x00]").search


def read_utf8(body: bytes, max_depth: int, max_members: int) -> Members:
    """Return the members of the JSON object in a UTF-8 body. Raises `Refusal` (H91, H92, H116, H131)."""
    if not body:
        return {}
    # A colon a member at least; U+0000 can only come from this escape.
    if body.count(b":") <= max_members and b"\\u0000" not in body:
        try:
            members = _fast.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
        else:
            if not _has_container(members) or body.count(b"[") + body.count(b"{") <= max_depth:
                return members
    try:
        text = body.removeprefix(_UTF8_BOM).decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("invalid_text", "UTF-8") from None
    return _read_strictly(text, max_depth, max_members)


def _read_strictly(text: str, max_depth: int, max_members: int) -> Members:
    if _deepest(text) > max_depth:
        raise Refusal("invalid_json")
    try:
        value = _strict.decode(text)
    except (ValueError, RecursionError):
        raise Refusal("invalid_json") from None
    if not isinstance(value, _Object):
        raise Refusal("not_object")
    if len(value.pairs) > max_members:
        raise Refusal("invalid_json")
    members = {}
    for name, member in value.pairs:
        _check_name(name)
        members[name] = _checked(name, member)
    return members


class _Object:
    """An object with all its members, equal names included."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _integer(digits: str) -> int | NumberText:
    # Python converts no more than 4300 digits; beyond 64 bits only the text is of use.
    return int(digits) if len(digits) <= 20 else NumberText(digits)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_strict = json.JSONDecoder(
    object_pairs_hook=_Object, parse_float=NumberText, parse_int=_integer, parse_constant=_no_constant
)


def _has_container(members: Members) -> bool:
    return any(type(value) is dict or type(value) is list for value in members.values())


def _deepest(text: str) -> int:
    """Return how deep brackets are nested, without recursion (H25)."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _checked(name: str, value: object) -> object:
    """Return a member's value as the fast reader would have made it; refuse lone surrogates and U+0000 (H116)."""
    for text in _texts(value):
        if _SURROGATE_OR_NUL(text):
            raise Refusal("invalid_attribute", name)
    return _plain(value)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, _Object):
        for name, item in value.pairs:
            _check_name(name)
            yield from _texts(item)


def _check_name(name: str) -> None:
    if _SURROGATE_OR_NUL(name):
        raise Refusal("invalid_json")


def _plain(value: object) -> object:
    if isinstance(value, _Object):
        return {name: _plain(item) for name, item in value.pairs}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
