"""Charts as SVG, made here: the same with and without JavaScript, and nothing to load."""

from collections.abc import Sequence
from typing import NamedTuple

from ocsgw.admin.console.markup import Markup, el, join

_WIDTH, _HEIGHT = 360, 64
_STYLES = "abcd"


class Line(NamedTuple):
    """One line of a chart; `words` stand below it."""

    words: str
    values: Sequence[float | None]


def chart(title: str, lines: Sequence[Line], points: int) -> Markup:
    """Return a chart of at most four lines over 15 minutes; the newest of `points` places is at the right."""
    top = max((value for each in lines for value in each.values if value is not None), default=0.0) or 1.0
    styled = list(zip(_STYLES, lines, strict=False))
    paths = [el("path", class_=style, d=_path(each.values, top, points)) for style, each in styled]
    axis = el("path", class_="axis", d=f"M0 {_HEIGHT - 1}H{_WIDTH}")
    keys = [el("li", each.words, class_=f"key {style}") for style, each in styled]
    drawing = el(
        "svg",
        axis,
        *paths,
        class_="chart",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title}: {'; '.join(each.words for each in lines)}",
    )
    return join(drawing, el("ul", *keys, class_="keys"))


def _path(values: Sequence[float | None], top: float, points: int) -> str:
    """Return a line; where there is no value it is broken."""
    steps = []
    pen = "M"
    first = points - len(values)
    for at, value in enumerate(values, first):
        if value is None:
            pen = "M"
            continue
        x = at * _WIDTH / max(points - 1, 1)
        y = _HEIGHT - 2 - (_HEIGHT - 6) * value / top
        # The short dash shows a value that stands alone.
        steps.append(f"{pen}{x:.1f} {y:.1f}" + ("h1" if pen == "M" else ""))
        pen = "L"
    return "".join(steps) or "M0 0"


def measured(name: str, values: Sequence[float | None], unit: str) -> Line:
    """Return a line with what it shows last and at most in words."""
    return Line(_in_words(name, values, unit), values)


def _in_words(name: str, values: Sequence[float | None], unit: str) -> str:
    known = [each for each in values if each is not None]
    if not known:
        return f"{name}: nothing yet"
    return f"{name} {_number(known[-1])} {unit}, at most {_number(max(known))}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 1 else f"{value:.2g}"
