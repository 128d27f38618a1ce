"""Outgoing calls of a whole server to a real receiver (outgoing.md; examples E30, E31, E36)."""

import json
import os
import subprocess
import sys
import urllib.request
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.receiver import Ledger, Sent, receive
from tests.integration.server import ROOT, Server, make_server


class OutgoingTests(TestCase):
    """Pre-dial validation and notifications."""

    def start(self, ledger: Ledger, more: str) -> Server:
        """Start a server with `{uri}` in its configuration."""
        server = make_server(self, more=more.replace("{uri}", ledger.uri("")))
        return server.start()

    def ask(self, server: Server, target: str, **members: Any) -> dict[str, Any]:
        """Send a request; return the body of the answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}{target}",
            json.dumps(members).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def preview(self, server: Server) -> dict[str, Any]:
        """Ask for a record."""
        return self.ask(server, "/campaigngroups/102?req=PreviewRecordRequest")

    def test_validation(self) -> None:
        """E30, O10: the body of the example; 200 hands out, 409 keeps back with the result of the answer."""
        ledger = receive(self)
        server = self.start(
            ledger, '[pre_dial_validation]\npre_dial_validation = true\nvalidation_uri = "{uri}/validate?x=1"\n'
        )
        for phone in ("6505550100", "6505550101"):
            self.ask(server, "/lists/CL_Test?req=AddRecord", GSW_PHONE=phone)

        def answer(sent: Sent) -> tuple[int, bytes]:
            kept = sent.body["GSW_PHONE"] == "6505550100"
            return (409, b'{"GSW_CALL_RESULT":40}') if kept else (200, b"")

        ledger.answer = answer
        event = self.preview(server)
        self.assertEqual(event["GSW_PHONE"], "6505550101")
        first, second = ledger.calls
        self.assertEqual(first.path, "/validate?x=1")
        self.assertEqual(first.headers["Content-Type"], "application/json; charset=utf-8")
        event.pop("GSW_USER_EVENT")
        self.assertEqual(second.body, event)
        self.assertEqual(
            list(first.body),
            [
                "GSW_APPLICATION_ID", "GSW_RECORD_HANDLE", "GSW_CALLING_LIST", "GSW_CAMPAIGN_NAME", "GSW_CHAIN_ID",
                "GSW_RECORD_URI", "GSW_CAMPAIGN_GROUP_NAME", "GSW_CAMPAIGN_GROUP_DBID", "GSW_CAMPAIGN_MODE",
                "GSW_CALLING_LIST_DBID", "GSW_CHAIN_N", "GSW_PHONE", "GSW_PHONE_TYPE", "GSW_RECORD_TYPE",
                "GSW_CALL_RESULT", "GSW_ATTEMPTS", "GSW_FROM", "GSW_UNTIL", "GSW_TZ_NAME", "GSW_TZ_OFFSET",
                "GSW_CALL_ATTEMPT_GUID",
            ],
        )  # fmt: skip
        self.assertEqual(self.preview(server)["GSW_USER_EVENT"], "PreviewRecordEmpty")
        ledger.answer = lambda sent: (500, b"")
        self.ask(server, "/lists/CL_Test?req=AddRecord", GSW_PHONE="1")
        self.assertEqual(self.preview(server)["GSW_USER_EVENT"], "PreviewRecordEmpty")
        server.wait_until(lambda: " 93010 " in server.log())
        self.assertIn("/validate failed: status 500", server.log())
        server.stop()

    def test_validate_test(self) -> None:
        """`ocsctl validate-test` asks through the proxy, with the headers of the section, and says what that means."""
        ledger = receive(self)
        server = self.start(ledger, "")

        def ask(uri: str) -> tuple[int, str]:
            done = subprocess.run(
                [sys.executable, "-m", "ocsgw.ctl", "--config", str(server.config), "validate-test", uri],
                cwd=server.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            return done.returncode, done.stdout + done.stderr

        status, said = ask(ledger.uri("/validate"))
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"^positive: status 200, after [0-9.]+ s\nthe record would be handed out\n$")
        self.assertEqual(ledger.calls[0].body["GSW_PHONE"], "6505550100")
        ledger.answer = lambda sent: (409, b'{"GSW_CALL_RESULT":40}')
        status, said = ask(ledger.uri("/validate"))
        self.assertEqual(status, 0, said)
        self.assertIn('members of the answer: {"GSW_CALL_RESULT": 40}\nthe record would not be', said)
        status, said = ask("http://127.0.0.1:1/")
        self.assertEqual(status, 1, said)
        self.assertIn("failed: ", said)
        status, said = ask("ftp://x/")
        self.assertEqual(status, 64, said)
        self.assertIn("is not a valid URI", said)
        server.stop()

    NOTIFICATIONS = """
[notifications]
send_campaigngroup_states = true
campaigngroup_states_uri = "{uri}/status"
campaigngroup_states_interval = "200ms"
campaigngroup_states_per_list = true
send_history = true
history_uri = "{uri}/history"
contact_processed_notification = true
contact_processed_notification_uri = "{uri}/processed"
"""

    def finish(self, server: Server, phone: str) -> None:
        """Have a record added, handed out and processed."""
        self.ask(server, "/lists/CL_Test?req=AddRecord", GSW_PHONE=phone)
        handle = self.preview(server)["GSW_RECORD_HANDLE"]
        self.ask(server, f"/records/{handle}?req=RecordProcessed", GSW_CALL_RESULT=33)

    def test_notifications(self) -> None:
        """E31, E36, section 4: each kind arrives with the members of its table, statistics as JSON numbers."""
        ledger = receive(self)
        server = self.start(ledger, self.NOTIFICATIONS)
        server.wait_until(lambda: ledger.of("/status"))
        self.assertIsNone(ledger.of("/status")[-1]["GSW_STAT_HIT_RATIO"])
        self.finish(server, "6505550100")
        server.wait_until(lambda: len(ledger.of("/history")) == 2 and ledger.of("/processed"))
        self.assertEqual([each["GSW_HIST_SEQUENCE_NUM"] for each in ledger.of("/history")], [0, 1])
        self.assertEqual(ledger.of("/processed")[0]["GSW_CHAIN_OPEN"], 0)
        server.wait_until(lambda: [each["GSW_STAT_HIT_RATIO"] for each in ledger.of("/status")[-1:]] == [1])
        body = ledger.of("/status")[-1]
        self.assertEqual(
            list(body),
            [
                "GSW_TENANT_NAME", "GSW_TENANT_CCID", "GSW_CAMPAIGN_GROUP_NAME", "GSW_CAMPAIGN_GROUP_GUID",
                "GSW_CAMPAIGN_GROUP_STATE", "GSW_GROUP_NAME", "GSW_CAMPAIGN_NAME", "GSW_CAMPAIGN_TEMPLATE_NAME",
                "GSW_DIAL_MODE", "GSW_STAT_BUSY_FACTOR", "GSW_STAT_HIT_RATIO", "GSW_STAT_OVERDIAL_RATE",
                "GSW_STAT_TIME_TO_COMPLETE", "GSW_CALLING_LISTS",
            ],
        )  # fmt: skip
        self.assertEqual(
            body["GSW_CALLING_LISTS"][0],
            {
                "GSW_CALLING_LIST": "CL_Test", "GSW_CALLING_LIST_DBID": 201, "GSW_STAT_HIT_RATIO": 1,
                "GSW_STAT_TIME_TO_COMPLETE": None,
            },
        )  # fmt: skip
        self.assertEqual((body["GSW_CAMPAIGN_GROUP_STATE"], body["GSW_DIAL_MODE"]), ("Started", "Preview"))
        self.assertIn(" 81001 ", server.log())
        server.stop()

    def test_receiver_away(self) -> None:
        """O52, O53: what the receiver does not take waits, over a kill of the server, and arrives in order."""
        ledger = receive(self)
        server = self.start(ledger, self.NOTIFICATIONS)
        ledger.answer = lambda sent: (503, b"")
        for phone in range(5):
            self.finish(server, str(phone))
        server.wait_until(lambda: " 93242 " in server.log())
        server.kill_parent()
        ledger.calls.clear()
        ledger.answer = lambda sent: (200, b"")
        server.start()
        server.wait_until(lambda: len(ledger.of("/history")) >= 10 and len(ledger.of("/processed")) >= 5)
        seen: dict[str, list[int]] = {}
        for each in ledger.of("/history"):
            seen.setdefault(each["GSW_CALL_ATTEMPT_GUID"], []).append(each["GSW_HIST_SEQUENCE_NUM"])
        self.assertEqual(list(seen.values()), [[0, 1]] * 5)
        server.stop()

    def test_hand_outs_wait(self) -> None:
        """O55: nothing is handed out while too many reports wait, also after a restart; then it goes on."""
        ledger = receive(self)
        server = self.start(ledger, self.NOTIFICATIONS + "history_wait_condition_threshold = 2\n")
        ledger.answer = lambda sent: (503, b"")
        for phone in range(3):
            self.ask(server, "/lists/CL_Test?req=AddRecord", GSW_PHONE=str(phone))
        events = [self.preview(server)["GSW_USER_EVENT"] for _ in range(3)]
        self.assertEqual(events, ["PreviewRecord", "PreviewRecord", "PreviewRecordEmpty"])
        self.assertIn("2 call report records wait: nothing is handed out", server.log())
        server.kill_parent()
        server.start()
        self.assertEqual(self.preview(server)["GSW_USER_EVENT"], "PreviewRecordEmpty")
        ledger.answer = lambda sent: (200, b"")
        server.wait_until(lambda: self.preview(server)["GSW_USER_EVENT"] == "PreviewRecord")
        server.wait_until(lambda: " 93247 " in server.log())
        server.stop()
