"""Messages (protocol.md sections 4, 5 and 8): every kind there and back, and every breach refused."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.frames import frame
from ocsgw.protocol.messages import KVValue, Message, MessageError, Ping, Request, Settings, decode, encode, payload_of
from tests.support.wire import (
    NIL,
    SAMPLES,
    message_map,
    nested,
    packed,
    packed_array,
    packed_integer,
    packed_map,
    packed_text,
)

ONE = packed(1)
PING = ("ref", ONE)


def request_with(*pairs: tuple[object, bytes]) -> bytes:
    return message_map("request", ("ref", ONE), ("data", packed_map(*pairs)))


def request_and(*pairs: tuple[object, bytes]) -> bytes:
    return message_map("request", ("ref", ONE), ("data", packed_map()), *pairs)


# Everything that P61 and P62 forbid as a value, wherever it stands.
FORBIDDEN_VALUES = {
    "bin8": b"\xc4\x01a",
    "bin16": b"\xc5\x00\x01a",
    "bin32": b"\xc6\x00\x00\x00\x01a",
    "float32": b"\xca\x3f\x80\x00\x00",
    "float64": b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
    "fixext1": b"\xd4\x05x",
    "fixext2": b"\xd5\x05xx",
    "fixext4": b"\xd6\x05xxxx",
    "fixext8": b"\xd7\x05xxxxxxxx",
    "fixext16": b"\xd8\x05" + b"x" * 16,
    "ext8": b"\xc7\x01\x05x",
    "ext16": b"\xc8\x00\x01\x05x",
    "ext32": b"\xc9\x00\x00\x00\x01\x05x",
    "timestamp32": b"\xd6\xff\x00\x00\x00\x01",
    "timestamp64": b"\xd7\xff\x00\x00\x00\x01\x00\x00\x00\x01",
    "timestamp96": b"\xc7\x0c\xff" + b"\x00" * 12,
    "never used": b"\xc1",
    "2^63": packed_integer(2**63, "Q", 0xCF),
    "2^64-1": packed_integer(2**64 - 1, "Q", 0xCF),
    "not UTF-8": packed_text(b"\xff"),
    "half a character": packed_text(b"\xc3"),
    "surrogate in UTF-8": packed_text(b"\xed\xa0\x80"),
    "overlong UTF-8": packed_text(b"\xc0\x80"),
    "integer as key": packed_map((ONE, ONE)),
    "nil as key": packed_map((NIL, ONE)),
    "bin as key": packed_map((b"\xc4\x01a", ONE)),
    "array as key": packed_map((packed([]), ONE)),
    "key not UTF-8": packed_map((packed_text(b"\xff"), ONE)),
    "equal keys": packed_map(("a", ONE), ("a", ONE)),
    "equal keys of other widths": packed_map(("a", ONE), (packed_text("a", 1), ONE)),
    "equal keys, not neighbours": packed_map(("a", ONE), ("b", ONE), ("a", packed(2))),
    "cut off": b"\xa5abc",
    "array that claims 2^32-1 values": b"\xdd\xff\xff\xff\xff",
    "map that claims 2^32-1 pairs": b"\xdf\xff\xff\xff\xff",
    "string that claims 2^32-1 bytes": b"\xdb\xff\xff\xff\xff",
}

# Wrong types and missing keys of known keys (P66): kind -> key -> a wrong value.
WRONG_KEYS: dict[str, dict[str, object]] = {
    "hello": {"versions": "1", "client": "toaster", "agent_id": 1, "name": 1, "software": [], "tenant": {}, "key": 1},
    "welcome": {"version": "1", "application_id": True, "application": 1, "session": None, "limits": []},
    "settings": {
        "listener": "x",
        "encoding": 1,
        "encoding_detect": 1,
        "http_custom_headers": [["a"]],
        "keys": {},
        "limits": None,
        "client": 1,
        "error_codes": "no",
        "log_level": "loud",
        "retry_after": "1",
        "aliases": [],
    },
    "ready": {"port": "8080", "interface": None},
    "request": {"ref": "1", "data": [], "deadline_ms": "1", "idempotency_key": 1, "principal": 1, "request_id": 1},
    "event": {"data": "x", "ref": "1", "more": 1, "code": 1, "replayed": "true"},
    "log": {"lines": [{"time": 1}], "dropped": "1"},
    "access": {"text": 1, "count": "2", "dropped": None},
    "stats": {"counters": [{"name": "x"}], "histograms": {}},
    "ping": {"ref": None},
    "pong": {"ref": []},
    "validate": {"ref": "1", "purpose": "fun", "uri": 1, "data": [], "timeout_ms": "1"},
    "verdict": {"ref": "1", "outcome": "maybe", "status": "200", "data": [], "reason": "mood"},
    "drain": {"timeout_ms": "1", "reason": 1},
    "bye": {"code": "ciao", "text": 1},
}
MANDATORY: dict[str, set[str]] = {
    "hello": {"versions", "client"},
    "welcome": {"version", "application_id", "application", "session", "limits"},
    "settings": set(WRONG_KEYS["settings"]),
    "ready": {"port", "interface"},
    "request": {"ref", "data"},
    "event": {"data"},
    "log": {"lines"},
    "access": {"text", "count"},
    "stats": {"counters"},
    "ping": {"ref"},
    "pong": {"ref"},
    "validate": {"ref", "purpose", "uri", "data", "timeout_ms"},
    "verdict": {"ref", "outcome", "status", "data"},
    "drain": {"timeout_ms"},
    "bye": {"code"},
}


def kind_of(message: Message) -> str:
    return str(type(message).__struct_config__.tag)


def fullest(kind: str) -> dict[str, object]:
    """Return the sample of a kind with the most keys, as plain data."""
    plain = [msgspec.msgpack.decode(payload_of(sample)) for sample in SAMPLES if kind_of(sample) == kind]
    most: dict[str, object] = max(plain, key=len)
    return most


class RoundTripTests(SynchronousTestCase):
    """Section 5: what one side encodes the other side decodes."""

    def test_every_kind(self) -> None:
        """Section 5: every message comes back equal, and every kind of the table has a sample."""
        for sample in SAMPLES:
            self.assertEqual(decode(payload_of(sample)), sample)
            self.assertEqual(encode(sample), frame(payload_of(sample)))
        self.assertEqual({kind_of(sample) for sample in SAMPLES}, set(MANDATORY))

    def test_kind_stands_in_the_map(self) -> None:
        """Section 5: every message is a map with `kind`; optional keys without a value are absent."""
        self.assertEqual(msgspec.msgpack.decode(payload_of(Ping(ref=3))), {"kind": "ping", "ref": 3})
        self.assertEqual(
            msgspec.msgpack.decode(payload_of(Request(ref=3, data={"a": 1}))),
            {"kind": "request", "ref": 3, "data": {"a": 1}},
        )

    def test_any_width(self) -> None:
        """P63: integers, strings, arrays and maps may be written wider than need be."""
        for integer in (
            packed_integer(7, "B", 0xCC),
            packed_integer(7, "H", 0xCD),
            packed_integer(7, "I", 0xCE),
            packed_integer(7, "Q", 0xCF),
            packed_integer(7, "b", 0xD0),
            packed_integer(7, "h", 0xD1),
            packed_integer(7, "i", 0xD2),
            packed_integer(7, "q", 0xD3),
        ):
            self.assertEqual(decode(message_map("ping", ("ref", integer))), Ping(ref=7))
        for width in (2, 4):
            data = packed_map(
                (packed_text("k", width), packed_array(packed_text("v", width), width=width)), width=width
            )
            payload = packed_map(
                (packed_text("kind", 1), packed_text("request", width)),
                (packed_text("ref", 1), ONE),
                (packed_text("data", 4), data),
                width=width,
            )
            self.assertEqual(decode(payload), Request(ref=1, data={"k": ["v"]}))

    def test_order_of_keys_is_free(self) -> None:
        """P62: a map has no order; `kind` may come last."""
        payload = packed_map(("ref", ONE), ("data", packed_map(("a", NIL))), ("kind", packed("request")))
        self.assertEqual(decode(payload), Request(ref=1, data={"a": None}))

    def test_64_bits_signed(self) -> None:
        """P62: integers reach from -2^63 to 2^63-1."""
        data: dict[str, KVValue] = {"low": -(2**63), "high": 2**63 - 1, "list": [-(2**63), 2**63 - 1]}
        self.assertEqual(decode(payload_of(Request(ref=1, data=data))), Request(ref=1, data=data))

    def test_unknown_keys_are_ignored(self) -> None:
        """Section 5: keys that the receiver does not know are ignored, in every kind and in maps inside."""
        for kind in MANDATORY:
            plain = fullest(kind)
            more = {"later": [1, {"x": None}], **plain, "z": "z"}
            self.assertEqual(decode(packed(more)), decode(packed(plain)), kind)
        limits = {"frame": 1, "in_flight": 1, "heartbeat_ms": 1}
        welcome = {"kind": "welcome", "version": 1, "application_id": 1, "application": "a", "session": 1}
        self.assertEqual(
            decode(packed({**welcome, "limits": {**limits, "later": 1}})), decode(packed({**welcome, "limits": limits}))
        )

    @given(
        st.dictionaries(
            st.text(),
            st.recursive(
                st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                max_leaves=8,
            ),
            max_size=8,
        )
    )
    def test_any_key_values(self, data: dict[str, KVValue]) -> None:
        """P62: any key-values come through, unless they are nested too deep (P63)."""
        message = Request(ref=1, data=data)
        if depth_of(data) <= 7:
            self.assertEqual(decode(payload_of(message)), message)
        else:
            self.assertRaises(MessageError, decode, payload_of(message))


def depth_of(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


class BreachTests(SynchronousTestCase):
    """P61 to P63, P66 and P70: one error for all breaches."""

    def refused(self, payload: bytes, what: object) -> None:
        try:
            message = decode(payload)
        except MessageError:
            return
        self.fail(f"{what} is taken: {message}")

    def test_top_is_one_map(self) -> None:
        """P61: nothing, another type at the top, a map that is cut off, or bytes behind it."""
        whole = payload_of(Ping(ref=1))
        for payload in (b"", NIL, ONE, packed("ping"), packed([whole]), b"\xc4\x01a", *FORBIDDEN_VALUES.values()):
            self.refused(payload, payload)
        for end in range(len(whole)):
            self.refused(whole[:end], f"the first {end} bytes")
        for tail in (NIL, whole, b"\x00", b"\xc1"):
            self.refused(whole + tail, f"{tail!r} behind the map")

    def test_forbidden_values(self) -> None:
        """P62: forbidden values are refused in data, under unknown keys, in lists, maps, and behind what is valid."""
        for name, value in FORBIDDEN_VALUES.items():
            for place, payload in {
                "data": request_with(("a", value)),
                "list in data": request_with(("a", packed_array(ONE, value))),
                "map in data": request_with(("a", packed_map(("b", value)))),
                "deep in data": request_with(("a", b"\x91" * 4 + value)),
                "event": message_map("event", ("data", packed_map(("a", value)))),
                "validate": message_map(
                    "validate",
                    PING,
                    ("purpose", packed("history")),
                    ("uri", packed("u")),
                    ("timeout_ms", ONE),
                    ("data", packed_map(("a", value))),
                ),
                "unknown key": message_map("ping", PING, ("later", value)),
                "unknown key of a request": request_and(("later", value)),
                "deep under an unknown key": message_map("pong", PING, ("later", b"\x91" * 4 + value)),
                "fields of a log line": message_map(
                    "log",
                    (
                        "lines",
                        packed_array(
                            packed_map(
                                ("time", ONE),
                                ("level", packed("info")),
                                ("id", ONE),
                                ("text", packed("t")),
                                ("fields", packed_map(("a", value))),
                            )
                        ),
                    ),
                ),
                "in place of a known key": message_map("ping", (value, ONE), PING),
            }.items():
                self.refused(payload, f"{name} as {place}")

    def test_integers_of_the_envelope(self) -> None:
        """P62: an integer beyond 64 bits signed is refused under every known key, too."""
        beyond = packed_integer(2**63, "Q", 0xCF)
        for kind, keys in WRONG_KEYS.items():
            plain = fullest(kind)
            for key in keys:
                if type(plain.get(key)) is int:
                    pairs = [(name, beyond if name == key else packed(value)) for name, value in plain.items()]
                    self.refused(packed_map(*pairs), f"2^63 as {key} of {kind}")

    def test_unique_keys_of_the_envelope(self) -> None:
        """P62: a key of the envelope that stands twice is refused, whichever it is."""
        for kind in MANDATORY:
            plain = fullest(kind)
            pairs = [(key, packed(value)) for key, value in plain.items()]
            for pair in pairs:
                self.refused(packed_map(*pairs, pair), f"{pair[0]} twice in {kind}")

    def test_depth(self) -> None:
        """P63: eight levels are taken, the ninth is not, in data and under unknown keys."""
        for payload in (request_with(("a", nested(6))), message_map("ping", PING, ("later", nested(7)))):
            decode(payload)
        for payload in (request_with(("a", nested(7))), message_map("ping", PING, ("later", nested(8)))):
            self.refused(payload, payload)
        self.refused(message_map("ping", PING, ("later", nested(500_000))), "half a million levels")
        self.refused(request_with(("a", nested(500_000))), "half a million levels in data")

    def test_kind(self) -> None:
        """Section 5: a kind that is unknown, missing or no string."""
        for kind in ("nope", "Ping", "", 1, None, ["ping"]):
            self.refused(packed({"kind": kind, "ref": 1}), f"kind {kind!r}")
        self.refused(packed({"ref": 1}), "no kind")

    def test_mandatory_keys(self) -> None:
        """P66: a mandatory key that is missing, for each kind and key; the others may be."""
        for kind, mandatory in MANDATORY.items():
            plain = fullest(kind)
            self.assertEqual(set(plain) - {"kind", "pid", "peer"} - set(WRONG_KEYS[kind]), set(), kind)
            for key in plain:
                without = packed({name: value for name, value in plain.items() if name != key})
                if key in mandatory or key == "kind":
                    self.refused(without, f"{kind} without {key}")
                else:
                    decode(without)

    def test_wrong_types(self) -> None:
        """P66: a key of the wrong type or outside its enumeration, for each kind and key."""
        for kind, keys in WRONG_KEYS.items():
            for key, value in keys.items():
                self.refused(packed({**fullest(kind), key: value}), f"{key} = {value!r} in {kind}")

    def test_refs(self) -> None:
        """P70: a ref is from 1 to 2^53-1."""
        for kind in ("request", "event", "ping", "pong", "validate", "verdict"):
            for ref in (1, 2**53 - 1):
                decode(packed({**fullest(kind), "ref": ref}))
            for ref in (0, -1, 2**53, 2**63 - 1):
                self.refused(packed({**fullest(kind), "ref": ref}), f"ref {ref} of {kind}")

    def test_settings_without_an_optional_part(self) -> None:
        """Section 7: limits that are not told have their defaults; a nil listener is no listener."""
        settings = decode(packed({**fullest("settings"), "listener": None, "limits": {}}))
        assert isinstance(settings, Settings)
        self.assertIsNone(settings.listener)
        self.assertEqual((settings.limits.body, settings.limits.idle_timeout_ms), (1 << 20, 75_000))

    @given(st.binary(max_size=60))
    def test_any_bytes(self, payload: bytes) -> None:
        """P66: whatever the bytes are, nothing but the documented error is raised."""
        try:
            decode(payload)
        except MessageError:
            return

    @given(st.sampled_from(SAMPLES), st.integers(0, 10_000), st.integers(0, 255))
    def test_any_damage(self, message: Message, at: int, byte: int) -> None:
        """P66: a valid message with one byte changed is a message or the documented error."""
        payload = bytearray(payload_of(message))
        payload[at % len(payload)] = byte
        try:
            decode(bytes(payload))
        except MessageError:
            return
