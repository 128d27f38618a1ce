"""What the first page of the console says about the servers of a store."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.admin.console import overview
from tests.admin.test_site import running


class ServerTests(SynchronousTestCase):
    """The section about the server."""

    def shown(self, **status: Any) -> str:
        """Return the section for a server that runs."""
        waiting: dict[str, list[str]] = {"restart": [], "proxy_restart": []}
        usual = {**running(), "health": "good", "problems": [], "waiting": waiting, "pair": None, "gateways": None}
        return str(overview._state({**usual, **status}))

    def test_alone(self) -> None:
        """A server alone has nobody beside it."""
        self.assertIn("<dt>Peer</dt><dd>no pair</dd>", self.shown())

    def test_pair(self) -> None:
        """A server of a pair shows the other one, or that there is none."""
        self.assertIn("<dd>two (standby)</dd>", self.shown(pair={"primary": "one", "standby": "two"}))
        self.assertIn("<dd>no standby</dd>", self.shown(pair={"primary": "one", "standby": None}))

    def test_gateways(self) -> None:
        """Servers that serve at once are all named, with the one that does the chores."""
        gateways = [{"name": "one", "chores": False}, {"name": "two", "chores": True}]
        text = self.shown(gateways=gateways)
        self.assertIn("<dt>Gateways</dt><dd>one, two (chores)</dd>", text)
        self.assertNotIn("Peer", text)
