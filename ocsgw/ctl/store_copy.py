"""A whole store moved into another one, of whatever engine: `store copy`."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from ocsgw.catalog import directory_of
from ocsgw.config import Store
from ocsgw.config.addresses import AddressError, store_at
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.ctl.errors import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE, CommandError
from ocsgw.ctl.families import add_command, add_family, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json, print_table
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.store_at_rest import check_owner
from ocsgw.ctl.streams import complain
from ocsgw.logs import MESSAGES
from ocsgw.store.copying.errors import UnstorableError
from ocsgw.store.copying.opening import open_copy
from ocsgw.store.copying.run import Copied
from ocsgw.store.errors import StoreError

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

_MOST_SHOWN = 20
_CHARACTERS = 16


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    orders = add_family(commands, "store", "move a whole store")
    parser = add_command(orders, "copy", copy, "copy the store of a stopped server into another one, and verify it")
    parser.add_argument("source", metavar="FROM", help="the address of the store, as in [store] url")
    parser.add_argument("target", metavar="TO", help="the address of a store without records, which is made if missing")
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="a file with the password for PostgreSQL, where the address is not that of the configuration",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only see whether everything can be copied, also while a server runs"
    )
    parser.add_argument("--restart", action="store_true", help="begin an unfinished copy anew")
    add_json(parser)


def copy(installation: Installation, arguments: argparse.Namespace) -> int:
    """Copy a store; return 1 if something in it cannot be stored in the other one."""
    config = installation.config
    source, target = (_store(installation, arguments, url) for url in (arguments.source, arguments.target))
    directory = directory_of(config, config.application.dbid)
    progress = Progress()
    reported: list[str] = []

    def report(number: int, /, **fields: object) -> None:
        reported.append(MESSAGES[number][1].format(**fields))

    try:
        with open_copy(
            source,
            target,
            directory,
            report,
            lambda done, rows: progress.show(rows, done),
            only_try=arguments.dry_run,
        ) as task:
            done = task.try_out() if arguments.dry_run else task.carry_out(anew=arguments.restart)
    except UnstorableError as error:
        progress.clear()
        return _show_faults(arguments, error)
    except StoreError as error:
        raise CommandError(str(error), EXIT_UNAVAILABLE) from error
    except StoreFailureError as error:
        raise CommandError(
            f"the copy has come to an end: {error}; the same command goes on where it was", EXIT_UNAVAILABLE
        ) from error
    finally:
        progress.clear()
    for each in reported:
        complain(each)
    _show(arguments, target, done, progress.seconds)
    return 0


def _store(installation: Installation, arguments: argparse.Namespace, url: str) -> Store:
    try:
        store = store_at(installation.config.store, url, arguments.password_file)
    except AddressError as error:
        raise CommandError(str(error), EXIT_USAGE) from None
    if store.file is not None:
        check_owner(store.file)
    return store


def _show_faults(arguments: argparse.Namespace, error: UnstorableError) -> int:
    """Say what cannot be stored; return the exit status."""
    if arguments.json:
        found = [asdict(each) for each in error.found]
        print_json({"dry_run": arguments.dry_run, "faults": found, "fault_count": error.count})
        return EXIT_FAILURE
    for each in error.found[:_MOST_SHOWN]:
        complain(str(each))
    more = f" ({error.count} in all)" if error.count > _MOST_SHOWN else ""
    complain(
        f"the target cannot store these values{more}; nothing of them was left out or changed: correct them in the"
        " source, or give the target a table that takes them, then give the same command again"
    )
    return EXIT_FAILURE


def _show(arguments: argparse.Namespace, target: Store, done: Copied, seconds: float) -> None:
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, "seconds": round(seconds, 3), **asdict(done)})
        return
    rows = [
        (each.table, ", ".join(each.lists), each.rows, each.checksum[:_CHARACTERS])
        for each in done.tables
        if each.rows or each.lists
    ]
    print_table(("table", "calling lists", "rows", "checksum"), rows)
    for text in done.not_copied:
        print(f"not copied: {text}")
    for name, reason in done.closed.items():
        print(f"the calling list {name} cannot be opened there: {reason}")
    count = sum(each.rows for each in done.tables)
    if arguments.dry_run:
        print(f"dry run, nothing was changed; {count} rows can be copied ({seconds:.1f} s)")
        return
    print(f"{count} rows copied, and found the same in both stores ({seconds:.1f} s)")
    password = " and password_file" if target.kind == "postgresql" else ""
    print(f'set [store] url = "{target.url}"{password}, then start the server')
