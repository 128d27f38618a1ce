"""Calling lists and the do-not-call table in a PostgreSQL database: any schema, any spelling of names (K10 to K24)."""

import zlib
from collections.abc import Mapping
from typing import NamedTuple

from ocsgw.contact.directory import CallingList
from ocsgw.protocol.columns import CALLING_LIST_COLUMNS, DO_NOT_CALL_COLUMNS
from ocsgw.store.dialect import Connection
from ocsgw.store.engine import Report
from ocsgw.store.list_counters import chain_counter, record_counter
from ocsgw.store.postgresql.do_not_call import NUMBER, do_not_call_indexes, do_not_call_text
from ocsgw.store.postgresql.forms import Forms, literal, quoted
from ocsgw.store.postgresql.ready import Ready, is_whole
from ocsgw.store.postgresql.statements import list_indexes, list_text
from ocsgw.store.tables import Declared, Tables, usable_columns
from ocsgw.store.texts import DncStatements, Index, ListStatements, UsableColumn

_CLASSIC = frozenset(each.name for each in (*CALLING_LIST_COLUMNS, *DO_NOT_CALL_COLUMNS))
_KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table"}
_LONGEST_NAME = 63
# Tables of more pages are indexed while others go on to write.
_LARGE = 1000


class _Place(NamedTuple):
    oid: int
    schema: str
    name: str
    kind: str
    pages: int


class PostgreSQLTables(Tables):
    """Opens tables on a connection that is not in a transaction."""

    def __init__(
        self,
        connection: Connection,
        report: Report,
        forms: Forms,
        *,
        create: bool,
        create_indexes: bool,
        may_index: bool,
    ) -> None:
        super().__init__(connection, report, create=create, create_indexes=create_indexes, may_index=may_index)
        self._forms = forms

    def _place(self, table: str) -> _Place | None:
        """Return where a table is: by its exact name, else by the one that it has without quotes."""
        schema, point, name = table.partition(".")
        schema, name = (schema, name) if point else ("", schema)
        row = self._connection.row(
            "SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, c.relpages FROM pg_catalog.pg_class AS c"
            " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE c.relname IN (:name::text, lower(:name::text)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND CASE WHEN :schema::text = '' THEN pg_catalog.pg_table_is_visible(c.oid)"
            " ELSE n.nspname IN (:schema::text, lower(:schema::text)) END"
            " ORDER BY c.relname = :name::text DESC, n.nspname = :schema::text DESC LIMIT 1",
            {"schema": schema, "name": name},
        )
        return _Place(*row) if row is not None else None

    def columns(self, table: str) -> dict[str, Declared]:
        """Return the columns of a table by their names in lower case, nothing if there is no such table."""
        place = self._place(table)
        if place is None:
            return {}
        rows = self._connection.rows(
            "SELECT a.attname, a.attnotnull, NOT (a.atthasdef OR a.attidentity <> ''), CASE WHEN t.typtype = 'd'"
            " THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)"
            " ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END FROM pg_catalog.pg_attribute AS a"
            " JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid"
            " WHERE a.attrelid = :oid::oid AND a.attnum > 0 AND NOT a.attisdropped",
            {"oid": place.oid},
        )
        return {
            name.lower(): Declared(name, kind, not not_null, not_null and lacks_default)
            for name, not_null, lacks_default, kind in rows
            # Classic columns are found by their names without quotes.
            if name == name.lower() or name.lower() not in _CLASSIC
        }

    def kind(self, table: str) -> str:
        """Return what stands behind the name of a table: "table", or what else it is."""
        place = self._place(table)
        if place is None:
            return "table"
        triggers = self._connection.row(
            "SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = :oid::oid AND tgtype & 64 <> 0", {"oid": place.oid}
        )
        return _KINDS[place.kind] + (" with INSTEAD OF triggers" if triggers is not None else "")

    def identifier(self, table: str) -> str:
        """Return the name of a table as an identifier."""
        place = self._place(table)
        return _identifier(table) if place is None else f"{quoted(place.schema)}.{quoted(place.name)}"

    def _do_not_call_form(self, table: str) -> str:
        place = self._place(table)
        if place is not None and place.kind == "p" and NUMBER not in self.columns(table):
            return f"is partitioned, and its entries have no number: add a column {NUMBER} bigint generated as identity"
        return super()._do_not_call_form(table)

    def create_list(self, calling_list: CallingList) -> None:
        """Make the table of a list."""
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - SQLAlchemy is slow to import

        from ocsgw.store.schema import calling_list_table, create_statement  # noqa: PLC0415 - as above

        self._connection.change(create_statement(calling_list_table(calling_list), postgresql.dialect()))

    def create_do_not_call(self, table: str) -> None:
        """Make the do-not-call table."""
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - SQLAlchemy is slow to import

        from ocsgw.store.schema import create_statement, do_not_call_table  # noqa: PLC0415 - as above

        self._connection.change(create_statement(do_not_call_table(table), postgresql.dialect()))
        self._connection.change(
            f"ALTER TABLE {_identifier(table)} ADD COLUMN {quoted(NUMBER)} bigint GENERATED ALWAYS AS IDENTITY"
        )

    def _make_indexes(self, table: str, indexes: Mapping[int, Index]) -> None:
        place = self._place(table)
        if place is None:
            return
        stem = f"ocsgw_ix_{place.name}"
        if len(f"{stem}_9".encode()) > _LONGEST_NAME:
            stem = f"ocsgw_ix_{place.oid}_{zlib.crc32(place.name.encode()):08x}"
        there = {
            name: (mark, is_valid)
            for name, mark, is_valid in self._connection.rows(
                "SELECT c.relname, coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), ''), i.indisvalid"
                " FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid"
                " WHERE i.indrelid = :oid::oid AND starts_with(c.relname, :stem::text)",
                {"oid": place.oid, "stem": f"{stem}_"},
            )
        }
        leading = self._leading_columns(place, stem)
        wanted = {}
        for number, index in indexes.items():
            if index.unless_leading not in leading:
                condition = f" WHERE {index.condition}" if index.condition else ""
                body = f"({index.body}){condition}"
                # PostgreSQL writes a definition in its own way: what was asked for is kept beside it.
                wanted[f"{stem}_{number}"] = (body, f"ocsgw {zlib.crc32(body.encode()):08x}")
        changed = False
        schema, target = quoted(place.schema), f"{quoted(place.schema)}.{quoted(place.name)}"
        for name, (mark, is_valid) in there.items():
            if not is_valid or name not in wanted or wanted[name][1] != mark:
                self._connection.change(f"DROP INDEX IF EXISTS {schema}.{quoted(name)}")
        concurrently = "CONCURRENTLY " if place.pages > _LARGE and place.kind == "r" else ""
        for name, (body, mark) in wanted.items():
            if there.get(name) != (mark, True):
                self._connection.change(f"CREATE INDEX {concurrently}IF NOT EXISTS {quoted(name)} ON {target} {body}")
                self._connection.change(f"COMMENT ON INDEX {schema}.{quoted(name)} IS {literal(mark)}")
                changed = True
        if changed:
            # Without statistics of the new expressions plans are guesses.
            self._connection.change(f"ANALYZE {target}")

    def _leading_columns(self, place: _Place, stem: str) -> set[str]:
        """Return the columns with which indexes of others begin."""
        rows = self._connection.rows(
            "SELECT a.attname FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid"
            " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
            " WHERE i.indrelid = :oid::oid AND i.indpred IS NULL AND i.indisvalid"
            " AND NOT starts_with(c.relname, :stem::text)",
            {"oid": place.oid, "stem": f"{stem}_"},
        )
        return {row[0].lower() for row in rows}

    def _list_indexes(self, calling_list: CallingList, columns: Mapping[str, Declared]) -> dict[int, Index]:
        table = self.identifier(calling_list.table)
        return list_indexes(calling_list, table, usable_columns(columns), self._forms)

    def _do_not_call_indexes(self, columns: Mapping[str, Declared]) -> dict[int, Index]:
        return do_not_call_indexes(self._forms, has_number=NUMBER in columns)

    def _list_text(
        self, calling_list: CallingList, usable: Mapping[str, UsableColumn], *, may_lack_chain: bool
    ) -> ListStatements:
        if self._create:
            # What is locked while records are added has to be there.
            self._connection.change(
                "INSERT INTO ocsgw_counter (name, value) VALUES (?, 0), (?, 0) ON CONFLICT (name) DO NOTHING",
                (record_counter(calling_list.table), chain_counter(calling_list.table)),
            )
        table = self.identifier(calling_list.table)
        return list_text(calling_list, table, usable, self._forms, may_lack_chain=may_lack_chain)

    def _do_not_call_text(self, table: str, columns: Mapping[str, Declared]) -> DncStatements:
        return do_not_call_text(
            self.identifier(table), self._forms, has_expiry="expires_at" in columns, has_number=NUMBER in columns
        )

    def _doubtful(self, columns: Mapping[str, Declared]) -> tuple[str, dict[str, str]]:
        ready = Ready("", usable_columns(columns))
        doubtful = {name: f"NOT ({is_whole('', name, kind)})" for name, kind in ready.doubtful.items()}
        return f"NOT ({ready.whole('')})", doubtful


def _identifier(table: str) -> str:
    """Return the identifier of a table that is to be made."""
    schema, point, name = table.partition(".")
    return f"{quoted(schema)}.{quoted(name)}" if point else quoted(schema)
