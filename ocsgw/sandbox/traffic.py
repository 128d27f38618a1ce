"""The record of what went through a sandbox."""

from collections import deque

import msgspec

_MOST = 10_000


class Entry(msgspec.Struct, omit_defaults=True):
    """One request with its answer.

    `time` is that of the virtual clock, `seconds` how long the answer took. `fault` is the kind of the fault that hit
    it. `status` is None where no answer was sent.
    """

    number: int
    time: float
    method: str
    target: str
    headers: dict[str, str]
    body: str
    status: int | None = None
    answer: str = ""
    seconds: float = 0.0
    fault: str | None = None


class Traffic:
    """The last requests, the oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_MOST)
        self._number = 0

    def begin(self, time: float, method: str, target: str, headers: dict[str, str], body: str) -> Entry:
        """Note a request, and return its entry for the answer."""
        self._number += 1
        entry = Entry(self._number, time, method, target, headers, body)
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Entry]:
        """Return what was noted."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._number = 0
