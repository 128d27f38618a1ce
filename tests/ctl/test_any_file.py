"""Whatever stands in a file: an import ends in words, and a cell in a value or a refusal."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.operations.cells import (
    CellForm,
    LocalTime,
    RowError,
    daily_time,
    date_and_time,
    decimal_point,
    doubt_about_phone,
    plain_header,
    seconds_or_date,
    unmarked,
)
from tests.ctl.support import CommandTestCase

_PARTS = st.sampled_from(
    [b"GSW_PHONE", b"Segment", b",", b";", b"\t", b"|", b'"', b"\r\n", b"\n", b"\r", b"\xef\xbb\xbf", b"\xff\xfe",
     b"\x00", b"sep=", b"1", b"6505550100", b"'", b"=", b"\xe9", b"\xc3\xa9", b" ", b"24.12.2026", b"6,51E+09"]
)  # fmt: skip
_FILES = st.one_of(st.lists(_PARTS, max_size=40).map(b"".join), st.binary(max_size=60))
_CELLS = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"\A\d{1,5}[-./]\d{1,3}[-./]\d{1,5}[ T]?\d{0,3}:?\d{0,3}(:\d\d)?([ +-]\S{1,6})?\Z"),
    st.from_regex(r"\A\d{1,3}:\d{1,3}(:\d\d)? ?[ap]?m?\Z"),
    st.from_regex(r"\A[+-]?\d{1,25}\Z"),
)


class AnyFileTests(CommandTestCase):
    """Files of rubbish."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(contents=_FILES, target=st.sampled_from([("list", "import", "CL_Test"), ("dnc", "import")]))
    @example(contents=b"sep=;", target=("dnc", "import"))
    @example(contents=b"\xff\xfeG", target=("dnc", "import"))
    @example(contents=b"GSW_PHONE\n'\n", target=("list", "import", "CL_Test"))
    @example(contents=b"GSW_PHONE,\n1,x\n", target=("list", "import", "CL_Test"))
    def test_ends_in_words(self, contents: bytes, target: tuple[str, ...]) -> None:
        """An import of any bytes ends with 0 or 1 and never as a fault of ocsctl; so does a dry run of it."""
        file = self.write("f.csv", contents)
        for options in (("--dry-run", "--partial"), ("--duplicates", "update")):
            done = self.run_command(*target, file, *options)
            self.assertIn(done.status, (0, 1), done)
            self.assertNotIn("fault of ocsctl", done.messages)


class AnyCellTests(SynchronousTestCase):
    """Cells of rubbish."""

    @settings(max_examples=1500, deadline=None)
    @given(cell=_CELLS.filter(bool), day_first=st.booleans())
    def test_value_or_refusal(self, cell: str, day_first: bool) -> None:
        """Every reader gives a value in its range, or refuses the cell with it in one line."""
        form = CellForm(decimal_comma=True, day_first=day_first)
        seconds = daily_time(cell)
        self.assertTrue(seconds is None or 0 <= seconds <= 86400)
        for read in (date_and_time, seconds_or_date):
            try:
                found = read("X", cell, form)
            except RowError as error:
                self.assertTrue(str(error).isprintable(), error)
            else:
                self.assertIsInstance(found, int | LocalTime)
                if isinstance(found, LocalTime):
                    self.assertGreaterEqual(found.moment.year, 1970)
        self.assertIsInstance(doubt_about_phone(cell), str)
        self.assertIsInstance(decimal_point(cell, form), str)
        self.assertIsInstance(plain_header(cell), str)
        self.assertIn(unmarked(cell, is_contact=True), (cell, cell[1:]))
