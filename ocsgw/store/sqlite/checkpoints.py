"""The write-ahead log brought into the file by a thread of its own, so that no request waits for it.

By itself SQLite does so in the commit that finds the log long. With random keys nearly each frame of the log is another
page of the file, and whoever waits for that commit waits for all of them to be written and synchronized.

The longer the log, the more often a page is in it that the file gets once. With random keys a row changes two pages of
indexes, of thousands; in a log as long as the file most of them are there several times. So it may be as long as that,
within bounds.

It begins anew only with a transaction that finds all of it in the file, and while one commit follows the other a thread
never has all of it. So it brings over what there is, until that was quickly done, and then the little that has come
since is brought over between two transactions. Where the thread does not get on, SQLite's own way is left as a
backstop, at twice the length.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from ocsgw.store.sqlite.layer import address

# How long a log may be at least and at most before the thread begins, in bytes.
_SHORT, _LONG = 16 << 20, 256 << 20
# What has come while the last round took no longer than this is brought over quickly, too (seconds); and after a round
# with so few frames, where synchronizing takes longer than that.
_QUICK = 0.02
_FEW = 500
_MOST_ROUNDS = 6
# Changed rows after which the thread is asked first, and at least and at most; and after so many seconds in any case,
# so that a crash does not find a long log of a quiet day.
_FIRST, _FEWEST, _MOST = 500, 100, 1_000_000
_SELDOM = 60.0
# By how much that grows at most from one time to the next.
_GROWTH = 16
_LENGTH = "SELECT * FROM pragma_page_count, pragma_page_size"
_COMMAND = "PRAGMA wal_checkpoint(PASSIVE)"


class Brought(NamedTuple):
    """What came of the thread's work: how many frames the log has, and whether the last round was quickly done."""

    frames: int
    is_quick: bool


class Checkpoints:
    """Sees to the log of a file; `submit` gives a function to the thread, `clock` is a monotonic time in seconds."""

    def __init__(
        self,
        file: str,
        submit: Callable[[Callable[[], Brought | None]], "Future[Brought | None]"] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._file = file
        self._clock = clock
        # The thread is not made before there is something to do.
        self._pool = ThreadPoolExecutor(1, "checkpoints") if submit is None else None
        self._submit: Callable[[Callable[[], Brought | None]], Future[Brought | None]] = (
            submit or self._pool.submit  # type: ignore[union-attr]
        )
        self._connection: sqlite3.Connection | None = None
        self._running: Future[Brought | None] | None = None
        # Bytes the log has at most, unless another program keeps an old state of the file in use, and frames with which
        # the thread begins.
        self.limit = 2 * _SHORT
        self._most = 0
        # The connection's count of changed rows as the log began anew, and with which the thread is asked next; how
        # many lie between; and the count and the time when it was asked last.
        self._anew = 0
        self._interval = _FIRST
        self._next = _FIRST
        self._asked = 0
        self._asked_at = clock()

    def fit(self, connection: sqlite3.Connection) -> None:
        """Fit the length of the log to that of the file. Raises `sqlite3.Error`.

        Where the thread has not got on, the connection itself sees to the limit.
        """
        ((pages, size),) = connection.execute(_LENGTH).fetchall()
        long = min(max(pages * size, _SHORT), _LONG)
        self._most = long // size
        self.limit = 2 * long
        for setting in (f"wal_autocheckpoint = {self.limit // size}", f"journal_size_limit = {self.limit}"):
            connection.execute(f"PRAGMA {setting}").close()

    def committed(self, connection: sqlite3.Connection) -> None:
        """A transaction of this connection has been committed, and the next one has not begun."""
        running = self._running
        is_behind = False
        if running is not None:
            if not running.done():
                return
            self._running = None
            is_behind = not self._take(running.result(), connection)
        changes = connection.total_changes
        if changes < self._asked:
            # It counts up to 2^31, and another connection counts from 0.
            self._anew = self._asked = changes
            self._next = changes + self._interval
        now = self._clock()
        if changes >= self._next or is_behind or (changes > self._asked and now - self._asked_at >= _SELDOM):
            self._asked, self._asked_at = changes, now
            self._next = changes + self._interval
            # Without a thread, for want of memory, there is the backstop.
            with contextlib.suppress(RuntimeError):
                self._running = self._submit(self._bring)

    def close(self) -> None:
        """End the thread; what it has begun is brought to its end."""
        if self._pool is not None:
            self._pool.shutdown()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self, brought: Brought | None, connection: sqlite3.Connection) -> bool:
        """Take what the thread has done; return whether it has got on."""
        changes = connection.total_changes
        is_all = False
        # What cannot be done now is done later, or SQLite reports it with a commit.
        with contextlib.suppress(sqlite3.Error):
            if brought is not None:
                self.fit(connection)
                self._learn(changes - self._anew, brought.frames)
                if not brought.is_quick:
                    return False
                _, is_all = bring_over(connection)
        if is_all:
            self._anew = changes
        # Where another program uses an old state of the file, not all can be brought over.
        self._next = changes + (self._interval if is_all else max(self._interval // 4, _FEWEST))
        return True

    def _learn(self, changes: int, frames: int) -> None:
        """Find out how many changes make the log so long as it may be, from how many have made so many frames."""
        if changes > 0 and frames:
            most = min(self._interval * _GROWTH, _MOST)
            self._interval = min(max(changes * self._most // frames, _FEWEST), most)

    def _bring(self) -> Brought | None:
        """Bring what is in the log into the file, in the thread; return None where that failed."""
        try:
            connection = self._connected()
            length = 0
            for _ in range(_MOST_ROUNDS):
                begun, before = self._clock(), length
                length, _ = bring_over(connection)
                is_quick = self._clock() - begun <= _QUICK or length - before <= _FEW
                if is_quick:
                    break
        except (sqlite3.Error, MemoryError):
            # A full disk, say: commits find out themselves. The next time begins with a new connection.
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            return None
        return Brought(length, is_quick)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                address(self._file), uri=True, isolation_level=None, check_same_thread=False, timeout=0
            )
            self._connection.execute("PRAGMA synchronous = FULL").close()
        return self._connection


def bring_over(connection: sqlite3.Connection) -> tuple[int, bool]:
    """Bring what is in the log into the file; return how many frames the log has, and whether the file has all now."""
    cursor = connection.execute(_COMMAND)
    ((_, frames, brought),) = cursor.fetchall()
    cursor.close()
    return max(0, frames), frames == brought
