"""Questions of pre-dial validation, asked through HTTP Proxy, and a circuit breaker for servers that are away."""

import math
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocsgw.contact.validation import ValidationQuestion
from ocsgw.counters import OUTGOING_CALLS
from ocsgw.logs import say
from ocsgw.protocol.messages import KV, Purpose, Verdict

# So many failures in a row, to connect or in time, open the circuit for so many seconds; then one call tries again.
FAILURES = 5
PAUSE = 5.0
# What `ocsctl validate-test` asks about: the properties of a record that does not exist.
EXAMPLE_RECORD: KV = {
    "GSW_RECORD_HANDLE": 0,
    "GSW_CALLING_LIST": "example",
    "GSW_CAMPAIGN_NAME": "example",
    "GSW_CHAIN_ID": 0,
    "GSW_CHAIN_N": 0,
    "GSW_PHONE": "6505550100",
    "GSW_PHONE_TYPE": 0,
    "GSW_RECORD_TYPE": 2,
    "GSW_CALL_RESULT": 28,
    "GSW_ATTEMPTS": 0,
    "GSW_FROM": 0,
    "GSW_UNTIL": 86399,
    "GSW_TZ_NAME": "GMT",
    "GSW_TZ_OFFSET": 0,
    "GSW_CALL_ATTEMPT_GUID": "EXAMPLE",
}
_UNREACHABLE = frozenset({"connect", "timeout", "tls"})


class Caller(Protocol):
    """Makes outgoing calls."""

    def order(self, purpose: Purpose, uri: str, data: KV, timeout: float, link: int = 0) -> "Deferred[Verdict]":
        """Make a call; fires with the verdict and never fails."""


class Validation:
    """Answers the questions of rules; a circuit breaker for each URI.

    While a circuit is open nobody is asked, and the record stays as it is: a server that is away for a minute would
    otherwise have all records of a list put back.

    `places` says how many requests OCS takes from an HTTP Proxy at a time. Where a client waits for each question, a
    server that hangs would use them all up: a quarter may be asked of one URI, and half in all (O9).
    """

    _log = Logger()

    def __init__(self, caller: Caller, clock: IReactorTime, places: Callable[[], int]) -> None:
        self._caller = caller
        self._clock = clock
        self._places = places
        self._circuits: dict[str, _Circuit] = {}
        self._asking = 0

    def room(self, uri: str) -> int:
        """Return how many questions a URI takes at the moment; called in the thread of the store, too."""
        circuit, places = self._circuits.get(uri), self._places()
        asking = circuit.asking if circuit is not None else 0
        room = max(0, min(math.ceil(places / 4) - asking, math.ceil(places / 2) - self._asking))
        if circuit is None or not circuit.is_open:
            return room
        # One that tries, once the pause is over.
        return min(room, int(self._clock.seconds() >= circuit.closed_until and not circuit.trying))

    def ask(self, question: object) -> "Deferred[object]":
        """Return a Deferred with the verdict; None if nobody is asked now. It never fails."""
        if not isinstance(question, ValidationQuestion):
            raise TypeError(f"nobody answers {question!r}")
        uri = question.uri
        circuit = self._circuits.setdefault(uri, _Circuit())
        if not self.room(uri):
            OUTGOING_CALLS.add(purpose="validation", outcome="skipped")
            return succeed(None)
        is_trial = circuit.is_open
        circuit.trying = circuit.trying or is_trial
        circuit.asking += 1
        self._asking += 1
        if not circuit.is_open and not circuit.is_crowded and not self.room(uri):
            circuit.is_crowded = True
            say(self._log, 93249, uri=without_query(uri), count=self._asking)
        asked = self._caller.order("validation", uri, question.data, question.timeout, question.link)
        return asked.addCallback(self._answered, question, circuit, is_trial)

    def _answered(self, verdict: Verdict, question: ValidationQuestion, circuit: "_Circuit", is_trial: bool) -> object:
        circuit.trying = circuit.trying and not is_trial
        circuit.asking -= 1
        self._asking -= 1
        circuit.is_crowded = circuit.is_crowded and circuit.asking > 0
        uri = without_query(question.uri)
        if verdict.outcome == "failed":
            reason = verdict.text or (f"status {verdict.status}" if verdict.status is not None else verdict.reason)
            say(self._log, 93010, uri=uri, reason=reason)
        if verdict.outcome != "failed" or verdict.reason not in _UNREACHABLE:
            if circuit.is_open:
                say(self._log, 93241, uri=uri)
            circuit.failures = 0
            return verdict
        circuit.failures += 1
        if circuit.is_open:
            circuit.closed_until = self._clock.seconds() + PAUSE
            if circuit.failures == FAILURES:
                say(self._log, 93240, uri=uri, failures=FAILURES, pause=PAUSE)
        return verdict


class _Circuit:
    """Failures in a row; until when nobody is asked once there were too many; whether one call is trying.

    `asking` counts the calls that are being made; `is_crowded` says that they were too many, until there is none.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.closed_until = 0.0
        self.trying = False
        self.asking = 0
        self.is_crowded = False

    @property
    def is_open(self) -> bool:
        """Whether there were too many failures in a row."""
        return self.failures >= FAILURES


def without_query(uri: str) -> str:
    """Return a URI as the log shows it; what follows on `?` may be secret."""
    return uri.partition("?")[0]
