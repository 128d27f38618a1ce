"""Calling lists and the do-not-call table in an SQLite file: found, judged, created, indexed (K10 to K24)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ocsgw.contact.directory import CallingList
from ocsgw.protocol.columns import CALLING_LIST_COLUMNS, DO_NOT_CALL_COLUMNS, Column
from ocsgw.store.engine import Report
from ocsgw.store.errors import StoreError
from ocsgw.store.records import LATEST, LEAST
from ocsgw.store.sqlite.connection import Connection, StatementError
from ocsgw.store.sqlite.do_not_call import DO_NOT_CALL_INDEXES, DncStatements, do_not_call_text
from ocsgw.store.sqlite.forms import quoted
from ocsgw.store.sqlite.ready import whole
from ocsgw.store.sqlite.statements import Index, ListStatements, list_indexes, list_text

# Name of a type, length or precision, scale.
_TYPE = re.compile(r"\s*([A-Z][A-Z0-9_ ]*?)\s*(?:\(\s*([0-9]+)[A-Z ]*(?:,\s*([0-9]+)\s*)?\).*)?").fullmatch
_NO_LIMIT = 1 << 30
# Columns of tables from before release 7.1 and what they are now (K12).
_OLD_COLUMNS = {"phone": "contact_info", "phone_type": "contact_info_type"}


@dataclass(frozen=True, slots=True)
class _Declared:
    """A column as a table declares it; `length` is that of a character column."""

    kind: str
    may_be_null: bool

    @property
    def family(self) -> str:
        match = _TYPE(self.kind)
        name, scale = (match[1], match[3]) if match is not None else (self.kind, None)
        if any(word in name for word in ("CHAR", "TEXT", "CLOB")):
            return "text"
        if re.search(r"INT(?!ERVAL)", name) and "POINT" not in name:
            return "integer"
        if re.match(r"DEC|NUM", name) and scale in (None, "0"):
            return "integer"
        return name.lower() or "without a type"

    @property
    def length(self) -> int:
        match = _TYPE(self.kind)
        return int(match[2]) if match is not None and match[2] is not None else _NO_LIMIT

    def problem_as(self, column: Column) -> str:
        """Return why this cannot be used as a classic column (K12, K24); an empty text if it can."""
        if self.family != column.family:
            return f"has the column {column.name} as {self.kind or 'no type'}, which is no {column.family}"
        if column.family == "text" and self.length < column.length:
            return f"has the column {column.name} as {self.kind}, which is shorter than {column.length}"
        return ""


class Tables:
    """Opens tables on a connection.

    `create_indexes` is what the configuration says, `may_index` whether missing ones are made now.
    """

    def __init__(
        self, connection: Connection, report: Report, *, create: bool, create_indexes: bool, may_index: bool
    ) -> None:
        self._connection = connection
        self._report = report
        # Lists that cannot be opened, with the reason.
        self.closed: dict[str, str] = {}
        self._create = create
        self._create_indexes = create_indexes
        self._may_index = may_index

    def open_list(self, calling_list: CallingList, *, needs_treatments: bool = False) -> ListStatements | None:
        """Return the statements of a list, None if its table cannot be used, which is reported (K12).

        `needs_treatments` says that the column `treatments` matters to the list (K69).
        """
        try:
            columns = self._columns(calling_list.table)
            if not columns and self._create:
                from ocsgw.store.schema import calling_list_table  # noqa: PLC0415 - SQLAlchemy is slow to import

                self._create_table(calling_list_table(calling_list))
                columns = self._columns(calling_list.table)
            problems = _problems(calling_list, columns)
            kind, _ = self._kind(calling_list.table)
            if not problems and kind != "table":
                problems = [f"is a {kind}; set the table itself"]
            if not problems:
                if self._may_index:
                    self._index(calling_list.table, list_indexes(calling_list))
                text = self._text_of(calling_list, columns)
                if needs_treatments and "treatments" not in text.columns:
                    self._report(93128, calling_list=calling_list.name, table=calling_list.table)
                return text
        except StatementError as error:
            problems = [f"cannot be used: {error}"]
        reason = f"table {calling_list.table} {'; '.join(problems)}"
        self.closed[calling_list.name] = reason
        self._report(93120, calling_list=calling_list.name, reason=reason)
        return None

    def open_retired_list(self, calling_list: CallingList) -> ListStatements | None:
        """Return the statements of a list that is no longer configured, None if its table is gone (C67)."""
        columns = self._columns(calling_list.table)
        return None if _problems(calling_list, columns) else self._text_of(calling_list, columns)

    def _text_of(self, calling_list: CallingList, columns: Mapping[str, _Declared]) -> ListStatements:
        unusable = [
            f"{column.name} ({problem})"
            for column in CALLING_LIST_COLUMNS
            if column.block != 1 and column.name in columns and (problem := columns[column.name].problem_as(column))
        ]
        if unusable:
            self._report(93121, calling_list=calling_list.name, columns=", ".join(unusable))
        if columns["record_id"].may_be_null:
            self._report_rows_without_id(calling_list)
        if self._create_indexes:
            self._report_values_that_are_no_numbers(calling_list)
        known = {column.name: column for column in CALLING_LIST_COLUMNS}
        usable = frozenset(
            name for name, declared in columns.items() if name not in known or not declared.problem_as(known[name])
        )
        return list_text(calling_list, usable, may_lack_chain=columns["chain_id"].may_be_null)

    def _report_rows_without_id(self, calling_list: CallingList) -> None:
        ((count,),) = self._connection.rows(
            f"SELECT count(*) FROM {quoted(calling_list.table)} WHERE record_id IS NULL"
        )
        if count:
            self._report(93122, calling_list=calling_list.name, count=count)

    def _report_values_that_are_no_numbers(self, calling_list: CallingList) -> None:
        """Report, by column, how many rows previews pass over (K63); an index of ours has these rows."""
        names = [each.name for each in CALLING_LIST_COLUMNS if each.block == 1 and each.family == "integer"]
        counts = ", ".join(
            f"total({name} IS NOT NULL AND (typeof({name}) <> 'integer' OR {name} NOT BETWEEN {LEAST} AND {LATEST}))"
            for name in names
        )
        (row,) = self._connection.rows(f"SELECT {counts} FROM {quoted(calling_list.table)} WHERE NOT ({whole('')})")
        for name, count in zip(names, row, strict=True):
            if count:
                self._report(93019, calling_list=calling_list.name, column=name, count=int(count))

    def open_do_not_call(self, table: str) -> tuple[DncStatements, tuple[int, int]]:
        """Return the statements of the do-not-call table and the lengths of its columns. Raises `StoreError`."""
        columns = self._columns(table)
        if not columns:
            if not self._create:
                raise StoreError(f"there is no do-not-call table {table}; create it or set [store] create = true")
            from ocsgw.store.schema import do_not_call_table  # noqa: PLC0415 - SQLAlchemy is slow to import

            self._create_table(do_not_call_table(table))
            columns = self._columns(table)
        problems = do_not_call_problems(columns) or self._do_not_call_form(table)
        if problems:
            raise StoreError(f"the do-not-call table {table} {problems}")
        if self._may_index:
            self._index(table, DO_NOT_CALL_INDEXES)
        text = do_not_call_text(table, has_expiry="expires_at" in columns, is_indexed=self._create_indexes)
        return text, (columns["phone"].length, columns["customer_id"].length)

    def _do_not_call_form(self, table: str) -> str:
        """Return why this is not a table that entries can be added to and found in by their numbers."""
        kind, without_rowid = self._kind(table)
        if kind != "table":
            return f"is a {kind}; entries have to be stored in a table of its own: set [do_not_call] table"
        if without_rowid:
            return "is a table WITHOUT ROWID, in which entries have no number; make it without that clause"
        return ""

    def _kind(self, table: str) -> tuple[str, bool]:
        """Return what stands behind the name of a table, and whether it was made WITHOUT ROWID."""
        schema, _, name = table.rpartition(".")
        row = self._connection.row(
            "SELECT type, wr FROM pragma_table_list WHERE schema = ? AND name = ? COLLATE NOCASE",
            (schema or "main", name),
        )
        return ("table", False) if row is None else (row[0], bool(row[1]))

    def _columns(self, table: str) -> dict[str, _Declared]:
        """Return the columns of a table by their names in lower case, nothing if there is no such table."""
        schema, _, name = table.rpartition(".")
        rows = self._connection.rows(
            'SELECT name, type, "notnull" FROM pragma_table_info(?, ?)', (name, schema or "main")
        )
        return {column.lower(): _Declared(kind.upper(), not not_null) for column, kind, not_null in rows}

    def _create_table(self, table: object) -> None:
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - SQLAlchemy is slow to import

        from ocsgw.store.schema import create_statement  # noqa: PLC0415 - SQLAlchemy is slow to import

        self._connection.change(create_statement(table, sqlite.dialect()))  # type: ignore[arg-type]  # a Table

    def _index(self, table: str, indexes: Mapping[int, Index]) -> None:
        """Make the indexes of a table what they should be; their names are those of K23."""
        schema, point, name = table.rpartition(".")
        prefix, catalogue = f"{schema}{point}", f"{quoted(schema)}.sqlite_master" if point else "sqlite_master"
        stem = f"ocsgw_ix_{name}_"
        there = dict(
            self._connection.rows(
                f"SELECT name, sql FROM {catalogue} WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE"
                " AND substr(name, 1, ?) = ?",
                (name, len(stem), stem),
            )
        )
        leading = self._leading_columns(table, but=there)
        wanted = {}
        for number, index in indexes.items():
            if index.unless_leading not in leading:
                condition = f" WHERE {index.condition}" if index.condition else ""
                wanted[f"{stem}{number}"] = f"ON {quoted(name)} ({index.body}){condition}"
        for index_name, sql in there.items():
            if not sql.endswith(wanted.get(index_name, "\0")):
                self._connection.change(f"DROP INDEX {quoted(prefix + index_name)}")
        for index_name, body in wanted.items():
            if not there.get(index_name, "").endswith(body):
                self._connection.change(f"CREATE INDEX {quoted(prefix + index_name)} {body}")

    def _leading_columns(self, table: str, but: Mapping[str, str]) -> set[str]:
        """Return the columns with which indexes of others, or the row id, begin."""
        schema, _, name = table.rpartition(".")
        where = (name, schema or "main")
        rows = self._connection.rows(
            "SELECT i.name, c.name FROM pragma_index_list(?, ?) AS i, pragma_index_info(i.name, ?) AS c"
            " WHERE c.seqno = 0 AND i.partial = 0",
            (*where, schema or "main"),
        )
        leading = {column.lower() for index, column in rows if index not in but and column is not None}
        keys = self._connection.rows("SELECT name, type FROM pragma_table_info(?, ?) WHERE pk > 0", where)
        if len(keys) == 1 and keys[0][1].upper() == "INTEGER":
            leading.add(keys[0][0].lower())
        return leading


def do_not_call_problems(columns: Mapping[str, _Declared]) -> str:
    """Return why columns are not those of a do-not-call table (K43, K44); an empty text if they are."""
    missing = [each.name for each in DO_NOT_CALL_COLUMNS if each.block == 1 and each.name not in columns]
    if missing:
        return f"lacks the columns {', '.join(missing)}"
    for each in DO_NOT_CALL_COLUMNS:
        declared = columns.get(each.name)
        # A column without a type keeps what is stored in it as it is.
        if declared is None or not declared.kind or declared.family == each.family:
            continue
        hint = (
            "a number loses its plus sign and leading zeros, so that contacts would not be found again; make it"
            f" varchar({each.length})"
            if each.family == "text"
            else "make it integer"
        )
        return f"has the column {each.name} as {declared.kind}, which is not {each.family}: {hint}"
    return ""


def _problems(calling_list: CallingList, columns: Mapping[str, _Declared]) -> list[str]:
    """Return why a table cannot be used as the table of a list (K12, K24)."""
    if not columns:
        return ["does not exist; create it or set [store] create = true"]
    problems = []
    for column in CALLING_LIST_COLUMNS:
        if column.block == 1:
            declared = columns.get(column.name)
            problem = f"lacks the column {column.name}" if declared is None else declared.problem_as(column)
            if problem:
                problems.append(problem)
    for old, new in _OLD_COLUMNS.items():
        if old in columns and new not in columns:
            problems.append(f"has the column {old}, which is {new} since release 7.1; rename it")
    problems += [
        f"lacks the custom column {field.column}; add it with ALTER TABLE"
        for field in calling_list.fields
        if field.column.lower() not in columns
    ]
    return problems
