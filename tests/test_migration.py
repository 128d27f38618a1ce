"""docs/migration.md names tables and keys that there are."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config.grammar import GRAMMAR
from ocsgw.config.schema import Table

PAGE = (Path(__file__).parents[1] / "docs" / "migration.md").read_text(encoding="utf-8")
# Keys about other servers that the classic product has not.
NEW = {
    "campaigngroup_states_per_list",
    "failure_retry",
    "headers_file",
    "history_retention",
    "max_tries",
    "signing_key_file",
    "store_answer_fields",
    "tls_minimum",
}
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

    def test_outgoing_options(self) -> None:
        """Each key that concerns other servers stands in the page with its classic spelling, but those that are new."""
        known = keys_of("pre_dial_validation"), keys_of("notifications")
        keys = {key for table in known for key in table or ()}
        classic = {key.replace("_", "-") for key in keys if f"`{key.replace('_', '-')}`" in PAGE}
        new = keys - {each.replace("-", "_") for each in classic}
        self.assertEqual(new, NEW)
