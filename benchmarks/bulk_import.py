"""The import of a large file into a running server, while AddRecord over HTTP goes on."""

import http.client
import random
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.runner import ROOT, Peer, cpu_of, memory_of
from benchmarks.scripts import BODY, TARGET

_CLIENTS = 4
# Each client sends, waits for the answer, and pauses so long.
_PAUSE = 0.02
_HEADER = "GSW_PHONE,GSW_PHONE_TYPE,GSW_FROM,GSW_UNTIL,GSW_TZ_NAME,GSW_ATTEMPTS,CustomerID,Segment,Remarks\r\n"


def bulk_import(rows: int) -> None:
    """Import a file of so many rows and print its speed, the memory of both sides, and what HTTP clients felt."""
    peer = Peer("ocsgw")
    try:
        peer.start()
        file = peer.folder / "records.csv"
        write_file(file, rows)
        beside = _Beside(peer.port)
        beside.run(3.0)
        alone = beside.take()
        command = [sys.executable, "-m", "ocsgw.ctl", "-c", str(peer.folder / "ocsgw.toml")]
        began = time.monotonic()
        ctl = subprocess.Popen(
            [*command, "list", "import", "CL_Test", str(file)], cwd=peer.folder, env={"PYTHONPATH": str(ROOT)}
        )
        threads = beside.start()
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
        beside.end(threads)
        if ctl.returncode != 0:
            raise RuntimeError(f"the import ended with {ctl.returncode}")
    finally:
        peer.stop()
    print(f"import of {rows} rows, {rows / seconds:.0f} rows/s in {seconds:.1f} s, the start of ocsctl included")
    print(f"processor time, us per row: {', '.join(f'{name} {each / rows * 1e6:.0f}' for name, each in spent.items())}")
    print(f"peak resident memory, MiB: {', '.join(f'{name} {peak:.0f}' for name, peak in peaks.items())}")
    for when, latencies in (("alone", alone), ("beside the import", beside.take())):
        print(f"AddRecord {when}: {describe(latencies)}")


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


def describe(latencies: list[float]) -> str:
    """Return what clients felt, in milliseconds."""
    cuts = statistics.quantiles(latencies, n=100)
    return (
        f"{len(latencies)} requests, p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms,"
        f" longest {max(latencies) * 1000:.0f} ms"
    )


class _Beside:
    """Clients that add records one by one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._latencies: list[float] = []
        self._ended = threading.Event()

    def run(self, seconds: float) -> None:
        threads = self.start()
        time.sleep(seconds)
        self.end(threads)

    def start(self) -> list[threading.Thread]:
        self._ended.clear()
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        return threads

    def end(self, threads: list[threading.Thread]) -> None:
        self._ended.set()
        for thread in threads:
            thread.join()

    def take(self) -> list[float]:
        latencies, self._latencies = self._latencies, []
        return latencies

    def _work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._ended.is_set():
            began = time.monotonic()
            connection.request("POST", TARGET, BODY, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"AddRecord was answered with {answer.status}")
            self._latencies.append(time.monotonic() - began)
            time.sleep(_PAUSE)
        connection.close()
