"""Transactions larger than the page cache, undone in part: what is committed behind them is there after a crash."""

import os
import shutil
import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.store.sqlite.connection import Connection

_ROWS = (
    "WITH n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 100) INSERT INTO t SELECT k, zeroblob(?) FROM n"
)
_STEPS = (
    "BEGIN IMMEDIATE",
    "SAVEPOINT run",
    "UPDATE t SET v = randomblob({size}) WHERE k BETWEEN 30 AND 70",
    "UPDATE t SET v = randomblob({size}) WHERE k BETWEEN 55 AND 95",
    "ROLLBACK TO run",
    "RELEASE run",
    "INSERT INTO t VALUES (1001, x'')",
    "COMMIT",
    "INSERT INTO t VALUES (1002, x'')",
)


def left_by_kill(file: str) -> int:
    """Return how many rows a new process would find after `kill -9`."""
    for end in ("", "-wal"):
        shutil.copyfile(f"{file}{end}", f"{file}.copy{end}")
    with closing(sqlite3.connect(f"{file}.copy")) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM t").fetchall()
    return int(rows)


class SpillingTests(SynchronousTestCase):
    """With a page cache of ten pages."""

    def connected(self, page: int) -> tuple[str, Connection]:
        """Return a file and a connection that writes to it as the store does."""
        folder = self.mktemp()
        os.makedirs(folder)
        file = os.path.abspath(os.path.join(folder, "t"))
        connection = Connection(file)
        self.addCleanup(connection.close)
        connection.change(f"PRAGMA page_size = {page}")
        # A file with content keeps the size of its pages.
        connection.change("PRAGMA user_version = 1")
        connection.tune()
        connection.change("PRAGMA wal_autocheckpoint = 0")
        connection.change("PRAGMA cache_size = 10")
        connection.change("CREATE TABLE t (k INTEGER PRIMARY KEY, v)")
        return file, connection

    def test_undone_in_part(self) -> None:
        """What was changed twice and undone does not hide what is committed with it and behind it from a new start."""
        for page in (4096, 1024):
            file, connection = self.connected(page)
            size = page * 3 // 4
            connection.change(_ROWS, (size,))
            for step in _STEPS:
                connection.change(step.format(size=size))
            self.assertEqual(left_by_kill(file), 102, page)

    def test_spilling(self) -> None:
        """What may be larger than the memory goes to the log before its end; what comes behind it does not."""
        file, connection = self.connected(4096)
        log = Path(f"{file}-wal")
        sizes = []
        for inside in (True, False):
            connection.change("PRAGMA wal_checkpoint(TRUNCATE)")
            with connection.spilling() if inside else nullcontext():
                connection.change("BEGIN IMMEDIATE")
                connection.change(_ROWS.replace("SELECT k,", f"SELECT k + {1000 * inside},"), (3000,))
                sizes.append(log.stat().st_size > 0)
                connection.change("COMMIT")
        self.assertEqual(sizes, [True, False])
