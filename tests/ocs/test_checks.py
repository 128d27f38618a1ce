"""What this version does not do is refused, or told, never passed over."""

from ocsgw.config import ConfigurationError
from ocsgw.ocs.checks import CHECKS, not_served
from tests.config.support import APPLICATION, ConfigTestCase


class CheckTests(ConfigTestCase):
    """Refusals before anything starts, and lines at each start."""

    def refusals(self, tables: str) -> list[str]:
        """Return key and hint of each problem of a configuration."""
        error: ConfigurationError = self.assertRaises(ConfigurationError, self.parse_text, APPLICATION + tables, CHECKS)
        return [f"{each.key}: {each.hint}" for each in error.problems]

    def test_store(self) -> None:
        """C40: a store that this version cannot open is refused with its key, and what to write instead."""
        (problem,) = self.refusals('[store]\nurl = "postgresql://db/ocs"\n')
        self.assertEqual(problem, '[store] url: use "sqlite:///FILE"')

    def test_pair(self) -> None:
        """C80: a pair of servers would both be primary; it is refused."""
        (problem,) = self.refusals("[ha]\nenabled = true\n")
        self.assertEqual(problem, "[ha] enabled: set it to false")

    def test_good(self) -> None:
        """What is served has no problem and no line."""
        text = APPLICATION + '[[listener]]\nid = "a"\nprotocol = "http"\nport = 8080\n[store]\nurl = "sqlite:///x"\n'
        self.assertEqual(not_served(self.parse_text(text, CHECKS)), [])

    def test_listeners(self) -> None:
        """C76: a listener that stays closed is named with its protocol."""
        config = self.parse_tables(
            '[[listener]]\nid = "a"\nprotocol = "ocs"\nport = 7200\n'
            '[[listener]]\nid = "b"\nprotocol = "admin"\nport = 7280\n'
        )
        first, second = not_served(config)
        self.assertIn("Listener a has the protocol ocs", first)
        self.assertIn("Listener b has the protocol admin", second)

    def test_notifications(self) -> None:
        """Section 10: each notification that is switched on is told as not sent, once for all."""
        for switch, uri in (
            ("send_campaigngroup_states", "campaigngroup_states_uri"),
            ("send_history", "history_uri"),
            ("contact_processed_notification", "contact_processed_notification_uri"),
        ):
            config = self.parse_tables(f'[notifications]\n{switch} = true\n{uri} = "http://127.0.0.1/x"\n')
            self.assertEqual(len(not_served(config)), 1, switch)
