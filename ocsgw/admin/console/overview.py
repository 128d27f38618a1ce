"""The first page: how the server is, charts of the last 15 minutes, groups, last refusals, HTTP Proxies."""

import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ocsgw.admin.console.chart import Line, chart, measured
from ocsgw.admin.console.group_table import GroupTable, give_order
from ocsgw.admin.console.history import EVERY, SPAN, History, Rates
from ocsgw.admin.console.layout import Visitor, section
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.pages import Door, Page
from ocsgw.admin.record_counts import RecordCounts
from ocsgw.control.commands import RefusedRequest

_POINTS = int(SPAN / EVERY)
_SHOWN_GROUPS = 8
_SHOWN_REFUSALS = 5
_SHOWN_REASONS = 3


class Overview(Page):
    """`/`."""

    path = "/"
    title = "Overview"
    live = True

    def __init__(self, door: Door, history: History, counts: RecordCounts) -> None:
        super().__init__(door)
        self._history = history
        self._counts = counts

    def content(self, request: Request, visitor: Visitor, message: Child) -> "Deferred[Child]":
        """Return the page."""
        return self.parts(request, visitor).addCallback(lambda parts: _arranged(parts, message))

    def parts(self, request: Request, visitor: Visitor) -> "Deferred[dict[str, Markup]]":
        """Return the parts of the page by their names, as they are now."""
        return self.command(visitor, "status").addCallback(self._parts, visitor)

    def carry_out(self, request: Request, visitor: Visitor) -> Any:
        """Give an order to a group."""
        return give_order(self, request, visitor)

    def _parts(self, status: dict[str, Any], visitor: Visitor) -> dict[str, Markup]:
        view = self.door.view
        groups = GroupTable(view, self._counts, visitor, "/")
        shown = groups.shown(status, _SHOWN_GROUPS)
        found = {
            "state": _state(status),
            "charts": self._charts(),
            "groups": section("groups", "Campaign groups", *shown),
            "proxies": _proxies(status["proxies"]),
        }
        if visitor.sees_all:
            found["refusals"] = _refusals(view.refusals())
        return found

    def _charts(self) -> Markup:
        rates = self._history.rates()
        requests = measured("requests", [each.requests for each in rates], "per second")
        durations = [
            measured("p50", [_milliseconds(each.median) for each in rates], "ms"),
            measured("p99", [_milliseconds(each.slowest) for each in rates], "ms"),
        ]
        refusals = _by_reason(rates, self._history.refusals())
        return section(
            "charts",
            "Last 15 minutes",
            el(
                "div",
                el("div", el("h3", "Requests per second"), chart("Requests", [requests], _POINTS)),
                el("div", el("h3", "Time of a request in OCS"), chart("Time", durations, _POINTS)),
                el("div", el("h3", "Refusals by reason"), chart("Refusals", refusals, _POINTS)),
                class_="grid",
            ),
        )


def _by_reason(rates: Sequence[Rates], reasons: Sequence[tuple[str, int]]) -> list[Line]:
    """Return a line for each of the most frequent reasons, and one for all others together."""
    named = [
        Line(f"{reason}: {count}", [each.refusals.get(reason, 0.0) for each in rates])
        for reason, count in reasons[:_SHOWN_REASONS]
    ]
    if not named:
        return [Line("none in this time", [0.0 for _ in rates])]
    others = dict(reasons[_SHOWN_REASONS:])
    if others:
        values = [sum(each.refusals.get(reason, 0.0) for reason in others) for each in rates]
        named.append(Line(f"{len(others)} other reasons: {sum(others.values())}", values))
    return named


def _arranged(parts: dict[str, Markup], message: Child) -> Markup:
    beside = el("div", el("div", parts["groups"]), el("div", parts["proxies"], parts.get("refusals")), class_="grid")
    return join(message, parts["state"], parts["charts"], beside)


def _state(status: dict[str, Any]) -> Markup:
    store = status["store"]["state"]
    lease = status["lease"]
    facts = [
        ("Health", el("span", status["health"], class_=status["health"])),
        ("State", status["state"]),
        ("Role", status["role"]),
        *([("Epoch", str(lease["epoch"]))] if lease is not None else []),
        ("Gateways", _gateways(status)) if status["gateways"] is not None else ("Peer", _peer(status)),
        ("Store", el("span", store, class_="good" if store == "open" else "down")),
        ("HTTP Proxies", _running(status["proxies"])),
        ("Up for", duration(status["uptime"])),
        ("Version", status["version"]),
    ]
    items = [el("div", el("dt", name), el("dd", value)) for name, value in facts]
    waiting = [f"waits for a restart of OCS: {each}" for each in status["waiting"]["restart"]]
    waiting += [f"waits for ocsctl proxy restart: {each}" for each in status["waiting"]["proxy_restart"]]
    problems = [el("li", each) for each in (*status["problems"], *waiting)]
    listed = el("ul", *problems, class_=status["health"] if status["problems"] else "soft") if problems else None
    return section("state", "Server", el("dl", *items, class_="facts"), listed)


def _gateways(status: dict[str, Any]) -> str:
    """Return the servers that serve the store at once, as `ocsctl status` does."""
    return ", ".join(f"{each['name']} (chores)" if each["chores"] else each["name"] for each in status["gateways"])


def _peer(status: dict[str, Any]) -> str:
    """Return the other server of the pair, as far as this one knows."""
    if status["pair"] is None:
        return "no pair"
    role = "standby" if status["role"] == "primary" else "primary"
    name = status["pair"][role]
    return f"{name} ({role})" if name is not None else f"no {role}"


def _running(proxies: list[dict[str, Any]]) -> str:
    running = sum(each["state"] == "running" for each in proxies)
    return f"{running} of {len(proxies)} running"


def _proxies(proxies: list[dict[str, Any]]) -> Markup:
    rows: list[tuple[Child, ...]] = [
        (
            each["name"],
            each["state"] if each["next_start"] is None else f"{each['state']}, next try in {each['next_start']} s",
            each["pid"] or "",
            duration(each["uptime"]) if each["uptime"] is not None else "",
            max(each["starts"] - 1, 0),
            each["url"] or "",
        )
        for each in proxies
    ]
    head = ("Listener", "State", "Process", "Up for", "Restarts", "Address")
    return section("proxies", "HTTP Proxies", table("HTTP Proxies", head, rows, "No HTTP Proxy."))


def _refusals(refused: Sequence[RefusedRequest]) -> Markup:
    rows: list[tuple[Child, ...]] = [
        (
            time.strftime("%H:%M:%S", time.gmtime(each.at)),
            each.request,
            each.text,
            el("a", "explain", href=f"/number?refusal={each.number}", aria_label=f"explain refusal {each.number}")
            if each.contact
            else "",
        )
        for each in refused[:_SHOWN_REFUSALS]
    ]
    shown = table("Last refusals", ("UTC", "Request", "Why", "Number"), rows, "Nothing was refused yet.")
    return section("refusals", "Last refusals", shown)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def duration(seconds: int) -> str:
    """Return a length of time in its two largest units."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((at for at, (count, _) in enumerate(units) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2])
