"""Tests of ocsgw.config.terms: call results, encodings, time zones, requests, columns."""

import codecs
import zoneinfo

from ocsgw.config.constants import TIME_ZONES
from ocsgw.protocol.charsets import CODECS
from ocsgw.protocol.enumerations import CALL_RESULT_NAMES
from tests.config.support import ConfigTestCase


class CallResultTests(ConfigTestCase):
    """Section 3 of the constants, H118."""

    def result(self, written: str) -> int:
        config = self.parse_tables(f"[pre_dial_validation]\nvalidation_timeout_call_result = {written}\n")
        return config.pre_dial_validation.validation_timeout_call_result

    def test_numbers_and_names(self) -> None:
        """H118: numbers and names, without regard to case, blanks, hyphens and underscores."""
        for written, number in (
            ("0", 0),
            ("53", 53),
            ('"Ok"', 0),
            ('"General Error"', 3),
            ('"general_error"', 3),
            ('"SIT-NO-CIRCUIT"', 15),
            ('"converseon"', 30),
            ('"Wrong Number"', 53),
        ):
            self.assertEqual(self.result(written), number)

    def test_all_names(self) -> None:
        """Section 3 of the constants: there are 54 names, each of its own number."""
        self.assertEqual(len(CALL_RESULT_NAMES), 54)
        for written in ("-1", "-1.0", "-2", '"-1"'):
            self.assert_refused("[pre_dial_validation]", "validation_timeout_call_result", written)
        for written in ("-1.0", "-2", '"-1"', "54"):
            self.assert_refused("[desktop]", "agent_logout_preview_call_result", written, "or -1")
        for written, result in (("-1", None), ("0", 0), ('"Wrong Number"', 53)):
            config = self.parse_tables(f"[desktop]\nagent_logout_preview_call_result = {written}\n")
            self.assertEqual(config.desktop.agent_logout_preview_call_result, result)
        self.assertEqual([self.result(f'"{name.upper()}"') for name in CALL_RESULT_NAMES], list(range(54)))

    def test_unknown(self) -> None:
        """H118: other numbers and names are errors; a near name is suggested."""
        key = "validation_timeout_call_result"
        self.assert_refused("[pre_dial_validation]", key, "54", "0 to 53")
        self.assert_refused("[pre_dial_validation]", key, '"Bussy"', 'did you mean "Busy"?')
        self.assert_refused("[pre_dial_validation]", key, '"6"', "0 to 53")
        self.assert_refused("[pre_dial_validation]", key, "true", "integer")


class EncodingTests(ConfigTestCase):
    """H133, H137: names of character encodings."""

    def encoding(self, written: str) -> str | None:
        return self.parse_text(f'[application]\ndbid = 1\nencoding = "{written}"\n').application.encoding

    def test_known(self) -> None:
        """H133: the names of the listed encodings, kept as written in lower case."""
        names = ["UTF-8", "US-ASCII", "KOI8-R", "KOI8-U", "IBM437", "IBM850", "IBM852", "IBM866", "Shift_JIS"]
        names += ["EUC-JP", "ISO-2022-JP", "EUC-KR", "GBK", "GB18030", "Big5"]
        names += [f"ISO-8859-{part}" for part in range(1, 17) if part != 12]
        names += [f"windows-{page}" for page in range(1250, 1259)]
        for name in names:
            self.assertEqual(self.encoding(name), name.lower())
        self.assertEqual({codecs.lookup(name).name for name in names}, CODECS)

    def test_aliases(self) -> None:
        """H133: usual other names of the same encodings, in any case."""
        for name in ("latin1", "CP1251", "ISO_8859-1:1987", "utf8", "sjis", "l9", "koi8_r", "ascii", "cp936"):
            self.assertEqual(self.encoding(name), name.lower())

    def test_unknown(self) -> None:
        """H137: any other name is an error, also if Python has such a codec."""
        for name in (
            "utf-16",
            "utf-32",
            "utf-7",
            "utf-8-sig",
            "idna",
            "base64",
            "rot13",
            "hex",
            "cp037",
            "mbcs",
            "iso-8859-12",
            "windows-1259",
            "undefined",
            "",
            "utf 8",
            "../utf_8",
            "\\u0130",
            "x" * 300,
        ):
            (problem,) = self.problems(f'[application]\ndbid = 1\nencoding = "{name}"\n')
            self.assertEqual((problem.line, problem.key), (3, "[application] encoding"))

    def test_unset(self) -> None:
        """H131: without a name there is no conversion."""
        self.assertIsNone(self.parse_text("[application]\ndbid = 1\n").application.encoding)


class TimeZoneTests(ConfigTestCase):
    """Section 7, K50, K51."""

    def test_known(self) -> None:
        """K50: a zone is an IANA name."""
        config = self.parse_tables('[[time_zone]]\ndbid = 1\nname = "X"\nzone = "America/Argentina/Ushuaia"\n')
        self.assertEqual(config.time_zones[-1].zone, "America/Argentina/Ushuaia")

    def test_unknown(self) -> None:
        """K50: what zoneinfo does not have is an error, not a failure."""
        for zone in ("Europe/Atlantis", "", "Europe", "../etc/passwd", "/etc/passwd", "a\\u0000", "tzdata.zi"):
            self.assert_problem(f'[[time_zone]]\ndbid = 1\nname = "X"\nzone = "{zone}"\n', 4, "[[time_zone]] zone")

    def test_built_in(self) -> None:
        """K51: twelve zones exist without configuration, with the DBIDs 1001 to 1012, and zoneinfo has them."""
        zones = self.parse_tables("").time_zones
        self.assertEqual([zone.dbid for zone in zones], list(range(1001, 1013)))
        self.assertEqual(tuple((zone.name, zone.zone) for zone in zones), TIME_ZONES)
        for zone in zones:
            zoneinfo.ZoneInfo(zone.zone)
        self.assertIn(("IST", "Asia/Kolkata"), TIME_ZONES)

    def test_replaced(self) -> None:
        """K51: a table replaces the built in zone of its name, in any case (H175); others are added."""
        config = self.parse_tables(
            '[[time_zone]]\ndbid = 5\nname = "cet"\nzone = "Europe/Berlin"\n'
            '[[time_zone]]\ndbid = 6\nname = "NST"\nzone = "America/St_Johns"\n'
        )
        self.assertEqual(len(config.time_zones), 13)
        found = {zone.name: (zone.dbid, zone.zone) for zone in config.time_zones}
        self.assertEqual(found["cet"], (5, "Europe/Berlin"))
        self.assertEqual(found["NST"], (6, "America/St_Johns"))
        self.assertNotIn("CET", found)


class RequestTests(ConfigTestCase):
    """Section 5: actions of API keys."""

    def test_names(self) -> None:
        """H50: requests in any case and by alias, as canonical names; also those of the ocs listener."""
        self.write("key", "0123456789abcdef")
        config = self.parse_tables(
            '[[api_key]]\nname = "a"\nkey_file = "key"\nactions = ["addrecord", "RecordCancel", "LoadCampaign"]\n'
        )
        self.assertEqual(config.api_keys[0].actions, ("AddRecord", "RequestRecordCancel", "LoadCampaign"))

    def test_unknown(self) -> None:
        """Section 5: an unknown request is an error with the nearest name; so is an empty array."""
        self.write("key", "0123456789abcdef")
        table = '[[api_key]]\nname = "a"\nkey_file = "key"\n'
        self.assert_problem(f'{table}actions = ["AddRecords"]', 4, "[[api_key]] actions", 'did you mean "AddRecord"?')
        self.assert_problem(f"{table}actions = []", 4, "[[api_key]] actions", "empty")


class DatabaseNameTests(ConfigTestCase):
    """Section 8, K15, K32."""

    def assert_table(self, table: str, *words: str) -> None:
        self.assert_problem(
            f'[[calling_list]]\ndbid = 1\nname = "l"\ntable = "{table}"\n', 4, "[[calling_list]] table", *words
        )

    def test_tables(self) -> None:
        """Section 8: a table has a name, perhaps with a schema."""
        for table in ("t", "s.t", "Liste été", f"{'s' * 63}.{'t' * 63}"):
            config = self.parse_tables(f'[[calling_list]]\ndbid = 1\nname = "l"\ntable = "{table}"\n')
            self.assertEqual(config.calling_lists[0].table, table)
        for wrong in ("", ".", "s.", ".t", "a.b.c", "é" * 32):
            self.assert_table(wrong)
        self.assert_refused("[do_not_call]", "table", '"a.b.c"', "schema.table")

    def test_own_tables(self) -> None:
        """K15: names that begin with ocsgw_ belong to ocsgw."""
        self.assert_table("ocsgw_handles", "ocsgw_")
        self.assert_table("s.OCSGW_handles", "ocsgw_")

    def test_send_attributes(self) -> None:
        """K32: 1 to 64 characters, not beginning with GSW_."""
        field = (
            '[[calling_list]]\ndbid = 1\nname = "l"\ntable = "t"\n[[calling_list.field]]\nname = "f"\ntype = "int"\n'
        )
        for good in ("x" * 64, "client-id", "gsw_x"):
            fields = self.parse_tables(f'{field}send_attribute = "{good}"').calling_lists[0].fields
            self.assertEqual(fields[0].send_attribute, good)
        for wrong in ("", "x" * 65, "GSW_X"):
            self.assert_problem(f'{field}send_attribute = "{wrong}"', 8, "[[calling_list.field]] send_attribute")
