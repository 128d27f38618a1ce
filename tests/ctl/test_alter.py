"""`ocsctl list alter`."""

import io
from unittest import mock

from tests.ctl.support import CommandTestCase, Done


class AlterTests(CommandTestCase):
    """A table that lacks columns."""

    def setUp(self) -> None:
        super().setUp()
        self.sql("DROP TABLE CL_Test")
        self.sql(
            "CREATE TABLE CL_Test (record_id integer NOT NULL, contact_info varchar(128), chain_id integer NOT NULL,"
            " chain_n integer NOT NULL, Remarks varchar(255))"
        )
        self.sql("INSERT INTO CL_Test VALUES (1, '6505550100', 1, 0, 'x')")

    def alter(self, *options: str) -> Done:
        """Run the command."""
        return self.run_command("list", "alter", "CL_Test", *options)

    def columns(self) -> set[str]:
        """Return the columns of the table."""
        return {row[1] for row in self.sql("PRAGMA table_info(CL_Test)")}

    def test_shown_first(self) -> None:
        """Without a terminal, and with --dry-run, the SQL is printed and nothing changes."""
        before = self.columns()
        for options, status in ((("--dry-run",), 0), ((), 1)):
            with mock.patch("sys.stdin", io.StringIO("y\n")):
                done = self.alter(*options)
            self.assertEqual((done.status, self.columns()), (status, before))
            self.assertIn('ALTER TABLE "CL_Test" ADD COLUMN segment VARCHAR(32);\n', done.output)
            self.assertIn("ADD COLUMN record_type INTEGER;\n", done.output)
            self.assertNotIn("emarks", done.output)

    def test_added(self) -> None:
        """With --yes, or after a yes on the terminal, the columns are there and the list can be used."""
        terminal = io.StringIO("y\n")
        terminal.isatty = lambda: True  # type: ignore[method-assign]  # a terminal
        with mock.patch("sys.stdin", terminal):
            self.assertEqual(self.alter().status, 0)
        self.assertIn("has every column", self.alter("--yes").output)
        file = self.write("f.csv", "GSW_PHONE,Segment\n2,a\n")
        self.assertEqual(self.run_command("list", "import", "CL_Test", file).status, 0)
        self.assertEqual(self.sql("SELECT remarks, segment FROM CL_Test"), [("x", None), (None, "a")])

    def test_what_cannot_be_mended(self) -> None:
        """No table, a view, and missing keys of rows are refused in words."""
        self.sql("ALTER TABLE CL_Test RENAME COLUMN chain_n TO n")
        self.assertIn("has no column chain_n", self.alter("--yes").messages)
        self.sql("ALTER TABLE CL_Test RENAME TO t")
        self.assertIn("there is no table CL_Test", self.alter("--yes").messages)
        self.sql("CREATE VIEW CL_Test AS SELECT * FROM t")
        self.assertIn("is a view", self.alter("--yes").messages)
        self.assertIn("configured: CL_Test", self.run_command("list", "alter", "x").messages)
