"""Everything that the HTTP interface and the console can do, from the command line, on a running server."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import TestCase

from ocsgw.access.keys import digest_of
from ocsgw.protocol.enumerations import RecordStatus
from ocsgw.protocol.requests import REQUESTS
from tests.integration.server import PATIENCE, ROOT, Server, make_server

AUDIT = "[audit]\nenabled = true\n"
# A request for each row of the table that has an HTTP form, in an order in which each succeeds.
SCRIPT: tuple[tuple[str, str], ...] = (
    ("AddRecord lists/CL_Test GSW_PHONE=6505550100 CustomerID=C-1", "AddRecordAcknowledge"),
    ("AddRecord lists/CL_Test GSW_PHONE=6505550101 GSW_CHAIN_ID=1", "AddRecordAcknowledge"),
    ("PreviewRecordRequest campaigngroups/102", "PreviewRecord"),
    ("ChainedRecordRequest records/1", "ChainedRecordsDataEnd"),
    ("UpdateCallCompletionStats records/1 GSW_CALL_RESULT=6 Disposition=busy", "UpdateCallCompletionStatsAcknowledge"),
    (
        "RecordReschedule records/1 GSW_CALLBACK_TYPE=Campaign GSW_DATE_TIME=12/24/2036_09:05",
        "RecordRescheduleAcknowledge",
    ),
    (
        "ScheduledRecordReschedule records/1 GSW_CALLBACK_TYPE=Campaign GSW_DATE_TIME=12/24/2036_10:05",
        "ScheduledRecordRescheduleAcknowledge",
    ),
    ("RecordProcessed records/1 GSW_CALL_RESULT=Answer", "RecordProcessedAcknowledge"),
    ("AddRecord lists/CL_Test GSW_PHONE=6505550102", "AddRecordAcknowledge"),
    ("previewrecord campaigngroups/102", "PreviewRecord"),
    ("RecordReject records/3", "RecordRejectAcknowledge"),
    ("RequestRecordCancel phones/6505550102", "RecordCancelAcknowledge"),
    ("DoNotCall customer_ids/C-1", "DoNotCallAcknowledge"),
    ("CampaignStatusRequest campaigngroups/102", "CampaignStarted"),
)


class OperatorCommandTests(TestCase):
    """`ocsctl` beside a server."""

    timeout = 240

    def run_command(self, server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `ocsctl` as an operator does."""
        return subprocess.run(
            [sys.executable, "-m", "ocsgw.ctl", "--config", str(server.config), *arguments],
            cwd=server.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def shown(self, server: Server, *arguments: str) -> Any:
        """Return what a command that succeeds prints as JSON."""
        done = self.run_command(server, *arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_requests(self) -> None:
        """Each request of the HTTP interface is carried out, with the events and effects that it has there."""
        server = make_server(self, more=AUDIT).start()
        for line, event in SCRIPT:
            words = [word.replace("_0", " 0").replace("_1", " 1") if "DATE" in word else word for word in line.split()]
            done = self.shown(server, "request", *words)
            self.assertEqual([each["GSW_USER_EVENT"] for each in done["events"]], [event], line)
            self.assertFalse(done["replayed"])
        asked = {line.split()[0] for line, _ in SCRIPT} | {"PreviewRecordRequest"}
        self.assertEqual({name for name, row in REQUESTS.items() if row.resources} - asked, set())
        (state,) = server.rows("SELECT record_status FROM CL_Test WHERE record_id = 3")
        self.assertEqual(state, (RecordStatus.CANCELLED.value,))
        counted = {
            (each["labels"]["request"], each["labels"]["code"]): each["value"]
            for each in self.shown(server, "top", "--count", "1")["counters"]
            if each["name"] == "ocsgw_requests_total"
        }
        self.assertEqual(counted["AddRecord", "ok"], 3)
        told = self.run_command(server, "request", "CampaignStatusRequest", "campaigngroups/102")
        self.assertIn("CampaignStarted\n  GSW_APPLICATION_ID", told.stdout)
        server.stop()

    def test_answers(self) -> None:
        """A key makes it happen once; what the OCS protocol alone has works too; refusals are errors with words."""
        server = make_server(self).start()
        add = ("request", "AddRecord", "lists/CL_Test", "--data", '{"GSW_PHONE": "1", "Segment": 4.5}')
        keyed = (*add, "--idempotency-key", "once")
        self.assertEqual([self.shown(server, *keyed)["replayed"] for _ in range(2)], [False, True])
        self.assertEqual(server.rows("SELECT segment FROM CL_Test"), [("4.5",)])
        changed = self.shown(server, "request", "SetDialingMode", "campaigngroups/102", "GSW_CAMPAIGN_MODE=Preview")
        self.assertEqual(changed["events"][-1]["GSW_USER_EVENT"], "CampaignModeChanged")
        for words, status, text in (
            (("AddRecord", "lists/Nope", "GSW_PHONE=1"), 1, "Calling list not found"),
            (("AddRecord", "lists/CL_Test"), 1, "Missing attribute GSW_PHONE"),
            (("AddRecord",), 1, "Missing attribute GSW_CALLING_LIST"),
            (("Fly", "lists/CL_Test"), 1, "Fly"),
            (("AddRecord", "list/CL_Test"), 64, "neither NAME=VALUE nor a resource"),
            (("AddRecord", "--data", "[1]"), 64, "must be a JSON object"),
            (("AddRecord", "--data", '{"a": {}}'), 64, "object or array in a"),
            (("AddRecord", "--data", "{"), 64, "is not JSON"),
        ):
            done = self.run_command(server, "request", *words)
            self.assertEqual((done.returncode, done.stdout), (status, ""), words)
            self.assertIn(text, done.stderr)
        refused = self.shown(server, "refusals")
        self.assertEqual((refused[0]["request"], refused[0]["text"]), ("AddRecord", "Calling list not found"))
        self.assertIn("Calling list not found", self.run_command(server, "refusals").stdout)
        server.stop()

    def test_looking(self) -> None:
        """Log, configuration, audit log and do-not-call entries, in words and as JSON."""
        server = make_server(self, more=AUDIT).start()
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "6505550100"}).status, 200)
        self.assertEqual(self.shown(server, "dnc", "add", "6505550100")["GSW_RECORDS_COUNT"], 1)
        said = self.run_command(server, "dnc", "add", "--customer-id", "C-9").stdout
        self.assertEqual(said, "customer id C-9 is on the do-not-call list; 0 records are marked\n")
        self.assertEqual(self.run_command(server, "dnc", "add").returncode, 64)
        listed = self.run_command(server, "dnc", "export", "--json").stdout.splitlines()
        self.assertEqual([json.loads(each)["phone"] for each in listed], ["6505550100", None])
        (record,) = map(json.loads, self.run_command(server, "list", "export", "CL_Test", "--json").stdout.splitlines())
        self.assertEqual(record["contact_info"], "6505550100")
        audit = self.run_command(server, "audit", "show", "--lines", "1").stdout
        self.assertRegex(audit, r"(?s)LINE +UTC +WHO.*ocsctl +DoNotCall")
        lines = self.run_command(server, "audit", "show", "--json", "--find", "AddRecord").stdout.splitlines()
        self.assertEqual([json.loads(each)["action"] for each in lines], ["AddRecord"])
        self.assertEqual(self.shown(server, "audit", "verify")["bad"], None)
        self.assertEqual(self.shown(server, "configuration", "application.name"), {"application.name": "OCS"})
        self.assertRegex(self.run_command(server, "configuration", "audit").stdout, r"audit\.enabled +true")
        nothing = self.run_command(server, "configuration", "zzz")
        self.assertEqual((nothing.returncode, nothing.stdout), (1, ""))
        self.assertIn("no key begins with zzz", nothing.stderr)
        self.assertIn(" 93002 ", self.run_command(server, "log", "--find", "93002").stdout)
        self.assertEqual(len(self.run_command(server, "log", "--lines", "2").stdout.splitlines()), 2)
        self.assertEqual(self.shown(server, "reload")["closed_lists"], [])
        self.assertEqual(self.shown(server, "check")["faults"], [])
        self.assertEqual(self.shown(server, "campaign", "stop", "Campaign1")["GSW_USER_EVENT"], "CampaignStopped")
        self.assertEqual(self.shown(server, "list", "alter", "CL_Test"), {"statements": [], "done": False})
        self.assertEqual(self.shown(server, "proxy", "restart")[0]["listener"], "default")
        copy = str(server.folder / "copy")
        self.assertGreater(self.shown(server, "backup", copy)["bytes"], 0)
        server.stop()
        self.assertTrue(self.shown(server, "restore", copy)["before"])

    def test_principals(self) -> None:
        """Who may do what is shown, and no key."""
        server = make_server(self, more='[[api_key]]\nname = "crm"\nkey_file = "crm.key"\nactions = ["AddRecord"]\n')
        key = server.folder / "crm.key"
        key.write_text(digest_of("a long key of somebody"), encoding="ascii")
        key.chmod(0o600)
        server.start()
        (found,) = self.shown(server, "principals")
        self.assertEqual((found["name"], found["actions"], found["tenants"]), ("crm", ["AddRecord"], None))
        told = self.run_command(server, "principals").stdout
        self.assertRegex(told, r"crm .* never +all +AddRecord +all")
        self.assertNotIn(digest_of("a long key of somebody")[:16], told + json.dumps(found))
        server.stop()

    def test_following(self) -> None:
        """`log --follow` shows what comes, and ends well with Ctrl-C."""
        server = make_server(self).start()
        command = [sys.executable, "-m", "ocsgw.ctl", "-c", str(server.config), "log", "--follow", "--find", "93013"]
        follower = subprocess.Popen(
            command,
            cwd=server.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
            # A shell that runs the tests in the background has let them ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
        )
        assert follower.stdout is not None
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        server.reload()
        self.assertIn(" 93013 ", follower.stdout.readline())
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(PATIENCE), 0)
        server.stop()
