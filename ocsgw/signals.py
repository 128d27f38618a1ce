"""Signals of the process, from its first moment to its last (ocsgw(8)).

`hold` is called before anything else is loaded: a signal that comes before the server can act on it must not end it
with a traceback, or end it at all if it asks for something else.
"""

import os
import signal
from collections.abc import Callable, Iterable
from types import FrameType

ENDS = (signal.SIGTERM, signal.SIGINT)
ORDERS = (signal.SIGHUP, signal.SIGUSR1)

_held: set[int] = set()


def hold() -> None:
    """From now on end quietly with status 0 at SIGTERM and SIGINT, and keep SIGHUP and SIGUSR1 for later.

    Signals that whoever started the process has blocked are let through.
    """
    _held.clear()
    for number in ENDS:
        signal.signal(number, _end_quietly)
    for number in ORDERS:
        signal.signal(number, _keep)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*ENDS, *ORDERS, signal.SIGCHLD))


def forget(numbers: Iterable[int] = ORDERS) -> None:
    """Forget what was kept: whatever it asked for is about to be done anyway."""
    _held.difference_update(numbers)


def handle(number: int, action: Callable[[], object]) -> None:
    """Call `action` at a signal from now on, and once at once if it was kept. It is called between two bytecodes."""
    signal.signal(number, lambda *_: action())
    if number in _held:
        _held.discard(number)
        action()


def ignore() -> None:
    """Let no signal disturb the end of the process."""
    for number in (*ENDS, *ORDERS):
        signal.signal(number, signal.SIG_IGN)


def _end_quietly(number: int, frame: FrameType | None) -> None:
    os._exit(0)


def _keep(number: int, frame: FrameType | None) -> None:
    _held.add(number)
