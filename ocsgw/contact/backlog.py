"""How many notifications wait in the store, and hand-outs that wait for call report records (outgoing.md O55)."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ocsgw.contact.directory import HistoryWait
from ocsgw.contact.outbox import Delivery
from ocsgw.contact.transaction import Transaction

_HELD, _RECOVERED, _GIVEN_UP = 93246, 93247, 93248
# So many seconds nothing is said again about a threshold that is crossed back and forth.
_QUIET = 60
# As in `UnitOfWork.warnings`.
_Warnings = list[tuple[int, dict[str, object]]]


class Backlog:
    """The notifications that wait, by purpose, as the last commit has left them.

    They are counted once; from then on whoever commits says what has changed, so that no hand-out has to count.
    """

    def __init__(self) -> None:
        self._waiting: Counter[str] | None = None
        # Since when too many call report records wait (seconds since 1970 UTC), None while they do not.
        self._full_since: int | None = None
        # Whether that has taken so long that hand-outs go on.
        self._given_up = False
        # When that was said last, and whether it was said of this time.
        self._said_at: int | None = None
        self._is_said = False

    @property
    def holds(self) -> bool:
        """Whether nothing is handed out."""
        return self._full_since is not None and not self._given_up

    @property
    def total(self) -> int | None:
        """How many wait, None while that is not known."""
        return self._waiting.total() if self._waiting is not None else None

    def count(self, tx: Transaction) -> Mapping[str, int]:
        """Return how many notifications wait, by purpose."""
        if self._waiting is None:
            self._waiting = Counter(tx.count_deliveries())
        return self._waiting

    def forget(self) -> None:
        """Count anew when it is asked for: what a commit has done is not known, or another server has written."""
        self._waiting = None

    def room(self, tx: Transaction, limit: HistoryWait, now: int, added: Sequence[Delivery]) -> int | None:
        """Return how many records may be handed out, None if as many as anybody wants (O55).

        `added` are the notifications of the transaction itself.
        """
        since = now if self._full_since is None else self._full_since
        if now - since >= limit.timeout:
            return None
        waiting = self.count(tx)["history"] + sum(each.purpose == "history" for each in added)
        return max(0, limit.threshold - waiting)

    def held_until(self, tx: Transaction, limit: HistoryWait, now: int) -> int | None:
        """Return by when records are handed out again (O55), in seconds since 1970 UTC; None if they are now."""
        if self.room(tx, limit, now, ()) != 0:
            return None
        since = now if self._full_since is None else self._full_since
        return since + math.ceil(limit.timeout)

    def committed(
        self, limit: HistoryWait | None, now: int, added: Sequence[Delivery], removed: Sequence[str]
    ) -> _Warnings:
        """Take what a transaction has changed, `removed` by purposes; return what there is to say about it."""
        if self._waiting is not None and (added or removed):
            self._waiting.update(each.purpose for each in added)
            self._waiting.subtract(removed)
        if limit is None:
            self._full_since, self._given_up = None, False
        elif self._waiting is not None:
            return self._judged(limit, now, self._waiting["history"])
        return []

    def _judged(self, limit: HistoryWait, now: int, waiting: int) -> _Warnings:
        if waiting < limit.threshold:
            was_said, self._is_said = self._is_said, False
            self._full_since, self._given_up = None, False
            return [(_RECOVERED, {"waiting": waiting})] if was_said else []
        if self._full_since is None:
            self._full_since = now
            if self._said_at is not None and 0 <= now - self._said_at < _QUIET:
                return []
            self._said_at, self._is_said = now, True
            return [(_HELD, {"waiting": waiting, "timeout": limit.timeout})]
        # The clock may have been put back.
        self._full_since = min(self._full_since, now)
        if self._given_up or now - self._full_since < limit.timeout:
            return []
        self._given_up = self._is_said = True
        return [(_GIVEN_UP, {"waiting": waiting, "timeout": limit.timeout})]
