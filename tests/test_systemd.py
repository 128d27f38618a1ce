"""The protocol of the service manager, on real datagram sockets, and the supplied units."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.systemd import ServiceManager, is_journal

UNITS = Path(__file__).parents[1] / "etc" / "systemd"
# What a user of the units can rely on, with the rule or the reason.
DIRECTIVES = {
    "Type": "notify",
    "KillMode": "mixed",
    "RestartPreventExitStatus": "78",
    "Restart": "always",
    "LogsDirectory": "ocsgw",
    "User": "ocsgw",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "RestrictNamespaces": "yes",
    "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE",
}


class ServiceManagerTests(SynchronousTestCase):
    """What goes over the socket."""

    def listen(self, address: str) -> socket.socket:
        """Return a socket that plays the manager at an address as systemd writes it."""
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        manager.settimeout(5)
        return manager

    def test_states(self) -> None:
        """sd_notify(3): the states of one call are one datagram, one to a line; both kinds of address work."""
        folder = tempfile.mkdtemp(prefix="ocsgw-")
        self.addCleanup(shutil.rmtree, folder)
        for address in (f"{folder}/notify", f"@ocsgw-test-{os.getpid()}"):
            manager = self.listen(address)
            ServiceManager({"NOTIFY_SOCKET": address}, 1).tell(READY=1, STATUS="primary, né")
            self.assertEqual(manager.recv(4096).decode(), "READY=1\nSTATUS=primary, né")

    def test_nobody_listens(self) -> None:
        """Without a manager, with one that is gone, or with an address that is none, nothing happens."""
        for environment in ({}, {"NOTIFY_SOCKET": "/does/not/exist"}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
            manager = ServiceManager(environment, 1)
            manager.tell(READY=1)
            self.assertIsNone(manager.watchdog)

    def test_full_queue(self) -> None:
        """A manager that reads nothing is not waited for."""
        address = f"@ocsgw-test-full-{os.getpid()}"
        manager = self.listen(address)
        for _ in range(2000):
            ServiceManager({"NOTIFY_SOCKET": address}, 1).tell(WATCHDOG=1)
        self.assertEqual(manager.recv(64), b"WATCHDOG=1")

    def test_watchdog(self) -> None:
        """sd_watchdog_enabled(3): the time counts for the process that is meant, and for any if none is named."""
        for environment, seconds in (
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
            ({"WATCHDOG_USEC": "500000"}, 0.5),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
            ({"WATCHDOG_PID": "7"}, None),
        ):
            self.assertEqual(ServiceManager(environment, 7).watchdog, seconds, environment)

    def test_journal(self) -> None:
        """systemd.exec(5): a descriptor is the journal if JOURNAL_STREAM has its device and inode."""
        reader, writer = os.pipe()
        status = os.fstat(writer)
        environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        self.assertTrue(is_journal(writer, environment))
        self.assertFalse(is_journal(writer, {}))
        os.close(reader)
        os.close(writer)
        self.assertFalse(is_journal(writer, environment))


class UnitTests(SynchronousTestCase):
    """The supplied units."""

    def test_directives(self) -> None:
        """C78: both units say how the server is started, stopped, watched and confined, and say the same."""
        texts = {path.name: path.read_text(encoding="utf-8") for path in UNITS.iterdir()}
        self.assertEqual(set(texts), {"ocsgw.service", "ocsgw@.service"})
        for name, text in texts.items():
            settings = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
            self.assertEqual({key: settings.get(key) for key in DIRECTIVES}, DIRECTIVES, name)
            self.assertEqual(settings["ExecReload"], "/bin/kill -HUP $MAINPID")
            self.assertGreater(int(settings["WatchdogSec"]), 0)
        same = [[line for line in text.split("\n") if "=" in line and "%i" not in line] for text in texts.values()]
        self.assertEqual(len(set(same[0]) ^ set(same[1])), 4)
        self.assertIn("StateDirectory=ocsgw\n", texts["ocsgw.service"])
        self.assertIn("StateDirectory=ocsgw/%i\n", texts["ocsgw@.service"])
        self.assertIn("--config /etc/ocsgw/%i.toml\n", texts["ocsgw@.service"])

    def test_exposure(self) -> None:
        """Where systemd can judge it, the confinement is rated 1.5 or better."""
        analyze = shutil.which("systemd-analyze")
        for unit in sorted(UNITS.iterdir()) if analyze is not None else ():
            command = [str(analyze), "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)
