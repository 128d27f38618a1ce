"""`/metrics` in the text form of Prometheus: the counters of all rooms, and what OCS is at the moment."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from twisted.web.resource import Resource
from twisted.web.server import Request

from ocsgw import counters
from ocsgw.admin.view import StatusView
from ocsgw.control.health import ROLES, WORDS, health_of

_STATES = ("opening", "standby", "active", "stopping")
_PROXY_STATES = ("stopped", "starting", "running", "stopping", "waiting")


class Metrics(Resource):
    """`/metrics`. No label is ever a contact, a customer id or a record handle."""

    isLeaf = True

    def __init__(self, view: StatusView) -> None:
        super().__init__()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(view))

    def render_GET(self, request: Request) -> bytes:
        """Answer with everything that is counted."""
        request.setHeader(b"content-type", CONTENT_TYPE_LATEST.encode("ascii"))
        return generate_latest(self._registry)


class _Collector:
    """Gives the registry what is counted at the moment of a scrape."""

    def __init__(self, view: StatusView) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield from _counted()
        yield from _state(self._view.status())


def _counted() -> Iterator[Metric]:
    """Yield what the rooms count (`ocsgw/counters.py`)."""
    for each in counters.ALL:
        family = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
        metric = family(each.name, each.help, labels=each.labels)
        for labels, value in list(each.samples()):
            metric.add_metric(labels, value)
        yield metric
    for histogram in counters.HISTOGRAMS:
        bounds = [*map(str, histogram.bounds), "+Inf"]
        observed = HistogramMetricFamily(histogram.name, histogram.help, labels=histogram.labels)
        for labels, cell in list(histogram.samples()):
            observed.add_metric(labels, list(zip(bounds, accumulate(cell.buckets), strict=True)), cell.sum)
        yield observed


def _state(status: dict[str, Any]) -> Iterator[Metric]:
    """Yield what OCS is at the moment."""
    info = GaugeMetricFamily("ocsgw_info", "The version that runs, always 1.", labels=["version", "role"])
    info.add_metric([status["version"], status["role"]], 1)
    yield info
    yield _one_of("ocsgw_state", "The state of OCS, 1 for the one it has.", _STATES, status["state"])
    word = health_of(status).word
    yield _one_of("ocsgw_health", "How OCS is, 1 for the word that ocsctl status shows.", WORDS, word)
    yield GaugeMetricFamily("ocsgw_uptime_seconds", "Seconds since the start of OCS.", value=status["uptime"])
    yield GaugeMetricFamily(
        "ocsgw_store_open", "Whether the store is open and works.", value=int(status["store"]["state"] == "open")
    )
    closed = GaugeMetricFamily("ocsgw_calling_list_closed", "Calling lists that cannot be used.", labels=["list"])
    for each in status["closed_lists"]:
        closed.add_metric([each["name"]], 1)
    yield closed
    failing = GaugeMetricFamily("ocsgw_chore_failures", "Failures in a row of housekeeping.", labels=["chore"])
    for each in status["chores"]:
        failing.add_metric([each["name"]], each["failures"])
    yield failing
    yield _one_of("ocsgw_role", "The role of OCS, 1 for the one it has.", tuple(ROLES), status["role"], label="role")
    lease = status["lease"]
    if lease is not None:
        yield GaugeMetricFamily("ocsgw_lease_epoch", "How often the lease was taken.", value=lease["epoch"])
        yield GaugeMetricFamily(
            "ocsgw_lease_remaining_seconds",
            "For how long the lease is valid, whoever has it.",
            value=lease["remaining"],
        )
    yield from _proxies(status["proxies"])


def _proxies(proxies: list[dict[str, Any]]) -> Iterator[Metric]:
    """Yield what each HTTP Proxy is doing."""
    states = GaugeMetricFamily(
        "ocsgw_proxy_state", "The state of each HTTP Proxy, 1 for the one it has.", labels=["proxy", "state"]
    )
    starts = GaugeMetricFamily("ocsgw_proxy_process_starts", "Processes started for each HTTP Proxy.", labels=["proxy"])
    uptimes = GaugeMetricFamily(
        "ocsgw_proxy_uptime_seconds", "Seconds since the start of the process of each HTTP Proxy.", labels=["proxy"]
    )
    in_flight = GaugeMetricFamily(
        "ocsgw_requests_in_flight", "Requests of each HTTP Proxy that OCS has not answered yet.", labels=["proxy"]
    )
    windows = GaugeMetricFamily(
        "ocsgw_link_window_requests", "How many requests the link of each HTTP Proxy takes at once.", labels=["proxy"]
    )
    for each in proxies:
        for state in _PROXY_STATES:
            states.add_metric([each["name"], state], int(each["state"] == state))
        starts.add_metric([each["name"]], each["starts"])
        if each["uptime"] is not None:
            uptimes.add_metric([each["name"]], each["uptime"])
        in_flight.add_metric([each["name"]], each["in_flight"])
        windows.add_metric([each["name"]], each["window"])
    yield from (states, starts, uptimes, in_flight, windows)


def _one_of(name: str, text: str, states: tuple[str, ...], state: str, *, label: str = "state") -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for each in states:
        family.add_metric([each], int(each == state))
    return family
