"""The do-not-call list: block a contact, remove what blocks one, imports, export."""

from typing import Any

from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor, section, token_field
from ocsgw.admin.console.lists import imports_section, undo
from ocsgw.admin.console.markup import Child, Markup, el, join
from ocsgw.admin.console.pages import Door, Page, PageError, field, operation


class DoNotCall(Page):
    """`/do-not-call`."""

    path = "/do-not-call"
    title = "Do not call"
    is_for_all = True

    def __init__(self, door: Door, undoing: set[int]) -> None:
        super().__init__(door)
        self._undoing = undoing

    def content(self, request: Request, visitor: Visitor, message: Child) -> Any:
        """Return the page."""
        link = el("p", "Whether and why a number is blocked: ", el("a", "look it up", href="/number"))
        import_ = el("a", "Import entries", href="/import")
        files = el("p", import_, ", ", el("a", "export the do-not-call list", href="/export"))
        found = operation(self.door.view, visitor, "imports", at_most=50)
        return found.addCallback(
            lambda imports: join(
                message,
                link,
                _block_form(visitor, [each.name for each in self.door.view.directory().tenants]),
                _remove_form(visitor),
                imports_section(imports, self.path, visitor, are_of_lists=False),
                files,
            )
        )

    def carry_out(self, request: Request, visitor: Visitor) -> Any:
        """Block, remove, or take an import back."""
        order = field(request, "do")
        if order == "undo":
            return undo(self, request, visitor, self._undoing, is_of_list=False)
        contact, customer_id = field(request, "contact"), field(request, "customer_id")
        if bool(contact) == bool(customer_id):
            raise PageError(400, "name a number or a customer id, not both; nothing was changed")
        named = {"contact": contact} if contact else {"customer_id": customer_id}
        if order == "block":
            blocked = self.command(visitor, "block", **named, tenant=field(request, "tenant"))
            return blocked.addCallback(
                lambda event: f"{contact or customer_id} is blocked; records marked: {event['GSW_RECORDS_COUNT']}"
            )
        if order != "remove":
            raise PageError(400, f"the do-not-call list takes no order {order!r}; nothing was changed")
        reason = field(request, "reason")
        if not reason:
            raise PageError(400, "say why the entries are removed; nothing was changed")
        ready = field(request, "ready_again") == "yes"
        removed = operation(self.door.view, visitor, "remove entries", **named, reason=reason, ready_again=ready)
        return removed.addCallback(_removed)


def _removed(done: dict[str, Any]) -> str:
    if not done["removed"]:
        return "The do-not-call list has no entry for this; nothing was removed."
    ready = f"; {done['ready']} records are ready again" if done["ready"] else ""
    blocked = f"; {done['blocked']} records stay NoCall" if done["blocked"] else ""
    return f"Entries removed: {len(done['removed'])}{ready}{blocked}"


def _named(visitor: Visitor, order: str) -> Markup:
    return join(
        token_field(visitor),
        el("input", type="hidden", name="do", value=order),
        el("label", "Number", el("input", name="contact", maxlength=128)),
        el("label", "or customer id", el("input", name="customer_id", maxlength=255)),
    )


def _block_form(visitor: Visitor, tenants: list[str]) -> Markup:
    choice = None
    if len(tenants) > 1:
        options = [el("option", name, value=name) for name in tenants]
        choice = el("label", "Tenant", el("select", el("option", "every tenant", value=""), *options, name="tenant"))
    form = el(
        "form",
        _named(visitor, "block"),
        choice,
        el("button", "Block"),
        method="post",
        action="/do-not-call",
        class_="stack",
    )
    return section("block", "Block a contact", form)


def _remove_form(visitor: Visitor) -> Markup:
    form = el(
        "form",
        _named(visitor, "remove"),
        el("label", "Reason, for the audit log", el("input", name="reason", required=True, maxlength=200)),
        el(
            "label",
            el("input", type="checkbox", name="ready_again", value="yes"),
            " records that nothing else blocks become ready again",
            class_="line",
        ),
        el("button", "Remove entries"),
        method="post",
        action="/do-not-call",
        class_="stack",
    )
    return section("remove", "Remove what blocks a contact", form)
