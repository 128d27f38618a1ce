"""Any request of a client, from the command line: `request`."""

import argparse
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ocsgw.ctl.errors import EXIT_USAGE, CommandError
from ocsgw.ctl.families import add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json
from ocsgw.protocol.requests import IDENTIFIER_KEYS, RESOURCE_TYPES

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(commands, "request", request, "send any request of the HTTP interface or the OCS protocol")
    parser.add_argument("request", metavar="REQUEST", help="name of the request, such as AddRecord")
    parser.add_argument(
        "words",
        metavar="WORD",
        nargs="*",
        help="the resource as in a URL, such as lists/CL_Test, and NAME=VALUE for each further member",
    )
    parser.add_argument("--data", metavar="JSON", help="further members as a JSON object, as in the body over HTTP")
    parser.add_argument("--idempotency-key", metavar="KEY", help="send it again under this key, and it is done once")
    add_json(parser)


def request(installation: Installation, arguments: argparse.Namespace) -> int:
    """Carry out a request and show its events; a refusal is an error with status 1."""
    keys = _members(arguments.data) if arguments.data is not None else {}
    keys = _once([*keys.items(), *map(_member, arguments.words)])
    with installation.connect() as client:
        done = client.call("request", name=arguments.request, keys=keys, idempotency_key=arguments.idempotency_key)
    if arguments.json:
        print_json(done)
        return 0
    for event in done["events"]:
        _print_event(event)
    if done["replayed"]:
        print("This is the stored answer of an earlier request with the same key.")
    return 0


def _members(text: str) -> dict[str, Any]:
    try:
        members = json.loads(text, object_pairs_hook=_once)
    except ValueError as error:
        raise CommandError(f"--data is not JSON: {error}", EXIT_USAGE) from None
    if not isinstance(members, dict):
        raise CommandError("--data must be a JSON object", EXIT_USAGE)
    return {name: _plain(name, value) for name, value in members.items()}


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return members by name. Raises `CommandError`: of two with one name only one would be sent."""
    found: dict[str, Any] = {}
    for name, value in members:
        if not name:
            raise CommandError(f"a member without a name is given, with the value {value}", EXIT_USAGE)
        if name in found:
            raise CommandError(f"{name} is given more than once", EXIT_USAGE)
        found[name] = value
    return found


def _plain(name: str, value: object) -> object:
    """Return a value as it may be sent: text, whole numbers and booleans; others as their text."""
    if isinstance(value, dict | list):
        raise CommandError(f"--data has an object or array in {name}; members are texts and numbers", EXIT_USAGE)
    return str(value) if isinstance(value, float) else value


def _member(word: str) -> tuple[str, str]:
    """Return the key and value that a word of the command line means. Raises `CommandError`."""
    name, equals, value = word.partition("=")
    if equals and "/" not in name:
        return name, value
    resource, slash, identifier = word.strip("/").partition("/")
    known = RESOURCE_TYPES.get(resource.lower())
    if not slash or not identifier or known is None:
        resources = ", ".join(f"{each}/..." for each in IDENTIFIER_KEYS)
        raise CommandError(f"{word} is neither NAME=VALUE nor a resource; resources are {resources}", EXIT_USAGE)
    return IDENTIFIER_KEYS[known], unquote(identifier)


def _print_event(event: dict[str, Any]) -> None:
    print(event.get("GSW_USER_EVENT", ""))
    width = max((len(name) for name in event), default=0)
    for name, value in event.items():
        if name == "GSW_USER_EVENT" or value is None:
            continue
        for at, each in enumerate(value if isinstance(value, list) else [value]):
            text = each if isinstance(each, str | int) else json.dumps(each, ensure_ascii=False)
            print(f"  {name if not at else '':<{width}}  {text}")
