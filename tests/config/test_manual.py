"""Tests of ocsgw.toml(5): the page and the grammar agree."""

import pathlib
import re

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config.schema import REQUIRED, Key
from tests.config.support import tables

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "man" / "ocsgw.toml.md"
SECTION = re.compile(r"^### (\[.*\])$")
# One key, or several that mean the same kind of thing: kind, and whether it is required or its default.
ITEM = re.compile(r"^((?:`\S+?`(?:, )?)+) \((.*?)(?:, (required|default .*))?\)$")
INHERITED = "[application.tls]"
"""Documented in the table that inherits."""


def toml(value: object) -> str:
    """Write a default as it would stand in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def documented() -> dict[str, dict[str, tuple[str, str | None]]]:
    """Return kind and default of each key, as the page has them, by section."""
    found: dict[str, dict[str, tuple[str, str | None]]] = {}
    section: dict[str, tuple[str, str | None]] | None = None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            header = SECTION.match(line)
            section = found.setdefault(header[1], {}) if header else None
        item = ITEM.match(line)
        if item and section is not None:
            for key in re.findall(r"`(\S+?)`", item[1]):
                if key in section:
                    raise AssertionError(f"{key} is documented twice")
                section[key] = (item[2], item[3])
    return found


class ManualTests(SynchronousTestCase):
    """The manual page of the configuration file."""

    def test_every_key(self) -> None:
        """Each key stands in the page under its table, in the order of none, with its default; no other does."""
        sections = documented()
        expected: dict[str, dict[str, str | None]] = {}
        for path, table in tables():
            if not path:
                continue
            name = ".".join(path)
            keys = expected.setdefault(f"[[{name}]]" if table.array else f"[{name}]", {})
            for key, entry in table.keys.items():
                default = entry.default if isinstance(entry, Key) else None
                keys[key] = (
                    "required" if default is REQUIRED else None if default is None else f"default {toml(default)}"
                )
        expected[INHERITED] = {}
        for section, keys in expected.items():
            self.assertEqual({key: text for key, (_, text) in sections[section].items()}, keys, section)
        self.assertEqual(set(sections), set(expected))

    def test_types(self) -> None:
        """Each key has a kind of value that the page explains or that TOML has."""
        words = re.compile(
            r"(array of )?(strings?|integer|boolean|table|tables|names?|DBID|duration|size|path|secret|URI|call result"
            r"|date and time)( from \S+ to \S+)?( or .*)?|value of the type"
        )
        for section, keys in documented().items():
            for key, (kind, _) in keys.items():
                self.assertRegex(kind, rf"^(?:{words.pattern})$", f"{section} {key}")
