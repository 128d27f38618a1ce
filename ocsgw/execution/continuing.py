"""Requests whose answer takes more than one transaction."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.contact.batch import Outcome
from ocsgw.contact.unit_of_work import Continuation
from ocsgw.execution.jobs import Awaiting
from ocsgw.logs import say
from ocsgw.protocol.errors import Refusal


class Continuing:
    """Lets them go on; `asking` is how many wait for an answer from outside.

    `ask` gets the question of a `Continuation` answered; `submit` takes a job that goes on, `answer` one that does not,
    and `has_answered` is called after that.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Callable[[object], "Deferred[object]"],
        clock: IReactorTime,
        submit: Callable[[Awaiting], None],
        answer: Callable[[Awaiting, Outcome], None],
        has_answered: Callable[[], None],
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._submit = submit
        self._answer = answer
        self._has_answered = has_answered
        self.asking = 0

    def go_on(self, job: Awaiting, continuation: Continuation) -> None:
        """Ask what has to be asked, then let the request go on in one of the next batches.

        From here on it has no deadline: what was begun is brought to its end.
        """
        if job.deadline is not None:
            job.pending.deadline, job.deadline = job.deadline, None
        job.pending.is_recorded = job.pending.is_recorded or continuation.event is not None
        if continuation.question is None:
            self._resume(job, continuation, None)
            return
        self.asking += 1
        try:
            asked = self._ask(continuation.question)
        except Exception:  # noqa: BLE001 - whatever it is concerns this request
            self._not_answered(Failure(), job)
            return
        asked.addCallbacks(lambda answer: self._answered(answer, job, continuation), self._not_answered, (), {}, (job,))
        asked.addErrback(lambda reason: say(self._log, 93114, after="a question", log_failure=reason))

    def _answered(self, answer: object, job: Awaiting, continuation: Continuation) -> None:
        self.asking -= 1
        self._resume(job, continuation, answer)

    def _not_answered(self, reason: Failure, job: Awaiting) -> None:
        self.asking -= 1
        say(self._log, 93111, request=job.pending.title, log_failure=reason)
        self._answer(job, Outcome(Refusal("internal")))
        self._has_answered()

    def _resume(self, job: Awaiting, continuation: Continuation, answer: object) -> None:
        if job.pending.deadline is not None:
            job.pending.time_left = job.pending.deadline - self._clock.seconds()
        job.pending.resume = lambda unit: continuation.resume(unit, answer)
        self._submit(job)
