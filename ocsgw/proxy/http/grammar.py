"""HTTP/1.1 messages by the grammar of RFC 9110 and RFC 9112, as strict as http.md sections 1 and 5 want them.

Pure functions from bytes. They raise `FramingError`; the connection is then answered and closed (H11).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address

from ocsgw.protocol.errors import Refusal

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[^"\\]|\\.)*+"'
# A line of the request: one blank between the parts, a target without the characters of H56.
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([^ ]+) (HTTP/[0-9]\.[0-9])").fullmatch
_BAD_TARGET = re.compile(rb'[\x00-\x20\x7f"<>\\^`{}|#]').search
_FIELD_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
_FIELD_NAME = re.compile(_TOKEN).fullmatch
_FIELD_LINES = re.compile(rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*").fullmatch
_METHOD_BEGINNING = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}(?: |\Z)").match
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n").search
_HOST = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|\[[vV][0-9A-Fa-f]+\.[-A-Za-z0-9._~!$&'()*+,;=:]+\]"
    rb"|(?:[-A-Za-z0-9._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::0*([0-9]{0,5}))?"
).fullmatch
_QUOTED_KEY = re.compile(rb'"([^"]*)"').fullmatch
_KEY = re.compile(rb"[\x20\x21\x23-\x7e]{1,255}").fullmatch
_PRINTABLE = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?").fullmatch
_PARAMETERS = re.compile(rb";[\t ]*(?:(" + _TOKEN + rb")=(?:(" + _QUOTED + rb')|([^\t ;"]*)))?').findall
_ESCAPED = re.compile(rb"\\(.)")
_QUALITY = re.compile(rb"(0(?:\.0{0,3})?)|0\.[0-9]{1,3}|1(?:\.0{0,3})?").fullmatch
_LIST = re.compile(rb"(?:" + _QUOTED + rb'|[^"])*+').fullmatch
_LIST_PARTS = re.compile(rb"(?:" + _QUOTED + rb'|[^,"])+').findall
_RANGE_PARAMETER = rb"[\t ]*;[\t ]*" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
_MEDIA_RANGE = re.compile(rb"(" + _TOKEN + rb"/" + _TOKEN + rb"|\*)((?:" + _RANGE_PARAMETER + rb")*)").fullmatch
_WEIGHT = re.compile(rb";[\t ]*[qQ]=([^;\t ]*)").search

MAX_METHOD = 32


class FramingError(Refusal):
    """The bytes are not a request that this server can delimit or understand; the connection ends (H11)."""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """Method, raw target and minor version; minor versions above 1 count as 1 (H1)."""

    method: bytes
    target: bytes
    minor: int


@dataclass(frozen=True, slots=True)
class Head:
    """What the header fields of one request say, as far as this server listens to them.

    `content_length` is None without the field. `authorization` and `idempotency_key` are lists of raw values, because
    their errors have a place in the order of checks. `origin` is that of the page that a browser sends for, and
    `asks_for_method` whether it only asks if it may. `charset` is the parameter of `Content-Type`, None without one.
    """

    minor: int
    keep_alive: bool
    content_length: int | None = None
    chunked: bool = False
    expects_continue: bool = False
    bad_expectation: bool = False
    bad_coding: bool = False
    charset: str | None = None
    accepts_json: bool = True
    authorization: bytes | None = None
    idempotency_keys: tuple[bytes, ...] = ()
    request_id: bytes | None = None
    origin: bytes | None = None
    asks_for_method: bool = False
    fields: tuple[tuple[bytes, bytes], ...] = ()


NO_LINE = RequestLine(b"", b"", 1)
NO_HEAD = Head(minor=1, keep_alive=False)


def parse_request_line(line: bytes) -> RequestLine:
    """Return the parts of a request line, without its line end (H1, H56). Raises `FramingError`."""
    return _line_cached(line) if len(line) <= _CACHED_LINE else _parse_request_line(line)


def _parse_request_line(line: bytes) -> RequestLine:
    match = _REQUEST_LINE(line)
    if match is None:
        raise FramingError("bad_request")
    method, target, version = match.groups()
    if len(method) > MAX_METHOD or _BAD_TARGET(target):
        raise FramingError("bad_request")
    if not version.startswith(b"HTTP/1."):
        raise FramingError("version")
    return RequestLine(method, target, min(version[7] - 0x30, 1))


# Clients send the same few lines and blocks again and again; short ones are kept.
_CACHED_LINE = 512
_CACHED_BLOCK = 1024
_line_cached = lru_cache(maxsize=1024)(_parse_request_line)


def check_line_beginning(part: bytes, scanned: int, longest: int) -> None:
    """Refuse the beginning of a request line, whose end has not come, as soon as it cannot become one any more.

    What stands before `scanned` has been checked; `longest` is the most bytes that the line may have. Spares binary
    rubbish and bare line feeds the wait for the time limit. What stands behind the place where the limit is exceeded
    changes nothing, so the result does not depend on how the stream was cut. Raises `FramingError`.
    """
    if part not in (b"", b"\r") and not _METHOD_BEGINNING(part[: MAX_METHOD + 1]):
        raise FramingError("bad_request")
    if _BARE_LINE_FEED(part, max(scanned - 1, 0), longest + 2):
        raise FramingError("bad_request")
    if len(part) > longest + 1:
        raise FramingError("uri_too_long")


def check_fields_beginning(part: bytes, scanned: int, longest: int) -> None:
    """Refuse the beginning of a header block, whose end has not come, in the same way. Raises `FramingError`."""
    if _BARE_LINE_FEED(part, max(scanned - 1, 0), longest + 2):
        raise FramingError("bad_request")
    if len(part) > longest + 1:
        raise FramingError("header_too_large")


def is_field(name: bytes, value: bytes) -> bool:
    """Whether name and value can stand in a header field."""
    return _FIELD_NAME(name) is not None and _FIELD_VALUE(value) is not None


def parse_fields(block: bytes, minor: int, max_fields: int) -> Head:
    """Return what the field lines in `block` say; each line ends in CRLF (H2 to H9, H80 to H83).

    Raises `FramingError`: `bad_request`, `header_too_large` or `unsupported_transfer`.
    """
    if len(block) <= _CACHED_BLOCK:
        return _parse_cached(block, minor, max_fields)
    return _parse_fields(block, minor, max_fields)


def _parse_fields(block: bytes, minor: int, max_fields: int) -> Head:
    if not _FIELD_LINES(block):
        raise FramingError("bad_request")
    fields = []
    for line in block.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        fields.append((name.lower(), value.strip(b"\t ")))
    if len(fields) > max_fields:
        raise FramingError("header_too_large")
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    _check_host(values.get(b"host", []), minor)
    content_length, chunked = _body_framing(values, minor)
    keep_alive = _keep_alive(values.get(b"connection", []), minor)
    expectations = _elements(values.get(b"expect", [])) if minor else []
    charset = _charset(values.get(b"content-type", []))
    authorization = values.get(b"authorization")
    request_id = values.get(b"x-request-id")
    origins = values.get(b"origin", [])
    return Head(
        minor=minor,
        keep_alive=keep_alive,
        content_length=content_length,
        chunked=chunked,
        expects_continue=b"100-continue" in expectations,
        bad_expectation=any(expectation != b"100-continue" for expectation in expectations),
        bad_coding=any(coding != b"identity" for coding in _elements(values.get(b"content-encoding", []))),
        charset=charset,
        accepts_json=accepts_json(values.get(b"accept", [])),
        authorization=authorization[0] if authorization is not None and len(authorization) == 1 else None,
        idempotency_keys=tuple(values.get(b"idempotency-key", ())),
        request_id=request_id[0] if request_id and _PRINTABLE(request_id[0]) else None,
        origin=origins[0] if len(origins) == 1 and _PRINTABLE(origins[0]) else None,
        asks_for_method=b"access-control-request-method" in values,
        fields=tuple(fields),
    )


_parse_cached = lru_cache(maxsize=1024)(_parse_fields)


def _check_host(hosts: list[bytes], minor: int) -> None:
    """H7; HTTP/1.0 may do without, but not with two (RFC 9112 section 3.2)."""
    if not hosts and minor == 0:
        return
    if len(hosts) != 1:
        raise FramingError("bad_request")
    match = _HOST(hosts[0])
    if match is None or int(match.group(2) or 0) > 65535:
        raise FramingError("bad_request")
    if match.group(1) is not None:
        try:
            IPv6Address(match.group(1).decode("ascii"))
        except ValueError:
            raise FramingError("bad_request") from None


def _body_framing(values: dict[bytes, list[bytes]], minor: int) -> tuple[int | None, bool]:
    """Return the length given and whether the body is chunked (H4, H5)."""
    lengths = values.get(b"content-length")
    codings = values.get(b"transfer-encoding")
    if lengths is not None:
        if codings is not None or len(lengths) != 1 or not lengths[0].isdigit():
            raise FramingError("bad_request")
        # A number that long is beyond every limit; Python converts no more than 4300 digits.
        return (int(lengths[0]) if len(lengths[0]) <= 4000 else 1 << 64), False
    if codings is None:
        return None, False
    if minor == 0:
        raise FramingError("bad_request")
    named = _elements(codings)
    if not named:
        raise FramingError("bad_request")
    if named != [b"chunked"]:
        raise FramingError("unsupported_transfer")
    return None, True


def _keep_alive(connections: list[bytes], minor: int) -> bool:
    options = _elements(connections)
    if b"close" in options:
        return False
    return minor >= 1 or b"keep-alive" in options


def _elements(values: list[bytes]) -> list[bytes]:
    """Return the elements of a list field, in lower case, empty ones left out (RFC 9110 section 5.6.1)."""
    return [element for value in values for part in value.split(b",") if (element := part.strip(b"\t ").lower())]


def _charset(content_types: list[bytes]) -> str | None:
    """Return the first `charset` of the media type; an empty or malformed one counts as none (H80, H133)."""
    if len(content_types) != 1:
        return None
    for name, quoted, plain in _PARAMETERS(content_types[0]):
        if name.lower() == b"charset":
            value = _ESCAPED.sub(rb"\1", quoted[1:-1]) if quoted else plain
            return value.decode("latin-1").strip() or None
    return None


def accepts_json(accepts: list[bytes]) -> bool:
    """Whether errors go out as JSON: H122, the most specific range that matches `application/json` decides."""
    whole = b",".join(accepts)
    if not _LIST(whole):
        return True
    best, admitted = -1, True
    for text in _LIST_PARTS(whole):
        if not text.strip(b"\t "):
            continue
        media_range = _MEDIA_RANGE(text.strip(b"\t "))
        if media_range is None:
            return True
        weight = _WEIGHT(media_range.group(2))
        quality = _QUALITY(weight.group(1) if weight else b"1")
        if quality is None:
            return True
        rank = _RANKS.get(media_range.group(1).lower(), 0)
        if rank > best:
            best, admitted = rank, rank > 0 and not quality.group(1)
        elif rank == best:
            admitted = admitted or (rank > 0 and not quality.group(1))
    return admitted


def accepts_json_of_block(block: bytes) -> bool:
    """Return what `accepts_json` says for the field lines of a head that is refused for something else."""
    return accepts_json(_ACCEPT_LINES(block))


_ACCEPT_LINES = re.compile(rb"^accept:([^\r\n]*)\r$", re.IGNORECASE | re.MULTILINE).findall

# How specific a range that admits JSON is; every other range is 0.
_RANKS = {b"application/json": 3, b"application/*": 2, b"*/*": 1, b"*": 1}


def parse_idempotency_key(values: tuple[bytes, ...]) -> str | None:
    """Return the key of the header `Idempotency-Key`, None without one (H320). Raises `Refusal` `invalid_key`."""
    if not values:
        return None
    if len(values) > 1:
        raise Refusal("invalid_key")
    quoted = _QUOTED_KEY(values[0])
    key = quoted.group(1) if quoted else values[0]
    if not _KEY(key):
        raise Refusal("invalid_key")
    return key.decode("ascii")
