"""A proxy process from spawn to exit, with a fake process and its link in memory."""

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.logs import Level
from ocsgw.ocs.bell import Bell
from ocsgw.ocs.child import Exit, PortNotHandedError, ProxyChild, child_environment
from ocsgw.protocol.messages import AccessLines, Bye, Drain, Hello, Log, LogLine, Port, Ready, Settings, Welcome, encode
from ocsgw.protocol.session import ClientSession
from tests.ocs.doubles import FakeDispatcher, make_identity
from tests.support.logs import LogCapture
from tests.support.processes import FakeProcess, LinkTransport, ProcessMemoryReactor
from tests.support.settings import make_settings


class Owner:
    """Remembers what it is reported."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def child_ready(self, port: int, interface: str) -> None:
        self.told.append(("ready", port, interface))

    def child_log(self, message: Log) -> None:
        self.told.append(("log", *(line.text for line in message.lines)))

    def child_access(self, message: AccessLines) -> None:
        self.told.append(("access", message.text))

    def child_output(self, level: Level, text: str) -> None:
        self.told.append((level, text))

    def child_frozen(self) -> None:
        self.told.append(("frozen",))

    def child_link_lost(self, reason: str) -> None:
        self.told.append(("link lost",))

    def child_exited(self, ending: Exit) -> None:
        self.told.append(("exited", ending.status, ending.signal))


class ChildTests(SynchronousTestCase):
    """One child."""

    def setUp(self) -> None:
        self.reactor = ProcessMemoryReactor()
        self.owner = Owner()
        self.settings = make_settings()
        self.bell = Bell(self.reactor)
        self.child = ProxyChild(
            self.reactor,
            self.owner,
            FakeDispatcher(),
            self.bell,
            make_identity(),
            7,
            lambda: self.settings,
            lambda port: f"http://ocs.example:{port}",
        )
        self.child.start()
        self.proxy = ClientSession("http_proxy", 1 << 24)

    def tearDown(self) -> None:
        if self.process.running:
            self.process.end(status=0)
        self.reactor.lose_link()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    @property
    def process(self) -> FakeProcess:
        return self.reactor.processes[-1]

    @property
    def transport(self) -> LinkTransport:
        return self.reactor.links[-1][1]

    def send(self, *messages: object) -> list[object]:
        """Let the proxy send; return what it gets."""
        self.transport.clear()
        for message in messages:
            self.reactor.links[-1][0].dataReceived(encode(message))  # type: ignore[arg-type]  # all are messages
        return list(self.proxy.receive(self.transport.value()))

    def test_spawn(self) -> None:
        """P65: the child is Python without the working directory on its path, with the link as descriptor 3."""
        arguments = self.process.arguments
        self.assertEqual(arguments["args"][1:], ["-P", "-u", "-m", "ocsgw.proxy"])
        self.assertEqual(sorted(arguments["childFDs"]), [0, 1, 2, 3])
        self.assertEqual((arguments["childFDs"][1], arguments["childFDs"][2]), ("r", "r"))
        self.assertNotIn("path", arguments)
        self.assertEqual(self.child.pid, self.process.pid)

    def test_no_descriptor_is_left_behind(self) -> None:
        """Both ends of the link and the null device are closed here once the child and the reactor have them."""
        for descriptor in (self.process.arguments["childFDs"][0], self.process.arguments["childFDs"][3]):
            self.assertRaises(OSError, socket.socket, fileno=descriptor)

    def test_environment(self) -> None:
        """Of our environment the child gets only what it needs; nothing that may be a secret goes on."""
        environment = child_environment({"PATH": "/bin", "AWS_SECRET": "x", "TZ": "UTC", "PYTHONPATH": "/elsewhere"})
        self.assertEqual((environment["PATH"], environment["TZ"]), ("/bin", "UTC"))
        self.assertEqual(set(environment), {"PATH", "TZ", "PYTHONPATH"})
        self.assertNotIn("elsewhere", environment["PYTHONPATH"])

    def test_settings_follow_the_welcome(self) -> None:
        """P82: after hello come welcome and at once the settings."""
        welcome, settings = self.send(Hello(versions=[1], client="http_proxy", pid=5))
        self.assertIsInstance(welcome, Welcome)
        self.assertIsInstance(settings, Settings)
        self.assertEqual(settings, self.settings)

    def test_ready_log_and_new_settings(self) -> None:
        """`ready` and log lines reach the owner; settings can be sent again; drain goes out."""
        self.send(Hello(versions=[1], client="http_proxy"), Ready(port=8080, interface="127.0.0.1"))
        self.send(Log(lines=[LogLine(time=1, level="info", id=0, text="x")]), AccessLines(text="y\n", count=1))
        self.assertEqual(self.owner.told, [("ready", 8080, "127.0.0.1"), ("log", "x"), ("access", "y\n")])
        self.transport.clear()
        self.child.update()
        self.settings = make_settings(generation=2)
        self.child.update()
        self.child.update()
        self.child.drain(2.5)
        settings, drain = self.proxy.receive(self.transport.value())
        self.assertIsInstance(settings, Settings)
        self.assertEqual(drain, Drain(timeout_ms=2500))

    def test_reload_between_hello_and_ready(self) -> None:
        """P100: whoever becomes ready has the settings in force, whenever a reload came; none before its hello."""
        self.child.update()
        self.assertEqual(self.transport.value(), b"")
        self.settings = make_settings(generation=2)
        (_, first) = self.send(Hello(versions=[1], client="http_proxy"))
        self.settings = make_settings(generation=3)
        self.transport.clear()
        self.child.update()
        (second,) = self.proxy.receive(self.transport.value())
        self.settings = make_settings(generation=4)
        (third,) = self.send(Ready(port=1, interface=""))
        for at, message in enumerate((first, second, third), 2):
            assert isinstance(message, Settings)
            self.assertEqual(message.generation, at)
        self.assertEqual(self.owner.told, [("ready", 1, "")])

    def test_settings_that_cannot_be_sent(self) -> None:
        """A proxy never goes on with settings that are not those in force: the link ends, with a reason in the log."""
        log = LogCapture(self)
        self.settings = make_settings(encoding="\ud800")
        (_, bye) = self.send(Hello(versions=[1], client="http_proxy"))
        self.assertEqual(bye, Bye(code="settings", text="the settings cannot be sent"))
        self.assertEqual(log.numbers(), [93101])

    def test_large_settings(self) -> None:
        """Certificates and revocation lists may be larger than a frame."""
        self.settings = make_settings(encoding="x" * 100_000)
        self.reactor.links[-1][0].dataReceived(encode(Hello(versions=[1], client="http_proxy")))
        self.assertTrue(self.transport.value().endswith(encode(self.settings)))

    def test_output(self) -> None:
        """P124, R29: what the child prints is passed on line by line, cut at 4 KiB, undecodable bytes shown."""
        self.process.write(2, b"one\ntwo \xff{x}")
        self.process.write(1, b"out\n\n")
        self.process.write(2, b"\r\n" + b"z" * 5000)
        self.process.end(status=1)
        told = self.owner.told
        self.assertEqual(told[:3], [("warning", "one"), ("warning", "out"), ("warning", "two \\xff{x}")])
        self.assertEqual([len(str(line[1])) for line in told[3:5]], [4096, 904])

    def test_exit(self) -> None:
        """The exit tells status or signal, after the last output (P125)."""
        self.process.write(1, b"last words")
        self.process.end(signal=9)
        self.assertEqual(self.owner.told, [("warning", "last words"), ("exited", None, 9)])

    def test_exit_while_a_grandchild_holds_the_pipes(self) -> None:
        """The exit counts, not the end of the pipes."""
        self.process.end(status=75, pipes_held=True)
        self.assertEqual(self.owner.told, [("exited", 75, None)])

    def test_link_lost(self) -> None:
        """P90: a link that breaks without a bye is reported."""
        self.reactor.lose_link()
        self.assertEqual(self.owner.told, [("link lost",)])

    def test_link_closed_after_bye(self) -> None:
        """A link that ends after a bye is as it should be; the bye is kept."""
        self.send(Hello(versions=[1], client="http_proxy"), Bye(code="port", text="in use"))
        self.reactor.lose_link()
        self.assertEqual(self.owner.told, [])
        self.assertEqual(self.child.last_words, Bye(code="port", text="in use"))

    def test_frozen(self) -> None:
        """P88: no byte for two heartbeats is reported as frozen, and the link is cut."""
        self.send(Hello(versions=[1], client="http_proxy"))
        for _ in range(9):
            self.reactor.advance(0.75)
        self.assertEqual(self.owner.told, [("frozen",), ("link lost",)])
        self.assertTrue(self.transport.aborted)

    def test_signals(self) -> None:
        """A signal to a child that is gone does nothing."""
        self.process.ignores.add("TERM")
        self.child.signal("TERM")
        self.process.end(status=0)
        self.child.signal("KILL")
        self.assertEqual(self.process.signals, ["TERM"])

    def test_port_is_taken(self) -> None:
        """P91: asked for its port, the child hands over a descriptor, which belongs to who asked."""
        taken = self.child.take_port()
        self.send(Hello(versions=[1], client="http_proxy"))
        descriptor = os.open(os.devnull, os.O_RDONLY)
        self.reactor.links[-1][0].fileDescriptorReceived(descriptor)
        self.send(Port())
        self.assertEqual(self.successResultOf(taken), descriptor)
        self.assertFalse(os.get_inheritable(descriptor))
        os.close(descriptor)

    def test_port_of_a_lost_child(self) -> None:
        """P90: who waits for the port of a child whose link breaks is reported at once."""
        taken = self.child.take_port()
        self.reactor.lose_link()
        self.failureResultOf(taken, PortNotHandedError)

    def test_ready_after_the_exit(self) -> None:
        """P125: what the child had sent before it ended is read, but a port that is gone is not told."""
        self.process.end(status=1)
        self.send(Hello(versions=[1], client="http_proxy"), Ready(port=8080, interface=""))
        self.assertEqual(self.owner.told, [("exited", 1, None)])

    def test_spawn_fails(self) -> None:
        """A process that cannot be started leaves nothing open and raises OSError."""
        self.reactor.spawn_error = OSError(11, "no processes left")
        child = ProxyChild(
            self.reactor,
            self.owner,
            FakeDispatcher(),
            self.bell,
            make_identity(),
            8,
            lambda: self.settings,
            lambda port: "",
        )
        self.assertRaises(OSError, child.start)
        self.assertEqual(len(self.reactor.links), 1)

    def test_link_cannot_be_made(self) -> None:
        """A process that was started and cannot have its link is killed: nobody would hear of it."""
        child = ProxyChild(
            self.reactor,
            self.owner,
            FakeDispatcher(),
            self.bell,
            make_identity(),
            8,
            lambda: self.settings,
            lambda port: "",
        )

        def adopt(*_: object) -> None:
            raise OSError(24, "Too many open files")

        self.patch(self.reactor, "adoptStreamConnection", adopt)
        self.assertRaises(OSError, child.start)
        self.assertEqual(self.process.signals, ["KILL"])
