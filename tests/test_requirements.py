"""The page on supervision tells the truth: its diagram is that of the machine, its table names tests that exist."""

import ast
import re
import runpy
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
# What the table must have: the rows on start, port, restart, log, changes of the configuration, and end.
ROWS = (
    [f"R{n}" for n in (4, 5, 11, 12, 13, 17, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 34, 35, 42)]
    + [f"C{n}" for n in (60, 61, 62, 63, 64, 65, 66, 67, 68, 70, 71, 72, 73, 74, 75, 76, 77, 78)]
    + [f"P{n}" for n in (80, 82, 83, 84, 88, 89, 90, 91, 100, 102, 121, 123, 124, 125)]
)
_ROW = re.compile(r"^\| ([RCP]\d+) \| (.+) \|$", re.MULTILINE)


def first_lines() -> dict[str, str]:
    """Return the first line of every test by `module.Class.test`, without `tests.`."""
    found = {}
    for path in TESTS.rglob("test_*.py"):
        module = ".".join(path.relative_to(TESTS).with_suffix("").parts)
        for suite in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(suite, ast.ClassDef):
                for test in suite.body:
                    if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                        found[f"{module}.{suite.name}.{test.name}"] = (ast.get_docstring(test) or "").split("\n")[0]
    return found


class PageTests(SynchronousTestCase):
    """docs/supervision.md."""

    def setUp(self) -> None:
        self.page = (DOCS / "supervision.md").read_text(encoding="utf-8")

    def test_diagram(self) -> None:
        """The diagram is what the machine gives; `make diagram` mends it."""
        with_diagram = runpy.run_path(str(DOCS / "diagram.py"))["with_diagram"]
        self.assertEqual(with_diagram(self.page), self.page)
        self.assertIn("running --> waiting: exited", self.page)

    def test_states_are_explained(self) -> None:
        """C71: the page explains each state by its name, and no other."""
        self.assertEqual(
            re.findall(r"^\| `(\w+)` \|", self.page, re.MULTILINE),
            ["stopped", "starting", "running", "waiting", "stopping"],
        )

    def test_rows(self) -> None:
        """Every row is there once, with tests that exist and name the row in their first line."""
        known = first_lines()
        rows = _ROW.findall(self.page)
        self.assertEqual([row for row, _ in rows], ROWS)
        wrong = [
            f"{row}: {name}"
            for row, names in rows
            for name in names.replace("`", "").split(", ")
            if not re.search(rf"\b{row}\b", known.get(name, ""))
        ]
        self.assertEqual(wrong, [])
