"""Pre-dial validation under load: how many records a second, and what others notice of a server that hangs."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.compare import progress
from benchmarks.report import Report, row_of
from benchmarks.runner import ROOT, Load, Peer, answers, free_port
from benchmarks.work import fill

_ANSWER = 0.05
_HANGS = 3600.0
# Connections to the server of validation: at 50 ms an answer ten are 200 records a second at the very best.
_POOL = 16
_CONNECTIONS = 32
# More clients of a server that hangs than OCS takes requests of one HTTP Proxy at a time.
_HANGING = 1200
_RECORDS = 100_000
_MORE = """
[[calling_list]]
dbid = 202
name = "CL_Asked"
table = "CL_Asked"
pre_dial_validation = true
validation_uri = "http://127.0.0.1:{port}/validate"
field = [{{ name = "cust_id", type = "varchar", length = 64, send_attribute = "CustomerID" }}]
[[campaign]]
dbid = 302
name = "Campaign2"
calling_lists = ["CL_Asked"]
[[campaign_group]]
dbid = 103
campaign = "Campaign2"
group = "Group1"
state = "started"
[pre_dial_validation]
http_connection_pool_size = {pool}
"""


def outgoing(report: Report, rounds: int, seconds: int) -> None:
    """Measure a server that answers in 50 ms, then what a group without validation notices of one that hangs."""
    print(f"\nPre-dial validation, {_POOL} connections to its server")
    rates = []
    for round_ in range(rounds):
        progress(f"round {round_ + 1} of {rounds}: validation")
        with _server(_ANSWER) as peer:
            peer.load(_CONNECTIONS, 1, "asked")
            rates.append(peer.load(_CONNECTIONS, seconds, "asked"))
    progress("")
    for load in rates:
        report.figure("validated records/s", load.rate, f"{'validated records a second':48} {load.rate:6.0f}/s")
    alone, beside = [], []
    for round_ in range(rounds):
        progress(f"round {round_ + 1} of {rounds}: a server that hangs")
        with _server(_HANGS) as peer:
            peer.load(_CONNECTIONS, 1, "claims")
            alone.append(peer.load(_CONNECTIONS, seconds, "claims"))
            beside.append(_beside(peer, seconds))
    progress("")
    report.add(
        row_of(
            *("outgoing", "another group, validation hangs, p99", "the same without", _CONNECTIONS, beside, alone),
            unit="p99",
            at_most=1.5,
        )
    )


def _beside(peer: Peer, seconds: int) -> Load:
    """Return the load of a group without validation while many ask for records that have to be validated."""
    hanging = threading.Thread(target=peer.load, args=(_HANGING, seconds + 4, "patient"))
    hanging.start()
    time.sleep(3)
    try:
        return peer.load(_CONNECTIONS, seconds, "claims")
    finally:
        hanging.join()


@contextmanager
def _server(delay: float) -> Iterator[Peer]:
    """Run a server with a list that is validated and one that is not, both full, and its server of validation."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.validator", str(port), str(delay)]
    peer = Peer("ocsgw")
    peer.more = _MORE.format(port=port, pool=_POOL)
    with subprocess.Popen(command, cwd=ROOT) as validator:
        try:
            while not answers(port):
                time.sleep(0.01)
            peer.start()
            for table in ("CL_Test", "CL_Asked"):
                fill(peer, _RECORDS, table, 301 if table == "CL_Test" else 302)
            yield peer
        finally:
            peer.stop()
            validator.terminate()
