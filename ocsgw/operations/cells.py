"""Cells of a CSV file as people and spreadsheets write them: times, dates, decimal commas, marks of text, phones.

A reader of a cell raises `RowError`, whose text names the value and what is allowed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from ocsgw.contact.zones import wall_time_to_epoch

_LONGEST_SHOWN = 64
_WHOLE_DAY = 86400
# The end of the year 9999.
_LATEST = 253402300799

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.0+)?)?\s*(?:([AaPp])\.?[Mm]\.?)?").fullmatch
_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|\s+)(\S.*?))?\s*([Zz]|[+-](?:0\d|1[0-4]):?[0-5]\d)?"
).fullmatch
_DOTS = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{2,4})(?:,?\s+(\S.*))?").fullmatch
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2,4})(?:,?\s+(\S.*))?").fullmatch
_DAYS = re.compile(r"\d{4,6}(?:[.,]\d+)?").fullmatch
# Days since 1900, as spreadsheets count them: from 1982 on they have so many digits.
_DIGITS_OF_DAYS = 5
_DATES = "YYYY-MM-DD HH:MM, MM/DD/YYYY HH:MM or DD.MM.YYYY HH:MM"

_FRACTION = re.compile(r"[+-]?\d+[.,]\d+").fullmatch
_ADDRESS = re.compile(r"[@:]").search
_LETTERS = re.compile(r"[^\W\d_]").search
_EXTENSION = re.compile(r"(?i)\b(?:ext|extension|tel|x)\b\.?")
_FEWEST_DIGITS = 3
_PLAIN_PHONE = re.compile(r"[0-9]*|\+[0-9]{3,}").fullmatch
# A fraction with so many digits may be a phone with a dot in it.
_DIGITS_OF_A_PHONE = 7

_DECIMAL_COMMA = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{3})+|\d+),(\d+)").fullmatch
_APOSTROPHE_BEFORE_FORMULA = re.compile(r"'[=+\-@\t\r]").match
_APOSTROPHE_BEFORE_NUMBER = re.compile(r"'[+(]?\d").match


class RowError(Exception):
    """A row is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class CellForm:
    """How the cells of a file are written, as far as that cannot be seen from a cell.

    With `decimal_comma` numbers have a comma before their fraction, with `day_first` dates with slashes begin with
    the day. With `raw` cells are taken exactly as they are. With `strict_phones` what cannot be a phone is refused.
    """

    decimal_comma: bool = False
    day_first: bool = False
    raw: bool = False
    strict_phones: bool = False


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A time as a clock shows it in the zone of the record."""

    moment: datetime

    def epoch(self, zone: ZoneInfo) -> int:
        """Return the seconds since 1970 UTC, never 0 (H172)."""
        # 0 means "not scheduled"; the one date that is 0 is long past, as is the second after it.
        return wall_time_to_epoch(self.moment, zone) or 1


def quoted(cell: str) -> str:
    """Return a cell as it is shown in a reason: in quotation marks, cut, in one line."""
    cut = cell if len(cell) <= _LONGEST_SHOWN else f"{cell[:_LONGEST_SHOWN]}..."
    return f"'{''.join(each if each.isprintable() else ascii(each)[1:-1] for each in cut)}'"


def refused(reason: str, cell: str, allowed: str = "") -> RowError:
    """Return the error for a cell; `reason` is the same for all cells that are refused for it."""
    return RowError(f"{reason}: {quoted(cell)}" + (f"; {allowed}" if allowed else ""))


def unmarked(cell: str, *, is_contact: bool) -> str:
    """Return a cell without the apostrophe by which a spreadsheet keeps a text from being a formula or a number."""
    if cell.startswith("'") and (_APOSTROPHE_BEFORE_FORMULA(cell) or (is_contact and _APOSTROPHE_BEFORE_NUMBER(cell))):
        return cell[1:]
    return cell


def daily_time(cell: str) -> int | None:
    """Return the second of the day of a time such as 09:00, 9:00 pm or 24:00; None if it is none."""
    match = _CLOCK(cell.strip())
    if match is None:
        return None
    found = _clock(match)
    if found is None and match.group(1, 2, 4) == ("24", "00", None) and int(match[3] or 0) == 0:
        return _WHOLE_DAY
    return None if found is None else found[0] * 3600 + found[1] * 60 + found[2]


def _clock(match: "re.Match[str]") -> tuple[int, int, int] | None:
    hour, minute, second = (int(each or 0) for each in match.group(1, 2, 3))
    if match[4] is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[4] in "Pp" else 0)
    return (hour, minute, second) if hour <= 23 and minute <= 59 and second <= 59 else None


def date_and_time(name: str, cell: str, form: CellForm, *, end_of_day: bool = False) -> int | LocalTime:
    """Return a date with or without a time: seconds since 1970 UTC if it says its offset, else a local time.

    Without a time it is the beginning of the day, or its end with `end_of_day`. Raises `RowError`.
    """
    text = cell.strip()
    reason = f"Invalid date or time in {name}"
    year, month, day, clock, offset = _date_parts(reason, text, cell, form)
    hour, minute, second = 0, 0, 0
    if clock is not None:
        match = _CLOCK(clock)
        found = _clock(match) if match is not None else None
        if found is None:
            raise refused(reason, cell, f"write a time as HH:MM: {_DATES}")
        hour, minute, second = found
    if year < 100:
        raise refused(f"{reason}: the year has two digits", cell, f"write {_DATES}")
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - what a clock shows
        if clock is None and end_of_day:
            moment += timedelta(days=1)
    except (ValueError, OverflowError):
        other = "" if form.day_first or "/" not in text else "; dates with slashes are MM/DD/YYYY, or use --day-first"
        raise refused(f"{reason}: there is no such day", cell, f"write {_DATES}{other}") from None
    if year < 1970:
        raise refused(f"{reason}: it is before 1970", cell)
    if offset is not None:
        return int(moment.replace(tzinfo=_offset(offset)).timestamp())
    return LocalTime(moment)


def _date_parts(reason: str, text: str, cell: str, form: CellForm) -> tuple[int, int, int, str | None, str | None]:
    """Return year, month, day, the text of the time and that of the offset."""
    if match := _ISO(text):
        year, month, day = (int(each) for each in match.group(1, 2, 3))
        return year, month, day, match[4], match[5]
    if match := _DOTS(text):
        day, month, year = (int(each) for each in match.group(1, 2, 3))
        return year, month, day, match[4], None
    if match := _SLASHES(text):
        first, second, year = (int(each) for each in match.group(1, 2, 3))
        month, day = (second, first) if form.day_first else (first, second)
        return year, month, day, match[4], None
    if _DAYS(text):
        raise refused(f"{reason}: a spreadsheet has written a number of days", cell, "format the column as a date")
    raise refused(reason, cell, f"write {_DATES}")


def _offset(text: str) -> timezone:
    if text in "Zz":
        return timezone(timedelta())
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-ahead if text[0] == "-" else ahead)


def seconds_or_date(name: str, cell: str, form: CellForm) -> int | LocalTime:
    """Return seconds since 1970 UTC, as a table has them, or a date and time. Raises `RowError`."""
    text = cell.strip()
    if text.isascii() and text.isdigit() and not (len(text) == _DIGITS_OF_DAYS and text[0] in "34567"):
        seconds = int(text[:20])
        if seconds > _LATEST:
            milliseconds = "it looks like milliseconds; " if len(text) == 13 else ""
            raise refused(f"Invalid value of attribute {name}", cell, f"{milliseconds}write seconds since 1970 UTC")
        return seconds
    return date_and_time(name, cell, form)


def decimal_point(cell: str, form: CellForm) -> str:
    """Return a number with a decimal point in place of a decimal comma, if the file has those."""
    match = _DECIMAL_COMMA(cell.strip()) if form.decimal_comma else None
    return f"{match[1]}{match[2].replace('.', '')}.{match[3]}" if match is not None else cell


def doubt_about_phone(cell: str) -> str:
    """Return why a cell cannot be a phone, empty if it can be one or another kind of address, or is empty."""
    # The usual case.
    if _PLAIN_PHONE(cell):
        return ""
    text = cell.strip()
    if _ADDRESS(text):
        return ""
    digits = sum(each.isdigit() for each in text)
    is_fraction = digits < _DIGITS_OF_A_PHONE and _FRACTION(text) is not None
    is_word = digits < _FEWEST_DIGITS and _LETTERS(_EXTENSION.sub("", text)) is not None
    if not digits or is_fraction or is_word:
        return f"warning, cannot be a phone: {quoted(cell)}"
    return ""


def plain_header(name: str) -> str:
    """Return the form in which names of columns are compared: without case, blanks, dashes and underscores."""
    return re.sub(r"[\s_\-.\u00a0]+", "", name.strip().strip("\ufeff'\"")).lower()


def by_plain_name(names: Mapping[str, object]) -> dict[str, str]:
    """Return the names of columns by the form in which they are compared; the first of two alike counts."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(plain_header(name), name)
    return found
