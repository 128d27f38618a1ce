"""Tests of ocsgw.config.positions: where keys stand."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config.positions import KeyPath, lines_of_keys


class LinesOfKeysTests(SynchronousTestCase):
    """C2, C3: problems name the line of their key."""

    def assert_lines(self, text: str, expected: dict[KeyPath, int]) -> None:
        self.assertEqual(set(expected), set(paths_of(tomllib.loads(text))), "the test itself is wrong")
        self.assertEqual(lines_of_keys(text), expected)

    def test_plain_keys_and_tables(self) -> None:
        """Keys before and in tables have their lines; comments and empty lines count."""
        text = "# note\na = 1\n\n[t] # [no]\n  b = 2 # c = 3\n[ t . u ]\nc = 'x'"
        self.assert_lines(text, {("a",): 2, ("t",): 4, ("t", "b"): 5, ("t", "u"): 6, ("t", "u", "c"): 7})

    def test_dotted_keys(self) -> None:
        """A table that dotted keys make has the line of the first of them."""
        text = "a . b.c = 1\na.b . d = 2\n"
        self.assert_lines(text, {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "b", "d"): 2})

    def test_quoted_keys(self) -> None:
        """Quoted keys are the texts that they stand for, and may look like anything."""
        text = '"a.b # ] = \\" \\u00e9" = 1\n\'c"\\\' . "" = 2\n["x]" . \'y#\']\nz = 3\n'
        expected: dict[KeyPath, int] = {
            ('a.b # ] = " é',): 1,
            ('c"\\',): 2,
            ('c"\\', ""): 2,
            ("x]",): 3,
            ("x]", "y#"): 3,
            ("x]", "y#", "z"): 4,
        }
        self.assert_lines(text, expected)

    def test_strings(self) -> None:
        """Brackets, quotation marks and number signs in strings mean nothing; their line breaks count."""
        text = (
            'a = "]} # \\" \\\\"\n'
            "b = '#]\\'\n"
            'c = """\n"" ] \\""" # """""\n'
            "d = '''\n'' # }\n'''''\n"
            "e = [ \"\"\"\"\"\", \"\", '', '''''' ]\n"
            "f = 1\n"
        )
        lines: dict[KeyPath, int] = {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 5, ("e",): 8, ("f",): 9}
        self.assert_lines(text, lines | {("e", index): 8 for index in range(4)})

    def test_arrays(self) -> None:
        """Each element has its line, also with comments between them and in arrays of arrays."""
        text = "a = [ # ]\n  1, # ,\n\n  [ 'x',\n 'y' ]\n  , 1979-05-27 07:32:00Z\n,]\nb = []"
        expected: dict[KeyPath, int] = {
            ("a",): 1,
            ("a", 0): 2,
            ("a", 1): 4,
            ("a", 1, 0): 4,
            ("a", 1, 1): 5,
            ("a", 2): 6,
            ("b",): 8,
        }
        self.assert_lines(text, expected)

    def test_inline_tables(self) -> None:
        """Keys of inline tables have lines, with dotted keys and arrays of inline tables."""
        text = "a = { b.c = 1, 'd' = {}, e = [\n{ f = 2 },\n{ f = 3 } ] }\ng = { }\n"
        expected: dict[KeyPath, int] = {
            ("a",): 1,
            ("a", "b"): 1,
            ("a", "b", "c"): 1,
            ("a", "d"): 1,
            ("a", "e"): 1,
            ("a", "e", 0): 2,
            ("a", "e", 0, "f"): 2,
            ("a", "e", 1): 3,
            ("a", "e", 1, "f"): 3,
            ("g",): 4,
        }
        self.assert_lines(text, expected)

    def test_arrays_of_tables(self) -> None:
        """Elements are counted, and headers below belong to the last element."""
        text = "[[l]]\na = 1\n[l.t]\nb = 1\n[[l.m]]\n[[l.m]]\nc = 1\n[[l]]\n[[l.m]]\n[l.m.t]\nd = 1\n"
        expected: dict[KeyPath, int] = {
            ("l",): 1,
            ("l", 0): 1,
            ("l", 0, "a"): 2,
            ("l", 0, "t"): 3,
            ("l", 0, "t", "b"): 4,
            ("l", 0, "m"): 5,
            ("l", 0, "m", 0): 5,
            ("l", 0, "m", 1): 6,
            ("l", 0, "m", 1, "c"): 7,
            ("l", 1): 8,
            ("l", 1, "m"): 9,
            ("l", 1, "m", 0): 9,
            ("l", 1, "m", 0, "t"): 10,
            ("l", 1, "m", 0, "t", "d"): 11,
        }
        self.assert_lines(text, expected)

    def test_header_after_use(self) -> None:
        """A table that is named before its own header has the line of its own header."""
        self.assert_lines("[a.b]\n[a]\nc = 1\n", {("a",): 2, ("a", "b"): 1, ("a", "c"): 3})

    def test_line_breaks(self) -> None:
        """Only LF, perhaps after CR, ends a line, as TOML has it."""
        text = "a = 'x\u2028y'\r\n\r\nb = 1\r\n[t]\r\n"
        self.assert_lines(text, {("a",): 1, ("b",): 3, ("t",): 4})

    def test_empty(self) -> None:
        """A text without keys has no lines."""
        self.assert_lines("", {})
        self.assert_lines(" \n# only a note", {})


class GeneratedDocumentTests(SynchronousTestCase):
    """The same for all documents that can be made up."""

    @settings(deadline=None, max_examples=150)
    @given(st.data())
    def test_all_paths_and_lines(self, data: st.DataObject) -> None:
        """The paths are those of tomllib, and the lines are those at which the keys were written."""
        document = Document(data)
        document.write()
        parsed = tomllib.loads(document.text)
        self.assertEqual(set(document.lines), set(paths_of(parsed)), document.text)
        self.assertEqual(lines_of_keys(document.text), document.lines, document.text)


def paths_of(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Give the paths of all keys and elements of what tomllib returned."""
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from paths_of(member, (*path, key))


Header = tuple[str, ...]


class Document:
    """A random document, written piece by piece, with the line of each path."""

    _NAMES = ("a", "key", "-", "0", "a.b", "é", " ", '"', "'", "#", "]", "=", "\\", "\t")
    _SCALARS = ("true", "0x1f", "1_000", "-1.5e3", "nan", "1979-05-27 07:32:00.5", "1979-05-27", "07:32:00")
    _STRINGS = ('"# \\" ]"', "'\\'", '"""\n# ]\n"" \\" \\\n  }"""""', "'''x\n''\n'''''", '""""""', '""')
    _GAPS = ("", " ", "\n", " # ], }\n\t", "\n\n")

    def __init__(self, data: st.DataObject) -> None:
        self.text = ""
        self.lines: dict[KeyPath, int] = {}
        self._data = data
        self._used = 0
        self._tables: dict[Header, KeyPath] = {}  # open headers, and the tables that they name now
        self._arrays: dict[Header, KeyPath] = {}
        self._implied: dict[Header, KeyPath] = {}

    def write(self) -> None:
        """Write keys, then tables."""
        self._pairs(())
        for _ in range(self._choose(range(6))):
            writers = [self._new_table, self._new_array]
            if self._arrays:
                writers.append(self._next_element)
            if self._implied:
                writers.append(self._own_header)
            self._choose(writers)()

    def _choose(self, options: Any) -> Any:
        return self._data.draw(st.sampled_from(options))

    def _put(self, text: str) -> None:
        self.text += text

    def _mark(self, path: KeyPath, *, again: bool = False) -> None:
        if again or path not in self.lines:
            self.lines[path] = self.text.count("\n") + 1

    def _name(self) -> str:
        self._used += 1
        return f"{self._choose(self._NAMES)}{self._used}"

    def _spelled(self, name: str) -> str:
        spellings = [json.dumps(name, ensure_ascii=self._choose([True, False]))]
        if name.isascii() and name.replace("-", "").isalnum():
            spellings.append(name)
        if "'" not in name:
            spellings.append(f"'{name}'")
        spelling: str = self._choose(spellings)
        return spelling

    def _dotted(self, header: Header) -> str:
        dot: str = self._choose([".", " . "])
        return dot.join(map(self._spelled, header))

    def _pairs(self, table: KeyPath) -> None:
        for _ in range(self._choose(range(4))):
            self._put(self._choose(self._GAPS))
            self._pair(table, depth=0)
            self._put(self._choose(["\n", " # = [\n", "\r\n"]))

    def _pair(self, table: KeyPath, depth: int) -> None:
        path = table
        names = tuple(self._name() for _ in range(self._choose([1, 1, 2, 3])))
        for name in names:
            path += (name,)
            self._mark(path)
        self._put(self._dotted(names) + self._choose(["=", " = ", "\t="]))
        self._value(path, depth)

    def _value(self, path: KeyPath, depth: int) -> None:
        kinds = [self._scalar] if depth > 2 else [self._scalar, self._array, self._inline_table]
        self._choose(kinds)(path, depth + 1)

    def _scalar(self, _path: KeyPath, _depth: int) -> None:
        plain = self._data.draw(st.text(max_size=4)).replace("\x7f", "")
        self._put(self._choose([*self._SCALARS, *self._STRINGS, json.dumps(plain, ensure_ascii=False)]))

    def _array(self, path: KeyPath, depth: int) -> None:
        self._put("[" + self._choose(self._GAPS))
        count = self._choose(range(4))
        for index in range(count):
            self._mark((*path, index))
            self._value((*path, index), depth)
            self._put(self._choose(self._GAPS))
            if index < count - 1 or self._choose([True, False]):
                self._put("," + self._choose(self._GAPS))
        self._put("]")

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self._put("{ ")
        for index in range(self._choose(range(3))):
            self._put(", " if index else "")
            self._pair(path, depth)
        self._put(" }")

    def _new_header(self) -> tuple[Header, KeyPath]:
        header = self._choose([(), *self._tables])
        path = self._tables.get(header, ())
        if self._choose([True, False]):
            name = self._name()
            header, path = (*header, name), (*path, name)
            self._mark(path)
            self._implied[header] = path
        name = self._name()
        return (*header, name), (*path, name)

    def _new_table(self) -> None:
        header, path = self._new_header()
        self._mark(path)
        self._tables[header] = path
        self._put(f"[{self._dotted(header)}]\n")
        self._pairs(path)

    def _own_header(self) -> None:
        header = self._choose(list(self._implied))
        path = self._tables[header] = self._implied.pop(header)
        self._mark(path, again=True)
        self._put(f"[ {self._dotted(header)} ] # own\n")
        self._pairs(path)

    def _new_array(self) -> None:
        header, path = self._new_header()
        self._arrays[header] = path
        self._element(header, 0)

    def _next_element(self) -> None:
        header = self._choose(list(self._arrays))
        index = self._tables[header][-1]
        assert isinstance(index, int)
        for known in (self._tables, self._arrays, self._implied):
            for below in [other for other in known if other[: len(header)] == header and other != header]:
                del known[below]
        self._element(header, index + 1)

    def _element(self, header: Header, index: int) -> None:
        path = self._arrays[header]
        self._mark(path)
        self._mark((*path, index))
        self._tables[header] = (*path, index)
        self._put(f"[[{self._dotted(header)}]]\n")
        self._pairs((*path, index))
