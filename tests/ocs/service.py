"""A whole OCS with fake processes and a real store in a folder."""

import os
import shutil
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import load
from ocsgw.logs import LogFile
from ocsgw.ocs.compose import make_service
from ocsgw.ocs.service import OCSService
from ocsgw.protocol.messages import Bye, Hello, Message, Ready, Settings, encode
from ocsgw.protocol.session import ClientSession
from tests.integration.server import CONFIG, STORE
from tests.support.logs import LogCapture
from tests.support.manager import FakeManager
from tests.support.processes import FakeProcess, ProcessMemoryReactor
from tests.support.workers import InlineWorker

SECOND_LISTENER = """
[[listener]]
id = "second"
protocol = "http"
interface = "127.0.0.1"
port = 8081
"""


class FakeProxy:
    """A proxy at the other end of a link in memory."""

    def __init__(self, reactor: ProcessMemoryReactor, at: int) -> None:
        self.process: FakeProcess = reactor.processes[at]
        self._protocol, self._transport = reactor.links[at]
        self._session = ClientSession("http_proxy", 1 << 22)
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self._protocol.dataReceived(encode(message))

    def received(self) -> list[Message]:
        """Return everything that came from OCS so far."""
        self.sent += self._session.receive(self._transport.value())
        self._transport.clear()
        return self.sent

    def get_ready(self) -> "FakeProxy":
        self.send(Hello(versions=[1], client="http_proxy", pid=self.process.pid))
        self.send(Ready(port=8080, interface="127.0.0.1"))
        return self

    def fail(self, bye: Bye, status: int) -> None:
        """End because it cannot work."""
        self.send(Hello(versions=[1], client="http_proxy", pid=self.process.pid))
        self.send(bye)
        self.process.end(status=status)

    def settings(self) -> list[Settings]:
        return [message for message in self.received() if isinstance(message, Settings)]

    def leave(self) -> None:
        """End as after a drain."""
        self.send(Bye(code="done"))
        self.process.end(status=0)


class ServiceTestCase(SynchronousTestCase):
    """A test of one OCS."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "ocsgw.toml"
        self.reactor = ProcessMemoryReactor()
        self.log = LogCapture(self)
        self.worker = InlineWorker()
        self.manager = FakeManager(watchdog=30.0)
        self.ends: list[int] = []
        self.examples: list[str] = []
        self.previous = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, self.previous)
        self.configure()

    def configure(self, port: int = 8080, **changes: str) -> None:
        """Write the configuration file."""
        values = {"reconnect": "1s", "application": "", "store": STORE, "listener": "", "more": "", **changes}
        self.path.write_text(CONFIG.format(port=port, **values), encoding="utf-8")

    def make(self) -> OCSService:
        config = load(self.path)
        log_file = LogFile(os.devnull, "text", "error", "OCS")
        self.service = make_service(
            config,
            self.reactor,
            log_file,
            self.ends.append,
            manager=self.manager,
            say_example=self.examples.append,
            make_worker=lambda reactor: self.worker,
            call_in_thread=maybeDeferred,
        )
        return self.service

    def start(self) -> FakeProxy:
        self.make().startService()
        return FakeProxy(self.reactor, 0).get_ready()

    def stop(self, *proxies: FakeProxy) -> None:
        stopped: Deferred[None] = self.service.stopService()
        for proxy in proxies:
            if proxy.process.running:
                proxy.leave()
        for at in range(len(self.reactor.links)):
            self.reactor.lose_link(at)
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual([call for call in self.reactor.getDelayedCalls() if call.active()], [])
