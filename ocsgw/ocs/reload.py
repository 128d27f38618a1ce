"""Reading the configuration again and using what may change while running (configuration.md section 14)."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from twisted.internet.defer import Deferred, DeferredLock, inlineCallbacks
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.config import Config, ConfigurationError, load
from ocsgw.contact.directory import Directory
from ocsgw.control.errors import ControlError, InvalidConfigurationError
from ocsgw.execution.worker import ThreadWorker
from ocsgw.logs import say
from ocsgw.ocs.checks import CHECKS, RULES
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.principals import is_open
from ocsgw.ocs.store_service import StoreService

T = TypeVar("T")


class ConfigUser(Protocol):
    """A part of OCS that takes another configuration while it runs."""

    name: str

    def use(self, config: Config) -> None:
        """Use this configuration from now on; the directory in force is of it already."""


class ReloadNotifier(Protocol):
    """Who is shown that a reload begins and ends."""

    def reloading(self) -> None:
        """The configuration is being read again."""

    def reloaded(self, *, refused: bool) -> None:
        """The configuration has been read again, and is used or `refused`."""


class Reload:
    """Reads the configuration of a running OCS again; one after the other if several are asked for at once.

    `users` get a new configuration in their order. `in_thread` calls a function away from the reactor: files may be on
    a slow disk, and contexts of TLS take their time.
    """

    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        life_cycle: LifeCycle,
        store: StoreService,
        users: Sequence[ConfigUser],
        notifier: ReloadNotifier,
        in_thread: Callable[[Callable[[], Any]], "Deferred[Any]"],
    ) -> None:
        self._context = context
        self._life_cycle = life_cycle
        self._store = store
        self._users = users
        self._notifier = notifier
        self._in_thread = in_thread
        self._lock = DeferredLock()
        # Why the last reload was refused, None if it was not.
        self.refused: str | None = None
        # Listeners whose last key or certificate a reload has taken away.
        self.opened: list[str] = []

    def __call__(self) -> "Deferred[list[str]]":
        """Read and use the configuration.

        Fires with the keys whose change waits for the next start of OCS. Fails with `ControlError`, and then nothing
        has changed (C60).
        """
        return self._lock.run(self._reload)

    def on_signal(self) -> None:
        """Reload; everything there is to say about it is in the log."""
        self().addErrback(lambda reason: reason.trap(ControlError))

    @inlineCallbacks
    def _reload(self) -> Any:
        self._notifier.reloading()
        refused = True
        try:
            waiting = yield self._carry_out()
            refused, self.refused = False, None
        except ControlError as error:
            self.refused = str(error)
            say(self._log, 93014, reasons=str(error))
            raise
        except Exception as error:
            self.refused = f"internal error: {error}; see the log"
            say(self._log, 93014, reasons=self.refused, log_failure=Failure())
            raise ControlError(self.refused) from error
        finally:
            self._notifier.reloaded(refused=refused)
        return waiting

    @inlineCallbacks
    def _carry_out(self) -> Any:
        context = self._context
        # A reload that is asked for while the store is being opened is not lost.
        yield self._life_cycle.when_opened()
        self._store.committer()
        try:
            config, directory = yield self._in_thread(self._read)
        except ConfigurationError as error:
            raise InvalidConfigurationError("; ".join(map(str, error.problems))) from error
        # OCS may have been stopped meanwhile.
        self._store.committer()
        try:
            yield self._store.take(directory)
        except Exception as error:
            raise ControlError(f"the store does not take the new configuration: {error}") from error
        self._store.committer()
        self.opened = _opened(self.opened, context.config, config)
        context.config, context.directory = config, directory
        for user in self._users:
            try:
                user.use(config)
            except Exception:  # noqa: BLE001 - the other parts take it all the same
                say(self._log, 93146, part=user.name, log_failure=Failure())
        waiting = waiting_for_restart(context.started_with, config)
        for key in waiting:
            say(self._log, 93035, key=key)
        for listener in self.opened:
            say(self._log, 93158, listener=listener)
        say(self._log, 93013)
        return waiting

    def _read(self) -> tuple[Config, Directory]:
        """Read all files; this runs in a thread. Raises `ConfigurationError`."""
        # Time zones of the system may have been renewed since.
        ZoneInfo.clear_cache()
        time.tzset()
        config = load(self._context.config.path, CHECKS, RULES)
        return config, self._context.directory_of(config, self._context.directory)


def waiting_for_restart(running: Config, new: Config) -> list[str]:
    """Return the keys in which a configuration differs from the one that OCS was started with, and that wait (C68)."""
    pairs = (
        ("[application] dbid", running.application.dbid, new.application.dbid),
        ("[application] state_dir", running.application.state_dir, new.application.state_dir),
        ("[store]", msgspec.structs.asdict(running.store), msgspec.structs.asdict(new.store)),
        ("[ha]", msgspec.structs.asdict(running.ha), msgspec.structs.asdict(new.ha)),
        ("[audit]", msgspec.structs.asdict(running.audit), msgspec.structs.asdict(new.audit)),
        ("[log] target", running.log.target, new.log.target),
        ("[[listener]] of protocol ocs or admin", _other_listeners(running), _other_listeners(new)),
    )
    return [key for key, before, after in pairs if before != after]


def _opened(known: Collection[str], before: Config, after: Config) -> list[str]:
    """Return the listeners that are open now, and were not before the reload, or an earlier one."""
    closed = {each.id for each in before.listeners if not is_open(before, each)}
    return [each.id for each in after.listeners if is_open(after, each) and (each.id in closed or each.id in known)]


def _other_listeners(config: Config) -> list[tuple[object, ...]]:
    return [(each.id, each.protocol, each.interface, each.port) for each in config.listeners if each.protocol != "http"]


def in_thread(reactor: Any, function: Callable[[], T]) -> "Deferred[T]":
    """Call a function in a thread of its own, which a stop of the process does not wait for."""
    worker = ThreadWorker(reactor, "reload")

    def end(result: Any) -> Any:
        worker.stop()
        return result

    return worker.run(function).addBoth(end)
