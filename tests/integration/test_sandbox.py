"""A sandbox as test engineers use it: a process of its own, driven over HTTP."""

import atexit
import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.sandbox.driver import SandboxDriver, SandboxError
from tests.integration.server import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
ADD = "/lists/CL_Test?req=AddRecord"
PREVIEW = "/campaigngroups/102?req=PreviewRecordRequest"
# What a client sees of a connection that was cut.
CUT = (ConnectionError, http.client.HTTPException, urllib.error.URLError)

TEST_FILE = """
def test_empty(ocsgw_sandbox):
    reply = ocsgw_sandbox.post("/campaigngroups/102?req=PreviewRecordRequest")
    assert reply.json["GSW_USER_EVENT"] == "PreviewRecordEmpty"
    ocsgw_sandbox.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "6505550100"})

def test_empty_again(ocsgw_sandbox):
    reply = ocsgw_sandbox.post("/campaigngroups/102?req=PreviewRecordRequest")
    assert reply.json["GSW_USER_EVENT"] == "PreviewRecordEmpty"
"""


@cache
def shared_sandbox() -> SandboxDriver:
    """Return the one sandbox of all tests; it ends with the process."""
    before = os.getcwd()
    os.chdir(ROOT)
    try:
        sandbox = SandboxDriver()
    finally:
        os.chdir(before)
    atexit.register(sandbox.close)
    return sandbox


class SandboxTests(SynchronousTestCase):
    """One sandbox for all tests; each begins with a reset."""

    def setUp(self) -> None:
        self.sandbox = shared_sandbox()
        self.sandbox.reset()

    def add(self, phone: str = "6505550100", **headers: str) -> dict[str, object]:
        """Add a record."""
        reply = self.sandbox.post(ADD, {"GSW_PHONE": phone}, **headers)
        self.assertEqual(reply.status, 200, reply)
        return reply.json

    def fetch(self) -> dict[str, object]:
        """Fetch the next record."""
        return self.sandbox.post(PREVIEW).json

    def test_the_product(self) -> None:
        """It is the product: a record is added, fetched and reported on; errors have their texts."""
        self.add()
        record = self.fetch()
        self.assertEqual((record["GSW_USER_EVENT"], record["GSW_PHONE"]), ("PreviewRecord", "6505550100"))
        handle = record["GSW_RECORD_HANDLE"]
        done = self.sandbox.post(f"/records/{handle}?req=RecordProcessed", {"GSW_CALL_RESULT": 33})
        self.assertEqual(done.json["GSW_USER_EVENT"], "RecordProcessedAcknowledge")
        self.assertEqual(self.sandbox.post(f"/records/{handle}?req=RecordReject").status, 404)

    def ocsctl(self, *words: str) -> tuple[int, str, str]:
        """Run `ocsctl sandbox` with this one; return status, output and messages."""
        environment = {**os.environ, "OCSGW_SANDBOX": self.sandbox.url}
        command = [sys.executable, "-m", "ocsgw.ctl", "sandbox", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def test_command_line(self) -> None:
        """`ocsctl sandbox` has the clock, faults, traffic, examples, crash and reset."""
        _, shown, _ = self.ocsctl("clock", "--set", "2026-11-28T12:00:00+00:00")
        self.assertTrue(shown.startswith("2026-11-28T12:00:0"), shown)
        _, shown, _ = self.ocsctl("clock", "--advance", "3600", "--json")
        self.assertTrue(json.loads(shown)["utc"].startswith("2026-11-28T13:00:0"), shown)
        self.assertEqual(self.ocsctl("examples", "3"), (0, "3 records added\n", ""))
        self.assertEqual(self.fetch()["GSW_PHONE"], "6505550100")
        self.assertEqual(self.ocsctl("fault", "status", "--status", "504", "--request", "AddRecord")[0], 0)
        self.assertIn("status  1      0      AddRecord", self.ocsctl("faults")[1])
        self.assertEqual(self.sandbox.post(ADD, {"GSW_PHONE": "1"}).status, 504)
        self.assertRegex(self.ocsctl("traffic")[1], r"504 +status +POST /lists/CL_Test\?req=AddRecord")
        self.assertEqual(self.ocsctl("traffic", "--clear", "--json")[1], "[]\n")
        self.assertEqual(self.ocsctl("crash")[0], 0)
        self.assertEqual(json.loads(self.ocsctl("status", "--json")[1])["url"], self.sandbox.url)
        self.assertEqual(self.ocsctl("reset")[0], 0)
        self.assertEqual(self.fetch()["GSW_USER_EVENT"], "PreviewRecordEmpty")

    def test_wrong_command_line(self) -> None:
        """What cannot be meant, a sandbox that is not there, and what it refuses, are told apart by the exit status."""
        self.assertEqual(self.ocsctl("fault", "flood")[0], 64)
        self.assertEqual(self.ocsctl("clock", "--advance", "1", "--set", "2026-11-28")[0], 64)
        self.assertEqual(self.ocsctl("status", "--url", "")[0], 64)
        status, _, said = self.ocsctl("status", "--url", "http://127.0.0.1:1")
        self.assertEqual(status, 69)
        self.assertIn("no sandbox answers", said)
        status, _, said = self.ocsctl("clock", "--set", "tomorrow")
        self.assertEqual(status, 1)
        self.assertIn("tomorrow is not a time", said)

    def test_time(self) -> None:
        """A hand-out ends when the clock is put forward beyond its time, at once; a callback comes at its time."""
        self.sandbox.set_time("2026-11-28T12:00:00+00:00")
        self.add()
        handle = self.fetch()["GSW_RECORD_HANDLE"]
        self.assertEqual(self.fetch()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.sandbox.advance(601)
        again = self.fetch()
        self.assertEqual(again["GSW_USER_EVENT"], "PreviewRecord")
        self.assertNotEqual(again["GSW_RECORD_HANDLE"], handle)
        now = datetime.fromtimestamp(self.sandbox.now(), UTC)
        self.assertEqual((now.hour, now.minute), (12, 10))

    def test_clock_mistakes(self) -> None:
        """A time that is none is refused with an example."""
        with self.assertRaises(SandboxError) as caught:
            self.sandbox.set_time("tomorrow")
        self.assertIn("ISO 8601", str(caught.exception))
        self.assertRaises(SandboxError, self.sandbox.advance, 1e12)

    def test_lost_answer(self) -> None:
        """A lost answer is the test of a client's repetition: with an idempotency key nothing is done twice."""
        self.sandbox.fault("lost_answer")
        with self.assertRaises(CUT):
            self.sandbox.post(ADD, {"GSW_PHONE": "6505550100"}, Idempotency_Key="k1")
        again = self.sandbox.post(ADD, {"GSW_PHONE": "6505550100"}, Idempotency_Key="k1")
        self.assertEqual((again.status, again.headers["idempotency-replayed"]), (200, "true"))
        self.fetch()
        self.assertEqual(self.fetch()["GSW_USER_EVENT"], "PreviewRecordEmpty")

    def test_faults(self) -> None:
        """Each kind of fault is what it says."""
        self.sandbox.fault("status", status=503)
        reply = self.sandbox.post(ADD, {"GSW_PHONE": "6505550100"})
        self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "1"))
        for kind in ("reset", "half_answer", "crash"):
            with self.subTest(kind=kind):
                self.sandbox.fault(kind)
                with self.assertRaises(CUT):
                    self.sandbox.post(ADD, {"GSW_PHONE": "6505550100"})
        kinds = [entry.get("fault") for entry in self.sandbox.traffic()]
        self.assertEqual(kinds, ["status", "reset", "half_answer", "crash"])
        self.sandbox.wait()
        self.add("6505550199")

    def test_traffic(self) -> None:
        """What clients have sent, and what they got, can be looked at."""
        self.add()
        (entry,) = self.sandbox.traffic()
        self.assertEqual((entry["number"], entry["method"], entry["target"], entry["status"]), (1, "POST", ADD, 200))
        self.assertEqual(entry["body"], '{"GSW_PHONE": "6505550100"}')
        self.assertIn("AddRecordAcknowledge", entry["answer"])
        self.assertEqual(entry["headers"]["content-type"], "application/json")

    def test_events(self) -> None:
        """An event stream comes through as it is, and is in the traffic; when its client goes, it ends."""
        host, port = self.sandbox.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        connection.request("GET", "/events?type=AddRecord")
        stream = connection.getresponse()
        self.assertEqual((stream.status, stream.headers["Content-Type"]), (200, "text/event-stream; charset=utf-8"))
        self.assertEqual(stream.readline(), b"retry: 2000\n")
        self.add()
        lines = iter(stream.readline, b"")
        self.assertIn(b"event: AddRecord\n", itertools.islice(lines, 10))
        (entry,) = [each for each in self.sandbox.traffic() if each["target"].startswith("/events")]
        self.assertEqual(entry["status"], 200)
        self.assertIn("event: AddRecord", entry["answer"])
        # Whatever ends it, the client sees the end.
        self.sandbox.crash()
        list(lines)
        self.sandbox.wait()

    def test_reset(self) -> None:
        """After a reset lists are empty, and faults, record and clock as at the start."""
        self.add()
        self.sandbox.advance(86400)
        self.sandbox.fault("reset", times=100)
        self.sandbox.reset()
        self.assertEqual(self.sandbox.traffic(), [])
        self.assertEqual(self.fetch()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(self.add()["GSW_CHAIN_ID"], 1)

    def test_unknown_order(self) -> None:
        """An unknown order is told what there is."""
        reply = self.sandbox.post("/_sandbox/nonsense")
        self.assertEqual(reply.status, 404)
        self.assertIn("POST clock", reply.json["error"])

    def test_pytest(self) -> None:
        """The fixture gives each test a server that begins anew."""
        with tempfile.TemporaryDirectory(prefix="ocsgw-") as folder:
            path = Path(folder, "test_dialer.py")
            path.write_text(TEST_FILE, encoding="utf-8")
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-q",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "ocsgw.sandbox.pytest_plugin",
                    path.name,
                ],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
                capture_output=True,
                text=True,
                timeout=120,
            )
        self.assertIn("2 passed", done.stdout, done.stdout + done.stderr)


class ProcessTests(SynchronousTestCase):
    """How a sandbox ends."""

    def test_wrong_configuration(self) -> None:
        """A configuration with an error ends the start with its problems."""
        with tempfile.TemporaryDirectory(prefix="ocsgw-") as folder:
            path = Path(folder, "wrong.toml")
            path.write_text("[application]\n", encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-m", "ocsgw", "sandbox", "-c", str(path)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
            )
        self.assertEqual(done.returncode, 78)
        self.assertIn("[application] dbid", done.stderr)

    def test_ends_with_who_started_it(self) -> None:
        """The process ends when standard input does, and leaves nothing behind."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ocsgw", "sandbox", "--until-eof"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            line = process.stdout.readline()
            self.assertIn("Sandbox ready on http://127.0.0.1:", line)
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
