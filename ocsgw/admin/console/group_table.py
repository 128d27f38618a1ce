"""Campaign groups with the numbers of their records, and the buttons for those who may give orders."""

from typing import Any

from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor, form
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.pages import Page, PageError, field
from ocsgw.admin.record_counts import Counted, RecordCounts
from ocsgw.admin.view import AdminView
from ocsgw.contact.directory import CampaignGroup

_HEAD = ("Group", "State", "Records", "Orders")
_EMPTY = {True: "No campaign group.", False: "The primary has them."}
# Order -> what its button says, the request that a principal has to be allowed, and the states that it makes sense in.
ORDERS: dict[str, tuple[str, str, frozenset[str]]] = {
    "load": ("Load", "LoadCampaign", frozenset({"unloaded"})),
    "start": ("Start", "StartDialing", frozenset({"unloaded", "loaded"})),
    "stop": ("Stop", "StopDialing", frozenset({"started"})),
    "unload": ("Unload", "UnloadCampaign", frozenset({"loaded"})),
}


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


class GroupTable:
    """Campaign groups as a visitor may see them; `action` is where forms go."""

    def __init__(self, view: AdminView, counts: RecordCounts, visitor: Visitor, action: str) -> None:
        self._view = view
        self._counts = counts
        self._visitor = visitor
        self._action = action

    def shown(self, status: dict[str, Any], at_most: int | None = None) -> list[Markup]:
        """Return a table of the groups of a status, with the age of its numbers; what is too much is behind a link."""
        by_dbid = {each.dbid: each for each in self._view.directory().groups}
        seen = [
            (each, group)
            for each in status["groups"]
            if (group := by_dbid.get(each["dbid"])) is not None and self._may_see(group)
        ]
        counted = {group.dbid: self._counts.of(group.campaign.calling_lists) for _, group in seen[:at_most]}
        failing = {group.dbid: self._counts.failing(group.campaign.calling_lists) for _, group in seen[:at_most]}
        rows = [self._row(each, counted[group.dbid], failing[group.dbid]) for each, group in seen[:at_most]]
        parts = [table("Campaign groups", _HEAD, rows, _EMPTY[status["role"] == "primary"])]
        ages = [self._counts.clock() - each.at for each in counted.values() if each is not None]
        age = f"Records as counted {_age(max(ages))}. " if ages else None
        more = len(seen) - len(rows)
        rest = el("a", f"{more} more groups", href="/groups") if more > 0 else None
        return [*parts, el("p", age, rest, class_="soft")] if age or rest else parts

    def _may_see(self, group: CampaignGroup) -> bool:
        return self._visitor.permissions.missing_for_group(group.campaign.tenant.name, group.name) is None

    def _row(self, group: dict[str, Any], counted: Counted | None, failing: list[str]) -> tuple[Child, ...]:
        buttons = [
            form(
                self._action,
                self._visitor,
                label,
                title=f"{label} {group['name']}",
                order=order,
                group=str(group["dbid"]),
            )
            for order, (label, needed, states) in ORDERS.items()
            if group["state"] in states and self._visitor.permissions.missing_for_action(needed) is None
        ]
        spaced = join(*(child for button in buttons for child in (button, " ")))
        problem = f"cannot be counted: {', '.join(failing)}; tried again, the log has the reason" if failing else ""
        known = _in_words(counted.by_status) if counted is not None else "" if failing else "being counted"
        records = "; ".join(each for each in (known, problem) if each)
        state = f"{group['state']}, {group['mode']}"
        return (group["name"], state, records, el("span", spaced, class_="orders"))


def _in_words(by_status: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in by_status.items() if count) or "none"


def _age(seconds: float) -> str:
    """Return an age in steps, so that a page does not change all the time."""
    for limit, words in ((10, "just now"), (60, "less than a minute ago"), (300, "less than 5 minutes ago")):
        if seconds < limit:
            return words
    return f"{int(seconds // 60)} minutes ago"
