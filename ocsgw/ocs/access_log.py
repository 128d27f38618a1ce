"""The access log: the file into which HTTP Proxies write, through OCS, what they have answered."""

from twisted.logger import Logger

from ocsgw.config import Config
from ocsgw.log_output import LogOutput, open_for_lines
from ocsgw.logs import say
from ocsgw.protocol.messages import AccessLines


class AccessLog:
    """Writes lines of proxies to `[log] access`, if there is one, and never waits for it.

    A file that cannot be opened is tried again with each `flush`; lines that are lost meanwhile are counted.
    """

    _log = Logger()

    def __init__(self, config: Config) -> None:
        self._path: str | None = None
        self._output: LogOutput | None = None
        self._reported = False
        self._dropped = 0
        self.use(config)

    def use(self, config: Config) -> None:
        """Write to the file of this configuration from now on."""
        if config.log.access != self._path:
            self.close()
            self._path = config.log.access
            self._reported = False
            self._dropped = 0
            self._open()

    def write(self, listener: str, message: AccessLines) -> None:
        """Write lines of the proxy of a listener."""
        if message.dropped:
            say(self._log, 93170, count=message.dropped, reason=f"OCS did not take them from listener {listener}")
        if self._output is None:
            # Lines that come when the log has just been switched off are nobody's.
            self._dropped += message.count if self._path is not None else 0
            return
        dropped = self._output.dropped
        self._output.write(message.text)
        if self._output.dropped > dropped:
            self._dropped += message.count

    def reopen(self) -> None:
        """Open the file again, as after a rotation; if that fails the old one is still in use."""
        if self._path is not None:
            self._open()

    def flush(self) -> None:
        """Try again what failed, once a second, and report what is lost once it works."""
        if self._path is None:
            return
        if self._output is None:
            self._open()
        if self._dropped and self._output is not None and self._output.flush():
            count, self._dropped = self._dropped, 0
            say(self._log, 93170, count=count, reason=self._output.reason or f"{self._path} could not be opened")

    def close(self) -> None:
        """Write what can be written, and close the file."""
        output, self._output = self._output, None
        if output is not None:
            output.close()

    def _open(self) -> None:
        if self._path is None:
            return
        try:
            fresh = LogOutput(open_for_lines(self._path))
        except OSError as error:
            if not self._reported:
                self._reported = True
                say(self._log, 93171, path=self._path, reason=error.strerror or str(error))
            return
        self._reported = False
        self.close()
        self._output = fresh
