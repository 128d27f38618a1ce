"""How many records calling lists have by status: `list count`."""

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from ocsgw.ctl.families import add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.operator import open_operator
from ocsgw.ctl.output import print_json, print_table
from ocsgw.ctl.progress import Progress

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_command_to(orders: "Commands") -> None:
    """Add `count`."""
    parser = add_command(orders, "count", count, "count the records of a calling list by status")
    parser.add_argument("list", metavar="LIST", help="name of the calling list")
    add_json(parser)


def count(installation: Installation, arguments: argparse.Namespace) -> int:
    """Count the records of a list, a slice at a time; one that is added meanwhile may or may not be among them."""
    counts: Counter[str] = Counter()
    after, done = None, False
    progress = Progress()
    try:
        with open_operator(installation, "read") as operator:
            while not done:
                slice_ = operator.call("count records", calling_list=arguments.list, after=after)
                counts.update(slice_["counts"])
                after, done = slice_["after"], slice_["done"]
                progress.show(counts.total())
    finally:
        progress.clear()
    if arguments.json:
        print_json(counts)
    else:
        print_table(("STATUS", "RECORDS"), [*sorted(counts.items()), ("total", counts.total())])
    return 0
