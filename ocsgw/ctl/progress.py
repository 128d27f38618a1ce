"""A line on the terminal that shows how far a long command has come."""

import sys
import time
from collections.abc import Callable
from typing import IO

_WIDTH = 30
_EVERY = 0.2


class Progress:
    """Shows a bar, what was handled, how much a second and the time left; says nothing where there is no terminal.

    `what` is what is counted, for people.
    """

    def __init__(
        self, stream: IO[str] | None = None, clock: Callable[[], float] = time.monotonic, what: str = "rows"
    ) -> None:
        self._what = what
        self._stream = stream or sys.stderr
        self._clock = clock
        self._shown = self._stream.isatty()
        self._began = clock()
        self._next = self._began
        self._length = 0

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    def show(self, rows: int, done: float | None = None) -> None:
        """Show that so many were handled now; `done` is the part of the whole from 0 to 1, if that is known."""
        now = self._clock()
        if not self._shown or now < self._next:
            return
        self._next = now + _EVERY
        passed = max(now - self._began, 1e-9)
        text = f"{rows} {self._what}, {rows / passed:.0f} {self._what}/s"
        if done is not None:
            bar = "#" * int(done * _WIDTH)
            text = f"[{bar:<{_WIDTH}}] {done:4.0%}  {text}"
            if rows and 0 < done < 1:
                text += f", {_clock_time(passed * (1 - done) / done)} left"
        self._stream.write(f"\r{text:<{self._length}}")
        self._stream.flush()
        self._length = len(text)

    def clear(self) -> None:
        """Make room for another line."""
        if self._length:
            self._stream.write(f"\r{'':<{self._length}}\r")
            self._stream.flush()
            self._length = 0


def _clock_time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}"
