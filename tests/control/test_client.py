"""The connection of `ocsctl` to a server."""

import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.control.client import ControlClient, UnreachableError
from ocsgw.control.errors import CommandError
from ocsgw.control.wire import FRAME_LIMIT, ControlReply, decode_request, encode
from ocsgw.protocol.frames import FrameDecoder, frame


class ClientTests(SynchronousTestCase):
    """A client and the other end of its socket."""

    def setUp(self) -> None:
        # Not the folder of the test: the path of a UNIX socket is limited.
        folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, folder)
        self.path = str(folder / "control.sock")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        self.client = ControlClient(self.path)
        self.addCleanup(self.client.close)
        self.server, _ = listener.accept()
        self.addCleanup(self.server.close)

    def error(self) -> CommandError:
        """Return the error of the next result."""
        error: CommandError = self.assertRaises(CommandError, self.client.receive)
        return error

    def test_several_at_once(self) -> None:
        """Commands may be sent ahead; replies that come together are given one by one, in order."""
        self.client.send("first", a=1)
        self.client.send("second")
        payloads = list(FrameDecoder(FRAME_LIMIT).feed(self.server.recv(65536)))
        self.assertEqual([decode_request(each).command for each in payloads], ["first", "second"])
        self.server.sendall(encode(ControlReply("one")) + encode(ControlReply("two")))
        self.assertEqual([self.client.receive(), self.client.receive()], ["one", "two"])

    def test_refused(self) -> None:
        """The server's reason is the error, with status 1."""
        self.server.sendall(encode(ControlReply(error="not today")))
        error = self.error()
        self.assertEqual((str(error), error.status), ("not today", 1))

    def test_end_of_the_server(self) -> None:
        """A server that goes away is unavailable (exit status 69), when sending too."""
        self.server.close()
        self.assertEqual(self.error().status, 69)
        error: CommandError = self.assertRaises(CommandError, self.client.call, "status", text="x" * 1_000_000)
        self.assertEqual(error.status, 69)

    def test_another_protocol(self) -> None:
        """What is no reply is told as such."""
        self.server.sendall(frame(b"\xc1"))
        self.assertIn("does not know", str(self.error()))

    def test_frozen_server(self) -> None:
        """A server that does not answer is given up after a while, in words, and the store is left alone."""
        with ControlClient(self.path, 0.05) as client:
            error: CommandError = self.assertRaises(CommandError, client.call, "status")
        self.assertIn("has not answered for 0.05 s", str(error))
        self.assertEqual(error.status, 69)
        self.assertNotIsInstance(error, UnreachableError)

    def test_nobody_there(self) -> None:
        """Without a server the error says what to look at."""
        error: UnreachableError = self.assertRaises(UnreachableError, ControlClient, self.path + "x")
        self.assertIn("is the server running", str(error))
