"""One transaction of the embedded store, in the language of the rules."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.transaction import (
    DoNotCallEntry,
    Match,
    NewRecord,
    Probe,
    StoredAnswer,
    StoreFailureError,
    UnavailableListError,
)
from ocsgw.protocol.messages import KV
from ocsgw.store.sqlite_text import DoNotCallText, ListText

_json = msgspec.json.Encoder()
_pack = msgspec.msgpack.Encoder()
_unpack = msgspec.msgpack.Decoder(dict[str, object])

# These concern one statement or one table; every other error means that the store itself fails (C41).
_OF_A_STATEMENT = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH})


class SQLiteTransaction:
    """One write transaction; the methods are those of `contact.transaction.Transaction`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        lists: Mapping[CallingList, ListText | None],
        do_not_call: DoNotCallText | None,
        do_not_call_widths: tuple[int, int],
    ) -> None:
        self._connection = connection
        self._lists = lists
        self._do_not_call = do_not_call
        self._widths = do_not_call_widths

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside if an exception leaves the block."""
        self._connection.execute("SAVEPOINT run")
        try:
            yield
        except BaseException as error:
            if isinstance(error, sqlite3.Error) and primary_code(error) not in _OF_A_STATEMENT:
                raise StoreFailureError(str(error)) from error
            self._connection.execute("ROLLBACK TO run")
            self._connection.execute("RELEASE run")
            raise
        self._connection.execute("RELEASE run")

    def stored_answers(self, keys: Sequence[tuple[str, str]], now: int) -> dict[tuple[str, str], StoredAnswer]:
        """Return the answers stored under (principal, key) that have not expired."""
        rows = self._connection.execute(
            "SELECT s.principal, s.key, s.fingerprint, s.event, s.expires_at"
            " FROM json_each(?) AS k CROSS JOIN ocsgw_idempotency AS s"
            " ON s.principal = json_extract(k.value, '$[0]') AND s.key = json_extract(k.value, '$[1]')"
            " WHERE s.expires_at > ?",
            (_text(keys), now),
        )
        return {
            (principal, key): StoredAnswer(mark, cast("KV", _unpack.decode(event)), expires_at)
            for principal, key, mark, event, expires_at in rows
        }

    def store_answers(self, answers: Mapping[tuple[str, str], StoredAnswer]) -> None:
        """Store answers under (principal, key)."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO ocsgw_idempotency (principal, key, fingerprint, event, expires_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                (principal, key, answer.fingerprint, _pack.encode(answer.event), answer.expires_at)
                for (principal, key), answer in answers.items()
            ],
        )

    def forget_answers(self, now: int, at_most: int) -> int:
        """Delete answers that have expired, at most so many; return how many there were (H329)."""
        return self._connection.execute(
            "DELETE FROM ocsgw_idempotency WHERE (principal, key) IN"
            " (SELECT principal, key FROM ocsgw_idempotency WHERE expires_at <= ? LIMIT ?)",
            (now, at_most),
        ).rowcount

    def highest_ids(self, calling_list: CallingList) -> tuple[int, int]:
        """Return the highest record id and chain id of a list, 0 without rows."""
        record_id, chain_id = self._query(calling_list, self._text_of(calling_list).highest_ids).fetchone()
        return record_id or 0, chain_id or 0

    def chain_ends(self, calling_list: CallingList, chain_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest `chain_n` of those chains that exist."""
        rows = self._query(calling_list, self._text_of(calling_list).chain_ends, _text(list(chain_ids)))
        return {chain_id: chain_n or 0 for chain_id, chain_n in rows}

    def insert_records(self, calling_list: CallingList, records: Sequence[NewRecord]) -> None:
        """Insert rows."""
        self._query(calling_list, self._text_of(calling_list).insert, _text(records))

    def blocked(self, calling_list: CallingList, probes: Sequence[Probe], now: int) -> set[int]:
        """Return the places of those probes that an entry of the do-not-call table covers."""
        text = self._do_not_call_text()
        scope = {"tenant": calling_list.tenant.dbid, "list": calling_list.dbid, "now": now}
        places = {row[0] for row in self._connection.execute(text.blocked, {**scope, "probes": _text(probes)})}
        odd = self._connection.execute(text.beyond_ascii, scope).fetchall()
        if odd:
            covered = {(normal_contact(phone), campaign) for phone, campaign in odd}
            for place, probe in enumerate(probes):
                if (probe.contact, 0) in covered or (probe.contact, probe.campaign_dbid) in covered:
                    places.add(place)
        return places

    def find_by_contact(self, calling_list: CallingList, contact: str) -> list[Match]:
        """Return the records whose contact has this normal form (K40)."""
        found = self._query(calling_list, self._text_of(calling_list).find_by_contact, contact)
        matches = {row[0]: Match(*row) for row in found}
        return [match for match in matches.values() if normal_contact(match.contact_info) == contact]

    def find_by_customer_id(self, calling_list: CallingList, customer_id: str) -> list[Match]:
        """Return the records with this customer id (K42); none if the list has no such field."""
        text = self._text_of(calling_list).find_by_customer_id
        return [] if text is None else [Match(*row) for row in self._query(calling_list, text, customer_id)]

    def find_by_chain(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Match]:
        """Return all records of chains."""
        text = self._text_of(calling_list).find_by_chain
        return [Match(*row) for row in self._query(calling_list, text, _text(list(chain_ids)))]

    def mark_do_not_call(self, calling_list: CallingList, record_ids: Sequence[int]) -> None:
        """Mark records: type 7, call result 51, status 3 unless in process (H262)."""
        self._query(calling_list, self._text_of(calling_list).mark_do_not_call, _text(record_ids))

    def add_do_not_call(self, entries: Sequence[DoNotCallEntry], now: int) -> None:
        """Make entries, except those that exist with the same scope and without an end (H264)."""
        rows = [
            (*msgspec.structs.astuple(entry), normal_contact(entry.phone) if entry.phone is not None else None)
            for entry in entries
        ]
        self._connection.execute(self._do_not_call_text().insert, {"entries": _text(rows), "now": now})

    def do_not_call_widths(self) -> tuple[int, int]:
        """Return how many characters the columns for contacts and customer ids take (K44)."""
        return self._widths

    def _text_of(self, calling_list: CallingList) -> ListText:
        text = self._lists.get(calling_list)
        if text is None:
            raise UnavailableListError(calling_list.name)
        return text

    def _do_not_call_text(self) -> DoNotCallText:
        if self._do_not_call is None:
            raise StoreFailureError("the do-not-call table is not open")
        return self._do_not_call

    def _query(self, calling_list: CallingList, text: str, *parameters: object) -> sqlite3.Cursor:
        try:
            return self._connection.execute(text, parameters)
        except sqlite3.OperationalError as error:
            if primary_code(error) == sqlite3.SQLITE_ERROR:
                # Somebody has changed or dropped the table while we run (K16).
                raise UnavailableListError(f"{calling_list.name}: {error}") from error
            raise


def primary_code(error: sqlite3.Error) -> int:
    """Return the primary result code of an error of SQLite."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _text(value: object) -> str:
    return _json.encode(value).decode("utf-8")
