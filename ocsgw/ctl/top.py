"""A live view of the server: `top`."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ocsgw.ctl.arguments import amount, argument
from ocsgw.ctl.families import add_command
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json, print_table
from ocsgw.ctl.server import print_status

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

_CLEAR = "\x1b[H\x1b[2J"
_MOST_ROWS = 15
_MILLISECONDS = 1000
_REQUESTS = "ocsgw_requests_total"
_COMMITS = "ocsgw_commits_total"
_DURATION = "ocsgw_transaction_seconds"
_BATCH = "ocsgw_batch_requests"

# (name, labels) -> value.
Counters = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


_interval = argument(float, lambda seconds: 0.1 <= seconds <= 3600, "a number of seconds from 0.1 to 3600")


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(commands, "top", top, "show requests, transactions, proxies and groups again and again")
    parser.add_argument(
        "--interval", type=_interval, default=2.0, metavar="SECONDS", help="between two views (%(default)g)"
    )
    parser.add_argument("--count", type=amount, metavar="N", help="end after so many views, instead of with Ctrl-C")
    parser.add_argument(
        "--json", action="store_true", help="a line of JSON for each view, with the state and every counter"
    )


def top(installation: Installation, arguments: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> int:
    """Show the server again and again; Ctrl-C ends it well."""
    before: tuple[float, Counters] | None = None
    shown = 0
    try:
        with installation.connect() as client:
            while True:
                status = client.call("status")
                now, found = time.monotonic(), client.call("counters")
                if arguments.json:
                    print_json({"status": status, "counters": [_as_object(each) for each in found]})
                else:
                    counters = _by_key(found)
                    if sys.stdout.isatty():
                        sys.stdout.write(_CLEAR)
                    print_status(status)
                    _print_rates(counters, before[1] if before else counters, now - before[0] if before else 0.0)
                    before = now, counters
                sys.stdout.flush()
                shown += 1
                if shown == arguments.count:
                    return 0
                sleep(arguments.interval)
    except KeyboardInterrupt:
        print()
        return 0


def _as_object(counter: Any) -> dict[str, Any]:
    name, labels, value = counter
    return {"name": name, "labels": labels, "value": value}


def _by_key(found: list[Any]) -> Counters:
    return {(name, tuple(sorted(labels.items()))): value for name, labels, value in found}


def _print_rates(now: Counters, before: Counters, seconds: float) -> None:
    """Print what has happened since the view before; the first one has only totals."""

    def rate(key: tuple[str, tuple[tuple[str, str], ...]]) -> float:
        return (now.get(key, 0) - before.get(key, 0)) / seconds if seconds else 0.0

    answered = (key for key in now if key[0] == _REQUESTS and now[key])
    requests = sorted(answered, key=lambda key: (-rate(key), -now[key]))
    print()
    print_table(
        ("REQUEST", "ANSWER", "PER SECOND", "TOTAL"),
        [
            (dict(key[1])["request"], dict(key[1])["code"], f"{rate(key):.1f}", f"{now[key]:.0f}")
            for key in requests[:_MOST_ROWS]
        ],
    )
    commits = [key for key in now if key[0] == _COMMITS]
    each = _mean(now, before, _DURATION) * _MILLISECONDS
    print()
    print(
        f"transactions: {sum(map(rate, commits)):.1f} per second, {each:.2f} ms and "
        f"{_mean(now, before, _BATCH):.1f} requests each"
    )


def _mean(now: Counters, before: Counters, name: str) -> float:
    """Return the mean of a histogram since the view before; over all time if nothing came since then."""
    total, count = (now.get((f"{name}_{part}", ()), 0.0) for part in ("sum", "count"))
    earlier, seen = (before.get((f"{name}_{part}", ()), 0.0) for part in ("sum", "count"))
    if count > seen:
        return (total - earlier) / (count - seen)
    return total / count if count else 0.0
