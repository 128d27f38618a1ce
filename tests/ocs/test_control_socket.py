"""The control socket: its lock, what an earlier server has left, and what others take away."""

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import TestCase

from ocsgw.control.server import Command
from ocsgw.ocs.control_socket import ControlSocket
from tests.support.logs import LogCapture


class ControlSocketTests(TestCase):
    """Real sockets in a folder."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "state" / "control.sock"
        self.lock = self.folder / "state" / "control.sock.lock"
        self.log = LogCapture(self)

    def make(self) -> ControlSocket:
        application = SimpleNamespace(control_socket=str(self.path))
        context: Any = SimpleNamespace(config=SimpleNamespace(application=application), reactor=reactor)
        control = ControlSocket(context, {"echo": Command(lambda arguments: arguments, "nothing")})
        self.addCleanup(control.stopService)
        control.startService()
        return control

    def connects(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.path))
            except OSError:
                return False
        return True

    @inlineCallbacks
    def test_life(self) -> Any:
        """Only the user of the server reaches it, whatever the umask; after the stop it is gone."""
        before = os.umask(0)
        try:
            control = self.make()
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.lock.stat().st_mode), 0o600)
        self.assertTrue(self.connects())
        yield control.stopService()
        self.assertFalse(self.path.exists())

    @inlineCallbacks
    def test_left_behind(self) -> Any:
        """What a loss of power leaves keeps nobody out: an old socket, a lock file with another's process id."""
        for at, old in enumerate((str(os.getpid()), "1", "nonsense")):
            self.path.parent.mkdir(exist_ok=True)
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(self.path))
            self.lock.unlink(missing_ok=True)
            if at % 2:
                self.lock.write_text(old, encoding="ascii")
            else:
                # The form of earlier versions.
                self.lock.symlink_to(old)
            control = self.make()
            self.assertTrue(self.connects())
            self.assertEqual(self.lock.read_text(encoding="ascii"), f"{os.getpid()}\n")
            yield control.stopService()
        self.assertEqual(self.log.numbers(), [])

    @inlineCallbacks
    def test_another_server(self) -> Any:
        """A second server says which process has the socket, once, leaves it alone, and gets it when it is free."""
        first = self.make()
        second = self.make()
        second._look()
        self.assertEqual(self.log.numbers(), [93036])
        self.assertIn(f"another OCS, process {os.getpid()}", self.log.text(93036))
        self.assertTrue(self.connects())
        yield first.stopService()
        second._look()
        self.assertTrue(self.connects())

    @inlineCallbacks
    def test_removed(self) -> Any:
        """A socket, a lock file or the whole folder that a cleaner removes is made again, and that is logged."""
        control = self.make()
        for remove in (self.path.unlink, self.lock.unlink, lambda: shutil.rmtree(self.path.parent)):
            remove()
            yield control._look()
            self.assertTrue(self.connects())
            self.assertTrue(self.lock.exists())
        self.assertEqual(self.log.numbers(), [93153] * 3)
        yield control._look()
        self.assertEqual(len(self.log.numbers()), 3)

    def test_something_else_in_the_way(self) -> None:
        """A file that is not a socket is not removed; the log says what is wrong."""
        self.path.parent.mkdir()
        self.path.write_text("precious", encoding="ascii")
        self.make()
        self.assertEqual(self.path.read_text(encoding="ascii"), "precious")
        self.assertEqual(self.log.numbers(), [93036])
