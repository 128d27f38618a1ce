"""Character encodings (http.md section 7): names, detection, both directions, and nothing lost."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event
from ocsgw.proxy.translation.charset import (
    CHARSETS,
    codec_of_charset,
    decode_body,
    encode_json,
    encoding_of_option,
    is_utf8_beyond_ascii,
)
from tests.support.case import ClockTestCase
from tests.support.http import FakeGateway, HttpTestCase, Received, request

# H133: one name for each known encoding, and text in it that is not ASCII ("" where there is none).
ENCODINGS = {
    "UTF-8": "Hélène 号码 😀",
    "US-ASCII": "",
    **{f"ISO-8859-{part}": "" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    **{f"windows-{page}": "" for page in range(1250, 1259)},
    "ISO-8859-1": "Hélène ÿ§",
    "ISO-8859-2": "Łódź",
    "ISO-8859-5": "Москва",
    "ISO-8859-6": "سلام",
    "ISO-8859-7": "Αθήνα",
    "ISO-8859-8": "שלום",
    "ISO-8859-9": "İstanbul ğ",
    "ISO-8859-11": "กรุงเทพ",
    "ISO-8859-15": "€ œ",
    "windows-1250": "Łódź €",
    "windows-1251": "Москва €",
    "windows-1252": "Hélène € „x“",
    "windows-1253": "Αθήνα",
    "windows-1254": "İstanbul",
    "windows-1255": "שלום",
    "windows-1256": "سلام",
    "windows-1257": "Rīga",
    "windows-1258": "Đà Lat",
    "KOI8-R": "Москва",
    "KOI8-U": "Київ",
    "IBM437": "Hélène ░",
    "IBM850": "Hélène",
    "IBM852": "Łódź",
    "IBM866": "Москва",
    "Shift_JIS": "東京 ｱ",
    "EUC-JP": "東京",
    "ISO-2022-JP": "東京",
    "EUC-KR": "서울",
    "GBK": "北京 镕",
    "GB18030": "北京 😀 é",
    "Big5": "臺北",
}

# IANA name, code page of the platform, text that only the code page has.
WINDOWS = (
    ("Shift_JIS", "cp932", "㈱ACME ①②"),
    ("Shift_JIS", "cp932", "髙橋 －"),
    ("Windows-31J", "cp932", "Ⅷ 纊"),
    ("EUC-KR", "cp949", "홍길동 똠방각하 햏"),
    ("Big5", "cp950", "陳大文 碁銹 €"),
    ("Big5", "big5hkscs", "㗎喺"),
    ("GBK", "gbk", "李明"),
)

# Names that IANA also has for some of them, in the spelling of the registry.
ALIASES = (
    "csUTF8 ANSI_X3.4-1968 csASCII latin1 ISO_8859-1:1987 IBM819 csISOLatin1 l2 cyrillic arabic greek hebrew "
    "ISO-8859-8-I ISO-8859-6-E latin5 l6 csISO885913 iso-celtic Latin-9 ISO_8859-16:2001 cswindows1252 csKOI8R csKOI8U "
    "cp437 850 csPCp852 cp866 MS_Kanji csShiftJIS Extended_UNIX_Code_Packed_Format_for_Japanese csISO2022JP csEUCKR "
    "CP936 windows-936 csGB18030 csBig5"
)

UNKNOWN = (
    "utf-16", "UTF-16LE", "utf-16be", "utf-32", "UTF-32BE", "utf-7", "utf-8-sig", "utf-9", "ucs-2", "x", "",
    "windows-874",
    "windows-1259", "iso-8859-12", "iso-8859-17", "iso-8859", "rot13", "hex", "base64", "zlib", "bz2", "idna",
    "punycode",
    "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "charmap", "palmos", "mac-roman", "cp037",
    "cp1252x",
    "gb2312", "hz", "johab", "cp932", "cp949", "big5-hkscs", "iso-2022-kr", "iso-2022-jp-2", "utf-8 ",
    "utf\x00", "ＵＴＦ－８",
    "../utf-8", "utf-8;", "x" * 500,
)  # fmt: skip


class NameTests(ClockTestCase):
    """H133 and H137."""

    def test_known_names(self) -> None:
        """H133: the names of the registry are known in any case."""
        for name in (*ENCODINGS, *ALIASES.split()):
            for spelling in (name, name.lower(), name.upper()):
                self.assertIsNotNone(codec_of_charset(spelling), name)
        self.assertEqual({codec_of_charset(name) for name in ENCODINGS}, set(CHARSETS.values()))

    def test_unknown_names(self) -> None:
        """H133: other names are not, UTF-16 and UTF-32 among them."""
        for name in UNKNOWN:
            self.assertIsNone(codec_of_charset(name), name)

    def test_option(self) -> None:
        """H131, H135, H137: the option names an encoding, UTF-8 or nothing; its name is reported in lower case."""
        self.assertIsNone(encoding_of_option(None))
        for name in ("utf-8", "UTF-8", "utf8"):
            self.assertIsNone(encoding_of_option(name))
        for name in ENCODINGS:
            if name != "UTF-8":
                encoding = encoding_of_option(name)
                assert encoding is not None
                self.assertEqual((encoding.codec, encoding.name), (codec_of_charset(name), name.lower()))
        for name in ("utf-16", "nonsense", "hex", "cp874", "\0", "été"):
            self.assertRaises((LookupError, ValueError), encoding_of_option, name)


class DetectionTests(ClockTestCase):
    """H132 (b)."""

    def test_utf8_beyond_ascii(self) -> None:
        """H132: valid UTF-8 with a byte above 0x7F, and nothing else."""
        for body, expected in (
            (b"", False),
            (b'{"a":"b"}', False),
            ("é".encode(), True),
            ("号".encode(), True),
            (b"\xe9", False),
            (b"\xc3", False),
            ("é".encode() + b"\xe9", False),
            (b"\xed\xa0\x80", False),
            ("é".encode("utf-16"), False),
        ):
            self.assertEqual(is_utf8_beyond_ascii(body), expected, body)


class EncodingTests(ClockTestCase):
    """H134: what is written can be read again, with the same meaning."""

    def test_text_stays_readable(self) -> None:
        """H134: characters that the encoding has are written in it, not as escapes."""
        for name, text in ENCODINGS.items():
            codec = str(codec_of_charset(name))
            raw = encode_json(json.dumps({"a": text}, ensure_ascii=False), codec)
            self.assertNotIn(b"\\u", raw, name)
            self.assertEqual(json.loads(raw.decode(codec)), {"a": text})

    def test_missing_characters(self) -> None:
        """H134: a character that the encoding lacks is a JSON escape, beside those that it has."""
        for name, text in ENCODINGS.items():
            codec = str(codec_of_charset(name))
            whole = text + "\U0001d11e\u0f00"
            raw = encode_json(json.dumps({whole: whole}, ensure_ascii=False), codec)
            self.assertEqual(json.loads(raw.decode(codec)), {whole: whole}, name)
            if codec not in ("utf-8", "gb18030"):
                self.assertIn(rb"\ud834\udd1e\u0f00", raw, name)
            for character in text:
                if not character.isascii():
                    self.assertNotIn(f"\\u{ord(character):04x}".encode(), raw, f"{name} has {character}")

    def test_places_of_ascii(self) -> None:
        """H134: the yen sign and the overline of Japanese encodings never take the place of an ASCII character."""
        for codec in ("cp932", "euc_jp", "iso2022_jp"):
            for text in ("¥", "‾", '¥"', "\\¥\\", "東¥京", '¥\\"'):
                raw = encode_json(json.dumps({"a": text}, ensure_ascii=False), codec)
                self.assertEqual(json.loads(raw.decode(codec)), {"a": text}, codec)
        self.assertEqual(encode_json('"¥"', "cp932"), rb'"\u00a5"')

    def test_as_windows(self) -> None:
        """H132 to H134: the code pages of Windows by their IANA names, extensions and all; what comes is given back."""
        for name, platform, text in WINDOWS:
            for spelling in (name, name.lower()):
                codec = str(codec_of_charset(spelling))
                raw = text.encode(platform)
                self.assertEqual(decode_body(raw, codec, name), text, (name, text))
                self.assertEqual(
                    json.loads(encode_json(json.dumps(text, ensure_ascii=False), codec).decode(codec)), text
                )
        # What the code page has is written in it, as it came.
        self.assertEqual(encode_json('"㈱髙"', "cp932"), '"㈱髙"'.encode("cp932"))
        # Others can read an escape whatever their table is.
        self.assertEqual(encode_json('"㗎"', "cp950"), rb'"\u35ce"')
        for spelling, codec in (("sjis", "cp932"), ("shift-jis", "cp932"), ("euckr", "cp949"), ("big5-tw", "cp950")):
            encoding = encoding_of_option(spelling)
            self.assertEqual(encoding and encoding.codec, codec)

    def test_neither_table(self) -> None:
        """H132: bytes that no table of the encoding has are refused."""
        for name, raw in (
            ("Big5", b"\xfe\xff"),
            ("Big5", b"\xa4"),
            ("GBK", b"\x81"),
            ("EUC-KR", b"\x80"),
            ("Shift_JIS", b"\xfd"),
        ):
            with self.assertRaises(Refusal) as caught:
                decode_body(b'"' + raw + b'"', str(codec_of_charset(name)), name)
            self.assertEqual(caught.exception.code, "invalid_text")

    @given(st.sampled_from(sorted(set(CHARSETS.values()))), st.dictionaries(st.text(), st.text() | st.integers()))
    def test_nothing_is_lost(self, codec: str, members: dict[str, object]) -> None:
        """H134: any text comes back through any encoding."""
        text = json.dumps(members, ensure_ascii=False)
        self.assertEqual(json.loads(encode_json(text, codec).decode(codec)), members)

    @given(st.sampled_from(sorted(set(CHARSETS.values()))), st.binary(max_size=40))
    def test_any_bytes(self, codec: str, body: bytes) -> None:
        """H132: any bytes are text of Unicode that UTF-8 can carry, or refused."""
        try:
            text = decode_body(body, codec, codec)
        except Refusal as refusal:
            self.assertEqual(refusal.text, f"Body is not valid {codec}")
        else:
            self.assertEqual(text.encode().decode(), text)


class ConversionTests(HttpTestCase):
    """H130 to H136 over HTTP: what crosses to OCS, and in what the answer comes."""

    def exchange(
        self, body: bytes, charset: str | None = None, encoding: str | None = None, **changes: Any
    ) -> tuple[KV | None, Received]:
        """Return the key-values that OCS got, and the answer."""
        gateway = FakeGateway()
        server = self.serve(gateway=gateway, encoding=encoding, **changes)
        fields = [f"Content-Type: application/json; charset={charset}"] if charset is not None else []
        (answer,) = server.connect().send(request("/lists/CL?req=AddRecord", body, *fields)).answers()
        return (gateway.requests[0] if gateway.requests else None), answer

    def assert_exchanged(self, text: str, got: tuple[KV | None, Received], charset: str) -> None:
        """Assert that OCS got a text, and that it came back in an encoding."""
        data, answer = got
        assert data is not None, answer
        self.assertEqual(data["Segment"], text)
        self.assertEqual(answer.header("content-type"), f"application/json; charset={charset}")
        self.assertEqual(answer.json["Segment"], text)

    @staticmethod
    def body(text: str, codec: str) -> bytes:
        return json.dumps({"GSW_PHONE": "1", "Segment": text}, ensure_ascii=False).encode(codec)

    def test_without_encoding(self) -> None:
        """H131: bodies and answers are UTF-8; anything else is `Body is not valid UTF-8`."""
        self.assert_exchanged("Hélène 号", self.exchange(self.body("Hélène 号", "utf-8")), "utf-8")
        data, answer = self.exchange(self.body("Hélène", "latin-1"))
        self.assertIsNone(data)
        self.assertEqual((answer.status, answer.error), (400, "Body is not valid UTF-8"))

    def test_every_encoding(self) -> None:
        """H130, H132 (c), H134, H135: with the option set, bodies and answers are in it."""
        for name, text in ENCODINGS.items():
            body = self.body(text, str(codec_of_charset(name)))
            got = self.exchange(body, encoding=name, encoding_detect=False)
            self.assert_exchanged(text, got, name.lower())

    def test_every_charset(self) -> None:
        """H132 (a), H133, H134: the charset parameter decides, with and without the option."""
        for name, text in ENCODINGS.items():
            body = self.body(text, str(codec_of_charset(name)))
            self.assert_exchanged(text, self.exchange(body, name), "utf-8")
            answered = "utf-8" if name == "UTF-8" else "gb18030"
            self.assert_exchanged(text, self.exchange(body, name, "GB18030"), answered)

    def test_detection(self) -> None:
        """H132 (b), H134: UTF-8 is recognized and answered in UTF-8, unless that is switched off."""
        body = self.body("Москва", "utf-8")
        self.assert_exchanged("Москва", self.exchange(body, encoding="windows-1251"), "utf-8")
        data, answer = self.exchange(body, encoding="windows-1251", encoding_detect=False)
        assert data is not None
        self.assertEqual(data["Segment"], "Москва".encode().decode("cp1251"))
        self.assertEqual(answer.header("content-type"), "application/json; charset=windows-1251")

    def test_ascii_bodies_are_in_the_encoding(self) -> None:
        """H132 (b), H134: a body of ASCII only, or none, is in the encoding, and so is its answer."""
        got = self.exchange(self.body("plain", "ascii"), encoding="windows-1251")
        self.assert_exchanged("plain", got, "windows-1251")
        answer = self.ask(request("/records/15?req=RecordReject", b""), encoding="KOI8-R")
        self.assertEqual(answer.header("content-type"), "application/json; charset=koi8-r")

    def test_undecodable_bodies(self) -> None:
        """H132: a body that cannot be decoded is named after the encoding that was tried."""
        for body, charset, encoding, name in (
            (b'{"a":"\x81\x8d"}', None, "windows-1252", "windows-1252"),
            (b'{"a":"\xff"}', None, "Shift_JIS", "shift_jis"),
            (b'{"a":"\xff"}', "EUC-JP", None, "EUC-JP"),
            (b'{"a":"\xff"}', "euc-kr", "windows-1252", "euc-kr"),
            (b'{"a":"\xe9"}', "us-ascii", None, "us-ascii"),
            (b'{"a":"\xe9"}', "UTF-8", "windows-1252", "UTF-8"),
            (b'{"a":"\x1b$B"}', "ISO-2022-JP", None, "ISO-2022-JP"),
        ):
            data, answer = self.exchange(body, charset, encoding)
            self.assertIsNone(data)
            self.assertEqual(answer.status, 400)
            self.assertEqual(answer.error, f"Body is not valid {name}")

    def test_unknown_charsets(self) -> None:
        """H133: 415, with and without the option."""
        for charset in ("utf-16", "nonsense", '"utf-32"', "'utf-8'", "cp932"):
            for encoding in (None, "windows-1252"):
                data, answer = self.exchange(b"{}", charset, encoding)
                self.assertIsNone(data)
                self.assertEqual((answer.status, answer.error), (415, "Unsupported charset"))

    def test_charset_in_every_spelling(self) -> None:
        """H80, H133: parameter name in any case, quoted or not, among others; a malformed or empty one is none."""
        koi = self.body("Москва", "koi8-r")
        for kind, known in (
            ("text/plain;charset=koi8-r", True),
            ("text/plain; Charset=KOI8-R", True),
            ('a/b;x=y;\tCHARSET="koi8-r" ; z', True),
            ('a/b; charset="koi8\\-r"', True),
            ('a/b; x="; charset=utf-8"; charset=koi8-r', True),
            ("; charset=koi8-r", True),
            ("charset=koi8-r", False),
            ("a/b; charset = koi8-r", False),
            ("a/b; charset=", False),
            ('a/b; charset=""', False),
            ("a/b; xcharset=koi8-r", False),
            ("", False),
        ):
            gateway = FakeGateway()
            answer = self.ask(request("/lists/CL?req=AddRecord", koi, f"Content-Type: {kind}"), gateway=gateway)
            if known:
                self.assertEqual(gateway.requests[0]["Segment"], "Москва", kind)
            else:
                self.assertEqual(answer.error, "Body is not valid UTF-8", kind)

    def test_errors_are_encoded_too(self) -> None:
        """H134, H135: error answers as well, before and after the body could be read."""
        for raw, status in (
            (request("/lists/CL?req=AddRecord", b"{}"), 400),
            (request("/lists/CL?req=AddRecord", b"[]"), 400),
            (request("/nowhere/1"), 404),
            (request("/lists/CL", method="GET"), 405),
            (b"nonsense\r\n\r\n", 400),
        ):
            answer = self.ask(raw, encoding="windows-1251")
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.header("content-type"), "application/json; charset=windows-1251")
        utf8 = self.ask(request("/lists/CL?req=AddRecord", '{"é":1}'.encode()), encoding="windows-1251")
        self.assertEqual((utf8.status, utf8.header("content-type")), (400, "application/json; charset=utf-8"))

    def test_missing_characters_in_answers(self) -> None:
        """H134: what the encoding lacks is escaped in the answer, so that nothing is lost."""
        event = Event(ref=1, data={"GSW_USER_EVENT": "X", "Segment": "Москва 東京"})
        gateway = FakeGateway(reply=lambda data: event)
        answer = self.ask(request(), gateway=gateway, encoding="windows-1251")
        self.assertEqual(answer.json["Segment"], "Москва 東京")
        self.assertIn(b"\\u6771\\u4eac", answer.body)

    def test_target_is_utf8(self) -> None:
        """H136, H55: percent escapes of the target are UTF-8 whatever the option says; raw bytes may be in it."""
        gateway = FakeGateway()
        server = self.serve(gateway=gateway, encoding="windows-1251")
        client = server.connect().send(request("/lists/%D0%9C?req=AddRecord"))
        client.send(request("/lists/М?req=AddRecord".encode())).send(request("/lists/М?req=AddRecord".encode("cp1251")))
        self.assertEqual([data["GSW_CALLING_LIST"] for data in gateway.requests], ["М", "М", "М"])
        client.send(request("/lists/%CC?req=AddRecord"))
        self.assertEqual(client.statuses(), [200, 200, 200, 400])
