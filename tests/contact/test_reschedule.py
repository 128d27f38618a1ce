"""RecordReschedule and ScheduledRecordReschedule (http.md section 10.4)."""

from typing import Any

from ocsgw.protocol.messages import KV
from tests.support.rules import NOW, RuleTestCase, by_handle, by_phone, epoch, make_directory, pending

_WHEN = "12/24/2026 09:05"
_EPOCH = 1798103100
_BLOCKED = "409 Contact is on the Do Not Call list"


def reschedule(handle: object, kind: str = "Campaign", /, request: str = "RecordReschedule", **keys: Any) -> KV:
    """Return the key-values of a request for a callback."""
    given = {"GSW_CALLBACK_TYPE": kind, "GSW_DATE_TIME": _WHEN, **keys}
    return by_handle(request, handle, **given)  # type: ignore[arg-type]  # a handle


class CallbackTests(RuleTestCase):
    """The record itself is called back."""

    def test_campaign(self) -> None:
        """H230, 10.4: type 6 and the time are stored, the record stays in process; every key of the event."""
        handle = self.hand_out("1", GSW_AGENT_ID="Before")
        before = self.row(1)
        event = self.reply(reschedule(handle, GSW_DATE_TIME="12/4/2026 9:05", GSW_REFERENCE_ID="r"))
        self.assertEqual(
            event,
            {
                "GSW_USER_EVENT": "RecordRescheduleAcknowledge",
                "GSW_APPLICATION_ID": 134,
                "GSW_RECORD_HANDLE": handle,
                "GSW_CALLING_LIST": "CL_Test",
                "GSW_CAMPAIGN_NAME": "Campaign1",
                "GSW_CHAIN_ID": 1,
                "GSW_CALLBACK_TYPE": "Campaign",
                "GSW_DATE_TIME": "12/04/2026 09:05",
                "GSW_TZ_NAME": "GMT",
                "GSW_PHONE": "1",
                "GSW_RECORD_TYPE": 6,
                "GSW_REFERENCE_ID": "r",
            },
        )
        self.assertEqual(self.row(1), {**before, "record_type": 6, "dial_sched_time": epoch("2026-12-04 09:05:00")})

    def test_both_requests(self) -> None:
        """H231: both are accepted on any live handle, each with its own acknowledgement."""
        handle = self.hand_out("1")
        for request in ("RecordReschedule", "ScheduledRecordReschedule"):
            self.assertEqual(self.reply(reschedule(handle, request=request))["GSW_USER_EVENT"], f"{request}Acknowledge")

    def test_further_attributes(self) -> None:
        """10.4: phone type, call result and custom members are stored."""
        handle = self.hand_out("1")
        self.reply(reschedule(handle, GSW_PHONE_TYPE=4, GSW_CALL_RESULT=7, Remarks="x"))
        row = self.row(1)
        self.assertEqual([row[name] for name in ("contact_info_type", "call_result", "remarks")], [4, 7, "x"])

    def test_personal(self) -> None:
        """10.4, H230: type 5 for the agent given, else the desktop's or the hand-out's, else the record's."""
        rows: list[tuple[dict[str, Any], dict[str, Any], str]] = [
            ({}, {}, "Before"),
            ({"GSW_AGENT_ID": "Handed"}, {}, "Handed"),
            ({"GSW_AGENT_ID": "Handed"}, {"GSW_AGENT_ID": "Given"}, "Given"),
        ]
        for shown, keys, agent in rows:
            self.use_directory(make_directory())
            self.add("1", GSW_AGENT_ID="Before")
            handle = self.preview(**shown)["GSW_RECORD_HANDLE"]
            self.assertEqual(self.reply(reschedule(handle, "Personal", **keys))["GSW_RECORD_TYPE"], 5)
            self.assertEqual(self.column("agent_id"), [agent])

    def test_personal_from_a_desktop(self) -> None:
        """10.4: the agent of the desktop is the default."""
        handle = self.hand_out("1")
        request = pending(reschedule(handle, "Personal"), client="third_party", agent_id="Desk")
        self.reply(request)
        self.assertEqual(self.column("agent_id"), ["Desk"])

    def test_campaign_callback_leaves_the_agent(self) -> None:
        """H230: a campaign callback does not set the agent."""
        handle = self.hand_out("1", GSW_AGENT_ID="Before")
        self.reply(reschedule(handle, GSW_AGENT_ID="Other"))
        self.assertEqual(self.column("agent_id"), ["Before"])

    def test_zones(self) -> None:
        """H171, H172: the date is in the zone given, else the record's; the record's zone stays; gaps move forward."""
        handle = self.hand_out("1", GSW_TZ_NAME="PST")
        rows = [
            ({}, epoch("2026-12-24 09:05:00", "America/Los_Angeles"), "PST", _WHEN),
            ({"GSW_TZ_NAME": "cet"}, epoch("2026-12-24 09:05:00", "Europe/Paris"), "CET", _WHEN),
            (
                {"GSW_TZ_NAME": "CET", "GSW_DATE_TIME": "03/28/2027 02:30"},
                epoch("2027-03-28 01:30:00"),
                "CET",
                "03/28/2027 03:30",
            ),
            (
                {"GSW_TZ_NAME": "CET", "GSW_DATE_TIME": "10/31/2027 02:30"},
                epoch("2027-10-31 00:30:00"),
                "CET",
                "10/31/2027 02:30",
            ),
        ]
        for keys, when, zone, shown in rows:
            event = self.reply(reschedule(handle, **keys))
            self.assertEqual((event["GSW_TZ_NAME"], event["GSW_DATE_TIME"]), (zone, shown))
            self.assertEqual((self.column("dial_sched_time"), self.column("tz_dbid")), ([when], [102]))

    def test_refused(self) -> None:
        """H72, H170, H175: a wrong date, zone or custom value is refused, and nothing is changed."""
        handle = self.hand_out("1")
        before = self.rows()
        rows: list[tuple[dict[str, Any], str]] = [
            ({"GSW_DATE_TIME": "2/30/2026 10:00"}, "400 Invalid date or time"),
            ({"GSW_TZ_NAME": "Nowhere"}, "400 Invalid value of attribute GSW_TZ_NAME"),
            ({"Remarks": "x" * 256}, "400 Invalid value of attribute Remarks"),
            ({"GSW_PHONE": "2", "Remarks": "x" * 256}, "400 Invalid value of attribute Remarks"),
        ]
        for keys, text in rows:
            self.assertEqual(self.refusal(reschedule(handle, **keys)), text)
        self.assertEqual(self.rows(), before)

    def test_end(self) -> None:
        """H212, H230, H233: after RecordProcessed the record waits for the last time agreed; the others wait too."""
        handle = self.hand_out("1", "2")
        self.reply(reschedule(handle, "Personal", GSW_AGENT_ID="A"))
        self.reply(reschedule(handle, GSW_DATE_TIME="09/22/2026 00:00"))
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=6))
        row = self.row(1)
        shown = [row[name] for name in ("record_type", "record_status", "dial_sched_time", "attempt", "call_result")]
        self.assertEqual(shown, [6, 1, epoch("2026-09-22 00:00:00"), 1, 6])
        self.assertEqual(self.column("record_status"), [1, 9])
        self.store.now = epoch("2026-09-22 00:00:00")
        self.assertEqual(self.preview()["GSW_PHONE"], "1")
        self.assertEqual(self.column("record_status"), [2, 2])

    def test_personal_callback_keeps_its_agent(self) -> None:
        """H230: who reports the result is not who the callback is for."""
        handle = self.hand_out("1")
        self.reply(reschedule(handle, "Personal", GSW_AGENT_ID="A", GSW_DATE_TIME="09/01/2026 00:00"))
        self.reply(by_handle("RecordProcessed", handle, GSW_AGENT_ID="B"))
        self.assertEqual(self.column("agent_id"), ["A"])
        self.assertNotIn("GSW_PHONE", self.preview(GSW_AGENT_ID="B"))
        self.assertEqual(self.preview(GSW_AGENT_ID="A")["GSW_PHONE"], "1")

    def test_past(self) -> None:
        """H173: a time in the past is due at once."""
        handle = self.hand_out("1")
        self.reply(reschedule(handle, GSW_DATE_TIME="1/1/1970 00:00"))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.preview()["GSW_PHONE"], "1")


class OtherContactTests(RuleTestCase):
    """H232: another contact is to be called back."""

    def test_member(self) -> None:
        """H232: the member with the contact in any spelling is rescheduled; the record is done, the rest waits."""
        handle = self.hand_out("100", "200", "300")
        event = self.reply(reschedule(handle, GSW_PHONE="2-0-0", GSW_PHONE_TYPE=4, GSW_CALL_RESULT=7))
        self.assertEqual((event["GSW_PHONE"], event["GSW_RECORD_HANDLE"]), ("200", handle))
        self.assertEqual(self.column("record_type"), [2, 6, 2])
        self.assertEqual(self.column("contact_info_type"), [0, 4, 0])
        self.assertEqual(self.column("call_result"), [7, 28, 28])
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_status"), [3, 1, 9])
        self.assertEqual(self.column("attempt"), [1, 0, 0])

    def test_own_contact_first(self) -> None:
        """H232: of several members with the contact the record itself is meant first."""
        handle = self.hand_out("1", "1")
        self.reply(reschedule(handle + 1, GSW_PHONE="1"))
        self.assertEqual(self.column("record_type"), [2, 6])

    def test_new_contact(self) -> None:
        """H232: a new contact becomes a record of the chain: a copy, ready, without attempts or handle."""
        handle = self.hand_out("1", "2", GSW_ATTEMPTS=4, GSW_TZ_NAME="PST", GSW_UNTIL=5, GSW_FROM=5, Remarks="x")
        event = self.reply(reschedule(handle, GSW_PHONE="(9)", GSW_DATE_TIME="01/01/2026 00:00"))
        self.assertEqual((event["GSW_PHONE"], event["GSW_CHAIN_ID"]), ("(9)", 1))
        expected = {
            **self.row(1),
            "record_id": 3,
            "chain_n": 2,
            "contact_info": "(9)",
            "record_type": 6,
            "record_status": 1,
            "attempt": 0,
            "dial_sched_time": epoch("2026-01-01 08:00:00"),
        }
        self.assertEqual(self.row(3), expected)
        chained: Any = self.reply(by_handle("ChainedRecordRequest", handle))["GSW_CHAINED_RECORDS"]
        self.assertEqual([each["GSW_PHONE"] for each in chained], ["2"])
        self.assertNotIn("GSW_PHONE", self.preview())
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_status"), [3, 9, 1])
        self.assertEqual(self.preview()["GSW_PHONE"], "(9)")

    def test_new_contact_twice(self) -> None:
        """H232, H233: the same new contact again is a member by now; another one is one more record."""
        handle = self.hand_out("1")
        self.replies(reschedule(handle, GSW_PHONE="9"), reschedule(handle, GSW_PHONE=" 9"))
        self.reply(reschedule(handle, GSW_PHONE="8"))
        self.assertEqual(self.column("contact_info"), ["1", "9", "8"])
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_status"), [3, 1, 1])

    def test_numbers_in_one_run(self) -> None:
        """H200, H232: records added to several chains in one run get different numbers."""
        handles = [self.hand_out(phone) for phone in "123"]
        self.replies(*(reschedule(handle, GSW_PHONE=f"9{handle}") for handle in handles))
        self.assertEqual(sorted(row["record_id"] for row in self.rows()), [1, 2, 3, 4, 5, 6])

    def test_member_that_is_not_in_process(self) -> None:
        """H232: a member that does not take part is rescheduled too and ready afterwards, whatever it was before."""
        handle = self.hand_out("1")
        self.add("2", GSW_CHAIN_ID=1, GSW_RECORD_STATUS=3)
        self.reply(reschedule(handle, GSW_PHONE="2"))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual((self.column("record_status"), self.column("record_type")), ([3, 1], [2, 6]))

    def test_both(self) -> None:
        """H232, H233: the record and a member, both rescheduled, are both ready."""
        handle = self.hand_out("1", "2", "3")
        self.reply(reschedule(handle))
        self.reply(reschedule(handle, GSW_PHONE="2"))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_status"), [1, 1, 9])

    def test_status_of_an_update(self) -> None:
        """H212, H232: a status that an update set still counts for the record if only a member was rescheduled."""
        handle = self.hand_out("1", "2", "3")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_RECORD_STATUS=6))
        self.reply(reschedule(handle, GSW_PHONE="2"))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_status"), [6, 1, 9])


class DoNotCallTests(RuleTestCase):
    """H234: what is blocked is not called back."""

    def test_marked_record(self) -> None:
        """H234: the record is of type 7."""
        handle = self.hand_out("1")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_RECORD_TYPE=7))
        self.assertEqual(self.refusal(reschedule(handle)), _BLOCKED)
        self.assertEqual(self.refusal(reschedule(handle, GSW_PHONE="2")), _BLOCKED)

    def test_contact(self) -> None:
        """H234: the contact to be called back is on the list, the record's own, a member's, or a new one."""
        handle = self.hand_out("1", "2")
        for phone in "23":
            self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES (?)", phone)
        before = self.rows()
        for phone in ("2", "3", "(3)"):
            self.assertEqual(self.refusal(reschedule(handle, GSW_PHONE=phone)), _BLOCKED, phone)
        self.assertEqual(self.rows(), before)
        self.reply(reschedule(handle))
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES ('1')")
        self.assertEqual(self.refusal(reschedule(handle)), _BLOCKED)

    def test_other_contact_than_the_record(self) -> None:
        """H234: the record's own contact does not matter if another one is to be called back, unless it was marked."""
        handle = self.hand_out("1", "2")
        self.store.sql("INSERT INTO gsw_donotcall_list (phone) VALUES ('1')")
        self.reply(reschedule(handle, GSW_PHONE="2"))
        self.reply(by_phone("DoNotCall", "1"))
        self.assertEqual(self.refusal(reschedule(handle, GSW_PHONE="2")), _BLOCKED)

    def test_customer_id(self) -> None:
        """H234: the customer id is on the list: that of the record, that of the member, or one that comes with it."""
        self.store.sql("INSERT INTO gsw_donotcall_list (customer_id) VALUES ('C')")
        handle = self.hand_out("1")
        self.assertEqual(self.refusal(reschedule(handle, CustomerID="C")), _BLOCKED)
        self.assertEqual(self.column("cust_id"), [None])
        self.add("2", GSW_CHAIN_ID=1, GSW_RECORD_STATUS=3)
        self.store.sql("UPDATE CL_Test SET cust_id = 'C' WHERE record_id = 2")
        self.assertEqual(self.refusal(reschedule(handle, GSW_PHONE="2")), _BLOCKED)
        self.store.sql("UPDATE CL_Test SET cust_id = 'C' WHERE record_id = 1")
        self.assertEqual(self.refusal(reschedule(handle, GSW_PHONE="3")), _BLOCKED)

    def test_blocked_afterwards(self) -> None:
        """H266: a member that was rescheduled and is blocked then is done at the end."""
        handle = self.hand_out("1", "2", "3")
        self.reply(reschedule(handle, GSW_PHONE="2"))
        self.reply(by_phone("DoNotCall", "2"))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual((self.column("record_status"), self.column("record_type")), ([3, 7, 7], [2, 7, 2]))
        self.assertEqual(self.column("dial_sched_time"), [0, _EPOCH, 0])
        self.assertGreater(_EPOCH, NOW)

    def test_member_blocked_meanwhile(self) -> None:
        """H213, H266: when the chain goes on, a member that was marked meanwhile does not wait with the others."""
        handle = self.hand_out("1", "2", "3", "4")
        self.reply(reschedule(handle, GSW_PHONE="2"))
        self.reply(by_phone("DoNotCall", "3"))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_status"), [3, 1, 7, 9])
