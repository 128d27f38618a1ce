"""Tests of ocsgw.config.values: units, numbers, texts, names, enumerations, arrays."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config.support import ConfigTestCase


class DurationTests(ConfigTestCase):
    """C5: durations."""

    def wait(self, written: str) -> float:
        return self.parse_tables(f"[store]\nwait = {written}\n").store.wait

    def test_units(self) -> None:
        """C5: numbers are seconds; strings have one of five units."""
        for written, seconds in (
            ("0", 0.0),
            ("30", 30.0),
            ("2.5", 2.5),
            ('"300ms"', 0.3),
            ('"1.001s"', 1.001),
            ('"30s"', 30.0),
            ('"10m"', 600.0),
            ('"1.5h"', 5400.0),
            ('"7d"', 604800.0),
        ):
            value = self.wait(written)
            self.assertEqual(value, seconds)
            self.assertIsInstance(value, float)

    def test_wrong(self) -> None:
        """C5: another unit, none in a string, a sign, or no number is an error."""
        for written in ('"1w"', '"30"', '"s"', '"1 s"', '"-1s"', '""', '"1e3s"', '"1MS"', '".5s"', '"٣s"', '"9B"'):
            self.assert_refused("[store]", "wait", written, "unit", '"1.5h"')
        self.assert_refused("[store]", "wait", "-1", "negative")
        self.assert_refused("[store]", "wait", "true", "boolean")
        self.assert_refused("[store]", "wait", "1979-05-27", "a date")

    def test_beyond_all_ranges(self) -> None:
        """C5: infinite and absurd values are errors, whatever their size."""
        huge = "9" * 400
        for written in ("inf", "nan", "-inf", huge, f"0x{'f' * 5000}", f'"{huge}d"', '"8d"', f"-{huge}"):
            self.assert_refused("[store]", "wait", written)

    def test_least(self) -> None:
        """C5, section 3: reconnect_timeout is at least 100 ms, idempotency_ttl at least a minute."""
        tables = '[log]\n[limits]\nidempotency_ttl = "1m"\n'
        self.assertEqual(self.parse_tables(tables).limits.idempotency_ttl, 60)
        self.assert_refused("[limits]", "idempotency_ttl", '"59s"', "1m")
        self.assertEqual(
            self.parse_text('[application]\ndbid = 1\nreconnect_timeout = "100ms"').application.reconnect_timeout, 0.1
        )
        (problem,) = self.problems("[application]\ndbid = 1\nreconnect_timeout = 0.0999")
        self.assertIn("100ms", problem.message)

    def test_zero(self) -> None:
        """C5: time limits of zero would let nothing through; where zero has a meaning it is taken."""
        for table, key in (("[limits]", "request_timeout"), ("[do_not_call]", "reread"), ("[ha]", "lease_time")):
            problems = self.problems_of(f"{table}\n{key} = 0\n")
            self.assertEqual(problems[0].key, f"{table} {key}")
        config = self.parse_tables("[limits]\nduplicate_window = 0\n[pre_dial_validation]\nfailure_retry = 0\n")
        self.assertEqual((config.limits.duplicate_window, config.pre_dial_validation.failure_retry), (0, 0))

    @settings(deadline=None, max_examples=50)
    @given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h"]))
    def test_any_number(self, number: int, unit: str) -> None:
        """C5: a whole number with a unit is exactly that many units."""
        units = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
        if number * units[unit] / 1000 <= 7 * 86400:
            self.assertEqual(self.wait(f'"{number}{unit}"'), number * units[unit] / 1000)


class SizeTests(ConfigTestCase):
    """C5: sizes."""

    def test_units(self) -> None:
        """C5: numbers are bytes; strings have one of four units."""
        for written, size in (("1", 1), ('"9B"', 9), ('"8KiB"', 8192), ('"1.5MiB"', 1572864), ('"2GiB"', 2**31)):
            value = self.parse_tables(f"[limits]\nsend_buffer = {written}\n").limits.send_buffer
            self.assertEqual(value, size)
            self.assertIsInstance(value, int)

    def test_wrong(self) -> None:
        """C5: another unit, a part of a byte, a sign, or no number is an error."""
        for written in ('"1MB"', '"1k"', '"1kib"', '"1"', '"0.3B"', "1.5", "-1", "0", "true", "[]", "inf", "nan"):
            self.assert_refused("[limits]", "send_buffer", written, '"64KiB"')

    def test_frame_fits_its_length(self) -> None:
        """P60: a frame's length has four bytes."""
        self.assertEqual(self.parse_tables("[limits]\nframe = 4294967295\n").limits.frame, 2**32 - 1)
        self.assert_refused("[limits]", "frame", '"4GiB"', "4294967295")


class PlainValueTests(ConfigTestCase):
    """Types and ranges of the other values."""

    def test_integers(self) -> None:
        """Sections 4, 9: integers have ranges; other types are errors."""
        for written in ("0", "1001", "-1", "5.0", '"5"', "true", f"0x{'f' * 5000}"):
            self.assert_refused("[pre_dial_validation]", "http_connection_pool_size", written, "1", "1000")
        for number in (1, 1000):
            config = self.parse_tables(f"[pre_dial_validation]\nhttp_connection_pool_size = {number}\n")
            self.assertEqual(config.pre_dial_validation.http_connection_pool_size, number)

    def test_booleans(self) -> None:
        """Booleans are true and false only."""
        for written in ("1", '"true"', "[]"):
            self.assert_refused("[ha]", "enabled", written, "boolean")

    def test_dbids(self) -> None:
        """C8: DBIDs are from 1 to 2147483647."""
        for written in (1, 2147483647):
            self.assertEqual(self.parse_text(f"[application]\ndbid = {written}\n").application.dbid, written)
        for wrong in ("0", "2147483648", '"134"'):
            self.assertEqual(len(self.problems(f"[application]\ndbid = {wrong}\n")), 1)

    def test_enumerations(self) -> None:
        """Enumerated values are exact; a near one is suggested, else all are named."""
        self.assert_refused("[log]", "level", '"INFO"', 'did you mean "info"?')
        self.assert_refused("[log]", "level", '"xyz"', '"debug", "trace", "info", "warning" or "error"')
        self.assert_refused("[log]", "level", "3", "string")

    def test_names(self) -> None:
        """C8: names have 1 to 255 characters, in normalization form C, and no control characters."""
        config = self.parse_text('[application]\ndbid = 1\nname = "e\u0301"')
        self.assertEqual(config.application.name, "\u00e9")
        longest = "e\u0301" * 255
        self.parse_text(f'[application]\ndbid = 1\nname = "{longest}"')
        for name in ("", "x" * 256, "a\\nb", "a\\u0000", "a\\u0085"):
            self.assertEqual(len(self.problems(f'[application]\ndbid = 1\nname = "{name}"')), 1)

    def test_names_without_slash(self) -> None:
        """C8: names of tenants and time zones have no slash; those of lists may."""
        self.assert_problem('[[tenant]]\ndbid = 1\nname = "a/b"\n', 3, "[[tenant]] name", '"/"')
        self.assert_problem('[[time_zone]]\ndbid = 1\nname = "a/b"\nzone = "Etc/UTC"\n', 3, "[[time_zone]] name", '"/"')
        self.parse_tables('[[calling_list]]\ndbid = 1\nname = "a/b"\ntable = "t"\n')

    def test_arrays(self) -> None:
        """Arrays are arrays without repetitions; every wrong element is reported."""
        table = '[[campaign]]\ndbid = 1\nname = "c"\n'
        self.assert_problem(f'{table}calling_lists = "a"\n', 4, "[[campaign]] calling_lists", "array")
        problems = self.problems_of(f'{table}calling_lists = [\n"",\n1,\n]\n')
        self.assertEqual([problem.line - 3 for problem in problems], [5, 6])
        lists = '[[calling_list]]\ndbid = 1\nname = "a"\ntable = "t"\n'
        self.assert_problem(
            f'{lists}{table}calling_lists = ["a",\n "a"]\n', 9, "[[campaign]] calling_lists", '"a" twice'
        )
