"""Requests by record handle: results, updates, rejects, cancels, chains (http.md 10.2 to 10.6, 10.9, section 11)."""

from typing import Any, cast

from ocsgw.contact.directory import Directory
from ocsgw.protocol.messages import KV
from tests.support.rules import (
    GROUP,
    NOW,
    SECOND_GROUP,
    RuleTestCase,
    add_record,
    by_handle,
    by_phone,
    make_directory,
    make_list,
    of_group,
    pending,
    preview_record,
)

DEAD = "404 Invalid record handle"
CALLBACK = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"}
_FINAL = ("RecordProcessed", "RecordReject", "RequestRecordCancel", "DoNotCall")


class _TestCase(RuleTestCase):
    def finished(self, request: str, handle: int, /, **keys: Any) -> KV:
        """Send a final request and see that every handle of the chain is dead after it."""
        event = self.reply(by_handle(request, handle, **keys))
        for each in range(1, handle + 5):
            self.assertEqual(self.refusal(by_handle("ChainedRecordRequest", each)), DEAD)
        return event

    def record_keys(self, handle: int) -> KV:
        """Return the record keys of the first chain of CL_Test."""
        return {
            "GSW_RECORD_HANDLE": handle,
            "GSW_CALLING_LIST": "CL_Test",
            "GSW_CAMPAIGN_NAME": "Campaign1",
            "GSW_CHAIN_ID": 1,
        }

    def desktop(self, data: KV, agent: str = "Agent1") -> Any:
        """Return a request of a desktop."""
        return pending(data, client="desktop", agent_id=agent)


class RecordProcessedTests(_TestCase):
    """10.2."""

    def test_alone(self) -> None:
        """H210 to H213, 10.2: one attempt more, called now, done; the acknowledgement has the record keys."""
        handle = self.hand_out("1")
        self.pass_time(5)
        event = self.finished("RecordProcessed", handle, GSW_CALL_RESULT=33, GSW_REFERENCE_ID=7, Remarks="x")
        self.assertEqual(
            event,
            {
                "GSW_USER_EVENT": "RecordProcessedAcknowledge",
                "GSW_APPLICATION_ID": 134,
                **self.record_keys(handle),
                "GSW_REFERENCE_ID": 7,
            },
        )
        row = self.row(1)
        shown = [row[name] for name in ("call_result", "attempt", "call_time", "record_status", "record_type")]
        self.assertEqual([*shown, row["remarks"]], [33, 1, NOW + 5, 3, 2, "x"])

    def test_without_a_result(self) -> None:
        """10.2: the call result is optional and stays as it was."""
        handle = self.hand_out("1", GSW_CALL_RESULT=9)
        self.finished("RecordProcessed", handle)
        self.assertEqual(self.column("call_result"), [9])

    def test_call_time(self) -> None:
        """10.2: GSW_CALL_TIME may be given."""
        self.finished("RecordProcessed", self.hand_out("1"), GSW_CALL_TIME=5)
        self.assertEqual(self.column("call_time"), [5])

    def test_agent(self) -> None:
        """10.2, 10.8: the agent given, else that of the desktop, else that of the hand-out; none leaves the column."""
        for phone in "1234":
            self.add(phone, GSW_AGENT_ID="Before")
        handles = [
            self.preview(**keys)["GSW_RECORD_HANDLE"] for keys in ({}, {"GSW_AGENT_ID": "A"}, {"GSW_AGENT_ID": "A"})
        ]
        desktop = self.reply(self.desktop(preview_record(), "D"))["GSW_RECORD_HANDLE"]
        self.reply(by_handle("RecordProcessed", handles[0]))
        self.reply(by_handle("RecordProcessed", handles[1]))
        self.reply(by_handle("RecordProcessed", handles[2], GSW_AGENT_ID="B"))
        self.reply(self.desktop(by_handle("RecordProcessed", desktop), "D"))
        self.assertEqual(self.column("agent_id"), ["Before", "A", "B", "D"])

    def test_chain(self) -> None:
        """H213: the other members in process are chain-updated, nothing else of them changes; the rest is left."""
        handle = self.hand_out("1", "2")
        self.add("3", GSW_CHAIN_ID=1)
        self.finished("RecordProcessed", handle, GSW_CALL_RESULT=33)
        self.assertEqual(self.column("record_status"), [3, 7, 1])
        self.assertEqual(self.column("attempt"), [1, 0, 0])
        self.assertEqual(self.column("call_result"), [33, 28, 28])

    def test_another_member(self) -> None:
        """H214: a handle of another member makes that member the record."""
        handle = self.hand_out("1", "2")
        self.finished("RecordProcessed", handle + 1, GSW_CALL_RESULT=33)
        self.assertEqual(self.column("record_status"), [7, 3])
        self.assertEqual((self.column("attempt"), self.column("call_result")), ([0, 1], [28, 33]))

    def test_status_of_an_update(self) -> None:
        """H212, H213: the status that an update set; with 1 the chain goes on and the others wait."""
        for status, others in ((1, 9), (3, 7), (4, 7), (5, 7), (6, 7), (8, 7)):
            self.use_directory(make_directory())
            handle = self.hand_out("1", "2")
            self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_RECORD_STATUS=6))
            self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_RECORD_STATUS=status))
            self.assertEqual(self.column("record_status"), [2, 2])
            self.finished("RecordProcessed", handle)
            self.assertEqual(self.column("record_status"), [status, others], status)

    def test_update_of_another_member(self) -> None:
        """H212, H214: what an update said of another member does not count for the record."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("UpdateCallCompletionStats", handle + 1, GSW_RECORD_STATUS=1, GSW_ATTEMPTS=9))
        self.finished("RecordProcessed", handle)
        self.assertEqual((self.column("record_status"), self.column("attempt")), ([3, 7], [1, 9]))

    def test_attempts_of_an_update(self) -> None:
        """H211: attempts set by an update during this hand-out are not raised, in the next one they are."""
        handle = self.hand_out("1")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_ATTEMPTS=5, GSW_RECORD_STATUS=1))
        self.finished("RecordProcessed", handle)
        self.assertEqual(self.column("attempt"), [5])
        self.preview()
        self.finished("RecordProcessed", handle + 1)
        self.assertEqual(self.column("attempt"), [6])

    def test_highest_attempt(self) -> None:
        """H211: attempts go on rising beyond the range of requests."""
        self.finished("RecordProcessed", self.hand_out("1", GSW_ATTEMPTS=32767))
        self.assertEqual(self.column("attempt"), [32768])

    def test_blocked_behind_our_back(self) -> None:
        """H215: a record that the list covers by now gets type 7 and status 3; the result is stored."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_RECORD_STATUS=1))
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES ('1')")
        self.finished("RecordProcessed", handle, GSW_CALL_RESULT=6)
        self.assertEqual((self.column("record_type"), self.column("record_status")), ([7, 2], [3, 7]))
        self.assertEqual(self.column("call_result"), [6, 28])

    def test_customer_id_given_with_the_result(self) -> None:
        """H215: a customer id that comes with the result counts."""
        self.store.sql("INSERT INTO gsw_donotcall_list (customer_id) VALUES ('C')")
        self.finished("RecordProcessed", self.hand_out("1"), CustomerID="C")
        self.assertEqual(self.column("record_type"), [7])


class UpdateTests(_TestCase):
    """10.3."""

    def test_each_attribute(self) -> None:
        """H221, 10.3: each key changes its column and nothing else; the event shows contact, result and type."""
        keys: list[tuple[str, Any, str, Any]] = [
            ("GSW_CALL_RESULT", 6, "call_result", 6),
            ("GSW_PHONE", "(2)", "contact_info", "(2)"),
            ("GSW_PHONE_TYPE", 4, "contact_info_type", 4),
            ("GSW_FROM", 7, "daily_from", 7),
            ("GSW_UNTIL", 86400, "daily_till", 86400),
            ("GSW_TZ_NAME", "pst", "tz_dbid", 102),
            ("GSW_RECORD_TYPE", 6, "record_type", 6),
            ("GSW_ATTEMPTS", 32767, "attempt", 32767),
            ("Remarks", "x", "remarks", "x"),
        ]
        handle = self.hand_out("1")
        expected = self.row(1)
        for key, value, column, stored in keys:
            event = self.reply(by_handle("UpdateCallCompletionStats", handle, **{key: value}))
            expected[column] = stored
            self.assertEqual(self.row(1), expected, key)
        self.assertEqual(
            event,
            {
                "GSW_USER_EVENT": "UpdateCallCompletionStatsAcknowledge",
                "GSW_APPLICATION_ID": 134,
                **self.record_keys(handle),
                "GSW_PHONE": "(2)",
                "GSW_CALL_RESULT": 6,
                "GSW_RECORD_TYPE": 6,
            },
        )

    def test_many(self) -> None:
        """H220, H223: it may be sent any number of times; the record stays in process."""
        handle = self.hand_out("1")
        self.replies(*(by_handle("UpdateCallCompletionStats", handle, GSW_ATTEMPTS=n) for n in range(20)))
        self.assertEqual((self.column("attempt"), self.column("record_status")), ([19], [2]))

    def test_unknown_zone(self) -> None:
        """H72, H175: an unknown zone is refused and the rest of the update is not done either."""
        handle = self.hand_out("1")
        before = self.rows()
        request = by_handle("UpdateCallCompletionStats", handle, GSW_TZ_NAME="Nowhere", GSW_ATTEMPTS=3, Remarks="x")
        self.assertEqual(self.refusal(request), "400 Invalid value of attribute GSW_TZ_NAME")
        self.assertEqual(self.rows(), before)

    def test_customer_id_on_the_list(self) -> None:
        """H222, H215: a new customer id on the list makes no type 7 at once, but at the end."""
        self.store.sql("INSERT INTO gsw_donotcall_list (customer_id) VALUES ('C')")
        handle = self.hand_out("1")
        self.reply(by_handle("UpdateCallCompletionStats", handle, CustomerID="C", GSW_RECORD_STATUS=1))
        self.finished("RecordProcessed", handle)
        self.assertEqual((self.column("record_type"), self.column("record_status")), ([7], [3]))

    def test_information_keys(self) -> None:
        """H103: list, campaign and chain are information; a difference is noted and has no effect."""
        handle = self.hand_out("1")
        keys = {"GSW_CALLING_LIST": "Other", "GSW_CAMPAIGN_NAME": "Campaign1", "GSW_CHAIN_ID": 77}
        self.reply(by_handle("UpdateCallCompletionStats", handle, **keys))
        assert self.store.unit is not None
        self.assertEqual(
            self.store.unit.differences,
            [
                f"{key} of a request differs from that of record handle 1"
                for key in ("GSW_CALLING_LIST", "GSW_CHAIN_ID")
            ],
        )


class RejectTests(_TestCase):
    """10.5."""

    def test_returns(self) -> None:
        """H240, K3: the record is ready, members are as before; no attempt was made; all handles die."""
        self.store.sql(
            "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n, record_status, attempt) VALUES"
            " (1, '1', 1, 0, 9, 4), (2, '2', 1, 1, 1, 4), (3, '3', 1, 2, 1, 4), (4, '4', 1, 3, 5, 4)"
        )
        handle = int(str(self.preview()["GSW_RECORD_HANDLE"]))
        event = self.finished("RecordReject", handle)
        self.assertEqual(self.column("record_status"), [9, 1, 1, 5])
        self.assertEqual(self.column("attempt"), [4] * 4)
        self.assertEqual(
            event, {"GSW_USER_EVENT": "RecordRejectAcknowledge", "GSW_APPLICATION_ID": 134, **self.record_keys(handle)}
        )

    def test_changes_stay(self) -> None:
        """H241: changes of fields and a reschedule stay."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_ATTEMPTS=3, GSW_RECORD_STATUS=6, Remarks="x"))
        self.reply(by_handle("RecordReschedule", handle, GSW_PHONE="2", **CALLBACK))
        self.finished("RecordReject", handle)
        row = self.row(1)
        self.assertEqual([row[name] for name in ("attempt", "remarks", "record_status")], [3, "x", 1])
        row = self.row(2)
        self.assertEqual(
            [row[name] for name in ("record_type", "record_status", "dial_sched_time")], [6, 1, 1798103100]
        )

    def test_same_record_again(self) -> None:
        """H242: the same client may be handed the same record at once, under a new handle."""
        handle = self.hand_out("1")
        events = self.replies(by_handle("RecordReject", handle), preview_record())
        self.assertEqual((events[1]["GSW_PHONE"], events[1]["GSW_RECORD_HANDLE"]), ("1", handle + 1))


class CancelTests(_TestCase):
    """10.6 by handle."""

    def test_chain(self) -> None:
        """H250 to H252: by default the chain: those of status 1, 2, 8 or 9; others are left and not counted."""
        handle = self.hand_out("1", "2")
        for status in (1, 3, 4, 5, 6, 7, 8, 9):
            self.add(f"10{status}", GSW_CHAIN_ID=1, GSW_RECORD_STATUS=status)
        event = self.finished("RequestRecordCancel", handle)
        self.assertEqual(self.column("record_status"), [5, 5, 5, 3, 4, 5, 6, 7, 5, 5])
        self.assertEqual(self.column("call_result"), [52, 52, 52, 28, 28, 28, 28, 28, 52, 52])
        self.assertEqual(
            event,
            {
                "GSW_USER_EVENT": "RecordCancelAcknowledge",
                "GSW_APPLICATION_ID": 134,
                **self.record_keys(handle),
                "GSW_CHAIN_ATTR": "AllChain",
                "GSW_RECORDS_COUNT": 5,
            },
        )

    def test_record_only(self) -> None:
        """H253: with RecordOnly the other members are as before the hand-out, whichever was handed out."""
        handle = self.hand_out("1", "2", "3")
        event = self.finished("RequestRecordCancel", handle + 1, GSW_CHAIN_ATTR="RecordOnly")
        self.assertEqual(self.column("record_status"), [1, 5, 1])
        self.assertEqual((event["GSW_RECORDS_COUNT"], event["GSW_CHAIN_ATTR"]), (1, "RecordOnly"))

    def test_marked_record(self) -> None:
        """H251, H266: a record of type 7 in process is cancelled and stays type 7."""
        handle = self.hand_out("1")
        self.reply(by_phone("DoNotCall", "1"))
        self.finished("RequestRecordCancel", handle)
        self.assertEqual((self.column("record_type"), self.column("record_status")), ([7], [5]))

    def test_rescheduled_member(self) -> None:
        """H250, H253: a callback that was agreed is cancelled with its record or chain, else it stays ready."""
        for attr, expected in (("AllChain", [5, 5]), ("RecordOnly", [5, 1])):
            self.use_directory(make_directory())
            handle = self.hand_out("1")
            self.reply(by_handle("RecordReschedule", handle, GSW_PHONE="2", **CALLBACK))
            self.finished("RequestRecordCancel", handle, GSW_CHAIN_ATTR=attr)
            self.assertEqual(self.column("record_status"), expected, attr)


class ChainedRecordsTests(_TestCase):
    """10.9."""

    def test_for_applications(self) -> None:
        """P20, P21: for desktops and third-party applications each record has its own event, then comes the end."""
        handle = self.hand_out("1", "2", "3")
        (outcome,) = self.outcomes(
            pending(by_handle("ChainedRecordRequest", handle, GSW_REFERENCE_ID="r"), client="third_party")
        )
        events = cast("list[KV]", outcome.reply)
        self.assertEqual(
            [each["GSW_USER_EVENT"] for each in events], ["ChainedRecord", "ChainedRecord", "ChainedRecordsDataEnd"]
        )
        self.assertEqual([each.get("GSW_PHONE") for each in events], ["2", "3", None])
        self.assertEqual({each["GSW_REFERENCE_ID"] for each in events}, {"r"})
        self.assertNotIn("GSW_CHAINED_RECORDS", events[-1])
        self.assertEqual(events[-1]["GSW_RECORD_HANDLE"], handle)

    def test_members(self) -> None:
        """H290, H291: the other members in process by chain_n, each with its own handle, URI and GUID."""
        handle = self.hand_out("1", "2", "3")
        self.add("4", GSW_CHAIN_ID=1)
        event = self.reply(by_handle("ChainedRecordRequest", handle + 1, GSW_REFERENCE_ID="r"))
        members: Any = event.pop("GSW_CHAINED_RECORDS")
        self.assertEqual(
            event,
            {
                "GSW_USER_EVENT": "ChainedRecordsDataEnd",
                "GSW_APPLICATION_ID": 134,
                **self.record_keys(handle + 1),
                "GSW_REFERENCE_ID": "r",
            },
        )
        self.assertEqual([member["GSW_PHONE"] for member in members], ["1", "3"])
        self.assertEqual([member["GSW_RECORD_HANDLE"] for member in members], [handle, handle + 2])
        self.assertEqual(len({member["GSW_CALL_ATTEMPT_GUID"] for member in members}), 2)
        self.assertEqual(members[1]["GSW_RECORD_URI"], f"http://ocs.example:8080/records/{handle + 2}")

    def test_keys_of_a_member(self) -> None:
        """H291: a ChainedRecord has the keys of PreviewRecord but for those of the group, GSW_USER_EVENT first."""
        chain = self.add("1", Remarks="a", CustomerID="C")["GSW_CHAIN_ID"]
        self.add("2", GSW_CHAIN_ID=chain, Remarks="b", CustomerID="D")
        shown = self.preview()
        answer: Any = self.reply(by_handle("ChainedRecordRequest", shown["GSW_RECORD_HANDLE"]))
        (member,) = answer["GSW_CHAINED_RECORDS"]
        group = {"GSW_CAMPAIGN_GROUP_NAME", "GSW_CAMPAIGN_GROUP_DBID", "GSW_CAMPAIGN_MODE"}
        self.assertEqual([key for key in shown if key not in group], list(member))
        self.assertEqual((next(iter(member)), member["GSW_USER_EVENT"]), ("GSW_USER_EVENT", "ChainedRecord"))

    def test_alone_and_repeated(self) -> None:
        """H292, H293: a chain of one has none; a repetition gives the same handles."""
        handle = self.hand_out("1")
        self.assertEqual(self.reply(by_handle("ChainedRecordRequest", handle))["GSW_CHAINED_RECORDS"], [])
        handle = self.hand_out("2", "3")
        events = self.replies(*(by_handle("ChainedRecordRequest", handle) for _ in range(3)))
        self.assertEqual(events[0], events[1])
        self.assertEqual(events[0], events[2])

    def test_read_only(self) -> None:
        """H290: nothing changes in the list."""
        handle = self.hand_out("1", "2")
        before = self.rows()
        self.reply(by_handle("ChainedRecordRequest", handle))
        self.assertEqual(self.rows(), before)


class HandleTests(_TestCase):
    """Section 11."""

    def make_directory(self) -> Directory:
        return make_directory(second_tenant=True)

    def test_never_given(self) -> None:
        """H314: an unknown handle and a dead one get the same 404, up to the highest number."""
        self.finished("RecordProcessed", self.hand_out("1"))
        for handle in (1, 2, 2147483648, 2**53 - 1):
            for request in (*_FINAL, "UpdateCallCompletionStats", "ChainedRecordRequest"):
                self.assertEqual(self.refusal(by_handle(request, handle)), DEAD)
            for request in ("RecordReschedule", "ScheduledRecordReschedule"):
                self.assertEqual(self.refusal(by_handle(request, handle, **CALLBACK)), DEAD)

    def test_each_final_request(self) -> None:
        """H313, H315: of several final requests in one batch one is acknowledged, on whichever handle of the chain."""
        for request in _FINAL[:3]:
            handle = self.hand_out("1", "2", "3")
            replies = self.replies(*(by_handle(request, handle + n % 3) for n in range(6)))
            self.assertEqual([each.get("error") for each in replies], [None, *["invalid_handle"] * 5], request)
            self.store.sql("DELETE FROM CL_Test")

    def test_different_finals_in_one_batch(self) -> None:
        """H315, P41: of different final requests the first wins; those before it still work."""
        handle = self.hand_out("1", "2")
        replies = self.replies(
            by_handle("UpdateCallCompletionStats", handle, Remarks="x"),
            by_handle("ChainedRecordRequest", handle),
            by_handle("RecordProcessed", handle + 1, GSW_CALL_RESULT=33),
            by_handle("RecordReject", handle),
            by_handle("UpdateCallCompletionStats", handle, Remarks="y"),
        )
        self.assertEqual([each.get("error") for each in replies], [None, None, None, *["invalid_handle"] * 2])
        self.assertEqual((self.column("record_status"), self.column("remarks")), ([7, 3], ["x", None]))

    def test_restart(self) -> None:
        """H311, K3: handles and what updates have said live in the store."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_ATTEMPTS=7, GSW_RECORD_STATUS=6))
        self.store.restart()
        event: Any = self.reply(by_handle("ChainedRecordRequest", handle))
        self.assertEqual(len(event["GSW_CHAINED_RECORDS"]), 1)
        self.store.restart()
        self.finished("RecordProcessed", handle)
        self.assertEqual((self.column("record_status"), self.column("attempt")), ([6, 7], [7, 0]))

    def test_reschedule_and_restart(self) -> None:
        """H311, H232: what was rescheduled is known after a restart."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("RecordReschedule", handle, GSW_PHONE="2", **CALLBACK))
        self.store.restart()
        self.finished("RecordProcessed", handle)
        self.assertEqual(self.column("record_status"), [3, 1])

    def test_stopped_group(self) -> None:
        """H317: stopping a group leaves its handles alive."""
        handle = self.hand_out("1")
        self.reply(of_group("StopDialing"))
        self.finished("RecordProcessed", handle)

    def test_unloaded_group(self) -> None:
        """H313, P52: unloading makes handles die; the record is ready, members are as before."""
        for order in ("UnloadCampaign", "ForceUnloadCampaign"):
            self.use_directory(make_directory())
            handle = self.hand_out("1", "2")
            if order == "UnloadCampaign":
                self.reply(of_group("StopDialing"))
            self.reply(of_group(order))
            self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), DEAD)
            self.assertEqual(self.column("record_status"), [1, 1])

    def test_cancelled_by_someone_else(self) -> None:
        """H313, H252: the handles of cancelled records die, those of other members live."""
        handle = self.hand_out("1", "2")
        self.assertEqual(self.reply(by_phone("RequestRecordCancel", "1"))["GSW_RECORDS_COUNT"], 1)
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), DEAD)
        self.finished("RecordProcessed", handle + 1)
        self.assertEqual(self.column("record_status"), [5, 3])

    def test_desktop(self) -> None:
        """H316: a desktop may use only handles of records that its agent holds; others may use any."""
        self.add("1")
        self.add("2")
        handle = self.reply(self.desktop(preview_record()))["GSW_RECORD_HANDLE"]
        other = self.preview()["GSW_RECORD_HANDLE"]
        for held, agent in ((handle, "Agent2"), (other, "Agent1")):
            (outcome,) = self.outcomes(self.desktop(by_handle("RecordReject", held), agent))
            self.assertEqual(getattr(outcome.reply, "code", None), "invalid_state")
        self.reply(self.desktop(by_handle("UpdateCallCompletionStats", handle)))
        self.reply(pending(by_handle("UpdateCallCompletionStats", handle), client="third_party"))
        self.reply(by_handle("RecordProcessed", handle))

    def test_permission(self) -> None:
        """H346: a handle of another tenant's record is forbidden, whatever is asked."""
        self.use_directory(make_directory(second_tenant=True, principals={"dialer": frozenset({"Environment"})}))
        self.add("1", "CL_Second")
        handle = self.preview(SECOND_GROUP)["GSW_RECORD_HANDLE"]
        for request in (*_FINAL, "ChainedRecordRequest", "UpdateCallCompletionStats"):
            refusal = self.refusal(pending(by_handle(request, handle), principal="dialer"))
            self.assertTrue(refusal.startswith("403 "), request)

    def test_many_handles_in_one_run(self) -> None:
        """P41: requests for many chains, live and dead, in one run take effect each for itself."""
        self.replies(*(add_record(str(n)) for n in range(20)))
        handles = [each["GSW_RECORD_HANDLE"] for each in self.replies(*(preview_record() for _ in range(20)))]
        replies = self.replies(
            *(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=at) for at, handle in enumerate(handles)),
            by_handle("RecordProcessed", 999),
        )
        self.assertEqual([each["GSW_RECORD_HANDLE"] for each in replies[:20]], handles)
        self.assertEqual(replies[20], {"error": "invalid_handle"})
        self.assertEqual(self.column("call_result"), list(range(20)))
        self.assertEqual(self.store.sql("SELECT count(*) FROM ocsgw_handle"), [(0,)])

    def test_removed_list(self) -> None:
        """C67: the live handles of a list that a reload removes stay valid for final requests, for no others."""
        extra = make_list(205, "CL_Extra")
        self.use_directory(make_directory(lists=[extra]))
        for phone in "123":
            self.add(phone, "CL_Extra")
        handles = [self.preview()["GSW_RECORD_HANDLE"] for _ in range(3)]
        self.store.reload(make_directory(retired=[extra]))
        self.assertEqual(self.refusal(add_record("4", "CL_Extra")), "404 Calling list not found")
        self.assertEqual(self.refusal(by_handle("UpdateCallCompletionStats", handles[0])), DEAD)
        self.reply(by_handle("RecordProcessed", handles[0], GSW_CALL_RESULT=33))
        self.reply(by_handle("RequestRecordCancel", handles[1]))
        self.pass_time(600)
        self.assertEqual(self.column("record_status", "CL_Extra"), [3, 5, 1])

    def test_batch_queued_before_a_reload(self) -> None:
        """C67, C41: a batch that was made with the configuration before is carried out with it."""
        extra = make_list(205, "CL_Extra")
        before = make_directory(lists=[extra])
        self.use_directory(before)
        self.store.store.use(make_directory())
        self.assertEqual(self.add("1", "CL_Extra")["GSW_CALLING_LIST"], "CL_Extra")
        self.assertEqual(self.preview(GROUP)["GSW_PHONE"], "1")
