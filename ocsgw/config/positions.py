"""Where the keys of a TOML text stand: tomllib gives values without positions, this gives the lines."""

import re
import tomllib
from typing import Final

KeyPath = tuple[str | int, ...]
"""Keys and array indices from the top of the document, for example ``("listener", 1, "port")``."""

_GAP: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|[A-Za-z0-9_-]+')
_KEY_DOT: Final = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS: Final = re.compile(r"[ \t]*=[ \t]*")
_STRING: Final = re.compile(
    # A multi-line string may end in five quotation marks, of which two are its own.
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\]|\\.)*"' r"|'[^']*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def lines_of_keys(text: str) -> dict[KeyPath, int]:
    """Find the line of every key and array element of a text that tomllib has accepted.

    Lines count from 1. A table that has a header of its own gets the header's line, also if another
    header or a dotted key named it before. The result for any other text is undefined.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """One pass over the text; ``offset`` only grows, so that lines are counted once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0
        self.lines: dict[KeyPath, int] = {}
        self._line = 1
        self._counted = 0
        self._sizes: dict[KeyPath, int] = {}  # arrays of tables made by [[headers]]

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_GAP)
        while self.offset < len(self.text):
            if self._at("["):
                table = self._header()
            else:
                self._value(self._assigned(table))
            self._skip(_GAP)

    def _header(self) -> KeyPath:
        brackets = 2 if self._at("[[") else 1
        self.offset += brackets
        line = self._current_line()
        self._skip(_GAP)
        *parents, last = self._key()
        self._skip(_GAP)
        self.offset += brackets
        path: KeyPath = ()
        for part in parents:
            path += (part,)
            self.lines.setdefault(path, line)
            if path in self._sizes:
                path += (self._sizes[path] - 1,)
        path += (last,)
        if brackets == 2:
            self.lines.setdefault(path, line)
            index = self._sizes.get(path, 0)
            self._sizes[path] = index + 1
            path += (index,)
        self.lines[path] = line
        return path

    def _assigned(self, table: KeyPath) -> KeyPath:
        """Go past a key and its equals sign; give its path."""
        line = self._current_line()
        path = table
        for part in self._key():
            path += (part,)
            self.lines.setdefault(path, line)
        self._skip(_EQUALS)
        return path

    def _key(self) -> list[str]:
        parts = [self._key_part()]
        while self._skip(_KEY_DOT):
            parts.append(self._key_part())
        return parts

    def _key_part(self) -> str:
        start = self.offset
        self._skip(_KEY_PART)
        part = self.text[start : self.offset]
        if part[0] in "\"'":
            # A quoted key has the syntax of a string; its escapes are tomllib's business.
            unquoted: str = tomllib.loads(f"key = {part}")["key"]
            return unquoted
        return part

    def _value(self, path: KeyPath) -> None:
        # One frame for each level, half of what tomllib needs: what it can read, this can as well.
        if self._at("["):
            index = 0
            while self._next_member("]"):
                element = (*path, index)
                self.lines[element] = self._current_line()
                self._value(element)
                index += 1
        elif self._at("{"):
            while self._next_member("}"):
                self._value(self._assigned(path))
        elif not self._skip(_STRING):
            self._skip(_SCALAR)

    def _next_member(self, end: str) -> bool:
        """Go past the opening bracket or what separates two members; return whether a member follows."""
        self._skip(_GAP)
        if not self._at(end):
            self.offset += 1  # the opening bracket or a comma
            self._skip(_GAP)
        if self._at(end):
            self.offset += 1
            return False
        return True

    def _at(self, prefix: str) -> bool:
        return self.text.startswith(prefix, self.offset)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self.text, self.offset)
        if match is None:
            return False
        self.offset = match.end()
        return True

    def _current_line(self) -> int:
        self._line += self.text.count("\n", self._counted, self.offset)
        self._counted = self.offset
        return self._line
