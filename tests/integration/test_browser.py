"""A page in a real browser calls a listener that names its origin (`cors_origins`)."""

import json
import re
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import make_server

# `make test` installs it.
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or "chromium"
PAGE = """<html><body>waiting<script>
fetch("%s/lists/CL_Test?req=AddRecord", {method: "POST", headers: {"Idempotency-Key": "page-1", "Content-Type":
  "application/json"}, body: JSON.stringify({GSW_PHONE: "6505550199"})})
  .then(answer => answer.json().then(event => [answer.status, event.GSW_USER_EVENT, event.GSW_PHONE]))
  .catch(error => ["refused", error.name])
  .then(found => { document.body.textContent = "found " + JSON.stringify(found) + " end" })
</script></body></html>"""


class _Page(BaseHTTPRequestHandler):
    """Serves the page."""

    url = ""

    def do_GET(self) -> None:
        """Answer with the page."""
        body = (PAGE % self.url).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the class has
        """Say nothing."""


class BrowserTests(SynchronousTestCase):
    """Headless Chromium; tests.proxy.test_reports has the same exchanges without a browser."""

    def ask(self, allowed: str) -> list[object]:
        """Return what a page sees whose origin is allowed, or another one."""
        pages = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
        self.addCleanup(pages.server_close)
        self.addCleanup(pages.shutdown)
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{pages.server_address[1]}"
        server = make_server(self, listener=f'cors_origins = ["{allowed or origin}"]').start()
        _Page.url = f"http://127.0.0.1:{server.port}"
        profile = tempfile.mkdtemp(prefix="ocsgw-browser-")
        self.addCleanup(shutil.rmtree, profile, ignore_errors=True)
        done = subprocess.run(
            [
                BROWSER,
                *(
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    f"--user-data-dir={profile}",
                ),
                *("--virtual-time-budget=8000", "--dump-dom", origin),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        found = re.search(r"found (\[.*\]) end", done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr[-2000:])
        assert found is not None
        seen: list[object] = json.loads(found[1])
        return seen

    def test_allowed(self) -> None:
        """A page of a named origin sends a request with headers of its own, and sees the answer."""
        self.assertEqual(self.ask(""), [200, "AddRecordAcknowledge", "6505550199"])

    def test_others(self) -> None:
        """The browser keeps the answer from a page of another origin."""
        self.assertEqual(self.ask("https://crm.example"), ["refused", "TypeError"])
