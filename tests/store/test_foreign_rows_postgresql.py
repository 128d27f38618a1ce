"""Rows and tables as other programs write them on PostgreSQL: they harm nobody else (constants.md K16, K63)."""

from ocsgw.contact.directory import Directory
from tests.store import test_foreign_rows
from tests.support.postgresql_rules import OnPostgreSQL
from tests.support.rules import add_record, make_directory

_TRIGGER = (
    "CREATE FUNCTION ours() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF new.contact_info = 'taken' THEN {what}"
    " END IF; RETURN new; END$$; CREATE TRIGGER ours BEFORE INSERT ON CL_Test FOR EACH ROW EXECUTE FUNCTION ours()"
)


class NumberTests(OnPostgreSQL, test_foreign_rows.NumberTests):
    """Record ids and chain ids: never used again, never beyond 32 bits (H200, K16)."""

    def test_numbers_of_others_beyond(self) -> None:
        """Numbers of other programs that are none of ours do not count."""
        self.store.sql("ALTER TABLE CL_Test ALTER COLUMN record_id TYPE bigint, ALTER COLUMN chain_id TYPE numeric")
        self.store.sql(
            "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (4294967296, '1', 1e24, 0)"
        )
        self.store.restart()
        self.assertEqual(self.add("2")["GSW_CHAIN_ID"], 1)


class LargeRowTests(OnPostgreSQL):
    """Another program has written more into a row than an event can show (K63)."""

    def make_directory(self) -> Directory:
        return make_directory(largest_event=4000)

    def test_passed_over(self) -> None:
        """Such a record does not hold its group up; it is reported once, and is handed out when it has been cut."""
        self.store.sql("ALTER TABLE CL_Test ALTER COLUMN remarks TYPE text")
        for number in (1, 2, 3):
            self.add(str(number))
        self.store.sql("UPDATE CL_Test SET remarks = repeat('x', 3000) WHERE record_id = 1")
        self.store.sql("UPDATE CL_Test SET remarks = repeat('\u20ac', 1001) WHERE record_id = 2")
        self.assertEqual(self.preview()["GSW_PHONE"], "3")
        (report,) = self.store.reports
        self.assertIn("record 1 has a value in the column remarks that cannot be read or is too large", report)
        self.store.sql("UPDATE CL_Test SET remarks = repeat('x', 2990) WHERE record_id = 1")
        self.assertEqual(self.preview()["GSW_PHONE"], "1")


class ChangedTableTests(OnPostgreSQL, test_foreign_rows.ChangedTableTests):
    """The table of a list is changed or dropped while the server runs."""


class RefusedRowTests(OnPostgreSQL):
    """An index, constraint or trigger of the site says no (K16)."""

    def test_table(self) -> None:
        """409 with the names of list and index; the neighbours go in; no value of a row in the log."""
        for statement, reason in (
            ("CREATE UNIQUE INDEX one_lead ON CL_Test (contact_info)", "unique index one_lead"),
            ("ALTER TABLE CL_Test ADD CONSTRAINT few CHECK (attempt < 1 OR contact_info <> 'taken') NOT VALID", None),
            (_TRIGGER.format(what="RAISE EXCEPTION 'no 6505550100 here';"), "a trigger: no *** here"),
            (_TRIGGER.format(what="RETURN NULL;"), "a trigger of its table ignores the row"),
        ):
            self.use_directory(self.make_directory())
            self.add("taken")
            self.store.sql(statement)
            requests = (add_record("1"), add_record("taken", GSW_ATTEMPTS=1), add_record("2"))
            replies = [getattr(each.reply, "text", "") for each in self.outcomes(*requests)]
            said = f"Calling list CL_Test does not accept the record: {reason or 'constraint few'}"
            self.assertEqual(replies, ["", said, ""])
            self.assertEqual(self.column("contact_info"), ["taken", "1", "2"])
            self.assertNotIn("6505550100", "".join(self.store.reports))
