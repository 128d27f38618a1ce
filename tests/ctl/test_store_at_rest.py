"""Which store `ocsctl` works on where no server runs."""

import contextlib
import os
import sqlite3
from typing import Any
from unittest import mock

from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.ctl.support import CommandTestCase
from tests.support.reports import unreported


class StoreAtRestTests(CommandTestCase):
    """A store is found and judged, never made."""

    def test_never_makes_a_store(self) -> None:
        """Without a store every command that would work on one ends with 69 and leaves nothing behind."""
        (self.folder / "ocsgw.sqlite").unlink()
        file = self.write("f.csv", "phone\n6505550100\n")
        for command in (
            ("dnc", "import", file),
            ("list", "import", "CL_Test", file),
            ("dnc", "export"),
            ("explain", "1"),
        ):
            with self.subTest(command=command[:2]):
                done = self.run_command(*command)
                self.assertEqual(done.status, 69, done)
                self.assertIn("there is no store", done.messages)
                self.assertIn("ocsctl never makes one", done.messages)
        self.assertEqual(sorted(each.name for each in self.folder.iterdir()), ["f.csv", "ocsgw.toml"])

    def test_the_same_store_from_every_folder(self) -> None:
        """A relative path of the store begins at the configuration file, not where the command is run."""
        config = (self.folder / "ocsgw.toml").read_text(encoding="utf-8")
        self.write("ocsgw.toml", config.replace(f"sqlite:///{self.folder}/", "sqlite:///"))
        file = self.write("f.csv", "phone\n6505550100\n")
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(elsewhere)
        self.assertEqual(self.run_command("dnc", "import", file).status, 0)
        self.assertEqual(self.sql("SELECT phone FROM gsw_donotcall_list"), [("6505550100",)])
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_owned_by_a_server(self) -> None:
        """A store that a server has open is only read beside it, also if its control socket is elsewhere."""
        store = SQLiteEngine(str(self.folder / "ocsgw.sqlite"), unreported)
        store._file.lock()
        self.addCleanup(store.close)
        done = self.run_command("dnc", "import", self.write("f.csv", "phone\n6505550100\n"))
        self.assertEqual(done.status, 69)
        self.assertIn(f"in use by process {os.getpid()}", done.messages)

    def test_only_read(self) -> None:
        """Commands that only read change nothing: neither the store, nor its indexes, nor the audit log."""
        self.sql("DROP INDEX ocsgw_ix_CL_Test_1")
        before = self.sql("SELECT * FROM sqlite_master"), self.sql("SELECT * FROM ocsgw_counter")
        for command in (
            ("explain", "1"),
            ("list", "export", "CL_Test"),
            ("dnc", "export"),
            ("list", "imports"),
        ):
            with self.subTest(command=command):
                done = self.run_command(*command)
                self.assertEqual(done.status, 0, done)
                self.assertIn("no server runs; reading the store", done.messages)
        self.assertEqual((self.sql("SELECT * FROM sqlite_master"), self.sql("SELECT * FROM ocsgw_counter")), before)

    def test_of_another_version(self) -> None:
        """A store of a later or an earlier version, of another program, or no database at all is refused in words."""
        for revision, words in (("9999", "later ocsgw"), ("0001", "earlier version"), (None, "not a store of ocsgw")):
            with self.subTest(revision=revision):
                if revision is None:
                    self.sql("DROP TABLE ocsgw_alembic_version")
                else:
                    self.sql("UPDATE ocsgw_alembic_version SET version_num = ?", revision)
                done = self.run_command("dnc", "export")
                self.assertEqual(done.status, 69)
                self.assertIn(words, done.messages)
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                (self.folder / f"ocsgw.sqlite{suffix}").unlink()
        self.write("ocsgw.sqlite", "this is not a database, " * 100)
        done = self.run_command("dnc", "export")
        self.assertEqual(done.status, 69)
        self.assertIn("file is not a database", done.messages)

    def test_root_leaves_other_users_stores_alone(self) -> None:
        """Files that root makes beside a store would keep its server out; root is sent to the right user."""
        real = os.stat

        def stat(path: Any, *arguments: Any, **options: Any) -> Any:
            of_store = str(path).endswith("ocsgw.sqlite")
            return mock.Mock(st_uid=54321) if of_store else real(path, *arguments, **options)

        with mock.patch("os.geteuid", return_value=0), mock.patch("os.stat", stat):
            done = self.run_command("dnc", "export")
        self.assertEqual(done.status, 69)
        self.assertIn("sudo -u #54321 ocsctl", done.messages)


class UnopenedTests(CommandTestCase):
    """A store that cannot be read."""

    def test_no_file(self) -> None:
        """A folder in place of the store is refused in words."""
        (self.folder / "ocsgw.sqlite").unlink()
        (self.folder / "ocsgw.sqlite").mkdir()
        done = self.run_command("dnc", "export")
        self.assertEqual(done.status, 69)
        self.assertIn("unable to open database file", done.messages)
        self.assertRaises(sqlite3.Error, self.sql, "SELECT 1 FROM ocsgw_import")
