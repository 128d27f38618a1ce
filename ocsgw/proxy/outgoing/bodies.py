"""Bodies of outgoing calls and of their answers (outgoing.md O1, O23, O24; protocol.md P136)."""

from typing import cast

import msgspec

from ocsgw.protocol.attributes import NotText, NumberText
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from ocsgw.proxy.translation.charset import UTF8, Encoding, codec_of_charset, decode_body, encode_json
from ocsgw.proxy.translation.jsonbody import read_strictly

_STATISTIC = "GSW_STAT_"
_MAX_DEPTH, _MAX_MEMBERS = 32, 1000
_INT64 = range(-(1 << 63), 1 << 63)
_json = msgspec.json.Encoder()


def encode_call(data: KV, purpose: str, encoding: Encoding | None) -> tuple[bytes, bytes]:
    """Return content type and body of a call; null is sent in statistics only."""
    members = _with_numbers(data) if purpose == "campaign_group_state" else _without_null(data)
    body = _json.encode(members)
    if encoding is None:
        return b"application/json; charset=utf-8", body
    content_type = b"application/json; charset=" + encoding.name.encode("ascii")
    return content_type, encode_json(body.decode("utf-8"), encoding.codec)


def decode_answer(body: bytes, content_type: str | None, encoding: Encoding | None) -> KV:
    """Return the members of the JSON object in an answer; without one there are none, and that is no error."""
    codec = _charset_of(content_type) or (encoding.codec if encoding is not None else UTF8)
    if not body:
        return {}
    try:
        members = read_strictly(decode_body(body, codec, codec), _MAX_DEPTH, _MAX_MEMBERS)
    except Refusal:
        return {}
    return {name: _on_the_wire(value) for name, value in members.items() if type(value) is not NotText}


def _charset_of(content_type: str | None) -> str | None:
    for parameter in (content_type or "").split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "charset":
            return codec_of_charset(value.strip().strip('"'))
    return None


def _on_the_wire(value: object) -> int | str | bool | None:
    """Return a member as it can cross the link: fractions and large numbers as text, containers as empty text (H97)."""
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, int):
        return value if value in _INT64 else str(value)
    return value if value is None or isinstance(value, str) else ""


def _without_null(data: KV) -> KV:
    return {key: value for key, value in data.items() if value is not None}


def _with_numbers(data: KV) -> dict[str, object]:
    """Return members with statistics as JSON numbers, nested ones too."""
    members: dict[str, object] = {}
    for key, value in data.items():
        if key.startswith(_STATISTIC):
            members[key] = _number(value)
        elif isinstance(value, list):
            members[key] = [_with_numbers(cast("KV", each)) if isinstance(each, dict) else each for each in value]
        elif value is not None:
            members[key] = value
    return members


def _number(value: object) -> object:
    if not isinstance(value, str):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number
