"""An SQLite file as one end of a copy."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError
from ocsgw.store import migrate
from ocsgw.store.copying.errors import CopyError
from ocsgw.store.copying.forms import Anything, Form
from ocsgw.store.copying.place import ENTRY_NUMBER, CopiedTable, Progress, RefusedRowError
from ocsgw.store.copying.unfinished import COPY_TABLE, MAKE_COPY_TABLE, UNFINISHED
from ocsgw.store.engine import Report, StoreSettings
from ocsgw.store.sqlite.connection import Connection, masked
from ocsgw.store.sqlite.file import StoreFile
from ocsgw.store.sqlite.forms import quoted
from ocsgw.store.sqlite.tables import SQLiteTables
from ocsgw.store.tables import Declared

_ROWS = 500
_WAIT_MS = 5000
_NUMBER = Declared(ENTRY_NUMBER, "INTEGER", may_be_null=True)
# The tables whose numbers a store gives out itself.
_NUMBERED = ("ocsgw_delivery", "ocsgw_outbox")
# Names of types in PostgreSQL, by what they begin with. A type that SQLite does not know would take texts for numbers.
_TYPES = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "numeric": "NUMERIC",
    "real": "REAL",
    "double": "DOUBLE",
    "bytea": "BLOB",
}


class SQLitePlace:
    """`store.copying.place.Place` on a file.

    `is_target`: the file is made if it is missing. `exclusive`: no server and no other program may write to it
    meanwhile; without that nothing is written at all, and a file that is missing is taken as an empty one.
    """

    engine = "sqlite"

    def __init__(self, settings: StoreSettings, file: str, report: Report, *, is_target: bool, exclusive: bool) -> None:
        """Open the file. Raises `StoreError`."""
        self.url = settings.url
        self.shown = file
        self._file = StoreFile(file)
        self._connection: Connection | None = None
        self._create_indexes = settings.create_indexes
        try:
            self._open(report, is_target=is_target, exclusive=exclusive)
        except sqlite3.Error as error:
            self.close()
            raise self._file.problem_of(error) from None
        except StoreFailureError as error:
            self.close()
            raise self._file.problem(str(error)) from None
        except OSError as error:
            self.close()
            raise self._file.problem_of_system(error) from None
        except BaseException:
            self.close()
            raise

    def _open(self, report: Report, *, is_target: bool, exclusive: bool) -> None:
        path = self._file.path
        if is_target and not exclusive and not self._file.is_in_folder:
            path = ":memory:"
        else:
            self._file.prepare(make=is_target and exclusive)
            if exclusive:
                self._file.lock()
        self._connection = connection = Connection(path)
        raw = connection.raw
        raw.text_factory = _tolerant_text
        raw.execute(f"PRAGMA busy_timeout = {_WAIT_MS}").close()
        if exclusive and is_target:
            connection.tune()
            # Indexes of many rows are sorted in files.
            raw.execute("PRAGMA temp_store = FILE").close()
            # A table is emptied in one transaction, whatever its size; who goes back to a savepoint ends in an error.
            raw.execute("PRAGMA cache_spill = ON").close()
        if is_target and migrate.revision_of(raw) is None:
            if exclusive or path == ":memory:":
                migrate.create(raw)
            else:
                raise self._file.problem("it has no tables of ocsgw; give the name of a file that does not exist")
        if not (is_target and migrate.revision_of(raw) == UNFINISHED) and migrate.needs_migration(raw):
            raise self._file.problem(
                "it was made by an earlier ocsgw; start the server with it once, which brings it up to date"
            )
        self._tables = SQLiteTables(
            connection, report, create=True, create_indexes=False, may_index=self._create_indexes
        )
        if not is_target:
            # What other programs would write while the copy is made would be missing in it.
            raw.execute("BEGIN IMMEDIATE" if exclusive else "BEGIN").close()

    @property
    def _open_connection(self) -> Connection:
        if self._connection is None:
            raise StoreFailureError("the store is closed")
        return self._connection

    def kind(self, table: str) -> str:
        """Return what stands behind the name of a table."""
        return self._tables.kind(table)

    def columns(self, table: CopiedTable) -> Mapping[str, Declared]:
        """Return the columns of a table; the row id of a do-not-call entry is one of them."""
        if "." in table.name and not table.name.startswith("main."):
            return {}
        found = self._tables.columns(table.name)
        return {**found, ENTRY_NUMBER: _NUMBER} if found and table.has_entries else found

    def form(self, kind: str) -> Form:
        """Return what a column takes: SQLite does not mind."""
        return Anything()

    def type_for(self, kind: str, engine: str) -> str:
        """Return the type of a new column for values of one of this type in another engine."""
        if engine == self.engine:
            return kind
        return next((ours for theirs, ours in _TYPES.items() if kind.startswith(theirs)), "TEXT")

    def other_tables(self, tables: Sequence[CopiedTable]) -> list[str]:
        """Return the first names of tables of other programs beside these."""
        known = {each.name.rpartition(".")[2].lower() for each in tables}
        rows = self._open_connection.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            " AND name NOT LIKE 'ocsgw\\_%' ESCAPE '\\' ORDER BY name"
        )
        return [name for (name,) in rows if name.lower() not in known]

    def count(self, table: CopiedTable) -> int:
        """Return how many rows a table has."""
        condition = f" WHERE {table.condition}" if table.condition else ""
        ((count,),) = self._open_connection.rows(f"SELECT count(*) FROM {quoted(table.name)}{condition}")
        return int(count)

    def read(self, table: CopiedTable, columns: Sequence[Declared]) -> Iterator[list[tuple[object, ...]]]:
        """Yield all rows of a table as they lie in the file, so that it is read from its beginning to its end."""
        condition = f" WHERE {table.condition}" if table.condition else ""
        cursor = self._open_connection.raw.cursor()
        try:
            cursor.execute(f"SELECT {_names(columns)} FROM {quoted(table.name)} NOT INDEXED{condition}")
            while rows := cursor.fetchmany(_ROWS):
                yield rows
        except sqlite3.Error as error:
            raise StoreFailureError(f"the table {table.name} cannot be read: {masked(str(error))}") from None
        finally:
            cursor.close()

    @contextmanager
    def transaction(self, *, undo: bool = False) -> Iterator[None]:
        """Carry out what follows as a whole, or with `undo` only try it."""
        raw = self._open_connection.raw
        try:
            raw.execute("BEGIN IMMEDIATE").close()
            yield
            raw.execute("ROLLBACK" if undo else "COMMIT").close()
        except sqlite3.Error as error:
            raise StoreFailureError(masked(str(error))) from None
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK").close()

    def make(self, table: CopiedTable, further: Mapping[str, str]) -> None:
        """Make the table of a list or of do-not-call entries, with further columns and their types."""
        if "." in table.name:
            raise CopyError(
                f"SQLite has no schemas, so that there cannot be a table {table.name}; give the calling list or"
                " [do_not_call] another table in the configuration, and rename it in the source"
            )
        if table.lists:
            self._tables.create_list(table.lists[0])
        else:
            self._tables.create_do_not_call(table.name)
        there = self._tables.columns(table.name)
        for name, kind in further.items():
            if name.lower() not in there:
                self._open_connection.change(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {_name(name)} {kind}")

    def write(self, table: CopiedTable, columns: Sequence[Declared], rows: Sequence[tuple[object, ...]]) -> None:
        """Add rows."""
        places = ", ".join("?" * len(columns))
        text = f"INSERT INTO {quoted(table.name)} ({_names(columns)}) VALUES ({places})"
        connection = self._open_connection
        connection.change("SAVEPOINT rows")
        try:
            connection.raw.executemany(text, rows).close()
        except sqlite3.IntegrityError:
            connection.change("ROLLBACK TO rows")
            for place, row in enumerate(rows):
                try:
                    connection.change(text, row)
                except RefusedByTableError as error:
                    raise RefusedRowError(place, str(error)) from None
        connection.change("RELEASE rows")

    def empty(self, table: CopiedTable) -> None:
        """Delete all rows of a table."""
        self._open_connection.change(f"DELETE FROM {quoted(table.name)}")

    # What marks the target.

    def progress(self) -> Progress | None:
        """Return how far the copy into this store has come."""
        connection = self._open_connection
        if migrate.revision_of(connection.raw) != UNFINISHED:
            return None
        ((owner, source, target, text),) = connection.rows(f"SELECT owner, source, target, progress FROM {COPY_TABLE}")
        return Progress.of(owner, source, target, text)

    def begin(self, progress: Progress) -> None:
        """Mark this store as an unfinished copy."""
        connection = self._open_connection
        connection.change(MAKE_COPY_TABLE)
        connection.change(
            f"INSERT INTO {COPY_TABLE} VALUES (1, ?, ?, ?, ?)",
            (progress.owner, progress.source, progress.target, progress.as_text),
        )
        connection.change(f"UPDATE {migrate.VERSION_TABLE} SET version_num = ?", (UNFINISHED,))

    def save_progress(self, progress: Progress, *, before: str | None = None) -> None:
        """Store how far the copy has come; the lock of the file keeps others off."""
        self._open_connection.change(
            f"UPDATE {COPY_TABLE} SET owner = ?, progress = ? WHERE owner = ?",
            (progress.owner, progress.as_text, before or progress.owner),
        )

    def finish(self) -> None:
        """Mark this store as whole."""
        connection = self._open_connection
        connection.change(f"DROP TABLE {COPY_TABLE}")
        connection.change(f"UPDATE {migrate.VERSION_TABLE} SET version_num = ?", (migrate.HEAD,))

    def numbers(self) -> dict[str, int]:
        """Return, by table, the highest number of rows that the engine has given out itself."""
        rows = self._open_connection.rows("SELECT name, seq FROM sqlite_sequence")
        numbers = {name: int(number) for name, number in rows if name.startswith("ocsgw_")}
        for name in _NUMBERED:
            # As SQLite itself does where somebody has deleted what it notes.
            ((highest,),) = self._open_connection.rows(f"SELECT coalesce(max(number), 0) FROM {name}")
            if highest > numbers.get(name, 0):
                numbers[name] = int(highest)
        return numbers

    def set_numbers(self, numbers: Mapping[str, int]) -> None:
        """Let numbers go on behind these."""
        connection = self._open_connection
        for name, number in numbers.items():
            connection.change("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            connection.change("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))

    def open_tables(self, directory: Directory) -> dict[str, str]:
        """Open all tables as a server does."""
        for calling_list in directory.calling_lists:
            self._tables.open_list(calling_list)
        self._tables.open_do_not_call(directory.do_not_call.table)
        return self._tables.closed

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._file.unlock()


def _tolerant_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _names(columns: Sequence[Declared]) -> str:
    return ", ".join("rowid" if each is _NUMBER else _name(each.name) for each in columns)
