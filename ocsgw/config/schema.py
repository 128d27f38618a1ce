"""The vocabulary of the grammar: keys, tables, and what a reader of one value gets and gives."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ocsgw.config.positions import KeyPath
from ocsgw.config.problems import Report


class InvalidValueError(Exception):
    """A value is refused; ``issues`` has where below the key, what is wrong, and what to do."""

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.issues: list[tuple[KeyPath, str, str]] = [((), message, hint)] if message else []

    def add(self, below: KeyPath, other: "InvalidValueError") -> None:
        """Take over the issues of a part of the value."""
        self.issues += [((*below, *path), message, hint) for path, message, hint in other.issues]


class Place(NamedTuple):
    """Where a value or a table stands: for readers that need more than the value."""

    report: Report
    path: KeyPath
    directory: str
    """Directory of the configuration file, absolute (C7)."""

    def below(self, *path: str | int) -> "Place":
        """Give the place of a part."""
        return self._replace(path=self.path + path)

    def warn(self, message: str, hint: str) -> None:
        """Report something doubtful about the value."""
        self.report.warning(self.path, message, hint)


Reader = Callable[[Any, Place], Any]
"""Takes a value as tomllib gives it, returns it as the product uses it, raises InvalidValueError."""


class Required:
    """The default of a key that has none and must be given."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = Required()


class Key(NamedTuple):
    """One key: how its value is read, and the default as it would stand in the file.

    None as a default stands for no value; for some keys the rules then derive one.
    """

    read: Reader
    default: Any = REQUIRED


Keys = Mapping[str, "Key | Table"]


class Table(NamedTuple):
    """One table, or an array of tables, and what it becomes."""

    keys: Keys
    makes: Callable[..., Any]
    """The struct that is made of it; its fields are the keys."""

    array: bool = False
    """Written with two brackets, any number of times."""

    inherits: bool = False
    """May be absent; keys that are not given come from another table (C36) before the defaults do."""
