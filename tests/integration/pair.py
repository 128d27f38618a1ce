"""Two real servers of a pair on one store, and clients that go to whoever is primary."""

import http.client
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import PATIENCE, ROOT, Server
from tests.support.postgresql import PASSWORD, shared_postgresql
from tests.support.postgresql_store import new_database

LEASE, RENEWAL = 2.0, 0.4
# How much longer than the lease a takeover may take (C84): judged by `make soak` on a quiet machine; `make test` judges
# what happens, on any machine.
MARGIN = 2.0 if "OCSGW_PAIR_KILLS" in os.environ else 20.0


def free_port() -> int:
    """Return a port of the loopback interface that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PairServer(Server):
    """One server of a pair; its folder is beside that of the other one, its ports are its own."""

    def __init__(
        self, folder: Path, name: str, database: str | None, *, mode: str = "pair", url: str = "", **options: Any
    ) -> None:
        self.name = name
        self.mode = mode
        # The address of a database elsewhere.
        self.url = url
        # The name of a database of the PostgreSQL of the tests; without one the store is a file.
        self.database = database
        self.admin_port = free_port()
        self.http_port = free_port()
        super().__init__(folder / name, application='state_dir = "var"', **options)
        self.port = self.http_port
        self.configure()

    def configure(self, **changes: str) -> None:
        """Write the configuration file."""
        super().configure(**changes)
        url = f"sqlite:///{self.folder.parent / 'store.sqlite'}"
        password = ""
        if self.database is not None or self.url:
            url = self.url or shared_postgresql().url(self.database or "")
            secret = self.folder / "password"
            secret.write_text(PASSWORD, encoding="utf-8")
            secret.chmod(0o600)
            password = '\npassword_file = "password"\nconnect_timeout = "2s"'
        text = self.config.read_text(encoding="utf-8").replace(
            'url = "sqlite:///var/ocsgw.sqlite"',
            f'url = "{url}"{password}\n[ha]\nenabled = true\nmode = "{self.mode}"\nname = "{self.name}"\n'
            f'lease_time = "{LEASE}s"\nrenew_interval = "{RENEWAL * 1000:g}ms"\n'
            '[[listener]]\nid = "admin"\nprotocol = "admin"\n'
            f'interface = "127.0.0.1"\nport = {self.admin_port}',
        )
        self.config.write_text(text, encoding="utf-8")

    def start(self, **options: Any) -> "PairServer":
        """Start and wait until it is ready to take over, or is the primary."""
        before = self.log().count(" 93141 ")
        self.spawn(**options)
        self.wait_until(lambda: self.log().count(" 93141 ") > before + 1)
        return self

    def ask(self, path: str = "/readyz") -> int | None:
        """Return the status of an answer of the admin listener, None without one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=1.0)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response.status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `ocsctl` on this server."""
        return subprocess.run(
            [sys.executable, "-m", "ocsgw.ctl", "--config", str(self.config), *arguments],
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the store of both as another program does; of PostgreSQL all values are texts."""
        if self.database is not None:
            return [tuple(row) for row in shared_postgresql().query(query, self.database)]
        with closing(sqlite3.connect(self.folder.parent / "store.sqlite", timeout=PATIENCE)) as connection:
            return connection.execute(query, parameters).fetchall()

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.poll() is None


class Pair:
    """Both servers. The first that is started is the primary."""

    def __init__(self, test: SynchronousTestCase, *, postgresql: bool = False, **options: Any) -> None:
        """Make both; `options` are those of `PairServer`."""
        database = new_database(test).rpartition("/")[2] if postgresql else None
        folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        test.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.servers = tuple(PairServer(folder, name, database, **options) for name in ("one", "two"))
        for each in self.servers:
            test.addCleanup(each.stop)

    def start(self) -> "Pair":
        """Start both and wait until the first one serves."""
        for each in self.servers:
            each.start()
            self.wait_for_primary()
        return self

    def primary(self) -> PairServer | None:
        """Return the server that says it takes requests, None without one."""
        found = [each for each in self.servers if each.ask() == 200]
        return found[0] if found else None

    def wait_for_primary(self, other_than: PairServer | None = None, patience: float = PATIENCE) -> PairServer:
        """Wait until a server takes requests."""
        end = time.monotonic() + patience
        while True:
            found = self.primary()
            if found is not None and found is not other_than:
                return found
            if time.monotonic() > end:
                logs = "\n".join(f"{each.name}:\n{each.log()[-3000:]}" for each in self.servers)
                raise AssertionError(f"no primary within {patience} s; {logs}")
            time.sleep(0.02)

    def other(self, server: PairServer) -> PairServer:
        """Return the other server."""
        return self.servers[1 - self.servers.index(server)]
