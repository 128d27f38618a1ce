"""Whether this machine and the database have the same time."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ocs.clocks import Clocks
from tests.support.logs import LogCapture


class ClocksTests(SynchronousTestCase):
    """A clock that the test sets, beside that of a database."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.log = LogCapture(self)
        self.clocks = Clocks(lambda: self.now)

    def ask(self, there: float | None, took: float = 0.0) -> list[str]:
        """Ask the database, whose clock shows `there`; return what the log has then."""
        self.clocks.asked()
        self.now += took
        self.clocks.compare(there)
        return self.log.texts()

    def test_apart(self) -> None:
        """A difference is reported once, and again after it was mended."""
        self.assertEqual(self.ask(1004.0), [])
        self.assertEqual(self.ask(996.0), [])
        self.assertEqual(len(self.ask(1060.4)), 1)
        self.assertIn("60 s behind that of the database", self.ask(1060.4)[0])
        self.ask(1000.0)
        self.assertIn("7200 s ahead of that of the database", self.ask(1000.0 - 7200)[-1])
        self.assertEqual(self.log.numbers(), [93237, 93237])

    def test_slow(self) -> None:
        """A database that takes its time, and a process that stood still meanwhile, are no difference; nor is none."""
        self.assertEqual(self.ask(1000.0, took=60.0), [])
        self.assertEqual(self.ask(1120.0, took=60.0), [])
        self.assertEqual(self.ask(None), [])
