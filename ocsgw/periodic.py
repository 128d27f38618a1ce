"""Work that is done again and again, whatever happens to a single round of it."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.counters import PERIODIC_FAILURES
from ocsgw.logs import say

# Seconds for which failures in the same way are only counted.
_QUIET = 60.0


class Periodic:
    """Calls `function` every so many seconds of `clock`; a round that fails is logged and counted, and the next comes.

    `name` says in the log what has failed. A round whose Deferred has not fired yet is waited for, as by `LoopingCall`.
    `failures` is how many rounds have failed in a row. Of failures in the same way the first is logged with its
    traceback, and then at most one line a minute with their number: a job of many rounds a second fills no log.
    """

    _log = Logger()

    def __init__(self, name: str, function: Callable[[], object], clock: IReactorTime) -> None:
        self.name = name
        self.failures = 0
        self._function = function
        self._clock = clock
        # By their ways: when failures were logged last, and how many came since.
        self._logged: dict[object, tuple[float, int]] = {}
        self._ticker = self._new_ticker()

    @property
    def running(self) -> bool:
        """Whether it has been started and not been stopped."""
        return self._ticker.running

    def start(self, interval: float, *, now: bool = False) -> None:
        """Begin, `now` or after the first interval; with another interval if it runs already."""
        self.stop()
        # A new one: of the old one a round may still be under way, at whose end it must not go on.
        self._ticker = self._new_ticker()
        self._ticker.start(interval, now=now)

    def now(self) -> None:
        """Do a round at once, besides those that are due; one may be under way."""
        self._round()

    def stop(self) -> None:
        """End; nothing happens if it does not run."""
        if self._ticker.running:
            self._ticker.stop()

    def _new_ticker(self) -> LoopingCall:
        ticker = LoopingCall(self._round)
        ticker.clock = self._clock
        return ticker

    def _round(self) -> object:
        try:
            result = self._function()
        except Exception:  # noqa: BLE001 - whatever it is, the next round comes
            self._failed(Failure())
            return None
        if isinstance(result, Deferred):
            return result.addCallbacks(self._succeeded, self._failed)
        self.failures = 0
        return None

    def _succeeded(self, _: object) -> None:
        self.failures = 0

    def _failed(self, reason: Failure) -> None:
        self.failures += 1
        PERIODIC_FAILURES.add(job=self.name)
        self._log_failure(reason)

    def _log_failure(self, reason: Failure) -> None:
        now, way = self._clock.seconds(), _way_of(reason)
        logged_at, more = self._logged.get(way, (None, 0))
        if logged_at is not None and now - logged_at < _QUIET:
            self._logged[way] = logged_at, more + 1
            return
        self._logged[way] = now, 0
        if more:
            text = reason.getErrorMessage() or type(reason.value).__name__
            say(self._log, 93262, job=self.name, count=more + 1, reason=text)
        else:
            say(self._log, 93156, job=self.name, log_failure=reason)


def _way_of(reason: Failure) -> object:
    """Return what is the same of failures of the same kind in the same place, whatever their words are."""
    traceback = reason.getTracebackObject()
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = None if traceback is None else (traceback.tb_frame.f_code, traceback.tb_lineno)
    return reason.type, place
