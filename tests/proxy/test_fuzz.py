"""Generated inputs for everything that reads bytes of others (http.md H13, H92; protocol.md P61 to P67).

`make fuzz` does the same faster and for longer.
"""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.case import ClockTestCase
from tests.support.fuzzing import BodyTarget, EventTarget, HttpTarget, LinkTarget, Target

EXAMPLES = int(os.environ.get("OCSGW_FUZZ_EXAMPLES", "300"))
CUTS = st.lists(st.integers(0, 5000), max_size=6)


def streams(target: type[Target]) -> st.SearchStrategy[bytes]:
    """Return streams of well-formed inputs, of pieces that matter, and of any bytes, in any order."""
    any_bytes = st.binary(max_size=40) | st.integers(0, 255).map(_byte)
    inputs = st.lists(st.sampled_from(target.seeds + target.tokens) | any_bytes, max_size=8).map(b"".join)
    seeds = st.sampled_from(target.seeds)
    return inputs | st.builds(_spliced, seeds, inputs, st.integers(0, 500), st.integers(0, 40))


def _byte(value: int) -> bytes:
    return bytes((value,))


def _spliced(seed: bytes, inserted: bytes, at: int, replaced: int) -> bytes:
    at %= len(seed) + 1
    return seed[:at] + inserted + seed[at + replaced :]


class FuzzTests(ClockTestCase):
    """Whatever comes, what must hold holds."""

    @given(streams(HttpTarget), CUTS)
    @settings(max_examples=EXAMPLES)
    def test_http(self, data: bytes, cuts: list[int]) -> None:
        """H11, H13: no exception, no 500, every cut the same, and nothing handed over that is not acknowledged."""
        HttpTarget().check(data, cuts)

    @given(streams(BodyTarget), CUTS)
    @settings(max_examples=EXAMPLES)
    def test_bodies(self, data: bytes, cuts: list[int]) -> None:
        """H92, H110 to H116, P62: a refusal of the table, or key-values that cross the link unchanged."""
        BodyTarget().check(data, cuts)

    @given(streams(EventTarget), CUTS)
    @settings(max_examples=EXAMPLES)
    def test_events(self, data: bytes, cuts: list[int]) -> None:
        """H121, P61 to P63: what the compiled part answers is answered in the same way without it."""
        EventTarget().check(data, cuts)

    @given(streams(LinkTarget), CUTS)
    @settings(max_examples=EXAMPLES)
    def test_link(self, data: bytes, cuts: list[int]) -> None:
        """P61 to P67: messages or a breach, the same for every cut."""
        LinkTarget().check(data, cuts)
