"""No statement of a request reads a table from end to end: every one finds its rows by an index (http.md H358)."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

from ocsgw.operations.steps import carry_out
from ocsgw.store.sqlite.connection import Connection
from tests.support.rules import (
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
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
                self.operation("import", **common, duplicates="skip", first=0, rows=[["1"], ["6"]])
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
