"""The agent page of docs/examples in a real browser: an agent's clicks, and what they leave in the store."""

import json
import re
import shutil
import subprocess
import tempfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import ROOT, make_server
from tests.integration.test_browser import BROWSER

PAGE = ROOT / "docs" / "examples" / "agent"
# What the agent does; `until` waits for what the page says.
SCRIPT = """
const until = async (text) => {
  for (let i = 0; i < 400; i++) {
    if (document.getElementById("state").textContent.includes(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("waited for " + text + ", it says " + document.getElementById("state").textContent);
};
const click = (id) => document.getElementById(id).click();
const send = (id) => document.getElementById(id).requestSubmit();
(async () => {
  const seen = [];
  try {
    await until("Ready");
    click("next"); await until("Record 1");
    seen.push(document.getElementById("dial").href, document.getElementById("facts").textContent);
    document.getElementById("result").value = "Busy";
    send("finish"); await until("Done: Busy");
    click("next"); await until("Record 2");
    document.getElementById("when").value = "2037-12-24T09:05"; document.getElementById("mine").checked = true;
    send("later"); await until("Scheduled for 2037-12-24 09:05");
    click("next"); await until("Record 3");
    click("never"); await until("Will not be called again");
    click("next"); await until("Record 4");
    click("back"); await until("Given back");
    click("next"); await until("Record 5");
    send("finish"); await until("Done: Answer");
    click("next"); await until("Nothing to call");
    seen.push(document.getElementById("record").hidden);
  } catch (error) { seen.push("failed: " + error.message); }
  document.title = "found " + JSON.stringify(seen) + " end";
})();
"""


class _Pages(SimpleHTTPRequestHandler):
    """Serves the page, with an agent at it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, directory=str(PAGE))

    def do_GET(self) -> None:
        """Add the agent to the script of the page."""
        if not self.path.startswith("/agent.js"):
            super().do_GET()
            return
        body = ((PAGE / "agent.js").read_text(encoding="utf-8") + SCRIPT).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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

    def test_an_agent_at_work(self) -> None:
        """Next record, result, callback of one's own, do not call, give back: each is in the store afterwards."""
        pages = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
        self.addCleanup(pages.server_close)
        self.addCleanup(pages.shutdown)
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{pages.server_address[1]}"
        server = make_server(self, listener=f'cors_origins = ["{origin}"]').start()
        for number in range(4):
            server.post(
                "/lists/CL_Test?req=AddRecord", {"GSW_PHONE": f"+1650555010{number}", "Remarks": f"lead {number}"}
            )
        profile = tempfile.mkdtemp(prefix="ocsgw-browser-")
        self.addCleanup(shutil.rmtree, profile, ignore_errors=True)
        url = f"{origin}/index.html?server=http://127.0.0.1:{server.port}&group=102&agent=7"
        done = subprocess.run(
            [
                BROWSER,
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
                *(f"--user-data-dir={profile}", "--virtual-time-budget=20000", "--dump-dom", url),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        found = re.search(r"<title>found (\[.*\]) end</title>", done.stdout)
        self.assertIsNotNone(found, done.stdout[-3000:] + done.stderr[-2000:])
        assert found is not None
        dial, facts, hidden = json.loads(found[1].replace("&amp;", "&"))
        self.assertEqual((dial, hidden), ("tel:+16505550100", True))
        self.assertIn("lead 0", facts)
        rows = server.rows(
            "SELECT record_status, call_result, record_type, agent_id, attempt FROM CL_Test ORDER BY record_id"
        )
        self.assertEqual(rows[0][:2], (3, 6))
        self.assertEqual((rows[1][0], rows[1][2], rows[1][3]), (1, 5, "7"))
        self.assertEqual((rows[2][1], rows[2][2]), (51, 7))
        self.assertEqual(rows[3][:2], (3, 33))
