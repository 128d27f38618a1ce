"""What an operator and a monitoring system are shown of a server in good and bad days."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.server import PATIENCE, ROOT, Server, make_server

FURTHER_LIST = """
[[calling_list]]
dbid = 299
name = "Late"
table = "late"
field = [ {{ name = "added", type = "varchar", length = 64, send_attribute = "Added" }} ]
"""


class StatusTests(TestCase):
    """`ocsctl status --check`, `ocsctl reload`."""

    def ocsctl(self, server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `ocsctl` as an operator does."""
        return subprocess.run(
            [sys.executable, "-m", "ocsgw.ctl", "--config", str(server.config), *arguments],
            cwd=server.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def server_on_a_fixed_port(self) -> Server:
        """Return a running server whose proxy was started with the port that is configured."""
        server = make_server(self).start()
        server.stop()
        return server.start()

    def check(self, server: Server, *before: str) -> tuple[int, str]:
        """Return what monitoring sees."""
        done = self.ocsctl(server, *before, "status", "--check")
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.strip()

    def shown(self, server: Server) -> dict[str, Any]:
        """Return the status as programs see it."""
        found: dict[str, Any] = json.loads(self.ocsctl(server, "status", "--json").stdout)
        return found

    def test_health(self) -> None:
        """Good while it serves; down without a proxy, while it is frozen, and when it is gone."""
        server = make_server(self, reconnect="60s").start()
        self.assertEqual(self.check(server), (0, "good"))
        self.assertEqual((self.shown(server)["state"], self.shown(server)["health"]), ("active", "good"))
        os.kill(server.pid, signal.SIGSTOP)
        try:
            status, text = self.check(server, "--timeout", "1")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        self.assertEqual(status, 2)
        self.assertIn("has not answered status within 1 s", text)
        os.kill(server.child_pid, signal.SIGKILL)
        server.wait_until(lambda: "93004" in server.log())
        status, text = self.check(server)
        self.assertEqual((status, text.partition(";")[0]), (2, "down: no HTTP Proxy is running"))
        server.stop()
        status, text = self.check(server)
        self.assertEqual(status, 2)
        self.assertIn("is the server running", text)

    def test_closed_list(self) -> None:
        """A list that a reload cannot open is degraded health; the exact SQL is printed, and mends it."""
        server = self.server_on_a_fixed_port()
        with closing(sqlite3.connect(server.folder / "var" / "ocsgw.sqlite")) as connection:
            connection.execute("CREATE TABLE late AS SELECT * FROM CL_CALLBACK")
            for column in ("state", "last_name", "first_name", "client_id", "var_005"):
                connection.execute(f"ALTER TABLE late DROP COLUMN {column}")
            connection.commit()
        text = server.config.read_text(encoding="utf-8") + FURTHER_LIST.replace("{{", "{").replace("}}", "}")
        server.config.write_text(text, encoding="utf-8")
        done = self.ocsctl(server, "reload")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        statement = "ALTER TABLE late ADD COLUMN added VARCHAR(64);"
        self.assertIn(statement, done.stdout)
        self.assertIn("calling list Late is closed", done.stdout)
        status, text = self.check(server)
        self.assertEqual(status, 1)
        self.assertIn("degraded: calling list Late is closed", text)
        self.assertEqual([each["name"] for each in self.shown(server)["closed_lists"]], ["Late"])
        with closing(sqlite3.connect(server.folder / "var" / "ocsgw.sqlite")) as connection:
            connection.execute(statement)
            connection.commit()
        self.assertEqual(self.ocsctl(server, "reload").stdout, "configuration reloaded\n")
        self.assertEqual(self.check(server), (0, "good"))

    def test_what_is_left_to_do(self) -> None:
        """What waits is compared with what runs, not with the file before, and shown again at the next reload."""
        server = self.server_on_a_fixed_port()
        port = server.port
        server.port = port + 1 if port < 65535 else port - 1
        server.configure(more='target = "other.log"')
        for _ in range(2):
            done = self.ocsctl(server, "reload")
            self.assertEqual(
                done.stdout.splitlines(),
                [
                    "configuration reloaded",
                    "[log] target has changed; it takes effect with the next start of the server",
                    "listener default has changed; its HTTP proxies use it after: ocsctl proxy restart default",
                ],
            )
        server.port = port
        server.configure(more="")
        self.assertEqual(self.ocsctl(server, "reload").stdout, "configuration reloaded\n")

    def test_errors_of_the_configuration(self) -> None:
        """Whatever is wrong with the configuration, the status of a refused reload is 78; health names the reason."""
        server = make_server(self).start()
        broken = server.folder / "broken.pem"
        broken.write_text("nonsense", encoding="ascii")
        broken.chmod(0o600)
        good = server.config.read_text(encoding="utf-8")
        tls = f'[listener.tls]\ncertificate = "{broken}"\ncertificate_key = "{broken}"\n[store]'
        for text in (good.replace("[store]", tls, 1), good.replace("[store]", "nonsense = 1\n[store]", 1)):
            server.config.write_text(text, encoding="utf-8")
            done = self.ocsctl(server, "reload")
            self.assertEqual((done.returncode, done.stdout), (78, ""), done.stderr)
        server.config.write_text(good, encoding="utf-8")
        self.assertEqual(self.ocsctl(server, "reload").returncode, 0)
        self.assertEqual(self.check(server), (0, "good"))
