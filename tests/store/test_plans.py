"""No statement of a request reads a table from end to end: every one finds its rows by an index (http.md H358)."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any
from unittest import TestCase, mock

from ocsgw.operations.parts import in_parts
from ocsgw.operations.steps import carry_out
from ocsgw.store.sqlite.connection import Connection
from ocsgw.store.sqlite.creation import do_not_call_table, list_table
from ocsgw.store.sqlite.do_not_call import DO_NOT_CALL_INDEXES, do_not_call_text
from ocsgw.store.sqlite.ready import doubtful
from ocsgw.store.sqlite.statements import list_indexes, list_text
from tests.support.rules import (
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
    make_directory,
    of_group,
    preview_record,
)

# Of this table some statement asks whether it has a row at all.
_FIRST_ROW = "gsw_donotcall_list"


class PlanTests(RuleTestCase):
    """The plans of all statements that requests and imports bring about."""

    def statements(self) -> Iterator[tuple[str, Any]]:
        """Carry out requests of every kind and yield their statements."""
        seen: dict[str, Any] = {}
        rows, change = Connection.rows, Connection.change

        def noted(original: Any) -> Any:
            def run(connection: Connection, text: str, parameters: Any = ()) -> Any:
                seen.setdefault(text, parameters)
                return original(connection, text, parameters)

            return run

        with mock.patch.object(Connection, "rows", noted(rows)), mock.patch.object(Connection, "change", noted(change)):
            chain = self.add("1", CustomerID="C1")["GSW_CHAIN_ID"]
            self.add("2", GSW_CHAIN_ID=chain)
            self.add("３", CustomerID="C3")
            handle = self.preview()["GSW_RECORD_HANDLE"]
            for request in (
                "UpdateCallCompletionStats",
                "ChainedRecordRequest",
                "RecordProcessed",
                "RequestRecordCancel",
            ):
                self.outcomes(by_handle(request, handle))
            self.outcomes(
                by_phone("DoNotCall", "1", GSW_CHAIN_ATTR="AllChain"),
                by_phone("RequestRecordCancel", "2"),
                by_customer_id("DoNotCall", "C3"),
                preview_record(GSW_AGENT_ID="a"),
                of_group("CampaignStatusRequest"),
                add_record("4"),
            )
            self.pass_time(10_000)
            for calling_list, column in (("CL_Test", "GSW_PHONE"), (None, "phone")):
                common = {"header": [column], "fingerprint": "f", "file": "f", "calling_list": calling_list}
                self.operation("begin import", **common)
                self.operation("import", **common, duplicates="skip", first=0, parts=in_parts([["1"], ["6"]]))
            self.operation("known contacts", calling_list="CL_Test", contacts=["1"])
        yield from seen.items()

    def operation(self, name: str, **arguments: Any) -> None:
        """Carry out one operation in a transaction of its own."""
        self.store.chore(lambda unit: carry_out(unit, name, arguments))

    def test_no_scan(self) -> None:
        """H358: no plan has the scan of a table, be it large or empty, ours or that of a list."""
        connection = self.store.store._needed()
        tables = {each.table for each in self.directory.calling_lists} | {self.directory.do_not_call.table}
        scans = []
        for text, parameters in list(self.statements()):
            if not text.startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")):
                continue
            for *_, step in connection.rows(f"EXPLAIN QUERY PLAN {text}", parameters):
                # Whether the do-not-call table is empty its first row says.
                # An index of ours that is read as a whole has few rows of the table; that of a key has all of them.
                by_ours = " USING " in step and "autoindex" not in step
                scanned = step.startswith("SCAN") and not by_ours and step != f"SCAN {_FIRST_ROW}"
                is_table = step.removeprefix("SCAN ") in ("d", "t", "x", "y", "o", "h", "s")
                if scanned and (is_table or any(f" {name} " in f"{step} " for name in tables)):
                    scans.append((step, text))
        self.assertEqual(scans, [])

    def test_depth(self) -> None:
        """The nesting of statements keeps away from the limit of SQLite's parser, which older builds have as well."""
        connection = self.store.store._needed()
        for text, parameters in list(self.statements()):
            if text.startswith(("SELECT", "WITH")):
                connection.rows(f"EXPLAIN SELECT * FROM (SELECT * FROM ({text}))", parameters)


class NotNullTests(TestCase):
    """Tables of other programs with all columns declared NOT NULL (K12): newer planners conclude something from it."""

    def setUp(self) -> None:
        """Make a list and a do-not-call table, with their indexes."""
        self.calling_list = make_directory().calling_lists[0]
        self.connection = sqlite3.connect(":memory:")
        self.addCleanup(self.connection.close)
        for table, text, indexes in (
            ("CL_Test", list_table(self.calling_list), list_indexes(self.calling_list)),
            ("DNC", do_not_call_table("DNC"), DO_NOT_CALL_INDEXES),
        ):
            head, *columns = text.removesuffix("\n)").split(", \n\t")
            declared = [line if "NOT NULL" in line or "(" in line[:13] else f"{line} NOT NULL" for line in columns]
            self.connection.execute(", \n\t".join((head, *declared)) + "\n)")
            for number, index in indexes.items():
                condition = f" WHERE {index.condition}" if index.condition else ""
                self.connection.execute(f"CREATE INDEX {table}_{number} ON {table} ({index.body}){condition}")

    def plan(self, text: str) -> list[str]:
        """Return the steps of a statement; what its parameters are does not matter."""
        names = dict.fromkeys(re.findall(r":([a-z_]+)", text), "[]")
        numbered = ["[]"] * (1 if "?1" in text else text.count("?"))
        return [row[3] for row in self.connection.execute(f"EXPLAIN QUERY PLAN {text}", names or numbered)]

    def test_indexes_are_used(self) -> None:
        """Every statement that an index is made for uses it."""
        of_list = list_text(self.calling_list, {}, may_lack_chain=False)
        of_entries = do_not_call_text("DNC", has_expiry=True, is_indexed=True)
        for index, text in (
            ("CL_Test_1", of_list.find_by_contact),
            ("CL_Test_2", of_list.find_by_contact),
            ("CL_Test_1", of_list.records_by_contact),
            ("CL_Test_2", of_list.records_by_contact),
            ("CL_Test_3", of_list.windows),
            ("CL_Test_3", of_list.ready_records),
            ("CL_Test_3", of_list.ready_records_but),
            ("CL_Test_3", of_list.waiting_agents),
            ("CL_Test_4", of_list.find_by_customer_id),
            ("CL_Test_7", f"SELECT count(*) FROM CL_Test WHERE {doubtful('')}"),
            ("DNC_1", of_entries.blocked),
            ("DNC_3", of_entries.blocked),
            ("DNC_1", of_entries.blocking),
            ("DNC_3", of_entries.blocking),
            ("DNC_1", of_entries.lasting),
            ("DNC_1", of_entries.entries_for),
            ("DNC_3", of_entries.entries_for),
            ("DNC_2", of_entries.of_contacts),
            ("DNC_4", of_entries.newest_beyond_ascii),
        ):
            assert text is not None
            steps = self.plan(text)
            self.assertTrue(any(f"INDEX {index}" in step for step in steps), (index, steps))

    def test_conditions(self) -> None:
        """No index asks for NULL in a way that only some releases of SQLite find again."""
        for index in (*list_indexes(self.calling_list).values(), *DO_NOT_CALL_INDEXES.values()):
            self.assertNotRegex(index.condition, r"IS (NOT )?NULL|(NOT|IS)NULL")
