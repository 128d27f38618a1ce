"""Answers (http.md sections 1 and 8): success bodies, both forms of an error, and the header fields of each."""

import html
import json
import re
from collections.abc import Callable
from typing import Any

from ocsgw.counters import HTTP_REFUSALS
from ocsgw.protocol.errors import ERRORS, Refusal
from ocsgw.protocol.messages import KV, Event, KeySettings
from ocsgw.proxy.frontend import HttpFrontend, SettingsError
from ocsgw.proxy.http.exchange import Exchange
from tests.support.http import (
    FakeGateway,
    HttpServer,
    HttpTestCase,
    Received,
    chunked,
    parse_answers,
    request,
)
from tests.support.settings import make_settings

ADD = "/lists/CL?req=AddRecord"
HTML_ONLY = "Accept: text/html"
CUSTOM = [("X-Frame-Options", "SAMEORIGIN"), ("X-Site", "Zürich; mode=block")]
_HTML = re.compile(r"<html><head><title>(\d{3} [A-Za-z -]+)</title></head><body>(.*)</body></html>", re.DOTALL)

# The key is `let me in`.
KEY = KeySettings(
    name="ivr",
    salt="00",
    hash="d075f91b6c08ad25a0f7da9181f51b203d727edf709a8ff276b82279e1606429",
    actions=["AddRecord", "DoNotCall"],
)


def event(code: str | None = None, *, replayed: bool = False, **data: Any) -> Event:
    """Return an event of OCS."""
    return Event(ref=1, data=data, code=code, replayed=replayed)


class AnswerTestCase(HttpTestCase):
    """Answers through the fast lane and through the resource tree, which have to be the same."""

    def both(self, raw: bytes, reply: Callable[[KV], Event | Refusal] | None = None, **changes: Any) -> Received:
        """Return the one answer to a request."""
        first, second = (self._ask(raw, reply, short_cut, changes) for short_cut in (True, False))
        self.assertEqual((first.status, sorted(first.headers)), (second.status, sorted(second.headers)))
        self.assertEqual(first.body, second.body)
        return first

    def _ask(
        self, raw: bytes, reply: Callable[[KV], Event | Refusal] | None, short_cut: bool, changes: dict[str, Any]
    ) -> Received:
        gateway = FakeGateway(reply) if reply is not None else FakeGateway()
        server = self.serve(short_cut=short_cut, gateway=gateway, **changes)
        return self.ask(raw, server)


class SuccessTests(AnswerTestCase):
    """Status 200."""

    def test_to_the_byte(self) -> None:
        """H14, H29, H135, H140, H141: the whole of an acknowledgement; the Date is that of the wall clock."""
        client = self.serve().connect().send(request(ADD, b'{"GSW_PHONE":"5551234"}'))
        self.assertEqual(
            client.transport.taken,
            b"HTTP/1.1 200 OK\r\n"
            b"Date: Sat, 21 Mar 2026 14:30:00 GMT\r\n"
            b"Cache-Control: no-store\r\n"
            b"X-Content-Type-Options: nosniff\r\n"
            b"Content-Type: application/json; charset=utf-8\r\n"
            b"Keep-Alive: timeout=70\r\n"
            b"Content-Length: 87\r\n\r\n"
            b'{"GSW_USER_EVENT":"AddRecordAcknowledge","GSW_CALLING_LIST":"CL","GSW_PHONE":"5551234"}',
        )

    def test_members(self) -> None:
        """H121, H146: the event first, integers as numbers, text as it is, no null, lists and objects as such."""
        answer = self.both(
            request(),
            lambda _: event(
                GSW_APPLICATION_ID=134,
                GSW_PHONE='é"\\\u2028\x1f😀',
                nothing=None,
                big=2**53 - 1,
                GSW_CHAINED_RECORDS=[{"GSW_RECORD_HANDLE": 7, "GSW_USER_EVENT": "ChainedRecord", "gone": None}],
                GSW_USER_EVENT="ChainedRecordsDataEnd",
            ),
        )
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            list(answer.json.items()),
            [
                ("GSW_USER_EVENT", "ChainedRecordsDataEnd"),
                ("GSW_APPLICATION_ID", 134),
                ("GSW_PHONE", 'é"\\\u2028\x1f😀'),
                ("big", 2**53 - 1),
                ("GSW_CHAINED_RECORDS", [{"GSW_USER_EVENT": "ChainedRecord", "GSW_RECORD_HANDLE": 7}]),
            ],
        )
        self.assertEqual(list(answer.json["GSW_CHAINED_RECORDS"][0]), ["GSW_USER_EVENT", "GSW_RECORD_HANDLE"])

    def test_every_success_event_is_a_200(self) -> None:
        """H140, H142: also an empty preview."""
        for name in ("PreviewRecordEmpty", "CampaignUnloaded", "RecordCancelAcknowledge"):
            answer = self.both(request(), lambda _, name=name: event(GSW_USER_EVENT=name))  # type: ignore[misc]
            self.assertEqual((answer.status, answer.json), (200, {"GSW_USER_EVENT": name}))

    def test_replayed(self) -> None:
        """H324, P76: a stored answer says so; another does not."""
        stored = self.both(request(), lambda _: event(replayed=True, GSW_USER_EVENT="AddRecordAcknowledge"))
        self.assertEqual((stored.status, stored.header("idempotency-replayed")), (200, "true"))
        self.assertIsNone(self.both(request()).header("idempotency-replayed"))

    def test_json_whatever_is_accepted(self) -> None:
        """H81, H141: a success is JSON also for those who accept none."""
        answer = self.both(request(ADD, b'{"GSW_PHONE":"1"}', HTML_ONLY))
        self.assertEqual((answer.status, answer.json["GSW_PHONE"]), (200, "1"))

    def test_encoding(self) -> None:
        """H134, H135: an answer in `encoding`, with escapes for what it lacks; UTF-8 if the request was."""
        reply = lambda _: event(GSW_USER_EVENT="AddRecordAcknowledge", GSW_PHONE="é€Ж")  # noqa: E731
        plain = self.both(request(), reply, encoding="windows-1252")
        self.assertEqual(plain.header("content-type"), "application/json; charset=windows-1252")
        self.assertEqual(plain.body, b'{"GSW_USER_EVENT":"AddRecordAcknowledge","GSW_PHONE":"\xe9\x80\\u0416"}')
        utf8 = self.both(request(ADD, '{"GSW_PHONE":"é"}'.encode()), reply, encoding="windows-1252")
        self.assertEqual(utf8.header("content-type"), "application/json; charset=utf-8")
        self.assertEqual(utf8.json["GSW_PHONE"], "é€Ж")

    def test_request_id(self) -> None:
        """H16: a request id of 1 to 128 printable characters comes back, another one does not."""
        for value, shown in (
            ("abc-1", "abc-1"),
            ("a b", "a b"),
            ("x" * 128, "x" * 128),
            ("x" * 129, None),
            ("", None),
            ("\xe9", None),
            ("a\tb", None),
        ):
            for raw in (request(ADD, b'{"GSW_PHONE":"1"}', f"X-Request-Id: {value}"),
                        request("/nowhere", b"", f"x-request-id: {value}")):  # fmt: skip
                self.assertEqual(self.both(raw).header("x-request-id"), shown, value)

    def test_date_goes_on(self) -> None:
        """H14: the Date of an answer is that of its second."""
        server = self.serve()
        client = server.connect().send(request())
        self.advance(61)
        client.send(request() + request("/nowhere", b""))
        dates = [answer.header("date") for answer in client.answers()]
        self.assertEqual(dates, ["Sat, 21 Mar 2026 14:30:00 GMT"] + ["Sat, 21 Mar 2026 14:31:01 GMT"] * 2)

    def test_connection_fields(self) -> None:
        """H1, H2, H29: `Keep-Alive` while the connection stays, `Connection: close` in the last answer."""
        for version, fields, connection, keep_alive in (
            ("HTTP/1.1", (), None, "timeout=70"),
            ("HTTP/1.1", ("Connection: close",), "close", None),
            ("HTTP/1.0", (), "close", None),
            ("HTTP/1.0", ("Connection: keep-alive",), "keep-alive", "timeout=70"),
        ):
            for target in (ADD, "/nowhere"):
                answer = self.both(request(target, b'{"GSW_PHONE":"1"}', *fields, version=version))
                self.assertEqual(
                    (answer.header("connection"), answer.header("keep-alive")), (connection, keep_alive), version
                )
        short = self.both(request(), idle_timeout_ms=5_000)
        self.assertIsNone(short.header("keep-alive"))


class ErrorTests(AnswerTestCase):
    """Errors of OCS, whatever their code."""

    def test_every_code_as_json(self) -> None:
        """H143, H150, H162, P75: status and text by the table, with a hint where the table has a remedy."""

        def check(code: str) -> None:
            answer = self.both(request(), lambda _: event(code, GSW_USER_EVENT="Error", GSW_ERROR="Text <&> é"))
            self.assertEqual(answer.status, ERRORS[code].status)
            self.assertEqual(answer.header("content-type"), "application/json; charset=utf-8")
            if code not in ("missing_req", "duplicate_req", "unknown_request", "unsupported_request"):
                remedy = ERRORS[code].remedy
                expected = [("GSW_USER_EVENT", "Error"), ("GSW_ERROR", "Text <&> é")]
                expected += [("GSW_ERROR_HINT", remedy)] if remedy else []
                self.assertEqual(list(answer.json.items()), expected)

        self.for_each(ERRORS, check)

    def test_refusals_are_counted(self) -> None:
        """Each answer with an error is counted by status and code."""
        counted = HTTP_REFUSALS.cell(status="404", code="list_not_found")
        before = counted.value
        self.both(request(), lambda _: event("list_not_found", GSW_USER_EVENT="Error", GSW_ERROR="Text"))
        # Over the short way and the long one.
        self.assertEqual(counted.value - before, 2)

    def test_every_code_as_html(self) -> None:
        """H122, H151: one body element with the escaped text, for those who do not accept JSON."""

        def check(code: str) -> None:
            answer = self.both(
                request(ADD, b'{"GSW_PHONE":"1"}', HTML_ONLY),
                lambda _: event(code, GSW_USER_EVENT="Error", GSW_ERROR='Text <&> "é" </body>'),
            )
            self.assertEqual(answer.header("content-type"), "text/html; charset=utf-8")
            page = _HTML.fullmatch(answer.body.decode("utf-8"))
            if page is None:
                self.fail(answer.body.decode("utf-8"))
            self.assertEqual(int(page.group(1)[:3]), answer.status)
            self.assertEqual(html.unescape(page.group(2)), 'Text <&> "é" </body>')
            self.assertEqual((answer.body.count(b"<body>"), answer.body.count(b"</body>")), (1, 1))

        self.for_each(ERRORS, check)

    def test_texts(self) -> None:
        """H152: the text of the table where OCS gives none."""
        answer = self.both(request(), lambda _: event("list_not_found", GSW_USER_EVENT="Error"))
        self.assertEqual((answer.status, answer.error), (404, "Calling list not found"))

    def test_unknown_code(self) -> None:
        """P75: a code that is not in the table is a 500."""
        answer = self.both(request(), lambda _: event("new_code", GSW_USER_EVENT="Error", GSW_ERROR="?"))
        self.assertEqual(answer.status, 500)

    def test_members_of_an_error(self) -> None:
        """H145, H150: reference id in its type, handle on records, code by option; in this order."""
        refused = lambda _: event("invalid_handle", GSW_USER_EVENT="Error", GSW_ERROR="Invalid record handle")  # noqa: E731
        answer = self.both(
            request("/records/15?req=RecordReject", b'{"GSW_REFERENCE_ID":7}'), refused, error_codes=True
        )
        self.assertEqual(
            list(answer.json.items()),
            [
                ("GSW_USER_EVENT", "Error"),
                ("GSW_ERROR", "Invalid record handle"),
                ("GSW_REFERENCE_ID", 7),
                ("GSW_RECORD_HANDLE", 15),
                ("GSW_ERROR_CODE", "invalid_handle"),
            ],
        )
        text = self.both(request("/records/15?req=RecordReject", b'{"GSW_REFERENCE_ID":""}'), refused)
        self.assertEqual(text.json["GSW_REFERENCE_ID"], "")
        self.assertNotIn("GSW_ERROR_CODE", text.json)

    def test_reference_once_the_body_is_read(self) -> None:
        """H145: the reference id stands in every error that comes after the body, not in those before it."""
        for target, body, error in (
            (ADD, b'{"GSW_REFERENCE_ID":"r"}', "Missing attribute GSW_PHONE"),
            ("/records/0?req=RecordReject", b'{"GSW_REFERENCE_ID":"r"}', "Invalid record handle"),
            (ADD, b'{"GSW_REFERENCE_ID":"r","GSW_PHONE":[]}', "Invalid value of attribute GSW_PHONE"),
        ):
            answer = self.both(request(target, body))
            self.assertEqual((answer.error, answer.json.get("GSW_REFERENCE_ID")), (error, "r"))
            self.assertNotIn("GSW_RECORD_HANDLE", answer.json)
        early = self.both(request("/nowhere", b'{"GSW_REFERENCE_ID":"r"}'))
        self.assertNotIn("GSW_REFERENCE_ID", early.json)

    def test_invalid_reference(self) -> None:
        """H145: what is no reference id is refused and not returned."""
        for value in ("1.5", "[]", '"' + "x" * 256 + '"'):
            answer = self.both(request(ADD, b'{"GSW_PHONE":"1","GSW_REFERENCE_ID":' + value.encode() + b"}"))
            self.assertEqual((answer.status, answer.error), (400, "Invalid value of attribute GSW_REFERENCE_ID"))
            self.assertNotIn("GSW_REFERENCE_ID", answer.json)

    def test_allowed_requests(self) -> None:
        """H150: errors about `req` tell what the resource type takes; no other error does."""
        for target in ("/lists/CL", "/lists/CL?req=", "/lists/CL?req=Nope", "/lists/CL?req=DoNotCall",
                       "/lists/CL?req=AddRecord&req=AddRecord"):  # fmt: skip
            self.assertEqual(self.both(request(target)).json["GSW_ALLOWED_REQUESTS"], ["AddRecord"], target)
        phones = self.both(request("/phones/1?req=AddRecord")).json
        self.assertEqual(sorted(phones["GSW_ALLOWED_REQUESTS"]), ["DoNotCall", "RequestRecordCancel"])
        self.assertNotIn("GSW_ALLOWED_REQUESTS", self.both(request("/nowhere")).json)

    def test_text_of_a_client(self) -> None:
        """R55, H152: what a client names is cut to 64 characters, without control characters, and cannot break out."""
        long = self.both(request("/lists/CL?req=" + "x" * 500))
        self.assertEqual(long.error, "Unknown request " + "x" * 64)
        other = self.both(request("/lists/CL?req=%C2%85a%C3%A9%22%3C/body%3E"))
        self.assertEqual(other.error, 'Unknown request aé"</body>')
        page = self.both(request("/lists/CL?req=%3C/body%3E%3Cb%3E", b"", HTML_ONLY))
        self.assertEqual(page.body.count(b"</body>"), 1)
        self.assertIn(b"Unknown request &lt;/body&gt;&lt;b&gt;", page.body)

    def test_error_in_the_encoding(self) -> None:
        """H134, H135, H150: an error body is in the encoding of the answer too; HTML is always UTF-8."""
        answer = self.both(request("/lists/CL?req=%C3%A9", b""), encoding="windows-1252")
        self.assertIn(b"Unknown request \xe9", answer.body)
        self.assertEqual(answer.header("content-type"), "application/json; charset=windows-1252")
        page = self.both(request("/lists/CL?req=%C3%A9", b"", HTML_ONLY), encoding="windows-1252")
        self.assertIn("Unknown request é".encode(), page.body)


class AcceptTests(HttpTestCase):
    """H122: which form an error has."""

    # Values of `Accept`, and whether the error is JSON.
    ROWS: tuple[tuple[tuple[str, ...], bool], ...] = (
        ((), True),
        (("",), True),
        ((" , ,",), True),
        (("application/json",), True),
        (("APPLICATION/Json",), True),
        (("application/json;charset=utf-8",), True),
        (("application/*",), True),
        (("*/*",), True),
        (("*",), True),
        (("text/html, */*;q=0.1",), True),
        (("text/html", "application/json"), True),
        (("text/html,application/json;q=0.001",), True),
        (("application/json;q=1, */*;q=0",), True),
        (("application/*, */*;q=0",), True),
        (("application/json;q=0, application/json",), True),
        (("text/html",), False),
        (("text/*",), False),
        (("text/html", "image/png"), False),
        (("application/xml",), False),
        (("application/json;q=0",), False),
        (("application/json;q=0.000, */*",), False),
        (("application/json ; q=0 , application/*",), False),
        (("application/*;q=0, */*",), False),
        (("*/*;q=0",), False),
        (("*;q=0.0",), False),
        (("text/html;level=1;q=0.4",), False),
        (('text/html;a="b,application/json"',), False),
        # What cannot be parsed is as if absent.
        (("text",), True),
        (("text/",), True),
        (("/html",), True),
        (("text/html;;",), True),
        (("text/html;q=",), True),
        (("text/html;q=2",), True),
        (("text/html;q=0.1234",), True),
        (("text/html;q=-1",), True),
        (('text/html;a="b',), True),
        (("text/html text/plain",), True),
        (("text/html", "@"), True),
    )

    def test_forms(self) -> None:
        """H122: the most specific range that matches JSON decides; without a usable `Accept` it is JSON."""

        def check(row: tuple[tuple[str, ...], bool]) -> None:
            values, is_json = row
            fields = [f"Accept: {value}" for value in values]
            # An error of the classic surface, and one that is found before the header fields have a meaning.
            for raw in (request("/nowhere", b"", *fields), request("/nowhere", b"", *fields, "Bad Name: 1")):
                kind = self.ask(raw).header("content-type") or ""
                self.assertEqual(kind.startswith("application/json"), is_json)

        self.for_each(self.ROWS, check)


class FieldsOfErrorsTests(AnswerTestCase):
    """The header fields that belong to a status."""

    def test_allow(self) -> None:
        """H71: 405 has `Allow: POST`, HEAD the same without a body."""
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "FOO"):
            answer = self.both(request(ADD, b"", method=method))
            self.assertEqual((answer.status, answer.header("allow"), answer.error), (405, "POST", "Method not allowed"))
        for short_cut in (True, False):
            client = self.serve(short_cut=short_cut).connect().send(request(ADD, b"", method="HEAD"))
            (head,) = client.answers(without_body=(0,))
            self.assertEqual((head.status, head.header("allow"), client.closed), (405, "POST", False))
            get = self.both(request(ADD, b"", method="GET"))
            self.assertEqual(head.header("content-length"), get.header("content-length"))

    def test_head_of_everything(self) -> None:
        """H71, RFC 9110 section 9.3.2: no answer to HEAD has a body, whatever is wrong with the request."""
        for raw in (
            request("/nowhere", b"", method="HEAD"),
            request("*", b"", method="HEAD"),
            request(ADD, b"", "Transfer-Encoding: gzip", method="HEAD"),
            request(ADD, b"", "Bad Name: 1", method="HEAD"),
            request(ADD, b"", "X: " + "x" * 70_000, method="HEAD"),
            b"HEAD / HTTP/1.1\r\n\r\n",
        ):
            (answer,) = self.serve().connect().send(raw).answers(without_body=(0,))
            self.assertGreaterEqual(answer.status, 400)

    def test_retry_after(self) -> None:
        """H33, H326, section 8: Reconnect Timeout when unavailable, 1 when busy or in use; nothing with a 504."""
        for code, expected in (("unavailable", "10"), ("busy", "1"), ("key_in_use", "1"), ("no_response", None),
                               ("internal", None), ("invalid_state", None)):  # fmt: skip
            answer = self.both(request(), lambda _, code=code: Refusal(code), retry_after=10)  # type: ignore[misc]
            self.assertEqual((answer.status, answer.header("retry-after")), (ERRORS[code].status, expected))
        self.assertEqual(
            self.both(request(), lambda _: Refusal("unavailable"), retry_after=0).header("retry-after"), "1"
        )

    def test_authenticate(self) -> None:
        """H342: 401 says how; nothing else does."""
        answer = self.both(request(), keys=[KEY])
        self.assertEqual((answer.status, answer.header("www-authenticate")), (401, "Bearer"))
        self.assertEqual(answer.error, "Authentication required")
        self.assertIsNone(self.both(request("/nowhere")).header("www-authenticate"))


class CustomHeaderTests(HttpTestCase):
    """H15: the configured header fields stand in every answer, also in those before, around and without a request."""

    # What is sent; the status of the answer. `...` waits until the time limit answers.
    ROWS: tuple[tuple[bytes, int], ...] = (
        (request(), 200),
        (request(ADD, b'{"GSW_PHONE":"1"}', "X-Request-Id: 1"), 200),
        (request(version="HTTP/1.0"), 200),
        (b"rubbish\r\n\r\n", 400),
        (request(ADD, b"", "No colon"), 400),
        (request("/lists/CL"), 400),
        (request(ADD, b"{"), 400),
        (request(ADD, b"{}"), 400),
        (request("/nowhere"), 404),
        (request(ADD, b"", method="GET"), 405),
        (request("*", b"", method="OPTIONS"), 405),
        (request("example:1", b"", method="CONNECT"), 405),
        (request(ADD, b"")[:-2], 408),
        (request(ADD, b"", "Content-Length: 5") + b"{", 408),
        (request(ADD, b"", "Content-Length: 2000000"), 413),
        (request(ADD, b"", "Transfer-Encoding: chunked") + b"200000\r\n", 413),
        (b"POST /" + b"x" * 9000, 414),
        (request(ADD, b"{}", "Content-Encoding: gzip"), 415),
        (request(ADD, b"{}", "Content-Type: a/b; charset=nope"), 415),
        (request(ADD, b"{}", "Expect: more"), 417),
        (request(ADD, b"", "X: " + "x" * 70_000), 431),
        (request(ADD, b"", "Transfer-Encoding: gzip"), 501),
        (request(ADD, b"", version="HTTP/2.0"), 505),
    )

    def test_every_answer(self) -> None:
        """H14, H15, H122, H150, H151: custom fields, both forms of each error, on both ways through the channel."""

        def check(row: tuple[bytes, int, bool, bool]) -> None:
            raw, status, as_html, short_cut = row
            if as_html:
                raw = raw.replace(b"\r\n", b"\r\nAccept: text/html\r\n", 1)
            client = self.serve(short_cut=short_cut, http_custom_headers=CUSTOM).connect().send(raw)
            if status == 408:
                self.advance(31)
                client.take()
            (answer,) = client.answers()
            self.assertEqual(answer.status, status)
            for name, value in CUSTOM:
                self.assertEqual(answer.header(name), value)
            if answer.header("content-type") == "text/html; charset=utf-8":
                self.assertRegex(answer.body.decode(), _HTML)
            else:
                self.assertIsInstance(answer.json, dict)

        rows = [(*row, as_html, lane) for row in self.ROWS for as_html in (False, True) for lane in (True, False)]
        self.for_each(rows, check)

    def test_every_answer_of_ocs(self) -> None:
        """H15: the custom fields stand in what OCS refuses, too."""
        for code in ERRORS:
            gateway = FakeGateway(lambda _, code=code: Refusal(code))  # type: ignore[misc]
            (answer,) = self.serve(gateway=gateway, http_custom_headers=CUSTOM).connect().send(request()).answers()
            self.assertEqual([answer.header(name) for name, _ in CUSTOM], [value for _, value in CUSTOM])

    def test_no_room(self) -> None:
        """H15, H32: the connection that is one too many gets a whole answer, too."""
        server = self.serve(connections=1, http_custom_headers=CUSTOM, gateway=FakeGateway(holds=True))
        server.connect().send(request())
        (answer,) = server.connect().answers()
        self.assertEqual((answer.status, answer.header("x-site")), (503, "Zürich; mode=block"))
        self.assertEqual((answer.error, answer.header("retry-after")), ("Outbound Contact Server is busy", "1"))

    def test_nosniff_once(self) -> None:
        """C20, C21: a field that is in every answer anyway is not sent twice, however it is spelt."""
        for name in ("X-Content-Type-Options", "x-content-type-options"):
            answer = self.ask(request(), http_custom_headers=[(name, "nosniff")])
            self.assertEqual(answer.header("x-content-type-options"), "nosniff")

    def test_headers_that_are_none(self) -> None:
        """P83: settings with what cannot stand in a header are unusable; nobody can slip a second field in."""
        for name, value in (("X Y", "1"), ("", "1"), ("X", "1\r\nY: 2"), ("X", "a\x00"), ("X:", "1"), ("X", "Ж")):
            settings = make_settings(http_custom_headers=[(name, value)])
            with self.assertRaises(SettingsError, msg=(name, value)):
                HttpFrontend(settings, FakeGateway(), self.clock, lambda: 0.0)

    def test_new_settings(self) -> None:
        """P100: answers follow the settings of the moment."""
        server = self.serve()
        client = server.connect().send(request())
        server.frontend.use(make_settings(http_custom_headers=CUSTOM, error_codes=True))
        client.send(request() + request("/nowhere", b""))
        first, second, third = client.answers()
        self.assertEqual([a.header("x-frame-options") for a in (first, second, third)], [None] + ["SAMEORIGIN"] * 2)
        self.assertEqual(third.json["GSW_ERROR_CODE"], "unknown_resource")


class DefectTests(AnswerTestCase):
    """What nobody has thought of."""

    def test_lines_have_one_form(self) -> None:
        """H354: what the request line is refused for is JSON without a request id, whatever has come behind it."""
        behind = b"Accept: text/html\r\nX-Request-Id: r-1\r\nHost: h\r\n\r\n"
        for line, status in (
            (b"GET /\r\n", 400),
            (b"GET / HTTP/2.0\r\n", 505),
            (b"POST /phones/%zz HTTP/1.1\r\n", 400),
            (b"POST x HTTP/1.1\r\n", 400),
            (b"POST /" + b"x" * 9000 + b" HTTP/1.1\r\n", 414),
        ):
            alone, whole = (self.both(line + rest) for rest in (b"", behind))
            self.assertEqual((alone.status, alone.headers, alone.body), (status, whole.headers, whole.body))
            self.assertEqual(whole.header("content-type"), "application/json; charset=utf-8")
            self.assertIsNone(whole.header("x-request-id"))

    def test_what_cannot_be_written(self) -> None:
        """H13: an event that is not JSON costs one answer; the connection goes on, and so do requests behind it."""
        odd: list[Any] = [object(), "1"]

        def reply(data: KV) -> Event:
            return Event(ref=1, data={"GSW_USER_EVENT": "AddRecordAcknowledge", "a": odd.pop(0)})

        for short_cut in (True, False):
            odd[:] = [object(), "1"]
            server = self.serve(short_cut=short_cut, gateway=FakeGateway(reply))
            client = server.connect().send(request()).send(request())
            self.assertEqual(client.statuses(), [500, 200])
            self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_a_defect_is_a_500(self) -> None:
        """H13, section 8: a defect in one request is answered `Internal error`, logged once, and harms no other."""
        for short_cut in (True, False):
            server = self.serve(short_cut=short_cut)
            self._break(server)
            client = server.connect().send(request(ADD, b'{"GSW_PHONE":"1","a":[]}', "X-Request-Id: r-1"))
            server.frontend.use(make_settings())
            client.send(request())
            first, second = client.answers()
            self.assertEqual((first.status, first.error, second.status), (500, "Internal error", 200))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def _break(self, server: HttpServer) -> None:
        def fail(exchange: Exchange, body: bytes) -> KV:
            raise ZeroDivisionError

        self.patch(server.frontend.policy, "read_body", fail)


class ReaderTests(HttpTestCase):
    """The tests' own reader is as strict as a client may be."""

    def test_strict_json(self) -> None:
        """H141: NaN and a body that is cut are no answers."""
        stream = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
        for body in (b"NaN", b'{"a":Infinity}'):
            (answer,) = parse_answers(stream % (len(body), body))
            with self.assertRaises(AssertionError):
                _ = answer.json
        with self.assertRaises(AssertionError):
            parse_answers(stream % (5, b"{}"))
        with self.assertRaises(json.JSONDecodeError):
            _ = parse_answers(stream % (1, b"{"))[0].json


class FramingOfRefusalsTests(HttpTestCase):
    """H11: bodies of refused requests never become requests."""

    def test_chunked_body_of_a_refused_request(self) -> None:
        """H11: it is read and dropped, and the next request is served."""
        raw = request("/nowhere", b"", "Transfer-Encoding: chunked") + chunked(request()) + request()
        self.assertEqual(self.serve().connect().send(raw).statuses(), [404, 200])
