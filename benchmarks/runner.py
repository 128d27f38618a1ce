"""Starting servers, loading them with wrk, and reading what they cost."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scripts import TARGET, script_of

ROOT = Path(__file__).resolve().parents[1]
# The variable with the address of the database for peers on PostgreSQL.
DATABASE = "OCSGW_BENCH_DATABASE"
# So many seconds at most a server takes to start, or to leave its port to the next one.
_PATIENCE = 30
_TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = """
[application]
dbid = 134
customer_id = "cust_id"
[[listener]]
id = "default"
protocol = "http"
port = {port}
{tls}
[store]
url = "sqlite:///ocsgw.sqlite"
[[time_zone]]
dbid = 102
name = "PST"
zone = "America/Los_Angeles"
[[calling_list]]
dbid = 201
name = "CL_Test"
table = "CL_Test"
field = [
  {{ name = "cust_id", type = "varchar", length = 64, send_attribute = "CustomerID" }},
  {{ name = "disposition", type = "varchar", length = 64, send_attribute = "Disposition" }},
  {{ name = "segment", type = "varchar", length = 32, send_attribute = "Segment" }},
  {{ name = "remarks", type = "varchar", length = 255, send_attribute = "Remarks" }},
]
[[campaign]]
dbid = 301
name = "Campaign1"
calling_lists = ["CL_Test"]
[[campaign_group]]
dbid = 102
campaign = "Campaign1"
group = "Group1"
state = "started"
[log]
level = "warning"
{more}
"""

NGINX = """
worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  server {{
    listen 127.0.0.1:{port}{ssl};
    {tls}
    location / {{ default_type application/json; return 200 '{{"GSW_USER_EVENT":"AddRecordAcknowledge"}}'; }}
  }}
}}
"""


@dataclass(frozen=True)
class Load:
    """What one run of load gave: requests per second, latencies in milliseconds, processor time per request in us.

    `output` is what else the script of the load has printed.
    """

    rate: float
    p50: float
    p99: float
    longest: float
    cpu: float
    errors: int
    output: str = ""


class Peer:
    """A server under load, in a folder of its own.

    `root` is the tree that `ocsgw` runs from, another one for an earlier version. `pinned` keeps all its processes on
    the first core and the load on the second.
    """

    def __init__(self, name: str, *, root: Path = ROOT, pinned: bool = False) -> None:
        self.name = name
        self.root = root
        self.pinned = pinned
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-bench-"))
        self.port = free_port()
        # "https" with lines for the configuration of its TLS; see benchmarks.tls.
        self.scheme = "http"
        self.tls = ""
        # What else the configuration of ocsgw has.
        self.more = ""
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Return the command that starts the server."""
        if self.name in ("ocsgw", "workers", "ocsgw-postgresql"):
            path = self.folder / "ocsgw.toml"
            listener = f"workers = 2\n{self.tls}" if self.name == "workers" else self.tls
            text = CONFIG.format(port=self.port, tls=listener, more=self.more)
            if self.name == "ocsgw-postgresql":
                text = text.replace(
                    'url = "sqlite:///ocsgw.sqlite"', f'url = "{os.environ[DATABASE]}"\nprepared_statements = true'
                )
            path.write_text(text, encoding="utf-8")
            return [sys.executable, "-m", "ocsgw", "run", "--config", str(path)]
        if self.name == "nginx":
            path = self.folder / "nginx.conf"
            path.write_text(
                NGINX.format(port=self.port, folder=self.folder, tls=self.tls, ssl=" ssl" if self.tls else ""),
                encoding="utf-8",
            )
            return ["nginx", "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(path)]
        return [sys.executable, "-m", "benchmarks.peers", self.name, str(self.port), str(self.folder)]

    def start(self) -> float:
        """Start the server and return the seconds until it answered a connection."""
        began = time.monotonic()
        # After kill -9 of OCS its child accepts until it sees the end of the link.
        while answers(self.port):
            if time.monotonic() - began > _PATIENCE:
                raise RuntimeError(f"port {self.port} is in use by another program")
            time.sleep(0.001)
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._on_core(0), *self.command()],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(self.root)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() - began > _PATIENCE:
                text = (self.folder / "log").read_text(encoding="utf-8")
                raise RuntimeError(f"{self.name} does not start:\n{text}")
            time.sleep(0.002)
        return time.monotonic() - began

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self) -> list[int]:
        """Return the processes of the server."""
        if self.process is None:
            return []
        return family(self.process.pid)

    def _on_core(self, core: int) -> list[str]:
        return ["taskset", "-c", str(core)] if self.pinned else []

    def load(self, connections: int, seconds: int, kind: str = "constant", seed: int = 1) -> Load:
        """Send requests of a kind (`benchmarks.scripts`) over kept connections and return what came of it."""
        script = self.folder / "load.lua"
        script.write_text(script_of(kind, seed), encoding="utf-8")
        url = f"{self.scheme}://127.0.0.1:{self.port}{TARGET}"
        before = sum(cpu_of(pid) for pid in self.pids())
        done = subprocess.run(
            [
                *self._on_core(1),
                *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        spent = sum(cpu_of(pid) for pid in self.pids()) - before
        return read_wrk(done.stdout, spent)


def read_wrk(text: str, cpu_seconds: float) -> Load:
    """Return what wrk has printed."""
    total = int(re.search(r"(\d+) requests in", text).group(1))  # type: ignore[union-attr]  # wrk prints it
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))  # type: ignore[union-attr]  # as above
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = int(refused.group(1)) if refused else 0
    errors += sum(map(int, broken.groups())) if broken else 0
    summary = re.search(r"Latency +\S+ +\S+ +([\d.]+)(us|ms|s)", text)
    longest = _milliseconds(summary) if summary is not None else float("nan")
    cpu = cpu_seconds / max(1, total) * 1e6
    return Load(rate, latency(text, "50%"), latency(text, "99%"), longest, cpu, errors, text)


def latency(text: str, which: str) -> float:
    """Return a latency of wrk's table in milliseconds."""
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s)", text)
    return _milliseconds(found) if found is not None else float("nan")


def _milliseconds(found: re.Match[str]) -> float:
    return float(found.group(1)) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found.group(2)]


def answers(port: int) -> bool:
    """Whether somebody accepts connections on a port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as lookup:
        lookup.bind(("127.0.0.1", 0))
        port: int = lookup.getsockname()[1]
        return port


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    pids = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        pids += family(int(child))
    return pids


def cpu_of(pid: int) -> float:
    """Return the processor seconds of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_of(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
