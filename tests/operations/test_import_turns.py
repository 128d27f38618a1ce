"""An import lets others in: its slices are cut into transactions where somebody waits."""

import itertools
from collections.abc import Iterable
from typing import Any

from ocsgw.operations.parts import ROWS, in_parts
from tests.operations.test_import_records import ListTestCase

_LENGTH = 20 * ROWS + 7


class TurnTests(ListTestCase):
    """One slice of some parts."""

    def setUp(self) -> None:
        super().setUp()
        self.common = self.arguments("GSW_PHONE,GSW_ATTEMPTS", "CL_Test")
        self.operation("begin import", **self.common)

    def answers(self, answers: Iterable[bool]) -> None:
        """Let others wait as these say, again and again."""
        following = itertools.cycle(answers)
        self.store.is_awaited = lambda: next(following)

    def transfer(self, length: int = _LENGTH, refused: int | None = None) -> dict[str, Any]:
        """Import a slice, in which one row may have a number that is none."""
        rows = [[f"{at:06}", "x" if at == refused else "1"] for at in range(length)]
        result: dict[str, Any] = self.operation("import", **self.common, first=0, parts=in_parts(rows), last=True)
        return result

    def slices(self) -> list[int]:
        """Return the numbers of rows that can be taken back at a time, in the order of the file."""
        found: list[int] = []
        while (stored := self.undo())["removed"] > sum(found):
            found.insert(0, stored["removed"] - sum(found))
        return found

    def undo(self) -> dict[str, Any]:
        """Take one slice back."""
        done: dict[str, Any] = self.operation("undo import", number=1, calling_list="CL_Test")
        return done

    def test_nobody_waits(self) -> None:
        """A slice is one transaction; what is carried out between two looks at the others is longer and longer."""
        self.transfer()
        self.assertEqual((self.store.further, len(self.records())), (0, _LENGTH))
        self.assertEqual(self.slices(), [*[ROWS] * 4, 2 * ROWS, *[4 * ROWS] * 3, 2 * ROWS + 7])

    def test_somebody_waits(self) -> None:
        """Then the transaction ends, and what is left goes on in others; each row is there once, in its order."""
        for answers, transactions in (((True,), 21), ((False, True), 14)):
            with self.subTest(answers=answers):
                self.store.further = 0
                self.operation("begin import", **self.common, again=True)
                self.store.sql("DELETE FROM CL_Test")
                self.answers(answers)
                result = self.transfer(refused=3 * ROWS + 5)
                self.assertEqual(self.store.further, transactions - 1)
                self.assertEqual([(at, name) for at, name, _ in result["verdicts"]], [(3 * ROWS + 5, "refused")])
                self.assertEqual((result["counts"]["added"], result["counts"]["refused"]), (_LENGTH - 1, 1))
                wanted = [f"{at:06}" for at in range(_LENGTH) if at != 3 * ROWS + 5]
                self.assertEqual(self.contacts(), wanted)
                begun = self.operation("begin import", **self.common)
                self.assertEqual((begun["rows"], begun["counts"]), (_LENGTH, result["counts"]))
                self.assertIsNotNone(begun["finished_at"])

    def test_taken_back(self) -> None:
        """What was stored by one transaction or several is taken back in slices of the usual size."""
        self.answers((False, False, True))
        self.transfer()
        while not self.undo()["done"]:
            pass
        self.assertEqual(self.records(), [])

    def test_dry_run(self) -> None:
        """A dry run looks at a slice as a whole: what it has seen in one of its parts stands nowhere."""
        self.answers((True,))
        rows = [["1", "1"]] * 3 * ROWS
        arguments = {**self.common, "duplicates": "skip", "dry_run": True}
        result = self.operation("import", **arguments, first=0, parts=in_parts(rows))
        self.assertEqual((result["counts"]["added"], result["counts"]["skipped"]), (1, 3 * ROWS - 1))
        self.assertEqual((self.store.further, self.records()), (0, []))

    def test_table_refuses(self) -> None:
        """A row that the table itself refuses is refused alone, wherever in its transaction it comes."""
        self.store.sql("CREATE UNIQUE INDEX one_a_number ON CL_Test (contact_info)")
        for at in (0, ROWS + 5, _LENGTH - 1):
            with self.subTest(at=at):
                self.store.sql("DELETE FROM CL_Test")
                self.operation("begin import", **self.common, again=True)
                rows = [[f"{number:06}", "1"] for number in range(_LENGTH)]
                self.store.sql(
                    "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n)"
                    f" VALUES (1000000, '{rows[at][0]}', 1000000, 0)"
                )
                result = self.operation("import", **self.common, first=0, parts=in_parts(rows), last=True)
                ((place, name, reason),) = result["verdicts"]
                self.assertEqual((place, name), (at, "refused"))
                self.assertIn("the table refuses the row", reason)
                self.assertEqual(sorted(self.contacts()), [row[0] for row in rows])
                self.assertEqual(self.operation("begin import", **self.common)["counts"], result["counts"])
