"""AddRecord on PostgreSQL, on disk before the answer, beside a commit for each request; and what long lists cost."""

import os

from benchmarks import long_lists
from benchmarks.compare import WHAT, interleave
from benchmarks.report import Report, row_of
from benchmarks.runner import DATABASE
from tests.support.postgresql import USER, PostgreSQL

_PEERS = ("ocsgw-postgresql", "starlette-postgresql")
_GOAL = 4.0


def database(report: Report, rounds: int, seconds: int, rows: int) -> None:
    """Measure both on one durable server that is there for the run, then requests on a list of so many `rows`."""
    print("\nAddRecord, 12 keys, 300 bytes, on PostgreSQL, all cores; the ratio is to Starlette in the same round")
    server = PostgreSQL(durable=True).start()
    try:
        server.make_database("bench")
        os.environ[DATABASE] = f"postgresql://{USER}@/bench?host={server.socket}&port={server.port}"
        loads = interleave(_PEERS, (32, 256), rounds, seconds)
        for count in (32, 256):
            for name in _PEERS:
                peer = loads["starlette-postgresql", count]
                goal = _GOAL if name == "ocsgw-postgresql" else None
                report.add(row_of("database", WHAT[name], "Starlette", count, loads[name, count], peer, at_least=goal))
        long_lists.report(server, rows)
    finally:
        server.remove()
