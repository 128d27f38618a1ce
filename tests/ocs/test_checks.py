"""What this version does not do is refused by name, never passed over."""

import pathlib

from ocsgw.config import ConfigurationError, Problem, load, parse
from ocsgw.config.not_built import NOT_BUILT
from ocsgw.ocs.checks import CHECKS, RULES
from tests.config.support import APPLICATION, ConfigTestCase

EXAMPLE = pathlib.Path(__file__).parents[2] / "etc" / "ocsgw.toml"
_OBJECTS = """[[calling_list]]
dbid = 1
name = "L"
table = "t"
{calling_list}
[[campaign]]
dbid = 1
name = "C"
calling_lists = ["L"]
{campaign}
[[campaign_group]]
dbid = 1
campaign = "C"
group = "G"
{campaign_group}
"""
_NO_OBJECT = {"calling_list": "", "campaign": "", "campaign_group": ""}

# Tables, with the key that is refused.
REFUSED = (
    (
        "[notifications]\nhistory_wait_condition_threshold = 1\n",
        "[notifications] history_wait_condition_threshold",
    ),
)


class CheckTests(ConfigTestCase):
    """Refusals before anything starts."""

    def refusals(self, tables: str) -> tuple[Problem, ...]:
        """Return the problems of a configuration."""
        error: ConfigurationError = self.assertRaises(
            ConfigurationError, parse, APPLICATION + tables, self.path, CHECKS, RULES
        )
        return error.problems

    def test_refused(self) -> None:
        """Each part of the file that this version does not do is the one problem, with a hint that helps."""
        self.write("secret", "secret")
        for tables, key in REFUSED:
            with self.subTest(key=key):
                (problem,) = self.refusals(tables)
                self.assertEqual(problem.key, key)
                self.assertRegex(f"{problem.message}; {problem.hint}", "this version.*; (set|leave|use|remove) ")

    def test_every_line(self) -> None:
        """Each line of the table is tried here."""
        tried = {key.split()[0].strip("[]") + " " + key.split()[1] for _, key in REFUSED}
        self.assertEqual({f"{each.table} {each.key}" for each in NOT_BUILT}, tried)

    def test_pair(self) -> None:
        """C42: two servers of a pair share a store and nothing else; an audit log is refused with them."""
        store = '[store]\nurl = "sqlite:///var/store"\n[ha]\nenabled = true\n'
        apart = APPLICATION + store
        self.assertTrue(parse(apart, self.path, CHECKS, RULES).ha.enabled)
        (problem,) = self.refusals(store.replace("sqlite:///var/store", "sqlite:////run/ocsgw/store"))
        self.assertEqual(problem.key, "[ha] enabled")
        self.assertIn("set [application] state_dir to another folder", problem.hint)
        error: ConfigurationError = self.assertRaises(
            ConfigurationError, parse, f"{apart}[audit]\nenabled = true\n", self.path, CHECKS, RULES
        )
        self.assertEqual([each.key for each in error.problems], ["[audit] enabled"])

    def test_hints_lead_out(self) -> None:
        """Switched off, or with a value that this version knows, the same keys are accepted."""
        tables = (
            '[[listener]]\nid = "a"\nprotocol = "http"\nport = 8080\n[store]\nurl = "sqlite:///x"\n'
            '[ha]\nenabled = false\n[pre_dial_validation]\npre_dial_validation = false\nhttp_response_timeout = "10s"\n'
            '[notifications]\nsend_history = false\n[do_not_call]\nreread = "60s"\n'
            "[desktop]\nagent_logout_preview_call_result = -1\n"
        )
        self.assertEqual(parse(APPLICATION + tables, self.path, CHECKS, RULES).warnings, ())

    def test_example(self) -> None:
        """The supplied configuration is accepted without a warning."""
        self.assertEqual(load(EXAMPLE, CHECKS, RULES).warnings, ())
