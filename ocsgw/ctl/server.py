"""Commands about the server itself: `status`, `reload`, `proxy restart`."""

import argparse
import json
from typing import TYPE_CHECKING

from ocsgw.ctl.families import add_command, add_family
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import duration, print_table

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_commands(commands: "Commands") -> None:
    """Tell the command line about this family."""
    parser = add_command(commands, "status", status, "show role, HTTP proxies and campaign groups")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    add_command(commands, "reload", reload, "read the configuration again")
    family = add_family(commands, "proxy", "replace HTTP proxies")
    parser = add_command(family, "restart", restart_proxies, "replace the HTTP proxies without an interruption")
    parser.add_argument(
        "listener", nargs="?", metavar="LISTENER", help="id of the listener; all http listeners without it"
    )


def status(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show the state of the server."""
    with installation.connect() as client:
        shown = client.call("status")
    if arguments.json:
        print(json.dumps(shown, ensure_ascii=False))
        return 0
    print(f"ocsgw {shown['version']}, {shown['role']}, up for {duration(shown['uptime'])}")
    print()
    print_table(
        ("HTTP PROXY", "STATE", "PID", "URL", "STARTS"),
        [
            (each["name"], each["state"], each["pid"] or "-", each["url"] or "-", each["starts"])
            for each in shown["proxies"]
        ],
    )
    print()
    print_table(
        ("CAMPAIGN GROUP", "DBID", "CAMPAIGN", "STATE", "MODE"),
        [(each["name"], each["dbid"], each["campaign"], each["state"], each["mode"]) for each in shown["groups"]],
    )
    return 0


def reload(installation: Installation, arguments: argparse.Namespace) -> int:
    """Let the server read its configuration again."""
    with installation.connect() as client:
        waiting = client.call("reload")
    print("configuration reloaded")
    for key in waiting:
        print(f"{key} has changed; it takes effect with the next start of the server")
    return 0


def restart_proxies(installation: Installation, arguments: argparse.Namespace) -> int:
    """Let new HTTP proxies take the place of the running ones."""
    with installation.connect() as client:
        replaced = client.call("proxy restart", listener=arguments.listener)
    for each in replaced:
        print(f"{each['listener']}: process {each['new']} serves in place of {each['old']}")
    return 0
