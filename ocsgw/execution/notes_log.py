"""What transactions have noted for the log, once they are committed."""

from twisted.logger import Logger

from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.counters import DNC_BLOCKED
from ocsgw.logs import say

_MOST_UNKNOWN_KEYS = 1000


class NotesLog:
    """Logs, and counts, what units of work have noted; a key that a list does not have is logged once (H97)."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._unknown_keys: dict[str, set[str]] = {}

    def log(self, unit: UnitOfWork) -> None:
        """Log the notes of a committed transaction."""
        for occasion in unit.blocked:
            DNC_BLOCKED.add(occasion=occasion)
        for calling_list, key in unit.unknown_keys:
            self._log_unknown_key(calling_list, key)
        for text in unit.differences:
            self._log.debug("{text}", text=text)
        for number, fields in unit.warnings:
            say(self._log, number, **fields)
        for number, group in unit.group_messages:
            say(self._log, number, group=group)

    def _log_unknown_key(self, calling_list: str, key: str) -> None:
        logged = self._unknown_keys.setdefault(calling_list, set())
        if key not in logged and len(logged) < _MOST_UNKNOWN_KEYS:
            logged.add(key)
            say(self._log, 93008, key=key, calling_list=calling_list)
