"""One HTTP request on its way through HTTP Proxy, and the one judgement that every route shares.

The fast lane and the resource tree both ask `Judge`; so they cannot differ.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from ocsgw.protocol.attributes import Value
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event, HttpLimits, KeySettings, Settings
from ocsgw.proxy.charset import decode_body, is_utf8_beyond_ascii, known_codec
from ocsgw.proxy.grammar import Head, RequestLine, parse_idempotency_key
from ocsgw.proxy.jsonbody import read_utf8
from ocsgw.proxy.target import Target, parse_target
from ocsgw.proxy.translate import reference_of, to_key_values

_UTF8 = "utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header fields and body of an answer; the connection adds its own fields.

    `framed` says that the fields already tell where the body ends.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    framed: bool = False


# How a call ends: with an event of OCS, with a refusal, or with what the resource tree has made.
Outcome = Event | Refusal | Answer


class Call:
    """A request: what its head says, what the checks have found so far, and in the end its outcome.

    `peer` is the address of the client. `certificate` is the verified name of its certificate, None without one.
    `codec` is the encoding of the answer, None for UTF-8. `close` is true for the last call of a connection.
    """

    __slots__ = (
        "certificate",
        "close",
        "codec",
        "head",
        "idempotency_key",
        "line",
        "outcome",
        "peer",
        "principal",
        "reference",
        "target",
    )

    def __init__(self, line: RequestLine, head: Head, peer: str, certificate: str | None = None) -> None:
        self.line = line
        self.head = head
        self.peer = peer
        self.certificate = certificate
        self.close = not head.keep_alive
        self.target: Target = _UNKNOWN
        self.principal: str | None = None
        self.idempotency_key: str | None = None
        self.reference: Value | None = None
        self.codec: str | None = None
        self.outcome: Outcome | None = None

    @classmethod
    def unreadable(cls, peer: str) -> "Call":
        """Return a call for bytes that are no request, so that they get an answer too."""
        return cls(_NO_LINE, _NO_HEAD, peer)


_UNKNOWN = Target(None)
_NO_LINE = RequestLine(b"", b"", 1)
_NO_HEAD = Head(minor=1, keep_alive=False)


class Judge:
    """The checks of http.md section 4 that need no OCS, with the settings they depend on."""

    def __init__(self, settings: Settings) -> None:
        self.limits: HttpLimits = settings.limits
        self.encoding = settings.encoding
        self._codec = known_codec(settings.encoding) if settings.encoding is not None else None
        self._detect = settings.encoding_detect
        self._keys: Sequence[KeySettings] = settings.keys
        self._actions = {key.name: key.actions for key in settings.keys}
        tls = settings.listener.tls if settings.listener is not None else None
        self._certificate_suffices = tls is not None and tls.tls_mutual is not False

    def judge_head(self, call: Call) -> Refusal | None:
        """Return the refusal that the head earns, None if it is admitted (checks 2 to 8, and H56 of check 1).

        Raises `FramingError` for a target that is no target.
        """
        line, head = call.line, call.head
        if line.target == b"*" and line.method == b"OPTIONS":
            return Refusal("method_not_allowed")
        if line.method == b"CONNECT":
            return Refusal("method_not_allowed")
        target = call.target = parse_target(line.target, self._codec)
        call.codec = self._codec
        if target.resource is None:
            return Refusal("unknown_resource")
        if line.method != b"POST":
            return Refusal("method_not_allowed")
        call.principal = call.certificate
        if self._keys:
            call.principal = self._authenticate(head.authorization, call.certificate)
            if call.principal is None:
                return Refusal("unauthorized")
        request = target.request
        if request is None:
            return target.refusal
        if call.principal is not None:
            actions = self._actions.get(call.principal)
            if actions is not None and request.name not in actions:
                return Refusal("forbidden")
        if head.idempotency_keys:
            try:
                call.idempotency_key = parse_idempotency_key(head.idempotency_keys)
            except Refusal as refusal:
                return refusal
        if head.bad_coding:
            return Refusal("unsupported_coding")
        if head.charset is not None and known_codec(head.charset) is None:
            return Refusal("unsupported_charset")
        if head.bad_expectation:
            return Refusal("expectation_failed")
        return None

    def read_body(self, call: Call, body: bytes) -> KV:
        """Return the key-values of an admitted call. Raises `Refusal` (checks 10 to 12)."""
        utf8 = self._in_utf8(call, body) if call.codec is not None or call.head.charset is not None else body
        members = read_utf8(utf8, self.limits.json_depth, self.limits.json_members)
        if "GSW_REFERENCE_ID" in members:
            call.reference = reference_of(members)
        return to_key_values(call.target, members)

    def _in_utf8(self, call: Call, body: bytes) -> bytes:
        """Return the body in UTF-8 and settle the encoding of the answer (H131 to H134)."""
        charset = call.head.charset
        if charset is not None:
            codec, shown = known_codec(charset) or _UTF8, charset
        elif self._codec is None or (self._detect and is_utf8_beyond_ascii(body)):
            codec, shown = _UTF8, "UTF-8"
        else:
            codec, shown = self._codec, self.encoding or ""
        if codec == _UTF8:
            call.codec = None
            return body
        return decode_body(body, codec, shown).encode(_UTF8)

    def _authenticate(self, authorization: bytes | None, certificate: str | None) -> str | None:
        """Return the principal, None if nobody vouches for the caller (H342 to H344)."""
        scheme, _, credentials = (authorization or b"").partition(b" ")
        principal = None
        if scheme.lower() == b"bearer":
            digest = hashlib.sha256(credentials.strip(b" ")).digest()
            for key in self._keys:
                salted = hashlib.sha256(bytes.fromhex(key.salt) + digest).hexdigest()
                if hmac.compare_digest(salted, key.hash):
                    principal = key.name
        if principal is None and certificate is not None and self._certificate_suffices:
            return certificate
        return principal
