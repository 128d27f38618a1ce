"""Rows of calling lists to records: in one pass where nothing is unusual, else with a look at each."""

from unittest import skipUnless

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw import speedups
from ocsgw.contact.directory import Field
from ocsgw.store.records import LATEST, LEAST, RECORD_COLUMNS, plain_records, record_of, unreadable_column
from tests.support.rules import make_list

_MOST = 200
_LIST = make_list(201, "CL_Test", Field("note", "varchar", 64, "Note"), Field("age", "int", 0, "Age"))
_TEXTS = ("contact_info", "agent_id", "treatments")
# A row as it usually is: what every record has, two custom columns, one that events show.
_USUAL: dict[str, object] = {
    **{name: "5550100" if name in _TEXTS else 7 for name in RECORD_COLUMNS},
    "note": "a note",
    "age": 42,
    "a further column": None,
}
_VALUES = st.one_of(
    st.integers(LEAST, LATEST),
    st.sampled_from([LEAST - 1, LEAST, LATEST, LATEST + 1, 1 << 63, -(1 << 80), True]),
    st.text(max_size=80),
    st.sampled_from(["\ud800", "\x00", "é", "a" * _MOST, "a" * (_MOST + 1)]),
    st.binary(max_size=3),
    st.floats(),
    st.none(),
)
_ROWS = st.lists(
    st.dictionaries(st.sampled_from(list(_USUAL)), _VALUES, max_size=3).map(
        lambda odd: tuple({**_USUAL, **odd}.values())
    ),
    max_size=4,
)


def row(**odd: object) -> tuple[object, ...]:
    """Return the usual row with some other values in the columns that every record has."""
    return tuple({**_USUAL, **odd}.values())


class RecordsTest(SynchronousTestCase):
    @given(_ROWS, st.integers(0, 3))
    def test_one_pass_does_what_a_look_at_each_does(self, rows: list[tuple[object, ...]], first: int) -> None:
        """K63: whatever is in a row, it becomes the same record, or is left to whoever looks at each value."""
        found = plain_records(_LIST, [(*["key"] * first, *each) for each in rows], _MOST, first)
        if found is not None:
            self.assertEqual([unreadable_column(each, _MOST) for each in rows], [None] * len(rows))
            self.assertEqual(repr(found), repr([record_of(_LIST, each) for each in rows]))

    @skipUnless(speedups.is_used(), "without compiled parts each row is looked at")
    def test_usual_rows_take_one_pass(self) -> None:
        """The bounds themselves are usual, in numbers and in bytes."""
        usual = [row(), row(attempt=LEAST), row(call_time=LATEST), row(contact_info="a" * (_MOST - 20))]
        self.assertEqual(sum(len(each) for each in usual[-1] if isinstance(each, str)), _MOST)
        self.assertEqual(plain_records(_LIST, usual, _MOST), [record_of(_LIST, each) for each in usual])
        self.assertEqual(plain_records(_LIST, [], _MOST), [])

    @skipUnless(speedups.is_used(), "without compiled parts each row is looked at")
    def test_unusual_rows_are_looked_at(self) -> None:
        """Each of these may be unreadable, or is none of the usual forms; one is enough."""
        unusual = {
            **{str(value): row(attempt=value) for value in (LEAST - 1, LATEST + 1, 1 << 70, True, None, 1.5, "5", b"")},
            **{str(value): row(contact_info=value) for value in (5, None, b"a", "é", "\ud800")},
            "custom": (*row()[:-1], b"a"),
            "short": row()[:-4],
            "a list": list(row()),
            "too long": row(contact_info="a" * (_MOST - 19)),
        }
        for name, each in unusual.items():
            self.assertIsNone(plain_records(_LIST, [row(), each], _MOST), name)  # type: ignore[list-item]  # a list
        for first in (-1, 4):
            self.assertIsNone(plain_records(_LIST, [row()], _MOST, first), str(first))
