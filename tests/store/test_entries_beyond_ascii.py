"""Do-not-call entries beyond ASCII have stored forms; nobody may notice, neither we nor other programs (K40, K43)."""

from unittest import mock

from ocsgw.contact.bulk_statements import ImportedEntry
from ocsgw.contact.normal_form import _RULES, normal_contact, rules_of, search_keys
from ocsgw.contact.opening import prepare
from ocsgw.contact.transaction import DncLookup, StoreFailureError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.store import contact_forms
from ocsgw.store.sqlite.engine import SQLiteEngine
from ocsgw.store.sqlite.forms import IGNORED_BEYOND_ASCII, beyond_ascii
from tests.support.reports import unreported
from tests.support.rules import RuleTestCase, by_customer_id, by_phone

# Full-width digits: only Python knows what they are.
PHONE, OTHER = "６５０ 555 0100", "６５０ 555 0200"
# Of this one not even the last digits say anything to SQL.
WIDE = "６５０５５５０１００"


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
        """Many entries cost a request nothing: the normal form of a contact is made once, and outlives the server."""
        for number in range(200):
            self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", f"６５０{number}")
        self.add("1")
        with mock.patch("ocsgw.store.contact_forms.normal_contact", side_effect=normal_contact) as form:
            self.assertTrue(self.is_blocked("65017"))
            self.reply(by_phone("DoNotCall", OTHER))
            self.assertTrue(self.is_blocked("6505550200"))
            self.assertEqual(form.call_count, 1)
            self.store.store.close()
            self.store.store.open(self.directory)
            self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", PHONE)
            self.assertTrue(self.is_blocked("65018"))
            self.assertTrue(self.is_blocked("6505550100"))
            self.assertEqual(form.call_count, 2)

    def renew(self, at_most: int) -> int:
        """Do one slice of what housekeeping does."""
        with self.store.store.transaction(0.0) as tx:
            return tx.renew_contact_forms(["", "US"], at_most)

    def forms(self) -> list[tuple[str, str]]:
        """Return countries and forms as they are stored."""
        return self.store.sql("SELECT country, form FROM ocsgw_contact_form ORDER BY country, contact")

    def test_slices(self) -> None:
        """Housekeeping stores forms in slices, in every country; those by other rules go when all are there."""
        self.store.sql("INSERT INTO ocsgw_contact_form (rules, country, contact, form) VALUES (7, '', ?, 'x')", PHONE)
        self.store.store.use(self.directory)
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?), (?), (?)", PHONE, OTHER, PHONE)
        self.assertEqual([self.renew(3), self.renew(3), len(self.forms()), self.renew(3)], [3, 1, 5, 0])
        national, international = ["6505550100", "6505550200"], ["+16505550100", "+16505550200"]
        self.assertEqual(self.forms(), [*(("", each) for each in national), *(("US", each) for each in international)])
        self.store.sql("UPDATE gsw_donotcall_list SET phone = ? WHERE phone = ?", "６５０", OTHER)
        self.assertEqual([self.renew(9), self.renew(9)], [2, 0])

    def test_too_many_for_a_batch(self) -> None:
        """Requests are refused, not answered wrongly, until housekeeping has prepared very many new entries."""
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?), (?)", PHONE, OTHER)
        with mock.patch("ocsgw.store.contact_forms._MOST_IN_A_BATCH", 2):
            error = self.assertRaises(StoreFailureError, self.add, "6505550100")
            self.assertEqual(str(error), "do-not-call entries of another program are being prepared")
            self.assertEqual(self.renew(9), 4)
            self.assertTrue(self.is_blocked("6505550100"))

    def test_many(self) -> None:
        """K45: of many entries a request sees at once which were added, and housekeeping which were changed."""
        self.patch(contact_forms, "_MANY", 1)
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", OTHER)
        while self.renew(9):
            pass
        with mock.patch.object(contact_forms.ContactForms, "_missing", side_effect=AssertionError):
            self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES ('1')")
            self.assertEqual((self.is_blocked("6505550100"), self.is_blocked("6505550200")), (False, True))
            self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", WIDE)
            for _ in range(2):
                self.assertTrue(self.is_blocked("6505550100"))
            self.store.sql("DELETE FROM gsw_donotcall_list WHERE phone = ?", OTHER)
            self.assertFalse(self.is_blocked("6505550200"))
            self.reply(by_phone("DoNotCall", OTHER))
            self.assertTrue(self.is_blocked("6505550200"))
            self.store.sql("UPDATE gsw_donotcall_list SET phone = ? WHERE phone = ?", "６５０", OTHER)
            self.assertFalse(self.is_blocked("6505550200"))
        while self.renew(9):
            pass
        self.assertTrue(self.is_blocked("650"))

    def test_many_undone(self) -> None:
        """Of many entries, one that was removed but is there all the same is not taken as seen."""
        self.patch(contact_forms, "_MANY", 1)
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", OTHER)
        while self.renew(9):
            pass
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", WIDE)
        lookups = [DncLookup("6505550100", None, (), search_keys("6505550100"))]

        def fail() -> None:
            with self.store.store.transaction(0.0) as tx:
                tx.delete_entries([2])
                self.assertEqual(tx.blocked(self.directory.calling_lists[0], lookups, self.now), set())
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertTrue(self.is_blocked("6505550100"))

    def test_many_are_not_read(self) -> None:
        """What was added is found by an index in the order of the numbers."""
        connection = self.store.store._needed()
        text = self.store.store._tables.do_not_call
        assert text is not None
        for statement in (text.newest_beyond_ascii, text.added_beyond_ascii):
            plan = connection.rows(f"EXPLAIN QUERY PLAN {statement}", {"after": 1, "limit": 1})
            self.assertEqual([step.partition(" USING ")[0] for *_, step in plan], ["SEARCH d"], plan)

    def test_start(self) -> None:
        """At the start all forms are made before anything else, some in each transaction."""
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?), (?)", PHONE, OTHER)
        with self.store.store.transaction(0.0) as tx:
            self.assertIsInstance(prepare(UnitOfWork(tx, self.now, self.directory, str)), Unfinished)
        self.assertEqual(len(self.forms()), 2)

    def test_unreadable(self) -> None:
        """Entries that cannot be read keep nothing up, and are reported once."""
        for _ in range(4):
            self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (CAST(x'e9' AS TEXT)), (x'ff')")
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?), (?)", PHONE, OTHER)
        self.assertEqual([self.renew(1), self.renew(1), self.renew(9), self.renew(9)], [1, 1, 2, 0])
        self.assertTrue(self.is_blocked("6505550100"))
        reports = [each for each in self.store.reports if "have a contact that cannot be read" in each]
        self.assertEqual(len(reports), 1)

    def test_only_read(self) -> None:
        """Who may only read the store finds entries without a stored form all the same, and stores none."""
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", PHONE)
        engine = SQLiteEngine(self.store.file, unreported, access="read")
        engine.open(self.directory)
        self.addCleanup(engine.close)
        calling_list = self.directory.calling_lists[0]
        lookups = [DncLookup(each, None, (), search_keys(each)) for each in ("1", "6505550100", "6505550100x2")]
        for _ in range(2):
            with engine.transaction(0.0) as tx:
                self.assertEqual(tx.blocked(calling_list, lookups, self.now), {1, 2})
        self.assertEqual(self.forms(), [])

    def test_rules(self) -> None:
        """Stored forms are those of the rules of today: whoever changes these gives them another number."""
        spellings = ("６５０ x2", "tel:tel:1", "a\u00ad\u0301", "É@x", "+1\u2011650", "１;ext=5")
        forms = [normal_contact(each) for each in spellings]
        self.assertEqual((_RULES, forms), ("2", ["650x2", "1", "\u00e1", "é@x", "+1650", "1x5"]))
        self.assertNotEqual(rules_of(""), rules_of("US"))

    def test_ignored(self) -> None:
        """An entry that a trigger ignores is not acknowledged."""
        self.store.sql("CREATE TRIGGER i BEFORE INSERT ON gsw_donotcall_list BEGIN SELECT RAISE(IGNORE); END")
        self.assertEqual(
            self.refusal(by_phone("DoNotCall", "1")),
            "409 Do Not Call table does not accept the entry: a trigger ignores the entry",
        )

    def test_ignored_by_customer_id(self) -> None:
        """Neither is one by customer id; one that exists already is left out without harm."""
        self.reply(by_customer_id("DoNotCall", " C1"))
        self.store.sql("CREATE TRIGGER i BEFORE INSERT ON gsw_donotcall_list BEGIN SELECT RAISE(IGNORE); END")
        self.reply(by_customer_id("DoNotCall", "C1"))
        self.assertEqual(
            self.refusal(by_customer_id("DoNotCall", "C2")),
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
