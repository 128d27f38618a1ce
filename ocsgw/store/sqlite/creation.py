"""The statements that make tables of calling lists and do-not-call entries.

Written out for SQLite, because SQLAlchemy is large and slow to import, and every first start would need it; a test
keeps them the same as `store/schema.py`.
"""

from collections.abc import Iterable

from ocsgw.contact.directory import CallingList, Field
from ocsgw.protocol.columns import CALLING_LIST_COLUMNS, DO_NOT_CALL_COLUMNS, Column
from ocsgw.store.sqlite.forms import quoted

# Numbers of tenants and the like, which other programs may write as decimals.
_WIDE = frozenset({"tenant_dbid", "campaign_dbid", "list_dbid"})


def list_table(calling_list: CallingList) -> str:
    """Return the statement for the table of a list: the classic columns, then the custom ones (K20)."""
    columns = [*map(_classic, CALLING_LIST_COLUMNS), *map(_custom, calling_list.fields)]
    return _create(calling_list.table, (*columns, "PRIMARY KEY (chain_id, chain_n)", "UNIQUE (record_id)"))


def do_not_call_table(table: str) -> str:
    """Return the statement for a do-not-call table with the wide columns of new tables."""
    return _create(
        table,
        (f"{each.name} DECIMAL(18, 0)" if each.name in _WIDE else _classic(each) for each in DO_NOT_CALL_COLUMNS),
    )


def _create(table: str, parts: Iterable[str]) -> str:
    body = ", \n\t".join(parts)
    return f"CREATE TABLE {quoted(table)} (\n\t{body}\n)"


def _classic(column: Column) -> str:
    kind = f"VARCHAR({column.length})" if column.family == "text" else "INTEGER"
    return f"{column.name} {kind}{' NOT NULL' if column.required else ''}"


def _custom(field: Field) -> str:
    kinds = {
        "int": "INTEGER",
        "float": "DOUBLE",
        "char": f"CHAR({field.length})",
        "varchar": f"VARCHAR({field.length})",
        "datetime": "TIMESTAMP",
    }
    return f"{quoted(field.column)} {kinds[field.kind]}"
