"""What a real server counts: every metric that operators were promised, right, and without a contact in a label."""

import re
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import TestCase

from ocsgw.access.keys import digest_of
from tests.integration.receiver import receive
from tests.integration.server import make_server

LISTENER = """
[[listener]]
id = "admin"
protocol = "admin"
interface = "127.0.0.1"
port = 0
"""
MORE = """
[[api_key]]
name = "chief"
key_file = "chief.key"
[ha]
enabled = true
name = "one"
[pre_dial_validation]
pre_dial_validation = true
validation_uri = "{uri}/validate"
[notifications]
send_history = true
history_uri = "{uri}/history"
"""
KEY = "correct horse battery"
HEADERS = {"Authorization": f"Bearer {KEY}"}
BLOCKED, CALLED = "6505550142", "6505550143"
# What is there on every server, whatever it has done.
ALWAYS = (
    "ocsgw_requests_total", "ocsgw_request_seconds_count", "ocsgw_requests_in_flight", "ocsgw_link_window_requests",
    "ocsgw_commits_total", "ocsgw_batch_requests_count", "ocsgw_proxy_state", "ocsgw_proxy_process_starts",
    "ocsgw_proxy_uptime_seconds", "ocsgw_role", "ocsgw_lease_epoch", "ocsgw_lease_remaining_seconds",
    "ocsgw_reactor_lag_seconds_count", "ocsgw_store_open", "ocsgw_health",
)  # fmt: skip


class MetricsTests(TestCase):
    """`/metrics` of a running OCS."""

    timeout = 120

    def read(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Return every sample by name and labels."""
        request = urllib.request.Request(f"{self.base}/metrics", headers=HEADERS)
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.page = answer.read().decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.page)
            for sample in family.samples
        }

    def test_everything(self) -> None:
        """Each thing that happens is counted where it is looked for."""
        ledger = receive(self)
        ledger.answer = lambda sent: (500, b"") if sent.path == "/history" else (200, b"")
        server = make_server(
            self, application='state_dir = "state"', listener=LISTENER, more=MORE.replace("{uri}", ledger.uri(""))
        )
        key = server.folder / "chief.key"
        key.write_text(digest_of(KEY), encoding="ascii")
        key.chmod(0o600)
        server.start()
        self.base = "http://127.0.0.1:" + re.findall(r"Admin listener admin is ready on \S+:(\d+)", server.log())[0]
        for target, members in (
            (f"/phones/{BLOCKED}?req=DoNotCall", {}),
            ("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": BLOCKED}),
            ("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": CALLED}),
            ("/campaigngroups/102?req=PreviewRecordRequest", {}),
        ):
            self.assertEqual(server.post(target, members, HEADERS).status, 200)
        replayed = {**HEADERS, "Idempotency-Key": "once"}
        for _ in range(2):
            server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": CALLED}, replayed)
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": CALLED}).status, 401)
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", b'{"GSW_PHONE":"\xff"}', HEADERS).status, 400)
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{self.base}/metrics", timeout=30)
        # What a proxy counts reaches OCS once a second; a notification is sent a little after the change.
        wanted = {
            ("ocsgw_requests_total", (("code", "ok"), ("request", "AddRecord"))): 4.0,
            ("ocsgw_dnc_blocked_total", (("occasion", "add"),)): 1.0,
            ("ocsgw_idempotent_replays_total", ()): 1.0,
            ("ocsgw_refused_logins_total", (("protocol", "http"),)): 1.0,
            ("ocsgw_refused_logins_total", (("protocol", "admin"),)): 1.0,
            ("ocsgw_transcoding_errors_total", ()): 1.0,
            ("ocsgw_outgoing_calls_total", (("outcome", "positive"), ("purpose", "validation"))): 1.0,
            ("ocsgw_role", (("role", "primary"),)): 1.0,
            ("ocsgw_lease_epoch", ()): 1.0,
            ("ocsgw_link_window_requests", (("proxy", "default"),)): 1024.0,
        }
        server.wait_until(lambda: wanted.items() <= self.read().items())
        failed = ("ocsgw_outgoing_calls_total", (("outcome", "failed"), ("purpose", "history")))
        waiting = ("ocsgw_notifications_waiting", ())
        server.wait_until(lambda: (found := self.read()).get(failed, 0) >= 1 and found[waiting] >= 1)
        server.wait_until(lambda: self.read()["ocsgw_notifications_lag_seconds", ()] > 0)
        names = {name for name, _ in self.read()}
        self.assertEqual(set(ALWAYS) - names, set())
        for contact in (BLOCKED, CALLED, CALLED[-7:]):
            self.assertNotIn(contact, self.page)
        server.stop()
