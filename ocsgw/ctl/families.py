"""What a family of commands adds to the command line."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from ocsgw.ctl.installation import Installation

# A command does its work and returns the exit status; it raises `CommandError`.
Command = Callable[[Installation, argparse.Namespace], int]

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no other name


def add_command(commands: "Commands", name: str, run: Command, purpose: str) -> argparse.ArgumentParser:
    """Return the command line of a new command, for its own arguments."""
    parser = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    parser.set_defaults(run=run)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that asks for JSON."""
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def add_family(commands: "Commands", name: str, purpose: str) -> "Commands":
    """Return the place for commands of two words: `name` and what is to be done."""
    parser = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    return parser.add_subparsers(dest="order", required=True, metavar="ORDER")
