"""State machines over all requests: the rules against a model, and do-not-call that nothing undoes (H266).

`make test` tries some sequences of requests, always the same ones. The environment variable OCSGW_RULE_EXAMPLES gives
another number, of others each time: 2000 are some 80,000 steps.
"""

from typing import Any

from hypothesis.stateful import run_state_machine_as_test

from ocsgw.contact.directory import Priorities
from tests.contact.model.model import Model
from tests.contact.model.requests import SETTINGS, Requests
from tests.contact.model.world import KV, LISTS, Row, normal
from tests.support.case import ClockTestCase
from tests.support.rules import NOW


class AgainstTheModel(Requests):
    """After every step events and tables are what the model says."""

    def started(self, scope: str, treat: bool, priorities: Priorities) -> None:
        self.model = Model(NOW, scope=scope, treat=treat, priorities=priorities)

    def check(self, requests: list[tuple[KV, str | None]], events: list[KV]) -> None:
        for (data, agent), event in zip(requests, events, strict=True):
            expected = self.model.request(data, agent)
            assert event == expected, f"{data}\n  gave     {event}\n  expected {expected}"
        for name, expected_rows in self.model.lists.items():
            rows = sorted(self.table(name), key=lambda row: int(row["record_id"]))
            columns = {"CL_CALLBACK": ()}.get(name, ("cust_id", "remarks"))
            shown = [_shown(row, columns) for row in rows]
            assert shown == [_shown(row, columns) for row in expected_rows], f"{requests}: {name}"
        made = [self.model.shown_entry(row) for row in self.table("gsw_donotcall_list")]
        expected_entries = [self.model.shown_entry(each) for each in self.model.entries]
        assert sorted(made, key=str) == sorted(expected_entries, key=str), f"{requests}: {made}"
        live_handles = sorted(each["handle"] for handout in self.model.handouts for each in handout["handles"].values())
        assert [row["handle"] for row in self.table("ocsgw_handle")] == live_handles, requests

    def time_passed(self, seconds: int) -> None:
        self.model.pass_time(seconds)

    def entry_made(self, column: str, value: str, scope: tuple[int, int, int], expires_at: int) -> None:
        self.model.entries.append(
            {
                "phone": None,
                "customer_id": None,
                column: value,
                "tenant_dbid": scope[0],
                "campaign_dbid": scope[1],
                "list_dbid": scope[2],
                "expires_at": expires_at,
            }
        )


_COLUMNS = (
    "record_id",
    "contact_info",
    "contact_info_type",
    "record_type",
    "record_status",
    "call_result",
    "attempt",
    "dial_sched_time",
    "call_time",
    "daily_from",
    "daily_till",
    "tz_dbid",
    "campaign_id",
    "agent_id",
    "chain_id",
    "chain_n",
    "group_id",
    "app_id",
    "treatments",
)


def _shown(row: Row, custom: tuple[str, ...]) -> Row:
    """Return what is compared of a row; no agent is NULL or an empty text (K11)."""
    return {**{column: row[column] for column in (*_COLUMNS, *custom)}, "agent_id": row["agent_id"] or ""}


class NeverAgain(Requests):
    """What was acknowledged as do-not-call is never handed out again, and what was marked stays of type 7 (H266)."""

    def started(self, scope: str, treat: bool, priorities: Priorities) -> None:
        # (tenant, normal form or customer id) of what was blocked; (list, record id) of what was marked.
        self.blocked: set[tuple[int, str]] = set()
        self.marked: set[tuple[str, int]] = set()
        self.narrow = scope != "tenant"

    def check(self, requests: list[tuple[KV, str | None]], events: list[KV]) -> None:
        for (data, _), event in zip(requests, events, strict=True):
            self._note(data, event)
            for shown in [event, *event.get("GSW_CHAINED_RECORDS", ())]:
                if shown.get("GSW_USER_EVENT") == "PreviewRecord":
                    assert shown["GSW_RECORD_TYPE"] != 7, shown
                    assert not self._is_blocked(shown), f"{data} handed out {shown}"
                elif shown.get("GSW_USER_EVENT") == "AddRecordAcknowledge" and self._is_blocked(shown):
                    assert shown["GSW_RECORD_TYPE"] == 7, shown
        types = {(name, row["record_id"]): row["record_type"] for name in LISTS for row in self.table(name)}
        assert {types[record] for record in self.marked} <= {7}, f"after {requests}"

    def _note(self, data: KV, event: KV) -> None:
        """Take note of an acknowledged DoNotCall: what it blocks, and which records it has to have marked (H262)."""
        if event.get("GSW_USER_EVENT") != "DoNotCallAcknowledge":
            return
        named = data.get("GSW_CUSTOMER_ID") or normal(event["GSW_PHONE"])
        named = named.strip() if "GSW_CUSTOMER_ID" in data else named
        if "GSW_RECORD_HANDLE" in data:
            name = event["GSW_CALLING_LIST"]
            if not self.narrow:
                self.blocked.add((LISTS[name][1], named))
            if event["GSW_CHAIN_ATTR"] == "AllChain":
                rows = self.table(name)
                self.marked |= {(name, r["record_id"]) for r in rows if r["chain_id"] == event["GSW_CHAIN_ID"]}
            return
        tenants = [data["GSW_TENANT_DBID"]] if "GSW_TENANT_DBID" in data else [1, 2]
        self.blocked |= {(tenant, named) for tenant in tenants}
        for name in LISTS:
            if LISTS[name][1] in tenants:
                for row in self.table(name):
                    customer = (row.get("cust_id") or "").strip() if LISTS[name][4] else ""
                    if named == (customer if "GSW_CUSTOMER_ID" in data else normal(row["contact_info"])):
                        self.marked.add((name, row["record_id"]))

    def _is_blocked(self, shown: KV) -> bool:
        tenant = LISTS[shown["GSW_CALLING_LIST"]][1]
        customer: Any = shown.get("CustomerID") or ""
        return (tenant, normal(shown["GSW_PHONE"])) in self.blocked or (tenant, customer.strip()) in self.blocked


class StateMachineTests(ClockTestCase):
    """Sequences of requests that hypothesis makes up."""

    def test_against_the_model(self) -> None:
        """Http.md sections 10 to 12, constants.md: every request in every order does what the model says."""
        run_state_machine_as_test(AgainstTheModel, settings=SETTINGS)

    def test_do_not_call_for_ever(self) -> None:
        """H266: whatever comes in whatever order, what is blocked is never handed out and type 7 stays."""
        run_state_machine_as_test(NeverAgain, settings=SETTINGS)
