"""Frames (protocol.md section 4): a stream cut anywhere gives the same payloads."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.frames import FrameDecoder, FrameError, frame
from tests.support.wire import framed

PAYLOADS = [b"a", b"bc" * 3, b"\x00\x00\x00\x01", b"d" * 300]


def fed(decoder: FrameDecoder, pieces: list[bytes]) -> list[bytes]:
    return [payload for piece in pieces for payload in decoder.feed(piece)]


class FrameTests(SynchronousTestCase):
    """P60, P61, P64 and P67."""

    def test_form(self) -> None:
        """P60: four bytes of length, unsigned and big-endian, then the payload."""
        self.assertEqual(frame(b"x" * 0x0102), b"\x00\x00\x01\x02" + b"x" * 0x0102)

    def test_split_at_every_offset(self) -> None:
        """P67: one frame may come in many segments, wherever they are cut."""
        stream = framed(PAYLOADS)
        for at in range(len(stream) + 1):
            decoder = FrameDecoder(1000)
            self.assertEqual(fed(decoder, [stream[:at], stream[at:]]), PAYLOADS, f"cut at {at}")
            self.assertFalse(decoder.incomplete)

    def test_byte_by_byte(self) -> None:
        """P67: every byte may come alone."""
        decoder = FrameDecoder(1000)
        stream = framed(PAYLOADS)
        self.assertEqual(fed(decoder, [stream[at : at + 1] for at in range(len(stream))]), PAYLOADS)

    def test_several_in_one_segment(self) -> None:
        """P67: several frames may come in one segment, with the beginning of another."""
        decoder = FrameDecoder(1000)
        self.assertEqual(list(decoder.feed(framed(PAYLOADS * 50) + b"\x00\x00\x00\x02z")), PAYLOADS * 50)
        self.assertTrue(decoder.incomplete)
        self.assertEqual(list(decoder.feed(b"y")), [b"zy"])
        self.assertFalse(decoder.incomplete)

    def test_limit(self) -> None:
        """P64: a payload as long as the limit is taken, one byte more is not."""
        self.assertEqual(list(FrameDecoder(5).feed(frame(b"12345"))), [b"12345"])
        self.assertRaises(FrameError, list, FrameDecoder(5).feed(frame(b"123456")))

    def test_limit_is_judged_from_the_length_alone(self) -> None:
        """P64: the length is judged before anything is reserved for the payload."""
        decoder = FrameDecoder(2 << 20)
        self.assertEqual(list(decoder.feed(b"\xff\xff\xff")), [])
        self.assertRaises(FrameError, list, decoder.feed(b"\xff"))

    def test_zero_length(self) -> None:
        """P61: a length of 0 is an error, in one piece and in several."""
        self.assertRaises(FrameError, list, FrameDecoder(5).feed(b"\x00\x00\x00\x00"))
        decoder = FrameDecoder(5)
        self.assertEqual(list(decoder.feed(b"\x00\x00")), [])
        self.assertRaises(FrameError, list, decoder.feed(b"\x00\x00"))

    def test_what_came_before_the_error_is_given(self) -> None:
        """P67: a bad length takes nothing away from the frames before it in the same segment."""
        got: list[bytes] = []

        def take() -> None:
            for payload in FrameDecoder(5).feed(framed([b"one", b"two"]) + b"\x00\x00\x00\x00" + frame(b"lost")):
                got.append(payload)  # noqa: PERF402 - the error comes between two payloads

        self.assertRaises(FrameError, take)
        self.assertEqual(got, [b"one", b"two"])

    def test_limit_may_change_between_frames(self) -> None:
        """P64: a new limit counts from the next frame on, also within a segment."""
        decoder = FrameDecoder(5)
        payloads = decoder.feed(frame(b"12345") + frame(b"123"))
        self.assertEqual(next(payloads), b"12345")
        decoder.limit = 2
        self.assertRaises(FrameError, next, payloads)

    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.lists(st.integers(0, 400), max_size=12))
    def test_any_split(self, payloads: list[bytes], cuts: list[int]) -> None:
        """P67: any payloads come through any split."""
        stream = framed(payloads)
        edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
        pieces = [stream[begin:end] for begin, end in pairwise(edges)]
        self.assertEqual(fed(FrameDecoder(40), pieces), payloads)
