"""New files: what they get is what the migrations and the one description of tables would give."""

import os
import runpy
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.dialects import sqlite
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.directory import Field
from ocsgw.store import migrate, schema
from ocsgw.store.errors import StoreError
from ocsgw.store.sqlite import creation
from ocsgw.store.sqlite.own_schema import SCRIPT
from tests.support.rules import make_list

ROOT = Path(__file__).parents[2]


def form_of(connection: sqlite3.Connection) -> dict[str, object]:
    """Return what matters of all tables and indexes of a file, whatever their statements look like."""
    found: dict[str, object] = {}
    names = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    for kind, name, sql in names:
        if kind == "table":
            columns = connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall()
            unique = connection.execute(
                'SELECT "unique", origin, partial FROM pragma_index_list(?)', (name,)
            ).fetchall()
            found[name] = (columns, sorted(unique), "AUTOINCREMENT" in sql)
        else:
            found[name] = sql
    return found


# Names of counters before and after the migration that lets them begin with the table of their list.
COUNTERS_BEFORE = (
    *("handle", "import", "outbox", "opened"),
    *("record CL_Test", "chain CL_Test", "record dialer.cl", "chain chain", "record chain x", "record record"),
    *("record x record", "record record x", "chain  x", "record record record"),
)
COUNTERS_AFTER = (
    *("handle", "import", "outbox", "opened"),
    *("CL_Test record", "CL_Test chain", "dialer.cl record", "chain chain", "chain x record", "record record"),
    *("x record record", "record x record", " x chain", "record record record"),
)


def enumerated(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return names, each with its place from 1 on."""
    return [(name, at) for at, name in enumerate(names, 1)]


class CreationTests(SynchronousTestCase):
    """Statements that are written out because SQLAlchemy is not loaded."""

    def setUp(self) -> None:
        self.file = os.path.abspath(self.mktemp())

    def migrated(self, revision: str) -> sqlite3.Connection:
        """Return a file that the migrations have brought to a revision."""
        engine = create_engine(f"sqlite:///{self.file}")
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", "ocsgw.store:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        engine.dispose()
        raw = sqlite3.connect(self.file)
        self.addCleanup(raw.close)
        return raw

    def test_generated(self) -> None:
        """The tables of our own are those of the migrations; `make schema` mends it."""
        generator: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "own_schema.py"))
        text = (ROOT / "ocsgw" / "store" / "sqlite" / "own_schema.py").read_text(encoding="utf-8")
        self.assertEqual(generator["made_module"](), text)
        with closing(sqlite3.connect(":memory:")) as fresh:
            migrate.create(fresh)
            self.assertEqual(form_of(fresh), form_of(self.migrated("head")))
            self.assertEqual(migrate.revision_of(fresh), migrate.HEAD)

    def test_half_made(self) -> None:
        """If a table is in the way, none is made."""
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("CREATE TABLE ocsgw_outbox (a)")
            self.assertRaises(sqlite3.OperationalError, migrate.create, connection)
        with closing(sqlite3.connect(self.file)) as connection:
            self.assertEqual(list(form_of(connection)), ["ocsgw_outbox"])
        self.assertIn("ocsgw_outbox", SCRIPT)

    def test_tables_of_lists(self) -> None:
        """K20, K44: tables of lists and of do-not-call entries are those that SQLAlchemy would make."""
        fields = (
            Field("cust id", "varchar", 64),
            Field("Order", "int"),
            Field('a"b', "char", 3),
            Field("f", "float"),
            Field("d", "datetime"),
        )
        calling_list = make_list(1, "A List", *fields)
        pairs = (
            (creation.list_table(calling_list), schema.calling_list_table(calling_list)),
            (creation.do_not_call_table("dnc"), schema.do_not_call_table("dnc")),
        )
        for ours, theirs in pairs:
            with closing(sqlite3.connect(":memory:")) as one, closing(sqlite3.connect(":memory:")) as other:
                one.execute(ours)
                other.execute(schema.create_statement(theirs, sqlite.dialect()))
                self.assertEqual(form_of(one), form_of(other))

    def test_upgrade(self) -> None:
        """An older file is brought up to date by a process of its own."""
        with closing(self.migrated("0001")) as connection:
            self.assertTrue(migrate.needs_migration(connection))
        migrate.upgrade(self.file)
        with closing(sqlite3.connect(self.file)) as connection:
            self.assertFalse(migrate.needs_migration(connection))

    def test_counters_by_list(self) -> None:
        """Counters of lists get names that begin with the table, whatever that is called; the others keep theirs."""
        with closing(self.migrated("0011")) as connection:
            connection.executemany("INSERT INTO ocsgw_counter VALUES (?, ?)", enumerated(COUNTERS_BEFORE))
            connection.commit()
        migrate.upgrade(self.file)
        with closing(sqlite3.connect(self.file)) as connection:
            found = connection.execute("SELECT name, value FROM ocsgw_counter ORDER BY value").fetchall()
        self.assertEqual(found, enumerated(COUNTERS_AFTER))

    def test_upgrade_that_fails(self) -> None:
        """What SQLite says in that process is what the caller gets, with its code; other failures are a sentence."""
        with closing(self.migrated("0001")) as connection:
            connection.execute("DROP TABLE ocsgw_import") if "ocsgw_import" in form_of(connection) else None
            connection.execute("CREATE TABLE ocsgw_import (a)")
        error = self.assertRaises(sqlite3.OperationalError, migrate.upgrade, self.file)
        self.assertIn("ocsgw_import", str(error))
        self.assertEqual(error.sqlite_errorname, "SQLITE_ERROR")
        self.patch(sys, "executable", "/bin/false")
        failure = self.assertRaises(StoreError, migrate.upgrade, self.file)
        self.assertIn("could not be brought up to date: status 1", str(failure))
