"""The compiled way of a request through the proxy: it does what the usual way does, or leaves it to that.

Without compiled parts everything goes the usual way, with the same answers.
"""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest

from ocsgw import speedups
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event, HttpLimits, KeySettings, payload_of
from ocsgw.proxy.policy.target import parse_target
from ocsgw.proxy.translation.in_one_pass import translator_for
from ocsgw.proxy.translation.translate import plan_of
from tests.proxy.test_fuzz import EXAMPLES
from tests.support.case import ClockTestCase
from tests.support.fuzzing import TARGETS_OF_REQUESTS, BodyTarget, EventTarget
from tests.support.http import FakeGateway, HttpTestCase, request
from tests.support.settings import make_settings

ADD = "/lists/CL?req=AddRecord"
PLANS = [
    plan_of(target.request.name, target.resource)
    for target in (parse_target(action.encode(), None) for action in TARGETS_OF_REQUESTS)
    if target.request is not None and target.resource is not None
]
KEYS = sorted({name for plan in PLANS for name in plan.converters})
NUMBERS = st.integers(-3, 60) | st.sampled_from(
    [2**31 - 1, 2**31, -(2**31), 86400, 86401, 2**53, 10**17, 10**18, 2**63]
)
CHOICES = ("", "AllChain", "RECORDONLY", "Personal", "RecordTreatCampaign", "recordtreatcampaign", "General", "Answer")
CONTACTS = (
    "+1650",
    "6,5E9",
    "65055.00",
    "a@b.example",
    "650-555.01",
    "1.5e3",
    " trimmed",
    "trimmed\u00a0",
    " ",
    "\x1f",
)
DATES = (
    "2/29/2028 9:05", "2/29/2030 9:05", "12/31/2037 23:59", "1/1/1970 0:00", "1/1/1969 0:00", "1/1/2038 0:00",
    "4/31/2030 00:00", "13/1/2030 0:00", "1/1/2030 24:00", "1/1/2030 1:60", "1/1/2030 1:5", "01/02/2030 03:04 ",
    "0/1/2030 0:00", "1/0/2030 0:00",
)  # fmt: skip
LONG = ("x" * 32, "x" * 33, "\u00e9" * 128, "\u00e9" * 129, "y" * 255, "y" * 256)
DIGITS = ("-0", "007", "-5", "1" * 18, "1" * 19, "-")
TEXTS = st.sampled_from(CHOICES + CONTACTS + DATES + LONG + DIGITS) | NUMBERS.map(str) | st.text(max_size=8)
VALUES: st.SearchStrategy[Any] = NUMBERS | TEXTS | st.sampled_from([None, True, False, 1.5, [], {}])
MEMBERS = st.dictionaries(
    st.sampled_from([*KEYS, "own", "", "\u00e9", "GSW_X", "a" * 40]) | st.text(max_size=4), VALUES, max_size=7
)

# One byte, or character, that is not written as it is, or beside one that is not, at each place of a text.
ODD_TEXTS = [
    b"abcdefghijklmnopqr"[:size][:at] + odd + b"abcdefghijklmnopqr"[:size][at:]
    for size in (7, 8, 17)
    for at in range(size + 1)
    for odd in (
        b'"',
        b"\\",
        b"\x00",
        b"\x1f",
        b" ",
        b"!",
        b"#",
        b"[",
        b"]",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"\xc3\xa9",
        b"\\n",
    )
]


class BodyTests(ClockTestCase):
    """Bodies of every action."""

    @given(st.integers(0, 9), MEMBERS, st.booleans(), st.sampled_from([None, 1]))
    @settings(max_examples=EXAMPLES)
    def test_members(self, action: int, members: dict[str, Any], escaped: bool, indent: int | None) -> None:
        """H110 to H118: each value for each attribute, in every way of writing it."""
        if action == 0:
            members = {"GSW_PHONE": "1", **members}
        body = json.dumps(members, ensure_ascii=escaped, indent=indent).encode("utf-8", "surrogatepass")
        BodyTarget().check(bytes((action,)) + body, ())

    def test_bytes_at_every_place(self) -> None:
        """Eight bytes are looked at together: what is no plain ASCII is found at each place among others."""
        target = BodyTarget()
        for text in ODD_TEXTS:
            body = b'{"GSW_PHONE":"1","own":"%b","%b":"x"}' % (text, text)
            for begin in range(8):
                target.check(b"\x00" + b" " * begin + body, ())

    def test_usual_ones_are_taken(self) -> None:
        """What clients usually send is not left to the usual way; what is not a flat object of texts and numbers is."""
        target = BodyTarget()
        taken = (
            '{"GSW_PHONE":"1"}',
            '{"GSW_PHONE":650,"own":"\\u00e9","GSW_ATTEMPTS":"2"}',
            ' {\n "GSW_PHONE" : "+1" } ',
        )
        left = (
            '{"GSW_PHONE":"1","own":1.0}',
            '{"GSW_PHONE":"1","own":[]}',
            '{"GSW_PHONE":"1","GSW_PHONE":"1"}',
            "{}",
            "",
        )
        for body in taken + left:
            before = target.in_one_pass
            target.check(b"\x00" + body.encode(), ())
            self.assertEqual(target.in_one_pass - before, speedups.is_used() and body in taken, body)

    def test_limits(self) -> None:
        """H25, H26: where fewer members or no object may be, nothing is translated in one pass."""
        target = parse_target(ADD.encode(), None)
        self.assertEqual(translator_for(target, HttpLimits()) is not None, speedups.is_used())
        self.assertIsNone(translator_for(target, HttpLimits(json_members=50)))
        self.assertIsNone(translator_for(target, HttpLimits(json_depth=0)))

    def test_size_of_a_frame(self) -> None:
        """P64: what is larger than a frame is left to the usual way, to the byte."""
        translator = translator_for(parse_target(ADD.encode(), None), HttpLimits())
        if translator is None:
            raise SkipTest("without compiled parts no frame is made in one pass")
        arguments = (b'{"GSW_PHONE":"1"}', translator.pairs, 1, 1, "k" * 255, "p" * 300, b"r", "address")
        done = translator.action.frame(*arguments, 1 << 20)
        assert done is not None
        size = len(done[0]) - 4
        self.assertEqual(translator.action.frame(*arguments, size), done)
        self.assertIsNone(translator.action.frame(*arguments, size - 1))


class EventTests(ClockTestCase):
    """Events of every kind."""

    @given(
        st.dictionaries(st.text(max_size=6), st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans(), max_size=70),
        st.integers(1, 2**53 - 1),
    )
    @settings(max_examples=EXAMPLES)
    def test_members(self, data: dict[str, Any], ref: int) -> None:
        """H121: texts with all characters, numbers of all sizes."""

        target = EventTarget()
        target.check(payload_of(Event(ref=ref, data={"GSW_USER_EVENT": "X", **data})), ())
        usual = len(data) < 64 and "GSW_USER_EVENT" not in data
        self.assertEqual(target.in_one_pass, speedups.is_used() and usual)

    def test_bytes_at_every_place(self) -> None:
        """As for bodies."""
        target = EventTarget()
        for text in ODD_TEXTS:
            written = text.decode("utf-8", "replace")
            target.check(payload_of(Event(ref=1, data={"GSW_USER_EVENT": "X", "own": written, written: "x"})), ())


class WayTests(HttpTestCase):
    """The way through the channel."""

    def assert_ways(self, gateway: FakeGateway, carried: int, written: int) -> None:
        """So many requests went as frames, and so many answers in one pass; none without compiled parts."""
        expected = (carried, written) if speedups.is_used() else (0, 0)
        self.assertEqual((gateway.carried, gateway.written), expected)

    def test_usual(self) -> None:
        """A usual request goes so both ways, with the same answer as without compiled parts."""
        answers = []
        for takes_frames in (True, False):
            gateway = FakeGateway(takes_frames=takes_frames)
            client = self.serve(gateway=gateway).connect().send(request(ADD, b'{"GSW_PHONE":"1","own":7}') * 1)
            answers.append(client.answers())
            self.assert_ways(gateway, takes_frames, takes_frames)
        self.assertEqual(answers[0], answers[1])

    def test_fields_of_its_own(self) -> None:
        """H83, H320: a request id, a key for idempotency; an answer that needs more fields is made in the usual way."""
        gateway = FakeGateway()
        client = self.serve(gateway=gateway).connect()
        client.send(request(ADD, b'{"GSW_PHONE":"1"}', "X-Request-Id: r-1", "Idempotency-Key: k"))
        self.assertEqual(client.answers()[0].header("x-request-id"), "r-1")
        self.assertEqual(gateway.exchanges[0].idempotency_key, "k")
        self.assert_ways(gateway, 1, 0)

    def test_error_knows_the_reference(self) -> None:
        """H145: an error of OCS has the reference id of a request that went as a frame."""
        gateway = FakeGateway(lambda data: Refusal("internal"))
        client = self.serve(gateway=gateway).connect().send(request(ADD, b'{"GSW_PHONE":"1","GSW_REFERENCE_ID":"r"}'))
        self.assertEqual(client.answers()[0].json["GSW_REFERENCE_ID"], "r")
        self.assert_ways(gateway, 1, 0)

    def test_charset(self) -> None:
        """H133: UTF-8 that is named is UTF-8, also where the option says otherwise; another encoding is translated."""
        gateway = FakeGateway()
        client = self.serve(gateway=gateway, encoding="windows-1252").connect()
        named = request(ADD, b'{"GSW_PHONE":"1"}', "Content-Type: application/json; charset=UTF-8")
        client.send(named).send(request(ADD, b'{"GSW_PHONE":"1","own":"\xe9"}'))
        self.assert_ways(gateway, 1, 1)
        self.assertEqual(gateway.requests[1]["own"], "\u00e9")
        self.assertEqual(client.statuses(), [200, 200])

    def test_keys(self) -> None:
        """H340 to H345: who calls is asked for each request; a key that counts no more is refused."""
        key = KeySettings(name="p", salt="", hash="0" * 64)
        gateway = FakeGateway()
        client = self.serve(gateway=gateway, keys=[key]).connect().send(request(ADD, b'{"GSW_PHONE":"1"}'))
        self.assertEqual((client.statuses(), gateway.carried), ([401], 0))

    def test_new_settings(self) -> None:
        """P100: a head is judged anew when the settings have changed; so is one whose clients are counted then."""
        gateway = FakeGateway()
        server = self.serve(gateway=gateway)
        client = server.connect().send(request())
        server.frontend.use(make_settings(keys=[KeySettings(name="p", salt="", hash="0" * 64)]))
        client.send(request())
        server.frontend.use(make_settings(limits=HttpLimits(address_rate=1)))
        server.connect().send(request())
        self.assertEqual(client.statuses(), [200, 401])
        self.assert_ways(gateway, 1, 1)

    def test_something_has_happened(self) -> None:
        """H2, H353: while the answer is awaited a second request comes, or the proxy drains: the usual way answers."""
        for happens in ("request", "drain"):
            gateway = FakeGateway(holds=True)
            server = self.serve(gateway=gateway)
            client = server.connect().send(request())
            if happens == "request":
                client.send(request())
            else:
                server.frontend.drain(lambda: None)
            while gateway.waiting:
                gateway.release()
            self.assert_ways(gateway, 1, 0)
            self.assertEqual(client.take().statuses(), [200, 200] if happens == "request" else [200])
            self.assertEqual(client.closed, happens == "drain")

    def test_a_defect_is_a_500(self) -> None:
        """H13: what fails on the way to OCS costs one request."""
        for fails in (True, False):
            gateway = FakeGateway()
            if fails:
                self.patch(gateway, "carry" if speedups.is_used() else "submit", self._fail)
            self.assertEqual(self.serve(gateway=gateway).connect().send(request()).statuses(), [500 if fails else 200])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), int(fails))

    def _fail(self, *_: object) -> KV:
        raise ZeroDivisionError
