"""What was imported, and how it is taken back; do-not-call entries removed by an operator."""

import argparse
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ocsgw.ctl.errors import EXIT_USAGE, CommandError
from ocsgw.ctl.families import Command, add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import open_operator
from ocsgw.ctl.output import print_json, print_table, rows_were
from ocsgw.ctl.progress import Progress

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

_MOST_LISTED = 1000
_LARGEST = (1 << 63) - 1
_MOST_KEPT = 20


def add_ready_again(parser: argparse.ArgumentParser) -> None:
    """Add the option that decides about records which an entry has blocked."""
    parser.add_argument(
        "--ready-again", action="store_true", help="records that a removed entry has blocked become ready again"
    )


def add_remove_command(orders: "Commands") -> None:
    """Add `dnc remove`."""
    parser = add_command(orders, "remove", remove, "remove the do-not-call entries for a contact")
    parser.add_argument("contact", metavar="CONTACT", nargs="?", help="contact, written in any way that means the same")
    parser.add_argument("--customer-id", metavar="ID", help="remove the entries for a customer id instead")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, for the audit log")
    add_json(parser)
    add_ready_again(parser)


def add_imports_command(orders: "Commands", run: Command, purpose: str) -> None:
    """Add `imports`."""
    parser = add_command(orders, "imports", run, purpose)
    add_json(parser)


def remove(installation: Installation, arguments: argparse.Namespace) -> int:
    """Remove the entries for a contact or a customer id; return 1 if there is none."""
    if (arguments.contact is None) == (arguments.customer_id is None):
        raise CommandError("name a contact, or a customer id with --customer-id", EXIT_USAGE)
    with open_operator(installation) as operator:
        done = operator.call(
            "remove entries",
            contact=arguments.contact,
            customer_id=arguments.customer_id,
            reason=arguments.reason,
            ready_again=arguments.ready_again,
        )
    if arguments.json:
        print_json(done)
        return 0 if done["removed"] else 1
    if not done["removed"]:
        print("the do-not-call list has no entry for this; nothing was removed")
        return 1
    for entry in done["removed"]:
        print(f"removed: {', '.join(f'{name} {value}' for name, value in entry.items() if value is not None)}")
    _say_records(arguments, done["ready"], done["blocked"])
    return 0


def _say_records(arguments: argparse.Namespace, ready: int, blocked: int | None) -> None:
    if arguments.ready_again:
        print(f"{ready} records are ready again" + (f"; {blocked} stay NoCall" if blocked else ""))
    elif blocked is None or blocked:
        which = "records" if blocked is None else f"{blocked} records"
        print(f"{which} that were blocked stay NoCall; --ready-again makes those ready that nothing else blocks")


def show_list_imports(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show the newest imports into lists."""
    return _show(installation, arguments, are_of_lists=True)


def show_do_not_call_imports(installation: Installation, arguments: argparse.Namespace) -> int:
    """Show the newest imports of do-not-call entries."""
    return _show(installation, arguments, are_of_lists=False)


def _show(installation: Installation, arguments: argparse.Namespace, *, are_of_lists: bool) -> int:
    with open_operator(installation, "read") as operator:
        found: list[dict[str, Any]] = operator.call("imports", at_most=_MOST_LISTED)
    found = [each for each in found if (each["calling_list"] is not None) == are_of_lists]
    if arguments.json:
        print_json(found)
        return 0
    names = ("added", "updated", "replaced", "skipped", "refused")
    print_table(
        ("IMPORT", "LIST", "BEGAN", "STATE", *(name.upper() for name in names), "FILE"),
        [
            (
                each["number"],
                each["calling_list"] or "-",
                datetime.fromtimestamp(each["started_at"]).astimezone().strftime("%Y-%m-%d %H:%M"),
                "complete" if each["finished_at"] is not None else "interrupted",
                *(each["counts"].get(name, 0) for name in names),
                each["file"],
            )
            for each in found
        ],
    )
    return 0


def undo_list_import(installation: Installation, arguments: argparse.Namespace) -> int:
    """Take an import into a list back."""
    number = _number(arguments)
    with open_operator(installation) as operator:
        found = {each["number"]: each for each in operator.call("imports", at_most=_MOST_LISTED)}
        if number not in found or found[number]["calling_list"] is None:
            raise CommandError(
                f"there is no import {number} into a list; ocsctl list imports shows those that there are"
            )
        calling_list = found[number]["calling_list"]
        if arguments.list not in (None, calling_list):
            raise CommandError(f"import {number} is one into the list {calling_list}, not into {arguments.list}")
        common = {"number": number, "calling_list": calling_list, "reason": arguments.reason}
        removed, kept, lasting, _ = _undo(operator, common)
    if arguments.json:
        print_json({"import": number, "removed": removed, "kept": kept, **lasting})
        return 0
    print(f"import {number}: {removed} records removed")
    _say_kept(kept, "record", "were changed since the import and stay")
    _say_lasting(lasting)
    return 0


def undo_do_not_call_import(installation: Installation, arguments: argparse.Namespace) -> int:
    """Take an import of do-not-call entries back."""
    number = _number(arguments)
    with open_operator(installation) as operator:
        common = {"number": number, "reason": arguments.reason, "ready_again": arguments.ready_again}
        removed, kept, lasting, ready = _undo(operator, common)
    if arguments.json:
        print_json({"import": number, "removed": removed, "kept": kept, "ready_again": ready, **lasting})
        return 0
    print(f"import {number}: {removed} entries removed")
    _say_kept(kept, "entry number", "were changed since the import and stay")
    _say_lasting(lasting)
    _say_records(arguments, ready, None)
    return 0


def _number(arguments: argparse.Namespace) -> int:
    number: int = arguments.undo
    if not 1 <= number <= _LARGEST:
        raise CommandError(f"--undo {number} is not the number of an import", EXIT_USAGE)
    return number


def _undo(operator: Any, common: dict[str, Any]) -> tuple[int, list[int], dict[str, int], int]:
    """Take an import back slice by slice, the last one first.

    After an interruption the same command goes on, and tells what has become of the whole import.
    """
    kept: list[int] = []
    progress = Progress()
    behind = 0
    try:
        while True:
            done = operator.call("undo import", **common, kept_behind=behind)
            kept += done["kept"]
            behind = done["kept_behind"]
            if done["done"]:
                return done["removed"], sorted(kept), done["lasting"], done["ready"]
            progress.show(done["removed"])
    finally:
        progress.clear()


def _say_kept(kept: list[int], what: str, why: str) -> None:
    if kept:
        named = ", ".join(map(str, kept[:_MOST_KEPT])) + (", ..." if len(kept) > _MOST_KEPT else "")
        sys.stderr.write(f"{len(kept)} {why}: {what} {named}\n")


def _say_lasting(lasting: dict[str, int]) -> None:
    for name, count in lasting.items():
        sys.stderr.write(f"{rows_were(count)} {name} over what was there before; that cannot be taken back\n")
