"""RequestRecordCancel by phone and customer id (http.md section 10.6)."""

from typing import Any

from ocsgw.contact.directory import Directory
from tests.support.rules import RuleTestCase, by_customer_id, by_handle, by_phone, make_directory, pending


class CancelTests(RuleTestCase):
    """POST /phones/P and /customer_ids/C."""

    def make_directory(self) -> Directory:
        return make_directory(second_tenant=True, principals={"dialer": frozenset({"Second"})})

    def counts(self, *requests: Any) -> list[Any]:
        """Return how many records each request cancels."""
        return [self.reply(request)["GSW_RECORDS_COUNT"] for request in requests]

    def test_by_phone(self) -> None:
        """H250, 10.6: every record whose contact matches, in all lists of all tenants; the event names the phone."""
        self.add("(1) 2")
        self.add("13")
        self.add("12", "CL_CALLBACK")
        self.add("1-2", "CL_Second")
        event = self.reply(by_phone("RequestRecordCancel", "1.2", GSW_REFERENCE_ID=3))
        self.assertEqual(
            event,
            {
                "GSW_USER_EVENT": "RecordCancelAcknowledge",
                "GSW_APPLICATION_ID": 134,
                "GSW_PHONE": "1.2",
                "GSW_CHAIN_ATTR": "RecordOnly",
                "GSW_RECORDS_COUNT": 3,
                "GSW_REFERENCE_ID": 3,
            },
        )
        self.assertEqual((self.column("record_status"), self.column("call_result")), ([5, 1], [52, 28]))
        self.assertEqual(
            self.column("record_status", "CL_CALLBACK") + self.column("record_status", "CL_Second"), [5, 5]
        )

    def test_chains(self) -> None:
        """H250: AllChain takes the chains of the records; it is the default of customer ids, not of phones."""
        for phone in "123":
            chain = self.add(phone, CustomerID="C")["GSW_CHAIN_ID"]
            self.add(f"{phone}0", GSW_CHAIN_ID=chain)
        self.assertEqual(self.counts(by_phone("RequestRecordCancel", "1")), [1])
        self.assertEqual(self.counts(by_phone("RequestRecordCancel", "2", GSW_CHAIN_ATTR="AllChain")), [2])
        event = self.reply(by_customer_id("RequestRecordCancel", " C "))
        shown = [event[key] for key in ("GSW_CUSTOMER_ID", "GSW_CHAIN_ATTR", "GSW_RECORDS_COUNT")]
        self.assertEqual(shown, [" C ", "AllChain", 3])
        self.assertEqual(self.column("record_status"), [5] * 6)

    def test_customer_id_only(self) -> None:
        """H250, K42: RecordOnly takes only the records with exactly this customer id."""
        chain = self.add("1", CustomerID="C")["GSW_CHAIN_ID"]
        self.add("2", GSW_CHAIN_ID=chain)
        self.add("3", CustomerID="c")
        self.assertEqual(self.counts(by_customer_id("RequestRecordCancel", "C", GSW_CHAIN_ATTR="RecordOnly")), [1])

    def test_status(self) -> None:
        """H251: only records of status 1, 2, 8 and 9 change and count; a repetition finds none."""
        self.hand_out("1")
        for status in (3, 4, 5, 6, 7, 8, 9):
            self.add("1", GSW_RECORD_STATUS=status, GSW_CALL_RESULT=6)
        self.assertEqual(self.counts(*[by_phone("RequestRecordCancel", "1")] * 2), [3, 0])
        self.assertEqual(self.column("record_status"), [5, 3, 4, 5, 6, 7, 5, 5])
        self.assertEqual(self.column("call_result"), [52, 6, 6, 6, 6, 6, 52, 52])

    def test_nothing_matches(self) -> None:
        """H254, H256: 200 with a count of 0, for a list without the field too."""
        self.add("1", "CL_CALLBACK", CustomerID="C")
        self.assertEqual(
            self.counts(by_phone("RequestRecordCancel", "2"), by_customer_id("RequestRecordCancel", "C")), [0, 0]
        )

    def test_narrowed(self) -> None:
        """H250: tenant, list and campaign narrow it, each and together."""
        rows: list[tuple[dict[str, Any], int]] = [
            ({"GSW_TENANT_DBID": 2}, 1),
            ({"GSW_TENANT_NAME": "Environment"}, 3),
            ({"GSW_CALLING_LIST": "CL_CALLBACK"}, 1),
            ({"GSW_CAMPAIGN_NAME": "Campaign1"}, 2),
            ({"GSW_CAMPAIGN_NAME": "Campagne"}, 1),
            ({"GSW_CAMPAIGN_NAME": "Campaign1", "GSW_CALLING_LIST": "CL_Test"}, 1),
            ({"GSW_CAMPAIGN_NAME": "Campagne", "GSW_CALLING_LIST": "CL_Test"}, 0),
            ({"GSW_TENANT_DBID": 2, "GSW_CALLING_LIST": "CL_Test"}, 0),
            ({}, 4),
        ]
        lists = ("CL_Test", "CL_CALLBACK", "Liste \u00e9t\u00e9", "CL_Second")
        for keys, count in rows:
            for table in ("CL_Test", "CL_CALLBACK", "liste_ete", "CL_Second"):
                self.store.sql(f"DELETE FROM {table}")
            for calling_list in lists:
                self.add("1", calling_list)
            self.assertEqual(self.counts(by_phone("RequestRecordCancel", "1", **keys)), [count], keys)

    def test_unknown_names(self) -> None:
        """10.6, H72: unknown tenants, lists and campaigns are refused, and nothing is changed."""
        self.add("1")
        for key, value in (
            ("GSW_TENANT_DBID", 9),
            ("GSW_TENANT_NAME", "X"),
            ("GSW_CALLING_LIST", "X"),
            ("GSW_CAMPAIGN_NAME", "X"),
        ):
            for request in (by_phone, by_customer_id):
                refusal = self.refusal(request("RequestRecordCancel", "1", **{key: value}))
                self.assertEqual(refusal, f"400 Invalid value of attribute {key}")
        self.assertEqual(self.column("record_status"), [1])

    def test_permission(self) -> None:
        """H346: a principal of one tenant reaches only its records; naming another's things is forbidden."""
        self.add("1")
        self.add("1", "CL_Second")
        for keys in ({"GSW_TENANT_DBID": 1}, {"GSW_CALLING_LIST": "CL_Test"}, {"GSW_CAMPAIGN_NAME": "Campaign1"}):
            request = pending(by_phone("RequestRecordCancel", "1", **keys), principal="dialer")
            self.assertTrue(self.refusal(request).startswith("403 "), keys)
        self.assertEqual(self.counts(pending(by_phone("RequestRecordCancel", "1"), principal="dialer")), [1])
        self.assertEqual(self.column("record_status"), [1])

    def test_in_process(self) -> None:
        """H252, H313: handles of cancelled records die; a hand-out without handles is over, another goes on."""
        handle = self.hand_out("1", "2", "3")
        self.counts(by_phone("RequestRecordCancel", "1"))
        self.assertEqual(self.refusal(by_handle("RecordReject", handle)), "404 Invalid record handle")
        chained: Any = self.reply(by_handle("ChainedRecordRequest", handle + 1))["GSW_CHAINED_RECORDS"]
        self.assertEqual([each["GSW_PHONE"] for each in chained], ["3"])
        self.counts(by_phone("RequestRecordCancel", "2", GSW_CHAIN_ATTR="AllChain"))
        self.assertEqual(self.column("record_status"), [5, 5, 5])
        self.assertEqual(
            self.store.sql("SELECT (SELECT count(*) FROM ocsgw_handout) + count(*) FROM ocsgw_handle"), [(0,)]
        )

    def test_rest_of_a_chain_times_out(self) -> None:
        """H252, H278: when the rest of the chain is abandoned, the cancelled record stays cancelled."""
        self.hand_out("1", "2")
        self.counts(by_phone("RequestRecordCancel", "1"))
        self.pass_time(600)
        self.assertEqual(self.column("record_status"), [5, 1])

    def test_closed_list(self) -> None:
        """K12, H255: a list that is not open has nothing to say; the others are cancelled."""
        self.add("1")
        self.add("1", "CL_CALLBACK")
        self.store.sql("DROP TABLE CL_Test")
        self.assertEqual(self.counts(by_phone("RequestRecordCancel", "1")), [1])
