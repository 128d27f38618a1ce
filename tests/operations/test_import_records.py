"""Rows of a CSV file become records (constants.md sections 5 and 6, http.md sections 6 and 10.1)."""

import csv
import io
from typing import Any

from msgspec.msgpack import encode

from ocsgw.contact.directory import Directory
from ocsgw.operations.parts import in_parts
from ocsgw.operations.steps import OperationError, carry_out
from ocsgw.protocol.attributes import CONVERTERS
from tests.support.rules import RuleTestCase, make_directory

ACCENTS = "été \U0001f600"


def without_value(reason: str) -> str:
    """Return a reason without the value and what is allowed; nothing for a doubt about a phone."""
    return "" if reason.startswith("warning, cannot be a phone") else reason.partition(": '")[0]


class ListTestCase(RuleTestCase):
    """Imports and exports of lists."""

    def make_directory(self) -> Directory:
        return make_directory(typed_list=True, second_tenant=True)

    def operation(self, name: str, **arguments: Any) -> Any:
        """Carry out one operation in a transaction of its own."""
        return self.store.chore(lambda unit: carry_out(unit, name, arguments))

    def arguments(self, header: str, calling_list: str | None, **more: Any) -> dict[str, Any]:
        """Return what every step of an import of a file with this head says."""
        common = {"fingerprint": header, "file": "f.csv", "calling_list": calling_list}
        return {"header": header.split(","), **common, **more}

    def load(self, text: str, calling_list: str | None = "CL_Test", **more: Any) -> list[tuple[str, str]]:
        """Import a CSV text in one slice and return verdict and reason of each row."""
        header, *rows = csv.reader(io.StringIO(text.strip().replace("\n", "\r\n"), newline=""))
        arguments = self.arguments(",".join(header), calling_list, **more)
        self.operation("begin import", **arguments, again=True)
        result = self.operation("import", **arguments, first=0, parts=in_parts(rows), last=True)
        told = {at: (name, without_value(reason)) for at, name, reason in result["verdicts"]}
        verdicts = [told.get(at, ("added", "")) for at in range(len(rows))]
        counts = {name: sum(each == name for each, _ in verdicts) for name in result["counts"]}
        self.assertEqual(result["counts"], counts)
        return verdicts

    def refused(self, text: str, calling_list: str | None = "CL_Test") -> str:
        """Return the error of an import that cannot begin."""
        header = text.split("\n", maxsplit=1)[0]
        error = self.assertRaises(
            OperationError, self.operation, "begin import", **self.arguments(header, calling_list)
        )
        return str(error)

    def records(self, table: str = "CL_Test") -> list[dict[str, Any]]:
        """Return the rows of a list."""
        return self.store.rows(table, "record_id")

    def contacts(self) -> list[str]:
        """Return the contacts of the list."""
        return [row["contact_info"] for row in self.records()]

    def export(self, calling_list: str | None = "CL_Test", at_most: int = 2) -> list[list[Any]]:
        """Return head and rows of an export in small slices."""
        slice_ = self.operation("export", calling_list=calling_list, at_most=at_most)
        rows = [slice_["header"]]
        while slice_["rows"]:
            rows += slice_["rows"]
            slice_ = self.operation("export", calling_list=calling_list, at_most=at_most, after=slice_["after"])
        return rows


class ImportTests(ListTestCase):
    """What becomes of a row."""

    def test_like_add_record(self) -> None:
        """A row gives the record that AddRecord gives for the same keys (H200, section 10.1)."""
        cases: tuple[dict[str, Any], ...] = (
            {"GSW_PHONE": " 6505550100 "},
            {"GSW_PHONE": "1", "GSW_PHONE_TYPE": "mobile", "GSW_RECORD_TYPE": "5", "GSW_DATE_TIME": "3/9/2027 2:30"},
            {"GSW_PHONE": "2", "GSW_DATE_TIME": "03/28/2027 02:30", "GSW_TZ_NAME": "cet", "GSW_AGENT_ID": "Smith"},
            {"GSW_PHONE": "3", "GSW_FROM": "0", "GSW_UNTIL": "86400", "GSW_CALL_TIME": "17", "GSW_ATTEMPTS": "4"},
            {
                "GSW_PHONE": "4",
                "GSW_RECORD_STATUS": "stale",
                "GSW_CALL_RESULT": "Busy",
                "GSW_CAMPAIGN_NAME": "Campaign1",
            },
            {"GSW_PHONE": ACCENTS, "CustomerID": " c-1 ", "Remarks": "two\nlines", "Segment": 'a "b", c'},
        )
        for number, keys in enumerate(cases):
            text = io.StringIO(newline="")
            csv.writer(text).writerows((keys.keys(), keys.values()))
            with self.subTest(keys=keys):
                # The child converts attributes, the parent custom members.
                request: dict[str, Any] = {
                    key: CONVERTERS[key](key, keys[key]) if key in CONVERTERS else keys[key] for key in keys
                }
                self.add(request.pop("GSW_PHONE"), **request)
                header, *rows = csv.reader(io.StringIO(text.getvalue(), newline=""))
                arguments = self.arguments(f"{number}", "CL_Test") | {"header": header}
                self.operation("begin import", **arguments)
                result = self.operation("import", **arguments, first=0, parts=in_parts(rows))
                self.assertEqual(result["counts"]["added"], 1)
                self.assertEqual([each for each in result["verdicts"] if without_value(each[2])], [])
                added, imported = (
                    {key: value for key, value in row.items() if key not in {"record_id", "chain_id"}}
                    for row in self.records()[-2:]
                )
                self.assertEqual(imported, added)

    def test_reasons_are_those_of_add_record(self) -> None:
        """A row that AddRecord would refuse is refused with its text, the others are added (sections 8 and 10.1)."""
        cases = {
            "GSW_PHONE": ("", "Missing attribute GSW_PHONE"),
            "GSW_PHONE_TYPE": ("12", "Invalid value of attribute GSW_PHONE_TYPE"),
            "GSW_RECORD_TYPE": ("6", "Missing attribute GSW_DATE_TIME"),
            "GSW_RECORD_STATUS": ("2", "Invalid value of attribute GSW_RECORD_STATUS"),
            "GSW_CALL_RESULT": ("54", "Invalid value of attribute GSW_CALL_RESULT"),
            "GSW_ATTEMPTS": ("-1", "Invalid value of attribute GSW_ATTEMPTS"),
            "GSW_DATE_TIME": ("tomorrow", "Invalid date or time in GSW_DATE_TIME"),
            "GSW_UNTIL": ("86401", "Invalid value of attribute GSW_UNTIL"),
            "GSW_TZ_NAME": ("XYZ", "Invalid value of attribute GSW_TZ_NAME"),
            "GSW_CAMPAIGN_NAME": ("Campagne", "Invalid value of attribute GSW_CAMPAIGN_NAME"),
            "GSW_CALLING_LIST": ("CL_CALLBACK", "Invalid value of attribute GSW_CALLING_LIST"),
            "GSW_AGENT_ID": ("a" * 33, "Invalid value of attribute GSW_AGENT_ID"),
            "GSW_CHAIN_ID": ("x", "Invalid value of attribute GSW_CHAIN_ID"),
            "Segment": ("s" * 33, "Invalid value of attribute Segment"),
            "segment": ("a\0b", "Invalid value of attribute segment"),
        }
        for key, (value, reason) in cases.items():
            with self.subTest(key=key):
                header = "GSW_PHONE" if key == "GSW_PHONE" else f"GSW_PHONE,{key}"
                phone = [] if key == "GSW_PHONE" else ["1"]
                empty = [] if key == "GSW_PHONE" else [""]
                arguments = self.arguments(header, "CL_Test", fingerprint=key) | {"fingerprint": key}
                self.operation("begin import", **arguments)
                rows = [[*phone, value], ["2", *empty]]
                result = self.operation("import", **arguments, first=0, parts=in_parts(rows))
                ((at, name, told),) = result["verdicts"]
                self.assertEqual((at, name, without_value(told)), (0, "refused", reason))
                if value.isprintable() and value and not told.startswith("Missing"):
                    self.assertIn(f": '{value}'; ", told)
        self.assertEqual(self.contacts(), ["2"] * len(cases))

    def test_wrong_number_of_columns(self) -> None:
        """A row with too few or too many cells is refused, and says how many it has."""
        verdicts = self.load("GSW_PHONE,Segment\n1\n2,a,b\n3,a")
        self.assertEqual(
            verdicts,
            [
                ("refused", "has 1 columns, the first row 2"),
                ("refused", "has 3 columns, the first row 2"),
                ("added", ""),
            ],
        )

    def test_unreadable_row(self) -> None:
        """A row that could not be read is refused with what its reader said."""
        arguments = self.arguments("GSW_PHONE", "CL_Test")
        self.operation("begin import", **arguments)
        result = self.operation("import", **arguments, first=0, parts=in_parts(["is no CSV", ["1"]]))
        self.assertEqual(result["verdicts"], [(0, "refused", "is no CSV")])
        self.assertEqual(self.contacts(), ["1"])

    def test_do_not_call(self) -> None:
        """A contact or customer id on the do-not-call list is stored as type 7 with result 51, in scope only (H202)."""
        self.load("phone,customer_id,list\n650-1,,\n,C1,\n3,,CL_CALLBACK", None)
        verdicts = self.load("GSW_PHONE,CustomerID\n6501,\n2,C1\n3,C3")
        no_call = ("added", "on the Do Not Call list: stored as NoCall")
        self.assertEqual(verdicts, [no_call, no_call, ("added", "")])
        self.assertEqual(
            [(row["record_type"], row["call_result"]) for row in self.records()], [(7, 51), (7, 51), (2, 28)]
        )

    def test_chains(self) -> None:
        """Rows with one chain number make one chain, behind what it has; without one each row is its own (H200)."""
        chain = self.add("1")["GSW_CHAIN_ID"]
        self.load(f"contact_info,chain_id\n2,{chain}\n3,70\n4,\n5,70\n6,{chain}")
        self.load("contact_info\n7")
        self.assertEqual(
            [(row["contact_info"], row["chain_id"], row["chain_n"]) for row in self.records()],
            [("1", chain, 0), ("2", chain, 1), ("3", 70, 0), ("4", 71, 0), ("5", 70, 1), ("6", chain, 2), ("7", 72, 0)],
        )
        self.assertEqual([row["record_id"] for row in self.records()], list(range(1, 8)))

    def test_columns_of_the_table(self) -> None:
        """Columns named as in the table have the values of the table; 0 is "no value" (K11, constants.md 1 and 2)."""
        self.load(
            "CONTACT_INFO,record_type,record_status,dial_sched_time,tz_dbid,campaign_id,cust_id,treatments\n"
            "1,0,0,0,0,0,c,x\n2,6,2,1790000001,102,301,,\n3,2,1,0,5,0,,\n4,2,1,0,101,302,,"
        )
        shown = ("contact_info", "record_type", "record_status", "dial_sched_time", "tz_dbid", "campaign_id")
        self.assertEqual(
            [tuple(row[name] for name in shown) for row in self.records()],
            [("1", 2, 1, 0, 101, 0), ("2", 6, 1, 1790000001, 102, 301)],
        )

    def test_list_of_another_tenant(self) -> None:
        """The default zone and the campaign are those of the list (section 10.1)."""
        self.load("GSW_PHONE\n1", "CL_Second")
        self.assertEqual([(row["tz_dbid"], row["campaign_id"]) for row in self.records("CL_Second")], [(102, 311)])


class DuplicateTests(ListTestCase):
    """Rows whose contact the list has already, in its normal form (K40)."""

    def setUp(self) -> None:
        super().setUp()
        self.add("(650) 555-0100", Segment="old", Remarks="old")
        self.add("6505550100", Segment="second")

    def test_add(self) -> None:
        """With `add` they are further records (H204)."""
        self.assertEqual(self.load("GSW_PHONE\n650.555.0100\n1\n1"), [("added", "")] * 3)
        self.assertEqual(len(self.records()), 5)

    def test_skip(self) -> None:
        """With `skip` they change nothing, also behind a row of the same file."""
        verdicts = self.load(f"GSW_PHONE\n650.555.0100\n{ACCENTS}\n {ACCENTS}\n2\n(2)", duplicates="skip")
        earlier = ("skipped", "an earlier row has this contact")
        self.assertEqual(
            verdicts, [("skipped", "record 1 has this contact"), ("added", ""), earlier, ("added", ""), earlier]
        )
        self.assertEqual(
            self.load(f"GSW_PHONE\n{ACCENTS}\n2", duplicates="skip"),
            [("skipped", "record 3 has this contact"), ("skipped", "record 4 has this contact")],
        )

    def test_replace(self) -> None:
        """With `replace` the first such record gets everything of the row, and keeps its numbers."""
        verdicts = self.load("GSW_PHONE,Segment\n650.555.0100,new\n3,a\n(3),b", duplicates="replace")
        self.assertEqual(
            verdicts,
            [
                ("replaced", "replaced record 1"),
                ("added", ""),
                ("replaced", "replaced an earlier row with this contact"),
            ],
        )
        shown = ("record_id", "chain_id", "chain_n", "contact_info", "segment", "remarks")
        self.assertEqual(
            [tuple(row[name] for name in shown) for row in self.records()],
            [
                (1, 1, 0, "650.555.0100", "new", None),
                (2, 2, 0, "6505550100", "second", None),
                (3, 3, 0, "(3)", "b", None),
            ],
        )

    def test_replace_twice(self) -> None:
        """Of several rows for one record the last one counts."""
        self.load("GSW_PHONE,Segment\n6505550100,a\n6505550100,b", duplicates="replace")
        self.assertEqual([row["segment"] for row in self.records()], ["b", "second"])

    def test_replace_in_process(self) -> None:
        """A record in process is not replaced (H223)."""
        self.preview()
        verdicts = self.load("GSW_PHONE,Segment\n6505550100,new", duplicates="replace")
        self.assertEqual(verdicts, [("refused", "the record with this contact is in process")])
        self.assertEqual(self.records()[0]["segment"], "old")

    def test_replace_keeps_no_call(self) -> None:
        """A record of type 7 stays so, whatever the row says (H266)."""
        self.store.sql("UPDATE CL_Test SET record_type = 7, record_status = 3, call_result = 51 WHERE record_id = 1")
        self.load("GSW_PHONE,GSW_RECORD_TYPE,Segment\n6505550100,2,new", duplicates="replace")
        row = self.records()[0]
        self.assertEqual(
            (row["record_type"], row["record_status"], row["call_result"], row["segment"]), (7, 3, 51, "new")
        )


class DryRunTests(ListTestCase):
    """`--dry-run`."""

    def test_says_the_same_and_changes_nothing(self) -> None:
        """A dry run gives the verdicts of the import, and neither list nor progress change."""
        self.add("1")
        text = "GSW_PHONE,GSW_PHONE_TYPE\n1,\n2,99\n3,\n3,"
        for duplicates in ("add", "skip", "replace"):
            with self.subTest(duplicates=duplicates):
                before = self.records()
                verdicts = self.load(text, duplicates=duplicates, dry_run=True)
                self.assertEqual((self.records(), self.store.rows("ocsgw_import")), (before, []))
                self.assertEqual(self.load(text, duplicates=duplicates), verdicts)
                self.store.sql("DELETE FROM CL_Test WHERE record_id > 1")
                self.store.sql("DELETE FROM ocsgw_import")


class HeaderTests(ListTestCase):
    """The first row of a file."""

    def test_unknown_column(self) -> None:
        """An unknown column is refused with the nearest known one (as C2)."""
        text = self.refused("GSW_PHONE,Segmnt")
        self.assertIn("'Segmnt'; did you mean Segment", text)
        self.assertIn("'elephant'; remove it", self.refused("GSW_PHONE,elephant"))

    def test_ignored_columns(self) -> None:
        """Columns that only the list fills, and unknown ones if asked so, are not read, and said to be so."""
        arguments = self.arguments("GSW_PHONE,record_id,CHAIN_N,what", "CL_Test", ignore_unknown=True)
        begun = self.operation("begin import", **arguments)
        self.assertEqual(begun["ignored"], ["record_id", "CHAIN_N", "what"])
        self.operation("import", **arguments, first=0, parts=in_parts([["1", "77", "8", "x"]]))
        self.assertEqual([(row["record_id"], row["chain_n"]) for row in self.records()], [(1, 0)])

    def test_no_contact(self) -> None:
        """A file without contacts is refused."""
        self.assertIn("no column GSW_PHONE", self.refused("Segment,Remarks"))

    def test_same_column_twice(self) -> None:
        """Two columns for one are refused, whatever they are called."""
        for header in ("GSW_PHONE,contact_info", "GSW_PHONE,Segment,segment", "GSW_PHONE,GSW_TZ_NAME,tz_dbid"):
            with self.subTest(header=header):
                self.assertIn("are the same", self.refused(header))
        self.assertIn("are the same", self.refused("GSW_PHONE,GSW_DATE_TIME,dial_sched_time"))

    def test_unknown_list(self) -> None:
        """A list that is not configured is refused with those that are."""
        self.assertIn("there is no calling list CL_Tset; configured: CL_Test", self.refused("GSW_PHONE", "CL_Tset"))

    def test_table_that_cannot_be_used(self) -> None:
        """A list whose table is gone is refused, and says where the reason stands (K12)."""
        self.store.sql("DROP TABLE CL_Test")
        self.assertIn("cannot be used", self.refused("GSW_PHONE"))


class ProgressTests(ListTestCase):
    """How an import goes on after an interruption."""

    def test_goes_on_behind_the_last_row(self) -> None:
        """Rows and their progress are one transaction; the next begin says how many rows are stored."""
        arguments = self.arguments("GSW_PHONE", "CL_Test")
        self.assertEqual(self.operation("begin import", **arguments)["rows"], 0)
        self.operation("import", **arguments, first=0, parts=in_parts([["1"], ["2"], [""]]))
        self.store.restart()
        begun = self.operation("begin import", **arguments)
        self.assertEqual((begun["rows"], begun["finished_at"]), (3, None))
        self.assertEqual(begun["counts"], {"added": 2, "updated": 0, "replaced": 0, "skipped": 0, "refused": 1})
        self.operation("import", **arguments, first=3, parts=in_parts([["3"]]), last=True)
        self.assertEqual(self.contacts(), ["1", "2", "3"])

    def test_no_row_twice(self) -> None:
        """A slice that is stored already, or not at its place, is refused and changes nothing."""
        arguments = self.arguments("GSW_PHONE", "CL_Test")
        self.assertRaises(OperationError, self.operation, "import", **arguments, first=0, parts=in_parts([["1"]]))
        self.operation("begin import", **arguments)
        self.operation("import", **arguments, first=0, parts=in_parts([["1"]]))
        for first in (0, 2):
            self.assertRaises(
                OperationError, self.operation, "import", **arguments, first=first, parts=in_parts([["2"]])
            )
        self.assertEqual(self.contacts(), ["1"])

    def test_finished(self) -> None:
        """An import that is complete is not begun anew, unless asked for."""
        arguments = self.arguments("GSW_PHONE", "CL_Test")
        self.operation("begin import", **arguments)
        self.operation("import", **arguments, first=0, parts=in_parts([["1"]]), last=True)
        self.assertEqual(self.operation("begin import", **arguments)["finished_at"], self.now)
        self.assertRaises(OperationError, self.operation, "import", **arguments, first=1, parts=in_parts([["2"]]))
        again = self.operation("begin import", **arguments, again=True)
        self.assertEqual((again["rows"], again["finished_at"]), (0, None))

    def test_each_list_for_itself(self) -> None:
        """The same file into another list is another import."""
        self.load("GSW_PHONE\n1")
        begun = self.operation("begin import", **self.arguments("GSW_PHONE", "CL_CALLBACK"))
        self.assertEqual((begun["rows"], begun["finished_at"]), (0, None))

    def test_arguments_are_checked(self) -> None:
        """What is no operation, or too large, is refused in words."""
        self.assertRaises(OperationError, self.operation, "explode")
        self.assertRaises(OperationError, self.operation, "begin import", header="x")
        arguments = self.arguments("GSW_PHONE", "CL_Test")
        self.operation("begin import", **arguments)
        for part in (encode([["1"]] * 129), b"\xc1"):
            self.assertRaises(OperationError, self.operation, "import", **arguments, first=0, parts=[part])
        self.assertRaises(OperationError, self.operation, "import", **arguments, first=0, parts=[encode([[1]])])


class ExportTests(ListTestCase):
    """What is written is what is read."""

    def test_round_trip(self) -> None:
        """Records with custom fields of each type come back as they were (K33, H121)."""
        self.load(
            "GSW_PHONE,CustomerID,Amount,Code,Label,Due,Level,hidden\n"
            f"1,17,1.5,ab,{ACCENTS},2027-01-02 03:04:05,-2147483648,seen\n"
            '2,-1,1e300,"a,b","x""y",12/31/2026 23:59,0,\n'
            "3,,-0.1,,,,,\n",
            "CL_Types",
        )
        header, *rows = self.export("CL_Types")
        before = self.records("CL_Types")
        self.store.sql("DELETE FROM CL_Types")
        text = io.StringIO(newline="")
        csv.writer(text).writerows((header, *rows))
        text.seek(0)
        names, *cells = csv.reader(text)
        arguments = {**self.arguments("", "CL_Types"), "header": names}
        self.operation("begin import", **arguments)
        self.assertEqual(self.operation("import", **arguments, first=0, parts=in_parts(cells))["verdicts"], [])
        # Numbers are never used again (H200).
        unnumbered = [{**each, "record_id": 0} for each in before]
        self.assertEqual([{**each, "record_id": 0} for each in self.records("CL_Types")], unnumbered)

    def test_slices(self) -> None:
        """Slices are in the order of the record ids, each row in one of them."""
        for number in range(5):
            self.add(str(number))
        self.assertEqual([row[1] for row in self.export()[1:]], ["0", "1", "2", "3", "4"])

    def test_null_is_what_it_is_read_as(self) -> None:
        """NULL is written as what it is read as; a row without id or contact is passed over (K11)."""
        self.add("1")
        self.store.sql("UPDATE CL_Test SET record_type = NULL, record_status = 0, daily_till = NULL, tz_dbid = NULL")
        self.store.sql("INSERT INTO CL_Test (record_id, chain_id, chain_n) VALUES (9, 9, 0)")
        header, row = self.export()
        shown = dict(zip(header, row, strict=True))
        self.assertEqual(
            [shown[name] for name in ("record_type", "record_status", "daily_till", "tz_dbid")], [2, 1, 86399, 0]
        )

    def test_unknown_list(self) -> None:
        """A list that is not configured is refused."""
        self.assertRaises(OperationError, self.operation, "export", calling_list="CL_Tset")


class DoNotCallTests(ListTestCase):
    """The do-not-call table as a file (constants.md section 6)."""

    HEADER = "phone,customer_id,tenant,campaign,list,expires_at,message"

    def entries(self) -> list[dict[str, Any]]:
        """Return the rows of the do-not-call table."""
        return self.store.rows("gsw_donotcall_list")

    def test_columns(self) -> None:
        """Names become DBIDs, dates seconds; an imported entry is not one of ours (section 6.1)."""
        self.load(
            f"{self.HEADER}\n 650 1 ,,Environment,Campaign1,CL_Test,1800000000,by letter\n,C1,2,0,,2027-01-15 08:00,",
            None,
        )
        common = {"is_internal": 0, "time_stamp": self.now}
        self.assertEqual(
            self.entries(),
            [
                {
                    **common, "phone": "650 1", "customer_id": None, "dnc_message": "by letter", "tenant_dbid": 1,
                    "campaign_dbid": 301, "list_dbid": 201, "expires_at": 1800000000,
                },
                {
                    **common, "phone": None, "customer_id": "C1", "dnc_message": None, "tenant_dbid": 2,
                    "campaign_dbid": 0, "list_dbid": 0, "expires_at": 1800000000,
                },
            ],
        )  # fmt: skip

    def test_refused(self) -> None:
        """A row without contact and customer id, or with a wrong value, is refused with the reason."""
        verdicts = self.load(
            f"{self.HEADER}\n,,,,,,\n{'1' * 129},,,,,,\n1,,Environmnt,,,,\n1,,,,,tomorrow,\n1,,,,,,{'m' * 256}\n1,2",
            None,
        )
        self.assertEqual(
            verdicts,
            [
                ("refused", "Missing attribute phone"),
                ("refused", "Invalid value of attribute phone"),
                ("refused", "there is no such tenant"),
                ("refused", "Invalid date or time in expires_at"),
                ("refused", "Invalid value of attribute message"),
                ("refused", "has 2 columns, the first row 7"),
            ],
        )

    def test_header(self) -> None:
        """A wrong first row is refused with the remedy."""
        self.assertIn("did you mean phone", self.refused("phon", None))
        self.assertIn("no column phone", self.refused("message", None))
        self.assertIn("there twice", self.refused("phone,GSW_PHONE", None))

    def test_skip(self) -> None:
        """An equal entry that holds as long makes no second row; a longer one does (H264, K43)."""
        self.load("phone,expires_at\n6501,1800000000\n2,", None, duplicates="skip")
        self.load("customer_id,tenant\nC1,Environment", None, duplicates="skip")
        verdicts = self.load(
            "phone,customer_id,tenant,expires_at\n(650) 1,,,1800000000\n6501,,,1800000001\n6501,,,\n6501,,,\n6501,,1,\n"
            " 2,,,1900000000\n, C1 ,Environment,\n,c1,Environment,",
            None,
            duplicates="skip",
        )
        names = [name for name, _ in verdicts]
        self.assertEqual(names, ["skipped", "added", "added", "skipped", "added", "skipped", "skipped", "added"])

    def test_replace(self) -> None:
        """With `replace` the equal entry gets message and end of the row, or its absence."""
        self.load(f"phone,expires_at,message\n6501,1800000000,old\n{ACCENTS},,old", None)
        verdicts = self.load(
            f"phone,expires_at,message\n(650)1,,new\n{ACCENTS},1900000000,new\n3,,a\n3,,b", None, duplicates="replace"
        )
        self.assertEqual([name for name, _ in verdicts], ["replaced", "replaced", "added", "replaced"])
        self.assertEqual(
            [(row["phone"], row["expires_at"], row["dnc_message"]) for row in self.entries()],
            [("6501", None, "new"), (ACCENTS, 1900000000, "new"), ("3", None, "b")],
        )

    def test_round_trip(self) -> None:
        """An export is imported as it was, entries for a phone and a customer id together included."""
        text = f"{self.HEADER}\n1,C1,Environment,Campaign1,CL_Test,1800000000,m\n{ACCENTS},,,,,,\n,C2,Second,,,,x"
        self.load(text, None)
        before = self.entries()
        header, *rows = self.export(None)
        self.assertEqual(header, self.HEADER.split(","))
        self.store.sql("DELETE FROM gsw_donotcall_list")
        arguments = self.arguments(self.HEADER, None, duplicates="add")
        self.operation("begin import", **arguments, again=True)
        cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
        self.operation("import", **arguments, first=0, parts=in_parts(cells))
        self.assertEqual(self.entries(), before)

    def test_older_table(self) -> None:
        """A table without `expires_at` takes entries without an end, and refuses others in words (section 6.1)."""
        table = (
            "CREATE TABLE gsw_donotcall_list (phone varchar(64), customer_id varchar(64), dnc_message varchar(255),"
            " tenant_dbid decimal(18,0), campaign_dbid decimal(18,0), list_dbid decimal(18,0), is_internal integer,"
            " time_stamp integer)"
        )
        self.use_directory(self.make_directory(), tables=[table])
        for duplicates in ("skip", "replace"):
            verdicts = self.load(f"phone,expires_at\n1,\n2,1800000000\n{'3' * 65},", None, duplicates=duplicates)
            self.assertIn("no column expires_at", verdicts[1][1])
            self.assertEqual(verdicts[2], ("refused", "Invalid value of attribute phone"))
        self.assertEqual([row["phone"] for row in self.entries()], ["1"])
        self.assertEqual(self.export(None)[1:], [["1", None, None, None, None, None, None]])

    def test_effective_at_once(self) -> None:
        """The next request sees an imported entry (K45)."""
        self.load("phone\n6505550100", None)
        self.assertEqual(self.add("650 555 0100")["GSW_RECORD_TYPE"], 7)


class UnindexedTests(DuplicateTests):
    """The same where indexes are forbidden (K23)."""

    def setUp(self) -> None:
        super().setUp()
        self.store.sql('DROP INDEX "ocsgw_ix_CL_Test_1"')
