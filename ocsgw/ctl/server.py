"""Commands about the server itself: `status`, `reload`, `proxy restart`."""

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from ocsgw.control.errors import ControlError
from ocsgw.control.health import CHECK_STATUS
from ocsgw.ctl import alter
from ocsgw.ctl.errors import CommandError
from ocsgw.ctl.families import add_command, add_family, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import duration, print_json, print_table

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(commands, "status", status, "show health, state, HTTP proxies and campaign groups")
    add_json(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="for monitoring: one line, and the exit status 0 (good), 1 (degraded) or 2 (down)",
    )
    add_json(add_command(commands, "reload", reload, "read the configuration again"))
    add_json(add_command(commands, "switchover", switch_over, "let the other server of the pair take over"))
    family = add_family(commands, "proxy", "replace HTTP proxies")
    parser = add_command(family, "restart", restart_proxies, "replace the HTTP proxies without an interruption")
    parser.add_argument(
        "listener", nargs="?", metavar="LISTENER", help="id of the listener; all http listeners without it"
    )
    add_json(parser)


def status(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show the state of the server; with `--check` its health is the exit status."""
    try:
        with installation.connect() as client:
            shown = client.call("status")
    except (CommandError, ControlError) as error:
        if not arguments.check:
            raise
        shown = {"health": "down", "problems": [str(error)]}
    if arguments.json:
        print_json(shown)
    elif arguments.check:
        print(": ".join(filter(None, (shown["health"], "; ".join(shown["problems"])))))
    else:
        print_status(shown)
    return CHECK_STATUS[shown["health"]] if arguments.check else 0


def print_status(shown: dict[str, Any]) -> None:
    """Print what the server has said about itself."""
    print(f"ocsgw {shown['version']}, {shown['state']} ({shown['role']}), up for {duration(shown['uptime'])}")
    if shown["pair"] is not None:
        partners = [f"{role} {name or 'unknown'}" for role, name in shown["pair"].items()]
        print("pair: " + ", ".join([*partners, *_lease(shown["lease"])]))
    if shown["gateways"] is not None:
        servers = [f"{each['name']} (chores)" if each["chores"] else each["name"] for each in shown["gateways"]]
        print("gateways: " + ", ".join([*servers, *_lease(shown["lease"])]))
    print(f"health: {shown['health']}")
    for problem in shown["problems"]:
        print(f"  {problem}")
    for line in _left_to_do(shown["waiting"]):
        print(f"waiting: {line}")
    print()
    print_table(
        ("HTTP PROXY", "STATE", "PID", "UP FOR", "STARTS", "IN FLIGHT", "URL"),
        [
            (
                each["name"],
                _state(each),
                each["pid"] or "-",
                duration(each["uptime"]) if each["uptime"] is not None else "-",
                each["starts"],
                f"{each['in_flight']} of {each['window']}",
                each["url"] or "-",
            )
            for each in shown["proxies"]
        ],
    )
    print()
    print_table(
        ("CAMPAIGN GROUP", "DBID", "CAMPAIGN", "STATE", "MODE"),
        [(each["name"], each["dbid"], each["campaign"], each["state"], each["mode"]) for each in shown["groups"]],
    )


def _lease(lease: dict[str, Any] | None) -> list[str]:
    return [f"epoch {lease['epoch']}", f"lease valid for {lease['remaining']:.1f} s"] if lease is not None else []


def _state(proxy: dict[str, Any]) -> str:
    """Return the state of a proxy; with one that has ended, when the next process is started."""
    following = proxy["next_start"]
    return f"{proxy['state']}, next start in {following} s" if following is not None else str(proxy["state"])


def _left_to_do(waiting: dict[str, list[str]]) -> list[str]:
    lines = [f"{key} has changed; it takes effect with the next start of the server" for key in waiting["restart"]]
    lines += [
        f"listener {each} has changed; its HTTP proxies use it after: ocsctl proxy restart {each}"
        for each in waiting["proxy_restart"]
    ]
    return lines


def reload(installation: Installation, arguments: argparse.Namespace) -> int:
    """Let the server read its configuration again; print what is left to do."""
    with installation.connect() as client:
        done = client.call("reload")
    if arguments.json:
        for each in done["closed_lists"]:
            each["repair"] = _repair(installation, each["name"])
        print_json(done)
        return 0
    print("configuration reloaded")
    for line in _left_to_do(done["waiting"]):
        print(line)
    for each in done["opened_listeners"]:
        print(f"listener {each} has no key and no certificate any more: it is open to whoever can connect")
    for each in done["closed_lists"]:
        print(f"calling list {each['name']} is closed: {each['reason']}")
        for line in _repair(installation, each["name"]):
            print(f"  {line}")
    return 0


def _repair(installation: Installation, name: str) -> list[str]:
    """Return what opens a closed list again: the exact SQL, and the command that carries it out."""
    try:
        statements = alter.statements_for(installation, name)
    except CommandError:
        # What is wrong with the table is in the reason.
        return []
    orders = [f"{each};" for each in statements]
    return [*orders, f"or: ocsctl list alter {shlex.quote(name)}; then: ocsctl reload"] if orders else []


def switch_over(installation: Installation, arguments: argparse.Namespace) -> int:
    """Let the server end its work and the other one of the pair take over."""
    with installation.connect() as client:
        done = client.call("switchover")
    if arguments.json:
        print_json(done)
        return 0
    print(f"{done['primary']} is the primary now; this server is the backup")
    return 0


def restart_proxies(installation: Installation, arguments: argparse.Namespace) -> int:
    """Let new HTTP proxies take the place of the running ones."""
    with installation.connect() as client:
        replaced = client.call("proxy restart", listener=arguments.listener)
    if arguments.json:
        print_json(replaced)
        return 0
    for each in replaced:
        print(f"{each['listener']}: process {each['new']} serves in place of {each['old']}")
    return 0
