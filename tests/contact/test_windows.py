"""When a record may be contacted: schedule, daily window, zone (http.md H271, H176, K11)."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ocsgw.contact.choice.eligibility import is_open
from tests.support.case import ClockTestCase
from tests.support.rules import RuleTestCase, epoch

_HOUR = 3600


class DailyWindowTests(ClockTestCase):
    """GSW_FROM and GSW_UNTIL in seconds since local midnight."""

    def test_ends(self) -> None:
        """H176: both ends belong to the window; FROM > UNTIL spans midnight; FROM = UNTIL is the whole day."""
        rows = [
            (28800, 64800, {28799: False, 28800: True, 64800: True, 64801: False}),
            (64800, 28800, {64799: False, 64800: True, 86399: True, 0: True, 28800: True, 28801: False}),
            (28800, 28800, {0: True, 28799: True, 86399: True}),
            (0, 86399, {0: True, 86399: True}),
            (0, 86400, {0: True, 86399: True}),
            (86400, 0, {86399: False, 0: True, 1: False}),
            (86399, 0, {86398: False, 86399: True, 0: True, 1: False}),
        ]
        for start, end, moments in rows:
            for moment, expected in moments.items():
                self.assertEqual(is_open(start, end, moment), expected, f"{start} to {end} at {moment}")

    @given(st.integers(0, 86399), st.integers(0, 86399), st.integers(0, 86399))
    @settings(max_examples=300)
    def test_as_a_walk_around_the_clock(self, start: int, end: int, moment: int) -> None:
        """H176: a moment is within exactly if, going on from FROM, it is met before UNTIL is passed."""
        expected = start == end or (moment - start) % 86400 <= (end - start) % 86400
        self.assertEqual(is_open(start, end, moment), expected)


class ZoneTests(RuleTestCase):
    """Windows in the record's zone, at times that the clocks make difficult."""

    def is_handed_out(self, when: int, **keys: Any) -> bool:
        """Whether a record with these attributes is handed out at a time."""
        self.store.restart()
        self.store.sql("DELETE FROM CL_Test")
        self.store.now = when
        self.add("1", **keys)
        return bool(self.preview()["GSW_USER_EVENT"] == "PreviewRecord")

    def test_zones(self) -> None:
        """H271: now is judged by the clock of the record's zone: half-hour zones, days that begin elsewhere, DST."""
        paris, kolkata = "Europe/Paris", "Asia/Kolkata"
        rows: list[tuple[str, str, int, int, int, bool]] = [
            ("before a window of the tenant's zone", "GMT", 9 * _HOUR, 17 * _HOUR, epoch("2026-03-03 08:59:59"), False),
            ("its first second", "GMT", 9 * _HOUR, 17 * _HOUR, epoch("2026-03-03 09:00:00"), True),
            ("its last second", "GMT", 9 * _HOUR, 17 * _HOUR, epoch("2026-03-03 17:00:00"), True),
            ("behind it", "GMT", 9 * _HOUR, 17 * _HOUR, epoch("2026-03-03 17:00:01"), False),
            ("half an hour", "IST", 9 * _HOUR, 10 * _HOUR, epoch("2026-03-03 09:00:00", kolkata), True),
            ("half an hour before", "IST", 9 * _HOUR, 10 * _HOUR, epoch("2026-03-03 08:30:00", kolkata), False),
            ("03:30 UTC in Kolkata", "IST", 9 * _HOUR, 10 * _HOUR, epoch("2026-03-03 03:30:00"), True),
            ("tomorrow in Tokyo", "JST", 0, _HOUR, epoch("2026-03-03 15:30:00"), True),
            ("winter in New York", "EST", 9 * _HOUR, 10 * _HOUR, epoch("2026-03-06 14:00:00"), True),
            ("summer in New York", "EST", 9 * _HOUR, 10 * _HOUR, epoch("2026-03-09 13:00:00"), True),
            ("winter's hour in summer", "EST", 9 * _HOUR, 10 * _HOUR, epoch("2026-03-09 14:00:01"), False),
            ("the hour that is skipped, before", "CET", 2 * _HOUR, 3 * _HOUR - 1, epoch("2026-03-29 00:59:59"), False),
            ("the hour that is skipped, after", "CET", 2 * _HOUR, 3 * _HOUR - 1, epoch("2026-03-29 01:00:00"), False),
            ("its end belongs to it", "CET", 2 * _HOUR, 3 * _HOUR, epoch("2026-03-29 01:00:00"), True),
            ("the hour that comes twice", "CET", 2 * _HOUR, 3 * _HOUR, epoch("2026-10-25 02:30:00", paris), True),
            ("and again", "CET", 2 * _HOUR, 3 * _HOUR, epoch("2026-10-25 02:30:00", paris, fold=1), True),
            ("and no third time", "CET", 2 * _HOUR, 3 * _HOUR, epoch("2026-10-25 03:00:01", paris), False),
            (
                "midnight in Sydney",
                "AEST",
                22 * _HOUR,
                6 * _HOUR,
                epoch("2026-06-01 00:00:00", "Australia/Sydney"),
                True,
            ),
            ("noon in Sydney", "AEST", 22 * _HOUR, 6 * _HOUR, epoch("2026-06-01 12:00:00", "Australia/Sydney"), False),
            ("whole day", "PST", 5, 5, epoch("2026-06-01 00:00:00"), True),
        ]
        for name, zone, start, end, when, expected in rows:
            handed_out = self.is_handed_out(when, GSW_TZ_NAME=zone, GSW_FROM=start, GSW_UNTIL=end)
            self.assertEqual(handed_out, expected, name)

    def test_unknown_zone(self) -> None:
        """K11: a zone that is 0, NULL or unknown is the tenant's default."""
        self.store.now = epoch("2026-03-03 12:00:00")
        self.store.sql(
            "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n, daily_from, daily_till, tz_dbid) VALUES"
            " (1, '1', 1, 0, 43200, 43201, 0), (2, '2', 2, 0, 43200, 43201, NULL), (3, '3', 3, 0, 43200, 43201, 77)"
        )
        events = [self.preview() for _ in range(4)]
        self.assertEqual([event.get("GSW_PHONE") for event in events], ["1", "2", "3", None])
        self.assertEqual(events[2]["GSW_TZ_NAME"], "GMT")

    def test_schedule(self) -> None:
        """H271, H173: a record is due from its time on, and at once if that is past, for every record type."""
        when = epoch("2026-06-01 12:00:00")
        for record_type in range(1, 7):
            keys = {"GSW_RECORD_TYPE": record_type, "GSW_DATE_TIME": "06/01/2026 12:00"}
            self.assertTrue(self.is_handed_out(when, **keys), record_type)
            self.assertTrue(self.is_handed_out(when + 10**6, **keys), record_type)
            self.assertFalse(self.is_handed_out(when - 1, **keys), record_type)

    def test_schedule_and_window(self) -> None:
        """H271: a record that is due still waits for its daily window."""
        keys: dict[str, Any] = {"GSW_DATE_TIME": "06/01/2026 12:00", "GSW_FROM": 13 * _HOUR, "GSW_UNTIL": 14 * _HOUR}
        self.assertFalse(self.is_handed_out(epoch("2026-06-01 12:59:59"), **keys))
        self.assertTrue(self.is_handed_out(epoch("2026-06-01 13:00:00"), **keys))

    @given(
        st.sampled_from(
            [("GMT", "Etc/UTC"), ("IST", "Asia/Kolkata"), ("CET", "Europe/Paris"), ("EST", "America/New_York")]
        ),
        st.integers(0, 86400),
        st.integers(0, 86400),
        st.integers(epoch("2026-01-01 00:00:00"), epoch("2027-01-01 00:00:00")),
    )
    @settings(max_examples=40)
    def test_any_window(self, zone: tuple[str, str], start: int, end: int, when: int) -> None:
        """H271, H176: any window at any time of a year, judged by what the wall clock of the zone shows."""
        shown = datetime.fromtimestamp(when, ZoneInfo(zone[1]))
        moment = shown.hour * _HOUR + shown.minute * 60 + shown.second
        within = {True: start <= moment <= end, False: moment >= start or moment <= end}[start <= end] or start == end
        self.assertEqual(self.is_handed_out(when, GSW_TZ_NAME=zone[0], GSW_FROM=start, GSW_UNTIL=end), within)
