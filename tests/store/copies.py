"""Stores of both engines, copies between them, and stores with random rows."""

import dataclasses
import itertools
import random
import shutil
import sqlite3
import string
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.store.copying.opening import open_copy
from ocsgw.store.copying.place import OWN_KEYS
from ocsgw.store.copying.run import Copied
from ocsgw.store.engine import Engine, StoreSettings
from ocsgw.store.opening import open_store
from tests.store.contract import new_record
from tests.support.case import ClockTestCase
from tests.support.postgresql import shared_postgresql
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import Reports, unreported
from tests.support.rules import make_directory

_LETTERS = string.ascii_letters + string.digits + " .;:'\"\\\t\n@+-_%?$\u00e9\u0142\u00a0\u4e2d\U0001f600"


@dataclasses.dataclass(frozen=True)
class SQLiteSettings:
    """Section `[store]` for a file."""

    file: str
    kind: str = "sqlite"
    password_file: None = None
    create: bool = True
    create_indexes: bool = True
    connect_timeout: float = 10.0
    prepared_statements: bool = False
    writers: int = 0

    @property
    def url(self) -> str:
        """The address."""
        return f"sqlite:///{self.file}"


class CopyTestCase(ClockTestCase):
    """Stores of both engines, and copies between them."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.directory = make_directory(typed_list=True)
        self.list = self.directory.calling_lists[0]
        self.reports = Reports()
        self._names = itertools.count(1)

    def sqlite(self) -> SQLiteSettings:
        """Return the settings of a file that does not exist."""
        return SQLiteSettings(str(self.folder / f"{next(self._names)}.sqlite"))

    def postgresql(self, options: str = "") -> PostgreSQLSettings:
        """Return the settings of a new database."""
        return PostgreSQLSettings(new_database(self, options))

    def opened(self, settings: StoreSettings, directory: Directory | None = None, **options: Any) -> Engine:
        """Return an open engine."""
        engine = open_store(settings, unreported, **options)
        self.addCleanup(engine.close)
        engine.open(directory or self.directory)
        return engine

    def copy(
        self,
        source: StoreSettings,
        target: StoreSettings,
        *,
        anew: bool = False,
        only_try: bool = False,
        show: Callable[[float, int], None] = lambda done, rows: None,
    ) -> Copied:
        """Copy one store into another."""
        with open_copy(source, target, self.directory, self.reports, show, only_try=only_try) as copy:
            return copy.try_out() if only_try else copy.carry_out(anew=anew)

    def rows(self, settings: StoreSettings, text: str) -> list[Any]:
        """Read a store, or change it, as another program does."""
        if settings.file is None:
            return [tuple(row) for row in shared_postgresql().query(text, settings.url.rpartition("/")[2])]
        with closing(sqlite3.connect(settings.file, isolation_level=None)) as connection:
            return connection.execute(text).fetchall()

    def filled(self, settings: StoreSettings, records: int = 3) -> StoreSettings:
        """Put records and a little of everything into a store."""
        engine = self.opened(settings)
        with engine.transaction(1.0) as tx:
            tx.insert_records(self.list, [new_record(each) for each in range(1, records + 1)])
        engine.close()
        return settings

    def contents(self, settings: StoreSettings) -> dict[str, list[Any]]:
        """Return what is in the tables of a store, sorted; numbers of the engine's own included."""
        tables = [*OWN_KEYS, *(each.table for each in self.directory.calling_lists), "gsw_donotcall_list"]
        found = {}
        for name in tables:
            columns = "rowid, *" if name == "gsw_donotcall_list" and settings.file is not None else "*"
            rows = self.rows(settings, f'SELECT {columns} FROM "{name}"')
            found[name] = sorted(rows, key=repr)
        if settings.file is not None:
            found["numbers"] = sorted(self.rows(settings, "SELECT * FROM sqlite_sequence"))
        return found


class RandomStore:
    """A store with random rows in all of its tables."""

    def __init__(self, seed: int, file: str, directory: Directory) -> None:
        self._random = random.Random(seed)
        with closing(sqlite3.connect(file)) as connection:
            for calling_list in directory.calling_lists:
                self._fill(connection, calling_list.table, calling_list)
            for name in ("gsw_donotcall_list", *OWN_KEYS):
                self._fill(connection, name, None)
            for each in directory.calling_lists:
                # A list that was opened on PostgreSQL has them.
                numbers = [(f"{each.table} {kind}", self._random.randrange(1 << 31)) for kind in ("record", "chain")]
                connection.executemany("INSERT INTO ocsgw_counter VALUES (?, ?)", numbers)
            for name in ("ocsgw_outbox", "ocsgw_delivery"):
                connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
                connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, 1 << 40))
            connection.commit()

    def _fill(self, connection: sqlite3.Connection, table: str, calling_list: CallingList | None) -> None:
        fields = {} if calling_list is None else {each.column: each for each in calling_list.fields}
        columns = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (table,)).fetchall()
        for number in range(1, self._random.randrange(2, 40)):
            row = [
                number if key or name in {"record_id", "chain_id"} else self._value(kind, fields.get(name), needed)
                for name, kind, needed, key in columns
            ]
            places = ", ".join("?" * len(row))
            if table == "ocsgw_counter":
                row[0] = f"{number} record"
            connection.execute(f'INSERT INTO "{table}" VALUES ({places})', row)
        if table == "gsw_donotcall_list":
            connection.execute("UPDATE gsw_donotcall_list SET rowid = rowid * 3 + 1000")

    def _value(self, kind: str, field: Any, needed: int) -> object:
        pick = self._random
        if not needed and pick.random() < 0.2:
            return None
        if kind == "TIMESTAMP":
            return (
                f"20{pick.randrange(10, 99)}-0{pick.randrange(1, 10)}-17 1{pick.randrange(10)}:00:5{pick.randrange(10)}"
            )
        if kind == "DOUBLE":
            return pick.choice((0.0, -1.5, 1e300, 0.1, float(pick.randrange(1 << 40))))
        if kind == "BLOB":
            return pick.randbytes(pick.randrange(40))
        if kind == "BOOLEAN":
            return pick.randrange(2)
        if kind.startswith(("VARCHAR", "CHAR", "TEXT")):
            most = int(kind.partition("(")[2].rstrip(")") or 300)
            text = "".join(pick.choice(_LETTERS) for _ in range(pick.randrange(most + 1)))
            # Blanks at the end of a column of fixed length are none of its text.
            return text.rstrip(" ") if kind.startswith("CHAR") else text
        bits = 62 if kind == "BIGINT" else 31 if kind == "INTEGER" else 50
        return pick.randrange(-(1 << bits), 1 << bits) if pick.random() < 0.5 else pick.randrange(100)
