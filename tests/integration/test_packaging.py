"""The source distribution, and the wheel that is built from it: what is in them, and that it works when installed."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

from twisted.trial.unittest import TestCase

from ocsgw.version import VERSION
from tests.integration.server import ROOT
from tests.integration.wheel import built, copy_sources


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return it with its output."""
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


class PackagingTests(TestCase):
    """Build, list, install, run."""

    timeout = 600

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-wheel-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_second_build(self) -> None:
        """What an earlier build of a checkout has left, and the sources no longer have, is in no package."""
        source, built_to = self.folder / "source", self.folder / "built"
        copy_sources(source)
        for name in ("ocsgw/gone/module.py", "ocsgw/store/migrations/versions/renamed.py", "twisted/plugins/old.py"):
            (built_to / name).parent.mkdir(parents=True, exist_ok=True)
            (built_to / name).write_text("", encoding="utf-8")
        part = built_to / "ocsgw/speedups/part.so"
        part.parent.mkdir()
        part.write_bytes(b"")
        done = run(sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", built_to, cwd=source)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = {path.relative_to(built_to) for path in built_to.rglob("*") if path.is_file()}
        self.assertEqual({str(path) for path in found if not (source / path).exists()}, {"ocsgw/speedups/part.so"})
        self.assertIn(Path("ocsgw/__main__.py"), found)

    def test_wheel(self) -> None:
        """The wheel has every module and the plugin, no package file of Twisted's, and runs as documented."""
        sdist, wheel = built()
        with tarfile.open(sdist) as archive:
            sources = {name.partition("/")[2] for name in archive.getnames()}
        for wanted in (
            "Makefile",
            "docs/man/ocsctl.md",
            "man/ocsctl.8",
            "packaging/deb/build.py",
            "etc/ocsgw.toml",
            "packaging/compiling.py",
        ):
            self.assertIn(wanted, sources)
        tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
        self.assertEqual(tests - sources, set())
        names = set(zipfile.ZipFile(wheel).namelist())
        modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ocsgw").rglob("*.py")}
        self.assertEqual(modules - names, set())
        self.assertIn("ocsgw/py.typed", names)
        plugins = {name for name in names if name.startswith("twisted/")}
        self.assertEqual(plugins, {"twisted/plugins/ocsgw_plugin.py"})
        self.assertEqual([name for name in names if name.startswith(("tests/", "benchmarks/", "etc/"))], [])
        self.install(wheel)

    def install(self, wheel: Path) -> None:
        """Install the wheel beside the packages of this environment, and use its commands."""
        place = self.folder / "environment"
        venv.create(place, symlinks=True)
        python = place / "bin" / "python"
        (site,) = place.glob("lib/python*/site-packages")
        # What ocsgw depends on is taken from here; only the package itself is installed.
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        (site / "dependencies.pth").write_text(f"{ours}\n", encoding="utf-8")
        pip = (sys.executable, "-m", "pip", "--python", python, "install")
        done = run(*pip, "--no-deps", "--no-index", "--quiet", wheel, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        version = run(place / "bin" / "ocsgw", "--version", cwd=self.folder)
        self.assertEqual((version.stdout.splitlines()[0], version.returncode), (f"ocsgw {VERSION}", 0))
        self.assertIn("compiled parts in use", version.stdout)
        for command, wanted in (
            (("-m", "twisted", "ocsgw", "--version"), f"ocsgw {VERSION}"),
            (("-m", "twisted", "ocsgw", "--help"), "--config="),
            (("-m", "twisted", "--help"), "Outbound Contact Server with its HTTP Proxy"),
        ):
            shown = run(python, *command, cwd=self.folder)
            self.assertIn(wanted, shown.stdout + shown.stderr)
        help_ = run(python, "-c", "from twisted.scripts.twistd import run; run()", "ocsgw", "--help", cwd=self.folder)
        self.assertIn("--config=", help_.stdout)
        self.assertEqual(help_.returncode, 0)
        example = ROOT / "etc" / "ocsgw.toml"
        checked = run(place / "bin" / "ocsgw", "check-config", "--config", example, cwd=self.folder)
        self.assertEqual((checked.returncode, checked.stdout), (0, f"{example}: no problems found\n"))
