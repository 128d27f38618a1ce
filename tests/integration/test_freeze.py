"""A process that is stopped is as bad as a dead one: noticed by the heartbeat, ended, replaced (P88 to P90).

`make test` runs with a short heartbeat, `make soak` with the default of three seconds (OCSGW_HEARTBEAT).
"""

import os
import signal
import socket
import threading
import time

from twisted.trial.unittest import TestCase

from tests.integration.server import PATIENCE, Server, is_alive, make_server

INTERVAL = float(os.environ.get("OCSGW_HEARTBEAT", "1"))
# What a loaded machine may add.
_MARGIN = 1.0
_LONGEST_WAIT = 10.0
_ADD = b'POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{"GSW_PHONE":"1"}'


class Waiting(threading.Thread):
    """A client that sends bytes on a connection and takes everything that comes until the end of the connection."""

    def __init__(self, port: int, data: bytes, *, first: bytes = b"") -> None:
        super().__init__(daemon=True)
        self._data = data
        self.received = b""
        self.waited = 0.0
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        if first:
            self.connection.sendall(first)
            self.received = self.connection.recv(65536)

    def run(self) -> None:
        """Send, then read to the end."""
        began = time.monotonic()
        with self.connection:
            try:
                self.connection.sendall(self._data)
                while piece := self.connection.recv(65536):
                    self.received += piece
            except ConnectionError:
                pass
        self.waited = time.monotonic() - began

    @property
    def statuses(self) -> list[int]:
        """The status codes of the answers."""
        return [int(part[:3]) for part in self.received.split(b"HTTP/1.1 ")[1:]]


class FreezeTests(TestCase):
    """SIGSTOP for one of the two processes, with clients on all kinds of connections."""

    def make(self) -> Server:
        server = make_server(self, reconnect="300ms", more=f'[limits]\nheartbeat = "{INTERVAL * 1000:g}ms"')
        return server.start()

    def freeze(self, pid: int) -> float:
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(_go_on, pid)
        return time.monotonic()

    def test_frozen_child(self) -> None:
        """P88: a stopped child is killed within three intervals, its connections end with it, another one serves."""
        server = self.make()
        child = server.child_pid
        idle = Waiting(server.port, b"", first=_ADD)
        asking = Waiting(server.port, _ADD, first=_ADD)
        frozen = self.freeze(child)
        late = Waiting(server.port, _ADD)
        clients = (idle, asking, late)
        for client in clients:
            client.start()
        server.wait_until(lambda: not is_alive(child))
        self.assertLess(time.monotonic() - frozen, 3 * INTERVAL + _MARGIN)
        for client in clients:
            client.join(PATIENCE)
            self.assertLess(client.waited, _LONGEST_WAIT)
        self.assertEqual([client.statuses for client in clients], [[200], [200], []])
        server.wait_until(lambda: server.child_pid != child and server.serves())
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "2"}).status, 200)
        self.assertIn("93006", server.log())
        self.assertIn("does not answer and is killed", server.log())
        self.assertIn("signal 9; next start in 0.3 s", server.log())

    def test_frozen_parent(self) -> None:
        """P89: the child of a stopped OCS answers 504 what it handed over, closes its port and leaves within 1 s."""
        server = self.make()
        child = server.child_pid
        idle = Waiting(server.port, b"", first=_ADD)
        asking = Waiting(server.port, _ADD, first=_ADD)
        pipelining = Waiting(server.port, _ADD * 3, first=_ADD)
        half = Waiting(server.port, _ADD[:-5])
        frozen = self.freeze(server.pid)
        clients = (idle, asking, pipelining, half)
        for client in clients:
            client.start()
        server.wait_until(lambda: not is_alive(child))
        gone = time.monotonic() - frozen
        self.assertLess(gone, 3 * INTERVAL + 1 + _MARGIN)
        for client in clients:
            client.join(PATIENCE)
            self.assertLess(client.waited, _LONGEST_WAIT)
        self.assertEqual(asking.statuses, [200, 504])
        self.assertEqual(pipelining.statuses, [200, 504, 504, 504])
        self.assertEqual((idle.statuses, half.statuses), ([200], []))
        self.assertFalse(server.serves())
        os.kill(server.pid, signal.SIGCONT)
        server.wait_until(lambda: server.child_pid != child and server.serves())
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "2"}).status, 200)
        self.assertIn("status 75; next start in 0.3 s", server.log())

    def test_short_freeze_of_the_parent(self) -> None:
        """P88: an OCS that was stopped for less than the limit goes on with the same child and answers everything."""
        server = self.make()
        child = server.child_pid
        asking = Waiting(server.port, _ADD.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        self.freeze(server.pid)
        asking.start()
        time.sleep(INTERVAL / 2)
        os.kill(server.pid, signal.SIGCONT)
        asking.join(PATIENCE)
        self.assertEqual(asking.statuses, [200])
        time.sleep(2 * INTERVAL)
        self.assertTrue(is_alive(child))
        self.assertEqual(server.child_pid, child)


def _go_on(pid: int) -> None:
    if is_alive(pid):
        os.kill(pid, signal.SIGCONT)
