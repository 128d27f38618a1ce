"""Numbers of records by status, counted slice by slice while somebody looks."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.admin.record_counts import Counted, RecordCounts
from ocsgw.control.errors import ControlError
from tests.support.logs import LogCapture


def lists(*names: str) -> Any:
    """Return calling lists of these names."""
    return tuple(SimpleNamespace(name=name) for name in names)


class RecordCountTests(SynchronousTestCase):
    """What is asked when, and what pages get."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[str, int | None]] = []
        self.slices = [
            {"counts": {"Ready": 3, "Updated": 1}, "after": 4, "done": False},
            {"counts": {"Ready": 2}, "after": 6, "done": True},
        ]
        self.answer: Any = None
        self.counts = RecordCounts(self.ask, self.clock.seconds)

    def ask(self, calling_list: str, after: int | None) -> "Deferred[Any]":
        """Answer with the next slice."""
        self.asked.append((calling_list, after))
        if self.answer is not None:
            return fail(self.answer)
        return succeed(self.slices[0 if after is None else 1])

    def test_nobody_looks(self) -> None:
        """Nothing is counted for nobody."""
        self.counts.tick()
        self.assertEqual(self.asked, [])

    def test_slices(self) -> None:
        """A list is counted one slice in each round; pages see a count once it is complete."""
        self.assertIsNone(self.counts.of(lists("A")))
        self.counts.tick()
        self.assertIsNone(self.counts.of(lists("A")))
        self.clock.advance(1)
        self.counts.tick()
        self.assertEqual(self.asked, [("A", None), ("A", 4)])
        self.assertEqual(self.counts.of(lists("A")), Counted({"Ready": 5, "Updated": 1}, 1.0))

    def test_again(self) -> None:
        """It is counted again after five seconds, or after three times what it took; meanwhile the old count stays."""
        self.counts.of(lists("A"))
        self.counts.tick()
        self.clock.advance(10)
        self.counts.tick()
        self.clock.advance(29)
        self.counts.of(lists("A"))
        self.counts.tick()
        self.assertEqual(len(self.asked), 2)
        self.clock.advance(1)
        self.counts.tick()
        self.assertEqual(self.asked[2:], [("A", None)])
        self.assertEqual(self.counts.of(lists("A")), Counted({"Ready": 5, "Updated": 1}, 10.0))

    def test_several(self) -> None:
        """Lists of one group are counted in turn; together they are as old as the older one."""
        self.counts.of(lists("A", "B"))
        for _ in range(2):
            self.counts.tick()
        self.assertIsNone(self.counts.of(lists("A", "B")))
        self.clock.advance(2)
        for _ in range(2):
            self.counts.tick()
        self.assertEqual(self.asked, [("A", None), ("A", 4), ("B", None), ("B", 4)])
        self.assertEqual(self.counts.of(lists("A", "B")), Counted({"Ready": 10, "Updated": 2}, 0.0))

    def test_nobody_looks_any_more(self) -> None:
        """Thirty seconds after the last look the counting ends."""
        self.counts.of(lists("A"))
        self.clock.advance(30)
        self.counts.tick()
        self.assertEqual(self.asked, [])

    def test_a_defect(self) -> None:
        """Whatever else fails is logged once with the list's name, and tried again after longer and longer waits."""
        log = LogCapture(self)
        self.counts.of(lists("A", "B"))
        self.answer = TypeError("'>' not supported")
        asked_at = []
        for _ in range(3600):
            before = len(self.asked)
            self.counts.of(lists("A"))
            self.counts.tick()
            asked_at += [self.clock.seconds()] * (self.asked[before:] == [("A", None)])
            self.clock.advance(1)
        self.assertEqual(asked_at[:8], [0, 5, 15, 35, 75, 155, 315, 615])
        self.assertEqual(len([each for each in log.texts(93263) if "calling list A" in each]), 1)
        self.assertEqual(self.counts.failing(lists("A", "C")), ["A"])
        self.answer = None
        self.clock.advance(10)
        self.counts.of(lists("A"))
        self.clock.advance(290)
        self.counts.of(lists("A"))
        for _ in range(2):
            self.counts.tick()
        self.assertEqual((self.counts.failing(lists("A")), self.counts.of(lists("A")) is None), ([], False))
        self.flushLoggedErrors(TypeError)

    def test_store_fails(self) -> None:
        """What cannot be asked now is tried again later, from the beginning."""
        self.counts.of(lists("A"))
        self.answer = ControlError("the store fails")
        self.counts.tick()
        self.counts.tick()
        self.assertEqual(len(self.asked), 1)
        self.answer = None
        self.clock.advance(5)
        self.counts.tick()
        self.assertEqual(self.asked, [("A", None), ("A", None)])
