"""How many records each calling list has by status: counted in slices while somebody looks, never for a request.

No request waits for it, and none reads a table from end to end: pages show the last complete count with its age.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.contact.directory import CallingList
from ocsgw.control.errors import ControlError
from ocsgw.logs import say

# Seconds between two slices: they take some hundredths of the time of the store.
EVERY = 0.2
# Seconds after which nobody looks any more.
_WATCHED = 30.0
# Where counting fails again and again, the waits double up to so many seconds.
_LONGEST = 300.0
# A list is counted again after so many seconds, and after so many times what its last count took.
_SHORTEST = 5.0
_REST = 3.0

# Carries out the operation `count records` with its arguments.
Ask = Callable[..., "Deferred[Any]"]


@dataclass(frozen=True, slots=True)
class Counted:
    """Records by the name of their status, and when the oldest of the counts was complete, in seconds of the clock."""

    by_status: dict[str, int]
    at: float


@dataclass(slots=True)
class _Count:
    """What is known of one list, and the count that is under way."""

    watched: float
    found: Counted | None = None
    next_at: float = 0.0
    began: float | None = None
    after: int | None = None
    partial: Counter[str] = field(default_factory=Counter)
    failures: int = 0


class RecordCounts:
    """The counts of a server; `tick` is to be called every `EVERY` seconds. `clock` gives seconds."""

    _log = Logger()

    def __init__(self, ask: Ask, clock: Callable[[], float]) -> None:
        self._ask = ask
        self.clock = clock
        self._counts: dict[str, _Count] = {}
        # The lists whose failure is in the log, until one of their counts is complete.
        self._logged: set[str] = set()

    def of(self, calling_lists: tuple[CallingList, ...]) -> Counted | None:
        """Return the counts of lists together, None until all of them are complete; from now on they are watched."""
        now = self.clock()
        found = []
        for each in calling_lists:
            count = self._counts.setdefault(each.name, _Count(now))
            count.watched = now
            found.append(count.found)
        known = [each for each in found if each is not None]
        if not known or len(known) < len(found):
            return None
        total: Counter[str] = Counter()
        for counted in known:
            total.update(counted.by_status)
        return Counted(dict(total), min(each.at for each in known))

    def failing(self, calling_lists: tuple[CallingList, ...]) -> list[str]:
        """Return the names of those lists whose last count has failed."""
        return [each.name for each in calling_lists if (count := self._counts.get(each.name)) and count.failures]

    def tick(self) -> "Deferred[None] | None":
        """Count the next slice of the list that has waited longest, if there is one; fires when that is done."""
        now = self.clock()
        for name, count in list(self._counts.items()):
            if now - count.watched >= _WATCHED:
                del self._counts[name]
        due = [(count.next_at, name) for name, count in self._counts.items() if count.next_at <= now]
        return self._count(min(due)[1]) if due else None

    def _count(self, name: str) -> "Deferred[None]":
        count = self._counts[name]
        if count.began is None:
            count.began, count.after, count.partial = self.clock(), None, Counter()
        counting = maybeDeferred(self._ask, calling_list=name, after=count.after)
        return counting.addCallback(self._counted, name, count).addErrback(self._failed, name, count)

    def _counted(self, slice_: dict[str, Any], name: str, count: _Count) -> None:
        count.partial.update(slice_["counts"])
        count.after = slice_["after"]
        if not slice_["done"] or count.began is None:
            return
        now = self.clock()
        count.found = Counted(dict(count.partial), now)
        count.next_at = now + max(_SHORTEST, _REST * (now - count.began))
        count.began, count.failures = None, 0
        self._logged.discard(name)

    def _failed(self, reason: Failure, name: str, count: _Count) -> None:
        """What was known last stays with its age; it is tried again, later each time.

        That the store cannot be asked is said elsewhere; whatever else it is, it is logged once.
        """
        count.next_at, count.began = self.clock() + min(_SHORTEST * 2**count.failures, _LONGEST), None
        # Beyond that the longest wait is reached.
        count.failures = min(count.failures + 1, 10)
        if not reason.check(ControlError) and name not in self._logged:
            self._logged.add(name)
            say(self._log, 93263, calling_list=name, log_failure=reason)
