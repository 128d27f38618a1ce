"""ScheduledCall: what goes to whom, and when (protocol.md P23, P34, P135, P92)."""

from typing import Any, cast

from ocsgw.access.permissions import Permissions
from ocsgw.contact.directory import Directory
from ocsgw.contact.scheduled_calls import (
    ScheduledCall,
    WaitingDesktop,
    agents_with_callbacks,
    hand_out_callbacks,
)
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.messages import KV
from tests.support.rules import BASE_URI, GROUP, RuleTestCase, make_directory, of_group


def desktop(agent: str, session: int = 7, campaigns: str = "Campaign1", **values: Any) -> WaitingDesktop:
    """Return a desktop that waits."""
    context = RequestContext(client="desktop", agent_id=agent, session=session, base_uri=BASE_URI, **values)
    return WaitingDesktop(context, frozenset(campaigns.split()))


class ScheduledCallTests(RuleTestCase):
    """Rounds of hand-outs."""

    def make_directory(self) -> Directory:
        return make_directory(principals={"elsewhere": Permissions(campaign_groups=frozenset({"Other"}))})

    def callback(
        self, agent: str = "A", when: str = "09/21/2026 14:00", phone: str = "6505550100", **keys: Any
    ) -> None:
        """Add a personal callback; now is 14:13:20."""
        self.add(phone, GSW_RECORD_TYPE=5, GSW_DATE_TIME=when, GSW_AGENT_ID=agent, **keys)

    def calls(self, *desktops: WaitingDesktop) -> list[ScheduledCall]:
        found = self.store.chore(lambda unit: hand_out_callbacks(unit, desktops))
        self.assertTrue(all(isinstance(each, ScheduledCall) for each in found))
        return cast("list[ScheduledCall]", found)

    def phones(self, *desktops: WaitingDesktop) -> list[tuple[int, Any]]:
        return [(each.session, each.event["GSW_PHONE"]) for each in self.calls(*desktops)]

    def test_event(self) -> None:
        """The event has the keys of PreviewRecord, no reference id, and is a hand-out: it comes once."""
        self.callback()
        ((call,)) = self.calls(desktop("A"))
        self.assertEqual(call.event["GSW_USER_EVENT"], "ScheduledCall")
        for key in (
            "GSW_RECORD_HANDLE",
            "GSW_RECORD_URI",
            "GSW_CAMPAIGN_MODE",
            "GSW_CALL_ATTEMPT_GUID",
            "GSW_DATE_TIME",
        ):
            self.assertIn(key, call.event)
        self.assertNotIn("GSW_REFERENCE_ID", call.event)
        self.assertEqual(self.calls(desktop("A")), [])
        self.assertEqual(self.column("record_status"), [2])
        done: KV = {"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": call.event["GSW_RECORD_HANDLE"]}
        self.assertEqual(self.reply(done)["GSW_USER_EVENT"], "RecordProcessedAcknowledge")

    def test_only_what_is_due_for_the_agent(self) -> None:
        """Not what is for others, for anybody, not due, outside its window, or blocked."""
        self.callback("B", phone="1")
        self.callback("A", "09/21/2026 14:30", "2")
        self.callback("A", phone="3", GSW_FROM=0, GSW_UNTIL=60)
        self.callback("A", phone="4")
        self.reply({"GSW_AGENT_REQ_TYPE": "DoNotCall", "GSW_PHONE": "4"})
        self.add("5")
        self.add("6", GSW_RECORD_TYPE=6, GSW_DATE_TIME="09/21/2026 14:00")
        self.assertEqual(self.phones(desktop("A")), [])
        self.store.now += 3600
        self.assertEqual(self.phones(desktop("A", 1), desktop("B", 2)), [(1, "2"), (2, "1")])

    def test_several(self) -> None:
        """All that are due, for many agents, in slices."""
        for number in range(250):
            self.callback(f"A{number}", phone=f"{1000 + number}")
        found = self.phones(*(desktop(f"A{number}", number) for number in range(250)))
        self.assertEqual(sorted(found), [(number, f"{1000 + number}") for number in range(250)])
        self.assertGreater(self.store.further, 0)

    def test_agents(self) -> None:
        """Who has callbacks is known before a desktop is looked at, unless very many have."""
        self.assertEqual(self.store.chore(agents_with_callbacks), frozenset())
        self.callback("A7")
        self.callback("A8", "09/21/2026 23:00")
        self.assertEqual(self.store.chore(agents_with_callbacks), {"A7", "A8"})
        for number in range(200):
            self.callback(f"B{number}", phone=f"{1000 + number}")
        self.assertIsNone(self.store.chore(agents_with_callbacks))

    def test_groups(self) -> None:
        """Only from a started group, of a campaign that the desktop takes and a group that its principal may touch."""
        self.callback()
        self.reply(of_group("StopDialing", GROUP))
        self.assertEqual(self.calls(desktop("A")), [])
        self.reply(of_group("StartDialing", GROUP))
        self.assertEqual(self.calls(desktop("A", campaigns="Other")), [])
        self.assertEqual(self.calls(desktop("A", principal="elsewhere")), [])
        self.assertEqual(self.calls(desktop("A", tenant="Second")), [])
        self.assertEqual(len(self.calls(desktop("A", tenant="Environment"))), 1)
