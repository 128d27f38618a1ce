"""Log lines of HTTP Proxy on their way to OCS (protocol.md section 9)."""

from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from ocsgw.logs import say
from ocsgw.protocol.messages import Event, Log
from ocsgw.protocol.messages import LogLevel as Level
from ocsgw.proxy.shipping import LogShipper
from tests.support.case import ClockTestCase
from tests.support.http import request
from tests.support.proxy import ProxyTestCase


class ShippingTests(ClockTestCase):
    """P120, P121: the shipper alone."""

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[Log] = []
        self.link_takes = True
        self.link_fails = False
        self.shipper = LogShipper(self.clock, self._send)
        self.addCleanup(self.shipper.stop)

    def _send(self, message: Log) -> bool:
        if self.link_fails:
            raise ZeroDivisionError
        if self.link_takes:
            self.sent.append(message)
        return self.link_takes

    def log(self, form: str = "Line {number}", level: Any = LogLevel.info, **fields: Any) -> None:
        """Emit one event."""
        self.shipper({"log_format": form, "log_level": level, "log_time": 1.5, "log_namespace": "x", **fields})

    def texts(self) -> list[str]:
        """Return the texts of all lines that were sent."""
        return [line.text for message in self.sent for line in message.lines]

    def test_within_a_moment(self) -> None:
        """P120: what is logged goes out after 200 ms at the latest, in one message, with time, level and number."""
        self.log(number=1)
        self.clock.advance(0.125)
        self.log(number=2, level=LogLevel.error)
        self.assertEqual(self.sent, [])
        self.clock.advance(0.075)
        (message,) = self.sent
        self.assertEqual([line.text for line in message.lines], ["Line 1", "Line 2"])
        self.assertEqual([line.level for line in message.lines], ["info", "error"])
        self.assertEqual([(line.time, line.id) for line in message.lines], [(1_500_000, 1), (1_500_000, 2)])
        self.clock.advance(5)
        self.assertEqual(len(self.sent), 1)

    def test_message_that_cannot_be_sent(self) -> None:
        """Lines that cannot be sent are dropped and counted; those after them are sent."""
        self.link_fails = True
        self.log(number=1)
        self.log(number=2)
        self.clock.advance(0.2)
        self.link_fails = False
        self.log(number=3)
        self.clock.advance(0.2)
        self.assertEqual((self.texts(), self.sent[0].dropped), (["Line 3"], 2))

    def test_messages_of_64_lines(self) -> None:
        """P120: at most 64 lines in one message, all of them, in their order."""
        for number in range(200):
            self.log(number=number)
        self.clock.advance(0.2)
        self.assertEqual([len(message.lines) for message in self.sent], [64, 64, 64, 8])
        self.assertEqual(self.texts(), [f"Line {number}" for number in range(200)])

    def test_long_lines(self) -> None:
        """P64, P120: long lines go in smaller messages, far below the largest frame."""
        for _ in range(64):
            self.log("x" * 100_000)
        self.clock.advance(0.2)
        self.assertEqual(len(self.texts()), 64)
        self.assertLess(max(sum(len(line.text) for line in message.lines) for message in self.sent), 1 << 20)

    def test_link_takes_none(self) -> None:
        """P121: 1000 lines wait, further ones are dropped and counted in the next message."""
        self.link_takes = False
        for number in range(1234):
            self.log(number=number)
        self.clock.advance(1)
        self.link_takes = True
        self.link_fails = False
        self.clock.advance(0.2)
        self.assertEqual(self.texts(), [f"Line {number}" for number in range(1000)])
        self.assertEqual([message.dropped for message in self.sent], [234] + [0] * 15)
        self.log(number=1)
        self.clock.advance(0.2)
        self.assertEqual(self.sent[-1].dropped, 0)

    def test_level(self) -> None:
        """Section 7, `log_level`: what is below the level of the settings is not sent."""
        levels: tuple[Level, ...] = ("debug", "trace", "info", "warning", "error")
        given = (LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical)
        for level, expected in zip(levels, (5, 4, 4, 3, 2), strict=True):
            self.sent.clear()
            self.shipper.level = level
            for each in given:
                self.log("x", each)
            self.clock.advance(0.2)
            self.assertEqual(len(self.texts()), expected, level)

    def test_one_line(self) -> None:
        """P123: neither a traceback nor text of a client can begin a second line."""
        try:
            raise ValueError("two\nlines")
        except ValueError:
            self.log("It failed", LogLevel.critical, log_failure=Failure())
        self.log("{text}", text="a\r\nb\x00\x1b[31m\u2028\x85c")
        self.clock.advance(0.2)
        for text in self.texts():
            self.assertTrue(text.isprintable(), text)
        self.assertIn("two", self.texts()[0])

    def test_what_cannot_be_formatted(self) -> None:
        """P121: a log event that is broken is a line that says so, not a failure of the request that logged it."""
        self.log("{missing} {nothing.at.all}")
        self.log("{x.y}", x=1)
        self.clock.advance(0.2)
        self.assertEqual(len(self.texts()), 2)

    def test_stop(self) -> None:
        """P125: what is left goes out at the end, and no timer stays."""
        self.log(number=1)
        self.shipper.stop()
        self.assertEqual(self.texts(), ["Line 1"])


class LinesOfRequestsTests(ProxyTestCase):
    """P121, P122: lines and requests on one link."""

    def test_no_line_per_request(self) -> None:
        """P122: neither acknowledged nor refused requests make a line at level info."""
        proxy = self.start()
        client = proxy.connect()
        for raw in (request(), request("/nowhere"), request(body=b"{"), request("/lists/CL?req=Nope"), b"x\r\n\r\n"):
            client.send(raw)
            for sent in proxy.ocs.requests:
                proxy.ocs.send(Event(ref=sent.ref, data={"GSW_USER_EVENT": "AddRecordAcknowledge"}))
        self.pass_time(proxy, 0.5)
        self.assertEqual(client.statuses(), [200, 404, 400, 400, 400])
        self.assertEqual(proxy.ocs.lines, [])

    def test_answers_do_not_wait(self) -> None:
        """P121: while OCS reads nothing, lines are kept back, and answers to clients go on."""
        proxy = self.start()
        waiting = proxy.connect().send(request())
        log = Logger()
        sent = proxy.ocs.requests[0]
        proxy.ocs.transport.stalled = True
        body = b'{"GSW_PHONE":"1","own":"' + b"x" * 1_000_000 + b'"}'
        for _ in range(20):
            proxy.connect().send(request(body=body))
        for _ in range(1500):
            say(log, 93009, alias="x", request="y")
        self.pass_time(proxy, 1)
        proxy.ocs.acknowledge(sent)
        self.assertEqual(waiting.take().statuses(), [200])
        self.assertEqual(proxy.ocs.lines, [])
        proxy.ocs.transport.stalled = False
        self.pass_time(proxy, 0.25)
        self.assertEqual(len(proxy.ocs.lines), 1000)
        self.assertEqual(proxy.ocs.all(Log)[0].dropped, 500)

    def test_before_the_link_is_up(self) -> None:
        """P125: lines from before the welcome reach OCS."""
        proxy = self.child()
        say(Logger(), 93009, alias="early", request="y")
        proxy.welcome()
        self.pass_time(proxy, 0.5)
        self.assertEqual([line.id for line in proxy.ocs.lines], [93009])
