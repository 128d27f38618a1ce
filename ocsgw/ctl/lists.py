"""Calling lists and the do-not-call list as CSV files: `list import|export`, `dnc import|export`."""

import argparse
import sys
from typing import TYPE_CHECKING

from ocsgw.ctl.families import add_command, add_family
from ocsgw.ctl.importing import SLICE, import_file
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import open_operator
from ocsgw.ctl.output_files import STANDARD, open_csv
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.streams import shown

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_commands(commands: "Commands") -> None:
    """Tell the command line about this family."""
    orders = add_family(commands, "list", "import records into a calling list, or export them")
    parser = add_command(orders, "import", import_list, "add the rows of a CSV file to a calling list")
    parser.add_argument("list", metavar="LIST", help="name of the calling list")
    _add_import_arguments(parser, "add", "what to do with a row whose contact the list has already (%(default)s)")
    parser = add_command(orders, "export", export_list, "write the records of a calling list into a CSV file")
    parser.add_argument("list", metavar="LIST", help="name of the calling list")
    _add_export_arguments(parser)

    orders = add_family(commands, "dnc", "import entries into the do-not-call list, or export them")
    parser = add_command(orders, "import", import_do_not_call, "add the rows of a CSV file to the do-not-call list")
    _add_import_arguments(parser, "skip", "what to do with a row for which there is an equal entry (%(default)s)")
    parser = add_command(orders, "export", export_do_not_call, "write the do-not-call list into a CSV file")
    _add_export_arguments(parser)


def _add_import_arguments(parser: argparse.ArgumentParser, duplicates: str, about_duplicates: str) -> None:
    parser.add_argument("file", metavar="FILE", help="the CSV file; its first row names the columns")
    parser.add_argument("--duplicates", choices=("add", "skip", "replace"), default=duplicates, help=about_duplicates)
    parser.add_argument("--dry-run", action="store_true", help="change nothing, only say what would become of each row")
    parser.add_argument("--verdicts", metavar="FILE", help="CSV file for what became of rows, instead of lines")
    parser.add_argument("--ignore-unknown", action="store_true", help="do not read columns that are not known")
    parser.add_argument("--again", action="store_true", help="import a file once more that has been imported before")
    _add_encoding(parser)


def _add_export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default=STANDARD, help="the CSV file; standard output without one"
    )
    _add_encoding(parser)


def _add_encoding(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of the file (%(default)s)")


def import_list(installation: Installation, arguments: argparse.Namespace) -> int:
    """Add the rows of a file to a calling list."""
    return import_file(installation, arguments, arguments.list)


def import_do_not_call(installation: Installation, arguments: argparse.Namespace) -> int:
    """Add the rows of a file to the do-not-call list."""
    return import_file(installation, arguments, None)


def export_list(installation: Installation, arguments: argparse.Namespace) -> int:
    """Write the records of a calling list into a file."""
    return _export(installation, arguments, arguments.list)


def export_do_not_call(installation: Installation, arguments: argparse.Namespace) -> int:
    """Write the do-not-call list into a file."""
    return _export(installation, arguments, None)


def _export(installation: Installation, arguments: argparse.Namespace, calling_list: str | None) -> int:
    """Write rows into a file, in slices; a row that is added meanwhile may or may not be among them."""
    count = 0
    with open_operator(installation) as operator:
        slice_ = operator.call("export", calling_list=calling_list, at_most=SLICE)
        with open_csv(arguments.file, arguments.encoding) as writer:
            writer.write([slice_["header"]])
            progress = Progress()
            while slice_["rows"]:
                writer.write(slice_["rows"])
                count += len(slice_["rows"])
                if arguments.file != STANDARD:
                    progress.show(count)
                slice_ = operator.call("export", calling_list=calling_list, at_most=SLICE, after=slice_["after"])
            progress.clear()
    if arguments.file != STANDARD:
        sys.stderr.write(f"{count} rows written to {shown(arguments.file)}\n")
    return 0
