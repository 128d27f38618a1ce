"""The file of the store: judged at the start, private, copied before it changes, watched while it is used."""

import errno
import io
import os
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path
from unittest import mock

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store import migrate
from ocsgw.store.engine import Access
from ocsgw.store.errors import StoreError, StoreVersionError
from ocsgw.store.opening import open_store
from ocsgw.store.sqlite.engine import SQLiteEngine
from ocsgw.store.sqlite.file import StoreFile
from tests.support.case import ClockTestCase
from tests.support.reports import Reports, unreported
from tests.support.rules import RuleTestCase, make_directory


class Settings:
    """Section `[store]`."""

    create = True
    create_indexes = True
    password_file = None
    connect_timeout = 10.0
    prepared_statements = False
    writers = 0

    def __init__(self, file: str | None, url: str = "", kind: str = "sqlite") -> None:
        self.url = url
        self.file = file
        self.kind = kind


class Full(io.StringIO):
    """A lock file on a disk without room."""

    def __init__(self) -> None:
        super().__init__()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this one

    def fileno(self) -> int:
        """Return the descriptor of a file that can be locked."""
        return self._file.fileno()

    def flush(self) -> None:
        """Take nothing."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close the file, and take nothing again."""
        self._file.close()
        self.flush()


class OpeningTestCase(ClockTestCase):
    """A store that was closed in order, in `self.file`."""

    def setUp(self) -> None:
        super().setUp()
        self.file = os.path.abspath(os.path.join(self.mktemp(), "store.sqlite"))
        self.directory = make_directory()
        self.reports = Reports()
        first = self.engine()
        first.open(self.directory)
        first.close()

    def engine(self, file: str | None = None, access: Access = "serve") -> SQLiteEngine:
        """Return an engine that is not open."""
        engine = SQLiteEngine(file or self.file, self.reports, access=access)
        self.addCleanup(engine.close)
        return engine

    def refusal(self, file: str | None = None, access: Access = "serve") -> str:
        """Return why the store cannot be opened."""
        return str(self.assertRaises(StoreError, self.engine(file, access).open, self.directory))

    def sql(self, text: str) -> list[tuple[object, ...]]:
        """Run a statement as another program."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            return connection.execute(text).fetchall()


class JudgementTests(OpeningTestCase):
    """What is wrong with a file is said in one sentence, with what to do; the file stays as it is."""

    def test_kinds(self) -> None:
        """An engine is made for an SQLite file or a database; an address that the driver does not take is refused."""
        self.assertIsInstance(open_store(Settings(self.file), unreported), SQLiteEngine)
        self.assertTrue(open_store(Settings(self.file), unreported).runs_in_reactor)
        postgresql = open_store(Settings(None, "postgresql://h/d", "postgresql"), unreported)
        self.assertFalse(postgresql.runs_in_reactor)
        wrong = Settings(None, "postgresql://h/d?ssl_mode=on", "postgresql")
        error = self.assertRaises(StoreError, open_store, wrong, unreported)
        self.assertIn(
            '[store] url is not a valid address of PostgreSQL: invalid URI query parameter: "ssl_mode"', str(error)
        )

    def test_cut_off(self) -> None:
        """A file whose end is missing is refused, whatever its size."""
        size = os.path.getsize(self.file)
        os.truncate(self.file, size - 4096)
        self.assertIn("is damaged: its end is missing; restore a backup", self.refusal())
        self.assertEqual(os.path.getsize(self.file), size - 4096)

    def test_damaged(self) -> None:
        """A small file is read through at the start."""
        with open(self.file, "r+b") as stream:
            stream.seek(4096 + 8)
            stream.write(b"\xff" * 2000)
        self.assertIn("is damaged; restore a backup", self.refusal().replace("it is damaged", "is damaged"))

    def test_not_writable(self) -> None:
        """A file or folder that may not be written is named, with its owner."""
        for place in (self.file, os.path.dirname(self.file)):
            allowed = lambda path, mode, place=place: path != place  # noqa: E731 - one use
            with mock.patch("os.access", allowed):
                text = self.refusal()
            self.assertIn("may not write the f", text)
            self.assertIn("which belongs to user", text)

    def test_read_only_disk(self) -> None:
        """A disk that was mounted read-only is the reason, not the user, who may be root."""
        with mock.patch("os.access", return_value=False), mock.patch("os.statvfs") as status:
            status.return_value.f_flag = os.ST_RDONLY
            self.assertIn("its disk is read-only; mount it so that it can be written", self.refusal())

    def test_full(self) -> None:
        """A disk without room is found at the start, not by the first request."""
        engine = self.engine()
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        with mock.patch("ocsgw.store.migrate.missing_tables", side_effect=error):
            refused = self.assertRaises(StoreError, engine.open, self.directory)
        self.assertIn("its disk is full; make room there", str(refused))

    def test_errors_of_the_system(self) -> None:
        """Whatever the system refuses at the start is one sentence; afterwards the store can be opened."""
        rows = (
            (errno.ENOSPC, "its disk is full; make room"),
            (errno.EDQUOT, "its disk is full"),
            (errno.EIO, "Input/"),
        )
        for place in ("lock", "remember", "_check_length"):
            for number, expected in rows:
                error = OSError(number, os.strerror(number))
                with mock.patch.object(StoreFile, place, side_effect=error):
                    self.assertIn(f"{self.file} cannot be opened: {expected}", self.refusal())

    def test_no_room_for_the_lock(self) -> None:
        """The lock file is the first one that is written: a full disk is found there, and the lock is given back."""
        with mock.patch("ocsgw.store.sqlite.file.open", lambda *_, **__: Full()):
            self.assertIn("its disk is full; make room", self.refusal())
        self.engine().open(self.directory)

    def test_link(self) -> None:
        """A symbolic link to a store in use is that store."""
        link = os.path.join(os.path.dirname(self.file), "link.sqlite")
        os.symlink(self.file, link)
        self.engine().open(self.directory)
        self.assertIn(f"the store {self.file} is in use by process {os.getpid()}", self.refusal(link))

    def test_own_table_gone(self) -> None:
        """A table of ours that somebody has dropped is named."""
        self.sql("DROP TABLE ocsgw_handle")
        self.assertIn("tables of ocsgw are missing in it: ocsgw_handle; restore a backup", self.refusal())

    def test_own_tables(self) -> None:
        """The list of our own tables is that of the migrations."""
        rows = self.sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ocsgw%'")
        self.assertEqual({row[0] for row in rows} - {migrate.VERSION_TABLE}, migrate.OWN_TABLES)

    def test_private(self) -> None:
        """New files are 0600 and new folders 0750, whatever the umask."""
        folder = os.path.join(os.path.dirname(self.file), "new")
        file = os.path.join(folder, "store.sqlite")
        before = os.umask(0)
        try:
            self.engine(file).open(self.directory)
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o750)
        for each in Path(folder).iterdir():
            self.assertEqual(stat.S_IMODE(each.stat().st_mode), 0o600, each)

    def test_do_not_call_columns(self) -> None:
        """A do-not-call table that would lose contacts is refused by column, with a hint; so are views."""
        columns = (
            "customer_id varchar(255), dnc_message varchar(255), tenant_dbid integer, campaign_dbid integer,"
            " list_dbid integer, is_internal integer, time_stamp integer"
        )
        other = columns.replace("list_dbid integer", "list_dbid clob")
        for statement, reason in (
            (
                f"CREATE TABLE gsw_donotcall_list (phone bigint, {columns})",
                "phone as BIGINT, which is not text: a number",
            ),
            (f"CREATE TABLE gsw_donotcall_list (phone real, {columns})", "phone as REAL, which is not text"),
            (
                f"CREATE TABLE gsw_donotcall_list (phone text, {other})",
                "list_dbid as CLOB, which is not integer",
            ),
            (
                f"CREATE TABLE gsw_donotcall_list (phone text PRIMARY KEY, {columns}) WITHOUT ROWID",
                "is a table WITHOUT ROWID",
            ),
            ("CREATE VIEW gsw_donotcall_list AS SELECT * FROM kept", "is a view"),
        ):
            self.sql("DROP TABLE IF EXISTS kept")
            self.sql("ALTER TABLE gsw_donotcall_list RENAME TO kept")
            self.sql(statement)
            self.assertIn(
                f"the do-not-call table gsw_donotcall_list {'has the column ' if 'as ' in reason else ''}{reason}",
                self.refusal(),
            )
            self.sql("DROP VIEW gsw_donotcall_list" if "VIEW" in statement else "DROP TABLE gsw_donotcall_list")
            self.sql("ALTER TABLE kept RENAME TO gsw_donotcall_list")
        self.engine().open(self.directory)


class VersionTests(OpeningTestCase):
    """Schemas of other versions."""

    def at(self, revision: str) -> None:
        """Say that the tables have a revision."""
        self.sql(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '{revision}'")

    def test_later(self) -> None:
        """A store of a later version is refused with both revisions, and not touched."""
        self.at("9999")
        for access in ("serve", "work", "read"):
            error = self.assertRaises(StoreVersionError, self.engine(None, access).open, self.directory)
            self.assertIn(f"made by a later ocsgw (schema 9999; this one knows {migrate.HEAD})", str(error))
        self.assertEqual(self.sql(f"SELECT version_num FROM {migrate.VERSION_TABLE}"), [("9999",)])

    def test_earlier(self) -> None:
        """A server brings an earlier store up to date and keeps a copy of before; commands do not."""
        script: list[str] = []
        migrate.print_revisions("sqlite", None, script.append, until="0004")
        self.file = f"{self.file}.earlier"
        with closing(sqlite3.connect(self.file)) as connection:
            connection.executescript("".join(script))
        self.sql("INSERT INTO ocsgw_counter (name, value) VALUES ('kept', 7)")
        for access in ("work", "read"):
            error = self.assertRaises(StoreVersionError, self.engine(None, access).open, self.directory)
            self.assertIn("made by an earlier ocsgw (schema 0004;", str(error))
        self.assertFalse(os.path.exists(f"{self.file}.before-0004"))
        self.engine().open(self.directory)
        self.assertEqual(self.sql(f"SELECT version_num FROM {migrate.VERSION_TABLE}"), [(migrate.HEAD,)])
        self.assertIn(f"is kept in {self.file}.before-0004", "".join(self.reports))
        with closing(sqlite3.connect(f"{self.file}.before-0004")) as copy:
            self.assertEqual(copy.execute(f"SELECT version_num FROM {migrate.VERSION_TABLE}").fetchall(), [("0004",)])
            self.assertEqual(copy.execute("SELECT value FROM ocsgw_counter WHERE name = 'kept'").fetchall(), [(7,)])
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.file}.before-0004").st_mode), 0o600)

    def test_interrupted(self) -> None:
        """What ends an update of the tables in the middle leaves the store as it was; the next start does it."""

        # Before the last table there is one of that name in the way; SQLite says so in the middle.
        self.file = f"{self.file}.new"
        self.sql("CREATE TABLE ocsgw_standby (a)")
        self.assertIn("table ocsgw_standby already exists", self.refusal())
        self.assertEqual(self.sql("SELECT name FROM sqlite_master"), [("ocsgw_standby",)])
        self.sql("DROP TABLE ocsgw_standby")
        self.engine().open(self.directory)
        self.assertEqual(self.sql(f"SELECT version_num FROM {migrate.VERSION_TABLE}"), [(migrate.HEAD,)])

    def test_no_room_for_a_copy(self) -> None:
        """Without a copy nothing is changed."""
        self.at("0004")
        with mock.patch("os.replace", side_effect=OSError(28, "No space left on device")):
            self.assertIn("has to be copied to", self.refusal())
        self.assertEqual(self.sql(f"SELECT version_num FROM {migrate.VERSION_TABLE}"), [("0004",)])
        self.assertEqual([each for each in os.listdir(os.path.dirname(self.file)) if "before" in each], [])


class AccessTests(OpeningTestCase):
    """Commands on a store at rest."""

    def test_never_made(self) -> None:
        """A command does not make a store."""
        for access in ("work", "read"):
            missing = os.path.join(os.path.dirname(self.file), "other", "store.sqlite")
            self.assertIn("No such file", self.refusal(missing, access))
            self.assertFalse(os.path.exists(os.path.dirname(missing)))

    def test_read(self) -> None:
        """Who only reads changes nothing, and may do so beside a server."""
        self.engine().open(self.directory)
        reader = self.engine(None, "read")
        reader.open(self.directory)
        with reader.transaction(0.0) as tx:
            self.assertEqual(tx.export_records(self.directory.calling_lists[0], 0, 10), [])

        def write() -> None:
            with reader.transaction(0.0) as tx:
                tx.new_handles(1)

        self.assertRaises(StoreFailureError, write)

    def test_work(self) -> None:
        """Who changes records needs the store alone."""
        self.engine().open(self.directory)
        self.assertIn("is in use by process", self.refusal(None, "work"))


class WatchTests(RuleTestCase):
    """The file is looked at while it is used."""

    def setUp(self) -> None:
        super().setUp()
        self.time = 1000.0
        self.store.store._clock = lambda: self.time

    def commit(self) -> None:
        """Commit something."""
        with self.store.store.transaction(0.0) as tx:
            tx.new_handles(1)

    def test_deleted_or_replaced(self) -> None:
        """Writes into a file that has lost its name are refused; reported once; with the file back all is well."""
        for replace in (False, True):
            aside = f"{self.store.file}.aside"
            self.time += 1
            self.commit()
            os.rename(self.store.file, aside)
            if replace:
                Path(self.store.file).write_bytes(b"")
            # At most once a second.
            self.time += 0.5
            self.commit()
            self.time += 0.6
            for _ in range(3):
                error = self.assertRaises(StoreFailureError, self.commit)
                self.assertIn("was deleted, overwritten or replaced", str(error))
            self.assertEqual(len([text for text in self.store.reports if "Put the file back" in text]), 1 + replace)
            os.rename(aside, self.store.file)
            self.commit()

    def test_log_grows(self) -> None:
        """A write-ahead log that grows is reported, again when it has doubled, and anew when it was cut."""
        sizes = (255, 256, 300, 511, 512, 1024, 10, 256)
        counts = (0, 1, 1, 1, 2, 3, 3, 4)
        for size, count in zip(sizes, counts, strict=True):
            self.time += 1
            with mock.patch("ocsgw.store.sqlite.file.StoreFile.log_size", size << 20):
                self.commit()
            self.assertEqual(len([text for text in self.store.reports if "has grown" in text]), count, size)

    def test_locked_by_ourselves(self) -> None:
        """A statement of our own that keeps an old state in use is dropped, with its connection if need be."""
        raw = self.store.store._needed().raw
        for number in range(3):
            self.add(str(number))
        unfinished = raw.execute("SELECT * FROM CL_Test")
        unfinished.fetchone()
        self.store.sql("UPDATE CL_Test SET attempt = 1")
        self.add("9")
        self.assertIn("was opened again", "".join(self.store.reports))
        self.add("10")
