"""What becomes of the rows of a file."""

from dataclasses import dataclass
from typing import Literal

Duplicates = Literal["add", "skip", "replace", "update"]
VerdictName = Literal["added", "updated", "replaced", "skipped", "refused"]
# Cells of a row, or why the row could not be read.
Row = list[str] | str


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What became of one row; `reason` is empty for one that was simply added.

    What differs from row to row stands behind a colon and a quotation mark, so that reasons can be counted.
    """

    name: VerdictName
    reason: str = ""


# What becomes of most rows.
ADDED = RowVerdict("added")
