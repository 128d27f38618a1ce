"""Ids that never come again, for hand-outs and sessions of groups (`GSW_CALL_ATTEMPT_GUID`)."""

import secrets
from collections.abc import Callable

_LENGTH = 32
# Asking the system for randomness costs as much for many ids as for one.
_AT_ONCE = 128
# A letter or digit for each byte; each stands for as many bytes.
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" * 8


class RandomGuids:
    """Called, it returns 32 upper-case letters and digits, from any thread; `random_bytes` returns so many bytes."""

    def __init__(self, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._random_bytes = random_bytes
        self._ready: list[str] = []

    def __call__(self) -> str:
        """Return an id that has not been returned before."""
        try:
            return self._ready.pop()
        except IndexError:
            letters = self._random_bytes(_LENGTH * _AT_ONCE).translate(_LETTERS).decode("ascii")
            ready = [letters[at : at + _LENGTH] for at in range(0, len(letters), _LENGTH)]
            guid = ready.pop()
            self._ready = ready
            return guid


random_guid = RandomGuids()
