"""Indexes of contacts and customer ids in parts: whatever a record id is, its record is found, in the order of ids."""

import sqlite3
from itertools import pairwise, product
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.contact.directory import CallingList
from ocsgw.store.sqlite.creation import list_table
from ocsgw.store.sqlite.forms import in_any_part, part_of
from ocsgw.store.sqlite.statements import list_indexes, list_text
from tests.support.rules import RuleTestCase, by_customer_id, by_phone, make_directory

# How many records on end are in one part, and how many parts there are.
IN_ONE, PARTS = 1 << 21, 8
_INSERT = (
    "INSERT INTO CL_Test (record_id, contact_info, record_type, record_status, chain_id, chain_n, cust_id)"
    " VALUES (?, ?, 2, 1, ?, 0, ?)"
)


class PartTests(RuleTestCase):
    """K23, H250: records of several parts, and what other programs write as their ids."""

    def insert(self, record_id: object, contact: str, customer_id: str | None = None, chain_id: int = 0) -> None:
        """Insert a row as another program would."""
        chain = chain_id or (record_id if isinstance(record_id, int) else 0)
        self.store.sql(_INSERT, record_id, contact, chain, customer_id)

    def test_all_parts(self) -> None:
        """A contact, or customer id, is found in every part, at both ends of it, and behind the last one."""
        ids = [1, *(at for part in range(1, PARTS + 2) for at in (part * IN_ONE - 1, part * IN_ONE)), (1 << 31) - 1]
        for record_id in ids:
            self.insert(record_id, "5551234567", "C-1")
        self.insert(2, "5551234568", "C-2")
        found = self.store.chore(lambda unit: unit.tx.find_by_contacts(self.calling_list, {"5551234567"}))
        self.assertEqual([each.record_id for each in found["5551234567"]], ids)
        matches = self.store.chore(lambda unit: unit.tx.find_by_customer_id(self.calling_list, "C-1"))
        self.assertEqual([each.record_id for each in matches], ids)
        known = self.store.chore(lambda unit: unit.tx.records_by_contact(self.calling_list, {"5551234567"}))
        self.assertEqual(known, {"5551234567": ids})

    def test_requests(self) -> None:
        """Requests by phone and by customer id concern the records of all parts."""
        ids = (3, IN_ONE + 3, 9 * IN_ONE + 3)
        for record_id in ids:
            self.insert(record_id, "5551234567", "C-1")
        self.reply(by_phone("RequestRecordCancel", "5551234567"))
        self.assertEqual(self.column("record_status"), [5] * 3)
        self.store.sql("UPDATE CL_Test SET record_status = 1")
        self.reply(by_customer_id("DoNotCall", "C-1"))
        self.assertEqual(self.column("record_type"), [7] * 3)

    def test_ids_of_other_programs(self) -> None:
        """Ids that are no whole numbers of 32 bits hide no other record, and cost no answer."""
        strange = ("abc", 2.5, -1, -IN_ONE, 1 << 40, b"\x00\xff", "", "7", 1e300)
        for chain, record_id in enumerate(strange, start=100):
            self.insert(record_id, "5551234567", "C-1", chain)
        self.insert(5, "5551234567", "C-1")
        found = self.store.chore(lambda unit: unit.tx.find_by_contacts(self.calling_list, {"5551234567"}))
        ids = [each.record_id for each in found["5551234567"]]
        self.assertEqual(len(ids), len(strange) + 1)
        numbers = [each for each in ids if isinstance(each, int)]
        self.assertEqual(ids[: len(numbers)], sorted(numbers))
        matches = self.store.chore(lambda unit: unit.tx.find_by_customer_id(self.calling_list, "C-1"))
        self.assertEqual({repr(each.record_id) for each in matches}, {repr(each) for each in ids})
        self.reply(by_phone("RequestRecordCancel", "5551234567"))
        self.assertEqual(self.store.sql("SELECT record_status FROM CL_Test WHERE record_id = 5"), [(5,)])

    def test_index_in_one_part(self) -> None:
        """An index as servers before made it gets its parts at the start."""
        body = "CL_Test (substr(contact_info, -7))"
        self.store.sql("DROP INDEX ocsgw_ix_CL_Test_1")
        self.store.sql(f"CREATE INDEX ocsgw_ix_CL_Test_1 ON {body}")
        self.insert(5, "5551234567")
        self.store.restart()
        (sql,) = self.store.sql("SELECT sql FROM sqlite_master WHERE name = 'ocsgw_ix_CL_Test_1'")[0]
        self.assertIn(part_of("record_id"), sql)
        self.reply(by_phone("RequestRecordCancel", "5551234567"))
        self.assertEqual(self.column("record_status"), [5])

    @property
    def calling_list(self) -> CallingList:
        """The list of these tests."""
        return self.directory.calling_lists[0]


class PlanTests(TestCase):
    """Part and value are both searched for, whatever is known of the list: no part is read from end to end."""

    def test_with_statistics_of_others(self) -> None:
        """Another program may have had short lists analyzed, which have grown since."""
        calling_list = make_directory().calling_lists[0]
        text = list_text(calling_list, {}, may_lack_chain=False)
        assert text.find_by_customer_id is not None
        for may_be_null, spread, rows in product((True, False), (1, 5_000_011), (0, 20, 60, 150, 400)):
            connection = sqlite3.connect(":memory:")
            self.addCleanup(connection.close)
            made = list_table(calling_list)
            connection.execute(made.replace(" NOT NULL", "") if may_be_null else made)
            for number, index in list_indexes(calling_list).items():
                condition = f" WHERE {index.condition}" if index.condition else ""
                connection.execute(f"CREATE INDEX ix_{number} ON CL_Test ({index.body}){condition}")
            values = [(at * spread % (1 << 31), f"{5550000000 + at}", at, f"C-{at}") for at in range(rows)]
            connection.executemany(
                "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n, cust_id) VALUES (?, ?, ?, 0, ?)",
                values,
            )
            connection.execute("ANALYZE")
            for statement, name in (
                (text.find_by_contact, "ix_1"),
                (text.records_by_contact, "ix_1"),
                (text.find_by_customer_id, "ix_4"),
            ):
                steps = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", ("[]",))]
                expected = f"SEARCH CL_Test USING INDEX {name} (<expr>=? AND <expr>=?)"
                self.assertIn(expected, steps, (may_be_null, spread, rows))

    def test_without_indexes(self) -> None:
        """K23: where indexes are forbidden contacts are compared in one pass, not in one for each."""
        calling_list = make_directory().calling_lists[0]
        connection = sqlite3.connect(":memory:")
        self.addCleanup(connection.close)
        connection.execute(list_table(calling_list))
        text = list_text(calling_list, {}, may_lack_chain=False, is_indexed=False)
        steps = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {text.records_by_contact}", ("[]",))]
        self.assertEqual(sum(step.startswith("SCAN CL_Test") for step in steps), 2, steps)
        self.assertIn("LIST SUBQUERY", " ".join(steps))


class ExpressionTests(RuleTestCase):
    """The part of a record."""

    @given(st.integers(-(1 << 63), (1 << 63) - 1))
    def test_of_a_number(self, record_id: int) -> None:
        """Each whole number has one, and those on end have the same."""
        found = self.parts(record_id)
        self.assertEqual(found, (record_id // IN_ONE % PARTS, 1))

    def test_of_anything_else(self) -> None:
        """So has each other value but NULL."""
        for value in ("abc", "", 2.5, -0.5, 1e300, -1e300, b"", b"\xff", "9" * 40):
            part, is_any = self.parts(value)
            self.assertEqual((part in range(PARTS), is_any), (True, 1), value)
        self.assertEqual(self.parts(None), (None, None))

    def test_in_turn(self) -> None:
        """Parts come in turn."""
        parts = [self.parts(number * IN_ONE)[0] for number in range(2 * PARTS)]
        self.assertTrue(all((before + 1) % PARTS == after for before, after in pairwise(parts)), parts)

    def parts(self, record_id: object) -> tuple[int, int]:
        """Return the part of a record id, and whether it is one that is searched."""
        (found,) = self.store.sql(f"SELECT {part_of('r')}, {in_any_part('r')} FROM (SELECT ? AS r)", record_id)
        return found
