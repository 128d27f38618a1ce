"""HTML as values: a text becomes part of a page by `el` alone, and is escaped there."""

import re
from html import escape

# Controls, of which terminals and browsers make something else than a sign, and those that turn the direction of text.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Markup(str):
    """A text that is HTML already."""

    __slots__ = ()


Child = str | int | None


def el(tag: str, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """Return an element. An attribute that is None or False is left out; a trailing `_` in its name too.

    Other underscores in names of attributes are hyphens. Texts are escaped, and controls in them shown by their
    numbers, unless they are the `value` that a form sends back; `Markup` is taken as it is.
    """
    head = tag
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        shown = name.rstrip("_").replace("_", "-")
        text = str(value) if name == "value" else _visible(str(value))
        head += f" {shown}" if value is True else f' {shown}="{escape(text)}"'
    if tag in _EMPTY:
        return Markup(f"<{head}>")
    return Markup(f"<{head}>{join(*children)}</{tag}>")


def join(*children: Child) -> Markup:
    """Return children one after the other; None is nothing."""
    return Markup("".join(_markup(each) for each in children if each is not None))


def table(caption: str, head: tuple[str, ...], rows: "list[tuple[Child, ...]]", empty: str = "None.") -> Markup:
    """Return a table, or the text `empty` where it would have no rows."""
    if not rows:
        return el("p", empty, class_="empty")
    cells = join(*(el("th", each, scope="col") for each in head))
    body = join(*(el("tr", *(el("td", each) for each in row)) for row in rows))
    inside = join(el("caption", caption, class_="unseen"), el("thead", el("tr", cells)), el("tbody", body))
    return el("div", el("table", inside), class_="wide", tabindex=0, role="region", aria_label=f"Table: {caption}")


def _markup(child: str | int) -> str:
    return child if isinstance(child, Markup) else escape(_visible(str(child)))


def _visible(text: str) -> str:
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


_EMPTY = frozenset({"input", "meta", "link", "br"})
