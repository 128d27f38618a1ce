"""The names of rules that `ocsctl explain` prints, and what docs/operations.md says about them."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "ocsgw" / "operations" / "explain.py", ROOT / "ocsgw" / "ctl" / "explain.py")


class RuleNameTests(SynchronousTestCase):
    """A name that nobody explains is of no use to a reader."""

    def test_explained(self) -> None:
        """Each rule that a reason can name has a line in the guide; no other has one."""
        named: set[str] = set()
        for source in SOURCES:
            for text in re.findall(r'"[^"\n]*"', source.read_text(encoding="utf-8")):
                named.update(re.findall(r"\b[HKO][0-9]+\b", text))
        guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
        explained = set(re.findall(r"^\| ([HKO][0-9]+) \|", guide, re.MULTILINE))
        self.assertEqual(named - {"H273"}, explained - {"H273"})
        self.assertIn("H273", explained)  # named by the guide itself
