"""Who answers questions of pre-dial validation, and the circuit breaker."""

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ocsgw.contact.validation import ValidationQuestion
from ocsgw.ocs.validation import FAILURES, PAUSE, Validation
from ocsgw.protocol.messages import Verdict
from tests.support.case import ClockTestCase
from tests.support.logs import LogCapture

QUESTION = ValidationQuestion("http://rules.example/x?secret", {"a": 1}, 5.0, 3)


class ValidationTests(ClockTestCase):
    """The circuit breaker."""

    def setUp(self) -> None:
        self.reactor = Clock()
        self.calls: list[Any] = []
        self.verdicts: list[Verdict | Deferred[Verdict]] = []
        self.validation = Validation(self, self.reactor, lambda: 16)
        self.log = LogCapture(self)

    def order(self, *order: Any) -> Deferred[Verdict]:
        """Make a call."""
        self.calls.append(order)
        verdict = self.verdicts.pop(0)
        return verdict if isinstance(verdict, Deferred) else succeed(verdict)

    def ask(self, *outcomes: Any) -> list[Any]:
        """Ask once for each outcome of a call; return the answers."""
        for outcome in outcomes:
            status = outcome if isinstance(outcome, int) else None
            kind: Any = {200: "positive", 409: "negative"}.get(status or 0, "failed")
            reason: Any = None if kind != "failed" else "status" if status else outcome
            self.verdicts.append(Verdict(ref=1, outcome=kind, status=status, data={}, reason=reason))
        return [self.successResultOf(self.validation.ask(QUESTION)) for _ in outcomes]

    def test_question(self) -> None:
        """The call is that of the question; a failure is logged with its reason and without the query."""
        (verdict,) = self.ask(500)
        self.assertEqual((verdict.status, self.calls), (500, [("validation", QUESTION.uri, {"a": 1}, 5.0, 3)]))
        self.assertEqual(self.log.texts(93010), ["Pre-dial validation by http://rules.example/x failed: status 500"])
        self.assertRaises(TypeError, self.validation.ask, "?")

    def test_crowded(self) -> None:
        """O9: a quarter of the places for a URI, half for all; it is said once, until no question waits."""
        waiting: list[Deferred[Verdict]] = []

        def ask(uri: str, count: int) -> int:
            before = len(self.calls)
            for _ in range(count):
                waiting.append(Deferred())
                self.verdicts = [waiting[-1]]
                self.validation.ask(ValidationQuestion(uri, {}, 5.0, 3))
            return len(self.calls) - before

        self.assertEqual([ask("http://a/", 6), ask("http://b/", 3), ask("http://c/", 3)], [4, 3, 1])
        self.assertEqual(len(self.log.texts(93249)), 2)
        for each in waiting:
            each.callback(Verdict(ref=1, outcome="positive", status=200, data={}))
        self.assertEqual([ask("http://a/", 6), len(self.log.texts(93249))], [4, 3])

    def test_late_answer(self) -> None:
        """The answer to a question from before the circuit was opened is not that of the one call that tries."""
        early: Deferred[Verdict] = Deferred()
        self.verdicts.append(early)
        self.validation.ask(QUESTION)
        self.ask(*["connect"] * FAILURES)
        self.reactor.advance(PAUSE)
        self.verdicts.append(Deferred())
        self.validation.ask(QUESTION)
        early.callback(Verdict(ref=1, outcome="failed", status=None, data={}, reason="timeout"))
        self.reactor.advance(PAUSE)
        self.assertEqual(self.validation.room(QUESTION.uri), 0)

    def test_circuit(self) -> None:
        """After failures in a row nobody is asked for a while; then one call tries; the log says so once each."""
        self.ask(*["timeout"] * (FAILURES - 1), 404, *["connect"] * FAILURES)
        made = len(self.calls)
        self.assertEqual(self.successResultOf(self.validation.ask(QUESTION)), None)
        self.assertEqual((len(self.calls), len(self.log.texts(93240))), (made, 1))
        self.assertEqual(self.validation.room(QUESTION.uri), 0)
        self.reactor.advance(PAUSE)
        self.assertEqual(self.validation.room(QUESTION.uri), 1)
        trying: Deferred[Verdict] = Deferred()
        self.verdicts.append(trying)
        first = self.validation.ask(QUESTION)
        self.assertEqual(self.successResultOf(self.validation.ask(QUESTION)), None)
        self.assertEqual(self.validation.room(QUESTION.uri), 0)
        trying.callback(Verdict(ref=1, outcome="failed", status=None, data={}, reason="timeout"))
        self.successResultOf(first)
        self.assertEqual(self.successResultOf(self.validation.ask(QUESTION)), None)
        self.reactor.advance(PAUSE)
        self.ask(200, 200)
        self.assertEqual((len(self.log.texts(93240)), len(self.log.texts(93241))), (1, 1))
        self.assertEqual(self.validation.room(QUESTION.uri), 4)
