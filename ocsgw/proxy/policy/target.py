"""Request targets: which resource, which identifier, which action (http.md section 3)."""

import re
from dataclasses import dataclass
from functools import lru_cache

from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.requests import (
    ALLOWED_REQUESTS,
    RequestType,
    ResourceType,
)
from ocsgw.proxy.http.grammar import FramingError
from ocsgw.proxy.policy.spellings import STANDARD, Spellings, ascii_lower

_ABSOLUTE = re.compile(rb"[hH][tT][tT][pP][sS]?://[^/?:][^/?]*").match
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})").search
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f]").search
_HANDLE = re.compile(r"[1-9][0-9]{0,15}").fullmatch
_MAX_HANDLE = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Target:
    """A target after parsing.

    `resource` is None for an unknown one; then nothing else has a meaning. `request` is None if `refusal` says why the
    query names no action of the resource (checks 5 and 6). `alias` is the spelling used, if it was an alias;
    `spellings` are those that count.
    """

    resource: ResourceType | None
    identifier: str = ""
    request: RequestType | None = None
    refusal: Refusal | None = None
    alias: str | None = None
    spellings: Spellings = STANDARD

    @property
    def handle(self) -> int | None:
        """The record handle, if the target is a record and the identifier is well formed (H40)."""
        return parse_handle(self.identifier) if self.resource == "records" else None


def parse_handle(text: str) -> int | None:
    """Return the record handle in `text`, None if it is not well formed (H40, H59)."""
    if not (text.isascii() and _HANDLE(text)):
        return None
    handle = int(text)
    return handle if handle <= _MAX_HANDLE else None


def parse_target(target: bytes, encoding: str | None, spellings: Spellings = STANDARD) -> Target:
    """Return the target (H40 to H58); `encoding` is the option, for H55. Raises `FramingError` `bad_request`."""
    if len(target) <= _CACHED_TARGET:
        return _parse_cached(target, encoding, spellings)
    return _parse_target(target, encoding, spellings)


def _parse_target(target: bytes, encoding: str | None, spellings: Spellings) -> Target:
    if _BAD_ESCAPE(target):
        raise FramingError("bad_request")
    if not target.startswith(b"/"):
        match = _ABSOLUTE(target)
        if match is None:
            raise FramingError("bad_request")
        target = target[match.end() :]
    path, _, query = target.partition(b"?")
    segments = [_decode(segment, encoding) for segment in path.split(b"/")]
    _decode(query, None)
    if len(segments) != 3 or segments[0] or not segments[2]:
        return Target(None)
    resource = spellings.resource(segments[1])
    if resource is None:
        return Target(None)
    try:
        request, alias = _request(query, resource, spellings)
    except Refusal as refusal:
        return Target(resource, segments[2], None, refusal)
    return Target(resource, segments[2], request, None, alias, spellings)


# Short targets are kept, so that the cache stays small.
_CACHED_TARGET = 256
_parse_cached = lru_cache(maxsize=2048)(_parse_target)


def _request(query: bytes, resource: ResourceType, spellings: Spellings) -> tuple[RequestType, str | None]:
    """Return the action that `req` names, and the alias if one was used (H51, H52)."""
    values = [value for name, value in arguments_of(query) if name == "req"]
    if len(values) > 1:
        raise Refusal("duplicate_req")
    if not values or not values[0]:
        raise Refusal("missing_req")
    request = spellings.request(values[0])
    if request is None:
        raise Refusal("unknown_request", values[0])
    if resource not in request.resources:
        raise Refusal("unsupported_request", request.name, resource)
    return request, None if ascii_lower(values[0]) == request.name.lower() else values[0]


def arguments_of(query: bytes) -> list[tuple[str, str]]:
    """Return names and values of a query, percent-decoded, in order. Raises `FramingError` `bad_request`."""
    pairs = (pair.replace(b"+", b" ").partition(b"=") for pair in query.split(b"&") if pair)
    return [(_decode(name, None), _decode(value, None)) for name, _, value in pairs]


def allowed_requests(target: Target) -> tuple[str, ...]:
    """Return what stands in `GSW_ALLOWED_REQUESTS` of an error about `req` (H150)."""
    return ALLOWED_REQUESTS[target.resource] if target.resource else ()


def _decode(segment: bytes, encoding: str | None) -> str:
    """Percent-decode one segment, once (H53, H55, H56)."""
    raw = _ESCAPE.sub(lambda match: bytes((int(match.group(1), 16),)), segment) if b"%" in segment else segment
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        if encoding is None or segment.isascii():
            raise FramingError("bad_request") from None
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            raise FramingError("bad_request") from None
    if _CONTROL(text):
        raise FramingError("bad_request")
    return text
