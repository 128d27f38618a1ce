"""Sessions of the console: begun with an API key, a client certificate or on an open listener, and always ended."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

# Seconds without a page, and altogether. What keeps itself up to date does not count as a page.
IDLE = 1800.0
LONGEST = 43200.0
_MOST = 200


@dataclass(slots=True)
class Session:
    """One session; `digest` is the SHA-256 of the key that began it, None without one. Times are of the clock."""

    principal: str
    digest: bytes | None
    token: str
    begun: float
    seen: float


class Sessions:
    """The sessions of one listener. `clock` gives seconds, `make` random texts that nobody can guess."""

    def __init__(self, clock: Callable[[], float], make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> None:
        self._clock = clock
        self._make = make
        self._sessions: dict[str, Session] = {}

    def begin(self, principal: str, digest: bytes | None) -> tuple[str, Session]:
        """Begin one; return its name, which only its browser may know. With too many the oldest ends."""
        now = self._clock()
        self._forget(now)
        while len(self._sessions) >= _MOST:
            del self._sessions[next(iter(self._sessions))]
        name = self._make()
        session = self._sessions[name] = Session(principal, digest, self._make(), now, now)
        return name, session

    def find(self, name: str, *, is_page: bool) -> Session | None:
        """Return the session of a name if it has not ended; with `is_page` it begins to be idle anew."""
        now = self._clock()
        self._forget(now)
        found = self._sessions.get(name)
        if found is not None and is_page:
            found.seen = now
        return found

    def end(self, name: str) -> None:
        """End one."""
        self._sessions.pop(name, None)

    def _forget(self, now: float) -> None:
        ended = [
            name for name, each in self._sessions.items() if now - each.seen >= IDLE or now - each.begun >= LONGEST
        ]
        for name in ended:
            del self._sessions[name]
