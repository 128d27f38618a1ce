"""What the log, and counters, say of a batch once it is committed."""

from collections.abc import Iterable

from twisted.logger import Logger

from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.execution.notes_log import NotesLog
from ocsgw.execution.result import BatchResult
from ocsgw.logs import say


class BatchLog:
    """Says it. `failure` is why the store failed last time, None while it works."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self.failure: str | None = None
        self._notes = NotesLog(log)

    def result(self, result: BatchResult) -> None:
        """Log what has become of a batch."""
        self.health(result.failure)
        for pending, failure in result.defects:
            say(self._log, 93111, request=pending.title, log_failure=failure)
        self.notes(result.units)

    def health(self, failure: str | None) -> None:
        """Log that the store fails, with the reason, or that it works again."""
        if failure is not None and self.failure is None:
            say(self._log, 93033, reason=failure)
        elif failure is None and self.failure is not None:
            say(self._log, 93034)
        self.failure = failure

    def notes(self, units: Iterable[UnitOfWork]) -> None:
        """Log, and count, what committed transactions have noted."""
        for unit in units:
            self._notes.log(unit)
