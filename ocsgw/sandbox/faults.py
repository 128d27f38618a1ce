"""Faults that are ordered for the next requests, one after the other."""

from collections.abc import Iterable
from typing import Literal
from urllib.parse import parse_qs

import msgspec

FaultKind = Literal["delay", "status", "reset", "lost_answer", "half_answer", "crash"]


class Fault(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One fault.

    `delay` waits `seconds`, then goes on. `status` answers with `status` (503) instead of carrying the request out.
    `reset` cuts the connection before it is carried out, `lost_answer` afterwards. `half_answer` carries it out and
    sends half of the answer. `crash` kills the HTTP Proxy, then cuts the connection.

    It hits `times` requests after `skip` others, of those whose path begins with `path` and whose `req` is `request`.
    """

    kind: FaultKind
    seconds: float = 1.0
    status: int = 503
    times: int = 1
    skip: int = 0
    path: str = ""
    request: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= 600 or not 100 <= self.status <= 599 or self.times < 1 or self.skip < 0:
            raise ValueError("seconds: 0 to 600; status: 100 to 599; times: at least 1; skip: at least 0")

    def fits(self, path: str, request: str | None) -> bool:
        """Whether it concerns a request."""
        return path.startswith(self.path) and self.request in {None, request}


class Faults:
    """The faults that are due."""

    def __init__(self) -> None:
        self._due: list[Fault] = []

    def order(self, faults: Iterable[Fault]) -> None:
        """Add faults behind those that are due."""
        self._due += faults

    def clear(self) -> None:
        """Forget those that are due."""
        self._due.clear()

    def due(self) -> list[Fault]:
        """Return those that are due, with what is left of them."""
        return list(self._due)

    def next(self, target: str) -> Fault | None:
        """Return the fault that hits a request to this target, None if it is served as usual."""
        path, _, query = target.partition("?")
        names = next((values for key, values in parse_qs(query).items() if key.lower() == "req"), [None])
        for fault in self._due:
            if not fault.fits(path, names[-1]):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            if not fault.times:
                self._due.remove(fault)
            return fault
        return None
