"""`ocsctl history`."""

import json

from ocsgw.ctl.history import in_words
from tests.ctl.support import CommandTestCase


class HistoryTests(CommandTestCase):
    """The command."""

    def test_command(self) -> None:
        """What is not known says so; a record is named in exactly one way (exit status 64)."""
        done = self.run_command("history", "6505550100")
        self.assertEqual((done.status, done.output), (0, "Nothing is known of such a record.\n"))
        self.assertEqual(json.loads(self.run_command("history", "--handle", "3", "--json").output), [])
        for arguments in ((), ("1", "--chain", "2"), ("--handle", "1", "--chain", "2")):
            done = self.run_command("history", *arguments)
            self.assertEqual(done.status, 64)
            self.assertIn("exactly one of CONTACT, --handle and --chain", done.messages)

    def test_imported(self) -> None:
        """A record of which no change is known is shown as it is now."""
        self.run_command("list", "import", "CL_Test", self.write("f.csv", "GSW_PHONE\n6505550100\n"))
        done = self.run_command("history", "6505550100")
        self.assertIn("CL_Test, chain 1\n  no change is known\n  record 1 now:\n", done.output)
        self.assertIn('      contact_info: "6505550100"\n', done.output)

    def test_words(self) -> None:
        """Changes have time, request, principal, group and handle; columns the values before and after."""
        change = {
            "at": 1774103400, "kind": "RecordProcessed", "record_id": 1, "group": "G", "handle": 7, "principal": "ivr",
            "before": {"attempt": 0}, "after": {"attempt": 1, "call_result": 33},
        }  # fmt: skip
        text = in_words([{"calling_list": "L", "chain_id": 1, "changes": [change], "records": []}], None)
        self.assertEqual(
            text,
            "L, chain 1\n"
            "  2026-03-21 14:30:00 UTC  record 1: RecordProcessed by ivr in G, handle 7\n"
            "      attempt: 0 -> 1\n"
            "      call_result: ? -> 33\n",
        )
