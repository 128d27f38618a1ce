"""Orders to campaign groups: `campaign`."""

import argparse
from typing import TYPE_CHECKING

from ocsgw.ctl.families import add_command, add_family, add_json
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

_ORDERS = {
    "load": "make a campaign group ready to be started",
    "start": "let a campaign group hand out records",
    "stop": "let a campaign group hand out no more records; live handles stay",
    "unload": "end a campaign group that is not started; its handles die",
    "force-unload": "end a campaign group in any state; its handles die",
}


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    orders = add_family(commands, "campaign", "load, start, stop or unload a campaign group")
    for order, purpose in _ORDERS.items():
        parser = add_command(orders, order, campaign, purpose)
        parser.add_argument("name", metavar="NAME", help="campaign, campaign group, or DBID of the group")
        add_json(parser)


def campaign(installation: Installation, arguments: argparse.Namespace) -> int:
    """Give an order to a campaign group."""
    with installation.connect() as client:
        event = client.call("campaign", order=arguments.order, name=arguments.name)
    if arguments.json:
        print_json(event)
        return 0
    print(f"{event['GSW_CAMPAIGN_GROUP_NAME']}: {event['GSW_USER_EVENT']}")
    return 0
