"""Hostile and broken clients against a real server, a healthy client beside them (R30, R53, http.md section 2)."""

import contextlib
import os
import random
import resource
import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.crowd import Crowd
from tests.integration.healthy import Figures, HealthyClient
from tests.integration.server import PATIENCE, Server, make_server

ROUNDS = int(os.environ.get("OCSGW_SCANS", "5"))
IDLE = int(os.environ.get("OCSGW_IDLE", "200"))
SLOW = int(os.environ.get("OCSGW_SLOW", "40"))
PIPELINED = int(os.environ.get("OCSGW_PIPELINED", "2000"))

# Short limits, so that the test sees them end; in seconds.
LIMITS = {"header_timeout": 1, "body_timeout": 2, "idle_timeout": 4, "write_timeout": 3}
# How long a connection may take beyond its limit, and how often the crowd comes: to the letter where there is time and
# the machine is ours, with some patience otherwise.
_LATE, WAVES = (2.0, 2) if "OCSGW_IDLE" in os.environ else (5.0, 1)
_HEAD = b"POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: ocs.example\r\n"
# What a healthy client may have to wait on a quiet machine, in milliseconds.
_P99 = 250.0
# How much a crowd may cost, how much of that the allocator may keep for the next one, and how much each further one.
_GROWTH, _KEPT, _LEAK = 50 << 20, 25 << 20, 8 << 20

# What port scanners send to find out what listens; the first bytes of several protocols.
PROBES = (
    b"",
    b"\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"OPTIONS / HTTP/1.0\r\n\r\n",
    b"OPTIONS / RTSP/1.0\r\n\r\n",
    b"GET /nice%20ports%2C/Tri%6Eity.txt%2ebak HTTP/1.0\r\n\r\n",
    b"HELP\r\n",
    b"EHLO scanner\r\n",
    b"\x80\0\0\x28\x72\xfe\x1d\x13\0\0\0\0\0\0\0\x02\0\x01\x86\xa0\0\x01\x97\x7c" + bytes(20),
    b"\0\x1e\0\x06\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03",
    b"\0\0\0\xa4\xff\x53\x4d\x42\x72\0\0\0\0\x08\x01\x40" + bytes(40),
    b"\x16\x03\0\0\x53\x01\0\0\x4f\x03\0?G\xd7\xf7\xba,\xee\xea\xb2`~\xf3\0\xfd\x82{\xb9\xd5\x96\xc8w\x9b\xe6\xc4\xdb<=",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    b"\x01default\n",
    b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0",
    b"GIOP\x01\0\x01\0\x24\0\0\0\0\0\0\0",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"SSH-2.0-scanner\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm;branch=foo\r\n\r\n",
    b"TNMP\x04\0\0\0TNME\0\0\x04\0",
    b"l\0\x0b\0\0\0\0\0\0\0\0\0",
)

# Figures are in the log of the test run.
_log = Logger()


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class HostileTestCase(SynchronousTestCase):
    """A server with short limits."""

    def start(self, more: str = "", **options: object) -> Server:
        limits = "\n".join(f"{name} = {seconds}" for name, seconds in LIMITS.items())
        server = make_server(self, more=f"[limits]\n{limits}\n{more}", **options)
        self.server = server.start()
        self.child = server.child_pid
        return server

    def quiet(self, seconds: float = 0.6) -> Figures:
        """Return the figures of a healthy client that is alone, as a measure of the machine."""
        with HealthyClient(self.server.port) as healthy:
            time.sleep(seconds)
        return healthy.figures

    def check(self, figures: Figures, alone: Figures) -> None:
        """The healthy client was served in time and the child is the same."""
        self.assertEqual(figures.failures, [])
        self.assertGreater(figures.count, 10)
        self.assertLess(figures.p99, _P99 + 3 * alone.p99, f"{figures}, alone {alone}")
        self.assertEqual(self.server.child_pid, self.child)
        self.assertEqual(self.server.log().count(" 93001 "), 1)
        self.assertNotIn("Traceback", self.server.log())


class ScanTests(HostileTestCase):
    """R30: port scans."""

    def touch(self, payload: bytes, *, reset: bool, read: bool) -> None:
        """Connect, send, perhaps read a little, and go, in order or by a reset."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.server.port), PATIENCE) as scanner,
        ):
            scanner.settimeout(0.2)
            if payload:
                scanner.sendall(payload)
            if read:
                scanner.recv(4096)
            if reset:
                scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def half_open(self, count: int) -> None:
        """Begin connections and give up at once: a connection that is reset before or after it is taken."""
        scanners = []
        for _ in range(count):
            scanner = socket.socket()
            scanner.setblocking(False)  # noqa: FBT003 - its only parameter
            scanner.connect_ex(("127.0.0.1", self.server.port))
            scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            scanners.append(scanner)
        for scanner in scanners:
            scanner.close()

    def scan(self, randomness: random.Random) -> None:
        """One round of everything."""
        self.half_open(100)
        for _ in range(50):
            self.touch(b"", reset=randomness.random() < 0.5, read=False)
        for probe in PROBES:
            self.touch(probe, reset=False, read=bool(probe))
        for _ in range(20):
            self.touch(randomness.randbytes(randomness.randint(1, 3000)), reset=randomness.random() < 0.5, read=True)
        self.half_open(100)

    def test_scans(self) -> None:
        """R30, H13: during scans of all kinds a healthy client misses nothing, and the child keeps its process id."""
        self.start()
        alone = self.quiet()
        randomness = random.Random(1)
        with HealthyClient(self.server.port) as healthy:
            for _ in range(ROUNDS):
                self.scan(randomness)
        self.check(healthy.figures, alone)
        _log.info("scans: {figures}", figures=f"{healthy.figures}")

    def test_nmap(self) -> None:
        """R30: nmap, known to close ports of the classic product, where it is installed and time is given."""
        self.start()
        nmap = shutil.which("nmap")
        if nmap is None or "OCSGW_SCANS" not in os.environ:
            # test_scans does the same with means of our own.
            self.touch(b"", reset=True, read=False)
            self.check(self.quiet(), self.quiet())
            return
        alone = self.quiet()
        kinds = [["-sT"], ["-sV", "-A", "-sT"]]
        if os.geteuid() == 0:
            kinds = [["-sT"], ["-sS", "-sV", "-A"]]
        with HealthyClient(self.server.port) as healthy:
            for turn in range(ROUNDS):
                command = [nmap, "-n", "-Pn", "-T5", *kinds[turn % 2], "-p", str(self.server.port), "127.0.0.1"]
                done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.check(healthy.figures, alone)
        _log.info("nmap: {figures}", figures=f"{healthy.figures}")


class CrowdTests(HostileTestCase):
    """H27 to H32: clients that never end anything."""

    most: list[int]

    def kinds(self) -> dict[str, tuple[bytes, bytes, bool, float]]:
        """Return kind -> what it sends at first and then for ever, whether it reads, and its limit in seconds."""
        big = b"GET /records/1 HTTP/1.1\r\nHost: ocs.example\r\n\r\n" * 400
        return {
            "slow request line": (b"", b"P", True, LIMITS["header_timeout"]),
            "slow header": (_HEAD + b"X: ", b"x", True, LIMITS["header_timeout"]),
            "slow body": (_HEAD + b"Content-Length: 100000\r\n\r\n", b"x", True, LIMITS["body_timeout"]),
            "slow chunks": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", True, LIMITS["body_timeout"]),
            "silent body": (_HEAD + b"Content-Length: 10\r\n\r\n", b"", True, LIMITS["body_timeout"]),
            "slow reader": (big, b"", False, LIMITS["write_timeout"]),
            "deaf": (b"nonsense\r\n\r\n", b"more" * 1000, False, LIMITS["write_timeout"]),
            "lingering": (b"nonsense\r\n\r\n", b"", True, LIMITS["write_timeout"]),
        }

    def memory(self) -> list[int]:
        """Return the resident memory of OCS and its proxy."""
        return [resident(self.server.pid), resident(self.child)]

    def come(self, crowd: Crowd) -> None:
        """Let everybody come, and wait until the server has ended them all; each in its time."""
        kinds = self.kinds()
        names = list(kinds)
        for _ in range(IDLE):
            crowd.connect("idle")
        for at in range(SLOW):
            kind = names[at % len(names)]
            first, drip, reads, _ = kinds[kind]
            crowd.connect(kind, first, drip, reads=reads)
            crowd.look()
        began = time.monotonic()
        crowd.play(lambda: time.monotonic() > began + 0.8)
        self.most = [max(pair) for pair in zip(self.most, self.memory(), strict=True)]
        crowd.play(lambda: not crowd.living())
        for visitor in crowd.visitors:
            limit = kinds[visitor.kind][3] if visitor.kind in kinds else LIMITS["idle_timeout"]
            self.assertLess(visitor.life, limit + _LATE, visitor.kind)
        for kind, answer in (("slow header", b"408 "), ("slow body", b"408 "), ("idle", b"")):
            for visitor in crowd.visitors:
                if visitor.kind == kind:
                    self.assertEqual(visitor.received[9:13], answer)

    def test_never_ending(self) -> None:
        """H27 to H31, H11: every kind of never-ending client is cut within its limit; a healthy one notices nothing."""
        self.start(application=f'http_custom_headers = ["X-Large: {"x" * 1000}"]')
        alone = self.quiet()
        before = self.memory()
        self.most = before
        after = []
        with HealthyClient(self.server.port) as healthy:
            for _ in range(WAVES):
                with Crowd(self.server.port) as crowd:
                    self.come(crowd)
                after.append(self.memory())
        self.check(healthy.figures, alone)
        for was, most, now, last in zip(before, self.most, after[0], after[-1], strict=True):
            self.assertLess(most - was, _GROWTH)
            self.assertLess(now - was, _KEPT)
            self.assertLess(last - now, _LEAK)
        self.wait_for_descriptors()
        _log.info("crowd: {figures}", figures=f"{healthy.figures}, alone {alone}, memory {before} {self.most} {after}")

    def wait_for_descriptors(self) -> None:
        """Nothing of the crowd is left in the proxy."""
        self.server.wait_until(lambda: descriptors(self.child) < 20)

    def test_pipelined(self) -> None:
        """H3: one client with thousands of pipelined requests gets all its answers, and others do not wait for it."""
        self.start()
        alone = self.quiet()
        before = resident(self.child)
        body = b'{"GSW_PHONE":"6505550100"}'
        request = _HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        with HealthyClient(self.server.port) as healthy:
            with socket.create_connection(("127.0.0.1", self.server.port), PATIENCE) as client:
                sender = threading.Thread(target=client.sendall, args=(request * PIPELINED,))
                sender.start()
                received = bytearray()
                while received.count(b"HTTP/1.1 ") < PIPELINED and (piece := client.recv(1 << 20)):
                    received += piece
                sender.join(PATIENCE)
            time.sleep(0.5)
        self.assertEqual(received.count(b"HTTP/1.1 200 OK\r\n"), PIPELINED)
        self.check(healthy.figures, alone)
        self.assertLess(resident(self.child) - before, _GROWTH)
        _log.info("pipelined: {figures}", figures=f"{healthy.figures}, alone {alone}")


class DescriptorTests(HostileTestCase):
    """H32: a process with few descriptors."""

    def test_few(self) -> None:
        """H32: with more clients than descriptors each new one gets an answer or waits; the healthy one is served."""
        self.server = make_server(self, more="[limits]\nidle_timeout = 60\nheader_timeout = 60\nbody_timeout = 60")
        limits = (128, 128)
        self.server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits))
        self.child = self.server.child_pid
        self.server.wait_until(lambda: "allows only 44 of the 10000 configured connections" in self.server.log())
        with HealthyClient(self.server.port) as healthy, Crowd(self.server.port) as crowd:
            for _ in range(150):
                crowd.connect("idle")
                # Not so fast that whoever waits for its own next request is the longest idle one.
                time.sleep(0.005)
                crowd.look()
            began = time.monotonic()
            crowd.play(lambda: time.monotonic() > began + 1 and len(crowd.living()) < 128)
            # The longest idle ones made room for the later ones, without a word.
            self.assertEqual({each.received for each in crowd.visitors}, {b""})
        self.check(healthy.figures, self.quiet())
        with Crowd(self.server.port) as crowd:
            # A request that is begun is not idle: who comes now has to be refused, or to wait.
            for _ in range(150):
                crowd.connect("busy", _HEAD)
                time.sleep(0.005)
                crowd.look()
            crowd.play(lambda: any(each.received for each in crowd.visitors))
            self.assertLess(descriptors(self.child), 128)
            answers = {each.received[9:12] for each in crowd.visitors}
            self.assertEqual(answers, {b"", b"503"})
        self.server.wait_until(lambda: descriptors(self.child) < 30)
        self.check(self.quiet(), self.quiet())
        self.assertNotIn("EMFILE", self.server.log())
