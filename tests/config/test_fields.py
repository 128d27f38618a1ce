"""Tests of ocsgw.config.field_rules: custom columns and their defaults."""

from ocsgw.config import Field
from ocsgw.protocol.columns import CLASSIC_COLUMNS
from tests.config.support import ConfigTestCase

LIST = '[[calling_list]]\ndbid = 1\nname = "L"\ntable = "t"\n'


def field(name: str, kind: str, *lines: str) -> str:
    """Write a field: three lines and the others."""
    return "\n".join([f'[[calling_list.field]]\nname = "{name}"\ntype = "{kind}"', *lines, ""])


class FieldTests(ConfigTestCase):
    """Section 8, K30 to K34."""

    def parse_field(self, kind: str, *lines: str) -> Field:
        return self.parse_tables(LIST + field("f", kind, *lines)).calling_lists[0].fields[0]

    def assert_field(self, line: int, key: str, text: str, *words: str) -> None:
        self.assert_problem(LIST + text, line + 4, f"[[calling_list.field]] {key}", *words)

    def test_plain(self) -> None:
        """K30: without more than name and type a field has no default and does not travel (K31)."""
        found = self.parse_field("int")
        self.assertEqual((found.name, found.type, found.length), ("f", "int", None))
        self.assertEqual((found.default, found.send_attribute), (None, None))

    def test_lengths(self) -> None:
        """Section 8: texts have a length from 1 to 4000, other types have none."""
        for kind in ("char", "varchar"):
            self.assertEqual(self.parse_field(kind, "length = 4000").length, 4000)
            self.assert_field(1, "length", field("f", kind), "missing")
            self.assert_field(4, "length", field("f", kind, "length = 4001"), "4000")
            self.assert_field(4, "length", field("f", kind, "length = 0"), "1 to")
        for kind in ("int", "float", "datetime"):
            self.assert_field(4, "length", field("f", kind, "length = 4"), f'"{kind}"')

    def test_types(self) -> None:
        """K33: there are five types."""
        self.assert_field(3, "type", field("f", "text"), '"varchar"')

    def test_number_defaults(self) -> None:
        """K33: defaults of numbers are numbers of their range."""
        for written, value in (("-2147483648", -(2**31)), ("2147483647", 2**31 - 1)):
            self.assertEqual(self.parse_field("int", f"default = {written}").default, value)
        for wrong in ("2147483648", "-2147483649", "1.0", '"1"', "true", "[]", f"0x{'f' * 5000}"):
            self.assert_field(4, "default", field("f", "int", f"default = {wrong}"), "32 bits")
        self.assert_field(4, "default", field("f", "int", "default = true"), "not true")
        for written, number in (("2", 2.0), ("-1.5e300", -1.5e300), ("1.7976931348623157e308", 1.7976931348623157e308)):
            default = self.parse_field("float", f"default = {written}").default
            self.assertEqual(default, number)
            self.assertIsInstance(default, float)
        for wrong in ("inf", "nan", '"1.0"', "false", f"0x{'f' * 5000}", "1979-05-27"):
            self.assert_field(4, "default", field("f", "float", f"default = {wrong}"), "number")

    def test_text_defaults(self) -> None:
        """K33: defaults of texts are strings that fit the length."""
        for kind in ("char", "varchar"):
            self.assertEqual(self.parse_field(kind, "length = 3", 'default = "\\néé"').default, "\néé")
            self.assertEqual(self.parse_field(kind, "length = 3", 'default = ""').default, "")
            self.assert_field(5, "default", field("f", kind, "length = 3", 'default = "abcd"'), "4 characters")
            self.assert_field(5, "default", field("f", kind, "length = 3", "default = 5"), "integer")
            self.assert_field(5, "default", field("f", kind, "length = 3", 'default = "\\u0000"'), "U+0000")

    def test_date_time_defaults(self) -> None:
        """K33: defaults of dates are date-times without offset, as text in one form."""
        for written in ("2026-01-31T08:30:00", "2026-01-31 08:30:00", '"2026-01-31 08:30:00"', '"2026-01-31T08:30"'):
            self.assertEqual(self.parse_field("datetime", f"default = {written}").default, "2026-01-31 08:30:00")
        self.assertEqual(self.parse_field("datetime", "default = 0999-01-01T00:00:00").default, "0999-01-01 00:00:00")
        for wrong in (
            "2026-01-31T08:30:00Z",
            "2026-01-31",
            '"2026-02-30 08:30:00"',
            '"now"',
            "5",
            '"2026-01-31"',
            '"2026-01-31 08:30:00+01:00"',
            '"2026-W05-6 08:30"',
        ):
            self.assert_field(4, "default", field("f", "datetime", f"default = {wrong}"))

    def test_default_of_broken_field(self) -> None:
        """C3: a default is judged by its type, also if the length is wrong, and not without a type."""
        problems = self.problems_of(LIST + field("f", "char", "default = 5"))
        self.assertEqual([problem.key.split()[1] for problem in problems], ["length", "default"])
        self.assert_field(1, "length", field("f", "char", 'default = "x"'))
        problems = self.problems_of(LIST + field("f", "text", "default = 5"))
        self.assertEqual([problem.key.split()[1] for problem in problems], ["type"])

    def test_classic_columns(self) -> None:
        """K64: a classic column may have a key, in any case of its name, and nothing else."""
        self.assertEqual(len(CLASSIC_COLUMNS), 23)
        for name in (*sorted(CLASSIC_COLUMNS), "Record_ID"):
            text = f'[[calling_list.field]]\nname = "{name}"\n'
            found = self.parse_tables(LIST + text + 'send_attribute = "A"\n').calling_lists[0]
            self.assertEqual([(each.name, each.send_attribute) for each in found.shown_columns], [(name.lower(), "A")])
            self.assertEqual(found.fields, ())
            self.assert_field(1, "send_attribute", text, "classic column")
            for key, value in (("type", '"int"'), ("length", "4"), ("default", "4")):
                more = f'send_attribute = "A"\n{key} = {value}\n'
                self.assert_field(4, key, text + more, "classic column")

    def test_missing_type(self) -> None:
        """Section 8: a custom column has a type."""
        self.assert_field(1, "type", '[[calling_list.field]]\nname = "f"\n', "missing")

    def test_unique(self) -> None:
        """K30, K32: names are unique in a list, in any case, and so are keys, exactly."""
        self.assert_field(5, "name", field("f", "int") + field("F", "int"), "line 8")
        same = field("f", "int", 'send_attribute = "A"') + field("g", "int", 'send_attribute = "A"')
        self.assert_field(8, "send_attribute", same, "line 8")
        other_case = field("f", "int", 'send_attribute = "A"') + field("g", "int", 'send_attribute = "a"')
        other_list = '[[calling_list]]\ndbid = 2\nname = "M"\ntable = "u"\n' + field("f", "int", 'send_attribute = "A"')
        self.parse_tables(LIST + other_case + other_list)
        classic = '[[calling_list.field]]\nname = "agent_id"\nsend_attribute = "A"\n'
        self.assert_field(7, "send_attribute", field("f", "int", 'send_attribute = "A"') + classic, "line 8")


class CustomerIdTests(ConfigTestCase):
    """K34: the field of the customer id."""

    def warnings(self, tables: str) -> list[str]:
        config = self.parse_text(f'[application]\ndbid = 1\ncustomer_id = "cust"\n{tables}')
        self.assertEqual(config.application.customer_id, "cust")
        return [warning.key for warning in config.warnings]

    def test_in_some_list(self) -> None:
        """Section 3: not every list needs the field."""
        other = '[[calling_list]]\ndbid = 2\nname = "M"\ntable = "u"\n'
        self.assertEqual(self.warnings(LIST + field("cust", "int") + other), [])

    def test_in_no_list(self) -> None:
        """H256: a customer id that no list has is allowed, but warned of; without lists it is not."""
        self.assertEqual(self.warnings(LIST + field("Cust", "int")), ["[application] customer_id"])
        self.assertEqual(self.warnings(""), [])

    def test_classic_column(self) -> None:
        """K64: a classic column cannot hold the customer id."""
        for name in ("contact_info", "Agent_ID"):
            (problem,) = self.problems(f'[application]\ndbid = 1\ncustomer_id = "{name}"\n')
            self.assertEqual(problem.key, "[application] customer_id")
            self.assertIn("classic column", problem.message)
