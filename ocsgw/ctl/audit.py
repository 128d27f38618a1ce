"""The audit log: `audit verify`."""

import argparse
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ocsgw.audit.file import verify
from ocsgw.control.errors import EXIT_FAILURE, CommandError
from ocsgw.ctl.families import add_command, add_family
from ocsgw.ctl.installation import Installation

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_commands(commands: "Commands") -> None:
    """Tell the command line about this family."""
    orders = add_family(commands, "audit", "check the log of who changed what")
    parser = add_command(orders, "verify", verify_chain, "check that no line of the audit log was changed or removed")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="files of the log, the oldest first (that of the configuration)"
    )


def verify_chain(installation: Installation, arguments: argparse.Namespace) -> int:
    """Verify the chain of hashes; the first bad line is told on standard error."""
    paths = arguments.files or [installation.config.audit.file]
    with ExitStack() as stack:
        files = []
        for path in paths:
            try:
                files.append((path, stack.enter_context(open(path, "rb"))))
            except OSError as error:
                hint = "is [audit] enabled, and is this the configuration of the server?"
                raise CommandError(f"cannot read {path}: {error.strerror}; {hint}") from error
        verdict = verify(files)
    if verdict.bad is not None:
        sys.stderr.write(f"ocsctl: {verdict.bad}\n")
        return EXIT_FAILURE
    if verdict.first is not None and verdict.first.number > 1:
        print(f"begins with line number {verdict.first.number}; the lines before it are in earlier files")
    print(f"{verdict.lines} lines, unbroken; the last is number {verdict.last.number} with SHA-256 {verdict.last.mark}")
    return 0
