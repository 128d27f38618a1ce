"""The attribute table (http.md H110 to H118, H145, H170 and the tables of section 10): every key, every JSON type."""

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.protocol.attributes import (
    CONVERTERS,
    UPDATE_STATUS,
    Attribute,
    Converter,
    NotText,
    NumberText,
    attribute,
    information,
    integer_of,
    parse_date_time,
    text_of,
)
from ocsgw.protocol.errors import Refusal
from tests.support.case import ClockTestCase

INT32_MAX = 2**31 - 1

# Key -> longest text, whether it is trimmed.
TEXTS = {
    "GSW_AGENT_ID": (32, False),
    "GSW_CALLING_LIST": (255, False),
    "GSW_CAMPAIGN_NAME": (255, False),
    "GSW_CUSTOMER_ID": (255, True),
    "GSW_PHONE": (128, True),
    "GSW_TENANT_NAME": (255, False),
    "GSW_TZ_NAME": (255, False),
}
# Key -> lowest and highest value.
INTEGERS = {
    "GSW_ATTEMPTS": (0, 32767),
    "GSW_AUTO_COMPLETION": (0, 1),
    "GSW_CALL_RESULT": (0, 53),
    "GSW_CALL_TIME": (0, INT32_MAX),
    "GSW_CAMPAIGN_GROUP_DBID": (1, INT32_MAX),
    "GSW_CHAIN_ID": (1, INT32_MAX),
    "GSW_FROM": (0, 86400),
    "GSW_PHONE_TYPE": (0, 11),
    "GSW_RECORD_HANDLE": (1, 2**53 - 1),
    "GSW_RECORD_STATUS": (1, 9),
    "GSW_RECORD_TYPE": (1, 7),
    "GSW_TENANT_DBID": (1, INT32_MAX),
    "GSW_UNTIL": (0, 86400),
}
CHOICES = {
    "GSW_CALLBACK_TYPE": ("Campaign", "Personal"),
    "GSW_CAMPAIGN_MODE": ("Preview", "PushPreview"),
    "GSW_CHAIN_ATTR": ("RecordOnly", "AllChain"),
    "GSW_SHARE_MODE": ("Consult", "Transfer", "Conference", "Release"),
    "GSW_TREATMENT": ("RecordTreatCampaign", "RecordTreatPersonal"),
}
OTHERS = {"GSW_REFERENCE_ID", "GSW_APPLICATION_ID", "GSW_DATE_TIME"}

# What no attribute takes: object, array (H115), a lone surrogate or U+0000 (H116).
NO_VALUES: tuple[object, ...] = ({}, {"a": 1}, [], [1], ["x"], NotText())

GOOD_DATES = {
    "03/21/2026 14:30": (2026, 3, 21, 14, 30),
    "6/9/2026 7:05": (2026, 6, 9, 7, 5),
    "06/9/2026 07:05": (2026, 6, 9, 7, 5),
    "12/31/2037 23:59": (2037, 12, 31, 23, 59),
    "01/01/1970 00:00": (1970, 1, 1, 0, 0),
    "02/29/2028 0:00": (2028, 2, 29, 0, 0),
    "02/29/2000 00:00": (2000, 2, 29, 0, 0),
}
BAD_DATES = (
    "03/21/2026",
    "14:30",
    "03/21/2026 14:30:00",
    "03/21/2026 2:30 pm",
    "03/21/2026 2:30pm",
    "2026-03-21 14:30",
    "2026-12-24T09:05",
    "03/21/26 14:30",
    "003/21/2026 14:30",
    "03/021/2026 14:30",
    "03/21/2026 014:30",
    "03/21/2026 14:3",
    "03/21/2026 14:300",
    "03/21/2026  14:30",
    "03/21/2026\t14:30",
    "03/21/2026\xa014:30",
    " 03/21/2026 14:30",
    "03/21/2026 14:30 ",
    "03/21/2026 14:30\n",
    "03-21-2026 14:30",
    "03/21/2026 14.30",
    "03/21/02026 14:30",
    "02/29/2026 14:30",
    "02/30/2028 14:30",
    "04/31/2026 14:30",
    "13/01/2026 14:30",
    "00/01/2026 14:30",
    "01/00/2026 14:30",
    "01/32/2026 14:30",
    "01/01/2026 24:00",
    "01/01/2026 23:60",
    "12/31/1969 23:59",
    "01/01/2038 00:00",
    "01/01/0000 00:00",
    "-1/01/2026 00:00",
    "+1/01/2026 00:00",
    "٠٣/21/2026 14:30",
    "today",
    "1",
)


def outcome(convert: Converter, key: str, value: object) -> object:
    """Return what a converter makes of a value, or the text of its refusal."""
    try:
        return convert(key, value)
    except Refusal as refusal:
        return refusal.text


def invalid(key: str) -> str:
    return f"Invalid value of attribute {key}"


class ContactTests(ClockTestCase):
    """Contacts that a program has taken for numbers."""

    def test_rounded(self) -> None:
        """A fraction or an exponent is refused with its reason; whatever a person may write is not."""
        convert = CONVERTERS["GSW_PHONE"]
        rounded: list[str] = [
            NumberText("6505550100.0"),
            NumberText("6.50555E+09"),
            NumberText("1e5"),
            NumberText("1.5"),
        ]
        rounded += ["6.51E+09", "6,51E+09", " 6.5E9 ", "-1e3", "6505550100.0", "16505550100,00"]
        for value in rounded:
            expected = "Invalid value of attribute GSW_PHONE: a spreadsheet has rounded this number"
            self.assertEqual(outcome(convert, "GSW_PHONE", value), expected, value)
        for value in (
            "650.555.0100",
            "650.5550100",
            "e5",
            "1E",
            "E.T@x.org",
            "5e5@x.org",
            "1800FLOWERS",
            "12.0",
            "1.5",
        ):
            self.assertEqual(outcome(convert, "GSW_PHONE", value), value)


class TextTests(ClockTestCase):
    """Attributes of type string."""

    def test_values(self) -> None:
        """H110 to H113: text as it is, decimal text of an integer, number as received, "1" and "0"."""
        for key in TEXTS:
            for value, expected in (
                ("x", "x"),
                ("Hélène 号", "Hélène 号"),
                ("a b", "a b"),
                ("", None),
                (0, "0"),
                (-5, "-5"),
                (10**20, "1" + "0" * 20),
                (NumberText("1.50"), "1.50"),
                (NumberText("1E5"), "1E5"),
                (True, "1"),
                (False, "0"),
            ):
                if key == "GSW_PHONE" and type(value) is NumberText:
                    continue
                got = outcome(CONVERTERS[key], key, value)
                self.assertEqual(got, expected, f"{key} {value!r}")
                self.assertIn(type(got), (str, type(None)))

    def test_refused(self) -> None:
        """H115 to H117: objects, arrays and what is no text."""
        for key in TEXTS:
            for value in NO_VALUES:
                self.assertEqual(outcome(CONVERTERS[key], key, value), invalid(key))

    def test_length(self) -> None:
        """H119: as long as the column is taken, one character more is refused, never cut."""
        for key, (longest, _) in TEXTS.items():
            for character in ("x", "é", "😀"):
                text = character * longest
                self.assertEqual(outcome(CONVERTERS[key], key, text), text)
                self.assertEqual(outcome(CONVERTERS[key], key, text + character), invalid(key))
            self.assertEqual(outcome(CONVERTERS[key], key, 10**longest), invalid(key))

    def test_trimming(self) -> None:
        """K41, section 10.1: contacts and customer ids are trimmed, then measured; blanks alone are none."""
        for key, (longest, trimmed) in TEXTS.items():
            convert = CONVERTERS[key]
            if trimmed:
                self.assertEqual(outcome(convert, key, f" \t{'x' * longest}\n "), "x" * longest)
                self.assertEqual(outcome(convert, key, "  "), invalid(key))
            else:
                self.assertEqual(outcome(convert, key, " x "), " x ")


class IntegerTests(ClockTestCase):
    """Attributes of type integer."""

    def test_range(self) -> None:
        """Section 10: both ends of the range are taken, as number and as text; what is outside is not."""
        for key, (low, high) in INTEGERS.items():
            convert = CONVERTERS[key]
            for number in (low, high):
                self.assertEqual(outcome(convert, key, number), number)
                self.assertEqual(outcome(convert, key, str(number)), number)
            for number in (low - 1, high + 1, 2**31, -(2**31) - 1, 2**53, 2**63, -(2**63) - 1, 10**30):
                if not low <= number <= high:
                    self.assertEqual(outcome(convert, key, number), invalid(key))
                    self.assertEqual(outcome(convert, key, str(number)), invalid(key))

    def test_texts(self) -> None:
        """H110: decimal digits with an optional minus sign; empty is absent; anything else is refused."""
        for key in INTEGERS:
            convert = CONVERTERS[key]
            self.assertEqual(outcome(convert, key, "001"), 1)
            self.assertIsNone(outcome(convert, key, ""))
            for text in (
                " 1", "1 ", "+1", "1.0", "1e0", "0x1", "1_0", "--1", "-", "١", "１", "²", "1\n", "\n", "one",
                "1" * 5000, "true", "null",
            ):  # fmt: skip
                self.assertEqual(outcome(convert, key, text), invalid(key), f"{key} {text!r}")

    def test_other_types(self) -> None:
        """H112, H113, H115: true is 1 and false is 0; fractions, objects and arrays are refused."""
        for key, (low, _) in INTEGERS.items():
            convert = CONVERTERS[key]
            self.assertEqual(outcome(convert, key, value=True), 1)
            self.assertEqual(outcome(convert, key, value=False), 0 if low <= 0 else invalid(key))
            self.assertIs(type(outcome(convert, key, value=True)), int)
            for value in (*NO_VALUES, NumberText("1.0"), NumberText("1e2"), NumberText("0.5")):
                self.assertEqual(outcome(convert, key, value), invalid(key))

    def test_names(self) -> None:
        """H118: four attributes take names, compared without case, blanks, hyphens and underscores."""
        for key, name, number in (
            ("GSW_RECORD_TYPE", "General", 2),
            ("GSW_RECORD_TYPE", "no_call", 7),
            ("GSW_RECORD_TYPE", "PERSONAL CALL-BACK", 5),
            ("GSW_RECORD_STATUS", "missedcallback", 8),
            ("GSW_RECORD_STATUS", "Chain Ready", 9),
            ("GSW_CALL_RESULT", "Do Not Call", 51),
            ("GSW_CALL_RESULT", "converse on", 30),
            ("GSW_CALL_RESULT", "SIT_OPER_INTERCEPT", 13),
            ("GSW_PHONE_TYPE", "E-Mail", 10),
            ("GSW_PHONE_TYPE", "email", 10),
        ):
            self.assertEqual(outcome(CONVERTERS[key], key, name), number)
        for key, name in (
            ("GSW_RECORD_TYPE", "Generals"),
            ("GSW_RECORD_TYPE", "Ok"),
            ("GSW_RECORD_TYPE", "NoRecordType"),
            ("GSW_RECORD_STATUS", "NoRecordStatus"),
            ("GSW_RECORD_STATUS", "Retrieved"),
            ("GSW_RECORD_STATUS", "Delegated"),
            ("GSW_CALL_RESULT", "General.Error"),
            ("GSW_CALL_RESULT", "Oĸ"),
            ("GSW_CALL_RESULT", "O\u212a"),
            ("GSW_PHONE_TYPE", "-"),
            ("GSW_CALL_TIME", "Unknown"),
            ("GSW_FROM", "Ok"),
        ):
            self.assertEqual(outcome(CONVERTERS[key], key, name), invalid(key))

    def test_states_that_requests_may_name(self) -> None:
        """Sections 10.1 and 10.3: AddRecord takes 1 and 3 to 9, an update 1, 3, 4, 5, 6 and 8."""
        for convert, allowed in (
            (CONVERTERS["GSW_RECORD_STATUS"], {1, *range(3, 10)}),
            (UPDATE_STATUS, {1, 3, 4, 5, 6, 8}),
        ):
            for number in range(-1, 13):
                expected = number if number in allowed else invalid("GSW_RECORD_STATUS")
                self.assertEqual(outcome(convert, "GSW_RECORD_STATUS", number), expected)
        self.assertEqual(outcome(UPDATE_STATUS, "GSW_RECORD_STATUS", "chain updated"), invalid("GSW_RECORD_STATUS"))


class ChoiceTests(ClockTestCase):
    """String enumerations (constants.md 4.2)."""

    def test_values(self) -> None:
        """Sections 10.3 to 10.7: the values, in any case where the table says so; the canonical spelling crosses."""
        for key, values in CHOICES.items():
            for value in values:
                self.assertEqual(outcome(CONVERTERS[key], key, value), value)
                expected = invalid(key) if key == "GSW_TREATMENT" else value
                self.assertEqual(outcome(CONVERTERS[key], key, value.upper()), expected)
            self.assertIsNone(outcome(CONVERTERS[key], key, ""))

    def test_refused(self) -> None:
        """H117: everything else, whatever its type."""
        for key, values in CHOICES.items():
            for value in (*NO_VALUES, "x", f" {values[0]}", f"{values[0]} ", 0, 1, True, NumberText("1.0"), "PerſonaI"):
                self.assertEqual(outcome(CONVERTERS[key], key, value), invalid(key), f"{key} {value!r}")


class OtherTests(ClockTestCase):
    """Date, reference id, application id, and what is information only."""

    def test_good_dates(self) -> None:
        """H170: month, day and hour may have one digit."""
        for text, expected in GOOD_DATES.items():
            self.assertEqual(parse_date_time(text), expected)
            self.assertEqual(outcome(CONVERTERS["GSW_DATE_TIME"], "GSW_DATE_TIME", text), text)

    def test_bad_dates(self) -> None:
        """H170: another form or an impossible date is `Invalid date or time`."""
        for value in (*BAD_DATES, 1774103400, True, NumberText("1.5")):
            self.assertEqual(
                outcome(CONVERTERS["GSW_DATE_TIME"], "GSW_DATE_TIME", value), "Invalid date or time", repr(value)
            )

    def test_dates_that_are_no_text(self) -> None:
        """H110, H115 to H117: empty is absent; objects, arrays and what is no text are invalid values."""
        self.assertIsNone(outcome(CONVERTERS["GSW_DATE_TIME"], "GSW_DATE_TIME", ""))
        for value in NO_VALUES:
            self.assertEqual(outcome(CONVERTERS["GSW_DATE_TIME"], "GSW_DATE_TIME", value), invalid("GSW_DATE_TIME"))

    def test_reference(self) -> None:
        """H145: a string of up to 255 characters, empty too, or an integer, unchanged; anything else is refused."""
        key = "GSW_REFERENCE_ID"
        for value in ("", "x", "0077", "é" * 255, 0, 77, -1, 2**31, 2**63 - 1, -(2**63)):
            got = outcome(CONVERTERS[key], key, value)
            self.assertEqual((got, type(got)), (value, type(value)))
        for bad in (*NO_VALUES, "x" * 256, True, False, NumberText("1.0"), NumberText("1e2"), 2**63, -(2**63) - 1):
            self.assertEqual(outcome(CONVERTERS[key], key, bad), invalid(key), repr(bad))

    def test_application_id(self) -> None:
        """H102, H115: integer or string, whatever it says; objects and arrays are refused."""
        key = "GSW_APPLICATION_ID"
        for value in (134, -1, 0, "134", "", "anything", "x" * 5000, True, NumberText("1.5"), 10**30):
            self.assertNotEqual(outcome(CONVERTERS[key], key, value), invalid(key), repr(value))
        for bad in NO_VALUES:
            self.assertEqual(outcome(CONVERTERS[key], key, bad), invalid(key))

    def test_information(self) -> None:
        """H103, H116: information is never refused for what it says, only for what is no text."""
        convert = information("GSW_CHAIN_ID").convert
        for value, expected in (
            ("5", "5"), (5, 5), ("", None), ({}, None), ([1], None), (True, None), (NumberText("1.5"), None),
            (2**63, None), ("x" * 300, "x" * 255),
        ):  # fmt: skip
            self.assertEqual(outcome(convert, "GSW_CHAIN_ID", value), expected)
        self.assertEqual(outcome(convert, "GSW_CHAIN_ID", NotText()), invalid("GSW_CHAIN_ID"))

    def test_every_key_is_tested(self) -> None:
        """Section 10: these are all keys that have a converter."""
        self.assertEqual(set(CONVERTERS), {*TEXTS, *INTEGERS, *CHOICES, *OTHERS})


class MandatoryTests(ClockTestCase):
    """What an attribute demands."""

    def test_mandatory(self) -> None:
        """Section 10, column M/O: a mandatory attribute is missing unless it has a value."""
        self.assertTrue(attribute("GSW_PHONE", mandatory=True).is_missing({}))
        self.assertFalse(attribute("GSW_PHONE", mandatory=True).is_missing({"GSW_PHONE": "1"}))
        self.assertFalse(attribute("GSW_PHONE").is_missing({}))

    def test_mandatory_for_some(self) -> None:
        """Section 10.1: GSW_DATE_TIME is mandatory for record types 3 to 6."""
        date = attribute("GSW_DATE_TIME", mandatory_for=("GSW_RECORD_TYPE", frozenset({3, 4, 5, 6})))
        for number in range(1, 8):
            self.assertEqual(date.is_missing({"GSW_RECORD_TYPE": number}), 3 <= number <= 6)
        self.assertFalse(date.is_missing({}))
        self.assertFalse(date.is_missing({"GSW_RECORD_TYPE": 5, "GSW_DATE_TIME": "x"}))

    def test_another_range(self) -> None:
        """Section 10.3: an action may have another range for a key."""
        self.assertEqual(
            attribute("GSW_RECORD_STATUS", convert=UPDATE_STATUS), Attribute("GSW_RECORD_STATUS", UPDATE_STATUS)
        )


class PropertyTests(ClockTestCase):
    """Whatever the value, a converter returns one or refuses."""

    @given(
        st.sampled_from(sorted(CONVERTERS)),
        st.one_of(
            st.text(),
            st.integers(),
            st.booleans(),
            st.text("0123456789-+ e.", max_size=12),
            st.builds(NumberText, st.sampled_from(["1.0", "-0.5e3", "1e400"])),
            st.sampled_from(NO_VALUES),
        ),
    )
    def test_any_value(self, key: str, value: object) -> None:
        """H110 to H117: an exact integer or string, nothing, or one of the two refusals."""
        got = outcome(CONVERTERS[key], key, value)
        self.assertIn(type(got), (int, str, type(None)))

    @given(st.integers())
    def test_integer_and_its_text(self, number: int) -> None:
        """H110, H111: a number and its decimal text are the same integer and the same text."""
        self.assertEqual(integer_of(str(number)), number)
        self.assertEqual(text_of(number), str(number))
