"""The lease of two servers of one machine that share an SQLite file.

Its time is that of the machine's kernel since its start: both servers see the same, and nobody can set it. Together
with the id of that start it says whether a lease has lapsed; after a new start of the machine every lease has.

`BEGIN IMMEDIATE` lets one server write at a time, so that nobody takes the lease between its check, right after the
beginning, and the end of the transaction.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.errors import NotPrimaryError, StoreBusyError
from ocsgw.store.lease import LONGEST, Lease, PairMember, lease_of
from ocsgw.store.sqlite.connection import Connection, masked, primary_code
from ocsgw.store.sqlite.watchdog import CLOCK, Watchdog

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
# How long a transaction about the lease alone waits for other writers, and may last at least (seconds).
_WAIT = 0.5
_LONGEST = 1.0
# A server that stands by says so each time the lease could have lapsed, and is believed for so many of these times.
_BELIEVED = 3.0
# How much of the time that its lease is valid a transaction may wait for other programs.
_SHARE = 0.8
_CHECK = "SELECT expires_at FROM ocsgw_lease WHERE id = 1 AND epoch = ? AND token = ? AND boot = ?"
_RENEW = "UPDATE ocsgw_lease SET expires_at = ? WHERE id = 1"
_RENEW_WITH_OBJECTS = "UPDATE ocsgw_lease SET expires_at = ?, objects = ? WHERE id = 1"
_TAKE = (
    "INSERT INTO ocsgw_lease (id, epoch, token, name, boot, expires_at, objects) VALUES (1, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, token = excluded.token, name = excluded.name,"
    " boot = excluded.boot, expires_at = excluded.expires_at, objects = excluded.objects"
)
_IS_READY = "boot = ? AND ready_until > ? AND ready_until <= ?"
_STAND_BY = (
    "INSERT INTO ocsgw_standby (token, name, boot, ready_until) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (token) DO UPDATE SET ready_until = excluded.ready_until"
)


def time_of_kernel() -> float:
    """Return the seconds since the start of the machine, those in which it slept included."""
    return time.clock_gettime(CLOCK)


def start_of_machine() -> str:
    """Return what distinguishes this start of the machine from every other one."""
    return Path(_BOOT_ID).read_text(encoding="ascii").strip()


class Timer(Protocol):
    """What ends this process if it stands still in the middle of a transaction."""

    def arm(self, at: float) -> None:
        """End this process at this time unless disarmed before."""

    def disarm(self) -> None:
        """The transaction has ended."""


class SQLiteLease:
    """`store.lease.LeaseKeeper` on a connection; the engine calls `begun` and `ended` around each transaction."""

    def __init__(
        self,
        member: PairMember,
        connection: Callable[[], Connection],
        watchdog: Timer | None = None,
        clock: Callable[[], float] = time_of_kernel,
        boot: str | None = None,
    ) -> None:
        self.objects = ""
        self._member = member
        self._connection = connection
        self._watchdog = watchdog or Watchdog()
        self._clock = clock
        self._boot = start_of_machine() if boot is None else boot
        # Our epoch, None without the lease, and when it lapses as the last commit has it.
        self._epoch: int | None = None
        self._expires_at = 0.0
        # What the transaction that is under way makes of it, None if it renews nothing.
        self._renewed_until: float | None = None
        self._stored_objects: str | None = None
        self._standby_due = 0.0

    @property
    def is_held(self) -> bool:
        """Whether this server has the lease, as far as it knows."""
        return self._epoch is not None

    @property
    def remaining(self) -> float | None:
        """For how many more seconds our lease is valid, as far as this process knows; None if we do not have it."""
        return None if self._epoch is None else self._expires_at - self._clock()

    # Around every write transaction.

    def beginning(self) -> float:
        """A transaction is about to begin; return how many seconds it may wait. Raises `NotPrimaryError`.

        From here on until `ended` the process must not stand still for longer than the lease is valid: it may hold the
        lock of the file already.
        """
        if self._epoch is None:
            raise NotPrimaryError("this server is not the primary")
        remaining = self._expires_at - self._clock()
        if remaining <= 0:
            self._epoch = None
            raise NotPrimaryError("this server is no longer the primary")
        self._watchdog.arm(self._expires_at)
        return remaining * _SHARE

    def begun(self, connection: Connection) -> None:
        """Check the lease, and renew it if that is due. Raises `NotPrimaryError`; the caller rolls back then."""
        epoch, now = self._epoch, self._clock()
        self._renewed_until = None
        row = connection.row(_CHECK, (epoch, self._member.token, self._boot)) if epoch is not None else None
        if row is None or not isinstance(row[0], int | float) or not row[0] > now:
            self._epoch = None
            raise NotPrimaryError("this server is no longer the primary")
        if self._member.is_renewal_due(row[0] - now):
            self._renew(connection, now)

    def _renew(self, connection: Connection, now: float) -> None:
        until, objects = now + self._member.lease_time, self.objects
        if objects != self._stored_objects:
            connection.change(_RENEW_WITH_OBJECTS, (until, objects))
            self._stored_objects = objects
        else:
            connection.change(_RENEW, (until,))
        self._renewed_until = until

    def ended(self, *, committed: bool) -> None:
        """A transaction has ended, or has not begun."""
        self._watchdog.disarm()
        until, self._renewed_until = self._renewed_until, None
        if until is None:
            return
        if committed:
            self._expires_at = until
        else:
            self._stored_objects = None

    # The lease itself.

    def look(self) -> Lease:
        """Return the lease; without having it, say now and then that this server is ready."""
        connection, now = self._connection(), self._clock()
        if self._epoch is None and now >= self._standby_due:
            # While the primary has work, one of the next looks says it.
            with contextlib.suppress(StoreBusyError):
                self._stand_by(now)
        row = connection.row("SELECT epoch, token, name, boot, expires_at, objects FROM ocsgw_lease WHERE id = 1")
        others = connection.rows(
            f"SELECT name FROM ocsgw_standby WHERE {_IS_READY} AND token <> ?",
            (self._boot, now, now + _BELIEVED * LONGEST, row[1] if row is not None else ""),
        )
        ready = tuple(str(name) for (name,) in others)
        if row is None:
            return lease_of(0, 0.0, ready=ready)
        epoch, token, holder, boot, expires_at, objects = row
        is_ours = token == self._member.token
        return lease_of(epoch, self._left(boot, expires_at, now), holder, objects, is_ours=is_ours, ready=ready)

    def _left(self, boot: object, expires_at: object, now: float) -> object:
        if boot != self._boot:
            return 0.0
        return expires_at - now if isinstance(expires_at, int | float) else None

    def _stand_by(self, now: float) -> None:
        lease_time = self._member.lease_time
        with self._short_transaction() as connection:
            believed = (self._boot, now, now + _BELIEVED * LONGEST)
            connection.change(f"DELETE FROM ocsgw_standby WHERE NOT ({_IS_READY})", believed)
            values = (self._member.token, self._member.name, self._boot, now + _BELIEVED * lease_time)
            connection.change(_STAND_BY, values)
        self._standby_due = now + lease_time

    def take(self) -> bool:
        """Take the lease if it has lapsed; return whether it is ours now."""
        member = self._member
        with self._short_transaction() as connection:
            now = self._clock()
            row = connection.row("SELECT epoch, boot, expires_at FROM ocsgw_lease WHERE id = 1")
            epoch, boot, expires_at = row if row is not None else (0, "", 0.0)
            found = lease_of(epoch, self._left(boot, expires_at, now))
            if found.remaining > 0:
                return False
            epoch, until = found.epoch + 1, now + member.lease_time
            connection.change(_TAKE, (epoch, member.token, member.name, self._boot, until, self.objects))
            connection.change("DELETE FROM ocsgw_standby WHERE token = ?", (member.token,))
        self._expires_at, self._epoch, self._stored_objects = until, epoch, self.objects
        self._standby_due = 0.0
        return True

    def renew(self) -> None:
        """Renew our lease in a transaction of its own."""
        with self._short_transaction(is_primary=True):
            pass

    def check(self) -> None:
        """Every transaction has begun with the check."""

    def hand_over(self) -> None:
        """Give our lease up: it has lapsed from now on."""
        with self._short_transaction(is_primary=True) as connection:
            connection.change(_RENEW, (0.0,))
            self._renewed_until = None
        self._epoch = None

    def drop(self) -> None:
        """Write nothing more."""
        self._epoch = None

    @contextmanager
    def _short_transaction(self, *, is_primary: bool = False) -> Iterator[Connection]:
        """Begin a transaction about the lease alone. Raises `StoreFailureError`."""
        connection = self._connection()
        raw = connection.raw
        committed = False
        try:
            wait = min(_WAIT, self.beginning()) if is_primary else _WAIT
            raw.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}").close()
            try:
                if not is_primary:
                    # A slow disk is no reason to end.
                    longest = max(_LONGEST, self._member.lease_time / 2)
                    self._watchdog.arm(self._clock() + wait + longest)
                raw.execute("BEGIN IMMEDIATE").close()
            finally:
                raw.execute("PRAGMA busy_timeout = 0").close()
            if is_primary:
                self.begun(connection)
            yield connection
            raw.execute("COMMIT").close()
            committed = True
        except sqlite3.Error as error:
            text = masked(str(error))
            if primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreBusyError(text) from None
            raise StoreFailureError(text) from None
        finally:
            if not committed and raw.in_transaction:
                # Where that fails the engine has rolled back by itself.
                with contextlib.suppress(sqlite3.Error):
                    raw.execute("ROLLBACK").close()
            self.ended(committed=committed)
