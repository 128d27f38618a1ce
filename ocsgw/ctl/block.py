"""Do-not-call entries made by an operator: `dnc add`."""

import argparse
from typing import TYPE_CHECKING

from ocsgw.ctl.errors import EXIT_USAGE, CommandError
from ocsgw.ctl.families import add_command, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands


def add_command_to(orders: "Commands") -> None:
    """Add `dnc add`."""
    parser = add_command(orders, "add", block, "put a contact on the do-not-call list, and mark its records")
    parser.add_argument("contact", metavar="CONTACT", nargs="?", help="contact information")
    parser.add_argument("--customer-id", metavar="ID", help="a customer id instead")
    parser.add_argument("--tenant", metavar="NAME", help="for this tenant alone; all of them without it")
    add_json(parser)


def block(installation: Installation, arguments: argparse.Namespace) -> int:
    """Block a contact or a customer id, as the request DoNotCall does."""
    if (arguments.contact is None) == (arguments.customer_id is None):
        raise CommandError("name a contact, or a customer id with --customer-id", EXIT_USAGE)
    with installation.connect() as client:
        event = client.call(
            "block", contact=arguments.contact, customer_id=arguments.customer_id, tenant=arguments.tenant
        )
    if arguments.json:
        print_json(event)
    else:
        named = arguments.contact if arguments.contact is not None else f"customer id {arguments.customer_id}"
        print(f"{named} is on the do-not-call list; {event['GSW_RECORDS_COUNT']} records are marked")
    return 0
