"""What a transaction need not ask the file for again: numbers of lists, chains in process, if contacts are blocked.

Before records are added, ids that nobody has used have to be found, and whether there are do-not-call entries at all
(H200, H202). What was read of that is right until somebody writes. SQLite says whether other connections have
(`data_version`), and how many rows this one has changed (`total_changes`), those that triggers change included. Whoever
adds records, hands them out or takes results accounts for the rows that statements of ours have changed; while nothing
else has changed, nothing is read again.

Numbers that were used must never come again, whatever becomes of the rows and of this process. So a bound is noted in
the store, some numbers ahead; what was reserved and not used is given back when the file is closed, and is left out
after a crash.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import Window
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.store.list_counters import chain_counter, record_counter
from ocsgw.store.sqlite.chains import Chains
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

    `chains` are those in process as of then, `has_entries` and `any_beyond_ascii` are about the do-not-call table.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, Numbers] = {}
        self.chains = Chains()
        # Rows of campaign groups, None where they have to be read.
        self.groups: Sequence[tuple[Any, ...]] | None = None
        # Windows by what was asked, and how often they may be asked for until they are read anew.
        self.windows: dict[tuple[CallingList, tuple[int, ...], tuple[str, ...]], list[Window]] = {}
        self.windows_left = 0
        # Tables that may delete rows of others as they store one, which SQLite does not count (REPLACE).
        self.replacing: frozenset[str] = frozenset()
        # How often what was known has been forgotten.
        self.doubts = 0
        self.has_entries = self.any_beyond_ascii = True
        self._knows_entries = False
        self._current: set[str] = set()
        self._version: object = None
        self._changes = 0
        # The version at which the transaction has begun.
        self._now: object = None

    def begin(self, connection: Connection) -> bool:
        """A transaction has begun; return whether others have written since the one before it."""
        before, self._now = self._now, connection.rows(_VERSION)
        return self._now != before

    def is_sure(self, connection: Connection) -> bool:
        """Whether all is still so that is known; otherwise nothing is known from now on. Asked within a transaction."""
        changes = connection.raw.total_changes
        if changes == self._changes and self._now == self._version:
            return True
        self.forget()
        self._version, self._changes = self._now, changes
        return False

    def is_current(self, connection: Connection, table: str) -> bool:
        """Whether the numbers of a table and what is known of the do-not-call table are still so."""
        return self.is_sure(connection) and table in self._current

    def has_read(self, connection: Connection, table: str, *, has_entries: bool, any_beyond_ascii: bool) -> None:
        """Note what has just been read of a table, and of the do-not-call table."""
        self.has_read_entries(connection, has_entries=has_entries, any_beyond_ascii=any_beyond_ascii)
        self._current.add(table)

    def knows_entries(self, connection: Connection) -> bool:
        """Whether `has_entries` and `any_beyond_ascii` are still so."""
        return self.is_sure(connection) and self._knows_entries

    def has_read_entries(self, connection: Connection, *, has_entries: bool, any_beyond_ascii: bool) -> None:
        """Note what has just been read of the do-not-call table."""
        self.is_sure(connection)
        self._knows_entries = True
        self.has_entries, self.any_beyond_ascii = has_entries, any_beyond_ascii

    def forget_entries(self) -> None:
        """Entries of the do-not-call table have been made."""
        self._knows_entries = False
        self._current.clear()

    def account(self, rows: int) -> None:
        """So many rows were changed in a way that makes nothing wrong of what is known."""
        self._changes += rows

    def forget(self) -> None:
        """What was read before may be wrong. The numbers are those of the last commit anyway."""
        self.doubts += 1
        self._current.clear()
        self._knows_entries = False
        self.chains.clear()
        self.groups = None
        self.windows.clear()

    def reserved(self) -> Iterator[tuple[int, str, int]]:
        """Yield what was reserved and not used: the number that is enough, its name in the store, the one noted."""
        for table, known in self.numbers.items():
            if known.record_id < known.noted_record_id:
                yield known.record_id, record_counter(table), known.noted_record_id
            if known.chain_id < known.noted_chain_id:
                yield known.chain_id, chain_counter(table), known.noted_chain_id
