"""Who may use the server: principals, what vouches for them, and what they may do."""

from typing import Any

from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor, section
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.pages import Page
from ocsgw.contact.zones import time_in_words

_SOON = 30 * 86400
_LIMITS = (
    ("actions", "requests"),
    ("tenants", "tenants"),
    ("calling_lists", "calling lists"),
    ("campaign_groups", "campaign groups"),
)


class Principals(Page):
    """`/principals`. Neither a key nor its hash is ever shown."""

    path = "/principals"
    title = "Principals"
    is_for_all = True

    def content(self, request: Request, visitor: Visitor, message: Child) -> Child:
        """Return the page."""
        now = self.door.view.now()
        rows: list[tuple[Child, ...]] = [
            (each["name"], each["by"], _expiry(each["expires"], now), _names(each["listeners"], "every"), _limits(each))
            for each in self.door.view.principals()
        ]
        head = ("Principal", "By", "Valid until (UTC)", "Listeners", "Limits")
        nobody = "No key and no certificate is configured: listeners are open to whoever can connect."
        words = el("p", "Keys and certificates are changed in the configuration file.", class_="soft")
        return join(
            message, section("principals", "Keys and certificates", table(self.title, head, rows, nobody), words)
        )


def _expiry(expires: int | None, now: float) -> Child:
    if expires is None:
        return "always"
    kind = "bad" if expires <= now else "warn" if expires - now < _SOON else "good"
    over = " (expired)" if expires <= now else ""
    return el("span", f"{time_in_words(expires)}{over}", class_=kind)


def _names(names: tuple[str, ...] | None, everything: str) -> str:
    return everything if names is None else ", ".join(names) or "none"


def _limits(principal: dict[str, Any]) -> Markup:
    limits = [f"{words}: {_names(principal[name], '')}" for name, words in _LIMITS if principal[name] is not None]
    return el("ul", *(el("li", each) for each in limits)) if limits else el("span", "none")
