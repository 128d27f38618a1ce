"""Standard output and standard error of a command: every text can be written, and what cannot be delivered is said."""

import io
import os
import sys
from contextlib import suppress
from typing import IO


def prepare() -> None:
    """Let both streams take every character: what the terminal cannot show is written as an escape.

    A stream that was closed by whoever starts the command is as good as one that nobody reads.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def deliver() -> None:
    """Write what is still waiting for standard output. Raises `OSError`."""
    sys.stdout.flush()


def abandon() -> None:
    """Throw away what is still waiting for standard output, so that the end of the process does not fail over it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def shown(path: str) -> str:
    """Return a path as it can be shown, stored and sent: bytes that are not UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def complain(text: str, stream: IO[str] | None = None) -> None:
    """Write a message of `ocsctl` to standard error, which may be gone as well."""
    with suppress(OSError, ValueError):
        print(f"ocsctl: {text}", file=stream or sys.stderr, flush=True)
