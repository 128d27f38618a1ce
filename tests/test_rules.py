"""Each rule about desktops, applications and outgoing calls is tested: its id is in the first line of a test.

`python -m tests.test_rules` prints the table.
"""

import re
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.test_requirements import first_lines

# The rules of outgoing.md, protocol.md and examples.md, by their letter.
RULES = {
    "O": ((1, 10), (20, 34), (40, 43), (50, 57), (60, 68)),
    "P": (
        *((1, 7), (10, 12), (20, 25), (30, 35), (40, 43), (50, 53), (60, 67), (70, 93), (100, 102)),
        *((110, 112), (120, 136)),
    ),
    "E": ((1, 36),),
}
_ID = re.compile(r"\b([OPE]\d+)(?: to ([OPE]\d+))?\b")


def ids() -> list[str]:
    """Return the ids of all rules."""
    return [
        f"{letter}{number}"
        for letter, ranges in RULES.items()
        for first, last in ranges
        for number in range(first, last + 1)
    ]


def tests_of_rules() -> dict[str, list[str]]:
    """Return the tests of each rule, as `module.Class.test`."""
    found: dict[str, list[str]] = {each: [] for each in ids()}
    for name, line in first_lines().items():
        for first, last in _ID.findall(line):
            letter = first[0]
            for number in range(int(first[1:]), int((last or first)[1:]) + 1):
                found.setdefault(f"{letter}{number}", []).append(name)
    return found


class RuleTests(SynchronousTestCase):
    """The rules and their tests."""

    def test_every_rule(self) -> None:
        """No rule is without a test."""
        self.assertEqual([rule for rule, tests in tests_of_rules().items() if not tests], [])

    def test_no_other_rule(self) -> None:
        """No test names a rule that does not exist."""
        self.assertEqual(sorted(tests_of_rules().keys() - set(ids())), [])


if __name__ == "__main__":
    for _rule, _tests in tests_of_rules().items():
        sys.stdout.write(f"{_rule:5} {', '.join(_tests)}\n")
