"""Requests of desktops that need no store (protocol.md P23)."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.directory import Campaign
from ocsgw.desktop.eligibility import Eligibility
from ocsgw.desktop.own_requests import OwnRequests
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.requests import REQUESTS
from tests.support.rules import ENVIRONMENT, make_directory


class OwnRequestTests(SynchronousTestCase):
    """Preview mode of one desktop, where it has to be started."""

    def test_names_of_campaigns(self) -> None:
        """P23, H60: a campaign is the same in every form of its characters, at the start and at the preview."""
        directory = make_directory(campaigns=(Campaign(303, "\u00c9t\u00e9", ENVIRONMENT, ()),), groups=())
        own, desktop = OwnRequests(lambda: directory, lambda: True), Eligibility(1)
        start, preview = REQUESTS["PreviewDialingModeStart"], REQUESTS["PreviewRecordRequest"]
        own.answer(desktop, start, {"GSW_CAMPAIGN_NAME": "E\u0301te\u0301"})
        for name in ("E\u0301te\u0301", "\u00c9t\u00e9"):
            self.assertIsNone(own.answer(desktop, preview, {"GSW_CAMPAIGN_NAME": name}))
        for data in ({"GSW_CAMPAIGN_NAME": "Ete"}, {}):
            refusal: Refusal = self.assertRaises(Refusal, own.answer, desktop, preview, data)
            self.assertEqual(refusal.code, "invalid_state")
        refusal = self.assertRaises(Refusal, own.answer, desktop, start, {"GSW_CAMPAIGN_NAME": "Ete"})
        self.assertEqual(refusal.code, "invalid_attribute")
