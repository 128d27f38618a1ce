"""What has happened to a record, and how it was at a time: `history`."""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ocsgw.ctl.arguments import argument
from ocsgw.ctl.errors import EXIT_USAGE, CommandError
from ocsgw.ctl.explain import parse_time
from ocsgw.ctl.families import add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import open_operator
from ocsgw.ctl.output import print_json

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


_HIGHEST = (1 << 62) - 1
_number = argument(int, lambda number: 0 < number <= _HIGHEST, f"a whole number from 1 to {_HIGHEST}")


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(commands, "history", history, "show what has happened to a record, and how it was at a time")
    parser.add_argument(
        "contact", metavar="CONTACT", nargs="?", help="contact information, written in any way that means the same"
    )
    parser.add_argument("--handle", type=_number, metavar="HANDLE", help="a record handle, dead or alive")
    parser.add_argument("--chain", type=_number, metavar="CHAIN", help="a chain id")
    parser.add_argument("--list", metavar="NAME", help="the calling list of the chain; without it all lists")
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="show the records as of a time, YYYY-MM-DD HH:MM in local time, or with +HH:MM or Z",
    )
    add_json(parser)


def history(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show what has happened to a record."""
    if sum(each is not None for each in (arguments.contact, arguments.handle, arguments.chain)) != 1:
        raise CommandError("name the record by exactly one of CONTACT, --handle and --chain", EXIT_USAGE)
    at = parse_time(arguments.at) if arguments.at is not None else None
    with open_operator(installation, "read") as operator:
        chains = operator.call(
            "history",
            contact=arguments.contact,
            handle=arguments.handle,
            chain=arguments.chain,
            calling_list=arguments.list,
            at=at,
        )
    if arguments.json:
        print_json(chains)
    else:
        sys.stdout.write(in_words(chains, at))
    return 0


def in_words(chains: list[dict[str, Any]], at: int | None) -> str:
    """Return histories as a text."""
    if not chains:
        return "Nothing is known of such a record.\n"
    lines: list[str] = []
    for chain in chains:
        lines.append(f"{chain['calling_list']}, chain {chain['chain_id']}")
        for each in chain["changes"]:
            who = f" by {each['principal']}" if each["principal"] else ""
            where = f" in {each['group']}" if each["group"] else ""
            handle = f", handle {each['handle']}" if each["handle"] else ""
            lines.append(f"  {_utc(each['at'])} UTC  record {each['record_id']}: {each['kind']}{who}{where}{handle}")
            lines += [
                f"      {column}: {_shown(each['before'][column]) if column in each['before'] else '?'}"
                f" -> {_shown(value)}"
                for column, value in each["after"].items()
                if column not in each["before"] or each["before"][column] != value
            ]
        if not chain["changes"]:
            lines.append("  no change is known")
        when = f"as of {_utc(at)} UTC" if at is not None else "now"
        for record in chain["records"]:
            lines.append(f"  record {record['record_id']} {when}:")
            lines += [
                f"      {column}: {_shown(value)}"
                for column, value in record.items()
                if column != "record_id" and value not in (None, "")
            ]
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _utc(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
