"""Calling lists and the do-not-call table, for every engine: found, judged, created, indexed (K10 to K24)."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass

from ocsgw.contact.directory import CallingList
from ocsgw.protocol.columns import CALLING_LIST_COLUMNS, DO_NOT_CALL_COLUMNS, Column
from ocsgw.store.dialect import Connection
from ocsgw.store.engine import Report
from ocsgw.store.errors import StatementError, StoreError
from ocsgw.store.texts import DncStatements, Index, ListStatements, UsableColumn

# Name of a type, length or precision, scale.
_TYPE = re.compile(r"\s*([A-Z][A-Z0-9_ ]*?)\s*(?:\(\s*([0-9]+)[A-Z ]*(?:,\s*([0-9]+)\s*)?\).*)?").fullmatch
_INSERTED = frozenset(each.name for each in CALLING_LIST_COLUMNS if each.block == 1)
_NO_LIMIT = 1 << 30
# Columns of tables from before release 7.1 and what they are now (K12).
_OLD_COLUMNS = {"phone": "contact_info", "phone_type": "contact_info_type"}


@dataclass(frozen=True, slots=True)
class Declared:
    """A column as a table declares it, with its type; `length` is that of a character column.

    One that `must_be_given` has no value of its own in a new row, and may not be without one.
    """

    name: str
    kind: str
    may_be_null: bool
    must_be_given: bool = False

    @property
    def family(self) -> str:
        """`text`, `integer`, or the name of the type if it is neither."""
        match = _TYPE(self.kind.upper())
        name, scale = (match[1], match[3]) if match is not None else (self.kind.upper(), None)
        if any(word in name for word in ("CHAR", "TEXT", "CLOB")):
            return "text"
        if re.search(r"INT(?!ERVAL)", name) and "POINT" not in name:
            return "integer"
        if re.match(r"DEC|NUM", name) and scale in (None, "0"):
            return "integer"
        return name.lower() or "without a type"

    @property
    def length(self) -> int:
        """How many characters the column takes."""
        match = _TYPE(self.kind.upper())
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
            columns = self.columns(calling_list.table)
            if not columns and self._create:
                self.create_list(calling_list)
                columns = self.columns(calling_list.table)
            given = {*_INSERTED, *(field.column.lower() for field in calling_list.fields)}
            problems = _problems(calling_list, columns) + _left_empty(columns, given)
            kind = self.kind(calling_list.table)
            if not problems and kind != "table":
                problems = [f"is a {kind}; set the table itself"]
            if not problems:
                if self._may_index:
                    self._make_indexes(calling_list.table, self._list_indexes(calling_list, columns))
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

    def misfit(self, calling_list: CallingList) -> str:
        """Return why the columns of a table are not those that its list needs; empty if they are, or without a table.

        That a table is missing is found by each statement, and may have changed with the next one.
        """
        columns = self.columns(calling_list.table)
        return "; ".join(_problems(calling_list, columns)) if columns else ""

    def open_retired_list(self, calling_list: CallingList) -> ListStatements | None:
        """Return the statements of a list that is no longer configured, None if its table is gone (C67)."""
        columns = self.columns(calling_list.table)
        return None if _problems(calling_list, columns) else self._text_of(calling_list, columns)

    def _text_of(self, calling_list: CallingList, columns: Mapping[str, Declared]) -> ListStatements:
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
            self._report_values_that_are_no_numbers(calling_list, columns)
        usable = usable_columns(columns)
        return self._list_text(calling_list, usable, may_lack_chain=columns["chain_id"].may_be_null)

    def _report_rows_without_id(self, calling_list: CallingList) -> None:
        table = self.identifier(calling_list.table)
        ((count,),) = self._connection.rows(f"SELECT count(*) FROM {table} WHERE record_id IS NULL")
        if count:
            self._report(93122, calling_list=calling_list.name, count=count)

    def _report_values_that_are_no_numbers(self, calling_list: CallingList, columns: Mapping[str, Declared]) -> None:
        """Report, by column, how many rows previews pass over (K63); an index of ours has these rows."""
        of_row, of_columns = self._doubtful(columns)
        if not of_columns:
            return
        counts = ", ".join(f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)" for condition in of_columns.values())
        (row,) = self._connection.rows(f"SELECT {counts} FROM {self.identifier(calling_list.table)} WHERE {of_row}")
        for name, count in zip(of_columns, row, strict=True):
            if count:
                self._report(93019, calling_list=calling_list.name, column=name, count=int(count))

    def open_do_not_call(self, table: str) -> tuple[DncStatements, tuple[int, int]]:
        """Return the statements of the do-not-call table and the lengths of its columns. Raises `StoreError`."""
        columns = self.columns(table)
        if not columns:
            if not self._create:
                raise StoreError(f"there is no do-not-call table {table}; create it or set [store] create = true")
            self.create_do_not_call(table)
            columns = self.columns(table)
        given = {each.name for each in DO_NOT_CALL_COLUMNS if each.block == 1}
        problems = (
            do_not_call_problems(columns) or self._do_not_call_form(table) or "; ".join(_left_empty(columns, given))
        )
        if problems:
            raise StoreError(f"the do-not-call table {table} {problems}")
        if self._may_index:
            self._make_indexes(table, self._do_not_call_indexes(columns))
        text = self._do_not_call_text(table, columns)
        return text, (columns["phone"].length, columns["customer_id"].length)

    def _do_not_call_form(self, table: str) -> str:
        """Return why this is not a table that entries can be added to and found in by their numbers."""
        kind = self.kind(table)
        if kind != "table":
            return f"is a {kind}; entries have to be stored in a table of its own: set [do_not_call] table"
        return ""

    # What engines do in their own ways.

    def columns(self, table: str) -> dict[str, Declared]:
        """Return the columns of a table by their names in lower case, nothing if there is no such table."""
        raise NotImplementedError

    def kind(self, table: str) -> str:
        """Return what stands behind the name of a table: "table", or what else it is."""
        raise NotImplementedError

    def identifier(self, table: str) -> str:
        """Return the name of a table as an identifier."""
        raise NotImplementedError

    def create_list(self, calling_list: CallingList) -> None:
        """Make the table of a list."""
        raise NotImplementedError

    def create_do_not_call(self, table: str) -> None:
        """Make the do-not-call table."""
        raise NotImplementedError

    def _make_indexes(self, table: str, indexes: Mapping[int, Index]) -> None:
        """Make the indexes of a table what they should be; their names are those of K23."""
        raise NotImplementedError

    def _list_indexes(self, calling_list: CallingList, columns: Mapping[str, Declared]) -> dict[int, Index]:
        """Return the indexes of a list by the numbers in their names."""
        raise NotImplementedError

    def _do_not_call_indexes(self, columns: Mapping[str, Declared]) -> dict[int, Index]:
        """Return the indexes of the do-not-call table by the numbers in their names."""
        raise NotImplementedError

    def _list_text(
        self, calling_list: CallingList, usable: Mapping[str, UsableColumn], *, may_lack_chain: bool
    ) -> ListStatements:
        """Return the statements of a list."""
        raise NotImplementedError

    def _do_not_call_text(self, table: str, columns: Mapping[str, Declared]) -> DncStatements:
        """Return the statements of the do-not-call table."""
        raise NotImplementedError

    def _doubtful(self, columns: Mapping[str, Declared]) -> tuple[str, dict[str, str]]:
        """Return the condition for a row with a value that is not a number as we can represent it (K63).

        With it, by column, the conditions for such a value; none where there cannot be any.
        """
        raise NotImplementedError


def usable_columns(columns: Mapping[str, Declared]) -> dict[str, UsableColumn]:
    """Return the columns of a table of a list without those that are not as they should be."""
    known = {column.name: column for column in CALLING_LIST_COLUMNS}
    return {
        lower: UsableColumn(declared.name, declared.kind)
        for lower, declared in columns.items()
        if lower not in known or not declared.problem_as(known[lower])
    }


def do_not_call_problems(columns: Mapping[str, Declared]) -> str:
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


def _problems(calling_list: CallingList, columns: Mapping[str, Declared]) -> list[str]:
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
        f"lacks the custom column {field.column}; add it with ALTER TABLE or ocsctl list alter {calling_list.name}"
        for field in calling_list.fields
        if field.column.lower() not in columns
    ]
    return problems


def _left_empty(columns: Mapping[str, Declared], given: Container[str]) -> list[str]:
    """Return the columns of others without which no row can be added."""
    return [
        f"has the column {declared.name}, which must have a value and has no default, so that no row can be added; give"
        " it a default, or let it be NULL"
        for name, declared in columns.items()
        if declared.must_be_given and name not in given
    ]
