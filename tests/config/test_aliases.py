"""Tests of ocsgw.config.alias_rules: a site's own spellings (section 9 of the HTTP surface)."""

from tests.config.support import ConfigTestCase


class AliasTests(ConfigTestCase):
    """`[aliases]`."""

    def test_spellings(self) -> None:
        """Each target takes several spellings, in any script; without the table there are none."""
        config = self.parse_tables('[aliases]\nAddRecord = ["Add", "добавить"]\nlists = ["callinglists"]\n')
        self.assertEqual(config.aliases.AddRecord, ("Add", "добавить"))
        self.assertEqual((config.aliases.lists, config.aliases.records), (("callinglists",), ()))
        self.assertEqual(self.parse_tables("").aliases.AddRecord, ())

    def test_unknown_target(self) -> None:
        """C2: an unknown target is an error with the nearest known one."""
        self.assert_problem('[aliases]\nAddRecrd = ["Add"]\n', 2, "[aliases] AddRecrd", 'did you mean "AddRecord"?')
        self.assert_problem('[aliases]\nlist = ["l"]\n', 2, "[aliases] list", 'did you mean "lists"?')
        self.assert_problem('[aliases]\nStartDialing = ["Go"]\n', 2, "[aliases] StartDialing", "unknown key")

    def test_clash_with_a_standard_spelling(self) -> None:
        """A standard spelling, aliases of the specification included, is no alias of anything, in any case (H50)."""
        for target, spelling, words in (
            ("AddRecord", "donotcall", "standard spelling of DoNotCall"),
            ("AddRecord", "ADDRECORD", "remove it"),
            ("DoNotCall", "RecordCancel", "standard spelling of RequestRecordCancel"),
            ("lists", "CustomerIDs", "standard spelling of customer_ids"),
            ("records", "campaign_groups", "standard spelling of campaigngroups"),
        ):
            with self.subTest(spelling=spelling):
                self.assert_problem(f'[aliases]\n{target} = ["{spelling}"]\n', 2, f"[aliases] {target}", words)

    def test_clash_with_a_path(self) -> None:
        """What is served beside the resources is no alias of one."""
        for spelling in ("events", "Events", "openapi.json"):
            text = f'[aliases]\nlists = ["{spelling}"]\n'
            self.assert_problem(text, 2, "[aliases] lists", "is a path of ocsgw itself", "choose another")
        self.parse_tables('[aliases]\nAddRecord = ["events"]\n')

    def test_clash_of_two_aliases(self) -> None:
        """A spelling means one thing; requests and resource types are apart."""
        text = '[aliases]\nAddRecord = ["Add"]\nDoNotCall = ["ADD"]\n'
        self.assert_problem(text, 3, "[aliases] DoNotCall", "is an alias of AddRecord already", "choose another")
        self.assert_problem('[aliases]\nlists = ["x", "X"]\n', 2, "[aliases] lists", "remove it")
        self.parse_tables('[aliases]\nAddRecord = ["add", "lists"]\nlists = ["add", "DoNotCall"]\n')

    def test_wrong_spellings(self) -> None:
        """A spelling that cannot stand in a target is refused."""
        for written in ('""', '"a/b"', r'"a\u0001"', "5", '"' + "x" * 65 + '"'):
            with self.subTest(written=written):
                self.assert_problem(f"[aliases]\nlists = [{written}]\n", 2, "[aliases] lists")
