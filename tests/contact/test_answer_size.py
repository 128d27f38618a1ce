"""Answers that are larger than what the client can be sent (protocol.md P64)."""

from typing import Any

from ocsgw.protocol.messages import KV
from tests.support.rules import GROUP, RuleTestCase, by_handle, pending, preview_record

LARGE = "x" * 5000


class AnswerSizeTests(RuleTestCase):
    """Such a request is refused before the commit and has changed nothing; its neighbours are not concerned."""

    def send(self, *requests: KV) -> list[KV]:
        """Carry out requests of a client that can be sent 4096 bytes."""
        return self.replies(*(pending(each, largest_answer=4096) for each in requests))

    def everything(self) -> list[Any]:
        """Return all that a request could have changed."""
        return [self.store.rows(name) for name in ("CL_Test", "ocsgw_handle", "ocsgw_handout")]

    def test_preview(self) -> None:
        """H276: the record that does not fit is not handed out, and can be by whom it fits."""
        self.add("6505550100")
        self.store.sql("UPDATE CL_Test SET remarks = ?", LARGE)
        before = self.everything()
        self.assertEqual(self.send(preview_record(GROUP)), [{"error": "answer_too_large"}])
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.replies(preview_record(GROUP))[0]["Remarks"], LARGE)

    def test_chain(self) -> None:
        """H290, H278: a chain that does not fit is not shown, and the time of the hand-out does not begin anew."""
        chain = self.add("6505550100")["GSW_CHAIN_ID"]
        for number in range(20):
            self.add(f"65055502{number:02d}", GSW_CHAIN_ID=chain, GSW_CHAIN_ATTR="RecordOnly", Remarks="y" * 200)
        handle = self.replies(preview_record(GROUP))[0]["GSW_RECORD_HANDLE"]
        before = self.everything()
        self.store.now += 10
        chained = by_handle("ChainedRecordRequest", handle)
        self.assertEqual(self.send(chained), [{"error": "answer_too_large"}])
        self.assertEqual(self.everything(), before)
        self.assertEqual(len(self.replies(chained)[0]["GSW_CHAINED_RECORDS"]), 20)  # type: ignore[arg-type]  # a list

    def test_neighbours(self) -> None:
        """Of requests in one batch only the one whose answer is too large is refused."""
        self.add("6505550100")
        self.add("6505550101")
        handles = [reply["GSW_RECORD_HANDLE"] for reply in self.replies(*[preview_record(GROUP)] * 2)]
        self.store.sql("UPDATE CL_Test SET contact_info = ? WHERE record_id = 1", LARGE)
        first, second = self.send(
            *(by_handle("UpdateCallCompletionStats", handle, GSW_CALL_RESULT=9) for handle in handles)
        )
        self.assertEqual((first, second["GSW_CALL_RESULT"]), ({"error": "answer_too_large"}, 9))
        self.assertEqual([row["call_result"] for row in self.store.rows("CL_Test")], [28, 9])
