"""Lines about refused requests and misspelt members: what an operator and fail2ban act upon (93160 to 93162, H95)."""

import configparser
import re
from pathlib import Path
from typing import Any

from ocsgw.protocol.messages import Event
from tests.proxy.test_request_policy import api_key
from tests.support.http import FakeGateway, HttpServer, HttpTestCase, request
from tests.support.logs import LogCapture
from tests.support.settings import make_settings

FILTER = Path(__file__).parents[2] / "etc" / "fail2ban" / "filter.d" / "ocsgw.conf"
# Addresses as fail2ban finds them with <HOST>.
HOST = r"(?:::f{4,6}:)?(?P<host>[\w\-.^_]*\w|[0-9a-fA-F:]+)"
PAGE = "Origin: https://crm.example"


class RefusalTests(HttpTestCase):
    """Refused logins, permissions and limits."""

    def setUp(self) -> None:
        super().setUp()
        self.log = LogCapture(self)

    def refused(self) -> list[str]:
        """Return the lines about refused requests."""
        return [text for text in self.log.texts() if text.startswith("Request of")]

    def test_each_kind(self) -> None:
        """Section 13: 401, 403 (of OCS too) and 429 are reported with address and principal; nothing else is."""
        server = self.serve(keys=[api_key("crm", "secret", ["DoNotCall"])], gateway=FakeGateway())
        key = "Authorization: Bearer secret"
        server.connect().send(request())
        server.connect().send(request("/lists/CL?req=AddRecord", b"{}", key))
        server.connect().send(request("/phones/1?req=DoNotCall", b"{}", key))
        server.connect().send(request("/nowhere"))
        server.gateway.reply = lambda data: Event(data={"GSW_ERROR": "Not permitted"}, code="forbidden")
        server.connect().send(request("/phones/1?req=DoNotCall", b"{}", key))
        limited = self.serve(address_rate=1).connect().send(request() * 2)
        self.assertEqual(limited.statuses(), [200, 429])
        self.assertEqual(
            self.refused(),
            [
                "Request of 192.0.2.1 refused: 401 Authentication required, principal -",
                "Request of 192.0.2.1 refused: 403 Not permitted, principal crm",
                "Request of 192.0.2.1 refused: 403 Not permitted, principal crm",
                "Request of 192.0.2.1 refused: 429 Too many requests, principal -",
            ],
        )

    def test_bounded(self) -> None:
        """R53: an address gets ten lines a minute; how many more there were is said at the end of it."""
        server = self.serve(keys=[api_key("crm", "secret")])
        for _ in range(25):
            server.connect().send(request())
        self.assertEqual(len(self.refused()), 10)
        self.advance(61)
        self.assertIn("15 more requests were refused within 60 s", self.log.texts())
        server.connect().send(request())
        self.assertEqual(len(self.refused()), 11)

    def test_fail2ban(self) -> None:
        """The supplied filter finds the address in each form of the log, and in nothing that a client writes."""
        parser = configparser.RawConfigParser()
        parser.read(FILTER, encoding="utf-8")
        patterns = [
            re.compile(line.replace("<HOST>", HOST))
            for line in parser["Definition"]["failregex"].splitlines()
            if line.strip()
        ]

        def found(line: str) -> list[str]:
            return [match["host"] for pattern in patterns if (match := pattern.search(line))]

        text = "Request of 192.0.2.1 refused: 401 Authentication required, principal -"
        for line in (
            f"2026-03-21T14:30:00.000Z warning 93160 {text}",
            f"14:30:00.000 Std 93160 {text}",
            f'{{"time": "2026-03-21T14:30:00.000+00:00", "level": "warning", "number": 93160, "text": "{text}"}}',
        ):
            self.assertEqual(found(line), ["192.0.2.1"])
            self.assertEqual(found(line.replace("192.0.2.1", "2001:db8::1")), ["2001:db8::1"])
        for number, other in (
            (93008, f"Unknown custom key {text} in calling list x"),
            (93160, text.replace("401 Authentication required", "429 Too many requests")),
        ):
            self.assertEqual(found(f"2026-03-21T14:30:00.000Z warning {number} {other}"), [])


class MemberTests(HttpTestCase):
    """Members that begin like attributes and are none."""

    def ask_with(self, body: bytes, server: HttpServer) -> tuple[int, str]:
        """Return status and error text."""
        (answer,) = server.connect().send(request("/lists/CL?req=AddRecord", body)).answers()
        return answer.status, answer.json.get("GSW_ERROR", "")

    def test_strict(self) -> None:
        """H95: with `strict` a misspelt member is refused with the nearest name; keys that exist elsewhere are not."""
        server = self.serve(strict=True)
        for member, nearest in (
            (b"GSW_PHONE_TYP", "GSW_PHONE_TYPE"),
            (b"GSW_phone_type", "GSW_PHONE_TYPE"),
            (b"GSW_ATTEMPT", "GSW_ATTEMPTS"),
            (b"GSW_RECORD_HANDEL", "GSW_RECORD_HANDLE"),
        ):
            status, text = self.ask_with(b'{"GSW_PHONE":"1","%b":1}' % member, server)
            self.assertEqual((status, text), (400, f"Unknown attribute {member.decode()}; the nearest is {nearest}"))
        self.assertEqual(self.ask_with(b'{"GSW_PHONE":"1","GSW_QQQQ":1}', server), (400, "Unknown attribute GSW_QQQQ"))
        good = b'{"GSW_PHONE":"1","GSW_CHAIN_ATTR":"x","GSW_USER_EVENT":"PreviewRecord","GSW_RECORD_URI":"x","other":1}'
        self.assertEqual(self.ask_with(good, server)[0], 200)
        # What is wrong by the tables is reported first, as without it.
        wrong = self.ask_with(b'{"GSW_QQQQ":1}', server)
        self.assertEqual(wrong, (400, "Missing attribute GSW_PHONE"))

    def test_lenient(self) -> None:
        """H95: by default such members are ignored; each name is logged once, whatever is reloaded."""
        log = LogCapture(self)
        server = self.serve()
        for _ in range(3):
            self.assertEqual(self.ask_with(b'{"GSW_PHONE":"1","GSW_PHONE_TYP":1,"GSW_X\\n":1}', server)[0], 200)
            server.frontend.use(make_settings())
        lines = [text for text in log.texts() if text.startswith("Unknown member")]
        self.assertEqual(len(lines), 2)
        self.assertIn("Unknown member GSW_PHONE_TYP in a body for AddRecord; did you mean GSW_PHONE_TYPE?", lines)

    def test_many(self) -> None:
        """R53: a client with ever new names fills neither memory nor log."""
        log = LogCapture(self)
        server = self.serve()
        for at in range(0, 1500, 500):
            members: list[Any] = [b'"GSW_N%d":1' % number for number in range(at, at + 500)]
            self.assertEqual(self.ask_with(b'{"GSW_PHONE":"1",' + b",".join(members) + b"}", server)[0], 200)
        self.assertEqual(len([text for text in log.texts() if text.startswith("Unknown member")]), 1000)


class CrossOriginTests(HttpTestCase):
    """Pages of other origins in a browser."""

    ASKS = (PAGE, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")

    def serve_origins(self, *origins: str, **changes: Any) -> HttpServer:
        """Return a server for pages of these origins."""
        settings = make_settings(**changes)
        assert settings.listener is not None
        settings.listener.cors_origins = list(origins)
        server = HttpServer(self.clock, settings)
        self.addCleanup(server.stop)
        return server

    def test_preflight(self) -> None:
        """A browser that asks is told what may be sent, without a key; on the same connection it sends it then."""
        server = self.serve_origins("https://crm.example", keys=[api_key("crm", "secret")])
        ask = request("/lists/CL?req=AddRecord", b"", *self.ASKS, method="OPTIONS")
        send = request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', PAGE, "Authorization: Bearer secret")
        preflight, answer = server.connect().send(ask + send).answers()
        self.assertEqual((preflight.status, preflight.body), (200, b""))
        self.assertEqual(preflight.header("access-control-allow-methods"), "GET, POST")
        self.assertIn("Authorization", preflight.header("access-control-allow-headers") or "")
        for each in (preflight, answer):
            self.assertEqual(each.header("access-control-allow-origin"), "https://crm.example")
            self.assertEqual(each.header("vary"), "Origin")
        self.assertEqual(answer.status, 200)
        self.assertIn("Idempotency-Replayed", answer.header("access-control-expose-headers") or "")
        private = request("/", b"", *self.ASKS, "Access-Control-Request-Private-Network: true", method="OPTIONS")
        (allowed,) = server.connect().send(private).answers()
        self.assertEqual(allowed.header("access-control-allow-private-network"), "true")

    def test_errors_can_be_seen(self) -> None:
        """A page sees why its request was refused."""
        server = self.serve_origins("*", keys=[api_key("crm", "secret")])
        for raw, status in ((request("/lists/CL?req=AddRecord", b"{}", PAGE), 401), (request("/x", b"{}", PAGE), 404)):
            (answer,) = server.connect().send(raw).answers()
            self.assertEqual((answer.status, answer.header("access-control-allow-origin")), (status, PAGE[8:]))

    def test_others(self) -> None:
        """Without the option, for other origins, and for what is no question of a browser, nothing is different."""
        for server, origin in (
            (self.serve(), PAGE),
            (self.serve_origins("https://crm.example"), "Origin: https://crm.example.evil"),
            (self.serve_origins("https://crm.example"), "Origin: null"),
        ):
            client = server.connect()
            client.send(request("/lists/CL?req=AddRecord", b"", origin, *self.ASKS[1:], method="OPTIONS"))
            client.send(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', origin))
            refused, answer = client.answers()
            self.assertEqual((refused.status, answer.status), (405, 200))
            for each in (refused, answer):
                self.assertIsNone(each.header("access-control-allow-origin"))
        server = self.serve_origins("*")
        options = request("/lists/CL?req=AddRecord", b"", PAGE, method="OPTIONS")
        self.assertEqual(server.connect().send(options).statuses(), [405])

    def test_limits(self) -> None:
        """Questions of browsers count for the limits of their address."""
        server = self.serve_origins("*")
        server.frontend.use(make_settings())
        limited = self.serve(address_rate=1)
        limited.frontend.router.cross_origin = self.serve_origins("*").frontend.router.cross_origin
        ask = request("/", b"", *self.ASKS, method="OPTIONS")
        self.assertEqual(limited.connect().send(ask * 2).statuses(), [200, 429])
