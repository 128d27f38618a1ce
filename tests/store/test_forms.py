"""Expressions of SQLite that indexes begin with say what the plain ones would (constants.md K40, K63)."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import product
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.store.records import LATEST, LEAST
from ocsgw.store.sqlite.forms import beyond_ascii
from ocsgw.store.sqlite.ready import INTEGERS, doubtful, whole

_Value = int | float | str | bytes | None
_VALUES: tuple[_Value, ...] = (
    *(None, 0, 1, -1, LEAST, LEAST - 1, LATEST, LATEST + 1, 2**63 - 1, -(2**63)),
    *(0.5, 5.0, -0.0, 1e24, -1e24, float("inf"), "", "1", "-1", "5x", "abc", "1e3", " 7", b"", b"\x02", b"1"),
)
_TYPES = ("INTEGER", "BIGINT", "NUMERIC(10, 0)", "REAL", "TEXT", "VARCHAR(9)", "BLOB", "")
_WHITE_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_TEXTS = st.text(st.sampled_from(f"{_WHITE_SPACE}019+-(). abxtel@ä\u2010\u00ad\x00\x1f\x7f"), max_size=12)


def _ask(connection: sqlite3.Connection, expressions: Iterable[str], table: str) -> list[tuple[_Value, ...]]:
    return connection.execute(f"SELECT {', '.join(expressions)} FROM {table}").fetchall()


class WholeTests(TestCase):
    """Rows whose integer columns have values of all kinds, in columns of all types."""

    def test_doubtful(self) -> None:
        """A row is doubtful if one of its values, as stored, is no integer within its bounds; else it is whole."""
        for kind in _TYPES:
            with closing(sqlite3.connect(":memory:")) as connection:
                connection.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind}' for name in INTEGERS)})")
                marks = ", ".join("?" * len(INTEGERS))
                usual = [[value] * len(INTEGERS) for value in (None, 0)]
                rows = usual + [
                    [*row[:at], value, *row[at + 1 :]]
                    for row, value, at in product(usual, _VALUES, range(len(INTEGERS)))
                ]
                connection.executemany(f"INSERT INTO t VALUES ({marks})", rows)
                odd = "({0} IS NOT NULL AND (typeof({0}) <> 'integer' OR NOT +{0} BETWEEN {1} AND {2}))"
                wrong = " OR ".join(odd.format(name, LEAST, LATEST) for name in INTEGERS)
                found = _ask(connection, (wrong, f"{doubtful('t.')} IS TRUE", whole("t.")), "t")
            self.assertEqual(len(rows), len(found))
            if kind not in ("TEXT", "VARCHAR(9)"):
                self.assertTrue(any(not each for each, *_ in found[1:]), kind)
            for row, (expected, is_doubtful, is_whole) in zip(rows, found, strict=True):
                self.assertEqual((bool(expected), not expected), (bool(is_doubtful), bool(is_whole)), (kind, row))


class FormTests(TestCase):
    """Texts and other values that programs write."""

    def setUp(self) -> None:
        """Open a table without types."""
        self.connection = sqlite3.connect(":memory:")
        self.addCleanup(self.connection.close)
        self.connection.execute("CREATE TABLE t (x)")

    def put(self, value: _Value) -> None:
        """Have this value in the table alone."""
        self.connection.execute("DELETE FROM t")
        self.connection.execute("INSERT INTO t VALUES (?)", (value,))

    @given(_TEXTS)
    def test_beyond_ascii(self, text: str) -> None:
        """K40: what is not printable ASCII is beyond it, apart from what SQL itself leaves out of a number."""
        self.put(text)
        ((found,),) = _ask(self.connection, (beyond_ascii("x"),), "t")
        seen = text.partition("\0")[0]
        printable = {chr(code) for code in range(0x20, 0x7F)} | {"\t"}
        known = printable if "@" in seen else printable | {"\u00a0", "\u2011", "\u2013"}
        self.assertEqual(not set(seen) <= known, bool(found), text)
