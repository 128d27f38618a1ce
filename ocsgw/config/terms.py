"""Readers of values in the terms of the product: call results, encodings, zones, requests, columns."""

import codecs
import re
import zoneinfo
from datetime import UTC, date, datetime
from datetime import time as clock_time
from typing import Any, Final

from ocsgw.config.constants import OWN_TABLES
from ocsgw.config.problems import quoted
from ocsgw.config.schema import InvalidValueError, Place
from ocsgw.config.values import array, did_you_mean, integer, shown, text, type_name
from ocsgw.protocol.charsets import CODECS
from ocsgw.protocol.enumerations import CALL_RESULT_NAMES, CALL_RESULTS, plain_name
from ocsgw.protocol.requests import REQUESTS

IDENTIFIER_BYTES: Final = 63
"""PostgreSQL cuts longer names silently."""

_CHARSET_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]*")
_WALL_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?").fullmatch
LAST_YEAR: Final = 9998
"""A day in any zone later than this cannot be calculated with."""

END_OF_DAY: Final = clock_time(23, 59, 59)
_DATE_LENGTH: Final = len("2027-01-31")
_CALL_RESULT_NUMBER: Final = integer(0, len(CALL_RESULT_NAMES) - 1)


def call_result(value: Any, place: Place) -> int:
    """Read a call result, by number or by name as in H118, into its number."""
    if not isinstance(value, str):
        number: int = _CALL_RESULT_NUMBER(value, place)
        return number
    found = CALL_RESULTS.get(plain_name(value))
    if found is None:
        raise InvalidValueError(
            f"must be the number or name of a call result, not {shown(value)}", _meant_result(value)
        )
    return found


def call_result_or_none(value: Any, place: Place) -> int | None:
    """Read a call result, or -1, which stands for none."""
    if value == -1 and isinstance(value, int):
        return None
    try:
        return call_result(value, place)
    except InvalidValueError as invalid:
        refusal = InvalidValueError()
        for _, message, hint in invalid.issues:
            refusal.add((), InvalidValueError(message, f"{hint}, or -1 for none"))
        raise refusal from None


def encoding(value: Any, place: Place) -> str:
    """Read the name of a character encoding (H133, H137) into lower case."""
    charset: str = text()(value, place)
    try:
        known = _CHARSET_NAME.fullmatch(charset) is not None and codecs.lookup(charset).name in CODECS
    except LookupError:
        known = False
    if not known:
        raise InvalidValueError(
            f"{quoted(charset)} is not a known character encoding",
            'write for example "windows-1252", "iso-8859-2", "koi8-r", "shift_jis", "gb18030" or "utf-8"',
        )
    return charset.lower()


def zone(value: Any, place: Place) -> str:
    """Read the name of an IANA time zone."""
    key: str = text(at_least=1)(value, place)
    try:
        zoneinfo.ZoneInfo(key)
    except (LookupError, OSError, ValueError):
        raise InvalidValueError(
            f"{shown(key)} is not a valid IANA time zone", 'write a name such as "Europe/Paris"'
        ) from None
    return key


def request(value: Any, place: Place) -> str:
    """Read the name of a request, in any case (H50) and also an alias, into the canonical name."""
    written: str = text()(value, place)
    found = _REQUESTS.get(written.lower())
    if found is None:
        raise InvalidValueError(f"{quoted(written)} is not a request that ocsgw knows", did_you_mean(written, REQUESTS))
    return found


requests = array(request, at_least=1)


def spelling(value: Any, place: Place) -> str:
    """Read a spelling of a site's own, as it stands in a target after decoding."""
    written: str = text(64, at_least=1)(value, place)
    if not written.isprintable() or "/" in written:
        raise InvalidValueError("must be printable and have no slash", "write it as it stands in the target")
    return written


spellings = array(spelling)


def moment(value: Any, _place: Place) -> int:
    """Read a date, which stands for its end in UTC, or a date and time, UTC without an offset; give seconds since 1970.

    A text in ISO 8601 does as well.
    """
    hint = "write a date, as 2027-01-31, or a date and time, as 2027-01-31T12:00:00Z"
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value) if len(value) > _DATE_LENGTH else date.fromisoformat(value)
        except ValueError:
            raise InvalidValueError(f"{quoted(value)} is not a valid date", hint) from None
    if isinstance(found, datetime):
        found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    elif isinstance(found, date):
        found = datetime.combine(found, END_OF_DAY, UTC)
    else:
        raise InvalidValueError(f"must be a date, not {type_name(value)}", hint)
    seconds = int(found.timestamp())
    if seconds < 0:
        raise InvalidValueError("must not be before 1970", hint)
    return seconds


def country(value: Any, place: Place) -> str:
    """Read the code of a country (ISO 3166, two letters) into capitals."""
    import phonenumbers  # noqa: PLC0415 - slow to import, and rarely needed

    written: str = text(at_least=1)(value, place)
    known = sorted(phonenumbers.SUPPORTED_REGIONS)
    if written.upper() not in known:
        raise InvalidValueError(
            f"{quoted(written)} is not a valid country code",
            f'write two letters such as "US"; {did_you_mean(written, known)}',
        )
    return written.upper()


def wall_time(value: Any, _place: Place) -> datetime:
    """Read a date and time without a zone, of TOML or as a text ``YYYY-MM-DD HH:MM[:SS]``."""
    hint = 'write it as 2026-12-24 09:30:00, or as text "2026-12-24 09:30"; its zone is that of each record'
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value) if _WALL_TIME(value) else None
        except ValueError:
            found = None
        if found is None:
            raise InvalidValueError(f"{quoted(value)} is not a valid date and time", hint)
    if not isinstance(found, datetime):
        raise InvalidValueError(f"must be a date and time, not {type_name(value)}", hint)
    if found.tzinfo is not None:
        raise InvalidValueError("must not have a zone", hint)
    if not 1970 <= found.year <= LAST_YEAR:
        raise InvalidValueError(f"must be in the years 1970 to {LAST_YEAR}", hint)
    return found.replace(microsecond=0)


def column(value: Any, place: Place) -> str:
    """Read the name of a database column."""
    return _identifier(text(at_least=1)(value, place))


def table_name(value: Any, place: Place) -> str:
    """Read the name of a database table, perhaps with its schema (section 8)."""
    written: str = text(at_least=1)(value, place)
    parts = written.split(".")
    if len(parts) > 2 or not all(parts):
        raise InvalidValueError(f"{quoted(written)} is not a valid name of a table", 'write "table" or "schema.table"')
    for part in parts:
        _identifier(part)
    if parts[-1].casefold().startswith(OWN_TABLES):
        raise InvalidValueError(
            f"must not begin with {quoted(OWN_TABLES)}", "such tables belong to ocsgw; choose another"
        )
    return written


def send_attribute(value: Any, place: Place) -> str:
    """Read the key under which a custom column travels (K32)."""
    key: str = text(64, at_least=1)(value, place)
    if key.startswith("GSW_"):
        raise InvalidValueError('must not begin with "GSW_"', "such keys belong to the protocol; choose another")
    return key


def _identifier(written: str) -> str:
    if len(written.encode()) > IDENTIFIER_BYTES:
        raise InvalidValueError(f"must have at most {IDENTIFIER_BYTES} bytes in UTF-8", "PostgreSQL cuts longer names")
    return written


def _meant_result(written: str) -> str:
    last = len(CALL_RESULT_NAMES) - 1
    return f"write a number from 0 to {last} or a name; {did_you_mean(written, CALL_RESULT_NAMES)}"


_REQUESTS: Final = {name.lower(): row.name for row in REQUESTS.values() for name in (row.name, *row.aliases)}
