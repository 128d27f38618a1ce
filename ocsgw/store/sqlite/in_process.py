"""Chains in process as they stand in the store, so that nothing is read again when a result comes.

What this server has written is so until somebody else writes (`numbers.Memory`). Each statement that changes a record
or a hand-out goes through here, where what is known is changed as well, or forgotten: whatever is not certain is read.
Only chains of one record are remembered, as nearly all are, and the newest ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import DoNotCallEntry, Handle, Handout, HandoutInProcess, Record, Window
from ocsgw.protocol.enumerations import RecordStatus
from ocsgw.store.bulk import BulkTransaction
from ocsgw.store.dialect import as_json
from ocsgw.store.records import LATEST, LEAST
from ocsgw.store.sqlite.as_stored import NEVER_ZERO, stored_as_they_are
from ocsgw.store.sqlite.connection import Connection
from ocsgw.store.sqlite.numbers import Memory
from ocsgw.store.texts import INSERTED_COLUMNS, ListStatements

_NUMBERS = frozenset(each for each in INSERTED_COLUMNS if each not in ("record_id", "chain_id", "chain_n"))
# What decides whether, when and for whom a record is ready, and the statuses of such a one.
_DECIDING = frozenset(
    {
        "agent_id",
        "campaign_id",
        "contact_info",
        "daily_from",
        "daily_till",
        "record_status",
        "record_type",
        "tz_dbid",
    }
)
_READY = (0, RecordStatus.READY.value)
# So often windows are asked for until all are read anew: those in which nothing is ready any more cost a look each.
_WINDOWS_FOR = 100
# So many windows of a list, and records with so many characters, are remembered at most: other programs may have
# made a list of any windows, and clients texts of any length.
_MOST_WINDOWS = 200
_MOST_TEXT = 2000
_CHAIN_ID = itemgetter(INSERTED_COLUMNS.index("chain_id"))
# Columns that are no part of a `Record`.
_UNSEEN = frozenset({"app_id", "group_id"})

_Key = tuple[int, int]


class RememberingTransaction(BulkTransaction):
    """The part of a transaction of the embedded store that concerns chains in process."""

    _connection: Connection
    _memory: Memory

    def _begin_to_remember(self, memory: Memory) -> None:
        self._memory = memory
        self._doubts = memory.doubts
        # What will be in process when this transaction is committed, and what their records will have then.
        self._begun: dict[_Key, HandoutInProcess] = {}
        self._later: list[tuple[Record, Sequence[tuple[str, object]]]] = []
        # Lone records of chains as the rules have them, and what was written into records; None if more than once.
        self._lone: dict[_Key, tuple[CallingList, Record]] = {}
        self._written: dict[_Key, Mapping[str, object] | None] = {}
        # Records that were found to be ready, by their chains.
        self._ready: dict[CallingList, dict[int, Record]] = {}
        self._recalled: dict[int, Handle] = {}

    def _account_for(self, before: int) -> None:
        """The rows that statements have changed since then are known to make nothing wrong."""
        self._memory.account(self._connection.changed - before)

    def _forget_chains(self) -> None:
        self._memory.forget()
        self._is_sure()

    def _is_sure(self) -> bool:
        """Whether what is known is so; what this transaction has found is forgotten with everything else."""
        is_sure = self._memory.is_sure(self._connection)
        if self._memory.doubts != self._doubts:
            self._doubts = self._memory.doubts
            self._begun.clear()
            self._lone.clear()
            self._ready.clear()
        return is_sure

    def _remember(self) -> None:
        """The transaction has been committed: from now on nobody else has these records."""
        if self._is_sure() and self._begun:
            for record, values in self._later:
                for name, value in values:
                    setattr(record, name, value)
            self._memory.chains.update(self._begun.values())

    # What is read.

    def recall(self, handles: Iterable[int]) -> list[HandoutInProcess]:
        """Return those hand-outs of handles that are known, with their only record."""
        if not self._is_sure():
            return []
        found = []
        for known in self._memory.chains.take(handles):
            calling_list, handout, handle, record = known
            if self._tables.lists.get(calling_list) is not None:
                self._lone[calling_list.dbid, record.record_id] = calling_list, record
                self._recalled[handout.handout_id] = handle
                found.append(known)
        return found

    def recent_windows(
        self, calling_list: CallingList, campaign_dbids: Sequence[int], agents: Sequence[str]
    ) -> list[Window]:
        """Return `windows`, or what they were some previews ago: since then nothing has become ready."""
        memory, asked = self._memory, (calling_list, tuple(campaign_dbids), tuple(agents))
        if self._is_sure() and memory.windows_left > 0:
            # Also for what is asked for the first time: clients name agents as they like.
            memory.windows_left -= 1
            known = memory.windows.get(asked)
            if known is not None:
                return known
        else:
            memory.windows.clear()
            memory.windows_left = _WINDOWS_FOR
        found = self.windows(calling_list, campaign_dbids, agents)
        if len(found) <= _MOST_WINDOWS:
            memory.windows[asked] = found
        return found

    def ready_records(
        self, calling_list: CallingList, windows: Mapping[Window, int], now: int, at_most: int
    ) -> list[list[Record]]:
        """Return records that are ready and due, of these windows, whose chain is not in process."""
        found = super().ready_records(calling_list, windows, now, at_most)
        self._ready[calling_list] = {record.chain_id: record for of_window in found for record in of_window}
        return found

    def free_chains(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Record]:
        """Return all records of chains; where that is the one that was ready it is not read again."""
        ids = list(chain_ids)
        text = self._text_of(calling_list).chain_sizes
        sizes = dict(self._rows(calling_list, text, {"chains": as_json(ids)}))
        self._is_sure()
        ready = self._ready.get(calling_list, {})
        lone = [ready[each] for each in ids if sizes.get(each) == 1 and each in ready]
        if not calling_list.shown and calling_list.table.rpartition(".")[2].lower() not in self._memory.replacing:
            dbid = calling_list.dbid
            self._lone.update(((dbid, each.record_id), (calling_list, each)) for each in lone)
        if len(lone) == len(ids):
            return lone
        known = {each.chain_id for each in lone}
        others = super().free_chains(calling_list, [each for each in ids if each not in known])
        return sorted([*lone, *others], key=lambda each: each.chain_id)

    # What is written.

    def change_records(self, calling_list: CallingList, changes: Mapping[int, Mapping[str, object]]) -> None:
        """Set columns of records."""
        dbid, written = calling_list.dbid, self._written
        self._memory.chains.forget_records(dbid, changes)
        last: object = None
        for record_id, values in changes.items():
            key = dbid, record_id
            self._begun.pop(key, None)
            written[key] = None if key in written else values
            if values is not last:
                last = values
                if _may_become_ready(values):
                    self._memory.windows.clear()
        self._ready.clear()
        before = self._connection.changed
        super().change_records(calling_list, changes)
        if self._connection.changed - before == len(changes):
            self._account_for(before)
        else:
            # A row is gone, or a trigger ignores it.
            self._forget_chains()

    def mark_do_not_call(self, calling_list: CallingList, record_ids: Sequence[int]) -> None:
        """Mark records: type 7, call result 51, status 3 unless in process (H262)."""
        self._ready.clear()
        self._memory.chains.forget_records(calling_list.dbid, record_ids)
        for record_id in record_ids:
            key = calling_list.dbid, record_id
            self._begun.pop(key, None)
            self._written[key] = None
        before = self._connection.changed
        super().mark_do_not_call(calling_list, record_ids)
        self._account_for(before)

    def add_do_not_call(self, entries: Sequence[DoNotCallEntry], now: int) -> None:
        """Make entries, except those that exist with the same scope and without an end (H264)."""
        before = self._connection.changed
        super().add_do_not_call(entries, now)
        self._account_for(before)
        self._memory.forget_entries()

    def open_handouts(self, handouts: Sequence[Handout], handles: Sequence[Handle]) -> None:
        """Store hand-outs with their handles."""
        super().open_handouts(handouts, handles)
        self._begin(handouts, {each.handle: each for each in handles})

    def change_handouts(self, handouts: Sequence[Handout], handles: Sequence[Handle]) -> None:
        """Store what has changed in running hand-outs and their handles."""
        self._forget_handouts([each.handout_id for each in handouts])
        before = self._connection.changed
        super().change_handouts(handouts, handles)
        known = self._recalled
        if self._connection.changed - before != len(handouts) + len({each.handle for each in handles}):
            self._forget_chains()
            return
        self._account_for(before)
        if known:
            # What an update says for the end of a hand-out is in the handle.
            changed = {each.handle: each for each in handles}
            self._begin(handouts, {at: changed.get(at, handle) for at, handle in known.items()})

    def close_handouts(self, handout_ids: Iterable[int]) -> None:
        """End hand-outs; all their handles die."""
        ids = list(handout_ids)
        self._forget_handouts(ids)
        before = self._connection.changed
        super().close_handouts(ids)
        self._account_for(before)

    def _forget_chains_of(self, calling_list: CallingList, rows: Sequence[Sequence[Any]]) -> None:
        """Rows were inserted: their chains have one record more, and some may be ready."""
        self._memory.windows.clear()
        dbid = calling_list.dbid
        self._memory.chains.forget_chains(dbid, map(_CHAIN_ID, rows))
        if self._begun:
            chain_ids = set(map(_CHAIN_ID, rows))
            for key in [at for at, each in self._begun.items() if at[0] == dbid and each.record.chain_id in chain_ids]:
                del self._begun[key]

    def _forget_handouts(self, ids: Sequence[int]) -> None:
        self._memory.chains.forget(ids)
        if self._begun:
            gone = set(ids)
            for key in [at for at, each in self._begun.items() if each.handout.handout_id in gone]:
                del self._begun[key]

    def _begin(self, handouts: Sequence[Handout], handles: Mapping[int, Handle]) -> None:
        """Note hand-outs that are stored now, with handles by the hand-outs whose only ones they are."""
        if not self._is_sure():
            return
        last: object = None
        seen: list[tuple[str, object]] | None = None
        for handout in handouts:
            key = handout.list_dbid, handout.record_id
            handle, found = handles.get(handout.handout_id), self._lone.get(key)
            if found is None or handle is None or handout.holders is not None or handout.rescheduled:
                continue
            calling_list, record = found
            written = self._written.get(key, _NOTHING)
            if (calling_list, id(written)) != last:
                # Most records of a run get the same.
                last = calling_list, id(written)
                seen = self._seen(calling_list, written)
            if seen is not None and _length_of(record) <= _MOST_TEXT:
                self._later.append((record, seen))
                self._begun[key] = HandoutInProcess(calling_list, handout, handle, record)

    def _seen(self, calling_list: CallingList, written: Mapping[str, object] | None) -> list[tuple[str, object]] | None:
        """Return what a record will have of what was written; None if that is not certain."""
        if written is None or not self._is_known(calling_list, written):
            return None
        return [each for each in written.items() if each[0] not in _UNSEEN]

    def _is_known(self, calling_list: CallingList, written: Mapping[str, object]) -> bool:
        """Whether what was written is read as it is."""
        text = self._tables.lists.get(calling_list)
        if text is None:
            return False
        understood = _understood(text, calling_list)
        return all(
            name in understood
            and type(value) is int
            and LEAST <= value <= LATEST
            and (value != 0 or name not in NEVER_ZERO)
            for name, value in written.items()
        )


_NOTHING: Mapping[str, object] = {}


@lru_cache(maxsize=1024)
def _understood(text: ListStatements, calling_list: CallingList) -> frozenset[str]:
    """Return the columns of a list that store numbers as they are, or are not read."""
    numbers = {each for each in _NUMBERS if each in text.columns and stored_as_they_are(text.columns[each].kind) is int}
    return frozenset({*numbers, *_UNSEEN} - {each.column.lower() for each in calling_list.fields})


def _may_become_ready(values: Mapping[str, object]) -> bool:
    """Whether a record into which that is written may be ready, in a window in which it was not before."""
    status = values.get("record_status")
    return status in _READY if status is not None else not _DECIDING.isdisjoint(values)


def _length_of(record: Record) -> int:
    """Return how long the texts of a record are together."""
    length = len(record.contact_info) + len(record.agent_id) + len(record.treatments)
    for value in record.custom:
        if isinstance(value, str | bytes):
            length += len(value)
    return length
