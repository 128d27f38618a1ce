"""Rows of calling lists to records, where nothing in them is unusual."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
SOURCES: str

class Reader(Generic[T]):
    """Reads rows as records; see `store.records`."""

    def __init__(self, kinds: tuple[type[str] | type[int], ...], least: int, latest: int, make: type[T]) -> None: ...
    def read(self, rows: Sequence[tuple[Any, ...]], first: int, fields: int, most_bytes: int) -> list[T] | None:
        """Return the records of rows that begin at the column `first`; None if there is something unusual in one."""
