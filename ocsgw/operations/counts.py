"""How many records of a calling list have which status, counted a slice at a time."""

from typing import Any

import msgspec

from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.operations.errors import list_named
from ocsgw.protocol.enumerations import record_status_name

# Some milliseconds of the store.
MOST_COUNTED = 5_000
_BEFORE_ALL = -(1 << 63)


class CountRecords(msgspec.Struct, kw_only=True):
    """The next records of a list are to be counted, behind the record id `after`."""

    calling_list: str
    after: int | None = None
    at_most: int = MOST_COUNTED


def count_records(unit: UnitOfWork, arguments: CountRecords) -> dict[str, Any]:
    """Return the numbers of records by the name of their status, and behind which record id to go on."""
    at_most = min(max(arguments.at_most, 1), MOST_COUNTED)
    after = arguments.after if arguments.after is not None else _BEFORE_ALL
    counts, last = unit.tx.count_by_status(list_named(unit.directory, arguments.calling_list), after, at_most)
    named = {record_status_name(status): count for status, count in sorted(counts.items())}
    return {"counts": named, "after": last, "done": sum(counts.values()) < at_most}
