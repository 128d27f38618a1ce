"""A real server for integration tests: started as a user starts it, on a free port, in a folder of its own."""

import atexit
import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
[application]
name = "OCS"
dbid = 134
reconnect_timeout = "{reconnect}"
customer_id = "cust_id"
{application}
[[listener]]
id = "default"
protocol = "http"
interface = "127.0.0.1"
port = {port}
public_host = "ocs.example"
{listener}
[store]
{store}
[[time_zone]]
dbid = 101
name = "GMT"
zone = "Etc/UTC"
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
[[calling_list]]
dbid = 202
name = "CL_CALLBACK"
table = "CL_CALLBACK"
field = [
  {{ name = "state", type = "varchar", length = 16, send_attribute = "STATE" }},
  {{ name = "last_name", type = "varchar", length = 64, send_attribute = "CONTACT_LAST_NAME" }},
  {{ name = "first_name", type = "varchar", length = 64, send_attribute = "CONTACT_FST_NAME" }},
  {{ name = "client_id", type = "varchar", length = 32, send_attribute = "client-id" }},
  {{ name = "var_005", type = "varchar", length = 32, send_attribute = "VAR_005" }},
]
[[calling_list]]
dbid = 203
name = "Liste été"
table = "liste_ete"
field = [ {{ name = "nom", type = "varchar", length = 64, send_attribute = "nom" }} ]
[[campaign]]
dbid = 301
name = "Campaign1"
description = "Example campaign"
calling_lists = ["CL_Test", "CL_CALLBACK"]
[[campaign]]
dbid = 302
name = "Campagne"
calling_lists = ["Liste été"]
[[campaign_group]]
dbid = 102
campaign = "Campaign1"
group = "Group1"
state = "started"
record_timeout = "10m"
[[treatment]]
dbid = 401
name = "busy"
call_result = 6
action = "retry_in"
interval = "15m"
max_attempts = 5
[log]
level = "debug"
{more}
"""

STORE = 'url = "sqlite:///var/ocsgw.sqlite"'

_READY = re.compile(r"93002 .* ready on https?://127\.0\.0\.1:(\d+)")
_STARTED = re.compile(r"93001 .* process id (\d+)")
# Everything that is waited for comes well within this time, in seconds, even on a loaded machine.
PATIENCE = 30.0


class Server:
    """One OCS with its HTTP Proxy. The port is chosen by the system and kept over restarts."""

    def __init__(
        self,
        folder: Path,
        *,
        reconnect: str = "300ms",
        application: str = "",
        store: str = STORE,
        listener: str = "",
        more: str = "",
        command: tuple[str, ...] = ("-m", "ocsgw", "run", "--config"),
    ) -> None:
        self.folder = folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "ocsgw.toml"
        self.log_path = folder / "log"
        self._form = {
            "reconnect": reconnect,
            "application": application,
            "store": store,
            "listener": listener,
            "more": more,
        }
        self._command = command
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.configure()

    def configure(self, **changes: str) -> None:
        """Write the configuration file."""
        self._form.update(changes)
        self.config.write_text(CONFIG.format(port=self.port, **self._form), encoding="utf-8")

    def spawn(self, output: IO[bytes] | None = None, **options: Any) -> None:
        """Start the parent without waiting for anything; `output` instead of the log file, `options` as of Popen."""
        self._log = output or self.log_path.open("ab")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("environment", {})}
        self._process = subprocess.Popen(
            [sys.executable, *self._command, str(self.config)],
            cwd=self.folder,
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            env=environment,
            **options,
        )

    def start(self, **options: Any) -> "Server":
        """Start, with `options` as of `spawn`, and wait until it serves."""
        before = len(_READY.findall(self.log()))
        self.spawn(**options)
        self.wait_until(lambda: len(_READY.findall(self.log())) > before)
        chosen = self.port == 0
        self.port = int(_READY.findall(self.log())[-1])
        self.configure()
        if chosen:
            # The system has chosen the port; from here on it is the configured one.
            self.reload()
        return self

    def reload(self) -> None:
        """Let it read its configuration again, and wait until it has."""
        before = self.log().count(" 93013 ")
        os.kill(self.pid, signal.SIGHUP)
        self.wait_until(lambda: self.log().count(" 93013 ") > before)

    def log(self) -> str:
        """Return what was written to the log so far."""
        return self.log_path.read_text(encoding="utf-8") if self.log_path.exists() else ""

    def wait_until(self, condition: Any, patience: float = PATIENCE) -> None:
        """Wait for a condition; the log is in the error if it does not come."""
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited {patience} s in vain; the log:\n{self.log()[-4000:]}")
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"the server ended with {self._process.poll()}; the log:\n{self.log()[-4000:]}")
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        """The process id of OCS."""
        assert self._process is not None
        return self._process.pid

    @property
    def child_pid(self) -> int:
        """The process id of the newest HTTP Proxy."""
        return int(_STARTED.findall(self.log())[-1])

    def serves(self) -> bool:
        """Whether the port answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def kill_parent(self) -> None:
        """kill -9 OCS and take its status."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Wait for the end of OCS and return its status."""
        assert self._process is not None
        status = self._process.wait(PATIENCE)
        if self._log is not None:
            self._log.close()
            self._log = None
        self._process = None
        return status

    def stop(self) -> int:
        """Stop as an operator does and return the status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def post(self, target: str, body: object = None, headers: dict[str, str] | None = None) -> "Answer":
        """Send one POST on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            connection.request("POST", target, data, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def exchange(self, raw: bytes) -> bytes:
        """Send raw bytes, half-close, and return everything that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            pieces = []
            while piece := connection.recv(65536):
                pieces.append(piece)
            return b"".join(pieces)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the store as another program does."""
        with sqlite3.connect(self.folder / "var" / "ocsgw.sqlite", timeout=PATIENCE) as connection:
            return connection.execute(query, parameters).fetchall()

    def write(self, query: str, *parameters: object) -> None:
        """Change the store as another program does."""
        connection = sqlite3.connect(self.folder / "var" / "ocsgw.sqlite", timeout=PATIENCE)
        with connection:
            connection.execute(query, parameters)
        connection.close()


def make_server(test: SynchronousTestCase, **options: Any) -> Server:
    """Return a server that has not been started, in a folder that goes with the test."""
    # Not the folder of the test: the path of a UNIX socket is limited.
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
    test.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    server = Server(folder, **options)
    test.addCleanup(server.stop)
    return server


@functools.cache
def shared_server(**options: Any) -> Server:
    """Return a running server that serves tests until the end of the run."""
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
    server = Server(folder, **options)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.stop)
    return server.start()


class Answer:
    """An HTTP answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        """The body, read as strict JSON."""
        return json.loads(self.body, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
