"""DoNotCall by phone, customer id and record handle (http.md section 10.7, constants.md section 6)."""

from typing import Any

from ocsgw.contact.directory import Directory, DoNotCallOptions
from tests.support.rules import (
    GROUP,
    NOW,
    SECOND_GROUP,
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
    make_directory,
    pending,
)

_TABLE = "gsw_donotcall_list"
_SCOPE = ("tenant_dbid", "campaign_dbid", "list_dbid")
# The table of the classic product, with its narrow columns (constants.md section 6.1).
CLASSIC_TABLE = (
    "CREATE TABLE gsw_donotcall_list (phone varchar(64), customer_id varchar(64), dnc_message varchar(255),"
    " tenant_dbid decimal(18,0), campaign_dbid decimal(18,0), list_dbid decimal(18,0), is_internal integer,"
    " time_stamp integer)"
)


class _TestCase(RuleTestCase):
    """Tests with two tenants."""

    def make_directory(self) -> Directory:
        return make_directory(second_tenant=True)

    def entries(self, *columns: str) -> list[list[Any]]:
        """Return columns of the entries in the do-not-call table."""
        return [list(row.values()) for row in self.rows(_TABLE, *columns)]

    def state(self, table: str = "CL_Test") -> list[list[Any]]:
        """Return type, status and call result of every record of a list."""
        rows = self.store.rows(table, "chain_id, chain_n")
        return [[row[name] for name in ("record_type", "record_status", "call_result")] for row in rows]


class ByPhoneTests(_TestCase):
    """POST /phones/P?req=DoNotCall."""

    def test_entry(self) -> None:
        """H260, K41, K47: one entry with the text as given, trimmed; made by OCS, now, for every scope, for ever."""
        event = self.reply(by_phone("DoNotCall", " (650) 555-0100 ", GSW_REFERENCE_ID=5))
        self.assertEqual(
            self.rows(_TABLE),
            [
                {
                    "phone": "(650) 555-0100",
                    "customer_id": None,
                    "dnc_message": "anonymous phones",
                    "tenant_dbid": 0,
                    "campaign_dbid": 0,
                    "list_dbid": 0,
                    "is_internal": 1,
                    "time_stamp": NOW,
                    "expires_at": None,
                }
            ],
        )
        self.assertEqual(
            event,
            {
                "GSW_USER_EVENT": "DoNotCallAcknowledge",
                "GSW_APPLICATION_ID": 134,
                "GSW_PHONE": " (650) 555-0100 ",
                "GSW_CHAIN_ATTR": "RecordOnly",
                "GSW_RECORDS_COUNT": 0,
                "GSW_REFERENCE_ID": 5,
            },
        )

    def test_records_of_all_lists(self) -> None:
        """H262: records whose contact matches are marked in every list, done unless in process; others are not."""
        self.hand_out("6505550100")
        self.add("650-555-0100", GSW_RECORD_STATUS=5, GSW_CALL_RESULT=6)
        self.add("6505550101")
        self.add("(650)5550100", "CL_CALLBACK")
        self.add("6505550100", "CL_Second")
        event = self.reply(by_phone("DoNotCall", "650 555 0100"))
        self.assertEqual(event["GSW_RECORDS_COUNT"], 4)
        self.assertEqual(self.state(), [[7, 2, 51], [7, 3, 51], [2, 1, 28]])
        self.assertEqual(self.state("CL_CALLBACK"), [[7, 3, 51]])
        self.assertEqual(self.state("CL_Second"), [[7, 3, 51]])

    def test_disabled_list(self) -> None:
        """H262: records of a disabled list are marked too, for it may be enabled again."""
        self.add("1")
        before = make_directory()
        disabled = [
            type(each).of(
                each.dbid, each.name, each.table, each.tenant, each.fields, customer_id="cust_id", enabled=False
            )
            for each in before.calling_lists
        ]
        self.store.reload(make_directory(calling_lists=tuple(disabled), campaigns=(), groups=()))
        self.assertEqual(self.reply(by_phone("DoNotCall", "1"))["GSW_RECORDS_COUNT"], 1)
        self.assertEqual(self.state(), [[7, 3, 51]])

    def test_chain(self) -> None:
        """H261, H262: AllChain marks the chains of the records and makes an entry for each contact, each once."""
        chain = self.add("1")["GSW_CHAIN_ID"]
        for phone in ("2", " 2 ", "3"):
            self.add(phone, GSW_CHAIN_ID=chain)
        self.add("4")
        event = self.reply(by_phone("DoNotCall", "2", GSW_CHAIN_ATTR="AllChain"))
        self.assertEqual((event["GSW_CHAIN_ATTR"], event["GSW_RECORDS_COUNT"]), ("AllChain", 4))
        self.assertEqual(self.state(), [*[[7, 3, 51]] * 4, [2, 1, 28]])
        self.assertEqual(sorted(self.entries("phone")), [["1"], ["2"], ["3"]])

    def test_record_only(self) -> None:
        """H262: RecordOnly, the default of phones, leaves the rest of the chain dialable."""
        chain = self.add("1")["GSW_CHAIN_ID"]
        self.add("2", GSW_CHAIN_ID=chain)
        self.reply(by_phone("DoNotCall", "1"))
        self.assertEqual(self.state(), [[7, 3, 51], [2, 1, 28]])
        self.assertEqual(self.preview()["GSW_PHONE"], "2")

    def test_configured_default(self) -> None:
        """10.6, 10.7: the default of GSW_CHAIN_ATTR can be configured per resource type."""
        self.use_directory(make_directory(chain_attr={"phones": "AllChain", "customer_ids": "RecordOnly"}))
        chain = self.add("1", CustomerID="c")["GSW_CHAIN_ID"]
        self.add("2", GSW_CHAIN_ID=chain)
        self.assertEqual(self.reply(by_customer_id("DoNotCall", "c"))["GSW_RECORDS_COUNT"], 1)
        self.assertEqual(self.reply(by_phone("DoNotCall", "1"))["GSW_RECORDS_COUNT"], 2)

    def test_marked_before(self) -> None:
        """H262, H264: a repetition counts the records that were marked before and makes no second entry."""
        self.add("1")
        events = self.replies(by_phone("DoNotCall", "1"), by_phone("DoNotCall", " 1-"))
        self.assertEqual([event["GSW_RECORDS_COUNT"] for event in events], [1, 1])
        self.assertEqual(self.entries("phone"), [["1"]])

    def test_equal_entries(self) -> None:
        """H264, K47: an entry is equal in contact and scope; one that will expire does not stand for one for ever."""
        rows: list[tuple[str, str, int]] = [
            ("phone", "('1-2', NULL, 0, NULL, NULL)", 1),
            ("another contact", "('+12', 0, 0, 0, NULL)", 2),
            ("one tenant", "('12', 1, 0, 0, 0)", 2),
            ("one campaign", "('12', 0, 301, 0, 0)", 2),
            ("one list", "('12', 0, 0, 201, 0)", 2),
            ("until tomorrow", f"('12', 0, 0, 0, {NOW + 86400})", 2),
        ]
        for name, values, count in rows:
            self.store.sql(f"DELETE FROM {_TABLE}")
            self.store.sql(
                f"INSERT INTO {_TABLE} (phone, tenant_dbid, campaign_dbid, list_dbid, expires_at) VALUES {values}"
            )
            self.reply(by_phone("DoNotCall", "12"))
            self.assertEqual(len(self.rows(_TABLE)), count, name)

    def test_tenant(self) -> None:
        """H250, H265: a tenant by DBID or name narrows the entry and the records; its zone does not matter."""
        self.add("1")
        self.add("1", "CL_Second")
        for keys in ({"GSW_TENANT_DBID": 2}, {"GSW_TENANT_NAME": "Second"}):
            event = self.reply(by_phone("DoNotCall", "1", **keys))
            self.assertEqual(event["GSW_RECORDS_COUNT"], 1)
        self.assertEqual(self.entries(*_SCOPE), [[2, 0, 0]])
        self.assertEqual((self.state(), self.state("CL_Second")), ([[2, 1, 28]], [[7, 3, 51]]))
        self.assertEqual(self.add("1")["GSW_RECORD_TYPE"], 2)
        self.assertEqual(self.add("1", "CL_Second")["GSW_RECORD_TYPE"], 7)

    def test_unknown_tenant(self) -> None:
        """10.6, H72: an unknown tenant, or a name of another, is refused, and nothing is changed."""
        rows: list[tuple[dict[str, Any], str]] = [
            ({"GSW_TENANT_DBID": 3}, "GSW_TENANT_DBID"),
            ({"GSW_TENANT_NAME": "Third"}, "GSW_TENANT_NAME"),
            ({"GSW_TENANT_DBID": 1, "GSW_TENANT_NAME": "Second"}, "GSW_TENANT_NAME"),
        ]
        for keys, culprit in rows:
            for request in (by_phone("DoNotCall", "1", **keys), by_customer_id("DoNotCall", "1", **keys)):
                self.assertEqual(self.refusal(request), f"400 Invalid value of attribute {culprit}")
        self.assertEqual(self.rows(_TABLE), [])

    def test_permission(self) -> None:
        """H346: a principal of one tenant blocks for that tenant only; naming another's is forbidden."""
        self.use_directory(make_directory(second_tenant=True, principals={"dialer": frozenset({"Second"})}))
        self.add("1")
        self.add("1", "CL_Second")
        event = self.reply(pending(by_phone("DoNotCall", "1"), principal="dialer"))
        self.assertEqual(event["GSW_RECORDS_COUNT"], 1)
        self.assertEqual(self.entries("dnc_message", *_SCOPE), [["dialer phones", 2, 0, 0]])
        self.assertEqual(self.state(), [[2, 1, 28]])
        named = pending(by_phone("DoNotCall", "1", GSW_TENANT_DBID=1), principal="dialer")
        self.assertTrue(self.refusal(named).startswith("403 "))

    def test_message_fits(self) -> None:
        """6.1: the message names principal and resource type and fits its column."""
        self.reply(pending(by_phone("DoNotCall", "1"), principal="p" * 300))
        self.reply(pending(by_customer_id("DoNotCall", "1"), principal="key"))
        self.assertEqual(self.entries("dnc_message"), [["p" * 248 + " phones"], ["key customer_ids"]])

    def test_in_process_elsewhere(self) -> None:
        """H269: the record is marked at once, its handle lives for the result, a reschedule is refused."""
        handle = self.hand_out("1", "2")
        self.reply(by_phone("DoNotCall", "1"))
        self.assertEqual(self.state(), [[7, 2, 51], [2, 2, 28]])
        keys = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"}
        self.assertEqual(
            self.refusal(by_handle("RecordReschedule", handle, **keys)), "409 Contact is on the Do Not Call list"
        )
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33, GSW_RECORD_TYPE=2))
        self.assertEqual(self.state(), [[7, 3, 33], [2, 7, 28]])


class ByCustomerIdTests(_TestCase):
    """POST /customer_ids/C?req=DoNotCall."""

    def test_entry_and_records(self) -> None:
        """H261, H262, K42: the entry has the customer id, trimmed; the chains of exactly its records are marked."""
        chain = self.add("1", CustomerID=" C-1")["GSW_CHAIN_ID"]
        self.add("2", GSW_CHAIN_ID=chain)
        self.add("3", CustomerID="c-1")
        self.add("4", CustomerID="C1")
        event = self.reply(by_customer_id("DoNotCall", "C-1 "))
        self.assertEqual(
            {key: event[key] for key in ("GSW_CUSTOMER_ID", "GSW_CHAIN_ATTR", "GSW_RECORDS_COUNT")},
            {"GSW_CUSTOMER_ID": "C-1 ", "GSW_CHAIN_ATTR": "AllChain", "GSW_RECORDS_COUNT": 2},
        )
        self.assertEqual(self.entries("phone", "customer_id"), [[None, "C-1"]])
        self.assertEqual([row[0] for row in self.state()], [7, 7, 2, 2])

    def test_record_only(self) -> None:
        """H262: with RecordOnly the rest of the chain stays; it has another customer id."""
        chain = self.add("1", CustomerID="C")["GSW_CHAIN_ID"]
        self.add("2", GSW_CHAIN_ID=chain)
        self.reply(by_customer_id("DoNotCall", "C", GSW_CHAIN_ATTR="RecordOnly"))
        self.assertEqual([row[0] for row in self.state()], [7, 2])

    def test_no_record(self) -> None:
        """H263, H256: without a record, or a field for it, the entry is made all the same, once."""
        self.use_directory(make_directory(calling_lists=(), campaigns=(), groups=()))
        for _ in range(2):
            self.assertEqual(self.reply(by_customer_id("DoNotCall", "C"))["GSW_RECORDS_COUNT"], 0)
        self.assertEqual(self.entries("customer_id"), [["C"]])

    def test_field_of_numbers(self) -> None:
        """K34, K42: a customer id in a column of numbers is compared by its text."""
        self.use_directory(make_directory(typed_list=True))
        self.add("1", "CL_Types", CustomerID="0042")
        self.assertEqual(self.reply(by_customer_id("DoNotCall", "42"))["GSW_RECORDS_COUNT"], 1)
        self.assertEqual(self.add("2", "CL_Types", CustomerID=42)["GSW_RECORD_TYPE"], 7)


class ByHandleTests(_TestCase):
    """POST /records/H?req=DoNotCall."""

    def test_event(self) -> None:
        """10.7: the acknowledgement has the record keys, the phone and the attribute, and no count."""
        handle = self.hand_out("1")
        self.assertEqual(
            self.reply(by_handle("DoNotCall", handle, GSW_REFERENCE_ID="r")),
            {
                "GSW_USER_EVENT": "DoNotCallAcknowledge",
                "GSW_APPLICATION_ID": 134,
                "GSW_RECORD_HANDLE": handle,
                "GSW_CALLING_LIST": "CL_Test",
                "GSW_CAMPAIGN_NAME": "Campaign1",
                "GSW_CHAIN_ID": 1,
                "GSW_PHONE": "1",
                "GSW_CHAIN_ATTR": "AllChain",
                "GSW_REFERENCE_ID": "r",
            },
        )

    def test_whole_chain(self) -> None:
        """H261, H262, H265: by default the chain is marked and each contact blocked, for the record's tenant."""
        handle = self.hand_out("1", "2", "3")
        self.reply(by_handle("DoNotCall", handle))
        self.assertEqual(self.state(), [[7, 3, 51], [7, 7, 51], [7, 7, 51]])
        self.assertEqual(sorted(self.entries("phone", *_SCOPE)), [[phone, 1, 0, 0] for phone in "123"])
        self.assertEqual(self.entries("dnc_message"), [["anonymous records"]] * 3)

    def test_members_that_do_not_take_part(self) -> None:
        """H262, H203: members that were not handed out are marked too, and done."""
        handle = self.hand_out("1")
        self.add("2", GSW_CHAIN_ID=1)
        self.add("3", GSW_CHAIN_ID=1, GSW_RECORD_STATUS=5)
        self.reply(by_handle("DoNotCall", handle))
        self.assertEqual(self.state(), [[7, 3, 51]] * 3)

    def test_record_only(self) -> None:
        """H261, H262, H267: RecordOnly blocks one contact; other members are done as in H213."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("DoNotCall", handle, GSW_CHAIN_ATTR="RecordOnly"))
        self.assertEqual(self.state(), [[7, 3, 51], [2, 7, 28]])
        self.assertEqual(self.entries("phone"), [["1"]])

    def test_chain_that_goes_on(self) -> None:
        """H213, H232: a member that was rescheduled is ready afterwards."""
        handle = self.hand_out("1", "2", "3")
        keys = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05", "GSW_PHONE": "2"}
        self.reply(by_handle("RecordReschedule", handle, **keys))
        self.reply(by_handle("DoNotCall", handle, GSW_CHAIN_ATTR="RecordOnly"))
        self.assertEqual(self.state(), [[7, 3, 51], [6, 1, 28], [2, 9, 28]])

    def test_another_phone(self) -> None:
        """H261: GSW_PHONE is blocked instead of the record's contact; the record is marked all the same."""
        handle = self.hand_out("1")
        event = self.reply(by_handle("DoNotCall", handle, GSW_PHONE="9", GSW_CHAIN_ATTR="RecordOnly"))
        self.assertEqual(event["GSW_PHONE"], "9")
        self.assertEqual(self.entries("phone"), [["9"]])
        self.assertEqual(self.state(), [[7, 3, 51]])

    def test_customer_id(self) -> None:
        """H261: GSW_CUSTOMER_ID is blocked instead of a number, before GSW_PHONE; later it covers other records."""
        handle = self.hand_out("1", "2", CustomerID="C")
        keys = {"GSW_CUSTOMER_ID": "C", "GSW_PHONE": "9", "GSW_CHAIN_ATTR": "RecordOnly"}
        self.reply(by_handle("DoNotCall", handle, **keys))
        self.assertEqual(self.entries("phone", "customer_id"), [[None, "C"]])
        self.assertEqual(self.add("5", CustomerID="C")["GSW_RECORD_TYPE"], 7)

    def test_customer_id_with_chain(self) -> None:
        """H261: with AllChain the contacts of all marked records are blocked besides the customer id."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("DoNotCall", handle, GSW_CUSTOMER_ID=" C "))
        self.assertEqual(self.entries("phone", "customer_id"), [["1", None], ["2", None], [None, "C"]])

    def test_custom_members(self) -> None:
        """10.7: custom members are stored with it."""
        handle = self.hand_out("1")
        self.reply(by_handle("DoNotCall", handle, Remarks="never again"))
        self.assertEqual(self.column("remarks"), ["never again"])

    def test_option_scope(self) -> None:
        """H265: the option narrows entries made by handle to the campaign or the list, and no others."""
        for scope, expected in (("tenant", [1, 0, 0]), ("campaign", [1, 301, 0]), ("list", [1, 0, 201])):
            self.use_directory(make_directory(do_not_call=DoNotCallOptions(scope=scope)))  # type: ignore[arg-type]
            self.reply(by_handle("DoNotCall", self.hand_out("1")))
            self.reply(by_phone("DoNotCall", "2"))
            self.assertEqual(self.entries(*_SCOPE), [expected, [0, 0, 0]], scope)

    def test_scope_of_another_tenant(self) -> None:
        """H265: the entry belongs to the tenant of the record."""
        self.add("1", "CL_Second")
        handle = self.preview(SECOND_GROUP)["GSW_RECORD_HANDLE"]
        self.reply(by_handle("DoNotCall", handle))
        self.assertEqual(self.entries(*_SCOPE), [[2, 0, 0]])
        self.assertEqual(self.add("1")["GSW_RECORD_TYPE"], 2)

    def test_final_over_http(self) -> None:
        """H267: the hand-out ends; every other request on the handle gets 404, as do those of other members."""
        handle = self.hand_out("1", "2")
        self.reply(by_handle("DoNotCall", handle))
        for request in (
            "ChainedRecordRequest",
            "RecordReject",
            "RequestRecordCancel",
            "UpdateCallCompletionStats",
            "DoNotCall",
        ):
            self.assertEqual(self.refusal(by_handle(request, handle)), "404 Invalid record handle", request)
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle + 1)), "404 Invalid record handle")

    def test_one_result_afterwards(self) -> None:
        """H267: one RecordProcessed on the handle is acknowledged and changes nothing; the second gets 404."""
        handle = self.hand_out("1", "2")
        blocked = self.reply(by_handle("DoNotCall", handle))
        before = self.rows()
        event = self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33, Remarks="x"))
        keys = ("GSW_RECORD_HANDLE", "GSW_CALLING_LIST", "GSW_CAMPAIGN_NAME", "GSW_CHAIN_ID")
        self.assertEqual([event[key] for key in keys], [blocked[key] for key in keys])
        self.assertEqual(event["GSW_USER_EVENT"], "RecordProcessedAcknowledge")
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), "404 Invalid record handle")

    def test_result_in_the_same_batch(self) -> None:
        """H267, H315: one RecordProcessed is acknowledged too if it comes with the DoNotCall in one batch."""
        handle = self.hand_out("1")
        processed = by_handle("RecordProcessed", handle)
        events = self.replies(by_handle("DoNotCall", handle), processed, processed, by_handle("RecordReject", handle))
        self.assertEqual([event.get("error") for event in events], [None, None, "invalid_handle", "invalid_handle"])

    def test_grace(self) -> None:
        """H267: the grace ends after its time; it survives a restart before."""
        first = self.hand_out("1")
        self.reply(by_handle("DoNotCall", first))
        second = self.hand_out("2")
        self.reply(by_handle("DoNotCall", second))
        self.store.restart()
        self.pass_time(59)
        self.reply(by_handle("RecordProcessed", first))
        self.pass_time(1)
        self.assertEqual(self.refusal(by_handle("RecordProcessed", second)), "404 Invalid record handle")

    def test_permission(self) -> None:
        """H346: neither the handle nor the grace is for a principal of another tenant."""
        self.use_directory(make_directory(second_tenant=True, principals={"dialer": frozenset({"Second"})}))
        handle = self.hand_out("1")
        request = pending(by_handle("DoNotCall", handle), principal="dialer")
        self.assertTrue(self.refusal(request).startswith("403 "))
        self.reply(by_handle("DoNotCall", handle))
        request = pending(by_handle("RecordProcessed", handle), principal="dialer")
        self.assertTrue(self.refusal(request).startswith("403 "))
        self.reply(by_handle("RecordProcessed", handle))

    def test_desktop(self) -> None:
        """H268: from a desktop it is not final; the record stays marked and RecordProcessed follows."""
        self.add("1")
        self.add("2", GSW_CHAIN_ID=1)
        desktop: dict[str, Any] = {"client": "desktop", "agent_id": "Agent1"}
        (outcome,) = self.outcomes(
            pending({"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": GROUP}, **desktop)
        )
        assert isinstance(outcome.reply, dict)
        handle: Any = outcome.reply["GSW_RECORD_HANDLE"]
        self.reply(pending(by_handle("DoNotCall", handle), **desktop))
        self.assertEqual(self.state(), [[7, 2, 51], [7, 2, 51]])
        self.reply(pending(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33), **desktop))
        self.assertEqual(self.state(), [[7, 3, 33], [7, 7, 51]])


class StickyTests(_TestCase):
    """H266: nothing makes it dialable again."""

    def test_update(self) -> None:
        """H222, H266: an update with another record type leaves type 7."""
        handle = self.hand_out("1")
        self.reply(by_phone("DoNotCall", "1"))
        event = self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_RECORD_TYPE=2, GSW_RECORD_STATUS=1))
        self.assertEqual(event["GSW_RECORD_TYPE"], 7)
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual([row[:2] for row in self.state()], [[7, 3]])

    def test_new_contact(self) -> None:
        """H222: an update to a contact that is blocked makes the type 7, which stays when it changes again."""
        self.reply(by_phone("DoNotCall", "9"))
        handle = self.hand_out("1")
        self.assertEqual(
            self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_PHONE="9-"))["GSW_RECORD_TYPE"], 7
        )
        self.assertEqual(
            self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_PHONE="8"))["GSW_RECORD_TYPE"], 7
        )

    def test_endings(self) -> None:
        """H215, H266: whatever ends the hand-out, a marked record is done and of type 7."""
        rows: list[tuple[str, dict[str, Any], list[int]]] = [
            ("RecordProcessed", {"GSW_CALL_RESULT": 6}, [7, 3, 6]),
            ("RecordReject", {}, [7, 3, 51]),
            ("RequestRecordCancel", {}, [7, 5, 52]),
            ("DoNotCall", {}, [7, 3, 51]),
        ]
        for request, keys, expected in rows:
            self.use_directory(make_directory())
            handle = self.hand_out("1")
            self.reply(by_phone("DoNotCall", "1"))
            self.reply(by_handle(request, handle, **keys))
            self.assertEqual(self.state(), [expected], request)
            self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")

    def test_timeout(self) -> None:
        """H266, H278: a marked record whose hand-out times out is done, not ready."""
        self.hand_out("1")
        self.reply(by_phone("DoNotCall", "1"))
        self.pass_time(600)
        self.assertEqual(self.state(), [[7, 3, 51]])

    def test_callback_agreed_before(self) -> None:
        """H266: a callback that was agreed before does not bring the contact back."""
        handle = self.hand_out("1", "2")
        keys = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "01/01/2020 00:00"}
        self.reply(by_handle("RecordReschedule", handle, **keys))
        self.reply(by_phone("DoNotCall", "1"))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual([row[:2] for row in self.state()], [[7, 3], [2, 7]])

    def test_entry_removed(self) -> None:
        """K46: when an administrator removes the entry new records are dialable, marked ones stay as they are."""
        self.add("1")
        self.reply(by_phone("DoNotCall", "1"))
        self.store.sql(f"DELETE FROM {_TABLE}")
        self.assertEqual(self.add("1")["GSW_RECORD_TYPE"], 2)
        self.assertEqual([row[0] for row in self.state()], [7, 2])

    def test_entry_of_another_program(self) -> None:
        """K45: an entry that another program has made is effective with the next request."""
        self.add("1")
        self.store.sql(f"INSERT INTO {_TABLE} (phone) VALUES ('(1)')")
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(self.state(), [[7, 3, 51]])


class ClassicTableTests(_TestCase):
    """The table of the classic product: narrow columns, no expiry (K44)."""

    def setUp(self) -> None:
        super().setUp()
        self.use_directory(make_directory(), tables=[CLASSIC_TABLE])

    def test_used_as_it_is(self) -> None:
        """6.1: an existing table is used without `expires_at`; entries work and are never made twice."""
        for _ in range(2):
            self.reply(by_phone("DoNotCall", "1"))
        self.assertEqual([row["phone"] for row in self.rows(_TABLE)], ["1"])
        self.assertNotIn("expires_at", self.rows(_TABLE)[0])
        self.assertEqual(self.add("1")["GSW_RECORD_TYPE"], 7)

    def test_too_long(self) -> None:
        """K44, H72: what does not fit into its column is refused, and nothing is changed."""
        longest, too_long = "1" * 64, "1" * 65
        handle = self.hand_out(too_long, "2", CustomerID="c" * 64)
        before = self.rows()
        phone = "400 Invalid value of attribute GSW_PHONE"
        customer_id = "400 Invalid value of attribute GSW_CUSTOMER_ID"
        rows = [
            (by_phone("DoNotCall", too_long), phone),
            (by_phone("DoNotCall", "2", GSW_CHAIN_ATTR="AllChain"), phone),
            (by_customer_id("DoNotCall", "c" * 65), customer_id),
            (by_handle("DoNotCall", handle), phone),
            (by_handle("DoNotCall", handle, GSW_PHONE="2"), phone),
            (by_handle("DoNotCall", handle, GSW_PHONE=too_long, GSW_CHAIN_ATTR="RecordOnly"), phone),
            (by_handle("DoNotCall", handle, GSW_CUSTOMER_ID="c" * 65, GSW_CHAIN_ATTR="RecordOnly"), customer_id),
        ]
        self.for_each(rows, lambda row: self.assertEqual(self.refusal(row[0]), row[1]))
        self.assertEqual((self.rows(), self.rows(_TABLE)), (before, []))
        self.reply(by_phone("DoNotCall", longest))
        self.reply(by_customer_id("DoNotCall", "c" * 64))
        self.reply(by_handle("DoNotCall", handle, GSW_PHONE=longest, GSW_CHAIN_ATTR="RecordOnly"))

    def test_adding_beside_it(self) -> None:
        """K44: the narrow columns concern entries only: longer contacts can be added to lists."""
        replies = self.replies(add_record("1" * 128), add_record("2", CustomerID="c" * 64))
        self.assertEqual([each["GSW_RECORD_TYPE"] for each in replies], [2, 2])
