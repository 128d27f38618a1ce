"""Treatments (http.md H216, configuration.md section 11)."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ocsgw.contact.directory import Treatment
from ocsgw.contact.treatments import find_treatment, noted
from tests.support.case import ClockTestCase
from tests.support.rules import NOW, RuleTestCase, by_handle, by_phone, make_directory

_BUSY, _NO_ANSWER = 6, 7


class ChoiceTests(ClockTestCase):
    """Which treatment fits."""

    def test_first_that_fits(self) -> None:
        """Section 11: the first in the file by result and attempts; `finish` when those that fit are used up."""
        treatments = (
            Treatment("Winter", _BUSY, "retry_in", frozenset({"Winter"}), 60),
            Treatment("Soon", _BUSY, "retry_in", None, 60, max_attempts=2),
            Treatment("Later", _BUSY, "retry_in", None, 3600, max_attempts=4),
            Treatment("Never", _NO_ANSWER, "no_call"),
        )
        directory = make_directory(treatments=treatments)
        campaign = directory.campaign_named("Campaign1")
        rows = [
            (_BUSY, 0, "Soon"),
            (_BUSY, 1, "Soon"),
            (_BUSY, 2, "Later"),
            (_BUSY, 3, "Later"),
            (_BUSY, 4, ""),
            (_NO_ANSWER, 99, "Never"),
            (33, 0, None),
        ]
        for result, attempt, name in rows:
            found = find_treatment(directory, campaign, result, attempt)
            self.assertEqual(found.name if found is not None else None, name, (result, attempt))
        used_up = find_treatment(directory, campaign, _BUSY, 4)
        self.assertEqual(used_up.action if used_up is not None else None, "finish")

    def test_campaigns(self) -> None:
        """Section 11: a treatment may be for some campaigns only."""
        directory = make_directory(treatments=(Treatment("T", _BUSY, "finish", frozenset({"Campagne"})),))
        for name, fits in (("Campaign1", False), ("Campagne", True)):
            found = find_treatment(directory, directory.campaign_named(name), _BUSY, 0)
            self.assertEqual(found is not None, fits, name)

    @given(st.lists(st.text("abc", min_size=1, max_size=32), max_size=40))
    @settings(max_examples=100)
    def test_column(self, names: list[str]) -> None:
        """K11: names are appended with a semicolon, the oldest are dropped to fit into 255 characters."""
        text = ""
        for name in names:
            text = noted(text, name)
            self.assertTrue(len(text) <= 255 and text.endswith(f"{name};"))
        kept = text.split(";")[:-1]
        self.assertEqual(kept, names[len(names) - len(kept) :])
        if len(kept) < len(names):
            self.assertGreater(len(text) + len(names[-len(kept) - 1]) + 1, 255)


class ActionTests(RuleTestCase):
    """What a treatment does at the end of a hand-out."""

    def treat(self, action: Any, *, on_processed: bool = True, **values: Any) -> None:
        """Begin anew with one treatment for a busy line."""
        treatment = Treatment("T1", _BUSY, action, **values)
        self.use_directory(make_directory(treatments=(treatment,), treat_on_processed=on_processed))

    def finish(self, *phones: str, member: int = 0, **keys: Any) -> None:
        """Hand out a chain and report a busy line for one of its members."""
        handle = self.hand_out(*phones)
        self.reply(by_handle("RecordProcessed", handle + member, GSW_CALL_RESULT=_BUSY, **keys))

    def test_finish(self) -> None:
        """Section 11: finish: the record is updated, the others are chain-updated; the name is noted."""
        self.treat("finish")
        self.finish("1", "2")
        self.assertEqual(self.column("record_status"), [3, 7])
        self.assertEqual(self.column("treatments"), ["T1;", None])

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

    def test_max_attempts(self) -> None:
        """Section 11: the treatment is used while `attempt` is lower than its maximum, then the chain is finished."""
        self.treat("retry_in", interval=60, max_attempts=3)
        self.add("1")
        for _ in range(3):
            self.pass_time(60)
            self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=_BUSY))
        self.assertEqual((self.column("record_status"), self.column("attempt")), ([3], [3]))
        self.assertEqual(self.column("treatments"), ["T1;T1;"])

    def test_next_in_chain(self) -> None:
        """Section 11: next_in_chain: updated; the next member by chain_n is ready, the others wait."""
        self.treat("next_in_chain")
        self.finish("1", "2", "3", "4", member=1)
        self.assertEqual(self.column("record_status"), [9, 3, 1, 9])
        self.assertEqual(self.preview()["GSW_PHONE"], "3")

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

    def test_no_call(self) -> None:
        """Section 11: no_call: type 7 and done, without an entry; the others as with finish."""
        self.treat("no_call")
        self.finish("1", "2")
        self.assertEqual((self.column("record_type"), self.column("record_status")), ([7, 2], [3, 7]))
        self.assertEqual(self.rows("gsw_donotcall_list"), [])

    def test_only_when_asked(self) -> None:
        """H216: without the option a treatment is used only if an update of this record asked for it."""
        self.treat("retry_in", on_processed=False, interval=60)
        self.finish("1")
        self.assertEqual(self.column("record_status"), [3])
        handle = self.hand_out("2")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_TREATMENT="RecordTreatCampaign"))
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY))
        self.assertEqual(self.column("record_type"), [2, 3])

    def test_personal(self) -> None:
        """Section 11: with RecordTreatPersonal the retry is of type 4, for the agent of the request or hand-out."""
        self.treat("retry_in", on_processed=False, interval=60)
        self.add("1")
        self.add("2")
        for keys, agent in (({}, "Agent1"), ({"GSW_AGENT_ID": "Agent2"}, "Agent2")):
            handle = self.preview(GSW_AGENT_ID="Agent1")["GSW_RECORD_HANDLE"]
            self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_TREATMENT="RecordTreatPersonal"))
            self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=_BUSY, **keys))
            row = next(row for row in self.rows() if row["agent_id"] == agent)
            self.assertEqual((row["record_type"], row["record_status"]), (4, 1), agent)

    def test_result_of_the_update(self) -> None:
        """H216: the call result of an update counts if RecordProcessed has none."""
        self.treat("retry_in", interval=60)
        handle = self.hand_out("1")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_CALL_RESULT=_BUSY))
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.column("record_type"), [3])

    def test_order_of_precedence(self) -> None:
        """H212, section 11: do-not-call wins over a reschedule, that over a treatment, that over a status."""
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
