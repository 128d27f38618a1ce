"""All requests in any order, for state machines: what is sent, and to what (http.md section 10).

Values are few, so that they meet often: contacts in several spellings, customer ids, agents, dates before and after.
"""

import os
import sqlite3
from dataclasses import replace
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import NEUTRAL, DoNotCallOptions, Priorities, Treatment
from ocsgw.contact.unit_of_work import PendingRequest
from ocsgw.protocol.errors import Refusal
from tests.contact.model.world import KV, LISTS, TREATMENTS
from tests.support.rules import NOW, event_of, make_directory, make_group, make_store, pending, remove_store

# How many sequences of requests are tried. With a number of one's own they are other ones each time, and one that fails
# is made as short as possible, which takes minutes.
_ASKED = os.environ.get("OCSGW_RULE_EXAMPLES")
EXAMPLES = int(_ASKED or "40")
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    derandomize=_ASKED is None,
    phases=(Phase.generate,) if _ASKED is None else (Phase.reuse, Phase.generate, Phase.shrink),
)

PHONES = st.sampled_from(
    [
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "(1)",
        "2-",
        "\uff11",
        "tel:2",
        "3 ext. 1",
        "3x1",
        "\u00e94",
        "e\u03014",
        "a@X",
        "A@x ",
    ]
)
_CUSTOMERS = st.sampled_from(["C", "D", " C"])
_AGENTS = st.sampled_from(["A", "B"])
_DATES = st.sampled_from(
    ["09/01/2026 08:00", "9/21/2026 9:00", "09/21/2026 14:30", "09/21/2026 20:00", "09/23/2026 00:00"]
)
_ZONES = st.sampled_from(["GMT", "CET", "IST", "PST"])
_SECONDS = st.sampled_from([0, 36000, 51200, 61200, 86399])
_RESULTS = st.sampled_from([0, 6, 6, 7, 9, 28, 33, 47, 49])
_ATTRS = st.sampled_from(["RecordOnly", "AllChain"])
_TYPES = st.sampled_from([1, 2, 2, 7])
_STATUS = st.sampled_from([1, 3, 4, 5, 6, 8])
_CUSTOM = {"CustomerID": _CUSTOMERS, "Remarks": st.sampled_from(["x", "y"])}
_REFERENCE = {"GSW_REFERENCE_ID": st.sampled_from(["r", 7])}


_FOR_EVER = 10**9
_NEVER = 10**6


def _keys(required: dict[str, Any] | None = None, /, **optional: Any) -> st.SearchStrategy[KV]:
    return st.fixed_dictionaries(required or {}, optional={**optional, **_REFERENCE})


_NEW_RECORD = (
    _keys({"GSW_PHONE": PHONES}, GSW_ATTEMPTS=st.integers(0, 3), **_CUSTOM)
    | _keys({"GSW_PHONE": PHONES, "GSW_CALL_TIME": st.sampled_from([0, 100, 200])})
    | _keys({"GSW_PHONE": PHONES}, GSW_RECORD_STATUS=st.just(9), **_CUSTOM)
    | _keys(
        {"GSW_PHONE": PHONES},
        GSW_PHONE_TYPE=st.sampled_from([0, 4]),
        GSW_RECORD_STATUS=st.sampled_from([1, 3, 5, 8, 9]),
        GSW_CALL_RESULT=_RESULTS,
        GSW_AGENT_ID=_AGENTS,
    )
    | _keys({"GSW_PHONE": PHONES, "GSW_FROM": _SECONDS, "GSW_UNTIL": _SECONDS}, GSW_TZ_NAME=_ZONES)
    | _keys(
        {"GSW_PHONE": PHONES, "GSW_RECORD_TYPE": st.integers(1, 7), "GSW_DATE_TIME": _DATES},
        GSW_AGENT_ID=_AGENTS,
        GSW_TZ_NAME=_ZONES,
        **_CUSTOM,
    )
)
_NEW_RECORDS = st.lists(st.tuples(_NEW_RECORD, st.integers(0, 9)), min_size=1, max_size=4)
_FIRST_RECORDS = st.lists(st.tuples(_NEW_RECORD, st.integers(0, 9)), min_size=2, max_size=6)
# Most happens in one list, so that its chains meet often.
_LISTS = st.sampled_from(["CL_Test", "CL_Test", "CL_Test", "CL_CALLBACK", "CL_Second"])
_GROUPS = st.sampled_from([102, 102, 102, 103, 112])
# Who asks: mostly an HTTP client, else the desktop of an agent.
_DESKTOPS = st.sampled_from([None, None, None, "A"])
_RESCHEDULE = _keys(
    {"GSW_CALLBACK_TYPE": st.sampled_from(["Campaign", "Personal"]), "GSW_DATE_TIME": _DATES},
    GSW_TZ_NAME=_ZONES,
    GSW_PHONE=PHONES,
    GSW_PHONE_TYPE=st.sampled_from([0, 4]),
    GSW_AGENT_ID=_AGENTS,
    GSW_CALL_RESULT=_RESULTS,
    **_CUSTOM,
)
_BY_HANDLE: dict[str, st.SearchStrategy[KV]] = {
    "RecordProcessed": _keys(
        GSW_CALL_RESULT=_RESULTS,
        GSW_CALL_TIME=st.sampled_from([5, NOW]),
        GSW_AGENT_ID=_AGENTS,
        GSW_TREATMENT=st.sampled_from(["RecordTreatCampaign", "RecordTreatPersonal"]),
        **_CUSTOM,
    ),
    "UpdateCallCompletionStats": _keys(
        GSW_CALL_RESULT=_RESULTS,
        GSW_PHONE=PHONES,
        GSW_PHONE_TYPE=st.sampled_from([0, 4]),
        GSW_FROM=_SECONDS,
        GSW_UNTIL=_SECONDS,
        GSW_TZ_NAME=_ZONES,
        GSW_RECORD_TYPE=_TYPES,
        GSW_RECORD_STATUS=_STATUS,
        GSW_ATTEMPTS=st.integers(0, 3),
        GSW_TREATMENT=st.sampled_from(["RecordTreatCampaign", "RecordTreatPersonal"]),
        **_CUSTOM,
    ),
    "RecordReschedule": _RESCHEDULE,
    "ScheduledRecordReschedule": _RESCHEDULE,
    "RecordReject": _keys(),
    "RequestRecordCancel": _keys(GSW_CHAIN_ATTR=_ATTRS),
    "DoNotCall": _keys(GSW_CHAIN_ATTR=_ATTRS, GSW_PHONE=PHONES, GSW_CUSTOMER_ID=st.sampled_from(["C", "D"]), **_CUSTOM),
    "ChainedRecordRequest": _keys(),
}
# Those that end a hand-out come less often than those that have to come before.
_OFTEN = {"UpdateCallCompletionStats": 5, "RecordReschedule": 3, "RecordProcessed": 3, "ChainedRecordRequest": 2}
_HANDLE_REQUESTS = st.sampled_from([kind for kind in _BY_HANDLE for _ in range(_OFTEN.get(kind, 1))]).flatmap(
    lambda kind: st.tuples(st.just(kind), st.integers(0, 60), _BY_HANDLE[kind])
)


_ORDERS = st.sampled_from(
    ["LoadCampaign", "StopDialing", "UnloadCampaign", "ForceUnloadCampaign", "CampaignStatusRequest", "SetDialingMode"]
)
_NAMED = st.tuples(st.just("phone"), PHONES) | st.tuples(st.just("customer_id"), _CUSTOMERS)
_SCOPES = st.sampled_from([(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 301, 0), (0, 302, 0), (0, 0, 202)])
# What may come next: how often, and with what. All in one rule: of several, hypothesis leaves some out.
_STEPS: dict[str, tuple[int, dict[str, Any]]] = {
    "add": (3, {"calling_list": _LISTS, "records": _NEW_RECORDS}),
    "preview": (
        4,
        {"group": _GROUPS, "count": st.integers(1, 3), "keys": _keys(GSW_AGENT_ID=_AGENTS), "desktop": _DESKTOPS},
    ),
    "by_handle": (12, {"requests": st.lists(_HANDLE_REQUESTS, min_size=1, max_size=4), "desktop": _DESKTOPS}),
    "by_name": (
        3,
        {
            "request": st.sampled_from(["DoNotCall", "RequestRecordCancel"]),
            "named": _keys({"GSW_PHONE": PHONES}) | _keys({"GSW_CUSTOMER_ID": _CUSTOMERS}),
            "keys": _keys(GSW_CHAIN_ATTR=_ATTRS, GSW_TENANT_DBID=st.sampled_from([1, 2])),
            "at": st.none() | st.integers(0, 7),
        },
    ),
    "control": (1, {"order": _ORDERS, "group": _GROUPS, "mode": st.sampled_from(["Preview", "PushPreview"])}),
    "start": (1, {"group": _GROUPS}),
    "repeat": (1, {"at": st.integers(0, 100)}),
    "pass_time": (2, {"seconds": st.sampled_from([1, 59, 60, 300, 599, 600, 30000])}),
    "restart": (1, {}),
    "block": (1, {"named": _NAMED, "scope": _SCOPES, "lasts": st.sampled_from([0, 600, 30000])}),
}
_NEXT = st.sampled_from([name for name, (count, _) in _STEPS.items() for _ in range(count)]).flatmap(
    lambda name: st.tuples(st.just(name), st.fixed_dictionaries(_STEPS[name][1]))
)


class Requests(RuleBasedStateMachine):
    """Sends requests to rules on a real store; `check` is reported each batch with its events."""

    @initialize(
        scope=st.sampled_from(["tenant", "campaign", "list"]),
        treat=st.booleans(),
        priorities=st.sampled_from([NEUTRAL, NEUTRAL, (0, 1, 2, 3), (5, 5, 0, 1)]),
        first=st.fixed_dictionaries(dict.fromkeys(LISTS, _NEW_RECORDS)),
    )
    def begin(self, scope: Any, treat: bool, priorities: Priorities, first: dict[str, list[tuple[KV, int]]]) -> None:
        """Open a store and add some records."""
        treatments = tuple(
            Treatment(
                dbid,
                str(dbid),
                result,
                action,  # type: ignore[arg-type]  # an action
                frozenset({LISTS[name][0]}) if name is not None else None,
                sequence=dbid,
                interval=interval,
                increment=increment,
                cycle_attempt=cycle,
                max_attempts=most,
            )
            for dbid, result, action, interval, increment, cycle, most, name in TREATMENTS
        )
        before = make_directory(second_tenant=True)
        groups = (*before.groups, make_group(103, before.campaigns[0], "Group3", state="started"))
        self.store = make_store(
            make_directory(
                second_tenant=True,
                tenants=before.tenants,
                calling_lists=before.calling_lists,
                campaigns=before.campaigns,
                groups=tuple(replace(each, priorities=priorities) for each in groups),
                treatments=treatments,
                treat_on_processed=treat,
                do_not_call=DoNotCallOptions(scope=scope),
            )
        )
        self.reader = sqlite3.connect(self.store.file, isolation_level=None)
        self.reader.row_factory = sqlite3.Row
        self.handles: list[int] = []
        self.kept: list[tuple[KV, KV]] = []
        self.started(scope, treat, priorities)
        for calling_list, records in first.items():
            for record in records:
                self.add(calling_list, [record])

    def teardown(self) -> None:
        """Remove the store."""
        if hasattr(self, "store"):
            self.reader.close()
            remove_store(self.store)

    def started(self, scope: str, treat: bool, priorities: Priorities) -> None:
        """Begin, with the options of this sequence."""

    def check(self, requests: list[tuple[KV, str | None]], events: list[KV]) -> None:
        """Judge the events of a batch; each request has the agent of its desktop, None for an HTTP client."""
        raise NotImplementedError

    def send(self, *requests: KV, agent: str | None = None) -> list[KV]:
        """Carry out requests in one batch."""
        desktop = {"client": "desktop", "agent_id": agent} if agent is not None else {}
        batch: list[PendingRequest] = [pending(dict(data), **desktop) for data in requests]
        if agent is None and len(requests) == 1:
            # Numbers that never come again, so that every request may be repeated later.
            batch[0].key, batch[0].keep_for = f"k{len(self.kept)}", _FOR_EVER
        outcomes = self.store.execute(batch)
        assert self.store.defects == [], self.store.defects
        events = []
        for outcome in outcomes:
            assert not outcome.replayed
            events.append(
                _comparable({"error": outcome.reply.code} if isinstance(outcome.reply, Refusal) else _as_one(outcome))
            )
        if batch[0].key is not None and _is_kept(requests[0], events[0]):
            self.kept.append((dict(requests[0]), events[0]))
        for event in events:
            if event.get("GSW_USER_EVENT") == "PreviewRecord":
                self.handles.append(event["GSW_RECORD_HANDLE"])
        self.check([(dict(data), agent) for data in requests], events)
        return events

    def handle(self, at: int) -> int:
        """Return some handle: mostly one that lives, sometimes one that is dead or never was."""
        live: list[int] = [row["handle"] for row in self.table("ocsgw_handle")]
        pool: list[int] = [*live[-4:] * 4, *self.handles[-1:], _NEVER]
        return pool[at % len(pool)]

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table as another program sees them."""
        return [dict(row) for row in self.reader.execute(f"SELECT * FROM {name} ORDER BY rowid")]

    @rule(step=_NEXT)
    def next(self, step: tuple[str, dict[str, Any]]) -> None:
        """Whatever may come."""
        name, values = step
        getattr(self, name)(**values)

    # Requests.

    def add(self, calling_list: str, records: list[tuple[KV, int]]) -> None:
        """AddRecord, often to a chain, now and then to one that does not exist."""
        known = sorted({row["chain_id"] for row in self.table(calling_list)})
        # The chain of a neighbour in the batch cannot be known to a client.
        chains = [None, *known[-3:] * 2, None, *known[:3], _NEVER]
        requests = []
        for keys, chain in records:
            data = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": calling_list, **keys}
            chosen = chains[chain % len(chains)]
            requests.append(data if chosen is None else {**data, "GSW_CHAIN_ID": chosen})
        self.send(*requests)

    def preview(self, group: int, count: int, keys: KV, desktop: str | None) -> None:
        """PreviewRecordRequest."""
        data = {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": group, **keys}
        self.send(*[data] * count, agent=desktop)

    def by_handle(self, requests: list[tuple[str, int, KV]], desktop: str | None) -> None:
        """Any requests by handle, one or some in one batch; with nothing in process something is handed out first."""
        if not self.table("ocsgw_handle"):
            self.preview(102, 1, {}, desktop)
        self.send(
            *(
                {"GSW_AGENT_REQ_TYPE": kind, "GSW_RECORD_HANDLE": self.handle(at), **keys}
                for kind, at, keys in requests
            ),
            agent=desktop,
        )

    def by_name(self, request: str, named: KV, keys: KV, at: int | None) -> None:
        """DoNotCall and RequestRecordCancel by phone and by customer id, often that of a record in process."""
        in_process = [row for row in self.table("CL_Test") if row["record_status"] == 2]
        if in_process and at is not None:
            row = in_process[at % len(in_process)]
            named = (
                {"GSW_CUSTOMER_ID": row["cust_id"]} if row["cust_id"] and at > 3 else {"GSW_PHONE": row["contact_info"]}
            )
        self.send({"GSW_AGENT_REQ_TYPE": request, **named, **keys})

    def control(self, order: str, group: int, mode: str) -> None:
        """An order to a campaign group, or its status."""
        data: KV = {"GSW_AGENT_REQ_TYPE": order, "GSW_CAMPAIGN_GROUP_DBID": group}
        self.send({**data, "GSW_CAMPAIGN_MODE": mode} if order == "SetDialingMode" else data)

    def start(self, group: int) -> None:
        """StartDialing, more often than other orders: else nothing would be handed out."""
        self.send({"GSW_AGENT_REQ_TYPE": "StartDialing", "GSW_CAMPAIGN_GROUP_DBID": group})

    def repeat(self, at: int) -> None:
        """Any acknowledged request again, with the key that it had: the stored answer, and nothing is done (H324)."""
        if self.kept:
            number = at % len(self.kept)
            data, event = self.kept[number]
            (outcome,) = self.store.execute([pending(dict(data), key=f"k{number}", keep_for=_FOR_EVER)])
            assert outcome.replayed
            assert _comparable(event_of(outcome)) == event
            self.check([], [])

    # What happens besides requests.

    def pass_time(self, seconds: int) -> None:
        """Time passes, and what was not finished in time returns."""
        self.store.now += seconds
        self.store.expire()
        self.time_passed(seconds)
        self.check([], [])

    def restart(self) -> None:
        """The server ends and starts again."""
        self.store.restart()
        assert self.store.freed == {}
        self.check([], [])

    def block(self, named: tuple[str, str], scope: tuple[int, int, int], lasts: int) -> None:
        """Another program makes an entry, for ever or for some time."""
        expires_at = self.store.now + lasts if lasts else 0
        self.store.sql(
            f"INSERT INTO gsw_donotcall_list ({named[0]}, tenant_dbid, campaign_dbid, list_dbid, expires_at)"
            " VALUES (?, ?, ?, ?, ?)",
            named[1],
            *scope,
            expires_at,
        )
        self.entry_made(named[0], named[1], scope, expires_at)
        self.check([], [])

    def time_passed(self, seconds: int) -> None:
        """Take note that time has passed."""

    def entry_made(self, column: str, value: str, scope: tuple[int, int, int], expires_at: int) -> None:
        """Take note of an entry of another program."""


def _as_one(outcome: Outcome) -> KV:
    """Return the event of a request; chained records that came in events of their own are put into it (P21, P22)."""
    final = dict(event_of(outcome))
    if isinstance(outcome.reply, list):
        reference = final.get("GSW_REFERENCE_ID")
        for each in outcome.reply[:-1]:
            assert each.get("GSW_REFERENCE_ID") == reference
        final["GSW_CHAINED_RECORDS"] = [
            {key: value for key, value in each.items() if key != "GSW_REFERENCE_ID"} for each in outcome.reply[:-1]
        ]
    return final


def _comparable(event: KV) -> KV:
    """Return an event without what no model can know."""
    members = {key: value for key, value in event.items() if key != "GSW_CALL_ATTEMPT_GUID"}
    if "GSW_CHAINED_RECORDS" in members:
        members["GSW_CHAINED_RECORDS"] = [_comparable(each) for each in members["GSW_CHAINED_RECORDS"]]
    return members


def _is_kept(data: KV, event: KV) -> bool:
    """Whether an acknowledgement is stored under a key (H328)."""
    reads = data["GSW_AGENT_REQ_TYPE"] in ("ChainedRecordRequest", "CampaignStatusRequest")
    return not reads and "error" not in event and event["GSW_USER_EVENT"] != "PreviewRecordEmpty"
