"""What a service manager hears of a whole OCS with its proxies: sd_notify(3), C76, C78."""

from tests.ocs.service import FakeProxy, ServiceTestCase


class NotificationTests(ServiceTestCase):
    """Readiness, reload, stop, and the watchdog with the links."""

    def heard(self, name: str) -> list[object]:
        """Return the values of one state since the last time, in order."""
        return [states[name] for states in self.manager.take() if name in states]

    def pass_time(self, seconds: int) -> None:
        """Let seconds pass one by one."""
        for _ in range(seconds):
            self.reactor.advance(1)

    def test_stop_before_ready(self) -> None:
        """Before a proxy serves there is no READY; STOPPING is reported at a stop at any time."""
        self.make().startService()
        self.assertEqual(self.heard("READY"), [])
        self.reactor.processes[0].end(status=0)
        self.stop()
        self.assertEqual(self.heard("STOPPING"), [1])

    def test_reload(self) -> None:
        """RELOADING and READY frame a reload, the refused one too; then the status says so until the next."""
        proxy = self.start()
        status = "active, HTTP :8080 running, 0 requests"
        self.assertEqual([each["STATUS"] for each in self.manager.take() if "READY" in each], [status])
        self.configure(application="nonsense = 1")
        self.failureResultOf(self.service.reload())
        told = [each for each in self.manager.take() if "WATCHDOG" not in each]
        self.assertEqual([next(iter(each)) for each in told], ["RELOADING", "READY", "STATUS"])
        self.assertIn("refused", str(told[-1]["STATUS"]))
        self.configure()
        self.successResultOf(self.service.reload())
        self.assertNotIn("refused", str(self.heard("STATUS")[-1]))
        self.stop(proxy)
        self.assertEqual(self.heard("STOPPING"), [1])

    def test_port_is_taken(self) -> None:
        """C76: when the proxy cannot open its port, OCS is up all the same, and says that it waits."""
        self.configure(reconnect="5s")
        self.make().startService()
        self.reactor.processes[0].end(status=69)
        self.pass_time(1)
        self.assertIn("active, HTTP :8080 waiting, 0 requests", self.heard("STATUS"))
        self.stop()

    def test_silent_link(self) -> None:
        """P88: while a proxy is silent and cannot even be killed, the watchdog is not fed; once it is gone, it is."""
        proxy = self.start()
        proxy.process.ignores = {"KILL", "TERM"}
        self.manager.take()
        self.pass_time(5)
        self.assertEqual(len(self.heard("WATCHDOG")), 5)
        self.pass_time(10)
        self.manager.take()
        self.pass_time(20)
        self.assertEqual(self.heard("WATCHDOG"), [])
        proxy.process.end(signal=9)
        self.pass_time(1)
        self.assertTrue(self.heard("WATCHDOG"))
        self.stop(FakeProxy(self.reactor, 1).get_ready())
