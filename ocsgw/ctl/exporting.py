"""Exports: rows on their way out, as programs read them back or as people read them."""

import argparse
import sys

from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import open_operator
from ocsgw.ctl.output_files import STANDARD, open_rows
from ocsgw.ctl.progress import Progress
from ocsgw.ctl.streams import shown
from ocsgw.operations.exports import safe

_SLICE = 1000


def add_arguments(parser: argparse.ArgumentParser, *, is_list: bool) -> None:
    """Add the arguments of an export."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default=STANDARD, help="the CSV file; standard output without one"
    )
    parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of the file (%(default)s)")
    parser.add_argument(
        "--raw", action="store_true", help="texts exactly as they are, also those that a spreadsheet would carry out"
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row, for programs")
    if is_list:
        parser.add_argument(
            "--local-times", action="store_true", help="times of records as a clock in their zone shows them"
        )
        parser.add_argument("--names", action="store_true", help="names in place of numbers")


def export_list(installation: Installation, arguments: argparse.Namespace) -> int:
    """Write the records of a calling list into a file."""
    return _export(installation, arguments, arguments.list, local_times=arguments.local_times, names=arguments.names)


def export_do_not_call(installation: Installation, arguments: argparse.Namespace) -> int:
    """Write the do-not-call list into a file."""
    return _export(installation, arguments, None, local_times=False, names=False)


def _export(
    installation: Installation,
    arguments: argparse.Namespace,
    calling_list: str | None,
    *,
    local_times: bool,
    names: bool,
) -> int:
    """Write rows into a file, in slices; a row that is added meanwhile may or may not be among them."""
    count = 0
    # Programs that read JSON carry nothing out.
    is_exact = arguments.raw or arguments.json
    common = {"calling_list": calling_list, "at_most": _SLICE, "local_times": local_times, "names": names}
    with open_operator(installation, "read") as operator:
        slice_ = operator.call("export", **common)
        with open_rows(arguments.file, arguments.encoding, slice_["header"], as_json=arguments.json) as writer:
            progress = Progress()
            try:
                while not slice_["done"]:
                    rows = slice_["rows"]
                    writer.write(rows if is_exact else [[safe(cell) for cell in row] for row in rows])
                    count += len(rows)
                    if arguments.file != STANDARD:
                        progress.show(count)
                    slice_ = operator.call("export", **common, after=slice_["after"])
            finally:
                progress.clear()
    if arguments.file != STANDARD:
        sys.stderr.write(f"{count} rows written to {shown(arguments.file)}\n")
    return 0
