"""From the configuration to what principals may do, and what a proxy is told of them."""

import hashlib

from ocsgw.access.permissions import EVERYTHING, Permissions
from ocsgw.catalog import directory_of
from ocsgw.config import Config
from ocsgw.ocs.settings import settings_of
from tests.config.support import ConfigTestCase

_KEY = "correct horse battery staple"
_LISTENER = '[[listener]]\nid = "a"\nprotocol = "http"\nport = 0\n'
_LIMITS = 'actions = ["AddRecord"]\ntenants = ["Environment"]\ncalling_lists = ["L"]\ncampaign_groups = ["C@G"]\n'
_OBJECTS = """
[[calling_list]]
dbid = 1
name = "L"
table = "L"
[[campaign]]
dbid = 1
name = "C"
calling_lists = ["L"]
[[campaign_group]]
dbid = 1
campaign = "C"
group = "G"
"""


class PrincipalTests(ConfigTestCase):
    """Section 5, H346, H347."""

    def configuration(self, *tables: str) -> Config:
        """Return a configuration with a list, a group, and two key files."""
        self.write("key", _KEY)
        self.write("other", "another key of this test")
        return self.parse_tables("".join((_LISTENER, *tables, _OBJECTS)))

    def key(self, name: str, limits: str = "", file: str = "key") -> str:
        """Return the table of a key."""
        return f'[[api_key]]\nname = "{name}"\nkey_file = "{file}"\n{limits}'

    def test_permissions(self) -> None:
        """H346: keys and certificates give their principals the permissions that are configured."""
        certificate = f'[[client_certificate]]\nname = "dialer"\n{_LIMITS}'
        config = self.configuration(self.key("crm", _LIMITS), self.key("all", file="other"), certificate)
        directory = directory_of(config, 1)
        limited = Permissions(*map(frozenset, (["AddRecord"], ["Environment"], ["L"], ["C@G"])))
        found = {name: directory.permissions_of(name) for name in ("crm", "dialer", "all", "", "unknown")}
        self.assertEqual(
            found, {"crm": limited, "dialer": limited, "all": EVERYTHING, "": EVERYTHING, "unknown": EVERYTHING}
        )

    def test_removed(self) -> None:
        """H346: requests of a principal that is configured no longer, still on their way, get no more than before."""
        before = directory_of(self.configuration(self.key("crm", _LIMITS)), 1)
        after = directory_of(self.configuration(), 1, before)
        self.assertEqual(after.permissions_of("crm"), before.permissions_of("crm"))
        wider = directory_of(self.configuration(self.key("crm")), 1, after)
        self.assertEqual(wider.permissions_of("crm"), EVERYTHING)

    def test_subjects(self) -> None:
        """H321: a common name that stands alone is also that of a certificate which has other names only."""
        tables = "".join(f'[[client_certificate]]\nname = "{name}"\n' for name in ("crm.example", "CN=a,O=b", "O=c"))
        tls = '[listener.tls]\ncertificate = "c"\ncertificate_key = "k"\ntrusted_ca = "c"\ntls_mutual = true\n'
        self.write("c", "certificate")
        self.write("k", "key")
        config = self.configuration(tls, tables)
        settings = settings_of(config, config.listeners[0], config.listeners[0])
        found = [each.subject for each in settings.client_certificates or ()]
        self.assertEqual(found, ["CN=crm.example", "crm.example", "CN=a,O=b", "O=c"])

    def test_settings(self) -> None:
        """H347, protocol.md 7: a proxy gets salted hashes, new with each message, of the keys of its listener."""
        config = self.configuration(self.key("crm", 'expires = 2027-01-31\nlisteners = ["a"]\n'))
        listener = config.listeners[0]
        first, second = (settings_of(config, listener, listener).keys[0] for _ in range(2))
        self.assertNotEqual(first.hash, second.hash)
        for key in (first, second):
            self.assertEqual((key.name, key.expires), ("crm", 1801439999))
            digest = hashlib.sha256(bytes.fromhex(key.salt) + hashlib.sha256(_KEY.encode()).digest()).hexdigest()
            self.assertEqual(key.hash, digest)
        self.assertNotIn(hashlib.sha256(_KEY.encode()).hexdigest(), repr(settings_of(config, listener, listener)))
