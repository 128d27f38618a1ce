"""The admin listeners of a running OCS: open in every state, so that a backup and a server that opens can be asked."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList

from ocsgw.admin.console.history import EVERY, History
from ocsgw.config import Config
from ocsgw.ocs.context import OCSContext
from ocsgw.periodic import Periodic

if TYPE_CHECKING:
    from ocsgw.admin.view import AdminView
    from ocsgw.ocs.admin_listener import AdminListener


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
        self._sampling = Periodic("history of the console", self._sample, context.reactor)

    def startService(self) -> None:
        """Open all."""
        super().startService()
        wanted = [each for each in self._context.config.listeners if each.protocol == "admin"]
        if wanted:
            # The web server and the library of Prometheus are loaded only where they serve.
            from ocsgw.ocs.admin_listener import AdminListener  # noqa: PLC0415

            self._listeners = [
                AdminListener(self._context, each, self.view, self._history, self._wall_clock) for each in wanted
            ]
            self._sampling.start(EVERY, now=True)
        for each in self._listeners:
            each.open()

    def stopService(self) -> "Deferred[None]":
        """Close all."""
        super().stopService()
        self._sampling.stop()
        return DeferredList([each.close() for each in self._listeners]).addCallback(lambda _: None)

    def use(self, config: Config) -> None:
        """Take keys and certificates of another configuration."""
        by_id = {each.id: each for each in config.listeners if each.protocol == "admin"}
        for each in self._listeners:
            if each.id in by_id:
                each.use(by_id[each.id])

    def _sample(self) -> None:
        self._history.take(self._context.reactor.seconds())
