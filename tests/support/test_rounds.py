"""How far a long test is."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.rounds import rounds


class RoundsTests(SynchronousTestCase):
    """Rounds of a long test."""

    def test_progress(self) -> None:
        """A line every ten seconds with what is left, and one at the end."""
        clock = Clock()
        told: list[str] = []
        seen = []
        for at in rounds(5, "kills", clock=clock.seconds, tell=told.append):
            seen.append(at)
            clock.advance(6)
        self.assertEqual(seen, [0, 1, 2, 3, 4])
        self.assertEqual(
            told,
            [
                "2 of 5 kills in 12 s, about 18 s to go",
                "4 of 5 kills in 24 s, about 6 s to go",
                "5 kills in 30 s",
            ],
        )

    def test_silent(self) -> None:
        """A short run says nothing until its end; one that is left before says nothing of an end."""
        told: list[str] = []
        for _ in rounds(3, "switches", clock=Clock().seconds, tell=told.append):
            break
        self.assertEqual(told, [])
        self.assertEqual(list(rounds(0, "switches", clock=Clock().seconds, tell=told.append)), [])
        self.assertEqual(told, ["0 switches in 0 s"])
