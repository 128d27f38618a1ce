"""Copies of what does not fit: values, rows, encodings, and tables of other programs."""

import dataclasses
from typing import Any

from ocsgw.contact.bulk_statements import ImportProgress
from ocsgw.contact.directory import CallingList, DoNotCallOptions
from ocsgw.store.copying.errors import CopyError, UnstorableError
from ocsgw.store.copying.sqlite import SQLitePlace
from ocsgw.store.engine import StoreSettings
from ocsgw.store.errors import StoreVersionError
from tests.store.copies import CopyTestCase
from tests.support.rules import ENVIRONMENT, NOW, make_directory


class UnstorableTests(CopyTestCase):
    """What the target cannot store is told by table, row and column, and nothing is left out."""

    def faults(self, source: StoreSettings, target: StoreSettings, **options: Any) -> list[str]:
        """Copy what cannot be copied as a whole, and return what is wrong."""
        error = self.assertRaises(UnstorableError, self.copy, source, target, **options)
        self.assertEqual(error.count, len(error.found))
        return [str(each) for each in error.found]

    def test_odd_values(self) -> None:
        """Values of other programs in an SQLite file, for a database that has types."""
        source = self.filled(self.sqlite())
        for text in (
            "UPDATE CL_Test SET contact_info = '1' || char(0) WHERE record_id = 1",
            "UPDATE CL_Test SET agent_id = CAST(x'C3' AS TEXT), daily_from = '9:00' WHERE record_id = 2",
            "UPDATE CL_Test SET attempt = 4294967296, call_time = 1.5 WHERE record_id = 3",
            "UPDATE CL_Test SET remarks = x'00', agent_id = printf('%038d', 0) WHERE record_id = 1",
            "INSERT INTO CL_Types (record_id, chain_id, chain_n, due, amount) VALUES (7, 7, 0, 'soon', 'x')",
            "INSERT INTO gsw_donotcall_list (phone, tenant_dbid) VALUES ('5', 0.5)",
        ):
            self.rows(source, text)
        target = self.postgresql()
        expected = [
            "table CL_Test, record_id 1, column contact_info: a text with a NUL character",
            "table CL_Test, record_id 3, column attempt: a number of more than 32 bits",
            "table CL_Test, record_id 3, column call_time: a number with a fraction in a column of whole numbers",
            "table CL_Test, record_id 2, column daily_from: a text in a column of whole numbers",
            "table CL_Test, record_id 1, column agent_id: a text of 38 characters in a column for 32",
            "table CL_Test, record_id 2, column agent_id: a text that is not UTF-8",
            "table CL_Test, record_id 1, column remarks: a blob in a column of texts",
            "table CL_Types, record_id 7, column amount: a text in a column of numbers",
            "table CL_Types, record_id 7, column due: a text that is no date with a time, YYYY-MM-DD HH:MM:SS",
            "table gsw_donotcall_list, phone '5', column tenant_dbid: a number with a fraction",
        ]
        for only_try in (True, False):
            self.assertEqual(self.faults(source, target, only_try=only_try), expected)
            self.assertEqual(self.rows(target, "SELECT count(*) FROM pg_tables WHERE tablename = 'CL_Test'"), [("0",)])

    def test_rows(self) -> None:
        """Rows that a table refuses: a number that is there twice, and one that has to be there."""
        self.sqlite()
        source = self.sqlite()
        self.filled(source)
        self.rows(source, "ALTER TABLE CL_Test RENAME TO before")
        self.rows(source, "CREATE TABLE CL_Test AS SELECT * FROM before")
        self.rows(source, "INSERT INTO CL_Test SELECT * FROM before WHERE record_id = 2")
        for make, index in (
            (self.postgresql, "unique index CL_Test_pkey"),
            (self.sqlite, "UNIQUE constraint failed: "),
        ):
            (fault,) = self.faults(source, make())
            self.assertTrue(fault.startswith(f"table CL_Test, record_id 2: refused by {index}"), fault)
        self.rows(source, "UPDATE CL_Test SET chain_n = NULL WHERE record_id = 2")
        (first, _) = self.faults(source, self.postgresql())
        self.assertEqual(first, "table CL_Test, record_id 2, column chain_n: NULL, and the column must have a value")

    def test_goes_on_when_corrected(self) -> None:
        """After a correction the same command goes on with what is stored."""
        source, target = self.filled(self.sqlite()), self.postgresql()
        self.rows(source, "ALTER TABLE CL_Test RENAME TO before")
        self.rows(source, "CREATE TABLE CL_Test AS SELECT * FROM before")
        self.rows(source, "INSERT INTO CL_Test SELECT * FROM before WHERE record_id = 2")
        self.faults(source, target)
        self.assertRaises(StoreVersionError, self.opened, target)
        self.rows(source, "UPDATE CL_Test SET record_id = 4, chain_id = 4 WHERE rowid = 4")
        self.copy(source, target)
        self.assertEqual(self.rows(target, 'SELECT count(*) FROM "CL_Test"'), [("4",)])
        self.opened(target).close()

    def test_encoding(self) -> None:
        """A database that is not UTF-8 stores what its encoding has, and the rest is told."""
        options = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        source, target = self.filled(self.sqlite()), self.postgresql(options)
        self.rows(source, "UPDATE CL_Test SET remarks = 'été' WHERE record_id = 1")
        self.rows(source, "UPDATE CL_Test SET remarks = 'łódź' WHERE record_id = 2")
        self.assertEqual(
            self.faults(source, target),
            ["table CL_Test, record_id 2, column remarks: a text that the encoding of the database lacks"],
        )
        self.rows(source, "UPDATE CL_Test SET remarks = NULL WHERE record_id = 2")
        back = self.sqlite()
        self.copy(source, target)
        self.copy(target, back)
        self.assertEqual(self.rows(back, "SELECT remarks FROM CL_Test WHERE record_id = 1"), [("été",)])

    def test_no_encoding(self) -> None:
        """Bytes of a database without an encoding that are no text are told as well."""
        source = self.postgresql("ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
        self.filled(source)
        self.rows(source, """UPDATE "CL_Test" SET remarks = E'\\xe9' WHERE record_id = 1""")
        self.assertEqual(
            self.faults(source, self.sqlite()), ["table CL_Test, record_id 1, column remarks: a text that is not UTF-8"]
        )

    def test_numbers_of_postgresql(self) -> None:
        """Numbers that SQLite cannot store are told; a fraction that it can goes there and back."""
        source = self.filled(self.postgresql())
        self.rows(source, 'ALTER TABLE "CL_Test" ADD COLUMN price numeric, ADD COLUMN weight float8')
        self.rows(source, """UPDATE "CL_Test" SET price = 1.25, weight = 'infinity' WHERE record_id = 1""")
        self.rows(source, """UPDATE "CL_Test" SET price = 0.12345678901234567890123 WHERE record_id = 2""")
        self.rows(source, """UPDATE "CL_Test" SET price = 18446744073709551616, weight = 'NaN' WHERE record_id = 3""")
        self.assertEqual(
            self.faults(source, self.sqlite()),
            [
                "table CL_Test, record_id 2, column price: a number that SQLite cannot store",
                "table CL_Test, record_id 3, column price: a number of more than 64 bits",
                "table CL_Test, record_id 3, column weight: a number that SQLite cannot store",
            ],
        )
        self.copy(source, self.postgresql())
        self.rows(source, 'UPDATE "CL_Test" SET price = 7, weight = 0.1 WHERE record_id > 1')
        file, back = self.sqlite(), self.postgresql()
        self.copy(source, file)
        self.copy(file, back)
        self.assertEqual(
            self.rows(back, 'SELECT price, weight FROM "CL_Test" ORDER BY record_id'),
            [("1.25", "Infinity"), ("7", "0.1"), ("7", "0.1")],
        )


class ExistingTableTests(CopyTestCase):
    """Tables that other programs have made, in the source or in the target."""

    def test_further_columns(self) -> None:
        """A new table gets the further columns of the source, with types of its engine."""
        source, between, back = self.filled(self.sqlite()), self.postgresql(), self.sqlite()
        for column in ("site TEXT DEFAULT 'x'", "weight REAL", '"Our Mark" INTEGER', "raw BLOB", "spec DECIMAL(8,2)"):
            self.rows(source, f"ALTER TABLE CL_Test ADD COLUMN {column}")
        self.rows(source, "UPDATE CL_Test SET weight = 0.1, \"Our Mark\" = 1 << 40, raw = x'00ff', spec = 12.5")
        self.copy(source, between)
        self.copy(between, back)
        query = 'SELECT record_id, site, weight, "Our Mark", raw, spec FROM CL_Test ORDER BY 1'
        self.assertEqual(self.rows(back, query), self.rows(source, query))
        self.opened(between).close()

    def test_table_of_the_site(self) -> None:
        """A table that is there is filled as it is: its types, its schema, its further columns and defaults."""
        source, target = self.filled(self.sqlite()), self.postgresql()
        self.rows(target, "CREATE SCHEMA dialer")
        self.rows(
            target,
            "CREATE TABLE dialer.\"CL_Test\" (site text NOT NULL DEFAULT 'here', record_id bigint PRIMARY KEY,"
            " contact_info char(130), contact_info_type smallint, record_type numeric(10,0), record_status numeric,"
            " call_result integer, attempt integer, dial_sched_time bigint, call_time numeric(18,0),"
            " daily_from integer, daily_till integer, tz_dbid numeric(9,0), campaign_id integer,"
            " agent_id char(32), chain_id numeric,"
            " chain_n integer, cust_id char(64), disposition text, segment varchar(32), remarks varchar(255),"
            " treatments varchar(255), group_id int, app_id int, media_ref int, email_subject varchar(255),"
            " email_template_id int, switch_id int, twice bigint GENERATED ALWAYS AS (record_id * 2) STORED)",
        )
        name = target.url.rpartition("/")[2]
        self.rows(target, f'ALTER ROLE CURRENT_USER IN DATABASE "{name}" SET search_path = dialer, public')
        done = self.copy(source, target)
        self.assertEqual(done.closed, {})
        query = 'SELECT site, contact_info, twice FROM dialer."CL_Test" WHERE record_id = 1'
        self.assertEqual(self.rows(target, query), [("here", f"{'1':130}", "2")])
        back = self.sqlite()
        self.rows(target, 'ALTER TABLE dialer."CL_Test" ALTER COLUMN site DROP NOT NULL')
        self.copy(target, back)
        query = "SELECT record_id, contact_info, record_type, agent_id FROM CL_Test ORDER BY 1"
        self.assertEqual(self.rows(back, query), self.rows(source, query))

    def test_columns_that_do_not_fit(self) -> None:
        """A column that the target lacks, or that nobody gives a value, is an error that names it."""
        for change, text in (
            ('ALTER TABLE "CL_Test" DROP COLUMN remarks', "lacks the columns remarks of the source"),
            ('ALTER TABLE "CL_Test" ADD COLUMN site text NOT NULL', "has the columns site, which must have a value"),
            ('ALTER TABLE "CL_Test" RENAME TO t; CREATE VIEW "CL_Test" AS SELECT * FROM t', "CL_Test is a view in"),
        ):
            target = self.postgresql()
            self.opened(target).close()
            self.rows(target, change)
            error = self.assertRaises(CopyError, self.copy, self.filled(self.sqlite()), target)
            self.assertIn(text, str(error))

    def test_not_copied(self) -> None:
        """What is not copied is told: a view, tables of nobody, and a list without a table."""
        for make in (self.sqlite, self.postgresql):
            source = self.filled(make())
            for text in (
                "CREATE TABLE notes (text TEXT)", 'ALTER TABLE "CL_CALLBACK" RENAME TO theirs',
                'CREATE VIEW "CL_CALLBACK" AS SELECT * FROM theirs', "DROP TABLE liste_ete",
            ):  # fmt: skip
                self.rows(source, text)
            done = self.copy(source, self.sqlite())
            prefix = "" if source.file is not None else "public."
            self.assertEqual(
                done.not_copied,
                [
                    "the table CL_CALLBACK, which is a view",
                    "the table liste_ete, which is not in the source",
                    f"tables of other programs: {prefix}notes, {prefix}theirs",
                ],
            )

    def test_schema(self) -> None:
        """SQLite has no schemas; that is said before anything is done."""
        source, target = self.filled(self.postgresql()), self.sqlite()
        self.rows(source, 'CREATE SCHEMA dialer; ALTER TABLE "CL_Test" SET SCHEMA dialer')
        listed = CallingList.of(201, "CL_Test", "dialer.CL_Test", ENVIRONMENT, self.list.fields)
        self.directory = make_directory(lists=[dataclasses.replace(listed, dbid=299, name="Theirs")])
        error = self.assertRaises(CopyError, self.copy, source, target)
        self.assertIn("there cannot be a table dialer.CL_Test", str(error))

    def test_entries_without_number(self) -> None:
        """Entries of a table without numbers get new ones; what would need the old ones is not copied, and told."""
        source = self.filled(self.postgresql())
        engine = self.opened(source)
        with engine.transaction(1.0) as tx:
            for name in ("do-not-call", "list CL_Test"):
                number = tx.new_import_number()
                tx.save_import_progress(name, "f", ImportProgress("f", 1, {}, NOW, NOW, number))
                tx.save_imported_rows(number, 0, [])
        engine.close()
        self.rows(source, "ALTER TABLE gsw_donotcall_list DROP COLUMN ocsgw_number")
        target = self.sqlite()
        done = self.copy(source, target)
        self.assertEqual(len(done.not_copied), 1)
        self.assertIn("those imports cannot be undone", done.not_copied[0])
        self.assertEqual(self.rows(target, "SELECT number FROM ocsgw_import_rows"), [(2,)])

    def test_changed_on_the_way(self) -> None:
        """A trigger in the target that changes what is stored is noticed."""
        target = self.postgresql()
        self.opened(target).close()
        self.rows(
            target,
            "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.attempt := 1; RETURN NEW; END$$;"
            ' CREATE TRIGGER change BEFORE INSERT ON "CL_Test" FOR EACH ROW EXECUTE FUNCTION change()',
        )
        error = self.assertRaises(CopyError, self.copy, self.filled(self.sqlite()), target)
        self.assertIn("the table CL_Test in", str(error))
        self.assertIn("begin anew with --restart", str(error))
        self.assertRaises(StoreVersionError, self.opened, target)

    def test_not_all_can_be_read(self) -> None:
        """Where fewer rows come out of a table than it has, nothing is copied."""
        source = self.filled(self.sqlite())
        self.patch(SQLitePlace, "count", lambda place, table: 4 if table.name == "CL_Test" else 0)
        error = self.assertRaises(CopyError, self.copy, source, self.postgresql())
        self.assertIn("of 4 rows of the table CL_Test in", str(error))

    def test_other_do_not_call_table(self) -> None:
        """The do-not-call table is that of the configuration."""
        self.directory = make_directory(do_not_call=DoNotCallOptions(table="blocked"))
        self.list = self.directory.calling_lists[0]
        source, target = self.filled(self.sqlite()), self.postgresql()
        self.rows(source, "INSERT INTO blocked (phone) VALUES ('1')")
        self.copy(source, target)
        self.assertEqual(self.rows(target, "SELECT phone, ocsgw_number FROM blocked"), [("1", "1")])
