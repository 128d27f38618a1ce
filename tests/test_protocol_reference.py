"""What docs/protocol.md says is what the program does."""

import re
import runpy
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.messages import Bye, Drain, Event, Hello, Ping, Pong, Request, Welcome, encode
from ocsgw.protocol.requests import UNSOLICITED_EVENTS

DOCS = Path(__file__).resolve().parents[1] / "docs"


class ProtocolReferenceTests(SynchronousTestCase):
    """The page for implementers."""

    def setUp(self) -> None:
        self.page = (DOCS / "protocol.md").read_text(encoding="utf-8")

    def test_requests(self) -> None:
        """The table is that of the program; `make reference` mends it."""
        generator: dict[str, Any] = runpy.run_path(str(DOCS / "protocol_reference.py"))
        self.assertEqual(generator["updated"](self.page), self.page)

    def test_frame(self) -> None:
        """The example is a ping as it is sent."""
        (example,) = re.findall(r"(?m)^(00 00 00 .*)$", self.page)
        self.assertEqual(bytes.fromhex(example), encode(Ping(ref=1)))

    def test_messages(self) -> None:
        """Every kind is described, and every key of it that a client may send or gets."""
        for kind in (Hello, Welcome, Request, Event, Ping, Pong, Drain, Bye):
            (row,) = re.findall(rf"(?m)^\| .*`{kind.__struct_config__.tag}`.* \| .* \| (.*) \|$", self.page)[:1]
            # Those of HTTP Proxies are not for clients.
            for key in set(kind.__struct_fields__) - {"pid", "principal", "peer"}:
                self.assertIn(key, row, f"{key} of {kind.__name__}")

    def test_events(self) -> None:
        """Every event that nobody has asked for is described."""
        for event in UNSOLICITED_EVENTS:
            self.assertRegex(self.page, rf"(?m)^\| .*`{event}`.* \| .* \| .* \|$", event)
