"""Tests of ocsctl(8): the page and the command line agree."""

import argparse
import pathlib
import re
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ctl.__main__ import make_parser

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "man" / "ocsctl.md"
FLAG = re.compile(r"`--([a-z][a-z-]+)`")
# The command with its arguments, and what is said about it.
ITEM = re.compile(r"^(`.*)\n(: .*\n(?:(?:  .*)?\n)*)", re.MULTILINE)

# Names of a command's arguments and of its long options.
Shape = tuple[frozenset[str], frozenset[str]]


def leaves(parser: argparse.ArgumentParser, *words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every command, in one or two words, with its own parser."""
    families = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    for family in families:
        for name, of_command in family.choices.items():
            yield from leaves(of_command, *words, name)
    if not families:
        yield " ".join(words), parser


def shape_of(parser: argparse.ArgumentParser) -> Shape:
    """Return what a command takes."""
    options = {text[2:] for each in parser._actions for text in each.option_strings if text.startswith("--")}
    arguments = {str(each.metavar).lower() for each in parser._actions if not each.option_strings}
    return frozenset(arguments), frozenset(options - {"help"})


class ManualTests(SynchronousTestCase):
    """The manual page of `ocsctl`."""

    def documented(self) -> dict[str, Shape]:
        """Return what the page says about each command."""
        page = PAGE.read_text(encoding="utf-8").split("\n### Commands\n")[1]
        commands = re.split(r"^##", page, flags=re.MULTILINE)[0]
        found = {}
        for head, said in ITEM.findall(commands):
            arguments = re.findall(r"\*([a-z]+)\*", re.sub(r"`--\S+`( \*[a-z]+\*)?", "", head))
            found[head.split("`")[1]] = (frozenset(arguments), frozenset(FLAG.findall(head + said)))
        return found

    def test_every_command(self) -> None:
        """Each command stands in the page with its arguments and options; no other does."""
        expected = {words: shape_of(parser) for words, parser in leaves(make_parser())}
        self.assertEqual(self.documented(), expected)

    def test_help_of_every_command(self) -> None:
        """`--help` of each command says what it and each of its arguments is for."""
        for words, parser in leaves(make_parser()):
            self.assertTrue(parser.description, words)
            for each in parser._actions:
                self.assertTrue(each.help, f"{words} {each.dest}")

    def test_json_everywhere(self) -> None:
        """Each command can answer programs, but those whose output is a file of its own kind."""
        without = {words for words, parser in leaves(make_parser()) if "json" not in shape_of(parser)[1]}
        self.assertEqual(without, {"list template", "completion"})
