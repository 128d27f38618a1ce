"""Log lines of HTTP Proxy on their way to OCS (protocol.md section 9)."""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import ILogObserver, LogEvent
from zope.interface import implementer

from ocsgw.logs import LEVELS, Level, level_of, text_of
from ocsgw.protocol.messages import Log, LogLine

_DELAY = 0.2
_PER_MESSAGE = 64
# So that a message stays far below the largest frame, however long its lines are; characters.
_TEXT_PER_MESSAGE = 128 << 10
_MAX_UNSENT = 1000


@implementer(ILogObserver)
class LogShipper:
    """Collects lines and sends them in small messages; what does not fit is dropped and counted (P120, P121).

    `send` puts a message on the link and returns whether that was possible.
    """

    def __init__(self, clock: IReactorTime, send: Callable[[Log], bool]) -> None:
        self.level: Level = "info"
        self._clock = clock
        self._send = send
        self._lines: deque[LogLine] = deque()
        self._dropped = 0
        self._due: IDelayedCall | None = None

    def __call__(self, event: LogEvent) -> None:
        """Take an event of twisted.logger."""
        level = level_of(event)
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        if len(self._lines) >= _MAX_UNSENT:
            self._dropped += 1
            return
        self._lines.append(
            LogLine(
                time=int(event["log_time"] * 1_000_000), level=level, id=event.get("number", 0), text=text_of(event)
            )
        )
        if self._due is None:
            self._due = self._clock.callLater(_DELAY, self._ship)

    def _ship(self) -> None:
        self._due = None
        self.flush()

    def flush(self) -> None:
        """Send what has been collected, as far as the link takes it."""
        while self._lines:
            lines = self._next_lines()
            try:
                if not self._send(Log(lines=lines, dropped=self._dropped)):
                    break
                self._dropped = 0
            except Exception:  # noqa: BLE001 - said in the log it would only fail again
                self._dropped += len(lines)
            for _ in lines:
                self._lines.popleft()
        if self._lines and self._due is None:
            self._due = self._clock.callLater(_DELAY, self._ship)

    def _next_lines(self) -> list[LogLine]:
        """Return the lines of the next message; they stay until it is sent."""
        lines: list[LogLine] = []
        size = 0
        for line in self._lines:
            size += len(line.text)
            if len(lines) == _PER_MESSAGE or (lines and size > _TEXT_PER_MESSAGE):
                break
            lines.append(line)
        return lines

    def stop(self) -> None:
        """Send the rest and collect no timer."""
        self.flush()
        if self._due is not None:
            self._due.cancel()
            self._due = None
