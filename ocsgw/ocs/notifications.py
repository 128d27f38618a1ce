"""Sends call report records and contact processed notifications, each until it has arrived (outgoing.md 4 and 5)."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.clock import WallClock
from ocsgw.contact.outbox import Delivery
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.counters import NOTIFICATIONS_DROPPED, NOTIFICATIONS_LAG, NOTIFICATIONS_WAITING
from ocsgw.execution.committer import Committer
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.duty import Duty
from ocsgw.ocs.outgoing import was_tried
from ocsgw.periodic import Periodic
from ocsgw.protocol.messages import KV, Purpose, Verdict
from ocsgw.store.errors import CommitUnknownError

# How often the store is looked at for what is new, in seconds, and how much is kept in memory.
_EVERY = 0.25
_AT_ONCE = 500
_IN_MEMORY = 2000
_LONGEST_WAIT = 60.0
_PURPOSES = ("history", "contact_processed")

_decode = msgspec.json.Decoder(dict[str, Any]).decode
# Order has to hold for one kind and one chain.
_Key = tuple[str, int, int]


class Caller(Protocol):
    """Makes outgoing calls."""

    @property
    def makes_calls(self) -> bool:
        """Whether there is an HTTP Proxy that can."""

    def order(self, purpose: Purpose, uri: str, data: KV, timeout: float, link: int = 0) -> "Deferred[Verdict]":
        """Make a call; fires with the verdict and never fails."""


class StoreAccess(Protocol):
    """Where the committer is, and the clock of the rules."""

    @property
    def clock(self) -> WallClock:
        """The clock of the rules, in seconds since 1970 UTC."""

    def committer(self) -> Committer:
        """Return the committer."""


class _Line:
    """Notifications of one kind about one chain, sent one after the other; `tries` are those of the first one."""

    __slots__ = ("due", "entries", "sending", "tries")

    def __init__(self) -> None:
        self.entries: deque[Delivery] = deque()
        self.sending = False
        self.tries = 0
        self.due = 0.0


class Notifications(Service):
    """Sends what waits in the store, oldest first; what has arrived is removed there.

    A crash between the two sends it once more: receivers recognize repeats (O53, O62).
    """

    name = "notifications"
    _log = Logger()

    def __init__(self, context: OCSContext, store: StoreAccess, caller: Caller, duty: Duty) -> None:
        self._duty = duty
        self._context = context
        self._store = store
        self._caller = caller
        # By purpose.
        self._lines: dict[str, dict[_Key, _Line]] = {purpose: {} for purpose in _PURPOSES}
        self._last = 0
        self._count = 0
        self._sending = dict.fromkeys(_PURPOSES, 0)
        self._over: list[Delivery] = []
        self._loading = False
        self._failing: set[str] = set()
        self._ticker = Periodic("notifications", self.work, context.reactor)

    # Life.

    def startService(self) -> None:
        """Begin with what the store has."""
        super().startService()
        self._begin_anew()
        self._ticker.start(_EVERY, now=True)

    def stopService(self) -> None:
        """End; what is on its way may be sent once more later."""
        super().stopService()
        self._ticker.stop()
        self._begin_anew()

    def _begin_anew(self) -> None:
        for lines in self._lines.values():
            lines.clear()
        self._last, self._count, self._over = 0, 0, []
        NOTIFICATIONS_WAITING.set(0)
        NOTIFICATIONS_LAG.set(0)

    # Work.

    def work(self) -> "Deferred[None] | None":
        """Take what is new from the store, remove there what is over, and send what is due."""
        if not self._duty.is_ours:
            if not self._loading:
                self._begin_anew()
            return None
        self._send_due()
        # Those in memory are the oldest.
        oldest = min(
            (line.entries[0].written_at for lines in self._lines.values() for line in lines.values()), default=None
        )
        NOTIFICATIONS_LAG.set(max(0.0, self._store.clock() - oldest) if oldest is not None else 0)
        if self._loading:
            return None
        committer = self._store.committer()
        waiting = committer.backlog.total
        NOTIFICATIONS_WAITING.set(waiting or 0)
        is_behind = waiting is None or waiting > self._count + len(self._over)
        room = is_behind and self._count < _IN_MEMORY
        if not (room or self._over):
            return None
        self._loading = True
        over, self._over = self._over, []

        def exchange(unit: UnitOfWork) -> list[Delivery]:
            unit.backlog.count(unit.tx)
            unit.delivered += [each.number for each in over]
            return unit.tx.deliveries_after(self._last, _AT_ONCE) if room else []

        return committer.chore(self._duty.checked(exchange)).addCallbacks(
            self._loaded, self._not_loaded, errbackArgs=(over,)
        )

    def _loaded(self, entries: Sequence[Delivery]) -> None:
        self._loading = False
        for each in entries:
            self._last = each.number
            self._count += 1
            key = (each.purpose, each.list_dbid, each.chain_id)
            self._lines[each.purpose].setdefault(key, _Line()).entries.append(each)
        if entries:
            self._send_due()

    def _not_loaded(self, reason: Failure, over: list[Delivery]) -> None:
        self._loading = False
        self._over += over
        reason.trap(StoreFailureError, CommitUnknownError)

    def _send_due(self) -> None:
        if not self.running or not self._caller.makes_calls:
            return
        config, now = self._context.config.notifications, self._context.reactor.seconds()
        for purpose, lines in self._lines.items():
            if self._sending[purpose] >= config.http_connection_pool_size:
                continue
            for key, line in list(lines.items()):
                if line.sending or line.due > now or not line.entries:
                    continue
                self._send(key, line)
                if self._sending[purpose] >= config.http_connection_pool_size:
                    break

    def _send(self, key: _Key, line: _Line) -> None:
        config = self._context.config.notifications
        entry = line.entries[0]
        wanted, uri = (
            (config.send_history, config.history_uri)
            if entry.purpose == "history"
            else (config.contact_processed_notification, config.contact_processed_notification_uri)
        )
        if not wanted or uri is None:
            self._drop(key, line, "it is switched off")
            return
        line.sending = True
        self._sending[key[0]] += 1
        purpose: Purpose = "history" if entry.purpose == "history" else "contact_processed"
        called = self._caller.order(purpose, uri, _decode(entry.body), config.http_response_timeout)
        called.addCallback(self._answered, key, line)
        called.addErrback(lambda reason: say(self._log, 93244, log_failure=reason))

    def _answered(self, verdict: Verdict, key: _Key, line: _Line) -> None:
        line.sending = False
        self._sending[key[0]] -= 1
        if not self.running or self._lines[key[0]].get(key) is not line:
            return
        purpose, config = key[0], self._context.config.notifications
        if verdict.status == 200:
            if purpose in self._failing:
                self._failing.discard(purpose)
                say(self._log, 93243, purpose=purpose)
            self._end(key, line)
        elif not was_tried(verdict):
            # Its receiver has nothing to do with that.
            line.due = self._context.reactor.seconds() + 1
        else:
            reason = verdict.text or (f"status {verdict.status}" if verdict.status is not None else verdict.reason)
            if purpose not in self._failing:
                self._failing.add(purpose)
                say(self._log, 93242, purpose=purpose, reason=reason)
            line.tries += 1
            age = self._store.clock() - line.entries[0].written_at
            if purpose not in config.http_retry_applies_to:
                self._drop(key, line, "it is not repeated")
            elif config.http_retry_max_attempts and line.tries > config.http_retry_max_attempts:
                self._drop(key, line, f"{line.tries} tries have failed")
            elif age >= config.history_retention:
                self._drop(key, line, "it has become too old")
            else:
                line.due = self._context.reactor.seconds() + min(_LONGEST_WAIT, 2.0 ** min(line.tries - 1, 6))
        self._send_due()

    def _drop(self, key: _Key, line: _Line, reason: str) -> None:
        NOTIFICATIONS_DROPPED.add(purpose=key[0])
        say(self._log, 93245, purpose=key[0], reason=reason)
        self._end(key, line)

    def _end(self, key: _Key, line: _Line) -> None:
        """The first of a line is over."""
        self._over.append(line.entries.popleft())
        self._count -= 1
        line.tries, line.due = 0, 0.0
        if not line.entries:
            del self._lines[key[0]][key]
