"""How results are shown on a terminal."""

import json
from collections.abc import Sequence


def print_json(value: object) -> None:
    """Print a result in the form for programs: one line of JSON."""
    print(json.dumps(value, ensure_ascii=False))


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
