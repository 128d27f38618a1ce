"""Calling lists and the do-not-call table in an SQLite file."""

from collections.abc import Mapping

from ocsgw.contact.directory import CallingList
from ocsgw.store.records import LATEST, LEAST
from ocsgw.store.sqlite.connection import Connection
from ocsgw.store.sqlite.creation import do_not_call_table, list_table
from ocsgw.store.sqlite.do_not_call import DO_NOT_CALL_INDEXES, do_not_call_text
from ocsgw.store.sqlite.forms import quoted
from ocsgw.store.sqlite.ready import INTEGERS, doubtful
from ocsgw.store.sqlite.statements import list_indexes, list_text
from ocsgw.store.tables import Declared, Tables
from ocsgw.store.texts import DncStatements, Index, ListStatements, UsableColumn


class SQLiteTables(Tables):
    """Opens tables on a connection to a file."""

    _connection: Connection

    def _do_not_call_form(self, table: str) -> str:
        without_rowid = self._row_of(table)[1]
        if without_rowid:
            return "is a table WITHOUT ROWID, in which entries have no number; make it without that clause"
        return super()._do_not_call_form(table)

    def kind(self, table: str) -> str:
        """Return what stands behind the name of a table: "table", or what else it is."""
        return self._row_of(table)[0]

    def _row_of(self, table: str) -> tuple[str, bool]:
        """Return what stands behind the name of a table, and whether it was made WITHOUT ROWID."""
        schema, _, name = table.rpartition(".")
        row = self._connection.row(
            "SELECT type, wr FROM pragma_table_list WHERE schema = ? AND name = ? COLLATE NOCASE",
            (schema or "main", name),
        )
        return ("table", False) if row is None else (row[0], bool(row[1]))

    def columns(self, table: str) -> dict[str, Declared]:
        """Return the columns of a table by their names in lower case, nothing if there is no such table."""
        schema, _, name = table.rpartition(".")
        rows = self._connection.rows(
            'SELECT name, type, "notnull", dflt_value IS NULL, pk FROM pragma_table_info(?, ?)',
            (name, schema or "main"),
        )
        keys = sum(key > 0 for *_, key in rows)
        declared = {}
        for column, kind, not_null, lacks_default, key in rows:
            is_row_id = keys == 1 and key > 0 and kind.upper() == "INTEGER"
            must_be_given = bool(not_null and lacks_default) and not is_row_id
            declared[column.lower()] = Declared(column, kind.upper(), not not_null, must_be_given)
        return declared

    def identifier(self, table: str) -> str:
        """Return the name of a table as an identifier."""
        return quoted(table)

    def create_list(self, calling_list: CallingList) -> None:
        """Make the table of a list."""
        self._connection.change(list_table(calling_list))

    def create_do_not_call(self, table: str) -> None:
        """Make the do-not-call table."""
        self._connection.change(do_not_call_table(table))

    def _make_indexes(self, table: str, indexes: Mapping[int, Index]) -> None:
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
                with self._connection.spilling():
                    self._connection.change(f"DROP INDEX {quoted(prefix + index_name)}")
        for index_name, body in wanted.items():
            if not there.get(index_name, "").endswith(body):
                with self._connection.spilling():
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

    def _list_indexes(self, calling_list: CallingList, columns: Mapping[str, Declared]) -> dict[int, Index]:
        return list_indexes(calling_list)

    def _do_not_call_indexes(self, columns: Mapping[str, Declared]) -> dict[int, Index]:
        return DO_NOT_CALL_INDEXES

    def _list_text(
        self, calling_list: CallingList, usable: Mapping[str, UsableColumn], *, may_lack_chain: bool
    ) -> ListStatements:
        return list_text(calling_list, usable, may_lack_chain=may_lack_chain, is_indexed=self._create_indexes)

    def _do_not_call_text(self, table: str, columns: Mapping[str, Declared]) -> DncStatements:
        return do_not_call_text(table, has_expiry="expires_at" in columns, is_indexed=self._create_indexes)

    def _doubtful(self, columns: Mapping[str, Declared]) -> tuple[str, dict[str, str]]:
        wrong = "{0} IS NOT NULL AND (typeof({0}) <> 'integer' OR {0} NOT BETWEEN {1} AND {2})"
        return doubtful(""), {name: wrong.format(name, LEAST, LATEST) for name in INTEGERS}
