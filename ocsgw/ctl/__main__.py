"""The command line of `ocsctl`."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from ocsgw.control.client import TIMEOUT
from ocsgw.control.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE, CommandError
from ocsgw.ctl import audit, campaign, explain, lists, server
from ocsgw.ctl.installation import Installation
from ocsgw.version import VERSION

FAMILIES = (server, campaign, lists, explain, audit)

_LONGEST_WAIT = 86400.0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the command line of `ocsctl`."""
    parser = _Parser(prog="ocsctl", description="Status and control of an Outbound Contact Server, and its lists.")
    parser.add_argument("--version", action="version", version=f"ocsctl {VERSION}")
    parser.add_argument(
        "-c", "--config", default="etc/ocsgw.toml", metavar="FILE", help="the server's configuration file (%(default)s)"
    )
    parser.add_argument(
        "--timeout",
        default=TIMEOUT,
        type=_seconds,
        metavar="SECONDS",
        help="how long to wait for the server (%(default)g)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for family in FAMILIES:
        family.add_commands(commands)
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_WAIT:
        raise ValueError
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parsed = make_parser().parse_args(arguments)
    try:
        status: int = parsed.run(Installation(parsed.config, parsed.timeout), parsed)
    except CommandError as error:
        sys.stderr.write(f"ocsctl: {error}\n")
        return error.status
    except KeyboardInterrupt:
        sys.stderr.write("ocsctl: interrupted; an import goes on where it was when the same command is given again\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        return EXIT_FAILURE
    return status


if __name__ == "__main__":
    sys.exit(main())
