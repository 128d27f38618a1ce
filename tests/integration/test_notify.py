"""A real start under a service manager that is played by a socket."""

import os
import select
import signal
import socket
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import PATIENCE, make_server


class NotifyTests(SynchronousTestCase):
    """sd_notify(3) from start to end."""

    def hear(self, wanted: Callable[[str], bool]) -> str:
        """Return the next message that is wanted; all are kept."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = self.manager.recv(4096).decode()
            self.heard.append(message)
            if wanted(message):
                return message
        raise AssertionError(f"heard only {self.heard[-20:]}")

    def test_life(self) -> None:
        """READY with a status when the port is open, WATCHDOG while it runs, RELOADING and READY, STOPPING; C78."""
        server = make_server(self)
        self.heard: list[str] = []
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(str(server.folder / "notify"))
        self.manager.settimeout(PATIENCE)
        environment = {"NOTIFY_SOCKET": str(server.folder / "notify"), "WATCHDOG_USEC": "400000"}
        server.spawn(environment=environment)
        ready = self.hear(lambda message: message.startswith("READY=1"))
        self.assertRegex(ready, r"^READY=1\nSTATUS=active, HTTP :[1-9]\d+ running, 0 requests$")
        server.port = int(ready.partition(":")[2].partition(" ")[0])
        self.assertTrue(server.serves())
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "6505550100"}).status, 200)
        self.hear(lambda message: message.endswith("running, 1 requests"))
        for _ in range(3):
            self.hear(lambda message: message == "WATCHDOG=1")
        # A loop that stands still does not feed the watchdog.
        os.kill(server.pid, signal.SIGSTOP)
        while select.select([self.manager], [], [], 0.2)[0]:
            self.manager.recv(4096)
        self.assertEqual(select.select([self.manager], [], [], 0.5)[0], [])
        os.kill(server.pid, signal.SIGCONT)
        self.hear(lambda message: message == "WATCHDOG=1")
        os.kill(server.pid, signal.SIGHUP)
        reloading = self.hear(lambda message: message.startswith("RELOADING=1\nMONOTONIC_USEC="))
        self.assertLess(
            abs(int(reloading.rpartition("=")[2]) / 1e6 - time.clock_gettime(time.CLOCK_MONOTONIC)), PATIENCE
        )
        self.hear(lambda message: message == "READY=1")
        self.assertEqual(server.stop(), 0)
        self.hear(lambda message: message.startswith("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC="))
