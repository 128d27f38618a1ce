"""The last 15 minutes: what happened between two samples, in charts that say it in words as well."""

import re

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.admin.console.chart import chart, measured
from ocsgw.admin.console.history import EVERY, SPAN, History
from ocsgw.counters import HTTP_REFUSALS, REQUEST_SECONDS, REQUESTS


class HistoryTests(SynchronousTestCase):
    """Counters that rise meanwhile; what they had before does not matter."""

    def setUp(self) -> None:
        self.history = History()
        self.now = 1000.0
        self.history.take(self.now)

    def pass_time(self, requests: int = 0, refused: dict[str, int] | None = None, seconds: float = 0.001) -> None:
        """Let requests come within one interval, each of which takes so long."""
        REQUESTS.add(requests, request="AddRecord", code="ok")
        for _ in range(requests):
            REQUEST_SECONDS.observe(seconds, request="AddRecord")
        for code, count in (refused or {}).items():
            HTTP_REFUSALS.add(count, status="404", code=code)
        self.now += EVERY
        self.history.take(self.now)

    def test_rates(self) -> None:
        """Everything that came is in the rates, once: their sum over time is the ledger."""
        sent = [10, 0, 250, 5]
        for each in sent:
            self.pass_time(each, {"list_not_found": each // 5})
        rates = self.history.rates()
        self.assertEqual([round(each.requests * EVERY) for each in rates], sent)
        refused = [round(each.refusals.get("404 list_not_found", 0) * EVERY) for each in rates]
        self.assertEqual(refused, [each // 5 for each in sent])
        self.assertEqual(self.history.refusals(), [("404 list_not_found", 53)])

    def test_durations(self) -> None:
        """Median and slowest hundredth lie within the bucket that has them; without a request there are none."""
        self.pass_time(99, seconds=0.0009)
        self.pass_time()
        first, second = self.history.rates()
        assert first.median is not None and first.slowest is not None
        self.assertTrue(0.0004 < first.median <= first.slowest <= 0.001, (first.median, first.slowest))
        self.assertEqual((second.median, second.slowest), (None, None))

    def test_span(self) -> None:
        """What is older than 15 minutes is forgotten."""
        self.pass_time(7, {"group_not_found": 7})
        for _ in range(int(SPAN / EVERY)):
            self.pass_time()
        self.assertEqual(len(self.history.rates()), SPAN / EVERY)
        self.assertEqual(sum(each.requests for each in self.history.rates()), 0)
        self.assertEqual(self.history.refusals(), [])

    def test_chart(self) -> None:
        """The newest value is at the right, the highest at the top, a gap breaks the line, and words say it as well."""
        drawn = chart("Time", [measured("p50", [1.0, None, 4.0], "ms")], 3)
        self.assertIn('aria-label="Time: p50 4 ms, at most 4"', drawn)
        (path,) = re.findall(r'class="a" d="([^"]*)"', drawn)
        moves = re.findall(r"M([\d.]+) ([\d.]+)", path)
        self.assertEqual([float(x) for x, _ in moves], [0.0, 360.0])
        self.assertGreater(float(moves[0][1]), float(moves[1][1]))
        self.assertIn("p50: nothing yet", chart("Time", [measured("p50", [None], "ms")], 3))
