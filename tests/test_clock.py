"""The clock of timers."""

import time

from twisted.internet.base import DelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.clock import use_monotonic_time


class ClockTests(SynchronousTestCase):
    """`use_monotonic_time`."""

    def test_the_wall_clock_is_not_asked(self) -> None:
        """A reactor follows the monotonic clock, whatever happens to the wall clock."""
        from twisted.internet.selectreactor import SelectReactor

        reactor = SelectReactor()
        self.addCleanup(reactor.removeAll)
        use_monotonic_time(reactor)
        self.patch(time, "time", lambda: 0.0)
        before = time.monotonic()
        call = reactor.callLater(5, lambda: None)
        self.addCleanup(call.cancel)
        assert isinstance(call, DelayedCall)
        self.assertTrue(before <= call.getTime() - 5 <= time.monotonic())

    def test_fake_reactors_keep_theirs(self) -> None:
        """Only what is told to follows it."""
        self.assertEqual(Clock().seconds(), 0)
