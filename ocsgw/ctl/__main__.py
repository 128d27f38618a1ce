"""The command line of `ocsctl`."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ocsgw.control.client import TIMEOUT
from ocsgw.control.errors import ControlError
from ocsgw.ctl import (
    audit,
    campaign,
    completion,
    explain,
    history,
    lists,
    maintenance,
    request,
    sandbox,
    server,
    store_copy,
    streams,
    top,
    validate,
    watch,
)
from ocsgw.ctl.arguments import argument
from ocsgw.ctl.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE, CommandError, status_of
from ocsgw.ctl.installation import Installation
from ocsgw.files.errors import FileError, FileOptionError
from ocsgw.version import VERSION

FAMILIES = (
    server,
    top,
    watch,
    campaign,
    request,
    lists,
    explain,
    history,
    validate,
    maintenance,
    store_copy,
    audit,
    sandbox,
    completion,
)

_seconds = argument(float, lambda seconds: 0 < seconds <= 86400, "a number of seconds above 0, 86400 at most")
# Arguments that are paths, which the system takes as bytes.
_PATHS = frozenset({"config", "file", "password_file", "verdicts"})


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
    parser.add_argument("--debug", action="store_true", help="show where a fault of ocsctl itself is")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for family in FAMILIES:
        family.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status. Whatever happens is one line on standard error, no traceback."""
    streams.prepare()
    parsed = make_parser().parse_args(arguments)
    try:
        _refuse_broken_texts(parsed)
        status: int = parsed.run(Installation(parsed.config, parsed.timeout), parsed)
        streams.deliver()
    except CommandError as error:
        streams.complain(str(error))
        return error.status
    except ControlError as error:
        streams.complain(str(error))
        return status_of(error)
    except FileError as error:
        streams.complain(str(error))
        return EXIT_USAGE if isinstance(error, FileOptionError) else EXIT_FAILURE
    except KeyboardInterrupt:
        streams.complain("interrupted; an import or a copy goes on where it was when the same command is given again")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        streams.abandon()
        return EXIT_FAILURE
    except OSError as error:
        streams.complain(f"cannot read or write {_name_of(error)}: {error.strerror or error}")
        streams.abandon()
        return EXIT_FAILURE
    except Exception as error:
        if parsed.debug:
            raise
        kind = type(error).__name__
        streams.complain(f"unexpected {kind}: {error}; this is a fault of ocsctl, --debug shows where it is")
        return EXIT_FAILURE
    return status


def _refuse_broken_texts(parsed: argparse.Namespace) -> None:
    """Refuse names and contacts with bytes that are not UTF-8; only paths may have them."""
    for name, value in vars(parsed).items():
        if isinstance(value, str) and name not in _PATHS:
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise CommandError(f"the argument {value!a} is not valid UTF-8", EXIT_USAGE) from None


def _name_of(error: OSError) -> str:
    if isinstance(error.filename, str | bytes):
        return streams.shown(os.fsdecode(error.filename))
    return "standard output"


if __name__ == "__main__":
    sys.exit(main())
