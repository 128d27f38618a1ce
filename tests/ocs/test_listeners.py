"""Listeners with several proxies, and proxies that take the place of others, with fake processes."""

import os
import signal
from typing import Any

from twisted.internet.defer import Deferred

from ocsgw.control.errors import ControlError
from ocsgw.ocs.child import INHERITED_PORT
from ocsgw.protocol.messages import RENEWAL, Bye, Drain, ListenerSettings, Port, Validate
from tests.ocs.service import SECOND_LISTENER, FakeProxy, ServiceTestCase


class ListenerTests(ServiceTestCase):
    """One OCS with one listener."""

    def restart(self, listener: str | None = None) -> "Deferred[Any]":
        """Ask for a restart as `ocsctl` does."""
        done: Deferred[Any] = self.service.commands["proxy restart"].run({"listener": listener})
        return done

    def proxy(self, at: int) -> FakeProxy:
        """Return the proxy that was started as number `at`, counted from 0."""
        return FakeProxy(self.reactor, at)

    def hand_port(self, proxy: FakeProxy) -> int:
        """Let a proxy hand its port over; return the descriptor that OCS got."""
        descriptor, other = os.pipe()
        os.close(other)
        protocol, _ = self.reactor.links[self.reactor.processes.index(proxy.process)]
        protocol.fileDescriptorReceived(descriptor)
        proxy.send(Port())
        return descriptor

    def states(self) -> list[tuple[str, str, int, int]]:
        status = self.successResultOf(self.service.commands["status"].run({}))
        return [(each["name"], each["state"], each["pid"], each["starts"]) for each in status["proxies"]]

    def listener_of(self, proxy: FakeProxy) -> ListenerSettings:
        listener = proxy.settings()[-1].listener
        assert listener is not None
        return listener

    def drains(self, proxy: FakeProxy) -> list[str | None]:
        return [message.reason for message in proxy.received() if isinstance(message, Drain)]

    # Several proxies.

    def test_workers(self) -> None:
        """`workers`: so many children share the port; each has its own supervisor and its own line of the status."""
        self.configure(listener="workers = 2")
        first = self.start()
        second = self.proxy(1).get_ready()
        self.assertEqual(self.states(), [("default/1", "running", 1000, 1), ("default/2", "running", 1001, 1)])
        self.assertTrue(self.listener_of(first).shared)
        self.assertTrue(self.listener_of(second).shared)
        first.process.end(signal=signal.SIGKILL)
        self.assertEqual([state for _, state, _, _ in self.states()], ["waiting", "running"])
        self.assertTrue(second.process.running)
        self.reactor.lose_link(0)
        self.reactor.advance(1)
        third = self.proxy(2).get_ready()
        self.assertEqual(self.states(), [("default/1", "running", 1002, 2), ("default/2", "running", 1001, 1)])
        self.stop(second, third)

    def test_number_of_workers_changes(self) -> None:
        """A reload starts what is missing at once and lets what is too much end its work; the others go on."""
        first = self.start()
        self.assertFalse(self.listener_of(first).shared)
        self.configure(listener="workers = 3")
        self.successResultOf(self.service.reload())
        self.assertTrue(self.listener_of(first).shared)
        second, third = self.proxy(1).get_ready(), self.proxy(2).get_ready()
        self.configure()
        self.successResultOf(self.service.reload())
        self.assertEqual([self.drains(each) for each in (first, second, third)], [[], [RENEWAL], [RENEWAL]])
        self.assertFalse(self.listener_of(first).shared)
        self.assertEqual([name for name, _, _, _ in self.states()], ["default"])
        self.stop(first, second, third)

    # Renewal.

    def test_renewal(self) -> None:
        """R33: a new proxy inherits the listening socket, serves, and only then the old one ends its work."""
        old = self.start()
        done = self.restart()
        self.assertEqual([message for message in old.received() if isinstance(message, Port)], [Port()])
        self.assertEqual(len(self.reactor.processes), 1)
        descriptor = self.hand_port(old)
        new = self.proxy(1)
        self.assertEqual(new.process.arguments["childFDs"][INHERITED_PORT], descriptor)
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertEqual((self.drains(old), self.states()), ([], [("default", "running", 1000, 1)]))
        new.get_ready()
        self.assertEqual(self.listener_of(new).descriptor, INHERITED_PORT)
        self.assertEqual(self.successResultOf(done), [{"listener": "default", "old": 1000, "new": 1001}])
        self.assertEqual(self.drains(old), [RENEWAL])
        self.assertEqual(self.states(), [("default", "running", 1001, 2)])
        old.leave()
        new.process.end(signal=signal.SIGKILL)
        self.reactor.lose_link(1)
        self.reactor.advance(1)
        next_one = self.proxy(2).get_ready()
        self.assertIsNone(self.listener_of(next_one).descriptor)
        self.assertEqual(self.states(), [("default", "running", 1002, 3)])
        self.stop(next_one)

    def test_renewal_to_another_port(self) -> None:
        """R33, C62: after a reload with a new port the new proxy opens that one; the old port closes after it."""
        old = self.start()
        self.configure(port=9090)
        self.successResultOf(self.service.reload())
        done = self.restart("default")
        new = self.proxy(1)
        self.assertNotIn(INHERITED_PORT, new.process.arguments["childFDs"])
        new.get_ready()
        self.assertEqual((self.listener_of(new).port, self.listener_of(new).descriptor), (9090, None))
        self.successResultOf(done)
        self.assertEqual(self.drains(old), [RENEWAL])
        self.stop(old, new)

    def test_renewal_to_another_interface(self) -> None:
        """R33: on the same port of another interface both proxies share it, until the new one serves."""
        old = self.start()
        text = self.path.read_text(encoding="utf-8")
        self.path.write_text(text.replace('interface = "127.0.0.1"', 'interface = "::1"'), encoding="utf-8")
        self.successResultOf(self.service.reload())
        done = self.restart()
        self.assertTrue(self.listener_of(old).shared)
        new = self.proxy(1).get_ready()
        self.successResultOf(done)
        self.assertEqual([each.listener.shared for each in new.settings() if each.listener is not None], [True, False])
        self.assertEqual((self.listener_of(new).interface, self.listener_of(new).descriptor), ("::1", None))
        self.stop(old, new)

    def test_process_that_cannot_be_started(self) -> None:
        """R13: if no process can be started, OCS keeps no copy of the listening socket."""
        old = self.start()
        done = self.restart()
        self.reactor.spawn_error = OSError(11, "Resource temporarily unavailable")
        descriptor = self.hand_port(old)
        self.reactor.advance(0)
        self.reactor.advance(0)
        self.assertIn("temporarily unavailable", self.failureResultOf(done, ControlError).getErrorMessage())
        self.assertRaises(OSError, os.fstat, descriptor)
        self.stop(old)

    def test_renewal_fails(self) -> None:
        """C76: a new proxy that cannot serve is given up with its reason; the old one goes on undisturbed."""
        old = self.start()
        done = self.restart()
        self.hand_port(old)
        new = self.proxy(1)
        new.fail(Bye(code="settings", text="certificate expired"), 78)
        self.reactor.advance(0)
        reason = self.failureResultOf(done, ControlError).getErrorMessage()
        self.assertIn("certificate expired", reason)
        self.assertIn("the running HTTP Proxy goes on", reason)
        self.reactor.advance(60)
        self.assertEqual(len(self.reactor.processes), 2)
        self.assertEqual((self.drains(old), self.states()), ([], [("default", "running", 1000, 1)]))
        self.stop(old)

    def test_renewal_of_what_does_not_run(self) -> None:
        """C73: a proxy that waits for its next start is not started early; the command says so."""
        old = self.start()
        old.process.end(signal=signal.SIGKILL)
        self.reactor.lose_link()
        reason = self.failureResultOf(self.restart(), ControlError).getErrorMessage()
        self.assertIn("the HTTP Proxy of listener default is waiting", reason)
        self.stop()

    def test_renewal_of_a_frozen_proxy(self) -> None:
        """P88: a proxy that does not hand its port over within 5 s is not replaced this way."""
        self.configure(more='[limits]\nheartbeat = "60s"')
        old = self.start()
        done = self.restart()
        self.reactor.advance(5)
        self.assertIn("does not answer", self.failureResultOf(done, ControlError).getErrorMessage())
        late = self.hand_port(old)
        self.assertRaises(OSError, os.fstat, late)
        self.stop(old)

    def test_two_renewals(self) -> None:
        """A second restart of the same listener is refused while the first goes on."""
        old = self.start()
        first = self.restart()
        self.assertIn("already", self.failureResultOf(self.restart(), ControlError).getErrorMessage())
        self.hand_port(old)
        new = self.proxy(1).get_ready()
        self.successResultOf(first)
        self.stop(old, new)

    def test_unknown_listener(self) -> None:
        """A listener that does not exist is reported with those that do."""
        proxy = self.start()
        reason = self.failureResultOf(self.restart("nonsense"), ControlError).getErrorMessage()
        self.assertEqual(reason, "there is no http listener nonsense; configured: default")
        self.stop(proxy)

    def test_stop_during_a_renewal(self) -> None:
        """C74: a stop ends both proxies and the command; the server waits for every process."""
        old = self.start()
        done = self.restart()
        self.hand_port(old)
        new = self.proxy(1)
        stopped = self.service.stopService()
        self.failureResultOf(done, ControlError)
        self.assertNoResult(stopped)
        old.leave()
        self.assertNoResult(stopped)
        new.process.end(status=0)
        self.reactor.lose_link(0)
        self.reactor.lose_link(1)
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop_waits_for_a_replaced_proxy(self) -> None:
        """C74: the server does not end before a replaced proxy has, and tells it that it is urgent now."""
        old = self.start()
        done = self.restart()
        self.hand_port(old)
        new = self.proxy(1).get_ready()
        self.successResultOf(done)
        stopped = self.service.stopService()
        self.assertEqual(self.drains(old), [RENEWAL, None])
        new.leave()
        self.assertNoResult(stopped)
        old.leave()
        for at in (0, 1):
            self.reactor.lose_link(at)
        self.reactor.advance(0)
        self.successResultOf(stopped)

    def test_workers_are_renewed_one_after_another(self) -> None:
        """Each of several proxies is replaced only when the one before it serves again."""
        self.configure(listener="workers = 2")
        first = self.start()
        second = self.proxy(1).get_ready()
        done = self.restart()
        self.hand_port(first)
        self.assertEqual(len(self.reactor.processes), 3)
        third = self.proxy(2).get_ready()
        self.hand_port(second)
        fourth = self.proxy(3).get_ready()
        self.assertEqual([each["new"] for each in self.successResultOf(done)], [1002, 1003])
        self.stop(first, second, third, fourth)


class CallerTests(ServiceTestCase):
    """Which HTTP Proxy makes an outgoing call."""

    def test_caller(self) -> None:
        """P111: the one through which the request came, else the first that runs; with none the call has failed."""
        self.configure(listener=SECOND_LISTENER)
        self.make().startService()
        http = self.service.http
        none = self.successResultOf(http.order("validation", "http://x/", {}, 1.0))
        self.assertEqual((none.outcome, none.reason), ("failed", "connect"))
        first, second = (FakeProxy(self.reactor, at).get_ready() for at in (0, 1))
        links = [proxy.caller().session for listener in http.all() for proxy in listener.proxies]  # type: ignore[union-attr]
        for link, expected in ((links[0], first), (links[1], second), (0, first), (99, first)):
            http.order("validation", "http://x/", {}, 1.0, link)
            orders = [[each for each in proxy.received() if isinstance(each, Validate)] for proxy in (first, second)]
            self.assertEqual([len(each) for each in orders], [int(proxy is expected) for proxy in (first, second)])
            for proxy in (first, second):
                proxy.sent.clear()
        self.stop(first, second)
