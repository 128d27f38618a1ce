"""How a command of `ocsctl` fails, and the exit statuses (configuration.md section 15)."""

from ocsgw.control.errors import ControlError, InvalidConfigurationError, LostError, NoAnswerError, UnreachableError

EXIT_FAILURE = 1
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_CONFIGURATION = 78
# As a shell reports SIGINT.
EXIT_INTERRUPTED = 130


class CommandError(Exception):
    """A command failed; the text says why and what to do, `status` is that of the process."""

    def __init__(self, text: str, status: int = EXIT_FAILURE) -> None:
        super().__init__(text)
        self.status = status


def status_of(error: ControlError) -> int:
    """Return the exit status for what went wrong between `ocsctl` and the server."""
    if isinstance(error, InvalidConfigurationError):
        return EXIT_CONFIGURATION
    return EXIT_UNAVAILABLE if isinstance(error, UnreachableError | LostError | NoAnswerError) else EXIT_FAILURE
