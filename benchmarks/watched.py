"""What it costs to be watched: an open first screen of the console that keeps itself up to date, and a Prometheus."""

import http.client
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager

from benchmarks.compare import progress
from benchmarks.report import Report, row_of
from benchmarks.runner import Load, Peer, answers, cpu_of, free_port

_MORE = """
[[listener]]
id = "admin"
protocol = "admin"
interface = "127.0.0.1"
port = {port}
"""
_CONNECTIONS = 32
# Prometheus asks four to sixty times less often.
_SCRAPE = 1.0
_SCREENS = 50


def watched(report: Report, rounds: int, seconds: int) -> None:
    """Compare the same server watched and unwatched, in turns of which the order changes."""
    print("\nAddRecord while the console is open and /metrics is read once a second; the ratio is to the same without")
    loads: dict[bool, list[Load]] = {False: [], True: []}
    port = free_port()
    peer = Peer("ocsgw")
    peer.more = _MORE.format(port=port)
    try:
        peer.start()
        while not answers(port):
            pass
        peer.load(_CONNECTIONS, 1)
        idle = [_spent(peer, port, seconds, is_watched=each) for each in (False, True)]
        for round_ in range(rounds):
            for is_watched in (False, True) if round_ % 2 else (True, False):
                progress(f"round {round_ + 1} of {rounds}: {'watched' if is_watched else 'unwatched'}")
                with _watching(port, is_watched=is_watched):
                    loads[is_watched].append(peer.load(_CONNECTIONS, seconds))
        screens = sorted(_first_screen(port) for _ in range(_SCREENS))
    finally:
        peer.stop()
    progress("")
    names = ("watched", "ocsgw, watched", "the same unwatched", _CONNECTIONS, loads[True], loads[False])
    report.add(row_of(*names, at_least=0.98))
    report.add(row_of(*names, unit="cpu", at_most=1.02))
    middle, longest = screens[_SCREENS // 2], screens[-1]
    report.figure("first screen, ms", middle, f"{'first screen of the console, median':48} {middle:6.1f} ms")
    report.figure("first screen at most, ms", longest, f"{'the longest of them':48} {longest:6.1f} ms")
    cost = max(0.0, idle[1] - idle[0])
    report.figure("watching, ms/s", cost, f"{'processor time of being watched, beside no load':48} {cost:6.1f} ms/s")


def _first_screen(port: int) -> float:
    """Return how many milliseconds the first screen takes to come."""
    begun = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        answer.read()
    return (time.perf_counter() - begun) * 1000


def _spent(peer: Peer, port: int, seconds: int, *, is_watched: bool) -> float:
    """Return how many milliseconds of processor time a second the server takes without load."""
    with _watching(port, is_watched=is_watched):
        before = sum(cpu_of(pid) for pid in peer.pids())
        time.sleep(seconds)
        return (sum(cpu_of(pid) for pid in peer.pids()) - before) / seconds * 1000


@contextmanager
def _watching(port: int, *, is_watched: bool) -> Iterator[None]:
    """Watch a server meanwhile, or do nothing."""
    over = threading.Event()
    watchers = [threading.Thread(target=each, args=(port, over)) for each in (_read_metrics, _look) if is_watched]
    for each in watchers:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in watchers:
            each.join()


def _read_metrics(port: int, over: threading.Event) -> None:
    while not over.wait(_SCRAPE):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            answer.read()


def _look(port: int, over: threading.Event) -> None:
    """Open the first screen, as a browser does, and take what it is kept up to date with."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.request("GET", "/live?page=/")
        stream = connection.getresponse()
        if stream.status != 200:
            raise RuntimeError(f"the console does not keep its page up to date: {stream.status}")
        while not over.is_set():
            stream.read1(1 << 16)
