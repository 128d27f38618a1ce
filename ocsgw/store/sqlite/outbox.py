"""The outbox on SQLite: what has changed, in order, and what is to be sent."""

from collections.abc import Iterable, Sequence

import msgspec

from ocsgw.contact.outbox import Delivery, OutboxEntry
from ocsgw.store.sqlite.connection import Connection

_COLUMNS = "at, kind, list_dbid, chain_id, record_id, group_dbid, handle, data"
_VALUES = ", ".join(f"json_extract(value, '$[{at}]')" for at in range(1, 9))
_SELECT = f"SELECT number, {_COLUMNS} FROM ocsgw_outbox"
_json = msgspec.json.Encoder()


class OutboxTable:
    """The part of a transaction that concerns the outbox."""

    _connection: Connection

    def append_outbox(self, entries: Sequence[OutboxEntry]) -> int:
        """Store entries behind all others; return the number of the first, those of the others follow on it."""
        self._connection.change(
            # json_each goes through an array in its order.
            f"INSERT INTO ocsgw_outbox ({_COLUMNS}) SELECT {_VALUES} FROM json_each(?)",
            (_json.encode(entries).decode("utf-8"),),
        )
        ((last,),) = self._connection.rows("SELECT last_insert_rowid()")
        return int(last) - len(entries) + 1

    def outbox_after(self, number: int, at_most: int) -> list[OutboxEntry]:
        """Return the entries behind a number, in order, at most so many."""
        return self._entries("number > ? ORDER BY number LIMIT ?", number, at_most)

    def outbox_bounds(self) -> tuple[int, int]:
        """Return the numbers of the oldest entry that is stored and of the newest that ever was; 0 without one."""
        row = self._connection.row(
            "SELECT coalesce((SELECT min(number) FROM ocsgw_outbox), 0),"
            " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'ocsgw_outbox'), 0)"
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
            " (SELECT number, at FROM ocsgw_outbox ORDER BY number LIMIT :at_most)"
            " WHERE at <= :before OR number <= (SELECT max(number) FROM ocsgw_outbox) - :most)",
            {"before": before, "most": most, "at_most": at_most},
        )

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Store notifications behind all others, which gives them their numbers."""
        values = ", ".join(f"json_extract(value, '$[{at}]')" for at in range(1, 6))
        self._connection.change(
            "INSERT INTO ocsgw_delivery (purpose, list_dbid, chain_id, written_at, body)"
            f" SELECT {values} FROM json_each(?)",
            (_json.encode(deliveries).decode("utf-8"),),
        )

    def deliveries_after(self, number: int, at_most: int) -> list[Delivery]:
        """Return the notifications that wait behind a number, in order, at most so many."""
        rows = self._connection.rows(
            "SELECT number, purpose, list_dbid, chain_id, written_at, body FROM ocsgw_delivery"
            " WHERE number > ? ORDER BY number LIMIT ?",
            (number, at_most),
        )
        return [Delivery(*row) for row in rows]

    def count_deliveries(self) -> int:
        """Return how many notifications wait."""
        ((count,),) = self._connection.rows("SELECT count(*) FROM ocsgw_delivery")
        return int(count)

    def remove_deliveries(self, numbers: Iterable[int]) -> None:
        """Delete notifications that have arrived, or that nobody wants any more."""
        self._connection.change(
            "DELETE FROM ocsgw_delivery WHERE number IN (SELECT value FROM json_each(?))",
            (_json.encode(list(numbers)).decode("utf-8"),),
        )

    def _entries(self, condition: str, *parameters: object) -> list[OutboxEntry]:
        rows = self._connection.rows(f"{_SELECT} WHERE {condition}", parameters)
        return [OutboxEntry(*row) for row in rows]
