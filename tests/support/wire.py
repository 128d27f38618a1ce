"""MessagePack by hand, so that tests can write what no encoder would, and one sample of every message."""

import struct
from collections.abc import Iterable

import msgspec

from ocsgw.protocol.frames import frame
from ocsgw.protocol.message_parts import CounterChange, HistogramChange
from ocsgw.protocol.messages import (
    AccessLines,
    Bye,
    Drain,
    Event,
    Hello,
    Log,
    LogLine,
    Message,
    Ping,
    Pong,
    Ready,
    Request,
    Stats,
    Validate,
    Verdict,
    Welcome,
    WireLimits,
)
from tests.support.settings import make_settings

NIL = b"\xc0"


def packed(value: object) -> bytes:
    """Return a plain value in the shortest form of MessagePack."""
    return msgspec.msgpack.encode(value)


def packed_map(*pairs: tuple[object, bytes], width: int = 0) -> bytes:
    """Return a map of keys to values that are packed already; a key may be packed too.

    `width` is the number of bytes of the size, 0 for the short form.
    """
    head = _head(len(pairs), 0x80, {2: 0xDE, 4: 0xDF}, width)
    return head + b"".join((key if isinstance(key, bytes) else packed(key)) + value for key, value in pairs)


def packed_array(*values: bytes, width: int = 0) -> bytes:
    """Return an array of values that are packed already."""
    return _head(len(values), 0x90, {2: 0xDC, 4: 0xDD}, width) + b"".join(values)


def packed_text(text: str | bytes, width: int = 0) -> bytes:
    """Return a string, of any bytes."""
    raw = text.encode() if isinstance(text, str) else text
    return _head(len(raw), 0xA0, {1: 0xD9, 2: 0xDA, 4: 0xDB}, width) + raw


def packed_integer(number: int, form: str, first: int) -> bytes:
    """Return an integer after a type byte, in a form of `struct`."""
    return bytes((first,)) + struct.pack(">" + form, number)


def _head(size: int, short: int, long: dict[int, int], width: int) -> bytes:
    if width == 0:
        return bytes((short + size,))
    return bytes((long[width],)) + size.to_bytes(width, "big")


def message_map(kind: str, *pairs: tuple[object, bytes]) -> bytes:
    """Return the payload of a message."""
    return packed_map(("kind", packed(kind)), *pairs)


def nested(depth: int) -> bytes:
    """Return an array that goes `depth` arrays deep."""
    return b"\x91" * (depth - 1) + b"\x90"


def framed(payloads: Iterable[bytes]) -> bytes:
    """Return payloads as one stream."""
    return b"".join(map(frame, payloads))


WELCOME = Welcome(
    version=1,
    application_id=134,
    application="OCS",
    session=7,
    limits=WireLimits(frame=2 << 20, in_flight=1024, heartbeat_ms=3000),
)

# One message of every kind with everything that it may have, and one with what it must have.
SAMPLES: tuple[Message, ...] = (
    Hello(versions=[1], client="http_proxy"),
    Hello(
        versions=[3, 1],
        client="desktop",
        agent_id="agent1",
        name="Desk",
        software="x 1",
        tenant="Environment",
        key="secret",
        pid=17,
    ),
    WELCOME,
    make_settings(),
    make_settings(encoding="windows-1252", http_custom_headers=[("A", "b")], listener=None, error_codes=True),
    Ready(port=8080, interface="127.0.0.1"),
    Request(ref=1, data={}),
    Request(
        ref=2**53 - 1,
        data={
            "GSW_AGENT_REQ_TYPE": "AddRecord",
            "GSW_CALLING_LIST": "Liste été",
            "n": -(2**63),
            "list": [1, {"a": []}],
        },
        deadline_ms=30000,
        idempotency_key="k",
        principal="p",
        request_id="r",
        peer="127.0.0.1",
    ),
    Event(data={"GSW_USER_EVENT": "CampaignLoaded"}),
    Event(ref=5, data={"GSW_USER_EVENT": "Error", "n": 2**63 - 1}, more=True, code="busy", replayed=True),
    Log(lines=[]),
    AccessLines(text="a\n", count=1, dropped=2),
    Log(lines=[LogLine(time=1, level="info", id=93002, text="\u2028", fields={"a": 1})], dropped=3),
    Stats(counters=[]),
    Stats(
        counters=[CounterChange(name="a_total", labels=["x", "y"], value=-1)],
        histograms=[HistogramChange(name="b_seconds", labels=["x"], buckets=[0, 2**40], micro=3)],
    ),
    Ping(ref=1),
    Pong(ref=2**53 - 1),
    Validate(ref=9, purpose="validation", uri="http://rules.example/", data={"GSW_PHONE": "1"}, timeout_ms=10),
    Verdict(ref=9, outcome="positive", status=200, data={}),
    Verdict(ref=9, outcome="failed", status=None, data={"a": None}, reason="tls"),
    Drain(timeout_ms=10000),
    Drain(timeout_ms=0, reason="stop"),
    Bye(code="done"),
    Bye(code="protocol_error", text="why"),
)
