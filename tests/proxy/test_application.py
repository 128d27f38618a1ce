"""The life of HTTP Proxy as OCS sees it (protocol.md sections 6 and 7): start, settings, drain, goodbye, status."""

import errno
import os

from ocsgw.protocol.messages import (
    Bye,
    ByeCode,
    Drain,
    Hello,
    HttpLimits,
    KeySettings,
    ListenerSettings,
    Ready,
    TlsSettings,
    Welcome,
    WireLimits,
)
from ocsgw.version import VERSION
from tests.support.http import request
from tests.support.proxy import ProxyInMemory, ProxyTestCase
from tests.support.settings import make_settings

DONE, PORT, PROTOCOL, LOST, SETTINGS = 0, 69, 70, 75, 78


def listener(**changes: object) -> ListenerSettings:
    values: dict[str, object] = {"id": "default", "interface": "127.0.0.1", "port": 8080, "public_host": "ocs.example"}
    return ListenerSettings(**{**values, **changes})  # type: ignore[arg-type]  # the values are of their types


class StartTests(ProxyTestCase):
    """P80 to P83."""

    def test_hello(self) -> None:
        """P80, section 5: the first message tells version, kind, software and process id."""
        proxy = self.child()
        self.assertEqual(
            proxy.ocs.received,
            [Hello(versions=[1], client="http_proxy", software=f"ocsgw {VERSION}", pid=os.getpid())],
        )

    def test_ready(self) -> None:
        """P82: the port is open before `ready` says so; then requests are served."""
        proxy = self.child()
        proxy.welcome()
        proxy.work()
        self.assertFalse(proxy.port_open)
        self.assertEqual(proxy.ocs.all(Ready), [])
        proxy.use(make_settings(listener=listener(port=8099, interface="192.0.2.7", backlog=77)))
        self.assertEqual(proxy.ocs.all(Ready), [Ready(port=8099, interface="192.0.2.7")])
        opened = self.reactor.sockets[0].listener
        self.assertEqual((opened.port, opened.backlog, opened.interface), (8099, 77, "192.0.2.7"))
        client = proxy.connect().send(request())
        proxy.ocs.acknowledge(proxy.ocs.requests[0])
        self.assertEqual(client.take().statuses(), [200])

    def test_localhost(self) -> None:
        """P82: `localhost` is the loopback address; the machine is not asked for a name."""
        proxy = self.start(listener=listener(interface="localhost"))
        self.assertEqual(proxy.ocs.all(Ready)[0].interface, "127.0.0.1")

    def test_no_listener(self) -> None:
        """P112, section 5: without a listener no port is opened; ready with port 0."""
        proxy = self.start(listener=None)
        self.assertEqual(proxy.ocs.all(Ready), [Ready(port=0, interface="")])
        self.assertFalse(proxy.port_open)

    def test_version(self) -> None:
        """P81: a version that was not offered: `bye` `version`, exit status 70."""
        proxy = self.child()
        limits = WireLimits(frame=2 << 20, in_flight=1, heartbeat_ms=3000)
        proxy.ocs.send(Welcome(version=2, application_id=1, application="OCS", session=1, limits=limits))
        proxy.work()
        self.assertEqual((proxy.ocs.byes, proxy.statuses), (["version"], [PROTOCOL]))

    def test_port_taken(self) -> None:
        """P83, P125: a log line that says why, then `bye` `port`, exit status 69; no `ready`."""
        self.reactor.taken = OSError(errno.EADDRINUSE, "Address already in use")
        proxy = self.start()
        self.assertEqual(proxy.ocs.byes, ["port"])
        self.assertIn("127.0.0.1:8080: Address already in use", proxy.ocs.all(Bye)[0].text or "")
        self.assertIn("Address already in use", proxy.ocs.lines[-1].text)
        self.assertEqual(proxy.ocs.lines[-1].level, "error")
        self.assertEqual(proxy.ocs.all(Ready), [])
        self.assertEqual(proxy.statuses, [PORT])

    def test_unusable_settings(self) -> None:
        """P83: settings that cannot be used: a log line, `bye` `settings`, exit status 78; the port stays closed."""
        for settings in (
            make_settings(encoding="klingon"),
            make_settings(http_custom_headers=[("A", "1\r\nB: 2")]),
            make_settings(keys=[KeySettings(name="k", salt="xyz", hash="")]),
            make_settings(listener=listener(tls=TlsSettings(certificate="none", certificate_key="none"))),
        ):
            proxy = self.start(settings)
            self.assertEqual((proxy.ocs.byes, proxy.statuses), (["settings"], [SETTINGS]))
            self.assertEqual(proxy.ocs.lines[-1].level, "error")
            self.assertFalse(proxy.port_open)
            proxy.stop()

    def test_descriptors(self) -> None:
        """`[limits] connections`: no more than the process may have open, with a warning that says so."""
        proxy = self.start(descriptors=87, connections=10)
        held = [proxy.connect().send(request()) for _ in range(3)]
        self.assertEqual(proxy.connect().statuses(), [503])
        self.assertEqual([client.statuses() for client in held], [[]] * 3)
        self.pass_time(proxy, 0.25)
        self.assertEqual([(line.level, line.id) for line in proxy.ocs.lines], [("warning", 93041)])


class LaterSettingsTests(ProxyTestCase):
    """P100."""

    def test_taken_over(self) -> None:
        """P100: answers, keys and limits follow the new settings at once; the port is not touched."""
        proxy = self.start()
        client = proxy.connect()
        digest = "d075f91b6c08ad25a0f7da9181f51b203d727edf709a8ff276b82279e1606429"
        proxy.use(
            make_settings(
                http_custom_headers=[("X-New", "1")],
                keys=[KeySettings(name="k", salt="00", hash=digest)],
                error_codes=True,
                limits=HttpLimits(body=10),
            )
        )
        client.send(request()).send(request("/lists/CL?req=AddRecord", b"{}" * 6, "Authorization: Bearer let me in"))
        first, second = client.answers()
        self.assertEqual((first.status, first.json["GSW_ERROR_CODE"]), (401, "unauthorized"))
        self.assertEqual((second.status, second.header("x-new")), (413, "1"))
        self.assertEqual((len(self.reactor.ports), len(proxy.ocs.all(Ready))), (1, 1))

    def test_unusable(self) -> None:
        """C38, P100: new settings that cannot be used change nothing; a log line of level error says why."""
        proxy = self.start(http_custom_headers=[("X-Old", "1")])
        proxy.use(make_settings(encoding="klingon"))
        self.pass_time(proxy, 0.25)
        self.assertEqual([line.level for line in proxy.ocs.lines], ["error"])
        self.assertIn("klingon", proxy.ocs.lines[0].text)
        (answer,) = proxy.connect().send(request("/nowhere")).answers()
        self.assertEqual((answer.status, answer.header("x-old")), (404, "1"))
        self.assertEqual((proxy.ocs.byes, proxy.statuses), ([], []))


class DrainTests(ProxyTestCase):
    """P91, H353, C78: by OCS or by SIGTERM."""

    def begin(self, proxy: ProxyInMemory, *, by_signal: bool) -> None:
        """Tell the proxy to end within 10 s."""
        if by_signal:
            proxy.application.terminate()
        else:
            proxy.ocs.send(Drain(timeout_ms=10_000, reason="stop"))
        proxy.work()

    def test_nothing_to_do(self) -> None:
        """P91: without open requests the end comes at once: `bye` `done`, exit status 0."""
        for by_signal in (True, False):
            proxy = self.start()
            idle = proxy.connect()
            self.begin(proxy, by_signal=by_signal)
            self.assertTrue(idle.closed)
            self.assertFalse(proxy.port_open)
            self.assertEqual((proxy.ocs.byes, proxy.statuses), (["done"], [DONE]))

    def test_open_requests(self) -> None:
        """H353, P91: the port is closed at once, what is open is answered with `Connection: close`, then the end."""
        for by_signal in (True, False):
            proxy = self.start()
            waiting, begun = proxy.connect().send(request()), proxy.connect().send(request()[:-1])
            self.begin(proxy, by_signal=by_signal)
            self.assertFalse(proxy.port_open)
            self.assertEqual(proxy.ocs.byes, [])
            begun.send(request()[-1:])
            for sent in proxy.ocs.requests:
                proxy.ocs.acknowledge(sent)
            proxy.work()
            for client in (waiting, begun):
                (answer,) = client.answers()
                self.assertEqual((answer.status, answer.header("connection")), (200, "close"))
            self.pass_time(proxy, 3)
            self.assertEqual((proxy.ocs.byes, proxy.statuses), (["done"], [DONE]))

    def test_time_is_over(self) -> None:
        """H353, P91: after the time for it the proxy leaves; what OCS has not answered gets 504, a part nothing."""
        for by_signal in (True, False):
            proxy = self.start()
            waiting, begun = proxy.connect().send(request()), proxy.connect().send(request()[:-1])
            self.begin(proxy, by_signal=by_signal)
            self.pass_time(proxy, 9, lambda proxy=proxy: self.keep_alive(proxy))  # type: ignore[misc]
            self.assertEqual((waiting.statuses(), proxy.ocs.byes), ([], []))
            self.pass_time(proxy, 2.5)
            self.assertEqual((waiting.statuses(), begun.statuses()), ([504], []))
            self.assertEqual((proxy.ocs.byes, proxy.statuses), (["done"], [DONE]))

    def keep_alive(self, proxy: ProxyInMemory) -> None:
        """Let OCS be heard."""
        proxy.ocs.send(Drain(timeout_ms=1))

    def test_before_it_works(self) -> None:
        """P91: also before the settings."""
        for welcomed in (True, False):
            proxy = self.child()
            if welcomed:
                proxy.welcome()
            proxy.application.terminate()
            proxy.work()
            self.assertEqual((proxy.ocs.byes, proxy.statuses), (["done"], [DONE]))

    def test_twice(self) -> None:
        """P91: asked twice, it ends once; a second request does not begin the time anew."""
        proxy = self.start()
        proxy.connect().send(request())
        self.begin(proxy, by_signal=False)
        self.pass_time(proxy, 5, lambda: self.keep_alive(proxy))
        self.begin(proxy, by_signal=True)
        self.pass_time(proxy, 6, lambda: self.keep_alive(proxy))
        self.assertEqual((proxy.ocs.byes, proxy.statuses), (["done"], [DONE]))

    def test_link_lost_meanwhile(self) -> None:
        """P89, P91: the link may be lost during the drain: 504, exit status 75 within 1 s."""
        proxy = self.start()
        waiting = proxy.connect().send(request())
        self.begin(proxy, by_signal=False)
        proxy.ocs.lose()
        self.pass_time(proxy, 1)
        self.assertEqual((waiting.statuses(), proxy.statuses), ([504], [LOST]))

    def test_signal_after_the_end(self) -> None:
        """C78: SIGTERM when everything is over changes nothing."""
        proxy = self.start()
        client = proxy.connect().send(request())
        proxy.ocs.lose()
        proxy.application.terminate()
        self.pass_time(proxy, 1)
        self.assertEqual((client.statuses(), proxy.statuses), ([504], [LOST]))


class GoodbyeTests(ProxyTestCase):
    """configuration.md section 15: exit statuses."""

    def test_goodbyes_of_ocs(self) -> None:
        """P66, P87, P89: 70 for what tells that the child has broken something, 75 for everything else."""
        codes: dict[ByeCode, int] = {
            "done": LOST,
            "not_primary": LOST,
            "timeout": LOST,
            "overflow": LOST,
            "unauthorized": LOST,
            "protocol_error": PROTOCOL,
            "version": PROTOCOL,
            "refused": PROTOCOL,
            "internal": PROTOCOL,
        }
        for code, status in codes.items():
            proxy = self.start()
            client = proxy.connect().send(request())
            proxy.ocs.send(Bye(code=code, text="because"))
            proxy.work()
            self.assertFalse(proxy.port_open, code)
            self.assertEqual(client.statuses(), [504])
            self.pass_time(proxy, 1)
            self.assertEqual(proxy.statuses, [status], code)
            proxy.stop()

    def test_slow_client_at_the_end(self) -> None:
        """P89: a client that takes nothing does not hold the child: it is gone within 1 s."""
        proxy = self.start()
        client = proxy.connect().send(request()).stall()
        begun = self.clock.seconds()
        proxy.ocs.lose()
        self.pass_time(proxy, 1)
        self.assertEqual((proxy.statuses, client.statuses()), ([LOST], []))
        self.assertLessEqual((proxy.ended_at or 0) - begun, 1)

    def test_ocs_does_not_take_the_goodbye(self) -> None:
        """P88, P91: an OCS that neither reads nor closes does not hold the child for ever."""
        proxy = self.start()
        proxy.ocs.transport.stalled = True
        proxy.application.terminate()
        self.pass_time(proxy, 8)
        self.assertEqual(proxy.statuses, [DONE])


class AliasTests(ProxyTestCase):
    """Section 9 of http.md."""

    def test_logged_once(self) -> None:
        """Section 9, 93009: the use of an alias is logged once per start, however it is spelt."""
        proxy = self.start()
        for name in ("RecordCancel", "recordcancel", "RECORDCANCEL", "RequestRecordCancel", "PreviewRecord"):
            resource = "campaigngroups" if name == "PreviewRecord" else "records"
            proxy.connect().send(request(f"/{resource}/1?req={name}", b""))
        self.pass_time(proxy, 0.25)
        self.assertEqual([(line.id, line.level) for line in proxy.ocs.lines], [(93009, "info")] * 2)
        self.assertEqual(
            [sent.data["GSW_AGENT_REQ_TYPE"] for sent in proxy.ocs.requests],
            ["RequestRecordCancel"] * 4 + ["PreviewRecordRequest"],
        )
