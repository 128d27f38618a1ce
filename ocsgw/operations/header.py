"""The head of a CSV file: which column of a calling list each of its columns is, and how its texts become values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.fields import FieldType, FieldValue, to_column
from ocsgw.contact.normal_form import normal_name
from ocsgw.contact.record_plan import COLUMN_OF
from ocsgw.contact.transaction import NewRecord
from ocsgw.operations.allowed import ALLOWED, FORMAT_AS_TEXT, allowed_in_field
from ocsgw.operations.cells import (
    CellForm,
    LocalTime,
    by_plain_name,
    daily_time,
    date_and_time,
    decimal_point,
    plain_header,
    refused,
    seconds_or_date,
)
from ocsgw.protocol.attributes import INT32_MAX, integer_of
from ocsgw.protocol.enumerations import RecordStatus, RecordType, record_status_name
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.requests import REQUESTS

# What an empty cell would be is decided before: no reader gets an empty text. A local time needs the zone of the row.
Reader = Callable[[str], FieldValue | LocalTime | None]

CLASSIC_COLUMNS = tuple(NewRecord.__struct_fields__[:-1])
_PLACES = {name: place for place, name in enumerate(CLASSIC_COLUMNS)}

# Key of AddRecord -> column that holds the same value.
_SAME_VALUE = {**COLUMN_OF, "GSW_CHAIN_ID": "chain_id"}
# The name of a column that somebody leaves out.
LEFT_OUT = "-"
_KEY_OF = {column: key for key, column in _SAME_VALUE.items()}
# Columns that only the list itself fills; files of other programs may have them.
NOT_READ = frozenset(
    {"record_id", "chain_n", "group_id", "app_id", "treatments", "media_ref", "email_subject", "email_template_id"}
    | {"switch_id", "GSW_CHAIN_N"}
)
_PLAIN_NOT_READ = frozenset(map(plain_header, NOT_READ))
_CONVERTERS = {each.key: each.convert for each in REQUESTS["AddRecord"].attributes["lists"]}
_DAILY = frozenset({"GSW_FROM", "GSW_UNTIL"})
# Only a table has these: so is known that a file is the export of one.
_OF_A_TABLE = frozenset({"record_id", "chain_n"})
_MOST_ATTEMPTS = INT32_MAX
_MOST_LISTED = 12
_LAST_YEAR = 2037
_YEAR = 31556952


class _Column(NamedTuple):
    """Where in a row the cells of a column belong, how they are read, and `Header.longest`."""

    place: int
    read: Reader
    longest: int | None = None


class HeaderError(Exception):
    """A head cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a file, understood.

    `readers` and `places` say, per column of the file, how a cell is read and where in a row it belongs; `longest` how
    many characters a text may have that is stored as it is, None where a cell is more than a text. `ignored` are the
    columns that are not read, `read_as` the known name of each. An `is_export` has the columns of a table, and is read
    as it is.
    """

    names: tuple[str, ...]
    readers: tuple[Reader | None, ...]
    places: tuple[int, ...]
    longest: tuple[int | None, ...]
    ignored: tuple[str, ...]
    read_as: tuple[str | None, ...]
    is_export: bool
    form: CellForm

    @property
    def contact_at(self) -> int | None:
        """Which column of the file has the contacts; None without one."""
        return next((at for at, place in enumerate(self.places) if self._is_contact(at, place)), None)

    def _is_contact(self, at: int, place: int) -> bool:
        return place == _PLACES["contact_info"] and self.readers[at] is not None


def read_header(
    directory: Directory,
    calling_list: CallingList,
    names: Sequence[str],
    *,
    ignore_unknown: bool,
    form: CellForm | None = None,
    by_customer_id: bool = False,
) -> Header:
    """Return the head of a file for a list.

    A column is named by its `GSW_` key, with or without the prefix, its name in the table, or the key or name of a
    custom field; case, blanks, dashes and underscores do not count. A file `by_customer_id` needs no contacts if it has
    those. Raises `HeaderError`.
    """
    form = form or CellForm()
    is_export = {name.strip().lower() for name in names} >= _OF_A_TABLE
    known = _known_columns(directory, calling_list, form, is_export=is_export)
    by_plain = by_plain_name(known)
    readers: list[Reader | None] = []
    places: list[int] = []
    longest: list[int | None] = []
    ignored: list[str] = []
    filled: dict[int, str] = {}
    read_as: list[str | None] = []
    trimmed = tuple(name.strip() for name in names)
    for name in trimmed:
        found = _find(name, known, by_plain)
        if found is None and not _is_left_out(name) and not ignore_unknown:
            raise HeaderError(_unknown(calling_list, name, known))
        read_as.append(found)
        if found is None:
            readers.append(None)
            places.append(0)
            longest.append(None)
            ignored.append(name)
            continue
        column = known[found]
        if column.place in filled:
            raise HeaderError(f"the columns {filled[column.place]} and {name} are the same; remove one of them")
        filled[column.place] = name
        readers.append(column.read)
        places.append(column.place)
        longest.append(column.longest)
    customer_at = calling_list.customer_at
    has_customer_id = customer_at is not None and len(CLASSIC_COLUMNS) + customer_at in filled
    if _PLACES["contact_info"] not in filled and not (by_customer_id and has_customer_id):
        raise HeaderError(
            "the file has no column GSW_PHONE or contact_info; the first row must name the columns, or use "
            "--map NAME=GSW_PHONE with the name that the column has"
        )
    return Header(
        trimmed, tuple(readers), tuple(places), tuple(longest), tuple(ignored), tuple(read_as), is_export, form
    )


def column_names(directory: Directory, calling_list: CallingList) -> list[str]:
    """Return the names that a column of a file may have."""
    return list(_known_columns(directory, calling_list, CellForm(), is_export=False))


def likely_columns(directory: Directory, calling_list: CallingList, names: Sequence[str]) -> list[str | None]:
    """Return what each column of a file is read as by its name; None for one that is not, or that nobody knows."""
    known = _known_columns(directory, calling_list, CellForm(), is_export=False)
    by_plain = by_plain_name(known)
    return [_find(name.strip(), known, by_plain) for name in names]


def _find(name: str, known: Mapping[str, object], by_plain: Mapping[str, str]) -> str | None:
    """Return the known name of a column, None if nobody knows it or it is not read."""
    plain = plain_header(name)
    found = name if name in known else by_plain.get(plain)
    return found if found is not None or _is_left_out(name) else by_plain.get(f"gsw{plain}")


def _is_left_out(name: str) -> bool:
    return name == LEFT_OUT or plain_header(name) in _PLAIN_NOT_READ


def _unknown(calling_list: CallingList, name: str, known: Mapping[str, object]) -> str:
    if not any(each.isalpha() for each in name):
        return f"the first row must name the columns, and {name!r} is not a name; add a first row such as GSW_PHONE"
    close = get_close_matches(name, list(known), 1)
    hint = f"did you mean {close[0]}" if close else "remove it"
    return (
        f"calling list {calling_list.name} has no column {name!r}; {hint}, use --map to say which one it is, or "
        "--ignore-unknown"
    )


def _known_columns(
    directory: Directory, calling_list: CallingList, form: CellForm, *, is_export: bool
) -> dict[str, _Column]:
    """Return the columns that a file may have, by all of their names."""
    known: dict[str, _Column] = {}
    for at, field in enumerate(calling_list.fields, start=len(CLASSIC_COLUMNS)):
        for name in (field.key, field.column):
            if name is not None:
                known[name] = _Column(at, _custom(field.kind, field.length, name, form), field.length)
    for key, column in _SAME_VALUE.items():
        known[key] = _Column(_PLACES[column], _attribute(key, key))
    for column, key in _KEY_OF.items():
        known[column] = _Column(_PLACES[column], _attribute(key, column))
    for name in ("GSW_FROM", "GSW_UNTIL", "daily_from", "daily_till"):
        known[name] = _Column(known[name].place, _daily(known[name].read))
    # Written by us for a record in process; nobody holds the new one (K2). 0 is not a value (sections 1 and 2). Other
    # programs write the statuses 10 and 11, and more attempts than a client can.
    ready = RecordStatus.READY.value
    of_status = {"0": ready, "2": ready, record_status_name(2): ready, "10": 10, "11": 11}
    known["record_status"] = _Column(
        _PLACES["record_status"],
        _with_others(known["record_status"].read, of_status),
    )
    known["record_type"] = _Column(
        _PLACES["record_type"],
        _with_others(known["record_type"].read, {"0": RecordType.GENERAL.value}),
    )
    known["attempt"] = _Column(_PLACES["attempt"], _attempts)
    for name in ("GSW_CALL_TIME", "call_time"):
        known[name] = _Column(_PLACES["call_time"], lambda cell, name=name: seconds_or_date(name, cell, form))  # type: ignore[misc]
    due = _PLACES["dial_sched_time"]
    known["GSW_DATE_TIME"] = _Column(due, lambda cell: _due("GSW_DATE_TIME", cell, form))
    known["dial_sched_time"] = _Column(due, lambda cell: seconds_or_date("dial_sched_time", cell, form))
    known["GSW_TZ_NAME"] = _Column(_PLACES["tz_dbid"], _zone_name(directory))
    known["tz_dbid"] = _Column(_PLACES["tz_dbid"], _zone_dbid(directory, calling_list, is_export=is_export))
    known["GSW_CAMPAIGN_NAME"] = _Column(_PLACES["campaign_id"], _campaign_name(directory, calling_list))
    known["campaign_id"] = _Column(_PLACES["campaign_id"], _campaign_dbid(directory, calling_list, is_export=is_export))
    # Behind all columns: nothing is kept of it.
    known["GSW_CALLING_LIST"] = _Column(len(CLASSIC_COLUMNS) + len(calling_list.fields), _list_name(calling_list))
    return known


def _attribute(key: str, name: str) -> Reader:
    convert = _CONVERTERS[key]

    def read(cell: str) -> FieldValue | None:
        try:
            return convert(name, cell)
        except Refusal as refusal:
            hint = FORMAT_AS_TEXT if "spreadsheet" in refusal.text else ALLOWED.get(key, "")
            raise refused(refusal.text, cell, hint) from None

    return read


def _daily(read: Reader) -> Reader:
    def daily(cell: str) -> FieldValue | LocalTime | None:
        seconds = daily_time(cell) if ":" in cell or cell[-1:] in "mM" else None
        return seconds if seconds is not None else read(cell)

    return daily


def _with_others(read: Reader, others: Mapping[str, int]) -> Reader:
    return lambda cell: others[cell] if cell in others else read(cell)


def _attempts(cell: str) -> int:
    attempts = integer_of(cell)
    if attempts is None or not 0 <= attempts <= _MOST_ATTEMPTS:
        raise refused("Invalid value of attribute attempt", cell, f"allowed: 0 to {_MOST_ATTEMPTS}")
    return attempts


def _custom(kind: FieldType, length: int | None, name: str, form: CellForm) -> Reader:
    def read(cell: str) -> FieldValue | None:
        try:
            return to_column(kind, length, name, decimal_point(cell, form) if kind == "float" else cell)
        except Refusal as refusal:
            if kind == "datetime":
                return _custom_date(name, cell, form)
            raise refused(refusal.text, cell, allowed_in_field(kind, length)) from None

    return read


def _custom_date(name: str, cell: str, form: CellForm) -> str:
    """Return a date and time of a custom field, which has no zone."""
    found = date_and_time(name, cell, form)
    if not isinstance(found, LocalTime):
        raise refused(f"Invalid value of attribute {name}", cell, "write it without an offset, the field has no zone")
    return found.moment.strftime("%Y-%m-%d %H:%M:%S")


def _due(name: str, cell: str, form: CellForm) -> int | LocalTime:
    """Return the time of `GSW_DATE_TIME`, in the years that a client can give (H170)."""
    found = date_and_time(name, cell, form)
    year = found.moment.year if isinstance(found, LocalTime) else 1970 + found // _YEAR
    if year > _LAST_YEAR:
        raise refused(f"Invalid date or time in {name}", cell, f"allowed: years up to {_LAST_YEAR}")
    return found


def _zone_name(directory: Directory) -> Reader:
    def read(cell: str) -> int:
        try:
            return directory.zone_named(cell).dbid
        except Refusal as refusal:
            names = [each.name for each in directory.zones]
            raise refused(refusal.text, cell, _hint(cell, names)) from None

    return read


def _zone_dbid(directory: Directory, calling_list: CallingList, *, is_export: bool) -> Reader:
    dbids = {key: each.dbid for each in directory.zones for key in (str(each.dbid), each.name)}
    dbids["0"] = calling_list.tenant.default_zone.dbid
    return _one_of(dbids, "tz_dbid", any_number=is_export)


def _campaign_dbid(directory: Directory, calling_list: CallingList, *, is_export: bool) -> Reader:
    campaigns = directory.campaigns_of(calling_list)
    dbids = {key: each.dbid for each in campaigns for key in (str(each.dbid), each.name)}
    return _one_of({**dbids, "0": 0}, "campaign_id", any_number=is_export)


def _campaign_name(directory: Directory, calling_list: CallingList) -> Reader:
    dbids = {normal_name(each.name): each.dbid for each in directory.campaigns_of(calling_list)}
    find = _one_of(dbids, "GSW_CAMPAIGN_NAME")
    return lambda cell: find(normal_name(cell))


def _list_name(calling_list: CallingList) -> Reader:
    find = _one_of({normal_name(calling_list.name): calling_list.dbid}, "GSW_CALLING_LIST")
    return lambda cell: find(normal_name(cell))


def _one_of(values: Mapping[str, int], name: str, *, any_number: bool = False) -> Callable[[str], int]:
    def read(cell: str) -> int:
        value = values.get(cell)
        if value is None and any_number:
            number = integer_of(cell)
            value = number if number is not None and 0 <= number <= INT32_MAX else None
        if value is None:
            raise refused(f"Invalid value of attribute {name}", cell, _hint(cell, list(values)))
        return value

    return read


def _hint(cell: str, known: Sequence[str]) -> str:
    close = get_close_matches(cell, known, 1)
    if close:
        return f"did you mean {close[0]}"
    return f"allowed: {', '.join(known[:_MOST_LISTED])}" + (", ..." if len(known) > _MOST_LISTED else "")
