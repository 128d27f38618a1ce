"""Strict JSON (http.md section 6, RFC 8259): what is taken, what is refused and as what, by both readers alike."""

import json

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.protocol.attributes import NotText, NumberText
from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.translation.jsonbody import Members, read_fast, read_strictly, read_utf8
from tests.support.case import ClockTestCase

DEPTH, MEMBERS = 32, 1000

# Texts of objects that RFC 8259 allows, with their members.
VALID: list[tuple[bytes, Members]] = [
    (b"{}", {}),
    (b" \t\r\n{ \t\r\n} \t\r\n", {}),
    (b'{"a":1}', {"a": 1}),
    (b'{"a":1,"b":2}', {"a": 1, "b": 2}),
    (b'{ "a" : 1 , "b" : [ 1 , 2 ] }', {"a": 1, "b": [1, 2]}),
    (b'{"":0}', {"": 0}),
    (b'{"a":"","b":null,"c":true,"d":false}', {"a": "", "b": None, "c": True, "d": False}),
    (b'{"a":0}', {"a": 0}),
    (b'{"a":-0}', {"a": 0}),
    (b'{"a":-1}', {"a": -1}),
    (b'{"a":9223372036854775807}', {"a": 2**63 - 1}),
    (b'{"a":9223372036854775808}', {"a": 2**63}),
    (b'{"a":18446744073709551616}', {"a": 2**64}),
    (b'{"a":-9223372036854775809}', {"a": -(2**63) - 1}),
    (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
    (b'{"a":' + b"1" * 5000 + b"}", {"a": NumberText("1" * 5000)}),
    (b'{"a":1.0}', {"a": NumberText("1.0")}),
    (b'{"a":-0.0}', {"a": NumberText("-0.0")}),
    (b'{"a":1.50}', {"a": NumberText("1.50")}),
    (b'{"a":1e2}', {"a": NumberText("1e2")}),
    (b'{"a":1E+2}', {"a": NumberText("1E+2")}),
    (b'{"a":1e-2}', {"a": NumberText("1e-2")}),
    (b'{"a":0e1}', {"a": NumberText("0e1")}),
    (b'{"a":1e400}', {"a": NumberText("1e400")}),
    (b'{"a":-1e-400}', {"a": NumberText("-1e-400")}),
    (b'{"a":123.456e78}', {"a": NumberText("123.456e78")}),
    (b'{"a":0.' + b"3" * 5000 + b"}", {"a": NumberText("0." + "3" * 5000)}),
    (b'{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t"}', {"a": '"\\/\b\f\n\r\t'}),
    (b'{"a":"\\u0041\\u00e9\\u20AC"}', {"a": "Aé€"}),
    (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    (b'{"a":"\\uD83D\\uDE00x"}', {"a": "😀x"}),
    (b'{"\\u0061":1}', {"a": 1}),
    (b'{"a":"\\u0001\\u001f\\u007f"}', {"a": "\x01\x1f\x7f"}),
    (b'{"a":"\\\\u0000"}', {"a": "\\u0000"}),
    (b'{"a":"\\\\ud800"}', {"a": "\\ud800"}),
    (b'{"a":"\x7f"}', {"a": "\x7f"}),
    ('{"é":"Hélène 号码 😀"}'.encode(), {"é": "Hélène 号码 😀"}),
    ('{"a":"\u2028\u2029\ufeff\uffff\ue000"}'.encode(), {"a": "\u2028\u2029\ufeff\uffff\ue000"}),
    (b'{"a":"\\ufdd0\\uffff"}', {"a": "\ufdd0\uffff"}),
    ('{"a":"\U0010ffff"}'.encode(), {"a": "\U0010ffff"}),
    (b'{"a":"// no /* comment */"}', {"a": "// no /* comment */"}),
    (b'{"a":"[[[[{{{{"}', {"a": "[[[[{{{{"}),
    (b'{"a":{},"b":[],"c":[{}],"d":{"e":[null]}}', {"a": {}, "b": [], "c": [{}], "d": {"e": [None]}}),
    (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
    (b'\xef\xbb\xbf \n{"a":1}', {"a": 1}),
    (b'{"a":1,"a":2}', {"a": 2}),
    (b'{"a":"x","b":0,"a":null}', {"a": None, "b": 0}),
    (b'{"a":{"b":1,"b":2}}', {"a": {"b": 2}}),
    (b'{"\\u0061":1,"a":2}', {"a": 2}),
    (b'{"A":1,"a":2}', {"A": 1, "a": 2}),
]

# What is not JSON at all.
INVALID = [
    b" ", b"\n", b"\t \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf ",
    b"{", b"}", b"{}}", b"{{}}", b"[", b"]", b"[1", b"{]", b"[}", b"{}{}", b"{} {}", b"{},", b"{}x", b"{}\x00",
    b"{}null",
    b"x{}", b",{}", b"\x00{}", b"\x0b{}", b"\x0c{}", b"{}\x0b", b"\xc2\xa0{}", b"\xe2\x80\xa8{}",
    b'{"a"}', b'{"a":}', b'{:1}', b'{"a" 1}', b'{"a"::1}', b'{"a":1,}', b'{,"a":1}', b'{"a":1,,"b":2}',
    b'{"a":1 "b":2}',
    b'{"a":1;"b":2}', b'{"a"=1}', b"{a:1}", b"{'a':1}", b'{"a":\'b\'}', b'{1:1}', b'{null:1}', b'{"a":b}',
    b'{"a":NaN}', b'{"a":nan}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":inf}', b'{"a":-NaN}', b'{"a":[NaN]}',
    b"NaN",
    b'{"a":True}', b'{"a":TRUE}', b'{"a":nul}', b'{"a":nulll}', b'{"a":truefalse}', b'{"a":undefined}', b'{"a":None}',
    b'{"a":+1}', b'{"a":01}', b'{"a":-01}', b'{"a":00}', b'{"a":1.}', b'{"a":.5}', b'{"a":-.5}', b'{"a":1.e1}',
    b'{"a":1e}',
    b'{"a":1e+}', b'{"a":1E-}', b'{"a":1.5.5}', b'{"a":1e1.5}', b'{"a":-}', b'{"a":--1}', b'{"a":- 1}', b'{"a":0x1}',
    b'{"a":1_000}', b'{"a":1,000}', b'{"a":1a}', b'{"a":1 2}', '{"a":１}'.encode(), '{"a":٣}'.encode(),
    b'{"a":"}', b'{"a":"b}', b'{"a":"\\"}', b'{"a":"\\x41"}', b'{"a":"\\a"}', b'{"a":"\\\'"}', b'{"a":"\\0"}',
    b'{"a":"\\u"}',
    b'{"a":"\\u12"}', b'{"a":"\\u12G4"}', b'{"a":"\\u+123"}', b'{"a":"\\u 123"}', b'{"a":"\\U00e9"}', b'{"a":"\\',
    b'{"a":"\n"}', b'{"a":"\t"}', b'{"a":"\r"}', b'{"a":"\x00"}', b'{"a":"\x1f"}', b'{"a\n":1}', b'{"\x00":1}',
    b'{"a":1}//x', b'{/**/}', b'{"a":1/**/}', b"#x\n{}", b'{"a":1}#', b"<a/>", b"a=b", b"GSW_CALL_RESULT=33",
    b'{"a":[1,]}', b'{"a":[,1]}', b'{"a":[1 2]}', b'{"a":[1}', b'{"a":[}', b'{"a":]}', b'{"a":{"b":1}', b'{"a":{"b"}}',
    b'{"a":[1:2]}', b'{"a":(1)}', b"()", b'{"a":*}', b"*", b"\\u007b\\u007d", b"\\", b'"', b"'", b'"abc', b"tru", b"-",
    b"\xef\xbb\xbf\xef\xbb\xbf{}", b"{}\xef\xbb\xbf", b'{\xef\xbb\xbf"a":1}',
    b"{\x00}\x00", b"\x00{\x00}", b"{\x00\x00\x00}\x00\x00\x00", b"\x00\x00\x00{\x00\x00\x00}",
]  # fmt: skip

# JSON, but no object.
NOT_OBJECTS = [
    b"[]", b"[{}]", b'[{"a":1}]', b'"{}"', b'""', b'"\\ud800"', b"0", b"-1", b"1.5", b"1e400", b"null", b"true",
    b"false",
    b" [] ", b"\xef\xbb\xbf[]", b"[1,2,[3]]",
]  # fmt: skip

# No UTF-8 (RFC 3629), whatever it would be as JSON.
NOT_UTF8 = [
    b'{"a":"\xff"}', b'{"a":"\xc3"}', b'{"a":"\xe9"}', b'{"\xe9":1}', b'{"a":"\xc0\x80"}', b'{"a":"\xc1\xbf"}',
    b'{"a":"\xed\xa0\x80"}', b'{"a":"\xed\xb0\x80"}', b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}', b'{"a":"\xf4\x90\x80\x80"}',
    b'{"a":"\xf8\x88\x80\x80\x80"}', b'{"a":"\xe2\x82"}', b"\xff", b"{}\xff", b"\x80{}", b"\xff\xfe{\x00}\x00",
    b"\xfe\xff\x00{\x00}", b"\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00", b"\x00\x00\xfe\xff\x00\x00\x00{\x00\x00\x00}",
    b"not JSON \xff", '{"a":"é"}'.encode("utf-16"),
]  # fmt: skip

# JSON texts of strings that are no text (H116): a lone surrogate, in any order, or U+0000.
BAD_STRINGS = [
    rb'"\ud800"', rb'"\udc00"', rb'"\udbff\udbff"', rb'"\ude00\ud83d"', rb'"\ud83d"', rb'"\ud83dx\ude00"',
    rb'"x\udfff"',
    rb'"\ud83d\u0041"', rb'"\uD83D\uD83D\uDE00"', rb'"\u0000"', rb'"a\u0000b"', rb'"\uD800\n"',
]  # fmt: skip


def refusal(body: bytes, depth: int = DEPTH, members: int = MEMBERS) -> str:
    """Return the text of the refusal of a body, or what it was taken as."""
    try:
        return f"taken: {read_utf8(body, depth, members)!r:.100}"
    except Refusal as told:
        return told.text


def typed(value: object) -> object:
    """Return a value with the types of everything in it, so that True is not 1 and a text not a number."""
    if isinstance(value, dict):
        return {name: typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value), None if isinstance(value, NotText) else value)


class ReadingTests(ClockTestCase):
    """H90 to H94, H112, H116."""

    def test_valid(self) -> None:
        """H90, H92, H93, H94, H112, H116: every valid text gives its members, by each reader that takes it."""

        def check(row: tuple[bytes, Members]) -> None:
            body, expected = row
            self.assertEqual(typed(read_utf8(body, DEPTH, MEMBERS)), typed(expected))
            text = body.removeprefix(b"\xef\xbb\xbf").decode()
            self.assertEqual(typed(read_strictly(text, DEPTH, MEMBERS)), typed(expected))
            quick = read_fast(body, DEPTH, MEMBERS)
            if quick is not None:
                self.assertEqual(typed(quick), typed(expected))

        self.for_each(VALID, check)

    def test_common_texts_take_the_fast_reader(self) -> None:
        """H91 and section 8 of the plan: ordinary bodies, nested ones too, are read once."""
        for body in (b'{"a":"b","c":1.5}', b'{"a":[1,{"b":[]}]}', '{"é":"😀"}'.encode()):
            self.assertIsNotNone(read_fast(body, DEPTH, MEMBERS))

    def test_nothing(self) -> None:
        """H91: a body of zero bytes is the same as {}; white space alone is not JSON."""
        self.assertEqual(read_utf8(b"", DEPTH, MEMBERS), {})
        self.assertEqual(refusal(b" "), "Invalid JSON")

    def test_invalid(self) -> None:
        """H92: what is not JSON is `Invalid JSON`."""
        self.for_each(INVALID, lambda body: self.assertEqual(refusal(body), "Invalid JSON"))

    def test_not_objects(self) -> None:
        """H92: a valid text that is not an object is `JSON object expected`."""
        self.for_each(NOT_OBJECTS, lambda body: self.assertEqual(refusal(body), "JSON object expected"))

    def test_not_utf8(self) -> None:
        """H131: what is not UTF-8 is `Body is not valid UTF-8`, before anything is said about JSON."""
        self.for_each(NOT_UTF8, lambda body: self.assertEqual(refusal(body), "Body is not valid UTF-8"))

    def test_every_truncation(self) -> None:
        """H92: no beginning of a body is taken for the whole."""
        body = '{"GSW_PHONE" : "65é5", "n":[1.5e3,{"x":null}], "t":true}'.encode()
        for end in range(1, len(body)):
            self.assertIn(refusal(body[:end]), ("Invalid JSON", "Body is not valid UTF-8"), body[:end])


class TextTests(ClockTestCase):
    """H116: lone surrogates and U+0000."""

    def test_in_values(self) -> None:
        """H116: in a value, also deep inside, the member is marked as no text; the others are read."""
        for bad in BAD_STRINGS:
            for value in (bad, b"[" + bad + b"]", b'{"x":' + bad + b"}", b'[1,{"x":["ok",' + bad + b"]}]"):
                got = read_utf8(b'{"a":"b","m":' + value + b',"z":1}', DEPTH, MEMBERS)
                self.assertEqual(typed(got), typed({"a": "b", "m": NotText(), "z": 1}), value)

    def test_in_names(self) -> None:
        """H116: in a member name, also deep inside, it is `Invalid JSON`."""
        for bad in BAD_STRINGS:
            for body in (
                b"{" + bad + b":1}",
                b'{"a":1,' + bad + b":1}",
                b'{"a":{' + bad + b":1}}",
                b'{"a":[{"b":{' + bad + b":1}}]}",
                b'{"a":"\\ud800","b":{' + bad + b":1}}",
            ):
                self.assertEqual(refusal(body), "Invalid JSON", body)

    def test_equal_names(self) -> None:
        """H93, H116: a string that is no text is not forgiven because an equal name follows."""
        for body in (rb'{"a":"\ud800","a":"x"}', rb'{"a":"x","a":"\ud800"}'):
            self.assertIs(type(read_utf8(body, DEPTH, MEMBERS)["a"]), NotText)


class LimitTests(ClockTestCase):
    """H25 and H26."""

    def test_depth(self) -> None:
        """H25: 32 levels are taken, the outer object counted; 33 are not, of objects, arrays and mixtures."""
        for opening, closing in ((b"[", b"]"), (b'{"x":', b"}"), (b'[{"x":', b"}]")):
            unit = 2 if len(closing) == 2 else 1
            for depth, expected in ((31, None), (32, "Invalid JSON")):
                times = depth // unit
                value = opening * times + b"[" * (depth % unit) + b"0" + b"]" * (depth % unit) + closing * times
                body = b'{"a":' + value + b"}"
                if expected is None:
                    read_utf8(body, DEPTH, MEMBERS)
                else:
                    self.assertEqual(refusal(body), expected, body)

    def test_depth_of_neighbours(self) -> None:
        """H25: many containers beside each other are not deep, and brackets in strings are no containers."""
        value = b",".join([b"[[],{}]"] * 500)
        self.assertEqual(len(read_utf8(b'{"a":[' + value + b"]}", DEPTH, MEMBERS)), 1)
        read_utf8(b'{"a":["' + b"[" * 500 + b'\\"[["]}', DEPTH, MEMBERS)

    def test_bottomless(self) -> None:
        """H25, R53: a hundred thousand levels are refused without recursion, closed or not, at the top or inside."""
        for body in (
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"a":' + b"[" * 100_000,
            b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b"[" * 100_000 + b"]" * 100_000,
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        ):
            self.assertEqual(refusal(body), "Invalid JSON")

    def test_members(self) -> None:
        """H26: 1000 members are taken, 1001 are not; equal names count each time, nested ones like others."""
        for count, expected in ((1000, False), (1001, True)):
            different = b"{" + b",".join(b'"%d":1' % number for number in range(count)) + b"}"
            equal = b"{" + b",".join([b'"a":1'] * count) + b"}"
            for body in (different, equal):
                if expected:
                    self.assertEqual(refusal(body), "Invalid JSON")
                else:
                    read_utf8(body, DEPTH, MEMBERS)
        for count, members in ((999, 1), (1000, None)):
            inside = b'{"a":{' + b",".join(b'"%d":1' % number for number in range(count)) + b"}}"
            spread = b'{"a":[' + b",".join([b'{"b":1}'] * count) + b"]}"
            for body in (inside, spread):
                if members is None:
                    self.assertEqual(refusal(body), "Invalid JSON")
                else:
                    self.assertEqual(len(read_utf8(body, DEPTH, MEMBERS)), members)

    def test_colons_are_no_members(self) -> None:
        """H26: colons in strings do not count."""
        self.assertEqual(read_utf8(b'{"a":"' + b":" * 2000 + b'"}', DEPTH, MEMBERS), {"a": ":" * 2000})

    def test_other_limits(self) -> None:
        """H25, H26: the limits are those of the settings."""
        self.assertEqual(refusal(b'{"a":[]}', depth=1), "Invalid JSON")
        self.assertEqual(refusal(b"{}", depth=1), "taken: {}")
        self.assertEqual(refusal(b'{"a":1,"b":2}', members=1), "Invalid JSON")

    def test_large(self) -> None:
        """R53: ten million bytes are read in one go, whatever they are made of."""
        self.assertEqual(len(str(read_utf8(b'{"a":"' + b"x" * 10_000_000 + b'"}', DEPTH, MEMBERS)["a"])), 10_000_000)
        self.assertEqual(refusal(b'"' + b"x" * 10_000_000), "Invalid JSON")
        self.assertEqual(refusal(b'{"a":"' + b'\\"' * 5_000_000), "Invalid JSON")
        self.assertEqual(refusal(b'"' + b'\\"' * 1_000_000), "Invalid JSON")
        self.assertEqual(refusal(b" " * 10_000_000), "Invalid JSON")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def with_faults(text: str, cuts: list[tuple[int, str]]) -> str:
    """Return a text with something put in at some places."""
    for at, fault in cuts:
        place = at % (len(text) + 1)
        text = text[:place] + fault + text[place:]
    return text


class AgreementTests(ClockTestCase):
    """The fast and the strict reader agree on every text."""

    def agree(self, body: bytes) -> None:
        quick = read_fast(body, DEPTH, MEMBERS)
        try:
            careful: object = typed(read_strictly(body.removeprefix(b"\xef\xbb\xbf").decode(), DEPTH, MEMBERS))
        except UnicodeDecodeError:
            careful = "Body is not valid UTF-8"
        except Refusal as told:
            careful = told.text
        if quick is not None:
            self.assertEqual(typed(quick), careful)
        try:
            self.assertEqual(typed(read_utf8(body, DEPTH, MEMBERS)) if body else careful, careful)
        except Refusal as told:
            self.assertEqual(told.text, careful)

    @given(st.dictionaries(st.text(), JSON_VALUES, max_size=6), st.booleans())
    def test_objects(self, value: dict[str, object], ascii_only: bool) -> None:
        """H92, H112, H116: both give the same members with the same types."""
        self.agree(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))

    @given(
        st.dictionaries(st.text(), JSON_VALUES, max_size=3),
        st.lists(
            st.tuples(st.integers(0, 500), st.sampled_from([*'{}[]":,\\\0 1e-.+x', "\\u0000", "\\ud800", "\ufeff"]))
        ),
    )
    def test_damaged_objects(self, value: dict[str, object], cuts: list[tuple[int, str]]) -> None:
        """H92: both refuse the same texts, for the same reason."""
        self.agree(with_faults(json.dumps(value), cuts).encode("utf-8", "surrogatepass"))

    @given(st.text('{}[]":,\\ntrue019.eE+-ud8 \t"', max_size=40))
    def test_near_json(self, text: str) -> None:
        """H92: texts made of the characters of JSON."""
        self.agree(text.encode())
        self.agree(b'{"a":' + text.encode() + b"}")

    @given(st.binary(max_size=60))
    def test_any_bytes(self, body: bytes) -> None:
        """H92, H131: any bytes."""
        self.agree(body)
        self.agree(b'{"a":"' + body + b'"}')
