"""What the log says about requests that are refused or fail: enough to act upon, and bounded (93160 to 93162)."""

import difflib
from collections import Counter

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.logs import say
from ocsgw.protocol.attributes import KNOWN_KEYS
from ocsgw.protocol.errors import ERRORS, Refusal
from ocsgw.protocol.messages import Event
from ocsgw.proxy.http.exchange import Exchange, Outcome

# Statuses that tell about the client and not about its request.
REPORTED = frozenset({401, 403, 429})
# How many lines one address gets within the window, and all together; the others are counted.
_LINES_EACH = 10
_LINES = 200
_WINDOW = 60.0
# How many unknown members are remembered.
_MOST_MEMBERS = 1000


def report_failure(log: Logger, exchange: Exchange, reason: Failure | None = None) -> None:
    """Log a defect that costs a request, with the exception that is being handled or `reason`."""
    head = exchange.head
    request = exchange.target.request.name if exchange.target.request is not None else exchange.line.method.decode()
    if head.request_id is not None:
        request = f"{request}, request id {head.request_id.decode('ascii')}"
    say(log, 93111, request=request, log_failure=reason or Failure())


class RefusalReports:
    """One line for each request that its client is refused for, in a form that fail2ban reads.

    The address stands before everything that a client can write.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._began = clock.seconds()
        self._lines: Counter[str] = Counter()
        self._total = 0
        self._silent = 0

    def note(self, exchange: Exchange, outcome: Outcome) -> None:
        """Report an outcome if it is one of those."""
        if isinstance(outcome, Refusal):
            status, reason = outcome.status, outcome.text
        elif isinstance(outcome, Event) and (row := ERRORS.get(outcome.code or "")) is not None:
            status, reason = row.status, row.text
        else:
            return
        if status not in REPORTED:
            return
        address = exchange.peer or "-"
        if self._total >= _LINES or self._lines[address] >= _LINES_EACH:
            self._silent += 1
            return
        self._total += 1
        self._lines[address] += 1
        say(self._log, 93160, address=address, status=status, reason=reason, principal=exchange.principal or "-")

    def tick(self) -> None:
        """Begin a new window when the old one is over, and report how many refusals had no line."""
        now = self._clock.seconds()
        if now - self._began < _WINDOW:
            return
        silent, self._began = self._silent, now
        self._lines.clear()
        self._total = self._silent = 0
        if silent:
            say(self._log, 93161, count=silent, window=_WINDOW)


class UnknownMembers:
    """Members of bodies that begin like an attribute and are none: refused where `strict`, else reported once (H95)."""

    _log = Logger()

    def __init__(self) -> None:
        self.strict = False
        self._reported: set[str] = set()

    def found(self, name: str, request: str, attributes: tuple[str, ...]) -> None:
        """Deal with a member that `request`, which has these attributes, does not know. Raises `Refusal`."""
        if name in KNOWN_KEYS or (not self.strict and name in self._reported):
            # An attribute of other requests, or a key of events: clients send back what they have got.
            return
        near = difflib.get_close_matches(name.upper(), [*attributes, *sorted(KNOWN_KEYS)], n=1)
        nearest = near[0] if near else ""
        if self.strict:
            refusal = Refusal("unknown_attribute", name, nearest)
            if not near:
                refusal.text = refusal.text.partition(";")[0]
            raise refusal
        if len(self._reported) < _MOST_MEMBERS:
            self._reported.add(name)
            say(self._log, 93162, member=name, request=request, nearest=nearest or "-")
