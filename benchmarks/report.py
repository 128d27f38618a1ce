"""What was measured: rows of one table, a file for machines, and a picture."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.runner import ROOT, Load
from ocsgw.interpreter import description, is_optimized


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `ratio` is that of `unit` (rate or cpu) to the same figure of `base` in the same round: median, least, greatest.
    `goal` says what it should be, empty without a goal; `met` whether it is. `records` is how many the list has at
    first.
    """

    part: str
    what: str
    base: str
    connections: int
    records: int
    pinned: bool
    unit: str
    ratio: float
    least: float
    greatest: float
    rate: float
    p50: float
    p99: float
    longest: float
    cpu: float
    errors: int
    goal: str = ""
    met: bool | None = None


@dataclass
class Report:
    """The rows of one run, and where it was made."""

    rows: list[Row] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Keep and print a row."""
        self.rows.append(row)
        place = f"{row.connections} conn" + (f", {row.records:,} records" if row.records else "")
        verdict = "" if row.met is None else f"  {row.goal}: {'met' if row.met else 'MISSED'}"
        print(
            f"{row.what:44} {place:24} {row.ratio:6.2f} ({row.least:.2f}-{row.greatest:.2f}) {row.rate:8.0f}/s"
            f" p50 {row.p50:7.2f} p99 {row.p99:8.2f} max {row.longest:8.1f} ms {row.cpu:7.1f} us"
            f"{f' {row.errors} errors' if row.errors else ''}{verdict}",
            flush=True,
        )

    def figure(self, name: str, value: float, text: str) -> None:
        """Keep and print a single figure."""
        self.figures[name] = value
        print(text, flush=True)

    def write(self, folder: Path) -> None:
        """Write `bench.json` and `bench.png` into a folder that is there."""
        content = {
            "machine": machine(),
            "rows": [asdict(row) for row in self.rows],
            "figures": self.figures,
        }
        (folder / "bench.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written: {folder / 'bench.json'}")
        if draw(self.rows, folder / "bench.png"):
            print(f"written: {folder / 'bench.png'}")


def row_of(
    part: str,
    what: str,
    base: str,
    connections: int,
    ours: Sequence[Load],
    theirs: Sequence[Load],
    *,
    unit: str = "rate",
    records: int = 0,
    pinned: bool = False,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """Return the row of one peer: its rounds beside those of `base`."""
    ratios = [getattr(a, unit) / max(getattr(b, unit), 1e-9) for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    goal, met = "", None
    if at_least is not None:
        goal, met = f"at least {at_least:g}", ratio >= at_least
    elif at_most is not None:
        goal, met = f"at most {at_most:g}", ratio <= at_most

    def median(name: str) -> float:
        return float(statistics.median(getattr(load, name) for load in ours))

    return Row(
        part,
        what,
        base,
        connections,
        records,
        pinned,
        unit,
        ratio,
        min(ratios),
        max(ratios),
        median("rate"),
        median("p50"),
        median("p99"),
        max(load.longest for load in ours),
        median("cpu"),
        sum(load.errors for load in ours),
        goal,
        met,
    )


def machine() -> dict[str, object]:
    """Return what ran the measurement."""
    revision = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "revision": revision.stdout.strip(),
        "python": platform.python_version(),
        "optimized": is_optimized(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }


def head() -> str:
    """Return one line on interpreter and machine."""
    return f"{description()}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the run; {sys.executable}"


def draw(rows: Sequence[Row], path: Path) -> bool:
    """Draw throughput and latency by connections, and cost by records; False without anything to draw."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    durable = [row for row in rows if row.part == "durable" and not row.pinned]
    durable = durable or [row for row in rows if row.part == "durable"]
    growth = [row for row in rows if row.part == "growth"]
    if not durable and not growth:
        return False
    figure, (rates, waits, costs) = plt.subplots(1, 3, figsize=(16, 5))
    for what in dict.fromkeys(row.what for row in durable):
        of_peer = sorted((row for row in durable if row.what == what), key=lambda row: row.connections)
        connections = [row.connections for row in of_peer]
        rates.plot(connections, [row.rate for row in of_peer], marker="o", label=what)
        waits.plot(connections, [row.p99 for row in of_peer], marker="o", label=what)
    for axis, title in ((rates, "requests per second"), (waits, "p99, ms")):
        axis.set(xscale="log", yscale="log", xlabel="connections", title=title)
        axis.grid(visible=True, which="both", alpha=0.3)
    if durable:
        rates.legend(fontsize=8)
    for what in dict.fromkeys(row.what for row in growth):
        of_kind = sorted((row for row in growth if row.what == what), key=lambda row: row.records)
        costs.plot([row.records for row in of_kind], [row.cpu for row in of_kind], marker="o", label=what)
    costs.set(xscale="log", xlabel="records in the list", title="processor time a request, us")
    costs.grid(visible=True, which="both", alpha=0.3)
    if growth:
        costs.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True
