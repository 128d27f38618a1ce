"""The parent process put together: one service that starts everything in order and stops it in order."""

import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, fail, inlineCallbacks
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from ocsgw.audit.file import AuditError, AuditFile
from ocsgw.audit.recorder import Auditor
from ocsgw.catalog import directory_of
from ocsgw.config import Config, ConfigurationError, load
from ocsgw.contact.directory import Directory
from ocsgw.contact.opening import expire, prepare
from ocsgw.control.server import ControlError, ControlFactory
from ocsgw.execution.committer import Committer
from ocsgw.execution.worker import ThreadWorker, Worker
from ocsgw.logs import LogFile, say
from ocsgw.ocs.certificate_expiry import CertificateExpiry
from ocsgw.ocs.checks import CHECKS, RULES
from ocsgw.ocs.commands import commands_of
from ocsgw.ocs.dispatch import Dispatcher
from ocsgw.ocs.key_expiry import KeyExpiry
from ocsgw.ocs.listeners import HttpListener, match_listeners
from ocsgw.ocs.service_notifier import ServiceNotifier
from ocsgw.ocs.settings import dispatch_options_of
from ocsgw.store.errors import StoreError
from ocsgw.store.sqlite.engine import SQLiteStore
from ocsgw.systemd import ServiceManager
from ocsgw.version import VERSION

EXIT_UNAVAILABLE = 69

_RETRY_STORE = 1.0
_EXPIRE_EVERY = 1.0
_FORGET_EVERY = 60.0
_LOOK_AT_EXPIRY_EVERY = 3600.0
# How much a chore does in one transaction; longer ones would hold requests up.
_AT_ONCE = 500


class OCSService(MultiService):
    """OCS: the store, the dispatcher, and an HTTP Proxy for each `http` listener (C31, C70).

    `end` is called with an exit status when the server cannot go on. `manager` is told how it goes, `say_example` a
    command that tries the server out, each time a proxy is ready. `make_worker` makes the thread of the store once the
    process is the final one.
    """

    # Of all links; there is one as soon as the service has been started.
    dispatcher: Dispatcher
    _log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        log_file: LogFile,
        end: Callable[[int], None],
        *,
        manager: ServiceManager | None = None,
        say_example: Callable[[str], None] | None = None,
        make_worker: Callable[[Any], Worker] = lambda reactor: ThreadWorker(reactor, "store"),
    ) -> None:
        super().__init__()
        self.config = config
        # IReactorTime, IReactorProcess, IReactorSocket and IReactorFromThreads.
        self.reactor = reactor
        self.log_file = log_file
        self._end = end
        self._say_example = say_example
        self._make_worker = make_worker
        self._sessions = 0
        self._stopping = False
        self._dbid = config.application.dbid
        self._directory: Directory = directory_of(config, self._dbid)
        self._listeners: list[HttpListener] = []
        # Those that still end their work.
        self._removed: list[HttpListener] = []
        self._key_expiry = KeyExpiry(time.time)
        self._certificate_expiry = CertificateExpiry(time.time)
        self._chores = (
            (LoopingCall(self._expire), _EXPIRE_EVERY),
            (LoopingCall(self._forget), _FORGET_EVERY),
            (LoopingCall(self._look_at_keys), _LOOK_AT_EXPIRY_EVERY),
            (LoopingCall(self._certificate_expiry.look), _LOOK_AT_EXPIRY_EVERY),
        )
        for chore, _ in self._chores:
            chore.clock = reactor
        self._store = SQLiteStore(
            config.store.file or "",
            self._report_store,
            create=config.store.create,
            create_indexes=config.store.create_indexes,
        )
        self._auditor: Auditor | None = None
        if config.audit.enabled:
            clear = config.log.contacts == "clear"
            self._auditor = Auditor(AuditFile(config.audit.file), time.time, clear=clear)
        self._worker: Worker | None = None
        self._committer: Committer | None = None
        self._control: Any = None
        self._started_at = reactor.seconds()
        self._notifier = ServiceNotifier(self, manager or ServiceManager({}, 0), reactor)

    # The office of the listeners.

    def next_session(self) -> int:
        """Return a number for a new link."""
        self._sessions += 1
        return self._sessions

    def proxy_ready(self, url: str) -> None:
        """Tell the service manager, and how to try the server out if somebody wants to know."""
        self._notifier.look()
        example = next((each for each in self._directory.calling_lists if each.enabled), None)
        if self._say_example is not None and example is not None:
            target = f"{url}/lists/{quote(example.name)}?req=AddRecord"
            self._say_example(f"curl -s -X POST '{target}' -d '{{\"GSW_PHONE\":\"6505550100\"}}'")

    # Start.

    def setServiceParent(self, parent: Any) -> None:
        """Join an application, and be its log."""
        super().setServiceParent(parent)
        if hasattr(parent, "setComponent"):
            parent.setComponent(ILogObserver, self.log_file)

    def startService(self) -> None:
        """Open the store, then start the proxies; both go on in the reactor."""
        super().startService()
        say(self._log, 93030, version=VERSION, path=self.config.path, pid=os.getpid())
        for warning in self.config.warnings:
            self._log.warn("{warning}", warning=str(warning))
        self._look_at_keys()
        self._certificate_expiry.use(self.config)
        self._notifier.start()
        worker = self._worker = self._make_worker(self.reactor)
        committer = self._committer = Committer(
            self._store,
            worker,
            self._directory,
            self.reactor,
            auditor=self._auditor,
            busy_timeout=self.config.store.busy_timeout,
        )
        self.dispatcher = Dispatcher(committer, self.reactor, dispatch_options_of(self.config))
        self._started = self._start(worker)
        self._started.addErrback(self._failed)

    def _open_store(self) -> None:
        """Open the audit log, then the store; this runs in the worker."""
        if self._auditor is not None:
            torn = self._auditor.open()
            if torn:
                self._report_store(f"The audit log ended with {torn} bytes of a line that was not completed; cut off")
        self._store.open(self._directory)

    def _close_store(self) -> None:
        self._store.close()
        if self._auditor is not None:
            self._auditor.close()

    @inlineCallbacks
    def _start(self, worker: Worker) -> Any:
        give_up = self.reactor.seconds() + self.config.store.wait
        told = False
        while not self._stopping:
            try:
                yield worker.run(self._open_store)
                break
            except (StoreError, AuditError) as error:
                if self.reactor.seconds() >= give_up:
                    say(self._log, 93032, reason=str(error))
                    self._end(EXIT_UNAVAILABLE)
                    return
                if not told:
                    self._log.warn(
                        "{reason}; trying again for {wait:g} s", reason=str(error), wait=self.config.store.wait
                    )
                    told = True
            yield deferLater(self.reactor, _RETRY_STORE)
        if self._stopping:
            return
        yield self._prepare()
        self._open_control()
        for chore, interval in self._chores:
            chore.start(interval, now=False)
        for listener in self.config.listeners:
            if listener.protocol == "http":
                self._listen(HttpListener(self, listener))
        self._notifier.opened()

    def _open_control(self) -> None:
        """Open the socket of `ocsctl`; without it everything else works all the same."""
        path = self.config.application.control_socket
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._control = self.reactor.listenUNIX(path, ControlFactory(commands_of(self)), mode=0o600, wantPID=True)
        except (OSError, CannotListenError) as error:
            say(self._log, 93036, path=path, reason=str(error))

    # What `ocsctl` sees.

    def committer(self) -> Committer:
        """Return the committer. Raises `ControlError` while the store is not open."""
        if self._committer is None or self._stopping:
            raise ControlError("the server is not ready, or is stopping; try again")
        return self._committer

    def listeners(self) -> list[HttpListener]:
        """Return the HTTP listeners."""
        return list(self._listeners)

    def uptime(self) -> float:
        """Return the seconds since the start."""
        uptime: float = self.reactor.seconds() - self._started_at
        return uptime

    # What the service manager sees.

    def requests(self) -> int:
        """Return how many requests there have been."""
        return self.dispatcher.requests

    def housekeeping(self) -> None:
        """Try again to write what the log could not take."""
        self.log_file.flush()

    def _listen(self, listener: HttpListener) -> None:
        self._listeners.append(listener)
        listener.start()

    def _failed(self, reason: Any) -> None:
        self._log.failure("OCS cannot go on", reason)
        self._end(1)

    # Stop.

    @inlineCallbacks
    def stopService(self) -> Any:
        """Stop HTTP, answer what is in flight, then close the store; the reactor waits for it."""
        self._stopping = True
        self._notifier.stopping(self.config.limits.stop_timeout)
        for chore, _ in self._chores:
            if chore.running:
                chore.stop()
        if self._control is not None:
            yield self._control.stopListening()
        yield DeferredList([listener.stop() for listener in (*self._listeners, *self._removed)])
        if self._worker is not None and self._committer is not None:
            self.dispatcher.available = False
            yield self._committer.drained()
            yield self._worker.run(self._close_store)
            self._worker.stop()
            self._worker = None
        say(self._log, 93031)
        self._notifier.stop()
        yield super().stopService()

    # Reload.

    def reload(self) -> "Deferred[list[str]]":
        """Read the configuration again and use what may change while running (section 14).

        Fires with the keys whose change waits for a restart. Fails with `ControlError`; then nothing has changed (C60).
        """
        self._notifier.reloading()
        return self._reload().addBoth(self._reloaded)

    def _reloaded(self, result: Any) -> Any:
        self._notifier.reloaded(refused=isinstance(result, Failure))
        return result

    def _reload(self) -> "Deferred[list[str]]":
        try:
            committer, worker = self.committer(), self._worker
            config = load(self.config.path, CHECKS, RULES)
        except (ConfigurationError, ControlError) as error:
            reasons = "; ".join(map(str, getattr(error, "problems", [error])))
            say(self._log, 93014, reasons=reasons)
            return fail(ControlError(str(error)))
        if worker is None:
            return fail(ControlError("the server is stopping"))
        waiting = waiting_for_restart(self.config, config)
        directory = directory_of(config, self._dbid, self._directory)

        def use(_: object) -> list[str]:
            for key in waiting:
                say(self._log, 93035, key=key)
            self.config = config
            self._certificate_expiry.use(config)
            self._directory = committer.directory = directory
            self.dispatcher.options = dispatch_options_of(config)
            if self._auditor is not None:
                self._auditor.clear = config.log.contacts == "clear"
            self.log_file.configure(config.log.format, config.log.level)
            self._reload_listeners()
            say(self._log, 93013)
            self._prepare()
            self._look_at_keys()
            return waiting

        def keep(reason: Failure) -> Failure:
            say(self._log, 93014, reasons=reason.getErrorMessage())
            return Failure(ControlError(f"the store does not take the new configuration: {reason.getErrorMessage()}"))

        opened: Deferred[object] = worker.run(lambda: self._store.use(directory))
        return opened.addCallbacks(use, keep)

    def reload_on_signal(self) -> None:
        """Reload; everything there is to say about it is in the log."""
        self.reload().addErrback(lambda reason: reason.trap(ControlError))

    def _reload_listeners(self) -> None:
        wanted = [each for each in self.config.listeners if each.protocol == "http"]
        stay, removed, added = match_listeners(self._listeners, wanted)
        for running, listener in stay:
            if running.reconfigure(listener):
                say(self._log, 93015, listener=running.id)
        for running in self._removed:
            # It still ends its work, with the keys that are in force now.
            running.update()
        for running in removed:
            say(self._log, 93016, listener=running.id)
            self._listeners.remove(running)
            self._removed.append(running)
            running.stop().addCallback(self._forget_listener, running)
        for listener in added:
            self._listen(HttpListener(self, listener))

    def _forget_listener(self, _: None, gone: HttpListener) -> None:
        self._removed.remove(gone)

    def reopen_log(self) -> None:
        """Open the log file again, as after a rotation."""
        try:
            self.log_file.reopen()
        except OSError as error:
            say(self._log, 93039, reason=str(error))
        else:
            say(self._log, 93038)
        if self._auditor is not None and self._worker is not None:
            self._worker.run(self._auditor.reopen).addErrback(self._audit_stays)

    def _audit_stays(self, reason: Failure) -> None:
        self._log.error(
            "The audit log cannot be opened again: {reason}; the old file is still in use",
            reason=reason.getErrorMessage(),
        )

    # Housekeeping.

    def _prepare(self) -> Any:
        """Put right what the last end, or another program, has left (K2, P53)."""
        if self._committer is None:
            return None
        return self._committer.chore(prepare).addCallbacks(self._tell_freed, self._chore_failed)

    def _tell_freed(self, freed: dict[str, int]) -> None:
        for name, count in freed.items():
            self._log.info(
                "{count} records of calling list {name} were in process without a hand-out and are ready again",
                count=count,
                name=name,
            )

    def _look_at_keys(self) -> None:
        """Tell ahead of API keys that expire."""
        self._key_expiry.look(self.config.api_keys)

    def _expire(self) -> Any:
        """End hand-outs whose time is over, in slices, between batches (H278)."""
        if self._committer is None:
            return None
        return self._committer.chore(lambda unit: expire(unit, _AT_ONCE)).addCallbacks(
            self._expired, self._chore_failed
        )

    def _expired(self, count: int) -> Any:
        if count:
            say(self._log, 93017, count=count)
        return self._expire() if count == _AT_ONCE else None

    def _forget(self) -> Any:
        """Delete what has expired in our own tables, in slices, between batches (H329)."""
        if self._committer is None:
            return None
        now = int(time.time())
        return self._committer.chore(lambda unit: unit.tx.forget(now, _AT_ONCE)).addCallbacks(
            lambda count: self._forget() if count == _AT_ONCE else None, self._chore_failed
        )

    def _chore_failed(self, reason: Any) -> None:
        say(self._log, 93040, reason=reason.getErrorMessage())

    def _report_store(self, text: str) -> None:
        self.reactor.callFromThread(self._log.error, "{text}", text=text)


def waiting_for_restart(old: Config, new: Config) -> list[str]:
    """Return the keys whose change is used only after a restart of OCS (C68)."""
    pairs = (
        ("[application] dbid", old.application.dbid, new.application.dbid),
        ("[application] state_dir", old.application.state_dir, new.application.state_dir),
        ("[store]", msgspec.structs.asdict(old.store), msgspec.structs.asdict(new.store)),
        ("[ha]", msgspec.structs.asdict(old.ha), msgspec.structs.asdict(new.ha)),
        ("[audit]", msgspec.structs.asdict(old.audit), msgspec.structs.asdict(new.audit)),
        ("[log] target", old.log.target, new.log.target),
        ("[[listener]] of protocol ocs or admin", _other_listeners(old), _other_listeners(new)),
    )
    return [key for key, before, after in pairs if before != after]


def _other_listeners(config: Config) -> list[tuple[object, ...]]:
    return [(each.id, each.protocol, each.interface, each.port) for each in config.listeners if each.protocol != "http"]
