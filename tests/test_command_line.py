"""The `ocsgw` command: its line, its statuses, its manual page."""

import argparse
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw import __main__
from ocsgw.__main__ import main, make_parser
from ocsgw.interpreter import description
from ocsgw.tap import Options
from ocsgw.version import VERSION

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "man" / "ocsgw.md"


def leaves(parser: argparse.ArgumentParser, *words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every command, in one or two words, with its own parser."""
    families = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    for family in families:
        for name, of_command in family.choices.items():
            yield from leaves(of_command, *words, name)
    if not families:
        yield " ".join(words), parser


class CommandLineTests(SynchronousTestCase):
    """What the command prints and returns."""

    def command(self, *words: str) -> tuple[int, str, str]:
        """Run a command line; return status, output and error output."""
        output, errors = io.StringIO(), io.StringIO()
        self.patch(sys, "argv", ["ocsgw", *words])
        # What the user of an installed service may do is no matter here.
        self.patch(__main__, "_SERVICE_USER", "")
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        try:
            status = main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        return status, output.getvalue(), errors.getvalue()

    def test_wrong(self) -> None:
        """C77 and the table of statuses: a wrong command line ends with 64 and says how it should be."""
        for words in ((), ("fly",), ("run", "--fast"), ("check-config", "a", "b"), ("key",)):
            status, output, errors = self.command(*words)
            self.assertEqual((status, output), (64, ""), words)
            self.assertIn("usage: ocsgw", errors)

    def test_version(self) -> None:
        """`--version` prints name and version, and what runs it."""
        self.assertEqual(self.command("--version"), (0, f"ocsgw {VERSION}\n{description()}\n", ""))

    def test_check_config(self) -> None:
        """C3: a good file is called good with 0; a bad one ends with 78 and every problem with its line."""
        example = str(ROOT / "etc" / "ocsgw.toml")
        self.assertEqual(self.command("check-config", "-c", example), (0, f"{example}: no problems found\n", ""))
        bad = Path(self.mktemp())
        bad.write_text("[application]\ndbid = 0\nnme = 'x'\n", encoding="utf-8")
        status, output, errors = self.command("check-config", "--config", str(bad))
        self.assertEqual((status, output), (78, ""))
        self.assertIn(f"{bad}:2:", errors)
        self.assertIn(f"{bad}:3:", errors)
        status, _, errors = self.command("check-config", "--user", "no such user", "-c", example)
        self.assertEqual(status, 64)
        self.assertIn("there is no user no such user", errors)

    def test_no_file(self) -> None:
        """C3: a file that is not there is a problem like any other."""
        status, _, errors = self.command("run", "--config", "/does/not/exist.toml")
        self.assertEqual(status, 78)
        self.assertIn("/does/not/exist.toml", errors)


class ManualTests(SynchronousTestCase):
    """ocsgw(8) and the command line agree."""

    def setUp(self) -> None:
        self.page = PAGE.read_text(encoding="utf-8")

    def synopsis(self) -> dict[str, set[str]]:
        """Return what the synopsis gives each command: its options and arguments."""
        lines = self.page.split("\n## Synopsis\n")[1].split("```")[1].splitlines()[1:]
        found = {}
        for program, *rest in (line.split() for line in lines):
            words = [each for each in rest if re.fullmatch(r"[a-z-]+", each) and not each.startswith("-")]
            options = {each.strip("[]")[1:] for each in rest if each.strip("[]").startswith("--")}
            arguments = {each.lower() for each in rest if each.isupper() and each.isalpha()}
            found[" ".join(words)] = options | arguments if program == "ocsgw" else options
        return found

    def test_synopsis(self) -> None:
        """Each command stands in the synopsis with its options and arguments; no other does."""
        expected = {"": {"-version"}, "ocsgw": {f"-{name}" for name in ("config", "example")}}
        for words, parser in leaves(make_parser()):
            options = {text[1:] for each in parser._actions for text in each.option_strings if text.startswith("--")}
            arguments = {str(each.metavar).lower() for each in parser._actions if not each.option_strings}
            expected[words] = (options - {"-help"}) | arguments
        self.assertEqual(self.synopsis(), expected)

    def test_described(self) -> None:
        """Each command and each option is described, and `--help` says what each is for."""
        commands = re.findall(r"^`([a-z][a-z -]+)`(?: \*.*)?\n: ", self.page.split("\n### Options")[0], re.MULTILINE)
        self.assertEqual(commands, [words for words, _ in leaves(make_parser())])
        described = set(re.findall(r"`--([a-z-]+)`", "".join(re.findall(r"^`-.*$", self.page, re.MULTILINE))))
        for _, parser in leaves(make_parser()):
            for each in parser._actions:
                self.assertTrue(each.help)
                for text in each.option_strings:
                    if text.startswith("--"):
                        self.assertIn(text[2:], described)

    def test_plugin(self) -> None:
        """`twistd ocsgw` takes the options of `ocsgw run`."""
        (run,) = (parser for words, parser in leaves(make_parser()) if words == "run")
        options = {text[2:] for each in run._actions for text in each.option_strings if text.startswith("--")}
        self.assertEqual(options - {"help"}, set(Options()))

    def test_statuses(self) -> None:
        """Section 15: the page has the exit statuses of OCS, and no other."""
        statuses = self.page.split("\n## Exit status\n")[1].split("\n## ")[0]
        self.assertEqual(re.findall(r"^(\d+)\n: ", statuses, re.MULTILINE), ["0", "1", "64", "69", "78"])
