"""The control socket of `ocsctl`."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.control.errors import ControlError, InvalidConfigurationError
from ocsgw.control.server import Command, ControlFactory
from ocsgw.control.wire import FRAME_LIMIT, ControlReply, ControlRequest, decode_reply, encode
from ocsgw.protocol.frames import FrameDecoder, frame


class ControlTests(SynchronousTestCase):
    """One connection."""

    def setUp(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        commands = {
            "echo": Command(lambda arguments: arguments, "nothing"),
            "wait": Command(self.wait, "the test"),
            "refuse": Command(self.refuse, "nothing"),
            "fail": Command(lambda arguments: 1 // 0, "nothing"),
            "invalid": Command(self.invalid, "nothing"),
            "object": Command(lambda arguments: object(), "nothing"),
        }
        self.clock = Clock()
        self.transport = StringTransport()
        self.protocol = ControlFactory(commands, self.clock).buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def wait(self, arguments: dict[str, Any]) -> "Deferred[Any]":
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def refuse(self, arguments: dict[str, Any]) -> None:
        raise ControlError("not today; try tomorrow")

    def invalid(self, arguments: dict[str, Any]) -> None:
        raise InvalidConfigurationError("line 1")

    def replies(self) -> list[ControlReply]:
        """Return what has been answered once the reactor has had a turn."""
        self.clock.advance(0)
        payloads = FrameDecoder(FRAME_LIMIT).feed(self.transport.value())
        return [decode_reply(payload) for payload in payloads]

    def test_command(self) -> None:
        """A command gets its arguments, and its result is the reply."""
        self.protocol.dataReceived(encode(ControlRequest("echo", {"a": 1})))
        self.assertEqual(self.replies(), [ControlReply({"a": 1})])

    def test_one_after_the_other(self) -> None:
        """A second command waits for the reply of the first, however the bytes come."""
        data = encode(ControlRequest("wait")) + encode(ControlRequest("echo", {"b": 2}))
        for at in range(len(data)):
            self.protocol.dataReceived(data[at : at + 1])
        self.assertEqual(self.replies(), [])
        self.waiting[0].callback("first")
        self.assertEqual(self.replies(), [ControlReply("first"), ControlReply({"b": 2})])

    def test_reads_no_further(self) -> None:
        """While a command goes on nothing is read of its client, who may have sent much ahead."""
        self.protocol.dataReceived(encode(ControlRequest("wait")) * 2)
        self.assertEqual(self.transport.producerState, "paused")
        self.waiting[0].callback("first")
        self.replies()
        self.assertEqual((self.transport.producerState, len(self.waiting)), ("paused", 2))
        self.waiting[1].callback("second")
        self.assertEqual(self.transport.producerState, "producing")

    def test_others_have_a_turn(self) -> None:
        """However many commands have come, the reactor serves everybody else between two of them."""
        self.protocol.dataReceived(encode(ControlRequest("echo")) * 2)
        first = list(FrameDecoder(FRAME_LIMIT).feed(self.transport.value()))
        self.assertEqual((len(first), len(self.replies())), (1, 2))

    def test_refused(self) -> None:
        """A command that cannot be carried out is answered with the reason."""
        self.protocol.dataReceived(encode(ControlRequest("refuse")))
        self.assertEqual(self.replies(), [ControlReply(error="not today; try tomorrow")])

    def test_invalid_configuration(self) -> None:
        """Errors of the configuration are told apart from all others, so that they have one exit status."""
        self.protocol.dataReceived(encode(ControlRequest("invalid")))
        self.assertEqual(self.replies(), [ControlReply(error="line 1", is_configuration=True)])

    def test_unknown(self) -> None:
        """An unknown command is answered with a hint."""
        self.protocol.dataReceived(encode(ControlRequest("dance")))
        self.assertIn("another version", str(self.replies()[0].error))

    def test_defect(self) -> None:
        """A defect is answered as such and logged; the connection stays."""
        self.protocol.dataReceived(encode(ControlRequest("fail")) + encode(ControlRequest("echo")))
        first, second = self.replies()
        self.assertIn("internal error", str(first.error))
        self.assertEqual(second, ControlReply({}))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_signs_of_life(self) -> None:
        """While a command takes its time the client hears once a second what it waits for, and no longer than that."""
        self.protocol.dataReceived(encode(ControlRequest("wait")))
        self.clock.pump([1.0] * 2)
        self.waiting[0].callback("done")
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.replies(), [*[ControlReply(waiting="the test")] * 2, ControlReply("done")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_result_that_cannot_be_sent(self) -> None:
        """A defect of a command's result is answered as such; nobody waits for ever."""
        self.protocol.dataReceived(encode(ControlRequest("object")) + encode(ControlRequest("echo")))
        first, second = self.replies()
        self.assertIn("internal error", str(first.error))
        self.assertEqual(second, ControlReply({}))
        self.assertEqual(len(self.flushLoggedErrors(TypeError, NotImplementedError)), 1)

    def test_rubbish(self) -> None:
        """Bytes that are no command end this connection, with a reason."""
        self.protocol.dataReceived(frame(b"\xc1"))
        self.assertIn("not a command", str(self.replies()[0].error))
        self.assertTrue(self.transport.disconnecting)

    def test_too_long(self) -> None:
        """A frame over the limit ends the connection before anything is reserved for it."""
        self.protocol.dataReceived((FRAME_LIMIT + 1).to_bytes(4, "big"))
        self.assertIsNotNone(self.replies()[0].error)
        self.assertTrue(self.transport.disconnecting)

    def test_client_gone(self) -> None:
        """The reply of a command whose client is gone goes nowhere."""
        self.protocol.dataReceived(encode(ControlRequest("wait")))
        self.protocol.connectionLost()
        self.waiting[0].callback("late")
        self.assertEqual(self.transport.value(), b"")
