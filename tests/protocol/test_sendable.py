"""What may cross the link as an event, judged before it is sent."""

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.frames import HEADER_SIZE
from ocsgw.protocol.messages import Event, decode
from ocsgw.protocol.sendable import UnsendableError, encode_event, event_fits

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=20,
)


class SendableTests(SynchronousTestCase):
    """P62, P63, P64."""

    @given(st.dictionaries(st.text(), ANYTHING, max_size=4))
    def test_what_is_sent_is_understood(self, data: dict[str, object]) -> None:
        """P62, P63: whatever is not refused here is no breach at the other side, and arrives unchanged."""
        event = Event(ref=1, data=data)  # type: ignore[arg-type]  # what no rule should give
        try:
            frame = encode_event(event, 1 << 20)
        except UnsendableError as error:
            self.assertEqual(error.size, 0)
            return
        self.assertEqual(decode(frame[HEADER_SIZE:]), event)

    def test_what_has_a_form(self) -> None:
        """P62: everything that is allowed is sent, up to the depth of P63."""
        deep: object = 1
        for _ in range(6):
            deep = [deep]
        for value in (None, True, -(2**63), 2**63 - 1, "", "é\U0001f600", [], {}, {"a": [1, {"b": None}]}, deep):
            event = Event(ref=1, data={"a": value})  # type: ignore[dict-item]  # of all types
            self.assertEqual(decode(encode_event(event, 1 << 20)[HEADER_SIZE:]), event)

    def test_what_has_none(self) -> None:
        """P62: the error names the key and says why."""
        for value, reason in (
            (1.5, "is of type float"),
            (math.nan, "is of type float"),
            (b"", "is of type bytes"),
            (2**63, "is not a 64-bit integer"),
            ([[[[[[[]]]]]]], "is nested too deeply"),
            ({"b": {1: 2}}, "has a key that is not a text"),
        ):
            error = self.assertRaises(UnsendableError, encode_event, Event(data={"key": value}), 1 << 20)  # type: ignore[dict-item]
            self.assertIn(f"the value of key {reason}", str(error))

    def test_size(self) -> None:
        """P64: the limit is that of the payload; the error has the size."""
        event = Event(ref=1, data={"a": "x" * 100})
        size = len(encode_event(event, 1 << 20)) - HEADER_SIZE
        encode_event(event, size)
        error = self.assertRaises(UnsendableError, encode_event, event, size - 1)
        self.assertEqual(error.size, size)

    def test_fits(self) -> None:
        """Rules ask without a reference id and a ref; there is room for both."""
        self.assertTrue(event_fits({"a": "x" * 1000}, 4096))
        self.assertFalse(event_fits({"a": "x" * 4000}, 4096))
        self.assertFalse(event_fits({"a": ["x" * 100] * 40}, 4096))
        self.assertFalse(event_fits({str(number): "x" * 500 for number in range(10)}, 4096))
        self.assertRaises(UnsendableError, event_fits, {"a": 2**63}, 4096)

    @given(
        st.dictionaries(
            st.text(st.characters(codec="utf-8"), max_size=9),
            st.sampled_from(
                ["x" * 512, "x" * 513, "\U0001f600" * 512, -(2**63), 2**63 - 1, 2**63, 1, True, None, 1.5, [1]]
            ),
            max_size=9,
        ),
        st.integers(0, 1 << 15),
    )
    def test_what_fits_is_sent(self, data: dict[str, object], limit: int) -> None:
        """Whatever the values and the limit: what is said to fit has a form, and a payload within the limit."""
        event = Event(ref=2**53 - 1, data=data)  # type: ignore[arg-type]  # what no rule should give
        try:
            fits = event_fits(data, limit)  # type: ignore[arg-type]
        except UnsendableError:
            self.assertFalse(all(value is None or type(value) in (str, bool, list) for value in data.values()))
            return
        size = len(encode_event(event, 1 << 20)) - HEADER_SIZE
        self.assertTrue(size <= limit if fits else size > limit - 4096)
