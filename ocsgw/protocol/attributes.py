"""The attribute table: which value a `GSW_` key takes and how a JSON or key-value value becomes one.

Source: protocol.md section 2.1, http.md sections 6 (H110 to H118) and 10.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Literal

from ocsgw.protocol.enumerations import CALL_RESULTS, CONTACT_TYPES, RECORD_STATUSES, RECORD_TYPES, plain_name
from ocsgw.protocol.errors import Refusal

Value = int | str
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MAX_HANDLE = 2**53 - 1


class NumberText(str):
    """Text of a JSON number with fraction or exponent, as received (H112). Not the same as a string."""

    __slots__ = ()


class NotText:
    """Stands for a string with a lone surrogate or U+0000, which nothing takes (H116)."""

    __slots__ = ()


# Python converts no more than 4300 digits.
_DIGITS = re.compile(r"-?[0-9]{1,4000}").fullmatch
_DATE_TIME = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}) ([0-9]{1,2}):([0-9]{2})",
).fullmatch

Converter = Callable[[str, object], Value | None]


@dataclass(frozen=True, slots=True)
class Form:
    """What a converter does, as a table: for whoever converts in another way.

    `low` and `high` are the least and the largest number, `high` the most characters of a text; `but` are numbers in
    between that are refused. `trim`: blanks around a text do not count. `choices` are the values by their spellings,
    which are in lower case unless `exact`.
    """

    kind: Literal["text", "contact", "integer", "choice", "date_time", "reference", "information"]
    low: int = 0
    high: int = 0
    but: frozenset[int] = frozenset()
    trim: bool = False
    choices: Mapping[str, str] | None = None
    exact: bool = False


# What each converter takes: in words for the documentation, as a JSON Schema, and as a table.
_DESCRIBED: dict[Converter, tuple[str, dict[str, object], Form]] = {}


def in_words(convert: Converter) -> str:
    """Return what a converter takes, in words."""
    return _DESCRIBED[convert][0]


def json_schema(convert: Converter) -> dict[str, object]:
    """Return what a converter takes, as a JSON Schema (2020-12) that refuses nothing of it."""
    return dict(_DESCRIBED[convert][1])


def form_of(convert: Converter) -> Form:
    """Return what a converter does, as a table."""
    return _DESCRIBED[convert][2]


def _described(convert: Converter, words: str, schema: dict[str, object], form: Form) -> Converter:
    _DESCRIBED[convert] = words, schema, form
    return convert


def text_of(value: object) -> str | None:
    """Return the text that a value stands for, or None if it stands for none (H110 to H113)."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return str(int(value))
    return None


def _text(maximum: int, *, trim: bool = False) -> Converter:
    def convert(key: str, value: object) -> Value | None:
        text = value if type(value) is str else text_of(value)
        if text == "":
            return None
        if text is not None and trim:
            text = text.strip()
        if not text or len(text) > maximum:
            raise Refusal("invalid_attribute", key)
        return text

    # Blanks around it count where it is trimmed only.
    limit: dict[str, object] = {} if trim else {"maxLength": maximum}
    schema = {"type": ["string", "integer", "null"], **limit}
    return _described(convert, f"text, up to {maximum} characters", schema, Form("text", high=maximum, trim=trim))


# A number with an exponent, as spreadsheets write long ones, or with an empty fraction, as data frames do.
_ROUNDED = re.compile(r"\s*[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+\s*|\s*\+?[0-9]{5,}[.,]0+\s*", re.ASCII).fullmatch
# A JSON number with a fraction or exponent.
_FRACTION = re.compile(r"[.eE]").search


def _contact(maximum: int) -> Converter:
    """Take a contact; one that a program has taken for a number and rounded would be somebody else's."""
    as_text = _text(maximum, trim=True)

    def convert(key: str, value: object) -> Value | None:
        if (
            type(value) is str
            and (value.isdigit() or (value.startswith("+") and value[1:].isdigit()))
            and value.isascii()
            and len(value) <= maximum
        ):
            # The usual case.
            return value
        if isinstance(value, str) and (_ROUNDED(value) or (type(value) is NumberText and _FRACTION(value))):
            raise Refusal("rounded_number", key)
        return as_text(key, value)

    words = f"phone number, e-mail address or other address, 1 to {maximum} characters"
    form = Form("contact", high=maximum, trim=True)
    return _described(convert, words, {"type": ["string", "integer", "null"]}, form)


def integer_of(value: object) -> int | None:
    """Return the integer that a value stands for, or None if it stands for none (H110 to H113)."""
    if isinstance(value, int):
        return int(value)
    if type(value) is str and _DIGITS(value):
        return int(value)
    return None


def _integer(
    low: int, high: int, names: Mapping[str, int] | None = None, but: frozenset[int] = frozenset()
) -> Converter:
    def convert(key: str, value: object) -> Value | None:
        if type(value) is int:
            number: int | None = value
        elif value == "" and type(value) is str:
            return None
        else:
            number = integer_of(value)
            if number is None and names is not None and type(value) is str and value.isascii():
                number = names.get(plain_name(value))
        if number is None or not low <= number <= high or number in but:
            raise Refusal("invalid_attribute", key)
        return number

    words = f"number {low} to {high}"
    if but:
        words += f" except {', '.join(map(str, sorted(but)))}"
    schema: dict[str, object] = {"type": ["integer", "string", "null"], "minimum": low, "maximum": high}
    form = Form("integer", low, high, but)
    return _described(convert, f"{words}, or its name" if names is not None else words, schema, form)


def _choice(*values: str, any_case: bool = True) -> Converter:
    spellings = {value.lower() if any_case else value: value for value in values}

    def convert(key: str, value: object) -> Value | None:
        if value == "" and type(value) is str:
            return None
        if type(value) is not str or not value.isascii():
            raise Refusal("invalid_attribute", key)
        chosen = spellings.get(value.lower() if any_case else value)
        if chosen is None:
            raise Refusal("invalid_attribute", key)
        return chosen

    words = " or ".join(f"`{value}`" for value in values)
    schema: dict[str, object] = {"type": ["string", "null"], "examples": list(values)}
    if not any_case:
        schema["enum"] = [*values, "", None]
    form = Form("choice", choices=spellings, exact=not any_case)
    return _described(convert, f"{words}, in any case" if any_case else words, schema, form)


def _date_time(key: str, value: object) -> Value | None:
    if isinstance(value, int) or type(value) is NumberText:
        raise Refusal("invalid_datetime")
    if type(value) is not str:
        raise Refusal("invalid_attribute", key)
    if value == "":
        return None
    parse_date_time(value)
    return value


def parse_date_time(text: str) -> tuple[int, int, int, int, int]:
    """Return year, month, day, hour and minute of a `GSW_DATE_TIME` (H170).

    Raises `Refusal` (`invalid_datetime`) for another form, an impossible date, or a year outside 1970 to 2037.
    """
    match = _DATE_TIME(text)
    if match is None:
        raise Refusal("invalid_datetime")
    month, day, year, hour, minute = map(int, match.groups())
    try:
        date(year, month, day)
    except ValueError:
        raise Refusal("invalid_datetime") from None
    if not (1970 <= year <= 2037 and hour <= 23 and minute <= 59):
        raise Refusal("invalid_datetime")
    return year, month, day, hour, minute


def _reference(key: str, value: object) -> Value | None:
    if type(value) is str:
        if len(value) <= 255:
            return value
    elif type(value) is int and INT64_MIN <= value <= INT64_MAX:
        return value
    raise Refusal("invalid_attribute", key)


def _information(key: str, value: object) -> Value | None:
    """Keep what can be compared with the record; anything else is ignored (H103)."""
    if type(value) is str:
        return value[:255] or None
    if type(value) is int and INT64_MIN <= value <= INT64_MAX:
        return value
    if type(value) is NotText:
        raise Refusal("invalid_attribute", key)
    return None


def _application_id(key: str, value: object) -> Value | None:
    """Take an integer or a string, whatever it says (H102)."""
    if not isinstance(value, str | int):
        raise Refusal("invalid_attribute", key)
    return _information(key, value)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a request.

    `convert(key, value)` returns the converted value, None for "as if absent", or raises `Refusal`. JSON null and
    absence never get there. A `mandatory` attribute must be present and not empty; `mandatory_for` is a key and those
    of its values for which this attribute is mandatory.
    """

    key: str
    convert: Converter
    mandatory: bool = False
    mandatory_for: tuple[str, frozenset[Value]] | None = None

    def is_missing(self, given: Mapping[str, object]) -> bool:
        """Whether a request with these converted attributes lacks this one."""
        if self.key in given:
            return False
        if self.mandatory_for is not None:
            key, values = self.mandatory_for
            return given.get(key) in values
        return self.mandatory


_SECONDS = _integer(0, INT32_MAX)
_DBID = _integer(1, INT32_MAX)

CONVERTERS: Mapping[str, Converter] = MappingProxyType(
    {
        "GSW_REFERENCE_ID": _reference,
        "GSW_APPLICATION_ID": _application_id,
        "GSW_AGENT_ID": _text(32),
        "GSW_ATTEMPTS": _integer(0, 32767),
        "GSW_AUTO_COMPLETION": _integer(0, 1),
        "GSW_CALLBACK_TYPE": _choice("Campaign", "Personal"),
        "GSW_CALLING_LIST": _text(255),
        "GSW_CALL_RESULT": _integer(0, 53, CALL_RESULTS),
        "GSW_CALL_TIME": _SECONDS,
        "GSW_CAMPAIGN_GROUP_DBID": _DBID,
        "GSW_CAMPAIGN_MODE": _choice("Preview", "PushPreview"),
        "GSW_CAMPAIGN_NAME": _text(255),
        "GSW_CHAIN_ATTR": _choice("RecordOnly", "AllChain"),
        "GSW_CHAIN_ID": _integer(1, INT32_MAX),
        "GSW_CUSTOMER_ID": _text(255, trim=True),
        "GSW_DATE_TIME": _date_time,
        "GSW_FROM": _integer(0, 86400),
        "GSW_PHONE": _contact(128),
        "GSW_PHONE_TYPE": _integer(0, 11, CONTACT_TYPES),
        "GSW_RECORD_HANDLE": _integer(1, MAX_HANDLE),
        "GSW_RECORD_STATUS": _integer(1, 9, RECORD_STATUSES, but=frozenset({2})),
        "GSW_RECORD_TYPE": _integer(1, 7, RECORD_TYPES),
        "GSW_SHARE_MODE": _choice("Consult", "Transfer", "Conference", "Release"),
        "GSW_TENANT_DBID": _DBID,
        "GSW_TENANT_NAME": _text(255),
        "GSW_TREATMENT": _choice("RecordTreatCampaign", "RecordTreatPersonal", any_case=False),
        "GSW_TZ_NAME": _text(255),
        "GSW_UNTIL": _integer(0, 86400),
    }
)

# Every key of requests and events (protocol.md section 2.1): what is none of them is a mistake in writing.
KNOWN_KEYS = frozenset(CONVERTERS) | {
    "GSW_AGENT_REQ_TYPE",
    "GSW_ALLOWED_REQUESTS",
    "GSW_CALLING_LIST_DBID",
    "GSW_CALL_ATTEMPT_GUID",
    "GSW_CAMPAIGN_DESCRIPTION",
    "GSW_CAMPAIGN_GROUP_NAME",
    "GSW_CHAINED_RECORDS",
    "GSW_CHAIN_N",
    "GSW_ERROR",
    "GSW_ERROR_CODE",
    "GSW_MISSING_PERMISSION",
    "GSW_RECORDS_COUNT",
    "GSW_RECORD_URI",
    "GSW_STAT",
    "GSW_TZ_OFFSET",
    "GSW_USER_EVENT",
}


def attribute(
    key: str,
    *,
    mandatory: bool = False,
    mandatory_for: tuple[str, frozenset[Value]] | None = None,
    convert: Converter | None = None,
) -> Attribute:
    """Return the attribute `key` of the table; `convert` replaces its usual range where an action has another."""
    return Attribute(key, convert or CONVERTERS[key], mandatory, mandatory_for)


def information(key: str) -> Attribute:
    """Return an attribute that is information only: compared, never refused (H103)."""
    return Attribute(key, _information)


_ANYTHING: dict[str, object] = {"type": ["string", "integer", "null"]}
_described(
    _reference,
    "text up to 255 characters, or whole number",
    {**_ANYTHING, "maxLength": 255},
    Form("reference", high=255),
)
_described(_application_id, "text or whole number", _ANYTHING, Form("information", high=255))
_described(_information, "text or whole number", {}, Form("information", high=255))
_described(
    _date_time,
    "`MM/DD/YYYY HH:MM`",
    {"type": ["string", "null"], "examples": ["11/28/2026 09:30"], "maxLength": 16},
    Form("date_time"),
)

# UpdateCallCompletionStats takes only states that a hand-out can end in (http.md 10.3).
UPDATE_STATUS = _integer(1, 8, RECORD_STATUSES, but=frozenset({2, 7}))
