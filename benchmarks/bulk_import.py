"""The import of a large file into a running server, while AddRecord over HTTP goes on."""

import csv
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TextIO

from benchmarks.runner import ROOT, Load, Peer, cpu_of, memory_of, read_wrk
from benchmarks.scripts import TARGET, script_of

_CONNECTIONS = 32
_SECONDS_ALONE = 3
_HEADER = "GSW_PHONE,GSW_PHONE_TYPE,GSW_FROM,GSW_UNTIL,GSW_TZ_NAME,GSW_ATTEMPTS,CustomerID,Segment,Remarks\r\n"


def bulk_import(rows: int) -> None:
    """Import a file of so many rows and print its speed, the memory of both sides, and what HTTP clients felt.

    The speed is that of an import which has the server for itself; a second one, of another server, goes on beside
    clients.
    """
    peer = Peer("ocsgw")
    try:
        peer.start()
        file = peer.folder / "records.csv"
        write_file(file, rows)
        lone, _, _ = _import(peer, file)
        plain = plain_import(file, peer.folder / "plain.sqlite", peer.folder / "ocsgw.sqlite")
    finally:
        peer.stop()
    peer = Peer("ocsgw")
    try:
        peer.start()
        write_file(file := peer.folder / "records.csv", rows)
        clients = _Clients(peer)
        time.sleep(_SECONDS_ALONE)
        alone = clients.end()
        clients = _Clients(peer)
        seconds, spent, peaks = _import(peer, file)
        beside = clients.end()
    finally:
        peer.stop()
    print(f"import of {rows} rows, {rows / lone:.0f} rows/s in {lone:.1f} s, the start of ocsctl included")
    print(f"csv and executemany in one transaction: {rows / plain:.0f} rows/s; the import is {plain / lone:.2f} of it")
    print(f"beside {_CONNECTIONS} clients: {rows / seconds:.0f} rows/s in {seconds:.1f} s")
    print(f"processor time, us per row: {', '.join(f'{name} {each / rows * 1e6:.0f}' for name, each in spent.items())}")
    print(f"peak resident memory, MiB: {', '.join(f'{name} {peak:.0f}' for name, peak in peaks.items())}")
    for when, load in (("alone", alone), ("beside the import", beside)):
        print(f"AddRecord, {_CONNECTIONS} connections, {when}: {describe(load)}")
    print(f"p99 beside the import is {beside.p99 / alone.p99:.1f} of that without")


def _import(peer: Peer, file: Path) -> tuple[float, dict[str, float], dict[str, float]]:
    """Import a file into a server; return the seconds, and processor time in s and peak memory in MiB by process."""
    command = [sys.executable, "-m", "ocsgw.ctl", "-c", str(peer.folder / "ocsgw.toml")]
    began = time.monotonic()
    ctl = subprocess.Popen(
        [*command, "list", "import", "CL_Test", str(file)], cwd=peer.folder, env={"PYTHONPATH": str(ROOT)}
    )
    pids = dict(zip(("OCS", "HTTP Proxy", "ocsctl"), (*peer.pids()[:2], ctl.pid), strict=True))
    peaks, spent = dict.fromkeys(pids, 0.0), dict.fromkeys(pids, 0.0)
    before = {name: cpu_of(pid) for name, pid in pids.items()}
    while ctl.poll() is None:
        with suppress(OSError):
            for name, pid in pids.items():
                peaks[name] = max(peaks[name], memory_of(pid))
                spent[name] = max(spent[name], cpu_of(pid) - before[name])
        time.sleep(0.05)
    seconds = time.monotonic() - began
    if ctl.returncode != 0:
        raise RuntimeError(f"the import ended with {ctl.returncode}")
    return seconds, spent, peaks


def plain_import(file: Path, store: Path, like: Path) -> float:
    """Import a file with the standard library alone, into a table with the same indexes; return the seconds.

    One transaction, and the same checks of types: numbers, their ranges, a known time zone, lengths.
    """
    zones = {"PST": 102, "GMT": 101, "CET": 103}
    with closing(sqlite3.connect(like)) as source:
        made = source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'CL_Test' AND sql IS NOT NULL").fetchall()

    def number(text: str, most: int) -> int:
        value = int(text)
        if not 0 <= value <= most:
            raise ValueError(text)
        return value

    def rows(stream: TextIO) -> Iterator[tuple[object, ...]]:
        reader = csv.reader(stream)
        next(reader)
        for at, (phone, kind, since, until, zone, attempts, customer, segment, remarks) in enumerate(reader, 1):
            if not phone or len(phone) > 128 or len(customer) > 64 or len(segment) > 32 or len(remarks) > 255:
                raise ValueError(at)
            times = number(since, 86400), number(until, 86400), zones[zone]
            yield at, phone, number(kind, 9), *times, number(attempts, 10000), at, customer, segment, remarks

    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        for (statement,) in sorted(made, key=lambda each: not each[0].startswith("CREATE TABLE")):
            connection.execute(statement)
        began = time.monotonic()
        with file.open(encoding="utf-8", newline="") as stream:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO CL_Test (record_id, contact_info, contact_info_type, daily_from, daily_till, tz_dbid,"
                " attempt, chain_id, cust_id, segment, remarks, record_type, record_status, call_result,"
                " dial_sched_time, call_time, campaign_id, chain_n)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 2, 1, 28, 0, 0, 0, 0)",
                rows(stream),
            )
            connection.execute("COMMIT")
        return time.monotonic() - began


def write_file(path: Path, rows: int) -> None:
    """Write a file of different records."""
    chance = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(_HEADER)
        for number in range(rows):
            zone = ("PST", "GMT", "CET")[number % 3]
            window = f"{28800 + number % 3 * 1800},72000,{zone},0"
            stream.write(
                f"+1{chance.randrange(2_000_000_000, 9_999_999_999)},{number % 9},{window},"
                f'C-{number:08},segment {number % 40},"call again soon, ask for number {number}"\r\n'
            )


def describe(load: Load) -> str:
    """Return what clients felt, in milliseconds."""
    return f"{load.rate:.0f} requests/s, p50 {load.p50:.1f} ms, p99 {load.p99:.1f} ms, longest {load.longest:.0f} ms"


class _Clients:
    """32 connections on which records are added, with pauses between."""

    def __init__(self, peer: Peer) -> None:
        script = peer.folder / "load.lua"
        script.write_text(script_of("paced", 1), encoding="utf-8")
        url = f"http://127.0.0.1:{peer.port}{TARGET}"
        command = ["wrk", "-t1", f"-c{_CONNECTIONS}", "-d3600s", "--latency", "-s", str(script), url]
        self._wrk = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def end(self) -> Load:
        """End them and return what they have felt."""
        self._wrk.send_signal(signal.SIGINT)
        return read_wrk(self._wrk.communicate()[0], 0.0)
