"""`make soak`: the long forms of the tests, part by part, each with its progress, its duration and its result.

`make soak ONLY="pair database"` runs some of them; a table of what was seen is in build/soak/results.md in the end.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.support.rounds import SHOWN

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "build" / "soak"


@dataclass(frozen=True)
class Part:
    """Tests that belong together; `minutes` is about how long they take on a machine with 2 cores.

    `variables` are what makes these tests long; without them they are those of `make test`.
    """

    name: str
    what: str
    minutes: float
    tests: Sequence[str]
    variables: Mapping[str, int]


_INTEGRATION = "tests.integration.test_"

PARTS = (
    Part(
        "pair",
        "a pair under load on PostgreSQL and on SQLite: 50 kills, 50 freezes, 100 switch-overs of the primary each",
        30,
        (f"{_INTEGRATION}switches", f"{_INTEGRATION}pair"),
        {"OCSGW_PAIR_KILLS": 50, "OCSGW_PAIR_FREEZES": 50, "OCSGW_SWITCHES": 100},
    ),
    Part(
        "failover",
        "two databases with synchronous replication: 20 promotions under load, with one server and with a pair",
        10,
        (f"{_INTEGRATION}failover",),
        {"OCSGW_FAILOVERS": 20},
    ),
    Part(
        "database",
        "a database under load: 50 times each restarted, out of connections, out of space; frozen for 20 s; cut off",
        10,
        (f"{_INTEGRATION}postgresql",),
        {"OCSGW_DATABASE_ROUNDS": 50, "OCSGW_DATABASE_FREEZES": 5, "OCSGW_DATABASE_FREEZE": 20},
    ),
    Part(
        "gateways",
        "three gateways, 30 clients and one list of 100,000 records; a gateway killed meanwhile",
        30,
        (f"{_INTEGRATION}gateways",),
        {"OCSGW_GATEWAY_RECORDS": 100_000},
    ),
    Part(
        "move",
        "a store of a million records moved to PostgreSQL; the copy is killed 50 times",
        10,
        (f"{_INTEGRATION}move",),
        {"OCSGW_MOVE_KILLS": 50},
    ),
    Part(
        "imports",
        "an import of 200,000 rows; ocsctl or the server is killed 50 times",
        10,
        (f"{_INTEGRATION}imports",),
        {"OCSGW_IMPORT_KILLS": 50, "OCSGW_IMPORT_ROWS": 200_000},
    ),
    Part(
        "kills",
        "one server under load: 200 ends of OCS, its HTTP Proxy or both; freezes; workers that are replaced",
        15,
        (f"{_INTEGRATION}kills", f"{_INTEGRATION}freeze", f"{_INTEGRATION}workers"),
        {"OCSGW_KILLS": 200, "OCSGW_HEARTBEAT": 3, "OCSGW_RENEWALS": 30},
    ),
    Part(
        "notifications",
        "outgoing notifications: 50 kills while they are sent",
        5,
        (f"{_INTEGRATION}notification_kills",),
        {"OCSGW_NOTIFICATION_KILLS": 50},
    ),
    Part(
        "hostile",
        "2,000 idle and 400 slow clients, port scans, 20,000 pipelined requests; 10,000 reloads of TLS, 1,000 new keys",
        20,
        (f"{_INTEGRATION}hostile", f"{_INTEGRATION}tls", f"{_INTEGRATION}access"),
        {
            "OCSGW_SCANS": 50,
            "OCSGW_IDLE": 2000,
            "OCSGW_SLOW": 400,
            "OCSGW_PIPELINED": 20_000,
            "OCSGW_TLS_RELOADS": 10_000,
            "OCSGW_KEY_ROTATIONS": 1000,
        },
    ),
    Part(
        "inputs",
        "generated inputs: requests, bodies, rules against their model, texts for the log; 100,000 previews",
        60,
        (
            "tests.proxy.test_fuzz",
            "tests.test_logs",
            "tests.access.test_permissions",
            "tests.contact.test_all_requests",
            "tests.contact.test_many_clients",
            "tests.operations.test_explain",
            "tests.store.test_copying",
            f"{_INTEGRATION}openapi",
        ),
        {
            "OCSGW_FUZZ_EXAMPLES": 100_000,
            "OCSGW_LOG_EXAMPLES": 20_000,
            "OCSGW_RULE_EXAMPLES": 2000,
            "OCSGW_PREVIEW_RECORDS": 100_000,
            "OCSGW_EXPLAIN_SITUATIONS": 2000,
            "OCSGW_OPENAPI_EXAMPLES": 2000,
        },
    ),
)


@dataclass(frozen=True)
class Result:
    """What became of a part: exit status, seconds, and the load of the machine at the end."""

    part: Part
    status: int
    seconds: float
    load: float


def table(results: Iterable[Result], day: str) -> str:
    """Return results as a table in Markdown."""
    rows = [
        f"| {each.part.name} | {each.part.what} | {'passed' if each.status == 0 else 'FAILED'} |"
        f" {each.seconds / 60:.1f} min | {each.load:.1f} |\n"
        for each in results
    ]
    head = f"Of {day}.\n\n| part | what it does | result | duration | load |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(rows)


def run(part: Part) -> Result:
    """Run a part; what it prints is in build/soak, too."""
    print(f"\n== {part.name}: {part.what}\n== about {part.minutes:g} min", flush=True)  # noqa: T201
    began = time.monotonic()
    environment = {**os.environ, SHOWN: "1", **{name: str(value) for name, value in part.variables.items()}}
    temporary = f"--temp-directory={RESULTS / part.name}"
    command = [sys.executable, "-u", "-m", "twisted.trial", temporary, *part.tests]
    with (RESULTS / f"{part.name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        assert process.stdout is not None
        while piece := process.stdout.read(65536):
            log.write(piece)
            log.flush()
            sys.stdout.buffer.write(piece)
            sys.stdout.flush()
    return Result(part, process.wait(), time.monotonic() - began, os.getloadavg()[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are named, or all; return 1 if one has failed."""
    parser = argparse.ArgumentParser(prog="make soak ONLY=...", description="The long forms of the tests.")
    names = [part.name for part in PARTS]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(names)}; all by default")
    wanted = parser.parse_args(arguments).parts
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(names)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    chosen = [part for part in PARTS if part.name in wanted or not wanted]
    print(f"about {sum(part.minutes for part in chosen):g} min in all", flush=True)  # noqa: T201
    results: list[Result] = []
    for part in chosen:
        results.append(run(part))
        text = table(results, datetime.now(UTC).strftime("%Y-%m-%d"))
        (RESULTS / "results.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten: {RESULTS / 'results.md'}")  # noqa: T201
    return int(any(each.status for each in results))


if __name__ == "__main__":
    sys.exit(main())
