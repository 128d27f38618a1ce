"""The access log on its way to OCS: a request costs a tuple, lines are made and sent together later."""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ocsgw.protocol.message_parts import AccessLogSettings
from ocsgw.protocol.messages import AccessLines
from ocsgw.proxy.access_lines import Access, form_of
from ocsgw.proxy.http.exchange import Exchange

_DELAY = 0.2
# So many are sent at once without waiting for the rest of the delay; making their lines takes about a millisecond.
_BATCH = 256
# So that a message stays far below the largest frame; characters.
_TEXT_PER_MESSAGE = 64 << 10
_MAX_UNSENT = 8192
# What other servers write for a client that has gone before its answer.
_CLIENT_GONE = b"499"


class AccessLog:
    """Collects what was answered and sends it.

    What the link does not take is kept up to a bound; what comes beyond that is dropped and counted.
    `clock` is the reactor's, `wall_clock` in seconds since 1970 UTC; `send` puts a message on the link and returns
    whether that was possible.
    """

    def __init__(
        self, clock: IReactorTime, wall_clock: Callable[[], float], send: Callable[[AccessLines], bool]
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._send = send
        self._unsent: deque[Access] = deque()
        self._dropped = 0
        self._due: IDelayedCall | None = None

    def use(self, settings: AccessLogSettings) -> None:
        """Make lines in this form from now on."""
        self._form = form_of(settings)

    def began(self) -> float:
        """Return the time to remember of a request."""
        return self._clock.seconds()

    def answered(self, exchange: Exchange, answer: bytes) -> None:
        """Note a request with its whole answer."""
        self._note(exchange, answer[9:12], len(answer) - answer.find(b"\r\n\r\n") - 4)

    def abandoned(self, exchange: Exchange) -> None:
        """Note a request whose client has gone before it was answered."""
        self._note(exchange, _CLIENT_GONE, 0)

    def _note(self, exchange: Exchange, status: bytes, size: int) -> None:
        unsent = self._unsent
        if len(unsent) >= _MAX_UNSENT:
            self._dropped += 1
            return
        # What was begun before the log was switched on has no beginning.
        took = self._clock.seconds() - exchange.began if exchange.began >= 0 else 0.0
        unsent.append(
            Access(
                self._wall_clock(),
                took,
                exchange.peer,
                exchange.principal,
                exchange.target,
                exchange.line,
                exchange.head,
                status,
                size,
            )
        )
        if self._due is None:
            self._due = self._clock.callLater(_DELAY, self._ship)
        elif len(unsent) == _BATCH:
            self._due.reset(0)

    def _ship(self) -> None:
        self._due = None
        self.flush()

    def flush(self) -> None:
        """Send what has been collected, as far as the link takes it."""
        unsent = self._unsent
        while unsent:
            lines: list[str] = []
            size = 0
            for access in unsent:
                if size > _TEXT_PER_MESSAGE or len(lines) == _BATCH:
                    break
                line = self._form(access)
                lines.append(line)
                size += len(line)
            try:
                if not self._send(AccessLines(text="".join(lines), count=len(lines), dropped=self._dropped)):
                    break
                self._dropped = 0
            except Exception:  # noqa: BLE001 - a log never costs an answer
                self._dropped += len(lines)
            for _ in lines:
                unsent.popleft()
        if unsent and self._due is None:
            self._due = self._clock.callLater(_DELAY, self._ship)

    def stop(self) -> None:
        """Send the rest and keep no timer."""
        self.flush()
        if self._due is not None:
            self._due.cancel()
            self._due = None
