"""Tables that ocsgw creates, for every engine (constants.md sections 5 and 6.1).

Imported only when something has to be created: SQLAlchemy takes longer to import than the rest of OCS to start.
"""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn, CreateTable

from ocsgw.contact.directory import CallingList, Field
from ocsgw.protocol.columns import CALLING_LIST_COLUMNS, DO_NOT_CALL_COLUMNS, Column

_DATETIME = sa.DateTime(timezone=False)


def calling_list_table(calling_list: CallingList) -> sa.Table:
    """Return the table of a calling list: the classic columns, then the custom ones (K20)."""
    schema, name = split_name(calling_list.table)
    return sa.Table(
        name,
        sa.MetaData(),
        *(_classic(column) for column in CALLING_LIST_COLUMNS),
        *(sa.Column(field.column, _custom_type(field)) for field in calling_list.fields),
        sa.UniqueConstraint("record_id"),
        sa.PrimaryKeyConstraint("chain_id", "chain_n"),
        schema=schema,
    )


def do_not_call_table(table: str) -> sa.Table:
    """Return the do-not-call table with the wide columns of new tables."""
    schema, name = split_name(table)
    decimals = {"tenant_dbid", "campaign_dbid", "list_dbid"}
    columns = (
        sa.Column(column.name, sa.DECIMAL(18, 0)) if column.name in decimals else _classic(column)
        for column in DO_NOT_CALL_COLUMNS
    )
    return sa.Table(name, sa.MetaData(), *columns, schema=schema)


def create_statement(table: sa.Table, dialect: sa.Dialect) -> str:
    """Return the SQL text that creates a table."""
    return str(CreateTable(table).compile(dialect=dialect))


def add_column_statements(calling_list: CallingList, there: Collection[str], dialect: sa.Dialect) -> list[str]:
    """Return the SQL texts that add the columns a list needs to a table that has those in `there`, in lower case."""
    table = calling_list_table(calling_list)
    name = dialect.identifier_preparer.format_table(table)
    return [
        f"ALTER TABLE {name} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}"
        for column in table.columns
        if column.name.lower() not in there
    ]


def split_name(table: str) -> tuple[str | None, str]:
    """Return schema, None without one, and name of a table as configured."""
    schema, point, name = table.partition(".")
    return (schema, name) if point else (None, table)


def _classic(column: Column) -> sa.Column[object]:
    kind: sa.types.TypeEngine[object] = sa.String(column.length) if column.family == "text" else sa.Integer()  # type: ignore[assignment]  # both are types of columns
    return sa.Column(column.name, kind, nullable=not column.required, autoincrement=False)


def _custom_type(field: Field) -> "sa.types.TypeEngine[object]":
    kinds: dict[str, object] = {
        "int": sa.Integer(),
        "float": sa.Double(),
        "char": sa.CHAR(field.length),
        "varchar": sa.String(field.length),
        "datetime": sa.TIMESTAMP(timezone=False),
    }
    return kinds[field.kind]  # type: ignore[return-value]  # every value is a type of columns
