"""Whether the compiled parts are used: all of those that fit the sources, or none."""

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ocsgw import speedups
from ocsgw.speedups.sources import digest

ROOT = Path(__file__).resolve().parents[1]
# What runs without compiled parts as well; the others are tested beside them.
WITHOUT_PARTS = (
    "tests.contact.test_add_record",
    "tests.link",
    "tests.ocs.test_link",
    "tests.protocol.test_session",
    "tests.proxy.test_answers",
    "tests.proxy.test_conformance",
    "tests.proxy.test_in_one_pass",
    "tests.proxy.test_link",
    "tests.proxy.test_request_policy",
    "tests.proxy.test_translate",
    "tests.store.test_spilling",
    "tests.test_quick_reactor",
    "tests.test_writing",
)


class SpeedupsTests(SynchronousTestCase):
    """What is said in which case. The environment of the tests has a compiler."""

    def said(self, parts: object, switch: str = "") -> str:
        """Return what is said if every part is `parts`, or cannot be imported where that is an error."""
        speedups._missing.cache_clear()
        self.addCleanup(speedups._missing.cache_clear)
        found = {"side_effect": parts} if isinstance(parts, Exception) else {"return_value": parts}
        with (
            mock.patch.object(speedups, "import_module", **found),
            mock.patch.dict(os.environ, {speedups.SWITCH: switch}),
        ):
            self.assertEqual(speedups.is_used(), speedups.description() == "compiled parts in use")
            return speedups.description()

    def test_fitting(self) -> None:
        """Parts of these sources are used."""
        self.assertEqual(self.said(SimpleNamespace(SOURCES=digest())), "compiled parts in use")

    def test_missing(self) -> None:
        """Without them it is said what to install."""
        self.assertIn("gcc and python3-dev", self.said(ImportError("no such module")))

    def test_of_other_sources(self) -> None:
        """Parts of other sources are not used, and that is said."""
        self.assertIn("other sources", self.said(SimpleNamespace(SOURCES="0" * 64)))

    def test_switch(self) -> None:
        """Whoever wants the Python code gets it."""
        for value, wanted in (("1", False), ("yes", False), ("0", True), ("", True)):
            said = self.said(SimpleNamespace(SOURCES=digest()), value)
            self.assertEqual(said == "compiled parts in use", wanted, value)

    def test_parts_are_compiled(self) -> None:
        """The build of this environment has made every part of the sources that are here."""
        code = "from ocsgw import speedups; print(speedups.description())"
        for switch, wanted in (
            ("", "compiled parts in use"),
            ("1", "compiled parts not used, because OCSGW_PURE is set"),
        ):
            environment = {**os.environ, speedups.SWITCH: switch}
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
            )
            self.assertEqual((done.stdout.strip(), done.stderr), (wanted, ""))

    def test_python_code_alone(self) -> None:
        """The tests of what has a compiled part hold without it, as on a machine that has no compiler."""
        environment = {**os.environ, speedups.SWITCH: "1", "OCSGW_FUZZ_EXAMPLES": "50"}
        with tempfile.TemporaryDirectory(prefix="ocsgw-") as folder:
            command = [sys.executable, "-m", "twisted.trial", "--temp-directory", f"{folder}/trial", *WITHOUT_PARTS]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-5000:] + done.stderr)
        self.assertRegex(done.stdout, r"Ran \d{3} tests")

    def test_every_part_is_built(self) -> None:
        """What is looked for is what pyproject.toml builds, and each part has its types."""
        table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
        built = [module["name"].rpartition(".")[2] for module in table["ext-modules"]]
        self.assertEqual(sorted(built), sorted(speedups.PARTS))
        folder = ROOT / "ocsgw/speedups"
        self.assertEqual(sorted(path.stem for path in folder.glob("*.pyx")), sorted(built))
        self.assertEqual(sorted(path.stem for path in folder.glob("*.pyi")), sorted(built))
