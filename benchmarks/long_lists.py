"""How long PreviewRecordRequest and AddRecord take on PostgreSQL with a short and with a long list.

The requests go straight to the rules on the real store, each in a transaction of its own, on both lists in turn.
"""

import random
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks.compare import progress
from benchmarks.next_record import directory_of
from ocsgw.contact.batch import execute
from ocsgw.contact.opening import prepare
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.execution.guids import random_guid
from ocsgw.protocol.messages import KV
from ocsgw.protocol.requests import request_named
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.postgresql_store import PostgreSQLSettings
from tests.support.reports import unreported

SHORT = 10_000
_REQUESTS = 300
_FILLED_AT_ONCE = 500_000
_MOST_GROWTH = 1.5
_INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename = %s AND starts_with(indexname, 'ocsgw_ix_')"
_SESSION = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
_FILL = """INSERT INTO "{table}" (record_id, contact_info, contact_info_type, record_type, record_status, call_result,
  attempt, dial_sched_time, call_time, daily_from, daily_till, tz_dbid, campaign_id, chain_id, chain_n, cust_id)
  SELECT n, (2000000000 + floor(random() * 7999999999))::bigint::text, 4, 2, 1, 28, 0, 0, (n::bigint * 7919) %% 1000003,
  0, 86399, 101, {campaign}, n, 0, 'C-' || floor(random() * 100000000)::bigint
  FROM generate_series(%s::integer, %s::integer) AS n"""


class _Times(NamedTuple):
    """Milliseconds: of the request, of processor time of the rules, and of the database's session."""

    whole: float
    rules: float
    database: float


class LongList:
    """A list of so many records in a database, and a server of its own, without its sockets, that serves it."""

    def __init__(self, url: str, count: int) -> None:
        self.directory = directory_of(201 if count == SHORT else 202, f"CL_{count}")
        (calling_list,) = self.directory.calling_lists
        self._name = calling_list.name
        self._settings = PostgreSQLSettings(url, prepared_statements=True)
        self._open().close()
        with psycopg.connect(url, password=PASSWORD, autocommit=True) as connection:
            self._fill(connection, count, calling_list.dbid + 100)
        # It makes the indexes and counts what is there, as for a list that somebody else has made.
        self.store = self._open()
        self._transact(prepare)
        with psycopg.connect(url, password=PASSWORD, autocommit=True) as connection:
            ((session,),) = connection.execute(_SESSION).fetchall()
        self._session = Path(f"/proc/{session}/schedstat")

    def _open(self) -> PostgreSQLEngine:
        store = PostgreSQLEngine(self._settings, unreported)
        store.open(self.directory)
        return store

    def _fill(self, connection: "psycopg.Connection[tuple[Any, ...]]", count: int, campaign: int) -> None:
        for (name,) in connection.execute(_INDEXES, (self._name,)).fetchall():
            connection.execute(f'DROP INDEX "{name}"'.encode())
        for first in range(1, count + 1, _FILLED_AT_ONCE):
            last = min(count, first + _FILLED_AT_ONCE - 1)
            progress(f"filling a list: {last:,} of {count:,} records")
            connection.execute(_FILL.format(table=self._name, campaign=campaign).encode(), (first, last))

    def _transact(self, function: Callable[[UnitOfWork], object]) -> None:
        with self.store.transaction(5.0) as tx:
            unit = UnitOfWork(tx, int(time.time()), self.directory, random_guid)
            function(unit)
            unit.store_outbox()

    def _spent(self) -> float:
        return int(self._session.read_text(encoding="ascii").split()[0]) / 1e9

    def preview(self) -> _Times:
        """Ask for a record."""
        data: KV = {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102}
        return self._timed([PendingRequest(request_named("PreviewRecordRequest"), data)], "PreviewRecord")

    def add(self, count: int) -> _Times:
        """Add so many records in one batch."""
        requests = []
        for _ in range(count):
            data: KV = {
                "GSW_CALLING_LIST": self._name,
                "GSW_PHONE": str(random.randrange(2_000_000_000, 9_999_999_999)),
                "GSW_PHONE_TYPE": 4,
                "CustomerID": f"C-{random.randrange(100_000_000)}",
            }
            requests.append(PendingRequest(request_named("AddRecord"), data))
        return self._timed(requests, "AddRecordAcknowledge")

    def _timed(self, requests: list[PendingRequest], expected: str) -> _Times:
        def carry_out(unit: UnitOfWork) -> None:
            for outcome in execute(unit, requests, _raise):
                if not isinstance(outcome.reply, dict) or outcome.reply["GSW_USER_EVENT"] != expected:
                    raise RuntimeError(f"not {expected}: {outcome.reply}")

        begun, rules, database = time.perf_counter(), time.thread_time(), self._spent()
        self._transact(carry_out)
        ended = time.perf_counter(), time.thread_time(), self._spent()
        return _Times(*(1000 * (after - before) for after, before in zip(ended, (begun, rules, database), strict=True)))

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def _raise(pending: PendingRequest, error: Exception) -> None:
    raise error


# What is measured, by its name.
_KINDS: Mapping[str, Callable[[LongList], _Times]] = {
    "PreviewRecordRequest": lambda each: each.preview(),
    "AddRecord": lambda each: each.add(1),
    "AddRecord, 32 in a batch": lambda each: each.add(32),
}


def report(server: PostgreSQL, count: int) -> None:
    """Print a line for each kind of request: medians at 10,000 and at `count` records, their ratio, the verdict."""
    print(f"\nOn PostgreSQL, ms (median of {_REQUESTS}) {SHORT:>17,} {count:>12,}  ratio of times, of processor times")
    lists = [LongList(server.make_database(name), size) for name, size in (("short", SHORT), ("long", count))]
    progress("")
    try:
        measure(lists)
    finally:
        for each in lists:
            each.close()


def measure(lists: list[LongList]) -> None:
    """Print what two lists take."""
    for name, request in _KINDS.items():
        for each in lists:
            for _ in range(10):
                request(each)
        times: list[list[_Times]] = [[], []]
        for _ in range(_REQUESTS):
            for at, each in enumerate(lists):
                times[at].append(request(each))
        (short, short_work), (long, long_work) = (
            (
                statistics.median(each.whole for each in of_list),
                statistics.median(each.rules + each.database for each in of_list),
            )
            for of_list in times
        )
        verdict = "not more than 1.5" if long <= _MOST_GROWTH * short else "MORE THAN 1.5"
        print(
            f"{name:40} {short:9.2f} {long:12.2f} {long / short:6.2f} {verdict}"
            f"   processor time {short_work:.2f} {long_work:.2f} {long_work / short_work:.2f}"
        )
