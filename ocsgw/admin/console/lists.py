"""Calling lists, what was imported into them, and their export."""

from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import inlineCallbacks
from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor, section, token_field
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.pages import Door, Page, PageError, field, operation
from ocsgw.contact.zones import time_in_words

_COUNTS = ("added", "updated", "replaced", "skipped", "refused")
_MOST_IMPORTS = 50
# Digits; those of an integer of the store.
_LONGEST_NUMBER = 18


class Lists(Page):
    """`/lists`."""

    path = "/lists"
    title = "Lists"
    is_for_all = True

    def __init__(self, door: Door, undoing: set[int]) -> None:
        super().__init__(door)
        self._undoing = undoing

    def content(self, request: Request, visitor: Visitor, message: Child) -> Any:
        """Return the page."""
        reasons = {each["name"]: each["reason"] for each in self.door.view.status()["closed_lists"]}
        rows: list[tuple[Child, ...]] = [
            (
                each.name,
                _links(each.name),
                _state(reasons.get(each.name), is_enabled=each.enabled),
                each.tenant.name,
                each.table,
            )
            for each in self.door.view.directory().calling_lists
        ]
        head = ("List", "Records", "State", "Tenant", "Table")
        lists = section("lists", "Calling lists", table("Calling lists", head, rows, "No calling list."))
        found = operation(self.door.view, visitor, "imports", at_most=_MOST_IMPORTS)
        return found.addCallback(
            lambda imports: join(message, lists, imports_section(imports, "/lists", visitor, are_of_lists=True))
        )

    def carry_out(self, request: Request, visitor: Visitor) -> Any:
        """Take an import back."""
        if field(request, "do") != "undo":
            raise PageError(400, f"this page takes no order {field(request, 'do')!r}; nothing was changed")
        return undo(self, request, visitor, self._undoing, is_of_list=True)


def _links(name: str) -> Markup:
    """Return what can be done with the records of a list; a file for people has names and the times of their zones."""
    links = (
        ("import", f"import into {name}", "/import", {"list": name}),
        ("export", f"export {name}", "/export", {"list": name}),
        ("export for people", f"export {name} for people", "/export", {"list": name, "for": "people"}),
    )
    shown = [el("a", text, href=f"{path}?{urlencode(query)}", aria_label=label) for text, label, path, query in links]
    return join(*(child for each in shown for child in (each, " ")))


def _state(reason: str | None, *, is_enabled: bool) -> Markup:
    if reason is not None:
        return el("span", f"closed: {reason}", class_="down")
    return el("span", "open", class_="good") if is_enabled else el("span", "disabled", class_="warn")


def imports_section(imports: list[dict[str, Any]], action: str, visitor: Visitor, *, are_of_lists: bool) -> Markup:
    """Return the newest imports, and a form that takes one back."""
    rows: list[tuple[Child, ...]] = [
        (
            each["number"],
            each["calling_list"] or "",
            time_in_words(each["started_at"]),
            "complete" if each["finished_at"] is not None else "interrupted",
            *(each["counts"].get(name, 0) for name in _COUNTS),
            each["file"],
        )
        for each in imports
        if (each["calling_list"] is not None) == are_of_lists
    ]
    head = ("Import", "List", "Began (UTC)", "State", *(name.capitalize() for name in _COUNTS), "File")
    form = el(
        "form",
        token_field(visitor),
        el("input", type="hidden", name="do", value="undo"),
        el("label", "Import", el("input", name="number", required=True, inputmode="numeric", size=8)),
        el("label", "Reason, for the audit log", el("input", name="reason", required=True, maxlength=200)),
        el("button", "Take back"),
        method="post",
        action=action,
        class_="stack",
    )
    listed = table("Imports", head, rows, "Nothing was imported yet.")
    return section("imports", "Imports", listed, form if rows else None)


@inlineCallbacks
def undo(page: Page, request: Request, visitor: Visitor, undoing: set[int], *, is_of_list: bool) -> Any:
    """Take the import of a form back, slice by slice; fires with what happened in words.

    `undoing` has the numbers of those that are being taken back: a second one at once would tell a part as the whole.
    """
    number, reason = field(request, "number"), field(request, "reason")
    if not number.isascii() or not number.isdecimal() or len(number) > _LONGEST_NUMBER:
        raise PageError(400, f"{number!r} is not the number of an import")
    if not reason:
        raise PageError(400, "say why the import is taken back; nothing was changed")
    view = page.door.view
    imports: Any = yield operation(view, visitor, "imports", at_most=1000)
    found = {each["number"]: each for each in imports if (each["calling_list"] is not None) == is_of_list}
    known = found.get(int(number))
    if known is None:
        raise PageError(404, f"there is no such import {number}")
    if int(number) in undoing:
        raise PageError(409, f"import {int(number)} is being taken back already")
    kept, behind = 0, 0
    undoing.add(int(number))
    try:
        while True:
            done: Any = yield operation(
                view,
                visitor,
                "undo import",
                number=int(number),
                calling_list=known["calling_list"],
                reason=reason,
                kept_behind=behind,
            )
            kept += len(done["kept"])
            behind = done["kept_behind"]
            if done["done"]:
                break
    finally:
        undoing.discard(int(number))
    stay = f"; {kept} were changed since and stay" if kept else ""
    lasting = "".join(f"; {count} {name}, which cannot be taken back" for name, count in done["lasting"].items())
    return f"Import {number}: {done['removed']} rows removed{stay}{lasting}"
