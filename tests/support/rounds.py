"""How many rounds a long test does, and how far it is: `make test` does few, `make soak` many and shows progress."""

import os
import sys
import time
from collections.abc import Callable, Iterator

# Set by `make soak`: whoever waits for a long test is told how far it is.
SHOWN = "OCSGW_PROGRESS"
# Not more often than this, in seconds.
_EVERY = 10.0


def rounds(
    number: int,
    what: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    tell: Callable[[str], object] | None = None,
) -> Iterator[int]:
    """Count from 0 to `number` - 1; `what` names the rounds, in the plural.

    Now and then `tell`, by default `note`, gets a line about how far it is, at the end one about how long it took.
    """
    tell = tell or note
    began = told = clock()
    for at in range(number):
        now = clock()
        if at and now - told >= _EVERY:
            told, passed = now, now - began
            tell(f"{at} of {number} {what} in {passed:.0f} s, about {passed / at * (number - at):.0f} s to go")
        yield at
    tell(f"{number} {what} in {clock() - began:.0f} s")


def note(line: str) -> None:
    """Write a line for whoever waits for a long test."""
    if SHOWN in os.environ:
        # What trial writes is in lines that are not complete yet.
        sys.stderr.write(f"\n      {line}")
        sys.stderr.flush()
