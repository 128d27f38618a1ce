"""One table from one interleaved run: ocsgw beside what one would otherwise use (`make bench`).

Ratios come first: absolute numbers are those of this machine at this moment. `bench.json`, `bench.png` show the same.
"""

import argparse
from pathlib import Path

from benchmarks import access, next_record, tls
from benchmarks.bulk_import import bulk_import
from benchmarks.compare import WHAT, earlier, interleave
from benchmarks.database import database
from benchmarks.desktops import desktops
from benchmarks.events import events
from benchmarks.life import life
from benchmarks.outgoing import outgoing
from benchmarks.report import Report, head, row_of
from benchmarks.watched import watched
from benchmarks.work import growth, working_day

ECHO = ("nginx", "front", "tree", "asgi", "twisted")
DURABLE = ("ocsgw", "starlette", "fastapi")
PARTS = (
    "front",
    "durable",
    "database",
    "work",
    "growth",
    "tls",
    "access",
    "life",
    "import",
    "next",
    "desktops",
    "events",
    "outgoing",
    "watched",
)
# Connections -> what the durable path has to reach beside Starlette, on one core and on all.
_GOALS = {True: {1: 0.65, 32: 6.0, 256: 9.0}, False: {32: 7.0, 256: 11.0}}


def front(report: Report, rounds: int, seconds: int) -> None:
    """Measure the HTTP front without link and store."""
    print("\nJSON in, JSON out, no store, 32 connections; the ratio is to stock twisted.web in the same round")
    loads = interleave(ECHO, (32,), rounds, seconds)
    for name in ECHO:
        goal = 2.5 if name == "tree" else None
        row = row_of("front", WHAT[name], "stock twisted.web", 32, loads[name, 32], loads["twisted", 32], at_least=goal)
        report.add(row)
    ours = row_of(
        *("front", "ocsgw, HTTP front alone", "uvicorn, plain ASGI", 32, loads["front", 32], loads["asgi", 32]),
        at_least=1.4,
    )
    report.add(ours)


def durable(report: Report, rounds: int, seconds: int, before: Path | None, *, pinned: bool, kind: str) -> None:
    """Measure AddRecord, on disk before the answer."""
    where = "one core, the load on the other" if pinned else "all cores"
    print(f"\nAddRecord, 12 keys, 300 bytes ({kind}), {where}; the ratio is to Starlette in the same round")
    names = [*(("nginx",) if pinned else ("workers",)), *(("before",) if before else ()), *DURABLE]
    connections = (1, 32, 256)
    loads = interleave(names, connections, rounds, seconds, pinned=pinned, before=before, kind=kind)
    for count in connections:
        for name in names:
            goal = _GOALS[pinned].get(count) if name == "ocsgw" and kind == "constant" else None
            report.add(
                row_of(
                    *("durable", WHAT[name], "Starlette", count, loads[name, count], loads["starlette", count]),
                    pinned=pinned,
                    at_least=goal,
                )
            )
        ours = loads["ocsgw", count]
        if count == 256:
            waits = row_of(
                *("durable", "ocsgw, p99", "Starlette", count, ours, loads["starlette", count]),
                unit="p99",
                pinned=pinned,
                at_most=0.25,
            )
            report.add(waits)
        if pinned and count == 256:
            cost = row_of(
                *("durable", "ocsgw, processor time", "nginx, return 200", count, ours, loads["nginx", count]),
                unit="cpu",
                pinned=True,
                at_most=9,
            )
            report.add(cost)
        if before is not None:
            report.add(
                row_of(
                    *("durable", "ocsgw now", "ocsgw as it was before", count, ours, loads["before", count]),
                    pinned=pinned,
                )
            )


def main() -> None:
    """Run what the command line asks for; everything by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*PARTS, []], help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5, help="of each comparison (%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="of each load (%(default)s)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of long lists and of the import (%(default)s)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000_000, 5_000_000], help="of the lists of growth")
    parser.add_argument("--before", metavar="REVISION", help="an earlier revision, measured in the same rounds")
    parser.add_argument("--pinned", choices=("yes", "no", "both"), default="both", help="durable: servers on one core")
    parser.add_argument("--keys", choices=("constant", "random", "both"), default="both", help="durable: phones")
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="the folder for files (%(default)s)")
    arguments = parser.parse_args()
    try:
        # Half an hour later it would be a pity.
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output {arguments.output}: {error.strerror}")
    what = arguments.what or PARTS
    rounds, seconds = arguments.rounds, arguments.seconds
    report = Report()
    print(head())
    if "front" in what:
        front(report, rounds, seconds)
    if "durable" in what:
        with earlier(arguments.before) as before:
            for pinned in {"yes": (True,), "no": (False,), "both": (True, False)}[arguments.pinned]:
                kinds = ("constant", "random") if arguments.keys == "both" else (arguments.keys,)
                for kind in kinds:
                    durable(report, rounds, seconds, before, pinned=pinned, kind=kind)
    if "database" in what:
        database(report, rounds, seconds, arguments.rows)
    if "work" in what:
        working_day(report, rounds, seconds, arguments.rows)
    if "growth" in what:
        growth(report, rounds, seconds, arguments.sizes)
    if "tls" in what:
        tls.requests(rounds, seconds)
        tls.handshakes(rounds)
    if "access" in what:
        access.report(rounds)
    if "life" in what:
        life(report, min(3, rounds), arguments.rows)
    if "import" in what:
        bulk_import(arguments.rows)
    if "next" in what:
        next_record.report(arguments.rows)
    if "desktops" in what:
        desktops(report, rounds, 60)
    if "events" in what:
        events(report, rounds)
    if "outgoing" in what:
        outgoing(report, rounds, seconds)
    if "watched" in what:
        watched(report, rounds, max(seconds, 6))
    report.write(arguments.output)


if __name__ == "__main__":
    main()
