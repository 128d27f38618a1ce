"""The admin listeners of a running OCS: open in every state, so that a backup and a server that opens can be asked."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred

from ocsgw.admin.console.history import EVERY, History
from ocsgw.config import Config
from ocsgw.control.commands import commands_of
from ocsgw.execution.worker import ThreadWorker
from ocsgw.ocs.context import OCSContext
from ocsgw.periodic import Periodic

if TYPE_CHECKING:
    from ocsgw.admin.imports.office import ImportOffice
    from ocsgw.admin.view import AdminView
    from ocsgw.ocs.admin_listener import AdminListener


T = TypeVar("T")


class AdminListeners(Service):
    """Serves each `[[listener]]` of protocol `admin`.

    Their ports are those of the start (C68); keys and certificates follow reloads.
    A port that cannot be opened is reported and tried again; nothing else waits for it.
    """

    name = "admin"
    # Given by the composition.
    view: "AdminView"

    def __init__(self, context: OCSContext, wall_clock: Callable[[], float] = time.time) -> None:
        self._context = context
        self._wall_clock = wall_clock
        self._listeners: list[AdminListener] = []
        self._history = History()
        self._imports: ImportOffice | None = None
        self._reader: ThreadWorker | None = None
        self._counting: Periodic | None = None
        self._sampling = Periodic("history of the console", self._sample, context.reactor)

    def startService(self) -> None:
        """Open all."""
        super().startService()
        wanted = [each for each in self._context.config.listeners if each.protocol == "admin"]
        if wanted:
            # The web server and the library of Prometheus are loaded only where they serve.
            from ocsgw.admin.imports.kept_files import KeptFiles  # noqa: PLC0415
            from ocsgw.admin.imports.office import ImportOffice  # noqa: PLC0415
            from ocsgw.admin.record_counts import EVERY as COUNTED_EVERY  # noqa: PLC0415
            from ocsgw.admin.record_counts import RecordCounts  # noqa: PLC0415
            from ocsgw.admin.shared import Shared  # noqa: PLC0415
            from ocsgw.ocs.admin_listener import AdminListener  # noqa: PLC0415

            clock = self._context.reactor.seconds
            files = KeptFiles(self._context.config.application.state_dir, clock)
            imports = self._imports = ImportOffice(files, self._work, clock)
            counts = RecordCounts(self._count, clock)
            shared = Shared(self._history, imports, counts)
            self._counting = Periodic("record counts of the console", counts.tick, self._context.reactor)
            self._counting.start(COUNTED_EVERY)
            self._listeners = [
                AdminListener(self._context, each, self.view, shared, self._wall_clock) for each in wanted
            ]
            self._sampling.start(EVERY, now=True)
        for each in self._listeners:
            each.open()

    def stopService(self) -> "Deferred[None]":
        """Close all."""
        super().stopService()
        self._sampling.stop()
        if self._counting is not None:
            self._counting.stop()
        if self._imports is not None:
            self._imports.files.close()
        if self._reader is not None and self._reader.is_idle:
            self._reader.stop()
        return DeferredList([each.close() for each in self._listeners]).addCallback(lambda _: None)

    def use(self, config: Config) -> None:
        """Take keys and certificates of another configuration."""
        by_id = {each.id: each for each in config.listeners if each.protocol == "admin"}
        for each in self._listeners:
            if each.id in by_id:
                each.use(by_id[each.id])

    def _sample(self) -> None:
        self._history.take(self._context.reactor.seconds())
        if self._imports is not None:
            self._imports.files.tidy()

    def _count(self, **arguments: object) -> "Deferred[Any]":
        """Carry out a slice of the operation that counts records."""
        given = {"name": "count records", "arguments": arguments}
        return maybeDeferred(commands_of(self.view)["operation"].run, given)

    def _work(self, function: Callable[[], T]) -> "Deferred[T]":
        """Call a function in the thread that reads files of imports."""
        if self._reader is None:
            self._reader = ThreadWorker(self._context.reactor, "imports")
        return self._reader.run(function)
