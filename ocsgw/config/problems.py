"""What is wrong with a configuration, and where: problems, and their collection into one report."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec

from ocsgw.config.positions import KeyPath, lines_of_keys

SHOWN_CHARACTERS = 64


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong or doubtful (C2, C3).

    ``file`` is the path as the caller gave it, ``line`` counts from 1, ``key`` is the key with its
    table as in the file (empty for the file as a whole), ``message`` says what is wrong and ``hint``
    what to do.
    """

    file: str
    line: int
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        parts = [f"{self.file}:{self.line}", self.key, self.message]
        text = ": ".join(part for part in parts if part)
        return f"{text}; {self.hint}" if self.hint else text


class ConfigurationError(Exception):
    """The configuration cannot be used; ``problems`` has every reason, sorted by line (C3)."""

    problems: tuple[Problem, ...]

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = _by_line(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Report:
    """Collects problems and warnings by key path; reads the lines from the text only when needed."""

    def __init__(self, file: str, text: str, data: Mapping[str, Any]) -> None:
        self.file = file
        self._text = text
        self._data = data
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._files: list[tuple[KeyPath, str]] = []

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings so far, by line."""
        return _by_line(self._warnings)

    def problem(self, path: KeyPath, message: str, hint: str = "") -> None:
        """Note that the configuration cannot be used; the line is that of the key or what encloses it."""
        self._problems.append(self._describe(path, message, hint))

    def warning(self, path: KeyPath, message: str, hint: str = "") -> None:
        """Note something doubtful that does not hinder a start."""
        self._warnings.append(self._describe(path, message, hint))

    def raw_tables(self, key: str) -> list[dict[str, Any]]:
        """Return the tables of an array of tables as they stand in the file, read or not."""
        value = next((value for name, value in self._data.items() if canonical(name) == key), None)
        return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []

    @property
    def files(self) -> tuple[tuple[KeyPath, str], ...]:
        """Every file that has been read besides the configuration itself, with the key that names it."""
        return tuple(self._files)

    def note_file(self, path: KeyPath, file: str) -> None:
        """Note that a key names a file which is read."""
        self._files.append((path, file))

    def line(self, path: KeyPath) -> int:
        """Return the line of the key, or of the nearest enclosing table that stands in the file."""
        spelled, _ = self._locate(path)
        while spelled and spelled not in self._lines:
            spelled = spelled[:-1]
        return self._lines.get(spelled, 1)

    def raise_problems(self) -> None:
        """Raise ConfigurationError if there is any problem."""
        if self._problems:
            raise ConfigurationError(self._problems)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return lines_of_keys(self._text)

    def _describe(self, path: KeyPath, message: str, hint: str) -> Problem:
        return Problem(self.file, self.line(path), _shown_path(*self._locate(path)), message, hint)

    def _locate(self, path: KeyPath) -> tuple[KeyPath, Any]:
        """Find the path as it is spelled in the file (C4), and the value there, None without one."""
        value: Any = self._data
        spelled: KeyPath = ()
        for part in path:
            if isinstance(value, dict) and isinstance(part, str):
                part = next((key for key in value if canonical(key) == part), part)
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                value = None
            spelled += (part,)
        return spelled, value


def canonical(key: str) -> str:
    """Give the spelling with underscores of a key that may be written with hyphens (C4)."""
    return key.replace("-", "_")


def quoted(text: str, at_most: int = SHOWN_CHARACTERS) -> str:
    """Give a text from the file in quotation marks, cut, without control characters."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:at_most])
    return f'"{shown}{"..." if len(text) > at_most else ""}"'


def alternatives(words: Iterable[str], last: str = "or") -> str:
    """Join words for a sentence: ``a, b or c``."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def _by_line(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.line))


def _shown_path(path: KeyPath, value: Any) -> str:
    """Show a path as the user would write it: ``[listener.tls] certificate``, ``[[listener]] port``."""
    if isinstance(value, dict):
        return _header(path)
    if isinstance(value, list) and value and all(isinstance(element, dict) for element in value):
        return _header((*path, 0))
    while isinstance(path[-1], int):
        path = path[:-1]  # an element of an array of plain values
    return f"{_header(path[:-1])} {_shown_key(path[-1])}".lstrip()


def _header(table: KeyPath) -> str:
    names = ".".join(_shown_key(part) for part in table if isinstance(part, str))
    if not names:
        return ""
    return f"[[{names}]]" if isinstance(table[-1], int) else f"[{names}]"


def _shown_key(key: str | int) -> str:
    text = str(key)
    return text if text and all(c.isascii() and (c.isalnum() or c in "_-") for c in text) else quoted(text)
