"""Tests of etc/ocsgw.toml: the supplied configuration is the complete example of section 2."""

import os
import pathlib
import re
import tomllib

from ocsgw.config import Config, load
from ocsgw.config.grammar import GRAMMAR
from ocsgw.config.schema import Key
from tests.config.support import ConfigTestCase, tables

FILE = pathlib.Path(__file__).parents[2] / "etc" / "ocsgw.toml"


class ExampleTests(ConfigTestCase):
    """Section 2."""

    config: Config

    def setUp(self) -> None:
        super().setUp()
        self.config = load(FILE)

    def test_no_warning(self) -> None:
        """Section 2: the example runs as it is."""
        self.assertEqual(self.config.warnings, ())

    def test_application(self) -> None:
        """Section 2: the application."""
        application = self.config.application
        self.assertEqual((application.name, application.dbid), ("OCS", 134))
        self.assertEqual((application.reconnect_timeout, application.encoding), (1.0, None))
        self.assertEqual((application.http_custom_headers, application.customer_id), ((), "cust_id"))

    def test_listeners(self) -> None:
        """Section 2: an HTTP listener on loopback; the others are not available in this version.

        Without `public_host`, so that the first GSW_RECORD_URI leads back to the server.
        """
        (found,) = self.config.listeners
        self.assertEqual(
            (found.id, found.protocol, found.interface, found.port, found.tls),
            ("default", "http", "127.0.0.1", 8080, None),
        )
        self.assertEqual(found.public_host, "127.0.0.1")

    def test_store_and_pair(self) -> None:
        """Section 2: SQLite beside the configuration file, no pair."""
        store = self.config.store
        self.assertEqual((store.url, store.kind), ("sqlite:///var/ocsgw.sqlite", "sqlite"))
        self.assertEqual(store.file, os.path.join(os.path.dirname(self.config.path), "var/ocsgw.sqlite"))
        self.assertFalse(self.config.ha.enabled)

    def test_tenants_and_zones(self) -> None:
        """Section 2: one tenant, two zones of its own."""
        self.assertEqual(
            [(found.dbid, found.name, found.default_time_zone) for found in self.config.tenants],
            [(1, "Environment", "GMT")],
        )
        zones = [(found.dbid, found.name, found.zone) for found in self.config.time_zones if found.dbid < 1000]
        self.assertEqual(zones, [(101, "GMT", "Etc/UTC"), (102, "PST", "America/Los_Angeles")])

    def test_lists(self) -> None:
        """Section 2: three lists with their fields."""
        self.assertEqual(
            [(found.dbid, found.name, found.table, found.tenant) for found in self.config.calling_lists],
            [
                (201, "CL_Test", "CL_Test", "Environment"),
                (202, "CL_CALLBACK", "CL_CALLBACK", "Environment"),
                (203, "Liste été", "liste_ete", "Environment"),
            ],
        )
        fields = [
            [(field.name, field.length, field.send_attribute) for field in found.fields]
            for found in self.config.calling_lists
        ]
        self.assertEqual(
            fields,
            [
                [
                    ("cust_id", 64, "CustomerID"),
                    ("disposition", 64, "Disposition"),
                    ("segment", 32, "Segment"),
                    ("remarks", 255, "Remarks"),
                ],
                [
                    ("state", 16, "STATE"),
                    ("last_name", 64, "CONTACT_LAST_NAME"),
                    ("first_name", 64, "CONTACT_FST_NAME"),
                    ("client_id", 32, "client-id"),
                    ("var_005", 32, "VAR_005"),
                ],
                [("nom", 64, "nom")],
            ],
        )
        all_fields = [field for found in self.config.calling_lists for field in found.fields]
        self.assertEqual({(field.type, field.default) for field in all_fields}, {("varchar", None)})

    def test_campaigns(self) -> None:
        """Section 2: two campaigns, one group that is started."""
        self.assertEqual(
            [(found.dbid, found.name, found.description, found.calling_lists) for found in self.config.campaigns],
            [
                (301, "Campaign1", "Example campaign", ("CL_Test", "CL_CALLBACK")),
                (302, "Campagne", "", ("Liste été",)),
            ],
        )
        (group,) = self.config.campaign_groups
        self.assertEqual((group.dbid, group.campaign, group.group), (102, "Campaign1", "Group1"))
        self.assertEqual((group.dial_mode, group.state, group.record_timeout), ("Preview", "started", 600.0))

    def test_treatments(self) -> None:
        """Section 2: one treatment."""
        (found,) = self.config.treatments
        self.assertEqual((found.dbid, found.name, found.call_result, found.action), (401, "busy", 6, "retry_in"))
        self.assertEqual((found.interval, found.max_attempts, found.calling_lists), (900.0, 5, None))
        self.assertFalse(self.config.treatment_options.on_processed)

    def test_everything_else_is_default(self) -> None:
        """Section 2: the other tables have what they have without being written."""
        plain = self.parse_tables("")
        for name in ("do_not_call", "pre_dial_validation", "notifications", "limits", "log", "ha"):
            self.assertEqual(repr(getattr(self.config, name)), repr(getattr(plain, name)))


class CommentTests(ConfigTestCase):
    """The comments of the example."""

    OPTIONAL = re.compile(r"^( *)# ((?:[a-z_]+ = .*)|\[\[?[a-z_.]+\]\]?)$", re.MULTILINE)

    def test_every_key(self) -> None:
        """An operator finds every key in the file, those that are not set in comments."""
        text = FILE.read_text(encoding="utf-8")
        for _, table in tables():
            for key, entry in table.keys.items():
                if isinstance(entry, Key):
                    self.assertRegex(text, rf"(?m)^[# ]*{key} = ", key)

    def test_comments_are_toml(self) -> None:
        """Each line in a comment that looks like a key is a key with a value."""
        for line in self.OPTIONAL.finditer(FILE.read_text(encoding="utf-8")):
            tomllib.loads(line[2])

    def test_commented_defaults(self) -> None:
        """The limits in comments are the defaults, so that taking away the mark changes nothing."""
        text = FILE.read_text(encoding="utf-8")
        limits = text[text.index("\n[limits]") :].replace("\n# ", "\n")
        self.assertEqual(repr(self.parse_tables(limits).limits), repr(self.parse_tables("").limits))
        self.assertEqual(set(tomllib.loads(limits)["limits"]), set(dict(tables())[("limits",)].keys))
        self.assertEqual(next(tables())[1], GRAMMAR)
