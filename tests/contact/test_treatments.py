"""Treatments (http.md H216, configuration.md section 11, constants.md section 5.2)."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocsgw.contact.directory import Treatment
from ocsgw.contact.transaction import Record
from ocsgw.contact.treatments import Application, Position, find_treatment, position_of
from tests.support.case import ClockTestCase
from tests.support.rules import NOW, RuleTestCase, by_handle, by_phone, epoch, make_directory

_BUSY, _NO_ANSWER, _ANSWER, _AGENT_CALLBACK_ERROR = 6, 7, 33, 47
_LATEST = 2**31 - 1
_ACTIONS = ("finish", "next_in_chain", "retry_in", "retry_at", "assign_to_group", "agent_error", "no_call")


def record_with(treatments: str = "", *, kind: int = 3, result: int = _BUSY, attempt: int = 0, zone: int = 0) -> Record:
    """Return a record as it is when a treatment is looked up."""
    return Record(1, "1", 0, kind, 2, result, attempt, 0, 0, 0, 0, zone, 0, "", 1, 0, treatments, [])


class ChoiceTests(ClockTestCase):
    """Which treatment is applied, and as which number in succession (C90 to C92)."""

    def found(self, treatments: tuple[Treatment, ...], record: Record, name: str = "CL_Test") -> Application | None:
        directory = make_directory(treatments=treatments)
        calling_list = directory.list_named(name)
        assert calling_list is not None
        return find_treatment(directory, calling_list, record, NOW)

    def chosen(self, treatments: tuple[Treatment, ...], record: Record, name: str = "CL_Test") -> Any:
        """Return name and number of what is applied; an empty name where the sequence is used up."""
        application = self.found(treatments, record, name)
        return (application.treatment.name, application.number) if application is not None else None

    def test_sequence(self) -> None:
        """C90: by `sequence`, then by the file, of those for the result and the list; gaps do not matter."""
        treatments = (
            Treatment(1, "C", _BUSY, "finish", sequence=7),
            Treatment(2, "B", _BUSY, "finish", sequence=3, cycle_attempt=1),
            Treatment(3, "Other list", _BUSY, "finish", frozenset({202})),
            Treatment(4, "A", _BUSY, "finish", frozenset({201}), sequence=3, cycle_attempt=1),
            Treatment(5, "Other result", _NO_ANSWER, "finish"),
        )
        rows = [("", ("B", 1)), ("2@1@0@1", ("A", 1)), ("4@1@0@1", ("C", 1)), ("1@1@0@1", ("C", 2))]
        for column, expected in rows:
            self.assertEqual(self.chosen(treatments, record_with(column)), expected, column)
        self.assertEqual(self.chosen(treatments, record_with(), "CL_CALLBACK"), ("Other list", 1))
        self.assertEqual(self.chosen(treatments, record_with(result=_NO_ANSWER)), ("Other result", 1))
        self.assertIsNone(self.chosen(treatments, record_with(result=_ANSWER)))

    def test_cycle_attempt(self) -> None:
        """C91: the same again until `cycle_attempt` is reached, then the next one; none left: finish, unnoted."""
        treatments = (
            Treatment(1, "Soon", _BUSY, "retry_in", interval=60, cycle_attempt=3),
            Treatment(2, "Later", _BUSY, "retry_in", interval=60, cycle_attempt=1),
        )
        rows = [
            ("", ("Soon", 1)),
            ("1@1@0@1", ("Soon", 2)),
            ("1@2@0@1", ("Soon", 3)),
            ("1@3@0@1", ("Later", 1)),
            ("1@77@0@1", ("Later", 1)),
            ("2@1@0@1", ("", 0)),
            ("9@1@0@1", ("Soon", 1)),
        ]
        for column, expected in rows:
            self.assertEqual(self.chosen(treatments, record_with(column)), expected, column)
        self.assertEqual(self.found(treatments, record_with("2@1@0@1")).treatment.action, "finish")  # type: ignore[union-attr]

    def test_without_limit(self) -> None:
        """C91: `cycle_attempt` 0 is no limit; the number in succession stays within 32 bits."""
        treatments = (Treatment(1, "T", _BUSY, "retry_in", interval=60),)
        self.assertEqual(self.chosen(treatments, record_with("1@500@0@1")), ("T", 501))
        self.assertEqual(self.chosen(treatments, record_with(f"1@{_LATEST}@0@1")), ("T", _LATEST))

    def test_max_attempts(self) -> None:
        """C92: a treatment fits while the record has fewer attempts, as number one and as a further one."""
        treatments = (
            Treatment(1, "Soon", _BUSY, "retry_in", interval=60, max_attempts=2),
            Treatment(2, "Later", _BUSY, "retry_in", interval=3600, max_attempts=4),
        )
        for attempt, expected in (
            (0, ("Soon", 1)),
            (1, ("Soon", 1)),
            (2, ("Later", 1)),
            (3, ("Later", 1)),
            (4, ("", 0)),
        ):
            self.assertEqual(self.chosen(treatments, record_with(attempt=attempt)), expected, attempt)
        for attempt, expected in ((1, ("Soon", 2)), (2, ("Later", 1)), (4, ("", 0))):
            self.assertEqual(self.chosen(treatments, record_with("1@1@0@1", attempt=attempt)), expected, attempt)

    def test_time_that_has_passed(self) -> None:
        """C92: retry_at fits while its time lies ahead in the record's zone."""
        # 14:13:20 UTC is 07:13:20 in PST.
        treatments = (Treatment(1, "At", _BUSY, "retry_at", at=datetime(2026, 9, 21, 14, 13, 20)),)  # noqa: DTZ001
        self.assertEqual(self.chosen(treatments, record_with(zone=101)), ("", 0))
        application = self.found(treatments, record_with(zone=102))
        assert application is not None
        self.assertEqual(application.due(NOW), epoch("2026-09-21 14:13:20", "America/Los_Angeles"))
        later = (replace(treatments[0], at=datetime(2026, 9, 21, 14, 13, 21)),)  # noqa: DTZ001
        self.assertEqual(self.chosen(later, record_with(zone=101)), ("At", 1))

    def test_column(self) -> None:
        """K65 to K67: four numbers, for types 3 to 6; every other text is as if empty."""
        for text in ("401@1@0@1", " 401@1@0@1", "401@1@0@1  ", "0000000401@01@0@1", f"401@{_LATEST}@{_LATEST}@2"):
            for kind in range(8):
                position = position_of(record_with(text, kind=kind))
                self.assertEqual(position is not None, kind in (3, 4, 5, 6), (text, kind))
        wrong = [
            "", "busy;busy;", "401", "401@1@0", "401@1@0@1@1", "401@1@0@1;", "0@1@0@1", "401@0@0@1", "401@1@0@0",
            "401@1@-1@1", f"{_LATEST + 1}@1@0@1", f"401@1@{_LATEST + 1}@1", "00000000401@1@0@1", "401 @1@0@1",
            "\u0664@1@0@1", "401@1@0@1\n", "\t401@1@0@1",
        ]  # fmt: skip
        for text in wrong:
            self.assertIsNone(position_of(record_with(text)), text)

    @given(*[st.integers(1, _LATEST)] * 4)
    @settings(max_examples=50)
    def test_round_trip(self, dbid: int, number: int, chain_n: int, round_: int) -> None:
        """K65: what is written is read again."""
        position = Position(dbid, number, chain_n, round_)
        self.assertEqual(position_of(record_with(position.text)), position)

    @given(st.text("0123456789@; x", max_size=24))
    @example("1@1@1@1")
    @settings(max_examples=200)
    def test_any_text(self, text: str) -> None:
        """K67: no text is an error, and none keeps a treatment from being found."""
        treatments = (Treatment(1, "T", _BUSY, "retry_in", interval=60),)
        self.assertEqual(self.chosen(treatments, record_with(text))[0], "T")

    def test_due(self) -> None:
        """C94: number n waits the interval and n - 1 times the increment, not beyond 32 bits."""
        treatment = Treatment(1, "T", _BUSY, "retry_in", interval=60, increment=30)
        for number, seconds in ((1, 60), (2, 90), (5, 180)):
            self.assertEqual(Application(treatment, number).due(NOW), NOW + seconds)
        self.assertEqual(Application(replace(treatment, increment=1e9), 3).due(NOW), _LATEST)
        late = replace(treatment, action="retry_at", at=datetime(2099, 1, 1))  # noqa: DTZ001
        application = self.found((late,), record_with())
        assert application is not None
        self.assertEqual(application.due(NOW), _LATEST)


class ActionTests(RuleTestCase):
    """What a treatment does at the end of a hand-out."""

    def treat(self, action: Any, *, on_processed: bool = True, **values: Any) -> None:
        """Begin anew with one treatment for a busy line."""
        treatment = Treatment(401, "T1", _BUSY, action, **values)
        self.use_directory(make_directory(treatments=(treatment,), treat_on_processed=on_processed))

    def finish(self, *phones: str, member: int = 0, **keys: Any) -> None:
        """Hand out a chain and report a busy line for one of its members."""
        handle = self.hand_out(*phones)
        self.reply(by_handle("RecordProcessed", handle + member, GSW_CALL_RESULT=_BUSY, **keys))

    def test_finish(self) -> None:
        """Section 11: finish: the record is updated, the others are chain-updated; it is noted."""
        self.treat("finish")
        self.finish("1", "2")
        self.assertEqual(self.column("record_status"), [3, 7])
        self.assertEqual(self.column("treatments"), ["401@1@0@1", None])

    def test_retry_in(self) -> None:
        """Section 11: retry_in: ready, type 3, due after the interval; the others wait with status 9."""
        self.treat("retry_in", interval=900)
        self.finish("1", "2", "3")
        self.assertEqual(self.column("record_status"), [1, 9, 9])
        self.assertEqual(self.column("record_type"), [3, 2, 2])
        self.assertEqual(self.column("dial_sched_time"), [NOW + 900, 0, 0])
        self.assertEqual(self.column("attempt"), [1, 0, 0])
        self.pass_time(899)
        self.assertNotIn("GSW_PHONE", self.preview())
        self.pass_time(1)
        self.assertEqual(self.preview()["GSW_PHONE"], "1")
        self.assertEqual(self.column("record_status"), [2, 2, 2])

    def test_retry_at(self) -> None:
        """Section 11: retry_at: as retry_in, at a time in the record's zone."""
        self.treat("retry_at", at=datetime(2026, 12, 24, 9, 30))  # noqa: DTZ001
        handle = self.hand_out("1", GSW_TZ_NAME="PST")
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY))
        self.assertEqual((self.column("record_status"), self.column("record_type")), ([1], [3]))
        self.assertEqual(self.column("dial_sched_time"), [epoch("2026-12-24 09:30:00", "America/Los_Angeles")])

    def test_in_succession(self) -> None:
        """E33, C91, C93, C94: each application overwrites the column; waits grow; then the chain is finished."""
        self.treat("retry_in", interval=60, increment=30, cycle_attempt=3)
        self.add("1")
        self.store.sql("UPDATE CL_Test SET treatments = 'busy;busy;'")
        waits = (60, 90, 120)
        for number, wait in enumerate(waits, start=1):
            self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=_BUSY))
            self.assertEqual(self.column("treatments"), [f"401@{number}@0@1"])
            self.assertEqual(self.column("dial_sched_time"), [self.now + wait])
            self.pass_time(wait)
        self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=_BUSY))
        self.assertEqual((self.column("record_status"), self.column("attempt")), ([3], [4]))
        self.assertEqual(self.column("treatments"), ["401@3@0@1"])

    def test_another_result(self) -> None:
        """C91: another result begins its own sequence; the first one begins anew afterwards."""
        treatments = (
            Treatment(401, "Busy", _BUSY, "retry_in", interval=60, cycle_attempt=2),
            Treatment(402, "No answer", _NO_ANSWER, "retry_in", interval=60),
        )
        self.use_directory(make_directory(treatments=treatments, treat_on_processed=True))
        self.add("1")
        expected = ["401@1@0@1", "401@2@0@1", "402@1@0@1", "401@1@0@1"]
        for result, column in zip((_BUSY, _BUSY, _NO_ANSWER, _BUSY), expected, strict=True):
            self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=result))
            self.assertEqual(self.column("treatments"), [column])
            self.pass_time(60)

    def test_after_a_restart_or_reload(self) -> None:
        """C96: what is waiting stays as it is; where the record stands is read from its row."""
        self.treat("retry_in", interval=60, cycle_attempt=5)
        self.finish("1")
        before = self.rows()
        changed = Treatment(401, "Renamed", _BUSY, "retry_in", interval=7200, cycle_attempt=5)
        self.store.reload(make_directory(treatments=(changed,), treat_on_processed=True))
        self.store.restart()
        self.assertEqual(self.rows(), before)
        self.pass_time(60)
        self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=_BUSY))
        self.assertEqual(self.column("treatments"), ["401@2@0@1"])
        self.assertEqual(self.column("dial_sched_time"), [self.now + 7200])

    def test_rounds(self) -> None:
        """K68: the fourth number is the one that was read, the third the record's own place in the chain."""
        self.treat("retry_in", interval=60)
        self.add("1")
        self.store.sql("UPDATE CL_Test SET treatments = '401@1@8@5', record_type = 6, chain_n = 3")
        self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=_BUSY))
        self.assertEqual(self.column("treatments"), ["401@2@3@5"])

    def test_max_attempts(self) -> None:
        """C92: the treatment is used while `attempt` is lower than its maximum, then the chain is finished."""
        self.treat("retry_in", interval=60, max_attempts=3)
        self.add("1")
        for _ in range(3):
            self.pass_time(60)
            self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=_BUSY))
        self.assertEqual((self.column("record_status"), self.column("attempt")), ([3], [3]))
        self.assertEqual(self.column("treatments"), ["401@2@0@1"])

    def test_next_in_chain(self) -> None:
        """Section 11: next_in_chain: updated; the next member by chain_n is ready, the others wait."""
        self.treat("next_in_chain")
        self.finish("1", "2", "3", "4", member=1)
        self.assertEqual(self.column("record_status"), [9, 3, 1, 9])
        self.assertEqual(self.column("record_type"), [2, 2, 2, 2])
        self.assertEqual(self.column("treatments"), [None, "401@1@2@1", None, None])
        self.assertEqual(self.preview()["GSW_PHONE"], "3")

    def test_next_in_chain_after_a_while(self) -> None:
        """Section 11: with an interval the next member is scheduled, of type 3 unless it is a callback."""
        for kind, expected in ((2, 3), (1, 3), (3, 3), (4, 4), (5, 5), (6, 6)):
            self.treat("next_in_chain", interval=300)
            handle = self.hand_out("1", "2", "3")
            self.store.sql("UPDATE CL_Test SET record_type = ? WHERE contact_info = '2'", kind)
            self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY))
            self.assertEqual(self.column("record_status"), [3, 1, 9])
            self.assertEqual(self.column("record_type"), [2, expected, 2])
            self.assertEqual(self.column("dial_sched_time"), [0, NOW + 300, 0])

    def test_next_in_chain_rescheduled(self) -> None:
        """C93: a reschedule of the next member wins over the treatment."""
        self.treat("next_in_chain", interval=300)
        handle = self.hand_out("1", "2", "3")
        callback = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"}
        self.reply(by_handle("RecordReschedule", handle + 1, **callback))
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY))
        self.assertEqual((self.column("record_status"), self.column("record_type")), ([3, 1, 9], [2, 6, 2]))
        self.assertEqual(self.column("dial_sched_time"), [0, epoch("2026-12-24 09:05:00"), 0])

    def test_end_of_the_chain(self) -> None:
        """Section 11: next_in_chain with none left: all are finished."""
        self.treat("next_in_chain")
        self.finish("1", "2", member=1)
        self.assertEqual(self.column("record_status"), [7, 3])

    def test_next_in_chain_past_a_marked_member(self) -> None:
        """Section 11, H266: a member that must not be contacted is not the next one, and is done."""
        self.treat("next_in_chain")
        handle = self.hand_out("1", "2", "3")
        self.reply(by_phone("DoNotCall", "2"))
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY))
        self.assertEqual(self.column("record_status"), [3, 7, 1])

    def test_assign_to_group(self) -> None:
        """Section 11: assign_to_group: for anyone, at once or later; callbacks stay callbacks, of the campaign."""
        for kind, expected in ((2, 3), (3, 3), (4, 3), (5, 6), (6, 6)):
            for interval in (0, 120):
                self.treat("assign_to_group", interval=interval)
                handle = self.hand_out("1", "2")
                self.store.sql("UPDATE CL_Test SET record_type = ?, agent_id = 'A' WHERE contact_info = '1'", kind)
                self.reply(
                    by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY, GSW_TREATMENT="RecordTreatPersonal")
                )
                self.assertEqual((self.column("record_status"), self.column("record_type")), ([1, 9], [expected, 2]))
                self.assertEqual(self.column("dial_sched_time"), [NOW + interval, 0])

    def test_agent_error(self) -> None:
        """Section 11: agent_error: status 6, the others as with finish."""
        self.treat("agent_error")
        self.finish("1", "2")
        self.assertEqual(self.column("record_status"), [6, 7])

    def test_no_call(self) -> None:
        """Section 11: no_call: type 7 and done, without an entry; the others as with finish."""
        self.treat("no_call")
        self.finish("1", "2")
        self.assertEqual((self.column("record_type"), self.column("record_status")), ([7, 2], [3, 7]))
        self.assertEqual(self.rows("gsw_donotcall_list"), [])

    def test_all_are_noted(self) -> None:
        """C93: every action is written to the column."""
        for action in _ACTIONS:
            self.treat(action, interval=60, at=datetime(2030, 1, 1) if action == "retry_at" else None)  # noqa: DTZ001
            self.finish("1", "2")
            note = "401@1@1@1" if action == "next_in_chain" else "401@1@0@1"
            self.assertEqual(self.column("treatments"), [note, None], action)

    def test_only_when_asked(self) -> None:
        """H216: without the option a treatment is used only if a request of this hand-out asked for it."""
        self.treat("retry_in", on_processed=False, interval=60)
        self.finish("1")
        self.assertEqual(self.column("record_status"), [3])
        handle = self.hand_out("2")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_TREATMENT="RecordTreatCampaign"))
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY))
        self.assertEqual(self.column("record_type"), [2, 3])
        self.finish("3", GSW_TREATMENT="RecordTreatCampaign")
        self.assertEqual(self.column("record_type"), [2, 3, 3])

    def test_only_the_record_named(self) -> None:
        """H216: what an update asked for another member of the chain does not count."""
        self.treat("retry_in", on_processed=False, interval=60)
        handle = self.hand_out("1", "2")
        self.reply(by_handle("UpdateCallCompletionStats", handle + 1, GSW_TREATMENT="RecordTreatCampaign"))
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY))
        self.assertEqual(self.column("record_status"), [3, 7])

    def test_last_one_counts(self) -> None:
        """H216: of several values the one received last counts, that of RecordProcessed in the end."""
        campaign, personal = "RecordTreatCampaign", "RecordTreatPersonal"
        for updates, processed, kind in (
            ((campaign, personal), None, 4),
            ((personal, campaign), None, 3),
            ((personal,), campaign, 3),
            ((campaign,), personal, 4),
            ((), personal, 4),
        ):
            self.treat("retry_in", on_processed=False, interval=60)
            handle = self.hand_out("1")
            for each in updates:
                self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_TREATMENT=each))
            keys = {"GSW_TREATMENT": processed} if processed is not None else {}
            self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY, GSW_AGENT_ID="A", **keys))
            self.assertEqual(self.column("record_type"), [kind], (updates, processed))

    def test_personal(self) -> None:
        """C95: with RecordTreatPersonal for the agent of RecordProcessed, of the hand-out, else the record's own."""
        rows: list[tuple[dict[str, str], dict[str, str], dict[str, str], str | None]] = [
            ({"GSW_AGENT_ID": "Own"}, {"GSW_AGENT_ID": "Handed"}, {"GSW_AGENT_ID": "Given"}, "Given"),
            ({"GSW_AGENT_ID": "Own"}, {"GSW_AGENT_ID": "Handed"}, {}, "Handed"),
            ({"GSW_AGENT_ID": "Own"}, {}, {}, "Own"),
            ({}, {}, {}, None),
        ]
        for record, preview, processed, agent in rows:
            self.treat("retry_in", on_processed=False, interval=60)
            self.add("1", **record)
            handle = self.preview(**preview)["GSW_RECORD_HANDLE"]
            personal = {"GSW_TREATMENT": "RecordTreatPersonal", "GSW_CALL_RESULT": _BUSY}
            self.reply(by_handle("RecordProcessed", handle, **personal, **processed))
            (row,) = self.rows()
            self.assertEqual((row["record_type"], row["agent_id"]), (4 if agent else 3, agent), agent)

    def test_result_of_the_update(self) -> None:
        """H216: the call result of an update counts if RecordProcessed has none."""
        self.treat("retry_in", interval=60)
        handle = self.hand_out("1")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_CALL_RESULT=_BUSY))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_type"), [3])

    def test_agent_callback_error_is_over(self) -> None:
        """H356: without a result 47 becomes 33, which the treatment is looked up for; one that is given counts."""
        treatments = (
            Treatment(1, "Answer", _ANSWER, "agent_error"),
            Treatment(2, "Callback", _AGENT_CALLBACK_ERROR, "retry_in", interval=60),
        )
        for given_result, result, status in ((None, 33, 6), (_AGENT_CALLBACK_ERROR, 47, 1), (0, 0, 3)):
            self.use_directory(make_directory(treatments=treatments, treat_on_processed=True))
            handle = self.hand_out("1", GSW_CALL_RESULT=_AGENT_CALLBACK_ERROR)
            keys = {"GSW_CALL_RESULT": given_result} if given_result is not None else {}
            self.reply(by_handle("RecordProcessed", handle, **keys))
            self.assertEqual((self.column("call_result"), self.column("record_status")), ([result], [status]))

    def test_order_of_precedence(self) -> None:
        """H212, C93: do-not-call wins over a reschedule, that over a treatment, that over a status."""
        self.treat("retry_in", interval=60)
        callback = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"}
        handles = []
        for phone in "123":
            handles.append(self.hand_out(phone))
            self.reply(by_handle("UpdateCallCompletionStats", handles[-1], GSW_RECORD_STATUS=6))
        for handle in handles[1:]:
            self.reply(by_handle("RecordReschedule", handle, **callback))
        self.reply(by_phone("DoNotCall", "3"))
        for handle in handles:
            self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY))
        self.assertEqual(self.column("record_type"), [3, 6, 7])
        self.assertEqual(self.column("record_status"), [1, 1, 3])
        self.assertEqual(self.column("treatments"), ["401@1@0@1", None, None])

    def test_added_record_begins_anew(self) -> None:
        """H232: a record that a reschedule adds to the chain has an empty column."""
        self.treat("retry_in", interval=60)
        self.finish("1")
        self.pass_time(60)
        handle = self.preview()["GSW_RECORD_HANDLE"]
        callback = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"}
        self.reply(by_handle("RecordReschedule", handle, GSW_PHONE="2", **callback))
        self.assertEqual(self.column("treatments"), ["401@1@0@1", None])
