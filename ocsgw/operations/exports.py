"""Rows of a calling list, or of the do-not-call table, on their way into a file."""

from collections.abc import Callable
from typing import Any

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.contact.zones import time_in_words
from ocsgw.operations import import_do_not_call
from ocsgw.operations.errors import list_named
from ocsgw.operations.header import CLASSIC_COLUMNS
from ocsgw.operations.imports import MOST_ROWS
from ocsgw.protocol.enumerations import call_result_name, contact_type_name, record_status_name, record_type_name

_BEFORE_ALL = -(1 << 63)
_TIMES = ("dial_sched_time", "call_time")
_DAILY = ("daily_from", "daily_till")
_ZONE = CLASSIC_COLUMNS.index("tz_dbid")
# A spreadsheet takes a text that begins so for a formula, and carries it out.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")

Cell = Any


class ExportRows(msgspec.Struct, kw_only=True):
    """The next rows of an export, behind the number `after`. Without `calling_list` the do-not-call table is meant.

    With `local_times` times are those that a clock in the zone of the record shows, with `names` numbers that have a
    name are written as names.
    """

    calling_list: str | None = None
    after: int | None = None
    at_most: int = 1000
    local_times: bool = False
    names: bool = False


def export_slice(unit: UnitOfWork, arguments: ExportRows) -> dict[str, Any]:
    """Return the next rows of a list or of the do-not-call table, their head, and where the following ones begin."""
    at_most = min(max(arguments.at_most, 1), MOST_ROWS)
    after = arguments.after if arguments.after is not None else _BEFORE_ALL
    if arguments.calling_list is None:
        entries = unit.tx.export_entries(after, at_most)
        # What blocks nobody is not worth a row, which no import would take.
        rows = [
            import_do_not_call.export_row(unit.directory, each) for each in entries if each.phone or each.customer_id
        ]
        last = entries[-1].number if entries else None
        return {"header": list(import_do_not_call.COLUMNS), "rows": rows, "after": last, "done": not entries}
    calling_list = list_named(unit.directory, arguments.calling_list)
    records: list[list[Cell]] = unit.tx.export_records(calling_list, after, at_most)
    last = records[-1][0] if records else None
    # Before names are put in: a time needs the number of the zone.
    if arguments.local_times:
        _show_local_times(unit, calling_list, records)
    if arguments.names:
        _show_names(unit, calling_list, records)
    header = [*CLASSIC_COLUMNS, *(each.column for each in calling_list.fields)]
    return {"header": header, "rows": records, "after": last, "done": not records}


def _show_local_times(unit: UnitOfWork, calling_list: CallingList, rows: list[list[Cell]]) -> None:
    times = [CLASSIC_COLUMNS.index(name) for name in _TIMES]
    daily = [CLASSIC_COLUMNS.index(name) for name in _DAILY]
    for row in rows:
        zone = unit.directory.zone_of(row[_ZONE], calling_list.tenant).zone
        for at in times:
            if type(row[at]) is int and row[at] >= 0:
                row[at] = time_in_words(row[at], zone, with_seconds=True) if row[at] else None
        for at in daily:
            if type(row[at]) is int and row[at] >= 0:
                row[at] = _clock(row[at])


def _clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")


def _show_names(unit: UnitOfWork, calling_list: CallingList, rows: list[list[Cell]]) -> None:
    zones = {each.dbid: each.name for each in unit.directory.zones}
    campaigns = {each.dbid: each.name for each in unit.directory.campaigns_of(calling_list)}
    named: dict[str, Callable[[int], Cell]] = {
        "contact_info_type": contact_type_name,
        "record_type": record_type_name,
        "record_status": record_status_name,
        "call_result": call_result_name,
        "tz_dbid": lambda number: zones.get(number, number),
        "campaign_id": lambda number: campaigns.get(number, number or None),
    }
    for name, name_of in named.items():
        at = CLASSIC_COLUMNS.index(name)
        for row in rows:
            if type(row[at]) is int:
                row[at] = name_of(row[at])


def safe(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: texts that look like one get an apostrophe.

    An import takes the apostrophe away again.
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell
