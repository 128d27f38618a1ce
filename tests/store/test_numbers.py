"""Numbers of records, and what is not read again while nobody else writes (http.md H200, H202; constants.md K16)."""

import os
import shutil
from collections.abc import Callable
from typing import Any
from unittest import mock

from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.store.sqlite.connection import Connection
from ocsgw.store.sqlite.numbers import Numbers
from tests.support.rules import NOW, RuleStore, RuleTestCase, add_record, by_phone

_BLOCKED = 7


class NumberTests(RuleTestCase):
    """Which numbers records get."""

    def crash(self) -> None:
        """Go on with the files as they are now, as after `kill -9`."""
        file = os.path.join(self.mktemp(), "store.sqlite")
        os.mkdir(os.path.dirname(file))
        for end in ("", "-wal"):
            shutil.copy(f"{self.store.file}{end}", f"{file}{end}")
        self.store.close()
        self.store = RuleStore(self.store.directory, file)
        self.addCleanup(self.store.close)

    def remove(self, least: int) -> None:
        """Delete the last records, as another program would."""
        self.store.sql("DELETE FROM CL_Test WHERE record_id >= ?", least)

    def test_after_a_stop(self) -> None:
        """H200: after an orderly stop numbers go on where they were, whatever was deleted since."""
        for phone in "123":
            self.add(phone)
        self.remove(2)
        self.store.restart()
        self.assertEqual(self.add("4")["GSW_CHAIN_ID"], 4)
        self.assertEqual(self.column("record_id"), [1, 4])

    def test_after_a_crash(self) -> None:
        """H200: after a crash no number comes again, deleted records or not; what was reserved is left out."""
        for count in (1, 99, 1, 150):
            self.replies(*(add_record(str(number)) for number in range(count)))
            highest = max(self.column("record_id"))
            self.remove(highest)
            self.crash()
            chain_id = self.add("again")["GSW_CHAIN_ID"]
            self.assertGreater(max(self.column("record_id")), highest)
            self.assertGreater(chain_id, highest)
            self.assertLessEqual(max(self.column("record_id")), highest + 101)

    def test_undone_requests_use_no_number(self) -> None:
        """H200, K16: what a table refuses leaves no gap, alone or among others, and what follows is right."""
        self.store.sql("CREATE UNIQUE INDEX own ON CL_Test (contact_info)")
        self.add("1")
        for _ in range(3):
            self.assertIn("does not accept", self.refusal(add_record("1")))
        self.add("2")
        self.outcomes(by_phone("DoNotCall", "5"), add_record("3"), add_record("1"), add_record("4"))
        self.assertEqual(self.column("record_id"), [1, 2, 3, 4])

    def test_others_write(self) -> None:
        """K16: records and numbers that other programs write count with the next request."""
        self.add("1")
        self.store.sql("INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (500, '2', 900, 0)")
        self.assertEqual(self.add("3")["GSW_CHAIN_ID"], 901)
        self.store.sql("UPDATE ocsgw_counter SET value = 2000")
        self.assertEqual(self.add("4")["GSW_CHAIN_ID"], 2001)
        self.assertEqual(self.column("record_id"), [1, 500, 501, 2001])

    def test_another_store(self) -> None:
        """A store that has taken the place of the one that was known has numbers of its own."""
        for phone in "123":
            self.add(phone)
        self.store.sql("DELETE FROM CL_Test")
        self.store.sql("DELETE FROM ocsgw_counter")
        self.assertEqual(self.add("4")["GSW_CHAIN_ID"], 1)
        self.assertEqual(self.column("record_id"), [1])

    def test_last_numbers(self) -> None:
        """H200: what is reserved does not go beyond the last number there is."""
        self.assertEqual(Numbers.noted(0, 0).with_used(1, INT32_MAX - 1)[2:], (101, INT32_MAX))
        self.assertEqual(Numbers.noted(0, 0).with_used(INT32_MAX + 5, 0)[2:], (INT32_MAX + 5, 0))

    def test_several_lists(self) -> None:
        """H200: each list has numbers of its own."""
        first, second = self.directory.calling_lists[:2]
        for _ in range(3):
            self.outcomes(add_record("1", first.name), add_record("2", second.name), add_record("3", first.name))
        self.assertEqual(self.column("record_id", first.table), [1, 2, 3, 4, 5, 6])
        self.assertEqual(self.column("record_id", second.table), [1, 2, 3])


class MemoryTests(RuleTestCase):
    """What is read again, and when."""

    def setUp(self) -> None:
        super().setUp()
        self.texts: list[str] = []
        rows = Connection.rows

        def noted(connection: Connection, text: str, parameters: Any = ()) -> Any:
            self.texts.append(text)
            return rows(connection, text, parameters)

        self.patch(Connection, "rows", noted)

    def reads(self, function: Callable[[], object]) -> int:
        """Return how often the highest numbers are read meanwhile."""
        self.texts.clear()
        function()
        return sum("max(record_id)" in text and "EXISTS" in text for text in self.texts)

    def blocks(self, contact: str) -> int:
        """Return the type of a record that is added."""
        self.add(contact)
        return int(self.rows()[-1]["record_type"])

    def test_nobody_writes(self) -> None:
        """Nothing is read again while only records are added."""
        self.add("1")
        self.assertEqual(self.reads(lambda: [self.add(str(number)) for number in range(250)]), 0)

    def test_entries_of_others(self) -> None:
        """H202, K45: an entry of another program counts with the next request, and so does its end."""
        self.assertEqual(self.blocks("1"), 2)
        self.store.sql(
            "INSERT INTO gsw_donotcall_list (phone, tenant_dbid, campaign_dbid, list_dbid) VALUES ('1', 0, 0, 0)"
        )
        self.assertEqual(self.blocks("1"), _BLOCKED)
        self.assertEqual(self.reads(lambda: self.assertEqual(self.blocks("1"), _BLOCKED)), 0)
        self.store.sql("DELETE FROM gsw_donotcall_list")
        self.assertEqual(self.blocks("1"), 2)

    def test_entries_of_our_own(self) -> None:
        """H202: an entry that a request has made counts with the next one, in the same batch too."""
        self.add("1")
        self.outcomes(by_phone("DoNotCall", "2"), add_record("2"))
        self.assertEqual(self.blocks("2"), _BLOCKED)
        self.assertEqual(self.column("record_type"), [2, _BLOCKED, _BLOCKED])

    def test_undone_entries(self) -> None:
        """H202: what was read in a transaction that was undone is read again."""
        self.store.sql(
            "INSERT INTO gsw_donotcall_list (phone, tenant_dbid, campaign_dbid, list_dbid) VALUES ('1', 0, 0, 0)"
        )
        self.add("2")
        store = self.store.store
        with mock.patch.object(store, "_look_at_file", side_effect=RuntimeError("stop")):
            transaction = store.transaction(0.0)
            tx: Any = transaction.__enter__()
            tx._connection.change("DELETE FROM gsw_donotcall_list")
            admission = tx.before_adding(self.directory.calling_lists[0], 1, list, NOW)
            self.assertEqual(admission.blocked, set())
            self.assertRaises(RuntimeError, transaction.__exit__, None, None, None)
        self.assertEqual(self.blocks("1"), _BLOCKED)

    def test_triggers(self) -> None:
        """H202, K16: what a trigger of the site does counts with the next request."""
        self.store.sql(
            "CREATE TRIGGER own AFTER INSERT ON CL_Test BEGIN INSERT INTO gsw_donotcall_list"
            " (phone, tenant_dbid, campaign_dbid, list_dbid) VALUES (new.contact_info, 0, 0, 0); END"
        )
        self.assertEqual([self.blocks("1"), self.blocks("1"), self.blocks("2")], [2, _BLOCKED, 2])
