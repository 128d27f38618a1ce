"""Several proxies on one port, and proxies that take the place of others, with real processes under load.

`make soak` does ten times as many renewals (OCSGW_RENEWALS).
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from twisted.trial.unittest import TestCase

from tests.integration.server import PATIENCE, ROOT, Server, is_alive, make_server

RENEWALS = int(os.environ.get("OCSGW_RENEWALS", "3"))
ADD = "/lists/CL_Test?req=AddRecord"


class Load(threading.Thread):
    """A client that sends without a pause, on one connection after another or on one as long as the server lets it."""

    def __init__(self, port: int, *, keep_alive: bool) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._keep_alive = keep_alive
        self._over = threading.Event()
        self.answered = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Send until told to stop; every answer but 200 and every broken connection is a failure."""
        connection: http.client.HTTPConnection | None = None
        while not self._over.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
                connection.request("POST", ADD, json.dumps({"GSW_PHONE": "1"}))
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection = None
                continue
            self.answered += 1
            if response.status != 200:
                self.failures.append(str(response.status))
            if not self._keep_alive or response.getheader("Connection") == "close":
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def finish(self) -> None:
        """Stop."""
        self._over.set()
        self.join(PATIENCE)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def ocsctl(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
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


class WorkersTestCase(TestCase):
    """A test of a server with load on it."""

    def load(self, server: Server, clients: int = 4) -> list[Load]:
        loads = [Load(server.port, keep_alive=at % 2 == 0) for at in range(clients)]
        for each in loads:
            self.addCleanup(each.finish)
            each.start()
        server.wait_until(lambda: all(each.answered for each in loads))
        return loads

    def assert_no_failure(self, server: Server, loads: list[Load]) -> None:
        for each in loads:
            each.finish()
        self.assertEqual([failure for each in loads for failure in each.failures], [])
        self.assertEqual(server.stop(), 0)
        stored = server.rows("SELECT count(*) FROM CL_Test")[0][0]
        self.assertEqual(stored, sum(each.answered for each in loads))
        self.assertNotIn("Traceback", server.log())

    def proxies(self, server: Server) -> dict[str, tuple[str, int, int]]:
        """Return state, process id and number of starts by the name of the proxy."""
        shown = json.loads(ocsctl(server, "status", "--json").stdout)
        return {each["name"]: (each["state"], each["pid"], each["starts"]) for each in shown["proxies"]}


class RenewalTests(WorkersTestCase):
    """`ocsctl proxy restart`."""

    def test_no_request_fails(self) -> None:
        """R33: while proxies replace one another under load, every request is answered and stored, none twice."""
        server = make_server(self).start()
        loads = self.load(server)
        children = [server.child_pid]
        for _ in range(RENEWALS):
            done = ocsctl(server, "proxy", "restart")
            self.assertEqual(done.returncode, 0, done.stderr)
            children.append(server.child_pid)
            self.assertIn(f"process {children[-1]} serves in place of {children[-2]}", done.stdout)
        server.wait_until(lambda: not any(is_alive(child) for child in children[:-1]))
        self.assertEqual(self.proxies(server), {"default": ("running", children[-1], RENEWALS + 1)})
        self.assert_no_failure(server, loads)

    def test_another_port(self) -> None:
        """R32, R33: after a reload a restart moves to the new port; the old one serves until the new one is open."""
        server = make_server(self).start()
        child = server.child_pid
        loads = self.load(server, 2)
        server.port = free_port()
        server.configure()
        self.assertEqual(ocsctl(server, "reload").returncode, 0)
        self.assertFalse(server.serves())
        done = ocsctl(server, "proxy", "restart", "default")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "2"}).status, 200)
        server.wait_until(lambda: not is_alive(child))
        for each in loads:
            each.finish()
            # Now the old port is closed: new connections to it are refused, or reset if they came as it closed.
            self.assertEqual({text for text in each.failures if "refused" not in text and "reset" not in text}, set())
        # Nobody who had been accepted was cut off: what is stored was acknowledged, one record by ourselves.
        stored = server.rows("SELECT count(*) FROM CL_Test")[0][0]
        self.assertEqual(stored, sum(each.answered for each in loads) + 1)

    def test_another_interface(self) -> None:
        """R33: a restart moves to another interface with the same port; nobody is refused meanwhile."""
        server = make_server(self, listener="allow_anonymous = true").start()
        loads = self.load(server, 2)
        text = server.config.read_text(encoding="utf-8")
        server.config.write_text(text.replace('interface = "127.0.0.1"', 'interface = "0.0.0.0"'), encoding="utf-8")
        child = server.child_pid
        self.assertEqual(ocsctl(server, "reload").returncode, 0)
        done = ocsctl(server, "proxy", "restart")
        self.assertEqual(done.returncode, 0, done.stderr)
        server.wait_until(lambda: not is_alive(child))
        with socket.create_connection(("127.0.0.2", server.port), timeout=PATIENCE) as connection:
            self.assertEqual(connection.getpeername()[0], "127.0.0.2")
        for each in loads:
            each.finish()
            self.assertEqual({text for text in each.failures if "reset" not in text}, set())

    def test_it_goes_wrong(self) -> None:
        """R24, C76: if the new proxy cannot serve, the command says why with status 1, and the old one goes on."""
        server = make_server(self).start()
        loads = self.load(server, 2)
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            server.port = holder.getsockname()[1]
            server.configure()
            self.assertEqual(ocsctl(server, "reload").returncode, 0)
            done = ocsctl(server, "proxy", "restart")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"in use by process {os.getpid()}", done.stderr)
        self.assertIn("the running HTTP Proxy goes on", done.stderr)
        self.assert_no_failure(server, loads)


class SeveralTests(WorkersTestCase):
    """`workers = 2`."""

    def make(self) -> Server:
        server = make_server(self, listener="workers = 2", reconnect="500ms")
        server.port = free_port()
        server.configure()
        server.start()
        server.wait_until(lambda: server.log().count("93002") == 2)
        return server

    def test_one_dies(self) -> None:
        """R25: of two proxies that share a port one is killed: the other serves, and one comes after the timeout."""
        server = self.make()
        before = self.proxies(server)
        self.assertEqual(sorted(before), ["default/1", "default/2"])
        victim, survivor = before["default/1"][1], before["default/2"][1]
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        server.wait_until(lambda: not is_alive(victim))
        for _ in range(20):
            self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)
        server.wait_until(lambda: server.log().count("93002") == 3)
        self.assertGreaterEqual(time.monotonic() - killed, 0.5)
        after = self.proxies(server)
        self.assertEqual((after["default/1"][0], after["default/1"][2]), ("running", 2))
        self.assertEqual(after["default/2"], ("running", survivor, 1))

    def test_renewal(self) -> None:
        """R33: several proxies are replaced one after another under load, and no request fails."""
        server = self.make()
        loads = self.load(server)
        before = {pid for _, pid, _ in self.proxies(server).values()}
        done = ocsctl(server, "proxy", "restart")
        self.assertEqual((done.returncode, done.stdout.count("serves in place of")), (0, 2), done.stderr)
        self.assertTrue(before.isdisjoint({pid for _, pid, _ in self.proxies(server).values()}))
        self.assert_no_failure(server, loads)

    def test_stranger(self) -> None:
        """R24: a port that another program holds is refused, even if that program would share it."""
        server = make_server(self, listener="workers = 2")
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            stranger.bind(("127.0.0.1", 0))
            stranger.listen()
            server.port = stranger.getsockname()[1]
            server.configure()
            server.spawn()
            server.wait_until(lambda: server.log().count("93003") >= 4)
            self.assertNotIn("93002", server.log())
            self.assertIn(f"in use by process {os.getpid()}", server.log())
        server.wait_until(lambda: server.log().count("93002") == 2)
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)
