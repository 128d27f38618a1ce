"""Commands about the server itself: `status`, `reload`."""

import argparse
import json
from typing import TYPE_CHECKING

from ocsgw.ctl.families import add_command
from ocsgw.ctl.output import duration, print_table
from ocsgw.ctl.site import Site

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_commands(commands: "Commands") -> None:
    """Tell the command line about this family."""
    parser = add_command(commands, "status", status, "show role, HTTP proxies and campaign groups")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    add_command(commands, "reload", reload, "read the configuration again")


def status(site: Site, arguments: argparse.Namespace) -> int:
    """Show the state of the server."""
    with site.connect() as client:
        shown = client.call("status")
    if arguments.json:
        print(json.dumps(shown, ensure_ascii=False))
        return 0
    print(f"ocsgw {shown['version']}, {shown['role']}, up for {duration(shown['uptime'])}")
    print()
    print_table(
        ("HTTP PROXY", "STATE", "PID", "URL", "STARTS"),
        [
            (each["listener"], each["state"], each["pid"] or "-", each["url"] or "-", each["starts"])
            for each in shown["proxies"]
        ],
    )
    print()
    print_table(
        ("CAMPAIGN GROUP", "DBID", "CAMPAIGN", "STATE", "MODE"),
        [(each["name"], each["dbid"], each["campaign"], each["state"], each["mode"]) for each in shown["groups"]],
    )
    return 0


def reload(site: Site, arguments: argparse.Namespace) -> int:
    """Let the server read its configuration again."""
    with site.connect() as client:
        waiting = client.call("reload")
    print("configuration reloaded")
    for key in waiting:
        print(f"{key} has changed; it takes effect with the next start of the server")
    return 0
