"""Campaign groups, each with every order that it takes."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from ocsgw.admin.console.group_table import GroupTable, give_order
from ocsgw.admin.console.layout import Visitor, section, token_field
from ocsgw.admin.console.markup import Child, Markup, el, join
from ocsgw.admin.console.pages import Door, Page, PageError, field
from ocsgw.admin.record_counts import RecordCounts


class Groups(Page):
    """`/groups`."""

    path = "/groups"
    title = "Groups"
    live = True

    def __init__(self, door: Door, counts: RecordCounts) -> None:
        super().__init__(door)
        self._counts = counts

    def content(self, request: Request, visitor: Visitor, message: Child) -> "Deferred[Child]":
        """Return the page."""
        forced = None
        if visitor.permissions.missing_for_action("ForceUnloadCampaign") is None:
            forced = _force_form(visitor)
        return self.parts(request, visitor).addCallback(lambda parts: join(message, *parts.values(), forced))

    def parts(self, request: Request, visitor: Visitor) -> "Deferred[dict[str, Markup]]":
        """Return the parts of the page by their names, as they are now."""

        def made(status: dict[str, Any]) -> dict[str, Markup]:
            groups = GroupTable(self.door.view, self._counts, visitor, self.path)
            return {"groups": section("groups", "Campaign groups", *groups.shown(status))}

        return self.command(visitor, "status").addCallback(made)

    def carry_out(self, request: Request, visitor: Visitor) -> Any:
        """Give an order to a group."""
        if field(request, "order") == "force-unload" and field(request, "sure") != "yes":
            raise PageError(400, "tick the box to end hand-outs that agents are working on; nothing was changed")
        return give_order(self, request, visitor)


def _force_form(visitor: Visitor) -> Markup:
    return section(
        "force",
        "End a group whatever its state",
        el(
            "form",
            token_field(visitor),
            el("input", type="hidden", name="order", value="force-unload"),
            el("label", "Group or its DBID", el("input", name="group", required=True)),
            el(
                "label",
                el("input", type="checkbox", name="sure", value="yes"),
                " Hand-outs that agents are working on end",
                class_="line",
            ),
            el("button", "Unload by force"),
            method="post",
            action="/groups",
            class_="stack",
        ),
    )
