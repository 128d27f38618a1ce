"""Answers as bytes: heads, success bodies, and the two forms of an error (http.md sections 1 and 8)."""

from html import escape
from http import HTTPStatus

import msgspec

from ocsgw.access.limits import Quota
from ocsgw.counters import HTTP_REFUSALS, REFUSED_LOGINS, TRANSCODING_ERRORS
from ocsgw.protocol.errors import ERRORS, Refusal
from ocsgw.protocol.messages import Event, KVValue, Settings
from ocsgw.proxy.http.exchange import Answer, Exchange, Outcome
from ocsgw.proxy.http.grammar import is_field
from ocsgw.proxy.policy.cross_origin import CrossOrigin
from ocsgw.proxy.policy.target import allowed_requests
from ocsgw.proxy.translation.charset import Encoding, encode_json
from ocsgw.proxy.translation.translate import to_members

_json = msgspec.json.Encoder()
_JSON_UTF8 = b"application/json; charset=utf-8"
# How the usual event begins, with nothing to leave out or to put in order; and what has events within it.
_USUAL = b'{"GSW_USER_EVENT":'
_CHAINED = b'"GSW_CHAINED_RECORDS"'
_HTML = b"text/html; charset=utf-8"
_ABOUT_REQ = frozenset({"missing_req", "duplicate_req", "unknown_request", "unsupported_request"})

# In every answer (H14, C21).
_FIXED = ((b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff"))

# What an answer says about the idle limit is less than the limit, so that the client gives up first (H29).
_KEEP_ALIVE_MARGIN = 5


class Answers:
    """Makes answers in the way the settings want; `set_date` is called once a second (H14, H15).

    Raises `ValueError` for custom headers that cannot stand in an answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._error_codes = settings.error_codes
        self._cross_origin = CrossOrigin(settings.listener.cors_origins if settings.listener is not None else ())
        self._retry_after = b"%d" % max(1, settings.retry_after)
        custom = [_custom_field(name, value) for name, value in settings.http_custom_headers]
        fixed = {(name.lower(), value) for name, value in _FIXED}
        fields = [*_FIXED, *(field for field in custom if (field[0].lower(), field[1]) not in fixed)]
        self._fixed = b"".join(b"%b: %b\r\n" % field for field in fields)
        idle = settings.limits.idle_timeout_ms // 1000 - _KEEP_ALIVE_MARGIN
        self._keep_alive = b"Keep-Alive: timeout=%d\r\n" % idle if idle > 0 else b""
        self.date = b""
        # How the usual answer begins, up to the length of its body.
        self.ok = b""

    def set_date(self, date: bytes) -> None:
        """Use `date`, an HTTP date, from now on."""
        self.date = date
        self.ok = b"HTTP/1.1 200 OK\r\nDate: %b\r\n%bContent-Type: %b\r\n%bContent-Length: " % (
            date,
            self._fixed,
            _JSON_UTF8,
            self._keep_alive,
        )

    def render(self, exchange: Exchange, outcome: Outcome, *, close: bool) -> bytes:
        """Return the whole answer to a call, head and body; `close` if the connection ends with it."""
        if isinstance(outcome, Event) and outcome.code is None and not outcome.replayed and exchange.encoding is None:
            head = exchange.head
            if not close and head.minor and head.request_id is None and head.origin is None and exchange.quota is None:
                body = _json.encode(outcome.data)
                if not body.startswith(_USUAL) or b":null" in body or _CHAINED in body:
                    body = _json.encode(to_members(outcome.data))
                return b"%b%d\r\n\r\n%b" % (self.ok, len(body), body)
        answer = outcome if isinstance(outcome, Answer) else self.compose(exchange, outcome)
        length = b"" if answer.framed else b"Content-Length: %d\r\n" % len(answer.body)
        return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n%b" % (
            answer.status,
            _reason(answer.status),
            self._connection_fields(exchange, close=close),
            b"".join(b"%b: %b\r\n" % pair for pair in (*answer.headers, *self._cross_origin.fields(exchange.head))),
            length,
            b"" if exchange.line.method == b"HEAD" else answer.body,
        )

    def compose(self, exchange: Exchange, outcome: Event | Refusal) -> Answer:
        """Return the answer to a call without what belongs to the connection."""
        if isinstance(outcome, Event) and outcome.code is None:
            content_type, body = _encoded(to_members(outcome.data), exchange.encoding)
            headers = [(b"Content-Type", content_type)]
            if outcome.replayed:
                headers.append((b"Idempotency-Replayed", b"true"))
            status = 200
        else:
            refusal = as_refusal(outcome) if isinstance(outcome, Event) else outcome
            status = refusal.status
            _count(refusal)
            if exchange.head.accepts_json:
                content_type, body = _encoded(self._error(refusal, exchange), exchange.encoding)
            else:
                content_type, body = _HTML, _html(refusal)
            headers = [(b"Content-Type", content_type), *self._headers_of(refusal, exchange)]
            if refusal.status == 429 and (exchange.quota is None or exchange.quota.wait is None):
                # The limit of connections; one may end at any time.
                headers.append((b"Retry-After", b"1"))
        if exchange.quota is not None:
            headers += _quota_fields(exchange.quota)
        if exchange.head.request_id is not None:
            headers.append((b"X-Request-Id", exchange.head.request_id))
        return Answer(status, headers, body)

    def _headers_of(self, refusal: Refusal, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        if refusal.status == 405:
            return [(b"Allow", exchange.route.methods if exchange.route is not None else b"POST")]
        if refusal.status == 401:
            return [(b"WWW-Authenticate", b"Bearer")]
        if refusal.missing is not None:
            # RFC 6750, section 3.1
            scope = refusal.missing.encode("ascii", "replace")
            return [(b"WWW-Authenticate", b'Bearer error="insufficient_scope", scope="%b"' % scope)]
        if refusal.code == "unavailable":
            return [(b"Retry-After", self._retry_after)]
        if refusal.code in ("busy", "too_many_streams", "key_in_use"):
            return [(b"Retry-After", b"1")]
        return []

    def _connection_fields(self, exchange: Exchange, *, close: bool) -> bytes:
        # H2, H14, H15, H29
        if close:
            connection = b"Connection: close\r\n"
        elif exchange.head.minor == 0:
            connection = b"Connection: keep-alive\r\n" + self._keep_alive
        else:
            connection = self._keep_alive
        return b"Date: %b\r\n%b%b" % (self.date, self._fixed, connection)

    def _error(self, refusal: Refusal, exchange: Exchange) -> dict[str, KVValue]:
        members: dict[str, KVValue] = {"GSW_USER_EVENT": "Error", "GSW_ERROR": refusal.text}
        if exchange.reference is not None:
            members["GSW_REFERENCE_ID"] = exchange.reference
        handle = exchange.target.handle
        if handle is not None:
            members["GSW_RECORD_HANDLE"] = handle
        if refusal.missing is not None:
            members["GSW_MISSING_PERMISSION"] = refusal.missing
        if self._error_codes:
            members["GSW_ERROR_CODE"] = refusal.code
        if refusal.code in _ABOUT_REQ:
            members["GSW_ALLOWED_REQUESTS"] = list(allowed_requests(exchange.target))
        remedy = ERRORS[refusal.code].remedy
        if remedy:
            members["GSW_ERROR_HINT"] = remedy
        return members


def as_refusal(event: Event) -> Refusal:
    """Return an Error event of OCS as a refusal; its text comes with it, its status from the table (P75)."""
    code = event.code if event.code in ERRORS else "internal"
    refusal = Refusal(code or "internal")
    text = event.data.get("GSW_ERROR")
    if isinstance(text, str):
        refusal.text = text
    missing = event.data.get("GSW_MISSING_PERMISSION")
    if code == "forbidden" and isinstance(missing, str):
        refusal.missing = missing
    return refusal


def _count(refusal: Refusal) -> None:
    HTTP_REFUSALS.add(status=str(refusal.status), code=refusal.code)
    if refusal.code == "unauthorized":
        REFUSED_LOGINS.add(protocol="http")
    elif refusal.code == "invalid_text":
        TRANSCODING_ERRORS.add()


def _quota_fields(quota: Quota) -> list[tuple[bytes, bytes]]:
    """Return what a client may still send (draft-ietf-httpapi-ratelimit-headers-06), and when again."""
    fields = [
        (b"RateLimit-Limit", b"%d" % quota.limit),
        (b"RateLimit-Remaining", b"%d" % quota.remaining),
        (b"RateLimit-Reset", b"%d" % quota.reset),
    ]
    return fields if quota.wait is None else [*fields, (b"Retry-After", b"%d" % quota.wait)]


def _custom_field(name: str, value: str) -> tuple[bytes, bytes]:
    field = (name.encode("latin-1"), value.encode("latin-1"))
    if not is_field(*field):
        raise ValueError(f"{name} with its value is not a valid header field")
    return field


def _encoded(members: dict[str, KVValue], encoding: Encoding | None) -> tuple[bytes, bytes]:
    """Return the content type and the body of a JSON answer (H134, H135)."""
    body = _json.encode(members)
    if encoding is None:
        return _JSON_UTF8, body
    content_type = b"application/json; charset=" + encoding.name.encode("ascii")
    return content_type, encode_json(body.decode("utf-8"), encoding.codec)


def _html(refusal: Refusal) -> bytes:
    """H151: clients look for the one body element."""
    title = f"{refusal.status} {_reason(refusal.status).decode('ascii')}"
    page = f"<html><head><title>{title}</title></head><body>{escape(refusal.text)}</body></html>"
    return page.encode("utf-8")


# Those that differ from one version of Python to the next.
_REASONS = {413: b"Content Too Large", 414: b"URI Too Long", 422: b"Unprocessable Content"}


def _reason(status: int) -> bytes:
    return _REASONS.get(status) or HTTPStatus(status).phrase.encode("ascii")
