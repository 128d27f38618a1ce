"""Members of usual AddRecords to rows and acknowledgements."""

from collections.abc import Sequence
from typing import Any

SOURCES: str
# More are unusual.
MOST_KEYS: int

def fill(
    stored: tuple[tuple[int, str], ...],
    hidden: tuple[tuple[int, str], ...],
    named: tuple[tuple[int, str, dict[str, tuple[int, str]]], ...],
    custom: tuple[tuple[Any, ...], ...],
    data: dict[str, Any],
    row: list[Any],
    event: dict[str, Any],
) -> Sequence[str]:
    """Store and show what needs no conversion; return the keys of what is left."""

class Steps:
    """What `fill` does, by the places of the keys in the requests that have these, in this order.

    Raises `ValueError` where there is something unusual about the acknowledgement.
    """

    def __init__(
        self,
        keys: tuple[str, ...],
        stored: tuple[tuple[int, str], ...],
        hidden: tuple[tuple[int, str], ...],
        named: tuple[tuple[int, str, dict[str, tuple[int, str]]], ...],
        custom: tuple[tuple[Any, ...], ...],
        event: dict[str, Any],
        chain: int,
    ) -> None: ...

def drafts(requests: list[Any], at: int, steps: Steps, row: list[Any]) -> list[Any]:
    """Return drafts of records for requests that are alike and need no conversion."""

def number(drafts: list[Any], record_id: int, chain_id: int, at_record: int, at_chain: int) -> None:
    """Give drafts the ids behind these, and chains of their own."""

def answer_with(drafts: list[Any], replies: list[Any]) -> None:
    """Put what drafts are acknowledged with into the places of their requests."""

def rows_of(drafts: list[Any]) -> list[list[Any]]:
    """Return the rows of drafts."""

def are_plain(requests: list[Any]) -> bool:
    """Whether requests ask for the same, without a key, and none goes on from before."""
