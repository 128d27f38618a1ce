"""Indexes on PostgreSQL: what they are made for uses them, whatever other programs declare (constants.md K12, K23)."""

import re

from ocsgw.store.postgresql.do_not_call import do_not_call_text
from ocsgw.store.postgresql.forms import Forms
from tests.support.postgresql_rules import OnPostgreSQL
from tests.support.rules import RuleTestCase

_FORMS = Forms(is_unicode=True)
_JSON, _NUMBERS = "'[[1, 1, 1, 1]]'", {"limit", "at_most", "now", "tenant", "list"}


class NotNullTests(OnPostgreSQL, RuleTestCase):
    """Columns that are declared NOT NULL: newer planners conclude something from it."""

    def plan(self, text: str) -> str:
        """Return the plan of a statement; what its parameters are does not matter."""
        text = re.sub(r"(?<!:):([a-z_]+)", lambda name: "'1'" if name[1] in _NUMBERS else _JSON, text)
        return "\n".join(row[0] for row in self.store.sql(f"EXPLAIN {text.replace('?', _JSON)}"))

    def fill(self, table: str, columns: str, values: str) -> None:
        """Have rows in a table, and all of its columns NOT NULL."""
        self.store.sql(f"INSERT INTO {table} ({columns}) SELECT {values} FROM generate_series(1, 5000) AS i")
        others = self.store.sql(
            "SELECT attname, format_type(atttypid, NULL) LIKE 'character%' FROM pg_attribute"
            " WHERE attrelid = ?::regclass AND attnum > 0 AND attidentity = ''",
            f'"{table}"',
        )
        values = ", ".join(f'"{name}" = coalesce("{name}", {_JSON if is_text else 1})' for name, is_text in others)
        self.store.sql(f"UPDATE {table} SET {values}")
        declared = ", ".join(f'ALTER COLUMN "{name}" SET NOT NULL' for name, _ in others)
        self.store.sql(f"ALTER TABLE {table} {declared}")
        self.store.sql(f"VACUUM ANALYZE {table}")

    def test_indexes_are_used(self) -> None:
        """Every statement that an index is made for uses it."""
        self.fill("CL_Test", "record_id, chain_id, chain_n, contact_info", "i, i, 0, '650555' || i")
        self.fill("gsw_donotcall_list", "phone, customer_id", "'650556' || i, 'C' || i")
        calling_list = self.directory.calling_lists[0]
        of_list = self.store.store._tables.lists[calling_list]
        assert of_list is not None
        of_entries = do_not_call_text("gsw_donotcall_list", _FORMS, has_expiry=True, has_number=True)
        lists, entries = "ocsgw_ix_CL_Test", "ocsgw_ix_gsw_donotcall_list"
        for index, text in (
            (f"{lists}_1", of_list.find_by_contact),
            (f"{lists}_2", of_list.find_by_contact),
            (f"{lists}_1", of_list.records_by_contact),
            (f"{lists}_3", of_list.windows),
            (f"{lists}_3", of_list.ready_records),
            (f"{lists}_3", of_list.ready_records_but),
            (f"{lists}_3", of_list.waiting_agents),
            (f"{lists}_4", of_list.find_by_customer_id),
            (f"{entries}_1", of_entries.blocked),
            (f"{entries}_3", of_entries.blocked),
            (f"{entries}_1", of_entries.lasting),
            (f"{entries}_1", of_entries.entries_for),
            (f"{entries}_3", of_entries.entries_for),
            (f"{entries}_2", of_entries.of_contacts),
        ):
            assert text is not None
            self.assertRegex(self.plan(text), rf"{index}\b", text)

    def test_conditions(self) -> None:
        """No index asks for NULL in a way that only some releases find again."""
        rows = self.store.sql("SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ocsgw_ix_%'")
        self.assertGreater(len(rows), 8)
        for name, definition in rows:
            self.assertNotRegex(definition.rpartition(" WHERE ")[2], r"IS (NOT )?NULL", name)
