"""What all pages have in common: head, navigation, messages."""

from dataclasses import dataclass

from ocsgw.access.permissions import EVERYTHING, Permissions
from ocsgw.admin.console.markup import Child, Markup, el, join

# Path, title, whether it shows what belongs to all tenants and lists.
PAGES: tuple[tuple[str, str, bool], ...] = (
    ("/", "Overview", False),
    ("/number", "Number", True),
    ("/record", "Record", True),
    ("/groups", "Groups", False),
    ("/lists", "Lists", True),
    ("/do-not-call", "Do not call", True),
    ("/principals", "Principals", True),
    ("/log", "Log", True),
    ("/configuration", "Configuration", True),
    ("/audit", "Audit", True),
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page.

    `principal` is empty on an open listener. `token` has to come with every form, `address` is that of the client.
    `can_leave` says whether there is a session that ends by logging out.
    """

    principal: str
    permissions: Permissions
    token: str
    address: str
    can_leave: bool

    @property
    def sees_all(self) -> bool:
        """Whether nothing is kept from them: pages about all tenants and lists are for those alone."""
        return self.permissions == EVERYTHING


@dataclass(frozen=True, slots=True)
class Extras:
    """What a page needs besides its content.

    `live` is the query of `/live` by which it keeps itself up to date where JavaScript runs, `script` the name of a
    further script. A page that `refreshes` is asked for again every few seconds where none runs.
    """

    live: str | None = None
    script: str | None = None
    refreshes: bool = False


_PLAIN = Extras()


def page(title: str, here: str, content: Child, visitor: Visitor | None, extras: Extras = _PLAIN) -> bytes:
    """Return a whole page."""
    scripts = ["console.js"] * (extras.live is not None) + [extras.script] * (extras.script is not None)
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} - ocsgw"),
        el("link", rel="stylesheet", href="/static/console.css"),
        el("link", rel="icon", href="/static/icon.svg"),
        *(el("script", src=f"/static/{name}", defer=True) for name in scripts),
        el("noscript", el("meta", http_equiv="refresh", content="3")) if extras.refreshes else None,
    )
    links = [
        el("a", name, href=path, aria_current="page" if path == here else None)
        for path, name, is_for_all in PAGES
        if visitor is not None and (visitor.sees_all or not is_for_all)
    ]
    who = None
    if visitor is not None:
        name = visitor.principal or "everybody on this machine"
        who = el("span", name, class_="who") if not visitor.can_leave else form("/logout", visitor, f"Log out {name}")
    body = el(
        "body",
        el("a", "Skip to content", href="#content", class_="skip"),
        el("header", el("strong", "ocsgw"), el("nav", *links, aria_label="Pages") if links else None, who),
        el("main", el("h1", title), content, id="content"),
        data_live=extras.live,
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang='en')}\n".encode()


def form(action: str, visitor: Visitor, label: str, *, title: str | None = None, **fields: str) -> Markup:
    """Return a form of one button that posts `fields`."""
    hidden = {"token": visitor.token, **fields}
    inputs = [el("input", type="hidden", name=name, value=value) for name, value in hidden.items()]
    button = el("button", label, aria_label=title)
    return el("form", *inputs, button, method="post", action=action, class_="inline")


def token_field(visitor: Visitor) -> Markup:
    """Return the hidden field that every form needs."""
    return el("input", type="hidden", name="token", value=visitor.token)


def section(name: str, title: str, *content: Child) -> Markup:
    """Return a part of a page, which is replaced by itself when it changes."""
    return el("section", el("h2", title, id=f"{name}-title"), *content, id=name, aria_labelledby=f"{name}-title")


def note(text: str, kind: str = "good") -> Markup:
    """Return a message about what was done; `kind` is good or bad."""
    return el("p", text, role="status" if kind == "good" else "alert", class_=f"note {kind}")


def sections(*parts: Markup) -> Markup:
    """Return parts one after the other."""
    return join(*parts)


def search_form(path: str, wanted: str) -> Markup:
    """Return a form that shows only those lines of the page at `path` that have a text, now `wanted`."""
    return el(
        "form",
        el("label", "Lines with", el("input", name="find", value=wanted)),
        el("button", "Show"),
        method="get",
        action=path,
        class_="stack",
    )
