"""Counters of ours that somebody has deleted: they go on behind what is there."""

from typing import Any

from ocsgw.contact.bulk_statements import ImportProgress
from ocsgw.store.postgresql.blocks import REACH
from ocsgw.store.postgresql.connection import Connection
from tests.store.test_postgresql_pipelined import PipelinedTestCase
from tests.support.postgresql_rules import BesideOthers, OnPostgreSQL
from tests.support.rules import NOW, RuleTestCase, add_record, by_handle


class DeletedCounterTests(RuleTestCase):
    """On a file."""

    # Between the highest handle and the next one.
    gap = 0

    def delete_counters(self) -> None:
        """Delete all that says which numbers come next."""
        self.store.sql("DELETE FROM ocsgw_counter")
        self.store.sql("DELETE FROM sqlite_sequence")

    def numbers(self) -> list[int]:
        """Return the numbers of the outbox."""
        return [row["number"] for row in self.store.rows("ocsgw_outbox", "number")]

    def test_outbox(self) -> None:
        """Entries go on behind the last one, while the server runs and after its next start."""
        self.add("1")
        self.add("2")
        self.assertEqual(self.numbers(), [1, 2])
        self.delete_counters()
        self.assertEqual(self.store.chore(lambda unit: unit.tx.outbox_bounds()), (1, 2))
        self.add("3")
        self.delete_counters()
        self.store.restart()
        self.add("4")
        self.add("5")
        self.assertEqual(self.numbers(), [1, 2, 3, 4, 5])
        self.assertEqual(self.store.chore(lambda unit: unit.tx.outbox_bounds()), (1, 5))

    def test_handles(self) -> None:
        """H310: handles that live, or that the outbox tells of, do not come again."""
        first = self.hand_out("1")
        self.delete_counters()
        self.store.restart()
        second = self.hand_out("2")
        self.assertEqual(second, first + 1 + self.gap)
        self.reply(by_handle("RecordProcessed", second))
        self.delete_counters()
        self.store.restart()
        self.assertEqual(self.hand_out("3"), second + 1 + self.gap)
        self.assertEqual(self.hand_out("4"), second + 2 + self.gap)

    def test_imports(self) -> None:
        """Imports go on behind those that are known."""
        number = self.store.chore(lambda unit: unit.tx.new_import_number())
        progress = ImportProgress("a.csv", 1, {"added": 1}, NOW, None, number)
        self.store.chore(lambda unit: unit.tx.save_import_progress("CL_Test", "f", progress))
        self.delete_counters()
        numbers = [self.store.chore(lambda unit: unit.tx.new_import_number()) for _ in range(2)]
        self.assertEqual(numbers, [number + 1, number + 2])


class PostgreSQLDeletedCounterTests(OnPostgreSQL, DeletedCounterTests):
    """In a database."""

    def delete_counters(self) -> None:
        """Delete all that says which numbers come next."""
        self.store.sql("DELETE FROM ocsgw_counter")

    def test_lowered(self) -> None:
        """A counter of the outbox that somebody has lowered goes on behind the last entry, too."""
        for value in (0, 1):
            self.add("1")
            self.add("2")
            self.store.sql(f"UPDATE ocsgw_counter SET value = {value} WHERE name = 'outbox'")
        self.add("3")
        self.assertEqual(self.numbers(), [1, 2, 3, 4, 5])

    def test_nothing_is_looked_up(self) -> None:
        """Usual transactions do not ask for the highest number."""
        self.add("1")
        self.add("2")
        texts: list[str] = []
        later = Connection.later

        def noted(connection: Connection, text: str, parameters: Any = ()) -> None:
            texts.append(text)
            later(connection, text, parameters)

        self.patch(Connection, "later", noted)
        self.add("3")
        self.assertEqual([text for text in texts if "max(number)" in text], [])
        self.assertTrue(any("ocsgw_outbox" in text for text in texts))


class SharedDeletedCounterTests(BesideOthers, PostgreSQLDeletedCounterTests):
    """Beside other servers: what these may have reserved is left out."""

    gap = REACH


class PipelinedTests(PipelinedTestCase):
    """Batches that only raise the counter."""

    def test_outbox(self) -> None:
        """The batch is carried out in the usual way, or the counter is made in advance; the next one goes its way."""
        engine = self.opened()
        for makes in (
            lambda: self.usual(engine, add_record("2")),
            lambda: self.pipeline(engine).prepare(20.0),
        ):
            self.assertTrue(self.landed(self.sent(engine, add_record("1"))))
            self.sql("DELETE FROM ocsgw_counter WHERE name = 'outbox'")
            self.refused(self.sent(engine, add_record("2")))
            makes()
            self.assertTrue(self.landed(self.sent(engine, add_record("3"))))
        found = [int(number) for (number,) in self.sql("SELECT number FROM ocsgw_outbox ORDER BY 1")]
        self.assertEqual(found, [1, 2, 3, 4, 5])
