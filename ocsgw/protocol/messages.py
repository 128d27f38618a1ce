"""The messages of the OCS wire protocol and their MessagePack form (protocol.md sections 5, 7 and 8)."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ocsgw.protocol import strict
from ocsgw.protocol.client_settings import ClientSettings
from ocsgw.protocol.frames import frame
from ocsgw.protocol.message_parts import AccessLogSettings, CounterChange, HistogramChange
from ocsgw.protocol.requests import ClientKind

# A value of a key-value list. Booleans and nil are allowed on the wire and mean 1, 0 and absence.
KVValue = int | str | bool | list[object] | dict[str, object] | None
KV = dict[str, KVValue]

VERSION = 1
MAX_REF = 2**53 - 1

# Judged when a message is decoded: P70, and P62 for an integer that stands for itself.
Ref = Annotated[int, msgspec.Meta(ge=1, le=MAX_REF)]
Int64 = Annotated[int, msgspec.Meta(le=2**63 - 1)]
# Requests and events may hold any key-values. What is decoded at once, without a second look, has no lists in it.
if TYPE_CHECKING:
    FlatKV = KV
    OptionalInt64 = int | None
else:
    FlatKV = dict[str, Int64 | str | bool | None]
    OptionalInt64 = Int64 | None

ByeCode = Literal[
    "done",
    "version",
    "refused",
    "unauthorized",
    "not_primary",
    "port",
    "settings",
    "protocol_error",
    "timeout",
    "overflow",
    "internal",
]
LogLevel = Literal["debug", "trace", "info", "warning", "error"]
Purpose = Literal["validation", "campaign_group_state", "history", "contact_processed"]


class Message(msgspec.Struct, tag_field="kind", omit_defaults=True, kw_only=True):
    """Any message; its `kind` is the tag of the class."""


class Hello(Message, tag="hello"):
    """First message of a client. `agent_id` is mandatory for a desktop, `pid` is the child's."""

    versions: list[int]
    client: ClientKind
    agent_id: str | None = None
    name: str | None = None
    software: str | None = None
    tenant: str | None = None
    key: str | None = None
    pid: int | None = None


class WireLimits(msgspec.Struct, kw_only=True):
    """Limits that OCS gives its client: bytes, requests, milliseconds."""

    frame: int
    in_flight: int
    heartbeat_ms: int


class Welcome(Message, tag="welcome"):
    """Answer of OCS to `hello`."""

    version: int
    application_id: int
    application: str
    session: int
    limits: WireLimits


class CertificateSettings(msgspec.Struct, kw_only=True):
    """A certificate with its chain and its private key, as PEM text."""

    certificate: str
    certificate_key: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"  # a key must not get into a log


class TlsSettings(CertificateSettings, kw_only=True, omit_defaults=True):
    """TLS of a listener; certificates, key, authorities and revocation list as PEM text.

    `certificates` are further ones, chosen by the name that a client asks for.
    """

    certificates: list[CertificateSettings] = msgspec.field(default_factory=list)
    trusted_ca: str | None = None
    tls_crl: str | None = None
    tls_mutual: bool | Literal["optional"] = False
    sec_protocol: list[str] = msgspec.field(default_factory=lambda: ["TLSv12", "TLSv13"])
    cipher_list: str | None = None
    tls_target_name_check: Literal["no", "host"] = "no"
    client_names: list[str] = msgspec.field(default_factory=list)
    verify_depth: int = 3


class ListenerSettings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The HTTP port that a proxy opens, and how it names itself in `GSW_RECORD_URI`."""

    id: str
    interface: str
    port: int
    public_host: str
    backlog: int = 1024
    allow_anonymous: bool = False
    cors_origins: list[str] = []
    shared: bool = False
    """Whether several proxies of OCS serve this port."""
    descriptor: int | None = None
    """The listening socket of the proxy that is replaced, inherited."""
    tls: TlsSettings | None = None


class KeySettings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An API key: `hash` is the hexadecimal SHA-256 over the salt and the SHA-256 of the key.

    `expires` is in seconds since 1970 UTC.
    """

    name: str
    salt: str
    hash: str
    actions: list[str] | None = None
    tenants: list[str] | None = None
    expires: int | None = None


class ClientCertificateSettings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A client certificate that is admitted: its subject (RFC 4514), and whose it is."""

    subject: str
    name: str
    actions: list[str] | None = None


class HttpLimits(msgspec.Struct, kw_only=True):
    """The part of `[limits]` that concerns HTTP: bytes, counts, milliseconds (http.md section 2)."""

    body: int = 1 << 20
    request_line: int = 8 << 10
    header_block: int = 64 << 10
    headers: int = 100
    json_depth: int = 32
    json_members: int = 2000
    header_timeout_ms: int = 10_000
    body_timeout_ms: int = 30_000
    idle_timeout_ms: int = 75_000
    write_timeout_ms: int = 30_000
    request_timeout_ms: int = 30_000
    connections: int = 10_000
    in_flight: int = 1024
    pipeline: int = 64
    event_streams: int = 1000
    drain: int = 256 << 10
    buffered: int = 256 << 20
    drain_timeout_ms: int = 10_000
    address_rate: int = 0
    address_burst: int = 0
    address_connections: int = 0
    principal_rate: int = 0
    principal_burst: int = 0
    principal_connections: int = 0
    remembered_addresses: int = 10_000


class AliasSettings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A site's own spellings of requests and resource types, each with its canonical name."""

    requests: dict[str, str] = msgspec.field(default_factory=dict)
    resources: dict[str, str] = msgspec.field(default_factory=dict)


class Settings(Message, tag="settings"):
    """Everything that an HTTP Proxy works with (protocol.md section 7)."""

    listener: ListenerSettings | None
    encoding: str | None
    encoding_detect: bool
    http_custom_headers: list[tuple[str, str]]
    keys: list[KeySettings]
    limits: HttpLimits
    client: ClientSettings | None
    error_codes: bool
    log_level: LogLevel
    retry_after: int
    aliases: AliasSettings
    client_certificates: list[ClientCertificateSettings] | None = None
    strict: bool = False
    access_log: AccessLogSettings | None = None
    """None: there is none."""
    notifications: ClientSettings | None = None
    """Outgoing HTTP of everything but validation; `client` is that of validation."""
    generation: int = 0
    """Counts the settings of a proxy upwards."""


class Ready(Message, tag="ready"):
    """HTTP Proxy has opened its port; 0 without a listener."""

    port: int
    interface: str


class Request(Message, tag="request"):
    """A request to OCS. `deadline_ms` is the time left when it is sent (P74)."""

    ref: Ref
    data: FlatKV
    deadline_ms: OptionalInt64 = None
    idempotency_key: str | None = None
    principal: str | None = None
    request_id: str | None = None
    peer: str | None = None


class Event(Message, tag="event"):
    """An event of OCS: a reply has the `ref` of its request, an unsolicited one has none."""

    data: FlatKV
    ref: Ref | None = None
    more: bool = False
    code: str | None = None
    replayed: bool = False


class LogLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of a child's log; `time` is in microseconds since 1970 UTC."""

    time: int
    level: LogLevel
    id: int
    text: str
    fields: dict[str, object] = msgspec.field(default_factory=dict)


class Log(Message, tag="log"):
    """Lines of HTTP Proxy for the log of OCS; `dropped` counts those that were lost before them."""

    lines: list[LogLine]
    dropped: int = 0


class AccessLines(Message, tag="access"):
    """`count` whole lines of the access log in one text; `dropped` counts those that were lost before them."""

    text: str
    count: int
    dropped: int = 0


class Stats(Message, tag="stats"):
    """What the counters of HTTP Proxy have counted since its last message of this kind."""

    counters: list[CounterChange]
    histograms: list[HistogramChange] = msgspec.field(default_factory=list)


class Ping(Message, tag="ping"):
    """Asks for a `pong` with the same `ref`."""

    ref: Ref


class Pong(Message, tag="pong"):
    """Answers a `ping`."""

    ref: Ref


class Validate(Message, tag="validate"):
    """An outgoing call that HTTP Proxy is to make (protocol.md section 8)."""

    ref: Ref
    purpose: Purpose
    uri: str
    data: KV
    timeout_ms: int


class Verdict(Message, tag="verdict"):
    """The outcome of an outgoing call."""

    ref: Ref
    outcome: Literal["positive", "negative", "failed"]
    status: int | None
    data: KV
    reason: Literal["timeout", "connect", "tls", "status", "protocol"] | None = None
    text: str | None = None
    """What has failed, in words for the log."""


# The reason of a `drain` that does not end the service: another proxy has taken the port over.
RENEWAL = "renewal"


class Drain(Message, tag="drain"):
    """The receiver takes no new work, ends what is open, and leaves (P91)."""

    timeout_ms: int
    reason: str | None = None


class Port(Message, tag="port"):
    """OCS asks for the listening socket; HTTP Proxy answers with the same, and the socket as ancillary data."""


class News(Message, tag="news"):
    """HTTP Proxy asks to be told when the outbox has grown; OCS says so once with the same, and is asked again."""


class Bye(Message, tag="bye"):
    """The last message of a connection."""

    code: ByeCode
    text: str | None = None


class MessageError(Exception):
    """A payload is not a message of this protocol (P61 to P66)."""


class _RawRequest(Message, tag="request"):
    ref: Ref
    data: Raw
    deadline_ms: Int64 | None | UnsetType = UNSET
    idempotency_key: str | None | UnsetType = UNSET
    principal: str | None | UnsetType = UNSET
    request_id: str | None | UnsetType = UNSET
    peer: str | None | UnsetType = UNSET


class _RawEvent(Message, tag="event"):
    data: Raw
    ref: Ref | None | UnsetType = UNSET
    more: bool | UnsetType = UNSET
    code: str | None | UnsetType = UNSET
    replayed: bool | UnsetType = UNSET


_OF_PROXIES = Hello | Ready | Log | AccessLines | Stats | Verdict
_OTHERS = _OF_PROXIES | Welcome | Settings | Ping | Pong | Validate | Drain | Port | News | Bye
T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_flat = msgspec.msgpack.Decoder(Request | Event)
_messages = msgspec.msgpack.Decoder(_RawRequest | _RawEvent | _OTHERS)
_scalars = msgspec.msgpack.Decoder(dict[str, Int64 | str | bool | None])
# How requests and events begin behind the size of their map, as `encode` writes them, and how long an integer is.
_REQUEST_BEGINS = b"\xa4kind\xa7request\xa3ref"
_DATA_BEGINS = b"\xa4data"
_EVENT_BEGINS = b"\xa4kind\xa5event\xa4data"
_WIDTHS = {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9}
_key_values = msgspec.msgpack.Decoder(dict[str, int | str | bool | list[object] | dict[str, object] | None])


def encode(message: Message) -> bytes:
    """Return `message` as a frame."""
    return frame(_encoder.encode(message))


def payload_of(message: Message) -> bytes:
    """Return the MessagePack payload of `message`, without a frame."""
    return _encoder.encode(message)


def decode(payload: bytes) -> Message:
    """Return the message in `payload`. Raises `MessageError` for everything that breaks P61 to P63 or section 5."""
    try:
        flat: Request | Event = _flat.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Another kind, lists in it, or a breach.
        return _decode_strictly(payload)
    return flat if _hides_nothing(flat, payload) else _decode_strictly(payload)


def _hides_nothing(message: Request | Event, payload: bytes) -> bool:
    """Whether a message has all pairs of its payload, in the form that `encode` writes: none twice, none unknown."""
    if message.__class__ is Request:
        if payload[1:18] != _REQUEST_BEGINS:
            return False
        optional = (
            message.deadline_ms,
            message.idempotency_key,
            message.principal,
            message.request_id,
            message.peer,
        )
        at = 18 + _WIDTHS.get(payload[18], 1)
        return (
            payload[0] == 0x88 - optional.count(None)
            and payload[at : at + 5] == _DATA_BEGINS
            and _map_size(payload[at + 5 : at + 10]) == len(message.data)
        )
    return (
        payload[1:17] == _EVENT_BEGINS
        and payload[0]
        == 0x82
        + (message.ref is not None)
        + (message.more is True)  # type: ignore[union-attr]  # it is an event
        + (message.code is not None)  # type: ignore[union-attr]  # as above
        + (message.replayed is True)  # type: ignore[union-attr]  # as above
        and _map_size(payload[17:22]) == len(message.data)
    )


def _decode_strictly(payload: bytes) -> Message:
    try:
        message: Message = _messages.decode(payload)
        if isinstance(message, _RawRequest):
            return _request(message, payload)
        if isinstance(message, _RawEvent):
            return _event(message, payload)
        strict.check(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MessageError(str(error)) from None
    return message


def _request(raw: _RawRequest, payload: bytes) -> Request:
    optional = (raw.deadline_ms, raw.idempotency_key, raw.principal, raw.request_id, raw.peer)
    return Request(
        ref=raw.ref,
        data=_data(raw.data, payload, 3 + len(optional) - optional.count(UNSET)),
        deadline_ms=_given(raw.deadline_ms),
        idempotency_key=_given(raw.idempotency_key),
        principal=_given(raw.principal),
        request_id=_given(raw.request_id),
        peer=_given(raw.peer),
    )


def _event(raw: _RawEvent, payload: bytes) -> Event:
    optional = (raw.ref, raw.more, raw.code, raw.replayed)
    return Event(
        data=_data(raw.data, payload, 2 + len(optional) - optional.count(UNSET)),
        ref=_given(raw.ref),
        more=raw.more is True,
        code=_given(raw.code),
        replayed=raw.replayed is True,
    )


def _given(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value


def _data(raw: Raw, payload: bytes, known_keys: int) -> KV:
    """Decode the key-values; ask the strict reader only when something may hide from the fast one."""
    data: KV
    try:
        data = _scalars.decode(raw)  # type: ignore[assignment]  # its values are a part of KVValue
        plain = _map_size(payload) == known_keys and _map_size(memoryview(raw)) == len(data)
    except msgspec.ValidationError:
        data = _key_values.decode(raw)
        # What `encode` writes the same way hides nothing; long lists of records would take the strict reader too long.
        plain = _map_size(payload) == known_keys and _encoder.encode(data) == memoryview(raw)
        if plain:
            strict.check_values(data)
    if not plain:
        strict.check(payload)
    return data


def _map_size(payload: bytes | memoryview) -> int:
    first = payload[0]
    if 0x80 <= first <= 0x8F:
        return first & 0x0F
    width = 2 if first == 0xDE else 4
    return int.from_bytes(payload[1 : 1 + width], "big")
