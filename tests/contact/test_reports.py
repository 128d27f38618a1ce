"""Call report records and contact processed notifications, each compared with its table (outgoing.md 4 and 5)."""

import json
from typing import Any

from ocsgw.contact.directory import Directory, Treatment, ValidationRule
from ocsgw.protocol.messages import Verdict
from tests.support.rules import (
    GROUP,
    NOW,
    RuleTestCase,
    by_customer_id,
    by_handle,
    by_phone,
    make_directory,
    of_group,
)

# Keys of section 4: of both reports, and what report 1 has more.
BOTH = {
    "GSW_HIST_SEQUENCE_NUM", "GSW_CALL_ATTEMPT_GUID", "GSW_TENANT_NAME", "GSW_TENANT_CCID", "GSW_CAMPAIGN_NAME",
    "GSW_CAMPAIGN_DBID", "GSW_CAMPAIGN_TEMPLATE_NAME", "GSW_CAMPAIGN_GROUP_NAME", "GSW_CAMPAIGN_GROUP_GUID",
    "GSW_GROUP_NAME", "GSW_CALLING_LIST", "GSW_CALLING_LIST_DBID", "GSW_CHAIN_ID", "GSW_CHAIN_N", "GSW_PHONE",
    "GSW_PHONE_TYPE", "GSW_CUSTOMER_ID", "GSW_DIAL_MODE", "GSW_TZ_NAME", "GSW_TZ_OFFSET", "GSW_SCHEDULED_TIME",
    "GSW_START_PROCESSING", "CustomerID", "Segment",
}  # fmt: skip
END = ("GSW_COMPLETE_PROCESSING", "GSW_CALL_TIME", "GSW_CALL_RESULT", "GSW_AGENT_ID")


class ReportTests(RuleTestCase):
    """O51, O57, O61 to O64, O67, O68."""

    def make_directory(self) -> Directory:
        """Both kinds are sent."""
        return self.directory_with()

    def directory_with(self, **options: Any) -> Directory:
        """Return the directory with both kinds, and options."""
        return make_directory(sends_history=True, sends_processed=True, **options)

    def sent(self, purpose: str) -> list[dict[str, Any]]:
        """Return the bodies that wait, and remove them."""
        rows = self.store.sql("SELECT number, purpose, body FROM ocsgw_delivery ORDER BY number")
        found = [(number, json.loads(body)) for number, kind, body in rows if kind == purpose]
        self.store.chore(lambda unit: unit.tx.remove_deliveries([number for number, _ in found]))
        return [body for _, body in found]

    def test_history(self) -> None:
        """O50, O51: two reports for each hand-out, with the keys of the table and one GUID."""
        self.add("6505550100", CustomerID="C1", Segment="gold", GSW_DATE_TIME="03/21/2026 10:00")
        event = self.preview(GSW_AGENT_ID="7001")
        (first,) = self.sent("history")
        self.assertEqual(set(first), BOTH)
        self.assertEqual(first["GSW_HIST_SEQUENCE_NUM"], 0)
        expected = {
            "GSW_CALL_ATTEMPT_GUID": event["GSW_CALL_ATTEMPT_GUID"], "GSW_TENANT_NAME": "undefined",
            "GSW_TENANT_CCID": "undefined", "GSW_CAMPAIGN_DBID": 301, "GSW_CAMPAIGN_TEMPLATE_NAME": "undefined",
            "GSW_GROUP_NAME": "Group1", "GSW_DIAL_MODE": "Preview", "GSW_START_PROCESSING": NOW,
            "GSW_CUSTOMER_ID": "C1", "Segment": "gold", "GSW_CALLING_LIST_DBID": 201, "GSW_CHAIN_N": 0,
        }  # fmt: skip
        self.assertEqual({key: first[key] for key in expected}, expected)
        self.pass_time(9)
        self.reply(by_handle("RecordProcessed", event["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=6))
        (second,) = self.sent("history")
        self.assertEqual(set(second), {*BOTH, *END})
        found = [second[key] for key in ("GSW_HIST_SEQUENCE_NUM", *END)]
        self.assertEqual(found, [1, NOW + 9, NOW + 9, 6, "7001"])
        self.assertEqual(second["GSW_CALL_ATTEMPT_GUID"], first["GSW_CALL_ATTEMPT_GUID"])

    def test_ends(self) -> None:
        """O57, O61: every end makes report 1; only one with a result makes contact processed."""
        ends: tuple[tuple[Any, int, int], ...] = (
            (lambda handle: self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=9)), 9, 1),
            (lambda handle: self.reply(by_handle("RecordReject", handle)), 28, 0),
            (lambda handle: self.reply(by_handle("RequestRecordCancel", handle)), 52, 1),
            (lambda handle: self.reply(by_handle("DoNotCall", handle)), 51, 1),
            (lambda handle: self.pass_time(601), 28, 0),
            (lambda handle: self.reply(of_group("ForceUnloadCampaign")), 28, 0),
        )
        for at, (end, result, processed) in enumerate(ends):
            handle = self.hand_out(str(at))
            end(handle)
            first, second = self.sent("history")
            numbers = first["GSW_HIST_SEQUENCE_NUM"], second["GSW_HIST_SEQUENCE_NUM"]
            self.assertEqual((numbers, second["GSW_CALL_RESULT"]), ((0, 1), result), at)
            self.assertEqual(len(self.sent("contact_processed")), processed, at)
            self.reply(by_phone("RequestRecordCancel", str(at)))
            self.sent("contact_processed")

    def test_other_member(self) -> None:
        """O67: another member was processed: its contact, number and result, with the GUID of report 0."""
        self.add("1")
        self.add("2", GSW_CHAIN_ID=1)
        event = self.preview()
        chained: dict[str, Any] = self.reply(by_handle("ChainedRecordRequest", event["GSW_RECORD_HANDLE"]))
        (other,) = chained["GSW_CHAINED_RECORDS"]
        self.reply(by_handle("RecordProcessed", other["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=6))
        first, second = self.sent("history")
        self.assertEqual(second["GSW_CALL_ATTEMPT_GUID"], first["GSW_CALL_ATTEMPT_GUID"])
        found = second["GSW_PHONE"], second["GSW_CHAIN_N"], second["GSW_CALL_RESULT"]
        self.assertEqual(found, (other["GSW_PHONE"], other["GSW_CHAIN_N"], 6))

    def test_cancelled_before(self) -> None:
        """O68: the record is cancelled by phone: report 1 with 52 at once, and the end of the others makes none."""
        self.add("1")
        self.add("2", GSW_CHAIN_ID=1)
        event = self.preview()
        chained: dict[str, Any] = self.reply(by_handle("ChainedRecordRequest", event["GSW_RECORD_HANDLE"]))
        (other,) = chained["GSW_CHAINED_RECORDS"]
        self.reply(by_phone("RequestRecordCancel", str(event["GSW_PHONE"])))
        self.assertEqual([each.get("GSW_CALL_RESULT") for each in self.sent("history")], [None, 52])
        self.reply(by_handle("RecordProcessed", other["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=6))
        self.assertEqual(self.sent("history"), [])

    def test_contact_processed(self) -> None:
        """O63, O64, E33, E36: the body of the example; the treatment keeps the chain open."""
        self.store.reload(self.directory_with(treatments=(Treatment(401, "busy", 6, "retry_in", interval=900),)))
        self.add("6505550106")
        event = self.preview()
        self.reply(
            by_handle(
                "RecordProcessed", event["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=6, GSW_TREATMENT="RecordTreatCampaign"
            )
        )
        (body,) = self.sent("contact_processed")
        self.assertEqual(
            list(body.items()),
            list(
                {
                    "GSW_TENANT_NAME": "undefined", "GSW_CAMPAIGN_NAME": "Campaign1", "GSW_CALLING_LIST": "CL_Test",
                    "GSW_CALLING_LIST_DBID": 201, "GSW_CHAIN_ID": 1, "GSW_CHAIN_OPEN": 1, "GSW_PHONE": "6505550106",
                    "GSW_PHONE_TYPE": 0, "GSW_CALL_RESULT": 6, "GSW_ATTEMPTS": 1, "GSW_RECORD_TYPE": 3,
                    "GSW_RECORD_STATUS": 1, "GSW_COMPLETE_PROCESSING": NOW,
                }.items()
            ),
        )  # fmt: skip

    def test_by_number(self) -> None:
        """O61: a request by phone or customer id that leaves an open chain without an open record; else none."""
        self.add("1", CustomerID="C1")
        self.add("2", GSW_CHAIN_ID=1, CustomerID="C1")
        self.reply(by_phone("RequestRecordCancel", "1", GSW_CHAIN_ATTR="RecordOnly"))
        self.assertEqual(self.sent("contact_processed"), [])
        self.reply(by_phone("RequestRecordCancel", "2", GSW_CHAIN_ATTR="RecordOnly"))
        (body,) = self.sent("contact_processed")
        found = body["GSW_PHONE"], body["GSW_CHAIN_OPEN"], body["GSW_CALL_RESULT"], body["GSW_CUSTOMER_ID"]
        self.assertEqual(found, ("2", 0, 52, "C1"))
        self.reply(by_phone("DoNotCall", "2"))
        self.assertEqual(self.sent("contact_processed"), [])
        self.add("3", CustomerID="C3")
        self.reply(by_customer_id("DoNotCall", "C3"))
        (body,) = self.sent("contact_processed")
        self.assertEqual((body["GSW_CALL_RESULT"], body["GSW_RECORD_TYPE"], body["GSW_CHAIN_OPEN"]), (51, 7, 0))

    def test_validation(self) -> None:
        """O51, O61: what validation keeps back has no reports and one contact processed; a yes makes report 0."""
        rule = ValidationRule("http://x/", 3, 10.0, 1, 0)
        self.store.reload(self.directory_with(validations={(201, GROUP): rule}))
        self.add("1")
        self.store.answer = lambda question: Verdict(ref=1, outcome="negative", status=409, data={})
        self.preview()
        self.assertEqual(self.sent("history"), [])
        (body,) = self.sent("contact_processed")
        self.assertEqual((body["GSW_CALL_RESULT"], body["GSW_CHAIN_OPEN"]), (3, 0))
        self.add("2")
        self.store.answer = lambda question: Verdict(ref=1, outcome="positive", status=200, data={})
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.assertEqual([each["GSW_HIST_SEQUENCE_NUM"] for each in self.sent("history")], [0])
        self.reply(by_handle("RecordReject", handle))
        self.assertEqual([each["GSW_HIST_SEQUENCE_NUM"] for each in self.sent("history")], [1])

        def cancel(question: object) -> None:
            self.reply(by_phone("RequestRecordCancel", "2"))

        self.store.answer = cancel
        self.preview()
        self.assertEqual(self.sent("history"), [])

    def test_switched_off(self) -> None:
        """O50, O60: nothing is written for what is not sent."""
        self.store.reload(make_directory())
        self.reply(by_handle("RecordProcessed", self.hand_out("1")))
        self.reply(by_phone("DoNotCall", "1"))
        self.assertEqual(self.store.sql("SELECT count(*) FROM ocsgw_delivery"), [(0,)])
