"""The batches of one writer by number: what became of one whose commit was not answered.

Every writing transaction writes the number of its batch into a row of the writer in `ocsgw_batch`.
"""

import secrets
from collections.abc import Callable

import psycopg

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.dialect import Parameters
from ocsgw.store.postgresql.connection import Connection

# So long the outcome of a commit is looked for at least, and rows of writers that have ended are kept.
_SETTLING = 5.0
_KEPT_WRITERS = 7 * 86400
# Between tries to connect, in seconds.
_PAUSE = 0.05
# Also when it was written last: other servers forget the rows of those that are gone.
_ENTER = (
    "INSERT INTO ocsgw_batch (writer, batch, opened_at) VALUES (?, ?, extract(epoch FROM now())::bigint)"
    " ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, opened_at = excluded.opened_at"
)
# A batch that has been given up, and whose statements arrive all the same, divides by zero and is undone.
_MARK = _ENTER.replace("= excluded.batch,", "= excluded.batch / (ocsgw_batch.batch < excluded.batch)::int,")
_GIVE_UP = "UPDATE ocsgw_batch SET batch = ? WHERE writer = ?"
# States of errors that concern the connection or the session, whatever has become of the statement: a session may be
# cancelled, for the time that it takes for instance, when it has just committed.
_OF_SESSIONS = ("08", "57")


class Batches:
    """The batches of one writer, which has one transaction at a time. `clock` and `sleep` are in seconds."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._writer = secrets.token_hex(16)
        self.number = 0

    def enter(self, connection: Connection) -> None:
        """Make the row of this writer, and forget those that have long gone."""
        connection.change(
            "DELETE FROM ocsgw_batch WHERE opened_at < extract(epoch FROM now())::bigint - ?", (_KEPT_WRITERS,)
        )
        connection.change(_ENTER, (self._writer, self.number))

    def leave(self, connection: Connection) -> None:
        """Remove it."""
        connection.change("DELETE FROM ocsgw_batch WHERE writer = ?", (self._writer,))

    def mark(self) -> tuple[str, Parameters]:
        """Begin a further batch; return the statement that belongs into its transaction."""
        self.number += 1
        return _MARK, (self._writer, self.number)

    def was_committed(self, connect: Callable[[float], Connection], wait: float) -> bool | None:
        """Return what became of the last batch, whose commit was not answered, None if that is not found in time.

        `connect` makes a connection within so many seconds. The row is locked: where the server is still at it, that
        waits until it has come to an end. A batch that was not committed is given up for good: it may still be on its
        way.
        """
        batch = self.number
        until = self._clock() + max(wait, _SETTLING)
        self.number = batch + 1
        while (left := until - self._clock()) > 0:
            connection: Connection | None = None
            try:
                connection = connect(left)
                connection.control(f"BEGIN; SET LOCAL lock_timeout = {max(1, int(left * 1000))}")
                row = connection.row("SELECT batch FROM ocsgw_batch WHERE writer = ? FOR UPDATE", (self._writer,))
                is_missing = row is not None and row[0] != batch
                if is_missing:
                    connection.change(_GIVE_UP, (batch + 1, self._writer))
                connection.control("COMMIT" if is_missing else "ROLLBACK")
            except (psycopg.Error, StoreFailureError):
                if connection is not None:
                    connection.close()
                self._sleep(min(left, _PAUSE))
            else:
                return None if row is None else bool(row[0] == batch)
        return None


def is_refusal(error: psycopg.Error) -> bool:
    """Whether the server says that it has not committed; what has become of a session says nothing about that."""
    state = error.sqlstate
    return (
        state is not None and not state.startswith(_OF_SESSIONS) and error.diag.severity_nonlocalized in (None, "ERROR")
    )
