"""Keys that expire are reported ahead (configuration.md section 5)."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import ApiKey, Secret
from ocsgw.ocs.key_expiry import KeyExpiry
from tests.support.logs import LogCapture

_DAY = 86400
_END = 1801439999


def key(name: str, expires: int | None) -> ApiKey:
    """Return a key that expires."""
    return ApiKey(
        name=name,
        key_file=Secret("sha256:"),
        expires=expires,
        listeners=None,
        actions=None,
        tenants=None,
        calling_lists=None,
        campaign_groups=None,
    )


class KeyExpiryTests(SynchronousTestCase):
    """Section 5."""

    def setUp(self) -> None:
        self.now = 0.0
        self.expiry = KeyExpiry(lambda: self.now)
        self.log = LogCapture(self)

    def told(self, left: float, *keys: ApiKey) -> list[str]:
        """Return what is logged so many seconds before the end."""
        self.now = _END - left
        before = len(self.log.texts())
        self.expiry.look(keys or [key("crm", _END), key("ivr", None)])
        return self.log.texts()[before:]

    def test_ahead(self) -> None:
        """Section 5: it is reported 30, 7 and 1 days ahead and at the end, each once."""
        self.assertEqual(self.told(31 * _DAY), [])
        for left, words in ((30 * _DAY, "in 30 days"), (7 * _DAY, "in 7 days"), (_DAY, "in 1 days"), (0, "expired")):
            (text,) = self.told(left)
            self.assertIn(words, text)
            self.assertIn("crm", text)
            self.assertIn("2027-01-31 23:59:59", text)
            self.assertEqual(self.told(left - 10), [])

    def test_late_start(self) -> None:
        """Section 5: what is due at the start is reported once, not for every stage."""
        self.assertEqual(len(self.told(3 * _DAY)), 1)
        self.assertEqual(len(self.told(-5)), 1)

    def test_rotation(self) -> None:
        """Section 5: keys of one name are told of one by one."""
        self.assertEqual(
            len(self.told(5, key("crm", _END), key("crm", _END + 3 * _DAY), key("crm", _END + 99 * _DAY))), 2
        )
