"""How late the reactor comes to what is due."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.counters import REACTOR_LAG_SECONDS
from ocsgw.ocs.reactor_lag import ReactorLag


class ReactorLagTests(SynchronousTestCase):
    """A clock that jumps is a reactor that was busy."""

    def test_lag(self) -> None:
        """It is observed once a second; what a long piece of work holds up counts once, with its whole length."""
        REACTOR_LAG_SECONDS.clear()
        clock = Clock()
        service = ReactorLag(clock)
        service.startService()
        clock.pump([1.0] * 3)
        self.assertEqual((REACTOR_LAG_SECONDS.count, REACTOR_LAG_SECONDS.sum), (3, 0.0))
        clock.advance(3.25)
        self.assertEqual((REACTOR_LAG_SECONDS.count, REACTOR_LAG_SECONDS.sum), (4, 2.25))
        clock.advance(0.75)
        self.assertEqual((REACTOR_LAG_SECONDS.count, REACTOR_LAG_SECONDS.sum), (5, 2.25))
        service.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])
