"""The layer that writes log and file in few pieces: what they have does not depend on who has written it, and when."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from unittest import mock, skipUnless

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw import speedups
from ocsgw.store.sqlite import layer
from ocsgw.store.sqlite.connection import Connection

_STEP = 256 << 10
# What a connection may do next; numbers are lengths of texts, so that some are beyond a page.
_STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 9000)),
    st.tuples(st.just("add many"), st.integers(0, 900)),
    st.tuples(st.just("change"), st.integers(0, 9000)),
    st.sampled_from(
        [
            ("begin", 0),
            ("commit", 0),
            ("commit", 0),
            ("roll back", 0),
            ("savepoint", 0),
            ("back to savepoint", 0),
            ("other adds", 0),
            ("other brings log", 0),
            ("other empties log", 0),
            ("delete", 0),
            ("read", 0),
            ("bring log", 0),
            ("empty log", 0),
        ]
    ),
)

# How a process begins whose files will find no room: the limit of their size is told by an error, not by a signal.
_NO_ROOM = """
import os, resource, signal, sqlite3, sys
from ocsgw.store.sqlite.layer import address
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
c = sqlite3.connect(address(sys.argv[1]), uri=True, isolation_level=None)
c.execute('PRAGMA synchronous = FULL'); c.execute('PRAGMA wal_autocheckpoint = 0')
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
"""


def connected(address: str) -> sqlite3.Connection:
    """Return a connection that commits as that of the store does."""
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=0)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def content(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Return all rows."""
    return connection.execute("SELECT n, length(text), text FROM t ORDER BY n").fetchall()


class FolderCase(SynchronousTestCase):
    """A folder for files."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def made(self, name: str, page: int = 4096) -> str:
        """Return the path of a new file with an empty table."""
        path = str(self.folder / name)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in (
                f"PRAGMA page_size = {page}",
                "PRAGMA journal_mode = WAL",
                "CREATE TABLE t (n INTEGER PRIMARY KEY, text)",
                "CREATE INDEX t_text ON t (text)",
            ):
                connection.execute(statement)
        return path


class Both:
    """The same steps on a file with the layer and on one without."""

    def __init__(self, paths: tuple[str, str], cache: int, synchronous: str) -> None:
        self.paths = paths
        self.pair = [connected(layer.address(paths[0])), connected(f"file:{paths[1]}")]
        self.others = [connected(f"file:{path}") for path in paths]
        for each in self.pair:
            # Where the cache is small, pages are written before the transaction is complete.
            each.execute(f"PRAGMA cache_size = {cache}")
            each.execute(f"PRAGMA synchronous = {synchronous}")
        self.number = 0

    def step(self, what: str, size: int) -> list[object]:
        """Do something on both; return what came of it on each."""
        self.number += 1
        if what.startswith("other"):
            return [self._other(each, what) for each in self.others]
        return [self._ours(each, what, size) for each in self.pair]

    def _ours(self, connection: sqlite3.Connection, what: str, size: int) -> object:
        text = chr(97 + self.number % 26) * size
        statement, values = {
            "add": ("INSERT INTO t (text) VALUES (?)", (text,)),
            "add many": (
                "INSERT INTO t (text) SELECT ? || value FROM json_each('[" + ", ".join("7" * 60) + "]')",
                (text,),
            ),
            "change": ("UPDATE t SET text = ? WHERE n % 3 = 0", (text,)),
            "delete": ("DELETE FROM t WHERE n % 4 = 0", ()),
            "begin": ("BEGIN IMMEDIATE", ()),
            "commit": ("COMMIT", ()),
            "roll back": ("ROLLBACK", ()),
            "savepoint": ("SAVEPOINT s", ()),
            "back to savepoint": ("ROLLBACK TO s", ()),
            "read": ("SELECT count(*), sum(length(text)) FROM t", ()),
            "bring log": ("PRAGMA wal_checkpoint(PASSIVE)", ()),
            "empty log": ("PRAGMA wal_checkpoint(TRUNCATE)", ()),
        }[what]
        return self._said(connection, statement, values)

    def _other(self, connection: sqlite3.Connection, what: str) -> object:
        return self._said(
            connection,
            {
                "other adds": "INSERT INTO t (text) VALUES ('of another')",
                "other brings log": "PRAGMA wal_checkpoint(PASSIVE)",
                "other empties log": "PRAGMA wal_checkpoint(TRUNCATE)",
            }[what],
            (),
        )

    @staticmethod
    def _said(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> object:
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            return str(error)

    def close(self) -> None:
        """Close everything."""
        for each in (*self.pair, *self.others):
            each.close()


@skipUnless(speedups.is_used(), "there is no layer without compiled parts")
class LayerTests(FolderCase):
    """With the layer."""

    def test_is_there(self) -> None:
        """The SQLite of this Python takes it, and a connection of the store has it."""
        self.assertTrue(layer.is_there())
        self.assertIn("vfs=ocsgw", layer.address("x.sqlite"))

    def test_names(self) -> None:
        """A path with characters that mean something in a URI is that path."""
        for name in (
            "plain",
            "with space",
            "50%25",
            "a?b=c#d",
            "\u00fc\u20ac",
            "quote'\"",
            "a&vfs=none",
            os.fsdecode(b"caf\xe9"),
        ):
            connection = Connection(str(self.folder / name))
            connection.raw.execute("CREATE TABLE t (n)").close()
            connection.close()
            self.assertTrue((self.folder / name).is_file(), ascii(name))
        # Two slashes at the beginning are no name of a host.
        Connection(f"/{self.folder}/plain").close()

    @settings(deadline=None)
    @given(
        st.lists(_STEPS, max_size=40),
        st.sampled_from([512, 4096, 65536]),
        st.sampled_from([1, 10, 2000]),
        st.sampled_from(["FULL", "FULL", "NORMAL", "OFF"]),
        st.sampled_from([1, 32 << 20]),
    )
    # Headers that are written once more, and not synchronized.
    @example([("add many", 1)], 512, 1, "NORMAL", 1)
    def test_same_content(
        self, steps: list[tuple[str, int]], page: int, cache: int, synchronous: str, mapped_from: int
    ) -> None:
        """Whatever is done, with other connections between: each answer is the same, and so is the content.

        After each step a copy of the files, as a killed process leaves them, has what is committed, and is sound.
        """
        from ocsgw.speedups import wal

        before = wal.map_from(mapped_from)
        paths = self.made(f"with-{len(list(self.folder.iterdir()))}", page), self.made("without", page)
        both = Both(paths, cache, synchronous)
        try:
            for what, size in steps:
                mine, plain = both.step(what, size)
                # How many pages a transaction has is not said to be the same; what comes of it is.
                if not what.endswith("brings log") and what != "bring log":
                    self.assertEqual(mine, plain, what)
                self.assertEqual(self.left_by_kill(paths[0]), content(both.others[1]))
        finally:
            wal.map_from(before)
            both.close()
            for each in self.folder.iterdir():
                each.unlink()

    def left_by_kill(self, path: str) -> list[tuple[object, ...]]:
        """Return what a new process would find after `kill -9`."""
        copy = str(self.folder / "copy")
        for end in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{path}{end}", f"{copy}{end}")
        with closing(sqlite3.connect(copy)) as connection:
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            rows = content(connection)
        for each in self.folder.glob("copy*"):
            each.unlink()
        return rows

    def test_rolled_back(self) -> None:
        """Pages of a transaction that was rolled back are not written any more: another program has the place now."""
        path = self.made("file")
        with closing(connected(layer.address(path))) as ours, closing(connected(f"file:{path}")) as other:
            ours.execute("PRAGMA cache_size = 1")
            for number in range(12):
                ours.execute("BEGIN IMMEDIATE")
                ours.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 900,)] * (8 + number))
                ours.execute("ROLLBACK")
                other.execute("INSERT INTO t (text) VALUES (?)", ("y" * 5000,))
                self.assertEqual(len(content(ours)), number + 1)
                self.assertEqual(self.left_by_kill(path), content(other))

    def test_one_write(self) -> None:
        """A transaction of many pages is one write; without the layer it is two for each page."""
        counts = {}
        for name, address in (("with", layer.address), ("without", lambda path: f"file:{path}")):
            with closing(connected(address(self.made(name)))) as connection:
                # The log is long enough from here on.
                connection.execute("INSERT INTO t (text) VALUES ('first')")
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 900,)] * 40)
                before = _writes()
                connection.execute("COMMIT")
                counts[name] = _writes() - before
        self.assertEqual(counts["with"], 1)
        self.assertGreater(counts["without"], 20)

    def test_few_writes_of_pages(self) -> None:
        """Neighbours are written together as a log is brought over; without the layer each page is a write."""
        counts = {}
        for name, address in (("with", layer.address), ("without", lambda path: f"file:{path}")):
            with closing(connected(address(self.made(name)))) as connection:
                connection.execute("PRAGMA wal_autocheckpoint = 0")
                connection.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 3500,)] * 200)
                before = _writes()
                ((busy, frames, brought),) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                counts[name] = _writes() - before
                self.assertEqual((busy, frames), (0, brought))
        # 400 pages, rows and index: 31 of them are 124 KiB.
        self.assertGreater(counts["without"], 400)
        self.assertLess(counts["with"], 30)

    def test_full_disk_as_log_is_brought_over(self) -> None:
        """A checkpoint that finds no room says so, and nothing is lost: it is in the log until there is room again."""
        code = _NO_ROOM + (
            "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))\n"
            "done = 0\n"
            "try:\n"
            "    while True:\n"
            "        c.execute('BEGIN IMMEDIATE')\n"
            "        c.executemany('INSERT INTO t (text) VALUES (?)', [('x' * 900,)] * 40)\n"
            "        c.execute('COMMIT'); done += 40\n"
            "        at = 'checkpoint'\n"
            "        c.execute('PRAGMA wal_checkpoint(PASSIVE)').fetchall()\n"
            "        at = 'commit'\n"
            "except sqlite3.OperationalError as error:\n"
            "    assert 'full' in str(error) or 'I/O' in str(error), error\n"
            "assert at == 'checkpoint', at\n"
            "assert c.execute('SELECT count(*) FROM t').fetchall() == [(done,)]\n"
            "if sys.argv[2] == 'goes on':\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
            "    assert c.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall() == [(0, 0, 0)]\n"
            "print(done, flush=True)\n"
            "if sys.argv[2] == 'killed':\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        for end in ("goes on", "killed"):
            path = self.made(end)
            done = subprocess.run([sys.executable, "-c", code, path, end], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.stderr, "")
            with closing(sqlite3.connect(path)) as connection:
                self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
                self.assertEqual(connection.execute("SELECT count(*) FROM t").fetchone(), (int(done.stdout),))
            self.assertGreater(int(done.stdout), 100)

    def test_no_room_for_the_last_pages(self) -> None:
        """Also what is written only at the end of a checkpoint: the log is not taken to be in the file if it is not.

        Nor where SQLite does not ask any more, because somebody reads, so that only a part is brought over.
        """
        code = _NO_ROOM + (
            "c.execute('CREATE TABLE u (v)'); c.execute('PRAGMA wal_checkpoint(PASSIVE)').fetchall()\n"
            "c.execute('BEGIN')\n"
            "c.executemany('INSERT INTO u VALUES (?)', [('x' * 3500,)] * 20); c.execute('COMMIT')\n"
            "other = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "if sys.argv[3]:\n"
            "    other.execute('BEGIN'); other.execute('SELECT count(*) FROM u').fetchall()\n"
            "c.execute('INSERT INTO u VALUES (0)')\n"
            "room = os.path.getsize(sys.argv[1]) + 4096 * int(sys.argv[2])\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))\n"
            "try:\n"
            "    c.execute('PRAGMA wal_checkpoint(PASSIVE)').fetchall(); print('nothing')\n"
            "except sqlite3.OperationalError as error:\n"
            "    print(error)\n"
            "sys.stdout.flush()\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
            "if sys.argv[4]:\n"
            "    if sys.argv[3]: other.execute('ROLLBACK')\n"
            "    assert c.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall() == [(0, 0, 0)]\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        for page, part in ((0, ""), (5, ""), (18, ""), (0, "part"), (5, "part")):
            for end in ("", "goes on"):
                path = self.made(f"file-{page}-{part}-{end}")
                done = subprocess.run(
                    [sys.executable, "-c", code, path, str(page), part, end],
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
                self.assertEqual(done.stderr, "")
                self.assertRegex(done.stdout, "nothing" if part else "full|I/O")
                with closing(sqlite3.connect(path)) as connection:
                    self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
                    self.assertEqual(connection.execute("SELECT count(*) FROM u").fetchone(), (21,))

    def test_brought_over_in_part(self) -> None:
        """What a checkpoint says to be in the file is there when it says so, whatever is synchronized."""
        brought = []
        for name, address in (("with", layer.address), ("without", lambda path: f"file:{path}")):
            path = self.made(name)
            with closing(connected(address(path))) as ours, closing(connected(f"file:{path}")) as other:
                ours.execute("PRAGMA synchronous = OFF")
                ours.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 900,)] * 40)
                # Pages that are changed after that stay in the log.
                other.execute("BEGIN")
                other.execute("SELECT count(*) FROM t").fetchall()
                ours.executemany("INSERT INTO t (text) VALUES (?)", [("y" * 900,)] * 10)
                ((_, frames, there),) = ours.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                brought.append((frames, there, Path(path).read_bytes().count(b"x" * 900)))
        self.assertEqual(brought[0], brought[1])
        frames, there, texts = brought[0]
        self.assertTrue(0 < there < frames and texts > 40, brought)

    def test_file_gets_shorter(self) -> None:
        """A file that is shorter now is cut, when its log is brought over."""
        path = self.made("file")
        with closing(connected(layer.address(path))) as connection:
            connection.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 900,)] * 200)
            for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM t", "VACUUM"):
                connection.execute(statement).fetchall()
            before = os.path.getsize(path)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        self.assertEqual(os.path.getsize(path), pages * 4096)
        self.assertLess(pages * 4096, before // 10)

    def test_other_journals(self) -> None:
        """A file whose journal is another one is written as SQLite does, before and after it has a log."""
        for synchronous in ("FULL", "OFF"):
            path = self.made(f"file-{synchronous}")
            with closing(connected(layer.address(path))) as connection:
                connection.execute(f"PRAGMA synchronous = {synchronous}")
                for number, mode in enumerate(("delete", "wal", "truncate", "wal", "persist")):
                    self.assertEqual(connection.execute(f"PRAGMA journal_mode = {mode}").fetchall(), [(mode,)])
                    connection.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 900,)] * 10)
                    self.assertEqual(len(self.left_by_kill(path)), 10 * (number + 1))

    def test_log_grows_in_steps(self) -> None:
        """The log is longer than what is in it, by a step at most; while it is long enough it does not grow."""
        path = self.made("file")
        with closing(connected(layer.address(path))) as connection:
            connection.execute("PRAGMA wal_autocheckpoint = 1000000")
            sizes = []
            for number in range(120):
                if number == 60:
                    # The file is cut to nothing, and grows again.
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("INSERT INTO t (text) VALUES (?)", ("x" * 900,))
                sizes.append(_lengths(f"{path}-wal"))
            self.assertTrue(all(end <= size <= end + _STEP for size, end in sizes), sizes)
            self.assertLess(len({size for size, _ in sizes}), 10)

    def test_full_disk(self) -> None:
        """What finds no room is not committed, nothing of it is there, and it goes on when there is room again."""
        path = self.made("file")
        code = _NO_ROOM + (
            "c.execute(f'PRAGMA cache_size = {sys.argv[3]}')\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))\n"
            "done = 0\n"
            "try:\n"
            "    while True:\n"
            "        c.execute('BEGIN IMMEDIATE')\n"
            "        c.executemany('INSERT INTO t (text) VALUES (?)', [('x' * 900,)] * 40)\n"
            "        c.execute('COMMIT'); done += 40\n"
            "except sqlite3.OperationalError as error:\n"
            "    assert 'full' in str(error) or 'I/O' in str(error), error\n"
            "if c.in_transaction: c.execute('ROLLBACK')\n"
            "assert c.execute('SELECT count(*) FROM t').fetchall() == [(done,)]\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
            "c.execute(\"INSERT INTO t (text) VALUES ('after')\")\n"
            "print(done + 1)\n"
        )
        before = 0
        # With a small cache it is a page before the end of the transaction that finds no room.
        for limit, cache in ((300_000, 10), (300_024, 2000), (700_000, 10), (1_500_000, 2000)):
            done = subprocess.run(
                [sys.executable, "-c", code, path, str(limit), str(cache)], capture_output=True, text=True, timeout=60
            )
            self.assertEqual(done.stderr, "")
            # Each process has counted from nothing.
            with closing(sqlite3.connect(path)) as connection:
                self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
                self.assertEqual(connection.execute("SELECT count(*) FROM t").fetchone(), (int(done.stdout),))
                connection.execute("DELETE FROM t")
                connection.commit()
            self.assertGreaterEqual(int(done.stdout), before)
            before = int(done.stdout)
        self.assertGreater(before, 100)

    def test_killed(self) -> None:
        """What a process has said to be committed is there after SIGKILL, and nothing that it had not committed."""
        code = (
            "import os, sqlite3, sys\n"
            "from ocsgw.store.sqlite.layer import address\n"
            "c = sqlite3.connect(address(sys.argv[1]), uri=True, isolation_level=None)\n"
            "c.execute('PRAGMA synchronous = FULL'); c.execute('PRAGMA cache_size = 5')\n"
            "c.execute('PRAGMA wal_autocheckpoint = 50')\n"
            "n = 0\n"
            "while True:\n"
            "    c.execute('BEGIN IMMEDIATE')\n"
            "    c.executemany('INSERT INTO t (text) VALUES (?)', [('x' * 900,)] * 40)\n"
            "    c.execute('COMMIT'); n += 40\n"
            "    os.write(1, b'%d\\n' % n)\n"
        )
        path = self.made("file")
        with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline()) for _ in range(30)]
            process.send_signal(signal.SIGKILL)
            said += [int(line) for line in process.stdout.read().split()]
        with closing(sqlite3.connect(path)) as connection:
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            ((count,),) = connection.execute("SELECT count(*) FROM t").fetchall()
        self.assertIn(count, (said[-1], said[-1] + 40))


class WithoutLayerTests(FolderCase):
    """Where it is not there, SQLite's own is used."""

    def test_python_alone(self) -> None:
        """Without compiled parts, or with another SQLite than the one that took it, an address has no layer in it."""
        for missing in (
            mock.patch.object(speedups, "is_used", return_value=False),
            mock.patch.object(sqlite3, "connect", side_effect=sqlite3.OperationalError("no such vfs: ocsgw")),
        ):
            layer.is_there.cache_clear()
            self.addCleanup(layer.is_there.cache_clear)
            with missing:
                self.assertEqual((layer.is_there(), layer.address("/a b")), (False, "file:///a%20b"))

    def test_no_library(self) -> None:
        """Nor where the library of the driver cannot be loaded, or is no SQLite."""
        for library in ("/no/such/library.so", sys.modules["_struct"].__file__):
            code = (
                "import _sqlite3, sys; _sqlite3.__file__ = sys.argv[1]\n"
                "from ocsgw.store.sqlite.layer import address; print(address('/a'))"
            )
            done = subprocess.run(
                [sys.executable, "-c", code, str(library)], capture_output=True, text=True, timeout=60
            )
            self.assertEqual((done.stdout, done.stderr), ("file:///a\n", ""), library)

    def test_files_are_exchanged(self) -> None:
        """A file that was written with the layer is read without, and the other way round, the log included."""
        path = self.made("file")
        for number, address in enumerate([layer.address(path), f"file:{path}"] * 2):
            with closing(connected(address)) as first, closing(connected(address)) as second:
                first.execute("INSERT INTO t (text) VALUES (?)", (str(number),))
                self.assertEqual(len(content(second)), number + 1)


def _lengths(path: str) -> tuple[int, int]:
    """Return how long a log is, and where what is in it ends (sqlite.org, "WAL-mode File Format")."""
    log = Path(path).read_bytes()
    end = 32
    while end < len(log) and log[end + 8 : end + 16] == log[16:24]:
        end += 24 + 4096
    return len(log), end


def _writes() -> int:
    """Return how many system calls that write this process has made."""
    text = Path("/proc/self/io").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("syscw"))
