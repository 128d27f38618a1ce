"""Rows that were just inserted, as they would be read: for the rows of an import reading costs as much as adding.

Only where nothing can have come between: every value has the type of its column, so that SQLite stores it as it is, and
nothing that is read differently from what is stored is among them. In every other case the rows have to be read.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from types import NoneType
from typing import Any

from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import NewRecord, Record, further_columns
from ocsgw.store.records import LATEST, LEAST
from ocsgw.store.texts import INSERTED_COLUMNS, ListStatements

_AGENT = INSERTED_COLUMNS.index("agent_id")
# Here 0 is read as another number.
NEVER_ZERO = frozenset({"record_type", "record_status"})
_BYTES_OF_CHARACTER = 4


def as_stored(
    calling_list: CallingList,
    text: ListStatements,
    records: Sequence[NewRecord],
    rows: Iterable[Sequence[Any]],
    largest: int,
) -> list[Record] | None:
    """Return inserted rows as they are read, None if that cannot be told.

    `rows` are the values of the records (`row_of`), `largest` is that of `unreadable_column`.
    """
    if further_columns(calling_list):
        return None
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    names = (*INSERTED_COLUMNS, *(field.column for field in calling_list.fields))
    longest = 0
    for name, values in zip(names, columns, strict=True):
        kinds = set(map(type, values))
        is_number = int in kinds
        # A custom column, and that of the agent, may be empty.
        if name in INSERTED_COLUMNS and name != "agent_id" and NoneType in kinds:
            return None
        kinds.discard(NoneType)
        if kinds and kinds != {stored_as_they_are(text.columns[name.lower()].kind)}:
            return None
        if is_number and name in INSERTED_COLUMNS:
            # Most columns have the same number in each row.
            different = values[:1] if values.count(values[0]) == len(values) else values
            if min(different) < LEAST or max(different) > LATEST or (name in NEVER_ZERO and 0 in different):
                return None
        elif kinds == {str}:
            longest += max(len(each) for each in values if each is not None)
    if longest * _BYTES_OF_CHARACTER > largest:
        return None
    columns[_AGENT] = [each or "" for each in columns[_AGENT]]
    customs = [each.custom for each in records]
    return list(map(Record, *columns[: len(INSERTED_COLUMNS)], repeat(""), customs, ([] for _ in records)))


def stored_as_they_are(kind: str) -> type[int] | type[str] | None:
    """Return which values a column of this declared type stores as they are, by the rules of its affinity."""
    if "INT" in kind:
        return int
    return str if any(each in kind for each in ("CHAR", "CLOB", "TEXT")) else None
