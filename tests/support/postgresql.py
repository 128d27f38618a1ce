"""PostgreSQL and PgBouncer servers for tests: each in a folder of its own, on 127.0.0.1, ended by its process id."""

import atexit
import contextlib
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import psycopg
from psycopg.pq import ExecStatus

USER = "ocsgw"
PASSWORD = "tests-only"
# Everything that is waited for comes well within this time, in seconds, even on a loaded machine.
PATIENCE = 30.0
_SECONDS = int(PATIENCE)

_TRIES = 5
_AS_ROOT = () if os.geteuid() == 0 else ("sudo", "-n")
# Nothing here has to survive a loss of power; a server with `durable` does as a real one.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_INI = """
[databases]
* = host={socket} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
max_client_conn = 200
logfile =
pidfile =
"""


class PostgreSQL:
    """One server. `port` is on 127.0.0.1 and asks for a password; `socket` is a folder and asks for none.

    `settings` are further ones of postgresql.conf, written `name=value`, for the next start.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = _folder("ocsgw-pg-")
        self.socket = str(self.folder)
        self.port = 0
        self._durable = durable
        self.settings: list[str] = []
        self._mounted: list[Path] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._data = self.folder / "data"
        # Made once a run; a copy takes a tenth of the time.
        copied = _run("cp", "-a", str(_new_cluster()), str(self._data))
        if copied.returncode != 0:
            raise AssertionError(copied.stderr)

    @property
    def pid(self) -> int:
        """The process id of the server."""
        assert self._server is not None, "the server has not been started"
        return self._server.pid

    def start(self) -> "PostgreSQL":
        """Start, and wait until it takes connections. A port that another program took meanwhile is chosen again."""
        for _ in range(_TRIES):
            self.port = self.port or _free_port()
            options = ["listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.socket}"]
            options += [*(() if self._durable else _FAST), *self.settings]
            command = [
                _program("postgres"),
                "-D",
                str(self._data),
                *(word for each in options for word in ("-c", each)),
            ]
            with (self.folder / "log").open("ab") as log:
                self._server = _spawn(command, log.fileno())
            if _wait_for(self._is_ready, self._server):
                return self
            self.port = 0
        raise AssertionError(f"PostgreSQL did not start:\n{self.log()[-4000:]}")

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return len(lines) > 7 and lines[7].strip() == "ready" and int(lines[0]) == self.pid
        return False

    def keep(self, name: str, text: str) -> Path:
        """Write a file that only the server may read."""
        file = self.folder / name
        file.write_text(text, encoding="ascii")
        file.chmod(0o600)
        _give(file)
        return file

    def log(self) -> str:
        """Return what the server has logged."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def query(self, sql: str, database: str = "postgres") -> list[list[str]]:
        """Carry out statements, in one transaction, and return the rows of the last one as texts; null is empty."""
        try:
            # A psql for each would take longer than most statements.
            with psycopg.connect(
                host=self.socket, port=self.port, user=USER, dbname=database, autocommit=True, connect_timeout=_SECONDS
            ) as connection:
                found = connection.pgconn.exec_(sql.encode())
                if found.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
                    raise AssertionError(found.get_error_message())
                columns = range(found.nfields)
                return [
                    [(found.get_value(row, column) or b"").decode() for column in columns]
                    for row in range(found.ntuples)
                ]
        except psycopg.Error as error:
            raise AssertionError(str(error)) from error

    def make_database(self, name: str, template: str = "template1") -> str:
        """Make a database, as a copy of another one, and return its address for `[store] url`."""
        self.query(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def move_to_small_disk(self, name: str, mebibytes: int) -> Path:
        """Move the tables of a database that nobody uses onto a small file system, and return a folder on it.

        Only root may mount: another user needs `sudo` without a password.
        """
        place = self.folder / "small"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(place)]
        subprocess.run([*_AS_ROOT, *command], capture_output=True, timeout=PATIENCE, check=True)
        self._mounted.append(place)
        tables = place / "tables"
        tables.mkdir()
        _give(tables)
        self.query(f"CREATE TABLESPACE small LOCATION '{tables}'")
        self.query(f'ALTER DATABASE "{name}" SET TABLESPACE small')
        return place

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url(self, name: str, port: int | None = None) -> str:
        """Return the address of a database, perhaps by way of another port."""
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/{name}"

    def follow(self, primary: "PostgreSQL") -> "PostgreSQL":
        """Become a standby of another server, which has to run; what this one had is gone. It has to be started."""
        shutil.rmtree(self._data)
        address = f"host={primary.socket} port={primary.port} user={USER}"
        copied = _run(_program("pg_basebackup"), "-d", address, "-D", str(self._data), "-R", "--checkpoint=fast")
        if copied.returncode != 0:
            raise AssertionError(copied.stderr)
        with (self._data / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
            # Once it is promoted it has no standby of its own yet.
            settings.write("synchronous_standby_names = ''\n")
        return self

    def wait_for_standby(self) -> None:
        """Acknowledge commits only when the standby has them on its disk, too, and wait until it does."""
        self.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.query("SELECT pg_reload_conf()")
        end = time.monotonic() + PATIENCE
        while ["sync"] not in self.query("SELECT sync_state FROM pg_stat_replication"):
            if time.monotonic() > end:
                raise AssertionError(f"no standby:\n{self.log()[-4000:]}")
            time.sleep(0.05)

    def promote(self) -> None:
        """Make a standby the primary; it takes writes when this is done."""
        done = _run(_program("pg_ctl"), "promote", "-D", str(self._data), "-t", str(_SECONDS))
        if done.returncode != 0:
            raise AssertionError(done.stderr + done.stdout)

    def kill(self) -> None:
        """End it as a crash does; `start` then recovers."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(PATIENCE)
            self._server = None

    def stop(self) -> None:
        """Stop it and all of its processes; connections are closed."""
        if self._server is not None:
            _end(self._server, signal.SIGINT)
            self._server = None

    def remove(self) -> None:
        """Stop it and remove everything it had."""
        self.stop()
        for each in self._mounted:
            subprocess.run([*_AS_ROOT, "umount", "-l", str(each)], check=True, timeout=PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)


class PgBouncer:
    """A pooler in front of a server, on a port of its own that asks for no password."""

    def __init__(self, server: PostgreSQL, mode: str = "transaction") -> None:
        self.folder = _folder("ocsgw-pgb-")
        self.port = 0
        self._server = server
        self._mode = mode
        self._pooler: subprocess.Popen[bytes] | None = None

    def start(self) -> "PgBouncer":
        """Start, and wait until it takes connections."""
        users = self.folder / "users"
        users.write_text(f'"{USER}" "{PASSWORD}"\n', encoding="ascii")
        ini = self.folder / "pgbouncer.ini"
        for _ in range(_TRIES):
            self.port = _free_port()
            ini.write_text(
                _INI.format(
                    socket=self._server.socket,
                    server_port=self._server.port,
                    port=self.port,
                    folder=self.folder,
                    mode=self._mode,
                ),
                encoding="utf-8",
            )
            for file in (users, ini):
                _give(file)
            with (self.folder / "log").open("ab") as log:
                self._pooler = _spawn([_program("pgbouncer"), str(ini)], log.fileno())
            if _wait_for(self._is_ready, self._pooler):
                return self
        raise AssertionError(f"PgBouncer did not start:\n{(self.folder / 'log').read_text(encoding='utf-8')}")

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self) -> None:
        """Stop it; connections are closed."""
        if self._pooler is not None:
            _end(self._pooler, signal.SIGTERM)
            self._pooler = None

    def remove(self) -> None:
        """Stop it and remove everything it had."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def _new_cluster() -> Path:
    """Return a folder with the files of a server that has never run, to be copied."""
    folder = _folder("ocsgw-pg-new-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    secret = folder / "secret"
    secret.write_text(f"{PASSWORD}\n", encoding="ascii")
    _give(secret)
    made = _run(
        _program("initdb"),
        f"--pgdata={folder / 'data'}",
        "--username=operator",
        f"--pwfile={secret}",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    )
    if made.returncode != 0:
        raise AssertionError(f"initdb failed:\n{made.stderr}")
    # Not the user that a cluster is made by: a test takes its rights away for a time.
    statement = folder / "statement"
    statement.write_text(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'\n", encoding="ascii")
    _give(statement)
    with statement.open("rb") as source:
        made = _run(_program("postgres"), "--single", "-D", str(folder / "data"), "postgres", source=source)
    if made.returncode != 0 or "ERROR" in made.stderr:
        raise AssertionError(f"the role of the tests was not made:\n{made.stderr}")
    return folder / "data"


@functools.cache
def shared_postgresql() -> PostgreSQL:
    """Return a running server that serves tests until the end of the run; each test makes a database of its own."""
    server = PostgreSQL()
    atexit.register(server.remove)
    return server.start()


def _program(name: str) -> str:
    """Return the path of a program, of the newest release where Debian keeps several."""
    releases = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    places = os.pathsep.join((*map(str, releases), os.environ.get("PATH", ""), "/usr/sbin"))
    found = shutil.which(name, path=places)
    if found is None:
        raise AssertionError(f"{name} is not installed; `make test` installs PostgreSQL and PgBouncer")
    return found


def _account() -> pwd.struct_passwd | None:
    """Return the user to run as: PostgreSQL and PgBouncer refuse to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _folder(prefix: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    _give(folder)
    return folder


def _give(path: Path) -> None:
    account = _account()
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _identity() -> dict[str, object]:
    account = _account()
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _run(*command: str, source: IO[bytes] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PGOPTIONS": ""}
    return subprocess.run(  # type: ignore[call-overload,no-any-return]  # user, group and extra_groups
        command,
        stdin=source,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd="/",
        env=environment,
        **_identity(),
    )


def _spawn(command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # as above
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", **_identity()
    )


def _wait_for(is_ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Wait until a process is ready; False if it ends before, or has to be ended because it does not get there."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None:
        if is_ready():
            return True
        if time.monotonic() > end:
            _end(process, signal.SIGKILL)
            break
        time.sleep(0.01)
    return False


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """End a process that was started here, with a signal first and by force if that is not enough."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(PATIENCE)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


class Relay:
    """A way to a server that can be held up: bytes then wait, in both directions, and new connections get no answer."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = [self._listening]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Let nothing through."""
        self._open.clear()

    def let_go(self) -> None:
        """Let everything through, what waits first."""
        self._open.set()

    def cut(self) -> None:
        """End all connections."""
        for each in self._sockets[1:]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def remove(self) -> None:
        """End, with all connections."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        self._open.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.wait()
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        self._sockets.append(server)
        back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
        back.start()
        self._pass_on(client, server)
        back.join()
        client.close()
        server.close()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
            source.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def database(server: PostgreSQL, name: str) -> Iterator[str]:
    """Give the address of a new database for a while."""
    url = server.make_database(name)
    try:
        yield url
    finally:
        server.drop_database(name)
