"""Rows of calling lists become records, for every engine; other programs write what they like (K16, K63)."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from ocsgw import speedups
from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import Record, further_columns

if speedups.is_used():
    from ocsgw.speedups.records import Reader

# What is read of a record, in the order of `Record`; the custom columns of the list follow.
RECORD_COLUMNS = tuple(name for name in Record.__struct_fields__ if name not in ("custom", "further"))
_TEXTS = frozenset({"contact_info", "agent_id", "treatments"})
_KINDS = tuple(str if name in _TEXTS else int for name in RECORD_COLUMNS)
_FIXED = len(RECORD_COLUMNS)
_integers = itemgetter(*(at for at, kind in enumerate(_KINDS) if kind is int))
# The smallest number of an integer column, and the last second of which every zone knows the date: 31 December 9998.
LEAST, LATEST = -(1 << 31), 253_370_764_799

_read = Reader(_KINDS, LEAST, LATEST, Record).read if speedups.is_used() else None


def largest_record(largest_event: int) -> int:
    """Return how many bytes the texts of a record may have, so that an event with it has at most `largest_event`.

    What a client adds has at most half of that; the rest is for names and numbers.
    """
    return largest_event * 3 // 4


def plain_records(
    calling_list: CallingList, rows: Sequence[tuple[Any, ...]], most_bytes: int, first: int = 0
) -> list[Record] | None:
    """Return the records of rows, which begin at the column `first`, in one pass; None if each has to be looked at.

    What it returns is what `unreadable_column` has nothing against, as `record_of` makes it.
    """
    return _read(rows, first, len(calling_list.fields), most_bytes) if _read is not None else None


def record_of(calling_list: CallingList, row: Sequence[Any]) -> Record:
    """Return the record of a row that `unreadable_column` has nothing against."""
    further = _FIXED + len(calling_list.fields)
    return Record(*row[:_FIXED], list(row[_FIXED:further]), list(row[further:]))  # type: ignore[call-arg]  # so many


def column_at(calling_list: CallingList, place: int) -> str:
    """Return the name of the column at a place of a row."""
    columns = (*RECORD_COLUMNS, *(field.column for field in calling_list.fields), *further_columns(calling_list))
    return columns[place]


def unreadable_column(row: Sequence[Any], most_bytes: int) -> int | None:
    """Return the place of the first value of a row that cannot be represented, None if there is none.

    A number has to be whole and within its bounds; text has to be UTF-8, which is told by lone surrogates in what is
    not. What stands in a custom column and is no value of its field is left out of events and harms nobody. Where the
    texts of a row have more than `most_bytes` together, so that no event could show it, the longest is the value.
    """
    kinds = tuple(map(type, row))
    if kinds[:_FIXED] == _KINDS and bytes not in kinds:
        numbers = _integers(row)
        if min(numbers) >= LEAST and max(numbers) <= LATEST:
            # Almost every row takes this way out; it costs 2 us. ASCII has no surrogates, and a byte a character.
            texts = "".join([each for each in row if each.__class__ is str])
            if texts.isascii() and len(texts) <= most_bytes:
                return None
    for at, value in enumerate(row):
        if not is_readable(value):
            return at
        if at < _FIXED and type(value) is not _KINDS[at]:
            return at
        if at < _FIXED and isinstance(value, int) and not LEAST <= value <= LATEST:
            return at
    return _longest_text(row) if _size(row) > most_bytes else None


def _size(row: Sequence[Any]) -> int:
    """Return how many bytes the texts of a row have."""
    return sum(len(each) if each.isascii() else len(each.encode()) for each in row if each.__class__ is str)


def _longest_text(row: Sequence[Any]) -> int:
    return max(range(len(row)), key=lambda at: len(row[at]) if isinstance(row[at], str) else -1)


def is_readable(value: object) -> bool:
    """Whether a value of a column can be represented: a number, NULL, or text that is UTF-8."""
    if isinstance(value, str):
        # Only text beyond ASCII can have surrogates, and that is known at once.
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, bytes)


def is_text(value: object) -> bool:
    """Whether a value is text, and UTF-8."""
    return isinstance(value, str) and is_readable(value)


def as_whole(value: Any) -> int | None:
    """Return a number without its fraction, None if the value is no number, or none that is finite."""
    if isinstance(value, str | bytes):
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def shown(value: Any) -> Any:
    """Return a value for people: what cannot be represented has replacement characters."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if is_readable(value) else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
