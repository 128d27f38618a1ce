"""Charts as SVG, made here: the same with and without JavaScript, and nothing to load."""

from collections.abc import Sequence

from ocsgw.admin.console.markup import Markup, el, join

_WIDTH, _HEIGHT = 360, 76


def chart(title: str, lines: Sequence[tuple[str, Sequence[float | None]]], unit: str, points: int) -> Markup:
    """Return a chart of at most two named lines over 15 minutes; the newest of `points` places is at the right.

    What it shows last and at most stands below it in words.
    """
    top = max((value for _, values in lines for value in values if value is not None), default=0.0) or 1.0
    paths = [
        el("path", class_=style, d=_path(values, top, points)) for style, (_, values) in zip("ab", lines, strict=False)
    ]
    axis = el("path", class_="axis", d=f"M0 {_HEIGHT - 1}H{_WIDTH}")
    words = "; ".join(_in_words(name, values, unit) for name, values in lines)
    drawing = el(
        "svg",
        axis,
        *paths,
        class_="chart",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title}: {words}",
    )
    return join(drawing, el("p", words, class_="soft"))


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


def _in_words(name: str, values: Sequence[float | None], unit: str) -> str:
    known = [each for each in values if each is not None]
    if not known:
        return f"{name}: nothing yet"
    return f"{name} {_number(known[-1])} {unit}, at most {_number(max(known))}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 1 else f"{value:.2g}"
