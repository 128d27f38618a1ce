"""An example of a CSV file for a calling list."""

import argparse
import csv
import sys

from ocsgw.catalog import directory_of
from ocsgw.contact.directory import Field
from ocsgw.ctl.errors import CommandError
from ocsgw.ctl.installation import Installation
from ocsgw.operations.errors import OperationError, list_named


def print_template(installation: Installation, arguments: argparse.Namespace) -> int:
    """Print the head of a file for a list, with one row that may be imported as it is."""
    config = installation.config
    try:
        calling_list = list_named(directory_of(config, config.application.dbid), arguments.list)
    except OperationError as error:
        raise CommandError(str(error)) from None
    columns = {
        "GSW_PHONE": "6505550100",
        "GSW_PHONE_TYPE": "Mobile",
        "GSW_DATE_TIME": "",
        "GSW_TZ_NAME": calling_list.tenant.default_zone.name,
        "GSW_FROM": "09:00",
        "GSW_UNTIL": "20:00",
    }
    columns |= {each.key or each.column: _example(each) for each in calling_list.fields}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerow(columns.values())
    return 0


def _example(field: Field) -> str:
    examples = {"int": "1", "float": "1.5", "datetime": "2027-01-15 09:00:00"}
    text = examples.get(field.kind, "text")
    return text[: field.length] if field.length is not None else text
