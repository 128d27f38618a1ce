"""Tests of what follows from a single mistake: nothing."""

import re

from ocsgw.config.grammar import GRAMMAR
from tests.config.samples import EVERYTHING, SPARSE
from tests.config.support import ConfigTestCase


class OneMistakeTests(ConfigTestCase):
    """C3: one mistake is one problem, whatever depends on the key."""

    def setUp(self) -> None:
        super().setUp()
        self.write_certificates()
        self.write("secret", "X-Header: 0123456789abcdef")
        self.write("signing", "whsec_a2tra2tra2tra2tra2tra2tra2tra2tr")

    def assert_one_problem(self, text: str, line: int) -> None:
        problems = self.problems(text)
        self.assertEqual([problem.line for problem in problems], [line], "\n".join(map(str, problems)))

    def test_every_key(self) -> None:
        """C3: a wrong value is reported at its line and has no consequences."""
        for text in (EVERYTHING, SPARSE):
            lines = text.split("\n")
            for index, line in enumerate(lines):
                key, equals, _ = line.partition(" = ")
                if equals:
                    changed = [*lines[:index], f"{key} = {{}}", *lines[index + 1 :]]
                    self.assert_one_problem("\n".join(changed), index + 1)

    def test_every_misspelled_key(self) -> None:
        """C3: a misspelled key is reported at its line; that the right one is missing is not told as well."""
        for text in (EVERYTHING, SPARSE):
            lines = text.split("\n")
            for index, line in enumerate(lines):
                if " = " in line:
                    changed = [*lines[:index], line.replace(" = ", "x = "), *lines[index + 1 :]]
                    self.assert_one_problem("\n".join(changed), index + 1)

    def test_every_misspelled_table(self) -> None:
        """C3: a misspelled table is reported at its first line; references to what it has are not told as well."""
        for text in (EVERYTHING, SPARSE):
            for name in {header[1] for header in re.finditer(r"(?m)^\[+([a-z_]+)", text)}:
                changed = re.sub(rf"(?m)^(\[+){name}(?=[.\]])", rf"\1{name}x", text)
                self.assert_one_problem(changed, changed[: changed.index(f"[{name}x")].count("\n") + 1)

    def test_every_table(self) -> None:
        """C3: a table that is none is reported, and nothing that it should have."""
        for name in GRAMMAR.keys:
            others = "".join(
                part for part in (f"\n[{rest}" for rest in SPARSE.split("\n[")[1:]) if header_of(part) != name
            )
            problems = self.problems(f"{name} = 5\n{others}")
            self.assertEqual([problem.line for problem in problems], [1], "\n".join(map(str, problems)))


def header_of(part: str) -> str:
    """Give the outermost table of a part of a text that begins with a header."""
    return part.strip().partition("]")[0].strip("[").partition(".")[0]
