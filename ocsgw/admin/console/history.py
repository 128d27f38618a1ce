"""The last 15 minutes of the counters: requests per second, their durations, refusals by reason."""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ocsgw.counters import HTTP_REFUSALS, REQUEST_SECONDS, REQUESTS

# Seconds between two samples, and how long they are kept.
EVERY = 5.0
SPAN = 900.0


@dataclass(frozen=True, slots=True)
class Rates:
    """What happened between two samples, a second. Durations are in seconds, None without a request."""

    requests: float
    refusals: dict[str, float]
    median: float | None
    slowest: float | None


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    requests: float
    refusals: dict[str, float]
    buckets: list[int]


class History:
    """Samples of the counters of this process; `take` is called every `EVERY` seconds with a time of the clock."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=int(SPAN / EVERY) + 1)

    def take(self, now: float) -> None:
        """Take one."""
        refusals = {f"{status} {code}": value for (status, code), value in HTTP_REFUSALS.samples()}
        requests = sum(value for _, value in REQUESTS.samples())
        self._samples.append(_Sample(now, requests, refusals, list(REQUEST_SECONDS.buckets)))

    def rates(self) -> list[Rates]:
        """Return what happened between each two samples, the oldest first."""
        samples = list(self._samples)
        return [_between(before, now) for before, now in itertools.pairwise(samples)]

    def refusals(self) -> list[tuple[str, int]]:
        """Return how often requests were refused in this time by reason, the most frequent first."""
        if not self._samples:
            return []
        first, last = self._samples[0].refusals, self._samples[-1].refusals
        found = [(reason, int(count - first.get(reason, 0))) for reason, count in last.items()]
        return sorted([each for each in found if each[1]], key=lambda each: (-each[1], each[0]))


def _between(before: _Sample, now: _Sample) -> Rates:
    seconds = max(now.at - before.at, 0.001)
    buckets = [late - early for late, early in zip(now.buckets, before.buckets, strict=True)]
    refused = {
        reason: (count - before.refusals.get(reason, 0)) / seconds
        for reason, count in now.refusals.items()
        if count != before.refusals.get(reason, 0)
    }
    return Rates((now.requests - before.requests) / seconds, refused, _quantile(buckets, 0.5), _quantile(buckets, 0.99))


def _quantile(buckets: Sequence[int], share: float) -> float | None:
    """Return a quantile of a histogram, linear within a bucket, as Prometheus has it."""
    wanted = sum(buckets) * share
    if not wanted:
        return None
    bounds = REQUEST_SECONDS.bounds
    below = 0
    for at, count in enumerate(buckets):
        if count and below + count >= wanted:
            if at == len(bounds):
                break
            lower = bounds[at - 1] if at else 0.0
            return lower + (bounds[at] - lower) * (wanted - below) / count
        below += count
    return bounds[-1]
