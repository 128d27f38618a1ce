"""The log as a service: what it could not take is tried again, and files are opened again after a rotation."""

from twisted.application.service import Service
from twisted.logger import Logger

from ocsgw.config import Config
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.store_service import StoreService
from ocsgw.periodic import Periodic

_FLUSH_EVERY = 1.0


class LogRotation(Service):
    """Keeps the log going; `reopen` is for SIGUSR1."""

    name = "log"
    _log = Logger()

    def __init__(self, context: OCSContext, store: StoreService) -> None:
        self._context = context
        self._store = store
        self._periodic = Periodic("log", context.log_file.flush, context.reactor)

    def startService(self) -> None:
        """Begin to try again what could not be written."""
        super().startService()
        self._periodic.start(_FLUSH_EVERY)

    def stopService(self) -> None:
        """Write what can be written."""
        super().stopService()
        self._periodic.stop()
        self._context.log_file.flush()

    def reopen(self) -> None:
        """Open the log file and the audit log again, as after a rotation."""
        try:
            self._context.log_file.reopen()
        except OSError as error:
            say(self._log, 93039, reason=str(error))
        else:
            say(self._log, 93038)
        self._store.reopen_audit()

    def use(self, config: Config) -> None:
        """Use form and level of a configuration."""
        self._context.log_file.configure(config.log.format, config.log.level)
