"""Checks of a configuration that need more than its grammar."""

import pathlib

from ocsgw.config import ConfigurationError, Problem, load, parse
from ocsgw.ocs.checks import CHECKS, RULES
from tests.config.support import APPLICATION, ConfigTestCase

EXAMPLE = pathlib.Path(__file__).parents[2] / "etc" / "ocsgw.toml"


class CheckTests(ConfigTestCase):
    """Refusals before anything starts."""

    def refusals(self, tables: str) -> tuple[Problem, ...]:
        """Return the problems of a configuration."""
        error: ConfigurationError = self.assertRaises(
            ConfigurationError, parse, APPLICATION + tables, self.path, CHECKS, RULES
        )
        return error.problems

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

    def test_switched_off(self) -> None:
        """What is switched off is accepted, whatever stands beside it."""
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
