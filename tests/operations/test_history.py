"""What has happened to a record, and how it was at a time."""

from typing import Any

from ocsgw.operations.errors import OperationError
from ocsgw.operations.steps import carry_out
from tests.support.rules import NOW, RuleTestCase, by_handle, by_phone, of_group


class HistoryTests(RuleTestCase):
    """The operation behind `ocsctl history`."""

    def history(self, **arguments: Any) -> list[dict[str, Any]]:
        """Return histories as a command gets them."""
        found: list[dict[str, Any]] = self.store.chore(lambda unit: carry_out(unit, "history", arguments))
        return found

    def test_course_of_a_record(self) -> None:
        """Each request that changes a record is an entry of its own, in order, with who, where and which columns."""
        handle = self.hand_out("6505550100")
        self.pass_time(10)
        self.replies(
            by_handle("UpdateCallCompletionStats", handle, GSW_CALL_RESULT=9, Remarks="first"),
            by_handle("RecordProcessed", handle, Remarks="second"),
        )
        (chain,) = self.history(contact="650 555 0100")
        self.assertEqual((chain["calling_list"], chain["chain_id"]), ("CL_Test", 1))
        kinds = ["AddRecord", "PreviewRecordRequest", "UpdateCallCompletionStats", "RecordProcessed"]
        self.assertEqual([each["kind"] for each in chain["changes"]], kinds)
        _, preview, update, processed = chain["changes"]
        self.assertEqual((preview["at"], preview["group"], preview["handle"]), (NOW, "Campaign1@Group1", handle))
        self.assertEqual((preview["before"], preview["after"]), ({"record_status": 1}, {"record_status": 2}))
        self.assertEqual(update["after"], {"call_result": 9, "remarks": "first"})
        self.assertEqual((update["before"]["call_result"], update["before"]["remarks"]), (28, None))
        self.assertEqual(processed["before"]["remarks"], "first")
        self.assertEqual((processed["after"]["record_status"], processed["after"]["attempt"]), (3, 1))
        self.assertEqual(chain["records"][0]["remarks"], "second")
        # By handle, which is dead, and by chain it is the same.
        self.assertEqual(self.history(handle=handle), [chain])
        self.assertEqual(self.history(chain=1, calling_list="CL_Test"), [chain])
        self.assertEqual(self.history(chain=1), [chain])

    def test_as_of_a_time(self) -> None:
        """A record is shown as it was at a time, also before the first change that is known."""
        handle = self.hand_out("6505550100")
        self.pass_time(10)
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=6, Remarks="said no"))
        for at, status, result, remarks in ((NOW, 2, 28, None), (NOW + 9, 2, 28, None), (NOW + 10, 3, 6, "said no")):
            (chain,) = self.history(handle=handle, at=at)
            (record,) = chain["records"]
            found = record["record_status"], record["call_result"], record["remarks"]
            self.assertEqual(found, (status, result, remarks))
        (chain,) = self.history(handle=handle, at=NOW - 1)
        self.assertEqual((chain["changes"], chain["records"]), ([], []))

    def test_occasions(self) -> None:
        """What time, an order for the group, a cancel and do-not-call by number change is there too."""
        self.hand_out("1")
        # Which expires hand-outs too.
        self.pass_time(601)
        self.preview()
        self.reply(of_group("ForceUnloadCampaign"))
        self.reply(by_phone("RequestRecordCancel", "1"))
        self.reply(by_phone("DoNotCall", "1"))
        (chain,) = self.history(contact="1")
        self.assertEqual(
            [each["kind"] for each in chain["changes"]],
            [
                "AddRecord", "PreviewRecordRequest", "record_timeout", "PreviewRecordRequest", "group unloaded",
                "RequestRecordCancel", "DoNotCall",
            ],
        )  # fmt: skip
        # What do-not-call by number found in a record is not read.
        (chain,) = self.history(contact="1", at=NOW)
        self.assertNotIn("record_type", chain["records"][0])

    def test_what_was_undone(self) -> None:
        """A request that is refused, or a batch that fails, leaves no entry."""
        self.refusal(by_handle("RecordProcessed", 77))
        self.add("1", "CL_Test")
        self.assertEqual(len(self.store.sql("SELECT * FROM ocsgw_outbox")), 1)

    def test_unknown(self) -> None:
        """Of an unknown handle, contact or chain nothing is known; an unknown list is refused with those there are."""
        self.assertEqual(self.history(handle=99), [])
        self.assertEqual(self.history(contact="99"), [])
        self.assertEqual(self.history(chain=99), [])
        error = self.assertRaises(OperationError, self.history, chain=1, calling_list="CL_None")
        self.assertIn("there is no calling list CL_None; configured: CL_Test", str(error))
