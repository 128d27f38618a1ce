"""`make deb-check`: the Debian package in a clean root: installed, started as its unit says, upgraded, removed, purged.

The root is made by mmdebstrap from what apt is configured to use, with nothing but the essential packages and what the
package depends on. Needs root, for the root folder and for a mount of its own. Fails with status 1 at the first thing
that is not as it should be.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.integration.server import PATIENCE, ROOT
from tests.integration.wheel import copy_sources

_READY = re.compile(r"93002 .* ready on (http://127\.0\.0\.1:\d+)")
_FIRST, _SECOND = "0.1", "0.2"
_CONFIG = "etc/ocsgw/ocsgw.toml"
# What a system has and a root without one lacks; processes and mounts in it end with the command.
_ENTER = (
    "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
    'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"',
)  # fmt: skip


class FailedError(Exception):
    """Something is not as it should be."""


def main() -> int:
    """Make the root and go through the life of the package; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="archive of the clean root, made when it is not there")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-chroot-"))
    try:
        _Life(folder, arguments.base).run()
    except FailedError as error:
        print(error)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("the package installs, serves, upgrades, goes and is purged in a clean root")
    return 0


class _Life:
    def __init__(self, folder: Path, base: Path) -> None:
        self._folder = folder
        self._base = base
        self._root = folder / "root"
        # Compiled parts that OCS had loaded when it ran last.
        self._parts: set[str] = set()

    def run(self) -> None:
        """Everything, in order."""
        self._make_root()
        # As where the first one was built there was no compiler.
        packages = [self._package(_FIRST, CC="false"), self._package(_SECOND)]
        said = self._inside("dpkg", "--install", packages[0])
        _expect("begin with: ocsgw init /etc/ocsgw" in said, f"dpkg does not say how to begin:\n{said}")
        self._expect_parts("WITHOUT compiled parts")
        self._inside("sh", "-c", "test -s /opt/ocsgw/lib/python3*/site-packages/twisted/plugins/dropin.cache")
        for file in ("bash-completion/completions/ocsctl", "fish/vendor_completions.d/ocsctl.fish",
                     "zsh/vendor-completions/_ocsctl"):  # fmt: skip
            self._inside("test", "-s", f"/usr/share/{file}")
        key = self._begin()
        _expect(self._add_record(key) == 1, "the first record is not the first one")
        _expect(not self._parts, f"compiled parts that nobody has compiled: {self._parts}")
        before = (self._root / _CONFIG).read_text(encoding="utf-8")
        self._inside("dpkg", "--install", packages[1])
        _expect((self._root / _CONFIG).read_text(encoding="utf-8") == before, "an upgrade changes the configuration")
        self._expect_parts("compiled parts in use")
        _expect(self._add_record(key) == 2, "the records are not those from before the upgrade")
        _expect("back" in self._parts, f"OCS has loaded these compiled parts: {self._parts}")
        self._inside("dpkg", "--remove", "ocsgw")
        _expect(not (self._root / "opt/ocsgw").exists(), "a removal leaves files in /opt/ocsgw")
        _expect(not (self._root / "usr/lib/systemd/system/ocsgw.service").exists(), "a removal leaves the unit")
        self._inside("dpkg", "--purge", "ocsgw")
        for kept in (_CONFIG, "var/lib/ocsgw/ocsgw.sqlite"):
            _expect((self._root / kept).exists(), f"a purge removes {kept}")
        left = self._inside("dpkg-query", "--list", "ocsgw", status=1)
        _expect("no packages found" in left, f"dpkg still knows the package:\n{left}")

    def _make_root(self) -> None:
        if not self._base.exists():
            self._base.parent.mkdir(parents=True, exist_ok=True)
            suite = _run("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME").strip()
            _run("mmdebstrap", "--variant=minbase", "--include=python3,logrotate", suite, self._base)
        self._root.mkdir()
        _run("tar", "--extract", "--file", self._base, "--directory", self._root)

    def _package(self, version: str, **variables: str) -> str:
        """Build the package as `make deb` does, under a version, of a new checkout; return where the root has it."""
        source = self._folder / version
        copy_sources(source)
        script = ROOT / "packaging/deb/build.py"
        words = (sys.executable, script, "--source", source, "--version", version, "--level", "0", self._folder)
        built = Path(_run(*words, variables=variables).splitlines()[0])
        architecture = self._inside("dpkg", "--print-architecture").strip()
        _expect(built.name == f"ocsgw_{version}_{architecture}.deb", f"the package is called {built.name}")
        shutil.copy(built, self._root / "tmp")
        return f"/tmp/{built.name}"

    def _expect_parts(self, wanted: str) -> None:
        said = self._inside("ocsgw", "--version")
        _expect(said.startswith("ocsgw 0") and wanted in said, f"not {wanted!r}, but:\n{said}")

    def _begin(self) -> str:
        """Write a first configuration as the package says; return the key."""
        done = subprocess.run(
            [*_ENTER, self._root, "ocsgw", "init", "/etc/ocsgw"], capture_output=True, text=True, check=False
        )
        _expect(done.returncode == 0, done.stderr)
        _expect("install -m" not in done.stderr, "ocsgw init asks to install a unit that the package has")
        (owner,) = re.findall(r"^ *(chown .*)$", done.stderr, re.MULTILINE)
        self._inside(*shlex.split(owner))
        config = self._root / _CONFIG
        # Another server may have the port.
        config.write_text(config.read_text(encoding="utf-8").replace("port = 8080", "port = 0"), encoding="utf-8")
        self._inside("logrotate", "--debug", "/etc/logrotate.d/ocsgw")
        return done.stdout.strip()

    def _add_record(self, key: str) -> int:
        """Start what the unit says, as the user whom it names; return the chain of a new record."""
        unit = (self._root / "usr/lib/systemd/system/ocsgw.service").read_text(encoding="utf-8")
        (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        (user,) = re.findall(r"^User=(.*)$", unit, re.MULTILINE)
        (place,) = re.findall(r"^WorkingDirectory=(.*)$", unit, re.MULTILINE)
        as_user = f"cd {place} && umask 0077 && exec setpriv --reuid {user} --regid {user} --clear-groups {command}"
        log = self._folder / "log"
        with log.open("wb") as stream:
            server = subprocess.Popen([*_ENTER, self._root, "sh", "-c", as_user], stdout=stream, stderr=stream)
        try:
            end = time.monotonic() + PATIENCE
            while not (ready := _READY.findall(log.read_text(encoding="utf-8"))):
                said = log.read_text(encoding="utf-8")
                _expect(server.poll() is None and time.monotonic() < end, f"it is not ready:\n{said}")
                time.sleep(0.05)
            request = urllib.request.Request(
                f"{ready[-1]}/lists/Customers?req=AddRecord",
                b'{"GSW_PHONE":"6505550100"}',
                {"Authorization": f"Bearer {key}"},
            )
            child = _child_of(server.pid)
            self._parts = set(re.findall(r"speedups/(\w+)\.", Path(f"/proc/{child}/maps").read_text(encoding="utf-8")))
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return int(json.load(answer)["GSW_CHAIN_ID"])
        finally:
            os.kill(_child_of(server.pid), signal.SIGTERM)
            _expect(server.wait(PATIENCE) == 0, f"it does not stop as asked:\n{log.read_text(encoding='utf-8')}")

    def _inside(self, *command: str, status: int = 0) -> str:
        return _run(*_ENTER, self._root, *command, status=status)


def _run(*command: object, status: int = 0, variables: Mapping[str, str] | None = None) -> str:
    """Run a command to its end, with further environment variables; return what it says."""
    words, environment = [str(word) for word in command], {**os.environ, **(variables or {})}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=1200, env=environment)
    said = done.stdout + done.stderr
    _expect(done.returncode == status, f"{words} ended with {done.returncode}:\n{said}")
    return said


def _child_of(pid: int) -> int:
    """Return the process that has been started as the unit says; it has taken the place of every command before it."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(child)


def _expect(is_so: bool, problem: str) -> None:
    if not is_so:
        raise FailedError(problem)


if __name__ == "__main__":
    sys.exit(main())
