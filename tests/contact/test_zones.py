"""Dates and time zones of records (http.md H170 to H176)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.zones import offset, seconds_of_day, to_date_time, to_epoch
from ocsgw.protocol.errors import Refusal
from tests.support.rules import ZONES, RuleTestCase, add_record, by_handle, make_directory

# What a clock may show from 1970 to 2037, in minutes since its 1970-01-01 00:00.
MINUTES = st.integers(0, 2_145_916_799 // 60)


def utc(text: str) -> int:
    """Return the seconds since 1970 of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class ZoneTests(SynchronousTestCase):
    """Local times."""

    def test_times(self) -> None:
        """H170, H172: ordinary times, gaps, overlaps, half-hour zones, first and last year."""
        rows = [
            ("Etc/UTC", "03/21/2026 14:30", "2026-03-21 14:30:00"),
            ("Etc/UTC", "1/2/1970 3:04", "1970-01-02 03:04:00"),
            ("Etc/UTC", "12/31/2037 23:59", "2037-12-31 23:59:00"),
            ("America/Los_Angeles", "12/31/2037 23:59", "2038-01-01 07:59:00"),
            ("Asia/Kolkata", "01/01/2026 00:00", "2025-12-31 18:30:00"),
            ("Australia/Lord_Howe", "07/01/2026 12:00", "2026-07-01 01:30:00"),
            ("Asia/Kathmandu", "07/01/2026 12:00", "2026-07-01 06:15:00"),
            # 02:00 to 03:00 does not exist: moved by an hour.
            ("America/New_York", "03/08/2026 02:30", "2026-03-08 07:30:00"),
            ("America/New_York", "03/08/2026 01:59", "2026-03-08 06:59:00"),
            ("America/New_York", "03/08/2026 03:00", "2026-03-08 07:00:00"),
            ("Europe/Paris", "03/29/2026 02:00", "2026-03-29 01:00:00"),
            # Lord Howe Island moves by half an hour: 02:15 becomes 02:45.
            ("Australia/Lord_Howe", "10/04/2026 02:15", "2026-10-03 15:45:00"),
            # 01:00 to 02:00 comes twice: the first.
            ("America/New_York", "11/01/2026 01:30", "2026-11-01 05:30:00"),
            ("Europe/Paris", "10/25/2026 02:30", "2026-10-25 00:30:00"),
        ]
        for zone, text, expected in rows:
            self.assertEqual(to_epoch(text, ZoneInfo(zone)), utc(expected), f"{zone} {text}")

    def test_moved_time_is_shown_moved(self) -> None:
        """H172: a time in a gap comes back moved forward by the length of the gap."""
        zone = ZoneInfo("America/New_York")
        self.assertEqual(to_date_time(to_epoch("03/08/2026 02:30", zone), zone), "03/08/2026 03:30")
        zone = ZoneInfo("Australia/Lord_Howe")
        self.assertEqual(to_date_time(to_epoch("10/04/2026 02:15", zone), zone), "10/04/2026 02:45")

    def test_bad_times(self) -> None:
        """H170: another form, an impossible date or a year outside 1970 to 2037 is refused."""
        for text in (
            "2026-03-21T14:30",
            "03/21/2026  14:30",
            "03/21/2026 14:30:00",
            "03/21/2026 2:30 pm",
            "02/29/2026 10:00",
            "13/01/2026 10:00",
            "12/31/1969 23:59",
            "01/01/2038 00:00",
            "01/01/2026 24:00",
            "01/01/2026 10:60",
            "01/01/26 10:00",
            " 01/01/2026 10:00",
        ):
            self.assertEqual(self.assertRaises(Refusal, to_epoch, text, ZoneInfo("Etc/UTC")).code, "invalid_datetime")

    @given(MINUTES, st.sampled_from([each.zone for each in ZONES]))
    @settings(deadline=None, max_examples=200)
    def test_shown_as_given(self, minute: int, zone: ZoneInfo) -> None:
        """H170, H174: what a date means is shown as the same date, unless the clocks skip it; then up to 2 h later."""
        clock = datetime.fromtimestamp(60 * minute, UTC)
        text = clock.strftime("%m/%d/%Y %H:%M")
        shown = datetime.strptime(to_date_time(to_epoch(text, zone), zone) + " +0000", "%m/%d/%Y %H:%M %z")
        local = clock.replace(tzinfo=zone)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            self.assertEqual(shown, clock)
        else:
            self.assertTrue(timedelta(0) < shown - clock <= timedelta(hours=2), shown)

    @given(MINUTES, st.sampled_from([each.zone for each in ZONES]))
    @settings(deadline=None, max_examples=200)
    def test_first_of_two(self, minute: int, zone: ZoneInfo) -> None:
        """H172: no earlier time is shown by the clock in the same way."""
        found = to_epoch(datetime.fromtimestamp(60 * minute, UTC).strftime("%m/%d/%Y %H:%M"), zone)
        shown = to_date_time(found, zone)
        for earlier in (1800, 3600, 7200):
            self.assertNotEqual(to_date_time(found - earlier, zone), shown)

    def test_offset_and_clock(self) -> None:
        """10.8, H271: seconds east of UTC, and what a clock in the zone shows, by the date."""
        rows = [
            ("America/Los_Angeles", "2026-01-15 12:00:00", -28800, 4 * 3600),
            ("America/Los_Angeles", "2026-07-15 12:00:30", -25200, 5 * 3600 + 30),
            ("Asia/Kolkata", "2026-07-15 20:00:00", 19800, 5400),
            ("Etc/UTC", "1970-01-01 00:00:00", 0, 0),
        ]
        for zone, text, seconds, clock in rows:
            moment = utc(text)
            self.assertEqual(
                (offset(moment, ZoneInfo(zone)), seconds_of_day(moment, ZoneInfo(zone))), (seconds, clock), zone
            )


class ZoneOfRequestTests(RuleTestCase):
    """Which zone a date is in (H171, H175)."""

    def test_names(self) -> None:
        """H175: names in any case; IANA names of a known zone, old ones too; of several zones the lowest DBID."""
        known = [("GMT", 101), ("pst", 102), ("Ist", 1011), ("Asia/Kolkata", 1011), ("europe/paris", 1003)]
        known += [("Etc/UTC", 101), ("ASIA/CALCUTTA", 1011)]
        zones = [
            each if each.name != "IST" else replace(each, iana_names=frozenset({"Asia/Calcutta"})) for each in ZONES
        ]
        self.use_directory(make_directory(zones=tuple(zones)))
        for name, dbid in known:
            self.add(GSW_TZ_NAME=name)
            self.assertEqual(self.rows()[-1]["tz_dbid"], dbid, name)
        for name in ("Etc/GMT", "Europe/Berlin", "Nowhere", "GM"):
            self.assertEqual(
                self.refusal(add_record(GSW_TZ_NAME=name)), "400 Invalid value of attribute GSW_TZ_NAME", name
            )

    def test_zone_of_an_added_record(self) -> None:
        """H171: the zone of the request, else the tenant's default."""
        self.use_directory(make_directory(second_tenant=True))
        date = {"GSW_DATE_TIME": "06/09/2026 23:25"}
        self.add("1", **date)
        self.add("2", **date, GSW_TZ_NAME="PST")
        self.add("3", "CL_Second", **date)
        self.assertEqual(
            self.column("dial_sched_time") + self.column("dial_sched_time", "CL_Second"),
            [utc("2026-06-09 23:25:00"), utc("2026-06-10 06:25:00"), utc("2026-06-10 06:25:00")],
        )

    def test_zone_of_a_record(self) -> None:
        """H171, 10.4: a reschedule takes the zone of the request, else the record's, whose zone stays."""
        handle = self.hand_out("1", GSW_TZ_NAME="PST")
        keys = {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "6/9/2027 3:05"}
        event = self.reply(by_handle("RecordReschedule", handle, **keys))
        self.assertEqual((event["GSW_DATE_TIME"], event["GSW_TZ_NAME"]), ("06/09/2027 03:05", "PST"))
        self.assertEqual(self.column("dial_sched_time"), [utc("2027-06-09 10:05:00")])
        event = self.reply(by_handle("RecordReschedule", handle, **keys, GSW_TZ_NAME="jst"))
        self.assertEqual((event["GSW_DATE_TIME"], event["GSW_TZ_NAME"]), ("06/09/2027 03:05", "JST"))
        self.assertEqual(self.column("dial_sched_time"), [utc("2027-06-08 18:05:00")])
        self.assertEqual(self.column("tz_dbid"), [102])

    def test_unknown_zone_of_a_record(self) -> None:
        """K11: an unknown or missing `tz_dbid` is the tenant's default."""
        self.use_directory(make_directory(second_tenant=True))
        for number, dbid in enumerate((None, 0, 9999)):
            self.add(str(number), "CL_Second")
            self.store.sql("UPDATE CL_Second SET tz_dbid = ? WHERE contact_info = ?", dbid, str(number))
            self.assertEqual(self.preview(112)["GSW_TZ_NAME"], "PST")

    def test_past(self) -> None:
        """H173: a time in the past is allowed; the record is due at once. The first second of 1970 is one too."""
        self.add("1", GSW_DATE_TIME="01/01/1970 00:00")
        self.add("2", GSW_DATE_TIME="01/01/1970 00:00", GSW_TZ_NAME="JST")
        self.assertEqual(self.column("dial_sched_time"), [1, -32400])
        self.assertEqual([self.preview()["GSW_PHONE"], self.preview()["GSW_PHONE"]], ["2", "1"])

    def test_event_shows_the_zone_of_the_record(self) -> None:
        """10.1, 10.8: `GSW_DATE_TIME` of an event is in the record's zone, also after a gap."""
        event = self.add(GSW_DATE_TIME="03/08/2026 02:30", GSW_TZ_NAME="EST")
        self.assertEqual(event["GSW_DATE_TIME"], "03/08/2026 03:30")
        self.assertEqual(self.preview()["GSW_DATE_TIME"], "03/08/2026 03:30")
