"""The Debian package: built, installed, used, upgraded and removed, in a root of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.integration.server import PATIENCE, ROOT
from tests.integration.wheel import built

READY = re.compile(r"93002 .* ready on (http://127\.0\.0\.1:\d+)")


class PackageTests(TestCase):
    """Without the network: dependencies are those of this environment, only the package itself is installed."""

    timeout = 600

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.root = self.folder / "root"
        for each in ("info", "updates", "triggers"):
            (self.root / "var/lib/dpkg" / each).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()

    def run_command(self, *command: object) -> str:
        """Run a command to its good end and return what it prints."""
        words = [str(word) for word in command]
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        done = subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False, env=environment
        )
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def package(self, wheel: Path, version: str) -> str:
        """Build a package of a version."""
        options = ("--pip-option=--no-deps", "--pip-option=--no-index")
        script = ROOT / "packaging/deb/build.py"
        python = ("--python", sys.executable)
        return self.run_command(
            sys.executable, script, *python, *options, "--source", wheel, "--version", version, self.folder / "built"
        ).strip()

    def of_version(self, package: str, version: str) -> str:
        """Return a package that differs in its version alone; the program takes longer to build one."""
        folder, package_of_version = self.folder / version, self.folder / f"{version}.deb"
        self.run_command("dpkg-deb", "--raw-extract", package, folder)
        control = folder / "DEBIAN/control"
        text = control.read_text(encoding="utf-8")
        control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", text), encoding="utf-8")
        self.run_command("dpkg-deb", "--build", "--root-owner-group", "-Znone", folder, package_of_version)
        return str(package_of_version)

    def dpkg(self, *words: str) -> str:
        """Use dpkg on the root; maintainer scripts run outside of it and find it in DPKG_ROOT."""
        forced = ("--force-script-chrootless", "--force-depends", "--force-not-root")
        return self.run_command("dpkg", f"--root={self.root}", *forced, *words)

    def python(self) -> Path:
        """Return the interpreter of the installed environment, with the dependencies of this one beside it."""
        home = self.root / "opt/ocsgw"
        (site,) = home.glob("lib/python*/site-packages")
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        (site / "dependencies.pth").write_text(f"{ours}\n", encoding="utf-8")
        return home / "bin/python"

    def add_record(self, python: Path, key: str) -> int:
        """Run the installed server for one request; return the chain of the new record."""
        config = self.root / "etc/ocsgw/ocsgw.toml"
        log = self.folder / "log"
        with log.open("wb") as stream:
            command = [str(python), "-m", "ocsgw", "run", "--config", str(config)]
            server = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=self.folder)
        try:
            end = time.monotonic() + PATIENCE
            while not (ready := READY.findall(log.read_text(encoding="utf-8"))):
                self.assertIsNone(server.poll(), log.read_text(encoding="utf-8"))
                self.assertLess(time.monotonic(), end, "not ready in time")
                time.sleep(0.02)
            request = urllib.request.Request(
                f"{ready[-1]}/lists/Customers?req=AddRecord",
                b'{"GSW_PHONE":"6505550100"}',
                {"Authorization": f"Bearer {key}"},
            )
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return int(json.load(answer)["GSW_CHAIN_ID"])
        finally:
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(PATIENCE), 0)

    def test_life(self) -> None:
        """Install, begin, serve; an upgrade keeps configuration and records; so does the removal."""
        _, wheel = built()
        package = self.package(wheel, "0.1")
        self.assertIn("begin with: ocsgw init /etc/ocsgw", self.dpkg("-i", package))
        for name in (
            "usr/bin/ocsgw",
            "usr/bin/ocsctl",
            "usr/lib/systemd/system/ocsgw.service",
            "usr/lib/systemd/system/ocsgw@.service",
            "usr/share/man/man8/ocsgw.8.gz",
            "usr/share/man/man8/ocsctl.8.gz",
            "usr/share/man/man5/ocsgw.toml.5.gz",
            "usr/share/doc/ocsgw/README.md",
            "etc/logrotate.d/ocsgw",
        ):
            self.assertTrue(os.path.lexists(self.root / name), name)
        self.assertEqual(os.readlink(self.root / "usr/bin/ocsgw"), "/opt/ocsgw/bin/ocsgw")
        script = (self.root / "opt/ocsgw/bin/ocsgw").read_text(encoding="utf-8")
        self.assertTrue(script.startswith("#!/opt/ocsgw/bin/python"), script)
        python = self.python()
        begun = subprocess.run(
            [python, "-m", "ocsgw", "init", "--state-dir", self.root / "var/lib/ocsgw", self.root / "etc/ocsgw"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        key = begun.stdout.strip()
        config = self.root / "etc/ocsgw/ocsgw.toml"
        text = config.read_text(encoding="utf-8").replace("port = 8080", "port = 0")
        config.write_text(text, encoding="utf-8")
        self.assertEqual(self.add_record(python, key), 1)
        self.dpkg("-i", self.of_version(package, "0.2"))
        self.assertIn("Version: 0.2", self.dpkg("-s", "ocsgw"))
        self.assertEqual(config.read_text(encoding="utf-8"), text)
        self.assertEqual(self.add_record(self.python(), key), 2)
        self.dpkg("--purge", "ocsgw")
        self.assertFalse((self.root / "usr/bin/ocsgw").exists())
        self.assertFalse((self.root / "opt/ocsgw/bin/ocsgw").exists())
        self.assertTrue(config.exists())
        self.assertTrue((self.root / "var/lib/ocsgw/ocsgw.sqlite").exists())
