"""`make soak` makes every test long that has a long form."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.soak import PARTS, ROOT, Result, main, table

_VARIABLE = re.compile(r'environ(?:\.get\(|\[)"(OCSGW_[A-Z_]+)"')
# What makes no test longer.
_OTHER = {"OCSGW_SCREENSHOTS"}


def variables_in(path: Path) -> set[str]:
    """Return the variables that a module reads."""
    return set(_VARIABLE.findall(path.read_text(encoding="utf-8"))) - _OTHER


class SoakTests(SynchronousTestCase):
    """The parts of `make soak`."""

    def test_parts(self) -> None:
        """Each variable that some test reads is set by one part, and each part runs tests that there are."""
        read = {name for path in (ROOT / "tests").rglob("*.py") for name in variables_in(path)}
        given = [name for part in PARTS for name in part.variables]
        self.assertEqual(sorted(given), sorted(read))
        for part in PARTS:
            for test in part.tests:
                self.assertTrue((ROOT / f"{test.replace('.', '/')}.py").is_file(), test)

    def test_modules(self) -> None:
        """A module of tests that reads a variable is run by the part that sets it."""
        part_of = {name: part for part in PARTS for name in part.variables}
        for path in (ROOT / "tests").rglob("test_*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for name in variables_in(path):
                self.assertIn(module, part_of[name].tests, name)

    def test_table(self) -> None:
        """The table says what was run, and what became of it."""
        text = table([Result(PARTS[0], 0, 90.0, 2.0), Result(PARTS[1], 1, 30.0, 3.0)], "2026-11-29")
        self.assertIn("Of 2026-11-29.", text)
        self.assertRegex(text, r"(?m)^\| pair \| .* \| passed \| 1\.5 min \| 2\.0 \|$")
        self.assertRegex(text, r"(?m)^\| failover \| .* \| FAILED \| 0\.5 min \| 3\.0 \|$")

    def test_unknown_part(self) -> None:
        """A part that there is not is refused before anything is run."""
        written = io.StringIO()
        self.patch(sys, "stderr", written)
        error = self.assertRaises(SystemExit, main, ["nothing"])
        self.assertEqual(error.code, 2)
        self.assertIn("there is no part nothing; there are pair, ", written.getvalue())

    def test_make(self) -> None:
        """`make soak` runs all parts, with ONLY those that it names; nothing else has a say."""
        # What another make has told the one that runs these tests is not for this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        for only, wanted in ((), ""), (("ONLY=pair database",), "pair database"):
            done = subprocess.run(
                ["make", "--dry-run", *only, "soak"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            self.assertEqual(done.stdout.splitlines()[-1].partition("python -m tests.soak")[2].strip(), wanted)
