"""Auto completion of campaign groups (protocol.md P126, P127)."""

from typing import Any

from ocsgw.contact.completion import complete_groups
from ocsgw.contact.directory import Directory
from ocsgw.contact.unit_of_work import UnitOfWork
from tests.support.rules import RuleTestCase, by_handle, make_directory, of_group, pending


class CompletionTests(RuleTestCase):
    """When a group is complete, and what happens then."""

    def make_directory(self) -> Directory:
        return make_directory(state="unloaded")

    def complete(self) -> tuple[int, list[str], list[int]]:
        """Look once; return how many groups were complete, the events and the messages."""
        units: list[UnitOfWork] = []

        def look(unit: UnitOfWork) -> int:
            units.append(unit)
            return complete_groups(unit)

        count = self.store.chore(look)
        events = [each.event for each in units[0].outbox]  # type: ignore[union-attr,unused-ignore]
        return count, events, [number for number, _ in units[0].group_messages]

    def order(self, request: str, **keys: Any) -> str:
        """Send an order; return the event or the code of the refusal."""
        (reply,) = self.replies(pending(of_group(request, **keys), client="third_party"))
        return str(reply.get("error", reply.get("GSW_USER_EVENT")))

    def test_complete(self) -> None:
        """P127: it is stopped and unloaded in one go, once; what is added afterwards waits for the next start."""
        self.order("StartDialing", GSW_AUTO_COMPLETION=1)
        expected = (1, ["CampaignStopped", "CampaignUnloaded"], [52002, 52004])
        self.assertEqual(self.complete(), expected)
        self.assertEqual(self.complete(), (0, [], []))
        self.add()
        self.assertEqual(self.order("CampaignStatusRequest"), "CampaignUnloaded")

    def test_work_left(self) -> None:
        """P127: whatever could be handed out now or later keeps the group going; what cannot does not."""
        columns: list[tuple[dict[str, Any], bool]] = [
            ({}, True),
            ({"GSW_RECORD_TYPE": 6, "GSW_DATE_TIME": "01/01/2037 00:00"}, True),
            ({"GSW_FROM": 0, "GSW_UNTIL": 1}, True),
            ({"GSW_RECORD_TYPE": 5, "GSW_DATE_TIME": "01/01/2037 00:00", "GSW_AGENT_ID": "A"}, True),
            ({"GSW_RECORD_TYPE": 7}, False),
            ({"GSW_RECORD_STATUS": 3}, False),
            ({"GSW_RECORD_STATUS": 9}, False),
        ]
        self.order("StartDialing", GSW_AUTO_COMPLETION=1)
        for keys, is_work in columns:
            with self.subTest(keys=keys):
                self.add(**keys)
                self.assertEqual(self.complete()[0], 0 if is_work else 1)
                self.store.sql("DELETE FROM CL_Test")
                self.order("StartDialing", GSW_AUTO_COMPLETION=1)

    def test_live_handout(self) -> None:
        """P127: a record in process is work too."""
        self.order("StartDialing", GSW_AUTO_COMPLETION=1)
        handle = self.hand_out("6505550100")
        self.assertEqual(self.complete()[0], 0)
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.complete()[0], 1)

    def test_switch(self) -> None:
        """P126: the key is stored with the state, also where that does not change; unloading puts it back."""
        self.order("StartDialing")
        self.assertEqual(self.complete()[0], 0)
        self.order("StartDialing", GSW_AUTO_COMPLETION=1)
        self.store.restart()
        self.assertEqual(self.complete()[0], 1)
        self.order("StartDialing")
        self.assertEqual(self.complete()[0], 0)
        self.order("SetDialingMode", GSW_CAMPAIGN_MODE="Preview", GSW_AUTO_COMPLETION=1)
        self.order("StopDialing")
        self.order("LoadCampaign", GSW_AUTO_COMPLETION=0)
        self.order("StartDialing")
        self.assertEqual(self.complete()[0], 0)
        self.assertEqual(self.order("StartDialing", GSW_AUTO_COMPLETION=2), "invalid_attribute")

    def test_option(self) -> None:
        """The option decides where nothing was said."""
        directory = make_directory()
        for group in directory.groups:
            object.__setattr__(group, "auto_complete", True)
        self.use_directory(directory)
        self.order("StartDialing", GSW_AUTO_COMPLETION=0)
        self.assertEqual(self.complete()[0], 0)
        self.order("ForceUnloadCampaign")
        self.order("StartDialing")
        self.assertEqual(self.complete()[0], 1)
