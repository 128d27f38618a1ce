"""Batches: idempotency, and faults that stay with their request (http.md section 12, protocol.md P41)."""

from typing import Any
from unittest import mock

from ocsgw.contact import batch
from ocsgw.contact.batch import Outcome, fingerprint
from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import PendingRequest
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from tests.support.rules import (
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
    event_of,
    make_directory,
    make_list,
    of_group,
    pending,
    preview_record,
)

_DAY = 86400


def keyed(data: KV, key: str = "k", **values: Any) -> PendingRequest:
    """Return a request with an idempotency key."""
    return pending(data, **{"key": key, "keep_for": _DAY, **values})


class _TestCase(RuleTestCase):
    def one(self, request: KV | PendingRequest) -> Outcome:
        """Return the outcome of a request in a batch of its own."""
        (outcome,) = self.outcomes(request)
        return outcome

    def code(self, request: KV | PendingRequest) -> str:
        """Return the code of a refusal, an empty text for an acknowledgement."""
        reply = self.one(request).reply
        return reply.code if isinstance(reply, Refusal) else ""


class ReplayTests(_TestCase):
    """H320 to H330, as far as the store decides."""

    def test_every_kind_of_request(self) -> None:
        """H323, H324: a repetition gets the stored answer and executes nothing, for every request that changes."""
        handles = [self.hand_out(phone) for phone in "12345"]
        self.add("9")
        when = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"}
        requests: list[KV] = [
            add_record("7"),
            preview_record(),
            by_handle("UpdateCallCompletionStats", handles[0], GSW_RECORD_STATUS=6),
            by_handle("RecordReschedule", handles[0], **when),
            by_handle("RecordProcessed", handles[0], GSW_CALL_RESULT=33),
            by_handle("RecordReject", handles[1]),
            by_handle("RequestRecordCancel", handles[2]),
            by_handle("DoNotCall", handles[3]),
            by_phone("RequestRecordCancel", "5"),
            by_customer_id("DoNotCall", "C"),
            of_group("StopDialing"),
        ]
        for number, request in enumerate(requests):
            first = self.one(keyed(request, f"k{number}"))
            self.assertFalse(isinstance(first.reply, Refusal) or first.replayed, request)
            before = [self.rows(table) for table in ("CL_Test", "gsw_donotcall_list", "ocsgw_handle", "ocsgw_handout")]
            again = self.one(keyed(dict(reversed(request.items())), f"k{number}"))
            self.assertEqual((again.reply, again.replayed), (first.reply, True))
            after = [self.rows(table) for table in ("CL_Test", "gsw_donotcall_list", "ocsgw_handle", "ocsgw_handout")]
            self.assertEqual(after, before, request)

    def test_restart(self) -> None:
        """H329: keys survive a restart."""
        first = self.one(keyed(add_record("1")))
        self.store.restart()
        again = self.one(keyed(add_record("1")))
        self.assertEqual((again.reply, again.replayed), (first.reply, True))
        self.assertEqual(len(self.rows()), 1)

    def test_expiry(self) -> None:
        """H329: a key is kept for its time and forgotten afterwards, swept or not."""
        self.one(keyed(add_record("1")))
        self.store.now += _DAY - 1
        self.assertTrue(self.one(keyed(add_record("1"))).replayed)
        self.store.now += 1
        self.assertFalse(self.one(keyed(add_record("1"))).replayed)
        self.assertEqual(len(self.rows()), 2)
        self.store.now += _DAY
        self.assertEqual(self.store.chore(lambda unit: unit.tx.forget(unit.now, 10)), 1)
        self.assertEqual(self.rows("ocsgw_idempotency"), [])

    def test_sweep_in_slices(self) -> None:
        """H329: expired keys are swept a few at a time, others stay."""
        self.outcomes(*(keyed(add_record(str(n)), f"k{n}") for n in range(5)))
        self.store.now += _DAY
        self.one(keyed(add_record("x"), "new"))
        counts = [self.store.chore(lambda unit: unit.tx.forget(unit.now, 3)) for _ in range(3)]
        self.assertEqual(counts, [3, 2, 0])
        self.assertEqual([row["key"] for row in self.rows("ocsgw_idempotency")], ["new"])

    def test_principals(self) -> None:
        """H321: the same key of another principal is another key."""
        for principal in ("", "a", "b"):
            self.assertFalse(self.one(keyed(add_record("1"), principal=principal)).replayed)
        self.assertEqual(len(self.rows()), 3)

    def test_another_request(self) -> None:
        """H325: the same key with another request is 422, and executes nothing; the answer stays stored."""
        self.one(keyed(add_record("1")))
        for other in (add_record("2"), add_record("1", Remarks="x"), by_phone("DoNotCall", "1"), preview_record()):
            self.assertEqual(self.code(keyed(other)), "key_mismatch")
        self.assertTrue(self.one(keyed(add_record("1"))).replayed)
        self.assertEqual((len(self.rows()), self.rows("gsw_donotcall_list")), (1, []))

    def test_errors(self) -> None:
        """H327: an error is not stored and frees the key, for the same request or another."""
        self.assertEqual(self.code(keyed(add_record("1", "Nowhere"))), "list_not_found")
        self.assertEqual(self.code(keyed(add_record("1", GSW_CHAIN_ID=5))), "chain_not_found")
        self.assertFalse(self.one(keyed(add_record("1"))).replayed)

    def test_reads(self) -> None:
        """H328: reads and empty previews are not stored: the next one looks again."""
        self.one(keyed(preview_record()))
        handle = self.hand_out("1", "2")
        self.one(keyed(by_handle("ChainedRecordRequest", handle), "c"))
        self.one(keyed(of_group("CampaignStatusRequest"), "s"))
        self.assertEqual(self.rows("ocsgw_idempotency"), [])

    def test_dead_handle(self) -> None:
        """H324: the stored answer comes again although the handle is dead; without the key it is 404."""
        handle = self.hand_out("1")
        request = by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33)
        self.one(keyed(request))
        self.assertTrue(self.one(keyed(request)).replayed)
        self.assertEqual(self.code(request), "invalid_handle")
        self.assertEqual(self.column("attempt"), [1])

    def test_same_record_of_a_preview(self) -> None:
        """H352: a repeated preview with the same key gets the same record."""
        self.add("1")
        self.add("2")
        first, second = (self.one(keyed(preview_record())) for _ in range(2))
        self.assertEqual(second.reply, first.reply)
        self.assertEqual(self.column("record_status"), [2, 1])

    def test_mixed_batch(self) -> None:
        """H324, P41: repetitions and new requests in one batch each get their own answer."""
        self.outcomes(*(keyed(add_record(str(n)), f"k{n}") for n in range(0, 10, 2)))
        outcomes = self.outcomes(*(keyed(add_record(str(n)), f"k{n}") for n in range(10)), add_record("10"))
        self.assertEqual([each.replayed for each in outcomes], [n % 2 == 0 for n in range(10)] + [False])
        phones = [event_of(each)["GSW_PHONE"] for each in outcomes]
        self.assertEqual(phones, [str(n) for n in range(11)])
        self.assertEqual(len(self.rows()), 11)


class FingerprintTests(_TestCase):
    """H322: what makes two requests the same."""

    def make_directory(self) -> Directory:
        return make_directory(typed_list=True)

    def test_what_does_not_count(self) -> None:
        """H322, H102, H97: order, spelling of numbers in fields, the application id and ignored members."""
        one = add_record("1", "CL_Types", Level=5, Amount="1.50", Due="03/21/2026 14:30")
        same = [
            dict(reversed(one.items())),
            {**one, "GSW_APPLICATION_ID": 7},
            {**one, "Unknown": "x"},
            {**one, "Level": "5", "Amount": "15e-1", "Due": "2026-03-21T14:30:00"},
            {**one, "Label": None},
            {**one, "Label": ""},
        ]
        mark = fingerprint(one, self.directory)
        self.for_each(same, lambda other: self.assertEqual(fingerprint(other, self.directory), mark))

    def test_what_counts(self) -> None:
        """H322: action, target and every other key-value count, GSW_REFERENCE_ID included."""
        one = add_record("1", "CL_Types", Level=5)
        others: list[KV] = [
            {**one, "GSW_AGENT_REQ_TYPE": "DoNotCall"},
            {**one, "GSW_CALLING_LIST": "CL_Test"},
            {**one, "GSW_PHONE": "2"},
            {**one, "GSW_REFERENCE_ID": 1},
            {**one, "Level": 6},
            {**one, "Level": "x"},
            {**one, "Label": "x"},
        ]
        marks = {fingerprint(other, self.directory) for other in (one, *others)}
        self.assertEqual(len(marks), len(others) + 1)

    def test_by_handle(self) -> None:
        """H322, H103: custom members count by the list of the record; information keys do not count."""
        chain = self.add("1", "CL_Types")["GSW_CHAIN_ID"]
        handle = self.preview()["GSW_RECORD_HANDLE"]
        request = by_handle("UpdateCallCompletionStats", handle, Level="7", GSW_CHAIN_ID=chain)
        self.one(keyed(request))
        changes: list[KV] = [{"Level": 7}, {"GSW_CHAIN_ID": 99, "GSW_CALLING_LIST": "x"}, {"Unknown": 1}]
        for other in changes:
            self.assertTrue(self.one(keyed({**request, **other})).replayed, other)
        self.assertEqual(self.code(keyed({**request, "Level": 8})), "key_mismatch")


class DuplicateWindowTests(_TestCase):
    """H331, as far as the store decides: the fingerprint is the key."""

    def add_again(self, data: KV) -> Outcome:
        """Send an AddRecord as dispatch does with a window of a minute."""
        mark = fingerprint(data, self.directory, but=("GSW_REFERENCE_ID",))
        return self.one(pending(data, key=f"d{mark.hex()}", keep_for=60, fingerprint=mark))

    def test_window(self) -> None:
        """H331: within the window the stored answer comes again, afterwards a record is added."""
        first = self.add_again(add_record("1"))
        self.store.now += 59
        again = self.add_again(add_record("1"))
        self.assertEqual((again.reply, again.replayed), (first.reply, True))
        self.store.now += 1
        self.assertFalse(self.add_again(add_record("1")).replayed)
        self.assertEqual(len(self.rows()), 2)

    def test_reference(self) -> None:
        """H331, H145: the reference id does not count, and the answer has that of the repetition."""
        self.add_again(add_record("1", GSW_REFERENCE_ID="a"))
        for reference in ({"GSW_REFERENCE_ID": "b"}, {}):
            outcome = self.add_again(add_record("1", **reference))
            self.assertTrue(outcome.replayed)
            self.assertEqual(event_of(outcome).get("GSW_REFERENCE_ID"), reference.get("GSW_REFERENCE_ID"))


class PoisonTests(_TestCase):
    """A request on which a rule or a statement fails, in a run with others."""

    def poison(self, kind: str, when: str) -> Any:
        """Let the rule of a kind fail, after its work, on runs that have a request with this reference."""
        rule = batch._RULES[kind]

        def failing(unit: Any, requests: Any) -> Any:
            replies = rule(unit, requests)
            if any(each.data.get("GSW_REFERENCE_ID") == when for each in requests):
                raise ValueError("poison")
            return replies

        return mock.patch.dict(batch._RULES, {kind: failing})

    def test_defect(self) -> None:
        """P41, docs: a defect concerns its own request, which gets 500; nothing of it is done, all else is."""
        with self.poison("AddRecord", "bad"):
            replies = self.replies(
                add_record("1"), add_record("2", GSW_REFERENCE_ID="bad"), add_record("3"), by_phone("DoNotCall", "4")
            )
        self.assertEqual([each.get("error") for each in replies], [None, "internal", None, None])
        self.assertEqual(self.column("contact_info"), ["1", "3"])
        self.assertEqual([str(error) for error in self.store.defects], ["poison"])
        self.store.defects.clear()

    def test_defect_with_a_key(self) -> None:
        """H327: a request that failed by a defect has not used up its key."""
        with self.poison("AddRecord", "bad"):
            self.assertEqual(self.code(keyed(add_record("1", GSW_REFERENCE_ID="bad"))), "internal")
        self.assertFalse(self.one(keyed(add_record("2"))).replayed)
        self.store.defects.clear()

    def test_what_was_noted(self) -> None:
        """H72: notes of a run that is undone are undone too, and the state of groups is read anew."""
        with self.poison("control", "bad"):
            replies = self.replies(of_group("StopDialing"), of_group("UnloadCampaign", GSW_REFERENCE_ID="bad"))
        self.assertEqual([each.get("error") for each in replies], [None, "internal"])
        assert self.store.unit is not None
        self.assertEqual(self.store.unit.group_messages, [(52002, "Campaign1@Group1")])
        self.assertEqual(self.reply(of_group("CampaignStatusRequest"))["GSW_USER_EVENT"], "CampaignLoaded")
        self.store.defects.clear()

    def test_row_that_the_table_refuses(self) -> None:
        """K14, K16: a row that a constraint of the table refuses fails alone, with 409; that is not a defect."""
        self.store.sql("CREATE UNIQUE INDEX one_each ON CL_Test (remarks)")
        replies = self.replies(*(add_record(str(n), Remarks=f"r{min(n, 3)}") for n in range(5)))
        self.assertEqual([each.get("error") for each in replies], [None, None, None, None, "refused_by_table"])
        self.assertEqual(self.column("contact_info"), ["0", "1", "2", "3"])

    def test_list_that_breaks(self) -> None:
        """K12, K16: requests of a list that is gone get 503 and no defect; their neighbours are carried out."""
        self.use_directory(make_directory(lists=[make_list(205, "CL_Gone")]))
        self.store.sql("DROP TABLE CL_Gone")
        replies = self.replies(add_record("1"), add_record("2", "CL_Gone"), add_record("3"))
        self.assertEqual([each.get("error") for each in replies], [None, "list_unavailable", None])
        self.assertEqual(self.column("contact_info"), ["1", "3"])

    def test_store_failure(self) -> None:
        """C41: a failure of the store is not tried row by row: it concerns the whole batch."""

        def failing(unit: Any, requests: Any) -> Any:
            raise StoreFailureError("disk")

        with mock.patch.dict(batch._RULES, {"AddRecord": failing}):
            self.assertRaises(StoreFailureError, self.outcomes, by_phone("DoNotCall", "1"), add_record("1"))
        self.assertEqual(self.rows("gsw_donotcall_list"), [])

    def test_unknown_request(self) -> None:
        """P4: a request without a rule is refused by its name and does not disturb."""
        replies = self.replies({"GSW_AGENT_REQ_TYPE": "Nonsense"}, add_record("1"))
        self.assertEqual([each.get("error") for each in replies], ["unknown_request", None])
