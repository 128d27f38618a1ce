"""Counters, gauges and histograms."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.counters import ALL, HISTOGRAMS, Histogram, Metric


class CounterTests(SynchronousTestCase):
    """`Metric` and `Histogram`."""

    def tearDown(self) -> None:
        ALL[:] = [each for each in ALL if not each.name.startswith("test_")]
        HISTOGRAMS[:] = [each for each in HISTOGRAMS if not each.name.startswith("test_")]

    def test_cells(self) -> None:
        """Each combination of labels has its own number."""
        metric = Metric("counter", "test_total", "A test.", ("kind", "code"))
        cell = metric.cell(kind="a", code="1")
        cell.add()
        cell.add(2)
        metric.add(kind="b", code="1")
        self.assertIs(metric.cell(code="1", kind="a"), cell)
        self.assertEqual(list(metric.samples()), [(("a", "1"), 3), (("b", "1"), 1)])
        metric.clear()
        self.assertEqual(list(metric.samples()), [])

    def test_gauge(self) -> None:
        """A gauge has the value that was set last."""
        metric = Metric("gauge", "test_gauge", "A test.")
        metric.set(3)
        metric.set(2)
        self.assertEqual(list(metric.samples()), [((), 2)])

    def test_histogram(self) -> None:
        """A value counts in the bucket of the first bound that it does not exceed."""
        histogram = Histogram("test_seconds", "A test.", (1, 2))
        for value in (0.5, 1, 1.5, 3):
            histogram.observe(value)
        self.assertEqual((histogram.buckets, histogram.sum, histogram.count), ([2, 1, 1], 6, 4))
        histogram.clear()
        self.assertEqual(histogram.count, 0)

    def test_histogram_cells(self) -> None:
        """Each combination of labels has its own distribution; together they are that of all."""
        histogram = Histogram("test_seconds", "A test.", (1, 2), ("kind",))
        cell = histogram.cell(kind="a")
        cell.observe(3)
        histogram.observe(1, kind="b")
        self.assertEqual(
            [(labels, each.buckets) for labels, each in histogram.samples()], [(("a",), [0, 0, 1]), (("b",), [1, 0, 0])]
        )
        self.assertEqual((histogram.buckets, histogram.sum, histogram.count), ([1, 0, 1], 4, 2))
        histogram.clear()
        cell.observe(3)
        self.assertEqual((histogram.count, histogram.sum), (1, 3))

    def test_names(self) -> None:
        """Names are unique and in the form that Prometheus asks for: a prefix, a unit, `_total` for counters."""
        names = [*(each.name for each in ALL), *(each.name for each in HISTOGRAMS)]
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual([name for name in names if not name.startswith("ocsgw_")], [])
        self.assertEqual([each.name for each in ALL if (each.kind == "counter") != each.name.endswith("_total")], [])
