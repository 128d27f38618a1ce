"""Tables of calling lists: form, older and foreign tables, statements of other programs (constants.md K10 to K24)."""

from collections.abc import Sequence
from dataclasses import replace

from ocsgw.contact.directory import Directory, DoNotCallOptions, Field, Treatment
from ocsgw.store.errors import StoreError
from tests.support.rules import (
    TYPED_FIELDS,
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
    make_directory,
    make_list,
)

# The statement of constants.md section 5.
K20 = """CREATE TABLE form (
  record_id integer NOT NULL UNIQUE, contact_info varchar(128), contact_info_type integer,
  record_type integer, record_status integer, call_result integer, attempt integer,
  dial_sched_time integer, call_time integer, daily_from integer, daily_till integer,
  tz_dbid integer, campaign_id integer, agent_id varchar(32),
  chain_id integer NOT NULL, chain_n integer NOT NULL,
  group_id integer, app_id integer, treatments varchar(255), media_ref integer,
  email_subject varchar(255), email_template_id integer, switch_id integer,
  PRIMARY KEY (chain_id, chain_n)
)"""
FIRST_BLOCK = {
    "record_id": "integer",
    "contact_info": "varchar(128)",
    "contact_info_type": "integer",
    "record_type": "integer",
    "record_status": "integer",
    "call_result": "integer",
    "attempt": "integer",
    "dial_sched_time": "integer",
    "call_time": "integer",
    "daily_from": "integer",
    "daily_till": "integer",
    "tz_dbid": "integer",
    "campaign_id": "integer",
    "agent_id": "varchar(32)",
    "chain_id": "integer",
    "chain_n": "integer",
}


def table(name: str = "CL_Old", more: Sequence[str] = (), **changes: str | None) -> str:
    """Return a statement that makes a table of the first block; `changes` give other types, None leaves one out."""
    columns = {**FIRST_BLOCK, **changes}
    return (
        f'CREATE TABLE "{name}" ({", ".join([f"{c} {t}" for c, t in columns.items() if t is not None] + list(more))})'
    )


class OldListTestCase(RuleTestCase):
    """A list `CL_Old` of the first campaign whose table is there before the store is opened."""

    fields: tuple[Field, ...] = ()

    def open_with(self, *tables: str, **options: bool) -> None:
        """Open a store with these tables."""
        directory = make_directory(lists=[make_list(205, "CL_Old", *self.fields)])
        self.use_directory(directory, tables=tables, **options)

    def indexes(self, name: str) -> list[str]:
        """Return the names of our indexes on a table."""
        found = self.store.sql("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? ORDER BY 1", name)
        return [row[0] for row in found if row[0].startswith("ocsgw_ix_")]


class NewTableTests(OldListTestCase):
    """Tables that ocsgw makes (K12, K20, K21)."""

    def make_directory(self) -> Directory:
        return make_directory(typed_list=True)

    def test_form(self) -> None:
        """K20: a new table has the form of the statement, followed by its custom columns (K33)."""
        self.store.sql(K20)
        form = self.store.sql("SELECT name, lower(type), \"notnull\", pk FROM pragma_table_info('form')")
        made = self.store.sql("SELECT name, lower(type), \"notnull\", pk FROM pragma_table_info('CL_Types')")
        self.assertEqual(made[: len(form)], form)
        custom = [
            ("cust_id", "integer"),
            ("amount", "double"),
            ("code", "char(4)"),
            ("label", "varchar(10)"),
            ("due", "timestamp"),
            ("level", "integer"),
            ("hidden", "varchar(10)"),
        ]
        self.assertEqual([row[:2] for row in made[len(form) :]], custom)
        self.assertEqual(len(custom), len(TYPED_FIELDS))
        unique = (
            'SELECT i."unique", c.name FROM pragma_index_list(?) AS i, pragma_index_info(i.name) AS c'
            " WHERE origin IN ('u', 'pk') ORDER BY 2"
        )
        self.assertEqual(self.store.sql(unique, "CL_Types"), self.store.sql(unique, "form"))

    def test_no_null(self) -> None:
        """K21: a new row has no NULL in the first block except `agent_id`; not scheduled and never are 0."""
        self.add()
        (row,) = self.rows()
        self.assertEqual([column for column in FIRST_BLOCK if row[column] is None], ["agent_id"])
        self.assertEqual((row["dial_sched_time"], row["call_time"]), (0, 0))

    def test_not_created(self) -> None:
        """K12: with `create = false` a missing table is reported, and only its list is not open: 503."""
        self.open_with(
            "CREATE TABLE gsw_donotcall_list (phone, customer_id, dnc_message, tenant_dbid, campaign_dbid,"
            " list_dbid, is_internal, time_stamp)",
            K20.replace("form", "CL_CALLBACK").replace(
                "PRIMARY", "state text, last_name text, first_name text, client_id text, var_005 text, PRIMARY"
            ),
            create=False,
        )
        self.assertEqual(len([text for text in self.store.reports if "does not exist" in text]), 3)
        self.assertEqual(self.refusal(add_record()), "503 Calling list CL_Test is not available")
        self.assertEqual(self.add("1", "CL_CALLBACK")["GSW_CHAIN_ID"], 1)
        self.assertEqual(self.preview()["GSW_PHONE"], "1")


class TreatmentColumnTests(RuleTestCase):
    """Tables without the column `treatments`."""

    def reports(self, *treatments: Treatment, more: Sequence[str] = ()) -> list[str]:
        directory = make_directory(lists=[make_list(205, "CL_Old")], treatments=treatments)
        self.use_directory(directory, tables=[table(more=more)])
        return [each for each in self.store.reports if "CL_Old" in each]

    def test_warning(self) -> None:
        """K69: a warning if what is to be applied depends on the column; the list works all the same."""
        plain = Treatment(1, "T", 6, "retry_in", interval=60, max_attempts=2)
        for treatments, warned in (
            ((), False),
            ((plain,), False),
            ((plain, replace(plain, dbid=2, call_result=7)), False),
            ((plain, replace(plain, dbid=2)), True),
            ((plain, replace(plain, dbid=2, calling_lists=frozenset({201}))), False),
            ((replace(plain, cycle_attempt=2),), True),
            ((replace(plain, increment=2),), True),
            ((replace(plain, increment=2, calling_lists=frozenset({201})),), False),
        ):
            reports = self.reports(*treatments)
            self.assertEqual(["treatments" in each for each in reports], [True] if warned else [], treatments)
        self.assertEqual(self.add("1", "CL_Old")["GSW_CHAIN_N"], 0)
        cycle = replace(plain, cycle_attempt=2)
        self.assertEqual(self.reports(cycle, more=["treatments varchar(255)"]), [])
        self.assertEqual(len(self.reports(cycle, more=["treatments varchar(9)"])), 2)


class UnusableTableTests(OldListTestCase):
    """Tables that cannot be used (K12, K24)."""

    def assert_not_opened(self, statement: str, *words: str) -> None:
        self.open_with(statement)
        (report,) = self.store.reports
        for word in ("CL_Old", *words):
            self.assertIn(word, report)
        replies = self.replies(add_record("1", "CL_Old"), add_record("2"), by_phone("DoNotCall", "3"))
        self.assertEqual([each.get("error") for each in replies], ["list_unavailable", None, None])
        self.assertEqual(self.preview()["GSW_PHONE"], "2")
        for request in ("DoNotCall", "RequestRecordCancel"):
            self.assertEqual(self.reply(by_phone(request, "2"))["GSW_RECORDS_COUNT"], 1)

    def test_missing_column(self) -> None:
        """K12: a missing column of the first block is reported by name; the other lists are open."""
        self.assert_not_opened(
            table(attempt=None, call_time=None), "lacks the column attempt", "lacks the column call_time"
        )

    def test_other_family(self) -> None:
        """K12, K24: a column of another type family is reported by name and type."""
        self.assert_not_opened(table(dial_sched_time="varchar(20)"), "dial_sched_time as VARCHAR(20)")
        self.assert_not_opened(table(contact_info="integer"), "contact_info as INTEGER")
        self.assert_not_opened(table(record_id="decimal(10,2)"), "record_id as DECIMAL(10,2)")
        self.assert_not_opened(table(call_time="timestamp"), "call_time as TIMESTAMP")
        self.assert_not_opened(table(attempt="double precision"), "attempt as DOUBLE PRECISION")
        self.assert_not_opened(table(attempt="interval"), "attempt as INTERVAL")

    def test_too_short(self) -> None:
        """K24: a character column that is shorter than the classic one cannot be used."""
        self.assert_not_opened(table(contact_info="varchar(64)"), "contact_info as VARCHAR(64)", "128")

    def test_before_release_7_1(self) -> None:
        """K12: every missing column is named, and what two old ones are now."""
        self.use_directory(
            make_directory(lists=[make_list(205, "CL_Old")]),
            tables=["CREATE TABLE CL_Old (record_id integer, phone varchar(64), phone_type integer, chain_id integer)"],
        )
        (report,) = self.store.reports
        for words in (
            "lacks the column contact_info",
            "lacks the column contact_info_type",
            "lacks the column daily_from",
            "lacks the column chain_n",
            "has the column phone, which is contact_info since release 7.1",
            "has the column phone_type, which is contact_info_type since release 7.1",
        ):
            self.assertIn(words, report)

    def test_missing_custom_column(self) -> None:
        """K30: a custom column that the table lacks is reported by name."""
        self.fields = (Field("extra", "int", None, None, "Extra"),)
        self.assert_not_opened(table(), "lacks the custom column extra")

    def test_column_that_must_have_a_value(self) -> None:
        """K12: a table that takes no new rows, because of a column that nobody gives a value, is reported by name."""
        for column in ("region text not null", "app_id integer not null", "k int primary key not null"):
            self.assert_not_opened(
                table(more=[column]),
                f"has the column {column.split()[0]}, which must have a value and has no default",
            )
        for column in ("region text not null default ''", "k integer primary key not null", "region text"):
            self.open_with(table(more=[column]))
            self.assertEqual(self.store.reports, [])
            self.add("1", "CL_Old")
        self.store.sql("CREATE TABLE dnc AS SELECT * FROM gsw_donotcall_list")
        self.store.sql("ALTER TABLE dnc ADD COLUMN reason text")
        self.store.reload(make_directory(do_not_call=DoNotCallOptions(table="dnc")))
        columns = "phone text, customer_id text, dnc_message text, tenant_dbid int, campaign_dbid int, list_dbid int"
        self.store.sql(f"CREATE TABLE bad ({columns}, is_internal int, time_stamp int, reason text not null)")
        error = self.assertRaises(
            StoreError, self.store.store.use, make_directory(do_not_call=DoNotCallOptions(table="bad"))
        )
        self.assertIn("the do-not-call table bad has the column reason, which must have a value", str(error))

    def test_broken_while_running(self) -> None:
        """K16: a table that is dropped or changed while running gives 503 for its list, until it is there again."""
        self.open_with(table())
        self.store.sql("DROP TABLE CL_Old")
        self.assertEqual(self.refusal(add_record("1", "CL_Old")), "503 Calling list CL_Old is not available")
        self.add("2")
        self.assertEqual(self.preview()["GSW_PHONE"], "2")
        self.assertEqual(self.reply(by_phone("DoNotCall", "9"))["GSW_RECORDS_COUNT"], 0)
        self.store.sql(table())
        self.add("3", "CL_Old")

    def test_handle_of_a_broken_list(self) -> None:
        """K12, H160: a live handle of a list that cannot be read at the moment is 503, not dead."""
        self.open_with(table())
        self.add("1", "CL_Old")
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.store.sql("ALTER TABLE CL_Old RENAME TO away")
        replies = self.replies(by_handle("RecordProcessed", handle), by_handle("RecordProcessed", 99))
        self.assertEqual([each.get("error") for each in replies], ["list_unavailable", "invalid_handle"])
        self.store.sql("ALTER TABLE away RENAME TO CL_Old")
        self.reply(by_handle("RecordProcessed", handle))


class OlderTableTests(OldListTestCase):
    """Tables of the first block only, of other integer widths, with NULLs (K11, K13, K24)."""

    def make_directory(self) -> Directory:
        return make_directory()

    def test_without_second_block(self) -> None:
        """K13: a whole cycle works on a table without the second block; a treatment is not written down."""
        self.open_with(table())
        treatments = (Treatment(401, "busy", 6, "retry_in", interval=900),)
        lists = self.directory.calling_lists[2:3]
        self.store.reload(make_directory(lists=lists, treatments=treatments, treat_on_processed=True))
        self.add("1", "CL_Old")
        handle = self.preview()["GSW_RECORD_HANDLE"]
        keys = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05", "GSW_PHONE": "2"}
        self.reply(by_handle("RecordReschedule", handle, **keys))
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=6))
        rows = self.rows("CL_Old", "contact_info", "record_status", "record_type", "dial_sched_time")
        self.assertEqual([list(row.values()) for row in rows], [["1", 1, 3, self.now + 900], ["2", 1, 6, 1798103100]])

    def test_second_block(self) -> None:
        """H276, K13, H232: columns of the second block that are there are written, and copied to an added record."""
        self.open_with(table(more=["group_id bigint", "app_id integer", "treatments text", "media_ref integer"]))
        self.store.sql(
            "INSERT INTO CL_Old (record_id, contact_info, chain_id, chain_n, treatments, media_ref)"
            " VALUES (1, '1', 1, 0, 'x;', 5)"
        )
        handle = self.preview()["GSW_RECORD_HANDLE"]
        keys = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05", "GSW_PHONE": "2"}
        self.reply(by_handle("RecordReschedule", handle, **keys))
        rows = self.rows("CL_Old", "contact_info", "group_id", "app_id", "treatments", "media_ref")
        self.assertEqual([list(row.values()) for row in rows], [["1", 102, 134, "x;", 5], ["2", 102, 134, None, 5]])

    def test_unusable_second_block(self) -> None:
        """K13: a column of the second block that does not fit is reported and passed over; the list is open."""
        self.open_with(table(more=["group_id text", "treatments varchar(10)", "app_id integer"]))
        (report,) = self.store.reports
        self.assertIn("group_id", report)
        self.assertIn("treatments", report)
        self.add("1", "CL_Old")
        self.preview()
        self.assertEqual(self.rows("CL_Old", "group_id", "app_id"), [{"group_id": None, "app_id": 134}])

    def test_widths(self) -> None:
        """K24: other integer widths, decimals without fraction and longer character types are accepted."""
        self.open_with(
            table(
                record_id="bigint",
                record_type="smallint",
                attempt="DECIMAL(10,0)",
                call_time="numeric(18)",
                daily_from="NUMBER(10, 0)",
                contact_info="nvarchar(200)",
                agent_id="TEXT",
            )
        )
        self.assertEqual(self.store.reports, [])
        self.add("1", "CL_Old", GSW_ATTEMPTS=3)
        self.assertEqual(self.preview()["GSW_ATTEMPTS"], 3)

    def test_null_is_read(self) -> None:
        """K11: NULL is read as the table says, in the event of a hand-out and by every rule behind it."""
        self.open_with(table())
        self.store.sql("INSERT INTO CL_Old (record_id, contact_info) VALUES (5, '1')")
        event = self.preview()
        shown = {
            "GSW_CHAIN_ID": 5,
            "GSW_CHAIN_N": 0,
            "GSW_PHONE_TYPE": 0,
            "GSW_RECORD_TYPE": 2,
            "GSW_CALL_RESULT": 28,
            "GSW_ATTEMPTS": 0,
            "GSW_FROM": 0,
            "GSW_UNTIL": 86399,
            "GSW_TZ_NAME": "GMT",
        }
        self.assertEqual({key: event[key] for key in shown}, shown)
        self.assertNotIn("GSW_DATE_TIME", event)
        self.assertNotIn("GSW_AGENT_ID", event)
        self.reply(by_handle("RecordProcessed", event["GSW_RECORD_HANDLE"]))
        (row,) = self.rows("CL_Old")
        self.assertEqual((row["attempt"], row["record_status"], row["call_result"]), (1, 3, 28))

    def test_zero_is_read(self) -> None:
        """Constants 1 and 2: record type 0 is treated as 2, record status 0 as 1."""
        self.open_with(table())
        self.store.sql("INSERT INTO CL_Old (record_id, contact_info, record_type, record_status) VALUES (5, '1', 0, 0)")
        self.assertEqual(self.preview()["GSW_RECORD_TYPE"], 2)

    def test_rows_without_id_or_contact(self) -> None:
        """K11: rows without a record id or a contact are skipped; the former are reported when the list is opened."""
        values = (
            "INSERT INTO CL_Old (record_id, contact_info, chain_id, chain_n)"
            " VALUES (NULL, '1', 1, 0), (7, NULL, 1, 1), (8, '2', 1, 2)"
        )
        self.open_with(table(), values)
        (report,) = self.store.reports
        self.assertIn("1 rows have no record_id", report)
        self.assertEqual(self.reply(by_phone("RequestRecordCancel", "1"))["GSW_RECORDS_COUNT"], 0)
        event = self.preview()
        self.assertEqual(event["GSW_PHONE"], "2")
        handle = event["GSW_RECORD_HANDLE"]
        self.assertEqual(self.reply(by_handle("ChainedRecordRequest", handle))["GSW_CHAINED_RECORDS"], [])
        self.assertEqual(self.reply(by_handle("DoNotCall", handle))["GSW_CHAIN_ATTR"], "AllChain")
        self.assertEqual([row["record_type"] for row in self.rows("CL_Old")], [None, None, 7])

    def test_chain_of_null(self) -> None:
        """K11: a row without a chain is the chain of its record id: found, in process, and never given to another."""
        self.open_with(table())
        self.store.sql("INSERT INTO CL_Old (record_id, contact_info) VALUES (5, '1'), (9, '2')")
        self.store.sql("INSERT INTO CL_Old (record_id, contact_info, chain_id, chain_n) VALUES (3, '3', 2, 0)")
        self.assertEqual(self.add("4", "CL_Old")["GSW_CHAIN_ID"], 10)
        event = self.add("5", "CL_Old", GSW_CHAIN_ID=5)
        self.assertEqual((event["GSW_CHAIN_ID"], event["GSW_CHAIN_N"]), (5, 1))
        self.assertEqual(self.refusal(add_record("6", "CL_Old", GSW_CHAIN_ID=3)), "404 Chain not found")
        phones = [self.preview()["GSW_PHONE"] for _ in range(4)]
        self.assertEqual(phones, ["3", "1", "2", "4"])
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual([row["record_status"] for row in self.rows("CL_Old")], [2, 2, 2, 2, 2])

    def test_whole_chain_of_null(self) -> None:
        """K11, H250, H262: requests for whole chains find a row without a chain, and rows added to it."""
        self.open_with(table())
        self.store.sql("INSERT INTO CL_Old (record_id, contact_info) VALUES (5, '1')")
        self.add("2", "CL_Old", GSW_CHAIN_ID=5)
        event = self.reply(by_phone("DoNotCall", "2", GSW_CHAIN_ATTR="AllChain"))
        self.assertEqual(event["GSW_RECORDS_COUNT"], 2)
        self.assertEqual([row["record_type"] for row in self.rows("CL_Old")], [7, 7])
        self.assertEqual([row["phone"] for row in self.store.rows("gsw_donotcall_list")], ["2", "1"])


class ForeignProgramTests(OldListTestCase):
    """Statements of other programs at any time (K14, K16)."""

    def test_further_columns(self) -> None:
        """K14: columns that are no fields are left alone, NULL or their default in new rows."""
        self.open_with(table(more=["note text DEFAULT 'new'", "other integer"]))
        self.add("1", "CL_Old")
        self.store.sql("UPDATE CL_Old SET note = 'seen', other = 5")
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.reply(by_handle("UpdateCallCompletionStats", handle, note="x", other=1, GSW_CALL_RESULT=9))
        self.reply(by_handle("RecordProcessed", handle))
        self.add("2", "CL_Old")
        rows = self.rows("CL_Old", "note", "other")
        self.assertEqual([list(row.values()) for row in rows], [["seen", 5], ["new", None]])

    def test_own_tables(self) -> None:
        """K15: what ocsgw keeps for itself is in tables whose names begin with `ocsgw_`, not in lists."""
        columns = "SELECT count(*) FROM pragma_table_info('CL_Test')"
        before = self.store.sql(columns)
        self.hand_out("1", "2")
        self.assertEqual(self.store.sql(columns), before)
        tables = {name for (name,) in self.store.sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
        others = {each for each in tables if not each.startswith(("ocsgw_", "sqlite_"))}
        self.assertEqual(others, {"CL_Test", "CL_CALLBACK", "liste_ete", "gsw_donotcall_list"})

    def test_rows_of_others(self) -> None:
        """K16: rows added, changed and deleted by others are seen by the next request."""
        self.add("1")
        self.store.sql("INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (2, '2', 2, 0)")
        self.store.sql("UPDATE CL_Test SET record_status = 3 WHERE record_id = 1")
        self.assertEqual(self.preview()["GSW_PHONE"], "2")
        self.store.sql("UPDATE CL_Test SET record_status = 1 WHERE record_id = 1")
        self.store.sql("UPDATE CL_Test SET contact_info = '9' WHERE record_id = 1")
        self.assertEqual(self.preview()["GSW_PHONE"], "9")
        self.store.sql("DELETE FROM CL_Test")
        self.assertEqual(self.reply(by_phone("RequestRecordCancel", "9"))["GSW_RECORDS_COUNT"], 0)
        self.assertEqual(self.add("3")["GSW_CHAIN_ID"], 3)

    def test_row_deleted_in_process(self) -> None:
        """K16: requests on the handle of a row that is gone get 404; the rest of its chain goes on."""
        handle = self.hand_out("1", "2")
        self.store.sql("DELETE FROM CL_Test WHERE record_id = 1")
        for request in ("ChainedRecordRequest", "RecordReject", "DoNotCall", "RecordProcessed"):
            self.assertEqual(self.refusal(by_handle(request, handle)), "404 Invalid record handle")
        self.reply(by_handle("RecordProcessed", handle + 1))
        self.assertEqual(self.column("record_status"), [3])

    def test_row_ended_by_others(self) -> None:
        """K16: a row that another program has ended stays so when its hand-out ends without a result."""
        handle = self.hand_out("1", "2", "3")
        self.store.sql("UPDATE CL_Test SET record_status = 5 WHERE record_id IN (1, 2)")
        self.reply(by_handle("RecordReject", handle))
        self.assertEqual(self.column("record_status"), [5, 5, 1])

    def test_row_made_ready_by_others(self) -> None:
        """K16, H277: a row that another program has made ready is handed out again, and its old handle is dead."""
        handle = self.hand_out("1", "2")
        self.store.sql("UPDATE CL_Test SET record_status = 1")
        event = self.preview()
        self.assertEqual((event["GSW_PHONE"], event["GSW_RECORD_HANDLE"]), ("1", handle + 2))
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), "404 Invalid record handle")
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle + 1)), "404 Invalid record handle")
        self.reply(by_handle("RecordProcessed", handle + 2))
        self.assertEqual(self.column("record_status"), [3, 7])

    def test_insert_of_another_product(self) -> None:
        """K16, K23: another program may write to indexed tables; the indexes need no function of ours."""
        self.store.sql(
            "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (1, 'Zoë@Ex.org', 1, 0)"
        )
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES ('zoë@ex.ORG')")
        self.store.sql("UPDATE CL_Test SET record_type = 3")
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(self.column("record_type"), [7])


class NameTests(OldListTestCase):
    """Names in SQL (K22)."""

    def test_quoted_names(self) -> None:
        """K22: table and column names are written as configured, whatever is in them."""
        fields = (Field("order", "varchar", 10, None, "Order"), Field('say "hi"', "int", None, None, "Hi"))
        odd = make_list(205, 'group by; --"x"', *fields)
        self.use_directory(make_directory(lists=[odd]), tables=[])
        self.assertEqual(self.store.reports, [])
        self.assertEqual(self.add("1", odd.name, Order="a", Hi=5)["Hi"], 5)
        event = self.preview()
        self.assertEqual((event["Order"], event["Hi"]), ("a", 5))
        self.reply(by_handle("UpdateCallCompletionStats", event["GSW_RECORD_HANDLE"], Hi=6))
        (row,) = self.rows(odd.table.replace('"', '""'), "order", 'say "hi"')
        self.assertEqual(list(row.values()), ["a", 6])

    def test_case_of_columns(self) -> None:
        """K11: columns are found whatever their case."""
        self.fields = (Field("Extra", "int", None, None, "Extra"),)
        self.open_with(table(more=["EXTRA integer"]).upper().replace("CL_OLD", "CL_Old"))
        self.assertEqual(self.store.reports, [])
        self.add("1", "CL_Old", Extra=5)
        self.assertEqual(self.preview()["Extra"], 5)


class IndexTests(OldListTestCase):
    """Indexes (K23)."""

    def test_names(self) -> None:
        """K23: indexes are named `ocsgw_ix_<table>_<n>`; tables with keys need no further keys."""
        self.assertEqual(self.indexes("CL_Test"), [f"ocsgw_ix_CL_Test_{number}" for number in (1, 2, 3, 4, 7)])
        self.assertEqual(self.indexes("liste_ete"), [f"ocsgw_ix_liste_ete_{number}" for number in (1, 2, 3, 7)])

    def test_keys_that_a_table_lacks(self) -> None:
        """K23: a table without keys gets indexes on record id and chain; one with its own gets none."""
        self.open_with(table())
        self.assertEqual(self.indexes("CL_Old"), [f"ocsgw_ix_CL_Old_{number}" for number in (1, 2, 3, 5, 6, 7)])
        self.open_with(table(record_id="integer primary key"), "CREATE INDEX theirs ON CL_Old (chain_id)")
        self.assertEqual(self.indexes("CL_Old"), [f"ocsgw_ix_CL_Old_{number}" for number in (1, 2, 3, 7)])

    def test_forbidden(self) -> None:
        """K23: with `create_indexes = false` there are none, and everything works."""
        self.use_directory(make_directory(), create_indexes=False)
        self.assertEqual(self.indexes("CL_Test") + self.indexes("gsw_donotcall_list"), [])
        self.reply(by_phone("DoNotCall", "1"))
        self.reply(by_customer_id("DoNotCall", "c"))
        self.store.sql("INSERT INTO gsw_donotcall_list (phone, campaign_dbid) VALUES ('5', 301), ('6', 302)")
        phones = {"1": 7, "2": 2, "3": 7, "5": 7, "6": 2}
        for phone, record_type in phones.items():
            event = self.add(phone, **({"CustomerID": "c"} if phone == "3" else {}))
            self.assertEqual(event["GSW_RECORD_TYPE"], record_type, phone)
        self.assertEqual([self.preview()["GSW_PHONE"], self.preview()["GSW_PHONE"]], ["2", "6"])

    def test_made_anew(self) -> None:
        """K23: an index that is no longer what it should be is made anew, one not wanted any more is dropped."""
        self.store.sql("DROP INDEX ocsgw_ix_CL_Test_3")
        self.store.sql("CREATE INDEX ocsgw_ix_CL_Test_3 ON CL_Test (record_status)")
        self.store.sql("CREATE INDEX ocsgw_ix_CL_Test_77 ON CL_Test (record_status)")
        self.store.sql("CREATE INDEX theirs ON CL_Test (record_status)")
        self.store.restart()
        self.assertEqual(self.indexes("CL_Test"), [f"ocsgw_ix_CL_Test_{number}" for number in (1, 2, 3, 4, 7)])
        (sql,) = self.store.sql("SELECT sql FROM sqlite_master WHERE name = 'ocsgw_ix_CL_Test_3'")[0]
        self.assertIn("campaign_id", sql)
        self.assertEqual(self.store.sql("SELECT count(*) FROM sqlite_master WHERE name = 'theirs'"), [(1,)])
