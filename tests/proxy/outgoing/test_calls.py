"""Outgoing calls with a real server on the other side (outgoing.md section 1)."""

import base64
import hmac
import json
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
from twisted.trial.unittest import TestCase

from ocsgw.protocol.client_settings import ClientSettings, ClientTlsSettings
from ocsgw.protocol.messages import KV, Validate, Verdict
from ocsgw.proxy.outgoing.calls import OutgoingCalls
from ocsgw.proxy.outgoing.heads import LARGEST_HEAD
from tests.proxy.outgoing.receiver import Receiver, TunnelFactory, reactor, server_tls, turn
from tests.support.certificates import Authority
from tests.support.settings import make_settings

_AUTHORITY = Authority()
_LARGE = "the header of the answer is too large"
_NO_PLACE = "no connection was free in time"


class CallTests(TestCase):
    """O1 to O8, O65, P136."""

    timeout = 30

    def setUp(self) -> None:
        self.receiver = Receiver()
        self.waiting: dict[int, Deferred[Verdict]] = {}
        self.calls = OutgoingCalls(reactor, lambda verdict: self.waiting.pop(verdict.ref).callback(verdict))
        self.use()
        self.refs = 0

    def use(self, **settings: Any) -> None:
        """Use settings."""
        self.calls.use(make_settings(**settings))

    @inlineCallbacks
    def tearDown(self) -> Any:  # type: ignore[override]  # trial waits for a Deferred
        """Close what was kept open, and wait until it is."""
        self.calls.close()
        for request in self.receiver.waiting:
            if request.transport is not None:
                request.transport.abortConnection()
        for _ in range(2000):
            if not [each for each in reactor.getReaders() if type(each).__name__ in ("Client", "Server")]:
                return
            yield turn()

    def call(self, uri: str, purpose: Any = "validation", timeout: float = 20, **data: Any) -> "Deferred[Verdict]":
        """Order a call."""
        self.refs += 1
        done = self.waiting[self.refs] = Deferred()
        members: KV = data or {"GSW_PHONE": "6505550100"}
        self.calls.call(Validate(ref=self.refs, purpose=purpose, uri=uri, data=members, timeout_ms=int(timeout * 1000)))
        return done

    @inlineCallbacks
    def test_request(self) -> Any:
        """O1: one POST with content type, length and host; the body is one JSON object; an empty path is /."""
        port = self.receiver.listen(self)
        verdict = yield self.call(f"http://127.0.0.1:{port}/validate?a=b", GSW_PHONE="é", GSW_CHAIN_ID=5)
        self.assertEqual((verdict.outcome, verdict.status, verdict.data), ("positive", 200, {}))
        (call,) = self.receiver.calls
        self.assertEqual((call.method, call.path, json.loads(call.body)), (
            b"POST", b"/validate", {"GSW_PHONE": "é", "GSW_CHAIN_ID": 5},
        ))  # fmt: skip
        self.assertEqual(call.headers.getRawHeaders("Content-Type"), ["application/json; charset=utf-8"])
        self.assertEqual(call.headers.getRawHeaders("Content-Length"), [str(len(call.body))])
        self.assertEqual(call.headers.getRawHeaders("Host"), [f"127.0.0.1:{port}"])
        yield self.call(f"http://127.0.0.1:{port}")
        self.assertEqual(self.receiver.calls[1].path, b"/")

    @inlineCallbacks
    def test_encoding(self) -> Any:
        """O1, R21: the body is in the code page of `encoding`, what it lacks is escaped; answers are read in it."""
        port = self.receiver.listen(self)
        self.use(encoding="windows-1251")
        self.receiver.status, self.receiver.body = 409, '{"GSW_CALL_RESULT":40,"Remarks":"да"}'.encode("cp1251")
        verdict = yield self.call(f"http://127.0.0.1:{port}/", Name="Иван 日")
        (call,) = self.receiver.calls
        self.assertEqual(call.body, b'{"Name":"' + "Иван ".encode("cp1251") + b'\\u65e5"}')
        self.assertEqual(call.headers.getRawHeaders("Content-Type"), ["application/json; charset=windows-1251"])
        self.assertEqual((verdict.outcome, verdict.data), ("negative", {"GSW_CALL_RESULT": 40, "Remarks": "да"}))
        self.receiver.headers = {b"Content-Type": b"application/json; charset=UTF-8"}
        self.receiver.body = '{"Remarks":"да"}'.encode()
        verdict = yield self.call(f"http://127.0.0.1:{port}/")
        self.assertEqual(verdict.data, {"Remarks": "да"})

    @inlineCallbacks
    def test_verdicts(self) -> Any:
        """Section 8 of protocol.md: 200 positive, 409 negative, every other status failed; bodies only of those two."""
        port = self.receiver.listen(self)
        table: tuple[tuple[int, bytes, str, KV], ...] = (
            (200, b'{"a":1,"b":2.5,"c":null,"d":[1],"e":99999999999999999999}', "positive",
             {"a": 1, "b": "2.5", "c": None, "d": "", "e": "99999999999999999999"}),
            (200, b"[1]", "positive", {}),
            (200, b"{broken", "positive", {}),
            (200, b"\xff", "positive", {}),
            (409, b'{"a":"x"}', "negative", {"a": "x"}),
            (409, b"", "negative", {}),
            (404, b'{"a":1}', "failed", {}),
            (500, b"", "failed", {}),
            (302, b"", "failed", {}),
            (204, b"", "failed", {}),
        )  # fmt: skip
        for status, body, outcome, data in table:
            self.receiver.status, self.receiver.body = status, body
            if status == 302:
                self.receiver.headers = {b"Location": b"/elsewhere"}
            verdict = yield self.call(f"http://127.0.0.1:{port}/")
            self.assertEqual((verdict.outcome, verdict.status, verdict.data), (outcome, status, data))
            self.assertEqual(verdict.reason, "status" if outcome == "failed" else None)
        # O6: the redirect was not followed.
        self.assertNotIn(b"/elsewhere", [each.path for each in self.receiver.calls])

    @inlineCallbacks
    def test_kept_connections(self) -> Any:
        """O3: connections are kept and used again; at most `pool_size` are open, and further calls wait."""
        port = self.receiver.listen(self)
        self.use(client=ClientSettings(response_timeout_ms=1000, pool_size=2))
        for _ in range(3):
            yield self.call(f"http://127.0.0.1:{port}/")
        self.assertEqual(len({each.peer.port for each in self.receiver.calls}), 1)
        yield gatherResults([self.call(f"http://127.0.0.1:{port}/") for _ in range(9)])
        self.assertEqual(len({each.peer.port for each in self.receiver.calls}), 2)
        # O9: calls of another kind have connections of their own.
        yield self.call(f"http://127.0.0.1:{port}/", "history")
        self.assertEqual(len({each.peer.port for each in self.receiver.calls}), 3)

    @inlineCallbacks
    def test_kept_connection_lost(self) -> Any:
        """O5: a kept connection that breaks before an answer is replaced once; a new one that breaks is not."""
        port = self.receiver.listen(self)
        yield self.call(f"http://127.0.0.1:{port}/")
        self.receiver.drop = 1
        verdict = yield self.call(f"http://127.0.0.1:{port}/")
        self.assertEqual((verdict.outcome, len(self.receiver.calls)), ("positive", 3))
        self.receiver.drop = 2
        verdict = yield self.call(f"http://127.0.0.1:{port}/")
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "connect"))
        self.assertEqual(len(self.receiver.calls), 5)
        self.receiver.drop = 1
        verdict = yield self.call(f"http://127.0.0.1:{port}/")
        self.assertEqual((verdict.outcome, len(self.receiver.calls)), ("failed", 6))

    @inlineCallbacks
    def test_failures(self) -> Any:
        """O4, O25: no answer in time, nobody there, no HTTP."""
        port = self.receiver.listen(self)
        self.receiver.hold = True
        verdict = yield self.call(f"http://127.0.0.1:{port}/", timeout=0.1)
        self.assertEqual((verdict.outcome, verdict.status, verdict.reason), ("failed", None, "timeout"))
        verdict = yield self.call("http://127.0.0.1:1/")
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "connect"))
        wrong = TunnelFactory()
        wrong.answer = b"SSH-2.0-x\r\n\r\n"
        verdict = yield self.call(f"http://127.0.0.1:{wrong.listen(self)}/")
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "protocol"))
        # A wait for a connection counts, too.
        self.use(client=ClientSettings(response_timeout_ms=1000, pool_size=1))
        late = [self.call(f"http://127.0.0.1:{port}/", timeout=seconds) for seconds in (0.1, 0.05, 0.05)]
        verdicts = yield gatherResults(late)
        self.assertEqual({each.reason for each in verdicts}, {"timeout"})
        self.assertEqual([each.text.partition(";")[0] for each in verdicts], ["no answer in time", *[_NO_PLACE] * 2])

    @inlineCallbacks
    def test_long_answer(self) -> Any:
        """O6: of an answer longer than 64 KiB nothing is used but its status, and the connection is closed."""
        port = self.receiver.listen(self)
        self.receiver.body = b'{"a":"' + b"x" * (64 << 10) + b'"}'
        verdict = yield self.call(f"http://127.0.0.1:{port}/")
        self.assertEqual((verdict.outcome, verdict.data), ("positive", {}))
        self.receiver.body = b'{"a":"1"}'
        verdict = yield self.call(f"http://127.0.0.1:{port}/")
        self.assertEqual(verdict.data, {"a": "1"})
        self.assertEqual(len({each.peer.port for each in self.receiver.calls}), 2)

    @inlineCallbacks
    def test_large_header(self) -> Any:
        """A header larger than 64 KiB, or without an end, is no answer, and its connection is closed at once."""
        server = TunnelFactory()
        port = server.listen(self)
        begin, line = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n", b"a: b\r\n"
        end = b'\r\n{"a":1}'
        most = (LARGEST_HEAD - len(begin) - 2) // len(line)
        for answer, expected in (
            (begin + line * most + end, ("positive", 200, {"a": 1}, None)),
            (begin + line * (most + 1) + end, ("failed", None, {}, _LARGE)),
            (begin + line * 500_000 + end, ("failed", None, {}, _LARGE)),
            (begin + line * 20_000, ("failed", None, {}, _LARGE)),
            (b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000, ("failed", None, {}, _LARGE)),
        ):
            server.answer = answer
            verdict = yield self.call(f"http://127.0.0.1:{port}/")
            self.assertEqual((verdict.outcome, verdict.status, verdict.data, verdict.text), expected)
            self.assertEqual(verdict.reason, "protocol" if verdict.outcome == "failed" else None)
        self.assertEqual(len(server.heads), 5)

    @inlineCallbacks
    def test_kept_connection_is_counted_anew(self) -> Any:
        """The measure is that of one answer, however many have come on its connection."""
        port = self.receiver.listen(self)
        self.receiver.headers = {b"X-Long": b"x" * 15_000}
        for _ in range(6):
            verdict = yield self.call(f"http://127.0.0.1:{port}/")
            self.assertEqual(verdict.outcome, "positive")
        self.assertEqual(len({each.peer.port for each in self.receiver.calls}), 1)

    @inlineCallbacks
    def test_headers(self) -> Any:
        """O7, O8: headers of the section in its calls; custom headers in contact processed calls alone."""
        port = self.receiver.listen(self)
        client = ClientSettings(response_timeout_ms=1000, pool_size=2, headers=[("Authorization", "Bearer x")])
        self.use(client=client, http_custom_headers=[("X-Site", "1")])
        for purpose, authorization, custom in (
            ("validation", ["Bearer x"], None), ("history", None, None), ("contact_processed", None, ["1"]),
        ):  # fmt: skip
            yield self.call(f"http://127.0.0.1:{port}/", purpose)
            headers = self.receiver.calls[-1].headers
            self.assertEqual(headers.getRawHeaders("Authorization"), authorization)
            self.assertEqual(headers.getRawHeaders("X-Site"), custom)

    @inlineCallbacks
    def test_signature(self) -> Any:
        """Standard Webhooks: id, time and signature over both and the body; a repetition has the same id."""
        port = self.receiver.listen(self)
        secret = b"k" * 24
        key = f"whsec_{base64.b64encode(secret).decode()}"
        self.use(notifications=ClientSettings(response_timeout_ms=1000, pool_size=2, signing_key=key))
        for _ in range(2):
            yield self.call(f"http://127.0.0.1:{port}/", "history")
        yield self.call(f"http://127.0.0.1:{port}/", "validation")
        first, second, unsigned = (dict(each.headers.getAllRawHeaders()) for each in self.receiver.calls)
        self.assertEqual(first[b"Webhook-Id"], second[b"Webhook-Id"])
        (name,), (when,) = first[b"Webhook-Id"], first[b"Webhook-Timestamp"]
        digest = hmac.digest(secret, b"%s.%s.%s" % (name, when, self.receiver.calls[0].body), "sha256")
        self.assertEqual(first[b"Webhook-Signature"], [b"v1," + base64.b64encode(digest)])
        self.assertNotIn(b"Webhook-Id", unsigned)

    @inlineCallbacks
    def test_statistics(self) -> Any:
        """P136: statistics are numbers or null, nested ones too, and null is sent nowhere else."""
        port = self.receiver.listen(self)
        data: Any = {
            "GSW_STAT_HIT_RATIO": "0.3", "GSW_STAT_BUSY_FACTOR": None, "GSW_STAT_TIME_TO_COMPLETE": "60", "x": None,
            "GSW_CALLING_LISTS": [{"GSW_CALLING_LIST": "1.0", "GSW_STAT_HIT_RATIO": "1"}],
        }  # fmt: skip
        yield self.call(f"http://127.0.0.1:{port}/", "campaign_group_state", **data)
        self.assertEqual(
            self.receiver.calls[0].body,
            b'{"GSW_STAT_HIT_RATIO":0.3,"GSW_STAT_BUSY_FACTOR":null,"GSW_STAT_TIME_TO_COMPLETE":60,'
            b'"GSW_CALLING_LISTS":[{"GSW_CALLING_LIST":"1.0","GSW_STAT_HIT_RATIO":1}]}',
        )

    # TLS.

    def secure(self, name: str = "localhost", **options: Any) -> int:
        """Listen with TLS, with a certificate for a name; return the port."""
        issued = _AUTHORITY.issue(name)
        return self.receiver.listen(self, server_tls(issued.pem, issued.key_pem, **options))

    def trust(self, **further: Any) -> ClientSettings:
        """Return settings that trust the authority of the tests."""
        tls = ClientTlsSettings(trusted_ca=_AUTHORITY.pem)
        return ClientSettings(response_timeout_ms=1000, pool_size=2, tls=tls, **further)

    @inlineCallbacks
    def test_https(self) -> Any:
        """O2: the certificate of the server is verified, by its authority and by its name."""
        port = self.secure()
        self.use(client=self.trust())
        verdict = yield self.call(f"https://localhost:{port}/")
        self.assertEqual(verdict.outcome, "positive")
        verdict = yield self.call(f"https://127.0.0.1:{port}/")
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "tls"))
        verdict = yield self.call(f"https://localhost:{port}/", "history")
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "tls"))
        self.assertEqual(len(self.receiver.calls), 1)
        old = self.secure(method=SSL.TLSv1_1_METHOD)
        verdict = yield self.call(f"https://localhost:{old}/")
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "tls"))
        self.assertIn("TLS 1.2 at least", verdict.text)

    @inlineCallbacks
    def test_tunnel(self) -> Any:
        """O65: https goes through the HTTP proxy by CONNECT, is verified inside, and kept; http goes directly."""
        proxy = TunnelFactory()
        port = self.secure()
        at_proxy = f"http://127.0.0.1:{proxy.listen(self)}"
        self.use(notifications=self.trust(http_proxy=at_proxy, headers=[("Authorization", "x")]))
        for _ in range(2):
            verdict = yield self.call(f"https://localhost:{port}/", "history")
            self.assertEqual(verdict.outcome, "positive")
        self.assertEqual(proxy.heads, [b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % (port, port)])
        plain = self.receiver.listen(self)
        yield self.call(f"http://127.0.0.1:{plain}/", "history")
        self.assertEqual(len(proxy.heads), 1)
        verdict = yield self.call(f"https://127.0.0.1:{port}/", "history")
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "tls"))

    @inlineCallbacks
    def test_no_tunnel(self) -> Any:
        """O65: another answer of the proxy, or none, is a failure to connect that says so."""
        proxy = TunnelFactory()
        at_proxy = f"http://127.0.0.1:{proxy.listen(self)}"
        self.use(notifications=self.trust(http_proxy=at_proxy))
        proxy.answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
        verdict = yield self.call("https://localhost:4/", "history")
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "connect"))
        self.assertIn("status 407", verdict.text)
        proxy.answer = b""
        verdict = yield self.call("https://localhost:4/", "history", timeout=0.1)
        self.assertEqual((verdict.outcome, verdict.reason), ("failed", "timeout"))
