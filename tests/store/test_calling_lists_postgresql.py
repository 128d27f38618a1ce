"""Tables of calling lists on PostgreSQL: what is promised of older and foreign tables, on a real server."""

from ocsgw.contact.directory import CallingList, Directory, DoNotCallOptions
from ocsgw.store.errors import StoreError
from tests.store import test_calling_lists
from tests.store.test_calling_lists import table
from tests.support.postgresql_rules import OnPostgreSQL
from tests.support.rules import ENVIRONMENT, TYPED_FIELDS, add_record, by_customer_id, by_handle, make_directory


class UnusableTableTests(OnPostgreSQL, test_calling_lists.UnusableTableTests):
    """Tables that cannot be used (K12, K24)."""

    def test_other_family(self) -> None:
        """K12, K24: a column of another type family is reported by name and type."""
        self.assert_not_opened(table(dial_sched_time="varchar(20)"), "dial_sched_time as character varying(20)")
        self.assert_not_opened(table(contact_info="integer"), "contact_info as integer")
        self.assert_not_opened(table(record_id="numeric(10,2)"), "record_id as numeric(10,2)")
        self.assert_not_opened(table(call_time="timestamp"), "call_time as timestamp without time zone")
        self.assert_not_opened(table(attempt="double precision"), "attempt as double precision")
        self.assert_not_opened(table(attempt="interval"), "attempt as interval")

    def test_too_short(self) -> None:
        """K24: a character column that is shorter than the classic one cannot be used."""
        self.assert_not_opened(table(contact_info="varchar(64)"), "contact_info as character varying(64)", "128")
        self.assert_not_opened(table(agent_id="char(31)"), "agent_id as character(31)", "32")

    def test_column_that_must_have_a_value(self) -> None:
        """K12: a table that takes no new rows, because of a column that nobody gives a value, is reported by name."""
        for column in ("region text not null", "app_id integer not null", "k int primary key"):
            self.assert_not_opened(
                table(more=[column]), f"has the column {column.split()[0]}, which must have a value and has no default"
            )
        for column in ("region text not null default ''", "k serial primary key", "region text"):
            self.open_with(table(more=[column]))
            self.assertEqual(self.store.reports, [])
            self.add("1", "CL_Old")
        self.open_with(table(more=["k bigint generated always as identity"]))
        self.add("1", "CL_Old")
        columns = "phone text, customer_id text, dnc_message text, tenant_dbid int, campaign_dbid int, list_dbid int"
        self.store.sql(f"CREATE TABLE bad ({columns}, is_internal int, time_stamp int, reason text not null)")
        error = self.assertRaises(
            StoreError, self.store.store.use, make_directory(do_not_call=DoNotCallOptions(table="bad"))
        )
        self.assertIn("the do-not-call table bad has the column reason, which must have a value", str(error))


class NewTableTests(OnPostgreSQL, test_calling_lists.NewTableTests):
    """Tables that ocsgw makes (K12, K20, K21)."""

    def test_form(self) -> None:
        """K20: a new table has the form of the statement, followed by its custom columns (K33)."""
        self.store.sql(test_calling_lists.K20)
        columns = (
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
            " WHERE attrelid = ?::regclass AND attnum > 0 ORDER BY attnum"
        )
        form, made = self.store.sql(columns, "form"), self.store.sql(columns, '"CL_Types"')
        self.assertEqual(made[: len(form)], form)
        self.assertEqual(
            [row[:2] for row in made[len(form) :]],
            [
                ("cust_id", "integer"),
                ("amount", "double precision"),
                ("code", "character(4)"),
                ("label", "character varying(10)"),
                ("due", "timestamp without time zone"),
                ("level", "integer"),
                ("hidden", "character varying(10)"),
            ],
        )
        keys = "SELECT indisprimary, indkey::text FROM pg_index WHERE indrelid = ?::regclass AND indisunique ORDER BY 1"
        self.assertEqual(self.store.sql(keys, '"CL_Types"'), self.store.sql(keys, "form"))

    def test_not_created(self) -> None:
        """K12: with `create = false` a missing table is reported, and only its list is not open: 503."""
        custom = "state text, last_name text, first_name text, client_id text, var_005 text, PRIMARY"
        self.open_with(
            "CREATE TABLE gsw_donotcall_list (phone text, customer_id text, dnc_message text, tenant_dbid int,"
            " campaign_dbid int, list_dbid int, is_internal int, time_stamp int)",
            test_calling_lists.K20.replace("form", "CL_CALLBACK").replace("PRIMARY", custom),
            create=False,
        )
        self.assertEqual(len([text for text in self.store.reports if "does not exist" in text]), 3)
        self.assertEqual(self.refusal(add_record()), "503 Calling list CL_Test is not available")
        self.assertEqual(self.add("1", "CL_CALLBACK")["GSW_CHAIN_ID"], 1)
        self.assertEqual(self.preview()["GSW_PHONE"], "1")


class OlderTableTests(OnPostgreSQL, test_calling_lists.OlderTableTests):
    """Tables of the first block only, of other integer widths, with NULLs (K11, K13, K24)."""

    def test_widths(self) -> None:
        """K24: other integer widths, decimals without fraction and other character types are accepted."""
        self.open_with(
            table(
                record_id="bigint",
                record_type="smallint",
                attempt="numeric(10,0)",
                call_time="decimal(18)",
                daily_from="numeric",
                contact_info="char(200)",
                agent_id="text",
                chain_id="numeric",
            )
        )
        self.assertEqual(self.store.reports, [])
        self.add("1", "CL_Old", GSW_ATTEMPTS=3)
        event = self.preview()
        self.assertEqual((event["GSW_ATTEMPTS"], event["GSW_PHONE"]), (3, "1"))

    def test_numbers_with_a_fraction(self) -> None:
        """K63: a value that is no whole number is passed over until it is corrected, and reported by column."""
        self.open_with(table(attempt="numeric"))
        self.add("1", "CL_Old")
        self.store.sql("UPDATE CL_Old SET attempt = 1.5")
        self.add("2", "CL_Old")
        self.assertEqual(self.preview()["GSW_PHONE"], "2")
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.store.restart()
        self.assertIn("attempt", self.store.reports[-1])
        self.store.sql("UPDATE CL_Old SET attempt = 1 WHERE record_id = 1")
        self.assertEqual(self.preview()["GSW_PHONE"], "1")


class ForeignProgramTests(OnPostgreSQL, test_calling_lists.ForeignProgramTests):
    """Statements of other programs at any time (K14, K16)."""

    def test_own_tables(self) -> None:
        """K15: what ocsgw keeps for itself is in tables whose names begin with `ocsgw_`, not in lists."""
        columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = '\"CL_Test\"'::regclass"
        before = self.store.sql(columns)
        self.hand_out("1", "2")
        self.assertEqual(self.store.sql(columns), before)
        tables = {name for (name,) in self.store.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
        self.assertEqual(
            {each for each in tables if not each.startswith("ocsgw_")},
            {"CL_Test", "CL_CALLBACK", "liste_ete", "gsw_donotcall_list"},
        )


class NameTests(OnPostgreSQL, test_calling_lists.NameTests):
    """Names in SQL, and schemas (K22)."""

    def make_directory(self) -> Directory:
        return make_directory()


class TreatmentColumnTests(OnPostgreSQL, test_calling_lists.TreatmentColumnTests):
    """Tables without the column `treatments` (K69)."""


class SchemaTests(OnPostgreSQL, test_calling_lists.OldListTestCase):
    """Tables in any schema, and columns of the types that sites give them (K14, K22, K24)."""

    def test_schemas(self) -> None:
        """K22: schema and table are found as written, then in lower case; equal names in other schemas are others."""
        for written, schema, name in (
            ("Dialer.CL_Old", "Dialer", "CL_Old"),
            ("Dialer.CL_Old", "dialer", "cl_old"),
            ("of a site.Leads 1", "of a site", "Leads 1"),
        ):
            self.use_directory(
                make_directory(lists=[CallingList.of(205, "CL_Old", written, ENVIRONMENT, customer_id="cust_id")]),
                tables=[
                    f'CREATE SCHEMA "{schema}"',
                    table(name).replace("CREATE TABLE ", f'CREATE TABLE "{schema}".'),
                    table(name),
                ],
            )
            self.assertEqual(self.store.reports, [])
            self.add("1", "CL_Old")
            self.assertEqual(self.preview()["GSW_PHONE"], "1")
            count = f'SELECT (SELECT count(*) FROM "{schema}"."{name}"), (SELECT count(*) FROM public."{name}")'
            self.assertEqual(self.store.sql(count), [(1, 0)])

    def test_types_of_fields(self) -> None:
        """Fields work with the types that a site has: what was given is shown, and stored as the column wants it."""
        columns = (
            "cust_id numeric(12,0)", "amount numeric(10,2)", "code char(4)", "label text", "due timestamp(0)",
            "level bigint", "hidden varchar(10)", "seen timestamptz DEFAULT now()", "extra jsonb",
        )  # fmt: skip
        self.fields = TYPED_FIELDS
        self.open_with(table(more=columns))
        self.assertEqual(self.store.reports, [])
        given = {"CustomerID": 7, "Amount": "12.5", "Code": "ab", "Label": "été", "Due": "2026-12-24 09:05:00"}
        self.add("1", "CL_Old", **given)
        event = self.preview()
        self.assertEqual({key: event[key] for key in (*given, "Level")}, {**given, "Level": 3})
        handle = event["GSW_RECORD_HANDLE"]
        self.reply(
            by_handle("UpdateCallCompletionStats", handle, Amount="0.25", Due="2027-01-01 00:00:00", Code="wxyz")
        )
        (row,) = self.store.sql("SELECT amount::text, due::text, code, level, hidden, seen IS NULL FROM CL_Old")
        self.assertEqual(row, ("0.25", "2027-01-01 00:00:00", "wxyz", 3, "secret", False))
        said = self.refusal(by_handle("UpdateCallCompletionStats", handle, Amount="123456789.5"))
        self.assertEqual(said, "409 Calling list CL_Old does not accept the record: numeric field overflow")
        self.assertEqual(self.reply(by_customer_id("RequestRecordCancel", "7"))["GSW_RECORDS_COUNT"], 1)
