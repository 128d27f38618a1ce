"""`ocsctl list` and `ocsctl dnc` on a store that no server uses."""

import csv
import fcntl
import io
import json
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ctl.progress import Progress
from ocsgw.files import slices
from ocsgw.operations import counts
from tests.ctl.support import CommandTestCase


class ListImportTests(CommandTestCase):
    """`ocsctl list import`."""

    def contacts(self) -> list[str]:
        """Return the contacts of the list."""
        return [row[0] for row in self.sql("SELECT contact_info FROM CL_Test ORDER BY record_id")]

    def test_import(self) -> None:
        """The rows are in the list, the summary counts them, and the user is told that no server runs."""
        file = self.write("f.csv", "GSW_PHONE,Segment\r\n1,a\r\n2,b\r\n")
        done = self.run_command("list", "import", "CL_Test", file)
        self.assertEqual(done.status, 0, done)
        self.assertIn("2 rows: 2 added, 0 replaced, 0 skipped, 0 refused", done.output)
        self.assertIn("no server runs; working on the store", done.messages)
        self.assertEqual(self.contacts(), ["1", "2"])

    def test_forms_of_a_file(self) -> None:
        """CRLF and LF, a byte order mark, quotes, line breaks in cells, empty lines and a missing last end are read."""
        forms = {
            "crlf": b'GSW_PHONE,Remarks\r\n1,"a ""b"",\r\nc"\r\n\r\n2,\r\n',
            "lf": b'GSW_PHONE,Remarks\n1,"a ""b"",\r\nc"\n\n2,\n',
            "mark": b'\xef\xbb\xbf"GSW_PHONE",Remarks\r\n1,"a ""b"",\r\nc"\r\n2,',
        }
        for name, form in forms.items():
            with self.subTest(name=name):
                done = self.run_command("list", "import", "CL_Test", self.write(name, form), "--duplicates", "add")
                self.assertEqual(done.status, 0, done)
                rows = self.sql("SELECT contact_info, remarks FROM CL_Test ORDER BY record_id DESC LIMIT 2")
                self.assertEqual(rows, [("2", None), ("1", 'a "b",\r\nc')])

    def test_encoding(self) -> None:
        """Text that is not in the encoding refuses the whole file; with `--partial` only its row is refused."""
        file = self.write("f.csv", "GSW_PHONE,Remarks\n1,été\n2,x\n".encode("windows-1252"))
        done = self.run_command("list", "import", "CL_Test", file)
        self.assertEqual((done.status, self.contacts()), (1, []))
        self.assertIn("line 2: the byte 0xe9 is not valid in UTF-8. Nothing was imported", done.messages)
        done = self.run_command("list", "import", "CL_Test", file, "--partial")
        self.assertEqual((done.status, self.contacts()), (1, ["2"]))
        self.assertIn("row 2: refused: is not valid UTF-8; use --encoding", done.messages)
        done = self.run_command("list", "import", "CL_Test", file, "--encoding", "windows-1252")
        self.assertEqual((done.status, self.contacts()), (1, ["2"]))
        self.assertIn("1 of 2 rows has a contact that the list has already (row 3 has that of record 1)", done.messages)
        self.assertIn("--duplicates skip", done.messages)
        done = self.run_command("list", "import", "CL_Test", file, "--encoding", "windows-1252", "--duplicates", "skip")
        self.assertEqual(done.status, 0, done)
        self.assertEqual(self.sql("SELECT remarks FROM CL_Test"), [("x",), ("été",)])
        self.assertIn(
            "'klingon' is not a known encoding",
            self.run_command("list", "import", "L", file, "--encoding", "klingon").messages,
        )

    def test_verdicts(self) -> None:
        """Rows that were not simply added are reported with their number, and the status is 1 if one was refused."""
        file = self.write("f.csv", 'GSW_PHONE,GSW_PHONE_TYPE\n1,\n\n2,99\n"3"x,\n(1),\n')
        done = self.run_command("list", "import", "CL_Test", file, "--duplicates", "skip")
        self.assertEqual(done.status, 1)
        self.assertIn(
            "row 4: refused: Invalid value of attribute GSW_PHONE_TYPE: '99'; allowed: 0 to 11, or a name",
            done.messages,
        )
        self.assertIn("row 5: refused: is not valid CSV: ", done.messages)
        self.assertIn("row 6: skipped: an earlier row has this contact\n", done.messages)
        self.assertEqual(self.contacts(), ["1"])

    def test_verdicts_in_a_file(self) -> None:
        """With `--verdicts` they go into a CSV file."""
        file = self.write("f.csv", "GSW_PHONE,GSW_PHONE_TYPE\n1,x\n")
        done = self.run_command("list", "import", "CL_Test", file, "--verdicts", self.folder / "v.csv")
        with (self.folder / "v.csv").open(encoding="utf-8", newline="") as stream:
            head, (row, verdict, reason) = csv.reader(stream)
        self.assertEqual((head, row, verdict), (["row", "verdict", "reason"], "2", "refused"))
        self.assertIn(f"row 2: refused: {reason}\n", done.messages)

    def test_dry_run(self) -> None:
        """A dry run says what would become of the rows and leaves no trace."""
        file = self.write("f.csv", "GSW_PHONE\n1\n2\n")
        done = self.run_command("list", "import", "CL_Test", file, "--dry-run")
        self.assertEqual(done.status, 0, done)
        self.assertIn("nothing was changed; it would be: 2 rows: 2 added", done.output)
        self.assertEqual(self.contacts(), [])
        self.assertIn("2 added", self.run_command("list", "import", "CL_Test", file).output)

    def test_dry_run_sees_duplicates_in_other_slices(self) -> None:
        """A dry run finds the duplicates within a file also where they are far apart."""
        rows = [str(number % 2500) for number in range(4000)]
        file = self.write("f.csv", "\n".join(["GSW_PHONE", *rows]))
        for policy, counted in (("skip", "1500 skipped"), ("replace", "1500 replaced"), ("add", "4000 added")):
            dry = self.run_command("list", "import", "CL_Test", file, "--duplicates", policy, "--dry-run")
            self.assertIn(counted, dry.output)

    def test_dry_run_with_a_country(self) -> None:
        """K40: a dry run finds what is a duplicate in the country of the tenant, as the import does."""
        self.live_in("US")
        rows = [f"650555{number:04d}" for number in range(2500)]
        records = self.write("f.csv", "\n".join(["GSW_PHONE", *rows, "+1 650 555 0000", "1 (650) 555-0001"]))
        for last in ("--dry-run", "--again"):
            done = self.run_command("list", "import", "CL_Test", records, "--duplicates", "skip", last)
            self.assertIn("2500 added, 0 replaced, 2 skipped", done.output)

    def test_known_with_a_country(self) -> None:
        """K40: the contacts that a list has already are counted in the country of the tenant."""
        self.live_in("US")
        self.run_command("list", "import", "CL_Test", self.write("a.csv", "GSW_PHONE\n6505550100\n6505550101\n"))
        done = self.run_command("list", "import", "CL_Test", self.write("b.csv", "GSW_PHONE\n+1 650-555-0100\n1\n"))
        self.assertEqual(done.status, 1)
        self.assertIn("(row 2 has that of record 1)", done.messages)

    def test_slices_and_resumption(self) -> None:
        """An import that was interrupted goes on behind the last stored row: none is lost, none is there twice."""
        numbers = [str(number) for number in range(6000)]
        file = self.write("f.csv", "\n".join(["GSW_PHONE", *numbers]))
        # Two questions about contacts, then the import, whose second slice is sent before the first is answered.
        receive = mock.Mock(side_effect=[None, None, KeyboardInterrupt])
        with mock.patch("ocsgw.ctl.operator._Store.receive", receive):
            done = self.run_command("list", "import", "CL_Test", file)
        self.assertEqual(done.status, 130)
        self.assertIn("goes on where it was", done.messages)
        self.assertEqual(len(self.contacts()), 4000)
        done = self.run_command("list", "import", "CL_Test", file)
        self.assertIn("going on behind the 4000 rows", done.output)
        self.assertIn("6000 rows: 6000 added", done.output)
        self.assertEqual(self.contacts(), numbers)

    def test_imported_before(self) -> None:
        """A file that was imported completely is not imported twice, unless asked for."""
        file = self.write("f.csv", "GSW_PHONE\n1\n")
        self.run_command("list", "import", "CL_Test", file)
        done = self.run_command("list", "import", "CL_Test", file)
        self.assertEqual((done.status, self.contacts()), (0, ["1"]))
        self.assertIn("has been imported before", done.output)
        done = self.run_command("list", "import", "CL_Test", file, "--again")
        self.assertEqual((done.status, self.contacts()), (1, ["1"]))
        self.run_command("list", "import", "CL_Test", file, "--again", "--duplicates", "add")
        self.assertEqual(self.contacts(), ["1", "1"])

    def test_long_rows(self) -> None:
        """Slices are cut by their length too, and a cell or a line without end is refused, not read into memory."""
        rows = ["GSW_PHONE,Remarks", *(f"{number},{'x' * 255}" for number in range(5)), "6," + "y" * 200_000, "7,z"]
        file = self.write("f.csv", "\n".join([*rows, '8,"' + "w" * 3_000_000]))
        self.patch(slices, "_LONGEST_SLICE", 600)
        done = self.run_command("list", "import", "CL_Test", file)
        self.assertEqual(done.status, 1)
        self.assertIn("row 7: refused: has a field of more than 131,072 characters; is a quote missing?", done.messages)
        self.assertEqual(self.contacts(), ["0", "1", "2", "3", "4", "7"])

    def test_stray_quote(self) -> None:
        """A quote that is never closed costs its own row: those behind it are added, however many they are."""
        phones = [str(number) for number in range(1000)]
        for behind, wrong in (
            ("x", "quote that is never closed"),
            ("x" * 250, "field of more than 131,072 characters; is a quote missing?"),
        ):
            with self.subTest(length=len(behind)):
                self.setUp()
                rows = ["GSW_PHONE,Remarks", *(f"{each},{behind}" for each in phones)]
                rows.insert(6, '"780000005,r')
                done = self.run_command("list", "import", "CL_Test", self.write("f.csv", "\n".join(rows)))
                self.assertIn(f"row 7: refused: has a {wrong}", done.messages)
                self.assertIn("1001 rows: 1000 added, 0 replaced, 0 skipped, 1 refused", done.output)
                self.assertEqual(self.contacts(), phones)

    def test_verdicts_over_the_file(self) -> None:
        """The file that is imported is not written over with its verdicts."""
        file = self.write("f.csv", "GSW_PHONE\n1\n")
        done = self.run_command("list", "import", "CL_Test", file, "--verdicts", file)
        self.assertIn("names the file that is imported", done.messages)
        self.assertEqual(file.read_text(encoding="utf-8"), "GSW_PHONE\n1\n")

    def test_unusable_files(self) -> None:
        """A file that is not there, empty, or without names of columns is refused in words."""
        self.assertIn("cannot read", self.run_command("list", "import", "CL_Test", self.folder / "none").messages)
        done = self.run_command("list", "import", "CL_Test", self.write("empty", ""))
        self.assertIn("the first row, which names the columns, is empty", done.messages)
        done = self.run_command("list", "import", "CL_Test", self.write("f.csv", "6505550100\n6505550101\n"))
        self.assertEqual(done.status, 1)
        self.assertIn("the first row must name the columns", done.messages)

    def test_ignored_columns(self) -> None:
        """The user is reported which columns are not read."""
        file = self.write("f.csv", "GSW_PHONE,record_id,colour\n1,5,red\n")
        done = self.run_command("list", "import", "CL_Test", file, "--ignore-unknown")
        self.assertIn("columns that are not read: record_id, colour", done.messages)

    def test_store_in_use(self) -> None:
        """A store that somebody uses who cannot be reached is left alone, with the reason (exit status 69)."""
        with (self.folder / "ocsgw.sqlite.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.run_command("list", "import", "CL_Test", self.write("f.csv", "GSW_PHONE\n1\n"))
        self.assertEqual(done.status, 69)
        self.assertIn("is in use by process", done.messages)


class ExportTests(CommandTestCase):
    """`ocsctl list export` and `ocsctl dnc export`."""

    def setUp(self) -> None:
        super().setUp()
        rows = [f"{number},été {number}" for number in range(2500)]
        self.source = self.write("f.csv", "\n".join(["contact_info,remarks", *rows]))
        self.run_command("list", "import", "CL_Test", self.source)

    def test_file(self) -> None:
        """All rows are written, with CRLF, and are read again as they are."""
        path = self.folder / "out.csv"
        done = self.run_command("list", "export", "CL_Test", path)
        self.assertEqual((done.status, done.output), (0, ""))
        self.assertIn("2500 rows written", done.messages)
        lines = path.read_bytes().split(b"\r\n")
        self.assertEqual((len(lines), lines[-1]), (2502, b""))
        # Records get new numbers: none is used twice.
        before = [row[1:] for row in self.sql("SELECT * FROM CL_Test ORDER BY record_id")]
        self.sql("DELETE FROM CL_Test")
        done = self.run_command("list", "import", "CL_Test", path)
        self.assertEqual(done.status, 0, done)
        self.assertEqual([row[1:] for row in self.sql("SELECT * FROM CL_Test ORDER BY record_id")], before)

    def test_standard_output(self) -> None:
        """Without a file the rows go to standard output, also in another encoding."""
        done = self.run_command("list", "export", "CL_Test", "--encoding", "windows-1252")
        rows = list(csv.reader(io.StringIO(done.output, newline="")))
        self.assertEqual((len(rows), rows[1][1], rows[1][-1]), (2501, "0", "été 0"))

    def test_count(self) -> None:
        """Records are counted by status, over all slices; a list that is not there is said."""
        self.patch(counts, "MOST_COUNTED", 1000)
        text = "GSW_PHONE,GSW_RECORD_STATUS\n1,Ready\n2,Updated\n3,Ready\n4,Ready\n"
        self.run_command("list", "import", "CL_Test", self.write("f.csv", text), "--duplicates", "add")
        done = self.run_command("list", "count", "CL_Test", "--json")
        self.assertEqual((done.status, json.loads(done.output)), (0, {"Ready": 2503, "Updated": 1}))
        self.assertRegex(self.run_command("list", "count", "CL_Test").output, r"Updated +1\ntotal +2504\n")
        done = self.run_command("list", "count", "Nope")
        self.assertEqual(done.status, 1)
        self.assertIn("there is no calling list Nope", done.messages)

    def test_odd_record_ids(self) -> None:
        """K63: rows whose record_id is no whole number are left out, and hide nothing."""
        self.sql("CREATE TABLE other AS SELECT * FROM CL_Test WHERE record_id <= 3")
        for value in ("'abc'", "x'ff'", "1e30", "2.5", "NULL", "9223372036854775807", "-9223372036854775808"):
            self.sql(
                "INSERT INTO other (record_id, contact_info, chain_id, record_status)"
                f" VALUES ({value}, '777', {value}, 1)"
            )
        self.sql("DROP TABLE CL_Test")
        self.sql("ALTER TABLE other RENAME TO CL_Test")
        self.patch(counts, "MOST_COUNTED", 1)
        done = self.run_command("list", "count", "CL_Test", "--json")
        self.assertEqual((done.status, json.loads(done.output)), (0, {"Ready": 4}), done.messages)
        for options in ((), ("--json",), ("--local-times", "--names")):
            done = self.run_command("list", "export", "CL_Test", *options)
            self.assertEqual((done.status, len(done.output.splitlines())), (0, 5 - ("--json" in options)))
        for command in ("explain", "history"):
            for options in ((), ("--json",)):
                done = self.run_command(command, "777", *options)
                self.assertEqual(done.status, 0, (command, options, done.messages))
        rows = self.write("odd.csv", "GSW_PHONE\n777\n778\n")
        done = self.run_command("list", "import", "CL_Test", rows, "--duplicates", "skip", "--dry-run")
        self.assertEqual(done.status, 0, done.messages)

    def test_encoding_that_lacks_a_character(self) -> None:
        """A character that the encoding lacks ends the export with a hint, and no half file is left."""
        path = self.folder / "out.csv"
        done = self.run_command("list", "export", "CL_Test", path, "--encoding", "ascii")
        self.assertEqual(done.status, 1)
        self.assertIn("ascii has no character 'é'; use --encoding utf-8", done.messages)
        self.assertEqual(list(self.folder.glob("out*")), [])

    def test_place_that_cannot_be_written(self) -> None:
        """A file that cannot be written is named."""
        done = self.run_command("list", "export", "CL_Test", Path("/nowhere/out.csv"))
        self.assertEqual(done.status, 1)
        self.assertIn("cannot write /nowhere/out.csv", done.messages)

    def test_do_not_call(self) -> None:
        """The do-not-call list goes out and comes in again; an entry that is there is skipped (H264)."""
        file = self.write("d.csv", "phone,customer_id,list,message\n6505550100,,CL_Test,letter\n,C1,,\n")
        done = self.run_command("dnc", "import", file)
        self.assertEqual(done.status, 0, done)
        text = self.run_command("dnc", "export").output
        self.assertEqual(
            text.split("\r\n"),
            [
                "phone,customer_id,tenant,campaign,list,expires_at,message",
                "6505550100,,,,CL_Test,,letter",
                ",C1,,,,,",
                "",
            ],
        )
        done = self.run_command("dnc", "import", self.write("e.csv", text))
        self.assertIn("2 rows: 0 added, 0 replaced, 2 skipped", done.output)


class PaceTests(SynchronousTestCase):
    """How many rows go at once."""

    def test_slices_follow_the_machine(self) -> None:
        """Slices get smaller where they take long, within a bound, and larger again where they do not."""
        slice_size = slices.SliceSize()
        sizes = []
        for seconds in (4.0, 4.0, 4.0, 0.25, *[0.0] * 4):
            slice_size.stored(slice_size.rows, seconds)
            sizes.append(slice_size.rows)
        self.assertEqual(sizes, [1000, 500, 500, 1000, 2000, 4000, 8000, 8000])
        slice_size.stored(10, 1.0)
        self.assertEqual(slice_size.rows, 8000)
        few = slices.SliceSize(1000)
        few.stored(1000, 0.0)
        self.assertEqual(few.rows, 1000)


class ProgressTests(CommandTestCase):
    """The line on the terminal."""

    def test_bar(self) -> None:
        """On a terminal it shows part, rows, speed and the time left, at most five times a second."""
        terminal, now = io.StringIO(), [100.0]
        terminal.isatty = lambda: True  # type: ignore[method-assign]  # a terminal
        progress = Progress(terminal, lambda: now[0])
        for now[0], rows in ((101.0, 1000), (101.1, 1100), (110.0, 50_000)):
            progress.show(rows, rows / 200_000)
        first, second = terminal.getvalue().split("\r")[1:]
        self.assertEqual(first, f"[{' ' * 30}]   0%  1000 rows, 1000 rows/s, 3:19 left")
        self.assertEqual(second.strip(), f"[{'#' * 7}{' ' * 23}]  25%  50000 rows, 5000 rows/s, 0:30 left")
        progress.clear()
        self.assertTrue(terminal.getvalue().endswith(" \r"))

    def test_what_is_counted(self) -> None:
        """It names what is counted; where the whole is not known there is no bar."""
        terminal, now = io.StringIO(), [0.0]
        terminal.isatty = lambda: True  # type: ignore[method-assign]  # a terminal
        progress = Progress(terminal, lambda: now[0], what="lines")
        now[0] = 2.0
        progress.show(10)
        self.assertEqual(terminal.getvalue(), "\r10 lines, 5 lines/s")

    def test_no_terminal(self) -> None:
        """Without a terminal it says nothing."""
        stream = io.StringIO()
        progress = Progress(stream, lambda: 0.0)
        progress.show(1)
        progress.clear()
        self.assertEqual(stream.getvalue(), "")
