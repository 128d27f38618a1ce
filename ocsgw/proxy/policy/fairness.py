"""Large bodies get half of the time at most, so that their senders do not hold up others (R53)."""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ocsgw.guard import guarded
from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.http.exchange import Exchange
from ocsgw.proxy.policy.body_memory import BodyMemory

Carry = Callable[[], None]
Refuse = Callable[[Refusal], None]

# A body up to this size is read in less time than it takes to think about it; bytes.
LARGE = 16 << 10
# Work that took no longer needs no rest; seconds.
_BRIEF = 0.002


class LargeBodies:
    """Requests with large bodies, one after the other, each followed by a rest as long as it took.

    What waits counts as held in `body_memory`; beyond its limit a request is refused.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, body_memory: BodyMemory[object]) -> None:
        self._clock = clock
        self._body_memory = body_memory
        self._waiting: deque[tuple[Exchange, Carry, Refuse]] = deque()
        self._due: IDelayedCall | None = None
        self._busy = False

    def take(self, exchange: Exchange, size: int, carry: Carry, refuse: Refuse) -> None:
        """Call `carry` when it is the turn of this request with its body of `size` bytes, or `refuse` now."""
        if not self._body_memory.hold(exchange, size):
            self._body_memory.release(exchange)
            refuse(Refusal("busy"))
            return
        self._waiting.append((exchange, carry, refuse))
        if self._due is None and not self._busy:
            self._go_on()

    def _go_on(self) -> None:
        self._due = None
        self._busy = True
        try:
            while self._waiting and self._due is None:
                began = self._clock.seconds()
                self._carry_next()
                spent = self._clock.seconds() - began
                if spent > _BRIEF:
                    self._due = self._clock.callLater(spent, self._go_on)
        finally:
            self._busy = False

    def _carry_next(self) -> None:
        """Carry out the first that waits; one that fails ends neither the turn of the others nor what follows."""
        exchange, carry, refuse = self._waiting.popleft()
        self._body_memory.release(exchange)
        if not guarded(self._log, "large body", carry) and exchange.outcome is None:
            guarded(self._log, "large body", refuse, Refusal("internal"))

    def stop(self) -> None:
        """Carry out at once what waits."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        while self._waiting:
            self._carry_next()
