"""`ocsctl backup`, `restore` and `check`."""

import contextlib
import sqlite3
import stat
from collections.abc import Iterator
from typing import Any

from ocsgw.ctl import maintenance
from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.ctl.support import CommandTestCase
from tests.support.reports import unreported


class MaintenanceTests(CommandTestCase):
    """The store as a whole."""

    def add(self, contact: str) -> None:
        """Add a record as another program does."""
        self.sql(
            "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n)"
            " SELECT coalesce(max(record_id), 0) + 1, ?, coalesce(max(record_id), 0) + 1, 0 FROM CL_Test",
            contact,
        )

    def contacts(self, name: str = "ocsgw.sqlite") -> list[Any]:
        """Return the contacts in a store."""
        with contextlib.closing(sqlite3.connect(self.folder / name)) as connection:
            return [row[0] for row in connection.execute("SELECT contact_info FROM CL_Test ORDER BY record_id")]

    def test_backup_beside_a_writer(self) -> None:
        """A backup is one file with what was committed, also in the write-ahead log of a server that runs."""
        writer = sqlite3.connect(self.folder / "ocsgw.sqlite", isolation_level=None)
        self.addCleanup(writer.close)
        self.add("1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE CL_Test SET contact_info = 'not committed'")
        done = self.run_command("backup", self.folder / "copy")
        self.assertEqual(done.status, 0, done)
        self.assertIn("bytes written to", done.messages)
        self.assertEqual(self.contacts("copy"), ["1"])
        self.assertEqual(sorted(each.name for each in self.folder.glob("copy*")), ["copy"])
        self.assertEqual(stat.S_IMODE((self.folder / "copy").stat().st_mode), 0o600)

    def test_backup_without_room(self) -> None:
        """Where there is no room is said: it is not where the store is."""

        class Full(sqlite3.Connection):
            """A store whose copy finds no room."""

            def backup(self, *_: Any, **__: Any) -> None:
                """Copy nothing."""
                raise sqlite3.OperationalError("database or disk is full")

        @contextlib.contextmanager
        def opened(file: str) -> Iterator[sqlite3.Connection]:
            with contextlib.closing(sqlite3.connect(file, factory=Full)) as connection:
                yield connection

        self.patch(maintenance, "opened", opened)
        done = self.run_command("backup", self.folder / "copy")
        self.assertEqual(done.status, 69, done)
        self.assertIn(
            f"ocsgw.sqlite cannot be copied to {self.folder / 'copy'}: database or disk is full", done.messages
        )
        self.assertEqual(list(self.folder.glob("copy*")), [])

    def test_backup_is_not_the_store(self) -> None:
        """A backup never goes over the store, its log or its lock, also not by another name."""
        (self.folder / "link").symlink_to("ocsgw.sqlite")
        for name in ("ocsgw.sqlite", "ocsgw.sqlite-wal", "ocsgw.sqlite.lock", "link"):
            done = self.run_command("backup", self.folder / name)
            self.assertEqual(done.status, 1, name)
            self.assertIn("belongs to the store itself", done.messages)
        self.assertIn("is not a regular file", self.run_command("backup", "/dev/null").messages)

    def test_restore(self) -> None:
        """A backup takes the place of the store; the old files are moved aside and bring nothing back."""
        self.add("1")
        self.run_command("backup", self.folder / "copy")
        # What a killed server leaves: changes that stand in the write-ahead log only.
        writer = sqlite3.connect(self.folder / "ocsgw.sqlite", isolation_level=None)
        writer.execute("INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (2, '2', 2, 0)")
        left = {each.name: each.read_bytes() for each in self.folder.glob("ocsgw.sqlite*")}
        writer.close()
        for name, contents in left.items():
            self.write(name, contents)
        self.assertIn("ocsgw.sqlite-wal", left)
        done = self.run_command("restore", self.folder / "copy")
        self.assertEqual(done.status, 0, done)
        self.assertEqual(self.contacts(), ["1"])
        (aside,) = (
            each.name for each in self.folder.glob("*before-restore*") if not each.name.endswith(("wal", "shm"))
        )
        self.assertIn(aside, done.output)
        self.assertEqual(self.contacts(aside), ["1", "2"])
        self.assertEqual(self.run_command("restore", self.folder / aside).status, 0)
        self.assertEqual(self.contacts(), ["1", "2"])

    def test_restore_where_nothing_is(self) -> None:
        """A lost store comes back; a log that was left alone brings nothing in."""
        self.add("1")
        self.run_command("backup", self.folder / "copy")
        (self.folder / "ocsgw.sqlite").unlink()
        self.assertEqual(self.run_command("restore", self.folder / "copy").status, 0)
        self.assertEqual(self.contacts(), ["1"])

    def test_restore_beside_a_server(self) -> None:
        """While a server has the store, nothing is changed."""
        self.run_command("backup", self.folder / "copy")
        store = SQLiteEngine(str(self.folder / "ocsgw.sqlite"), unreported)
        store._file.lock()
        self.addCleanup(store.close)
        done = self.run_command("restore", self.folder / "copy")
        self.assertEqual(done.status, 69)
        self.assertIn("stop the server first", done.messages)
        self.assertEqual(list(self.folder.glob("*before-restore*")), [])

    def test_restore_of_what_is_no_backup(self) -> None:
        """What is not a store, damaged, of a later version or the store itself is refused, and nothing is changed."""
        self.add("1")
        self.run_command("backup", self.folder / "copy")
        damaged = bytearray((self.folder / "copy").read_bytes())
        damaged[4096 * 3 : 4096 * 12] = bytes(4096 * 9)
        later = self.folder / "later"
        later.write_bytes((self.folder / "copy").read_bytes())
        with contextlib.closing(sqlite3.connect(later, isolation_level=None)) as connection:
            connection.execute("UPDATE ocsgw_alembic_version SET version_num = '9999'")
        for path in (
            self.write("text", "no database" * 100), self.write("damaged", bytes(damaged)), later,
            self.folder / "ocsgw.sqlite", self.folder / "none", self.folder, self.write("empty", ""),
        ):  # fmt: skip
            with self.subTest(path=path.name):
                done = self.run_command("restore", path)
                self.assertIn(done.status, (1, 69), done)
                self.assertEqual(self.contacts(), ["1"])
        self.assertEqual(list(self.folder.glob("*before-restore*")), [])

    def test_check(self) -> None:
        """A good store and a good log give 0; a damaged index, page or line is named, with status 1."""
        self.add("1")
        done = self.run_command("check")
        self.assertEqual((done.status, done.messages), (0, ""))
        self.assertIn("good, with its indexes\naudit log: not kept", done.output)
        config = (self.folder / "ocsgw.toml").read_text(encoding="utf-8")
        self.write("ocsgw.toml", f"{config}\n[audit]\nenabled = true\n")
        self.run_command("dnc", "import", self.write("d.csv", "phone\n1\n"))
        self.assertIn("lines, unbroken", self.run_command("check").output)
        log = self.folder / "audit.jsonl"
        log.write_bytes(log.read_bytes().replace(b'"import"', b'"imbort"'))
        self.assertEqual(self.run_command("check").status, 1)
        with contextlib.closing(sqlite3.connect(self.folder / "ocsgw.sqlite", isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_master SET rootpage = 3 WHERE name = 'ocsgw_ix_CL_Test_1'")
        done = self.run_command("check")
        self.assertEqual(done.status, 1)
        self.assertIn("damaged", done.output)
