"""The head of a CSV file: which column of a calling list each of its columns is, and how its texts become values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.fields import FieldType, FieldValue, to_column
from ocsgw.contact.normal_form import normal_name
from ocsgw.contact.transaction import NewRecord
from ocsgw.protocol.enumerations import RecordStatus, RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.requests import REQUESTS

# What an empty cell would be is decided before: no reader gets an empty text.
Reader = Callable[[str], FieldValue | None]

CLASSIC_COLUMNS = tuple(NewRecord.__struct_fields__[:-1])
# Behind the columns of a row stands the text of `GSW_DATE_TIME`, which needs the zone of the same row.
_PLACES = {name: place for place, name in enumerate(CLASSIC_COLUMNS)}

# Key of AddRecord -> column that holds the same value.
_SAME_VALUE = {
    "GSW_PHONE": "contact_info",
    "GSW_PHONE_TYPE": "contact_info_type",
    "GSW_RECORD_TYPE": "record_type",
    "GSW_RECORD_STATUS": "record_status",
    "GSW_CALL_RESULT": "call_result",
    "GSW_ATTEMPTS": "attempt",
    "GSW_CALL_TIME": "call_time",
    "GSW_FROM": "daily_from",
    "GSW_UNTIL": "daily_till",
    "GSW_AGENT_ID": "agent_id",
    "GSW_CHAIN_ID": "chain_id",
}
_KEY_OF = {column: key for key, column in _SAME_VALUE.items()}
# Columns that only the list itself fills; files of other programs may have them.
NOT_READ = frozenset(
    {"record_id", "chain_n", "group_id", "app_id", "treatments", "media_ref", "email_subject", "email_template_id"}
    | {"switch_id", "GSW_CHAIN_N"}
)
# Keys of which every row has another value.
_DIFFERENT = frozenset({"GSW_PHONE", "GSW_AGENT_ID"})
_CONVERTERS = {each.key: each.convert for each in REQUESTS["AddRecord"].attributes["lists"]}
_SECONDS = _CONVERTERS["GSW_CALL_TIME"]


class HeaderError(Exception):
    """A head cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a file, understood.

    `readers` and `places` say, per column of the file, how a cell is read and where in a row it belongs; `ignored`
    are the columns that are not read. `date_place` is where the text of `GSW_DATE_TIME` goes.
    """

    names: tuple[str, ...]
    readers: tuple[Reader | None, ...]
    places: tuple[int, ...]
    ignored: tuple[str, ...]
    date_place: int

    @property
    def contact_at(self) -> int:
        """Which column of the file has the contacts."""
        return self.places.index(_PLACES["contact_info"])


def read_header(
    directory: Directory, calling_list: CallingList, names: Sequence[str], *, ignore_unknown: bool
) -> Header:
    """Return the head of a file for a list.

    A column is named by its `GSW_` key, its name in the table, or the key or name of a custom field. Raises
    `HeaderError`.
    """
    known = _known_columns(directory, calling_list)
    by_lower_case = {name.lower(): name for name in reversed(known)}
    readers: list[Reader | None] = []
    places: list[int] = []
    ignored: list[str] = []
    filled: dict[int, str] = {}
    trimmed = tuple(name.strip() for name in names)
    for name in trimmed:
        found = name if name in known else by_lower_case.get(name.lower())
        if found is None and name not in NOT_READ and name.lower() not in NOT_READ and not ignore_unknown:
            raise HeaderError(_unknown(calling_list, name, known))
        if found is None:
            readers.append(None)
            places.append(0)
            ignored.append(name)
            continue
        place, reader = known[found]
        if place in filled:
            raise HeaderError(f"the columns {filled[place]} and {name} are the same; remove one of them")
        filled[place] = name
        readers.append(reader)
        places.append(place)
    if _PLACES["contact_info"] not in filled:
        raise HeaderError("the file has no column GSW_PHONE or contact_info; the first row must name the columns")
    for one, other in (("GSW_DATE_TIME", "dial_sched_time"), ("GSW_TZ_NAME", "tz_dbid")):
        if {one, other} <= set(trimmed):
            raise HeaderError(f"the columns {one} and {other} are the same; remove one of them")
    date_place = len(CLASSIC_COLUMNS) + len(calling_list.fields)
    return Header(trimmed, tuple(readers), tuple(places), tuple(ignored), date_place)


def _unknown(calling_list: CallingList, name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, list(known), 1)
    hint = f"did you mean {close[0]}" if close else "remove it"
    return f"calling list {calling_list.name} has no column {name!r}; {hint}, or use --ignore-unknown"


def _known_columns(directory: Directory, calling_list: CallingList) -> dict[str, tuple[int, Reader]]:
    """Return place and reader of each column that a file may have, by all of its names."""
    known: dict[str, tuple[int, Reader]] = {}
    for at, field in enumerate(calling_list.fields, start=len(CLASSIC_COLUMNS)):
        for name in (field.key, field.column):
            if name is not None:
                known[name] = (at, _custom(field.kind, field.length, name))
    for key, column in _SAME_VALUE.items():
        known[key] = (_PLACES[column], _attribute(key, key))
    for column, key in _KEY_OF.items():
        known[column] = (_PLACES[column], _attribute(key, column))
    # Written by us for a record in process; nobody holds the new one (K2). 0 is no value (sections 1 and 2).
    known["record_status"] = (
        _PLACES["record_status"],
        _with_zero(known["record_status"][1], {"0": RecordStatus.READY.value, "2": RecordStatus.READY.value}),
    )
    known["record_type"] = (
        _PLACES["record_type"],
        _with_zero(known["record_type"][1], {"0": RecordType.GENERAL.value}),
    )
    date_place = len(CLASSIC_COLUMNS) + len(calling_list.fields)
    known["GSW_DATE_TIME"] = (date_place, _attribute("GSW_DATE_TIME", "GSW_DATE_TIME"))
    known["dial_sched_time"] = (_PLACES["dial_sched_time"], lambda cell: _SECONDS("dial_sched_time", cell))
    known["GSW_TZ_NAME"] = (_PLACES["tz_dbid"], lambda cell: directory.zone_named(cell).dbid)
    known["tz_dbid"] = (_PLACES["tz_dbid"], _zone_dbid(directory, calling_list))
    known["GSW_CAMPAIGN_NAME"] = (_PLACES["campaign_id"], _campaign_name(directory, calling_list))
    known["campaign_id"] = (_PLACES["campaign_id"], _campaign_dbid(directory, calling_list))
    # One place behind the date: nothing is kept of it.
    known["GSW_CALLING_LIST"] = (date_place + 1, _list_name(calling_list))
    return known


def _remembering(read: Reader) -> Reader:
    """Return a reader that reads each text once; most columns have few different ones."""
    values: dict[str, FieldValue | None] = {}

    def remembered(cell: str) -> FieldValue | None:
        value = values.get(cell)
        if value is None:
            value = values[cell] = read(cell)
        return value

    return remembered


def _attribute(key: str, name: str) -> Reader:
    convert = _CONVERTERS[key]
    read: Reader = lambda cell: convert(name, cell)  # noqa: E731 - one that may be wrapped
    return read if key in _DIFFERENT else _remembering(read)


def _with_zero(read: Reader, others: Mapping[str, int]) -> Reader:
    return lambda cell: others[cell] if cell in others else read(cell)


def _custom(kind: FieldType, length: int | None, name: str) -> Reader:
    if length is None:
        return lambda cell: to_column(kind, length, name, cell)
    # A text that fits is stored as it is; the rule is asked about others.
    return lambda cell: cell if len(cell) <= length else to_column(kind, length, name, cell)


def _zone_dbid(directory: Directory, calling_list: CallingList) -> Reader:
    dbids = {str(each.dbid): each.dbid for each in directory.zones}
    dbids["0"] = calling_list.tenant.default_zone.dbid
    return _one_of(dbids, "tz_dbid")


def _campaign_dbid(directory: Directory, calling_list: CallingList) -> Reader:
    dbids = {str(each.dbid): each.dbid for each in directory.campaigns_of(calling_list)}
    return _one_of({**dbids, "0": 0}, "campaign_id")


def _campaign_name(directory: Directory, calling_list: CallingList) -> Reader:
    dbids = {normal_name(each.name): each.dbid for each in directory.campaigns_of(calling_list)}
    find = _one_of(dbids, "GSW_CAMPAIGN_NAME")
    return lambda cell: find(normal_name(cell))


def _list_name(calling_list: CallingList) -> Reader:
    find = _one_of({normal_name(calling_list.name): calling_list.dbid}, "GSW_CALLING_LIST")
    return lambda cell: find(normal_name(cell))


def _one_of(values: Mapping[str, int], name: str) -> Reader:
    def read(cell: str) -> int:
        value = values.get(cell)
        if value is None:
            raise Refusal("invalid_attribute", name)
        return value

    return read
