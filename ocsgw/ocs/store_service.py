"""The store as a service: opened with patience, used by the committer, closed when nothing is in flight any more."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.audit.file import AuditError, AuditFile
from ocsgw.audit.recorder import Auditor
from ocsgw.clock import RulesClock
from ocsgw.config import Config
from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.control.errors import ControlError
from ocsgw.execution.committer import Committer, nobody_to_ask
from ocsgw.execution.worker import Worker
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.dispatch import Dispatcher, Refused
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.settings import dispatch_options_of
from ocsgw.periodic import Periodic
from ocsgw.store.errors import StoreError, StoreVersionError
from ocsgw.store.lease import LeaseKeeper, PairMember
from ocsgw.store.opening import open_store

EXIT_UNAVAILABLE = 69
# The store was made by a later version: to start again is of no use.
EXIT_CONFIGURATION = 78

_RETRY = 1.0
# So often the clock of a store is asked for (seconds).
_FOLLOW_EVERY = 10.0

T = TypeVar("T")


class StoreService(Service):
    """Opens store and audit log, and brings the life cycle to standby.

    `end` is called with 69 if that fails, with 78 for a store that a later version has made.

    `make_worker` makes the thread of the store, once the process is the final one. `waits` says while it is opening why
    that takes its time, None if all is well.
    """

    name = "store"
    # Of all links; there is one as soon as the service has been started.
    dispatcher: Dispatcher
    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        life_cycle: LifeCycle,
        end: Callable[[int], None],
        make_worker: Callable[[Any], Worker],
    ) -> None:
        config = context.config
        self._context = context
        # That of the rules.
        self.clock = RulesClock(context.wall_clock)
        self._follower: Periodic | None = None
        if context.follows_store and config.store.kind == "postgresql":
            self._follower = Periodic("clock of the store", self._follow, context.reactor)
        self._life_cycle = life_cycle
        self._end = end
        self._make_worker = make_worker
        self.waits: str | None = None
        # What answers questions of rules.
        self.ask: Callable[[object], Deferred[object]] = nobody_to_ask
        # How many a URI takes at the moment.
        self.question_room: Callable[[str], int] = lambda uri: 0
        ha = config.ha
        all_serve = ha.mode == "active"
        member = PairMember(ha.name, ha.lease_time, ha.renew_interval, all_serve=all_serve) if ha.enabled else None
        # Distinguishes this server from others that serve the store at the same time; empty without any.
        self.origin = member.token if member is not None and all_serve else ""
        self._store = open_store(config.store, self._report, member=member)
        self._auditor: Auditor | None = None
        if config.audit.enabled:
            clear = config.log.contacts == "clear"
            self._auditor = Auditor(AuditFile(config.audit.file), context.wall_clock, clear=clear)
        self._worker: Worker | None = None
        self._committer: Committer | None = None

    def startService(self) -> "Deferred[None]":
        """Begin to open; fires when the store is open or the service is stopping."""
        super().startService()
        context = self._context
        worker = self._worker = self._make_worker(context.reactor)
        self._committer = Committer(
            self._store,
            worker,
            context.directory,
            context.reactor,
            self.clock,
            auditor=self._auditor,
            ask=self._ask,
            question_room=self._question_room,
            busy_timeout=context.config.store.busy_timeout,
            in_reactor=self._store.runs_in_reactor,
            origin=self.origin,
            pipeline=self._store.pipeline,
            # Another reactor cannot be asked, and gets the control back soon.
            has_events=getattr(context.reactor, "has_events", lambda: True),
            soon=getattr(context.reactor, "call_at_end_of_turn", None),
            by_list=context.config.store.batches == "by_list",
        )
        options = dispatch_options_of(context.config)
        self.dispatcher = Dispatcher(self._committer, context.reactor, options, context.wall_clock)
        opening: Deferred[None] = self._open(worker)
        return opening

    def _question_room(self, uri: str) -> int:
        return self.question_room(uri)

    def _ask(self, question: object) -> "Deferred[object]":
        return self.ask(question)

    @inlineCallbacks
    def _open(self, worker: Worker) -> Any:
        clock, wait = self._context.reactor, self._context.config.store.wait
        give_up = clock.seconds() + wait
        while self.running:
            try:
                yield worker.run(self._open_files)
            except (StoreError, AuditError) as error:
                if not self.running:
                    return
                is_useless = isinstance(error, StoreVersionError)
                if is_useless or clock.seconds() >= give_up:
                    say(self._log, 93032, reason=str(error))
                    self._end(EXIT_CONFIGURATION if is_useless else EXIT_UNAVAILABLE)
                    return
                if self.waits is None:
                    say(self._log, 93144, reason=str(error), wait=wait)
                self.waits = str(error)
                yield deferLater(clock, _RETRY)
            else:
                self.waits = None
                if self._follower is not None and self.running:
                    self._follower.start(_FOLLOW_EVERY)
                if self.running:
                    self._life_cycle.opened()
                return

    def _open_files(self) -> None:
        """Open the audit log, then the store; this runs in the worker."""
        if self._auditor is not None:
            torn = self._auditor.open()
            if torn:
                self._report(93132, bytes=torn)
        self._store.open(self._context.directory)
        self._ask_time()

    def _ask_time(self) -> None:
        """Go by the clock of the store, if it has one; this runs in the worker."""
        if self._follower is not None:
            # A store that fails is reported by those who need it.
            with suppress(StoreFailureError):
                self.clock.follow(self._store.time)

    def _follow(self) -> "Deferred[None] | None":
        return self._worker.run(self._ask_time) if self._worker is not None else None

    def _take(self, directory: Directory) -> None:
        self._store.use(directory)
        self._ask_time()

    def _close_files(self) -> None:
        self._store.close()
        if self._auditor is not None:
            self._auditor.close()

    @inlineCallbacks
    def stopService(self) -> Any:
        """Answer what is in flight, then close; fires when all is on disk."""
        super().stopService()
        worker, committer = self._worker, self._committer
        if worker is None or committer is None:
            return
        self.dispatcher.available = False
        if self._follower is not None:
            self._follower.stop()
        yield committer.drained()
        yield worker.run(self._close_files)
        worker.stop()
        self._worker = None

    def committer(self) -> Committer:
        """Return the committer. Raises `ControlError` while the store is not open."""
        state = self._life_cycle.state
        if self._committer is None or state == "opening":
            raise ControlError("the server is opening its store" + (f": {self.waits}" if self.waits else "; try again"))
        if state == "stopping":
            raise ControlError("the server is stopping")
        return self._committer

    @property
    def lease(self) -> LeaseKeeper | None:
        """The lease of a server that has partners, None for a single server."""
        return self._store.lease

    def run(self, function: Callable[[], T]) -> "Deferred[T]":
        """Return a Deferred with the result of a function that uses the store outside of the committer."""
        if self._worker is None:
            return fail(StoreFailureError("the store is closed"))
        return self._worker.run(function)

    def recovered(self) -> None:
        """The store works, as the look at a lease has found."""
        if self._committer is not None:
            self._committer.recovered()

    def requests(self) -> int:
        """Return how many requests there have been."""
        return self.dispatcher.requests

    def refused(self) -> list[Refused]:
        """Return the last requests that were refused, the newest first."""
        return list(reversed(self.dispatcher.refused)) if self._committer is not None else []

    def status(self) -> dict[str, str | None]:
        """Return the state of the store, and what is wrong with it."""
        if self._committer is None or self._life_cycle.state == "opening":
            return {"state": "opening", "reason": self.waits}
        if self._life_cycle.state == "stopping":
            return {"state": "closing", "reason": None}
        failure = self._committer.failure
        return {"state": "open" if failure is None else "failing", "reason": failure}

    def holds(self) -> bool:
        """Whether nothing is handed out because of call report records that wait (O55)."""
        return self._committer is not None and self._committer.backlog.holds

    def closed_lists(self) -> dict[str, str]:
        """Return the configured lists that are not open, each with the reason and what to do."""
        return dict(self._store.closed_lists)

    # A reload.

    def take(self, directory: Directory) -> "Deferred[None]":
        """Open the tables of another directory; fails with a store's error, and then nothing has changed."""
        if self._worker is None:
            raise ControlError("the server is stopping")
        return self._worker.run(lambda: self._take(directory))

    def use(self, config: Config) -> None:
        """Use a configuration whose tables are open."""
        if self._committer is not None:
            self._committer.directory = self._context.directory
            self.dispatcher.options = dispatch_options_of(config)
        if self._auditor is not None:
            self._auditor.clear = config.log.contacts == "clear"

    # A rotation.

    def reopen_audit(self) -> "Deferred[None]":
        """Open the audit log again; what fails is logged, and the old file stays in use."""
        if self._auditor is None or self._worker is None:
            return succeed(None)
        return self._worker.run(self._auditor.reopen).addErrback(self._audit_stays)

    def _audit_stays(self, reason: Failure) -> None:
        if reason.check(AuditError):
            say(self._log, 93147, reason=reason.getErrorMessage())
        else:
            say(self._log, 93147, reason=reason.getErrorMessage(), log_failure=reason)

    def _report(self, number: int, /, **fields: object) -> None:
        self._context.reactor.callFromThread(partial(say, self._log, number, **fields))
