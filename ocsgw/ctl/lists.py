"""Calling lists and the do-not-call list as CSV files: `list` and `dnc`, each with `import`, `export`, `imports`."""

import argparse
from typing import TYPE_CHECKING

from ocsgw.ctl import alter, block, counting, exporting, undo
from ocsgw.ctl.errors import EXIT_USAGE, CommandError
from ocsgw.ctl.families import add_command, add_family
from ocsgw.ctl.importing import import_file
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.template import print_template

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    orders = add_family(commands, "list", "import records into a calling list, or export them")
    parser = add_command(orders, "import", import_list, "add the rows of a CSV file to a calling list")
    parser.add_argument("list", metavar="LIST", nargs="?", help="name of the calling list")
    _add_import_arguments(
        parser,
        None,
        "what to do with a row whose contact the list has already; without it the command stops if there are many",
    )
    parser = add_command(orders, "export", exporting.export_list, "write the records of a calling list into a CSV file")
    parser.add_argument("list", metavar="LIST", help="name of the calling list")
    exporting.add_arguments(parser, is_list=True)
    counting.add_command_to(orders)
    parser = add_command(orders, "template", print_template, "print a CSV file as an example for a calling list")
    parser.add_argument("list", metavar="LIST", help="name of the calling list")
    parser = add_command(orders, "alter", alter.alter_list, "add the columns to a table that its calling list lacks")
    parser.add_argument("list", metavar="LIST", help="name of the calling list")
    parser.add_argument("--yes", action="store_true", help="carry the SQL out, without a question")
    parser.add_argument("--dry-run", action="store_true", help="only print the SQL")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs; without --yes nothing is changed")
    undo.add_imports_command(orders, undo.show_list_imports, "show the newest imports into calling lists")

    orders = add_family(commands, "dnc", "import entries into the do-not-call list, export or remove them")
    parser = add_command(orders, "import", import_do_not_call, "add the rows of a CSV file to the do-not-call list")
    _add_import_arguments(parser, "skip", "what to do with a row for which there is an equal entry (%(default)s)")
    undo.add_ready_again(parser)
    parser = add_command(orders, "export", exporting.export_do_not_call, "write the do-not-call list into a CSV file")
    exporting.add_arguments(parser, is_list=False)
    block.add_command_to(orders)
    undo.add_remove_command(orders)
    undo.add_imports_command(orders, undo.show_do_not_call_imports, "show the newest imports of do-not-call entries")


def _add_import_arguments(parser: argparse.ArgumentParser, duplicates: str | None, about_duplicates: str) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="the CSV file; its first row names the columns")
    parser.add_argument(
        "--duplicates", choices=("add", "skip", "replace", "update"), default=duplicates, help=about_duplicates
    )
    parser.add_argument("--dry-run", action="store_true", help="change nothing, only say what would become of each row")
    parser.add_argument("--verdicts", metavar="FILE", help="CSV file for what became of rows")
    parser.add_argument("--ignore-unknown", action="store_true", help="do not read columns that are not known")
    parser.add_argument("--again", action="store_true", help="import a file once more that has been imported before")
    parser.add_argument("--encoding", metavar="NAME", help="of the file (UTF-8, or what its byte order mark says)")
    parser.add_argument("--delimiter", metavar="CHARACTER", help="between cells (recognized)")
    parser.add_argument("--decimal", choices=("comma", "point"), help="in numbers (comma if semicolons separate cells)")
    parser.add_argument("--day-first", action="store_true", help="dates with slashes are DD/MM/YYYY")
    parser.add_argument(
        "--map",
        metavar="NAME=COLUMN",
        action="append",
        help="the column NAME of the file is COLUMN, or - to leave it out; may be repeated",
    )
    parser.add_argument("--partial", action="store_true", help="refuse only rows that are not in the encoding")
    parser.add_argument("--strict-phones", action="store_true", help="refuse values that cannot be a phone")
    parser.add_argument("--raw", action="store_true", help="take cells exactly as they are, apostrophes too")
    parser.add_argument("--json", action="store_true", help="the counts as JSON, for programs")
    parser.add_argument("--undo", metavar="IMPORT", type=int, help="take an import back, by its number")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why it is undone, for the audit log")


def import_list(installation: Installation, arguments: argparse.Namespace) -> int:
    """Add the rows of a file to a calling list, or take an import back."""
    if arguments.undo is not None:
        if arguments.file is not None:
            raise CommandError("--undo takes no FILE", EXIT_USAGE)
        return undo.undo_list_import(installation, arguments)
    if arguments.list is None or arguments.file is None:
        raise CommandError("name a calling list and a file, or an import with --undo", EXIT_USAGE)
    return import_file(installation, arguments, arguments.list)


def import_do_not_call(installation: Installation, arguments: argparse.Namespace) -> int:
    """Add the rows of a file to the do-not-call list, or take an import back."""
    if arguments.undo is not None:
        if arguments.file is not None:
            raise CommandError("--undo takes no FILE", EXIT_USAGE)
        return undo.undo_do_not_call_import(installation, arguments)
    if arguments.file is None:
        raise CommandError("name a file, or an import with --undo", EXIT_USAGE)
    return import_file(installation, arguments, None)
