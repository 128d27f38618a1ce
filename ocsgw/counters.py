"""Counters and gauges that every room writes; `/metrics` and `ocsctl status` read them.

They stand in one leaf module, so that no room has to be handed them, and cost one dictionary access on the hot path: a
writer takes the cell of its labels once, with `cell`, and adds to it. Each process has its own; those of HTTP Proxies
reach OCS over the link.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

Labels = tuple[str, ...]


class Cell:
    """One number."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def add(self, amount: float = 1) -> None:
        """Count."""
        self.value += amount

    def set(self, value: float) -> None:
        """Set, for gauges."""
        self.value = value


class Metric:
    """A counter or gauge: a name and unit as Prometheus asks, a help text, a cell for each combination of labels."""

    def __init__(self, kind: str, name: str, help_: str, labels: Labels = ()) -> None:
        self.kind = kind
        self.name = name
        self.help = help_
        self.labels = labels
        self._cells: dict[Labels, Cell] = {}
        ALL.append(self)

    def cell(self, **labels: str) -> Cell:
        """Return the cell of these labels; there is one as soon as somebody asks."""
        key = tuple(labels[name] for name in self.labels)
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = Cell()
        return found

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count, off the hot path."""
        self.cell(**labels).add(amount)

    def set(self, value: float, **labels: str) -> None:
        """Set, off the hot path."""
        self.cell(**labels).set(value)

    def samples(self) -> Iterator[tuple[Labels, float]]:
        """Yield labels and value of each cell."""
        for key, cell in self._cells.items():
            yield key, cell.value

    def clear(self) -> None:
        """Forget every cell, as between two tests."""
        self._cells.clear()


class Distribution:
    """How often a value was at most each of `bounds`, and the sum; `observe` costs one bisection."""

    __slots__ = ("bounds", "buckets", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.clear()

    def observe(self, value: float) -> None:
        """Count a value."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def add(self, buckets: Sequence[int], total: float) -> None:
        """Count values that were sorted into these buckets already."""
        for at, count in enumerate(buckets):
            self.buckets[at] += count
        self.sum += total

    def clear(self) -> None:
        """Forget everything."""
        self.buckets = [0] * (len(self.bounds) + 1)
        self.sum = 0.0


class Histogram:
    """A distribution for each combination of labels; `buckets`, `sum` and `count` are those of all together."""

    def __init__(self, name: str, help_: str, bounds: Sequence[float], labels: Labels = ()) -> None:
        self.name = name
        self.help = help_
        self.bounds = tuple(bounds)
        self.labels = labels
        self._cells: dict[Labels, Distribution] = {}
        if not labels:
            self.cell()
        HISTOGRAMS.append(self)

    def cell(self, **labels: str) -> Distribution:
        """Return the distribution of these labels; there is one as soon as somebody asks."""
        key = tuple(labels[name] for name in self.labels)
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = Distribution(self.bounds)
        return found

    def observe(self, value: float, **labels: str) -> None:
        """Count a value, off the hot path."""
        self.cell(**labels).observe(value)

    def samples(self) -> Iterator[tuple[Labels, Distribution]]:
        """Yield labels and distribution of each cell."""
        yield from self._cells.items()

    @property
    def buckets(self) -> list[int]:
        """How many values there were in each bucket."""
        found = [0] * (len(self.bounds) + 1)
        for each in self._cells.values():
            found = [sum(both) for both in zip(found, each.buckets, strict=True)]
        return found

    @property
    def sum(self) -> float:
        """The sum of all values."""
        return sum(each.sum for each in self._cells.values())

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.buckets)

    def clear(self) -> None:
        """Forget everything, as between two tests; who has a cell keeps it."""
        for each in self._cells.values():
            each.clear()


ALL: list[Metric] = []
HISTOGRAMS: list[Histogram] = []

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

REQUESTS = Metric(
    "counter", "ocsgw_requests_total", "Requests that OCS answered, by request type and result.", ("request", "code")
)
REPLAYED = Metric(
    "counter", "ocsgw_idempotent_replays_total", "Requests answered with the stored answer of an earlier one."
)
RESCHEDULES = Metric(
    "counter",
    "ocsgw_reschedules_total",
    "Acknowledged reschedules, without repeats, by request type and callback type.",
    ("request", "type"),
)
COMMITS = Metric("counter", "ocsgw_commits_total", "Transactions, by result.", ("result",))
BATCH_SIZES = Histogram("ocsgw_batch_requests", "Requests in a transaction.", (1, 2, 4, 8, 16, 32, 64, 128, 256, 512))
COMMIT_SECONDS = Histogram("ocsgw_transaction_seconds", "Duration of a transaction in seconds.", _SECONDS)
CALLBACK_FAILURES = Metric(
    "counter", "ocsgw_callback_failures_total", "Callbacks that raised and were contained, by place.", ("place",)
)
PERIODIC_FAILURES = Metric("counter", "ocsgw_periodic_failures_total", "Rounds of periodic jobs that failed.", ("job",))
UNREADABLE_ROWS = Metric(
    "counter", "ocsgw_unreadable_rows_total", "Rows with values that cannot be represented, by calling list.", ("list",)
)
DNC_BLOCKED = Metric(
    "counter",
    "ocsgw_dnc_blocked_total",
    "Records that the do-not-call list keeps from being called, by the occasion on which that was found.",
    ("occasion",),
)
REQUEST_SECONDS = Histogram(
    "ocsgw_request_seconds",
    "Seconds from the arrival of a request in OCS to its answer, if it was carried out, by request type.",
    _SECONDS,
    ("request",),
)
HTTP_REFUSALS = Metric(
    "counter",
    "ocsgw_http_refusals_total",
    "HTTP requests answered with an error, by status and error code.",
    ("status", "code"),
)
EVENT_STREAMS = Metric("gauge", "ocsgw_event_streams", "Open event streams of web clients.")
EVENTS_SENT = Metric("counter", "ocsgw_events_sent_total", "Events written to event streams of web clients.")
EVENT_STREAMS_ENDED = Metric(
    "counter",
    "ocsgw_event_streams_ended_total",
    "Event streams that have ended, by reason: client, slow, refused, server.",
    ("reason",),
)
REACTOR_LAG_SECONDS = Histogram(
    "ocsgw_reactor_lag_seconds", "How late the loop of OCS came to a job that was due, in seconds.", _SECONDS
)
REFUSED_LOGINS = Metric(
    "counter",
    "ocsgw_refused_logins_total",
    "Clients for which nobody vouches, by protocol of the listener: http, ocs or admin.",
    ("protocol",),
)
TRANSCODING_ERRORS = Metric(
    "counter", "ocsgw_transcoding_errors_total", "Bodies that are not text in the encoding that they should be in."
)
OUTGOING_CALLS = Metric(
    "counter",
    "ocsgw_outgoing_calls_total",
    "Calls to other servers, for validation and notifications, by purpose and outcome.",
    ("purpose", "outcome"),
)
OUTGOING_CALL_SECONDS = Histogram(
    "ocsgw_outgoing_call_seconds", "Seconds from the order of a call to another server to its outcome.", _SECONDS
)
NOTIFICATIONS_DROPPED = Metric(
    "counter", "ocsgw_notifications_dropped_total", "Notifications that were given up, by purpose.", ("purpose",)
)
NOTIFICATIONS_LAG = Metric(
    "gauge", "ocsgw_notifications_lag_seconds", "Age of the oldest notification that waits, in seconds; 0 without one."
)
NOTIFICATIONS_WAITING = Metric(
    "gauge", "ocsgw_notifications_waiting", "Call report records and contact processed notifications that wait."
)
CERTIFICATE_EXPIRY = Metric(
    "gauge",
    "ocsgw_certificate_expiry_timestamp_seconds",
    "When the first certificate or revocation list of a file expires, in seconds since 1970 UTC.",
    ("file",),
)
