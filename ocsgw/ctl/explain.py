"""Why a number would, or would not, be handed out: `explain`."""

import argparse
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ocsgw.contact.zones import both_times, time_in_words
from ocsgw.ctl.errors import EXIT_USAGE, CommandError
from ocsgw.ctl.families import add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import open_operator
from ocsgw.ctl.output import print_json

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

# The end of the year 9000; behind it the calendar ends.
_LATEST = 221845132800


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(
        commands, "explain", explain, "say why a number would, or would not, be handed out, and when that changes"
    )
    parser.add_argument("phone", metavar="PHONE", help="contact information, written in any way that means the same")
    parser.add_argument(
        "--at", metavar="TIME", help="ask about another time, YYYY-MM-DD HH:MM in local time, or with +HH:MM or Z"
    )
    add_json(parser)


def explain(installation: Installation, arguments: argparse.Namespace) -> int:
    """Say why a number would, or would not, be handed out."""
    at = parse_time(arguments.at) if arguments.at is not None else None
    with open_operator(installation, "read") as operator:
        explained = operator.call("explain", contact=arguments.phone, at=at)
    if arguments.json:
        print_json(explained)
    else:
        sys.stdout.write(in_words(explained))
    return 0


def parse_time(text: str) -> int:
    """Return a time in seconds since 1970 UTC. Raises `CommandError`."""
    try:
        moment = int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        raise CommandError(
            f"--at {text!r} is not a valid time; write for example '2026-11-23 09:00' or 2026-11-23T09:00Z", EXIT_USAGE
        ) from None
    if not 0 <= moment <= _LATEST:
        raise CommandError(f"--at {text!r} is outside the years 1970 to 9000", EXIT_USAGE)
    return moment


def in_words(explained: dict[str, Any]) -> str:
    """Return an explanation as a text."""
    asked = explained["at"]
    lines = [f"{explained['contact']} at {time_in_words(asked)} UTC"]
    lines += [
        f"calling list {name} cannot be used; see the log of the server for the reason"
        for name in explained["unavailable"]
    ]
    if not explained["records"] and not explained["unreadable"]:
        lines += ["", "No record of any calling list has this contact."]
    for record in explained["records"]:
        head = f"record {record['record_id']} (chain {record['chain_id']}, number {record['chain_n']})"
        lines += ["", f"{record['calling_list']}, {head}: {record['contact']}"]
        lines += [f"  {fact}" for fact in record["facts"]]
        if not record["verdicts"]:
            lines.append("  no campaign group hands out records of this list")
        for verdict in record["verdicts"]:
            lines += [f"  {line}" for line in _verdict_lines(verdict, record["zone"], asked)]
    for record in explained["unreadable"]:
        head = f"record {record['record_id']} (chain {record['chain_id']})"
        lines += [
            "",
            f"{record['calling_list']}, {head}: {record['contact']}",
            f"  never handed out: its value in column {record['column']} cannot be read; correct it in the database",
        ]
    lines.append("")
    for entry in explained["entries"]:
        over = " (over)" if 0 < entry["expires_at"] <= asked else ""
        lines.append(f"Do-not-call list: entry {entry['text']}{over}")
    if not explained["entries"]:
        lines.append("Do-not-call list: no entry for this contact.")
    return "\n".join(lines) + "\n"


def _verdict_lines(verdict: dict[str, Any], zone: str, asked: int) -> list[str]:
    whom = f" to agent {verdict['agent']}" if verdict["agent"] else ""
    if verdict["would"]:
        until = f", until {_both(verdict['until'], zone)} when its daily window closes" if verdict["until"] else ""
        return [f"{verdict['group']}: would be handed out{whom} now in its turn{until}"]
    reasons = verdict["reasons"]
    if verdict["not_before"] is None:
        first = f"{verdict['group']}: not handed out{whom} until somebody changes that"
    else:
        first = f"{verdict['group']}: not before {_both(verdict['not_before'], zone)}{whom}"
    return [f"{first}:", *(f"  {each['rule']}: {each['text']}" for each in reasons)]


def _both(moment: int, zone: str) -> str:
    return both_times(moment, ZoneInfo(zone))
