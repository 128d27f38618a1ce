"""A transaction beside those of other servers that serve the same database (docs/architecture.md).

It sees what others commit from one statement to the next, and locks what it judges: hand-outs with their handles,
chains, and the keys of requests. Records that others are at are passed over. The outbox is last, and its counter is
locked until the commit, so that entries, news and notifications appear in the order of their numbers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ocsgw.contact.answer_statements import StoredAnswer
from ocsgw.contact.directory import CallingList
from ocsgw.contact.outbox import Delivery, OutboxEntry
from ocsgw.contact.transaction import (
    Admission,
    DncLookup,
    GroupStatus,
    NotAloneError,
    Record,
    Window,
)
from ocsgw.protocol.enumerations import RecordStatus
from ocsgw.store.dialect import as_json
from ocsgw.store.engine import Report
from ocsgw.store.list_counters import chain_counter, record_counter
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.postgresql.blocks import HANDLE, LAST, REACH, Blocks, reserve
from ocsgw.store.postgresql.connection import Connection
from ocsgw.store.postgresql.ready import claiming
from ocsgw.store.postgresql.statements import highest, used
from ocsgw.store.postgresql.transaction import PostgreSQLDialect, PostgreSQLTransaction
from ocsgw.store.records import RECORD_COLUMNS
from ocsgw.store.texts import ListStatements
from ocsgw.store.transaction import highest_of, names_of_numbers

_RETRIEVED = RecordStatus.RETRIEVED.value
_HELD = "others are at records that could be handed out"
# A key that nobody has used gets a row as well, which has expired; in their order, so that two servers do not wait for
# each other.
_LOCK_KEYS = (
    "INSERT INTO ocsgw_idempotency AS k (principal, key, fingerprint, event, expires_at)"
    f" SELECT c0, c1, '', '{{}}', 0 FROM ({PostgreSQLDialect().table('?', 'tt')}) AS j ORDER BY c0, c1"
    " ON CONFLICT (principal, key) DO UPDATE SET expires_at = k.expires_at WHERE false"
)
_CHAIN_ID = RECORD_COLUMNS.index("chain_id")


@lru_cache(maxsize=1024)
def _locking(text: ListStatements) -> ListStatements:
    """Return the statements of a list that lock what they read."""
    return replace(
        text,
        records=f"{text.records} FOR UPDATE OF t",
        records_of_chains=f"{text.records_of_chains} FOR UPDATE OF t",
        ready_records=claiming(text.ready_records),
        ready_records_but=claiming(text.ready_records_but),
        # Of reserved numbers those that another program has used.
        highest_ids=(
            f"{used(text.table, 'record_id', 'record')}, NULL, {used(text.table, 'chain_id', 'chain')},"
            f" {used(text.table, 'record_id', 'chain', 'chain_id IS NULL AND ')}"
        ),
    )


@lru_cache(maxsize=1024)
def _free_chains_text(text: ListStatements) -> str:
    return f"{text.records_of_chains} SKIP LOCKED"


@lru_cache(maxsize=1024)
def _counters_text(text: ListStatements) -> str:
    return (
        "WITH counters AS (SELECT name, value FROM ocsgw_counter WHERE name IN (:records, :chains))"
        f" SELECT {text.highest_ids}"
    )


@lru_cache(maxsize=1024)
def _note_text(text: ListStatements) -> str:
    """Raise the counters to the highest numbers of the list, if these are beyond them: then no other has to."""
    return (
        "INSERT INTO ocsgw_counter AS c (name, value) SELECT n.name, greatest(n.least, n.highest) FROM (VALUES"
        f" (:records::text, :record::bigint, {highest(text.table, 'record_id')}::bigint),"
        f" (:chains::text, :chain::bigint, {highest(text.table, 'chain_id')}::bigint)) AS n (name, least, highest)"
        " WHERE NOT EXISTS (SELECT 1 FROM ocsgw_counter AS k WHERE k.name = n.name AND k.value >= n.least)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > c.value"
    )


class SharedTransaction(PostgreSQLTransaction):
    """One such transaction. What cannot be decided beside others raises `NotAloneError`."""

    _counters = ""
    _lock_of_handouts = " FOR UPDATE OF o, h"

    def __init__(self, connection: Connection, tables: OpenTables, report: Report, begin: str, blocks: Blocks) -> None:
        super().__init__(connection, tables, report, begin)
        self._blocks = blocks
        # What has been found ready, and locked; and whether a chain was passed over.
        self._ready: dict[CallingList, set[int]] = {}
        self._passed_over = False
        self._has_outbox = False

    def demand_alone(self) -> None:
        """Raise `NotAloneError`."""
        raise NotAloneError("this is not decided beside others")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside if an exception leaves the block."""
        try:
            with super().savepoint():
                yield
        except BaseException:
            self._blocks.undone()
            raise

    def _text_of(self, calling_list: CallingList) -> ListStatements:
        return _locking(super()._text_of(calling_list))

    # Keys.

    def stored_answers(self, keys: Sequence[tuple[str, str]], now: int) -> dict[tuple[str, str], StoredAnswer]:
        """Return the answers under keys, which nobody else uses until the end of the transaction."""
        self._connection.later(_LOCK_KEYS, (as_json(sorted(set(keys))),))
        return super().stored_answers(keys, now)

    # Records.

    def ready_records(
        self, calling_list: CallingList, windows: Mapping[Window, int], now: int, at_most: int
    ) -> list[list[Record]]:
        """Return records that are ready, but those that others are at."""
        found = super().ready_records(calling_list, windows, now, at_most)
        known = self._ready.setdefault(calling_list, set())
        known.update(record.record_id for of_window in found for record in of_window)
        return found

    def demand_all_ready(self, calling_list: CallingList, windows: Mapping[Window, int], now: int) -> None:
        """Raise `NotAloneError` if more is ready than what has been found."""
        known = self._ready.get(calling_list, set())
        if not self._passed_over:
            plain = PostgreSQLTransaction(self._connection, self._tables, self._report, self._begin)
            found = plain.ready_records(calling_list, windows, now, len(known) + 1)
            if all(record.record_id in known for of_window in found for record in of_window):
                return
        raise NotAloneError(_HELD)

    def free_chains(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Record]:
        """Return the records of chains, of which nobody is at one and none is in process."""
        text, chains = self._text_of(calling_list), {"chains": as_json(list(chain_ids))}
        rows = self._rows(calling_list, _free_chains_text(text), chains)
        sizes = dict(self._rows(calling_list, text.chain_sizes, chains))
        for row in rows:
            sizes[row[_CHAIN_ID]] = sizes.get(row[_CHAIN_ID], 0) - 1
        self._passed_over = self._passed_over or any(sizes.values())
        records = self._records(calling_list, rows)
        taken = {each.chain_id for each in records if each.record_status == _RETRIEVED}
        return [each for each in records if not sizes[each.chain_id] and each.chain_id not in taken]

    def before_adding(
        self, calling_list: CallingList, count: int, lookups: Callable[[], Sequence[DncLookup]], now: int
    ) -> Admission:
        """Return reserved numbers, the ones before the first of them, and what is blocked."""
        asked, count = lookups(), max(1, count)
        names = tuple(names_of_numbers(calling_list).values())
        record_id, chain_id = (self._blocks.take(name, count) for name in names)
        if record_id is None or chain_id is None:
            record_id, chain_id = self._reserve_of_list(calling_list, count)
        parameters = {"record": record_id, "chain": chain_id, "count": count}
        used, blocked = self._asked_before_adding(calling_list, asked, now, parameters)
        if any(each is not None for each in used):
            self._blocks.forget(names)
            record_id, chain_id = self._reserve_of_list(calling_list, count)
        return Admission(record_id, chain_id, blocked)

    def _reserve_of_list(self, calling_list: CallingList, count: int) -> tuple[int, int]:
        """Reserve numbers of a list, behind all that it has, and take so many of them as `Blocks.take` does."""
        names = names_of_numbers(calling_list)
        (row,) = self._rows(calling_list, _counters_text(super()._text_of(calling_list)), names)
        numbers = highest_of(row)
        if max(numbers) > LAST - count:
            self.demand_alone()
        taken = self._reserve(dict(zip(names.values(), numbers, strict=True)), count)
        return taken[names["records"]], taken[names["chains"]]

    def _reserve(self, least: Mapping[str, int], count: int) -> dict[str, int]:
        size = self._blocks.size(count)
        self._blocks.reserved(reserve(self._connection, least, size), size)
        return {name: last for name in least if (last := self._blocks.take(name, count)) is not None}

    def _note_highest(self, calling_list: CallingList, rows: Sequence[Sequence[Any]]) -> None:
        """What was inserted has reserved numbers, which the counters know."""

    def _note_numbers(self, table: str, record_id: int, chain_id: int) -> None:
        text = next(text for each, text in self._tables.lists.items() if text is not None and each.table == table)
        numbers = {
            "records": record_counter(table),
            "record": record_id,
            "chains": chain_counter(table),
            "chain": chain_id,
        }
        self._connection.later(_note_text(text), numbers)

    # Hand-outs.

    def new_handles(self, count: int) -> int:
        """Return the first of so many reserved handles."""
        last = self._blocks.take(HANDLE, count)
        return 1 + (self._reserve({HANDLE: self._least_handle()}, count)[HANDLE] if last is None else last)

    def _least_handle(self) -> int:
        """Return what handles begin behind: 0, as the counter says that, or what is beyond all if it was deleted."""
        if self._connection.row("SELECT 1 FROM ocsgw_counter WHERE name = ?", (HANDLE,)) is not None:
            return 0
        highest = self.highest_handle()
        return highest + REACH if highest else 0

    def group_statuses(self) -> dict[int, GroupStatus]:
        """Return the states of campaign groups.

        Whoever has unloaded a group ends its hand-outs up to a handle: what is handed out after a change is beyond it.
        """
        found = super().group_statuses()
        if self._blocks.groups != found:
            self._blocks.groups = found
            self._blocks.forget((HANDLE,))
        return found

    # What others read.

    def append_outbox(self, entries: Sequence[OutboxEntry]) -> None:
        """Store entries behind all others; nobody else does until the commit."""
        self._has_outbox = True
        super().append_outbox(entries)

    def append_news(self, origin: str, texts: Sequence[str], now: int) -> None:
        """Store news, in the order of the outbox."""
        self._take_outbox()
        super().append_news(origin, texts, now)

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Store notifications, in the order of the outbox."""
        self._take_outbox()
        super().add_deliveries(deliveries)

    def _take_outbox(self) -> None:
        if not self._has_outbox:
            self.append_outbox(())
