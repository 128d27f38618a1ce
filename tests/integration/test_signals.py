"""Signals at any moment of the real thing: in its first second, twice, and while it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.server import ROOT, Server, make_server

ADD = "/lists/CL_Test?req=AddRecord"
TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"


class FirstSecondTests(TestCase):
    """Signals that come before the server can do what they ask for."""

    def test_orders_do_not_end_it(self) -> None:
        """SIGHUP and SIGUSR1 in the first second leave it alive; it serves."""
        for number in (signal.SIGHUP, signal.SIGUSR1):
            for after in (0.08, 0.2, 0.35):
                server = make_server(self)
                server.spawn()
                self.wait_for_python(server)
                time.sleep(after)
                os.kill(server.pid, number)
                server.wait_until(lambda server=server: "93002" in server.log())
                self.assertNotIn("Traceback", server.log())
                self.assertEqual(server.stop(), 0)

    def test_end(self) -> None:
        """SIGTERM and SIGINT in the first second end it with status 0, and without a traceback."""
        for number in (signal.SIGTERM, signal.SIGINT):
            for after in (0.02, 0.2, 0.4):
                server = make_server(self)
                server.spawn()
                self.wait_for_python(server)
                time.sleep(after)
                os.kill(server.pid, number)
                self.assertEqual(server.wait(), 0, (number, after, server.log()))
                self.assertNotIn("Traceback", server.log())

    def test_blocked_by_the_starter(self) -> None:
        """Signals that whoever starts it has blocked work all the same."""
        server = make_server(self)
        blocked = {signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        try:
            server.spawn()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        server.wait_until(lambda: "93002" in server.log())
        server.reload()
        self.assertEqual(server.stop(), 0)

    def wait_for_python(self, server: Server) -> None:
        """Wait until the interpreter itself is up: before, nothing of ours could act on a signal."""
        mask = 1 << (signal.SIGUSR1 - 1)
        status = f"/proc/{server.pid}/status"

        def catches() -> bool:
            with open(status, encoding="ascii") as lines:
                caught = next(line for line in lines if line.startswith("SigCgt"))
            return bool(int(caught.split()[1], 16) & mask)

        server.wait_until(catches)


class SecondSignalTests(TestCase):
    """Impatient operators."""

    def test_any_moment(self) -> None:
        """A second SIGTERM or SIGINT 1 to 50 ms after the first ends with 0 and without a traceback."""
        for pause in (0.001, 0.005, 0.02, 0.05):
            server = make_server(self).start()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
                self.send(server, number)
                time.sleep(pause)
            self.assertEqual(server.wait(), 0, server.log())
            self.assertNotIn("Traceback", server.log())
            self.assertIn("OCS stopped", server.log())

    def test_faster(self) -> None:
        """A stop that waits for a client ends soon after a second signal."""
        server = make_server(self, more="[limits]\ndrain_timeout = 30\nstop_timeout = 40\n").start()
        import socket

        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(b"POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{")
            time.sleep(0.2)
            os.kill(server.pid, signal.SIGTERM)
            server.wait_until(lambda: "OCS is stopping" in server.log())
            begun = time.monotonic()
            os.kill(server.pid, signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            self.assertLess(time.monotonic() - begun, 10)
        self.assertIn("93155", server.log())
        self.assertNotIn("Traceback", server.log())

    def send(self, server: Server, number: int) -> None:
        """Send a signal to a server that may have ended, but has not been waited for."""
        os.kill(server.pid, number)


class EnvironmentTests(TestCase):
    """Where it is started, and what is taken away from it."""

    def test_pipe_without_a_reader(self) -> None:
        """A named pipe as log target does not hold the start up; whoever reads it later gets the log."""
        server = make_server(self, more='target = "log.pipe"')
        pipe = server.folder / "log.pipe"
        os.mkfifo(pipe)
        server.spawn()
        server.wait_until(lambda: list(server.folder.rglob("control.sock")))
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        text = b""

        def is_ready() -> bool:
            nonlocal text
            with contextlib.suppress(BlockingIOError):
                text += os.read(reader, 1 << 16)
            return b"93002" in text

        server.wait_until(is_ready)
        self.assertEqual(server.stop(), 0)

    def test_twistd_logfile(self) -> None:
        """`twistd --logfile=F ocsgw` as a daemon writes the log into F, and says nothing of standard output."""
        server = make_server(self)
        done = subprocess.run(
            [sys.executable, "-c", TWISTD, "--pidfile=twistd.pid", "--logfile=twistd.log", "ocsgw", "-c", "ocsgw.toml"],
            cwd=server.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        log = server.folder / "twistd.log"
        pid = self.wait_for(lambda: int((server.folder / "twistd.pid").read_text(encoding="ascii")))
        try:
            self.wait_for(lambda: "93002" in log.read_text(encoding="utf-8"))
            os.kill(pid, signal.SIGHUP)
            self.wait_for(lambda: "93013" in log.read_text(encoding="utf-8"))
        finally:
            os.kill(pid, signal.SIGTERM)
        self.wait_for(lambda: "OCS stopped" in log.read_text(encoding="utf-8"))

    def wait_for(self, get: Any) -> Any:
        """Return what `get` gives as soon as that is something."""
        end = time.monotonic() + 30
        while True:
            try:
                found = get()
            except (OSError, ValueError):
                found = None
            if found:
                return found
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
