"""`ocsctl store copy`, on an SQLite file and a database."""

import json
import os
import sqlite3
from contextlib import closing

from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.ctl.support import CommandTestCase
from tests.support.postgresql import PASSWORD, shared_postgresql
from tests.support.postgresql_store import new_database
from tests.support.reports import unreported


class StoreCopyTests(CommandTestCase):
    """The command as an operator gives it."""

    def setUp(self) -> None:
        super().setUp()
        self.store = f"sqlite:///{self.folder}/ocsgw.sqlite"
        self.password = self.write("password", f"{PASSWORD}\n")
        self.password.chmod(0o600)
        self.sql(
            "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (1, '111', 1, 0), (2, '2', 2, 0)"
        )

    def test_there_and_back(self) -> None:
        """To PostgreSQL and back, first only tried; what was done is told as a table or as JSON."""
        url = new_database(self)
        command = ("store", "copy", "--password-file", self.password)
        tried = self.run_command(*command, "--dry-run", self.store, url)
        self.assertEqual(tried.status, 0, tried)
        self.assertIn("dry run, nothing was changed; 3 rows can be copied", tried.output)
        done = self.run_command(*command, self.store, url)
        self.assertEqual((done.status, done.messages), (0, ""), done)
        self.assertRegex(done.output, r"(?m)^CL_Test +CL_Test +2 +[0-9a-f]{16}$")
        self.assertIn("3 rows copied, and found the same in both stores", done.output)
        self.assertIn(f'set [store] url = "{url}" and password_file, then start the server', done.output)
        back = self.run_command(*command, "--json", url, f"sqlite:///{self.folder}/back.sqlite")
        self.assertEqual(back.status, 0, back)
        told = json.loads(back.output)
        self.assertEqual({"dry_run", "seconds", "tables", "not_copied", "closed"}, set(told))
        (of_list,) = (each for each in told["tables"] if each["table"] == "CL_Test")
        self.assertEqual((of_list["lists"], of_list["rows"]), (["CL_Test"], 2))
        self.assertIn(of_list["checksum"][:16], done.output)
        self.assertEqual(os.stat(self.folder / "back.sqlite").st_mode & 0o777, 0o600)
        with closing(sqlite3.connect(self.folder / "back.sqlite")) as connection:
            rows = connection.execute("SELECT contact_info FROM CL_Test").fetchall()
        self.assertEqual(rows, [("111",), ("2",)])

    def test_relative_path(self) -> None:
        """A path begins at the working directory, and is shown as it has to stand in the configuration."""
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        done = self.run_command("store", "copy", "sqlite:///ocsgw.sqlite", "sqlite:///new/store.sqlite")
        self.assertEqual(done.status, 0, done)
        folder = os.path.realpath(self.folder)
        self.assertIn(f'set [store] url = "sqlite:///{folder}/new/store.sqlite", then start the server', done.output)
        self.assertTrue((self.folder / "new" / "store.sqlite").exists())

    def test_beside_a_server(self) -> None:
        """While a server has the store nothing is copied, but it may be tried."""
        store = SQLiteEngine(str(self.folder / "ocsgw.sqlite"), unreported)
        store._file.lock()
        self.addCleanup(store.close)
        target = f"sqlite:///{self.folder}/new.sqlite"
        done = self.run_command("store", "copy", self.store, target)
        self.assertEqual(done.status, 69)
        self.assertIn(f"is in use by process {os.getpid()}", done.messages)
        self.assertFalse((self.folder / "new.sqlite").exists())
        self.assertEqual(self.run_command("store", "copy", "--dry-run", self.store, target).status, 0)
        self.assertFalse((self.folder / "new.sqlite").exists())

    def test_faults(self) -> None:
        """What cannot be stored is told row by row, and counted; nothing is made in the target."""
        self.sql("UPDATE CL_Test SET daily_from = '9:00', agent_id = 'x' || char(0)")
        url = new_database(self)
        command = ("store", "copy", "--password-file", self.password, self.store, url)
        done = self.run_command(*command)
        self.assertEqual(done.status, 1)
        self.assertIn(
            "ocsctl: table CL_Test, record_id 1, column daily_from: a text in a column of whole numbers", done.messages
        )
        self.assertIn("correct them in the source", done.messages)
        told = json.loads(self.run_command(*command, "--json").output)
        self.assertEqual(told["fault_count"], 4)
        self.assertEqual(
            told["faults"][-1],
            {"table": "CL_Test", "row": "record_id 2", "column": "agent_id", "reason": "a text with a NUL character"},
        )
        name = url.rpartition("/")[2]
        self.assertEqual(shared_postgresql().query("SELECT to_regclass('\"CL_Test\"') IS NULL", name), [["t"]])

    def test_addresses(self) -> None:
        """What is no address, a password in one, and a password file that others may read are refused (64)."""
        self.password.chmod(0o644)
        for url, text in (
            ("ocsgw.sqlite", "the address of the store must begin with sqlite:/// or postgresql://"),
            ("postgresql://a:b@h/d", "must not have a password"),
            ("postgresql://a@h/d", f'{self.password}" is open to every user of the machine'),
        ):
            done = self.run_command("store", "copy", "--password-file", self.password, self.store, url)
            self.assertEqual(done.status, 64, done)
            self.assertIn(text, done.messages)

    def test_unreachable(self) -> None:
        """A database that cannot be reached is named, with the reason (69)."""
        done = self.run_command("store", "copy", self.store, "postgresql://a@127.0.0.1:1/d")
        self.assertEqual(done.status, 69)
        self.assertIn("the store d on 127.0.0.1 cannot be opened: connection failed", done.messages)
