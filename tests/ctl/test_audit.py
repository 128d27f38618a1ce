"""`ocsctl audit verify` compares the end of the log with the store."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.ctl.support import CommandTestCase


class VerifyTests(CommandTestCase):
    """The log of imports that `ocsctl` itself has carried out on a store at rest."""

    def setUp(self) -> None:
        super().setUp()
        config = (self.folder / "ocsgw.toml").read_text(encoding="utf-8")
        self.log = self.folder / "audit.jsonl"
        self.write("ocsgw.toml", f'{config}\n[audit]\nenabled = true\nfile = "{self.log}"\n')
        for number in range(3):
            file = self.write(f"{number}.csv", f"phone\n650555010{number}\n")
            self.assertEqual(self.run_command("dnc", "import", file).status, 0)

    def keep(self, count: int) -> Path:
        """Keep the first lines of the log only, and return it."""
        lines = self.log.read_bytes().splitlines(keepends=True)
        self.log.write_bytes(b"".join(lines[:count]))
        return self.log

    def test_whole(self) -> None:
        """A log that is whole is reported so, without a look at the server, which does not run."""
        done = self.run_command("audit", "verify")
        self.assertEqual((done.status, done.messages), (0, ""), done)
        self.assertIn("unbroken", done.output)

    def test_cut_off(self) -> None:
        """A log whose last line is gone is reported with where it ends and what the store knows."""
        count = len(self.log.read_bytes().splitlines())
        self.keep(count - 1)
        for files in ((), (str(self.log),)):
            with self.subTest(files=files):
                done = self.run_command("audit", "verify", *files)
                self.assertEqual(done.status, 1)
                self.assertIn(f"ends with number {count - 1}, but the store knows {count}", done.messages)

    def test_other_files(self) -> None:
        """Files among which the log of the configuration is not are verified by themselves."""
        earlier = self.folder / "earlier.jsonl"
        earlier.write_bytes(self.keep(2).read_bytes())
        self.assertEqual(self.run_command("audit", "verify", str(earlier)).status, 0)

    def test_without_a_store(self) -> None:
        """Without a store the chain is verified, and the user is told that the end was not."""
        (self.folder / "ocsgw.sqlite").unlink()
        done = self.run_command("audit", "verify")
        self.assertEqual(done.status, 0)
        self.assertIn("the end of the log was not compared with the store: there is no store", done.messages)

    def test_changes_nothing(self) -> None:
        """A verification writes neither into the log nor into the store."""
        before = self.log.read_bytes()
        with closing(sqlite3.connect(self.folder / "ocsgw.sqlite")) as connection:
            dump = list(connection.iterdump())
            self.run_command("audit", "verify")
            self.assertEqual(list(connection.iterdump()), dump)
        self.assertEqual(self.log.read_bytes(), before)
