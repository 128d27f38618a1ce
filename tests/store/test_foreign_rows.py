"""Rows as other programs write them: what cannot be represented harms nobody else (constants.md K16, K63)."""

import sqlite3
from contextlib import closing

from ocsgw.counters import UNREADABLE_ROWS
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.store.errors import UndoneTransactionError
from tests.support.rules import (
    RuleTestCase,
    add_record,
    by_handle,
    by_phone,
    make_directory,
    make_list,
    pending,
    preview_record,
)
from tests.support.workers import InlineWorker

# Column, value as an SQL expression: what spreadsheets, `.import` and other products leave behind.
ODD_NUMBERS = (
    ("daily_from", "'9:00'"),
    ("attempt", "''"),
    ("attempt", "1e24"),
    ("attempt", "0.5"),
    ("record_type", "x'02'"),
    ("dial_sched_time", "999999999999999"),
    ("call_time", "-9999999999"),
    ("campaign_id", "'Campaign1'"),
)
ODD_TEXTS = (
    ("contact_info", "x'36353035'"),
    ("contact_info", "CAST(x'36e935' AS TEXT)"),
    ("agent_id", "x'00'"),
    ("remarks", "CAST(x'4de97a' AS TEXT)"),
    ("remarks", "x'ff'"),
)

_TRIGGER = "CREATE TRIGGER ours BEFORE INSERT ON CL_Test WHEN new.contact_info = 'taken' BEGIN"


class OddRowTests(RuleTestCase):
    """One row that cannot be represented, the first in the order, and one behind it."""

    def odd(self, column: str, value: str) -> None:
        """Begin anew with a row that has this value, and a sound one."""
        self.use_directory(self.make_directory())
        self.add("1")
        self.store.sql(f"UPDATE CL_Test SET {column} = {value}")
        self.add("2")

    def test_skipped(self) -> None:
        """K63: previews hand out the row behind it, and the odd one is not changed; then there is nothing left."""
        for column, value in (*ODD_NUMBERS, *ODD_TEXTS):
            self.odd(column, value)
            before = self.store.sql(f"SELECT hex({column}), typeof({column}), record_status FROM CL_Test LIMIT 1")
            events = self.replies(preview_record(), preview_record())
            self.assertEqual(
                [each.get("GSW_PHONE", each["GSW_USER_EVENT"]) for each in events],
                ["2", "PreviewRecordEmpty"],
                (column, value),
            )
            after = self.store.sql(f"SELECT hex({column}), typeof({column}), record_status FROM CL_Test LIMIT 1")
            self.assertEqual(after, before)

    def test_corrected(self) -> None:
        """K63: as soon as another program has corrected the value the row counts."""
        for column, value in (*ODD_NUMBERS, *ODD_TEXTS):
            self.odd(column, value)
            self.assertEqual(self.preview()["GSW_PHONE"], "2")
            sound = "'1'" if column in ("contact_info", "agent_id", "remarks") else "NULL"
            self.store.sql(f"UPDATE CL_Test SET {column} = {sound} WHERE record_id = 1")
            self.assertEqual(self.preview()["GSW_PHONE"], "1", (column, value))

    def test_many(self) -> None:
        """K63: many of them at the head of the order hide nothing; reported once, counted each."""
        for number in range(30):
            self.add(str(number))
        self.store.sql("UPDATE CL_Test SET remarks = CAST(x'e9' AS TEXT)")
        self.add("last")
        UNREADABLE_ROWS.clear()
        self.assertEqual(self.preview()["GSW_PHONE"], "last")
        self.assertEqual(len([text for text in self.store.reports if "cannot be read" in text]), 1)
        self.assertIn("record 1 has a value in the column remarks", "".join(self.store.reports))
        self.assertEqual(UNREADABLE_ROWS.cell(list="CL_Test").value, 30)

    def test_reported_when_opened(self) -> None:
        """K63, log 93019: column and number of rows are reported when a list is opened."""
        for number in range(3):
            self.add(str(number))
        self.store.sql("UPDATE CL_Test SET daily_from = '9:00' WHERE record_id < 3")
        self.store.sql("UPDATE CL_Test SET attempt = '' WHERE record_id = 3")
        self.store.restart()
        texts = [text for text in self.store.reports if "whole number" in text]
        self.assertEqual(len(texts), 2)
        self.assertIn("CL_Test: 2 rows have something else than a whole number in the column daily_from", texts[1])

    def test_found_by_phone(self) -> None:
        """K63: requests by phone find the row all the same."""
        for column, value in ODD_NUMBERS:
            self.odd(column, value)
            self.assertEqual(self.reply(by_phone("RequestRecordCancel", "1"))["GSW_RECORDS_COUNT"], 1, (column, value))
            self.assertEqual(self.reply(by_phone("DoNotCall", "1"))["GSW_RECORDS_COUNT"], 1, (column, value))
            self.assertEqual(self.row(1)["record_type"], 7)

    def test_others_never_notice(self) -> None:
        """Issue of text that is not UTF-8: requests that do not name the row work, in one batch and alone."""
        for column, value in (*ODD_NUMBERS, *ODD_TEXTS):
            self.odd(column, value)
            replies = self.replies(
                add_record("3"), by_phone("DoNotCall", "4"), by_phone("RequestRecordCancel", "5"), add_record("6")
            )
            self.assertEqual([each.get("error") for each in replies], [None] * 4, (column, value))

    def test_written_in_process(self) -> None:
        """K63: a row that becomes odd in process: its requests get an error of their own, the chain goes on."""
        for column, value in (*ODD_NUMBERS, *ODD_TEXTS):
            self.use_directory(self.make_directory())
            handle = self.hand_out("1", "2")
            self.store.sql(f"UPDATE CL_Test SET {column} = {value} WHERE record_id = 1")
            self.assertEqual(
                self.refusal(by_handle("RecordProcessed", handle)),
                f"409 Record has a value in column {column} that cannot be read",
            )
            self.reply(by_handle("RecordProcessed", handle + 1))

    def test_entry(self) -> None:
        """Text that is not UTF-8, or no text, in the do-not-call table hinders nobody; other entries count."""
        for value in ("CAST(x'36e935' AS TEXT)", "x'ff00'", "CAST(x'c3' AS TEXT)"):
            for column in ("phone", "customer_id"):
                self.use_directory(self.make_directory())
                self.store.sql(f"INSERT INTO gsw_donotcall_list ({column}) VALUES ({value})")
                self.reply(by_phone("DoNotCall", "１"))
                self.assertEqual(self.add("２")["GSW_RECORD_TYPE"], 2)
                self.assertEqual(self.add("１")["GSW_RECORD_TYPE"], 7)
                self.assertEqual(self.preview()["GSW_PHONE"], "２")

    def test_no_snapshot_is_kept(self) -> None:
        """An error of a statement keeps no old state of the file in use: other programs write, and we after them."""
        self.odd("remarks", "CAST(x'e9' AS TEXT)")
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (CAST(x'e9' AS TEXT))")
        self.replies(add_record("3"), by_phone("DoNotCall", "4"))
        self.store.sql("UPDATE CL_Test SET attempt = 1")
        self.add("5")
        with closing(sqlite3.connect(self.store.file, isolation_level=None)) as other:
            # Nothing is left of the log: nobody reads an old state.
            self.assertEqual(other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone(), (0, 0, 0))


class NumberTests(RuleTestCase):
    """Record ids and chain ids: never used again, never beyond 32 bits (H200, K16)."""

    def test_never_again(self) -> None:
        """H200: numbers of rows that were deleted are not used again, nor after a restart."""
        self.add("1")
        self.store.sql("DELETE FROM CL_Test")
        self.assertEqual(self.add("2")["GSW_CHAIN_ID"], 2)
        self.store.sql("DELETE FROM CL_Test")
        self.store.restart()
        self.assertEqual(self.add("3")["GSW_CHAIN_ID"], 3)
        self.assertEqual(self.rows("CL_Test", "record_id", "chain_id"), [{"record_id": 3, "chain_id": 3}])

    def test_seen_by_a_preview(self) -> None:
        """H200: numbers of another program's rows count once they were handed out."""
        self.store.sql("INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (50, '1', 60, 0)")
        self.preview()
        self.store.sql("DELETE FROM CL_Test")
        self.assertEqual(self.add("2")["GSW_CHAIN_ID"], 61)
        self.assertEqual(self.column("record_id"), [51])

    def test_other_row(self) -> None:
        """K16: a handle is bound to the row handed out: another row with its number is not touched."""
        for request in ("RecordProcessed", "DoNotCall", "RequestRecordCancel", "UpdateCallCompletionStats"):
            self.use_directory(self.make_directory())
            handle = self.hand_out("1")
            self.store.sql("DELETE FROM CL_Test")
            self.store.sql(
                "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n, record_status)"
                " VALUES (1, '2', 1, 0, 1)"
            )
            before = self.rows()
            self.assertEqual(self.refusal(by_handle(request, handle)), "404 Invalid record handle")
            self.assertEqual((self.rows(), self.rows("gsw_donotcall_list")), (before, []))

    def test_contact_changed_in_process(self) -> None:
        """K16: another program may correct the contact of a record in process."""
        handle = self.hand_out("1")
        self.store.sql("UPDATE CL_Test SET contact_info = '2'")
        self.assertEqual(
            self.reply(by_handle("RecordProcessed", handle))["GSW_USER_EVENT"], "RecordProcessedAcknowledge"
        )

    def test_last_number(self) -> None:
        """Numbers beyond 32 bits are never given: 409, with the list's name; the last one is."""
        for column in ("record_id", "chain_id"):
            self.use_directory(self.make_directory())
            self.store.sql("INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (1, '1', 1, 0)")
            self.store.sql(f"UPDATE CL_Test SET {column} = 2147483646")
            first, second = self.replies(add_record("2"), add_record("3"))
            self.assertEqual((first.get("error"), second.get("error")), (None, "ids_used_up"))
            self.assertEqual(
                self.refusal(add_record("3")), "409 Calling list CL_Test has no free record number up to 2147483647"
            )

    def test_numbers_of_others_beyond(self) -> None:
        """Numbers of other programs that are none of ours do not count."""
        for value in ("1e24", "4294967296", "'x'"):
            self.use_directory(self.make_directory())
            self.store.sql(
                f"INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES ({value}, '1', {value}, 0)"
            )
            self.assertEqual(self.add("2")["GSW_CHAIN_ID"], 1)


class LargeRowTests(RuleTestCase):
    """Another program has written more into a row than an event can show (K63)."""

    def test_passed_over(self) -> None:
        """Such a record does not hold its group up; it is reported once, and is handed out when it has been cut."""
        self.use_directory(make_directory(largest_event=4000))
        for number in (1, 2, 3):
            self.add(str(number))
        self.store.sql("UPDATE CL_Test SET remarks = ? WHERE record_id = 1", "x" * 3000)
        self.store.sql("UPDATE CL_Test SET remarks = ? WHERE record_id = 2", "\u20ac" * 1001)
        self.assertEqual(self.preview()["GSW_PHONE"], "3")
        (report,) = self.store.reports
        self.assertIn("record 1 has a value in the column remarks that cannot be read or is too large", report)
        self.store.sql("UPDATE CL_Test SET remarks = ? WHERE record_id = 1", "x" * 2990)
        self.assertEqual(self.preview()["GSW_PHONE"], "1")


class RefusedRowTests(RuleTestCase):
    """An index, constraint or trigger of the site says no (K16)."""

    def both(self, statement: str) -> list[str]:
        """Run a statement, add three records of which the table refuses the second, and return the answers."""
        self.use_directory(self.make_directory())
        self.add("taken")
        self.store.sql(statement)
        replies = [each.reply for each in self.outcomes(add_record("1"), add_record("taken"), add_record("2"))]
        return [getattr(each, "text", "") for each in replies]

    def test_table(self) -> None:
        """409 with the names of list and index; the neighbours go in; one line in the log."""
        for statement, reason in (
            ("CREATE UNIQUE INDEX one_lead ON CL_Test (contact_info)", "unique index one_lead"),
            ("CREATE UNIQUE INDEX lower_lead ON CL_Test (lower(contact_info))", "unique index lower_lead"),
            (
                f"{_TRIGGER} SELECT RAISE(ABORT, 'no 6505550100 here'); END",
                "a trigger: no *** here",
            ),
            (
                f"{_TRIGGER} SELECT RAISE(IGNORE); END",
                "a trigger of its table ignores the row",
            ),
        ):
            self.assertEqual(
                self.both(statement), ["", f"Calling list CL_Test does not accept the record: {reason}", ""]
            )
            self.assertEqual(self.column("contact_info"), ["taken", "1", "2"])
            self.assertNotIn("6505550100", "".join(self.store.reports))

    def test_trigger_that_undoes_everything(self) -> None:
        """A trigger that rolls the whole transaction back costs its own request; its neighbours go in."""
        self.store.sql(f"{_TRIGGER} SELECT RAISE(ROLLBACK, 'no'); END")
        self.add("0")
        self.assertRaises(UndoneTransactionError, self.outcomes, *(add_record(each) for each in ("1", "taken", "2")))
        self.assertEqual(self.column("contact_info"), ["0"])
        committer = Committer(self.store.store, InlineWorker(), self.directory, self.clock, lambda: self.now)
        seen: list[str] = []
        for each in ("1", "taken", "2"):
            committer.submit(Job(pending(add_record(each)), lambda done: seen.append(getattr(done.reply, "text", ""))))
        self.clock.advance(0)
        self.assertEqual(seen, ["", "Calling list CL_Test does not accept the record: a trigger: no", ""])
        self.assertEqual(self.column("contact_info"), ["0", "1", "2"])

    def test_column_without_default(self) -> None:
        """A column of the site that must have a value is named."""
        self.store.sql(
            "CREATE TRIGGER n BEFORE INSERT ON CL_Test BEGIN SELECT RAISE(ABORT, 'x') WHERE new.remarks IS NULL; END"
        )
        self.assertEqual(
            self.refusal(add_record("1")), "409 Calling list CL_Test does not accept the record: a trigger: x"
        )
        self.add("1", Remarks="given")


class ChangedTableTests(RuleTestCase):
    """The table of a list is changed or dropped while the server runs."""

    def test_other_lists_go_on(self) -> None:
        """A group goes on with its other lists; AddRecord names the list; one line in the log."""
        for statement in (
            "DROP TABLE CL_CALLBACK",
            "ALTER TABLE CL_CALLBACK RENAME COLUMN state TO country",
            "ALTER TABLE CL_CALLBACK RENAME COLUMN attempt TO attempts",
        ):
            self.use_directory(self.make_directory())
            self.add("1", "CL_CALLBACK")
            self.add("2")
            self.store.sql(statement)
            self.assertEqual(self.preview()["GSW_PHONE"], "2", statement)
            self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
            for _ in range(2):
                self.assertEqual(
                    self.refusal(add_record("3", "CL_CALLBACK")), "503 Calling list CL_CALLBACK is not available"
                )
            self.assertEqual(len([text for text in self.store.reports if "was changed while" in text]), 1)
            # What `ocsctl status` shows.
            ((name, reason),) = self.store.store.closed_lists.items()
            self.assertEqual(name, "CL_CALLBACK")
            self.assertIn("its table was changed while the server runs: ", reason)

    def test_corrected_and_reloaded(self) -> None:
        """A list whose table was put right is open again after a reload, and no longer reported."""
        self.add("1", "CL_CALLBACK")
        self.store.sql("ALTER TABLE CL_CALLBACK RENAME TO away")
        self.assertEqual(self.refusal(add_record("3", "CL_CALLBACK"))[:3], "503")
        self.assertEqual(list(self.store.store.closed_lists), ["CL_CALLBACK"])
        self.store.sql("ALTER TABLE away RENAME TO CL_CALLBACK")
        self.store.store.use(self.directory)
        self.assertEqual(dict(self.store.store.closed_lists), {})
        self.add("3", "CL_CALLBACK")

    def test_none_left(self) -> None:
        """A group without a list that can be used is not empty: 503."""
        self.use_directory(make_directory(lists=[make_list(205, "CL_Only")]))
        for table in ("CL_Test", "CL_CALLBACK", "CL_Only"):
            self.store.sql(f"DROP TABLE {table}")
        self.assertEqual(self.refusal(preview_record()), "503 Calling list CL_Test is not available")
