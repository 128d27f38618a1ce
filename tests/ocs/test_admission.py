"""How many requests with large answers are in work at once."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ocs.admission import Admission


class AdmissionTests(SynchronousTestCase):
    def test_at_first(self) -> None:
        """Until something is known there is room for a few."""
        admission = Admission(8000)
        self.assertEqual(admission.room, 8)
        admission.enter(7)
        self.assertEqual(admission.room, 1)
        admission.enter()
        self.assertEqual(admission.room, 0)

    def test_large_answers(self) -> None:
        """One large answer makes it careful at once; there is always room for one."""
        admission = Admission(8000)
        admission.enter(2)
        admission.leave(9000)
        self.assertEqual(admission.room, 0)
        admission.leave(9000)
        self.assertEqual(admission.room, 1)

    def test_small_answers(self) -> None:
        """Small answers make it confident again, bit by bit."""
        admission = Admission(8000)
        rooms = []
        for _ in range(30):
            admission.enter()
            admission.leave(10)
            rooms.append(admission.room)
        self.assertEqual(rooms, sorted(rooms))
        self.assertLess(rooms[0], 10)
        self.assertGreater(rooms[-1], 200)

    @given(st.integers(1, 1 << 24), st.lists(st.tuples(st.integers(1, 200), st.integers(0, 1 << 20)), max_size=20))
    def test_whatever_comes(self, budget: int, answers: list[tuple[int, int]]) -> None:
        """Nobody waits for ever; no more enter than have room where answers are as large as the last ones."""
        admission = Admission(budget)
        for count, size in answers:
            admission.enter(count)
            admission.leave(size, count)
            self.assertGreaterEqual(admission.room, 1)
            self.assertLessEqual(admission.room, max(budget // max(size, 1), 1))

    def test_together(self) -> None:
        """Answers that come together are worth as much as the same ones one by one."""
        together, apart = Admission(1 << 24), Admission(1 << 24)
        together.enter(20)
        together.leave(100, 20)
        for _ in range(20):
            apart.enter()
            apart.leave(100)
        self.assertEqual((together.room, apart.room), (115, 115))
