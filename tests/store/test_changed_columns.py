"""Columns of a list get another type or name, or go away, while the server runs (constants.md K12, K16)."""

import re

from ocsgw.contact.directory import Directory
from ocsgw.protocol.columns import CALLING_LIST_COLUMNS
from tests.support.postgresql_rules import BesideOthers, OnPostgreSQL
from tests.support.rules import RuleTestCase, add_record, by_handle, by_phone, make_directory, preview_record

_NAME = "CL_CALLBACK"
_REQUIRED = [each for each in CALLING_LIST_COLUMNS if each.block == 1]


class ChangedColumnTests(RuleTestCase):
    """One of the two lists of a group, in a file.

    `has_types` is whether the engine converts values by the types of columns; `some` names columns that are enough.
    """

    has_types = False
    some: tuple[str, ...] = ()

    def make_directory(self) -> Directory:
        return make_directory(typed_list=True)

    def retype(self, table: str, column: str, kind: str) -> None:
        """Give a column another type, as people do it with SQLite: by another table with the same rows."""
        ((text,),) = self.store.sql("SELECT sql FROM sqlite_master WHERE name = ?", table)
        other = re.sub(rf"(?i)(?<=\s)(\"?{column}\"?)\s+[A-Z]+(\([0-9]+\))?", rf"\1 {kind}", text, count=1)
        self.assertNotEqual(other, text)
        for statement in (
            f"ALTER TABLE {table} RENAME TO away",
            other,
            f"INSERT INTO {table} SELECT * FROM away",
            "DROP TABLE away",
        ):
            self.store.sql(statement)

    def drop(self, table: str, column: str) -> None:
        """Drop a column, with the indexes that have it."""
        for (name,) in self.store.sql("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", table):
            if name.startswith("ocsgw_ix"):
                self.store.sql(f'DROP INDEX "{name}"')
        self.store.sql(f"ALTER TABLE {table} DROP COLUMN {column}")

    def assert_closed(self, problem: str) -> None:
        """Expect a list to be unusable, now and after a reload, and all else to go on."""
        table = rf"table {_NAME} was changed while the server runs: it {problem}.*\. Correct the table, then reload"
        # Whoever comes first finds it.
        self.assertEqual(self.preview()["GSW_PHONE"], "2")
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        for _ in range(2):
            self.assertEqual(self.refusal(add_record("3", _NAME)), f"503 Calling list {_NAME} is not available")
        (report,) = [each for each in self.store.reports if "was changed while" in each]
        self.assertRegex(report, rf"Calling list {_NAME} cannot be used: its {table}")
        self.assertRegex(
            self.store.store.closed_lists[_NAME], f"while the server runs: it {problem}.*; correct it, then"
        )
        done = self.reply(by_phone("DoNotCall", "9"))
        self.assertEqual(done["GSW_USER_EVENT"], "DoNotCallAcknowledge")
        self.store.reports.clear()
        self.store.reload(self.directory)
        (report,) = self.store.reports
        self.assertRegex(report, rf"Calling list {_NAME} is not opened: table {_NAME} {problem}")
        self.assertRegex(self.store.store.closed_lists[_NAME], rf"^table {_NAME} {problem}")
        self.assertEqual(self.refusal(add_record("3", _NAME))[:3], "503")
        self.add("3")

    def begin(self) -> None:
        """Begin anew, with a record of each list."""
        self.use_directory(self.make_directory())
        self.add("1", _NAME)
        self.add("2")

    def test_other_type(self) -> None:
        """Integers have become texts, or the other way round: the list is closed, and the log says by what column."""
        for column in [each for each in _REQUIRED if each.name in (self.some or {each.name})]:
            # The agent is written only where one is given: it is found by what writes or looks for one.
            if column.name == "agent_id":
                continue
            is_text = column.family == "text"
            with self.subTest(column=column.name):
                self.begin()
                self.retype(_NAME, column.name, "bigint" if is_text else "text")
                self.assert_closed(rf"has the column {column.name} as (?i:{'bigint' if is_text else 'text'}), which is")

    def test_found_by_others(self) -> None:
        """What adds records finds it as well, and no request is answered with a defect."""
        for column in ("record_id", "chain_id", "contact_info"):
            self.begin()
            self.retype(_NAME, column, "bigint" if column == "contact_info" else "text")
            self.assertEqual(self.refusal(add_record("3", _NAME)), f"503 Calling list {_NAME} is not available")
            self.assertIn(f"has the column {column} as", self.store.store.closed_lists[_NAME])

    def test_records_in_process(self) -> None:
        """A request by handle for a record of such a list gets 503; it is carried out once the column is as it was."""
        self.use_directory(self.make_directory())
        self.add("1", _NAME)
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.retype(_NAME, "attempt", "text")
        self.preview()
        processed = by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33)
        self.assertEqual(self.refusal(processed)[:3], "503")
        self.retype(_NAME, "attempt", "integer USING attempt::integer" if self.has_types else "integer")
        self.assertEqual(self.refusal(processed)[:3], "503")
        self.store.reload(self.directory)
        self.assertEqual(dict(self.store.store.closed_lists), {})
        self.reply(processed)
        self.add("3", _NAME)

    def test_dropped_and_renamed(self) -> None:
        """A column that is gone is named, a custom one too."""
        for column, problem in (
            ("call_time", "lacks the column call_time"),
            ("state", "lacks the custom column state"),
        ):
            with self.subTest(column=column):
                self.begin()
                self.drop(_NAME, column)
                self.assert_closed(problem)
                self.begin()
                self.store.sql(f"ALTER TABLE {_NAME} RENAME COLUMN {column} TO other")
                self.assert_closed(problem)

    def test_custom_columns(self) -> None:
        """Custom columns of another type are no reason, neither at a start nor at a reload: events go without them."""
        for column, kind in (("due", "text"), ("level", "text"), ("label", "bigint")):
            with self.subTest(column=column):
                self.use_directory(self.make_directory())
                self.add("1", "CL_Types", Due="2026-03-01 10:00:00", Level=5)
                self.retype("CL_Types", column, kind)
                self.store.reload(self.directory)
                self.assertEqual(dict(self.store.store.closed_lists), {})
                self.assertEqual(self.preview()["GSW_PHONE"], "1")
                self.add("2", "CL_Types")

    def test_table_comes_back(self) -> None:
        """A table that is made anew with what a list needs is used at once; its absence closes nothing for good."""
        self.begin()
        self.store.sql(f"ALTER TABLE {_NAME} RENAME TO away")
        self.assertEqual(self.refusal(add_record("3", _NAME))[:3], "503")
        self.store.sql(f"ALTER TABLE away RENAME TO {_NAME}")
        self.add("3", _NAME)

    def test_further_column(self) -> None:
        """A column more, or an index, is no reason."""
        self.begin()
        self.store.sql(f"ALTER TABLE {_NAME} ADD COLUMN further text")
        self.store.sql(f"CREATE INDEX of_others ON {_NAME} (further)")
        self.assertEqual({self.preview()["GSW_PHONE"], self.preview()["GSW_PHONE"]}, {"1", "2"})
        self.assertEqual((dict(self.store.store.closed_lists), list(self.store.reports)), ({}, []))

    def test_agent(self) -> None:
        """Agents have become numbers."""
        self.begin()
        self.retype(_NAME, "agent_id", "bigint")
        self.assertEqual(self.refusal(add_record("3", _NAME))[:3], "503")
        self.assertRegex(
            self.store.store.closed_lists[_NAME], "has the column agent_id as (?i:bigint), which is no text"
        )
        self.outcomes(preview_record())


class OnPostgreSQLTests(OnPostgreSQL, ChangedColumnTests):
    """The same in a database."""

    has_types = True

    def retype(self, table: str, column: str, kind: str) -> None:
        self._drop_indexes(table)
        if kind == "bigint":
            kind = f"bigint USING nullif(regexp_replace({column}, '[^0-9]', '', 'g'), '')::bigint"
        self.store.sql(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")

    def drop(self, table: str, column: str) -> None:
        self.store.sql(f"ALTER TABLE {table} DROP COLUMN {column}")

    def _drop_indexes(self, table: str) -> None:
        names = self.store.sql(
            f"SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '\"{table}\"'::regclass"
            " AND starts_with((indexrelid::regclass)::text, '\"ocsgw_ix')"
        )
        for (name,) in names:
            self.store.sql(f"DROP INDEX {name}")


class BesideOthersTests(BesideOthers, OnPostgreSQLTests):
    """The same as one of several servers that serve at once."""

    some = ("record_id", "contact_info", "record_status", "attempt")
