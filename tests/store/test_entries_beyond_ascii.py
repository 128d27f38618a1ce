"""Do-not-call entries beyond ASCII are kept in memory; nobody may notice, neither we nor other programs (K40, K43)."""

from unittest import mock

from ocsgw.contact.bulk_statements import ImportedEntry
from ocsgw.contact.normal_form import normal_contact
from ocsgw.store.sqlite.forms import IGNORED_BEYOND_ASCII, beyond_ascii
from tests.support.rules import RuleTestCase, by_phone

# Full-width digits: only Python knows what they are.
PHONE, OTHER = "６５０ 555 0100", "６５０ 555 0200"


class EntriesBeyondAsciiTests(RuleTestCase):
    """Every way in which entries change is seen at once."""

    def is_blocked(self, phone: str) -> bool:
        """Whether a new record with a contact is blocked."""
        return self.add(phone)["GSW_RECORD_TYPE"] == 7

    def test_other_programs(self) -> None:
        """K16: entries of other programs are added, changed and deleted."""
        self.assertFalse(self.is_blocked("6505550100"))
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", PHONE)
        self.assertTrue(self.is_blocked("6505550100"))
        self.store.sql("UPDATE gsw_donotcall_list SET phone = ?", OTHER)
        self.assertEqual((self.is_blocked("6505550100"), self.is_blocked("6505550200")), (False, True))
        for column, value in (("tenant_dbid", 2), ("campaign_dbid", 302), ("list_dbid", 202), ("expires_at", 1)):
            self.store.sql(f"UPDATE gsw_donotcall_list SET {column} = {value}")
            self.assertFalse(self.is_blocked("6505550200"), column)
            self.store.sql(f"UPDATE gsw_donotcall_list SET {column} = NULL")
            self.assertTrue(self.is_blocked("6505550200"), column)
        self.store.sql("UPDATE gsw_donotcall_list SET tenant_dbid = 1, campaign_dbid = 301, list_dbid = 201")
        self.store.sql("UPDATE gsw_donotcall_list SET expires_at = ?", self.now + 1)
        self.assertTrue(self.is_blocked("6505550200"))
        self.store.now += 1
        self.assertFalse(self.is_blocked("6505550200"))
        self.store.sql("DELETE FROM gsw_donotcall_list")
        self.assertFalse(self.is_blocked("6505550200"))

    def test_own(self) -> None:
        """H264: our own entries count at once, also in the same batch, and are made once."""
        self.reply(by_phone("DoNotCall", PHONE))
        self.assertTrue(self.is_blocked("6505550100"))
        for phone in (PHONE, "6505550100", PHONE):
            self.reply(by_phone("DoNotCall", phone))
        self.assertEqual(len(self.rows("gsw_donotcall_list")), 1)

    def test_undone(self) -> None:
        """An entry that is undone blocks nobody."""
        self.reply(by_phone("DoNotCall", OTHER))

        def fail() -> None:
            with self.store.store.transaction(0.0) as tx:
                tx.import_entries([_entry(PHONE)], self.now)
                lists = self.directory.calling_lists
                self.assertEqual(tx.equal_entries([_entry(PHONE)])[0][0].phone, PHONE)
                tx.blocked(lists[0], [], self.now)
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertFalse(self.is_blocked("6505550100"))

    def test_read_once(self) -> None:
        """Many entries cost a request nothing: their normal forms are made once."""
        for number in range(200):
            self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", f"６５０{number}")
        self.add("1")
        with mock.patch("ocsgw.store.entries_beyond_ascii.normal_contact", side_effect=normal_contact) as form:
            self.assertTrue(self.is_blocked("65017"))
            self.assertEqual(form.call_count, 0)
            self.reply(by_phone("DoNotCall", OTHER))
            self.assertTrue(self.is_blocked("6505550200"))
            self.assertEqual(form.call_count, 1)

    def test_ignored(self) -> None:
        """An entry that a trigger ignores is not acknowledged."""
        self.store.sql("CREATE TRIGGER i BEFORE INSERT ON gsw_donotcall_list BEGIN SELECT RAISE(IGNORE); END")
        self.assertEqual(
            self.refusal(by_phone("DoNotCall", "1")),
            "409 Do Not Call table does not accept the entry: a trigger ignores the entry",
        )


class SearchKeyTests(RuleTestCase):
    """What people type beyond ASCII is found by an index."""

    def test_same_form(self) -> None:
        """K40: characters that SQL leaves out make no difference to the form in Python."""
        for template in ("65{}0 x{}5", "+1{}650{}", "tel:6{}5", "65e{}xt{}5", "{}", "６{}5"):
            for character in IGNORED_BEYOND_ASCII:
                with_it, without = template.replace("{}", character), template.replace("{}", "")
                self.assertEqual(normal_contact(with_it), normal_contact(without), hex(ord(character)))

    def test_found(self) -> None:
        """K40, K43: entries with such characters are found by their keys, and are not read as a whole."""
        for character in IGNORED_BEYOND_ASCII:
            self.store.sql("DELETE FROM gsw_donotcall_list")
            self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", f"+1{character}650{character}5550100")
            self.assertEqual(self.add("+16505550100")["GSW_RECORD_TYPE"], 7, hex(ord(character)))
            found = self.store.sql(f"SELECT count(*) FROM gsw_donotcall_list WHERE {beyond_ascii('phone')}")
            self.assertEqual(found, [(0,)])


def _entry(phone: str) -> ImportedEntry:
    return ImportedEntry(phone, None, None, 0, 0, 0, 0)
