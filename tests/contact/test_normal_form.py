"""How contacts and customer ids are compared, in Python and in SQL (constants.md section 6.2)."""

import sqlite3
import unicodedata
from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.store.sqlite.forms import beyond_ascii, normal_contact_of, trimmed
from tests.support.case import ClockTestCase
from tests.support.rules import RuleTestCase, by_phone

_ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
# Much of what the normal form is about, so that examples meet it often.
_DIALLED = st.text(st.sampled_from("0123456789+ \t\n\x0b\x1c\x1f-.()/@aBZ#*,;"), max_size=12)
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


class PythonTests(ClockTestCase):
    """The functions of the rules."""

    def test_contact(self) -> None:
        """K40: the characters of the rule are removed, addresses are lower-cased, nothing else is changed."""
        rows = [
            ("+16505550100", "+16505550100"),
            ("16505550100", "16505550100"),
            ("6505550100", "6505550100"),
            (" (650) 555-01.00\t", "6505550100"),
            ("650/555 0100", "6505550100"),
            ("\u00a06505550100\u3000", "6505550100"),
            ("650,555#0100*", "650,555#0100*"),
            (" John.Doe-Smith@Example.COM ", "john.doe-smith@example.com"),
            ("A B @ C", "a b @ c"),
            ("1-800-FLOWERS", "1800FLOWERS"),
            ("e\u0301a", "\u00e9a"),
            ("\u00c9@x", "\u00e9@x"),
        ]
        self.for_each(rows, lambda row: self.assertEqual(normal_contact(row[0]), row[1]))

    def test_customer_id(self) -> None:
        """K42: customer ids are trimmed and otherwise exact, case included."""
        self.assertEqual(normal_customer_id("  C-1 a\t"), "C-1 a")
        self.assertNotEqual(normal_customer_id("c-1"), normal_customer_id("C-1"))

    @given(_TEXTS)
    @settings(max_examples=100)
    def test_once_is_enough(self, text: str) -> None:
        """K40: the normal form of a number is its own normal form, unless white space stands behind a separator."""
        if "@" not in text and not any(each.isspace() and each not in " \t" for each in text):
            self.assertEqual(normal_contact(normal_contact(text)), normal_contact(text))


class SQLTests(ClockTestCase):
    """The expressions of the store."""

    def value_of(self, expression: str, text: str) -> object:
        """Return the value of an expression for a column with this text."""
        with closing(sqlite3.connect(":memory:")) as connection:
            (value,) = connection.execute(f"SELECT {expression} FROM (SELECT ? AS c)", (text,)).fetchone()
            return value

    @given(_ASCII | _DIALLED)
    @settings(max_examples=300)
    def test_contact_as_in_python(self, text: str) -> None:
        """K40: for every ASCII text the expression and the function agree."""
        self.assertEqual(self.value_of(normal_contact_of("c"), text), normal_contact(text))

    @given(_ASCII | _DIALLED | _TEXTS)
    @settings(max_examples=200)
    def test_customer_id_as_in_python(self, text: str) -> None:
        """K42: for every text the expression and the function agree."""
        self.assertEqual(self.value_of(trimmed("c"), text), normal_customer_id(text))

    @given(_ASCII | _TEXTS)
    @settings(max_examples=200)
    def test_which_are_compared_in_python(self, text: str) -> None:
        """K40: exactly the texts beyond ASCII are left to Python."""
        self.assertEqual(bool(self.value_of(beyond_ascii("c"), text)), not text.isascii())


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
