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
    """Keeps log and access log going; `reopen` is for SIGUSR1."""

    name = "log"
    _log = Logger()

    def __init__(self, context: OCSContext, store: StoreService) -> None:
        self._context = context
        self._store = store
        self._periodic = Periodic("log", self._flush, context.reactor)

    def startService(self) -> None:
        """Begin to try again what could not be written."""
        super().startService()
        self._periodic.start(_FLUSH_EVERY)

    def stopService(self) -> None:
        """Write what can be written."""
        super().stopService()
        self._periodic.stop()
        self._flush()

    def _flush(self) -> None:
        self._context.log_file.flush()
        self._context.access_log.flush()

    def reopen(self) -> None:
        """Open the log file, the access log and the audit log again, as after a rotation."""
        try:
            self._context.log_file.reopen()
        except OSError as error:
            say(self._log, 93039, reason=str(error))
        else:
            say(self._log, 93038)
        self._context.access_log.reopen()
        self._store.reopen_audit()

    def use(self, config: Config) -> None:
        """Use form and level of a configuration, and its access log."""
        self._context.log_file.configure(config.log.format, config.log.level)
        self._context.access_log.use(config)
