"""Pre-dial validation (outgoing.md section 2)."""

from collections.abc import Callable
from typing import Any

from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import Directory, Treatment, ValidationRule
from ocsgw.contact.validation import ValidationQuestion
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import Verdict
from tests.support.rules import GROUP, NOW, RuleTestCase, by_handle, by_phone, make_directory, pending, preview_record

URI = "http://rules.example:9090/validate"
POSITIVE = Verdict(ref=1, outcome="positive", status=200, data={})
NEGATIVE = Verdict(ref=1, outcome="negative", status=409, data={})
# Members of the body of example E30.
E30 = {
    "GSW_APPLICATION_ID", "GSW_RECORD_HANDLE", "GSW_CALLING_LIST", "GSW_CAMPAIGN_NAME", "GSW_CHAIN_ID",
    "GSW_RECORD_URI", "GSW_CAMPAIGN_GROUP_NAME", "GSW_CAMPAIGN_GROUP_DBID", "GSW_CAMPAIGN_MODE",
    "GSW_CALLING_LIST_DBID", "GSW_CHAIN_N", "GSW_PHONE", "GSW_PHONE_TYPE", "GSW_RECORD_TYPE",
    "GSW_CALL_RESULT", "GSW_ATTEMPTS", "GSW_FROM", "GSW_UNTIL", "GSW_TZ_NAME", "GSW_TZ_OFFSET", "GSW_CALL_ATTEMPT_GUID",
}  # fmt: skip


def failed(reason: Any, status: int | None = None) -> Verdict:
    """Return the verdict of a call that failed."""
    return Verdict(ref=1, outcome="failed", status=status, data={}, reason=reason)


class ValidationTests(RuleTestCase):
    """O20 to O34, O56."""

    def make_directory(self) -> Directory:
        """Records of CL_Test are validated."""
        return self.directory_with()

    def directory_with(self, treatments: tuple[Treatment, ...] = (), **rule: Any) -> Directory:
        """Return the directory with a rule."""
        values: dict[str, Any] = {"uri": URI, "call_result": 3, "timeout": 10.0, "max_tries": 3, "failure_retry": 300}
        return make_directory(
            validations={(201, GROUP): ValidationRule(**{**values, **rule})},
            treatments=treatments,
            validation_race_result=9,
        )

    def use(self, **options: Any) -> None:
        """Use another rule."""
        self.store.reload(self.directory_with(**options))

    def answer(self, *answers: Verdict | Callable[[], Verdict | None] | None) -> list[ValidationQuestion]:
        """Let the questions that come be answered so, one after the other; return where they are collected."""
        asked: list[ValidationQuestion] = []
        left = list(answers)

        def answer(question: object) -> object:
            assert isinstance(question, ValidationQuestion)
            asked.append(question)
            given = left.pop(0)
            return given() if callable(given) else given

        self.store.answer = answer
        return asked

    def columns(self, record_id: int = 1) -> tuple[Any, ...]:
        """Return status, type, call result and time of a record."""
        row = self.row(record_id)
        return row["record_status"], row["record_type"], row["call_result"], row["dial_sched_time"]

    def test_positive(self) -> None:
        """O21, O22, O23: the record is claimed first; the body is that of E30; then it is handed out."""
        self.add("6505550100")
        claimed: list[Any] = []

        def look() -> Verdict:
            claimed.extend(self.column("record_status"))
            return Verdict(ref=1, outcome="positive", status=200, data={"GSW_CALL_RESULT": 40, "Remarks": "x"})

        (asked,) = [self.answer(look)]
        event = self.preview(GSW_REFERENCE_ID=5)
        self.assertEqual((event["GSW_USER_EVENT"], event["GSW_REFERENCE_ID"]), ("PreviewRecord", 5))
        self.assertEqual(claimed, [2])
        (question,) = asked
        self.assertEqual((question.uri, question.timeout, set(question.data)), (URI, 10.0, E30))
        self.assertEqual(question.data["GSW_RECORD_HANDLE"], event["GSW_RECORD_HANDLE"])
        self.assertNotIn("Remarks", event)
        self.assertEqual(self.columns(), (2, 2, 28, 0))

    def test_store_answer_fields(self) -> None:
        """O23: by option mapped fields of a 200 are stored and shown; what a field does not take is passed over."""
        self.use(store_answer_fields=True)
        self.add()
        data: Any = {"Remarks": "known", "Segment": "x" * 99, "Unknown": 1, "GSW_CALL_RESULT": 40}
        self.answer(Verdict(ref=1, outcome="positive", status=200, data=data))
        event = self.preview()
        self.assertEqual((event["Remarks"], event["GSW_CALL_RESULT"]), ("known", 28))
        self.assertNotIn("Segment", event)
        self.assertEqual((self.row(1)["remarks"], self.row(1)["segment"]), ("known", None))

    def test_negative(self) -> None:
        """O24, O27, O29 to O31: not handed out, with a result of the answer or the option; then the next record."""
        table: tuple[tuple[dict[str, Any], int], ...] = (
            ({}, 3), ({"GSW_CALL_RESULT": 40}, 40), ({"GSW_CALL_RESULT": "Busy"}, 6), ({"GSW_CALL_RESULT": "7"}, 7),
            ({"GSW_CALL_RESULT": 99}, 3), ({"GSW_CALL_RESULT": "no result"}, 3),
        )  # fmt: skip
        for at, (data, result) in enumerate(table):
            self.add(str(at))
            asked = self.answer(Verdict(ref=1, outcome="negative", status=409, data={**data, "Remarks": "no"}))
            self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
            row = self.row(at + 1)
            found = row["record_status"], row["call_result"], row["attempt"], row["call_time"], row["remarks"]
            self.assertEqual(found, (3, result, 0, NOW, "no"))
            self.refusal(by_handle("RecordProcessed", asked[0].data["GSW_RECORD_HANDLE"]))

    def test_next_record(self) -> None:
        """O31: the next records are tried, up to `max_tries` in one request."""
        for number in range(5):
            self.add(str(number))
        asked = self.answer(NEGATIVE, NEGATIVE, POSITIVE)
        self.assertEqual(self.preview()["GSW_PHONE"], "2")
        self.assertEqual([each.data["GSW_PHONE"] for each in asked], ["0", "1", "2"])
        self.use(max_tries=1)
        asked = self.answer(NEGATIVE)
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(len(asked), 1)
        self.assertEqual(self.column("record_status"), [3, 3, 2, 3, 1])

    def test_deadline(self) -> None:
        """O31: no further record where the request has less than the time of a call and a second left."""
        for left, tried in ((10.9, 1), (11.0, 2)):
            self.add("1")
            self.add("2")
            request = pending(preview_record())
            request.time_left = left
            asked = self.answer(NEGATIVE, NEGATIVE)
            self.outcomes(request)
            self.assertEqual(len(asked), tried)
            self.answer(POSITIVE, POSITIVE)
            self.preview()
            self.preview()

    def test_failure(self) -> None:
        """O28: without a treatment the record waits; a record for an agent stays one; other members as before."""
        self.use(max_tries=1)
        self.add("1")
        self.add("2", GSW_CHAIN_ID=1)
        self.answer(failed("timeout"))
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(self.columns(1), (1, 3, 3, NOW + 300))
        self.assertEqual(self.columns(2)[:3], (1, 2, 28))
        self.use(failure_retry=0, call_result=9, max_tries=1)
        self.answer(failed("status", 500))
        self.preview()
        self.assertEqual(self.columns(2), (3, 2, 9, 0))

    def test_no_connection(self) -> None:
        """O28: after a failure to connect no further record is tried; with nobody asked the record is as before."""
        self.add("1")
        self.add("2")
        asked = self.answer(failed("connect"))
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual((len(asked), self.column("record_status"), self.columns(1)[2]), (1, [1, 1], 3))
        asked = self.answer(None)
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual((len(asked), self.columns(2)), (1, (1, 2, 28, 0)))

    def test_nobody_is_asked(self) -> None:
        """O9, O26: while nobody can be asked nothing is claimed, and records without validation are handed out."""
        self.add("1")
        self.add("2", "CL_CALLBACK")
        self.store.question_room = lambda uri: 0
        self.assertEqual([self.preview()["GSW_USER_EVENT"] for _ in range(2)], ["PreviewRecord", "PreviewRecordEmpty"])
        self.assertEqual(self.columns(), (1, 2, 28, 0))
        self.store.question_room = lambda uri: 1
        self.add("3")
        asked = self.answer(POSITIVE)
        outcomes = self.outcomes(*(pending(preview_record()) for _ in range(3)))
        names = [each.reply["GSW_USER_EVENT"] for each in outcomes if isinstance(each.reply, dict)]
        self.assertEqual((names, len(asked)), (["PreviewRecord"] + ["PreviewRecordEmpty"] * 2, 1))
        # After one that was kept back there is no room for another.
        self.store.question_room = lambda uri: int(not asked)
        asked = self.answer(NEGATIVE)
        self.assertEqual((self.preview()["GSW_USER_EVENT"], len(asked)), ("PreviewRecordEmpty", 1))

    def test_treatment(self) -> None:
        """O27, O28: the treatment for the result is applied, after a verdict and after a failure."""
        self.use(treatments=(Treatment(1, "later", 3, "retry_in", interval=60),))
        for verdict in (NEGATIVE, failed("timeout")):
            self.add("1")
            self.answer(verdict)
            self.preview()
        for record_id in (1, 2):
            self.assertEqual(self.columns(record_id), (1, 3, 3, NOW + 60))

    def test_do_not_call_wins(self) -> None:
        """O33: a do-not-call entry that is made meanwhile wins."""
        self.add("1")

        def block() -> Verdict:
            self.store.answer = lambda question: None
            self.reply(by_phone("DoNotCall", "1"))
            return POSITIVE

        self.answer(block)
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(self.columns()[:3], (3, 7, 51))

    def test_race(self) -> None:
        """O56: cancelled meanwhile: it stays so; released meanwhile: the option's result, and it stays released."""
        self.add("1")

        def cancel() -> Verdict:
            self.reply(by_phone("RequestRecordCancel", "1"))
            return POSITIVE

        self.answer(cancel)
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(self.columns()[:3], (5, 2, 52))
        self.add("2")

        def expire() -> Verdict:
            self.pass_time(601)
            return POSITIVE

        self.use(max_tries=1)
        self.answer(expire)
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(self.columns(2)[:3], (1, 2, 9))

    def test_ended_by_request(self) -> None:
        """O56: whoever ends the record meanwhile, by the handle that the server was told, decides what it is."""
        self.use(treatments=(Treatment(1, "later", 6, "retry_in", interval=60),), max_tries=1)
        busy = {"GSW_CALL_RESULT": 6, "GSW_TREATMENT": "RecordTreatCampaign"}
        ends: list[tuple[str, dict[str, Any], Any]] = [
            ("RecordProcessed", busy, (1, 3, 6)), ("RecordReject", {}, (1, 2, 28))
        ]  # fmt: skip
        for request, keys, expected in ends:
            self.add()
            record_id = max(self.column("record_id"))

            def end(request: str = request, keys: dict[str, Any] = keys) -> Verdict:
                ((handle,),) = self.store.sql("SELECT max(handle) FROM ocsgw_handle")
                self.reply(by_handle(request, handle, **keys))
                return POSITIVE

            self.answer(end)
            self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
            self.assertEqual(self.columns(record_id)[:3], expected)

    def test_crash(self) -> None:
        """O32: what was being validated at a crash expires like a hand-out, and is validated again."""
        self.add("1")

        def crash() -> Verdict:
            raise SystemExit

        self.answer(crash)
        self.assertRaises(SystemExit, self.preview)
        self.assertEqual(self.column("record_status"), [2])
        self.pass_time(601)
        asked = self.answer(POSITIVE)
        self.preview()
        self.assertEqual(len(asked), 1)

    def test_key_elsewhere(self) -> None:
        """H331: while one server asks, the key is in use at the others; afterwards it answers, or is free again."""
        self.store.origin = "one"
        self.add("1")
        self.add("2")
        elsewhere: list[str] = []

        def send(key: str) -> Outcome:
            (outcome,) = self.store.execute([pending(preview_record(), key=key, keep_for=60)])
            return outcome

        def ask_again() -> Verdict:
            reply = send("k").reply
            assert isinstance(reply, Refusal)
            elsewhere.append(reply.code)
            return POSITIVE

        self.answer(ask_again)
        first = send("k")
        self.assertEqual(elsewhere, ["key_in_use"])
        again = send("k")
        self.assertEqual((again.reply, again.replayed), (first.reply, True))
        self.use(max_tries=1)
        self.answer(NEGATIVE)
        # Nothing is kept of an empty answer, so the key is free.
        for _ in range(2):
            empty = send("n")
            assert isinstance(empty.reply, dict)
            self.assertEqual((empty.reply["GSW_USER_EVENT"], empty.replayed), ("PreviewRecordEmpty", False))
