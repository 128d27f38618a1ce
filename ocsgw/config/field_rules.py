"""Rules about the columns of calling lists: custom ones, and classic ones that events show (K30 to K34, K64)."""

import datetime as dt
import re
import sys
from typing import Any, Final

from ocsgw.config.model import ShownColumn
from ocsgw.config.object_rules import check_unique
from ocsgw.config.problems import quoted
from ocsgw.config.schema import InvalidValueError
from ocsgw.config.sections import Section
from ocsgw.config.values import LARGEST_INTEGER, shown, type_name
from ocsgw.protocol.columns import CLASSIC_COLUMNS

_TEXT_TYPES: Final = frozenset({"char", "varchar"})
_WRITTEN_DATE_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?")


def check_fields(document: Section) -> None:
    """Check the fields of each list, and that some list has the field of the customer id."""
    lists = document.tables("calling_list")
    for calling_list in lists:
        fields = calling_list.tables("field")
        check_unique(fields, "name", str.casefold)
        check_unique(fields, "send_attribute")
        for field in fields:
            if _is_classic(field):
                _check_shown(field)
                continue
            _check_type(field)
            _check_length(field)
            _check_default(field)
        _set_classic_apart(calling_list, fields)
    for application in document.tables("application"):
        _check_customer_id(application, lists)


def _is_classic(field: Section) -> bool:
    return field.sound("name") and field["name"].casefold() in CLASSIC_COLUMNS


def _check_shown(field: Section) -> None:
    """Check a classic column that is to be shown in events: it has a key and nothing else (K64)."""
    name = quoted(field["name"])
    for key in ("type", "length", "default"):
        if key in field.given:
            field.problem(
                key,
                f"{name} is a classic column, whose form is fixed",
                f"leave {key} out, or choose another name for a custom column",
            )
    if field.sound("send_attribute") and field["send_attribute"] is None:
        field.problem(
            "send_attribute",
            f"is missing for the classic column {name}",
            "add the key under which events show it, or choose another name for a custom column",
        )


def _set_classic_apart(calling_list: Section, fields: list[Section]) -> None:
    if calling_list.sound("field"):
        calling_list["field"] = [each for each in fields if not _is_classic(each)]
        calling_list["shown_columns"] = tuple(
            ShownColumn(name=each["name"].casefold(), send_attribute=each["send_attribute"])
            for each in fields
            if _is_classic(each) and each.sound("send_attribute")
        )


def _check_type(field: Section) -> None:
    if field.sound("type") and field["type"] is None:
        field.problem("type", "is missing", 'add "int", "float", "char", "varchar" or "datetime"')
        field.spoil("type")


def _check_length(field: Section) -> None:
    if not field.sound("type", "length"):
        return
    kind = quoted(field["type"])
    if field["type"] in _TEXT_TYPES and field["length"] is None:
        field.problem("length", f"is missing for the type {kind}", "add it, from 1 to 4000")
    elif field["type"] not in _TEXT_TYPES and field["length"] is not None:
        field.problem("length", f"does not go with the type {kind}", 'leave it out; it is for "char" and "varchar"')


def _check_default(field: Section) -> None:
    if not field.sound("type", "default") or field["default"] is None:
        return
    try:
        field["default"] = _fitting(field)
    except InvalidValueError as invalid:
        for _, message, hint in invalid.issues:
            field.problem("default", message, hint)


def _fitting(field: Section) -> int | float | str:
    """Give the default in the form of its column (K33), or raise InvalidValueError."""
    default = field["default"]
    number = isinstance(default, int | float) and not isinstance(default, bool)
    match field["type"]:
        case "int":
            if number and isinstance(default, int) and -LARGEST_INTEGER - 1 <= default <= LARGEST_INTEGER:
                return default
            raise InvalidValueError(
                f"must be an integer of 32 bits, not {shown(default)}", "write a number without fraction"
            )
        case "float":
            if number and abs(default) <= sys.float_info.max:
                return float(default)
            raise InvalidValueError(
                f"must be a number, not {shown(default)}", "write a number, with a fraction or without"
            )
        case "datetime":
            return _date_time(default)
        case _:
            return _fitting_text(default, field["length"] if field.sound("length") else None)


def _fitting_text(default: Any, length: int | None) -> str:
    if not isinstance(default, str):
        raise InvalidValueError(f"must be a string, not {type_name(default)}", "write it in quotation marks")
    if "\0" in default:
        raise InvalidValueError("must not have a character U+0000", "databases do not store it; leave it out")
    if length is not None and len(default) > length:
        raise InvalidValueError(
            f"has {len(default)} characters, but the column has {length}", "shorten it or raise length"
        )
    return default


def _date_time(default: Any) -> str:
    if isinstance(default, str) and _WRITTEN_DATE_TIME.fullmatch(default):
        try:
            default = dt.datetime.fromisoformat(default)
        except ValueError:
            raise InvalidValueError(f"{quoted(default)} is not a date and time of the calendar", "correct it") from None
    if not isinstance(default, dt.datetime) or default.tzinfo is not None:
        raise InvalidValueError(
            f"must be a date and time without a zone, not {shown(default)}", 'write it as "2026-01-31 08:30:00"'
        )
    return default.isoformat(sep=" ", timespec="seconds")


def _check_customer_id(application: Section, lists: list[Section]) -> None:
    """A customer id that no list has is not an error (H256), but hardly intended."""
    if not application.sound("customer_id") or application["customer_id"] is None:
        return
    if application["customer_id"].casefold() in CLASSIC_COLUMNS:
        application.problem(
            "customer_id",
            f"{quoted(application['customer_id'])} is a classic column and cannot hold the customer id",
            "name a custom column",
        )
        return
    if not lists:
        return
    fields = [field for calling_list in lists for field in calling_list.tables("field")]
    if not any(not field.sound("name") or field["name"] == application["customer_id"] for field in fields):
        application.warn(
            "customer_id",
            f"no calling list has a field {quoted(application['customer_id'])}",
            "add the field to the lists that hold customer ids",
        )
