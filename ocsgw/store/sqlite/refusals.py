"""What of a table refused a row, in words for the client: names only, no values (R54)."""

import re

from ocsgw.store.sqlite.connection import Connection

_UNIQUE = re.compile(r"UNIQUE constraint failed: (?:index '(.*)'|(.*))").fullmatch
_NOT_NULL = re.compile(r"NOT NULL constraint failed: .*\.(.*)").fullmatch


def refused_by(connection: Connection, table: str, reason: str) -> str:
    """Return what stands behind an error text of SQLite for a constraint."""
    not_null = _NOT_NULL(reason)
    if not_null is not None:
        return f"column {not_null[1]} must have a value"
    unique = _UNIQUE(reason)
    if unique is None:
        return reason
    if unique[1] is not None:
        return f"unique index {unique[1]}"
    columns = [each.rpartition(".")[2] for each in unique[2].split(", ")]
    schema, _, name = table.rpartition(".")
    indexes = connection.rows(
        "SELECT name FROM pragma_index_list(?, ?) WHERE \"unique\" AND origin = 'c'", (name, schema or "main")
    )
    for (index,) in indexes:
        found = connection.rows("SELECT name FROM pragma_index_info(?, ?) ORDER BY seqno", (index, schema or "main"))
        if [column for (column,) in found] == columns:
            return f"unique index {index}"
    return f"unique column {', '.join(columns)}"
