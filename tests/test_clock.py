"""The clock of timers, and that of the rules."""

import time

from twisted.internet.base import DelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.clock import RulesClock, use_monotonic_time


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


class RulesClockTests(SynchronousTestCase):
    """`RulesClock`, on a machine whose clock the test sets."""

    def setUp(self) -> None:
        self.machine = 1000.0
        self.clock = RulesClock(lambda: self.machine)

    def ask(self, there: float | None, took: float = 0.0) -> float:
        """Ask a store whose clock shows `there`; return what the clock of the rules says then."""

        def answer() -> float | None:
            self.machine += took
            return there

        self.clock.follow(answer)
        return self.clock()

    def test_machine(self) -> None:
        """Without a store that has a clock of its own it is that of the machine."""
        self.assertEqual(self.clock(), 1000.0)
        self.assertEqual(self.ask(None), 1000.0)

    def test_store(self) -> None:
        """It goes by that of the store, also when the machine's is set later."""
        self.assertEqual(self.ask(4600.0), 4600.0)
        self.machine += 5
        self.assertEqual(self.clock(), 4605.0)
        self.machine -= 7200
        self.assertEqual(self.ask(4605.0), 4605.0)

    def test_way(self) -> None:
        """What the way of an answer may explain is no difference: the clock does not go to and fro with it."""
        self.assertEqual(self.ask(1000.05), 1000.0)
        self.assertEqual(self.ask(1003.0, took=3.0), 1003.0)
        self.assertEqual(self.ask(1100.0, took=4.0), 1102.0)
