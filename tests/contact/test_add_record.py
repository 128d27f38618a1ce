"""AddRecord (http.md section 10.1)."""

from ocsgw.contact.directory import Campaign, Directory
from ocsgw.protocol.messages import KV
from tests.support.rules import (
    NOW,
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
    make_directory,
    make_list,
    pending,
)

# A row of a new record with nothing but a phone, but for its numbers (10.1, K21, E1).
DEFAULTS = {
    "contact_info_type": 0,
    "record_type": 2,
    "record_status": 1,
    "call_result": 28,
    "attempt": 0,
    "dial_sched_time": 0,
    "call_time": 0,
    "daily_from": 0,
    "daily_till": 86399,
    "tz_dbid": 101,
    "campaign_id": 301,
    "agent_id": None,
}
SECOND_BLOCK = ("group_id", "app_id", "treatments", "media_ref", "email_subject", "email_template_id", "switch_id")
CUSTOM = ("cust_id", "disposition", "segment", "remarks")


class AddRecordTests(RuleTestCase):
    """Rows of the table of 10.1, with their columns, defaults and members of the event."""

    def test_minimal(self) -> None:
        """E1: a phone alone makes a row of defaults, and the event shows them in the order of 10.1."""
        event = self.add("6505550100")
        self.assertEqual(
            list(event.items()),
            [
                ("GSW_USER_EVENT", "AddRecordAcknowledge"),
                ("GSW_APPLICATION_ID", 134),
                ("GSW_CALLING_LIST", "CL_Test"),
                ("GSW_CAMPAIGN_NAME", "Campaign1"),
                ("GSW_PHONE", "6505550100"),
                ("GSW_PHONE_TYPE", 0),
                ("GSW_RECORD_TYPE", 2),
                ("GSW_RECORD_STATUS", 1),
                ("GSW_CALL_RESULT", 28),
                ("GSW_ATTEMPTS", 0),
                ("GSW_FROM", 0),
                ("GSW_UNTIL", 86399),
                ("GSW_TZ_NAME", "GMT"),
                ("GSW_CHAIN_ID", 1),
                ("GSW_CHAIN_N", 0),
            ],
        )
        (row,) = self.rows()
        nulls = dict.fromkeys((*SECOND_BLOCK, *CUSTOM))
        self.assertEqual(
            row, {"record_id": 1, "contact_info": "6505550100", "chain_id": 1, "chain_n": 0, **DEFAULTS, **nulls}
        )

    def test_each_attribute(self) -> None:
        """10.1: every attribute goes to its column and comes back in the event as stored."""
        keys: list[tuple[str, object, str, object, object]] = [
            ("GSW_PHONE_TYPE", 11, "contact_info_type", 11, 11),
            ("GSW_RECORD_TYPE", 1, "record_type", 1, 1),
            ("GSW_RECORD_TYPE", 7, "record_type", 7, 7),
            ("GSW_RECORD_STATUS", 9, "record_status", 9, 9),
            ("GSW_RECORD_STATUS", 3, "record_status", 3, 3),
            ("GSW_CALL_RESULT", 0, "call_result", 0, 0),
            ("GSW_CALL_RESULT", 53, "call_result", 53, 53),
            ("GSW_ATTEMPTS", 32767, "attempt", 32767, 32767),
            ("GSW_DATE_TIME", "3/21/2026 14:30", "dial_sched_time", 1774103400, "03/21/2026 14:30"),
            ("GSW_CALL_TIME", 1774103400, "call_time", 1774103400, None),
            ("GSW_FROM", 86400, "daily_from", 86400, 86400),
            ("GSW_UNTIL", 0, "daily_till", 0, 0),
            ("GSW_TZ_NAME", "PST", "tz_dbid", 102, "PST"),
            ("GSW_CAMPAIGN_NAME", "Campaign1", "campaign_id", 301, "Campaign1"),
            ("GSW_AGENT_ID", "a" * 32, "agent_id", "a" * 32, None),
        ]
        for key, value, column, stored, shown in keys:
            event = self.add(**{key: value})
            self.assertEqual(self.rows()[-1][column], stored, key)
            self.assertEqual(event.get(key), shown, key)

    def test_types_that_wait(self) -> None:
        """10.1: record types 3 to 6 are stored with their date; E2 shows the whole event of one."""
        for record_type in (3, 4, 5, 6):
            event = self.add(GSW_RECORD_TYPE=record_type, GSW_DATE_TIME="03/21/2026 14:30")
            self.assertEqual((event["GSW_RECORD_TYPE"], event["GSW_DATE_TIME"]), (record_type, "03/21/2026 14:30"))
        self.assertEqual(self.column("record_type"), [3, 4, 5, 6])

    def test_personal_without_agent(self) -> None:
        """H201: a record type of 4 or 5 without an agent is allowed, and anyone may get it."""
        self.add(GSW_RECORD_TYPE=5, GSW_DATE_TIME="01/01/2026 00:00")
        self.assertEqual(self.preview()["GSW_RECORD_TYPE"], 5)

    def test_reference(self) -> None:
        """H145: the reference id comes back with its type, an empty one too; without one there is none."""
        for reference in (77, "77", "", 0):
            self.assertEqual(self.add(GSW_REFERENCE_ID=reference)["GSW_REFERENCE_ID"], reference)
        self.assertNotIn("GSW_REFERENCE_ID", self.add())

    def test_no_handle(self) -> None:
        """H205: no record handle is allocated and none is returned."""
        self.assertNotIn("GSW_RECORD_HANDLE", self.add())
        self.assertEqual(self.store.rows("ocsgw_handle"), [])
        self.assertNotIn("handle", [row["name"] for row in self.store.rows("ocsgw_counter")])

    def test_equal_requests(self) -> None:
        """H204: two equal requests make two records."""
        self.outcomes(add_record("1"), add_record("1"))
        self.assertEqual(self.column("contact_info"), ["1", "1"])

    def test_text_is_stored_as_given(self) -> None:
        """K41, R16: contacts and other texts are stored as they are, in any script."""
        event = self.add("+1 (650) 555-0100", Remarks='日本語 \U0001f4de "quoted" \\ \x01')
        self.assertEqual(
            (event["GSW_PHONE"], event["Remarks"]), ("+1 (650) 555-0100", '日本語 \U0001f4de "quoted" \\ \x01')
        )
        (row,) = self.rows()
        self.assertEqual((row["contact_info"], row["remarks"]), (event["GSW_PHONE"], event["Remarks"]))

    def test_last_columns(self) -> None:
        """H200: numbers go on from the highest that the list ever had, also from rows of other programs."""
        self.store.sql(
            "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (40, '1', 1000, 3), (7, '2', 5, 0)"
        )
        self.assertEqual(self.add()["GSW_CHAIN_ID"], 1001)
        self.assertEqual(self.row(41)["chain_id"], 1001)
        self.store.sql("DELETE FROM CL_Test WHERE record_id IN (40, 41)")
        self.add()
        self.assertEqual((self.row(42)["chain_id"], self.row(42)["chain_n"]), (1002, 0))


class ListTests(RuleTestCase):
    """Which list, which campaign, whose."""

    def test_unknown_list(self) -> None:
        """E7: an unknown list is 404; names are case-sensitive (H60)."""
        self.assertEqual(self.refusal(add_record("6505550100", "Nowhere")), "404 Calling list not found")
        self.assertEqual(self.refusal(add_record("6505550100", "cl_test")), "404 Calling list not found")

    def test_name_in_another_form(self) -> None:
        """H60: list names are compared after normalization form C."""
        self.add("6505550100", "Liste e\u0301te\u0301")
        self.assertEqual(len(self.rows("liste_ete")), 1)

    def test_disabled_list(self) -> None:
        """configuration.md 8: a list that is not enabled is 404."""
        self.use_directory(make_directory(lists=[make_list(205, "CL_Off", enabled=False)]))
        self.assertEqual(self.refusal(add_record("6505550100", "CL_Off")), "404 Calling list not found")

    def test_campaign(self) -> None:
        """10.1: a campaign that is unknown or does not contain the list is 400, whatever its form of Unicode."""
        for name in ("Nowhere", "Campagne", "campaign1"):
            self.assertEqual(
                self.refusal(add_record(GSW_CAMPAIGN_NAME=name)), "400 Invalid value of attribute GSW_CAMPAIGN_NAME"
            )
        self.assertEqual(self.add("6505550100", "Liste été")["GSW_CAMPAIGN_NAME"], "Campagne")

    def test_several_campaigns(self) -> None:
        """10.1: a list of several campaigns has none by default; a named one counts. A list of none has none."""
        before = make_directory()
        lonely = make_list(206, "CL_Lonely")
        test = before.calling_lists[0]
        campaigns = (
            *before.campaigns,
            Campaign(303, "Winter", before.tenants[0], (test,)),
        )
        self.use_directory(make_directory(campaigns=campaigns, calling_lists=(*before.calling_lists, lonely)))
        replies = self.replies(
            add_record("1"), add_record("2", GSW_CAMPAIGN_NAME="Winter"), add_record("3", "CL_Lonely")
        )
        self.assertEqual([each.get("GSW_CAMPAIGN_NAME") for each in replies], [None, "Winter", None])
        self.assertEqual((self.column("campaign_id"), self.column("campaign_id", "CL_Lonely")), ([0, 303], [0]))

    def test_permission(self) -> None:
        """H346: a principal limited to tenants gets 403 for lists of others; 404 comes first."""
        self.use_directory(make_directory(second_tenant=True, principals={"crm": frozenset({"Second"})}))
        self.assertEqual(self.refusal(pending(add_record(), principal="crm")), "403 Not permitted")
        self.assertEqual(
            self.refusal(pending(add_record("6505550100", "X"), principal="crm")), "404 Calling list not found"
        )
        self.assertEqual(self.reply(pending(add_record("1", "CL_Second"), principal="crm"))["GSW_TZ_NAME"], "PST")
        self.assertEqual(self.rows(), [])

    def test_nothing_changes_with_a_refusal(self) -> None:
        """H72: a refused request leaves no row; its neighbours of the same run are not concerned."""
        replies = self.replies(
            add_record("1"),
            add_record("2", GSW_TZ_NAME="Nowhere"),
            add_record("3", GSW_CHAIN_ID=99),
            add_record("4", "Nowhere"),
            add_record("5", GSW_DATE_TIME="02/30/2026 10:00"),
            add_record("6"),
        )
        self.assertEqual(
            [each.get("error") for each in replies],
            [None, "invalid_attribute", "chain_not_found", "list_not_found", "invalid_datetime", None],
        )
        self.assertEqual([replies[0]["GSW_CHAIN_ID"], replies[5]["GSW_CHAIN_ID"]], [1, 2])
        self.assertEqual(self.column("contact_info"), ["1", "6"])


class ChainTests(RuleTestCase):
    """Chains (H200, H203)."""

    def test_existing_chain(self) -> None:
        """E4, H200: `chain_n` of an existing chain goes on from its highest."""
        self.add("1")
        self.add("2")
        event = self.add("3", GSW_CHAIN_ID=1)
        self.assertEqual((event["GSW_CHAIN_ID"], event["GSW_CHAIN_N"]), (1, 1))
        self.store.sql("UPDATE CL_Test SET chain_n = 9 WHERE contact_info = '3'")
        self.assertEqual(self.add("4", GSW_CHAIN_ID=1)["GSW_CHAIN_N"], 10)

    def test_unknown_chain(self) -> None:
        """10.1: a chain that the list does not have is 404; another list's does not count."""
        self.add("1", "CL_CALLBACK")
        for chain in (1, 2**31 - 1):
            self.assertEqual(self.refusal(add_record(GSW_CHAIN_ID=chain)), "404 Chain not found")

    def test_one_run(self) -> None:
        """H200: several records of one chain and of new chains in one run are counted on."""
        self.add("1")
        replies = self.replies(
            add_record("2"),
            add_record("3", GSW_CHAIN_ID=1),
            add_record("4", GSW_CHAIN_ID=1),
            add_record("5"),
            add_record("6", "CL_CALLBACK"),
            add_record("7", GSW_CHAIN_ID=1),
        )
        places = [(each["GSW_CHAIN_ID"], each["GSW_CHAIN_N"]) for each in replies]
        self.assertEqual(places, [(2, 0), (1, 1), (1, 2), (3, 0), (1, 0), (1, 3)])
        self.assertEqual([row["record_id"] for row in self.rows()], [1, 2, 3, 4, 5, 6])

    def test_a_chain_of_the_same_batch(self) -> None:
        """H200: a chain exists once its record is acknowledged; within a batch a run sees what was there before it."""
        replies = self.replies(add_record("1"), by_phone("DoNotCall", "1"), add_record("1", GSW_CHAIN_ID=1))
        self.assertEqual((replies[2]["GSW_CHAIN_ID"], replies[2]["GSW_CHAIN_N"]), (1, 1))

    def test_chain_in_process(self) -> None:
        """H203: a chain in process may get a record; the end of the hand-out does not touch it."""
        handle = self.hand_out("1", "2")
        self.add("3", GSW_CHAIN_ID=1)
        self.assertEqual(self.column("record_status"), [2, 2, 1])
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_status"), [3, 7, 1])
        self.assertEqual(self.preview()["GSW_PHONE"], "3")


class DoNotCallTests(RuleTestCase):
    """Records that must not be contacted (H202)."""

    def test_first_and_last_entry(self) -> None:
        """K16, K43: the first entry of an empty table counts at once, whoever makes it, and no more when it is gone."""
        types = [self.add("7")["GSW_RECORD_TYPE"]]
        self.store.sql("INSERT INTO gsw_donotcall_list (phone, tenant_dbid) VALUES ('7', 0)")
        types.append(self.add("7")["GSW_RECORD_TYPE"])
        self.store.sql("DELETE FROM gsw_donotcall_list")
        types.append(self.add("7")["GSW_RECORD_TYPE"])
        replies = self.replies(add_record("8"), by_phone("DoNotCall", "8"), add_record("8"))
        types += [replies[0]["GSW_RECORD_TYPE"], replies[2]["GSW_RECORD_TYPE"]]
        self.assertEqual(types, [2, 7, 2, 2, 7])

    def make_directory(self) -> Directory:
        return make_directory(second_tenant=True)

    def test_contact(self) -> None:
        """H202: a blocked contact is stored with type 7 and result 51, the rest as requested."""
        self.reply(by_phone("DoNotCall", "(650) 555-0100"))
        event = self.add(
            "650.555.0100", GSW_RECORD_TYPE=6, GSW_DATE_TIME="03/21/2026 14:30", GSW_CALL_RESULT=6, GSW_ATTEMPTS=2
        )
        self.assertEqual((event["GSW_RECORD_TYPE"], event["GSW_CALL_RESULT"]), (7, 51))
        (row,) = self.rows()
        self.assertEqual(
            (row["record_type"], row["call_result"], row["record_status"], row["attempt"], row["dial_sched_time"]),
            (7, 51, 1, 2, 1774103400),
        )

    def test_customer_id(self) -> None:
        """H202: a blocked customer id does the same, given as text or number; a list without the field has none."""
        self.reply(by_customer_id("DoNotCall", "4711"))
        replies = self.replies(
            add_record("1", CustomerID=" 4711 "),
            add_record("2", CustomerID=4711),
            add_record("3", CustomerID="4712"),
            add_record("4", "CL_CALLBACK", CustomerID="4711"),
        )
        self.assertEqual([each["GSW_RECORD_TYPE"] for each in replies], [7, 7, 2, 2])

    def test_scopes(self) -> None:
        """K43: tenant, campaign and list of an entry are empty or those of the record."""
        rows = [
            ("tenant 1", (1, None, None), True),
            ("tenant 2", (2, None, None), False),
            ("every tenant", (0, 0, 0), True),
            ("campaign 301", (1, 301, None), True),
            ("campaign 302", (1, 302, None), False),
            ("list 201", (None, None, 201), True),
            ("list 202", (None, None, 202), False),
            ("all three", (1, 301, 201), True),
            ("one of three is another", (1, 301, 202), False),
        ]
        for number, (name, scope, blocked) in enumerate(rows):
            for column, keys in (("phone", {}), ("customer_id", {"CustomerID": f"c{number}"})):
                phone = f"{number}{column}"
                value = phone if column == "phone" else f"c{number}"
                self.store.sql(
                    f"INSERT INTO gsw_donotcall_list ({column}, tenant_dbid, campaign_dbid, list_dbid)"
                    " VALUES (?, ?, ?, ?)",
                    value,
                    *scope,
                )
                event = self.add(phone, **keys)
                self.assertEqual(event["GSW_RECORD_TYPE"], 7 if blocked else 2, f"{name} by {column}")

    def test_campaign_of_a_list_with_several(self) -> None:
        """K11, K43: a record of no campaign belongs to each of its list; an entry for one of them covers it."""
        before = make_directory()
        campaigns = (*before.campaigns, Campaign(303, "Winter", before.tenants[0], (before.calling_lists[0],)))
        self.use_directory(make_directory(campaigns=campaigns, calling_lists=before.calling_lists))
        self.store.sql("INSERT INTO gsw_donotcall_list (phone, campaign_dbid) VALUES ('1', 303), ('2', 302)")
        replies = self.replies(add_record("1"), add_record("1", GSW_CAMPAIGN_NAME="Campaign1"), add_record("2"))
        self.assertEqual([each["GSW_RECORD_TYPE"] for each in replies], [7, 2, 2])

    def test_expiry(self) -> None:
        """K43: an entry that has expired covers nothing; its last second still does."""
        self.store.sql(
            "INSERT INTO gsw_donotcall_list (phone, expires_at) VALUES ('1', ?), ('2', ?), ('3', 0), ('4', NULL)",
            NOW + 1,
            NOW,
        )
        self.assertEqual([self.add(phone)["GSW_RECORD_TYPE"] for phone in "1234"], [7, 2, 7, 7])

    def test_many_in_one_run(self) -> None:
        """H202: in one run only those that are covered are marked."""
        self.reply(by_phone("DoNotCall", "7"))
        events = self.replies(*(add_record(str(number)) for number in range(20)))
        self.assertEqual([event["GSW_PHONE"] for event in events if event["GSW_RECORD_TYPE"] == 7], ["7"])

    def test_marked_record_is_never_handed_out(self) -> None:
        """H202, H271: a record that was stored with type 7 is not handed out, although it is ready."""
        self.reply(by_phone("DoNotCall", "1"))
        self.add("1")
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(self.column("record_status"), [1])

    def test_order_in_a_batch(self) -> None:
        """P41: an AddRecord after a DoNotCall that names its contact or customer id sees it, one before does not."""
        requests: list[KV] = [
            add_record("1"),
            by_phone("DoNotCall", "1"),
            add_record("1"),
            by_customer_id("DoNotCall", "c"),
            add_record("2", CustomerID="c"),
        ]
        self.assertEqual([each.get("GSW_RECORD_TYPE") for each in self.replies(*requests)], [2, None, 7, None, 7])
