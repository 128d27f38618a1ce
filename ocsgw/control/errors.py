"""How a command of `ocsctl` fails, and the exit statuses (configuration.md section 15)."""

EXIT_FAILURE = 1
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_CONFIGURATION = 78
# As a shell says it of SIGINT.
EXIT_INTERRUPTED = 130


class CommandError(Exception):
    """A command failed; the text says why and what to do, `status` is that of the process."""

    def __init__(self, text: str, status: int = EXIT_FAILURE) -> None:
        super().__init__(text)
        self.status = status
