"""How contacts and customer ids are compared, in Python and in SQL (constants.md section 6.2)."""

import sqlite3
import unicodedata
from contextlib import closing
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import (
    coarse_key,
    covers,
    normal_contact,
    normal_customer_id,
    search_key,
    search_keys,
)
from ocsgw.store.sqlite.forms import IGNORED_BEYOND_ASCII, beyond_ascii, may_be_of, search_key_of, trimmed
from tests.support.case import ClockTestCase
from tests.support.rules import ENVIRONMENT, RuleTestCase, by_phone, make_directory

_ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
# Much of what the normal form is about, so that examples meet it often.
_DIALLED = st.text(st.sampled_from("0123456789+ \t\n\x0b\x1c\x1f-.()/_@aBZxXeEtT#*,;="), max_size=12)
_SPELLED = st.lists(
    st.sampled_from(["tel:", "TEL:", "+1", "650", " ", "ext", "ext.", "x", ";ext=", ";", "12", "@", "-", "Ext", "5"]),
    max_size=8,
).map("".join)
# Letters whose form depends on what stands beside them, and what is removed from between them.
_ACCENTED = st.lists(
    st.sampled_from(["tel:", "a", "I", "\u0301", "\u0307", "\u00b4", "\u03a3", "\u0130", "-", "\u00ad", "@", "x", "1"]),
    max_size=8,
).map("".join)
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)

# Spellings that get past a list that compares texts.
_SPELLINGS = (
    "+16505550100", "+1 650 555 0100", "+1 (650) 555-0100", "+1.650.555.0100", "+1/650/555/0100", "+1_650_555_0100",
    "tel:+16505550100", "TEL:+1-650-555-0100", "tel:+16505550100;phone-context=example.com",
    "+1\u00a0650\u00a0555\u00a00100", "+1\u2011650\u2011555\u20110100", "\uff0b1 650 555 0100",
    "\uff0b\uff11\uff16\uff15\uff10\uff15\uff15\uff15\uff10\uff11\uff10\uff10", "+1\u200b650\u200b5550100",
    "\ufeff+16505550100", "+1\u2009650\u2013555\u20140100", "\u202a+16505550100\u202c", "\u00ad+16505550100",
    "+1 650 555 0100\r\n", "+1\u3000650\u20125550100", "+1 \uff08650\uff09 555-0100",
)  # fmt: skip
_IN_THE_US = ("16505550100", "0016505550100", "6505550100", "(650) 555-0100", "011 1 650 555 0100", "tel:6505550100")


def is_printable(text: str) -> bool:
    """Whether a text is printable ASCII, with tabs."""
    return all(" " <= each <= "~" or each == "\t" for each in text)


class PythonTests(ClockTestCase):
    """The functions of the rules."""

    def test_contact(self) -> None:
        """K40: the characters of the rule are removed, addresses are lower-cased, nothing else is changed."""
        rows = [
            *((spelling, "+16505550100") for spelling in _SPELLINGS),
            ("16505550100", "16505550100"),
            ("6505550100", "6505550100"),
            (" (650) 555-01.00\t", "6505550100"),
            ("\u00a06505550100\u3000", "6505550100"),
            ("650,555#0100*", "650,555#0100*"),
            (" John.Doe-Smith@Example.COM ", "john.doe-smith@example.com"),
            ("A B @ C", "a b @ c"),
            ("JOHN\uff20EXAMPLE.COM", "john@example.com"),
            ("1-800-FLOWERS", "1800FLOWERS"),
            ("e\u0301a", "\u00e9a"),
            ("a\u00ad\u0301", "\u00e1"),
            ("a-\u0301@x", "a-\u0301@x"),
            ("\u00c9@x", "\u00e9@x"),
            ("6505550100 ext 2", "6505550100x2"),
            ("6505550100 Ext. 02", "6505550100x02"),
            ("650-555-0100x2", "6505550100x2"),
            ("6505550100 X 2", "6505550100x2"),
            ("tel:6505550100;ext=2", "6505550100x2"),
            ("6505550100;isub=7;EXT=2", "6505550100x2"),
            ("6505550100;2", "6505550100"),
            ("Alex5", "Alex5"),
            ("x5", "x5"),
            ("tel:", ""),
            ("tel:TEL:+1", "+1"),
            ("t-el:tel: 1", "1"),
            ("tel:tel:\u03a3", "\u03a3"),
            ("tel:tel:a\u0301", "\u00e1"),
        ]
        self.for_each(rows, lambda row: self.assertEqual(normal_contact(row[0]), row[1]))

    def test_country(self) -> None:
        """K40: with a country what is a valid number there is compared in E.164."""
        for spelling in (*_SPELLINGS, *_IN_THE_US):
            self.assertEqual(normal_contact(spelling, "US"), "+16505550100", spelling)
        rows = [
            ("6505550100 ext 2", "US", "+16505550100x2"),
            ("+33 6 47 00 00 00", "US", "+33647000000"),
            ("0033647000000", "US", "+33647000000"),
            ("06 47 00 00 00", "FR", "+33647000000"),
            ("0033647000000", "FR", "+33647000000"),
            ("647000000", "FR", "+33647000000"),
            ("+33 (0)6 47 00 00 00", "FR", "+33647000000"),
            ("020 7946 0018", "GB", "+442079460018"),
            ("3001", "US", "3001"),
            ("5550100", "US", "5550100"),
            ("a@X", "US", "a@x"),
            ("nonsense", "US", "nonsense"),
            ("", "US", ""),
        ]
        self.for_each(rows, lambda row: self.assertEqual(normal_contact(row[0], row[1]), row[2]))

    def test_extensions(self) -> None:
        """K40: an entry without an extension covers every one of its number, one with an extension only that."""
        rows = [("1", "1", True), ("1", "1x2", True), ("1x2", "1x2", True), ("1x2", "1", False), ("1x2", "1x3", False)]
        rows += [("2", "1x2", False), ("a@1", "a@1x2", False)]
        self.for_each(rows, lambda row: self.assertEqual(covers(row[0], row[1]), row[2]))

    @given(_DIALLED | _SPELLED | _TEXTS, st.sampled_from(["", "US", "FR", "IS", "AD"]))
    @settings(max_examples=300)
    def test_search_keys(self, text: str, country: str) -> None:
        """K40: the key of a text is one of those of its normal form, so that an index finds it."""
        normal = normal_contact(text, country)
        keys = search_keys(normal, country)
        self.assertIn(search_key(text if is_printable(text) else normal), keys)

    @given(_DIALLED | _SPELLED | _TEXTS | _ACCENTED, st.sampled_from(["", "US", "FR"]))
    @settings(max_examples=300)
    def test_stays(self, text: str, country: str) -> None:
        """K40: what is in normal form stays as it is, so that it can be stored and compared again."""
        normal = normal_contact(text, country)
        self.assertEqual(normal_contact(normal, country), normal)

    @given(_DIALLED | _SPELLED | _TEXTS | _ACCENTED, st.sampled_from(["US", "FR", "DE", "IS", "AD", "IT"]))
    @settings(max_examples=200)
    def test_coarse_keys(self, text: str, country: str) -> None:
        """K40: contacts that are the same in some country have one coarse key."""
        self.assertEqual(coarse_key(text), coarse_key(normal_contact(text, country)))

    def test_customer_id(self) -> None:
        """K42: customer ids are trimmed and otherwise exact, case included."""
        self.assertEqual(normal_customer_id("  C-1 a\t"), "C-1 a")
        self.assertNotEqual(normal_customer_id("c-1"), normal_customer_id("C-1"))


class SQLTests(ClockTestCase):
    """The expressions of the store."""

    def value_of(self, expression: str, text: str) -> object:
        """Return the value of an expression for a column with this text."""
        with closing(sqlite3.connect(":memory:")) as connection:
            (value,) = connection.execute(f"SELECT {expression} FROM (SELECT ? AS c)", (text,)).fetchone()
            return value

    @given(_ASCII | _DIALLED | _SPELLED)
    @settings(max_examples=300)
    def test_search_key_as_in_python(self, text: str) -> None:
        """K40: for every text of printable ASCII the expression and the function agree."""
        if is_printable(text):
            self.assertEqual(self.value_of(search_key_of("c"), text), search_key(text))

    @given(_ASCII | _DIALLED | _TEXTS)
    @settings(max_examples=200)
    def test_customer_id_as_in_python(self, text: str) -> None:
        """K42: for every text the expression and the function agree."""
        self.assertEqual(self.value_of(trimmed("c"), text), normal_customer_id(text))

    @given(_ASCII | _TEXTS)
    @settings(max_examples=200)
    def test_which_are_compared_in_python(self, text: str) -> None:
        """K40: exactly the texts that are not printable ASCII, with tabs, are left to Python.

        Numbers with what SQL leaves out are not.
        """
        known = text if "@" in text else "".join(each for each in text if each not in IGNORED_BEYOND_ASCII)
        self.assertEqual(bool(self.value_of(beyond_ascii("c"), text)), not is_printable(known))


_BEYOND = st.text(
    st.sampled_from(
        "0123456789+ ()-xX;\u00a0\u00ad\u2009\u200b\u2011\u202f\u2060\u3000\ufeff\uff11\uff10\u00b2\u2460\u0661"
    )
    | st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    max_size=14,
)


class FilterTests(ClockTestCase):
    """Which contacts beyond ASCII are brought into their normal form at all."""

    @given(_BEYOND, st.sampled_from(["", "US", "FR", "AD"]))
    @settings(max_examples=400)
    def test_nothing_is_missed(self, text: str, country: str) -> None:
        """K40: whatever a text's normal form is, the text passes the filter of one of its search keys."""
        keys = search_keys(normal_contact(text, country), country)
        with closing(sqlite3.connect(":memory:")) as connection:
            passes = [
                connection.execute(f"SELECT {may_be_of('t', 'k')} FROM (SELECT ? AS t, ? AS k)", (text, key)).fetchone()
                for key in keys
            ]
        self.assertIn((1,), passes, (text, keys))

    def test_others_are_passed_over(self) -> None:
        """Numbers with other digits at their end do not pass, unless they have characters that may be digits."""
        rows = [("650\u202f555\u202f0100", 0), ("650\u202f555\u202f0178", 1), ("650\u202f555\u202f010\uff10", 1)]
        with closing(sqlite3.connect(":memory:")) as connection:
            for text, passes in rows:
                found = connection.execute(f"SELECT {may_be_of('?1', '?2')}", (text, "5550178")).fetchone()
                self.assertEqual(found, (passes,), text)


class StoreTests(RuleTestCase):
    """Contacts in a calling list and in the do-not-call table are found by their normal form."""

    @given(_TEXTS | _DIALLED.filter(bool))
    @settings(max_examples=60)
    def test_found_in_any_form(self, text: str) -> None:
        """K40, K43: a row of another program is found and covered whatever its characters and their form."""
        self.store.sql("DELETE FROM CL_Test")
        self.store.sql("DELETE FROM gsw_donotcall_list")
        self.store.sql("INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (1, ?, 1, 0)", text)
        spelled = unicodedata.normalize("NFD", text) if "@" in text else f" {unicodedata.normalize('NFD', text)}\t"
        request = by_phone("DoNotCall", spelled)
        self.assertEqual(self.reply(request)["GSW_RECORDS_COUNT"], 1)
        self.reply(request)
        self.assertEqual(len(self.rows("gsw_donotcall_list")), 1)
        self.assertEqual(self.add(text)["GSW_RECORD_TYPE"], 7)

    def test_no_spelling_gets_past(self) -> None:
        """K40: after a number is blocked in one spelling it is handed out in none, and cancelled in all."""
        for blocked in _SPELLINGS:
            self.store.sql("DELETE FROM CL_Test")
            self.store.sql("DELETE FROM gsw_donotcall_list")
            self.add("+16505550100")
            self.reply(by_phone("DoNotCall", blocked))
            for spelling in (*_SPELLINGS, "+16505550100 ext 2"):
                self.assertEqual(self.add(spelling)["GSW_RECORD_TYPE"], 7, (blocked, spelling))
        self.store.sql("DELETE FROM gsw_donotcall_list")
        self.store.sql("DELETE FROM CL_Test")
        for spelling in _SPELLINGS:
            self.add(spelling)
        event = self.reply(by_phone("RequestRecordCancel", "+1 650 555 0100"))
        self.assertEqual(event["GSW_RECORDS_COUNT"], len(_SPELLINGS))

    def test_country(self) -> None:
        """K40: with the tenant's country national and international spellings are one contact; the text stays."""
        before = make_directory()
        tenant = replace(ENVIRONMENT, country="US")
        calling_list = CallingList.of(201, "CL_Test", "CL_Test", tenant)
        directory = make_directory(tenants=(tenant,), calling_lists=(calling_list,), campaigns=(), groups=())
        for blocked in (_SPELLINGS[1], *_IN_THE_US):
            self.use_directory(directory)
            self.add("(650) 555-0100")
            self.assertEqual(self.reply(by_phone("DoNotCall", blocked))["GSW_RECORDS_COUNT"], 1, blocked)
            self.reply(by_phone("DoNotCall", _SPELLINGS[0]))
            for spelling in (*_SPELLINGS, *_IN_THE_US, "650 555 0100 x7"):
                self.assertEqual(self.add(spelling)["GSW_RECORD_TYPE"], 7, (blocked, spelling))
            self.assertEqual([row["phone"] for row in self.rows("gsw_donotcall_list")], [blocked])
            self.assertEqual(self.rows()[0]["contact_info"], "(650) 555-0100")
        self.assertEqual(before.tenants[0].country, "")

    def test_non_ascii_by_scope(self) -> None:
        """K43: entries beyond ASCII have scope and expiry like others."""
        self.store.sql(
            "INSERT INTO gsw_donotcall_list (phone, tenant_dbid, campaign_dbid, list_dbid, expires_at) VALUES"
            " ('\u00e91', 2, 0, 0, 0), ('\u00e92', 1, 302, 0, 0), ('\u00e93', 1, 301, 0, 0), ('\u00e94', 0, 0, 202, 0),"
            " ('\u00e95', 0, 0, 201, 0), ('\u00e96', 1, 0, 0, ?), ('\u00e97', 1, 0, 0, ?)",
            self.now,
            self.now + 1,
        )
        types = [self.add(f"e\u0301{number}")["GSW_RECORD_TYPE"] for number in range(1, 8)]
        self.assertEqual(types, [2, 2, 7, 2, 7, 2, 7])
