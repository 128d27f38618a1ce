"""The last lines of the log."""

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor, search_form, section
from ocsgw.admin.console.markup import Child, Markup, el, join
from ocsgw.admin.console.pages import Page, field


class LogTail(Page):
    """`/log`: the newest line first; `?find=` shows only lines that have a text."""

    path = "/log"
    title = "Log"
    is_for_all = True
    live = True

    def content(self, request: Request, visitor: Visitor, message: Child) -> Child:
        """Return the page."""
        wanted = field(request, "find")
        # What was searched for stays as it is: only the whole tail is kept up to date.
        name = "found" if wanted else "lines"
        return join(
            message,
            search_form(self.path, wanted),
            _lines(name, [each for each in self.door.view.log_lines() if wanted in each]),
        )

    def parts(self, request: Request, visitor: Visitor) -> "Deferred[dict[str, Markup]]":
        """Return the parts of the page by their names, as they are now."""
        lines: list[str] = self.door.view.log_lines() if visitor.sees_all else []
        return succeed({"lines": _lines("lines", lines)})


def _lines(name: str, lines: list[Any]) -> Markup:
    text = "".join(f"{line.rstrip()}\n" for line in reversed(lines)) or "No line.\n"
    return section(name, f"{len(lines)} lines, the newest first", el("pre", text, tabindex=0))
