"""`ocsctl explain`."""

import json
import os
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ctl.errors import CommandError
from ocsgw.ctl.explain import in_words, parse_time
from tests.ctl.support import CommandTestCase


class CommandTests(CommandTestCase):
    """The command."""

    def setUp(self) -> None:
        super().setUp()
        rows = "GSW_PHONE,GSW_FROM,GSW_UNTIL,GSW_TZ_NAME\n650-555-0100,32400,72000,PST\n"
        self.run_command("list", "import", "CL_Test", self.write("f.csv", rows))

    def test_words(self) -> None:
        """H271: outside the window the next opening is reported in both times, inside its end (in its own group)."""
        done = self.run_command("explain", "6505550100", "--at", "2026-11-23T07:15Z")
        self.assertEqual((done.status, done.output.splitlines()[0]), (0, "6505550100 at 2026-11-23 07:15 UTC"))
        self.assertIn("CL_Test, record 1 (chain 1, number 0): 650-555-0100", done.output)
        self.assertIn("Campaign1@Group1: not before 2026-11-23 09:00 PST (2026-11-23 17:00 UTC):\n", done.output)
        self.assertIn("H271: it is outside its daily window 09:00 to 20:00 in PST", done.output)
        done = self.run_command("explain", "6505550100", "--at", "2026-11-23 18:00+00:00")
        self.assertIn(
            "Campaign1@Group1: would be handed out now in its turn, until 2026-11-23 20:00:01 PST", done.output
        )

    def test_json(self) -> None:
        """For programs it is one JSON object with the same content."""
        done = self.run_command("explain", "6505550100", "--json", "--at", "2026-11-23T07:15Z")
        (record,) = json.loads(done.output)["records"]
        (verdict,) = record["verdicts"]
        self.assertEqual((verdict["would"], verdict["not_before"]), (False, parse_time("2026-11-23T17:00Z")))

    def test_unreadable(self) -> None:
        """K63: a record with a value that cannot be read is shown with the column, not passed over in silence."""
        for column, value in (("dial_sched_time", "-62135596800"), ("attempt", "''"), ("remarks", "x'ff'")):
            self.sql(f"UPDATE CL_Test SET {column} = {value}")
            done = self.run_command("explain", "6505550100")
            self.assertNotIn("No record", done.output)
            self.assertIn("CL_Test, record 1 (chain 1): 650-555-0100\n  never handed out: its value in", done.output)
            self.assertIn(f"in column {column} cannot be read; correct it in the database", done.output)
            self.sql(f"UPDATE CL_Test SET {column} = NULL")
        self.assertIn("number 0", self.run_command("explain", "6505550100").output)

    def test_unknown_number(self) -> None:
        """A number of no record says so, and that the do-not-call list has no entry."""
        done = self.run_command("explain", "1")
        self.assertIn("No record of any calling list has this contact.", done.output)
        self.assertIn("Do-not-call list: no entry", done.output)

    def test_wrong_time(self) -> None:
        """A time that is none, or far outside the calendar, is refused with an example (exit status 64)."""
        done = self.run_command("explain", "1", "--at", "tomorrow")
        self.assertEqual(done.status, 64)
        self.assertIn("write for example", done.messages)
        done = self.run_command("explain", "1", "--at", "1969-01-01T00:00Z")
        self.assertEqual(done.status, 64, done)


class WordTests(SynchronousTestCase):
    """The text."""

    def explained(self, **verdict: Any) -> dict[str, Any]:
        """Return an explanation of one record."""
        common = {"group": "C@G", "agent": "", "would": False, "reasons": [], "not_before": None, "until": None}
        return {
            "contact": "1",
            "at": 0,
            "unavailable": ["CL_Gone"],
            "unreadable": [],
            "entries": [{"text": "for 1 in every tenant", "expires_at": 0}, {"text": "x", "expires_at": -0}],
            "records": [
                {
                    "calling_list": "L", "record_id": 1, "chain_id": 2, "chain_n": 3, "contact": "1",
                    "zone": "Europe/Paris", "facts": ["a fact"], "verdicts": [{**common, **verdict}],
                }
            ],
        }  # fmt: skip

    def test_somebody_has_to_act(self) -> None:
        """Reasons that do not end by themselves are reported as such, with the agent of a personal callback (H271)."""
        reasons = [{"rule": "H270", "text": "stopped", "until": None}]
        text = in_words(self.explained(agent="Smith", reasons=reasons))
        self.assertIn("  C@G: not handed out to agent Smith until somebody changes that:\n    H270: stopped\n", text)
        self.assertIn("calling list CL_Gone cannot be used", text)
        self.assertIn("Do-not-call list: entry for 1 in every tenant\n", text)

    def test_entry_that_is_over(self) -> None:
        """An entry that has ended is marked (K43)."""
        explained = self.explained(would=True)
        explained["at"], explained["entries"][1]["expires_at"] = 100, 100
        text = in_words(explained)
        self.assertIn("Do-not-call list: entry x (over)", text)
        self.assertIn("C@G: would be handed out now in its turn\n", text)

    def test_no_groups(self) -> None:
        """A list without a campaign group is reported as such."""
        explained = self.explained()
        explained["records"][0]["verdicts"] = []
        self.assertIn("no campaign group hands out records of this list", in_words(explained))

    def test_local_time(self) -> None:
        """A time without a zone is local time."""
        before = os.environ.get("TZ")
        os.environ["TZ"] = "Asia/Tokyo"
        time.tzset()
        try:
            self.assertEqual(parse_time("2026-11-23 09:00"), parse_time("2026-11-23T00:00Z"))
        finally:
            if before is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = before
            time.tzset()
        self.assertRaises(CommandError, parse_time, "99999-01-01")
