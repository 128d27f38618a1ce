"""Counters on their way from an HTTP Proxy to OCS."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.counters import ALL, HISTOGRAMS, Histogram, Metric
from ocsgw.link.counted import CounterChanges, CounterTotals
from ocsgw.protocol.message_parts import CounterChange, HistogramChange
from ocsgw.protocol.messages import Stats, decode, payload_of


class CountedTests(SynchronousTestCase):
    """Both ends, in one process: what is added comes on top of what was counted here."""

    def setUp(self) -> None:
        self.counter = Metric("counter", "test_total", "", ("a", "b"))
        self.gauge = Metric("gauge", "test_open", "")
        self.histogram = Histogram("test_seconds", "", (0.1, 1), ("a",))
        self.addCleanup(ALL.remove, self.counter)
        self.addCleanup(ALL.remove, self.gauge)
        self.addCleanup(HISTOGRAMS.remove, self.histogram)
        self.changes = CounterChanges()

    def test_changes(self) -> None:
        """Only what has changed since the last time is said; nothing is said when nothing has."""
        self.assertEqual(list(self.changes.messages()), [])
        self.counter.add(2, a="x", b="y")
        self.gauge.set(5)
        self.histogram.observe(0.25, a="x")
        (stats,) = self.changes.messages()
        self.assertEqual(
            stats.counters,
            [
                CounterChange(name="test_total", labels=["x", "y"], value=2),
                CounterChange(name="test_open", labels=[], value=5),
            ],
        )
        self.assertEqual(
            stats.histograms, [HistogramChange(name="test_seconds", labels=["x"], buckets=[0, 1, 0], micro=250_000)]
        )
        self.assertEqual(decode(payload_of(stats)), stats)
        self.gauge.set(3)
        ((change,),) = (stats.counters for stats in self.changes.messages())
        self.assertEqual(change.value, -2)
        self.assertEqual(list(self.changes.messages()), [])

    def test_beginning(self) -> None:
        """What there is at the beginning was counted by somebody else."""
        self.counter.add(2, a="x", b="y")
        self.histogram.observe(0.25, a="x")
        self.assertEqual(list(CounterChanges().messages()), [])

    def test_many(self) -> None:
        """Very many changes go in several messages, each of them only once."""
        for number in range(1200):
            self.counter.add(a=str(number), b="")
        messages = list(self.changes.messages())
        self.assertEqual([len(each.counters) for each in messages], [500, 500, 200])
        self.assertEqual(len({each.labels[0] for stats in messages for each in stats.counters}), 1200)

    def test_totals(self) -> None:
        """Counters of all processes add up; gauges of a process that has ended count no more."""
        self.counter.add(1, a="x", b="y")
        first, second = CounterTotals(), CounterTotals()
        stats = Stats(
            counters=[
                CounterChange(name="test_total", labels=["x", "y"], value=2),
                CounterChange(name="test_open", labels=[], value=5),
            ],
            histograms=[HistogramChange(name="test_seconds", labels=["x"], buckets=[1, 0, 2], micro=2_500_000)],
        )
        first.add(stats)
        second.add(stats)
        self.assertEqual(dict(self.counter.samples()), {("x", "y"): 5})
        self.assertEqual(dict(self.gauge.samples()), {(): 10})
        ((labels, observed),) = self.histogram.samples()
        self.assertEqual((labels, observed.buckets, observed.sum), (("x",), [2, 0, 4], 5.0))
        first.end()
        first.end()
        self.assertEqual(dict(self.gauge.samples()), {(): 5})
        self.assertEqual(dict(self.counter.samples()), {("x", "y"): 5})

    def test_unknown(self) -> None:
        """What is not known here, or has another form, is left out; the rest is counted."""
        CounterTotals().add(
            Stats(
                counters=[
                    CounterChange(name="of_a_later_version", labels=[], value=1),
                    CounterChange(name="test_total", labels=["x"], value=1),
                    CounterChange(name="test_open", labels=[], value=1),
                ],
                histograms=[
                    HistogramChange(name="of_a_later_version", labels=[], buckets=[1], micro=1),
                    HistogramChange(name="test_seconds", labels=["x"], buckets=[1], micro=1),
                    HistogramChange(name="test_seconds", labels=[], buckets=[1, 0, 0], micro=1),
                ],
            )
        )
        self.assertEqual((dict(self.counter.samples()), dict(self.gauge.samples())), ({}, {(): 1}))
        self.assertEqual(list(self.histogram.samples()), [])
