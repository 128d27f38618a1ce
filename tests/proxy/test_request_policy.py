"""The checks that need no OCS (http.md section 4, checks 1 to 13), who may come in, and idempotency keys."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KeySettings, ListenerSettings, TlsSettings
from ocsgw.proxy.frontend import HttpFrontend, SettingsError
from tests.support.http import FakeGateway, HttpTestCase, request
from tests.support.settings import make_settings


def api_key(name: str, secret: str, actions: list[str] | None = None) -> KeySettings:
    """Return an API key as OCS tells it (protocol.md section 7)."""
    salt = hashlib.sha256(name.encode()).hexdigest()[:16]
    digest = hashlib.sha256(bytes.fromhex(salt) + hashlib.sha256(secret.encode()).digest()).hexdigest()
    return KeySettings(name=name, salt=salt, hash=digest, actions=actions)


KEYS = [api_key("all", "open sesame"), api_key("reader", "peek", ["CampaignStatusRequest", "RequestRecordCancel"])]


@dataclass
class Draft:
    """A request that earns a 200, before something is made wrong with it."""

    method: str = "POST"
    version: str = "HTTP/1.1"
    path: str = "/records/"
    identifier: str = "15"
    query: str = "?req=RecordReschedule"
    key: str | None = "Authorization: Bearer open sesame"
    fields: list[str] = field(default_factory=lambda: ["Host: ocs.example"])
    members: dict[str, object] = field(
        default_factory=lambda: {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"}
    )
    body: bytes | None = None
    length: int | None = None
    busy: bool = False

    def raw(self) -> bytes:
        """Return the request."""
        body = self.body if self.body is not None else json.dumps(self.members).encode()
        length = self.length if self.length is not None else len(body)
        lines = [f"{self.method} {self.path}{self.identifier}{self.query} {self.version}", *self.fields]
        lines += [self.key] if self.key is not None else []
        head = "".join(f"{line}\r\n" for line in [*lines, f"Content-Length: {length}"])
        return head.encode("latin-1") + b"\r\n" + body


@dataclass
class Fault:
    """What is wrong: the number of the check that finds it, the part of the request that it changes, the answer."""

    check: float
    part: str
    status: int
    text: str
    make: Callable[[Draft], object]


def changing(**changes: object) -> Callable[[Draft], object]:
    def change(draft: Draft) -> None:
        for name, value in changes.items():
            setattr(draft, name, value)

    return change


def adding(*fields: str) -> Callable[[Draft], object]:
    return lambda draft: draft.fields.extend(fields)


def having(**members: object) -> Callable[[Draft], object]:
    return lambda draft: draft.members.update(members)


FAULTS = (
    Fault(1, "version", 505, "HTTP version not supported", changing(version="HTTP/2.0")),
    Fault(1, "version", 400, "Bad request", changing(version="HTTQ/1.1")),
    Fault(1, "path", 400, "Bad request", changing(path="/records/%zz")),
    Fault(1, "path", 414, "Request target too long", changing(path="/records/" + "1" * 9000)),
    Fault(1, "fields", 400, "Bad request", adding("Bad Name: 1")),
    Fault(1, "fields", 400, "Bad request", adding("Host: another")),
    Fault(1, "fields", 431, "Request header too large", adding(*["A: 1"] * 101)),
    Fault(1, "fields", 431, "Request header too large", adding("A: " + "1" * 66_000)),
    Fault(2, "path", 404, "Unknown resource", changing(path="/record/")),
    Fault(2, "path", 404, "Unknown resource", changing(path="/records/1/")),
    Fault(3, "method", 405, "Method not allowed", changing(method="GET")),
    Fault(3, "method", 405, "Method not allowed", changing(method="DELETE")),
    Fault(4, "key", 401, "Authentication required", changing(key=None)),
    Fault(4, "key", 401, "Authentication required", changing(key="Authorization: Bearer wrong")),
    Fault(5, "query", 400, "Missing parameter req", changing(query="")),
    Fault(5, "query", 400, "Parameter req is given more than once", changing(query="?req=RecordReject&req=x")),
    Fault(5, "query", 400, "Unknown request Fly", changing(query="?req=Fly")),
    Fault(
        6,
        "query",
        400,
        "Request AddRecord is not supported for resource records",
        changing(query="?req=AddRecord"),
    ),
    Fault(6.5, "key", 403, "Not permitted", changing(key="Authorization: Bearer peek")),
    Fault(7, "", 400, "Invalid Idempotency-Key", adding("Idempotency-Key:")),
    Fault(7, "", 400, "Invalid Idempotency-Key", adding("Idempotency-Key: a", "Idempotency-Key: a")),
    Fault(8, "", 415, "Unsupported content encoding", adding("Content-Encoding: gzip")),
    Fault(8.1, "", 415, "Unsupported charset", adding("Content-Type: text/plain; charset=klingon")),
    Fault(8.2, "", 417, "Expectation failed", adding("Expect: a-miracle")),
    Fault(9, "length", 413, "Request body too large", changing(length=3000)),
    Fault(9, "length", 408, "Request timeout", changing(length=1500)),
    Fault(10, "body", 400, "Body is not valid UTF-8", changing(body=b'{"a":"\xff"}')),
    Fault(10, "body", 400, "Invalid JSON", changing(body=b"{")),
    Fault(10, "body", 400, "JSON object expected", changing(body=b"[]")),
    Fault(11, "identifier", 404, "Invalid record handle", changing(identifier="015")),
    Fault(12, "", 400, "Invalid value of attribute GSW_AGENT_REQ_TYPE", having(GSW_AGENT_REQ_TYPE="RecordReject")),
    Fault(12.1, "", 400, "Invalid value of attribute GSW_RECORD_HANDLE", having(GSW_RECORD_HANDLE=16)),
    Fault(12.2, "date", 400, "Missing attribute GSW_DATE_TIME", having(GSW_DATE_TIME=None)),
    Fault(12.3, "callback", 400, "Invalid value of attribute GSW_CALLBACK_TYPE", having(GSW_CALLBACK_TYPE="Later")),
    Fault(12.4, "date", 400, "Invalid date or time", having(GSW_DATE_TIME="tomorrow")),
    Fault(13, "", 503, "Outbound Contact Server is not available", changing(busy=True)),
)


class OrderOfChecksTests(HttpTestCase):
    """http.md section 4: the first check that fails gives the answer, and nothing is handed over."""

    def test_every_fault(self) -> None:
        """Section 4: each fault alone, on both ways through the channel; without one the request is taken."""

        def check(row: tuple[Fault, bool]) -> None:
            fault, short_cut = row
            self._expect((fault,), fault.status, fault.text, short_cut=short_cut)

        for short_cut in (True, False):
            self._expect((), 200, None, short_cut=short_cut)
        self.for_each([(fault, short_cut) for fault in FAULTS for short_cut in (True, False)], check)

    def test_every_two_faults(self) -> None:
        """Section 4, H72: of two faults the one of the earlier check is reported, whatever the other would say."""

        def check(pair: tuple[Fault, Fault]) -> None:
            self._expect(pair, pair[0].status, pair[0].text)

        pairs = [
            pair
            for pair in combinations(FAULTS, 2)
            if pair[0].check < pair[1].check and (pair[0].part != pair[1].part or not pair[0].part)
        ]
        self.assertGreater(len(pairs), 400)
        self.for_each(pairs, check)

    def _expect(self, faults: tuple[Fault, ...], status: int, text: str | None, *, short_cut: bool = True) -> None:
        draft = Draft()
        for fault in reversed(faults):
            fault.make(draft)
        gateway = FakeGateway(refusal=Refusal("unavailable") if draft.busy else None)
        server = self.serve(short_cut=short_cut, gateway=gateway, keys=KEYS, body=2000)
        client = server.connect().send(draft.raw())
        if status == 408:
            self.advance(31)
            client.take()
        answers = client.answers()
        self.assertEqual([answer.status for answer in answers], [status])
        if text is None:
            self.assertEqual(len(gateway.requests), 1)
            return
        self.assertEqual(answers[0].error, text)
        self.assertEqual(gateway.requests, [])
        # H11: only what cannot be delimited ends the connection.
        self.assertEqual(client.closed, status in (408, 413, 414, 431, 505) or text == "Bad request")
        server.stop()


class AuthenticationTests(HttpTestCase):
    """http.md section 13, as far as HTTP Proxy does it."""

    def principal(self, *fields: str, certificate: str | None = None, **changes: Any) -> str | int | None:
        """Return the principal of a request that is let in, the status of its refusal otherwise."""
        gateway = FakeGateway()
        server = self.serve(gateway=gateway, **{"keys": KEYS, **changes})
        client = server.connect()
        client.channel._certificate = certificate
        (answer,) = client.send(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', *fields)).answers()
        return gateway.exchanges[0].principal if answer.status == 200 else answer.status

    def test_no_keys(self) -> None:
        """H340, H345: without keys everybody is the anonymous principal, whatever the header says."""
        for fields in ((), ("Authorization: Bearer x",), ("Authorization: Basic !",), ("Authorization:",) * 2):
            self.assertIsNone(self.principal(*fields, keys=[]))

    def test_bearer(self) -> None:
        """H342: the key after `Bearer` in any case, with any blanks around it."""
        for value in ("Bearer open sesame", "bearer open sesame", "BEARER  open sesame ", "bEaReR   open sesame"):
            self.assertEqual(self.principal(f"Authorization: {value}"), "all", value)

    def test_wrong_or_missing(self) -> None:
        """H342: everything else is 401."""
        for fields in (
            (),
            ("Authorization:",),
            ("Authorization: Bearer",),
            ("Authorization: Bearer ",),
            ("Authorization: open sesame",),
            ("Authorization: Basic open sesame",),
            ("Authorization: Bearer open sesame.",),
            ("Authorization: Bearer Open sesame",),
            ("Authorization: Bearer open\tsesame",),
            ("Authorization: Bearer\topen sesame",),
            ("Authorization: Bearer open sesame", "Authorization: Bearer open sesame"),
            (f"Authorization: Bearer {KEYS[0].hash}",),
            ("Proxy-Authorization: Bearer open sesame",),
            ("Cookie: Bearer open sesame",),
        ):
            self.assertEqual(self.principal(*fields), 401, fields)

    def test_actions(self) -> None:
        """H346: a key that is limited to actions may do these, also by an alias, and nothing else."""
        rows = (
            ("/lists/CL?req=AddRecord", "peek", 403),
            ("/records/15?req=RequestRecordCancel", "peek", 200),
            ("/phones/1?req=recordcancel", "peek", 200),
            ("/campaigngroups/1?req=CAMPAIGNSTATUSREQUEST", "peek", 200),
            ("/campaigngroups/1?req=PreviewRecord", "peek", 403),
            ("/campaigngroups/1?req=PreviewRecord", "open sesame", 200),
        )
        for target, secret, status in rows:
            raw = request(target, b'{"GSW_PHONE":"1"}', f"Authorization: Bearer {secret}")
            self.assertEqual(self.ask(raw, keys=KEYS).status, status, target)

    def test_certificates(self) -> None:
        """H344: with `optional` the key or the certificate is enough; where a certificate is demanded, it is."""
        modes: tuple[Literal["optional"] | bool, ...] = ("optional", True)
        for mutual in modes:
            tls = TlsSettings(certificate="", certificate_key="", tls_mutual=mutual)
            listener = ListenerSettings(id="default", interface="127.0.0.1", port=1, public_host="x", tls=tls)
            key = "Authorization: Bearer open sesame"
            self.assertEqual(self.principal(certificate="CN=ivr", listener=listener), "CN=ivr")
            self.assertEqual(
                self.principal("Authorization: Bearer no", certificate="CN=ivr", listener=listener), "CN=ivr"
            )
            self.assertEqual(self.principal(key, certificate="CN=ivr", listener=listener), "all")
            self.assertEqual(self.principal(key, listener=listener), "all")
            self.assertEqual(self.principal(listener=listener), 401)
            self.assertEqual(self.principal(certificate="CN=ivr", listener=listener, keys=[]), "CN=ivr")

    def test_keys_of_the_moment(self) -> None:
        """P100, H342: new keys count from the next request on, on open connections too."""
        server = self.serve(keys=KEYS)
        client = server.connect()
        raw = request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', "Authorization: Bearer open sesame")
        client.send(raw)
        server.frontend.use(make_settings(keys=[api_key("new", "other")]))
        self.assertEqual(client.send(raw).statuses(), [200, 401])

    def test_unusable_settings(self) -> None:
        """P83, H137: settings with a broken key or an unknown encoding are refused and change nothing."""
        server = self.serve()
        broken = KeySettings(name="k", salt="zz", hash="00")
        for settings in (
            make_settings(keys=[broken]),
            make_settings(encoding="klingon"),
            make_settings(encoding="klingon", keys=KEYS),
        ):
            with self.assertRaises(SettingsError):
                server.frontend.use(settings)
            with self.assertRaises(SettingsError):
                HttpFrontend(settings, FakeGateway(), self.clock, lambda: 0.0)
        self.assertEqual(server.connect().send(request()).statuses(), [200])


class IdempotencyKeyTests(HttpTestCase):
    """http.md section 12: the header."""

    def key_of(self, *values: str) -> str | None | int:
        """Return the key that reaches OCS, or the status of the refusal."""
        gateway = FakeGateway()
        fields = [f"Idempotency-Key: {value}" for value in values]
        answer = self.ask(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', *fields), gateway=gateway)
        if answer.status != 200:
            self.assertEqual((answer.status, answer.error), (400, "Invalid Idempotency-Key"))
        return gateway.exchanges[0].idempotency_key if gateway.exchanges else answer.status

    def test_keys(self) -> None:
        """H320: printable ASCII without a quote, bare or quoted, both the same; a comma is ordinary text."""
        for value, key in (
            ("a", "a"),
            ('"a"', "a"),
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ('"a, b"', "a, b"),
            ("a,b", "a,b"),
            ("  a b\t", "a b"),
            ("!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
            ("x" * 255, "x" * 255),
            ('"' + "x" * 255 + '"', "x" * 255),
            ('"\\"', "\\"),
        ):
            self.assertEqual(self.key_of(value), key, value)
        self.assertIsNone(self.key_of())

    def test_no_keys(self) -> None:
        """H320: empty, too long, other characters, a quote inside, or two headers: 400, and nothing is done."""
        for values in (("",), ('""',), ("x" * 256,), ('"' + "x" * 256 + '"',), ("\xe9",), ("a\tb",), ('a"b',), ('"a',),
                       ('a"',), ('"a"b"',), ('"a" "b"',), ("a", "a"), ("a", "b"), ("", "")):  # fmt: skip
            self.assertEqual(self.key_of(*values), 400, values)

    def test_every_action_takes_one(self) -> None:
        """H320: reads too."""
        for target in ("/records/1?req=ChainedRecordRequest", "/campaigngroups/1?req=CampaignStatusRequest",
                       "/campaigngroups/1?req=PreviewRecordRequest", "/phones/1?req=DoNotCall"):  # fmt: skip
            gateway = FakeGateway()
            self.ask(request(target, b"", "Idempotency-Key: k"), gateway=gateway)
            self.assertEqual(gateway.exchanges[0].idempotency_key, "k")
