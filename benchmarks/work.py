"""Fetching, reporting, adding: what a day's work costs beside adding alone, and as lists grow."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing

from benchmarks.compare import interleave, progress
from benchmarks.report import Report, row_of
from benchmarks.runner import Load, Peer

_SMALL = 10_000
_FILLED_AT_ONCE = 500_000
_FILLING_CACHE_KIB = 1 << 20


def fill(peer: Peer, records: int, table: str = "CL_Test", campaign: int = 301) -> None:
    """Put so many records with random phones and customer ids into a list of a server, as another program would."""
    with closing(sqlite3.connect(peer.folder / "ocsgw.sqlite", isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA cache_size = -{_FILLING_CACHE_KIB}")
        for first in range(1, records + 1, _FILLED_AT_ONCE):
            last = min(records, first + _FILLED_AT_ONCE - 1)
            progress(f"filling a list: {last:,} of {records:,} records")
            connection.execute(
                "WITH RECURSIVE n(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
                f" INSERT INTO {table} (record_id, contact_info, contact_info_type, record_type, record_status,"
                " call_result, attempt, dial_sched_time, call_time, daily_from, daily_till, tz_dbid, campaign_id,"
                " chain_id, chain_n, cust_id)"
                " SELECT n, printf('%d', 2000000000 + abs(random()) % 7999999999), 4, 2, 1, 28, 0, 0, 0, 0, 86399, 102,"
                f" {campaign}, n, 0, printf('C-%08d', abs(random()) % 100000000) FROM n",
                (first, last),
            )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    # What was filled in is on the disk before anything is measured, as the list of a server that has run for long.
    with (peer.folder / "ocsgw.sqlite").open("r+b") as stream:
        os.fsync(stream.fileno())


def working_day(report: Report, rounds: int, seconds: int, records: int) -> None:
    """Measure fetch and report, and the mixed load, beside our own AddRecord in the same round."""
    print(f"\nA list of {records:,} records; the ratio is to our own AddRecord with random keys in the same round")
    connections = (32, 256)
    loads: dict[str, dict[tuple[str, int], list[Load]]] = {"random": {}, "claims": {}, "mixed": {}}
    for round_ in range(rounds):
        for kind, found in loads.items():
            got = interleave(("ocsgw",), connections, 1, seconds, kind=kind, prepare=lambda peer: fill(peer, records))
            for key, of_round in got.items():
                found.setdefault(key, []).extend(of_round)
        progress(f"round {round_ + 1} of {rounds} done")
    progress("")
    for count in connections:
        adding = loads["random"]["ocsgw", count]
        report.add(row_of("work", "AddRecord", "AddRecord", count, adding, adding, records=records))
        claims = loads["claims"]["ocsgw", count]
        report.add(
            row_of(
                *("work", "PreviewRecordRequest, RecordProcessed", "AddRecord", count, claims, adding),
                unit="cpu",
                records=records,
                at_most=1.3,
            )
        )
        mixed = loads["mixed"]["ocsgw", count]
        report.add(row_of("work", "mixed load", "AddRecord", count, mixed, adding, records=records, at_least=0.6))
        for of_kind in (claims, mixed):
            for wrong in ("Handed out twice", "Empty"):
                count_of = sum(_count(load.output, wrong) for load in of_kind)
                if count_of:
                    raise RuntimeError(f"{wrong}: {count_of} times; nothing was measured")


def growth(report: Report, rounds: int, seconds: int, sizes: Sequence[int]) -> None:
    """Measure AddRecord with random keys as the list grows; the ratio is CPU to the shortest list."""
    print(f"\nAddRecord with random phones and customer ids, 256 connections; the ratio is CPU to {_SMALL:,} records")
    loads: dict[int, list[Load]] = {}
    for round_ in range(rounds):
        for size in (_SMALL, *sizes):
            progress(f"round {round_ + 1} of {rounds}: {size:,} records")
            got = interleave(
                *(("ocsgw",), (256,), 1, seconds),
                kind="random",
                prepare=lambda peer, size=size: fill(peer, size),  # type: ignore[misc]
            )
            loads.setdefault(size, []).extend(got["ocsgw", 256])
    for size, found in loads.items():
        report.add(
            row_of(
                *("growth", "AddRecord, random keys", f"{_SMALL} records", 256, found, loads[_SMALL]),
                unit="cpu",
                records=size,
                at_most=1.35 if size != _SMALL else None,
            )
        )
        report.figure(
            f"longest wait to p50 at {size}",
            max(load.longest for load in found) / min(load.p50 for load in found),
            f"{'longest wait, times p50':44} {max(load.longest / load.p50 for load in found):6.1f}",
        )


def _count(output: str, name: str) -> int:
    return sum(int(line.partition(":")[2]) for line in output.splitlines() if line.startswith(f"{name}:"))
