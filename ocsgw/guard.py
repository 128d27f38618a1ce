"""Calls of parties that must not harm each other: whoever calls back more than one guards each call on its own."""

from collections.abc import Callable
from typing import ParamSpec

from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.counters import CALLBACK_FAILURES
from ocsgw.logs import say

P = ParamSpec("P")

# The number of the message about a callback that has failed.
CONTAINED = 93110


def guarded(log: Logger, place: str, function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> bool:
    """Call `function`; whatever it raises is logged under `place` and counted. Return whether it succeeded.

    `place` says in the log and in the counter what was being done; it is one of few texts. Where the log should say for
    whom, use `contain`.
    """
    try:
        function(*args, **kwargs)
    except Exception:  # noqa: BLE001 - the purpose: what one party raises must not reach the next
        contain(log, place)
        return False
    return True


def contain(log: Logger, place: str, context: str = "for no single request") -> None:
    """Log and count the exception that is being handled; `context` says whose call has failed."""
    CALLBACK_FAILURES.add(place=place)
    say(log, CONTAINED, place=place, context=context, log_failure=Failure())
