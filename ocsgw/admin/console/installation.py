"""Texts about the installation itself: the configuration in force, the newest lines of the audit log."""

from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor, search_form, section
from ocsgw.admin.console.markup import Child, el, join, table
from ocsgw.admin.console.pages import Page, field
from ocsgw.audit.file import row_of

_SHOWN_LINES = 100


class Configuration(Page):
    """`/configuration`: every key that is in force; secrets are never shown."""

    path = "/configuration"
    title = "Configuration"
    is_for_all = True

    def content(self, request: Request, visitor: Visitor, message: Child) -> Child:
        """Return the page."""
        status = self.door.view.status()
        rows: list[tuple[Child, ...]] = [(key, value) for key, value in self.door.view.configuration()]
        refused = status["reload_refused"]
        problem = el("p", f"The changed file was refused: {refused}", class_="note bad") if refused else None
        shown = table("Configuration in force", ("Key", "Value"), rows)
        return join(message, problem, section("keys", f"In force, from {status['config']}", shown))


class Audit(Page):
    """`/audit`: the newest line first; `?find=` shows only lines that have a text."""

    path = "/audit"
    title = "Audit"
    is_for_all = True

    def content(self, request: Request, visitor: Visitor, message: Child) -> Child:
        """Return the page."""
        wanted = field(request, "find")
        found = [each for each in self.door.view.audit_lines() if wanted in each]
        rows: list[tuple[Child, ...]] = [row_of(line) for line in reversed(found[-_SHOWN_LINES:])]
        head = ("Line", "UTC", "Who", "Address", "Action", "What")
        shown = table("Audit log", head, rows, "No line, or no audit log is kept.")
        verify = el("p", "ocsctl audit verify checks that no line was changed or removed.", class_="soft")
        return join(message, search_form(self.path, wanted), section("lines", "The newest lines", shown), verify)
