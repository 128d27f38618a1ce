"""`ocsctl top`."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest import mock

from ocsgw.ctl.installation import Installation
from tests.ctl.support import CommandTestCase

_STATUS = {
    "version": "0", "state": "active", "role": "primary", "uptime": 3, "health": "good", "problems": [],
    "waiting": {"restart": [], "proxy_restart": []}, "proxies": [], "groups": [], "pair": None, "lease": None,
    "gateways": None,
}  # fmt: skip


class _Client:
    """A server whose counters grow."""

    def __init__(self) -> None:
        self.views = 0

    def call(self, command: str) -> Any:
        if command == "status":
            return _STATUS
        self.views += 1
        return [
            ["ocsgw_requests_total", {"request": "AddRecord", "code": "ok"}, 100.0 * self.views],
            ["ocsgw_requests_total", {"request": "PreviewRecordRequest", "code": "ok"}, 1000.0],
            ["ocsgw_commits_total", {"result": "committed"}, 10.0 * self.views],
            ["ocsgw_transaction_seconds_sum", {}, 0.02 * self.views],
            ["ocsgw_transaction_seconds_count", {}, 10.0 * self.views],
        ]


class TopTests(CommandTestCase):
    """The live view."""

    def connect(self) -> "mock._patch[Any]":
        """Let commands reach a server."""
        client = _Client()
        connected: AbstractContextManager[_Client] = nullcontext(client)
        return mock.patch.object(Installation, "connect", return_value=connected)

    def test_rates(self) -> None:
        """Each view has the state of the server, and what has happened since the one before."""
        moments = iter((10.0, 12.0))
        with self.connect(), mock.patch("ocsgw.ctl.top.time.monotonic", lambda: next(moments)):
            done = self.run_command("top", "--count", "2", "--interval", "0.1")
        self.assertEqual(done.status, 0, done)
        first, second = done.output.split("ocsgw 0, active")[1:]
        self.assertIn("PreviewRecordRequest  ok      0.0         1000", first)
        self.assertIn("AddRecord             ok      50.0        200", second)
        self.assertIn("transactions: 5.0 per second, 2.00 ms and 0.0 requests each", second)

    def test_ends_with_control_c(self) -> None:
        """Ctrl-C is how the view ends: that is no failure."""
        with self.connect(), mock.patch("ocsgw.ctl.top._print_rates", side_effect=KeyboardInterrupt):
            self.assertEqual(self.run_command("top").status, 0)

    def test_wrong_command_line(self) -> None:
        """Intervals and counts that cannot be meant are refused; without a server the status is 69."""
        for wrong in (("--interval", "0"), ("--interval", "nan"), ("--count", "0"), ("--count", "x")):
            self.assertEqual(self.run_command("top", *wrong).status, 64)
        self.assertEqual(self.run_command("top", "--count", "1").status, 69)
