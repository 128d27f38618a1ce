"""The numbered list of README.md, each command as printed, in a prefix of its own."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.integration.server import PATIENCE, ROOT, Server, make_server
from tests.integration.wheel import built

SECTION = re.compile(r"^## Install and run it for real\n(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
READY = re.compile(r"93002 .* ready on http://127\.0\.0\.1:(\d+)")
# Folders of the system that the commands name.
PLACES = ("/opt/ocsgw", "/etc/ocsgw", "/var/lib/ocsgw", "/etc/systemd/system", "/usr/local/bin")
# What only a real system has; here it is only seen whether it is called as printed.
STUBS = ("useradd", "chown", "systemctl")


def commands() -> list[str]:
    """Return the commands of the list, in their order."""
    (section,) = SECTION.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    numbered = section[: section.rindex("```\n\nOn Debian")] + "```\n"
    return [line.strip() for block in BLOCK.findall(numbered) for line in block.splitlines()]


class InstallationTests(TestCase):
    """A machine that has never seen ocsgw."""

    timeout = 600

    def setUp(self) -> None:
        self.prefix = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.prefix, ignore_errors=True)
        self.called = self.prefix / "called"
        self.environment = {
            **os.environ,
            "PATH": f"{self.prefix}/stubs:{self.prefix}/usr/local/bin:{os.environ['PATH']}",
        }
        (self.prefix / "stubs").mkdir()
        for stub in STUBS:
            file = self.prefix / "stubs" / stub
            file.write_text(f'#!/bin/sh\necho {stub} "$@" >> {self.called}\n', encoding="utf-8")
            file.chmod(0o755)
        for place in PLACES[1:]:
            Path(f"{self.prefix}{place}").mkdir(parents=True)

    def here(self, line: str) -> str:
        """Return a command for the prefix."""
        for place in PLACES:
            line = line.replace(place, f"{self.prefix}{place}")
        return line.replace(
            f"init {self.prefix}/etc/ocsgw", f"init --state-dir {self.prefix}/var/lib/ocsgw {self.prefix}/etc/ocsgw"
        )

    def run_line(self, line: str) -> str:
        """Run one command and return what it prints."""
        done = subprocess.run(
            ["/bin/sh", "-c", self.here(line)],
            cwd=self.prefix,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> str:
        """Start what the unit says, as the service manager would, and return its port."""
        unit = (self.prefix / "etc/systemd/system/ocsgw.service").read_text(encoding="utf-8")
        (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        log = self.prefix / "log"
        with log.open("wb") as stream:
            server = subprocess.Popen(
                shlex.split(line), stdout=stream, stderr=stream, cwd=self.prefix / "var/lib/ocsgw"
            )
        self.addCleanup(server.wait, PATIENCE)
        self.addCleanup(server.send_signal, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while not (ready := READY.findall(log.read_text(encoding="utf-8"))):
            self.assertIsNone(server.poll(), log.read_text(encoding="utf-8"))
            self.assertLess(time.monotonic(), end, "not ready in time")
            time.sleep(0.02)
        return str(ready[-1])

    def test_as_printed(self) -> None:
        """Every command of the list does what it says; in the end a record is added with the key of step 2."""
        port = "8080"
        answer = ""
        for line in commands():
            if line.startswith("python3 -m venv"):
                # Dependencies are those of this environment; only the package itself is installed.
                place = Path(self.here("/opt/ocsgw"))
                venv.create(place, with_pip=True, symlinks=True)
                (site,) = place.glob("lib/python*/site-packages")
                ours = next(path for path in sys.path if path.endswith("site-packages"))
                (site / "dependencies.pth").write_text(f"{ours}\n", encoding="utf-8")
            elif line.endswith("pip install ."):
                self.run_line(line.replace("install .", f"install --no-deps --no-index --quiet {built()[1]}"))
            elif line.startswith("ocsgw init"):
                self.environment["KEY"] = self.run_line(line).strip()
                config = self.prefix / "etc/ocsgw/ocsgw.toml"
                # Another server may have the port.
                config.write_text(
                    config.read_text(encoding="utf-8").replace("port = 8080", "port = 0"), encoding="utf-8"
                )
            else:
                answer = self.run_line(line.replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
                if line.startswith("systemctl enable"):
                    port = self.start()
        self.assertIn('"GSW_USER_EVENT":"AddRecordAcknowledge"', answer)
        self.assertTrue((self.prefix / "var/lib/ocsgw/ocsgw.sqlite").exists())
        called = [line.split()[0] for line in self.called.read_text(encoding="utf-8").splitlines()]
        self.assertEqual(called, ["useradd", "chown", "systemctl", "systemctl"])
        share = Path(self.here("/opt/ocsgw")) / "share"
        for name in (
            "man/man5/ocsgw.toml.5",
            "man/man8/ocsgw.8",
            "man/man8/ocsctl.8",
            "ocsgw/ocsgw.toml",
            "ocsgw/logrotate/ocsgw",
            "ocsgw/systemd/ocsgw.service",
            "ocsgw/systemd/ocsgw@.service",
            "doc/ocsgw/README.md",
        ):
            self.assertTrue((share / name).is_file(), name)


class FirstTryTests(TestCase):
    """The supplied configuration, as `make run` serves it."""

    timeout = 120

    def test_first_try(self) -> None:
        """It starts without a warning, and GSW_RECORD_URI of the first hand-out leads back to the server."""
        server = make_server(self)
        text = (ROOT / "etc" / "ocsgw.toml").read_text(encoding="utf-8")
        # Another server may have the port.
        text = text.replace("port = 8080", "port = 0")
        server.config.write_text(text, encoding="utf-8")
        server.spawn()
        server.wait_until(lambda: READY.search(server.log()))
        self.assertNotRegex(server.log(), r"(?m)^\S+ (warning|error) ")
        server.port = int(READY.findall(server.log())[-1])
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "6505550100"}).status, 200)
        handed_out = server.post("/campaigngroups/102?req=PreviewRecordRequest").json
        uri = handed_out["GSW_RECORD_URI"]
        self.assertTrue(uri.startswith(f"http://127.0.0.1:{server.port}/records/"), uri)
        target = f"{uri.removeprefix(f'http://127.0.0.1:{server.port}')}?req=RecordProcessed"
        self.assertEqual(server.post(target, {"GSW_CALL_RESULT": 33}).status, 200)


class OtherCommandTests(TestCase):
    """Every other command of the page, as printed, beside the server of `make run`."""

    timeout = 240

    def run_line(self, server: Server, line: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command as printed, on another port and with another place for a backup."""
        line = line.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{server.port}").replace("/backup/", "./")
        line = re.sub(r"^ocsctl ", f"{sys.executable} -m ocsgw.ctl -c {server.config} ", line)
        # What goes on until Ctrl-C gets one.
        line = f"timeout --foreground --signal INT {seconds} {line}" if seconds is not None else line
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = ["/bin/sh", "-c", line]
        return subprocess.run(
            command, cwd=server.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def test_every_command(self) -> None:
        """Blocks are those of make, those with curl, with what they print, the numbered list, and those of ocsctl."""
        page = (ROOT / "README.md").read_text(encoding="utf-8")
        blocks = [block.splitlines() for block in BLOCK.findall(page)]
        make, curl, more_curl, *numbered, ocsctl = blocks
        self.assertEqual([line.strip() for block in numbered for line in block], commands())
        targets = (ROOT / "Makefile").read_text(encoding="utf-8")
        for line in make:
            self.assertRegex(targets, rf"(?m)^{line.split()[1]}: ")
        server = make_server(self)
        text = (ROOT / "etc" / "ocsgw.toml").read_text(encoding="utf-8").replace("port = 8080", "port = 0")
        server.config.write_text(text, encoding="utf-8")
        server.spawn()
        server.wait_until(lambda: READY.search(server.log()))
        server.port = int(READY.findall(server.log())[-1])
        (printed,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        answer = self.run_line(server, curl[0]).stdout
        self.assertRegex(answer, ".*".join(map(re.escape, printed.strip().split(" ... "))))
        for line in more_curl:
            self.assertIn('"GSW_USER_EVENT":', self.run_line(server, line).stdout)
            self.assertNotIn("GSW_ERROR", self.run_line(server, "ocsctl status").stdout)
        for line in ocsctl:
            endless = 3.0 if re.match(r"ocsctl (top|log)\b", line) else None
            done = self.run_line(server, line.partition("#")[0], endless)
            if line.startswith("ocsctl switchover"):
                self.assertIn("this server has no partner", done.stderr)
                continue
            self.assertIn(done.returncode, (0, 124) if endless else (0,), f"{line}\n{done.stdout}{done.stderr}")
            self.assertTrue(done.stdout or done.stderr or ">" in line, line)
