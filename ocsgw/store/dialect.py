"""What statements that engines share leave to the engine: how a run of rows, given as one JSON text, becomes a table.

Parameters are written `?` or `:name` for every engine.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

Parameters = Sequence[object] | Mapping[str, object]

_json = msgspec.json.Encoder()


def as_json(value: object) -> str:
    """Return a value as the JSON text that statements take."""
    return _json.encode(value).decode("utf-8")


class Dialect(Protocol):
    """How an engine reads JSON."""

    def numbers(self, parameter: str) -> str:
        """Return the query for the numbers of a JSON list."""

    def texts(self, parameter: str) -> str:
        """Return the query for the texts of a JSON list."""

    def table(self, parameter: str, kinds: str) -> str:
        """Return the query for the rows of a JSON list of lists.

        Its columns are `c0`, `c1` and so on; `kinds` has one letter for each: `n` for a number, `t` for a text.
        """


class Connection(Protocol):
    """A connection to the database, in a transaction.

    Raises `StoreFailureError`, `StatementError` where a statement does not fit the tables, or `RefusedByTableError` for
    rows that a table refuses.
    """

    def rows(self, text: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a statement. Text that is not in its encoding comes with lone surrogates."""

    def row(self, text: str, parameters: Parameters = ()) -> tuple[Any, ...] | None:
        """Return the first row of a statement, None without one."""

    def change(self, text: str, parameters: Parameters = ()) -> int:
        """Carry out a statement without rows; return how many rows it has changed."""


def upsert(table: str, key: str, columns: str) -> tuple[str, str]:
    """Return beginning and end of a statement that writes rows over those with the same key."""
    keys = key.split(", ")
    settings = ", ".join(f"{each} = excluded.{each}" for each in columns.split(", ") if each not in keys)
    return f"INSERT INTO {table} ({columns})", f"ON CONFLICT ({key}) DO UPDATE SET {settings}"
