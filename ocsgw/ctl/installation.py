"""What every command of `ocsctl` works on: a configuration, and the server that runs with it."""

from functools import cached_property

from ocsgw.config import Config, ConfigurationError, load
from ocsgw.control.client import TIMEOUT, ControlClient
from ocsgw.ctl import streams
from ocsgw.ctl.errors import EXIT_CONFIGURATION, CommandError


class Installation:
    """The installation that a configuration file describes; the file is read when it is first needed."""

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        self.path = path
        self._timeout = timeout

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises `CommandError`."""
        try:
            return load(self.path)
        except ConfigurationError as error:
            raise CommandError(str(error), EXIT_CONFIGURATION) from error

    def connect(self) -> ControlClient:
        """Return a connection to the running server. Raises `CommandError` and `ControlError`."""
        return ControlClient(self.config.application.control_socket, self._timeout, streams.complain)
