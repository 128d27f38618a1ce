"""The lease of servers that share a database; its time is the database's, so that clocks of machines do not matter.

A transaction begins with the check: it locks the row of the lease for sharing until its end, so that nobody takes the
lease meanwhile. What keeps a transaction open beyond the lease is ended by the database itself
(`idle_in_transaction_session_timeout`, for this transaction alone), wherever its server stands still.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from ocsgw.store.errors import NotPrimaryError, StoreBusyError
from ocsgw.store.lease import LONGEST, Lease, PairMember, lease_of
from ocsgw.store.postgresql.connection import Connection, translated

# How long a transaction about the lease alone waits for locks, and may stand still (milliseconds).
_WAIT_MS = 500
_LONGEST_MS = 1500
# A server that stands by says so each time the lease could have lapsed, and is believed for so many of these times.
_BELIEVED = 3.0
_NOW = "extract(epoch FROM clock_timestamp())::double precision"
# Without such a row it divides by zero: an error that ends the transaction in the way it begins, at no further cost.
_CHECK = (
    "SELECT 1 / count(*) FROM (SELECT 1 FROM ocsgw_lease WHERE id = 1 AND epoch = {epoch} AND token = '{token}'"
    f" AND expires_at > {_NOW} FOR SHARE) AS lease"
)
_IS_OURS = f"SELECT 1 FROM ocsgw_lease WHERE id = 1 AND epoch = ? AND token = ? AND expires_at > {_NOW} FOR SHARE"
_RENEW = f"UPDATE ocsgw_lease SET expires_at = {_NOW} + {{lease_time}} WHERE id = 1"
# Who keeps the row of a lapsed lease locked: between the statements of a pipeline no timeout of the database counts.
_END_HOLDER = (
    "SELECT pg_terminate_backend(holder.pid) FROM ocsgw_lease AS lease JOIN pg_locks AS holder ON holder.granted"
    " AND holder.locktype = 'transactionid' AND holder.transactionid = lease.xmax AND holder.pid <> pg_backend_pid()"
    f" WHERE lease.id = 1 AND NOT (lease.expires_at > {_NOW} AND lease.expires_at <= {_NOW} + {LONGEST})"
)
_IS_READY = f"ready_until > {_NOW} AND ready_until <= {_NOW} + {_BELIEVED * LONGEST}"
_USERS = (
    f"SELECT name FROM ocsgw_lease WHERE id = 1 AND expires_at > {_NOW} AND expires_at <= {_NOW} + {LONGEST}"
    f" UNION SELECT name FROM ocsgw_standby WHERE {_IS_READY} ORDER BY name"
)
_LOOK = f"SELECT epoch, token, name, expires_at - {_NOW}, objects, {_NOW} FROM ocsgw_lease WHERE id = 1"


def partners_on(connection: Connection) -> list[str]:
    """Return the names of the servers with `[ha] enabled` that use a database. Raises `StoreFailureError`."""
    return [row[0] for row in connection.rows(_USERS)]


class PostgreSQLLease:
    """`store.lease.LeaseKeeper` on a connection; the engine asks `beginning` for each transaction and calls `ended`.

    `clock` is a monotonic time in seconds, for what this process knows of its lease.
    """

    def __init__(
        self,
        member: PairMember,
        connection: Callable[[], Connection],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.objects = ""
        self._member = member
        self._connection = connection
        self._clock = clock
        self._epoch: int | None = None
        self._expires_at = 0.0
        self._renewed_until: float | None = None
        self._stored_objects = ""
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

    def beginning(self) -> str:
        """Return the statements that a transaction begins with, behind `BEGIN`. Raises `NotPrimaryError`."""
        epoch, now, member = self._epoch, self._clock(), self._member
        if epoch is None:
            raise NotPrimaryError("this server is not the primary")
        remaining = self._expires_at - now
        if remaining <= 0:
            raise self.lost()
        statements = self._checking(epoch, remaining)
        self._renewed_until = None
        if member.is_renewal_due(remaining):
            statements.append(_RENEW.format(lease_time=member.lease_time))
            self._renewed_until = now + member.lease_time
        return "; ".join(statements)

    def _checking(self, epoch: int, remaining: float) -> list[str]:
        return [
            f"SET LOCAL idle_in_transaction_session_timeout = {max(1, int(remaining * 1000))}",
            _CHECK.format(epoch=epoch, token=self._member.token),
        ]

    def checking(self) -> list[str] | None:
        """Return the statements of a transaction that renews nothing; None if it is time to, or nothing is ours."""
        remaining = self._expires_at - self._clock()
        if self._epoch is None or remaining <= 0 or self._member.is_renewal_due(remaining):
            return None
        return self._checking(self._epoch, remaining)

    def lost(self) -> NotPrimaryError:
        """The check has failed; return the error for it."""
        self._epoch = None
        return NotPrimaryError("this server is no longer the primary")

    def check(self) -> None:
        """Make sure that the lease is ours; nobody takes it before the end of the transaction that is under way."""
        values = (self._epoch, self._member.token)
        if self._epoch is None or self._connection().row(_IS_OURS, values) is None:
            raise self.lost()

    def ended(self, *, committed: bool) -> None:
        """A transaction has ended, or has not begun."""
        until, self._renewed_until = self._renewed_until, None
        if until is not None and committed:
            self._expires_at = until

    # The lease itself.

    def look(self) -> Lease:
        """Return the lease; without having it, say now and then that this server is ready."""
        connection, now = self._connection(), self._clock()
        if self._epoch is None and now >= self._standby_due:
            self._stand_by(connection)
            self._standby_due = now + self._member.lease_time
        row = connection.row(_LOOK)
        others = connection.rows(
            f"SELECT name FROM ocsgw_standby WHERE {_IS_READY} AND token <> ? ORDER BY name",
            (row[1] if row is not None else "",),
        )
        ready = tuple(name for (name,) in others)
        if row is None:
            return lease_of(0, 0.0, ready=ready)
        epoch, token, holder, remaining, objects, now = row
        is_ours = token == self._member.token
        return lease_of(epoch, remaining, holder, objects, is_ours=is_ours, ready=ready, now=now)

    def _stand_by(self, connection: Connection) -> None:
        connection.change(f"DELETE FROM ocsgw_standby WHERE NOT ({_IS_READY})")
        connection.change(
            "INSERT INTO ocsgw_standby (token, name, boot, ready_until)"
            f" VALUES (?, ?, '', {_NOW} + ?) ON CONFLICT (token) DO UPDATE SET ready_until = excluded.ready_until",
            (self._member.token, self._member.name, _BELIEVED * self._member.lease_time),
        )

    def take(self) -> bool:
        """Take the lease if it has lapsed; return whether it is ours now.

        A session that keeps a lapsed lease locked stands still, and is ended; the next try takes it.
        """
        try:
            return self._take()
        except StoreBusyError:
            self._connection().rows(_END_HOLDER)
            raise

    def _take(self) -> bool:
        member = self._member
        with self._short_transaction("") as connection:
            begun = self._clock()
            connection.change(
                "INSERT INTO ocsgw_lease (id, epoch, token, name, boot, expires_at, objects)"
                " VALUES (1, 0, '', '', '', 0, '') ON CONFLICT (id) DO NOTHING"
            )
            # Waits for transactions of the primary that are under way.
            row = connection.row(f"SELECT epoch, expires_at - {_NOW} FROM ocsgw_lease WHERE id = 1 FOR UPDATE")
            found = lease_of(*row) if row is not None else None
            if found is None or found.remaining > 0:
                return False
            epoch = found.epoch + 1
            connection.change(
                "UPDATE ocsgw_lease SET epoch = ?, token = ?, name = ?, objects = ?,"
                f" expires_at = {_NOW} + ? WHERE id = 1",
                (epoch, member.token, member.name, self.objects, member.lease_time),
            )
            connection.change("DELETE FROM ocsgw_standby WHERE token = ?", (member.token,))
        self._expires_at, self._epoch, self._stored_objects = begun + member.lease_time, epoch, self.objects
        self._standby_due = 0.0
        return True

    def renew(self) -> None:
        """Renew our lease in a transaction of its own."""
        objects = self.objects
        with self._short_transaction(self.beginning()) as connection:
            until = self._clock() + self._member.lease_time
            connection.change(_RENEW.format(lease_time=self._member.lease_time))
            if objects != self._stored_objects:
                connection.change("UPDATE ocsgw_lease SET objects = ? WHERE id = 1", (objects,))
        self._expires_at, self._stored_objects = until, objects

    def hand_over(self) -> None:
        """Give our lease up: it has lapsed from now on."""
        with self._short_transaction(self.beginning()) as connection:
            connection.change("UPDATE ocsgw_lease SET expires_at = 0 WHERE id = 1")
        self._epoch = None

    def drop(self) -> None:
        """Write nothing more."""
        self._epoch = None

    @contextmanager
    def _short_transaction(self, check: str) -> Iterator[Connection]:
        """Begin a transaction about the lease alone, with its check. Raises `StoreFailureError`."""
        connection = self._connection()
        begin = (
            f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {_WAIT_MS};"
            f" SET LOCAL idle_in_transaction_session_timeout = {_LONGEST_MS}; {check}"
        )
        try:
            try:
                connection.control(begin)
            except psycopg.errors.DivisionByZero:
                raise self.lost() from None
            yield connection
            connection.control("COMMIT")
        except psycopg.Error as error:
            raise translated(error) from None
        finally:
            self._renewed_until = None
            if not connection.is_broken and connection.in_transaction:
                connection.control("ROLLBACK")
