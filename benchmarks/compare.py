"""Peers under the same load in turn, round by round; ratios count."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.runner import ROOT, Load, Peer
from ocsgw import speedups

WHAT = {
    "nginx": "nginx, return 200",
    "front": "ocsgw, HTTP front alone",
    "tree": "ocsgw, HTTP front alone, resource tree",
    "asgi": "uvicorn, plain ASGI",
    "twisted": "stock twisted.web",
    "ocsgw": "ocsgw, both processes, durable",
    "workers": "ocsgw, workers = 2, durable",
    "before": "ocsgw as it was before",
    "starlette": "Starlette + sqlite3, commit per request",
    "ocsgw-postgresql": "ocsgw on PostgreSQL, durable",
    "starlette-postgresql": "Starlette + psycopg, commit per request",
    "fastapi": "FastAPI + SQLAlchemy, commit per request",
}

Prepare = Callable[[Peer], None]


def interleave(
    names: Sequence[str],
    connections: Sequence[int],
    rounds: int,
    seconds: int,
    *,
    kind: str = "constant",
    pinned: bool = False,
    before: Path | None = None,
    prepare: Prepare | None = None,
) -> dict[tuple[str, int], list[Load]]:
    """Return the loads of each peer and number of connections, one for each round.

    `before` is the tree of an earlier version, for the peer of that name; `prepare` is called once a peer has started.
    """
    results: dict[tuple[str, int], list[Load]] = {}
    for round_ in range(rounds):
        for name in names:
            progress(f"round {round_ + 1} of {rounds}: {WHAT[name]}, {kind}")
            peer = peer_of(name, pinned=pinned, before=before)
            try:
                peer.start()
                if prepare is not None:
                    prepare(peer)
                # The first second warms caches up and is not counted.
                peer.load(min(connections), 1, kind, seed=round_ * 100)
                for count in connections:
                    load = peer.load(count, seconds, kind, seed=round_ * 100 + count)
                    results.setdefault((name, count), []).append(load)
            finally:
                peer.stop()
    progress("")
    return results


def peer_of(name: str, *, pinned: bool = False, before: Path | None = None) -> Peer:
    """Return a peer by its name."""
    if name == "before":
        if before is None:
            raise ValueError("name the earlier version with --before")
        return Peer("ocsgw", root=before, pinned=pinned)
    return Peer(name, pinned=pinned)


@contextmanager
def earlier(revision: str | None) -> Iterator[Path | None]:
    """Check an earlier revision out into a temporary folder, with its compiled parts where this one uses its own."""
    if revision is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-before-"))
    try:
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", revision], capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
        if speedups.is_used() and (folder / "ocsgw/speedups").exists():
            progress("compiling the earlier revision")
            build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
            subprocess.run(build, cwd=folder, check=True, capture_output=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def progress(text: str) -> None:
    """Show what is being measured, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
