"""What a column of the target takes, and as what a value of the source is stored in it.

A value is None, int, float, str or bytes. Databases write the same value in more than one way: what comes out of here
is what is read again from the target.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

# Given texts, returns those that the target cannot store in its encoding.
Encodable = Callable[[Sequence[str]], Collection[str]]

_NONE = type(None)
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


class UnfitError(Exception):
    """A value does not fit into a column; the text says why."""


class Form(Protocol):
    """What one column takes."""

    def accepts(self, values: Sequence[Any]) -> bool:
        """Whether all of these values are stored as they are. False may also mean that this is not known."""

    def stored(self, value: Any) -> object:
        """Return as what a value is stored. Raises `UnfitError`."""


class Anything:
    """A column of SQLite, which takes every value that can be told."""

    def accepts(self, values: Sequence[Any]) -> bool:
        """Whether there is nothing but NULL, numbers and readable texts."""
        kinds = set(map(type, values))
        if kinds <= {int, _NONE}:
            return all(each is None or _LEAST <= each <= _MOST for each in values)
        return kinds <= {str, _NONE} and "".join(filter(None, values)).isascii()

    def stored(self, value: Any) -> object:
        """Return the value itself."""
        if isinstance(value, str):
            _expect_readable(value)
        if isinstance(value, int) and not _LEAST <= value <= _MOST:
            raise UnfitError("a number of more than 64 bits")
        if isinstance(value, Decimal) or value != value:
            raise UnfitError("a number that SQLite cannot store")
        return value


class Whole:
    """A column of whole numbers between two bounds."""

    def __init__(self, bits: int) -> None:
        self._least, self._most = -(1 << bits - 1), (1 << bits - 1) - 1
        self._bits = bits

    def accepts(self, values: Sequence[Any]) -> bool:
        """Whether all are whole numbers within the bounds."""
        if not set(map(type, values)) <= {int, _NONE}:
            return False
        numbers = [each for each in values if each is not None]
        return not numbers or (min(numbers) >= self._least and max(numbers) <= self._most)

    def stored(self, value: Any) -> object:
        """Return a whole number."""
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int):
            raise UnfitError(f"{_kind_of(value)} in a column of whole numbers")
        if not self._least <= value <= self._most:
            raise UnfitError(f"a number of more than {self._bits} bits")
        return value


class Truth(Whole):
    """A column of 0 and 1."""

    def __init__(self) -> None:
        super().__init__(2)
        self._least = 0


class Digits:
    """A column of decimal numbers: `precision` digits, `scale` of them behind the point; None for any."""

    def __init__(self, precision: int | None, scale: int | None) -> None:
        self._precision = precision
        self._scale = scale if scale is not None else (None if precision is None else 0)

    def accepts(self, values: Sequence[Any]) -> bool:
        """Whether there are small whole numbers only."""
        if not set(map(type, values)) <= {int, _NONE}:
            return False
        most = 10 ** (self._precision - (self._scale or 0)) if self._precision is not None else _MOST
        return all(each is None or -most < each < most for each in values)

    def stored(self, value: Any) -> object:
        """Return an int where the number is whole, else a float if it has all digits, else a decimal number."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise UnfitError(f"{_kind_of(value)} in a column of numbers")
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not number.is_finite():
            raise UnfitError("a value that is no number in a column of numbers")
        if self._scale is not None and number != round(number, self._scale):
            digits = f"more than {self._scale} digits behind the point" if self._scale else "a fraction"
            raise UnfitError(f"a number with {digits}")
        if self._precision is not None and abs(number) >= 10 ** (self._precision - (self._scale or 0)):
            raise UnfitError("a number with too many digits")
        return plain_number(number)


class Real:
    """A column of floating-point numbers."""

    def accepts(self, values: Sequence[Any]) -> bool:
        """Whether all are such numbers."""
        return set(map(type, values)) <= {float, _NONE}

    def stored(self, value: Any) -> object:
        """Return a float."""
        if value is None:
            return None
        if not isinstance(value, int | float):
            raise UnfitError(f"{_kind_of(value)} in a column of numbers")
        if isinstance(value, int) and float(value) != value:
            raise UnfitError("a whole number with more digits than a floating-point number has")
        return float(value)


class Text:
    """A column of texts; one that `is_padded` fills them up with blanks, which are none of them."""

    def __init__(self, length: int, unencodable: Encodable, *, is_padded: bool = False) -> None:
        self._length = length
        self._unencodable = unencodable
        self._is_padded = is_padded

    def accepts(self, values: Sequence[Any]) -> bool:
        """Whether all are plain texts that are not too long."""
        if self._is_padded or not set(map(type, values)) <= {str, _NONE}:
            return False
        texts = [each for each in values if each]
        if texts and max(map(len, texts)) > self._length:
            return False
        together = "".join(texts)
        return together.isascii() and "\0" not in together

    def stored(self, value: Any) -> object:
        """Return a text."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise UnfitError(f"{_kind_of(value)} in a column of texts")
        _expect_readable(value)
        if "\0" in value:
            raise UnfitError("a text with a NUL character")
        if self._is_padded:
            value = value.rstrip(" ")
        if len(value) > self._length:
            raise UnfitError(f"a text of {len(value)} characters in a column for {self._length}")
        if not value.isascii() and self._unencodable([value]):
            raise UnfitError("a text that the encoding of the database lacks")
        return value


class Moment:
    """A column of dates with times, without a zone."""

    def accepts(self, values: Sequence[Any]) -> bool:
        """Whether there are none."""
        return set(map(type, values)) <= {_NONE}

    def stored(self, value: Any) -> object:
        """Return it as PostgreSQL writes it."""
        if value is None or value in {"infinity", "-infinity"}:
            return value
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise UnfitError(f"{_kind_of(value)} that is no date with a time, YYYY-MM-DD HH:MM:SS") from None
        if moment.tzinfo is not None:
            raise UnfitError("a date with a time zone in a column without one")
        text = moment.isoformat(" ")
        return text.rstrip("0") if moment.microsecond else text


class Binary:
    """A column of bytes."""

    def accepts(self, values: Sequence[Any]) -> bool:
        """Whether all are bytes."""
        return set(map(type, values)) <= {bytes, _NONE}

    def stored(self, value: Any) -> object:
        """Return bytes."""
        if value is not None and not isinstance(value, bytes):
            raise UnfitError(f"{_kind_of(value)} in a column of bytes")
        return value


def plain_number(number: Decimal) -> int | float | Decimal:
    """Return a number in the simplest way that has all of its digits."""
    if not number.is_finite():
        return number
    if number == number.to_integral_value():
        return int(number)
    short = float(number)
    return short if Decimal(repr(short)) == number else number.normalize()


def _expect_readable(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UnfitError("a text that is not UTF-8") from None


def _kind_of(value: object) -> str:
    if isinstance(value, str):
        return "a text"
    if isinstance(value, bytes):
        return "a blob"
    return "a number with a fraction" if isinstance(value, float) else "a number"
