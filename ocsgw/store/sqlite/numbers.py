"""What a transaction need not ask the file for again: the highest numbers of a list, and whether contacts are blocked.

Before records are added, ids that nobody has used have to be found, and whether there are do-not-call entries at all
(H200, H202). What was read of that is right until somebody writes. SQLite says whether other connections have
(`data_version`), and how many rows this one has changed (`total_changes`), those that triggers change included. Whoever
adds records, or entries of the outbox, accounts for these rows; while nothing else has changed, nothing is read again.

Numbers that were used must never come again, whatever becomes of the rows and of this process. So a bound is noted in
the store, some numbers ahead; what was reserved and not used is given back when the file is closed, and is left out
after a crash.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.store.list_counters import chain_counter, record_counter
from ocsgw.store.sqlite.connection import Connection

_VERSION = "PRAGMA data_version"
# So many numbers are reserved at a time.
_AHEAD = 100


class Numbers(NamedTuple):
    """The highest record id and chain id that a list has or had, as far as is known, and the bounds in the store."""

    record_id: int
    chain_id: int
    noted_record_id: int
    noted_chain_id: int

    @classmethod
    def noted(cls, record_id: int, chain_id: int) -> "Numbers":
        """Return what is known of a list of which only the bounds are: any number up to these may have been used."""
        return cls(record_id, chain_id, record_id, chain_id)

    def with_used(self, record_id: int, chain_id: int) -> "Numbers":
        """Return these with numbers that a record has; the bounds go ahead where they have to."""
        return Numbers(
            max(self.record_id, record_id),
            max(self.chain_id, chain_id),
            _bound(self.noted_record_id, record_id),
            _bound(self.noted_chain_id, chain_id),
        )


def _bound(noted: int, used: int) -> int:
    return noted if used <= noted else min(used + _AHEAD, max(used, INT32_MAX))


class Memory:
    """What an engine knows of the numbers of its lists, by table, as of the last commit; whether it is current.

    `has_entries` and `any_beyond_ascii` are about the do-not-call table.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, Numbers] = {}
        self.has_entries = self.any_beyond_ascii = True
        self._current: set[str] = set()
        self._version: object = None
        self._changes = 0
        # The version at which the transaction has begun.
        self._now: object = None

    def begin(self, connection: Connection) -> bool:
        """A transaction has begun; return whether others have written since the one before it."""
        before, self._now = self._now, connection.rows(_VERSION)
        return self._now != before

    def is_current(self, connection: Connection, table: str) -> bool:
        """Whether what is known of a table and of the do-not-call table is still so; asked within a transaction."""
        return table in self._current and connection.raw.total_changes == self._changes and self._now == self._version

    def has_read(self, connection: Connection, table: str, *, has_entries: bool, any_beyond_ascii: bool) -> None:
        """Note what has just been read of a table, and of the do-not-call table."""
        version, changes = self._now, connection.raw.total_changes
        if (version, changes) != (self._version, self._changes):
            self._current.clear()
            self._version, self._changes = version, changes
        self._current.add(table)
        self.has_entries, self.any_beyond_ascii = has_entries, any_beyond_ascii

    def account(self, rows: int) -> None:
        """So many rows were changed in a way that makes nothing wrong of what is known."""
        self._changes += rows

    def forget(self) -> None:
        """Something was undone: what was read before may be wrong. The numbers are those of the last commit anyway."""
        self._current.clear()

    def reserved(self) -> Iterator[tuple[int, str, int]]:
        """Yield what was reserved and not used: the number that is enough, its name in the store, the one noted."""
        for table, known in self.numbers.items():
            if known.record_id < known.noted_record_id:
                yield known.record_id, record_counter(table), known.noted_record_id
            if known.chain_id < known.noted_chain_id:
                yield known.chain_id, chain_counter(table), known.noted_chain_id
