"""How results are shown on a terminal."""

import json
from collections.abc import Sequence


def print_json(value: object) -> None:
    """Print a result in the form for programs: one line of JSON."""
    print(in_json(value))


def in_json(value: object) -> str:
    """Return a value as JSON in one line; bytes that another program has stored are text, as exports show them."""
    return json.dumps(value, ensure_ascii=False, default=_text_of)


def _text_of(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a head, in columns as wide as they need to be."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(head))]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def rows_were(count: int) -> str:
    """Return a number of rows as the beginning of a sentence about them."""
    return "1 row was" if count == 1 else f"{count} rows were"


def duration(seconds: int) -> str:
    """Return seconds in the two largest units that they fill."""
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
