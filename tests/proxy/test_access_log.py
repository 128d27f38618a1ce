"""The access log of HTTP Proxy: which lines it makes of what, and how they leave."""

import json

from ocsgw.protocol.message_parts import AccessLogSettings
from ocsgw.protocol.messages import AccessLines
from ocsgw.proxy.access_lines import Access, form_of
from ocsgw.proxy.access_log import AccessLog
from ocsgw.proxy.http.grammar import NO_HEAD, NO_LINE
from ocsgw.proxy.policy.target import Target
from tests.proxy.test_request_policy import api_key
from tests.support.http import HttpServer, HttpTestCase, request

BODY = b'{"GSW_PHONE":"1"}'
AGENT = "User-Agent: curl/8.5"


class AccessLogTestCase(HttpTestCase):
    """A front with an access log."""

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[AccessLines] = []
        self.link_takes = True
        self.link_fails = False

    def _send(self, message: AccessLines) -> bool:
        if self.link_fails:
            raise ZeroDivisionError
        if self.link_takes:
            self.sent.append(message)
        return self.link_takes

    def log(self, server: HttpServer, form: str = "combined", *, clear: bool = False) -> AccessLog:
        """Give a server an access log."""
        log = server.frontend.access_log = AccessLog(self.clock, lambda: 1_795_000_000.25, self._send)
        log.use(AccessLogSettings(form=form, clear=clear))  # type: ignore[arg-type]  # one of both
        self.addCleanup(log.stop)
        return log

    def lines(self) -> list[str]:
        """Return the lines that have been sent."""
        return "".join(message.text for message in self.sent).split("\n")[:-1]


class LineTests(AccessLogTestCase):
    """What stands in a line."""

    def test_combined(self) -> None:
        """The form of web servers: address, principal, time, request line, status, size, referer and agent."""
        server = self.serve(keys=[api_key("CRM of Žižkov", "secret")])
        self.log(server)
        client = server.connect()
        key = "Authorization: Bearer secret"
        client.send(
            request("/records/16?req=RecordProcessed", b"{}", key, AGENT, "Referer: https://crm.example/p?n=650")
        )
        client.send(request("/records/16?req=RecordProcessed"))
        self.advance(0.2)
        size = [len(answer.body) for answer in client.answers()]
        first, second = self.lines()
        self.assertEqual(
            first,
            r"192.0.2.1 - CRM\x20of\x20\u017di\u017ekov [18/Nov/2026:11:06:40 +0000] "
            f'"POST /records/16?req=RecordProcessed HTTP/1.1" 200 {size[0]} "https://crm.example" "curl/8.5"',
        )
        self.assertEqual(
            second,
            '192.0.2.1 - - [18/Nov/2026:11:06:40 +0000] "POST /records/16?req=RecordProcessed HTTP/1.1" '
            f'401 {size[1]} "-" "-"',
        )

    def test_both_ways(self) -> None:
        """A request makes the same line, whether it comes as one segment or as several."""
        server = self.serve()
        self.log(server)
        client = server.connect()
        whole = request("/lists/CL?req=AddRecord", BODY, AGENT)
        for part in (whole, whole, whole[:9], whole[9:-1], whole[-1:]):
            client.send(part)
        self.advance(0.2)
        self.assertEqual(len(set(self.lines())), 1, self.lines())
        self.assertEqual(len(self.lines()), 3)
        self.assertIn('"POST /lists/CL?req=AddRecord HTTP/1.1" 200', self.lines()[0])

    def test_json(self) -> None:
        """One object a line, with the time it took and the request id."""
        server = self.serve()
        self.log(server, "json")
        server.gateway.holds = True
        client = server.connect()
        client.send(request("/phones/6505550177?req=DoNotCall", b"{}", "X-Request-ID: a-1"))
        self.advance(1.5)
        server.gateway.release()
        client.take()
        self.advance(0.2)
        (line,) = self.lines()
        found = json.loads(line)
        self.assertEqual(found.pop("size"), len(client.answers()[0].body))
        self.assertEqual(
            found,
            {
                "time": "2026-11-18T11:06:40.250Z",
                "peer": "192.0.2.1",
                "principal": None,
                "method": "POST",
                "target": "/phones/********77?req=DoNotCall",
                "request": "DoNotCall",
                "status": 200,
                "seconds": 1.5,
                "request_id": "a-1",
                "referer": None,
                "user_agent": None,
            },
        )

    def test_contacts(self) -> None:
        """R54: what may be a contact is masked, wherever it stands in a target, unless contacts are shown."""
        secret = "6505550177"
        targets = (
            f"/phones/{secret}?req=DoNotCall",
            f"/customer_ids/{secret}?req=DoNotCall",
            f"/phone/{secret}?req=DoNotCall",
            f"/phones/{secret}",
            f"/phones/{secret}/x?req=DoNotCall",
            f"/lists/CL?req=AddRecord&phone={secret}",
            f"/lists/CL?req={secret}",
            f"http://{secret}/phones/{secret}?req=DoNotCall",
        )
        for form in ("combined", "json"):
            for clear in (False, True):
                server = self.serve()
                self.log(server, form, clear=clear)
                self.sent.clear()
                for target in targets:
                    server.connect().send(request(target, b"{}", f"Referer: https://crm.example/{secret}"))
                self.advance(0.2)
                self.assertEqual(len(self.lines()), len(targets))
                for target, line in zip(targets, self.lines(), strict=True):
                    self.assertEqual(secret in line, clear, f"{target}: {line}")

    def test_hostile(self) -> None:
        """R53: nothing that a client sends begins a line or ends a field; what is no request has a line, too."""
        for form in ("combined", "json"):
            server = self.serve()
            self.log(server, form, clear=True)
            self.sent.clear()
            server.connect().send(request("/lists/%22%0a?req=AddRecord", b"{}", 'User-Agent: a" "b\\\t\xe9'))
            server.connect().send(request("/lists/\xe9?req=AddRecord", b"{}", "User-Agent: " + "x" * 5000))
            server.connect().send(b"\x16\x03\x01 rubbish\r\n\r\n")
            self.advance(0.2)
            lines = self.lines()
            self.assertEqual(len(lines), 3)
            for line in lines:
                self.assertTrue(line.isascii() and line.isprintable(), line)
                self.assertLess(len(line), 3000)
                if form == "combined":
                    self.assertEqual(line.count('"'), 6, line)
                else:
                    json.loads(line)

    def test_client_gone(self) -> None:
        """A client that goes before its answer has a line all the same (499)."""
        server = self.serve()
        self.log(server)
        server.gateway.holds = True
        client = server.connect()
        client.send(request("/lists/CL?req=AddRecord"))
        client.vanish()
        self.advance(0.2)
        (line,) = self.lines()
        self.assertIn('"POST /lists/CL?req=AddRecord HTTP/1.1" 499 0 ', line)


class SendingTests(AccessLogTestCase):
    """How lines leave."""

    def test_batches(self) -> None:
        """Lines go together after 0.2 s, or when there are many."""
        server = self.serve()
        self.log(server)
        client = server.connect()
        for _ in range(300):
            client.send(request())
        counts = [256]
        self.assertEqual([message.count for message in self.sent], counts)
        self.advance(0.1)
        self.assertEqual(len(self.sent), 1)
        self.advance(0.1)
        self.assertEqual([message.count for message in self.sent], [256, 44])

    def test_bounded(self) -> None:
        """A link that takes nothing costs no answer and a bounded amount of memory; what is lost is counted."""
        server = self.serve()
        self.log(server)
        self.link_takes = False
        client = server.connect()
        for _ in range(8200):
            client.send(request())
        self.advance(0.2)
        self.assertEqual(len(client.answers()), 8200)
        self.link_takes = True
        self.advance(0.2)
        self.assertEqual(sum(message.count for message in self.sent), 8192)
        self.assertEqual(sum(message.dropped for message in self.sent), 8)

    def test_failing_link(self) -> None:
        """A message that cannot be sent is dropped and counted; later ones are sent."""
        server = self.serve()
        self.log(server)
        self.link_fails = True
        server.connect().send(request() * 3)
        self.advance(0.2)
        self.link_fails = False
        server.connect().send(request())
        self.advance(0.2)
        self.assertEqual([(message.count, message.dropped) for message in self.sent], [(1, 3)])

    def test_stop(self) -> None:
        """The rest is sent at the end, and no timer is left."""
        server = self.serve()
        log = self.log(server)
        server.connect().send(request())
        log.stop()
        self.assertEqual(len(self.lines()), 1)

    def test_no_log(self) -> None:
        """Without an access log nothing is noted."""
        server = self.serve()
        server.connect().send(request())
        self.advance(1)
        self.assertEqual(self.sent, [])


class FormTests(AccessLogTestCase):
    """A form alone."""

    def test_seconds_change(self) -> None:
        """Lines of different seconds have their own time."""
        form = form_of(AccessLogSettings(form="combined", clear=False))
        lines = [form(Access(at, 0, "", None, Target(None), NO_LINE, NO_HEAD, b"400", 0)) for at in (0, 1, 0.5)]
        self.assertEqual([line[7:33] for line in lines], [f"01/Jan/1970:00:00:0{n} +0000" for n in (0, 1, 0)])
