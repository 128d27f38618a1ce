"""A healthy client in a process of its own: adds records at a steady pace and measures how long each answer takes.

Run as `python -m tests.integration.healthy PORT PER_SECOND`; it ends with its standard input and prints its figures.
"""

import http.client
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Self

from tests.integration.server import PATIENCE, ROOT

# Every so many requests on a connection a new one is made, as the port must stay open for those who come later.
_PER_CONNECTION = 10


@dataclass
class Figures:
    """What the client has seen: `worst` and `p99` in milliseconds, and what went wrong."""

    count: int
    p50: float
    p99: float
    worst: float
    failures: list[str] = field(default_factory=list)


class HealthyClient:
    """Runs the process beside whatever the test does; `figures` has the outcome after the end of the block."""

    def __init__(self, port: int, per_second: float = 50) -> None:
        self._command = [sys.executable, "-m", "tests.integration.healthy", str(port), str(per_second)]
        self.figures = Figures(0, 0, 0, 0)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self._process.stdout is not None
        # It begins only when it can, or its own start would be measured.
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        output, _error = self._process.communicate(timeout=2 * PATIENCE)
        self.figures = Figures(**json.loads(output))


def add_records(port: int, per_second: float) -> Figures:
    """Add records until standard input ends."""
    times: list[float] = []
    failures: list[str] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        due += 1 / per_second
        began = time.monotonic()
        try:
            body = json.dumps({"GSW_PHONE": f"7{len(times):09d}"})
            connection.request("POST", "/lists/CL_Test?req=AddRecord", body)
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                failures.append(f"{response.status} {content!r}")
        except (OSError, http.client.HTTPException) as error:
            failures.append(repr(error))
            connection.close()
        times.append(1000 * (time.monotonic() - began))
        if len(times) % _PER_CONNECTION == 0:
            connection.close()
    times.sort()
    return Figures(len(times), times[len(times) // 2], times[int(0.99 * len(times))], times[-1], failures[:20])


if __name__ == "__main__":
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    print(json.dumps(add_records(int(sys.argv[1]), float(sys.argv[2])).__dict__))  # noqa: T201 - the test reads it
