"""Start, stop, restart and reload of the real thing."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import TestCase

from ocsgw.resources import raise_descriptor_limit
from tests.integration.server import ROOT, Server, is_alive, make_server

ADD = "/lists/CL_Test?req=AddRecord"


def parent_of(pid: int) -> int:
    """Return the process id of a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def owner_of_port(port: int) -> str:
    """Return what is known of the process that listens on a port."""
    from ocsgw.port_holder import holder_of

    return str(holder_of("127.0.0.1", port))


class LifecycleTests(TestCase):
    """One server each, and what an operator does to it."""

    def test_processes(self) -> None:
        """R11, R13: OCS alone is started; its child owns the port."""
        server = make_server(self).start()
        self.assertEqual(parent_of(server.child_pid), server.pid)
        self.assertIn(f"process {server.child_pid} ", owner_of_port(server.port))
        arguments = Path(f"/proc/{server.child_pid}/cmdline").read_bytes().split(b"\0")
        self.assertEqual(arguments[1:5], [b"-P", b"-u", b"-m", b"ocsgw.proxy"])

    def test_stop(self) -> None:
        """SIGTERM and SIGINT end with status 0; no process and no open port is left."""
        for number in (signal.SIGTERM, signal.SIGINT):
            server = make_server(self).start()
            child = server.child_pid
            os.kill(server.pid, number)
            self.assertEqual(server.wait(), 0)
            self.assertFalse(is_alive(child))
            self.assertFalse(server.serves())
            self.assertIn("OCS stopped", server.log())

    def test_by_hand(self) -> None:
        """R12, C77: run by hand, the child prints one line and ends with 64."""
        done = subprocess.run(
            [sys.executable, "-m", "ocsgw.proxy"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
        )
        self.assertEqual(done.returncode, 64)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("started by the OCS process", done.stderr)

    def test_child_dies(self) -> None:
        """R25: the child is killed: no new one before the Reconnect Timeout, one after it, and the port serves."""
        server = make_server(self, reconnect="500ms").start()
        for _ in range(3):
            child = server.child_pid
            killed = time.monotonic()
            os.kill(child, signal.SIGKILL)
            server.wait_until(lambda child=child: server.child_pid != child)
            self.assertGreaterEqual(time.monotonic() - killed, 0.5)
            server.wait_until(server.serves)
            self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)
        self.assertEqual(server.log().count("93004"), 3)
        self.assertIn("signal 9; next start in 0.5 s", server.log())

    def test_parent_dies(self) -> None:
        """R35, C75: OCS is killed: child and port are gone within a second, whatever the child is doing."""
        server = make_server(self).start()
        child = server.child_pid
        server.kill_parent()
        server.wait_until(lambda: not server.serves() and not is_alive(child), 2.0)
        server.start()
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)

    def test_interface(self) -> None:
        """R23: the port is opened on the interface of the listener and on no other."""
        server = make_server(self).start()
        server.stop()
        server.config.write_text(
            server.config.read_text(encoding="utf-8").replace('interface = "127.0.0.1"', 'interface = "127.0.0.2"'),
            encoding="utf-8",
        )
        server.spawn()
        server.wait_until(lambda: f"ready on http://127.0.0.2:{server.port}" in server.log())
        self.assertFalse(server.serves())
        with socket.create_connection(("127.0.0.2", server.port), timeout=30) as connection:
            self.assertEqual(connection.getpeername()[0], "127.0.0.2")

    def test_signals_to_the_child(self) -> None:
        """C78, C72: the child ignores SIGINT and SIGHUP; SIGTERM drains it, status 0, and OCS starts another."""
        server = make_server(self).start()
        child = server.child_pid
        for number in (signal.SIGINT, signal.SIGHUP):
            os.kill(child, number)
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)
        self.assertEqual(server.child_pid, child)
        os.kill(child, signal.SIGTERM)
        server.wait_until(lambda: server.child_pid != child and server.serves())
        self.assertIn("status 0", server.log())
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)

    def test_child_writes_nothing(self) -> None:
        """R27, R28, R29, P102: the child has no file open for writing; what it has to say is in the log of OCS."""
        server = make_server(self).start()
        before = {path.name for path in server.folder.iterdir()}
        answer = server.post("/records/1?req=RecordCancel", {"GSW_CAMPAIGN_NAME": "Campaign1"})
        self.assertEqual(answer.status // 100, 4)
        child = server.child_pid
        server.wait_until(lambda: f"[default {child}] " in server.log())
        folder = Path(f"/proc/{child}/fd")
        targets = {os.readlink(each) for each in folder.iterdir()}
        self.assertEqual([target for target in targets if target.startswith("/") and target != os.devnull], [])
        self.assertEqual({path.name for path in server.folder.iterdir()}, before)

    def test_port_taken(self) -> None:
        """R24, C76: the log says who holds the port and what to do; OCS stays, and serves when the port is free."""
        server = make_server(self)
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            server.port = holder.getsockname()[1]
            server.configure()
            server.spawn()
            server.wait_until(lambda: server.log().count("93003") >= 2)
            text = next(line for line in server.log().splitlines() if "93003" in line)
            self.assertIn(f"in use by process {os.getpid()}", text)
            self.assertIn("see [[listener]] default in", text)
            self.assertIn("trying again in 0.3 s", text)
        server.wait_until(lambda: "93002" in server.log())
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)

    def test_second_server_on_the_same_store(self) -> None:
        """A second server on the same file is refused with the first one's process id, and status 69."""
        server = make_server(self).start()
        text = server.config.read_text(encoding="utf-8").replace("[store]\n", "[store]\nwait = 0\n")
        (server.folder / "second.toml").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "ocsgw", "run", "--config", "second.toml"],
            cwd=server.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, 69, done.stdout + done.stderr)
        self.assertIn(f"in use by process {server.pid}", done.stdout)
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)

    def test_reload(self) -> None:
        """R32 to R34, SIGHUP: a changed port waits for the next child; a removed listener ends HTTP."""
        server = make_server(self).start()
        server.stop()
        # From the second start on the port is a fixed one.
        server.start()
        old, child = server.port, server.child_pid
        server.port = 0
        server.configure()
        os.kill(server.pid, signal.SIGHUP)
        server.wait_until(lambda: server.log().count("93015") == 2 and server.log().count("93013") == 2)
        server.port = old
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)
        os.kill(child, signal.SIGKILL)
        server.wait_until(lambda: server.log().count("93002") == 3)
        self.assertFalse(server.serves())
        text = server.config.read_text(encoding="utf-8")
        server.config.write_text(text[: text.index("[[listener]]")] + text[text.index("[store]") :], encoding="utf-8")
        os.kill(server.pid, signal.SIGHUP)
        server.wait_until(lambda: "93016" in server.log() and server.log().count("93005") == 2)
        self.assertFalse(is_alive(server.child_pid))
        self.assertTrue(is_alive(server.pid))

    def test_reload_with_errors(self) -> None:
        """C60: a file with errors changes nothing and is reported with its problems."""
        server = make_server(self).start()
        server.config.write_text("[application]\nnonsense = 1\n", encoding="utf-8")
        os.kill(server.pid, signal.SIGHUP)
        server.wait_until(lambda: "93014" in server.log())
        self.assertIn("nonsense", server.log())
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)

    def test_log_file_is_opened_again(self) -> None:
        """SIGUSR1 opens the log file again, as logrotate wants it."""
        server = make_server(self, more='target = "ocs.log"')
        server.spawn()
        log = server.folder / "ocs.log"
        server.wait_until(lambda: log.exists() and "93002" in log.read_text(encoding="utf-8"))
        log.rename(server.folder / "ocs.log.1")
        os.kill(server.pid, signal.SIGUSR1)
        server.wait_until(log.exists)
        server.stop()
        self.assertIn("OCS stopped", log.read_text(encoding="utf-8"))
        self.assertIn("93002", (server.folder / "ocs.log.1").read_text(encoding="utf-8"))

    def test_configuration_errors(self) -> None:
        """C3: every problem is printed with file and line, the status is 78, nothing is started."""
        server = make_server(self)
        server.config.write_text('[application]\ndbid = 0\nencodng = "x"\n[log]\nlevel = "loud"\n', encoding="utf-8")
        for command in ("run", "check-config"):
            done = self.run_ocsgw(server, command)
            self.assertEqual(done.returncode, 78)
            self.assertEqual(len(re.findall(r"ocsgw\.toml:\d+: ", done.stderr)), 3, done.stderr)
            self.assertIn('"encoding"', done.stderr)

    def test_wrong_command_line(self) -> None:
        """A wrong command line ends with status 64, `ocsgw` and `twistd` alike."""
        server = make_server(self)
        self.assertEqual(self.run_ocsgw(server, "dance").returncode, 64)
        done = subprocess.run(
            [sys.executable, "-m", "twisted", "ocsgw", "--dance"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, 64)

    def test_twistd(self) -> None:
        """`twistd -n ocsgw` runs the same server, with our log, and SIGTERM ends it with status 0."""
        code = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
        server = make_server(self, command=("-c", code, "-n", "--pidfile=", "ocsgw", "--config")).start()
        self.assertEqual(server.post(ADD, {"GSW_PHONE": "1"}).status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertIn("OCS stopped", server.log())

    def test_start_is_quick(self) -> None:
        """The child serves within 0.6 s of being spawned; the quickest of five starts may take three times that."""
        seconds: list[float] = []
        while len(seconds) < 5 and (not seconds or seconds[-1] >= 1.8):
            server = make_server(self).start()
            times = {
                number: time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) + float(stamp[19:23])
                for stamp, number in re.findall(r"^(\S+)Z info +(9300[12]) ", server.log(), re.MULTILINE)
            }
            seconds.append(times["93002"] - times["93001"])
            server.stop()
        self.assertLess(min(seconds), 1.8)

    def test_stop_under_load(self) -> None:
        """A stop answers everything that was accepted: pipelined requests in flight get their answers."""
        server = make_server(self).start()
        request = (
            b'POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{"GSW_PHONE":"1"}'
        )
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(request * 50)
            first = connection.recv(1)
            os.kill(server.pid, signal.SIGTERM)
            pieces = [first]
            while piece := connection.recv(65536):
                pieces.append(piece)
        answered = b"".join(pieces).count(b"HTTP/1.1 200 OK")
        self.assertEqual(server.wait(), 0)
        stored = server.rows("SELECT count(*) FROM CL_Test")[0][0]
        self.assertEqual(stored, answered)
        self.assertEqual(answered, 50)

    def run_ocsgw(self, server: Server, command: str) -> subprocess.CompletedProcess[str]:
        """Run the `ocsgw` command on a server's configuration file."""
        return subprocess.run(
            [sys.executable, "-m", "ocsgw", command, "--config", str(server.config)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


class ResourceTests(TestCase):
    """What the operating system gives."""

    def test_descriptors(self) -> None:
        """The soft limit of descriptors is raised to the hard one."""
        import resource

        raised = raise_descriptor_limit()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE)[0], raised)
