"""Tests of ocsgw.config.problems: how problems are reported."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import ConfigurationError, Problem
from ocsgw.config.problems import alternatives, quoted
from tests.config.support import APPLICATION, ConfigTestCase


class ProblemTests(SynchronousTestCase):
    """C2, C3: file, line, key and hint."""

    def test_text(self) -> None:
        """C3: a problem is printed with file, line, key, what is wrong and the hint."""
        problem = Problem("etc/ocsgw.toml", 12, "[[listener]] prot", "unknown key", 'did you mean "port"?')
        self.assertEqual(str(problem), 'etc/ocsgw.toml:12: [[listener]] prot: unknown key; did you mean "port"?')

    def test_text_without_key_and_hint(self) -> None:
        """C3: what is empty leaves no trace in the text."""
        self.assertEqual(str(Problem("f", 1, "", "cannot read the file")), "f:1: cannot read the file")

    def test_frozen(self) -> None:
        """A problem cannot be changed, and equal ones are equal."""
        problem = Problem("f", 1, "k", "m")
        self.assertEqual(problem, Problem("f", 1, "k", "m", ""))
        self.assertRaises(AttributeError, setattr, problem, "line", 2)

    def test_error(self) -> None:
        """C3: the error has all problems by line, and its text is the report."""
        first, second = Problem("f", 2, "a", "m"), Problem("f", 10, "b", "m", "h")
        error = ConfigurationError([second, first])
        self.assertEqual(error.problems, (first, second))
        self.assertEqual(str(error), "f:2: a: m\nf:10: b: m; h")

    def test_quoted(self) -> None:
        """R55: texts of the file are shown without control characters and cut to 64 characters."""
        self.assertEqual(quoted("a\n\x1b\u2028é"), '"a???é"')
        self.assertEqual(quoted("x" * 64), f'"{"x" * 64}"')
        self.assertEqual(quoted("x" * 65), f'"{"x" * 64}..."')

    def test_alternatives(self) -> None:
        """Words are joined for a sentence."""
        self.assertEqual(alternatives(["a"]), "a")
        self.assertEqual(alternatives(["a", "b", "c"]), "a, b or c")


class KeyTests(ConfigTestCase):
    """C3: keys are shown as the user would write them, at their lines."""

    def assert_shown(self, text: str, *expected: tuple[int, str]) -> None:
        shown = [(problem.line - 3, problem.key) for problem in self.problems_of(text)]
        self.assertEqual(shown, list(expected))

    def test_tables(self) -> None:
        """Keys of tables, arrays of tables, tables below them, and elements of arrays."""
        self.write_certificates()
        self.assert_shown("[log]\nlevel = 1\n", (2, "[log] level"))
        self.assert_shown(
            "[[treatment]]\n", *[(1, f"[[treatment]] {k}") for k in ("dbid", "name", "call_result", "action")]
        )
        self.assert_shown(
            '[[listener]]\nid = "a"\nprotocol = "http"\nport = 1\n[listener.tls]\ncertificate = "server.pem"\n',
            (5, "[listener.tls] certificate_key"),
        )
        self.assert_shown(
            '[[calling_list]]\ndbid = 1\nname = "l"\ntable = "l"\n[[calling_list.field]]\nname = "f"\ntype = "text"\n',
            (7, "[[calling_list.field]] type"),
        )
        self.assert_shown(
            '[[api_key]]\nname = "a"\nkey_file = "server.pem"\nlisteners = [\n"a",\n2 ]\n',
            (6, "[[api_key]] listeners"),
        )

    def test_unknown_tables(self) -> None:
        """Unknown tables are shown with their brackets, unknown keys outside tables without."""
        self.assertEqual(
            [p.key for p in self.problems("a = 1\n[b]\n[[c]]\n[b.d]\n[application]\ndbid = 1\n")], ["a", "[b]", "[[c]]"]
        )

    def test_spelling(self) -> None:
        """C4: keys are shown as they are spelled in the file, quoted if need be."""
        self.assert_shown(
            '[do-not-call]\n"sco pe" = 1\nre-read = 1\n"" = 1\n',
            (2, '[do-not-call] "sco pe"'),
            (3, "[do-not-call] re-read"),
            (4, '[do-not-call] ""'),
        )

    def test_inherited_key(self) -> None:
        """C36: a key that stands elsewhere is reported at the table where it counts."""
        self.write_certificates()
        text = (
            APPLICATION
            + '[application.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\ntls_mutual = true\n'
            + '[[listener]]\nid = "a"\nprotocol = "http"\nport = 1\n[listener.tls]\n'
        )
        self.assertEqual([(p.line, p.key) for p in self.problems(text)], [(12, "[listener.tls] tls_mutual")])

    def test_missing_table(self) -> None:
        """C3: a key that is missing with its table is reported at the first line."""
        self.assertEqual([(p.line, p.key) for p in self.problems("")], [(1, "[application] dbid")])

    def test_deep_nesting(self) -> None:
        """C3: whatever depth tomllib reads, its line is found; what it cannot read is a problem."""
        for depth in (50, 150, 300, 400, 440, 460, 480, 100_000):
            for opening, closing in (("[", "]"), ("{a=", "}")):
                problems = self.problems(f"\nx = {opening * depth}1{closing * depth}\n[application]\ndbid = 1\n")
                expected = (2, "x") if problems[0].key else (1, "")
                self.assertEqual([(p.line, p.key.strip("[]")) for p in problems], [expected])
