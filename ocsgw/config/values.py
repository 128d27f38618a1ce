"""Readers of plain values: numbers with units, texts, names, enumerations, arrays."""

import datetime as dt
import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ocsgw.config.problems import alternatives, quoted
from ocsgw.config.schema import InvalidValueError, Place, Reader

LARGEST_INTEGER: Final = 2**31 - 1
LARGEST_SIZE: Final = 2**53 - 1
NAME_CHARACTERS: Final = 255

LISTED: Final = 24
"""More known words than this are not listed in a hint."""

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER_WITH_UNIT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")

_TYPE_NAMES: Final[Mapping[type, str]] = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    list: "an array",
    dict: "a table",
    dt.datetime: "a date-time",
    dt.date: "a date",
    dt.time: "a time",
}


def type_name(value: object) -> str:
    """Name the TOML type of a value, with its article."""
    return _TYPE_NAMES[type(value)]


def shown(value: object) -> str:
    """Show a value that is not secret in a message."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) > LARGEST_SIZE:
        return "an integer of that size"  # thousands of digits cannot even be printed
    return str(value) if isinstance(value, int | float) else type_name(value)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the word that was probably meant, None if none is similar."""
    folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give a hint with the nearest known word, or with all if none is near."""
    known = list(known)
    near = nearest(word, known)
    if near is not None:
        return f"did you mean {quoted(near)}?"
    if len(known) > LISTED:
        return f"none of the {len(known)} known is similar"
    return f"known: {alternatives(map(quoted, known))}" if known else "none is known; add it or leave the key out"


def boolean(value: Any, _place: Place) -> bool:
    """Read ``true`` or ``false``."""
    if not isinstance(value, bool):
        raise InvalidValueError(
            f"must be a boolean, not {type_name(value)}", "write true or false, without quotation marks"
        )
    return value


@dataclass(frozen=True, slots=True)
class Range:
    """A reader of numbers of a range, whose ends are part of it.

    Every number of the configuration has an upper end that the code can take: ``high`` in the unit of the value
    (seconds, bytes), ``lowest`` and ``highest`` as they would stand in the file.
    """

    read: Callable[[Any], float]
    low: float
    high: float
    lowest: str
    highest: str
    hint: str

    def __call__(self, value: Any, _place: Place) -> Any:
        """Read a value; raise InvalidValueError."""
        found = self.read(value)
        if not self.low <= found <= self.high:
            raise InvalidValueError(f"must be from {self.lowest} to {self.highest}, not {shown(value)}", self.hint)
        return found


def integer(low: int, high: int) -> Range:
    """Make a reader of integers of a range."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidValueError(
                f"must be an integer, not {type_name(value)}", f"write a number from {low} to {high}"
            )
        return value

    return Range(read, low, high, str(low), str(high), "choose a number in that range")


def duration(at_least: str, at_most: str) -> Range:
    """Make a reader of durations in seconds (C5); the ends of the range are written as in the file."""
    hint = 'write seconds or a string with ms, s, m, h or d, for example 30 or "1.5h"'

    def read(value: Any) -> float:
        return float(_measured(value, _SECONDS, hint))

    return Range(read, read(at_least), read(at_most), at_least, at_most, hint)


def size(at_least: str, at_most: str) -> Range:
    """Make a reader of sizes in bytes (C5); the ends of the range are written as in the file."""
    hint = 'write bytes or a string with B, KiB, MiB or GiB, for example 4096 or "64KiB"'

    def read(value: Any) -> int:
        count = _measured(value, _BYTES, hint)
        if count != int(count):
            raise InvalidValueError(f"must be a whole number of bytes, not {shown(value)}", hint)
        return int(count)

    return Range(read, read(at_least), read(at_most), at_least, at_most, hint)


def _measured(value: Any, units: Mapping[str, float], hint: str) -> float:
    """Read a number or a number with unit; refuse what is neither, below zero or beyond all ranges."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidValueError(f"must be a number or a string with a unit, not {type_name(value)}", hint)
    number: float | None = _measure(value, units) if isinstance(value, str) else value
    if number is None:
        raise InvalidValueError(f"{shown(value)} is not a number with a known unit", hint)
    if not 0 <= number <= LARGEST_SIZE:  # refuses nan as well
        raise InvalidValueError(f"must not be {'negative' if number < 0 else shown(value)}", hint)
    return number


def _measure(text: str, units: Mapping[str, float]) -> float | None:
    match = _NUMBER_WITH_UNIT.fullmatch(text)
    if match is None or match[2] not in units:
        return None
    # Dividing rounds better than multiplying by a fraction: "300ms" is 0.3.
    unit = units[match[2]]
    return float(match[1]) * unit if unit >= 1 else float(match[1]) / round(1 / unit)


def text(at_most: int | None = None, at_least: int = 0) -> Reader:
    """Make a reader of texts without control characters, with their length in characters."""

    def read(value: Any, _place: Place) -> str:
        if not isinstance(value, str):
            raise InvalidValueError(f"must be a string, not {type_name(value)}", "write it in quotation marks")
        if any(unicodedata.category(character) == "Cc" for character in value):
            raise InvalidValueError("must not have control characters", "write it in one line, without tabs")
        if len(value) < at_least:
            raise InvalidValueError("must not be empty", f"write at least {at_least} character")
        if at_most is not None and len(value) > at_most:
            raise InvalidValueError(f"must have at most {at_most} characters, not {len(value)}", "shorten it")
        return value

    return read


def name(at_most: int = NAME_CHARACTERS, without: str = "") -> Reader:
    """Make a reader of names of objects, which come out in normalization form C (C8, H60)."""
    read_text = text(at_most, at_least=1)

    def read(value: Any, place: Place) -> str:
        normal = unicodedata.normalize("NFC", value) if isinstance(value, str) else value
        found: str = read_text(normal, place)
        for character in without:
            if character in found:
                raise InvalidValueError(
                    f"must not have a {quoted(character)}", "leave it out or write another character"
                )
        return found

    return read


def one_of(*words: str) -> Reader:
    """Make a reader of an enumeration."""

    def read(value: Any, _place: Place) -> str:
        if not isinstance(value, str):
            raise InvalidValueError(
                f"must be a string, not {type_name(value)}", f"write {alternatives(map(quoted, words))}"
            )
        if value not in words:
            raise InvalidValueError(
                f"must be {alternatives(map(quoted, words))}, not {shown(value)}", did_you_mean(value, words)
            )
        return value

    return read


def array(read_element: Reader, at_least: int = 0, *, distinct: bool = True) -> Reader:
    """Make a reader of arrays, in general without repetitions; every wrong element is reported."""

    def read(value: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise InvalidValueError(f"must be an array, not {type_name(value)}", "write it in square brackets")
        if len(value) < at_least:
            raise InvalidValueError("must not be an empty array", "name at least one, or leave the key out")
        refusal = InvalidValueError()
        elements: list[Any] = []
        for index, element in enumerate(value):
            try:
                found = read_element(element, place.below(index))
                if distinct and found in elements:
                    raise InvalidValueError(f"has {shown(element)} twice", "name each once")
                elements.append(found)
            except InvalidValueError as invalid:
                refusal.add((index,), invalid)
        if refusal.issues:
            raise refusal
        return tuple(elements)

    return read


def all_or(read: Reader) -> Reader:
    """Make a reader of arrays in which ``"*"``, alone, stands for all: None."""

    def read_or_all(value: Any, place: Place) -> Any:
        if isinstance(value, list) and "*" in value:
            if len(value) > 1:
                raise InvalidValueError('has "*" and names', 'write ["*"] for all, or the names alone')
            return None
        return read(value, place)

    return read_or_all


def anything(value: Any, _place: Place) -> Any:
    """Leave the value to a rule that knows more."""
    return value
