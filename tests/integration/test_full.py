"""A real server whose disk is full or refuses to write: 503, a line in the log, and service again by itself."""

import resource
import subprocess
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import Server, make_server

_TARGET = "/lists/CL_Test?req=AddRecord"


class FullTests(SynchronousTestCase):
    """C41 and R50: no acknowledgement without the record, whatever the disk does."""

    def add_until(self, server: Server, status: int, prefix: str) -> list[str]:
        """Add records until one is answered with `status`; return the phones of those that were acknowledged."""
        acknowledged = []
        for count in range(3000):
            phone = f"{prefix}{count:06d}"
            answer = server.post(_TARGET, {"GSW_PHONE": phone, "Remarks": "x" * 250})
            if answer.status == 200:
                acknowledged.append(phone)
            if answer.status == status:
                return acknowledged
            self.assertIn(answer.status, {200, 503}, answer.body)
        raise AssertionError(f"no answer {status}; the log:\n{server.log()[-2000:]}")

    def check(self, server: Server, acknowledged: list[str], refused_prefix: str) -> None:
        """The store has every acknowledged record once, and nothing of what was refused."""
        stored = [row[0] for row in server.rows("SELECT contact_info FROM CL_Test")]
        self.assertEqual(len(stored), len(set(stored)))
        self.assertEqual(set(stored), set(acknowledged))
        self.assertEqual([each for each in stored if each.startswith(refused_prefix)], [])

    def live_through(self, server: Server, fill: Callable[[], object], free: Callable[[], object]) -> None:
        """Serve, run full, refuse, serve again; `fill` and `free` are called between."""
        child = server.child_pid
        acknowledged = self.add_until(server, 200, "61")
        fill()
        acknowledged += self.add_until(server, 503, "62")
        for count in range(5):
            self.assertEqual(server.post(_TARGET, {"GSW_PHONE": f"63{count}"}).status, 503)
        self.assertEqual(server.log().count(" 93033 The store failed: "), 1)
        free()
        server.wait_until(lambda: server.post(_TARGET, {"GSW_PHONE": "64"}).status == 200)
        acknowledged += ["64", *self.add_until(server, 200, "65")]
        server.wait_until(lambda: " 93034 The store works again" in server.log())
        self.check(server, acknowledged, "63")
        self.assertEqual(server.child_pid, child)
        self.assertNotIn("Traceback", server.log())
        self.assertEqual(server.stop(), 0)

    def test_full_disk(self) -> None:
        """C41: on a file system without space requests get 503; when there is space again they are served."""
        server = make_server(self)
        store = server.folder / "var"
        store.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(store)], capture_output=True, timeout=30, check=False
        )
        if mounted.returncode != 0:
            # Only root may mount; the other test fills a disk for everybody.
            return
        self.addCleanup(subprocess.run, ["umount", "-l", str(store)], check=True, timeout=30)
        filler = store / "filler"

        def fill() -> None:
            with filler.open("wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096):
                        pass
                except OSError:
                    return

        server.start()
        self.live_through(server, fill, filler.unlink)

    def test_refused_writes(self) -> None:
        """C41: a store whose file may not grow refuses with 503, and serves again when it may."""
        server = make_server(self).start()
        limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        size = (server.folder / "var" / "ocsgw.sqlite-wal").stat().st_size

        def fill() -> None:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, limits[1]))

        def free() -> None:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)

        self.live_through(server, fill, free)

    def test_start_without_space(self) -> None:
        """C41: a server that cannot make its store waits, says why, and serves as soon as it can."""
        server = make_server(self)
        server.spawn(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY)))
        server.wait_until(lambda: "trying again for" in server.log())
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        server.wait_until(lambda: " 93002 " in server.log())
