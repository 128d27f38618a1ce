"""Members of usual AddRecords to rows and acknowledgements."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

SOURCES: str
# More are unusual.
MOST_KEYS: int
T_co = TypeVar("T_co", covariant=True)

class _MakeDraft(Protocol[T_co]):
    def __call__(self, at: int, row: list[Any], event: dict[str, Any], chain: None, /) -> T_co: ...

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
    """What `fill` does, by the places of the keys in the requests that have these, in this order."""

    def __init__(
        self,
        keys: tuple[str, ...],
        stored: tuple[tuple[int, str], ...],
        hidden: tuple[tuple[int, str], ...],
        named: tuple[tuple[int, str, dict[str, tuple[int, str]]], ...],
        custom: tuple[tuple[Any, ...], ...],
    ) -> None: ...

def drafts(
    requests: list[Any], at: int, steps: Steps, row: list[Any], event: dict[str, Any], make: _MakeDraft[T_co]
) -> list[T_co]:
    """Return drafts of records for requests that are alike and need no conversion."""
