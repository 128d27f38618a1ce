"""The tables of docs/http.md are those of the program."""

import re
import runpy
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.event_stream import EVENT_TYPES, MISSED
from ocsgw.protocol.requests import COMMON_ATTRIBUTES, EVENTS, REQUESTS

DOCS = Path(__file__).resolve().parents[1] / "docs"


class ReferenceTests(SynchronousTestCase):
    """What a client needs stands in one page."""

    def setUp(self) -> None:
        self.generator: dict[str, Any] = runpy.run_path(str(DOCS / "reference.py"))
        self.page = (DOCS / "http.md").read_text(encoding="utf-8")

    def test_generated(self) -> None:
        """The page is what the program gives; `make reference` mends it."""
        self.assertEqual(self.generator["updated"](self.page), self.page)

    def test_everything_has_an_effect(self) -> None:
        """Every attribute of every request is explained, and nothing else is."""
        used = set()
        for row in REQUESTS.values():
            if row.resources:
                self.assertIn(row.name, self.generator["REQUEST_TEXTS"])
            for each in [one for many in row.attributes.values() for one in many]:
                self.generator["effect"](row.name, each)
                used |= {each.key, (row.name, each.key)}
        used |= {each.key for each in COMMON_ATTRIBUTES}
        self.assertEqual(set(self.generator["EFFECTS"]) - used, set())
        self.assertEqual(set(self.generator["REQUEST_TEXTS"]) - set(REQUESTS), set())

    def test_events(self) -> None:
        """Every event that answers a request over HTTP is described."""
        for row in REQUESTS.values():
            for event in row.success if row.resources else ():
                self.assertIn(event, EVENTS)
                self.assertRegex(self.page, rf"(?m)^\| .*`{event}`.* \| .* \|$", event)

    def test_event_types(self) -> None:
        """Every type of event of `/events` is explained, and nothing else is."""
        self.assertEqual(set(self.generator["EVENT_TEXTS"]), {*EVENT_TYPES, MISSED})

    def test_links(self) -> None:
        """Links within the page lead somewhere."""
        headings = {
            re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"(?m)^#+ (.*)$", self.page)
        }
        for link in re.findall(r"\]\(#([^)]*)\)", self.page):
            self.assertIn(link, headings)
