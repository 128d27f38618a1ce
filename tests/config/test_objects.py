"""Tests of ocsgw.config.object_rules: tenants, lists, campaigns, groups."""

from tests.config.support import ConfigTestCase


def tenant(dbid: int, name: str, *lines: str) -> str:
    """Write a tenant: three lines and the others."""
    return "\n".join([f'[[tenant]]\ndbid = {dbid}\nname = "{name}"', *lines, ""])


def calling_list(dbid: int, name: str, *lines: str) -> str:
    """Write a calling list: four lines and the others."""
    return "\n".join([f'[[calling_list]]\ndbid = {dbid}\nname = "{name}"\ntable = "t{dbid}"', *lines, ""])


def campaign(dbid: int, name: str, lists: str, *lines: str) -> str:
    """Write a campaign: four lines and the others."""
    return "\n".join([f'[[campaign]]\ndbid = {dbid}\nname = "{name}"\ncalling_lists = {lists}', *lines, ""])


def group(dbid: int, campaign_name: str, group_name: str, *lines: str) -> str:
    """Write a campaign group: four lines and the others."""
    head = f'[[campaign_group]]\ndbid = {dbid}\ncampaign = "{campaign_name}"\ngroup = "{group_name}"'
    return "\n".join([head, *lines, ""])


class TenantTests(ConfigTestCase):
    """Section 7."""

    def test_default(self) -> None:
        """Section 7: without a tenant there is one with DBID 1 and name Environment."""
        (found,) = self.parse_tables("").tenants
        self.assertEqual((found.dbid, found.name, found.ccid, found.default_time_zone), (1, "Environment", None, "GMT"))

    def test_configured(self) -> None:
        """Section 7: configured tenants replace the default one."""
        found = self.parse_tables(tenant(7, "A", 'ccid = "x"', 'default_time_zone = "pst"') + tenant(8, "B")).tenants
        self.assertEqual(
            [(t.dbid, t.name, t.ccid, t.default_time_zone) for t in found],
            [(7, "A", "x", "PST"), (8, "B", None, "GMT")],
        )

    def test_time_zone(self) -> None:
        """C9, K51: the default zone is configured or built in; H175: in any case."""
        zone = '[[time_zone]]\ndbid = 1\nname = "Gmt"\nzone = "Etc/UTC"\n'
        self.assertEqual(self.parse_tables(tenant(7, "A") + zone).tenants[0].default_time_zone, "Gmt")
        self.assert_problem(
            tenant(7, "A", 'default_time_zone = "GMTT"'), 4, "[[tenant]] default_time_zone", 'did you mean "GMT"?'
        )

    def test_owner(self) -> None:
        """Section 8: the only tenant owns lists and campaigns that name none; of several one is to be named."""
        objects = calling_list(1, "L") + campaign(1, "C", '["L"]')
        config = self.parse_tables(objects)
        self.assertEqual((config.calling_lists[0].tenant, config.campaigns[0].tenant), ("Environment", "Environment"))
        config = self.parse_tables(tenant(7, "A") + objects)
        self.assertEqual((config.calling_lists[0].tenant, config.campaigns[0].tenant), ("A", "A"))
        problems = self.problems_of(tenant(7, "A") + tenant(8, "B") + objects)
        self.assertEqual(
            [(p.line - 3, p.key) for p in problems], [(7, "[[calling_list]] tenant"), (11, "[[campaign]] tenant")]
        )

    def test_missing_owner(self) -> None:
        """C3: an owner that is missing is reported once, not as a wrong one in addition."""
        objects = calling_list(1, "L") + campaign(1, "C", '["L"]', 'tenant = "A"')
        self.assert_problem(tenant(7, "A") + tenant(8, "B") + objects, 7, "[[calling_list]] tenant", "several")

    def test_unknown_owner(self) -> None:
        """C9: the owner exists."""
        self.assert_problem(calling_list(1, "L", 'tenant = "X"'), 5, "[[calling_list]] tenant", '[[tenant]] "X"')
        self.assert_problem(campaign(1, "C", "[]", 'tenant = "X"'), 5, "[[campaign]] tenant", '[[tenant]] "X"')


class UniqueTests(ConfigTestCase):
    """C8: numbers and names are unique for each kind."""

    def test_dbids(self) -> None:
        """C8: a DBID stands once among the objects of a kind, and may stand for other kinds as well."""
        zone = '[[time_zone]]\ndbid = {}\nname = "{}"\nzone = "Etc/UTC"\n'
        objects = (
            tenant(1, "E") + zone.format(1, "Z") + calling_list(1, "L") + campaign(1, "C", "[]") + group(1, "C", "G")
        )
        self.parse_tables(objects)
        for second, kind in (
            (tenant(1, "F"), "tenant"),
            (zone.format(1, "Y"), "time_zone"),
            ('[[calling_list]]\ndbid = 1\nname = "M"\ntable = "u"\n', "calling_list"),
            (campaign(1, "D", "[]"), "campaign"),
            (group(1, "C", "H"), "campaign_group"),
        ):
            tables = {"tenant": tenant(1, "E"), "time_zone": zone.format(1, "Z"), "calling_list": calling_list(1, "L")}
            first = tables.get(kind, campaign(1, "C", "[]") + (group(1, "C", "G") if kind == "campaign_group" else ""))
            lines = first.count("\n")
            self.assert_problem(first + second, lines + 2, f"[[{kind}]] dbid", "1 is used already")

    def test_names(self) -> None:
        """C8: a name stands once among the objects of a kind; normal forms are equal."""
        zone = '[[time_zone]]\ndbid = {}\nname = "{}"\nzone = "Etc/UTC"\n'
        treatment = '[[treatment]]\ndbid = {}\nname = "{}"\ncall_result = 1\naction = "finish"\n'
        for first, second, kind in (
            (tenant(1, "\u00e9"), tenant(2, "e\u0301"), "tenant"),
            (zone.format(1, "zone"), zone.format(2, "ZONE"), "time_zone"),
            (calling_list(1, "L"), calling_list(2, "L"), "calling_list"),
            (campaign(1, "C", "[]"), campaign(2, "C", "[]"), "campaign"),
            (treatment.format(1, "T"), treatment.format(2, "T"), "treatment"),
        ):
            (problem,) = self.problems_of(first + second)
            self.assertEqual(problem.key, f"[[{kind}]] name")
            self.assertIn("line 4", problem.message)
        self.parse_tables(calling_list(1, "L") + calling_list(2, "l"))

    def test_built_in_time_zones(self) -> None:
        """C8, K51: DBIDs of built in zones are taken unless the zone is replaced."""
        zone = '[[time_zone]]\ndbid = 1003\nname = "{}"\nzone = "Etc/UTC"\n'
        self.assert_problem(zone.format("X"), 2, "[[time_zone]] dbid", '"CET"')
        self.parse_tables(zone.format("CET"))
        self.parse_tables(zone.format("X") + '[[time_zone]]\ndbid = 1\nname = "cet"\nzone = "Etc/UTC"\n')

    def test_tables(self) -> None:
        """K10: each list has a table of its own, which is not the Do Not Call table either."""
        one = '[[calling_list]]\ndbid = 1\nname = "L"\ntable = "CL"\n'
        other = '[[calling_list]]\ndbid = 2\nname = "M"\ntable = "cl"\n'
        self.assert_problem(one + other, 8, "[[calling_list]] table", "line 4")
        self.assert_problem(
            '[[calling_list]]\ndbid = 1\nname = "L"\ntable = "GSW_donotcall_list"\n',
            4,
            "[[calling_list]] table",
            "Do Not Call",
        )


class CampaignTests(ConfigTestCase):
    """Section 8: campaigns and groups."""

    def test_defaults(self) -> None:
        """Section 8: defaults of lists, campaigns and groups; lists stay in order."""
        config = self.parse_tables(
            calling_list(1, "L") + calling_list(2, "M") + campaign(1, "C", '["M", "L"]') + group(3, "C", "G")
        )
        found = config.calling_lists[0]
        self.assertEqual((found.dbid, found.name, found.table, found.enabled, found.fields), (1, "L", "t1", True, ()))
        self.assertEqual((found.pre_dial_validation, found.validation_uri), (None, None))
        self.assertIsNone(found.validation_timeout_call_result)
        only = config.campaigns[0]
        self.assertEqual((only.description, only.template, only.calling_lists), ("", "", ("M", "L")))
        found_group = config.campaign_groups[0]
        self.assertEqual((found_group.name, found_group.dial_mode, found_group.state), ("C@G", "Preview", "unloaded"))
        self.assertEqual((found_group.campaign, found_group.group), ("C", "G"))
        self.assertEqual(found_group.record_timeout, 600.0)

    def test_references(self) -> None:
        """C9: lists of a campaign and campaigns of a group exist, compared in normal form."""
        self.assert_problem(
            calling_list(1, "Liste") + campaign(1, "C", '["Listen"]'), 8, "[[campaign]] calling_lists", '"Liste"'
        )
        self.assert_problem(campaign(1, "C", "[]") + group(1, "D", "G"), 7, "[[campaign_group]] campaign", '"D"')
        self.assert_problem(group(1, "D", "G"), 3, "[[campaign_group]] campaign", "none is known")
        config = self.parse_tables(calling_list(1, "\u00e9") + campaign(1, "C", '["e\u0301"]'))
        self.assertEqual(config.campaigns[0].calling_lists, (config.calling_lists[0].name,))

    def test_many_names(self) -> None:
        """C2: a hint does not list more names than anybody reads."""
        lists = "".join(calling_list(number, f"L{number}") for number in range(1, 26))
        self.assert_problem(lists + campaign(1, "C", '["xyz"]'), 104, "[[campaign]] calling_lists", "25 known")

    def test_broken_names(self) -> None:
        """C3: references are not judged while a name they may mean is wrong or its table misspelled."""
        problems = self.problems_of(calling_list(1, "") + campaign(1, "C", '["L"]'))
        self.assertEqual([problem.key for problem in problems], ["[[calling_list]] name"])
        misspelled = calling_list(1, "L").replace("calling_list", "calling_lists")
        problems = self.problems_of(misspelled + campaign(1, "C", '["L"]'))
        self.assertEqual([problem.key for problem in problems], ["[[calling_lists]]"])

    def test_lists_of_the_tenant(self) -> None:
        """Section 8: the lists of a campaign are of its tenant."""
        tenants = tenant(7, "A") + tenant(8, "B")
        lists = calling_list(1, "L", 'tenant = "A"') + calling_list(2, "M", 'tenant = "B"')
        self.parse_tables(tenants + lists + campaign(1, "C", '["L"]', 'tenant = "A"'))
        text = tenants + lists + campaign(1, "C", '["L",\n"M"]', 'tenant = "A"')
        self.assert_problem(text, 21, "[[campaign]] calling_lists", '"B"', '"A"')

    def test_group_names(self) -> None:
        """Section 8: a group is named <campaign>@<group> unless it has a name; the names are unique."""
        campaigns = campaign(1, "C", "[]")
        self.assertEqual(self.parse_tables(campaigns + group(1, "C", "G", 'name = "N"')).campaign_groups[0].name, "N")
        self.assert_problem(campaigns + group(1, "C", "G") + group(2, "C", "G"), 9, "[[campaign_group]] name", "C@G")
        self.parse_tables(campaigns + group(1, "C", "G") + group(2, "C", "G", 'name = "N"'))
        self.parse_tables(campaigns + group(1, "C", "G" * 253))
        self.assert_problem(campaigns + group(1, "C", "G" * 254), 5, "[[campaign_group]] name", "255")

    def test_group_without_a_name(self) -> None:
        """Section 8: a group of which no name can be made is one problem, also if something names a group."""
        key = '[[api_key]]\nname = "k"\nhash = "scrypt:00:00"\ncampaign_groups = ["C@G"]\n'
        problems = self.problems_of('[[campaign_group]]\ndbid = 1\ngroup = "G"\n' + key)
        self.assertIn("[[campaign_group]] campaign", [problem.key for problem in problems])

    def test_group_values(self) -> None:
        """Section 8: dial modes and states; others cannot be configured (H270)."""
        campaigns = campaign(1, "C", "[]")
        for state in ("unloaded", "loaded", "started"):
            config = self.parse_tables(
                campaigns + group(1, "C", "G", f'state = "{state}"', 'dial_mode = "PushPreview"')
            )
            self.assertEqual(
                (config.campaign_groups[0].state, config.campaign_groups[0].dial_mode), (state, "PushPreview")
            )
        self.assert_problem(
            campaigns + group(1, "C", "G", 'dial_mode = "Predictive"'),
            9,
            "[[campaign_group]] dial_mode",
            '"PushPreview"',
        )
