"""What the tests of the configuration share: a directory of their own and short ways to parse."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import Check, Config, ConfigurationError, Problem, parse
from ocsgw.config.grammar import GRAMMAR
from ocsgw.config.schema import Table

APPLICATION = '[application]\ndbid = 134\nstate_dir = "/run/ocsgw"\n'
"""Enough of a configuration; tables follow from line 4 on."""


class ConfigTestCase(SynchronousTestCase):
    """Parses texts as if they stood in a file ``ocsgw.toml`` of a directory of the test."""

    def setUp(self) -> None:
        # Not the folder of the test: the path of a UNIX socket is limited.
        self.directory = tempfile.mkdtemp(prefix="ocsgw-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "ocsgw.toml")

    def write(self, name: str, contents: str | bytes, mode: int = 0o640) -> str:
        """Write a file beside the configuration."""
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(contents if isinstance(contents, bytes) else contents.encode())
        os.chmod(path, mode)
        return path

    def write_certificates(self) -> None:
        """Write what a listener with TLS names."""
        for name in ("server.pem", "server.key", "ca.pem"):
            self.write(name, f"text of {name}\n")

    def parse_text(self, text: str, checks: Sequence[Check] = ()) -> Config:
        """Parse a whole configuration."""
        return parse(text, self.path, checks)

    def parse_tables(self, text: str) -> Config:
        """Parse tables after an ``[application]`` that suffices."""
        return self.parse_text(APPLICATION + text)

    def problems(self, text: str) -> tuple[Problem, ...]:
        """Parse a whole configuration that has problems."""
        error: ConfigurationError = self.assertRaises(ConfigurationError, self.parse_text, text)
        for problem in error.problems:
            self.assertEqual(problem.file, self.path)
            self.assertNotEqual(problem.hint, "", f"C3: a hint is missing in {problem}")
        return error.problems

    def problems_of(self, text: str) -> tuple[Problem, ...]:
        """Parse tables after an ``[application]`` that suffices; they have problems."""
        return self.problems(APPLICATION + text)

    def assert_problem(self, text: str, line: int, key: str, *words: str) -> Problem:
        """Assert that tables have exactly one problem, at this line of theirs and with these words."""
        problems = self.problems_of(text)
        self.assertEqual(len(problems), 1, "\n".join(map(str, problems)))
        problem = problems[0]
        self.assertEqual((problem.line - APPLICATION.count("\n"), problem.key), (line, key), str(problem))
        for word in words:
            self.assertIn(word, f"{problem.message}; {problem.hint}")
        return problem

    def assert_refused(self, table: str, key: str, value: str, *words: str) -> Problem:
        """Assert that a value of a key of a table, ``[log]`` for example, is the one problem."""
        return self.assert_problem(f"{table}\n{key} = {value}\n", 2, f"{table} {key}", *words)


def tables(table: Table = GRAMMAR, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Table]]:
    """Give all tables of the grammar."""
    yield path, table
    for key, entry in table.keys.items():
        if isinstance(entry, Table):
            yield from tables(entry, (*path, key))
