"""Counters of an HTTP Proxy on their way to OCS: what has changed since the last time, added to the counters there."""

from collections.abc import Iterator

from ocsgw.counters import ALL, HISTOGRAMS, Labels
from ocsgw.protocol.message_parts import CounterChange, HistogramChange
from ocsgw.protocol.messages import Stats

# So that a message stays far below the largest frame.
_PER_MESSAGE = 500
_MICRO = 1_000_000


class CounterChanges:
    """What the counters of this process have counted since they were asked last."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, Labels], int] = {}
        self._observed: dict[tuple[str, Labels], tuple[list[int], int]] = {}
        # What there is already, as in a test, is not counted again.
        list(self._changes())
        list(self._histograms())

    def messages(self) -> Iterator[Stats]:
        """Yield messages with all changes; none if nothing has changed."""
        counters, histograms = list(self._changes()), list(self._histograms())
        while counters or histograms:
            yield Stats(counters=counters[:_PER_MESSAGE], histograms=histograms)
            counters, histograms = counters[_PER_MESSAGE:], []

    def _changes(self) -> Iterator[CounterChange]:
        for metric in ALL:
            for labels, value in metric.samples():
                key, whole = (metric.name, labels), int(value)
                change = whole - self._counted.get(key, 0)
                if change:
                    self._counted[key] = whole
                    yield CounterChange(name=metric.name, labels=list(labels), value=change)

    def _histograms(self) -> Iterator[HistogramChange]:
        for histogram in HISTOGRAMS:
            for labels, each in histogram.samples():
                key, micro = (histogram.name, labels), int(each.sum * _MICRO)
                buckets, before = self._observed.get(key, ([0] * len(each.buckets), 0))
                if buckets != each.buckets:
                    self._observed[key] = (list(each.buckets), micro)
                    changes = [now - then for now, then in zip(each.buckets, buckets, strict=True)]
                    yield HistogramChange(
                        name=histogram.name, labels=list(labels), buckets=changes, micro=micro - before
                    )


class CounterTotals:
    """Adds what one process reports to the counters of this one; takes its gauges back when it has ended."""

    def __init__(self) -> None:
        self._gauges: dict[tuple[str, Labels], int] = {}

    def add(self, stats: Stats) -> None:
        """Add changes. What is not known here, or has other labels, is left out."""
        metrics = {metric.name: metric for metric in ALL}
        for change in stats.counters:
            metric = metrics.get(change.name)
            if metric is None or len(change.labels) != len(metric.labels):
                continue
            labels = tuple(change.labels)
            metric.add(change.value, **dict(zip(metric.labels, labels, strict=True)))
            if metric.kind == "gauge":
                key = (metric.name, labels)
                self._gauges[key] = self._gauges.get(key, 0) + change.value
        histograms = {each.name: each for each in HISTOGRAMS}
        for observed in stats.histograms:
            histogram = histograms.get(observed.name)
            if histogram is None or len(observed.labels) != len(histogram.labels):
                continue
            if len(observed.buckets) == len(histogram.bounds) + 1:
                cell = histogram.cell(**dict(zip(histogram.labels, observed.labels, strict=True)))
                for at, count in enumerate(observed.buckets):
                    cell.buckets[at] += count
                cell.sum += observed.micro / _MICRO

    def end(self) -> None:
        """The process has ended: its gauges count no more."""
        gauges, self._gauges = self._gauges, {}
        metrics = {metric.name: metric for metric in ALL}
        for (name, labels), value in gauges.items():
            metric = metrics[name]
            metric.add(-value, **dict(zip(metric.labels, labels, strict=True)))
