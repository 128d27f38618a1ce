"""The connection of `ocsctl` to a server."""

import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.control.client import ControlClient
from ocsgw.control.errors import (
    ControlError,
    InvalidConfigurationError,
    LostError,
    MismatchError,
    NoAnswerError,
    RefusedError,
    UnreachableError,
)
from ocsgw.control.wire import FRAME_LIMIT, ControlReply, decode_request, encode
from ocsgw.protocol.frames import FrameDecoder, frame


class ClientTests(SynchronousTestCase):
    """A client and the other end of its socket."""

    def setUp(self) -> None:
        # Not the folder of the test: the path of a UNIX socket is limited.
        folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, folder)
        self.path = str(folder / "control.sock")
        listener = self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        self.client = ControlClient(self.path)
        self.addCleanup(self.client.close)
        self.server, _ = listener.accept()
        self.addCleanup(self.server.close)

    def error(self) -> ControlError:
        """Return the error of the next result."""
        error: ControlError = self.assertRaises(ControlError, self.client.receive)
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
        """The server's reason is the error."""
        self.server.sendall(encode(ControlReply(error="not today")))
        error = self.error()
        self.assertIsInstance(error, RefusedError)
        self.assertEqual(str(error), "not today")

    def test_invalid_configuration(self) -> None:
        """Errors of the configuration have a class of their own."""
        self.server.sendall(encode(ControlReply(error="line 1", is_configuration=True)))
        self.assertIsInstance(self.error(), InvalidConfigurationError)

    def test_end_of_the_server(self) -> None:
        """A server that goes away is reported, when sending too, with the command that has no answer."""
        self.client.send("status")
        self.server.close()
        error = self.error()
        self.assertIsInstance(error, LostError)
        self.assertIn("before it answered status", str(error))
        self.assertRaises(LostError, self.client.call, "status", text="x" * 1_000_000)

    def test_another_protocol(self) -> None:
        """What is no reply is reported as such."""
        self.server.sendall(frame(b"\xc1"))
        error = self.error()
        self.assertIsInstance(error, MismatchError)
        self.assertIn("does not know", str(error))

    def test_frozen_server(self) -> None:
        """A server that does not answer is given up after a while, in words, and the store is left alone."""
        with ControlClient(self.path, 0.05) as client:
            error: NoAnswerError = self.assertRaises(NoAnswerError, client.call, "status")
        self.assertIn("has not answered status within 0.05 s", str(error))

    def test_command_that_takes_its_time(self) -> None:
        """While the server gives signs of life the user is shown, once, what it waits for; the result comes then."""
        times = iter((0.0, 1.0, 3.0, 4.0))
        reports: list[str] = []
        with ControlClient(self.path, 60.0, reports.append, clock=lambda: next(times)) as client:
            server, _ = self.listener.accept()
            self.addCleanup(server.close)
            client.send("reload")
            for _ in range(3):
                server.sendall(encode(ControlReply(waiting="the store")))
            server.sendall(encode(ControlReply("done")))
            self.assertEqual(client.receive(), "done")
        self.assertEqual(reports, ["reload: the server is waiting for the store"])

    def test_command_that_never_ends(self) -> None:
        """Signs of life do not make a command endless: after the time limit the error says what it still waits for."""
        times = iter((0.0, 61.0))
        with ControlClient(self.path, 60.0, clock=lambda: next(times)) as client:
            server, _ = self.listener.accept()
            self.addCleanup(server.close)
            client.send("reload")
            server.sendall(encode(ControlReply(waiting="the store")))
            error: NoAnswerError = self.assertRaises(NoAnswerError, client.receive)
        self.assertIn("has not ended within 60 s; the server is still waiting for the store", str(error))

    def test_nobody_there(self) -> None:
        """Without a server the error says what to look at."""
        error: UnreachableError = self.assertRaises(UnreachableError, ControlClient, self.path + "x")
        self.assertIn("is the server running", str(error))
