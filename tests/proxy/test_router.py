"""Which route a request takes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.proxy.http.grammar import Head, RequestLine
from ocsgw.proxy.policy.router import Router, path_of

_DEFAULT: Any = "the classic surface"
_MOUNTED: Any = "mounted"
_TARGETS = st.lists(st.sampled_from([b"/", b"m", b"more", b"?", b"http://h", b"x" * 300]), max_size=5).map(b"".join)


def _line(target: bytes) -> RequestLine:
    return RequestLine(b"POST", target, 1)


class RouterTests(SynchronousTestCase):
    """A target takes the same route the first time and every other time."""

    @given(st.lists(_TARGETS, max_size=30))
    def test_targets(self, targets: list[bytes]) -> None:
        """The first segment decides, whatever was asked before."""
        router = Router(_DEFAULT)
        router.mount(b"m", _MOUNTED)
        head = Head(minor=1, keep_alive=True)
        for target in [*targets, *targets]:
            is_mounted = path_of(target).split(b"/")[:2] == [b"", b"m"]
            self.assertEqual(router.route_of(_line(target), head), _MOUNTED if is_mounted else _DEFAULT, target)

    @given(st.lists(_TARGETS, max_size=30))
    def test_documents(self, targets: list[bytes]) -> None:
        """A document has the one path."""
        router = Router(_DEFAULT)
        router.mount_document(b"m", _MOUNTED)
        head = Head(minor=1, keep_alive=True)
        for target in [*targets, b"/m", b"/m?x", b"/m/", b"/m/x", *targets]:
            expected = _MOUNTED if path_of(target) == b"/m" else _DEFAULT
            self.assertEqual(router.route_of(_line(target), head), expected, target)

    def test_mounted_later(self) -> None:
        """What is mounted counts for targets that have been asked for before."""
        router, head = Router(_DEFAULT), Head(minor=1, keep_alive=True)
        self.assertEqual(router.route_of(_line(b"/m/x"), head), _DEFAULT)
        router.mount(b"m", _MOUNTED)
        self.assertEqual(router.route_of(_line(b"/m/x"), head), _MOUNTED)

    def test_many(self) -> None:
        """However many targets are asked for, not all of them are kept."""
        router, head = Router(_DEFAULT), Head(minor=1, keep_alive=True)
        for number in range(5000):
            router.route_of(_line(b"/%d" % number), head)
        self.assertLess(len(router._known), 2000)
