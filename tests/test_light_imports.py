"""Imports that leave something out, or leave it for later."""

import importlib
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.light_imports import load_when_used, with_stand_in, without


class LightImportsTests(SynchronousTestCase):
    """Modules that the test writes: each says in a list of this one that it has been loaded."""

    def setUp(self) -> None:
        self.loaded: list[str] = []
        sys.modules["loaded_of_the_test"] = self  # type: ignore[assignment]
        self.addCleanup(sys.modules.pop, "loaded_of_the_test")
        folder = Path(self.mktemp()).resolve()
        self.write(folder / "light_package" / "__init__.py", "light_package")
        self.write(folder / "light_package" / "heavy.py", "heavy", "value = 7")
        self.write(
            folder / "light_user.py",
            "user",
            "try:\n    from light_package import heavy\nexcept ImportError:\n    heavy = None",
        )
        self.write(folder / "light_taker.py", "taker", "from light_package.heavy import value")
        sys.path.insert(0, str(folder))
        self.addCleanup(sys.path.remove, str(folder))
        for name in ("light_package", "light_package.heavy", "light_user", "light_taker"):
            self.addCleanup(sys.modules.pop, name, None)

    def write(self, file: Path, name: str, more: str = "") -> None:
        """Write a module."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"import loaded_of_the_test\nloaded_of_the_test.loaded.append({name!r})\n{more}\n")

    def test_when_used(self) -> None:
        """It can be imported in every way, and is loaded by the first look at what is in it, once."""
        load_when_used("light_package.heavy")
        user = importlib.import_module("light_user")
        self.assertEqual(self.loaded, ["light_package", "user"])
        self.assertEqual(user.heavy.value, 7)
        self.assertIs(user.heavy, importlib.import_module("light_package.heavy"))
        self.assertEqual(self.loaded, ["light_package", "user", "heavy"])

    def test_loaded_already(self) -> None:
        """What is there stays."""
        heavy = importlib.import_module("light_package.heavy")
        load_when_used("light_package.heavy")
        self.assertIs(sys.modules["light_package.heavy"], heavy)

    def test_unknown(self) -> None:
        """What nobody has written is said at once, not where it is used."""
        with self.assertRaises(ModuleNotFoundError):
            load_when_used("light_package.nothing")
        self.assertNotIn("light_package.nothing", sys.modules)

    def test_without(self) -> None:
        """Who can do without it does, and afterwards it can be imported."""
        with without("light_package.heavy"):
            user = importlib.import_module("light_user")
        self.assertIsNone(user.heavy)
        self.assertEqual(importlib.import_module("light_package.heavy").value, 7)

    def test_without_what_is_there(self) -> None:
        """A module that has been loaded stays, within and afterwards."""
        heavy = importlib.import_module("light_package.heavy")
        with without("light_package.heavy"):
            self.assertIs(importlib.import_module("light_user").heavy, heavy)
        self.assertIs(sys.modules["light_package.heavy"], heavy)

    def test_stand_in(self) -> None:
        """Who takes an attribute of it keeps it; nothing has been loaded, and afterwards the module itself can be."""
        with with_stand_in("light_package.heavy", value=8):
            user, taker = (importlib.import_module(name) for name in ("light_user", "light_taker"))
        self.assertEqual((user.heavy.value, taker.value), (8, 8))
        self.assertNotIn("heavy", self.loaded)
        self.assertEqual(importlib.import_module("light_package.heavy").value, 7)

    def test_stand_in_lacks_something(self) -> None:
        """Who wants more of the module than the stand-in has gets it from the module, which is loaded once."""
        with with_stand_in("light_package.heavy", other=8):
            user = importlib.import_module("light_user")
            self.assertEqual((user.heavy.other, user.heavy.value, user.heavy.value), (8, 7, 7))
            heavy = importlib.import_module("light_package.heavy")
        self.assertIs(sys.modules["light_package.heavy"], heavy)
        self.assertEqual(self.loaded.count("heavy"), 1)

    def test_stand_in_for_a_package(self) -> None:
        """Its modules can be imported meanwhile, each by itself, and are the same afterwards."""
        with with_stand_in("light_package", value=8):
            heavy = importlib.import_module("light_package.heavy")
            self.assertEqual(self.loaded, ["heavy"])
        self.assertIs(importlib.import_module("light_user").heavy, heavy)
        self.assertEqual(self.loaded, ["heavy", "user", "light_package"])

    def test_stand_in_for_nothing(self) -> None:
        """What nobody has written has none."""
        stand_in = with_stand_in("light_nothing", value=8)
        self.assertRaises(ModuleNotFoundError, stand_in.__enter__)
        self.assertNotIn("light_nothing", sys.modules)

    def test_stand_in_for_what_is_there(self) -> None:
        """A module that has been loaded stays, within and afterwards."""
        heavy = importlib.import_module("light_package.heavy")
        with with_stand_in("light_package.heavy", value=8):
            self.assertIs(importlib.import_module("light_user").heavy, heavy)
        self.assertIs(sys.modules["light_package.heavy"], heavy)
