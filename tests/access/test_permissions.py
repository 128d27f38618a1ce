"""What a principal may do: by action, tenant, calling list and campaign group (http.md H346)."""

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ocsgw.access.permissions import EVERYTHING, Permissions
from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import Directory
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from tests.support.rules import (
    GROUP,
    SECOND_GROUP,
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
    make_directory,
    make_list,
    of_group,
    pending,
    preview_record,
)

_OTHER = make_list(205, "CL_Other")
_PRINCIPALS = {
    "everything": EVERYTHING,
    "list": Permissions(calling_lists=frozenset({"CL_Test"})),
    "other": Permissions(calling_lists=frozenset({"CL_Other"})),
    "nothing": Permissions(calling_lists=frozenset({"gone"}), campaign_groups=frozenset({"gone"})),
    "group": Permissions(campaign_groups=frozenset({"Campaign1@Group1"})),
    "second": Permissions(tenants=frozenset({"Second"})),
    "neither": Permissions(tenants=frozenset({"Second"}), calling_lists=frozenset({"CL_Test"})),
}
_BY_HANDLE: dict[str, KV] = {
    "RecordProcessed": {},
    "UpdateCallCompletionStats": {"GSW_CALL_RESULT": 6},
    "RecordReschedule": {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"},
    "RecordReject": {},
    "RequestRecordCancel": {},
    "DoNotCall": {},
    "ChainedRecordRequest": {},
}


class PermissionTests(RuleTestCase):
    """H346, beyond it lists and groups."""

    def make_directory(self) -> Directory:
        return make_directory(second_tenant=True, lists=[_OTHER], principals=_PRINCIPALS)

    def missing(self, principal: str, request: KV) -> str | None:
        """Return what is missing for a request, None if it is acknowledged."""
        (outcome,) = self.outcomes(pending(request, principal=principal))
        return missing_of(outcome)

    def everything(self) -> list[object]:
        """Return all that a request could change."""
        tables = ("CL_Test", "CL_Other", "CL_Second", "gsw_donotcall_list", "ocsgw_handle", "ocsgw_handout")
        return [self.store.rows(table) for table in tables]

    def test_lists(self) -> None:
        """H346: who is limited to lists adds to no other; existence comes first (check 15)."""
        for principal, calling_list, missing in (
            ("everything", "CL_Test", None),
            ("anybody else", "CL_Test", None),
            ("list", "CL_Test", None),
            ("list", "CL_Other", "calling_list"),
            ("other", "CL_Test", "calling_list"),
            ("group", "CL_Test", None),
            ("second", "CL_Test", "tenant"),
            ("neither", "CL_Test", "tenant"),
            ("neither", "CL_Second", "calling_list"),
        ):
            self.assertEqual(self.missing(principal, add_record("1", calling_list)), missing, (principal, calling_list))
        self.assertTrue(self.refusal(pending(add_record("1", "none"), principal="nothing")).startswith("404"))

    def test_groups(self) -> None:
        """H346: who is limited to groups sees no other; existence comes first (check 15)."""
        for principal, group, missing in (
            ("group", GROUP, None),
            ("group", SECOND_GROUP, "campaign_group"),
            ("list", GROUP, None),
            ("nothing", GROUP, "campaign_group"),
            ("second", GROUP, "tenant"),
            ("second", SECOND_GROUP, None),
        ):
            for request in ("CampaignStatusRequest", "PreviewRecordRequest"):
                if (principal, request) != ("list", "PreviewRecordRequest"):
                    self.assertEqual(self.missing(principal, of_group(request, group)), missing, (principal, group))
        self.assertTrue(
            self.refusal(pending(of_group("PreviewRecordRequest", 9), principal="nothing")).startswith("404")
        )

    def test_preview(self) -> None:
        """H346: only records of lists that may be touched are handed out, to each principal its own."""
        self.add("1")
        self.add("2", "CL_Other")
        batch = [pending(preview_record(), principal=name) for name in ("other", "list", "list", "other", "second")]
        events = self.replies(*batch)
        self.assertEqual(
            [each.get("error", each.get("GSW_CALLING_LIST")) for each in events],
            ["CL_Other", "CL_Test", None, None, "forbidden"],
        )

    def test_preview_of_no_list(self) -> None:
        """H346: a group all of whose lists are another's is 403, not empty."""
        principals = {"none": Permissions(calling_lists=frozenset({"CL_Second"}))}
        self.use_directory(make_directory(second_tenant=True, principals=principals))
        self.assertEqual(self.missing("none", preview_record()), "calling_list")

    def test_handles(self) -> None:
        """H346: a handle of another list, group or tenant is 403 for every action and nothing changes (H72)."""
        handle = self.hand_out("1", "2")
        before = self.everything()
        for principal, missing in (
            ("other", "calling_list"),
            ("second", "tenant"),
            ("nothing", "calling_list"),
            ("neither", "tenant"),
        ):
            for request, keys in _BY_HANDLE.items():
                self.assertEqual(self.missing(principal, by_handle(request, handle, **keys)), missing, request)
        self.assertEqual(self.everything(), before)
        self.assertIsNone(self.missing("list", by_handle("RecordProcessed", handle)))

    def test_handles_of_groups(self) -> None:
        """H346: what another group has handed out is 403."""
        principals = {"nothing": Permissions(campaign_groups=frozenset({"gone"}))}
        self.use_directory(make_directory(principals=principals))
        handle = self.hand_out("1")
        self.assertEqual(self.missing("nothing", by_handle("RecordProcessed", handle)), "campaign_group")

    def test_by_phone(self) -> None:
        """H346: by phone and customer id only what may be touched is concerned; it is not told what else there is."""
        for request, named in (("RequestRecordCancel", by_phone), ("RequestRecordCancel", by_customer_id)):
            self.add("1", CustomerID="1")
            self.add("1", "CL_Other")
            event = self.reply(pending(named(request, "1"), principal="other"))
            self.assertEqual(event["GSW_RECORDS_COUNT"], 1 if named is by_phone else 0)
            self.assertEqual(self.column("record_status")[-1], 1)
        self.assertEqual(
            self.missing("other", by_phone("RequestRecordCancel", "1", GSW_CALLING_LIST="CL_Test")), "calling_list"
        )
        self.assertEqual(self.missing("second", by_phone("RequestRecordCancel", "1", GSW_TENANT_DBID=1)), "tenant")
        self.assertEqual(
            self.missing("second", by_phone("RequestRecordCancel", "1", GSW_CAMPAIGN_NAME="Campaign1")), "tenant"
        )

    def test_do_not_call(self) -> None:
        """H265, H346: who is limited to lists blocks for these, by phone, customer id and handle, and for no other."""
        handle = self.hand_out("2")
        self.add("1")
        self.add("1", "CL_Other")
        self.reply(pending(by_phone("DoNotCall", "1"), principal="list"))
        self.reply(pending(by_customer_id("DoNotCall", "c"), principal="list"))
        self.assertEqual(self.column("record_type"), [2, 7])
        self.assertEqual(self.column("record_type", "CL_Other"), [2])
        self.reply(pending(by_handle("DoNotCall", handle), principal="list"))
        scopes = self.rows("gsw_donotcall_list", "tenant_dbid", "campaign_dbid", "list_dbid")
        self.assertEqual([tuple(each.values()) for each in scopes], [(1, 0, 201)] * 3)
        self.assertEqual(self.add("2", "CL_Other")["GSW_RECORD_TYPE"], 2)
        for request in (by_phone("DoNotCall", "3"), by_customer_id("DoNotCall", "3")):
            self.assertEqual(self.missing("nothing", request), "calling_list")
        self.assertEqual(len(self.rows("gsw_donotcall_list")), 3)

    def test_neighbours(self) -> None:
        """H72, H346: in one batch those that are refused change nothing and those beside them are carried out."""
        batch = [
            pending(add_record(str(at)), principal=name) for at, name in enumerate(("list", "other", "list", "second"))
        ]
        self.assertEqual([missing_of(each) for each in self.outcomes(*batch)], [None, "calling_list", None, "tenant"])
        self.assertEqual(self.column("contact_info"), ["0", "2"])


class HostileTests(RuleTestCase):
    """Whatever a request says of itself, its principal is not its choice."""

    def make_directory(self) -> Directory:
        return make_directory(second_tenant=True, lists=[_OTHER], principals=_PRINCIPALS)

    def test_bodies(self) -> None:
        """H103, H346: keys of the body that name a permitted list, tenant or group open no other record."""
        handle = self.hand_out("1")
        before = self.rows()
        for keys in (
            {"GSW_CALLING_LIST": "CL_Other"},
            {"GSW_TENANT_NAME": "Second", "GSW_TENANT_DBID": 2},
            {"GSW_CAMPAIGN_GROUP_DBID": SECOND_GROUP, "GSW_CAMPAIGN_NAME": "Campaign2"},
            {"principal": "everything", "GSW_PRINCIPAL": "everything"},
        ):
            for principal in ("other", "second"):
                for request, needed in _BY_HANDLE.items():
                    data = by_handle(request, handle, **{**needed, **keys})
                    self.assertTrue(self.refusal(pending(data, principal=principal)).startswith("403"), data)
        self.assertEqual(self.rows(), before)

    def test_names(self) -> None:
        """H60, H346: a list is permitted by its normal form, whichever way a client spells it; case counts."""
        principals = {"summer": Permissions(calling_lists=frozenset({"Liste été"}))}
        self.use_directory(make_directory(principals=principals))
        for name in ("Liste été", "Liste e\u0301te\u0301"):
            self.reply(pending(add_record("1", name), principal="summer"))
        self.assertTrue(self.refusal(pending(add_record("1", "liste été"), principal="summer")).startswith("404"))

    def test_repetition(self) -> None:
        """H324: the stored answer belongs to the principal; another with the same key is judged on its own."""
        mine = pending(add_record(), principal="list", key="k1", keep_for=60)
        theirs = pending(add_record(), principal="other", key="k1", keep_for=60)
        self.reply(mine)
        self.assertTrue(self.refusal(theirs).startswith("403"))
        self.assertEqual(len(self.rows()), 1)


_NAMES = st.sampled_from(["CL_Test", "CL_Other", "CL_Second", "Campaign1", "Campaign2", "Second", "Environment", "x"])
_NUMBERS = st.sampled_from([0, 1, 2, 3, 102, 112, 201, 301, 2**31, 2**53 - 1])
_TEXTS = st.sampled_from(["1", "2", "", "%", "' OR 1=1 --", "\u0131", "AllChain", "RecordOnly", "12/24/2026 09:05"])
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "GSW_RECORD_HANDLE": _NUMBERS,
    "GSW_CAMPAIGN_GROUP_DBID": _NUMBERS,
    "GSW_TENANT_DBID": _NUMBERS,
    "GSW_CHAIN_ID": _NUMBERS,
    "GSW_CALLING_LIST": _NAMES,
    "GSW_CAMPAIGN_NAME": _NAMES,
    "GSW_TENANT_NAME": _NAMES,
    "GSW_PHONE": _TEXTS,
    "GSW_CUSTOMER_ID": _TEXTS,
    "GSW_CHAIN_ATTR": _TEXTS,
}
_BY_LISTS = {"PreviewRecordRequest", "CampaignStatusRequest"}


class AnyRequestTests(RuleTestCase):
    """Who may touch nothing changes nothing, whatever he asks for."""

    def make_directory(self) -> Directory:
        nobody = Permissions(tenants=frozenset({"gone"}))
        return make_directory(second_tenant=True, lists=[_OTHER], principals={"nobody": nobody})

    @settings(max_examples=int(os.environ.get("OCSGW_RULE_EXAMPLES", "100")), deadline=None)
    @given(st.data())
    def test_nothing_changes(self, data: st.DataObject) -> None:
        """H72, H346: every request of such a principal is refused, without a fault, and no table changes."""
        if not self.column("record_id"):
            self.hand_out("3")
            self.add("1")
            self.add("2", "CL_Other", CustomerID="1")
        tables = ("CL_Test", "CL_Other", "CL_Second", "gsw_donotcall_list", "ocsgw_handle", "ocsgw_handout")
        before = [self.store.rows(table) for table in tables]
        action = data.draw(st.sampled_from([*_BY_HANDLE, "AddRecord", "PreviewRecordRequest", "CampaignStatusRequest"]))
        keys = data.draw(st.sets(st.sampled_from(sorted(_VALUES)), max_size=5)) | needed_by(action)
        request: KV = {"GSW_AGENT_REQ_TYPE": action}
        for key in sorted(keys):
            request[key] = data.draw(_VALUES[key], key)
        (outcome,) = self.outcomes(pending({**request, **_BY_HANDLE.get(action, {})}, principal="nobody"))
        assert isinstance(outcome.reply, Refusal)
        self.assertIn(outcome.reply.status, {400, 403, 404})
        self.assertEqual([self.store.rows(table) for table in tables], before)


def needed_by(action: str) -> set[str]:
    """Return the keys that HTTP Proxy makes sure a request has."""
    if action in _BY_LISTS:
        return {"GSW_CAMPAIGN_GROUP_DBID"}
    if action == "AddRecord":
        return {"GSW_CALLING_LIST", "GSW_PHONE"}
    return {"GSW_PHONE"} if action in {"RequestRecordCancel", "DoNotCall"} else {"GSW_RECORD_HANDLE"}


def missing_of(outcome: Outcome) -> str | None:
    """Return what a refusal says is missing, None for an acknowledgement."""
    if not isinstance(outcome.reply, Refusal):
        return None
    return outcome.reply.missing or outcome.reply.code
