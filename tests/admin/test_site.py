"""The admin listener: health, metrics, and who may see what."""

import hashlib
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.access.keys import KeyMark, KeyRing, salted
from ocsgw.admin.access import AdminAccess
from ocsgw.admin.imports.kept_files import KeptFiles
from ocsgw.admin.imports.office import ImportOffice
from ocsgw.admin.site import AdminSite
from ocsgw.control.health import health_of
from ocsgw.counters import COMMIT_SECONDS, COMMITS
from tests.admin.support import shared_of
from tests.control.test_health import CASES, PROXY, WAITING

KEY = "correct horse"
NOW = 1_800_000_000.0


def running() -> dict[str, Any]:
    """Return the status of a server that serves."""
    return {
        "version": "1.2.3",
        "state": "active",
        "role": "primary",
        "uptime": 12,
        "store": {"state": "open", "reason": None},
        "closed_lists": [],
        "chores": [],
        "lease": None,
        "proxies": [{**PROXY, "starts": 2}],
        "holds": False,
        "lease_trouble": None,
        "reload_refused": None,
    }


def key_ring(expires: int | None = None) -> KeyRing:
    """Return a ring with one key."""
    digest = hashlib.sha256(KEY.encode()).digest()
    return KeyRing([KeyMark("monitor", b"salt".hex(), salted(b"salt", digest).hex(), expires)])


class SiteTests(SynchronousTestCase):
    """Requests to one admin listener."""

    def setUp(self) -> None:
        self.current = running()
        self.access = AdminAccess(KeyRing([]), None, lambda: NOW, verifies=False)

    def status(self) -> dict[str, Any]:
        """What the site sees."""
        return self.current

    def get(self, target: str, key: str | None = None, method: str = "GET") -> tuple[int, str, dict[str, str]]:
        """Return status, body and header fields of an answer."""
        view: Any = self
        clock = Clock()
        imports = ImportOffice(KeptFiles(self.mktemp(), clock.seconds), maybeDeferred, clock.seconds)
        site = AdminSite(view, self.access, clock, shared_of(imports))
        protocol: Any = site.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        authorization = f"Authorization: Bearer {key}\r\n" if key is not None else ""
        protocol.dataReceived(f"{method} {target} HTTP/1.0\r\nHost: x\r\n{authorization}\r\n".encode())
        head, _, body = transport.value().decode().partition("\r\n\r\n")
        line, *fields = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        return int(line.split()[1]), body, headers

    # Health.

    def test_live(self) -> None:
        """`/livez` says that the loop turns, whatever else is."""
        self.current["state"] = "opening"
        self.assertEqual(self.get("/livez")[:2], (200, "ok\n"))

    def test_ready(self) -> None:
        """`/readyz` is 200 on a primary that serves."""
        self.assertEqual(self.get("/readyz")[:2], (200, "ok\n"))
        self.assertEqual(self.get("/readyz?role=primary")[0], 200)

    def test_not_ready(self) -> None:
        """`/readyz` is 503 with the reason for everything that keeps requests from being carried out."""
        for change, words in (
            ({"state": "opening"}, "OCS is opening"),
            ({"state": "stopping"}, "OCS is stopping"),
            ({"state": "standby", "role": "backup"}, "this server is backup"),
            ({"store": {"state": "failing", "reason": "disk I/O error"}}, "the store is failing: disk I/O error"),
            ({"proxies": [WAITING]}, "no HTTP Proxy is running"),
        ):
            with self.subTest(change=change):
                self.current = {**running(), **change}
                code, body, _ = self.get("/readyz")
                self.assertEqual(code, 503)
                self.assertIn(words, body)

    def test_degraded_is_ready(self) -> None:
        """A closed list or a failing chore keeps nobody from using the others."""
        self.current["closed_lists"] = [{"name": "CL", "reason": "lost a column"}]
        self.assertEqual(self.get("/readyz")[0], 200)
        self.assertIn("[~] lists: calling list CL is closed: lost a column", self.get("/readyz?verbose")[1])
        self.assertIn('ocsgw_health{state="degraded"} 1.0', self.get("/metrics")[1])

    def test_one_judgement(self) -> None:
        """What ends all service for `ocsctl status` does so for `/readyz`, with the same words, and in the metrics."""
        for change, _, _ in CASES:
            with self.subTest(change=change):
                self.current = {**running(), **change}
                health = health_of(self.current)
                code, body, _ = self.get("/readyz?verbose")
                served = health.word != "down" and self.current["state"] == "active"
                self.assertEqual(code, 200 if served else 503)
                for problem in health.problems:
                    self.assertIn(problem, body)
                if health.word == "down":
                    self.assertEqual(code, 503)
                self.assertIn(f'ocsgw_health{{state="{health.word}"}} 1.0', self.get("/metrics")[1])

    def test_backup(self) -> None:
        """`?role=backup` asks for a backup that could take over."""
        self.current.update(state="standby", role="backup", proxies=[])
        self.assertEqual(self.get("/readyz?role=backup")[0], 200)
        self.assertEqual(self.get("/readyz?role=primary")[0], 503)
        self.assertEqual(self.get("/readyz?role=chief")[0], 400)

    def test_verbose(self) -> None:
        """`?verbose` lists each check."""
        self.current["state"] = "opening"
        code, body, _ = self.get("/readyz?verbose")
        self.assertEqual(code, 503)
        self.assertEqual(body.splitlines()[:2], ["[+] role: ok", "[-] state: OCS is opening"])

    # Metrics.

    def test_metrics(self) -> None:
        """`/metrics` is what Prometheus reads, with what the rooms count and what OCS is."""
        COMMITS.add(7, result="test")
        COMMIT_SECONDS.observe(0.002)
        code, body, headers = self.get("/metrics")
        self.assertEqual(code, 200)
        self.assertIn("text/plain", headers["content-type"])
        families = {each.name: each for each in text_string_to_metric_families(body)}
        found = [sample for each in families.values() for sample in each.samples]
        samples = {(each.name, *sorted(each.labels.values())): each.value for each in found}
        self.assertEqual(samples["ocsgw_commits_total", "test"], 7)
        self.assertEqual(samples["ocsgw_state", "active"], 1)
        self.assertEqual(samples["ocsgw_state", "standby"], 0)
        self.assertEqual(samples["ocsgw_info", "1.2.3", "primary"], 1)
        self.assertEqual(samples["ocsgw_proxy_state", "default", "running"], 1)
        self.assertEqual(samples["ocsgw_role", "primary"], 1)
        self.assertEqual(samples["ocsgw_role", "backup"], 0)
        self.assertEqual(samples["ocsgw_proxy_process_starts", "default"], 2)
        self.assertEqual(samples["ocsgw_proxy_uptime_seconds", "default"], 12)
        self.assertEqual(samples["ocsgw_requests_in_flight", "default"], 3)
        self.assertEqual(samples["ocsgw_link_window_requests", "default"], 1024)
        self.assertGreaterEqual(samples["ocsgw_transaction_seconds_bucket", "+Inf"], 1)
        self.assertEqual(families["ocsgw_transaction_seconds"].type, "histogram")

    def test_lease(self) -> None:
        """Without a pair there is no lease to be seen; a proxy that waits has no uptime."""
        self.current["proxies"] = [WAITING]
        body = self.get("/metrics")[1]
        self.assertNotIn("ocsgw_lease", body)
        self.assertNotIn("ocsgw_proxy_uptime_seconds{", body)
        self.current["lease"] = {"epoch": 7, "remaining": 2.5}
        body = self.get("/metrics")[1]
        self.assertIn("ocsgw_lease_epoch 7.0", body)
        self.assertIn("ocsgw_lease_remaining_seconds 2.5", body)

    # Access.

    def test_open(self) -> None:
        """H340: where no key counts, everybody who can connect may look."""
        self.assertEqual(self.get("/metrics")[0], 200)

    def test_key(self) -> None:
        """With a key, everything but health needs one."""
        self.access = AdminAccess(key_ring(), None, lambda: NOW, verifies=False)
        self.assertEqual(self.get("/readyz")[0], 200)
        code, body, headers = self.get("/metrics")
        self.assertEqual((code, headers["www-authenticate"]), (401, "Bearer"))
        self.assertNotIn("ocsgw_", body)
        self.assertEqual(self.get("/metrics", "wrong")[0], 401)
        self.assertEqual(self.get("/metrics", KEY)[0], 200)
        self.assertEqual(self.get("/nothing")[0], 401)

    def test_expired_key(self) -> None:
        """A key that has expired admits nobody."""
        self.access = AdminAccess(key_ring(int(NOW)), None, lambda: NOW, verifies=False)
        self.assertEqual(self.get("/metrics", KEY)[0], 401)

    def test_unknown(self) -> None:
        """An unknown path is reported, other methods are refused, and every answer has the security headers."""
        code, body, headers = self.get("/nothing")
        self.assertEqual(code, 404)
        self.assertIn("/readyz", body)
        self.assertEqual((headers["x-content-type-options"], headers["server"]), ("nosniff", "ocsgw"))
        self.assertEqual(self.get("/livez", method="POST")[0], 405)
