"""Work that is done again and again."""

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.counters import PERIODIC_FAILURES
from ocsgw.periodic import Periodic
from tests.support.logs import LogCapture


class PeriodicTests(SynchronousTestCase):
    """`Periodic`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rounds = 0
        PERIODIC_FAILURES.clear()

    def test_goes_on_after_an_exception(self) -> None:
        """A round that raises is logged and counted; the next one comes all the same."""

        def work() -> None:
            self.rounds += 1
            if self.rounds < 3:
                raise ValueError("a bad moment")

        job = Periodic("sweep", work, self.clock)
        job.start(1.0)
        self.clock.pump([1.0] * 4)
        self.assertEqual((self.rounds, job.failures), (4, 0))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(list(PERIODIC_FAILURES.samples()), [(("sweep",), 2)])

    def test_goes_on_after_a_failed_deferred(self) -> None:
        """A round whose Deferred fails is logged and counted; the next one comes all the same."""

        def work() -> "Deferred[None]":
            self.rounds += 1
            return fail(ValueError("a bad moment"))

        job = Periodic("sweep", work, self.clock)
        job.start(1.0, now=True)
        self.clock.pump([1.0] * 2)
        self.assertEqual((self.rounds, job.failures), (3, 3))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_fails_again_and_again(self) -> None:
        """Of failures in the same way the first has a traceback; then there is one line a minute with their number."""

        def work() -> None:
            self.rounds += 1
            if self.rounds % 2:
                raise ValueError(f"bad moment {self.rounds}")
            raise KeyError(self.rounds)

        log = LogCapture(self)
        job = Periodic("sweep", work, self.clock)
        job.start(0.25)
        self.clock.pump([0.25] * 4 * 60)
        self.assertEqual(log.numbers(), [93156, 93156])
        self.clock.pump([0.25] * 4 * 120)
        self.assertEqual(log.numbers(), [93156] * 2 + [93262] * 4)
        self.assertIn("sweep failed 120 more times in the same way: bad moment 241;", log.texts()[2])
        self.assertEqual(self.rounds, 720)
        job.stop()
        # What fails only once in a while is told each time.
        self.clock.advance(1000)
        job.now()
        job.now()
        self.clock.advance(1000)
        self.assertEqual(len(self.flushLoggedErrors(ValueError, KeyError)), 2)

    def test_waits_for_a_round(self) -> None:
        """A round that is still going on is not overtaken by the next one."""
        running: Deferred[None] = Deferred()

        def work() -> "Deferred[None]":
            self.rounds += 1
            return running

        Periodic("sweep", work, self.clock).start(1.0)
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.rounds, 1)
        running.callback(None)
        self.clock.advance(1.0)
        self.assertEqual(self.rounds, 2)

    def test_start_and_stop(self) -> None:
        """It may be started again with another interval, and stopped twice."""

        def work() -> None:
            self.rounds += 1

        job = Periodic("sweep", work, self.clock)
        job.start(10.0)
        job.start(1.0)
        self.clock.advance(1.0)
        self.assertEqual((self.rounds, job.running), (1, True))
        job.stop()
        job.stop()
        self.clock.advance(10.0)
        self.assertEqual((self.rounds, job.running), (1, False))

    def test_started_again_in_a_round(self) -> None:
        """Started again while a round is under way, it goes on with one round an interval, and ends when stopped."""
        running: Deferred[None] = Deferred()

        def work() -> "Deferred[None] | None":
            self.rounds += 1
            return running if self.rounds == 1 else None

        job = Periodic("sweep", work, self.clock)
        job.start(1.0)
        self.clock.advance(1.0)
        job.start(1.0)
        running.callback(None)
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.rounds, 4)
        job.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
