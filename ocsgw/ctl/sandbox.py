"""The clock, the faults and the record of a sandbox: `sandbox`."""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

from ocsgw.ctl.errors import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE, CommandError
from ocsgw.ctl.families import add_command, add_family, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json, print_table
from ocsgw.sandbox.faults import FaultKind

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands
    from ocsgw.sandbox.driver import SandboxClient

_VARIABLE = "OCSGW_SANDBOX"
# What a table of faults shows, with what a fault that does not say so has.
_FAULT_COLUMNS = (("times", 1), ("skip", 0), ("request", "-"), ("path", "-"))


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    orders = add_family(commands, "sandbox", "the clock, the faults and the record of a sandbox (ocsgw sandbox)")

    def add(name: str, run: Callable[[Installation, argparse.Namespace], int], purpose: str) -> argparse.ArgumentParser:
        parser = add_command(orders, name, run, purpose)
        parser.add_argument(
            "--url", metavar="URL", default=os.environ.get(_VARIABLE), help=f"where it serves ({_VARIABLE})"
        )
        add_json(parser)
        return parser

    add("status", status, "show where it serves, its processes and its time")
    parser = add("clock", clock, "show the clock, put it forward, or put it to a time")
    parser.add_argument("--advance", type=float, metavar="SECONDS", help="put it forward")
    parser.add_argument("--set", metavar="TIME", help="put it to a time, such as 2026-11-28T09:30:00+01:00")
    kinds = get_args(FaultKind)
    parser = add("fault", fault, "let the next request fail")
    parser.add_argument("kind", metavar="KIND", choices=kinds, help=", ".join(kinds))
    parser.add_argument("--seconds", type=float, metavar="SECONDS", help="how long a delay takes (1)")
    parser.add_argument("--status", type=int, metavar="STATUS", help="status of the answer (503)")
    parser.add_argument("--times", type=int, metavar="N", help="so many requests (1)")
    parser.add_argument("--skip", type=int, metavar="N", help="after so many others (0)")
    parser.add_argument("--path", metavar="PATH", help="only targets that begin with this")
    parser.add_argument("--request", metavar="REQUEST", help="only this request, such as AddRecord")
    parser = add("faults", faults, "show the faults that are still to come")
    parser.add_argument("--clear", action="store_true", help="forget them")
    parser = add("traffic", traffic, "show the requests that came, and their answers")
    parser.add_argument("--clear", action="store_true", help="forget them")
    parser = add("examples", examples, "add example records to the first calling list")
    parser.add_argument("records", metavar="N", nargs="?", type=int, default=25, help="so many (%(default)s)")
    add("crash", crash, "kill the HTTP Proxy, and wait until the next one serves")
    add("reset", reset, "begin anew: empty lists, no faults, no record, the real time")


@contextmanager
def _sandbox(arguments: argparse.Namespace) -> "Iterator[SandboxClient]":
    """Give the sandbox. Raises `CommandError`, also for what it refuses."""
    from ocsgw.sandbox.driver import NoSandboxError, SandboxClient, SandboxError  # noqa: PLC0415 - only testers need it

    if not arguments.url:
        raise CommandError(f"say where the sandbox is, with --url or in {_VARIABLE}; it prints that itself", EXIT_USAGE)
    try:
        yield SandboxClient(arguments.url)
    except SandboxError as error:
        raise CommandError(
            str(error), EXIT_UNAVAILABLE if isinstance(error, NoSandboxError) else EXIT_FAILURE
        ) from None


def _say(arguments: argparse.Namespace, shown: object, words: str) -> int:
    if arguments.json:
        print_json(shown)
    else:
        print(words)
    return 0


def status(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show where it serves."""
    with _sandbox(arguments) as sandbox:
        found = sandbox.describe()
    return _say(arguments, found, "\n".join(f"{name}: {value}" for name, value in found.items()))


def clock(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show or change the time; what is due by then has been done afterwards."""
    if arguments.advance is not None and arguments.set is not None:
        raise CommandError("--advance and --set exclude each other", EXIT_USAGE)
    with _sandbox(arguments) as sandbox:
        if arguments.advance is not None:
            now = sandbox.advance(arguments.advance)
        else:
            now = sandbox.set_time(arguments.set) if arguments.set is not None else sandbox.now()
    utc = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    return _say(arguments, {"time": now, "utc": utc}, utc)


def fault(installation: Installation, arguments: argparse.Namespace) -> int:
    """Order a fault."""
    names = ("seconds", "status", "times", "skip", "path", "request")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    with _sandbox(arguments) as sandbox:
        sandbox.fault(arguments.kind, **given)
        due = sandbox.faults()
    return _say(arguments, due, f"{len(due)} faults are to come")


def faults(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show, or forget, the faults that are to come."""
    with _sandbox(arguments) as sandbox:
        if arguments.clear:
            sandbox.forget_faults()
        due = sandbox.faults()
    if arguments.json:
        print_json(due)
        return 0
    rows = [(each["kind"], *(each.get(name, default) for name, default in _FAULT_COLUMNS)) for each in due]
    print_table(("FAULT", "TIMES", "AFTER", "REQUEST", "PATH"), rows)
    return 0


def traffic(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show, or forget, the requests that came."""
    with _sandbox(arguments) as sandbox:
        if arguments.clear:
            sandbox.forget_traffic()
        entries = sandbox.traffic()
    if arguments.json:
        print_json(entries)
        return 0
    rows = [
        (
            each["number"],
            datetime.fromtimestamp(each["time"], UTC).isoformat(timespec="milliseconds"),
            each.get("status") or "-",
            each.get("fault") or "-",
            f"{each['method']} {each['target']}",
        )
        for each in entries
    ]
    print_table(("NUMBER", "TIME", "STATUS", "FAULT", "REQUEST"), rows)
    return 0


def examples(installation: Installation, arguments: argparse.Namespace) -> int:
    """Add example records."""
    with _sandbox(arguments) as sandbox:
        added = sandbox.examples(arguments.records)
    return _say(arguments, {"added": added}, f"{added} records added")


def crash(installation: Installation, arguments: argparse.Namespace) -> int:
    """Kill the HTTP Proxy and wait for the next one."""
    with _sandbox(arguments) as sandbox:
        sandbox.crash()
        sandbox.wait()
        found = sandbox.describe()
    return _say(arguments, found, f"HTTP Proxy {found['proxy_pid']} serves")


def reset(installation: Installation, arguments: argparse.Namespace) -> int:
    """Begin anew."""
    with _sandbox(arguments) as sandbox:
        sandbox.reset()
        found = sandbox.describe()
    return _say(arguments, found, "the sandbox begins anew")
