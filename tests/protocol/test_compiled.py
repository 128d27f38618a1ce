"""Compiled parts on the way of a request through OCS do what the Python code does, or leave it to that."""

from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol import sendable
from ocsgw.protocol.frames import HEADER_SIZE, frame
from ocsgw.protocol.messages import KV, Event, Message, MessageError, Ping, Request, decode, encode
from ocsgw.protocol.sendable import UnsendableError, encode_event
from ocsgw.speedups.back import event_frame, requests

_LIMIT = 1 << 20
_EDGES = [edge + at for bits in (5, 7, 8, 15, 16, 31, 32, 63) for edge in (-(2**bits), 2**bits) for at in (-1, 0, 1)]
_INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([each for each in _EDGES if -(2**63) <= each < 2**63])
_TEXTS = st.text(max_size=40) | st.sampled_from(["GSW_PHONE", "é" * 16, "\U0001f600"])
# Texts and frames of so many bytes are left.
_TOO_LONG = 1 << 16
# Texts of these lengths begin differently, those before them as well.
_LENGTHS = (32, 256, 65536)
_REFS = st.integers(1, 2**53 - 1) | st.sampled_from([1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53 - 1])
_FLAT: Any = st.dictionaries(_TEXTS, _INTEGERS | _TEXTS | st.booleans() | st.none(), max_size=20)
_OPTIONAL = st.none() | st.text(max_size=40)
_REQUESTS = st.builds(
    Request,
    ref=_REFS,
    data=_FLAT,
    deadline_ms=st.none() | _INTEGERS,
    idempotency_key=_OPTIONAL,
    principal=_OPTIONAL,
    request_id=_OPTIONAL,
    peer=_OPTIONAL,
)
_WIDE: dict[str, Any] = {f"K{at}": at for at in range(300)}
# What no message holds, and what is left to others: texts that are none, numbers of other kinds, containers.
_ODD = st.one_of(
    st.sampled_from(["\ud800", 2**63, -(2**63) - 1, 1.5, True, None, [1], {"a": 1}]), st.lists(_INTEGERS, max_size=2)
)


def _read(data: bytes, limit: int = _LIMIT) -> tuple[list[Request], int]:
    return requests(data, limit)


class RequestsTests(SynchronousTestCase):
    """Frames become requests: those that the Python code would make of them, up to the first unusual one."""

    @given(st.lists(_REQUESTS, max_size=5))
    def test_usual(self, sent: list[Request]) -> None:
        """What `encode` writes is read, one after the other, and is what was sent."""
        data = b"".join(map(encode, sent))
        found, at = _read(data)
        self.assertEqual((found, at), (sent, len(data)))
        self.assertEqual([list(each.data.items()) for each in found], [list(each.data.items()) for each in sent])

    def test_many_members(self) -> None:
        """More members than a short map has, and more keys than are remembered."""
        for _ in range(2):
            for sent in (Request(ref=1, data=_WIDE), Request(ref=1, data={f"{key}x": 1 for key in _WIDE})):
                self.assertEqual(_read(encode(sent)), ([sent], len(encode(sent))))

    def test_lengths(self) -> None:
        """Texts of every length, as key and as value."""
        for size in (at - less for at in _LENGTHS for less in (0, 1)):
            sent = Request(ref=1, data={"x" * size: 1, "a": "y" * size}, peer="z" * size)
            found, at = _read(encode(sent))
            self.assertEqual((found, at), ([sent], len(encode(sent))) if size < _TOO_LONG else ([], 0))

    @given(_REQUESTS, st.integers(0, 1 << 17), st.binary(max_size=4))
    def test_damage(self, sent: Request, at: int, bytes_: bytes) -> None:
        """A damaged request is read as the Python code reads it, or left to it; nothing is read behind the end."""
        payload = bytearray(encode(sent)[HEADER_SIZE:])
        at %= len(payload)
        payload[at : at + len(bytes_)] = bytes_
        self.assert_same(bytes(payload))

    @given(st.binary(max_size=60))
    def test_any_bytes(self, rest: bytes) -> None:
        """The same for whatever follows the beginning of a request."""
        self.assert_same(b"\x83\xa4kind\xa7request\xa3ref\x01\xa4data" + rest)
        self.assert_same(b"\x84\xa4kind\xa7request\xa3ref\x01\xa4data\x80" + rest)
        self.assert_same(rest)

    def assert_same(self, payload: bytes) -> None:
        """Assert that a payload is left, or read as by `decode`."""
        framed = frame(payload)
        found, at = _read(framed)
        if not found:
            self.assertEqual(at, 0)
            return
        expected: Message | None
        try:
            expected = decode(payload)
        except MessageError:
            expected = None
        self.assertEqual((found, at), ([expected], len(framed)))

    def test_left(self) -> None:
        """What is no usual request is left, and what follows it as well."""
        usual, other = encode(Request(ref=1, data={"a": 1})), encode(Ping(ref=1))
        for left in (
            other,
            encode(Request(ref=2, data={"a": [1]})),
            frame(b"\x83\xa4kind\xa7request\xa3ref\x02\xa4data\x82\xa1a\x01\xa1a\x01"),
            frame(b"\x84\xa4kind\xa7request\xa3ref\x02\xa4data\x80\xa4peer\xc0"),
            frame(b"\x84\xa4kind\xa7request\xa3ref\x02\xa4data\x80\xa4more\xc3"),
            frame(b"\x83\xa4kind\xa7request\xa3ref\x00\xa4data\x80"),
            frame(b"\x83\xa4kind\xa7request\xa3ref\x02\xa4data\x81\xa1\xff\x01"),
            b"\x00\x00\x00\x00",
            b"\xff\xff\xff\xff",
        ):
            found, at = _read(usual + usual + left + usual)
            self.assertEqual((len(found), at), (2, 2 * len(usual)), left)
        for size in range(len(usual)):
            found, at = _read(usual + usual[:size])
            self.assertEqual((len(found), at), (1, len(usual)))

    def test_limit(self) -> None:
        """A frame beyond the limit is left."""
        sent = encode(Request(ref=1, data={"a": 1}))
        self.assertEqual(len(_read(sent, len(sent) - HEADER_SIZE)[0]), 1)
        self.assertEqual(_read(sent, len(sent) - HEADER_SIZE - 1), ([], 0))


class EventFrameTests(SynchronousTestCase):
    """Events become frames: the bytes that the Python code gives, or none."""

    def purely(self, event: Event, limit: int) -> bytes | None:
        """Return what the Python code makes of an event, None if it cannot be sent."""
        with mock.patch.object(sendable, "_quickly", None):
            try:
                return encode_event(event, limit)
            except UnsendableError:
                return None

    @given(_REFS, st.dictionaries(_TEXTS, _INTEGERS | _TEXTS, max_size=40))
    def test_usual(self, ref: int, data: KV) -> None:
        """Texts and integers are written, as the Python code writes them."""
        expected = self.purely(Event(ref=ref, data=data), _LIMIT)
        self.assertIsNotNone(expected)
        self.assertEqual(event_frame(ref, data, _LIMIT), expected)

    def test_many_members(self) -> None:
        """Maps of every size."""
        for size in (0, 15, 16, 300):
            data: KV = dict(list(_WIDE.items())[:size])
            self.assertEqual(event_frame(1, data, _LIMIT), self.purely(Event(ref=1, data=data), _LIMIT))

    @given(_REFS, st.dictionaries(_TEXTS | st.just("\udfff"), _INTEGERS | _TEXTS | _ODD, max_size=6))
    def test_any(self, ref: int, data: Any) -> None:
        """With anything else in them they are left, or written as by the Python code."""
        found = event_frame(ref, data, _LIMIT)
        if found is not None:
            self.assertEqual(found, self.purely(Event(ref=ref, data=data), _LIMIT))

    def test_limit(self) -> None:
        """What is larger than a frame may be is left."""
        data: KV = {"a": "x" * 1000}
        size = len(self.purely(Event(ref=1, data=data), _LIMIT) or b"") - HEADER_SIZE
        self.assertIsNone(event_frame(1, data, size - 1))
        self.assertEqual(event_frame(1, data, size), self.purely(Event(ref=1, data=data), size))

    def test_lengths(self) -> None:
        """Texts of every length, as key and as value."""
        for size in (at - less for at in _LENGTHS for less in (0, 1)):
            as_key: KV = {"x" * size: 1}
            as_value: KV = {"a": "x" * size}
            for data in (as_key, as_value):
                expected = self.purely(Event(ref=1, data=data), _LIMIT)
                self.assertEqual(event_frame(1, data, _LIMIT), expected if len(expected or b"") < _TOO_LONG else None)

    def test_refs(self) -> None:
        """A reference that is no integer of 64 bits is left."""
        self.assertIsNone(event_frame(2**64, {}, _LIMIT))

    def test_kinds_of_events(self) -> None:
        """Whatever an event is besides, both ways give the same frame."""
        for more in ({}, {"more": True}, {"replayed": True}, {"code": "busy"}):
            for ref in (7, None):
                event = Event(ref=ref, data={"a": 1}, **more)
                self.assertEqual(encode_event(event, _LIMIT), self.purely(event, _LIMIT))
