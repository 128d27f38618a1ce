"""RecordProcessed after record_timeout (http.md H278, H314)."""

from typing import Any, cast

from ocsgw.access.permissions import Permissions
from ocsgw.contact.directory import Treatment
from tests.support.rules import RuleTestCase, by_handle, by_phone, make_directory, pending

_DEAD = "404 Invalid record handle"


class LateResultTests(RuleTestCase):
    """What becomes of a result whose hand-out is over."""

    def expired(self, **options: Any) -> int:
        """Begin anew, hand out a chain of two, and let its time pass; return the handle."""
        self.use_directory(make_directory(**options))
        handle = self.hand_out("1", "2")
        self.pass_time(600)
        return handle

    def warnings(self) -> list[Any]:
        assert self.store.unit is not None
        return [(number, fields["outcome"], fields["call_result"]) for number, fields in self.store.unit.warnings]

    def test_kept(self) -> None:
        """404 as before; the result is in the log, the audit log and the store, once."""
        handle = self.expired()
        before = self.rows()
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33)), _DEAD)
        self.assertEqual(self.warnings(), [(93180, "kept", 33)])
        assert self.store.unit is not None
        self.assertEqual([note["action"] for note in self.store.unit.notes], ["late result kept"])
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=6)), _DEAD)
        self.assertEqual(self.warnings(), [])
        self.assertEqual(self.refusal(by_handle("RecordReject", handle + 1)), _DEAD)
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.preview()["GSW_PHONE"], "1")

    def test_applied(self) -> None:
        """With the option the result counts as if it had come in time, with its treatment."""
        again = Treatment(401, "T", 6, "retry_in", interval=60)
        for result, status, kind in ((33, [3, 7], 2), (6, [1, 9], 3)):
            handle = self.expired(apply_late_results=True, treatments=(again,), treat_on_processed=True)
            event = self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=result, GSW_AGENT_ID="A"))
            self.assertEqual(
                event,
                {
                    "GSW_USER_EVENT": "RecordProcessedAcknowledge",
                    "GSW_APPLICATION_ID": 134,
                    "GSW_RECORD_HANDLE": handle,
                    "GSW_CALLING_LIST": "CL_Test",
                    "GSW_CAMPAIGN_NAME": "Campaign1",
                    "GSW_CHAIN_ID": 1,
                },
            )
            self.assertEqual(self.warnings(), [(93180, "applied", result)])
            self.assertEqual((self.column("record_status"), self.column("record_type")[0]), (status, kind))
            self.assertEqual((self.column("call_result")[0], self.column("attempt")), (result, [1, 0]))
            self.assertEqual(self.column("agent_id")[0], "A")
            self.assertEqual(self.refusal(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=0)), _DEAD)

    def test_not_applied(self) -> None:
        """Not where somebody else has had the record since, or a day later, or for a contact that is blocked."""
        handle = self.expired(apply_late_results=True)
        self.preview()
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), _DEAD)
        handle = self.expired(apply_late_results=True)
        self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"]))
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), _DEAD)
        handle = self.expired(apply_late_results=True)
        self.reply(by_phone("DoNotCall", "1"))
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), _DEAD)
        handle = self.expired(apply_late_results=True)
        self.pass_time(86400)
        self.assertEqual(self.refusal(by_handle("RecordProcessed", handle)), _DEAD)
        self.assertEqual(self.warnings(), [])

    def test_refused(self) -> None:
        """What would be refused in time is refused and not kept, with the option and without: the good one follows."""
        for apply in (False, True):
            handle = self.expired(apply_late_results=apply)
            wrong = by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33, Segment="x" * 33)
            self.assertEqual(self.refusal(wrong), "400 Invalid value of attribute Segment")
            self.assertEqual(self.warnings(), [])
            self.replies(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33))
            self.assertEqual(self.warnings(), [(93180, "applied" if apply else "kept", 33)])

    def test_permissions(self) -> None:
        """H346: list and campaign group are asked for as in time, for the handle that DoNotCall has ended too."""
        limits = (Permissions(calling_lists=frozenset({"CL_CALLBACK"})), Permissions(campaign_groups=frozenset({"x"})))
        for limit in limits:
            for is_blocked in (False, True):
                handle = self.expired(apply_late_results=True, principals={"crm": limit})
                if is_blocked:
                    handle = cast("int", self.preview()["GSW_RECORD_HANDLE"])
                    self.reply(by_handle("DoNotCall", handle))
                request = pending(by_handle("RecordProcessed", handle), principal="crm")
                self.assertEqual(self.refusal(request)[:3], "403")
                self.assertEqual(self.warnings(), [])
