"""Numbers that a server has reserved, so that transactions of several servers do not wait for each other's counters.

A block is reserved by raising its counter, and lost when its server ends: numbers may have gaps, and never come again.
"""

from collections.abc import Iterable, Mapping

from ocsgw.contact.transaction import GroupStatus
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.store.dialect import as_json
from ocsgw.store.postgresql.connection import Connection
from ocsgw.store.postgresql.transaction import PostgreSQLDialect

# So many numbers are reserved at least, and in advance once fewer than half of them are left.
_LEAST = 2000
# Of what has 32 bits the last numbers are given out one by one, by a transaction that is alone.
LAST = INT32_MAX - 4 * _LEAST
HANDLE = "handle"
# So far beyond the highest number of all that is known the blocks of other servers may reach.
REACH = 64 * _LEAST
_RESERVE = (
    "INSERT INTO ocsgw_counter AS c (name, value)"
    f" SELECT c0, c1 + :size FROM ({PostgreSQLDialect().table(':least', 'tn')}) AS j ORDER BY c0"
    " ON CONFLICT (name) DO UPDATE SET value = greatest(c.value + :size, excluded.value) RETURNING name, value"
)


def reserve(connection: Connection, least: Mapping[str, int], size: int) -> dict[str, int]:
    """Reserve so many numbers of each name, behind a number; return the last ones."""
    return dict(connection.rows(_RESERVE, {"least": as_json(list(least.items())), "size": size}))


class Blocks:
    """The reserved numbers of one server by the names of their counters, each as (last that was used, last of all)."""

    def __init__(self) -> None:
        self._blocks: dict[str, tuple[int, int]] = {}
        # The states of campaign groups when handles were taken last.
        self.groups: Mapping[int, GroupStatus] = {}
        # Those that the transaction under way has reserved: others may get them if it is undone.
        self._unsettled: set[str] = set()

    def take(self, name: str, count: int) -> int | None:
        """Take so many numbers; return the one before the first, None if there are not enough."""
        last, end = self._blocks.get(name, (0, 0))
        if end - last < count:
            return None
        self._blocks[name] = (last + count, end)
        return last

    @staticmethod
    def size(count: int) -> int:
        """Return how many numbers to reserve when so many are wanted."""
        return count + _LEAST

    def reserved(self, ends: Mapping[str, int], size: int) -> None:
        """The transaction has raised counters by `size`, to `ends`."""
        for name, end in ends.items():
            self._blocks[name] = (end - size, end)
            self._unsettled.add(name)

    def forget(self, names: Iterable[str]) -> None:
        """Give out nothing more of these blocks."""
        for name in names:
            self._blocks.pop(name, None)

    @property
    def low(self) -> list[str]:
        """The names of which there is little left."""
        return [
            name
            for name, (last, end) in self._blocks.items()
            if 2 * (end - last) < _LEAST and (end <= LAST or name == HANDLE)
        ]

    def refill(self, connection: Connection) -> None:
        """Reserve what is low, in a transaction of its own: the next one waits for nobody then."""
        # Behind what we have had, should somebody have deleted a counter.
        least = {name: self._blocks[name][1] for name in self.low}
        self._blocks.update({name: (end - _LEAST, end) for name, end in reserve(connection, least, _LEAST).items()})

    def committed(self) -> None:
        """The transaction has been committed: what it has reserved is ours."""
        self._unsettled.clear()

    def undone(self) -> None:
        """The transaction, or a part of it, has been undone."""
        self.forget(self._unsettled)
        self._unsettled.clear()
