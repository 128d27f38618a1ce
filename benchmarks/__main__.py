"""One table from one interleaved run: ocsgw beside what one would otherwise use (`make bench`).

Ratios come first: absolute numbers are those of this machine at this moment.
"""

import argparse
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import Sequence

from benchmarks import access, next_record, tls
from benchmarks.bulk_import import bulk_import
from benchmarks.runner import Load, Peer, answers, memory_of

ECHO = ("nginx", "front", "tree", "asgi", "twisted")
DURABLE = ("ocsgw", "starlette", "fastapi")
WHAT = {
    "nginx": "nginx, return 200 (two workers)",
    "front": "ocsgw, HTTP front alone, fast lane",
    "tree": "ocsgw, HTTP front alone, resource tree",
    "asgi": "uvicorn, plain ASGI",
    "twisted": "stock twisted.web",
    "ocsgw": "ocsgw, both processes, durable",
    "starlette": "Starlette + sqlite3, commit per request",
    "fastapi": "FastAPI + SQLAlchemy, commit per request",
}


def median(loads: Sequence[Load], field: str) -> float:
    """Return the median of one figure over the rounds."""
    return float(statistics.median(getattr(load, field) for load in loads))


def compare(names: Sequence[str], base: str, connections: Sequence[int], rounds: int, seconds: int) -> None:
    """Load peers in turn, round by round, and print their table."""
    results: dict[tuple[str, int], list[Load]] = {}
    for round_ in range(rounds):
        for name in names:
            progress(f"round {round_ + 1} of {rounds}: {WHAT[name]}")
            peer = Peer(name)
            try:
                peer.start()
                peer.load(min(connections), 1)
                for count in connections:
                    results.setdefault((name, count), []).append(peer.load(count, seconds))
            finally:
                peer.stop()
    progress("")
    print(
        f"\n{'':42} {'conns':>5} {'ratio':>6} {'req/s':>8} {'p50 ms':>7} {'p99 ms':>7} {'us cpu/req':>10} {'errors':>6}"
    )
    for count in connections:
        for name in names:
            loads = results[name, count]
            ratio = statistics.median(
                ours.rate / theirs.rate for ours, theirs in zip(loads, results[base, count], strict=True)
            )
            print(
                f"{WHAT[name]:42} {count:5} {ratio:6.2f} {median(loads, 'rate'):8.0f} {median(loads, 'p50'):7.2f}"
                f" {median(loads, 'p99'):7.2f} {median(loads, 'cpu'):10.1f} {sum(load.errors for load in loads):6}"
            )
        print()


def life(rounds: int) -> None:
    """Print start-up, restart after kill -9 of either process, and memory."""
    starts, parents, children, idle = [], [], [], 0.0
    memory: list[float] = []
    for _ in range(rounds):
        progress("start, restart, memory")
        peer = Peer("ocsgw")
        try:
            peer.start()
            peer.load(1, 1)
            child = peer.pids()[1]
            killed = time.monotonic()
            os.kill(child, signal.SIGKILL)
            while answers(peer.port):
                time.sleep(0.001)
            while not answers(peer.port):
                time.sleep(0.002)
            # The Reconnect Timeout of this configuration is the default.
            children.append(time.monotonic() - killed - 10)
            if peer.process is not None:
                peer.process.kill()
                peer.process.wait()
            parents.append(peer.start())
            starts.append(parents[-1])
            parent, child = peer.pids()[:2]
            memory = [memory_of(parent), memory_of(child)]
            connections = [socket.create_connection(("127.0.0.1", peer.port)) for _ in range(2000)]
            time.sleep(1)
            idle = (memory_of(child) - memory[1]) * 1024 / len(connections)
            for connection in connections:
                connection.close()
        finally:
            peer.stop()
    progress("")
    print(f"start until the port answers                     {statistics.median(starts):6.2f} s")
    print(f"the same after kill -9 of both processes         {statistics.median(parents):6.2f} s")
    print(f"after kill -9 of the child, beyond the timeout   {statistics.median(children):6.2f} s")
    print(f"resident memory, OCS / HTTP Proxy                {memory[0]:4.0f} / {memory[1]:.0f} MiB")
    print(f"memory for each idle connection                  {idle:6.1f} KiB")


def progress(text: str) -> None:
    """Show what is being measured, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def main() -> None:
    """Run what the command line asks for; everything by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parts = ["front", "durable", "tls", "access", "life", "import", "next"]
    parser.add_argument("what", nargs="*", choices=[*parts, []], help=", ".join(parts))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the import, and of the long list of next")
    arguments = parser.parse_args()
    what = arguments.what or parts
    if "front" in what:
        print("JSON in, JSON out; the ratio is to stock twisted.web in the same round")
        compare(ECHO, "twisted", (32,), arguments.rounds, arguments.seconds)
    if "durable" in what:
        print("AddRecord (12 keys, 300 bytes), on disk before the answer; the ratio is to Starlette in the same round")
        compare(DURABLE, "starlette", (1, 32, 256), arguments.rounds, arguments.seconds)
    if "tls" in what:
        tls.requests(arguments.rounds, arguments.seconds)
        tls.handshakes(arguments.rounds)
    if "access" in what:
        access.report(arguments.rounds)
    if "life" in what:
        life(1)
    if "import" in what:
        progress("")
        bulk_import(arguments.rows)
    if "next" in what:
        progress("")
        next_record.report(arguments.rows)


if __name__ == "__main__":
    main()
