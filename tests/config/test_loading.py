"""Tests of ocsgw.config.loading: files, syntax, checks of other rooms, everything at once."""

import ast
import os
import pathlib
import sys
import tomllib
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import ocsgw.config
from ocsgw.config import Config, ConfigurationError, load, parse
from ocsgw.config.grammar import GRAMMAR
from ocsgw.config.positions import KeyPath
from ocsgw.config.schema import Table
from tests.config.support import APPLICATION, ConfigTestCase

ReportProblem = Callable[[KeyPath, str, str], None]


class LoadTests(ConfigTestCase):
    """C1: the file."""

    def load_error(self, path: str) -> tuple[str, int, str, str]:
        error = self.assertRaises(ConfigurationError, load, path)
        (problem,) = error.problems
        self.assertNotEqual(problem.hint, "")
        return problem.file, problem.line, problem.key, problem.message

    def test_load(self) -> None:
        """C1: a file is read, its name may be a str or a path; non-ASCII text is UTF-8."""
        path = self.write("ocsgw.toml", '[application]\ndbid = 1\nname = "été"\n')
        for name in (path, pathlib.Path(path)):
            config = load(name)
            self.assertEqual(config.application.name, "été")
            self.assertEqual((config.path, config.directory), (path, self.directory))

    def test_relative_path(self) -> None:
        """C3, C7: problems name the file as the caller did; the configuration has the absolute path."""
        path = os.path.relpath(self.write("ocsgw.toml", "[application]\n"))
        self.assertEqual(self.load_error(path)[0], path)
        self.write("ocsgw.toml", "[application]\ndbid = 1\n")
        self.assertEqual(load(path).path, os.path.join(self.directory, "ocsgw.toml"))

    def test_unreadable(self) -> None:
        """C3: a file that is missing, or a directory, is reported like any other problem."""
        for path in (os.path.join(self.directory, "none"), self.directory):
            file, line, key, message = self.load_error(path)
            self.assertEqual((file, line, key), (path, 1, ""))
            self.assertIn("cannot read the file", message)

    def test_not_utf8(self) -> None:
        """C1: what is not UTF-8 is reported with its line."""
        path = self.write("ocsgw.toml", b"[application]\ndbid = 1\nname = '\xe9'\n")
        self.assertEqual(self.load_error(path)[1], 3)

    def test_syntax(self) -> None:
        """C3: what is not TOML is reported with its line."""
        for text, line in (
            ("[application]\ndbid = \n", 2),
            ("[application]\ndbid = 1\ndbid = 2\n", 3),
            ("\n\n[application", 3),
            ('[application]\nname = """\n\n', 2),
            ('a = "\n', 1),
            ("a = 1\n[a]\n", 2),
            ("\ufeff[application]\ndbid = 1\n", 1),
            ("a = 1\rb = 2", 1),
            (f"\na = {'9' * 5000}\n", 1),
        ):
            (problem,) = self.problems(text)
            self.assertEqual((problem.line, problem.key), (line, ""), text[:40])
        self.assertIn("byte order mark", self.problems("\ufeff")[0].message)


class ParseTests(ConfigTestCase):
    """The whole of it."""

    def test_path_need_not_exist(self) -> None:
        """C7: parse reads no file for the text itself."""
        config = parse(APPLICATION, "/nowhere/x.toml")
        self.assertEqual((config.path, config.directory), ("/nowhere/x.toml", "/nowhere"))

    def test_everything_at_once(self) -> None:
        """C3: all problems of all kinds are reported together, by line."""
        text = """[application]
dbid = 0
reconnect_timeout = "10ms"
http_custom_headers = ["Server: x"]
[[listener]]
id = "a"
protocol = "http"
interface = "0.0.0.0"
port = 8080
[[listener]]
id = "a"
protocol = "admin"
port = 8080
allow_anonymous = true
[store]
url = "postgresql://u:p@h/d"
[ha]
lease_time = 1
[[calling_list]]
dbid = 1
name = "L"
table = "t"
tenant = "X"
[[calling_list.field]]
name = "chain_id"
type = "varchar"
[[campaign]]
dbid = 1
name = "C"
calling_lists = ["M"]
[notifications]
send_history = true
[limits]
body = "2MiB"
colour = 1
[log]
level = "loud"
"""
        problems = self.problems(text)
        self.assertEqual(
            [problem.line for problem in problems], [2, 3, 4, 8, 11, 13, 14, 16, 18, 23, 24, 26, 30, 32, 34, 35, 37]
        )

    def test_interpolation(self) -> None:
        """C10: nothing in a value is replaced."""
        config = self.parse_text('[application]\ndbid = 1\nname = "$HOME ${HOME} %(dbid)s ~"\n')
        self.assertEqual(config.application.name, "$HOME ${HOME} %(dbid)s ~")


class CheckTests(ConfigTestCase):
    """Checks of other rooms."""

    TEXT = (
        '[[listener]]\nid = "a"\nprotocol = "http"\nport = 1\n[[listener]]\nid = "b"\nprotocol = "http"\nport = 2\n'
        '[listener.tls]\ncertificate = "server.pem"\n\ncertificate-key = "server.key"\n'
    )

    def setUp(self) -> None:
        super().setUp()
        self.write_certificates()

    def test_report(self) -> None:
        """C38: what checks report becomes a problem at the line of the key, or of what encloses it."""
        tls: KeyPath = ("listener", 1, "tls")

        def check(config: Config, report: ReportProblem) -> None:
            self.assertEqual(len(config.listeners), 2)
            report((*tls, "certificate_key"), "does not fit", "take another")
            report((*tls, "tls_crl"), "is old", "fetch it")

        def other_check(_config: Config, report: ReportProblem) -> None:
            report(("store", "url"), "is far away", "")
            report(("listener", 7, "id"), "is strange", "")

        error = self.assertRaises(ConfigurationError, self.parse_text, APPLICATION + self.TEXT, [check, other_check])
        self.assertEqual(
            [(problem.line, problem.key, problem.message, problem.hint) for problem in error.problems],
            [
                (1, "[store] url", "is far away", ""),
                (4, "[[listener]] id", "is strange", ""),
                (12, "[listener.tls] tls_crl", "is old", "fetch it"),
                (15, "[listener.tls] certificate-key", "does not fit", "take another"),
            ],
        )

    def test_content(self) -> None:
        """C38: checks that report nothing let the configuration pass."""
        seen: list[Config] = []
        config = self.parse_text(APPLICATION + self.TEXT, [lambda config, _report: seen.append(config)])
        self.assertEqual(seen, [config])

    def test_not_called(self) -> None:
        """Checks see only configurations that the grammar allows."""
        seen: list[Config] = []
        text = APPLICATION + "colour = 1\n"
        self.assertRaises(ConfigurationError, self.parse_text, text, [lambda config, _report: seen.append(config)])
        self.assertEqual(seen, [])

    def test_load(self) -> None:
        """load hands checks on."""
        path = self.write("ocsgw.toml", APPLICATION)
        error = self.assertRaises(
            ConfigurationError, load, path, [lambda _config, report: report(("application", "dbid"), "m", "h")]
        )
        self.assertEqual(str(error), f"{path}:2: [application] dbid: m; h")


class RobustnessTests(ConfigTestCase):
    """C3: whatever the file has, the answer is a configuration or a report."""

    VALUES = (
        *("0", "-1", "1", "8080", "1e999", "-0.5", "nan", "true", "''", "'x'", "'a/b'", "'http'", "'30s'", "'1MiB'"),
        *("'0.0.0.0'", "'::'", "'http://u:p@h:x/'", "'ocsgw.toml'", "[]", "['x']", "[1, {}]", "{}", "{ x = 1 }"),
        *("[{}]", "[{}, {}]", "[[]]", "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "'optional'", "'char'"),
    )

    @staticmethod
    def lines(draw: Callable[[Any], Any], table: Table, header: str) -> list[str]:
        found = [f"[[{header}]]" if table.array else f"[{header}]"]
        plain = [key for key, entry in table.keys.items() if not isinstance(entry, Table)]
        keys = draw(st.lists(st.sampled_from([*plain, "x", "upgrade"]), unique=True))
        found += [f"{key} = {draw(st.sampled_from(RobustnessTests.VALUES))}" for key in keys]
        for key, entry in table.keys.items():
            if isinstance(entry, Table) and draw(st.booleans()):
                found += RobustnessTests.lines(draw, entry, f"{header}.{key}")
        return found

    @settings(deadline=None, max_examples=200)
    @given(st.data())
    def test_any_values(self, data: st.DataObject) -> None:
        """C3: every key with every kind of value ends in a configuration or in problems of lines that exist."""
        lines = []
        for name in data.draw(st.lists(st.sampled_from(sorted(GRAMMAR.keys)), max_size=6)):
            entry = GRAMMAR.keys[name]
            assert isinstance(entry, Table)
            if entry.array or f"[{name}]" not in lines:
                lines += self.lines(data.draw, entry, name)
        text = "\n".join(lines)
        tomllib.loads(text)
        try:
            self.parse_text(text)
        except ConfigurationError as error:
            for problem in error.problems:
                self.assertTrue(1 <= problem.line <= max(len(lines), 1), text)
                self.assertTrue(problem.key and problem.message and problem.hint, str(problem))

    @settings(deadline=None, max_examples=100)
    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """C3: any text at all ends in a configuration or in problems."""
        self.assertRaises(ConfigurationError, self.parse_text, text)


class RoomTests(SynchronousTestCase):
    """Architecture, section 2: the room is pure."""

    def test_imports(self) -> None:
        """The room imports the standard library, msgspec, phonenumbers, `access`, `protocol` and itself."""
        directory = pathlib.Path(ocsgw.config.__file__).parent
        allowed = {*sys.stdlib_module_names, "msgspec", "phonenumbers"}
        for file in sorted(directory.glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for name in names:
                    self.assertTrue(
                        name.split(".")[0] in allowed
                        or name.startswith(("ocsgw.config", "ocsgw.access", "ocsgw.protocol")),
                        f"{file.name}: {name}",
                    )

    def test_interface(self) -> None:
        """Every public name is there and explained."""
        for name in ocsgw.config.__all__:
            self.assertTrue(hasattr(ocsgw.config, name))
            self.assertTrue(name in {"Check", "Rule"} or getattr(ocsgw.config, name).__doc__)
