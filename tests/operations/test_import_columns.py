"""Rows that are read column by column become what they become one by one."""

import random
from typing import Any
from unittest import mock

from ocsgw.operations import import_records
from ocsgw.operations.columns import Read
from ocsgw.operations.parts import in_parts
from tests.operations.test_import_records import ListTestCase

# Texts of cells by their columns; the first ones are usual, the others odd in many ways.
_CELLS = {
    "GSW_PHONE": (
        "6505550100",
        "+1 650 555 0100",
        "a@b.c",
        "'+16505550101",
        "",
        "12.5",
        "Smith",
        "1" * 129,
        "1e10",
        "\0",
    ),
    "GSW_PHONE_TYPE": ("", "1", "mobile", "12", "'=1"),
    "GSW_RECORD_TYPE": ("", "2", "general", "6", "personal callback"),
    "GSW_DATE_TIME": ("", "03/28/2027 02:30", "2027-07-01T08:00Z", "1/1/1970 00:00", "tomorrow", "02/30/2027"),
    "GSW_CALL_TIME": ("", "17", "2026-01-01", "x"),
    "GSW_FROM": ("", "0", "9:00", "9 pm", "86401"),
    "GSW_TZ_NAME": ("", "PST", "cet", "XYZ"),
    "GSW_CHAIN_ID": ("", "7", "8", "-1"),
    "CustomerID": ("C1", "", "c" * 65, "'=x"),
    "Remarks": ("call again", "", "it's", "two\nlines", "été", "r" * 256, "a\0b"),
}


def _nothing_read(*arguments: Any) -> Read:
    """Find every row odd."""
    return Read([], (), (), set(range(len(arguments[-1]))))


class ColumnTests(ListTestCase):
    """The short cut beside the obvious way."""

    def imported(self, rows: list[list[str]], **more: Any) -> tuple[object, list[dict[str, Any]]]:
        """Return what becomes of rows in a new store: verdicts, and the records."""
        self.use_directory(self.make_directory())
        arguments = self.arguments(",".join(_CELLS), "CL_Test", **more)
        self.operation("begin import", **arguments)
        result = self.operation("import", **arguments, first=0, parts=in_parts(rows))
        return result, self.records()

    def test_same(self) -> None:
        """Whatever stands in the cells, and whatever is said about them, both ways give the same."""
        chance = random.Random(1)
        for odd in (0.0, 0.02, 0.5):
            rows = [
                [cells[0] if chance.random() >= odd else chance.choice(cells) for cells in _CELLS.values()]
                for _ in range(60)
            ]
            rows[5:6] = [["1"], ["1", *rows[5]]] if odd else [rows[5]]
            for more in ({}, {"raw": True}, {"strict_phones": True}, {"duplicates": "update"}, {"duplicates": "skip"}):
                with self.subTest(odd=odd, more=more):
                    quick = self.imported(rows, **more)
                    with mock.patch.object(import_records, "read_columns", _nothing_read):
                        careful = self.imported(rows, **more)
                    self.assertEqual(quick, careful)
                    self.assertTrue(quick[1])

    def test_usual_rows_take_the_short_cut(self) -> None:
        """Rows about which nothing is odd are not read one by one, others are."""
        rows = [[cells[0] for cells in _CELLS.values()] for _ in range(4)]
        rows[2][0] = ""
        with mock.patch.object(import_records, "_read_row", wraps=import_records._read_row) as one_by_one:
            self.imported(rows)
        self.assertEqual([call.args[3] for call in one_by_one.call_args_list], [2])
