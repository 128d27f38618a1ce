"""The first page: how the server is, charts of the last 15 minutes, groups, last refusals, HTTP Proxies."""

import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ocsgw.admin.console.chart import chart
from ocsgw.admin.console.history import EVERY, SPAN, History
from ocsgw.admin.console.layout import Visitor, form, section
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.pages import Door, Page, PageError, field
from ocsgw.control.commands import RefusedRequest

_POINTS = int(SPAN / EVERY)
_SHOWN_GROUPS = 12
_SHOWN_REFUSALS = 8
# Order -> what its button says, the request that a principal has to be allowed, and the states that it makes sense in.
ORDERS: dict[str, tuple[str, str, frozenset[str]]] = {
    "load": ("Load", "LoadCampaign", frozenset({"unloaded"})),
    "start": ("Start", "StartDialing", frozenset({"unloaded", "loaded"})),
    "stop": ("Stop", "StopDialing", frozenset({"started"})),
    "unload": ("Unload", "UnloadCampaign", frozenset({"loaded"})),
}


class Overview(Page):
    """`/`."""

    path = "/"
    title = "Overview"
    live = True

    def __init__(self, door: Door, history: History) -> None:
        super().__init__(door)
        self._history = history

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
        groups = group_rows(status["groups"], visitor, view, "/")
        more = len(groups) - _SHOWN_GROUPS
        rest = el("p", el("a", f"{more} more", href="/groups")) if more > 0 else None
        found = {
            "state": _state(status),
            "charts": self._charts(),
            "groups": section("groups", "Campaign groups", _group_table(groups[:_SHOWN_GROUPS]), rest),
            "proxies": _proxies(status["proxies"]),
        }
        if visitor.sees_all:
            found["refusals"] = _refusals(view.refusals())
        return found

    def _charts(self) -> Markup:
        rates = self._history.rates()
        requests = chart("Requests", [("requests", [each.requests for each in rates])], "per second", _POINTS)
        durations: list[tuple[str, list[float | None]]] = [
            ("p50", [_milliseconds(each.median) for each in rates]),
            ("p99", [_milliseconds(each.slowest) for each in rates]),
        ]
        reasons = self._history.refusals()
        words = ", ".join(f"{reason}: {count}" for reason, count in reasons[:4]) or "none in this time"
        refusals = chart("Refusals", [("refusals", [each.refusals for each in rates])], "per second", _POINTS)
        return section(
            "charts",
            "Last 15 minutes",
            el(
                "div",
                el("div", el("h3", "Requests"), requests),
                el("div", el("h3", "Time of a request in OCS"), chart("Time", durations, "ms", _POINTS)),
                el("div", el("h3", "Refusals"), refusals, el("p", words, class_="soft")),
                class_="grid",
            ),
        )


def give_order(page: Page, request: Request, visitor: Visitor) -> Any:
    """Carry out the order of a form for a group; fires with what happened in words."""
    order, name = field(request, "order"), field(request, "group")
    known = ORDERS.get(order) or (("", "ForceUnloadCampaign", frozenset()) if order == "force-unload" else None)
    if known is None:
        raise PageError(400, "this is not an order that a campaign group takes")
    if visitor.permissions.missing_for_action(known[1]) is not None:
        raise PageError(403, f"{visitor.principal} is not allowed to send {known[1]}")
    done = page.command(visitor, "campaign", order=order, name=name)
    return done.addCallback(lambda event: f"{event['GSW_CAMPAIGN_GROUP_NAME']}: {event['GSW_USER_EVENT']}")


def group_rows(groups: list[dict[str, Any]], visitor: Visitor, view: Any, action: str) -> list[tuple[Child, ...]]:
    """Return a row for each group that a visitor may see, with the buttons that they may use now."""
    by_dbid = {each.dbid: each for each in view.directory().groups}
    rows: list[tuple[Child, ...]] = []
    for each in groups:
        group = by_dbid.get(each["dbid"])
        if group is None or visitor.permissions.missing_for_group(group.campaign.tenant.name, group.name) is not None:
            continue
        buttons = [
            form(action, visitor, label, title=f"{label} {each['name']}", order=order, group=str(each["dbid"]))
            for order, (label, needed, states) in ORDERS.items()
            if each["state"] in states and visitor.permissions.missing_for_action(needed) is None
        ]
        spaced = join(*(child for button in buttons for child in (button, " ")))
        rows.append((each["name"], each["campaign"], each["mode"], each["state"], spaced))
    return rows


def _group_table(rows: list[tuple[Child, ...]]) -> Markup:
    return table("Campaign groups", ("Group", "Campaign", "Mode", "State", "Orders"), rows, "No campaign group.")


def _arranged(parts: dict[str, Markup], message: Child) -> Markup:
    beside = el("div", el("div", parts["groups"]), el("div", parts["proxies"], parts.get("refusals")), class_="grid")
    return join(message, parts["state"], parts["charts"], beside)


def _state(status: dict[str, Any]) -> Markup:
    store = status["store"]["state"]
    facts = [
        ("Health", el("span", status["health"], class_=status["health"])),
        ("State", status["state"]),
        ("Role", status["role"]),
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


def _running(proxies: list[dict[str, Any]]) -> str:
    running = sum(each["state"] == "running" for each in proxies)
    return f"{running} of {len(proxies)} running"


def _proxies(proxies: list[dict[str, Any]]) -> Markup:
    rows: list[tuple[Child, ...]] = [
        (each["name"], each["state"], each["pid"] or "", each["url"] or "", each["starts"]) for each in proxies
    ]
    shown = table("HTTP Proxies", ("Listener", "State", "Process", "Address", "Starts"), rows, "No HTTP Proxy.")
    return section("proxies", "HTTP Proxies", shown)


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
