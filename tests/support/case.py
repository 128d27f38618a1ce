"""The base of tests with time: a fake clock, on which nothing may be left to do at the end."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from hypothesis import settings
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

T = TypeVar("T")

# A busy machine is no fault of an example.
settings.register_profile("ocsgw", deadline=None)
settings.load_profile("ocsgw")


class ClockTestCase(SynchronousTestCase):
    """A test whose time is `self.clock`; it fails if a delayed call is left on it.

    A reactor in memory may stand in for the clock: override `make_clock`.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = self.make_clock()
        # Cleanups run last come first: this one sees what all others have left.
        self.addCleanup(self._assert_nothing_is_left_to_do)

    def make_clock(self) -> Clock:
        """Return the clock of one test."""
        return Clock()

    def advance(self, seconds: float, step: float = 0.25) -> None:
        """Let time pass in small steps, as a reactor would."""
        passed = 0.0
        while passed < seconds:
            self.clock.advance(min(step, seconds - passed))
            passed += step

    def for_each(self, rows: Iterable[T], check: Callable[[T], None]) -> None:
        """Check every row of a table and tell all rows that fail, not only the first."""
        failures = []
        for row in rows:
            try:
                check(row)
            except self.failureException as failure:
                failures.append(f"{row!r}:\n    {failure}")
        if failures:
            self.fail(f"{len(failures)} rows fail\n" + "\n".join(failures))

    def _assert_nothing_is_left_to_do(self) -> None:
        self.assertEqual([str(exchange) for exchange in self.clock.getDelayedCalls()], [])
