"""Files that are mapped into memory: what is read is what the file has, and one that is cut short ends no process."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from unittest import skipUnless

from ocsgw import speedups
from ocsgw.store.sqlite import layer
from tests.store.test_layer import FolderCase, connected, content

_MEBIBYTE = 1 << 20
# How a process begins whose file goes away under it; it prints what it was told.
_LONG = """
import os, sqlite3, sys
from ocsgw.speedups import wal
wal.map_from(8 << 20)
from ocsgw.store.sqlite.layer import address
c = sqlite3.connect(address(sys.argv[1]), uri=True, isolation_level=None)
c.execute('PRAGMA cache_size = 5')
assert c.execute('SELECT count(*), sum(length(text)) FROM t').fetchall() == [(3000, 12_000_000)]
"""


def mapped(path: str) -> int:
    """Return how many bytes of a file this process has mapped."""
    total = 0
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if line.endswith(f" {path}"):
            begin, end = line.split()[0].split("-")
            total += int(end, 16) - int(begin, 16)
    return total


@skipUnless(speedups.is_used(), "there is no layer without compiled parts")
class MappedTests(FolderCase):
    """With the layer, which maps files from 8 MiB on here: those that it maps by itself take long to make."""

    def setUp(self) -> None:
        super().setUp()
        from ocsgw.speedups import wal

        self.addCleanup(wal.map_from, wal.map_from(8 * _MEBIBYTE))

    def long(self, name: str = "file", rows: int = 3000) -> str:
        """Return the path of a file that is mapped."""
        path = self.made(name)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("DROP INDEX t_text")
            self.fill(connection, rows)
        return path

    @staticmethod
    def fill(connection: sqlite3.Connection, rows: int) -> None:
        """Add rows of a page each, and bring them into the file."""
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t (text) VALUES (?)", ((f"{n:8}" * 500,) for n in range(rows)))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def ours(self, path: str) -> sqlite3.Connection:
        """Return a connection with the layer, and hardly any page cache."""
        connection = connected(layer.address(path))
        self.addCleanup(connection.close)
        connection.execute("PRAGMA cache_size = 5")
        return connection

    def test_mapped(self) -> None:
        """A long file is mapped, a short one is not."""
        path, short = self.long(), self.long("short", 20)
        for each in (path, short):
            connection = self.ours(each)
            self.assertEqual(content(connection), self.plainly(each))
        self.assertEqual(mapped(short), 0)
        self.assertTrue(0 <= mapped(path) - os.path.getsize(path) < 4096, mapped(path))

    def plainly(self, path: str) -> list[tuple[object, ...]]:
        """Return what a connection without the layer reads."""
        with closing(connected(f"file:{path}")) as other:
            return content(other)

    def test_no_calls(self) -> None:
        """Pages of it are read without a system call; without the layer each is one."""
        path = self.long()
        counts = []
        for address in (layer.address(path), f"file:{path}"):
            with closing(connected(address)) as connection:
                connection.execute("PRAGMA cache_size = 5")
                connection.execute("SELECT max(n) FROM t").fetchall()
                before = _reads()
                for number in range(1, 3001, 30):
                    connection.execute("SELECT text FROM t WHERE n = ?", (number,)).fetchall()
                counts.append(_reads() - before)
        self.assertLess(counts[0], 20)
        self.assertGreater(counts[1], 100)

    def test_grows(self) -> None:
        """A file that grows is read beyond what is mapped, and mapped anew when it has grown by a quarter."""
        path = self.long()
        connection = self.ours(path)
        sizes = set()
        with closing(connected(f"file:{path}")) as other:
            for _ in range(12):
                self.fill(other, 300)
                self.assertEqual(content(connection), content(other))
                self.assertGreaterEqual(mapped(path) * 5 // 4 + 4096, os.path.getsize(path))
                sizes.add(mapped(path))
        self.assertTrue(3 <= len(sizes) <= 5, sizes)

    def test_gets_shorter(self) -> None:
        """Another program makes it shorter by VACUUM; it grows again; what is read is what is there."""
        path = self.long()
        connection = self.ours(path)
        content(connection)
        with closing(connected(f"file:{path}")) as other:
            for rows in (10, 3000, 10):
                for statement in ("DELETE FROM t", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                    other.execute(statement).fetchall()
                self.assertEqual(content(connection), [])
                self.fill(other, rows)
                self.assertEqual(content(connection), content(other))

    def test_made_shorter_by_itself(self) -> None:
        """The same by the connection that has it mapped."""
        path = self.long()
        connection = self.ours(path)
        content(connection)
        for rows in (3000, 10):
            for statement in ("DELETE FROM t", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                connection.execute(statement).fetchall()
            self.assertEqual(mapped(path), 0)
            self.fill(connection, rows)
            self.assertEqual(content(connection), self.plainly(path))

    def test_log(self) -> None:
        """A long log is mapped as well, and pages are read from it, also after it has begun anew."""
        path = self.long()
        connection = self.ours(path)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(3):
            connection.execute("BEGIN")
            connection.execute("UPDATE t SET text = replace(text, ' ', ?)", (chr(97 + number),))
            connection.execute("COMMIT")
            self.assertEqual(content(connection), self.plainly(path))
            self.assertGreater(mapped(f"{path}-wal"), 8 * _MEBIBYTE)
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def test_pages_are_not_handed_out(self) -> None:
        """Who asks SQLite for pages as they are mapped gets copies as well: those stay when the file goes away."""
        path = self.long()
        connection = self.ours(path)
        connection.execute("PRAGMA mmap_size = 1000000000").fetchall()
        self.assertEqual(content(connection), self.plainly(path))

    def said(self, path: str, code: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run a program that has the file mapped."""
        return subprocess.run(
            [sys.executable, "-c", _LONG + code, path, *more], capture_output=True, text=True, timeout=60
        )

    def test_cut_short(self) -> None:
        """A file that another program cuts is an error of the statement, and so is every next one; nothing ends."""
        reads = (
            "for each in range(2):\n"
            "    try: print(c.execute('SELECT sum(length(text)) FROM t').fetchall())\n"
            "    except sqlite3.DatabaseError as error: print(type(error).__name__, error)\n"
        )
        for size in (4096 * 100, 4096 * 100 + 1000, 8192, 0):
            done = self.said(self.long(f"file-{size}"), f"os.truncate(sys.argv[1], {size})\n" + reads)
            self.assertEqual((done.returncode, done.stderr), (0, ""), size)
            self.assertRegex(
                done.stdout, r"^((Database|Operational)Error .*(malformed|I/O|not a database).*\n){2}$", size
            )

    def test_written_again(self) -> None:
        """A file that was cut and is whole again is read again."""
        code = (
            "whole = open(sys.argv[1], 'rb').read(); os.truncate(sys.argv[1], 8192)\n"
            "try: c.execute('SELECT sum(length(text)) FROM t').fetchall(); print('read')\n"
            "except sqlite3.DatabaseError: pass\n"
            "with open(sys.argv[1], 'r+b') as file: file.write(whole)\n"
            "print(c.execute('SELECT sum(length(text)) FROM t').fetchall())\n"
        )
        done = self.said(self.long(), code)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "[(12000000,)]\n", ""))

    def test_other_signals(self) -> None:
        """The same signal for any other reason ends the process as before, and whoever is asked then is asked."""
        sent = "os.kill(os.getpid(), 7); print('goes on')\n"
        fault = (
            "import mmap, tempfile\n"
            "with tempfile.TemporaryFile() as file:\n"
            "    file.truncate(8192); pages = mmap.mmap(file.fileno(), 8192); file.truncate(0); print(pages[5000])\n"
        )
        path = self.long()
        for code in (sent, fault):
            done = self.said(path, code)
            self.assertEqual((done.returncode, done.stdout), (-7, ""))
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", _LONG + sent, path], capture_output=True, text=True, timeout=60
        )
        self.assertEqual((done.returncode, done.stdout), (-7, ""))
        self.assertIn("Fatal Python error: Bus error", done.stderr)

    def test_threads(self) -> None:
        """Each thread finds its own file cut; the other one reads on."""
        code = (
            "import shutil, threading\n"
            "shutil.copy(sys.argv[1], sys.argv[2])\n"
            "ends = []\n"
            "def read(path):\n"
            "    c = sqlite3.connect(address(path), uri=True)\n"
            "    c.execute('PRAGMA cache_size = 5')\n"
            "    first = c.execute('SELECT sum(length(text)) FROM t').fetchall()\n"
            "    ready.wait()\n"
            "    for _ in range(20):\n"
            "        try: end = c.execute('SELECT sum(length(text)) FROM t').fetchall() == first\n"
            "        except sqlite3.DatabaseError: end = 'error'\n"
            "    ends.append((path == sys.argv[1], end))\n"
            "ready = threading.Barrier(3)\n"
            "threads = [threading.Thread(target=read, args=(path,)) for path in sys.argv[1:3]]\n"
            "for each in threads: each.start()\n"
            "ready.wait(); os.truncate(sys.argv[2], 40960)\n"
            "for each in threads: each.join()\n"
            "print(sorted(ends, key=str))\n"
        )
        path = self.long()
        done = self.said(path, code, f"{path}-copy")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "[(False, 'error'), (True, True)]\n")

    def test_no_memory(self) -> None:
        """Where nothing can be mapped any more, the system reads."""
        code = (
            "import resource, sqlite3, sys\n"
            "from ocsgw.speedups import wal\n"
            "wal.map_from(8 << 20)\n"
            "from ocsgw.store.sqlite.layer import address\n"
            "c = sqlite3.connect(address(sys.argv[1]), uri=True)\n"
            "c.execute('PRAGMA cache_size = 5')\n"
            "used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
            "resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 20), resource.RLIM_INFINITY))\n"
            "print(c.execute('SELECT count(*), sum(length(text)) FROM t').fetchall())\n"
        )
        done = subprocess.run([sys.executable, "-c", code, self.long()], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("[(3000, 12000000)]\n", ""))


def _reads() -> int:
    """Return how many system calls that read this process has made."""
    text = Path("/proc/self/io").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("syscr"))
