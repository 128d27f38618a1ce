"""What a running server knows about itself: `log`, `refusals`, `configuration`, `principals`."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ocsgw.ctl.arguments import amount
from ocsgw.ctl.errors import CommandError
from ocsgw.ctl.families import add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json, print_table

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

# Between two looks for new lines, in seconds.
_EVERY = 1.0
_LIMITS = ("listeners", "actions", "tenants", "calling_lists", "campaign_groups")


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(commands, "log", log, "show the last lines of the log of the running server")
    parser.add_argument("--lines", type=amount, default=20, metavar="N", help="so many, 500 at most (%(default)s)")
    parser.add_argument("--find", metavar="TEXT", default="", help="only lines with this text")
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    add_json(parser)
    parser = add_command(commands, "refusals", refusals, "show the requests that were refused last, and why")
    add_json(parser)
    parser = add_command(commands, "configuration", configuration, "show what is in force, without secrets")
    parser.add_argument("prefix", metavar="PREFIX", nargs="?", default="", help="only keys that begin with this")
    add_json(parser)
    add_json(add_command(commands, "principals", principals, "show keys and certificates, and what they allow"))


def log(installation: Installation, arguments: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> int:
    """Show the last lines of the log, and with `--follow` what comes then; Ctrl-C ends it well."""
    try:
        with installation.connect() as client:
            found = client.call("log")
            _print_lines([each for each in found["lines"] if arguments.find in each][-arguments.lines :], arguments)
            while arguments.follow:
                sleep(_EVERY)
                seen, found = found["count"], client.call("log")
                new = found["count"] - seen
                lines = found["lines"][-new:] if new else []
                _print_lines([each for each in lines if arguments.find in each], arguments)
    except KeyboardInterrupt:
        if not arguments.follow:
            raise
    return 0


def _print_lines(lines: list[str], arguments: argparse.Namespace) -> None:
    for line in lines:
        text = line.rstrip("\n")
        if arguments.json:
            print_json(text)
        else:
            print(text)
    sys.stdout.flush()


def refusals(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show the last refusals, the newest first."""
    with installation.connect() as client:
        found = client.call("refusals")
    if arguments.json:
        print_json(found)
        return 0
    if not found:
        print("nothing was refused since the start")
        return 0
    rows = [
        (
            datetime.fromtimestamp(each["at"], UTC).strftime("%Y-%m-%d %H:%M:%S"),
            each["request"],
            each["contact"] or "-",
            each["text"],
        )
        for each in found
    ]
    print_table(("UTC", "REQUEST", "CONTACT", "REASON"), rows)
    return 0


def configuration(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show every key in force."""
    with installation.connect() as client:
        found = [each for each in client.call("configuration") if each[0].startswith(arguments.prefix)]
    if not found:
        raise CommandError(f"no key begins with {arguments.prefix}; ocsctl configuration shows all")
    if arguments.json:
        print_json(dict(found))
    else:
        print_table(("KEY", "VALUE"), found)
    return 0


def principals(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show who may use the server; neither a key nor its hash."""
    with installation.connect() as client:
        found = client.call("principals")
    if arguments.json:
        print_json(found)
        return 0
    if not found:
        print("no key and no certificate is configured: listeners are open to whoever can connect")
        return 0
    rows = [
        (each["name"], each["by"], _day(each["expires"]), *(_names(each[limit]) for limit in _LIMITS)) for each in found
    ]
    print_table(("PRINCIPAL", "BY", "EXPIRES", *(limit.upper().replace("_", " ") for limit in _LIMITS)), rows)
    return 0


def _day(moment: int | None) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M") if moment is not None else "never"


def _names(names: Sequence[str] | None) -> str:
    return "all" if names is None else ", ".join(names) or "none"
