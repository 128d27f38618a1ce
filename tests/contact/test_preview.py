"""PreviewRecordRequest (http.md section 10.8)."""

from typing import Any
from unittest import mock

from ocsgw.contact.directory import CallingList, Campaign, Directory
from ocsgw.protocol.messages import KV
from ocsgw.store.sqlite.transaction import SQLiteTransaction
from tests.support.rules import (
    ENVIRONMENT,
    GROUP,
    NOW,
    SECOND_GROUP,
    RuleTestCase,
    add_record,
    by_handle,
    by_phone,
    make_directory,
    make_group,
    make_list,
    of_group,
    pending,
    preview_record,
)

_EMPTY = "PreviewRecordEmpty"
CALLBACK = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"}


class _TestCase(RuleTestCase):
    def phones(self, count: int, group: int = GROUP, /, **keys: Any) -> list[Any]:
        """Return the phones of so many hand-outs, None for an empty answer."""
        return [self.preview(group, **keys).get("GSW_PHONE") for _ in range(count)]

    def insert(self, *rows: dict[str, Any], table: str = "CL_Test") -> None:
        """Insert rows as another program does; the phone is the record id unless given."""
        for row in rows:
            number = row["record_id"]
            row = {"contact_info": str(number), "chain_id": number, "chain_n": 0, **row}
            marks = ", ".join("?" * len(row))
            self.store.sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", *row.values())


class EventTests(_TestCase):
    """What the answer says."""

    def test_all_keys(self) -> None:
        """10.8, H65: every key of the event, in the order of the table, as stored."""
        self.add(
            "6505550100",
            GSW_PHONE_TYPE=4,
            GSW_RECORD_TYPE=5,
            GSW_CALL_RESULT=6,
            GSW_ATTEMPTS=2,
            GSW_FROM=5,
            GSW_UNTIL=5,
            GSW_TZ_NAME="PST",
            GSW_DATE_TIME="9/1/2026 8:05",
            GSW_AGENT_ID="Agent1",
            CustomerID="4711",
            Remarks="x",
        )
        event = self.preview(GSW_AGENT_ID="Agent1", GSW_REFERENCE_ID="ref")
        expected: list[tuple[str, Any]] = [
            ("GSW_USER_EVENT", "PreviewRecord"),
            ("GSW_APPLICATION_ID", 134),
            ("GSW_RECORD_HANDLE", 1),
            ("GSW_CALLING_LIST", "CL_Test"),
            ("GSW_CAMPAIGN_NAME", "Campaign1"),
            ("GSW_CHAIN_ID", 1),
            ("GSW_RECORD_URI", "http://ocs.example:8080/records/1"),
            ("GSW_CAMPAIGN_GROUP_NAME", "Campaign1@Group1"),
            ("GSW_CAMPAIGN_GROUP_DBID", 102),
            ("GSW_CAMPAIGN_MODE", "Preview"),
            ("GSW_CALLING_LIST_DBID", 201),
            ("GSW_CHAIN_N", 0),
            ("GSW_PHONE", "6505550100"),
            ("GSW_PHONE_TYPE", 4),
            ("GSW_RECORD_TYPE", 5),
            ("GSW_CALL_RESULT", 6),
            ("GSW_ATTEMPTS", 2),
            ("GSW_FROM", 5),
            ("GSW_UNTIL", 5),
            ("GSW_TZ_NAME", "PST"),
            ("GSW_TZ_OFFSET", -25200),
            ("GSW_DATE_TIME", "09/01/2026 08:05"),
            ("GSW_AGENT_ID", "Agent1"),
            ("GSW_CUSTOMER_ID", "4711"),
            ("GSW_CALL_ATTEMPT_GUID", "GUID0000000000000000000000000002"),
            ("CustomerID", "4711"),
            ("Remarks", "x"),
            ("GSW_REFERENCE_ID", "ref"),
        ]
        self.assertEqual(list(event.items()), expected)

    def test_keys_that_may_be_missing(self) -> None:
        """10.8, H68: without schedule, agent, customer id, custom value or listener there is no such key."""
        self.add("1")
        event = self.reply(pending(preview_record(), base_uri=None))
        missing = {"GSW_DATE_TIME", "GSW_AGENT_ID", "GSW_CUSTOMER_ID", "GSW_RECORD_URI", "GSW_REFERENCE_ID", "Remarks"}
        self.assertEqual(missing & set(event), set())

    def test_empty(self) -> None:
        """H279: nothing to hand out is an event, with what 10.8 lists."""
        self.assertEqual(
            self.preview(),
            {
                "GSW_USER_EVENT": _EMPTY,
                "GSW_APPLICATION_ID": 134,
                "GSW_CAMPAIGN_NAME": "Campaign1",
                "GSW_CAMPAIGN_GROUP_NAME": "Campaign1@Group1",
                "GSW_CAMPAIGN_GROUP_DBID": 102,
            },
        )

    def test_guid_of_each_handout(self) -> None:
        """10.8: the call attempt GUID is new for each hand-out of the same record."""
        first = self.hand_out("1")
        self.reply(by_handle("RecordReject", first))
        guids = {self.preview()["GSW_CALL_ATTEMPT_GUID"]}
        self.reply(by_handle("RecordReject", first + 1))
        guids.add(self.preview()["GSW_CALL_ATTEMPT_GUID"])
        self.assertEqual(len(guids), 2)


class RefusalTests(_TestCase):
    """Who gets no record."""

    def test_state_of_the_group(self) -> None:
        """H270: a group that is not started gets 409."""
        self.add("1")
        for order in ("StopDialing", "UnloadCampaign"):
            self.reply(of_group(order))
            self.assertEqual(self.refusal(preview_record()), "409 Campaign group is not active", order)
        self.reply(of_group("StartDialing"))
        self.assertEqual(self.preview()["GSW_PHONE"], "1")

    def test_unknown_group(self) -> None:
        """H63: an unknown group is 404."""
        self.assertTrue(self.refusal(preview_record(999)).startswith("404 "))

    def test_campaign(self) -> None:
        """10.8: the group's campaign may be named; another or an unknown one is refused."""
        self.add("1")
        for name in ("Campagne", "Nobody"):
            self.assertEqual(
                self.refusal(preview_record(GSW_CAMPAIGN_NAME=name)),
                "400 Invalid value of attribute GSW_CAMPAIGN_NAME",
            )
        self.assertEqual(self.preview(GSW_CAMPAIGN_NAME="Campaign1")["GSW_PHONE"], "1")

    def test_agent_of_a_desktop(self) -> None:
        """P25: a desktop asks for its own agent only."""
        self.add("1")
        request = pending(preview_record(GSW_AGENT_ID="Other"), client="desktop", agent_id="Agent1")
        self.assertEqual(self.refusal(request), "400 Invalid value of attribute GSW_AGENT_ID")

    def test_permission(self) -> None:
        """H346: a group of another tenant is forbidden."""
        self.use_directory(make_directory(second_tenant=True, principals={"dialer": frozenset({"Second"})}))
        self.add("1")
        self.assertTrue(self.refusal(pending(preview_record(), principal="dialer")).startswith("403 "))
        self.assertEqual(
            self.reply(pending(preview_record(SECOND_GROUP), principal="dialer"))["GSW_USER_EVENT"], _EMPTY
        )

    def test_one_bad_request_in_a_run(self) -> None:
        """H72, P41: a refused request takes no record from its neighbours."""
        self.add("1")
        self.add("2")
        replies = self.replies(preview_record(), preview_record(999), preview_record(), preview_record())
        self.assertEqual(
            [each.get("GSW_PHONE") or each.get("error") or each["GSW_USER_EVENT"] for each in replies],
            ["1", "group_not_found", "2", _EMPTY],
        )


class EligibilityTests(_TestCase):
    """H271: which records may be handed out."""

    def test_status(self) -> None:
        """H271, constants 2: only status 1 is handed out; 0 and NULL are read as 1."""
        self.insert(*({"record_id": status + 1, "record_status": status} for status in range(12)))
        self.insert({"record_id": 20, "record_status": None})
        self.assertEqual(self.phones(4), ["1", "2", "20", None])

    def test_type(self) -> None:
        """H271, constants 1: every type but 7 is handed out; 0 and NULL are read as 2."""
        self.insert(*({"record_id": kind + 1, "record_type": kind} for kind in range(8)))
        self.insert({"record_id": 20, "record_type": None})
        self.assertEqual(self.phones(9), ["1", "2", "3", "4", "5", "6", "7", "20", None])

    def test_personal(self) -> None:
        """H271, H201: types 4 and 5 with an agent are for that agent, without one, and other types, for anyone."""
        self.insert(
            {"record_id": 1, "record_type": 5, "agent_id": "Agent1"},
            {"record_id": 2, "record_type": 4, "agent_id": "Agent1"},
            {"record_id": 3, "record_type": 5, "agent_id": "Agent2"},
            {"record_id": 4, "record_type": 5, "agent_id": ""},
            {"record_id": 5, "record_type": 4, "agent_id": None},
            {"record_id": 6, "record_type": 6, "agent_id": "Agent1"},
            {"record_id": 7, "record_type": 2, "agent_id": "Agent1"},
        )
        self.assertEqual(self.phones(2), ["4", "5"])
        self.assertEqual(self.phones(3, GSW_AGENT_ID="Agent2"), ["3", "6", "7"])
        self.assertEqual(self.phones(1, GSW_AGENT_ID="agent1"), [None])
        self.assertEqual(self.phones(3, GSW_AGENT_ID="Agent1"), ["1", "2", None])

    def test_agent_of_the_desktop(self) -> None:
        """H271: the agent of a desktop is that of its hello."""
        self.insert({"record_id": 1, "record_type": 5, "agent_id": "Agent1"})
        self.assertEqual(self.phones(1), [None])
        event = self.reply(pending(preview_record(), client="desktop", agent_id="Agent1"))
        self.assertEqual(event["GSW_PHONE"], "1")

    def test_campaign_of_the_record(self) -> None:
        """H271: the campaign of a record is empty, 0 or that of the group."""
        self.insert(
            {"record_id": 1, "campaign_id": 302},
            {"record_id": 2, "campaign_id": 0},
            {"record_id": 3, "campaign_id": None},
            {"record_id": 4, "campaign_id": 301},
            {"record_id": 5, "campaign_id": 999},
        )
        self.assertEqual(self.phones(4), ["2", "3", "4", None])

    def test_chain_in_process(self) -> None:
        """H271, H277: no record of a chain of which one is in process, also if it was added meanwhile."""
        self.hand_out("1")
        self.add("2", GSW_CHAIN_ID=1)
        self.assertEqual(self.phones(1), [None])

    def test_disabled_list(self) -> None:
        """H60: nothing comes from a disabled list."""
        off = make_list(205, "CL_Off", enabled=False)
        self.use_directory(make_directory(lists=[off]))
        self.insert({"record_id": 1}, table="CL_Off")
        self.assertEqual(self.phones(1), [None])

    def test_list_of_another_campaign(self) -> None:
        """H271: the list is in the group's campaign."""
        self.add("1", "Liste \u00e9t\u00e9")
        self.assertEqual(self.phones(1), [None])


class OrderTests(_TestCase):
    """H273, H274: which record comes next."""

    def test_order(self) -> None:
        """H273: scheduled ones first by time, then the others by last call, never called first; ties by id."""
        self.insert(
            {"record_id": 1, "call_time": 300},
            {"record_id": 2, "call_time": 0},
            {"record_id": 3, "dial_sched_time": 2000, "call_time": 1},
            {"record_id": 4, "dial_sched_time": 1000, "call_time": 900},
            {"record_id": 5, "call_time": None},
            {"record_id": 6, "call_time": 200},
            {"record_id": 7, "dial_sched_time": 1000},
            {"record_id": 8, "dial_sched_time": NOW, "record_type": 6},
            {"record_id": 9, "dial_sched_time": NOW + 1, "record_type": 6},
        )
        self.assertEqual(self.phones(9), ["4", "7", "3", "8", "2", "5", "6", "1", None])

    def test_order_across_windows_and_agents(self) -> None:
        """H273: daily windows, zones, campaigns and agents do not change the order."""
        self.insert(
            {"record_id": 1, "call_time": 50, "tz_dbid": 102, "daily_from": 0, "daily_till": 86399},
            {"record_id": 2, "call_time": 40, "campaign_id": 301},
            {"record_id": 3, "call_time": 30, "record_type": 5, "agent_id": "A"},
            {"record_id": 4, "call_time": 20, "daily_from": 1, "daily_till": 86398},
            {"record_id": 5, "call_time": 10, "daily_from": 0, "daily_till": 1},
            {"record_id": 6, "call_time": 45},
        )
        self.assertEqual(self.phones(6, GSW_AGENT_ID="A"), ["4", "3", "2", "6", "1", None])

    def test_order_in_one_run(self) -> None:
        """H273, P41: a run of requests gets what single requests would get, in order, chains with their members."""
        self.insert(*({"record_id": n, "call_time": (n * 37) % 101, "daily_till": 86399 - n % 5} for n in range(1, 41)))
        self.insert(*({"record_id": 100 + n, "chain_id": n, "chain_n": 1} for n in range(1, 41)))
        replies = self.replies(*(preview_record() for _ in range(42)))
        keys = [(int(str(each["GSW_CHAIN_ID"])), each["GSW_PHONE"]) for each in replies[:40]]
        self.assertEqual([chain for chain, _ in keys], list(range(1, 41)))
        self.assertEqual([phone for _, phone in keys], [str(100 + n) for n in range(1, 41)])
        self.assertEqual([each["GSW_USER_EVENT"] for each in replies[40:]], [_EMPTY, _EMPTY])
        self.assertEqual({row["record_status"] for row in self.rows()}, {2})

    def test_ties_of_lists(self) -> None:
        """H273: at a tie of record ids the order of the lists in the campaign decides, whatever their DBIDs."""
        first, last = make_list(290, "CL_A"), make_list(205, "CL_B")
        campaign = Campaign(301, "Campaign1", ENVIRONMENT, (first, last))
        directory = make_directory(
            calling_lists=(last, first),
            campaigns=(campaign,),
            groups=(make_group(GROUP, campaign, "G", state="started"),),
        )
        self.use_directory(directory)
        for table in ("CL_B", "CL_A"):
            self.insert({"record_id": 1, "call_time": 5}, {"record_id": 2, "call_time": 4}, table=table)
        events = [self.preview() for _ in range(4)]
        self.assertEqual(
            [(event["GSW_PHONE"], event["GSW_CALLING_LIST"]) for event in events],
            [("2", "CL_A"), ("2", "CL_B"), ("1", "CL_A"), ("1", "CL_B")],
        )

    def test_member_of_a_chain(self) -> None:
        """H274: of a chain the member that comes first by H273; at a tie the lowest chain_n, not the lowest id."""
        self.insert(
            {"record_id": 1, "chain_id": 9, "chain_n": 0, "call_time": 100},
            {"record_id": 2, "chain_id": 9, "chain_n": 1, "dial_sched_time": 50},
            {"record_id": 3, "chain_id": 9, "chain_n": 2, "dial_sched_time": NOW + 5},
            {"record_id": 10, "chain_id": 8, "chain_n": 1},
            {"record_id": 11, "chain_id": 8, "chain_n": 0},
        )
        events = [self.preview() for _ in range(3)]
        self.assertEqual([event.get("GSW_PHONE") for event in events], ["2", "11", None])

    def test_member_that_cannot_be_handed_out(self) -> None:
        """H274: only members that can be handed out are considered, also if one of them would come first."""
        self.insert(
            {"record_id": 1, "chain_id": 9, "chain_n": 0, "record_status": 5},
            {"record_id": 2, "chain_id": 9, "chain_n": 1, "daily_from": 1, "daily_till": 2},
            {"record_id": 3, "chain_id": 9, "chain_n": 2, "record_type": 5, "agent_id": "Other"},
            {"record_id": 4, "chain_id": 9, "chain_n": 3, "record_status": 9},
            {"record_id": 5, "chain_id": 9, "chain_n": 4},
        )
        self.assertEqual(self.phones(1), ["5"])


class DoNotCallTests(_TestCase):
    """H272: entries that were made behind our back."""

    def block(self, phone: str) -> None:
        """Make an entry as another program does."""
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", phone)

    def test_next_is_tried(self) -> None:
        """H272: a ready record that is covered is marked as in H262, and the next one is handed out."""
        for phone in "1234":
            self.add(phone)
        for phone in "124":
            self.block(phone)
        self.assertEqual(self.phones(1), ["3"])
        self.assertEqual(self.column("record_type")[:3], [7, 7, 2])
        self.assertEqual(self.column("record_status")[:3], [3, 3, 2])
        self.assertEqual(self.column("call_result")[:3], [51, 51, 28])
        self.assertEqual(self.phones(1), [None])
        self.assertEqual(self.column("record_type"), [7, 7, 2, 7])

    def test_many(self) -> None:
        """H272: however many are covered, the one that is not is found by one request."""
        self.insert(*({"record_id": n} for n in range(1, 301)))
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) SELECT contact_info FROM CL_Test WHERE record_id < 300")
        self.assertEqual(self.phones(2), ["300", None])
        self.assertEqual(self.column("record_status"), [3] * 299 + [2])

    def test_too_many(self) -> None:
        """H272, H279: a request gives up with 503 after very many, and the next ones go on from there to the record."""
        self.insert(*({"record_id": n} for n in range(1, 301)))
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) SELECT contact_info FROM CL_Test WHERE record_id < 300")
        with mock.patch("ocsgw.contact.choice.choose._MOST_MARKED", 50):
            replies = [self.replies(preview_record(), preview_record()) for _ in range(12)]
        answers = [each.get("error") or each.get("GSW_PHONE", _EMPTY) for pair in replies for each in pair]
        self.assertEqual(sorted(set(answers)), ["300", _EMPTY, "busy"])
        self.assertEqual(answers[:2], ["busy", "busy"])
        self.assertEqual(answers.count("300"), 1)
        self.assertEqual(answers[-1], _EMPTY)
        self.assertEqual(self.column("record_status"), [3] * 299 + [2])

    def test_all_covered(self) -> None:
        """H272, H279: nothing is left: all are marked and the answer is empty."""
        self.add("1")
        self.block("1")
        self.assertEqual(self.phones(2), [None, None])
        self.assertEqual(self.column("record_type"), [7])

    def test_one_of_a_chain(self) -> None:
        """H272, H276: a covered member of a chain is marked and does not take part; the others go out."""
        self.add("1")
        self.add("2", GSW_CHAIN_ID=1)
        self.add("3", GSW_CHAIN_ID=1, GSW_RECORD_STATUS=9)
        self.block("1")
        self.block("3")
        event = self.preview()
        self.assertEqual(event["GSW_PHONE"], "2")
        self.assertEqual(self.column("record_type"), [7, 2, 7])
        self.assertEqual(self.column("record_status"), [3, 2, 3])
        chained = self.reply(by_handle("ChainedRecordRequest", event["GSW_RECORD_HANDLE"]))
        self.assertEqual(chained["GSW_CHAINED_RECORDS"], [])

    def test_member_of_type_7(self) -> None:
        """Constants 1, H276: a member of type 7 is never handed out, not with its chain either."""
        self.add("1")
        self.add("2", GSW_CHAIN_ID=1, GSW_RECORD_TYPE=7)
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.assertEqual(self.column("record_status"), [2, 1])
        self.assertEqual(self.reply(by_handle("ChainedRecordRequest", handle))["GSW_CHAINED_RECORDS"], [])

    def test_by_customer_id(self) -> None:
        """H271, H272: an entry for the customer id counts too."""
        self.add("1", CustomerID="C")
        self.store.sql("INSERT INTO gsw_donotcall_list (customer_id) VALUES ('C')")
        self.assertEqual(self.phones(1), [None])
        self.assertEqual(self.column("record_status"), [3])


class ClaimTests(_TestCase):
    """H276, H277: the claim."""

    def test_chain(self) -> None:
        """H276: the record and the members of status 1 and 9 get status 2, group and application; others are left."""
        self.insert(
            {"record_id": 1, "chain_id": 5, "chain_n": 0, "record_status": 3, "group_id": 7},
            {"record_id": 2, "chain_id": 5, "chain_n": 1, "record_status": 9},
            {"record_id": 3, "chain_id": 5, "chain_n": 2, "record_status": 1, "call_time": 9},
            {"record_id": 4, "chain_id": 5, "chain_n": 3, "record_status": 1, "call_time": 5},
            {"record_id": 5, "chain_id": 5, "chain_n": 4, "record_status": 8},
        )
        event = self.preview()
        self.assertEqual((event["GSW_RECORD_HANDLE"], event["GSW_PHONE"]), (1, "4"))
        self.assertEqual(self.column("record_status"), [3, 2, 2, 2, 8])
        self.assertEqual(self.column("group_id"), [7, 102, 102, 102, None])
        self.assertEqual(self.column("app_id"), [None, 134, 134, 134, None])

    def test_handles(self) -> None:
        """H276, H310: handles ascend, first that of the record, then those of the members by chain_n."""
        self.insert(
            {"record_id": 1, "chain_id": 5, "chain_n": 0, "call_time": 9},
            {"record_id": 2, "chain_id": 5, "chain_n": 1, "call_time": 5},
            {"record_id": 3, "chain_id": 5, "chain_n": 2, "call_time": 9},
            {"record_id": 4},
        )
        events = [self.preview(), self.preview()]
        handles = [int(str(event["GSW_RECORD_HANDLE"])) for event in events]
        chained: Any = [self.reply(by_handle("ChainedRecordRequest", h))["GSW_CHAINED_RECORDS"] for h in handles]
        found = [(handle, event["GSW_PHONE"]) for handle, event in zip(handles, events, strict=True)]
        found += [(each["GSW_RECORD_HANDLE"], each["GSW_PHONE"]) for members in chained for each in members]
        self.assertEqual(sorted(found), [(1, "4"), (2, "2"), (3, "1"), (4, "3")])

    def test_handles_never_come_again(self) -> None:
        """H310: handles go on after restarts, and whatever happened to those before."""
        handles = []
        for phone in "123":
            handles.append(self.hand_out(phone))
            self.reply(by_handle("RecordProcessed", handles[-1]))
            self.store.restart()
        self.assertEqual(handles, [1, 2, 3])

    def test_groups_of_one_campaign(self) -> None:
        """H277: two groups of one campaign share its records and never hand out the same chain."""
        before = make_directory()
        groups = (
            *before.groups,
            make_group(103, before.campaigns[0], "Other", state="started", dial_mode="PushPreview"),
        )
        self.use_directory(
            make_directory(calling_lists=before.calling_lists, campaigns=before.campaigns, groups=groups)
        )
        for phone in "1234":
            self.add(phone)
        replies = self.replies(preview_record(), preview_record(103), preview_record(), preview_record(103))
        self.assertEqual(sorted(str(each["GSW_PHONE"]) for each in replies), ["1", "2", "3", "4"])
        self.assertEqual([each["GSW_CAMPAIGN_GROUP_DBID"] for each in replies], [102, 103, 102, 103])
        self.assertEqual([each["GSW_CAMPAIGN_MODE"] for each in replies], ["Preview", "PushPreview"] * 2)

    def test_agents_in_one_run(self) -> None:
        """H271, H277: requests of several agents in one run get their own callbacks and share the rest."""
        self.insert({"record_id": 1, "record_type": 5, "agent_id": "A"}, {"record_id": 2}, {"record_id": 3})
        agents: list[KV] = [{"GSW_AGENT_ID": "B"}, {"GSW_AGENT_ID": "A"}, {}, {"GSW_AGENT_ID": "A"}]
        replies = self.replies(*({**preview_record(), **agent} for agent in agents))
        self.assertEqual([each.get("GSW_PHONE") for each in replies], ["2", "1", "3", None])


class TimeoutTests(_TestCase):
    """H278: records that nobody finishes."""

    def make_directory(self) -> Directory:
        return make_directory(record_timeout=60.0)

    def test_many_agents_in_one_run(self) -> None:
        """H271: agents without callbacks of their own are served together, in their order; each holds its record."""
        self.insert(
            *({"record_id": number} for number in range(1, 5)),
            {"record_id": 9, "record_type": 5, "dial_sched_time": NOW - 5, "agent_id": "c"},
        )
        asked: list[list[str]] = []
        original = SQLiteTransaction.windows

        def windows(tx: Any, calling_list: Any, campaigns: Any, agents: Any) -> Any:
            asked.append(sorted(agents))
            return original(tx, calling_list, campaigns, agents)

        agents = ["a", "b", "c", "d", "", "e", "c"]
        with mock.patch.object(SQLiteTransaction, "windows", windows):
            replies = self.replies(*(preview_record(GSW_AGENT_ID=agent) for agent in agents))
        self.assertEqual([each.get("GSW_PHONE") for each in replies], ["1", "2", "9", "3", "4", None, None])
        held = [row["agent_id"] for row in self.store.rows("ocsgw_handout", "handout_id")]
        self.assertEqual(sorted(held), sorted(["a", "b", "c", "d", ""]))
        of_list = [each for each in asked if each != [""] and len(each) > 2]
        self.assertEqual(of_list, [["", "a", "b", "c", "d", "e"]] * 2)
        self.assertEqual(len(asked), 6)

    def test_returns(self) -> None:
        """H278, K3: the record is ready again, other members are as before; the handles are dead."""
        self.insert(
            {"record_id": 1, "chain_id": 5, "chain_n": 0, "record_status": 9},
            {"record_id": 2, "chain_id": 5, "chain_n": 1},
            {"record_id": 3, "chain_id": 5, "chain_n": 2},
        )
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.pass_time(59)
        self.assertEqual(self.column("record_status"), [2, 2, 2])
        self.pass_time(1)
        self.assertEqual(self.column("record_status"), [9, 1, 1])
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), "404 Invalid record handle")
        self.assertEqual(self.column("attempt"), [None] * 3)
        self.assertEqual(self.preview()["GSW_PHONE"], "2")

    def test_dead_before_it_is_swept(self) -> None:
        """H278, H314: a handle is dead when its time is over, even if the sweep has not come yet."""
        handle = self.hand_out("1")
        self.store.now += 60
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), "404 Invalid record handle")
        self.assertEqual(self.store.expire(), 1)

    def test_renewed(self) -> None:
        """H278: each request executed on one of the chain's handles begins the time anew, reads included."""
        handle = self.hand_out("1", "2", "3")
        requests = [
            by_handle("ChainedRecordRequest", handle),
            by_handle("UpdateCallCompletionStats", handle + 1),
            by_handle("RecordReschedule", handle + 2, **CALLBACK),
            by_handle("ScheduledRecordReschedule", handle, **CALLBACK),
        ]
        for request in requests:
            self.pass_time(59)
            self.reply(request)
        self.pass_time(59)
        self.reply(by_handle("RecordReject", handle))

    def test_not_renewed_by_a_replay(self) -> None:
        """H278, H324: a replay executes nothing, so it renews nothing."""
        handle = self.hand_out("1")
        update = pending(by_handle("UpdateCallCompletionStats", handle), key="k", keep_for=1000)
        self.reply(update)
        self.pass_time(59)
        (outcome,) = self.outcomes(update)
        self.assertTrue(outcome.replayed)
        self.pass_time(1)
        self.assertEqual(self.column("record_status"), [1])

    def test_callback_is_kept(self) -> None:
        """H230, H278: a callback agreed before the time was over is kept."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("RecordReschedule", handle, GSW_PHONE="2", **CALLBACK))
        self.pass_time(60)
        self.assertEqual(self.column("record_status"), [1, 1])
        self.assertEqual(self.column("record_type"), [2, 6])
        self.assertEqual(self.column("dial_sched_time"), [0, 1798103100])

    def test_more_than_one_sweep(self) -> None:
        """H278: many abandoned records return, and over a restart."""
        self.insert(*({"record_id": n} for n in range(1, 31)))
        self.replies(*(preview_record() for _ in range(30)))
        self.store.restart()
        self.assertEqual(self.store.freed, {})
        self.pass_time(60)
        self.assertEqual(set(self.column("record_status")), {1})

    def test_rows_in_process_of_others(self) -> None:
        """K2: rows in process that no hand-out explains return to ready when the list is opened first; told once."""
        self.insert({"record_id": 1, "record_status": 2}, {"record_id": 2, "record_status": 3})
        self.store.restart()
        self.assertEqual(self.store.freed, {"CL_Test": 1})
        self.assertEqual(self.phones(2), ["1", None])
        self.store.restart()
        self.assertEqual(self.store.freed, {})
        self.assertEqual(self.column("record_status"), [2, 3])

    def test_not_while_running(self) -> None:
        """K2, K16: a row that another program puts in process later is left alone by a reload."""
        self.insert({"record_id": 1, "record_status": 2})
        self.store.reload(make_directory())
        self.assertEqual(self.phones(1), [None])

    def test_list_added_by_a_reload(self) -> None:
        """K2: a list that a reload brings is opened first then."""
        self.store.sql("CREATE TABLE CL_New AS SELECT * FROM CL_Test")
        self.insert({"record_id": 1, "record_status": 2}, table="CL_New")
        self.store.reload(make_directory(lists=[new_list()]))
        self.assertEqual(self.store.freed, {"CL_New": 1})


def new_list() -> CallingList:
    """Return a list that only a reload knows."""
    return make_list(206, "CL_New")


class SeveralSourcesTests(_TestCase):
    """A campaign with several lists."""

    def test_all_lists(self) -> None:
        """H271, H273: records of all lists of the campaign in one order."""
        rows = [("1", "CL_CALLBACK", "10:00"), ("2", "CL_Test", "09:00"), ("3", "CL_CALLBACK", "08:00")]
        for phone, calling_list, hour in rows:
            self.reply(add_record(phone, calling_list, GSW_DATE_TIME=f"09/01/2026 {hour}"))
        self.assertEqual(self.phones(4), ["3", "2", "1", None])

    def test_a_list_that_is_not_open(self) -> None:
        """K12: a list whose table is gone does not keep the others from being handed out."""
        self.add("1")
        self.add("2", "CL_CALLBACK")
        self.store.sql("DROP TABLE CL_Test")
        self.assertEqual(self.phones(2), ["2", None])

    def test_same_chain_numbers_in_two_lists(self) -> None:
        """H277: chains of two lists with the same number are different chains."""
        self.add("1")
        self.add("2", "CL_CALLBACK")
        self.assertEqual(self.phones(3), ["1", "2", None])

    def test_blocked_meanwhile(self) -> None:
        """P41, H266: a DoNotCall that came before the request in the same batch counts."""
        self.add("1")
        self.add("2")
        replies = self.replies(preview_record(), by_phone("DoNotCall", "2"), preview_record())
        self.assertEqual([each.get("GSW_PHONE") for each in replies], ["1", "2", None])
