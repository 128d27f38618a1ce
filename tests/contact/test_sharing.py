"""Holders of hand-outs: consult, transfer, conference, release, and the ends of shared hand-outs (protocol.md 3.5)."""

from typing import Any

from ocsgw.contact.directory import Directory
from ocsgw.contact.notices import Notice
from ocsgw.contact.unit_of_work import PendingRequest
from ocsgw.protocol.messages import KV
from tests.support.rules import GROUP, RuleTestCase, by_handle, by_phone, make_directory, of_group, pending

_AGENTS = {"A": 11, "B": 12, "C": 13}


def by(agent: str, data: KV) -> PendingRequest:
    """Return a request of the desktop of an agent; of a third-party application without one, of HTTP for `-`."""
    if agent == "-":
        return pending(data)
    if not agent:
        return pending(data, client="third_party", session=20)
    return pending(data, client="desktop", agent_id=agent, session=_AGENTS[agent])


class SharingTestCase(RuleTestCase):
    """A test with a record that agent A holds."""

    def setUp(self) -> None:
        super().setUp()
        self.handle = self.hand_out_to("A")

    def hand_out_to(self, agent: str, phone: str = "6505550100") -> int:
        self.add(phone)
        event = self.reply(by(agent, of_group("PreviewRecordRequest")))
        handle = event["GSW_RECORD_HANDLE"]
        assert isinstance(handle, int)
        return handle

    def share(self, sharer: str, mode: str, agent: str | None) -> str:
        """Share the record; return the event, or the code of the refusal."""
        keys: dict[str, Any] = {"GSW_SHARE_MODE": mode} | ({"GSW_AGENT_ID": agent} if agent else {})
        (reply,) = self.replies(by(sharer, by_handle("RecordShare", self.handle, **keys)))
        return str(reply.get("error", reply.get("GSW_USER_EVENT")))

    def notices(self) -> list[tuple[str, tuple[str, ...], int]]:
        """Return what desktops are shown since the last batch: event, agents, session left out."""
        assert self.store.unit is not None
        return [(each.event, each.agents, each.but_session) for each in self.store.unit.notices]

    def notice(self) -> Notice:
        """Return the one notice of the last batch."""
        assert self.store.unit is not None
        (notice,) = self.store.unit.notices
        return notice

    def may(self, agent: str) -> str:
        """Return what the desktop of an agent may do: nothing, read, everything."""
        requests = [by_handle(name, self.handle) for name in ("ChainedRecordRequest", "UpdateCallCompletionStats")]
        reads, writes = ("error" not in self.replies(by(agent, request))[0] for request in requests)
        return "everything" if writes else "read" if reads else "nothing"


class RightsTests(SharingTestCase):
    """P129, P130, H316: who may do what."""

    def test_modes(self) -> None:
        """P129: each mode, from each state of the holders: what A, B and C may do afterwards."""
        rows: list[tuple[list[tuple[str, str]], str]] = [
            ([], "everything nothing nothing"),
            ([("Consult", "B")], "everything read nothing"),
            ([("Conference", "B")], "everything everything nothing"),
            ([("Transfer", "B")], "nothing everything nothing"),
            ([("Consult", "B"), ("Consult", "C")], "everything read read"),
            ([("Consult", "B"), ("Transfer", "C")], "nothing nothing everything"),
            ([("Consult", "B"), ("Conference", "B")], "everything everything nothing"),
            ([("Conference", "B"), ("Consult", "B")], "everything everything nothing"),
            ([("Consult", "A")], "everything nothing nothing"),
            ([("Conference", "B"), ("Release", "A")], "nothing everything nothing"),
            ([("Consult", "B"), ("Release", "B")], "everything nothing nothing"),
            ([("Transfer", "A")], "everything nothing nothing"),
        ]
        for steps, expected in rows:
            with self.subTest(steps=steps):
                self.handle = self.hand_out_to("A")
                for mode, agent in steps:
                    self.assertEqual(self.share("", mode, agent), "RecordShareAcknowledge")
                self.assertEqual(" ".join(map(self.may, "ABC")), expected)
                self.store.restart()
                self.assertEqual(" ".join(map(self.may, "ABC")), expected, "after a restart (P133)")

    def test_refused(self) -> None:
        """P130: who may not share, and what cannot be released."""
        self.assertEqual(self.share("B", "Consult", "C"), "invalid_state")
        self.share("A", "Consult", "B")
        self.assertEqual(self.share("B", "Transfer", "B"), "invalid_state")
        self.assertEqual(self.share("A", "Release", None), "invalid_state")
        self.assertEqual(self.share("A", "Release", "C"), "invalid_state")
        self.assertEqual(self.share("", "Release", None), "missing_attribute")
        self.handle = 999
        self.assertEqual(self.share("A", "Consult", "B"), "invalid_handle")

    def test_others_are_not_bound(self) -> None:
        """H316: HTTP clients and third-party applications may use any live handle."""
        for agent in ("-", ""):
            self.assertEqual(self.may(agent), "everything")

    def test_tenant_of_the_session(self) -> None:
        """A session that is bound to a tenant may not touch records of another one."""
        for tenant, code in (("Second", "forbidden"), ("Environment", None)):
            request = pending(by_handle("UpdateCallCompletionStats", self.handle), client="third_party", tenant=tenant)
            self.assertEqual(self.replies(request)[0].get("error"), code)

    def test_acknowledgement(self) -> None:
        """P131: record keys, mode and agent; P133: the time begins anew."""
        self.store.now += 500
        event = self.reply(
            by("A", by_handle("RecordShare", self.handle, GSW_SHARE_MODE="Conference", GSW_AGENT_ID="B"))
        )
        self.assertEqual(
            {key: event[key] for key in ("GSW_RECORD_HANDLE", "GSW_CALLING_LIST", "GSW_SHARE_MODE", "GSW_AGENT_ID")},
            {"GSW_RECORD_HANDLE": self.handle, "GSW_CALLING_LIST": "CL_Test"}
            | {"GSW_SHARE_MODE": "Conference", "GSW_AGENT_ID": "B"},
        )
        self.pass_time(500)
        self.assertEqual(self.may("B"), "everything")

    def test_agent_at_the_end(self) -> None:
        """P134: the agent who processes the record is stored; after a transfer the one who has it."""
        self.share("A", "Conference", "B")
        self.reply(by("B", by_handle("RecordProcessed", self.handle, GSW_CALL_RESULT=33)))
        self.assertEqual(self.column("agent_id")[-1], "B")
        self.handle = self.hand_out_to("A", "6505550101")
        self.share("A", "Transfer", "C")
        self.reply(by_handle("RecordProcessed", self.handle, GSW_CALL_RESULT=33))
        self.assertEqual(self.column("agent_id")[-1], "C")


class NoticeTests(SharingTestCase):
    """P34, P130, P132, H252: who is shown what."""

    def test_shared(self) -> None:
        """P130: a new holder gets the record as in PreviewRecord; who loses it is shown that; nobody twice."""
        self.share("A", "Consult", "B")
        notice = self.notice()
        self.assertEqual((notice.event, notice.agents), ("RecordShared", ("B",)))
        self.assertEqual(notice.members["GSW_SHARE_MODE"], "Consult")
        for key in ("GSW_RECORD_HANDLE", "GSW_PHONE", "GSW_RECORD_URI", "GSW_CALL_ATTEMPT_GUID", "GSW_CAMPAIGN_MODE"):
            self.assertIn(key, notice.members)
        self.share("A", "Conference", "B")
        self.assertEqual(self.notices(), [])
        self.share("A", "Transfer", "C")
        self.assertEqual(self.notices(), [("RecordShared", ("C",), 0), ("RecordRemove", ("A", "B"), 11)])

    def test_ends(self) -> None:
        """P132: each end of a hand-out that A and B hold, by each kind of client: whose desktops are shown it."""
        processed, rejected, cancelled = "RecordProcessed", "RecordReject", "RequestRecordCancel"
        both = ("A", "B")
        rows: list[tuple[str, str, list[tuple[str, tuple[str, ...], int]]]] = [
            ("A", processed, [("RecordRemove", ("B",), 11)]),
            ("B", rejected, [("RecordRemove", ("A",), 12)]),
            ("-", processed, [("RecordRemove", both, 0)]),
            ("", rejected, [("RecordRemove", both, 20)]),
            ("A", cancelled, [("RecordCancel", both, 11)]),
            ("-", cancelled, [("RecordCancel", both, 0)]),
            ("-", "DoNotCall", [("RecordRemove", both, 0)]),
            ("A", "DoNotCall", []),
        ]
        for agent, request, expected in rows:
            with self.subTest(agent=agent, request=request):
                self.handle = self.hand_out_to("A")
                self.share("A", "Conference", "B")
                self.reply(by(agent, by_handle(request, self.handle)))
                self.assertEqual(self.notices(), expected)
                self.store.sql("DELETE FROM gsw_donotcall_list")
                self.store.sql("DELETE FROM ocsgw_handout")

    def test_cancel_by_phone(self) -> None:
        """H252: the desktops that hold a cancelled record are shown it, except the requester."""
        self.reply(by("B", by_phone("RequestRecordCancel", "6505550100")))
        self.assertEqual(self.notices(), [("RecordCancel", ("A",), 12)])
        self.assertEqual(self.may("A"), "nothing")

    def test_time_and_unloading(self) -> None:
        """`record_timeout` and the unloading of the group remove the record from all desktops."""
        shown: list[Notice] = []
        original = self.store.chore

        def chore(function: Any) -> Any:
            def run(unit: Any) -> Any:
                result = function(unit)
                shown.extend(unit.notices)
                return result

            return original(run)

        self.patch(self.store, "chore", chore)
        self.share("A", "Consult", "B")
        self.pass_time(601)
        self.assertEqual([(each.event, each.agents) for each in shown], [("RecordRemove", ("A", "B"))])
        self.handle = self.hand_out_to("A", "6505550105")
        self.reply(of_group("ForceUnloadCampaign", GROUP))
        self.assertEqual(self.notices(), [("RecordRemove", ("A",), 0)])

    def test_refused_request_shows_nothing(self) -> None:
        """What was not done is not shown."""
        self.replies(by("B", by_handle("RecordProcessed", self.handle)))
        self.assertEqual(self.notices(), [])


class AddRecordTests(SharingTestCase):
    """AddRecord with a handle in place of a list."""

    def test_list_of_the_record(self) -> None:
        """The record goes into the list of a record that the agent holds, and into no other's."""
        data: KV = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_RECORD_HANDLE": self.handle, "GSW_PHONE": "6505550190"}
        self.assertEqual(self.reply(by("A", data))["GSW_CALLING_LIST"], "CL_Test")
        self.assertEqual(self.replies(by("B", data)), [{"error": "invalid_state"}])
        self.assertEqual(self.replies(by("A", {**data, "GSW_RECORD_HANDLE": 999})), [{"error": "invalid_handle"}])


class LogOutTests(SharingTestCase):
    """P24: LogOut with `agent_logout_preview_call_result`."""

    def make_directory(self) -> Directory:
        return make_directory(log_out_result=21)

    def test_ends(self) -> None:
        """What the agent alone holds ends with the result; from the others the agent is released."""
        alone = self.handle
        self.handle = shared = self.hand_out_to("A", "6505550101")
        self.share("A", "Conference", "B")
        self.handle = read = self.hand_out_to("C", "6505550102")
        self.share("C", "Consult", "A")
        event = self.reply(by("A", {"GSW_AGENT_REQ_TYPE": "LogOut", "GSW_REFERENCE_ID": 4}))
        self.assertEqual((event["GSW_USER_EVENT"], event["GSW_REFERENCE_ID"]), ("LogOutAcknowledge", 4))
        self.assertEqual(self.notices(), [("RecordRemove", ("A",), 11)] * 2)
        self.assertEqual(self.row(1)["call_result"], 21)
        self.assertEqual((self.row(1)["record_status"], self.row(1)["agent_id"]), (3, "A"))
        rights = []
        for self.handle in (alone, shared, read):
            rights.append((self.may("A"), self.may("B"), self.may("C")))
        nothing, everything = "nothing", "everything"
        expected = [(nothing,) * 3, (nothing, everything, nothing), (nothing, nothing, everything)]
        self.assertEqual(rights, expected)

    def test_off(self) -> None:
        """By default nothing ends."""
        self.use_directory(make_directory())
        self.handle = self.hand_out_to("A")
        self.reply(by("A", {"GSW_AGENT_REQ_TYPE": "LogOut"}))
        self.assertEqual(self.may("A"), "everything")
