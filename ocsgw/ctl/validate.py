"""Whether a server of pre-dial validation can be reached, and what it says: `validate-test`."""

import argparse
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ocsgw.ctl.errors import EXIT_FAILURE, EXIT_USAGE, CommandError
from ocsgw.ctl.families import add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

_MEANS = {"positive": "the record would be handed out", "negative": "the record would not be handed out"}


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(
        commands, "validate-test", validate_test, "ask a validation server about an example record, as HTTP Proxy would"
    )
    parser.add_argument("uri", metavar="URI", help="http or https address of the validation server")
    add_json(parser)


def validate_test(installation: Installation, arguments: argparse.Namespace) -> int:
    """Ask a validation server about an example record; the exit status is 1 if that failed."""
    try:
        parts = urlsplit(arguments.uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not arguments.uri.isascii():
        raise CommandError(f"{arguments.uri} is not a valid URI; write for example http://host:port/path", EXIT_USAGE)
    with installation.connect() as client:
        said = client.call("validate-test", uri=arguments.uri)
    if arguments.json:
        print_json(said)
        return 0 if said["outcome"] in _MEANS else EXIT_FAILURE
    status = f"status {said['status']}" if said["status"] is not None else said["reason"]
    print(f"{said['outcome']}: {status}, after {said['seconds']:g} s")
    if said["data"]:
        print(f"members of the answer: {json.dumps(said['data'], ensure_ascii=False)}")
    print(_MEANS.get(said["outcome"], "the record would be treated as after a failed validation"))
    return 0 if said["outcome"] in _MEANS else EXIT_FAILURE
