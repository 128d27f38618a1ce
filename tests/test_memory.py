"""The collector of circular garbage looks less often once everything is loaded."""

import gc

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.resources import settle_memory


class SettleTests(SynchronousTestCase):
    """`settle_memory` in the process of the test, put back afterwards."""

    def test_settle(self) -> None:
        """What is there is passed over, and the thresholds are higher; circles are still collected."""
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        settle_memory()
        self.assertGreater(gc.get_freeze_count(), 1000)
        self.assertEqual(gc.get_threshold(), (50_000, 20, 50))
        self.assertTrue(gc.isenabled())
