"""Rows of a slice, read column by column: what stands in a column is alike, and most of it is judged at once.

This is a short cut. Rows about which anything is odd are left to the obvious way (`import_records.py`), which says what
is wrong with them; both give the same record for a row that both can read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import cast

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.transaction import NewRecord
from ocsgw.operations.cells import LocalTime, RowError, doubt_about_phone, unmarked
from ocsgw.operations.drafts import CHAIN, CONTACT, DUE, LAST_CALL, SCHEDULED, TYPE, ZONE, Values
from ocsgw.operations.header import CLASSIC_COLUMNS, Header, Reader
from ocsgw.protocol.errors import Refusal

_FIXED = len(CLASSIC_COLUMNS)
_Column = Sequence[FieldValue | LocalTime | None]


@dataclass(slots=True)
class Read:
    """What was read of some rows, one of each for a row: records, the chains that rows name, doubts about contacts.

    Rows at the places `odd` have to be read one by one; what stands for them here means nothing.
    """

    records: list[NewRecord]
    chains: Iterable[int | None]
    warnings: Iterable[str]
    odd: set[int]


def read_columns(
    directory: Directory, calling_list: CallingList, header: Header, template: Values, rows: Sequence[list[str]]
) -> Read:
    """Read rows of the width of the head; `template` are the values of a row without a cell."""
    odd: set[int] = set()
    warnings: Iterable[str] = repeat("")
    columns: list[_Column] = [[value] * len(rows) for value in template]
    is_raw = header.form.raw
    for place, read, longest, given in zip(
        header.places, header.readers, header.longest, zip(*rows, strict=True), strict=True
    ):
        cells: Sequence[str] = given
        text = "".join(cells)
        if "\0" in text:
            odd.update(at for at, cell in enumerate(cells) if "\0" in cell)
        if read is None:
            continue
        if place == CONTACT and not is_raw and not header.is_export:
            warnings = [doubt_about_phone(cell) for cell in cells]
            if header.form.strict_phones:
                odd.update(at for at, warning in enumerate(warnings) if warning)
        if "'" in text and not is_raw:
            cells = [unmarked(cell, is_contact=place == CONTACT) for cell in cells]
        if longest is not None and max(map(len, cells)) <= longest:
            columns[place] = cells if all(cells) else [cell or template[place] for cell in cells]
        else:
            columns[place] = _column(read, template[place], cells, odd)
    odd.update(at for at, contact in enumerate(columns[CONTACT]) if not contact)
    for place in (DUE, LAST_CALL):
        if any(value.__class__ is LocalTime for value in columns[place]):
            columns[place] = _epochs(directory, calling_list, columns[place], columns[ZONE])
    if not header.is_export:
        types_and_times = zip(columns[TYPE], columns[DUE], strict=True)
        odd.update(at for at, (kind, due) in enumerate(types_and_times) if not due and kind in SCHEDULED)
    chains, columns[CHAIN] = columns[CHAIN], [0] * len(rows)
    custom = map(list, zip(*columns[_FIXED:-1], strict=True)) if calling_list.fields else ([] for _ in rows)
    records = list(map(NewRecord, *columns[:_FIXED], custom))
    return Read(records, cast("list[int | None]", chains), warnings, odd)


def _column(read: Reader, default: FieldValue | LocalTime | None, cells: Sequence[str], odd: set[int]) -> _Column:
    """Return the values of a column, in which each different cell is read once; note the places of those refused."""
    values = {"": default}
    refused = set()
    for cell in set(cells):
        if cell:
            try:
                values[cell] = read(cell)
            except (Refusal, RowError):
                refused.add(cell)
    if refused:
        odd.update(at for at, cell in enumerate(cells) if cell in refused)
        values |= dict.fromkeys(refused)
    return [values[cell] for cell in cells]


def _epochs(directory: Directory, calling_list: CallingList, times: _Column, zones: _Column) -> _Column:
    """Return the times of a column as seconds since 1970 UTC."""
    known: dict[tuple[object, object], int] = {}
    epochs: list[FieldValue | None] = []
    for time, dbid in zip(times, zones, strict=True):
        if isinstance(time, LocalTime):
            key = time.moment, dbid
            if key not in known:
                zone = directory.zone_of(cast("int", dbid), calling_list.tenant)
                known[key] = time.epoch(zone.zone)
            epochs.append(known[key])
        else:
            epochs.append(time)
    return epochs
