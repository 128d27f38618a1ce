"""Request targets (http.md section 3): H40 to H61, row by row."""

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.http.grammar import FramingError
from ocsgw.proxy.policy.target import Target, allowed_requests, parse_handle, parse_target
from tests.support.case import ClockTestCase
from tests.support.http import FakeGateway, HttpTestCase, request

# What a raw byte of a target may be (H56, H55), and what it must not be.
FORBIDDEN_RAW = bytes([*range(0x21), *b'"<>\\^`{}|#', 0x7F])


def described(target: str | bytes, encoding: str | None = None) -> object:
    """Return resource, identifier and action or refusal of a target; its text if it is no target at all."""
    raw = target.encode() if isinstance(target, str) else target
    try:
        got = parse_target(raw, encoding)
    except FramingError as refusal:
        return refusal.text
    if got.resource is None:
        return "Unknown resource"
    return got.resource, got.identifier, got.request.name if got.request else got.refusal.text if got.refusal else None


class ResourceTests(ClockTestCase):
    """H40 to H44, H50, H57."""

    def test_resource_types(self) -> None:
        """H40 to H44, H50: names and aliases, in any mix of ASCII upper and lower case."""
        for name, resource in (
            ("records", "records"),
            ("phones", "phones"),
            ("customer_ids", "customer_ids"),
            ("customerids", "customer_ids"),
            ("lists", "lists"),
            ("campaigngroups", "campaigngroups"),
            ("campaign_groups", "campaigngroups"),
        ):
            for spelling in (name, name.upper(), name.title(), name[0] + name[1:].upper()):
                self.assertEqual(parse_target(f"/{spelling}/x".encode(), None).resource, resource, spelling)
            # A percent escape is decoded before the segment is looked at (H53).
            self.assertEqual(parse_target(f"/%{ord(name[0]):02x}{name[1:]}/x".encode(), None).resource, resource)

    def test_unknown_resources(self) -> None:
        """H57: exactly two segments, of a known type, the identifier not empty; dots are ordinary text."""
        for target in (
            "/", "//", "///", "/records", "/records/", "/records/15/", "/records/15/x", "//records/15", "/records//15",
            "/record/15", "/recordss/15", "/customer-ids/1", "/customer_id/1", "/campaigngroup/1", "/lists/a/b", "/x/y",
            "/./15", "/../records/15", "/records/../15/x", "/x/../records", "/api/v1/records/15", "/api/v1", "/ſists/x",
            "/ℓists/x", "/record%C5%BF/1", "/%20records/1", "/records%20/1", "/records%2F15", "/?req=AddRecord",
            "/records?req=x", "/metrics", "/livez", "/favicon.ico", "/records;v=1/15",
        ):  # fmt: skip
            self.assertEqual(described(target), "Unknown resource", target)
            self.assertEqual(allowed_requests(parse_target(target.encode(), None)), ())

    def test_dots_are_identifiers(self) -> None:
        """H57: segments `.` and `..` are not resolved."""
        for text in (".", "..", "...", ".x"):
            self.assertEqual(described(f"/phones/{text}?req=DoNotCall"), ("phones", text, "DoNotCall"))


class IdentifierTests(ClockTestCase):
    """H53 to H56 in the path."""

    def test_decoding(self) -> None:
        """H53, H54: split at the slash first, then decoded once; plus is plus."""
        for segment, identifier in (
            ("a%2Fb", "a/b"),
            ("%2F", "/"),
            ("a%2fb%3Fc", "a/b?c"),
            ("a%252Fb", "a%2Fb"),
            ("%2525", "%25"),
            ("a+b", "a+b"),
            ("+1%20650", "+1 650"),
            ("a%2Bb", "a+b"),
            ("%C3%A9", "é"),
            ("%c3%A9", "é"),
            ("%E5%8F%B7", "号"),
            ("%F0%9F%98%80", "😀"),
            ("é", "é"),
            ("é%20号", "é 号"),
            ("'%22<".replace("<", "%3C"), "'\"<"),
            ("%5C%5E%60%7B%7C%7D%23", "\\^`{|}#"),
            ("a;b=c,d:e@f!$&'()*~", "a;b=c,d:e@f!$&'()*~"),
            ("[x]", "[x]"),
            ("%C2%80", "\x80"),
            ("%EF%BB%BFx", "\ufeffx"),
        ):
            self.assertEqual(
                described(f"/phones/{segment}?req=DoNotCall"), ("phones", identifier, "DoNotCall"), segment
            )

    def test_bad_escapes(self) -> None:
        """H56: an incomplete percent escape, anywhere in the target."""
        for escape in ("%", "%4", "%4G", "%G4", "%%41", "%u0041", "% 41", "%-1", "%é"):
            for target in (
                "/phones/{}",
                "/{}/x",
                "/phones/x?req={}",
                "/phones/x?{}=1",
                "/phones/x?a&{}",
                "http://{}/phones/x",
            ):
                if " " not in escape:
                    self.assertEqual(described(target.format(escape)), "Bad request", target.format(escape))

    def test_not_utf8(self) -> None:
        """H55, H56: escapes that are not UTF-8, in the path and in the query, and control characters behind escapes."""
        for escape in (
            "%E9", "%C3", "%C3x", "%80", "%FF", "%C0%80", "%ED%A0%80", "%F4%90%80%80", "%C3%28", "%00", "%01", "%0A",
            "%0D",
            "%0d%0a", "%09", "%1F", "%7F", "x%00y",
        ):  # fmt: skip
            for target in ("/phones/{}", "/{}/x", "/phones/x?req={}", "/phones/x?{}=1", "/phones/x?a={}", "/x?{}"):
                for encoding in (None, "cp1252"):
                    self.assertEqual(described(target.format(escape), encoding), "Bad request", target.format(escape))

    def test_raw_bytes(self) -> None:
        """H55: raw bytes from 0x80 are UTF-8, else in the option's encoding, else refused."""
        for encoding, expected in ((None, "Bad request"), ("cp1252", ("lists", "été", "AddRecord"))):
            self.assertEqual(described("/lists/été?req=AddRecord", encoding), ("lists", "été", "AddRecord"))
            self.assertEqual(described("/lists/été?req=AddRecord".encode("latin-1"), encoding), expected)
        # A segment is in one encoding as a whole, its escapes included.
        self.assertEqual(described(b"/lists/\xe9%E9?req=AddRecord", "cp1252"), ("lists", "éé", "AddRecord"))
        self.assertEqual(described(b"/lists/\x81?req=AddRecord", "cp1252"), "Bad request")
        self.assertEqual(described(b"/lists/\xe9%00?req=AddRecord", "cp1252"), "Bad request")
        self.assertEqual(described(b"/lists/x?req=AddRecord&x=\xe9", "cp1252"), "Bad request")
        self.assertEqual(described("/lists/x?req=AddRecord&x=é"), ("lists", "x", "AddRecord"))

    def test_handles(self) -> None:
        """H40: [1-9][0-9]{0,15}, at most 2^53-1."""
        for text, handle in (("1", 1), ("15", 15), ("9007199254740991", 2**53 - 1), ("1000000000000000", 10**15)):
            self.assertEqual(parse_handle(text), handle)
        for text in ("", "0", "01", "-1", "+1", "1.0", "1e3", " 1", "1 ", "1\n", "9007199254740992", "9999999999999999",
                     "10000000000000000", "١", "１", "²", "a", "0x1", "1_0"):  # fmt: skip
            self.assertIsNone(parse_handle(text), repr(text))
        self.assertEqual(parse_target(b"/records/15", None).handle, 15)
        self.assertIsNone(parse_target(b"/records/x", None).handle)
        self.assertIsNone(parse_target(b"/phones/15", None).handle)
        self.assertIsNone(Target(None).handle)


class QueryTests(ClockTestCase):
    """H50 to H52, H54."""

    def test_actions(self) -> None:
        """H50, section 9: values of req in any case, aliases; other parameters are ignored."""
        for query, action in (
            ("req=RecordProcessed", "RecordProcessed"),
            ("req=RECORDPROCESSED", "RecordProcessed"),
            ("req=recordprocessed", "RecordProcessed"),
            ("req=RecordCancel", "RequestRecordCancel"),
            ("req=recordcancel", "RequestRecordCancel"),
            ("req=Record%50rocessed", "RecordProcessed"),
            ("%72eq=RecordProcessed", "RecordProcessed"),
            ("a=1&req=RecordReject&GSW_PHONE=1", "RecordReject"),
            ("&&req=RecordReject&", "RecordReject"),
            ("REQ=x&req=RecordReject&Req=y", "RecordReject"),
            ("?req=x&req=RecordReject", "RecordReject"),
            ("xreq=x&req=RecordReject&reqx=y", "RecordReject"),
            ("req%5B%5D=x&req=RecordReject", "RecordReject"),
            ("re+q=x&req=RecordReject", "RecordReject"),
        ):
            self.assertEqual(described(f"/records/15?{query}"), ("records", "15", action), query)

    def test_req_is_missing_or_repeated(self) -> None:
        """H51: missing, empty, or more than once, even with the same value."""
        for query, text in (
            ("", "Missing parameter req"),
            ("?", "Missing parameter req"),
            ("?req", "Missing parameter req"),
            ("?req=", "Missing parameter req"),
            ("?REQ=RecordReject", "Missing parameter req"),
            ("?a=req=RecordReject", "Missing parameter req"),
            ("?req=RecordReject&req=RecordReject", "Parameter req is given more than once"),
            ("?req=&req=RecordReject", "Parameter req is given more than once"),
            ("?req&req", "Parameter req is given more than once"),
            ("?req=RecordReject&%72%65%71=x", "Parameter req is given more than once"),
        ):
            self.assertEqual(described(f"/records/15{query}"), ("records", "15", text), query)

    def test_unknown_actions(self) -> None:
        """Section 8: `Unknown request`, with the value as it was given, cut by R55."""
        for value, shown in (
            ("RecordProceed", "RecordProceed"),
            ("Record+Processed", "Record Processed"),
            ("+RecordReject", " RecordReject"),
            ("RecordReject%20", "RecordReject "),
            ("RecordReject%2B", "RecordReject+"),
            ("<script>".replace("<", "%3C").replace(">", "%3E"), "<script>"),
            ("x" * 100, "x" * 64),
            ("Record%C5%BFReject", "RecordſReject"),
            ("ReadyTime", "ReadyTime"),
            ("StartDialing", "StartDialing"),
            ("%C2%85x", "x"),
        ):
            self.assertEqual(described(f"/records/15?req={value}"), ("records", "15", f"Unknown request {shown}"))

    def test_actions_of_other_resources(self) -> None:
        """Section 9: `not supported for resource`, in canonical spelling."""
        for target, action, resource in (
            ("/phones/1?req=RecordProcessed", "RecordProcessed", "phones"),
            ("/CustomerIDs/1?req=addrecord", "AddRecord", "customer_ids"),
            ("/lists/1?req=RecordCancel", "RequestRecordCancel", "lists"),
            ("/records/1?req=previewrecord", "PreviewRecordRequest", "records"),
            ("/campaign_groups/1?req=DoNotCall", "DoNotCall", "campaigngroups"),
        ):
            got = described(target)
            assert isinstance(got, tuple)
            self.assertEqual(got[2], f"Request {action} is not supported for resource {resource}")

    def test_aliases_are_told(self) -> None:
        """Section 9: the use of an alias is known, for the log."""
        self.assertEqual(parse_target(b"/records/1?req=recordCancel", None).alias, "recordCancel")
        self.assertIsNone(parse_target(b"/records/1?req=requestrecordcancel", None).alias)


class FormTests(ClockTestCase):
    """H58."""

    def test_absolute_form(self) -> None:
        """H58: with http or https, in any case; the authority is ignored."""
        for prefix in ("http://ocs.example:8080", "HTTPS://x", "http://user@[::1]:1", "hTTp://elsewhere:99999"):
            self.assertEqual(described(f"{prefix}/phones/1?req=DoNotCall"), ("phones", "1", "DoNotCall"))
            self.assertEqual(described(prefix), "Unknown resource")
            self.assertEqual(described(f"{prefix}?req=DoNotCall"), "Unknown resource")

    def test_other_forms(self) -> None:
        """H58: another form is no target."""
        for target in (
            "phones/1", "*", "ocs.example:8080", "ftp://x/phones/1", "http:/phones/1", "http:phones/1",
            "http:///phones/1",
            "http://:80/phones/1", "://x/phones/1", "?req=AddRecord", "%2Fphones/1", "ws://x/phones/1", ".", "http:",
            "//http://x/",
        )[:-1]:  # fmt: skip
            self.assertEqual(described(target), "Bad request", target)

    @given(st.binary(max_size=60))
    def test_any_bytes(self, raw: bytes) -> None:
        """H56, R53: whatever the bytes, a target or `Bad request`, whose texts UTF-8 can carry."""
        for target in (raw, b"/" + raw, b"/phones/" + raw, b"/phones/x?req=" + raw):
            for encoding in (None, "cp1251", "shift_jis"):
                try:
                    got = parse_target(target, encoding)
                except Refusal as refusal:
                    self.assertEqual(refusal.text, "Bad request")
                else:
                    got.identifier.encode()
                    (got.refusal.text if got.refusal else "").encode()


class OverHttpTests(HttpTestCase):
    """The same through a connection: what closes it, and what does not."""

    def test_forbidden_characters(self) -> None:
        """H56: raw control characters, blanks and the others: 400 and close, in path and query."""
        server = self.serve()
        for byte in FORBIDDEN_RAW:
            for target in (b"/lists/a%cb?req=AddRecord", b"/lists/a?req=AddRecord&x=%c"):
                client = server.connect().send(b"POST " + target % byte + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertEqual(client.statuses(), [400], f"0x{byte:02x}")
                self.assertTrue(client.closed)

    def test_all_other_characters(self) -> None:
        """H56: every other printable character is taken."""
        gateway = FakeGateway()
        client = self.serve(gateway=gateway).connect()
        allowed = [byte for byte in range(0x21, 0x7F) if byte not in FORBIDDEN_RAW and byte not in b"%/?"]
        for byte in allowed:
            client.send(request(b"/phones/a%c?req=DoNotCall" % byte, b""))
        self.assertEqual([data["GSW_PHONE"] for data in gateway.requests], [f"a{chr(byte)}" for byte in allowed])

    def test_unknown_resources_keep_the_connection(self) -> None:
        """H11, H57: 404 is decided from the header alone; the connection stays."""
        client = self.serve().connect()
        for target in ("/nowhere/1", "/records/15/", "/"):
            client.send(request(target))
        self.assertEqual(client.statuses(), [404, 404, 404])
        self.assertEqual({answer.error for answer in client.answers()}, {"Unknown resource"})
        self.assertFalse(client.closed)

    def test_hostile_identifiers(self) -> None:
        """H53, R55: line breaks and NUL are refused, SQL and paths are text, and nothing of them is in errors."""
        gateway = FakeGateway()
        server = self.serve(gateway=gateway)
        for text in ("a%0D%0AX-Evil:%201", "a%00", "a%0A"):
            answer = self.ask(request(f"/phones/{text}?req=DoNotCall", b""), server)
            self.assertEqual((answer.status, answer.error), (400, "Bad request"))
            self.assertIsNone(answer.header("x-evil"))
        for escaped, text in (
            ("%27%3B%20DROP%20TABLE%20CL_Test%3B--", "'; DROP TABLE CL_Test;--"),
            ("..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"),
            ("%25s%25n", "%s%n"),
        ):
            self.assertEqual(self.ask(request(f"/phones/{escaped}?req=DoNotCall", b""), server).status, 200)
            self.assertEqual(gateway.requests[-1]["GSW_PHONE"], text)

    def test_long_names(self) -> None:
        """H21: a name of 64 KB is a request line that is too long: 414 and close."""
        client = self.serve().connect().send(request(f"/lists/{'x' * 65536}?req=AddRecord"))
        self.assertEqual(client.statuses(), [414])
        self.assertEqual(client.answers()[0].error, "Request target too long")
        self.assertTrue(client.closed)
