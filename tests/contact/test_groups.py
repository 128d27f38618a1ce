"""Campaign groups: status and control (http.md 10.10, protocol.md sections 2 and 3.4)."""

from typing import Any

from ocsgw.access.permissions import Permissions
from ocsgw.contact.directory import Directory
from tests.support.rules import (
    GROUP,
    RuleTestCase,
    by_handle,
    make_directory,
    make_group,
    of_group,
    pending,
    preview_record,
)

_ORDERS = ("LoadCampaign", "StartDialing", "StopDialing", "UnloadCampaign", "ForceUnloadCampaign")


class StatusTests(RuleTestCase):
    """CampaignStatusRequest."""

    def test_event(self) -> None:
        """H300: the event says the state; its keys are those of 10.10."""
        for state, name in (("unloaded", "Unloaded"), ("loaded", "Loaded"), ("started", "Started")):
            self.use_directory(make_directory(state=state))
            self.assertEqual(
                self.reply(of_group("CampaignStatusRequest", GSW_REFERENCE_ID="r")),
                {
                    "GSW_USER_EVENT": f"Campaign{name}",
                    "GSW_APPLICATION_ID": 134,
                    "GSW_CAMPAIGN_NAME": "Campaign1",
                    "GSW_CAMPAIGN_DESCRIPTION": "Example campaign",
                    "GSW_CAMPAIGN_MODE": "Preview",
                    "GSW_CAMPAIGN_GROUP_NAME": "Campaign1@Group1",
                    "GSW_CAMPAIGN_GROUP_DBID": 102,
                    "GSW_REFERENCE_ID": "r",
                },
            )

    def test_several(self) -> None:
        """P11, P20: those of a campaign, or all that the client may know, in the order of their DBIDs."""
        mine = Permissions(campaign_groups=frozenset({"Campaign2@Group2"}))
        self.use_directory(make_directory(second_tenant=True, principals={"mine": mine}))
        rows: list[tuple[dict[str, Any], dict[str, Any], list[int]]] = [
            ({}, {}, [102, 112]),
            ({"GSW_CAMPAIGN_NAME": "Campaign2"}, {}, [112]),
            ({}, {"tenant": "Second"}, [112]),
            ({}, {"principal": "mine"}, [112]),
            ({"GSW_CAMPAIGN_NAME": "Nothing"}, {}, []),
        ]
        for keys, sender, expected in rows:
            data: dict[str, Any] = {"GSW_AGENT_REQ_TYPE": "CampaignStatusRequest", "GSW_REFERENCE_ID": 5, **keys}
            (outcome,) = self.outcomes(pending(data, client="third_party", **sender))
            events = outcome.reply if isinstance(outcome.reply, list) else [outcome.reply]
            found = [each for each in events if isinstance(each, dict)]
            self.assertEqual([each["GSW_CAMPAIGN_GROUP_DBID"] for each in found], expected)
            self.assertEqual({each["GSW_REFERENCE_ID"] for each in found}, {5} if expected else set())

    def test_unknown(self) -> None:
        """H63: an unknown group is 404."""
        self.assertTrue(self.refusal(of_group("CampaignStatusRequest", 5)).startswith("404 "))

    def test_permission(self) -> None:
        """H346: a group of another tenant is forbidden, to look at and to control."""
        self.use_directory(make_directory(principals={"dialer": frozenset({"Second"})}))
        for request in ("CampaignStatusRequest", *_ORDERS):
            self.assertTrue(self.refusal(pending(of_group(request), principal="dialer")).startswith("403 "))


class ControlTests(RuleTestCase):
    """Load, start, stop, unload."""

    def make_directory(self) -> Directory:
        return make_directory(state="unloaded")

    def put(self, state: str) -> None:
        """Put the group into a state."""
        self.reply(of_group("ForceUnloadCampaign"))
        if state != "unloaded":
            self.reply(of_group("LoadCampaign" if state == "loaded" else "StartDialing"))

    def state(self) -> str:
        """Return the state of the group."""
        return str(self.reply(of_group("CampaignStatusRequest"))["GSW_USER_EVENT"])

    def test_every_order_in_every_state(self) -> None:
        """Section 3.4, P51: effect and event of each order; what is there already is acknowledged silently."""
        unloaded, loaded, started = "CampaignUnloaded", "CampaignLoaded", "CampaignStarted"
        rows: list[tuple[str, str, str | None, str, list[int]]] = [
            ("unloaded", "LoadCampaign", loaded, loaded, [52000]),
            ("loaded", "LoadCampaign", loaded, loaded, []),
            ("started", "LoadCampaign", None, started, []),
            ("unloaded", "StartDialing", started, started, [52001]),
            ("loaded", "StartDialing", started, started, [52001]),
            ("started", "StartDialing", started, started, []),
            ("unloaded", "StopDialing", None, unloaded, []),
            ("loaded", "StopDialing", "CampaignStopped", loaded, []),
            ("started", "StopDialing", "CampaignStopped", loaded, [52002]),
            ("unloaded", "UnloadCampaign", unloaded, unloaded, []),
            ("loaded", "UnloadCampaign", unloaded, unloaded, [52004]),
            ("started", "UnloadCampaign", None, started, []),
            ("unloaded", "ForceUnloadCampaign", unloaded, unloaded, []),
            ("loaded", "ForceUnloadCampaign", unloaded, unloaded, [52003]),
            ("started", "ForceUnloadCampaign", unloaded, unloaded, [52003]),
        ]
        for before, order, event, after, messages in rows:
            self.put(before)
            (reply,) = self.replies(of_group(order))
            assert self.store.unit is not None
            self.assertEqual([number for number, _ in self.store.unit.group_messages], messages, (before, order))
            self.assertEqual(reply.get("GSW_USER_EVENT"), event, (before, order))
            self.assertEqual(reply.get("error"), None if event else "invalid_state", (before, order))
            self.assertEqual(self.state(), after, (before, order))

    def test_mode(self) -> None:
        """Section 3.4: the dial mode is changed by itself or with the start; others than preview modes are refused."""
        self.assertEqual(
            self.reply(of_group("SetDialingMode", GSW_CAMPAIGN_MODE="pushpreview"))["GSW_USER_EVENT"],
            "CampaignModeChanged",
        )
        self.assertEqual(self.reply(of_group("CampaignStatusRequest"))["GSW_CAMPAIGN_MODE"], "PushPreview")
        event = self.reply(of_group("StartDialing", GSW_CAMPAIGN_MODE="Preview"))
        self.assertEqual(event["GSW_CAMPAIGN_MODE"], "Preview")
        for mode in ("Predictive", "Progressive", "x", 5):
            refusal = self.refusal(of_group("SetDialingMode", GSW_CAMPAIGN_MODE=mode))
            self.assertEqual(refusal, "400 Invalid value of attribute GSW_CAMPAIGN_MODE")
        self.assertTrue(self.refusal(of_group("SetDialingMode")).startswith("400 "))

    def test_mode_alone(self) -> None:
        """P128: state, session and live handles stay as they are; the next hand-out has the new mode."""
        self.reply(of_group("StartDialing"))
        self.add("1")
        self.add("2")
        first = self.reply(of_group("PreviewRecordRequest"))
        before = self.store.chore(lambda unit: unit.tx.group_statuses()[GROUP])
        self.reply(of_group("SetDialingMode", GSW_CAMPAIGN_MODE="PushPreview"))
        after = self.store.chore(lambda unit: unit.tx.group_statuses()[GROUP])
        self.assertEqual((after.state, after.guid, after.dial_mode), (before.state, before.guid, "PushPreview"))
        second = self.reply(of_group("PreviewRecordRequest"))
        self.assertEqual([each["GSW_CAMPAIGN_MODE"] for each in (first, second)], ["Preview", "PushPreview"])
        done = self.reply(by_handle("RecordProcessed", first["GSW_RECORD_HANDLE"]))
        self.assertEqual(done["GSW_USER_EVENT"], "RecordProcessedAcknowledge")

    def test_restart(self) -> None:
        """P53: state and mode survive a restart; only a group seen for the first time has the configured state."""
        self.reply(of_group("StartDialing", GSW_CAMPAIGN_MODE="PushPreview"))
        self.store.restart()
        self.assertEqual(self.state(), "CampaignStarted")
        self.assertEqual(self.reply(of_group("CampaignStatusRequest"))["GSW_CAMPAIGN_MODE"], "PushPreview")
        self.store.restart(make_directory(state="loaded"))
        self.assertEqual(self.state(), "CampaignStarted")

    def test_new_group(self) -> None:
        """P53: a group that a reload brings has the configured state."""
        before = make_directory(state="unloaded")
        group = make_group(150, before.campaigns[0], "New", state="started")
        self.store.reload(
            make_directory(
                calling_lists=before.calling_lists, campaigns=before.campaigns, groups=(*before.groups, group)
            )
        )
        self.assertEqual(self.reply(of_group("CampaignStatusRequest", 150))["GSW_USER_EVENT"], "CampaignStarted")

    def test_removed_group(self) -> None:
        """C67: a group that a reload removes is unloaded; its records are ready; when it comes back it is unloaded."""
        self.reply(of_group("StartDialing"))
        self.hand_out("1")
        self.store.reload(make_directory(groups=()))
        self.assertEqual(self.column("record_status"), [1])
        self.store.reload(make_directory(state="started"))
        self.assertEqual(self.state(), "CampaignUnloaded")

    def test_session(self) -> None:
        """P53: a session has an id from its load to its unload, a new one each time."""
        guids: list[Any] = []
        for order in ("LoadCampaign", "StartDialing", "StopDialing", "UnloadCampaign", "StartDialing"):
            self.reply(of_group(order))
            guids.append(self.store.sql("SELECT guid FROM ocsgw_group WHERE dbid = ?", GROUP)[0][0])
        self.assertEqual(len({*guids[:3]}), 1)
        self.assertNotEqual(guids[0], guids[4])

    def test_orders_and_previews_in_one_batch(self) -> None:
        """P41: orders and preview requests for a group in one batch take effect in their order."""
        self.add("1")
        self.add("2")
        replies = self.replies(
            preview_record(),
            of_group("StartDialing"),
            preview_record(),
            of_group("ForceUnloadCampaign"),
            preview_record(),
            of_group("GetCampaignStatus"),
        )
        self.assertEqual(
            [each.get("error") or each["GSW_USER_EVENT"] for each in replies],
            [
                "group_not_active",
                "CampaignStarted",
                "PreviewRecord",
                "CampaignUnloaded",
                "group_not_active",
                "CampaignUnloaded",
            ],
        )
        self.assertEqual(self.column("record_status"), [1, 1])

    def test_by_campaign(self) -> None:
        """P11: without a DBID the campaign finds its group: the first started one by DBID, else the first."""
        before = make_directory(state="unloaded")
        others = [
            make_group(dbid, before.campaigns[0], f"G{dbid}", state=state)
            for dbid, state in ((130, "started"), (120, "started"), (90, "loaded"))
        ]
        self.use_directory(
            make_directory(
                calling_lists=before.calling_lists, campaigns=before.campaigns, groups=(*others, *before.groups)
            )
        )
        self.add("1")
        event = self.reply({"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_NAME": "Campaign1"})
        self.assertEqual(event["GSW_CAMPAIGN_GROUP_DBID"], 120)
        refusal = self.refusal({"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_NAME": "Nobody"})
        self.assertTrue(refusal.startswith("404 "))
