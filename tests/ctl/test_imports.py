"""`ocsctl list import`: files as people have them, no doubles by accident, and imports that are taken back."""

import csv
import io
import itertools
import json
from typing import Any

from ocsgw.ctl import operator
from tests.ctl.support import CommandTestCase, Done


class ImportTestCase(CommandTestCase):
    """Imports into CL_Test."""

    def load(self, contents: str | bytes, *options: str, name: str = "f.csv") -> Done:
        """Import a file."""
        return self.run_command("list", "import", "CL_Test", self.write(name, contents), *options)

    def records(self, columns: str = "contact_info") -> list[Any]:
        """Return columns of the records, one alone without its tuple."""
        rows = self.sql(f"SELECT {columns} FROM CL_Test ORDER BY record_id")
        return [row[0] for row in rows] if "," not in columns else rows


class FormTests(ImportTestCase):
    """What spreadsheets and people write."""

    def test_recognized(self) -> None:
        """Encoding, mark, delimiter and a sep= line are recognized, and said before anything is used."""
        text = 'GSW_PHONE{0}Remarks\r\n6505550100{0}"été{0} x"\r\n'
        cases: dict[str, tuple[str | bytes, str]] = {
            "comma": (text.format(","), "UTF-8, cells separated by commas"),
            "semicolon": (text.format(";"), "UTF-8, cells separated by semicolons"),
            "tab": (text.format("\t"), "UTF-8, cells separated by tabs"),
            "bar": (text.format("|"), "UTF-8, cells separated by vertical bars"),
            "sep": ("sep=;\r\n" + text.format(";"), "separated by semicolons as its first line says"),
            "quoted sep": ('"sep=|"\r\n' + text.format("|"), "separated by vertical bars as its first line says"),
            "utf-8 mark": (text.format(";").encode("utf-8-sig"), "UTF-8 with a byte order mark"),
            "utf-16": (text.format("\t").encode("utf-16"), "UTF-16 with a byte order mark, cells separated by tabs"),
            "utf-16-be": (b"\xfe\xff" + text.format("\t").encode("utf-16-be"), "UTF-16 with a byte order mark"),
            "utf-32": (text.format(",").encode("utf-32"), "UTF-32 with a byte order mark"),
            "sep and mark": (
                ("sep=\t\r\n" + text.format("\t")).encode("utf-16"),
                "separated by tabs as its first line",
            ),
            "line feed": (text.format(",").replace("\r\n", "\n"), "UTF-8, cells separated by commas"),
        }
        for name, (contents, words) in cases.items():
            with self.subTest(name=name):
                self.sql("DELETE FROM CL_Test")
                done = self.load(contents, name=name)
                self.assertEqual(done.status, 0, done)
                self.assertIn(words, done.messages)
                (row,) = self.records("contact_info, remarks")
                self.assertEqual((row[0], row[1][:3], row[1][-2:]), ("6505550100", "été", " x"))

    def test_unmarked_utf16(self) -> None:
        """UTF-16 without a mark is refused with the option that reads it; the option then does."""
        text = "GSW_PHONE\n6505550100\n"
        for encoding in ("utf-16-le", "utf-16-be"):
            with self.subTest(encoding=encoding):
                self.sql("DELETE FROM CL_Test")
                done = self.load(text.encode(encoding), name=encoding)
                self.assertEqual(done.status, 1)
                self.assertIn(f"looks like UTF-16 without a byte order mark; use --encoding {encoding}", done.messages)
                done = self.load(text.encode(encoding), "--encoding", encoding, name=encoding)
                self.assertEqual((done.status, self.records()), (0, ["6505550100"]))

    def test_other_kinds(self) -> None:
        """A file of another kind is called what it is, whatever encoding was named."""
        for contents, words in (
            (b"PK\x03\x04" + bytes(200), "is a ZIP archive or an Excel workbook, not a CSV file; save it as CSV"),
            (b"\x1f\x8b\x08\x00\xff", "is a file compressed with gzip, not a CSV file; unpack it"),
            (b"%PDF-1.7\n%\xe2\xe3", "is a PDF document, not a CSV file"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is an old Excel workbook"),
        ):
            for options in ((), ("--encoding", "windows-1252")):
                with self.subTest(words=words, options=options):
                    done = self.load(contents, *options)
                    self.assertEqual(done.status, 1)
                    self.assertIn(words, done.messages)
                    self.assertNotIn("use --encoding", done.messages)

    def test_contradiction(self) -> None:
        """A mark that contradicts the option is refused; broken text names its line."""
        done = self.load("GSW_PHONE\n1\n".encode("utf-16"), "--encoding", "windows-1252")
        self.assertIn("begins with the byte order mark of UTF-16, but --encoding says windows-1252", done.messages)
        done = self.load(b"GSW_PHONE,Remarks\n1,a\n2,b\n3,\xff\n")
        self.assertIn("line 4: the byte 0xff is not valid in UTF-8", done.messages)
        done = self.load("GSW_PHONE\n1\n".encode("utf-16")[:-1])
        self.assertIn("line 2: the file is cut off, its last character in UTF-16 is not complete", done.messages)
        self.assertNotIn("windows-1252", done.messages)
        self.assertEqual((done.status, self.records()), (1, []))

    def test_delimiter(self) -> None:
        """A delimiter may be named; what cannot be one is refused."""
        done = self.load("GSW_PHONE#Remarks\n1#a;b,c\n", "--delimiter", "#")
        self.assertEqual((done.status, self.records("contact_info, remarks")), (0, [("1", "a;b,c")]))
        for wrong in ("", "ab", "x", '"', "\n"):
            self.assertEqual(self.load("GSW_PHONE\n1\n", "--delimiter", wrong).status, 64)

    def test_header_names(self) -> None:
        """Names count without case, blanks, dashes and underscores, and without the prefix of the keys."""
        for name in ("gsw phone", " Phone ", "CONTACT-INFO", "Contact Info", "\ufeffgsw_phone", "Gsw Phone"):
            with self.subTest(name=name):
                self.sql("DELETE FROM CL_Test")
                done = self.load(f"{name},customer id\n1,c\n", name=str(hash(name)))
                self.assertEqual((done.status, self.records("contact_info, cust_id")), (0, [("1", "c")]), done)

    def test_map(self) -> None:
        """A column with a name of its own is mapped; a wrong map is refused with what there is."""
        text = "Telefon;Segment\n1;a\n"
        self.assertIn("--map to say which one it is", self.load(text).messages)
        left_out = self.load("Phone,Secret,switch_id\n1,x,2\n", "--map", "Secret=-", "--dry-run")
        self.assertIn("columns that are not read: -, switch_id", left_out.messages)
        done = self.load(text, "--map", "telefon=GSW_PHONE")
        self.assertEqual((done.status, self.records("contact_info, segment")), (0, [("1", "a")]))
        self.assertIn("columns: GSW_PHONE, Segment", done.messages)
        self.assertEqual(self.load(text, "--map", "Telefon").status, 64)
        self.assertIn("it has Telefon, Segment", self.load(text, "--map", "Phone=GSW_PHONE").messages)

    def test_daily_times(self) -> None:
        """Daily times may be given as a clock shows them."""
        text = "GSW_PHONE;GSW_FROM;daily till\n1;09:00;20:30\n2;9:15:30 am;12:00 PM\n3;0:00;24:00\n4;32400;86400\n"
        self.assertEqual(self.load(text).status, 0)
        self.assertEqual(
            self.records("daily_from, daily_till"), [(32400, 73800), (33330, 43200), (0, 86400), (32400, 86400)]
        )
        done = self.load("GSW_PHONE;GSW_FROM\n5;25:00\n")
        self.assertIn(
            "Invalid value of attribute GSW_FROM: '25:00'; allowed: 0 to 86400 seconds, or HH:MM", done.messages
        )

    def test_dates(self) -> None:
        """Dates are read in the usual forms, in the zone of the record; what may mean two things is refused."""
        forms = (
            "12/24/2026 09:05", "2026-12-24 09:05", "2026-12-24T09:05:00", "24.12.2026 09:05", "24.12.2026, 9:05",
            "12/24/2026 9:05:00 AM", "2026-12-24T17:05Z", "2026-12-24 18:05+01:00",
        )  # fmt: skip
        rows = "".join(f"{at};{form};PST\n" for at, form in enumerate(forms))
        self.assertEqual(self.load(f"GSW_PHONE;GSW_DATE_TIME;GSW_TZ_NAME\n{rows}").status, 0)
        self.assertEqual(set(self.records("dial_sched_time")), {1798131900})
        for wrong, words in (
            ("46380.38", "a spreadsheet has written a number of days"),
            ("12/24/26 09:05", "the year has two digits"),
            ("24/12/2026 09:05", "there is no such day"),
            ("30.02.2027 09:05", "there is no such day"),
            ("12/24/2026 25:05", "write a time as HH:MM"),
            ("1969-01-01 00:00", "before 1970"),
            ("2040-01-01 00:00", "years up to 2037"),
            ("soon", "write YYYY-MM-DD HH:MM"),
        ):
            with self.subTest(wrong=wrong):
                done = self.load(f"GSW_PHONE;GSW_DATE_TIME\n9;{wrong}\n", name=wrong.replace("/", "-"))
                self.assertEqual(done.status, 1)
                self.assertIn("row 2: refused: Invalid date or time in GSW_DATE_TIME", done.messages)
                self.assertIn(words, done.messages)
                self.assertIn(f"'{wrong}'", done.messages)
        done = self.load("GSW_PHONE;GSW_DATE_TIME\n77;24/12/2026 09:05\n", "--day-first")
        self.assertEqual(done.status, 0, done)

    def test_numbers_of_spreadsheets(self) -> None:
        """A rounded number is refused, an apostrophe that keeps a number a text is taken away."""
        done = self.load(
            "GSW_PHONE\n\"6,51E+09\"\n6.51e+09\n6505550100.0\n'6505550101\n'+16505550102\n", "--delimiter", ","
        )
        self.assertEqual((done.status, self.records()), (1, ["6505550101", "+16505550102"]))
        for row, cell in ((2, "6,51E+09"), (3, "6.51e+09"), (4, "6505550100.0")):
            self.assertIn(f"row {row}: refused: Invalid value of attribute GSW_PHONE", done.messages)
            self.assertIn(f"a spreadsheet has rounded this number: '{cell}'; format the column as text", done.messages)
        done = self.load("GSW_PHONE\n'77\n", "--raw")
        self.assertEqual(self.records()[-1], "'77")

    def test_widths(self) -> None:
        """Rows of separators are skipped, short ones filled, empty cells at the end left out; longer ones refused."""
        done = self.load("GSW_PHONE;Segment;Remarks\n;;\n1;a\n2;b;c;;\n3;a;b;c\n;\n \n")
        self.assertEqual(self.records("contact_info, segment, remarks"), [("1", "a", None), ("2", "b", "c")])
        self.assertIn("3 rows were skipped, with nothing but separators", done.messages)
        self.assertIn("1 row was shorter than the first one", done.messages)
        self.assertIn("row 5: refused: has 4 columns, the first row 3", done.messages)

    def test_doubtful_phones(self) -> None:
        """What cannot be a phone is a warning, with --strict-phones a refusal."""
        doubtful = ("n/a", "true", "1.5", "unknown", "-", "a1")
        fine = ("6505550100", "+1 (650) 555-0101 ext 2", "650.555.0102", "1-800-FLOWERS", "a@example.com", "911", "12")
        text = "GSW_PHONE\n" + "".join(f"{each}\n" for each in (*doubtful, *fine))
        done = self.load(text)
        self.assertEqual((done.status, len(self.records())), (0, len(doubtful) + len(fine)))
        for at, each in enumerate(doubtful, 2):
            self.assertIn(f"row {at}: added: warning, cannot be a phone: '{each}'", done.messages)
        self.assertEqual(done.messages.count("warning"), len(doubtful))
        self.sql("DELETE FROM CL_Test")
        done = self.load(text, "--strict-phones")
        self.assertEqual((done.status, self.records()), (1, list(fine)))
        self.assertIn("row 2: refused: cannot be a phone: 'n/a'", done.messages)

    def test_json(self) -> None:
        """For programs the counts by verdict and reason are one JSON object on standard output."""
        done = self.load("GSW_PHONE,GSW_PHONE_TYPE\n1,x\nn/a,\n3,\n", "--json")
        self.assertEqual(done.status, 1)
        summary = json.loads(done.output)
        self.assertEqual((summary["import"], summary["counts"]["added"], summary["counts"]["refused"]), (1, 2, 1))
        self.assertEqual([each["rows"] for each in summary["reasons"]], [1, 1])
        self.assertTrue(
            json.loads(self.load("GSW_PHONE,GSW_PHONE_TYPE\n1,x\nn/a,\n3,\n", "--json").output)["imported_before"]
        )
        undone = json.loads(self.run_command("list", "import", "--undo", "1", "--json").output)
        self.assertEqual((undone["removed"], undone["kept"]), (2, []))

    def test_template(self) -> None:
        """The template of each list is imported as it is."""
        for name in ("CL_Test", "CL_CALLBACK", "Liste été"):
            with self.subTest(name=name):
                done = self.run_command("list", "template", name)
                self.assertEqual((done.status, done.messages), (0, ""))
                file = self.write("t.csv", done.output)
                self.assertEqual(self.run_command("list", "import", name, file, "--strict-phones").status, 0)
        self.assertIn("configured: CL_Test", self.run_command("list", "template", "x").messages)

    def test_many_refusals(self) -> None:
        """The terminal gets the first 20, then numbers by reason; the file gets all."""
        rows = "".join(f"{at},x{at},\n" for at in range(30)) + "".join(f"{at},,x\n" for at in range(30, 35))
        verdicts = self.folder / "v.csv"
        done = self.load(f"GSW_PHONE,GSW_PHONE_TYPE,GSW_ATTEMPTS\n{rows}", "--verdicts", str(verdicts))
        self.assertEqual(done.messages.count("\nrow "), 20)
        self.assertIn(f"... 15 more; all of them are in {verdicts}. By reason:", done.messages)
        self.assertIn("       30  refused: Invalid value of attribute GSW_PHONE_TYPE\n", done.messages)
        self.assertIn("        5  refused: Invalid value of attribute GSW_ATTEMPTS\n", done.messages)
        with verdicts.open(encoding="utf-8", newline="") as stream:
            self.assertEqual(len(list(csv.reader(stream))), 36)


class DoubleTests(ImportTestCase):
    """Nothing is added twice by accident."""

    def test_corrected_file(self) -> None:
        """A corrected file whose good rows are there already stops with a count and the options, and skips them."""
        good = "".join(f"65055501{at:02},a\n" for at in range(50))
        self.assertEqual(self.load(f"GSW_PHONE,Segment\n{good}1,{'x' * 40}\n").status, 1)
        corrected = f"GSW_PHONE,Segment\n{good}1,x\n"
        done = self.load(corrected)
        self.assertEqual((done.status, len(self.records())), (1, 50))
        self.assertIn(
            "50 of 51 rows have contacts that the list has already (row 2 has that of record 1)", done.messages
        )
        for option in ("--duplicates skip", "--duplicates update", "--duplicates add"):
            self.assertIn(option, done.messages)
        done = self.load(corrected, "--duplicates", "skip")
        self.assertIn("51 rows: 1 added, 0 replaced, 50 skipped, 0 refused", done.output)
        self.assertEqual(done.messages.count(": skipped: record"), 5)
        self.assertIn("       50  skipped: record N has this contact", done.messages)
        self.assertEqual(len(self.records()), 51)

    def test_a_few(self) -> None:
        """A few that are there already, up to one in a hundred, are added, and said to be so."""
        self.load("GSW_PHONE\n1000\n")
        done = self.load("GSW_PHONE\n" + "".join(f"{at}\n" for at in range(1000, 1100)))
        self.assertEqual((done.status, len(self.records())), (0, 101))
        self.assertIn("1 of 100 rows has a contact that the list has already", done.messages)
        self.assertIn("added as further records", done.messages)

    def test_a_single_one(self) -> None:
        """One contact that is there already does not stop a file of several rows; one of two does."""
        self.load("GSW_PHONE\n1000\n")
        self.assertEqual(self.load("GSW_PHONE\n1\n1000\n2\n").status, 0)
        self.assertEqual(self.load("GSW_PHONE\n3\n2\n").status, 1)

    def test_first_row_without_names(self) -> None:
        """A file that begins with its data is told to name its columns."""
        done = self.load("6505550100,x\n6505550101,y\n")
        self.assertIn("the first row must name the columns, and '6505550100' is not a name", done.messages)
        done = self.run_command("dnc", "import", self.write("d.csv", "650,5550101\n"))
        self.assertIn("add a first row such as phone", done.messages)

    def test_identity(self) -> None:
        """The same file with other options is another import, with the same ones it is not done again."""
        file = "GSW_PHONE,Remarks\n1,a\n"
        self.load(file)
        self.assertIn("has been imported before as import 1", self.load(file).output)
        self.assertIn("1 skipped", self.load(file, "--duplicates", "skip").output)
        self.assertIn("has been imported before as import 2", self.load(file, "--duplicates", "skip").output)
        self.assertIn("1 of 1 rows", self.load(file, "--encoding", "windows-1252").messages)
        self.assertEqual(self.records(), ["1"])

    def test_update(self) -> None:
        """With update, what a row gives is written over the record with its contact, or else its customer id."""
        self.load("GSW_PHONE,CustomerID,Segment,Remarks\n(1) 11,A,s1,r1\n222,B,s2,r2\n333,C,s3,r3\n334,C,s4,r4\n")
        done = self.load("CustomerID,GSW_PHONE,Segment\n,111,new\nB,999,\nC,555,x\nD,444,d\n", "--duplicates", "update")
        self.assertEqual(done.status, 1)
        self.assertIn("4 rows: 1 added, 2 updated, 0 replaced, 0 skipped, 1 refused", done.output)
        self.assertIn("row 4: refused: 2 records have this customer id", done.messages)
        self.assertEqual(
            self.records("record_id, contact_info, cust_id, segment, remarks"),
            [
                (1, "111", "A", "new", "r1"),
                (2, "999", "B", "s2", "r2"),
                (3, "333", "C", "s3", "r3"),
                (4, "334", "C", "s4", "r4"),
                (5, "444", "D", "d", None),
            ],
        )

    def test_update_by_customer_id_alone(self) -> None:
        """A file without contacts updates by customer id; a row for nobody is refused."""
        self.load("GSW_PHONE,CustomerID,Segment\n111,A,s1\n")
        done = self.load("CustomerID,Segment\nA,s2\nZ,s3\n", "--duplicates", "update")
        self.assertIn("2 rows: 0 added, 1 updated, 0 replaced, 0 skipped, 1 refused", done.output)
        self.assertIn("row 3: refused: Missing attribute GSW_PHONE", done.messages)
        self.assertEqual(self.records("contact_info, segment"), [("111", "s2")])
        self.assertIn("no column GSW_PHONE", self.load("CustomerID,Segment\nA,s2\n").messages)

    def test_update_within_a_file(self) -> None:
        """A further row for a new contact is written over the first one; blocked contacts stay blocked."""
        self.run_command("dnc", "import", self.write("d.csv", "phone\n777\n"))
        self.load("GSW_PHONE,Segment\n888,a\n")
        self.sql("UPDATE CL_Test SET record_type = 7, call_result = 51, record_status = 3")
        text = "GSW_PHONE,Segment,Remarks,GSW_RECORD_TYPE\n111,a,b,\n111,,c,\n777,x,,\n888,new,,2\n"
        done = self.load(text, "--duplicates", "update")
        self.assertEqual(done.status, 0, done)
        self.assertEqual(
            self.records("contact_info, segment, remarks, record_type, record_status"),
            [("888", "new", None, 7, 3), ("111", "a", "c", 2, 1), ("777", "x", None, 7, 1)],
        )

    def test_row_that_the_table_refuses(self) -> None:
        """A constraint of the site refuses its own rows; the others are added, and the import is complete."""
        self.sql("CREATE UNIQUE INDEX one_lead_a_number ON CL_Test (contact_info)")
        self.load("GSW_PHONE\n401\n")
        rows = "".join(f"{number}\n" for number in (*range(500, 700), 401, *range(700, 900), 500))
        done = self.load(f"GSW_PHONE\n{rows}", "--duplicates", "add")
        self.assertEqual((done.status, len(self.records())), (1, 401))
        self.assertIn("402 rows: 400 added, 0 replaced, 0 skipped, 2 refused", done.output)
        self.assertIn("row 202: refused: the table refuses the row", done.messages)
        self.assertIn("unique index one_lead_a_number", done.messages)


class UndoTests(ImportTestCase):
    """Imports are taken back."""

    def test_undo(self) -> None:
        """Rows untouched since then go, others stay and are reported; then the file may be imported again."""
        self.load("GSW_PHONE\n900\n")
        rows = "".join(f"{number},1.5\n" for number in range(1000, 3500))
        file = f"GSW_PHONE,Remarks\n{rows}"
        done = self.load(file)
        self.assertIn("this was import 2; ocsctl list import --undo 2 takes it back", done.output)
        self.sql("UPDATE CL_Test SET segment = 'x' WHERE contact_info IN ('1000', '3499')")
        self.sql("DELETE FROM CL_Test WHERE contact_info = '1001'")
        self.sql("UPDATE CL_Test SET record_status = 2 WHERE contact_info = '1002'")
        done = self.run_command("list", "import", "--undo", "2", "--reason", "wrong list")
        self.assertEqual(done.status, 0, done)
        self.assertIn("import 2: 2496 records removed", done.output)
        self.assertIn("3 were changed since the import and stay: record 2, 4, 2501", done.messages)
        self.assertEqual(self.records(), ["900", "1000", "1002", "3499"])
        self.assertIn("there is no import 2", self.run_command("list", "import", "--undo", "2").messages)
        self.assertIn("2500 rows: 2497 added, 0 replaced, 3 skipped", self.load(file, "--duplicates", "skip").output)

    def test_interrupted_undo(self) -> None:
        """However often an undo is interrupted, the one that comes to the end tells what has become of the whole."""
        rows = "".join(f"{number}\n" for number in range(10_000, 15_000))
        self.load(f"GSW_PHONE\n{rows}")
        self.sql("UPDATE CL_Test SET segment = 'x' WHERE contact_info IN ('10000', '12000', '14999')")
        calls = 0
        call = operator._Store.call

        def interrupted(store: operator._Store, name: str, **arguments: object) -> Any:
            nonlocal calls
            if name == "undo import":
                calls += 1
                # After the first slice, then after each further one, then while kept records are told.
                if calls in (2, 4, 7, 10):
                    raise KeyboardInterrupt
            return call(store, name, **arguments)

        self.patch(operator._Store, "call", interrupted)
        for _ in range(4):
            self.assertEqual(self.run_command("list", "import", "--undo", "1").status, 130)
            self.assertIn("1       CL_Test", self.run_command("list", "imports").output)
        done = self.run_command("list", "import", "--undo", "1", "--json")
        wanted = {"import": 1, "removed": 4997, "kept": [1, 2001, 5000]}
        self.assertEqual((done.status, json.loads(done.output)), (0, wanted))
        self.assertEqual(self.records(), ["10000", "12000", "14999"])

    def test_too_old(self) -> None:
        """After 90 days an import cannot be taken back; its rows are forgotten with the next import."""
        self.load("GSW_PHONE\n900\n")
        self.sql("UPDATE ocsgw_import SET started_at = started_at - 91 * 86400")
        done = self.run_command("list", "import", "--undo", "1")
        self.assertEqual((done.status, self.records()), (1, ["900"]))
        self.assertIn("older than 90 days", done.messages)
        self.load("GSW_PHONE\n901\n")
        self.assertEqual(self.sql("SELECT number FROM ocsgw_import_rows"), [(2,)])

    def test_what_cannot_be_taken_back(self) -> None:
        """Rows that were written over others are said to stay."""
        self.load("GSW_PHONE,Segment\n900,a\n")
        self.load("GSW_PHONE,Segment\n900,b\n901,c\n", "--duplicates", "update")
        done = self.run_command("list", "import", "--undo", "2")
        self.assertIn("1 row was updated over what was there before", done.messages)
        self.assertEqual(self.records("contact_info, segment"), [("900", "b")])

    def test_imports(self) -> None:
        """The imports are listed with their numbers, apart for lists and the do-not-call list."""
        self.load("GSW_PHONE\n1\n")
        self.run_command("dnc", "import", self.write("d.csv", "phone\n1\n"))
        self.assertIn("IMPORT  LIST     BEGAN", self.run_command("list", "imports").output)
        lines = self.run_command("list", "imports").output.splitlines()
        self.assertEqual((len(lines), lines[1].split()[:2]), (2, ["1", "CL_Test"]))
        self.assertIn('"number": 2', self.run_command("dnc", "imports", "--json").output)
        self.assertIn("into do-not-call", self.run_command("dnc", "import", "--undo", "1").messages)

    def test_wrong_command_line(self) -> None:
        """What cannot be meant is refused as such."""
        file = self.write("f.csv", "GSW_PHONE\n1\n")
        for wrong in (
            ("list", "import"), ("list", "import", "CL_Test"), ("list", "import", "CL_Test", file, "--undo", "1"),
            ("list", "import", "--undo", "0"), ("list", "import", "--undo", "x"), ("dnc", "import"),
            ("list", "import", "--undo", str(1 << 70)), ("dnc", "import", file, "--undo", "1"),
        ):  # fmt: skip
            with self.subTest(wrong=wrong):
                self.assertEqual(self.run_command(*wrong).status, 64)


class ExportTests(ImportTestCase):
    """Exports for people and for programs."""

    def export(self, *options: str) -> list[dict[str, str]]:
        """Export CL_Test."""
        done = self.run_command("list", "export", "CL_Test", *options)
        self.assertEqual(done.status, 0, done)
        return list(csv.DictReader(io.StringIO(done.output, newline="")))

    def again(self, *options: str) -> None:
        """Export CL_Test, empty it, and import the export; nothing may have changed but the record ids (H200)."""
        path = self.folder / "out.csv"
        self.run_command("list", "export", "CL_Test", path, *options)
        before = [row[1:-1] for row in self.records("*, record_id")]
        self.sql("DELETE FROM CL_Test")
        done = self.run_command(
            "list", "import", "CL_Test", path, "--again", *(each for each in options if each == "--raw")
        )
        self.assertEqual(done.status, 0, done)
        self.assertEqual([row[1:-1] for row in self.records("*, record_id")], before)

    def test_formulas(self) -> None:
        """Texts that a spreadsheet would carry out get an apostrophe, which an import takes away; not with --raw."""
        texts = ("=1+1", "+1650", "-x", "@SUM(A1)", "'=quoted", "'it is", "plain")
        for at, text in enumerate(texts, 1):
            self.sql(
                "INSERT INTO CL_Test (record_id, contact_info, record_type, record_status, call_result, attempt,"
                " dial_sched_time, call_time, contact_info_type, daily_from, daily_till, tz_dbid, campaign_id,"
                " chain_id, chain_n, remarks) VALUES (?, ?, 2, 1, 28, 0, 0, 0, 0, 0, 86399, 101, 301, ?, 0, ?)",
                at, f"+{at}", at, text,
            )  # fmt: skip
        shown = [row["remarks"] for row in self.export()]
        self.assertEqual(shown, ["'=1+1", "'+1650", "'-x", "'@SUM(A1)", "'=quoted", "'it is", "plain"])
        self.assertEqual(self.export()[0]["contact_info"], "'+1")
        self.assertEqual([row["remarks"] for row in self.export("--raw")], list(texts))
        self.again("--raw")
        self.sql("DELETE FROM CL_Test WHERE remarks LIKE '''=%'")
        self.sql("UPDATE CL_Test SET record_id = rowid, chain_id = rowid")
        path = self.folder / "safe.csv"
        self.run_command("list", "export", "CL_Test", path)
        self.sql("DELETE FROM CL_Test")
        self.assertEqual(self.run_command("list", "import", "CL_Test", path).status, 0)
        self.assertEqual(self.records("remarks"), [each for each in texts if each != "'=quoted"])

    def test_for_people(self) -> None:
        """Local times and names in place of numbers; both are read again."""
        self.load(
            "GSW_PHONE,GSW_RECORD_TYPE,GSW_DATE_TIME,GSW_TZ_NAME,GSW_FROM,GSW_UNTIL,GSW_CALL_RESULT,GSW_PHONE_TYPE\n"
            "1,6,12/24/2026 09:05,PST,09:00,20:00,Busy,Mobile\n2,,,,,,,\n"
        )
        first, second = self.export("--local-times", "--names")
        self.assertEqual(
            [first[name] for name in ("dial_sched_time", "daily_from", "daily_till", "tz_dbid", "record_type")],
            ["2026-12-24 09:05:00", "09:00", "20:00", "PST", "CampaignCallBack"],
        )
        self.assertEqual(
            [first[name] for name in ("record_status", "call_result", "contact_info_type", "campaign_id")],
            ["Ready", "Busy", "Mobile", "Campaign1"],
        )
        self.assertEqual((second["dial_sched_time"], second["daily_till"]), ("", "23:59:59"))
        self.again("--local-times", "--names")

    def test_what_other_programs_write(self) -> None:
        """An export is read again whatever other programs have put into the table."""
        rows = (
            (6, 1, 4102358400, 2147483649, 0, 101, 301), (2, 11, 0, 0, 40000, 999, 0), (2, 10, 0, 0, 0, 101, 888),
            (5, 1, 0, 0, 0, 101, 301),
        )  # fmt: skip
        for at, row in enumerate(rows, 1):
            self.sql(
                "INSERT INTO CL_Test (record_id, contact_info, contact_info_type, call_result, daily_from, daily_till,"
                " chain_id, chain_n, remarks, record_type, record_status, dial_sched_time, call_time, attempt, tz_dbid,"
                " campaign_id) VALUES (?, ?, 0, 28, 0, 86399, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)",
                at, f"650555013{at}", at, '\ra\n"q",;', *row,
            )  # fmt: skip
        self.again("--raw")


class DoNotCallTests(CommandTestCase):
    """`ocsctl dnc`."""

    def load(self, text: str, *options: str) -> Done:
        """Import do-not-call entries."""
        return self.run_command("dnc", "import", self.write("d.csv", text), *options)

    def entries(self, columns: str = "phone, expires_at") -> list[Any]:
        """Return the entries."""
        return self.sql(f"SELECT {columns} FROM gsw_donotcall_list ORDER BY rowid")

    def test_dates(self) -> None:
        """The end of an entry may be given in the usual forms, in UTC; a day counts to its end."""
        text = (
            "phone;expires_at\n101;2099-12-31 00:00\n102;2026-12-31\n103;31.12.2026\n104;2026-12-31T23:59:59Z\n"
            "105;never\n106;0\n107;\n108;4102358400\n109;12/31/2026 5:00 PM\n110;2027-01-01 01:00+01:00\n"
            "111;1700000000000\n112;soon\n"
        )
        done = self.load(text)
        self.assertEqual(done.status, 1)
        self.assertIn(
            "row 12: refused: Invalid value of attribute expires_at: '1700000000000'; it looks like", done.messages
        )
        day = 1798761600
        self.assertEqual(
            [end for _, end in self.entries()],
            [4102358400, day, day, day - 1, None, None, None, 4102358400, day - 7 * 3600, day],
        )

    def test_own_export_changes_nothing(self) -> None:
        """An export that is imported again, whatever it has, skips every row."""
        self.load(
            "phone,customer_id,tenant,expires_at,message\n+1650,,,2099-12-31 00:00,=x\n,C1,Environment,,\n6,D,,,\n"
        )
        self.sql("UPDATE gsw_donotcall_list SET tenant_dbid = 77 WHERE phone = '6'")
        self.sql("INSERT INTO gsw_donotcall_list (phone, customer_id) VALUES ('', '')")
        before = self.entries("*, rowid")
        for options in ((), ("--raw",)):
            path = self.folder / "out.csv"
            self.run_command("dnc", "export", path, *options)
            done = self.run_command("dnc", "import", path, *options)
            self.assertEqual(done.status, 0, done)
            self.assertIn("3 rows: 0 added, 0 replaced, 3 skipped, 0 refused", done.output)
            self.assertEqual(self.entries("*, rowid"), before)

    def test_header_names(self) -> None:
        """Names are those of lists as well, in any case and with blanks."""
        for header in ("Phone", " PHONE ", "GSW_PHONE", "contact info", "gsw-phone"):
            with self.subTest(header=header):
                self.sql("DELETE FROM gsw_donotcall_list")
                self.assertEqual(self.load(f"{header}\n6505550101\n", "--duplicates", "add", "--again").status, 0)
                self.assertEqual(self.entries("phone"), [("6505550101",)])
        self.assertEqual(self.load("AreaCode,PhoneNumber\n650,1\n", "--map", "PhoneNumber=phone").status, 1)

    def test_what_blocks_nothing(self) -> None:
        """An entry for something that is not configured is added with a warning."""
        done = self.load("phone,list\n1,99\n")
        self.assertIn(
            "row 2: added: warning, the entry blocks nothing, because this is not configured: 'list 99'", done.messages
        )

    def test_remove(self) -> None:
        """The entries for a contact go, with a reason in the audit log; records stay NoCall unless asked for."""
        config = (self.folder / "ocsgw.toml").read_text(encoding="utf-8")
        self.write("ocsgw.toml", f"{config}\n[audit]\nenabled = true\n")
        self.load("phone,customer_id,list\n6505550100,,\n(650) 555-0100,,CL_Test\n2,,\n,C1,\n")
        self.run_command("list", "import", "CL_Test", self.write("f.csv", "GSW_PHONE\n650 555 0100\n2\n"))
        self.assertEqual(self.sql("SELECT record_type FROM CL_Test"), [(7,), (7,)])
        done = self.run_command("dnc", "remove", "650.555.0100", "--reason", "asked by letter")
        self.assertEqual(done.status, 0, done)
        self.assertEqual(done.output.count("removed: "), 2)
        self.assertIn("1 records that were blocked stay NoCall; --ready-again", done.output)
        self.assertEqual(self.entries("phone"), [("2",), (None,)])
        log = (self.folder / "audit.jsonl").read_text(encoding="utf-8")
        self.assertEqual(log.count("do-not-call removed"), 2)
        self.assertIn('"reason":"asked by letter"', log)
        self.assertNotIn("5550100", log)
        self.assertEqual(self.run_command("dnc", "remove", "650.555.0100").status, 1)
        self.assertIn("1 records are ready again", self.run_command("dnc", "remove", "2", "--ready-again").output)
        self.assertEqual(
            self.sql("SELECT record_type, record_status, call_result FROM CL_Test WHERE contact_info = '2'"),
            [(2, 1, 28)],
        )
        self.assertEqual(self.run_command("dnc", "remove", "--customer-id", "C1", "--json").status, 0)
        self.assertEqual(self.entries("phone"), [])
        for wrong in ((), ("1", "--customer-id", "x")):
            self.assertEqual(self.run_command("dnc", "remove", *wrong).status, 64)

    def test_remove_with_a_country(self) -> None:
        """K40: an entry is found, and what it has blocked made ready, in any spelling of the tenant's country."""
        self.live_in("US")
        spellings = ("6505550100", "+1 650 555 0100", "001-650-555-0100", "1 (650) 555-0100")
        for tenant in ("", "Environment"):
            for stored, named in itertools.permutations(spellings, 2):
                self.load(f"phone,tenant\n{stored},{tenant}\n", "--again")
                file = self.write("f.csv", "GSW_PHONE\n650/555.0100\n")
                self.run_command("list", "import", "CL_Test", file, "--duplicates", "add", "--again")
                self.assertEqual(self.sql("SELECT record_type FROM CL_Test"), [(7,)])
                done = self.run_command("dnc", "remove", named, "--ready-again")
                self.assertEqual(self.entries("phone"), [], (stored, named))
                self.assertIn("1 records are ready again", done.output)
                self.sql("DELETE FROM CL_Test")

    def test_blocked_by_another_entry(self) -> None:
        """A record that another entry blocks does not become ready again."""
        self.load("phone,list\n1,CL_Test\n")
        self.load("phone\n1\n", "--duplicates", "add")
        self.run_command("list", "import", "CL_Test", self.write("f.csv", "GSW_PHONE\n1\n"))
        done = self.run_command("dnc", "import", "--undo", "2", "--ready-again", "--reason", "wrong file")
        self.assertIn("import 2: 1 entries removed", done.output)
        self.assertIn("0 records are ready again", done.output)
        done = self.run_command("dnc", "import", "--undo", "1", "--ready-again")
        self.assertIn("1 records are ready again", done.output)
        self.assertEqual(self.sql("SELECT record_type FROM CL_Test"), [(2,)])
