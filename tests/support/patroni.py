"""Two PostgreSQL servers under Patroni, as etc/patroni/patroni.yml has them, with an etcd of their own."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.support.postgresql import _end, _folder, _free_port, _give, _program, _run, _spawn

_EXAMPLE = Path(__file__).resolve().parents[2] / "etc" / "patroni" / "patroni.yml"
# Times of the example are those of a site.
_QUICKER = {"ttl: 20": "ttl: 8", "loop_wait: 5": "loop_wait: 1", "retry_timeout: 5": "retry_timeout: 3"}
# An election, or a copy of a database, on a machine that does other things too (seconds).
_PATIENCE = 120.0
NAMES = ("one", "two")


class Patroni:
    """The cluster. `password` is that of the user ocsgw in the database of this name."""

    password = "tests-only"

    def __init__(self) -> None:
        self.folder = _folder("ocsgw-patroni-")
        self.ports = {name: _free_port() for name in NAMES}
        self._apis = {name: _free_port() for name in NAMES}
        self._etcd = _free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> "Patroni":
        """Start all of it, and wait until the standby has everything."""
        client, peer = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{_free_port()}"
        self._spawn(
            "etcd",
            *("etcd", "--data-dir", str(self.folder / "etcd"), "--initial-cluster", f"default={peer}"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        )
        for name in NAMES:
            self.start_one(name)
        self.wait_for_standby()
        return self

    def start_one(self, name: str) -> None:
        """Start one of the two, perhaps again."""
        changes = {
            "name: one": f"name: {name}",
            "127.0.0.1:8008": f"127.0.0.1:{self._apis[name]}",
            "127.0.0.1:2379": f"127.0.0.1:{self._etcd}",
            "127.0.0.1:5432\n": f"127.0.0.1:{self.ports[name]}\n",
            "/var/lib/postgresql/ocsgw-one": str(self._data(name)),
            "/var/lib/postgresql/pgpass-one": str(self.folder / f"pgpass-{name}"),
            "/var/run/postgresql": str(self.folder),
            **_QUICKER,
        }
        text = _EXAMPLE.read_text(encoding="utf-8")
        for example, real in changes.items():
            if example not in text:
                raise AssertionError(f"the example has no {example!r}")
            text = text.replace(example, real)
        text = re.sub(r"bin_dir: \S+", f"bin_dir: {Path(_program('postgres')).parent}", text)
        file = self.folder / f"{name}.yml"
        file.write_text(text, encoding="utf-8")
        _give(file)
        self._spawn(name, "patroni", str(file))

    def _spawn(self, name: str, program: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = _spawn([_program(program), *arguments], log.fileno())

    def _data(self, name: str) -> Path:
        return self.folder / f"data-{name}"

    def roles(self) -> dict[str, str]:
        """Return who is what, as far as somebody says it."""
        for port in self._apis.values():
            with contextlib.suppress(OSError, ValueError, KeyError):
                address = f"http://127.0.0.1:{port}/cluster"
                with urllib.request.urlopen(address, timeout=2) as answer:
                    return {each["name"]: each["role"] for each in json.load(answer)["members"]}
        return {}

    def takes_writes(self, name: str) -> bool:
        """Whether one of the two is the primary by now, as the database says."""
        return self.query(name, "SELECT pg_is_in_recovery()", "postgres", check=False) == "f"

    def wait_for_standby(self) -> tuple[str, str]:
        """Wait until there are a primary and a standby that has everything; return their names."""
        end = time.monotonic() + _PATIENCE
        while True:
            found = {role: name for name, role in self.roles().items()}
            if {"leader", "sync_standby"} <= found.keys():
                return found["leader"], found["sync_standby"]
            if time.monotonic() > end:
                logs = {each.name: each.read_text(encoding="utf-8")[-3000:] for each in self.folder.glob("*.log")}
                raise AssertionError(f"no primary with a standby: {found}; {logs}")
            time.sleep(0.1)

    def make_database(self) -> None:
        """Make user and database as the example says."""
        primary, _ = self.wait_for_standby()
        self.query(primary, f"CREATE ROLE ocsgw LOGIN PASSWORD '{self.password}'", "postgres")
        self.query(primary, "CREATE DATABASE ocsgw OWNER ocsgw", "postgres")

    def query(self, name: str, sql: str, database: str = "ocsgw", *, check: bool = True) -> str:
        """Carry out a statement on one of the two and return what it gives as text."""
        address = f"host={self.folder} port={self.ports[name]} user=postgres dbname={database}"
        done = _run(_program("psql"), "-XqAt", "-d", address, "-c", sql)
        if check and done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    def kill(self, name: str) -> None:
        """End one of the two, with its database, as a loss of its machine does."""
        self._processes.pop(name).kill()
        self._end_database(name)

    def _end_database(self, name: str) -> None:
        with contextlib.suppress(OSError, IndexError):
            pid = int((self._data(name) / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
            if str(self._data(name)).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """Stop all of it and remove everything it had."""
        for name in (*NAMES, "etcd"):
            if name in self._processes:
                _end(self._processes.pop(name), signal.SIGTERM)
                self._end_database(name)
        shutil.rmtree(self.folder, ignore_errors=True)
