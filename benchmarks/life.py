"""Start, restart after a kill, and memory."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import time

from benchmarks.compare import progress
from benchmarks.report import Report
from benchmarks.runner import Peer, answers, free_port, memory_of
from benchmarks.work import fill

# What a child cannot be quicker than: an interpreter with what every Twisted server with TLS needs.
_BARE = "import twisted.web.server, twisted.internet.ssl"
_RECONNECT_TIMEOUT = 10


def life(report: Report, rounds: int, records: int) -> None:
    """Print start-up, restart after kill -9 of either process, memory, and the start with a list of so many records."""
    starts, parents, children, bare, idle = [], [], [], [], 0.0
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
            children.append(time.monotonic() - killed - _RECONNECT_TIMEOUT)
            bare.append(_interpreter_after(_RECONNECT_TIMEOUT))
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
    stopped, killed = _starts_with(records)
    middle = statistics.median
    ratio = middle([ours / theirs for ours, theirs in zip(children, bare, strict=True)])
    for name, value, unit in (
        ("start until the port answers", middle(starts), "s"),
        ("the same after kill -9 of both processes", middle(parents), "s"),
        ("after kill -9 of the child, beyond the timeout", middle(children), "s"),
        ("the same to an interpreter that imports Twisted", ratio, "times"),
        (f"start with {records:,} records", stopped, "s"),
        ("the same after kill -9", killed, "s"),
        ("resident memory of OCS", memory[0], "MiB"),
        ("resident memory of HTTP Proxy", memory[1], "MiB"),
        ("memory for each idle connection", idle, "KiB"),
    ):
        report.figure(name, value, f"{name:48} {value:6.2f} {unit}")


def _interpreter_after(seconds: float) -> float:
    """Return how long an interpreter takes to import what it needs, after as quiet a time as the child has before it.

    A machine that has had nothing to do is slower at first, by half and more on a shared host: two processes are only
    comparable where both begin on it.
    """
    nobody = free_port()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answers(nobody)
        time.sleep(0.002)
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", _BARE], check=True)
    return time.monotonic() - began


def _starts_with(records: int) -> tuple[float, float]:
    """Return the seconds until the port answers with a list of so many records: after a stop, and after kill -9."""
    peer = Peer("ocsgw")
    taken = []
    try:
        peer.start()
        fill(peer, records)
        for number in (signal.SIGTERM, signal.SIGKILL):
            progress(f"start with {records:,} records")
            peer.load(32, 1, "random")
            if peer.process is not None:
                peer.process.send_signal(number)
                peer.process.wait()
            taken.append(peer.start())
    finally:
        progress("")
        peer.stop()
    return taken[0], taken[1]
