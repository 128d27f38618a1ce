"""The health of a server in one word, with its reasons."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.control.health import CHECK_STATUS, health_of

PROXY: dict[str, Any] = {
    "name": "default",
    "state": "running",
    "starts": 1,
    "uptime": 12,
    "next_start": None,
    "in_flight": 3,
    "window": 1024,
}
WAITING = {**PROXY, "name": "second", "state": "waiting", "uptime": None, "next_start": 8, "in_flight": 0}
GOOD: dict[str, Any] = {
    "state": "active",
    "role": "primary",
    "lease_trouble": None,
    "store": {"state": "open", "reason": None},
    "proxies": [PROXY],
    "closed_lists": [],
    "chores": [],
    "holds": False,
    "reload_refused": None,
}
# What is different, the word, a reason.
CASES: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({}, "good", ""),
    ({"proxies": []}, "good", ""),
    ({"state": "standby", "proxies": []}, "good", ""),
    ({"proxies": [PROXY, WAITING]}, "degraded", "HTTP Proxy of listener second is waiting"),
    ({"closed_lists": [{"name": "A", "reason": "it lacks x"}]}, "degraded", "calling list A is closed: it lacks x"),
    ({"chores": [{"name": "x", "failures": 3}]}, "degraded", "housekeeping fails: x, 3 times in a row"),
    (
        {"holds": True},
        "degraded",
        "nothing is handed out: too many call report records wait for their receiver",
    ),
    ({"reload_refused": "line 1"}, "degraded", "the changed configuration was refused: line 1"),
    ({"proxies": [WAITING]}, "down", "no HTTP Proxy is running"),
    ({"proxies": [], "http_listeners": 1}, "down", "no HTTP Proxy is running"),
    ({"state": "standby", "proxies": [], "http_listeners": 1}, "good", ""),
    (
        {"state": "opening", "store": {"state": "opening", "reason": "disk full"}},
        "down",
        "the store is opening: disk full",
    ),
    ({"state": "stopping"}, "down", "OCS is stopping"),
    ({"lease_trouble": "no such table"}, "degraded", "the lease of the store cannot be looked after: no such table"),
    (
        {"lease_trouble": "no such table", "state": "standby", "role": "backup", "proxies": []},
        "down",
        "the lease of the store cannot be looked after: no such table",
    ),
    ({"store": {"state": "failing", "reason": "disk full"}}, "down", "the store is failing: disk full"),
)


class HealthTests(SynchronousTestCase):
    """Each reason, and what it makes of the word."""

    def test_table(self) -> None:
        """Good, degraded or down; every reason is in words."""
        for change, word, reason in CASES:
            with self.subTest(change=change):
                health = health_of({**GOOD, **change})
                self.assertEqual(health.word, word)
                if reason:
                    self.assertIn(reason, health.problems)
                else:
                    self.assertEqual(health.problems, [])

    def test_exit_statuses(self) -> None:
        """Monitoring knows 0, 1 and 2."""
        self.assertEqual(CHECK_STATUS, {"good": 0, "degraded": 1, "down": 2})
