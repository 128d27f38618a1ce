"""Tests of ocsgw.config.toml_errors: every syntax error says what is wrong in the words of a writer of files."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ocsgw.config import ConfigurationError, parse
from tests.config.support import ConfigTestCase

# What the standard library's reader says and nobody understands.
JARGON = (
    "namespace",
    "statement",
    "Unicode scalar",
    "key part",
    "Expected ",
    "Invalid ",
    "Illegal",
    "overwrite",
    "mutate",
)

MISTAKES = (
    ("a", 1, "equals sign"),
    ("a : 1", 1, "equals sign"),
    ("a =", 1, "value is missing"),
    ("name = OCS", 1, "quotation marks"),
    ("a = True", 1, "true and false"),
    ("a = 'x", 1, "not closed"),
    ('a = "x\nb = 1', 1, "not closed at the end of its line"),
    ('a = """x\n', 1, "not closed"),
    ("[a\n", 1, "closes [table]"),
    ("[[a]\n", 1, "close [[table]]"),
    ("[a]\n[a]\n", 2, "'a' is written in two places"),
    ("[a]\n[[a]]\n", 2, "stands above"),
    ("[[a]]\n[a]\n", 2, "is written in two places"),
    ("a = 1\na = 2\n", 2, "stands above"),
    ("a = {b = 1, b = 2}", 1, "'b' stands in the table twice"),
    ("a = {b = 1}\n[a.c]\n", 2, "'a.c' is written in two places"),
    ("a = [1 2]", 1, "comma"),
    ("a = {b = 1\nc = 2}", 1, "one line"),
    ('a = "\\x"', 1, "backslash"),
    ('a = "\\u12"', 1, "hexadecimal"),
    ('a = "\\uD800"', 1, "hexadecimal"),
    ("a = 2027-02-31", 1, "calendar"),
    ("port = 80 80", 1, "line of its own"),
    ("[a]]", 1, "line of its own"),
    ("= 1", 1, "key with a value"),
    ("é = 1", 1, "key with a value"),
    ("[é]\n", 1, "digits, hyphens"),
    ('a = "x\x01"', 1, "is not allowed here"),
    ("a = 1 # \x00", 1, "is not allowed here"),
)


class SyntaxTests(ConfigTestCase):
    """TOML that cannot be read."""

    def test_in_words(self) -> None:
        """C3: each kind of syntax error has its line, what is wrong and what to do."""
        for text, line, words in MISTAKES:
            with self.subTest(text=text):
                (problem,) = self.problems(text)
                self.assertEqual(problem.line, line)
                self.assertIn(words, f"{problem.message}; {problem.hint}")

    @settings(deadline=None, max_examples=300)
    @given(st.text("[]{}=,.'\"\\\n #ab1-:é\x01", max_size=20))
    def test_no_jargon(self, text: str) -> None:
        """Whatever is wrong, no word of the reader's own grammar comes out."""
        try:
            parse(text, self.path)
        except ConfigurationError as error:
            for problem in error.problems:
                for word in JARGON:
                    self.assertNotIn(word, problem.message, text)
