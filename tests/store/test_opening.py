"""Opening and closing the store: files, locks, migrations, tables (configuration.md section 6, K12, K15)."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import resources

from ocsgw.contact.directory import DoNotCallOptions
from ocsgw.store import migrate
from ocsgw.store.errors import StoreError
from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.support.case import ClockTestCase
from tests.support.reports import Reports
from tests.support.rules import RuleTestCase, add_record, by_phone, make_directory, make_list

# Another process that holds the lock until its input ends.
_HOLDER = """
import fcntl, sys
lock = open(sys.argv[1], "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write("4711")
lock.flush()
print("held", flush=True)
sys.stdin.read()
"""


class FileTests(ClockTestCase):
    """The file of the store."""

    def setUp(self) -> None:
        super().setUp()
        self.file = os.path.join(self.mktemp(), "deep", "store.sqlite")
        self.directory = make_directory()
        self.reports = Reports()

    def store(self, file: str | None = None, *, create: bool = True) -> SQLiteEngine:
        """Return a store that is not open yet."""
        store = SQLiteEngine(file or self.file, self.reports, create=create)
        self.addCleanup(store.close)
        return store

    def tables(self) -> set[str]:
        """Return the names of all tables in the file."""
        with closing(sqlite3.connect(self.file)) as connection:
            return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def test_fresh(self) -> None:
        """K12, K15: folder, file and missing tables are made: one per list, the do-not-call table, and our own."""
        self.store().open(self.directory)
        tables = self.tables()
        self.assertEqual(
            {name for name in tables if not name.startswith(("ocsgw_", "sqlite_"))},
            {"CL_Test", "CL_CALLBACK", "liste_ete", "gsw_donotcall_list"},
        )
        self.assertIn(migrate.VERSION_TABLE, tables)
        self.assertEqual(self.reports, [])

    def test_durable(self) -> None:
        """R-rows, architecture: the file is in WAL mode and every commit is synchronous."""
        store = self.store()
        store.open(self.directory)
        connection = store._needed()
        self.assertEqual(connection.row("PRAGMA journal_mode"), ("wal",))
        self.assertEqual(connection.row("PRAGMA synchronous"), (2,))
        # A thread brings the log into the file; commits do only when it does not keep up.
        self.assertEqual(connection.row("PRAGMA page_size"), (2048,))
        self.assertEqual(connection.row("PRAGMA wal_autocheckpoint"), ((32 << 20) // 2048,))

    def test_again(self) -> None:
        """Architecture: opening a second time changes no table, and one can open again after closing."""
        store = self.store()
        store.open(self.directory)
        store.close()
        with closing(sqlite3.connect(self.file)) as connection:
            before = connection.execute("SELECT * FROM sqlite_master").fetchall()
        store.open(self.directory)
        with closing(sqlite3.connect(self.file)) as connection:
            self.assertEqual(connection.execute("SELECT * FROM sqlite_master").fetchall(), before)

    def test_newest_revision(self) -> None:
        """Architecture: the revision that is asked for at a start is the newest one there is, and is written."""
        versions = resources.files("ocsgw.store.migrations") / "versions"
        names = sorted(each.name for each in versions.iterdir() if each.name[:4].isdigit())
        self.assertEqual(names[-1][:4], migrate.HEAD)
        self.store().open(self.directory)
        with closing(sqlite3.connect(self.file)) as connection:
            self.assertFalse(migrate.needs_migration(connection))
            self.assertEqual(
                connection.execute(f"SELECT version_num FROM {migrate.VERSION_TABLE}").fetchall(), [(migrate.HEAD,)]
            )
        migrate.upgrade(self.file)

    def test_second_server(self) -> None:
        """R-rows: a second process on the same file is refused, with the first one's number and the remedy."""
        os.makedirs(os.path.dirname(self.file))
        with subprocess.Popen(
            [sys.executable, "-c", _HOLDER, f"{self.file}.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdin is not None and holder.stdout is not None
            holder.stdout.readline()
            error = self.assertRaises(StoreError, self.store().open, self.directory)
            holder.stdin.close()
        self.assertIn("is in use by process 4711; stop that server or use another [store] url", str(error))
        self.store().open(self.directory)

    def test_no_database(self) -> None:
        """C41, exit codes: a file that is no database is refused by its name, and left as it is."""
        os.makedirs(os.path.dirname(self.file))
        content = b"this is no database, but long enough to be taken for one at first sight" * 20
        with open(self.file, "wb") as stream:
            stream.write(content)
        error = self.assertRaises(StoreError, self.store().open, self.directory)
        self.assertIn(f"the store {os.path.abspath(self.file)} cannot be opened: file is not a database", str(error))
        with open(self.file, "rb") as stream:
            self.assertEqual(stream.read(), content)

    def test_folder_that_cannot_be(self) -> None:
        """Exit codes: a folder that cannot be made is reported with the option to look at."""
        os.makedirs(self.file)
        blocking = os.path.join(self.file, "file")
        with open(blocking, "wb"):
            pass
        error = self.assertRaises(StoreError, self.store(os.path.join(blocking, "store.sqlite")).open, self.directory)
        self.assertIn("check [store] url", str(error))

    def test_file_is_a_folder(self) -> None:
        """Exit codes: a folder in place of the file is reported."""
        os.makedirs(self.file)
        error = self.assertRaises(StoreError, self.store().open, self.directory)
        self.assertIn("it is not a regular file", str(error))

    def test_no_do_not_call_table(self) -> None:
        """K12: without a do-not-call table nothing may be called; it is said what to do."""
        store = self.store()
        store.open(self.directory)
        store.close()
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("DROP TABLE gsw_donotcall_list")
        error = self.assertRaises(StoreError, self.store(create=False).open, self.directory)
        self.assertIn("there is no do-not-call table gsw_donotcall_list; create it or set [store] create", str(error))

    def test_closed(self) -> None:
        """C41: a store that is closed says so, and may be closed again."""
        store = self.store()
        store.open(self.directory)
        store.close()
        store.close()
        with self.assertRaises(Exception) as caught, store.transaction(0.0):
            pass
        self.assertIn("closed", str(caught.exception))


class UseTests(RuleTestCase):
    """A configuration that comes while the store is open."""

    def test_do_not_call_table_that_is_wrong(self) -> None:
        """C67: a do-not-call table that cannot be used is refused, and everything stays as it was."""
        self.store.sql("CREATE TABLE wrong (phone varchar(64))")
        directory = make_directory(do_not_call=DoNotCallOptions(table="wrong"), lists=[make_list(205, "CL_New")])
        error = self.assertRaises(StoreError, self.store.store.use, directory)
        self.assertIn("the do-not-call table wrong lacks the columns customer_id, dnc_message", str(error))
        self.reply(by_phone("DoNotCall", "1"))
        self.assertEqual(self.add("1")["GSW_RECORD_TYPE"], 7)

    def test_other_do_not_call_table(self) -> None:
        """C67: another table takes effect at once."""
        self.reply(by_phone("DoNotCall", "1"))
        self.store.reload(make_directory(do_not_call=DoNotCallOptions(table="other")))
        self.assertEqual(self.add("1")["GSW_RECORD_TYPE"], 2)

    def test_new_field(self) -> None:
        """C67, K12: a field that the table lacks closes that list only, with its name; a migration opens it again."""
        extra = make_list(205, "CL_Extra")
        self.use_directory(make_directory(lists=[extra]))
        before = self.directory.calling_lists[0].fields
        changed = make_directory(lists=[make_list(205, "CL_Extra", *before)])
        self.store.reload(changed)
        self.assertIn("CL_Extra is not opened", self.store.reports[-1])
        self.assertIn("lacks the custom column cust_id; add it with ALTER TABLE", self.store.reports[-1])
        self.assertEqual(self.refusal(add_record("1", "CL_Extra")), "503 Calling list CL_Extra is not available")
        self.add("1")
        for field in before:
            self.store.sql(f"ALTER TABLE CL_Extra ADD COLUMN {field.column} varchar(255)")
        self.store.reload(changed)
        self.add("1", "CL_Extra", CustomerID="C")

    def test_two_reloads(self) -> None:
        """C67: lists of the configuration before stay open for batches that have begun with it, no longer than that."""
        first, second = make_list(205, "CL_A"), make_list(206, "CL_B")
        self.use_directory(make_directory(lists=[first]))
        old = self.directory
        self.store.store.use(make_directory(lists=[second]))
        self.add("1", "CL_A")
        self.store.store.use(make_directory())
        self.assertEqual(self.refusal(add_record("1", "CL_A")), "503 Calling list CL_A is not available")
        self.assertIs(self.directory, old)
