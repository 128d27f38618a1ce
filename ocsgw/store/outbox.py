"""The outbox, for every engine: what has changed, in order, and what is to be sent."""

from collections.abc import Iterable, Sequence

import msgspec

from ocsgw.contact.news import StoredNews
from ocsgw.contact.outbox import Delivery, OutboxEntry
from ocsgw.store.dialect import Connection, Dialect, as_json

_COLUMNS = "at, kind, list_dbid, chain_id, record_id, group_dbid, handle, data"
_DELIVERY = "purpose, list_dbid, chain_id, written_at, body"
# What is appended behind a number, and the kinds of it.
OUTBOX_COLUMNS, OUTBOX_KINDS = _COLUMNS, "ntnnnnnt"
_SELECT = f"SELECT number, {_COLUMNS} FROM ocsgw_outbox"


class OutboxTable:
    """The part of a transaction that concerns the outbox."""

    _connection: Connection
    _dialect: Dialect
    # The query for the highest number that there ever was.
    _newest_outbox: str

    def append_outbox(self, entries: Sequence[OutboxEntry]) -> None:
        """Store entries behind all others, in their order."""
        raise NotImplementedError

    def outbox_after(self, number: int, at_most: int) -> list[OutboxEntry]:
        """Return the entries behind a number, in order, at most so many."""
        return self._entries("number > ? ORDER BY number LIMIT ?", number, at_most)

    def outbox_bounds(self) -> tuple[int, int]:
        """Return the numbers of the oldest entry that is stored and of the newest that ever was; 0 without one."""
        row = self._connection.row(
            f"SELECT coalesce((SELECT min(number) FROM ocsgw_outbox), 0), coalesce(({self._newest_outbox}),"
            " (SELECT max(number) FROM ocsgw_outbox), 0)"
        )
        return (row[0], row[1]) if row is not None else (0, 0)

    def outbox_of_chain(self, list_dbid: int, chain_id: int, at_most: int) -> list[OutboxEntry]:
        """Return the entries about a chain, the newest ones if there are more than so many, in order."""
        found = self._entries(
            "list_dbid = ? AND chain_id = ? ORDER BY number DESC LIMIT ?", list_dbid, chain_id, at_most
        )
        return found[::-1]

    def outbox_of_added(self, list_dbid: int, record_id: int) -> OutboxEntry | None:
        """Return the last entry about records added in chains of their own that begins at or before a record id."""
        found = self._entries(
            "list_dbid = ? AND chain_id = 0 AND record_id <= ? ORDER BY record_id DESC, number DESC LIMIT 1",
            list_dbid,
            record_id,
        )
        return found[0] if found else None

    def outbox_of_handle(self, handle: int) -> list[OutboxEntry]:
        """Return the entries about a record handle, in order."""
        return self._entries("handle = ? AND handle > 0 ORDER BY number", handle)

    def forget_outbox(self, before: int, most: int, at_most: int) -> int:
        """Delete the first entries, at most so many: those up to a time, and those beyond the last `most`."""
        return self._connection.change(
            "DELETE FROM ocsgw_outbox WHERE number IN (SELECT number FROM"
            " (SELECT number, at FROM ocsgw_outbox ORDER BY number LIMIT :at_most) AS first"
            " WHERE at <= :before OR number <= (SELECT max(number) FROM ocsgw_outbox) - :most)",
            {"before": before, "most": most, "at_most": at_most},
        )

    def append_news(self, origin: str, texts: Sequence[str], now: int) -> None:
        """Store what server `origin` tells those that serve at the same time."""
        self._connection.change(
            f"INSERT INTO ocsgw_news (at, origin, data) {self._dialect.table('?', 'ntt')}",
            (as_json([(now, origin, text) for text in texts]),),
        )

    def news_after(self, number: int, at_most: int) -> list[StoredNews]:
        """Return the news behind a number, in order, at most so many."""
        rows = self._connection.rows(
            "SELECT number, origin, data FROM ocsgw_news WHERE number > ? ORDER BY number LIMIT ?", (number, at_most)
        )
        return [StoredNews(*row) for row in rows]

    def newest_news(self) -> int:
        """Return the number of the newest news that are stored, 0 without any."""
        ((newest,),) = self._connection.rows("SELECT coalesce(max(number), 0) FROM ocsgw_news")
        return int(newest)

    def forget_news(self, before: int) -> int:
        """Delete the news of before a time; return how many there were."""
        return self._connection.change("DELETE FROM ocsgw_news WHERE at < ?", (before,))

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Store notifications behind all others, which gives them their numbers."""
        self._connection.change(
            f"INSERT INTO ocsgw_delivery ({_DELIVERY}) {self._dialect.table('?', 'tnnnt')}",
            (as_json([msgspec.structs.astuple(each)[1:] for each in deliveries]),),
        )

    def deliveries_after(self, number: int, at_most: int) -> list[Delivery]:
        """Return the notifications that wait behind a number, in order, at most so many."""
        rows = self._connection.rows(
            "SELECT number, purpose, list_dbid, chain_id, written_at, body FROM ocsgw_delivery"
            " WHERE number > ? ORDER BY number LIMIT ?",
            (number, at_most),
        )
        return [Delivery(*row) for row in rows]

    def count_deliveries(self) -> dict[str, int]:
        """Return how many notifications wait, by purpose."""
        return dict(self._connection.rows("SELECT purpose, count(*) FROM ocsgw_delivery GROUP BY purpose"))

    def remove_deliveries(self, numbers: Iterable[int]) -> list[str]:
        """Delete notifications that have arrived, or that nobody wants any more; return the purposes of those found."""
        rows = self._connection.rows(
            f"DELETE FROM ocsgw_delivery WHERE number IN ({self._dialect.numbers('?')}) RETURNING purpose",
            (as_json(list(numbers)),),
        )
        return [purpose for (purpose,) in rows]

    def _entries(self, condition: str, *parameters: object) -> list[OutboxEntry]:
        rows = self._connection.rows(f"{_SELECT} WHERE {condition}", parameters)
        return [OutboxEntry(*row) for row in rows]
