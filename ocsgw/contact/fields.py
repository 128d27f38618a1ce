"""Custom fields: what a column takes and how it travels (http.md H120, H121; constants.md section 5.1)."""

import math
import re
from datetime import datetime
from typing import Literal

from ocsgw.protocol.attributes import INT32_MAX, INT32_MIN, integer_of, text_of
from ocsgw.protocol.errors import Refusal

FieldType = Literal["int", "float", "char", "varchar", "datetime"]
FieldValue = int | float | str

_NUMBER = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][-+]?[0-9]{1,6})?").fullmatch
_AMERICAN = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}) ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?").fullmatch
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?").fullmatch


def to_column(kind: FieldType, length: int | None, key: str, value: object) -> FieldValue | None:
    """Return what is stored for the value of a custom member, None for "leave the column as it is".

    `key` is the member's name, `length` that of a character column. Raises `Refusal` (`invalid_attribute`).
    """
    if value is None or value == "":
        return None
    stored: FieldValue | None
    if kind == "int":
        stored = integer_of(value)
        if stored is not None and not INT32_MIN <= stored <= INT32_MAX:
            stored = None
    elif kind == "float":
        stored = _float(value)
    elif kind == "datetime":
        stored = _datetime(value)
    else:
        stored = text_of(value)
        if stored is not None and length is not None and len(stored) > length:
            stored = None
    if stored is None:
        raise Refusal("invalid_attribute", key)
    return stored


def to_event(kind: FieldType, stored: FieldValue) -> int | str | None:
    """Return the value of a column as it travels in an event; `stored` is not NULL (H121).

    None if another program has stored something that is not a value of the field.
    """
    try:
        if kind == "int":
            return int(stored)
        if kind == "float":
            number = float(stored)
            return float_text(number) if math.isfinite(number) else None
    except (ValueError, OverflowError):
        return None
    return float_text(stored) if isinstance(stored, float) else str(stored)


def float_text(number: float) -> str:
    """Return the shortest decimal text, with a fraction and without exponent, that reads back as `number` (H121)."""
    text = repr(number)
    if "e" not in text:
        return text
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    digits, point = whole + fraction, len(whole) + int(exponent)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{sign}{digits}{'0' * (point - len(digits))}.0"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def _float(value: object) -> float | None:
    try:
        if isinstance(value, int) or (isinstance(value, str) and _NUMBER(value)):
            number = float(value)
        else:
            return None
    except OverflowError:
        return None
    # There is one zero: a store need not keep the sign of the other.
    return number + 0.0 if math.isfinite(number) else None


def _datetime(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    american = _AMERICAN(value)
    iso = _ISO(value)
    if american is not None:
        month, day, year, hour, minute, second = (int(part or 0) for part in american.groups())
    elif iso is not None:
        year, month, day, hour, minute, second = (int(part or 0) for part in iso.groups())
    else:
        return None
    try:
        return datetime(year, month, day, hour, minute, second).strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")  # noqa: DTZ001 - a column without zone
    except ValueError:
        return None
