"""The `ocsctl` command: status and control of a running OCS, and work on its lists."""

import argparse
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from ocsgw.config import Config, ConfigurationError, load
from ocsgw.protocol.control import FRAME_LIMIT, ControlRequest, decode_reply, encode
from ocsgw.protocol.frames import FrameDecoder, FrameError
from ocsgw.version import VERSION

EXIT_FAILURE = 1
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_CONFIGURATION = 78


class CommandError(Exception):
    """A command failed; the text says why and what to do, `status` is that of the process."""

    def __init__(self, text: str, status: int = EXIT_FAILURE) -> None:
        super().__init__(text)
        self.status = status


class ControlClient:
    """A connection to the control socket of a running OCS."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            hint = "is the server running, and is this its configuration file?"
            if isinstance(error, PermissionError):
                hint = "run ocsctl as the user of the server"
            raise CommandError(
                f"cannot reach the server at {path}: {error.strerror}; {hint}", EXIT_UNAVAILABLE
            ) from error
        self._decoder = FrameDecoder(FRAME_LIMIT)

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, command: str, **arguments: object) -> Any:
        """Carry out a command and return its result. Raises `CommandError`."""
        self._socket.sendall(encode(ControlRequest(command, arguments)))
        try:
            while True:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise CommandError("the server has closed the connection", EXIT_UNAVAILABLE)
                for payload in self._decoder.feed(data):
                    reply = decode_reply(payload)
                    if reply.error is not None:
                        raise CommandError(reply.error)
                    return reply.result
        except (FrameError, msgspec.MsgspecError) as error:
            raise CommandError(f"the server answers in a form that this ocsctl does not know: {error}") from error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the command line of `ocsctl`."""
    parser = _Parser(prog="ocsctl", description="Status and control of a running Outbound Contact Server.")
    parser.add_argument("--version", action="version", version=f"ocsctl {VERSION}")
    parser.add_argument(
        "-c", "--config", default="etc/ocsgw.toml", metavar="FILE", help="the server's configuration file (%(default)s)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="show role, HTTP proxies and campaign groups")
    status.add_argument("--json", action="store_true", help="as JSON, for programs")
    commands.add_parser("reload", help="read the configuration again")
    campaign = commands.add_parser("campaign", help="load, start, stop or unload a campaign group")
    campaign.add_argument("order", choices=("load", "start", "stop", "unload", "force-unload"))
    campaign.add_argument("name", metavar="NAME", help="campaign, campaign group, or DBID of the group")
    return parser


def status(client: ControlClient, arguments: argparse.Namespace) -> None:
    """Show the state of the server."""
    shown = client.call("status")
    if arguments.json:
        print(json.dumps(shown, ensure_ascii=False))
        return
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


def campaign(client: ControlClient, arguments: argparse.Namespace) -> None:
    """Give an order to a campaign group."""
    event = client.call("campaign", order=arguments.order, name=arguments.name)
    print(f"{event['GSW_CAMPAIGN_GROUP_NAME']}: {event['GSW_USER_EVENT']}")


def reload(client: ControlClient, arguments: argparse.Namespace) -> None:
    """Let the server read its configuration again."""
    waiting = client.call("reload")
    print("configuration reloaded")
    for key in waiting:
        print(f"{key} has changed; it takes effect with the next start of the server")


_COMMANDS = {"status": status, "campaign": campaign, "reload": reload}


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a head, in columns as wide as they need to be."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(head))]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def duration(seconds: int) -> str:
    """Return seconds in the two largest units that they fill."""
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def load_config(path: str) -> Config:
    """Return the configuration of the server. Raises `CommandError`."""
    try:
        return load(path)
    except ConfigurationError as error:
        raise CommandError(str(error), EXIT_CONFIGURATION) from error


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run the command line; return the exit status."""
    parsed = make_parser().parse_args(arguments)
    try:
        config = load_config(parsed.config)
        with ControlClient(config.application.control_socket) as client:
            _COMMANDS[parsed.command](client, parsed)
    except CommandError as error:
        sys.stderr.write(f"ocsctl: {error}\n")
        return error.status
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        return EXIT_FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main())
