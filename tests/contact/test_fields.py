"""Custom fields of requests and events (http.md H96 to H98, H110 to H121; constants.md K30 to K34)."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.directory import Directory
from ocsgw.contact.fields import FieldType, float_text, to_column, to_event
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from tests.support.rules import RuleTestCase, add_record, by_handle, make_directory

# Type, length, value as it comes over the link, what is stored.
ACCEPTED: list[tuple[FieldType, int | None, object, object]] = [
    ("int", None, 5, 5),
    ("int", None, "-12", -12),
    ("int", None, "007", 7),
    ("int", None, True, 1),
    ("int", None, 2**31 - 1, 2**31 - 1),
    ("int", None, -(2**31), -(2**31)),
    ("int", None, "", None),
    ("int", None, None, None),
    ("float", None, 2, 2.0),
    ("float", None, "2.5", 2.5),
    ("float", None, "-1e-3", -0.001),
    ("float", None, "1E5", 100000.0),
    ("float", None, "5", 5.0),
    ("float", None, True, 1.0),
    ("float", None, False, 0.0),
    ("float", None, "-0.0", 0.0),
    ("float", None, "", None),
    ("char", 4, "ab", "ab"),
    ("char", 4, "", None),
    ("char", 4, 42, "42"),
    ("varchar", 3, "äöü", "äöü"),
    ("varchar", 10, "1.50", "1.50"),
    ("varchar", 10, True, "1"),
    ("varchar", 10, " x ", " x "),
    ("varchar", None, None, None),
    ("datetime", None, "12/24/2026 09:05", "2026-12-24 09:05:00"),
    ("datetime", None, "1/2/2026 3:04:05", "2026-01-02 03:04:05"),
    ("datetime", None, "2026-12-24 09:05", "2026-12-24 09:05:00"),
    ("datetime", None, "2026-12-24T09:05:59", "2026-12-24 09:05:59"),
    ("datetime", None, "0099-01-01 00:00", "0099-01-01 00:00:00"),
    ("datetime", None, "", None),
]
REFUSED: list[tuple[FieldType, int | None, object]] = [
    ("int", None, "x"),
    ("int", None, "1.0"),
    ("int", None, "+1"),
    ("int", None, " 1"),
    ("int", None, "１"),
    ("int", None, 2**31),
    ("int", None, "-2147483649"),
    ("int", None, "9" * 5000),
    ("int", None, []),
    ("int", None, {}),
    ("float", None, "x"),
    ("float", None, "NaN"),
    ("float", None, "Infinity"),
    ("float", None, "1e999"),
    ("float", None, "1_0"),
    ("float", None, []),
    ("char", 4, "abcde"),
    ("char", 4, 12345),
    ("varchar", 3, "abcd"),
    ("varchar", 3, {}),
    ("varchar", 3, []),
    ("datetime", None, "12/24/2026"),
    ("datetime", None, "02/30/2026 10:00"),
    ("datetime", None, "2026-12-24  09:05"),
    ("datetime", None, "2026-12-24 24:00"),
    ("datetime", None, "2026-1-2 03:04"),
    ("datetime", None, 5),
    ("datetime", None, []),
]


class ColumnTests(SynchronousTestCase):
    """Values of columns."""

    def test_accepted(self) -> None:
        """H120: what a column of each type takes; an empty string leaves it as it is."""
        for kind, length, value, stored in ACCEPTED:
            found = to_column(kind, length, "K", value)
            self.assertEqual((found, type(found)), (stored, type(stored)), f"{kind} {value!r}")

    def test_refused(self) -> None:
        """H111, H112, H115, H119, H120: what a column does not take is refused by the name of the member."""
        for kind, length, value in REFUSED:
            refusal = self.assertRaises(Refusal, to_column, kind, length, "My Key", value)
            self.assertEqual(refusal.text, "Invalid value of attribute My Key", f"{kind} {value!r}")

    def test_zero_has_no_sign(self) -> None:
        """H121: a negative zero is stored as zero, so that it reads back as it was acknowledged."""
        found = to_column("float", None, "K", "-0.0")
        assert isinstance(found, float)
        self.assertEqual(math.copysign(1, found), 1)

    def test_events(self) -> None:
        """H121: integers are numbers, everything else is text; a `float` has a fraction and no exponent."""
        rows: list[tuple[FieldType, int | float | str, object]] = [
            ("int", 5, 5),
            ("int", 5.0, 5),
            ("float", 2, "2.0"),
            ("float", 0.1, "0.1"),
            ("float", 1e22, "10000000000000000000000.0"),
            ("float", 1.5e-7, "0.00000015"),
            ("float", -1e16, "-10000000000000000.0"),
            ("varchar", "x", "x"),
            ("varchar", 7, "7"),
            ("datetime", "2026-12-24 09:05:00", "2026-12-24 09:05:00"),
        ]
        for kind, stored, shown in rows:
            found = to_event(kind, stored)
            self.assertEqual((found, type(found)), (shown, type(shown)), f"{kind} {stored!r}")

    def test_what_is_no_value(self) -> None:
        """K16: what another program has stored and is no value of the field does not travel."""
        rows: list[tuple[FieldType, int | float | str]] = [
            ("int", "abc"),
            ("int", ""),
            ("float", "x"),
            ("float", math.inf),
            ("int", math.nan),
        ]
        for kind, stored in rows:
            self.assertIsNone(to_event(kind, stored))

    @given(st.floats(allow_nan=False, allow_infinity=False))
    @settings(deadline=None, max_examples=300)
    def test_float_text(self, number: float) -> None:
        """H121: the text reads back as the same number, has a fraction, and no shorter one does it."""
        text = float_text(number)
        self.assertEqual(float(text), number)
        self.assertNotIn("e", text)
        whole, _, fraction = text.partition(".")
        self.assertTrue(whole and fraction)
        digits = (whole.lstrip("-") + fraction).strip("0")
        self.assertEqual(len(digits), len(repr(number).partition("e")[0].replace(".", "").lstrip("-").strip("0")))


class CustomMemberTests(RuleTestCase):
    """Custom members of requests."""

    def make_directory(self) -> Directory:
        return make_directory(typed_list=True)

    def test_every_type(self) -> None:
        """H96, H120, K33: each type of field is stored and shown in its form, in request and event (K31)."""
        event = self.add(
            "6505550100",
            "CL_Types",
            CustomerID="4711",
            Amount="12.50",
            Code="ab",
            Label="été",
            Due="12/24/2026 09:05",
            Level="9",
        )
        shown = {
            "CustomerID": 4711,
            "Amount": "12.5",
            "Code": "ab",
            "Label": "été",
            "Due": "2026-12-24 09:05:00",
            "Level": 9,
        }
        self.assertEqual({key: value for key, value in event.items() if key[:4] != "GSW_"}, shown)
        (row,) = self.rows("CL_Types")
        stored = [row[column] for column in ("cust_id", "amount", "code", "label", "due", "level")]
        self.assertEqual(stored, [4711, 12.5, "ab", "été", "2026-12-24 09:05:00", 9])
        previewed = self.preview()
        self.assertEqual({key: value for key, value in previewed.items() if key[:4] != "GSW_"}, shown)
        self.assertEqual(previewed["GSW_CUSTOMER_ID"], "4711")

    def test_defaults(self) -> None:
        """10.1, K31: an absent, null or empty field has its default; one without a key does not travel."""
        event = self.add("6505550100", "CL_Types", Label="", Amount=None)
        self.assertEqual({key: value for key, value in event.items() if key[:4] != "GSW_"}, {"Level": 3})
        (row,) = self.rows("CL_Types")
        self.assertEqual((row["level"], row["hidden"], row["label"], row["amount"]), (3, "secret", None, None))

    def test_refused(self) -> None:
        """H120, H72: a wrong value of a field refuses the request and leaves nothing."""
        for key, value in (("Level", "x"), ("Code", "abcde"), ("Due", "tomorrow"), ("Amount", "1,5"), ("Label", [])):
            request = add_record("6505550100", "CL_Types", **{key: value})
            self.assertEqual(self.refusal(request), f"400 Invalid value of attribute {key}")
        self.assertEqual(self.rows("CL_Types"), [])

    def test_unknown_members(self) -> None:
        """H97, H98: members that the list does not have are ignored and noted, columns of any kind among them."""
        event = self.add(
            "1", contact_info="2", cust_id="c", record_type=7, hidden="x", nonsense=[], customerid="c", Segment="A"
        )
        self.assertEqual((event["GSW_PHONE"], event["GSW_RECORD_TYPE"], event["Segment"]), ("1", 2, "A"))
        (row,) = self.rows()
        self.assertEqual((row["contact_info"], row["cust_id"], row["record_type"]), ("1", None, 2))
        unit = self.store.unit
        assert unit is not None
        names = ("contact_info", "cust_id", "record_type", "hidden", "nonsense", "customerid")
        self.assertEqual(unit.unknown_keys, {("CL_Test", name) for name in names})

    def test_unknown_gsw_members(self) -> None:
        """H95: an unknown `GSW_` member is ignored and is no custom member."""
        self.add(GSW_NONSENSE="x")
        unit = self.store.unit
        assert unit is not None
        self.assertEqual(unit.unknown_keys, set())

    def test_null_leaves_the_column(self) -> None:
        """H120: null, absence and an empty text leave a column of an existing record as it is."""
        self.add("6505550100", "CL_Types", Label="a", Amount="1.5")
        handle = self.preview()["GSW_RECORD_HANDLE"]
        keys: KV = {"Label": "", "Amount": None, "Code": "x"}
        self.reply({**by_handle("UpdateCallCompletionStats", handle), **keys})
        (row,) = self.rows("CL_Types")
        self.assertEqual((row["label"], row["amount"], row["code"]), ("a", 1.5, "x"))

    @given(
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(-(2**31), 2**31 - 1),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=10),
    )
    @settings(deadline=None, max_examples=100)
    def test_stored_as_acknowledged(self, amount: float, level: int, label: str) -> None:
        """10.1, H121: what is acknowledged is what the store has: numbers to the last bit, text to the letter."""
        event = self.add("6505550100", "CL_Types", Amount=repr(amount), Level=level, Label=label)
        row = self.rows("CL_Types")[-1]
        shown = float(str(event["Amount"]))
        self.assertEqual((row["amount"], row["level"], row["label"]), (amount, level, label))
        self.assertEqual((shown, event["Level"], event["Label"]), (amount, level, label))
