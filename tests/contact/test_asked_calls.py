"""ScheduledCall where somebody outside is asked first (protocol.md P135 with outgoing.md O21 to O33, O56)."""

from collections.abc import Callable
from typing import Any

from ocsgw.contact.directory import Directory, Treatment, ValidationRule
from ocsgw.contact.scheduled_calls import (
    AskedCall,
    ScheduledCall,
    WaitingDesktop,
    hand_out_callbacks,
)
from ocsgw.contact.unit_of_work import Reply, UnitOfWork
from ocsgw.contact.validation import ValidationQuestion
from ocsgw.protocol.messages import KV, Verdict
from tests.contact.test_scheduled_calls import desktop
from tests.contact.test_validation import NEGATIVE, POSITIVE, URI, failed
from tests.support.rules import (
    GROUP,
    RuleTestCase,
    by_handle,
    by_phone,
    make_directory,
    of_group,
    pending,
)

RACE = 9


class AskedCallTests(RuleTestCase):
    """Personal callbacks of a list with pre-dial validation, and of one without."""

    def make_directory(self) -> Directory:
        """Records of CL_Test are validated, those of CL_CALLBACK are not."""
        return self.directory_with()

    def directory_with(self, **options: Any) -> Directory:
        """Return the directory with other options."""
        rule = ValidationRule(URI, 3, 10.0, 3, 300)
        values: dict[str, Any] = {
            "validations": {(201, GROUP): rule},
            "validation_race_result": RACE,
            "sends_history": True,
            **options,
        }
        return make_directory(**values)

    def callback(self, phone: str = "6505550100", agent: str = "A", calling_list: str = "CL_Test") -> None:
        """Add a personal callback that is due."""
        request: KV = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": calling_list, "GSW_PHONE": phone}
        keys: KV = {"GSW_RECORD_TYPE": 5, "GSW_DATE_TIME": "09/21/2026 14:00", "GSW_AGENT_ID": agent}
        self.reply({**request, **keys})

    def look(
        self,
        *desktops: WaitingDesktop,
        there: Callable[[int, str], bool] = lambda session, campaign: True,
        room: int | None = None,
    ) -> list[Any]:
        """Look for callbacks once; `room` is that of the URI."""
        self.store.question_room = lambda uri: 99 if room is None or uri != URI else room
        return self.store.chore(lambda unit: hand_out_callbacks(unit, desktops or (desktop("A"),), there))

    def ask(self, *desktops: WaitingDesktop, **options: Any) -> AskedCall:
        """Look for callbacks; return the one that has to be asked about."""
        (call,) = self.look(*desktops, **options)
        assert isinstance(call, AskedCall)
        return call

    def question(self, call: AskedCall) -> ValidationQuestion:
        """Return what is asked."""
        assert isinstance(call.continuation.question, ValidationQuestion)
        return call.continuation.question

    def decide(self, call: AskedCall, verdict: Verdict | None) -> Reply:
        """Let there be a verdict; return what becomes of the call."""
        call.pending.resume = lambda unit: call.continuation.resume(unit, verdict)
        (outcome,) = self.store.execute([call.pending])
        return outcome.reply

    def name(self, reply: Reply) -> Any:
        """Return the name of an event."""
        assert isinstance(reply, dict)
        return reply["GSW_USER_EVENT"]

    def state(self, record_id: int = 1) -> tuple[Any, ...]:
        """Return status, type and call result of a record."""
        row = self.row(record_id)
        return row["record_status"], row["record_type"], row["call_result"]

    def reports(self) -> list[str]:
        """Return the purposes of what waits to be sent."""
        return self.store.chore(lambda unit: [each.purpose for each in unit.tx.deliveries_after(0, 99)])

    def test_positive(self) -> None:
        """The record is claimed and asked about, then handed out to the desktop, and reported only then."""
        self.callback()
        call = self.ask(desktop("A", 7))
        question = self.question(call)
        self.assertEqual((question.uri, question.data["GSW_PHONE"]), (URI, "6505550100"))
        self.assertNotIn("GSW_USER_EVENT", question.data)
        self.assertEqual((self.state()[0], self.reports()), (2, []))
        self.assertEqual(self.look(), [])
        event = self.decide(call, POSITIVE)
        assert isinstance(event, dict)
        self.assertEqual(event, {**question.data, "GSW_USER_EVENT": "ScheduledCall"})
        self.assertNotIn("GSW_REFERENCE_ID", event)
        self.assertEqual(self.reports(), ["history"])
        done = self.reply(by_handle("RecordProcessed", event["GSW_RECORD_HANDLE"], GSW_CALL_RESULT=33))
        self.assertEqual(done["GSW_USER_EVENT"], "RecordProcessedAcknowledge")

    def test_kept_back(self) -> None:
        """O24 to O28, C95: a verdict that is not positive hands nothing out; a callback keeps its type and agent."""
        for verdict, expected in (
            (NEGATIVE, (3, 5, 3)), (failed("timeout"), (1, 4, 3)), (None, (1, 5, 28)),
        ):  # fmt: skip
            self.use_directory(self.directory_with())
            self.callback()
            call = self.ask()
            self.assertEqual(self.name(self.decide(call, verdict)), "PreviewRecordEmpty")
            self.assertEqual((self.state(), self.row(1)["agent_id"], self.reports()), (expected, "A", []))
        treatment = Treatment(1, "later", 3, "retry_in", interval=60)
        self.use_directory(self.directory_with(treatments=(treatment,)))
        self.callback()
        self.decide(self.ask(), NEGATIVE)
        self.assertEqual((self.state(), self.row(1)["agent_id"]), ((1, 5, 3), "A"))

    def test_one_question_at_a_time(self) -> None:
        """An agent has one question at a time; other agents, and lists without validation, do not wait for it."""
        for phone in ("1", "2"):
            self.callback(phone)
        self.callback("3", "B")
        self.callback("4", calling_list="CL_CALLBACK")
        found = self.look(desktop("A", 1), desktop("B", 2))
        asked = [self.question(each).data["GSW_PHONE"] for each in found if isinstance(each, AskedCall)]
        pushed = [each.event["GSW_PHONE"] for each in found if isinstance(each, ScheduledCall)]
        self.assertEqual((asked, pushed), (["1", "3"], ["4"]))
        self.callback("5", calling_list="CL_CALLBACK")
        busy = WaitingDesktop(desktop("A", 1).context, frozenset({"Campaign1"}), is_asking=True)
        (call,) = self.look(busy)
        self.assertEqual(call.event["GSW_PHONE"], "5")
        self.assertEqual([row["record_status"] for row in self.store.rows("CL_Test")], [2, 1, 2])

    def test_server_away(self) -> None:
        """While nobody is asked nothing is claimed, and other lists are served; then one question tries."""
        for agent in ("A", "B"):
            self.callback(agent, agent)
            self.callback(agent, agent, "CL_CALLBACK")
        found = self.look(desktop("A"), desktop("B"), room=0)
        self.assertEqual([type(each) for each in found], [ScheduledCall] * 2)
        self.assertEqual([self.state(each)[0] for each in (1, 2)], [1, 1])
        self.assertEqual([type(each) for each in self.look(desktop("A"), desktop("B"), room=1)], [AskedCall])

    def test_taken_away(self) -> None:
        """O33, O56: cancelled, blocked, or released by time or unloading meanwhile; no desktop is shown any of it."""
        events: tuple[tuple[Callable[[], object], tuple[int, int, int]], ...] = (
            (lambda: self.reply(by_phone("RequestRecordCancel", "6505550100")), (5, 5, 52)),
            (lambda: self.reply(by_phone("DoNotCall", "6505550100")), (3, 7, 51)),
            (lambda: self.pass_time(601), (1, 5, RACE)),
            (lambda: self.reply(of_group("ForceUnloadCampaign", GROUP)), (1, 5, RACE)),
        )
        for happens, expected in events:
            self.use_directory(self.directory_with())
            self.callback()
            call = self.ask()
            happens()
            shown = self.store.unit.notices if self.store.unit is not None else []
            self.assertEqual(shown, [])
            self.assertEqual(self.name(self.decide(call, POSITIVE)), "PreviewRecordEmpty")
            self.assertEqual((self.state(), self.reports()), (expected, []))

    def test_agent_gone(self) -> None:
        """O56: the desktop does not take calls any more when the verdict comes: the record is released, and says so."""
        self.callback()
        asked: list[tuple[int, str]] = []

        def there(session: int, campaign: str) -> bool:
            asked.append((session, campaign))
            return False

        call = self.ask(desktop("A", 7), there=there)
        self.assertEqual(self.name(self.decide(call, POSITIVE)), "PreviewRecordEmpty")
        self.assertEqual((self.state(), self.row(1)["agent_id"], asked), ((1, 5, RACE), "A", [(7, "Campaign1")]))
        self.assertEqual(self.name(self.decide(self.ask(), POSITIVE)), "ScheduledCall")

    def test_log_out(self) -> None:
        """P24: what the agent has not got yet gets no call result at a logout; the rest does."""
        self.use_directory(self.directory_with(log_out_result=21))
        self.callback("1")
        self.callback("2", calling_list="CL_CALLBACK")
        found = self.look()
        (call,) = [each for each in found if isinstance(each, AskedCall)]
        self.outcomes(pending({"GSW_AGENT_REQ_TYPE": "LogOut"}, client="desktop", agent_id="A"))
        self.assertEqual(self.state(), (2, 5, 28))
        self.assertEqual([row["call_result"] for row in self.store.rows("CL_CALLBACK")], [21])
        self.assertEqual(self.name(self.decide(call, NEGATIVE)), "PreviewRecordEmpty")
        self.assertEqual(self.state(), (3, 5, 3))

    def test_notes(self) -> None:
        """The outbox has the claim, and the validation where it ends it."""
        self.callback()
        self.decide(self.ask(), NEGATIVE)

        def kinds(unit: UnitOfWork) -> list[str]:
            return [each.kind for each in unit.tx.outbox_after(0, 99)]

        self.assertEqual(self.store.chore(kinds), ["AddRecord", "PreviewRecordRequest", "pre-dial validation"])
