"""The client against a real server: HTTP and the OCS protocol, the examples of the documentation, simulated dialers."""

import os
import re
import subprocess
import sys

from ocsgw.client import HttpClient, NotConnectedError, RequestError
from tests.integration.server import PATIENCE, ROOT
from tests.integration.test_desktops import DesktopTestCase

EXAMPLES = ROOT / "docs" / "examples"
PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")


class ClientTests(DesktopTestCase):
    """A server with an HTTP and an `ocs` listener."""

    def run_python(self, *arguments: str) -> str:
        """Run a program and return what it prints."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE * 4,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    @property
    def ocs_port(self) -> int:
        """The port of the `ocs` listener."""
        return int(re.findall(r"93230 .* is ready on 127\.0\.0\.1:(\d+)", self.server.log())[-1])

    def test_http(self) -> None:
        """The same requests over HTTP: answers, chained records, errors, and a repetition that does nothing twice."""
        self.serve()
        client = HttpClient(f"http://127.0.0.1:{self.server.port}")
        self.addCleanup(client.close)
        first = client.add_record("CL_Test", "6505550100", idempotency_key="k1")
        again = client.add_record("CL_Test", "6505550100", idempotency_key="k1")
        self.assertEqual((first.replayed, again.replayed), (False, True))
        client.add_record("CL_Test", "6505550101", GSW_CHAIN_ID=first.data["GSW_CHAIN_ID"])
        record = client.preview(102)
        assert record.handle is not None
        self.assertEqual([part["GSW_PHONE"] for part in client.chained_records(record.handle).parts], ["6505550101"])
        self.assertEqual(client.processed(record.handle, "Answer").event, "RecordProcessedAcknowledge")
        error = self.assertRaises(RequestError, client.reject, record.handle)
        self.assertEqual((error.code, error.text), ("404", "Invalid record handle"))
        self.server.stop()
        client.close()
        self.assertRaises(NotConnectedError, client.preview, 102)

    def test_examples(self) -> None:
        """The dialer and the desktop of the page do what the page says."""
        self.serve()
        self.add("6505550101", "6505550102")
        self.add("6505550109")
        said = self.run_python(str(EXAMPLES / "desktop.py"), f"tcp:127.0.0.1:{self.ocs_port}", "1001", "Campaign1")
        self.assertIn("started: Campaign1@Group1", said)
        self.assertIn("other numbers: ['6505550102']\ndone\n", said)
        said = self.run_python(str(EXAMPLES / "dialer.py"), f"http://127.0.0.1:{self.server.port}", "102")
        self.assertIn("calling 6505550109\n1 calls: {'Busy': 1}\n", said)

    def test_page(self) -> None:
        """The page shows the examples as they are."""
        for name, shown in re.findall(r"<!-- docs/examples/(\w+\.py) -->\n```python\n(.*?)```", PAGE, re.DOTALL):
            self.assertEqual(shown, (EXAMPLES / name).read_text(encoding="utf-8"))
        self.assertEqual(len(re.findall(r"<!-- docs/examples/", PAGE)), 2)

    def test_simulated_dialers(self) -> None:
        """Dialers over HTTP and over the OCS protocol share a list: each record is called once."""
        self.serve()
        for number in range(40):
            self.add(f"65055501{number:02}")
        for url in (f"http://127.0.0.1:{self.server.port}", f"ocs://127.0.0.1:{self.ocs_port}"):
            said = self.run_python("-m", "ocsgw.client.simulate", url, "--group", "102", "--calls", "20")
            self.assertIn("20 calls in", said)
        rows = self.server.rows("SELECT record_status, count(*) FROM CL_Test WHERE record_status = 1")
        self.assertEqual(rows[0][1], 0)
