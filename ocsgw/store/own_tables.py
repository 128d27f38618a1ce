"""Our own tables, for every engine: idempotency keys, hand-outs and handles, states of groups (constants.md K15)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from ocsgw.contact.answer_statements import StoredAnswer
from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import GroupStatus, Handle, Handout, HandoutInProcess
from ocsgw.protocol.messages import KV
from ocsgw.store.dialect import Connection, Dialect, as_json, upsert

_pack = msgspec.msgpack.Encoder()
_unpack = msgspec.msgpack.Decoder(dict[str, object])
_events = msgspec.json.Decoder(dict[str, object])
_numbers = msgspec.json.Decoder(list[int])
_agents = msgspec.json.Decoder(dict[str, bool])

_HANDLE = "handle, handout_id, list_dbid, record_id, prior_status, guid, contact, attempts_set, status_set, treatment"
_HANDOUT = (
    "handout_id, list_dbid, chain_id, record_id, group_dbid, agent_id, started_at, timeout, expires_at, rescheduled,"
    " holders"
)
AUDIT_POSITION = "SELECT number, mark FROM ocsgw_audit WHERE id = 1"
_HIGHEST_HANDLE = (
    "SELECT max(number) FROM (SELECT max(handle) AS number FROM ocsgw_handle"
    " UNION ALL SELECT max(handout_id) FROM ocsgw_handout UNION ALL SELECT max(handle) FROM ocsgw_spent_handle"
    " UNION ALL SELECT max(handle) FROM ocsgw_outbox WHERE handle > 0) AS known"
)
_HANDOUT_FIELDS = 11
_HANDOUTS = (
    f"SELECT {', '.join(f'o.{name}' for name in _HANDOUT.split(', '))},"
    f" {', '.join(f'h.{name}' for name in _HANDLE.split(', '))}"
    " FROM ocsgw_handout AS o JOIN ocsgw_handle AS h ON h.handout_id = o.handout_id WHERE o.handout_id IN"
)


def _handout(row: Sequence[Any]) -> Handout:
    rescheduled = _numbers.decode(row[9]) if row[9] != "[]" else []
    return Handout(*row[:9], rescheduled, _holders(row[10]))  # type: ignore[call-arg]  # nine columns


def _holders(text: str | None) -> dict[str, bool] | None:
    return _agents.decode(text) if text is not None else None


def _text_of(holders: Mapping[str, bool] | None) -> str | None:
    return as_json(holders) if holders is not None else None


def _numbers_text(numbers: Sequence[int]) -> str:
    return as_json(numbers) if numbers else "[]"


def _handle(row: Sequence[Any]) -> Handle:
    return Handle(*row[:7], bool(row[7]), row[8], row[9])  # type: ignore[call-arg]  # seven columns


class OwnTables:
    """The part of a transaction that concerns our own tables."""

    _connection: Connection
    _dialect: Dialect
    # What stands behind a query for hand-outs.
    _lock_of_handouts = ""

    # Idempotency.

    def stored_answers(self, keys: Sequence[tuple[str, str]], now: int) -> dict[tuple[str, str], StoredAnswer]:
        """Return the answers stored under (principal, key) that have not expired."""
        rows = self._connection.rows(
            "SELECT s.principal, s.key, s.fingerprint, s.event, s.expires_at"
            f" FROM ({self._dialect.table('?', 'tt')}) AS k CROSS JOIN ocsgw_idempotency AS s"
            " WHERE s.principal = k.c0 AND s.key = k.c1 AND s.expires_at > ?",
            (as_json(keys), now),
        )
        return {
            (principal, key): StoredAnswer(bytes.fromhex(mark), cast("KV", _events.decode(event)), expires_at)
            for principal, key, mark, event, expires_at in rows
        }

    def store_answers(self, answers: Mapping[tuple[str, str], StoredAnswer]) -> None:
        """Store answers under (principal, key)."""
        rows = [
            (principal, key, answer.fingerprint.hex(), as_json(answer.event), answer.expires_at)
            for (principal, key), answer in answers.items()
        ]
        self._replace(
            "ocsgw_idempotency", "principal, key", "principal, key, fingerprint, event, expires_at", "ttttn", rows
        )

    def forget(self, now: int, at_most: int) -> int:
        """Delete answers and spent handles that have expired, at most so many of each; return how many answers."""
        self._connection.change(
            "DELETE FROM ocsgw_spent_handle WHERE handle IN"
            " (SELECT handle FROM ocsgw_spent_handle WHERE expires_at <= ? LIMIT ?)",
            (now, at_most),
        )
        return self._connection.change(
            "DELETE FROM ocsgw_idempotency WHERE (principal, key) IN"
            " (SELECT principal, key FROM ocsgw_idempotency WHERE expires_at <= ? LIMIT ?)",
            (now, at_most),
        )

    # Hand-outs and handles.

    def new_handles(self, count: int) -> int:
        """Reserve so many record handles and return the first; they ascend and never come again (H310)."""
        ((last,),) = self._connection.rows(
            "INSERT INTO ocsgw_counter (name, value) VALUES ('handle', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = ocsgw_counter.value + excluded.value RETURNING value",
            (count,),
        )
        if int(last) == count and (highest := self.highest_handle()):
            # Somebody has deleted the counter, which was made anew just now.
            last = self._raise_counter("handle", highest)
        return int(last) - count + 1

    def highest_handle(self) -> int:
        """Return the highest record handle that anything is known of, 0 without any."""
        ((highest,),) = self._connection.rows(_HIGHEST_HANDLE)
        return int(highest or 0)

    def _raise_counter(self, name: str, by: int) -> int:
        """Raise a counter; return its value."""
        ((value,),) = self._connection.rows(
            "UPDATE ocsgw_counter SET value = value + ? WHERE name = ? RETURNING value", (by, name)
        )
        return int(value)

    def open_handouts(self, handouts: Sequence[Handout], handles: Sequence[Handle]) -> None:
        """Store hand-outs with their handles."""
        self._append(
            "ocsgw_handout",
            _HANDOUT,
            "nnnnntnnntt",
            [
                (*msgspec.structs.astuple(each)[:9], _numbers_text(each.rescheduled), _text_of(each.holders))
                for each in handouts
            ],
        )
        self._append(
            "ocsgw_handle",
            _HANDLE,
            "nnnnnttnnt",
            [
                (*values[:7], int(each.attempts_set), *values[8:])
                for each in handles
                if (values := msgspec.structs.astuple(each))
            ],
        )

    def _append(self, table: str, columns: str, kinds: str, rows: Sequence[Sequence[object]]) -> int:
        """Store new rows; return how many there are."""
        text = f"INSERT INTO {table} ({columns}) {self._dialect.table('?', kinds)}"
        return self._connection.change(text, (as_json(rows),))

    def handles_of_records(self, calling_list: CallingList, record_ids: Iterable[int]) -> list[Handle]:
        """Return the live handles of records."""
        return self._handles(
            f"list_dbid = ? AND record_id IN ({self._dialect.numbers('?')})",
            calling_list.dbid,
            as_json(list(record_ids)),
        )

    def handouts(self, handout_ids: Iterable[int]) -> list[tuple[Handout, list[Handle]]]:
        """Return hand-outs with all their live handles."""
        return self._handouts(f"{_HANDOUTS} ({self._dialect.numbers('?')})", handout_ids)

    def handouts_of_handles(self, numbers: Iterable[int]) -> list[tuple[Handout, list[Handle]]]:
        """Return the hand-outs of those handles that live, with all their live handles."""
        wanted = f"SELECT handout_id FROM ocsgw_handle WHERE handle IN ({self._dialect.numbers('?')})"
        return self._handouts(f"{_HANDOUTS} ({wanted})", numbers)

    def recall(self, handles: Iterable[int]) -> list[HandoutInProcess]:
        """Return those hand-outs of handles that are known without being read: here none."""
        return []

    def _handouts(self, text: str, numbers: Iterable[int]) -> list[tuple[Handout, list[Handle]]]:
        found: dict[int, tuple[Handout, list[Handle]]] = {}
        for row in self._connection.rows(
            f"{text} ORDER BY h.handle{self._lock_of_handouts}", (as_json(list(numbers)),)
        ):
            known = found.get(row[0])
            if known is None:
                known = found[row[0]] = (_handout(row[:_HANDOUT_FIELDS]), [])
            known[1].append(_handle(row[_HANDOUT_FIELDS:]))
        return list(found.values())

    def handouts_of_agent(self, agent_id: str) -> list[int]:
        """Return the ids of running hand-outs that an agent holds."""
        rows = self._connection.rows(
            "SELECT handout_id, agent_id, holders FROM ocsgw_handout WHERE agent_id = ? OR holders IS NOT NULL",
            (agent_id,),
        )
        return [row[0] for row in rows if agent_id in (_holders(row[2]) or {row[1]: True})]

    def handouts_of_group(self, group_dbid: int, before: int, at_most: int) -> list[int]:
        """Return the ids of running hand-outs of a campaign group below `before`, at most so many."""
        rows = self._connection.rows(
            "SELECT handout_id FROM ocsgw_handout WHERE group_dbid = ? AND handout_id < ? LIMIT ?",
            (group_dbid, before, at_most),
        )
        return [row[0] for row in rows]

    def expired_handouts(self, now: int, at_most: int) -> list[int]:
        """Return the ids of hand-outs whose time is over, at most so many."""
        rows = self._connection.rows(
            "SELECT handout_id FROM ocsgw_handout WHERE expires_at <= ? ORDER BY expires_at LIMIT ?", (now, at_most)
        )
        return [row[0] for row in rows]

    def restart_future_handouts(self, now: int, latest: int) -> int:
        """Let hand-outs that began in the future begin now; return how many there were."""
        return self._connection.change(
            "UPDATE ocsgw_handout SET started_at = :now, expires_at = :now + timeout"
            " WHERE expires_at > :latest AND expires_at - timeout > :now",
            {"now": now, "latest": latest},
        )

    def change_handouts(self, handouts: Sequence[Handout], handles: Sequence[Handle]) -> None:
        """Store what has changed in running hand-outs and their handles."""
        self._change_rows(
            "ocsgw_handout",
            ("handout_id", "expires_at", "rescheduled", "agent_id", "holders"),
            "nnttt",
            [
                (
                    each.handout_id,
                    each.expires_at,
                    _numbers_text(each.rescheduled),
                    each.agent_id,
                    _text_of(each.holders),
                )
                for each in handouts
            ],
        )
        if handles:
            self._change_rows(
                "ocsgw_handle",
                ("handle", "attempts_set", "status_set", "treatment"),
                "nnnt",
                [(each.handle, int(each.attempts_set), each.status_set, each.treatment) for each in handles],
            )

    def _change_rows(self, table: str, columns: Sequence[str], kinds: str, rows: Sequence[Sequence[object]]) -> None:
        """Set columns of rows, which are found by the first one."""
        key, *others = columns
        settings = ", ".join(f"{each} = j.c{at}" for at, each in enumerate(others, 1))
        text = f"UPDATE {table} SET {settings} FROM ({self._dialect.table('?', kinds)}) AS j WHERE {key} = j.c0"
        self._connection.change(text, (as_json(rows),))

    def close_handouts(self, handout_ids: Iterable[int]) -> None:
        """End hand-outs; all their handles die."""
        wanted = (as_json(list(handout_ids)),)
        self._connection.change(f"DELETE FROM ocsgw_handle WHERE handout_id IN ({self._dialect.numbers('?')})", wanted)
        self._connection.change(f"DELETE FROM ocsgw_handout WHERE handout_id IN ({self._dialect.numbers('?')})", wanted)

    def close_handles(self, numbers: Iterable[int]) -> None:
        """Let single handles die; a hand-out without handles ends."""
        wanted = as_json(list(numbers))
        concerned = {each.handout_id for each in self._handles(f"handle IN ({self._dialect.numbers('?')})", wanted)}
        self._connection.change(f"DELETE FROM ocsgw_handle WHERE handle IN ({self._dialect.numbers('?')})", (wanted,))
        self._connection.change(
            f"DELETE FROM ocsgw_handout WHERE handout_id IN ({self._dialect.numbers('?')})"
            " AND NOT EXISTS (SELECT 1 FROM ocsgw_handle AS h WHERE h.handout_id = ocsgw_handout.handout_id)",
            (as_json(list(concerned)),),
        )

    def spend_handle(self, handle: int, event: KV, until: int) -> None:
        """Remember a dead handle and the keys of its record for the one RecordProcessed that may follow (H267)."""
        begin, end = upsert("ocsgw_spent_handle", "handle", "handle, event, expires_at")
        self._connection.change(f"{begin} VALUES (?, ?, ?) {end}", (handle, _pack.encode(event), until))

    def spent_handle(self, handle: int, now: int) -> KV | None:
        """Return what is remembered of a dead handle; None if nothing is or its time is over."""
        row = self._connection.row(
            "SELECT event FROM ocsgw_spent_handle WHERE handle = ? AND expires_at > ?", (handle, now)
        )
        return cast("KV", _unpack.decode(row[0])) if row is not None else None

    def forget_spent_handle(self, handle: int) -> None:
        """Forget a dead handle."""
        self._connection.change("DELETE FROM ocsgw_spent_handle WHERE handle = ?", (handle,))

    def _handles(self, condition: str, *parameters: object) -> list[Handle]:
        rows = self._connection.rows(
            f"SELECT {_HANDLE} FROM ocsgw_handle WHERE {condition} ORDER BY handle", parameters
        )
        return [_handle(row) for row in rows]

    # The audit log.

    def audit_position(self) -> tuple[int, str] | None:
        """Return number and hash of the last line of the audit log that was committed; None before the first one."""
        row = self._connection.row(AUDIT_POSITION)
        return (row[0], row[1]) if row is not None else None

    def save_audit_position(self, number: int, mark: str) -> None:
        """Store number and hash of the last line of the audit log, with the changes that it stands for."""
        begin, end = upsert("ocsgw_audit", "id", "id, number, mark")
        self._connection.change(f"{begin} VALUES (1, ?, ?) {end}", (number, mark))

    # Campaign groups.

    def group_statuses(self) -> dict[int, GroupStatus]:
        """Return the states of campaign groups by their DBIDs."""
        rows = self._group_rows()
        return {row[0]: GroupStatus(*row[:4], bool(row[4]) if row[4] is not None else None) for row in rows}  # type: ignore[call-arg]  # four columns

    def _group_rows(self) -> Sequence[tuple[Any, ...]]:
        return self._connection.rows("SELECT dbid, state, dial_mode, guid, auto_complete FROM ocsgw_group")

    def save_group_status(self, status: GroupStatus) -> None:
        """Store the state of a campaign group."""
        begin, end = upsert("ocsgw_group", "dbid", "dbid, state, dial_mode, guid, auto_complete")
        values = (status.dbid, status.state, status.dial_mode, status.guid, status.auto_complete)
        self._connection.change(f"{begin} VALUES (?, ?, ?, ?, ?) {end}", values)

    def _replace(self, table: str, key: str, columns: str, kinds: str, rows: Sequence[Sequence[object]]) -> None:
        """Write rows over those with the same key."""
        begin, end = upsert(table, key, columns)
        values = f"SELECT * FROM ({self._dialect.table('?', kinds)}) AS j WHERE true"
        self._connection.change(f"{begin} {values} {end}", (as_json(rows),))
