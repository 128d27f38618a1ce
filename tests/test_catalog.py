"""Tests of ocsgw.catalog: from the configuration to what the rules see."""

from datetime import datetime

from ocsgw.catalog import directory_of
from ocsgw.contact.directory import Directory
from tests.config.support import ConfigTestCase

_OBJECTS = """
[[calling_list]]
dbid = 1
name = "L"
table = "L"
{of_list}
[[calling_list]]
dbid = 2
name = "M"
table = "M"
[[campaign]]
dbid = 1
name = "C"
calling_lists = ["L", "M"]
{of_campaign}
[[campaign_group]]
dbid = 1
campaign = "C"
group = "G"
{of_group}
[[campaign_group]]
dbid = 2
campaign = "C"
group = "H"
{more}
"""


class DirectoryTests(ConfigTestCase):
    """What the configuration says, as the rules see it."""

    def catalog(self, *, of_list: str = "", of_campaign: str = "", of_group: str = "", more: str = "") -> Directory:
        text = _OBJECTS.format(of_list=of_list, of_campaign=of_campaign, of_group=of_group, more=more)
        return directory_of(self.parse_tables(text), 1)

    def test_priorities(self) -> None:
        """H359: each number from the narrowest place that has it; records for one agent have the highest."""
        directory = self.catalog(
            of_campaign="[campaign.priority]\ncampaign_rescheduled = 20\ngeneral = 21",
            of_group="[campaign_group.priority]\ngeneral = 30",
            more="[priority]\ngeneral = 1\ncampaign_rescheduled = 2\ncampaign_callback = 25",
        )
        self.assertEqual([each.priorities for each in directory.groups], [(30, 20, 25, 30), (21, 20, 25, 25)])
        self.assertEqual(self.catalog().groups[0].priorities, (0, 0, 0, 0))
        lower = self.catalog(of_group="[campaign_group.priority]\ngeneral = 0", more="[priority]\ngeneral = 9")
        self.assertEqual([each.priorities for each in lower.groups], [(0, 0, 0, 0), (9, 0, 0, 9)])

    def test_limit_of_personal_callbacks(self) -> None:
        """H360: that of the list, 0 included, before the general one; parts of a second count as a whole one."""
        general = '[treatments]\npersonal_callback_limit = "2h"'
        rows = [("", "", [0, 0]), ("", general, [7200, 7200]), ("personal_callback_limit = 0", general, [0, 7200])]
        rows += [('personal_callback_limit = "1500ms"', "", [2, 0])]
        for of_list, more, expected in rows:
            lists = self.catalog(of_list=of_list, more=more).calling_lists
            self.assertEqual([each.callback_limit for each in lists], expected)

    def test_treatments(self) -> None:
        """Section 11: lists by number, in their sequence."""
        treatment = '[[treatment]]\ndbid = {0}\nname = "T{0}"\ncall_result = 6\naction = "{1}"\n{2}\n'
        more = treatment.format(7, "retry_in", 'interval = "1m"\nincrement = 30\ncalling_lists = ["M"]\nsequence = 2')
        more += treatment.format(8, "retry_at", 'at = "2030-01-02 03:04"\nmax_attempts = 3')
        directory = self.catalog(more=more)
        first, second = directory.calling_lists
        self.assertEqual([each.dbid for each in directory.sequence(first, 6)], [8])
        self.assertEqual([each.dbid for each in directory.sequence(second, 6)], [8, 7])
        self.assertEqual([each.dbid for each in directory.sequence(second, 7)], [])
        at, later = directory.sequence(second, 6)
        self.assertEqual((at.at, at.max_attempts), (datetime(2030, 1, 2, 3, 4), 3))  # noqa: DTZ001 - of each record
        self.assertEqual((later.interval, later.increment, later.calling_lists), (60.0, 30.0, frozenset({2})))

    def test_old_names_of_zones(self) -> None:
        """H175: old IANA names of configured and built in zones are known."""
        zone = '[[time_zone]]\ndbid = {}\nname = "{}"\nzone = "Asia/Kolkata"\n'
        directory = self.catalog(more=zone.format(7, "Mumbai") + zone.format(5, "Delhi"))
        self.assertEqual(directory.zone_named("asia/calcutta").dbid, 5)
        self.assertEqual(self.catalog().zone_named("Asia/Calcutta").name, "IST")
