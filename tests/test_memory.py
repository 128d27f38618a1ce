"""The collector of circular garbage looks less often once everything is loaded."""

import ast
import gc
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import ocsgw
from ocsgw.resources import settle_memory


class SettleTests(SynchronousTestCase):
    """`settle_memory` in the process of the test, put back afterwards."""

    def test_settle(self) -> None:
        """What is there is passed over, and the thresholds are higher; circles are still collected."""
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        settle_memory()
        self.assertGreater(gc.get_freeze_count(), 1000)
        self.assertEqual(gc.get_threshold(), (50_000, 20, 50))
        self.assertTrue(gc.isenabled())


class CircleTests(SynchronousTestCase):
    """What is made for each request, or each slice of an import, is freed at once, and no collector has to find it."""

    def test_functions_within_functions(self) -> None:
        """None refers to itself: it would keep all that it has in use, the rows of a slice, say, until a collection."""
        files = sorted(Path(ocsgw.__file__).parent.rglob("*.py"))
        self.assertGreater(len(files), 100)
        found = [
            f"{file.name}:{inner.lineno} {inner.name}"
            for file in files
            for outer in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(outer, ast.FunctionDef)
            for inner in ast.walk(outer)
            if isinstance(inner, ast.FunctionDef) and inner is not outer
            for name in ast.walk(inner)
            if isinstance(name, ast.Name) and name.id == inner.name
        ]
        self.assertEqual(found, [])
