"""docs/migration.md names tables and keys that there are."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config.grammar import GRAMMAR
from ocsgw.config.schema import Table

PAGE = (Path(__file__).parents[1] / "docs" / "migration.md").read_text(encoding="utf-8")
# `[table] key` or `[table]` and further keys behind it.
NAMED = re.compile(r"`\[+([a-z_.]+)\]+(?: ([a-z_]+))?`((?:,? `[a-z_]+`)*)")


def keys_of(dotted: str) -> set[str] | None:
    """Return the keys of a table by its dotted name, None if there is no such table."""
    table = GRAMMAR
    for name in dotted.split("."):
        found = table.keys.get(name)
        if not isinstance(found, Table):
            return None
        table = found
    return set(table.keys)


class MigrationTests(SynchronousTestCase):
    """The tables of the page."""

    def test_keys(self) -> None:
        """Each table is one of the configuration, and has each key that the page names."""
        named = [
            (table, {key, *re.findall(r"`([a-z_]+)`", further)} - {""}) for table, key, further in NAMED.findall(PAGE)
        ]
        self.assertGreater(len(named), 20)
        wrong = {table: keys for table, keys in named if (known := keys_of(table)) is None or keys - known}
        self.assertEqual(wrong, {})
