"""What time brings about in the store: work between batches, while OCS is active."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.config import Config
from ocsgw.contact.completion import complete_groups
from ocsgw.contact.news import KEPT
from ocsgw.contact.opening import expire, prepare, renew_contact_forms
from ocsgw.contact.overdue import Position, treat_overdue
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.duty import Duty
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.store_service import StoreService
from ocsgw.periodic import Periodic
from ocsgw.store.errors import CommitUnknownError, NotPrimaryError

# How much a chore does in one transaction; longer ones would hold requests up.
AT_ONCE = 500
# Entries of the outbox that are kept, whatever their age: some 3 GB.
_MOST_ENTRIES = 20_000_000
_PREPARATION = "preparation of the store"
_PREPARE_AGAIN_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Slice:
    """What one transaction of a chore has done: to how many, and what goes on with the rest, None if all is done."""

    count: int
    rest: Callable[[UnitOfWork], "Slice"] | None = None


class Chore(NamedTuple):
    """Work that is due every `interval` seconds, in slices; after each one `number` is logged with its count."""

    name: str
    interval: float
    run: Callable[[UnitOfWork], Slice]
    number: int | None = None


class Housekeeping(Service):
    """Puts the store right when OCS becomes active, and does its chores from then on.

    `failures` has the chores that failed last time, with how often in a row. Of several servers that serve at once the
    one that has the `duty` does the chores.
    """

    name = "housekeeping"
    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        life_cycle: LifeCycle,
        store: StoreService,
        duty: Duty,
    ) -> None:
        self._store = store
        self._duty = duty
        self._life_cycle = life_cycle
        # [store] counts until the next start (C68).
        self._retention = context.config.store.journal_retention
        self.failures: dict[str, int] = {}
        # The one place where a chore is added.
        self._chores = (
            Chore("expired hand-outs", 1.0, _expire, 93017),
            Chore("personal callbacks that are overdue", 10.0, _treat_overdue, 93018),
            Chore("campaign groups that are complete", 5.0, lambda unit: Slice(complete_groups(unit))),
            Chore("normal forms of do-not-call entries", 5.0, _renew_contact_forms),
            Chore("expired rows of own tables", 60.0, self._forget),
            Chore("old entries of the outbox", 60.0, self._shorten_outbox),
        )
        self._periodic = [
            (Periodic(each.name, lambda each=each: self._carry_out(each, each.run), context.reactor), each.interval)  # type: ignore[misc]
            for each in self._chores
        ]
        self._periodic.append((Periodic(_PREPARATION, self._prepare_again, context.reactor), _PREPARE_AGAIN_EVERY))

    def startService(self) -> "Deferred[None]":
        """Put right what the last end, or another program, has left (K2, P53), then begin; fires when that is done."""
        super().startService()
        return self._prepare().addCallback(self._begin)

    def _begin(self, _: object) -> None:
        if self.running:
            for periodic, interval in self._periodic:
                periodic.start(interval)

    def stopService(self) -> None:
        """End; what is under way is carried out."""
        super().stopService()
        self.failures.clear()
        for periodic, _ in self._periodic:
            periodic.stop()

    def catch_up(self) -> "Deferred[None]":
        """Do every chore now, as when the clock of the rules has been put forward; fires when all are done."""
        done = [self._carry_out(each, each.run) for each in self._chores]
        return DeferredList([each for each in done if each is not None]).addCallback(lambda _: None)

    def use(self, config: Config) -> None:
        """Put right what a new configuration asks for: groups that came or went (C67)."""
        if self.running:
            self._prepare()

    def _prepare(self) -> "Deferred[Any]":
        prepared = self._store.committer().chore(prepare)
        return prepared.addCallbacks(self._prepared, self._failed, errbackArgs=(_PREPARATION,))

    def _prepare_again(self) -> "Deferred[Any] | None":
        """Try again what failed: the store may have been held by another program."""
        is_due = _PREPARATION in self.failures and self._life_cycle.state == "active"
        return self._prepare() if is_due else None

    def _prepared(self, freed: dict[str, int]) -> None:
        self._succeeded(_PREPARATION)
        for name, count in freed.items():
            say(self._log, 93260, count=count, calling_list=name)

    def _carry_out(self, chore: Chore, run: Callable[[UnitOfWork], Slice]) -> Any:
        if not self.running or self._life_cycle.state != "active" or not self._duty.is_ours:
            # What serves may still be ending its work.
            return None
        done = self._store.committer().chore(self._duty.checked(run))
        return done.addCallbacks(self._done, self._failed, callbackArgs=(chore,), errbackArgs=(chore.name,))

    def _done(self, done: Slice, chore: Chore) -> Any:
        self._succeeded(chore.name)
        if done.count and chore.number is not None:
            say(self._log, chore.number, count=done.count)
        return self._carry_out(chore, done.rest) if done.rest is not None else None

    def _succeeded(self, name: str) -> None:
        if self.failures.pop(name, 0) and not self.failures:
            say(self._log, 93154)

    def _failed(self, reason: Failure, name: str) -> None:
        """Log the first failure of an outage; there is nothing new to say about the following ones."""
        if not self.running or reason.check(NotPrimaryError):
            return
        if not self.failures:
            defect = {} if reason.check(StoreFailureError, CommitUnknownError) else {"log_failure": reason}
            say(self._log, 93040, reason=f"{name}: {reason.getErrorMessage()}", **defect)
        self.failures[name] = self.failures.get(name, 0) + 1

    def _forget(self, unit: UnitOfWork) -> Slice:
        """Delete what has expired in our own tables (H329)."""
        unit.tx.forget_news(unit.now - KEPT)
        count = unit.tx.forget(unit.now, AT_ONCE)
        return Slice(count, self._forget if count == AT_ONCE else None)

    def _shorten_outbox(self, unit: UnitOfWork) -> Slice:
        """Delete entries that are older than `[store] journal_retention`, or too many."""
        count = unit.tx.forget_outbox(int(unit.now - self._retention), _MOST_ENTRIES, AT_ONCE)
        return Slice(count, self._shorten_outbox if count == AT_ONCE else None)


def _expire(unit: UnitOfWork) -> Slice:
    """End hand-outs whose time is over (H278)."""
    count = expire(unit, AT_ONCE)
    return Slice(count, _expire if count == AT_ONCE else None)


def _renew_contact_forms(unit: UnitOfWork) -> Slice:
    """Store the normal forms of contacts that another program has added to the do-not-call table (K40)."""
    count = renew_contact_forms(unit, AT_ONCE)
    return Slice(count, _renew_contact_forms if count == AT_ONCE else None)


def _treat_overdue(unit: UnitOfWork, position: Position | None = None) -> Slice:
    """Treat personal callbacks that their agents do not take (H360)."""
    count, following = treat_overdue(unit, position or Position())
    return Slice(count, partial(_treat_overdue, position=following) if following is not None else None)
