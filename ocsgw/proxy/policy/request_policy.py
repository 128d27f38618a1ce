"""The checks that need no OCS (http.md section 4): those that every route shares, and those of the classic surface."""

import time
from collections.abc import Callable

from ocsgw.access.keys import KeyMark, KeyRing
from ocsgw.access.limits import ClientUsage, tighter
from ocsgw.access.permissions import EVERYTHING, Permissions
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, HttpLimits, Settings
from ocsgw.proxy.http.exchange import Exchange, check_address
from ocsgw.proxy.http.grammar import Head, RequestLine, parse_idempotency_key
from ocsgw.proxy.policy.prepared import Prepared
from ocsgw.proxy.policy.spellings import spellings_with
from ocsgw.proxy.policy.target import parse_target
from ocsgw.proxy.translation.charset import (
    UTF8,
    codec_of_charset,
    decode_body,
    encoding_of_option,
    is_utf8_beyond_ascii,
)
from ocsgw.proxy.translation.in_one_pass import translator_for
from ocsgw.proxy.translation.jsonbody import read_utf8
from ocsgw.proxy.translation.translate import Unknown, reference_of, to_key_values


class RequestPolicy:
    """The checks, with the settings they depend on.

    `wall_clock` is in seconds since 1970 UTC, for keys that expire; `unknown` is what is done about members that a
    request does not know.

    Raises `LookupError` or `ValueError` for settings that cannot be used: an unknown encoding, an alias of nothing, a
    broken API key.
    """

    def __init__(
        self, settings: Settings, wall_clock: Callable[[], float] = time.time, unknown: Unknown | None = None
    ) -> None:
        self._unknown = unknown
        self.limits: HttpLimits = settings.limits
        self.encoding = encoding_of_option(settings.encoding)
        self._codec = self.encoding.codec if self.encoding is not None else None
        self._detect = settings.encoding_detect
        self._spellings = spellings_with(settings.aliases)
        self._wall_clock = wall_clock
        keys, certificates = settings.keys, settings.client_certificates
        self._keys = KeyRing([KeyMark(each.name, each.salt, each.hash, each.expires) for each in keys])
        # Subject of a certificate -> principal; None: every verified name is a principal.
        self._certificates = {each.subject: each.name for each in certificates} if certificates is not None else None
        self._permissions = {
            each.name: Permissions(frozenset(each.actions))
            for each in (*keys, *(certificates or ()))
            if each.actions is not None
        }
        listener = settings.listener
        tls = listener.tls if listener is not None else None
        self._certificate_suffices = tls is not None and tls.tls_mutual is not False
        self._anybody = not self._keys and self._certificates is None
        self._allow_anonymous = listener is not None and listener.allow_anonymous

    def check_line(self, line: RequestLine) -> None:
        """Raise `FramingError` for a target that is none (H56, H58): what a request line alone can be refused for."""
        if not _has_no_resource(line):
            parse_target(line.target, self._codec, self._spellings)

    def check_caller(self, exchange: Exchange, action: str) -> Refusal | None:
        """Return the refusal of a request whose principal may not do this, or is limited; its address was counted."""
        return self._check_caller(exchange) or self._check_action(exchange, action)

    def check_again(self, exchange: Exchange, action: str) -> Refusal | None:
        """Return the refusal that a request would get by now; nothing is counted."""
        return self._check_action(exchange, action) if self._authenticate(exchange) else Refusal("unauthorized")

    def check_client(self, exchange: Exchange) -> Refusal | None:
        """Return the refusal that the client earns, whatever it asks for: its limits, and who it is (H340 to H349)."""
        return check_address(exchange) or self._check_caller(exchange)

    def check_head(self, exchange: Exchange) -> Refusal | None:
        """Return the refusal that the head of a request to the classic surface earns (checks 2 to 8)."""
        line, head = exchange.line, exchange.head
        if exchange.usage is not None:
            refusal = check_address(exchange)
            if refusal is not None:
                return refusal
        if _has_no_resource(line):
            return Refusal("method_not_allowed")
        target = exchange.target = parse_target(line.target, self._codec, self._spellings)
        if target.resource is None:
            return Refusal("unknown_resource")
        if line.method != b"POST":
            return Refusal("method_not_allowed")
        if not self._anybody or exchange.certificate is not None or exchange.usage is not None:
            refusal = self._check_caller(exchange)
            if refusal is not None:
                return refusal
        request = target.request
        if request is None:
            return target.refusal
        if exchange.principal is not None:
            refusal = self._check_action(exchange, request.name)
            if refusal is not None:
                return refusal
        if head.idempotency_keys:
            try:
                exchange.idempotency_key = parse_idempotency_key(head.idempotency_keys)
            except Refusal as invalid:
                return invalid
        if head.bad_coding:
            return Refusal("unsupported_coding")
        if head.charset is not None and codec_of_charset(head.charset) is None:
            return Refusal("unsupported_charset")
        if head.bad_expectation:
            return Refusal("expectation_failed")
        return None

    def prepare(self, line: RequestLine, head: Head) -> Prepared | None:
        """Return what a head to the classic surface is good for, whatever the bodies and the callers of its requests.

        None: they take the usual way, where somebody is told what is wrong with them.
        """
        if line.method != b"POST" or head.bad_coding or head.bad_expectation:
            return None
        if (
            codec_of_charset(head.charset) if head.charset is not None else UTF8 if self._codec is None else None
        ) != UTF8:
            return None
        try:
            target = parse_target(line.target, self._codec, self._spellings)
            key = parse_idempotency_key(head.idempotency_keys)
        except Refusal:
            return None
        translator = translator_for(target, self.limits) if target.alias is None else None
        if translator is None:
            return None
        return Prepared(
            translator,
            target,
            key,
            is_judged=self._anybody,
            is_plain=head.minor == 1 and head.request_id is None and head.origin is None,
        )

    def _check_caller(self, exchange: Exchange) -> Refusal | None:
        """Settle whose request this is, and count it where principals are limited (check 4)."""
        if not self._authenticate(exchange):
            return Refusal("unauthorized")
        usage = exchange.usage
        if usage is not None and exchange.principal is not None and not _is_within_limits(exchange, usage):
            return Refusal("too_many_requests")
        return None

    def _check_action(self, exchange: Exchange, action: str) -> Refusal | None:
        permissions = (
            EVERYTHING if exchange.principal is None else self._permissions.get(exchange.principal, EVERYTHING)
        )
        missing = permissions.missing_for_action(action)
        return Refusal("forbidden", missing=missing) if missing is not None else None

    def read_body(self, exchange: Exchange, body: bytes) -> KV:
        """Return the key-values of an admitted request. Raises `Refusal` (checks 10 to 12)."""
        if exchange.encoding is not None or exchange.head.charset is not None:
            body = self._in_utf8(exchange, body)
        members = read_utf8(body, self.limits.json_depth, self.limits.json_members)
        if "GSW_REFERENCE_ID" in members:
            exchange.reference = reference_of(members)
        return to_key_values(exchange.target, members, self._unknown)

    def _in_utf8(self, exchange: Exchange, body: bytes) -> bytes:
        """Return the body in UTF-8 and settle the encoding of the answer (H131 to H134)."""
        charset, encoding = exchange.head.charset, exchange.encoding
        if charset is not None:
            codec, shown = codec_of_charset(charset) or UTF8, charset
        elif encoding is None or (self._detect and is_utf8_beyond_ascii(body)):
            codec, shown = UTF8, UTF8
        else:
            codec, shown = encoding.codec, encoding.name
        if codec == UTF8:
            exchange.encoding = None
            return body
        return decode_body(body, codec, shown).encode(UTF8)

    def _authenticate(self, exchange: Exchange) -> bool:
        """Settle whose request this is. False: nobody vouches for the caller (H340 to H345)."""
        certificate = exchange.certificate or None
        if self._certificates is not None:
            certificate = self._certificates.get(certificate or "")
        if self._anybody:
            exchange.principal = certificate
            return True
        authorization = exchange.head.authorization
        exchange.principal = self._keys.owner_of(authorization, self._wall_clock())
        if exchange.principal is None and self._certificate_suffices:
            exchange.principal = certificate
        return exchange.principal is not None or (self._allow_anonymous and authorization is None)


def _has_no_resource(line: RequestLine) -> bool:
    """Whether a request names nothing that could be a resource: a tunnel, or the server as a whole (H71)."""
    return line.method == b"CONNECT" or (line.target == b"*" and line.method == b"OPTIONS")


def _is_within_limits(exchange: Exchange, usage: ClientUsage) -> bool:
    """Count a request of a principal, and its connection; settle what the limits leave."""
    principal = exchange.principal or ""
    if not usage.identify(principal):
        exchange.close = True
        return False
    exchange.quota = tighter(exchange.quota, usage.request_of(principal))
    return exchange.quota is None or exchange.quota.wait is None
