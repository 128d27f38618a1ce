"""What is said of rows just inserted, without reading them, is what would be read (K11, K13, K63)."""

from collections.abc import Sequence
from typing import Any

from ocsgw.contact.transaction import Record
from tests.store.contract import new_record
from tests.support.rules import RuleTestCase, make_directory


class AsStoredTests(RuleTestCase):
    """`import_records` beside `records`."""

    def most_read(self, *values: dict[str, Any], name: str = "CL_Test", after: Sequence[str] = ()) -> int:
        """Import rows into a table that statements have changed; return how many of them were read at once for that.

        What was said of them has to be what is read.
        """
        self.use_directory(make_directory(typed_list=True))
        for statement in after:
            self.store.sql(statement)
        calling_list = self.store.directory.calling_list(name)
        custom: list[Any] = [None] * len(calling_list.fields)
        rows = [new_record(at, **{"custom": custom, **each}) for at, each in enumerate(values, 1)]
        asked: list[int] = []

        with self.store.store.transaction(1.0) as tx:
            read = tx.records

            def records(of: Any, ids: Any) -> list[Record]:
                asked.append(len(ids))
                return read(of, ids)

            self.patch(tx, "records", records)
            said = tx.import_records(calling_list, rows)
        with self.store.store.transaction(1.0) as tx:
            self.assertEqual(said, tx.records(calling_list, range(1, len(rows) + 1)))
        return max(asked)

    def test_usual_rows(self) -> None:
        """Of usual rows only one is read."""
        self.assertEqual(
            self.most_read({"agent_id": "a"}, {"custom": ["C1", None, "s", "été"]}, {"contact_info": "a@b.c"}), 1
        )
        typed = {"custom": [1, None, "ab", "c", None, 3, "s"]}
        self.assertEqual(self.most_read(typed, typed, name="CL_Types"), 1)

    def test_values_in_another_form(self) -> None:
        """What is stored, or read, in another form, or cannot be read at all."""
        rows: tuple[tuple[str, dict[str, Any]], ...] = (
            ("CL_Test", {"record_type": 0}),
            ("CL_Test", {"record_status": 0}),
            ("CL_Test", {"dial_sched_time": 253_370_764_800}),
            ("CL_Test", {"custom": [None, None, None, "r" * (2 << 20)]}),
            ("CL_Types", {"custom": [1, 2.0, None, None, None, 3, None]}),
            ("CL_Types", {"custom": [1, None, None, None, "2026-01-01 00:00:00", 3, None]}),
        )
        for name, row in rows:
            with self.subTest(name=name, row=row):
                self.assertEqual(self.most_read(row, {}, name=name), 2)

    def test_tables_of_their_own_mind(self) -> None:
        """Triggers that change or delete, and columns with a default that is not read as nothing."""
        trigger = "CREATE TRIGGER t AFTER INSERT ON CL_Test WHEN new.record_id = 1 BEGIN"
        for statements in (
            [f"{trigger} UPDATE CL_Test SET remarks = 'x' WHERE record_id = 1; END"],
            [f"{trigger} DELETE FROM CL_Test WHERE record_id = 1; END"],
            [
                "ALTER TABLE CL_Test DROP COLUMN treatments",
                "ALTER TABLE CL_Test ADD COLUMN treatments VARCHAR(255) DEFAULT 'busy=1'",
            ],
        ):
            with self.subTest(statements=statements):
                self.assertEqual(self.most_read({}, {}, after=statements), 2)
