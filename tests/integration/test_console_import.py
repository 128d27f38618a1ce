"""Imports in the browser: a file of a user, from the choice of it to its undo."""

import sqlite3
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from tests.integration.server import STORE
from tests.integration.test_console import AGENT, CHIEF, KEYS, ConsoleTestCase

PATIENT = f'{STORE}\nbusy_timeout = "60s"'
# Drops a file on the form, as a hand does.
DROP = """const given = new DataTransfer();
given.items.add(new File([arguments[0]], "dropped.csv", {type: "text/csv"}));
document.getElementById("upload").dispatchEvent(new DragEvent("drop", {dataTransfer: given, bubbles: true}));"""
# As a spreadsheet in German writes it.
GERMAN = "Telefon;Segment;Notiz\n030 123456;gold;erste\n030 123457;gold;zweite\n;silber;ohne Nummer\n"


class ImportTestCase(ConsoleTestCase):
    """A file that a user has."""

    def file(self, text: str, encoding: str = "utf-8") -> Path:
        path = self.server.folder / "contacts.csv"
        path.write_bytes(text.encode(encoding))
        return path

    def send(self, text: str, encoding: str = "utf-8", calling_list: str = "CL_Test") -> None:
        """Choose a file and send it."""
        path = self.file(text, encoding)
        self.open(f"/import?list={calling_list}")
        self.browser.choose("file", path)
        self.browser.press("Send")

    def records(self, calling_list: str = "CL_Test") -> int:
        """Return how many records a list has."""
        return len(self.server.rows(f'SELECT 1 FROM "{calling_list}"'))

    def hold(self) -> sqlite3.Connection:
        """Hold the store, as another program may; an import waits meanwhile."""
        other = sqlite3.connect(self.server.folder / "var" / "ocsgw.sqlite", isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        return other

    def check_page(self, name: str) -> None:
        """Look at the present page in both schemes and widths."""
        browser = self.browser
        for scheme in ("light", "dark"):
            for width, height in ((1280, 800), (390, 844)):
                browser.scheme(scheme)
                browser.size(width, height)
                self.assertEqual(browser.overflow()[0], 0)
                self.assertEqual(browser.violations(), [])
                browser.shoot(f"{name}-{scheme}-{width}")
        browser.scheme("light")
        browser.size(1280, 800)


class ImportTests(ImportTestCase):
    """From the choice of a file to the end of its import."""

    def test_import(self) -> None:
        """What was recognized is shown, columns are named, a trial changes nothing, and an import is taken back."""
        self.begin()
        browser = self.browser
        self.open("/lists")
        browser.driver.find_element(By.CSS_SELECTOR, "[aria-label='import into CL_Test']").click()
        browser.expect("A file for calling list CL_Test")
        self.check_page("import-choose")
        self.send(GERMAN)
        browser.expect("UTF-8, cells separated by semicolons")
        browser.expect("no column 'Telefon'")
        browser.expect("write into its field which one it is, or leave it empty")
        self.assertNotIn("--", browser.text("main"))
        self.check_page("import-recognized")
        browser.fill("column-0", "GSW_PHONE")
        browser.fill("column-2", "Remarks")
        browser.press("Try it, change nothing")
        browser.expect("This is what an import would do")
        browser.expect("Missing attribute GSW_PHONE")
        self.assertEqual(self.records(), 0)
        self.check_page("import-tried")
        browser.press("Import")
        browser.expect("The file is imported.")
        self.assertEqual(self.records(), 2)
        self.check_page("import-done")
        browser.driver.find_element(By.PARTIAL_LINK_TEXT, "as a CSV file")
        browser.press("Done with contacts.csv")
        browser.expect("Calling lists")
        browser.fill("number", "1")
        browser.fill("reason", "only a test")
        browser.press("Take back")
        browser.expect("Import 1: 2 rows removed")
        self.assertEqual(self.records(), 0)
        self.assertEqual(browser.complaints(), [])

    def test_live(self) -> None:
        """The page shows how far an import is and goes on by itself; a stopped one goes on where it was."""
        self.begin(store=PATIENT)
        browser = self.browser
        self.send("GSW_PHONE\n030 1\n030 2\n")
        browser.expect("Recognized: UTF-8")
        other = self.hold()
        browser.press("Import")
        browser.expect("Import: under way")
        self.check_page("import-under-way")
        browser.press("Stop")
        browser.expect("Import: under way")
        other.execute("ROLLBACK")
        browser.expect("The same import goes on behind the rows that are stored")
        other = self.hold()
        browser.press("Import")
        browser.expect("under way")
        other.execute("ROLLBACK")
        browser.expect("The file is imported.")
        self.assertEqual(self.records(), 2)
        self.assertEqual(browser.complaints(), [])

    def test_drop(self) -> None:
        """A file is dropped on the page; a file of Windows is read once its encoding is named."""
        self.begin()
        browser = self.browser
        self.open("/import?list=CL_Test")
        browser.driver.execute_script(DROP, "GSW_PHONE\n030 1\n")
        browser.press("Send")
        browser.expect("dropped.csv")
        browser.press("Discard")
        browser.expect("Calling lists")
        self.send("Phone,Remarks\n030 1,Müller\n", "windows-1252")
        browser.expect('Name the encoding of the file with "Encoding"')
        browser.shoot("import-encoding")
        browser.fill("encoding", "windows-1252")
        browser.press("Look again")
        browser.expect("Recognized: windows-1252")
        browser.press("Import")
        browser.expect("The file is imported.")
        self.assertEqual(self.server.rows("SELECT remarks FROM CL_Test"), [("Müller",)])
        browser.fill("reason", "only a test")
        browser.press("Take import 1 back")
        browser.expect("Import 1: 1 rows removed")
        self.assertEqual(self.records(), 0)

    def test_known_contacts(self) -> None:
        """Contacts that the list has already are asked about before anything is changed."""
        self.begin()
        browser = self.browser
        self.add("030 1")
        self.send("GSW_PHONE\n030 1\n030 2\n")
        browser.press("Import")
        browser.expect("1 of 2 rows has a contact that the list has already")
        browser.expect('Say below what to do with "Contacts that are there already"')
        self.assertEqual(self.records(), 1)
        Select(browser.driver.find_element(By.NAME, "duplicates")).select_by_value("skip")
        browser.press("Import")
        browser.expect("The file is imported.")
        self.assertEqual(self.records(), 2)

    def test_do_not_call(self) -> None:
        """Entries of the do-not-call list come in the same way, and the file may be imported once more."""
        self.begin()
        browser = self.browser
        for words in ("The file is imported.", "has been imported before"):
            self.open("/do-not-call")
            browser.driver.find_element(By.LINK_TEXT, "Import entries").click()
            browser.expect("A file for the do-not-call list")
            browser.choose("file", self.file("phone,message\n030 1,asked for it\n"))
            browser.press("Send")
            browser.expect("Recognized: UTF-8")
            browser.press("Import")
            browser.expect(words)
        browser.driver.find_element(By.NAME, "again").click()
        browser.press("Import")
        browser.expect("The file is imported.")


class WithoutJavaScriptTests(ImportTestCase):
    """A browser that runs no scripts, and who may use the page."""

    def test_import(self) -> None:
        """A plain form sends the file, and the page is asked for again while the import is under way."""
        self.begin(KEYS, javascript=False, store=PATIENT)
        self.log_in(CHIEF)
        browser = self.browser
        self.send("GSW_PHONE\n030 1\n")
        browser.expect("Recognized: UTF-8")
        other = self.hold()
        browser.press("Import")
        browser.expect("Import: under way")
        other.execute("ROLLBACK")
        browser.expect("The file is imported.")
        self.assertEqual(self.records(), 1)

    def test_without_permission(self) -> None:
        """Who is limited sees no import."""
        self.begin(KEYS, javascript=False)
        self.log_in(AGENT)
        self.open("/import?list=CL_Test")
        self.browser.expect("for principals without limits")
        self.browser.shoot("import-without-permission")
