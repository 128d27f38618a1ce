"""The write-ahead log brought into the file by a thread of its own, so that no request waits for it.

By itself SQLite does so in the commit that finds the log long. With random keys nearly each frame of the log is another
page of the file, and whoever waits for that commit waits for all of them to be written and synchronized.

The log begins anew only with a transaction that finds all of it in the file, and while one commit follows the other a
thread never has all of it. So it brings over what there is, until that was quickly done, and then the little that has
come since is brought over between two transactions. Where the thread does not get on, SQLite's own way is left as a
backstop, at a multiple of the length.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ocsgw.store.sqlite.connection import CHECKPOINT_PAGES

# Frames of 4 KiB. The thread begins when there may be so many new ones, and the log begins anew when it is so long.
_NEW = 2000
_LONG = CHECKPOINT_PAGES
# At this length SQLite does it in a commit after all.
BACKSTOP = 4 * _LONG
# What has come while the last round took no longer than this is brought over quickly, too (seconds).
_QUICK = 0.01
_MOST_ROUNDS = 4
# Changed rows after which the thread is asked first, and at least and at most.
_FIRST, _FEWEST, _MOST = 500, 100, 1_000_000
_COMMAND = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """Sees to the log of a file; `submit` gives a function to the thread, `clock` is a monotonic time in seconds."""

    def __init__(
        self,
        file: str,
        submit: Callable[[Callable[[], int]], "Future[int]"] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._file = file
        self._clock = clock
        # The thread is not made before there is something to do.
        self._pool = ThreadPoolExecutor(1, "checkpoints") if submit is None else None
        self._submit: Callable[[Callable[[], int]], Future[int]] = submit or self._pool.submit  # type: ignore[union-attr]
        self._connection: sqlite3.Connection | None = None
        self._running: Future[int] | None = None
        # Changed rows as the thread was asked last, how many more until the next time, and the length of the log then.
        self._changes = 0
        self._wait = _FIRST
        self._length = 0

    def committed(self, connection: sqlite3.Connection) -> None:
        """A transaction of this connection has been committed, and the next one has not begun."""
        running = self._running
        if running is not None:
            if not running.done():
                return
            self._running = None
            self._learn(running.result())
            if self._length >= _LONG:
                self._bring_rest(connection)
        changed = connection.total_changes - self._changes
        # It counts up to 2^31, and another connection counts from 0.
        if not 0 <= changed < self._wait:
            self._changes = connection.total_changes
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

    def _learn(self, length: int) -> None:
        """Ask the thread again after so many changes as may have made enough new frames."""
        new = length - self._length if length >= self._length else length
        self._length = length
        self._wait = min(max(self._wait * _NEW // max(new, 1), self._wait // 4, _FEWEST), self._wait * 4, _MOST)

    def _bring_rest(self, connection: sqlite3.Connection) -> None:
        # What cannot be done now is done later, or SQLite reports it with a commit.
        with contextlib.suppress(sqlite3.Error):
            length, is_all = bring_over(connection)
            self._length = 0 if is_all else length

    def _bring(self) -> int:
        """Bring what is in the log into the file, in the thread; return how long the log is, in frames."""
        length = 0
        try:
            for _ in range(_MOST_ROUNDS):
                begun = self._clock()
                length, _ = bring_over(self._connected())
                if self._clock() - begun <= _QUICK:
                    break
        except sqlite3.Error:
            # A full disk, say: commits find out themselves. The next time begins with a new connection.
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        return length

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False, timeout=0)
            self._connection.execute("PRAGMA synchronous = FULL").close()
        return self._connection


def bring_over(connection: sqlite3.Connection) -> tuple[int, bool]:
    """Bring what is in the log into the file; return how many frames the log has, and whether the file has all now."""
    cursor = connection.execute(_COMMAND)
    ((_, frames, brought),) = cursor.fetchall()
    cursor.close()
    return max(0, frames), frames == brought
