"""The agent page of docs/examples in a real browser: an agent's clicks, and what others do meanwhile."""

import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from selenium.webdriver.common.by import By
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.control.client import ControlClient
from tests.integration.server import ROOT, Server, make_server
from tests.support.chromium import Chromium

PAGE = ROOT / "docs" / "examples" / "agent"


class _Pages(SimpleHTTPRequestHandler):
    """Serves the page."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, directory=str(PAGE))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the class has
        """Say nothing."""


class AgentPageTests(SynchronousTestCase):
    """docs/examples/agent."""

    def test_files(self) -> None:
        """The page needs nothing but its own files, and no script of its own in the page."""
        page = (PAGE / "index.html").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r'(?:src|href)="([^"#]+)"', page), ["agent.css", "agent.js"])
        self.assertEqual(re.findall(r"<script>|\son\w+=|https?://(?!127\.0\.0\.1)", page), [])
        # Every control has a name that is read out.
        controls = re.findall(r"<(?:input|select)[^>]* id=\"(\w+)\"", page)
        labelled = re.findall(r"<label[^>]*>[^<]*<(?:input|select)[^>]* id=\"(\w+)\"", page)
        self.assertEqual(labelled, controls)

    def begin(self, records: int) -> Server:
        """Start a server with records, and a browser with the page."""
        pages = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
        self.addCleanup(pages.server_close)
        self.addCleanup(pages.shutdown)
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{pages.server_address[1]}"
        server = make_server(self, listener=f'cors_origins = ["{origin}"]').start()
        for number in range(records):
            server.post(
                "/lists/CL_Test?req=AddRecord", {"GSW_PHONE": f"+1650555010{number}", "Remarks": f"lead {number}"}
            )
        self.browser = Chromium()
        self.addCleanup(self.browser.close)
        self.browser.driver.get(f"{origin}/index.html?server=http://127.0.0.1:{server.port}&group=102&agent=7")
        self.browser.expect("Ready", "#state")
        self.browser.expect("started", "#group-state")
        return server

    def click(self, name: str, expected: str) -> None:
        """Press a button, and wait for what the page says."""
        self.browser.driver.find_element(By.ID, name).click()
        self.browser.expect(expected, "#state")

    def send(self, form: str, expected: str) -> None:
        """Send a form, and wait for what the page says."""
        self.browser.driver.find_element(By.CSS_SELECTOR, f"#{form} button").click()
        self.browser.expect(expected, "#state")

    def set(self, name: str, value: str) -> None:
        """Put a value into a field."""
        self.browser.driver.execute_script("document.getElementById(arguments[0]).value = arguments[1]", name, value)

    def test_an_agent_at_work(self) -> None:
        """Next record, result, callback of one's own, do not call, give back: each is in the store afterwards."""
        server = self.begin(records=4)
        self.click("next", "Record 1")
        dial = self.browser.driver.find_element(By.ID, "dial")
        self.assertEqual(dial.get_attribute("href"), "tel:+16505550100")
        self.assertIn("lead 0", self.browser.text("#facts"))
        self.assertEqual(self.browser.violations(), [])
        self.browser.shoot("agent-page")
        self.set("result", "Busy")
        self.send("finish", "Done: Busy")
        self.click("next", "Record 2")
        self.set("when", "2037-12-24T09:05")
        self.browser.driver.find_element(By.ID, "mine").click()
        self.send("later", "Scheduled for 2037-12-24 09:05")
        self.click("next", "Record 3")
        self.click("never", "Will not be called again")
        self.click("next", "Record 4")
        self.click("back", "Given back")
        self.click("next", "Record 5")
        self.send("finish", "Done: Answer")
        self.click("next", "Nothing to call")
        self.assertFalse(self.browser.driver.find_element(By.ID, "record").is_displayed())
        rows = server.rows(
            "SELECT record_status, call_result, record_type, agent_id, attempt FROM CL_Test ORDER BY record_id"
        )
        self.assertEqual(rows[0][:2], (3, 6))
        self.assertEqual((rows[1][0], rows[1][2], rows[1][3]), (1, 5, "7"))
        self.assertEqual((rows[2][1], rows[2][2]), (51, 7))
        self.assertEqual(rows[3][:2], (3, 33))

    def test_what_others_do(self) -> None:
        """A record that somebody cancels goes away by itself; the group's state changes; a restart is survived."""
        server = self.begin(records=3)
        self.click("next", "Record 1")
        server.post("/phones/%2B16505550101?req=RequestRecordCancel")
        server.post("/phones/%2B16505550100?req=RequestRecordCancel")
        self.browser.expect("The record was cancelled", "#state")
        self.assertFalse(self.browser.driver.find_element(By.ID, "record").is_displayed())
        self.click("next", "Record 2")
        self.ctl(server, "stop")
        self.browser.expect("Group: stopped", "#group-state")
        self.ctl(server, "start")
        self.browser.expect("Group: started", "#group-state")
        # While the page does not hear anything.
        server.kill_parent()
        self.browser.expect("connecting again", "#group-state")
        server.start()
        server.post("/records/2?req=RecordReject")
        self.browser.expect("The record was ", "#state")
        self.browser.expect("Group: started", "#group-state")
        self.click("next", "Record 3")

    def ctl(self, server: Server, order: str) -> None:
        """Give an order as an operator does."""
        with ControlClient(str(server.folder / "var" / "control.sock")) as client:
            client.call("campaign", order=order, name="102")
