"""Campaign group status: when it is sent, and that nothing is repeated (outgoing.md section 3)."""

from typing import Any

from ocsgw.protocol.messages import KV, Hello, Ping, Validate, Verdict
from tests.ocs.service import FakeProxy
from tests.ocs.test_ocs_listeners import FakeClient, ListenerTestCase

MORE = """
[notifications]
send_campaigngroup_states = true
campaigngroup_states_uri = "http://bi.example/status?secret"
campaigngroup_states_interval = "10s"
"""


class StatusTests(ListenerTestCase):
    """A third-party application changes a group; the HTTP Proxy is ordered to say so."""

    def begin(self, more: str = MORE) -> None:
        """Start a server; the calls of the start are over."""
        self.configure(listener=self.listener, more=more)
        self.proxy: FakeProxy = self.start()
        self.third: FakeClient = self.connect("third_party")
        self.third.send(Hello(versions=[1], client="third_party"))
        self.settle()
        self.third.read()
        self.seen = 0

    def order(self, name: str, **keys: Any) -> None:
        """Send an order for the group."""
        self.ask(self.third, name, GSW_CAMPAIGN_GROUP_DBID=102, **keys)

    def calls(self) -> list[Validate]:
        """Return the calls that were ordered since the last time."""
        found = [each for each in self.proxy.received() if isinstance(each, Validate)]
        self.seen, new = len(found), found[self.seen :]
        return new

    def answer(self, call: Validate, status: int | None = 200) -> None:
        """Let a call end; without a status it cannot be made."""
        outcome: Any = "positive" if status == 200 else "failed"
        reason: Any = None if status is not None else "connect"
        self.proxy.send(Verdict(ref=call.ref, outcome=outcome, status=status, data={}, reason=reason))
        self.settle()

    def wait(self, seconds: int) -> None:
        """Let time pass; both ends show that they live."""
        for _ in range(seconds):
            self.third.send(Ping(ref=1))
            self.pass_time(1, self.proxy)

    def one(self) -> KV:
        """Return the body of the one call that was ordered, and end it."""
        (call,) = self.calls()
        self.assertEqual((call.purpose, call.uri), ("campaign_group_state", "http://bi.example/status?secret"))
        self.answer(call)
        return call.data

    def test_changes(self) -> None:
        """O40, O41, O43: at each change of state or mode, and no other time; an order without effect is none."""
        self.begin()
        states = []
        for name, mode in (
            ("SetDialingMode", "PushPreview"), ("StopDialing", None), ("UnloadCampaign", None), ("LoadCampaign", None),
            ("StartDialing", None), ("ForceUnloadCampaign", None),
        ):  # fmt: skip
            self.order(name, **({"GSW_CAMPAIGN_MODE": mode} if mode is not None else {}))
            body = self.one()
            states.append((body["GSW_CAMPAIGN_GROUP_STATE"], body["GSW_DIAL_MODE"]))
        expected = ["Started", "Loaded", "Unloaded", "Loaded", "Started", "Unloaded"]
        self.assertEqual(states, [(each, "PushPreview") for each in expected])
        self.order("UnloadCampaign")
        self.assertEqual(self.calls(), [])
        text = (
            "Status notification CampaignGroupState of campaign group Campaign1@Group1 sent to http://bi.example/status"
        )
        self.assertEqual(self.log.texts(81000), [text] * 6)
        self.finish(self.proxy)

    def test_auto_completion(self) -> None:
        """P127: the group is stopped and unloaded in one go, and there is a status for both."""
        self.begin()
        self.order("StartDialing", GSW_AUTO_COMPLETION=1)
        self.wait(10)
        self.assertEqual(
            [self.one()["GSW_CAMPAIGN_GROUP_STATE"], self.one()["GSW_CAMPAIGN_GROUP_STATE"]], ["Loaded", "Unloaded"]
        )
        self.assertEqual((len(self.log.texts(52002)), len(self.log.texts(52004))), (1, 1))
        self.finish(self.proxy)

    def test_interval(self) -> None:
        """O41, O43: every ten seconds while the group is started."""
        self.begin()
        self.wait(9)
        self.assertEqual(self.calls(), [])
        for _ in range(2):
            self.wait(10)
            self.assertEqual(self.one()["GSW_CAMPAIGN_GROUP_STATE"], "Started")
        self.assertEqual(len(self.log.texts(81001)), 2)
        self.order("StopDialing")
        self.one()
        self.wait(30)
        self.assertEqual(self.calls(), [])
        self.finish(self.proxy)

    def test_one_at_a_time(self) -> None:
        """O42: of what waits the newest is sent; whatever the answer, nothing is repeated."""
        self.begin()
        self.order("StopDialing")
        (first,) = self.calls()
        for name in ("UnloadCampaign", "LoadCampaign", "StartDialing"):
            self.order(name)
        self.assertEqual(self.calls(), [])
        self.answer(first, 500)
        (second,) = self.calls()
        self.assertEqual(second.data["GSW_CAMPAIGN_GROUP_STATE"], "Started")
        self.answer(second, None)
        self.assertEqual(self.calls(), [])
        self.finish(self.proxy)

    def test_off(self) -> None:
        """O40: nothing is sent without the option."""
        self.begin(MORE.replace("= true", "= false"))
        self.order("StopDialing")
        self.wait(30)
        self.assertEqual(self.calls(), [])
        self.finish(self.proxy)

    def test_hit_ratio(self) -> None:
        """Section 3, O66: the share of those reached since the group was loaded, by list too; unknown while none is."""
        self.begin(MORE + "campaigngroup_states_per_list = true\n")
        for phone, result in (("1", 33), ("2", 6), ("3", 0)):
            self.ask(self.third, "AddRecord", GSW_CALLING_LIST="CL_Test", GSW_PHONE=phone)
            (event,) = self.ask(self.third, "PreviewRecordRequest", GSW_CAMPAIGN_GROUP_DBID=102)
            handle = event["GSW_RECORD_HANDLE"]
            self.ask(self.third, "RecordProcessed", GSW_RECORD_HANDLE=handle, GSW_CALL_RESULT=result)
        self.order("StopDialing")
        body: Any = self.one()
        lists = [(each["GSW_CALLING_LIST"], each["GSW_STAT_HIT_RATIO"]) for each in body["GSW_CALLING_LISTS"]]
        self.assertEqual(body["GSW_STAT_HIT_RATIO"], "0.6667")
        self.assertEqual(lists[0], ("CL_Test", "0.6667"))
        self.assertTrue(all(ratio is None for _, ratio in lists[1:]))
        # A start may load the group anew.
        self.order("UnloadCampaign")
        self.one()
        self.order("StartDialing")
        self.assertIsNone(self.one()["GSW_STAT_HIT_RATIO"])
        self.finish(self.proxy)
