"""Tests of ocsgw.config.grammar and sections: tables, keys, spellings, defaults."""

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec

from ocsgw.config import Config, TimeZone
from ocsgw.config.constants import UNSUPPORTED_OPTIONS
from ocsgw.config.schema import REQUIRED, Key, Table
from tests.config.samples import EVERYTHING
from tests.config.support import APPLICATION, ConfigTestCase, tables

DERIVED = {
    "CallingList": {"shown_columns"},
    "Store": {"kind", "file"},
    "Config": {"path", "directory", "files", "warnings"},
}
"""Attributes that are no keys."""

ATTRIBUTES = {
    "listener": "listeners",
    "sni_certificate": "sni_certificates",
    "api_key": "api_keys",
    "client_certificate": "client_certificates",
    "tenant": "tenants",
    "time_zone": "time_zones",
    "calling_list": "calling_lists",
    "field": "fields",
    "campaign": "campaigns",
    "campaign_group": "campaign_groups",
    "treatments": "treatment_options",
    "treatment": "treatments",
}
"""Tables whose attributes have other names."""


class StructTests(ConfigTestCase):
    """The structs have what the grammar has."""

    def test_attributes(self) -> None:
        """Each key of a table is an attribute of its struct, and no attribute is without a key."""
        for path, table in tables():
            struct: Any = table.makes
            keys = {ATTRIBUTES.get(key, key) if isinstance(entry, Table) else key for key, entry in table.keys.items()}
            if path == ("application",):
                keys.remove("tls")  # C36: it is in the listeners
            fields = set(struct.__struct_fields__)
            self.assertEqual(fields, keys | DERIVED.get(struct.__name__, set()), f"{path}")

    def test_frozen(self) -> None:
        """Structs cannot be changed, and compare and hash by identity."""
        config, other = self.parse_tables(""), self.parse_tables("")
        parts = [config, config.application, config.tenants[0], config.time_zones[0], config.limits]
        others = [other, other.application, other.tenants[0], other.time_zones[0], other.limits]
        for part, twin in zip(parts, others, strict=True):
            self.assertNotEqual(part, twin)
            self.assertEqual({part: 1}[part], 1)
            self.assertRaises(AttributeError, setattr, part, part.__struct_fields__[0], 1)
            self.assertNotIn("__dict__", dir(part))
        self.assertIsInstance(config, Config)
        self.assertEqual(msgspec.structs.astuple(config.limits), msgspec.structs.astuple(other.limits))

    def test_types(self) -> None:
        """The values have the types that the structs promise."""
        self.write_certificates()
        self.write("secret", "X-Header: 0123456789abcdef")
        self.write("signing", "whsec_a2tra2tra2tra2tra2tra2tra2tra2tr")
        everything = self.parse_text(EVERYTHING)
        for part in parts_of(everything):
            for field in msgspec.structs.fields(part):
                value = getattr(part, field.name)
                if not isinstance(value, msgspec.Struct) and "Secret" not in str(field.type):
                    msgspec.convert(value, field.type, strict=True)

    def test_everything_is_in_use(self) -> None:
        """The text of the test before has every key of the grammar."""
        for path, table in tables():
            for key, entry in table.keys.items():
                if isinstance(entry, Key) and path != ("application", "tls"):
                    self.assertIn(f"\n{key} = ", EVERYTHING, f"{path}")


class DefaultTests(ConfigTestCase):
    """Sections 3 to 13: defaults."""

    def assert_values(self, part: Any, **expected: Any) -> None:
        self.assertEqual({name: getattr(part, name) for name in part.__struct_fields__}, expected)

    def test_application(self) -> None:
        """Section 3: defaults of the application."""
        application = self.parse_tables("").application
        chain_attr = application.chain_attr
        self.assert_values(chain_attr, records="AllChain", phones="RecordOnly", customer_ids="AllChain")
        self.assert_values(
            application,
            name="OCS",
            dbid=134,
            reconnect_timeout=10.0,
            encoding=None,
            encoding_detect=True,
            http_custom_headers=(),
            error_codes=False,
            customer_id=None,
            state_dir="/run/ocsgw",
            chain_attr=chain_attr,
        )

    def test_store_and_pair(self) -> None:
        """Section 6: defaults of the store and the pair."""
        config = self.parse_tables("")
        self.assert_values(
            config.store,
            url="sqlite:///var/ocsgw.sqlite",
            kind="sqlite",
            file=config.store.file,
            password_file=None,
            journal_retention=30 * 86400.0,
            create=True,
            create_indexes=True,
            connect_timeout=10.0,
            prepared_statements=False,
            writers=2,
            batches="mixed",
            wait=60.0,
            busy_timeout=2.0,
        )
        self.assert_values(config.ha, enabled=False, mode="pair", name="OCS", lease_time=5.0, renew_interval=1.0)

    def test_requests_of_ours(self) -> None:
        """Sections 9 to 11: defaults of validation, notifications and treatments."""
        config = self.parse_tables("")
        outgoing: dict[str, Any] = {
            "http_response_timeout": 10.0,
            "http_connection_pool_size": 5,
            "trusted_ca": None,
            "certificate": None,
            "certificate_key": None,
            "tls_minimum": "TLSv12",
            "headers_file": (),
        }
        self.assert_values(
            config.pre_dial_validation,
            pre_dial_validation=False,
            validation_uri=None,
            validation_timeout_call_result=3,
            max_tries=10,
            failure_retry=300.0,
            store_answer_fields=False,
            **outgoing,
        )
        self.assert_values(
            config.notifications,
            send_campaigngroup_states=False,
            campaigngroup_states_uri=None,
            campaigngroup_states_interval=10.0,
            campaigngroup_states_per_list=False,
            send_history=False,
            history_uri=None,
            history_wait_condition_threshold=0,
            history_wait_recovery_timeout=60.0,
            history_retention=86400.0,
            validation_race_condition_call_result=3,
            contact_processed_notification=False,
            contact_processed_notification_uri=None,
            http_retry_max_attempts=0,
            http_retry_applies_to=("history", "contact_processed"),
            http_proxy=None,
            signing_key_file=None,
            **outgoing,
        )
        self.assert_values(config.desktop, agent_preview_mode_start=False, agent_logout_preview_call_result=None)
        self.assert_values(
            config.treatment_options, on_processed=False, apply_late_results=False, personal_callback_limit=0.0
        )
        self.assertEqual(config.treatments, ())

    def test_limits(self) -> None:
        """Section 12: defaults of the limits."""
        self.assert_values(
            self.parse_tables("").limits,
            body=2**20,
            request_line=8192,
            header_block=65536,
            headers=100,
            json_depth=32,
            json_members=2000,
            header_timeout=10.0,
            body_timeout=30.0,
            idle_timeout=75.0,
            write_timeout=30.0,
            request_timeout=30.0,
            connections=10000,
            in_flight=1024,
            pipeline=64,
            event_streams=1000,
            drain=262144,
            buffered=256 * 1024 * 1024,
            drain_timeout=10.0,
            idempotency_ttl=86400.0,
            idempotency_by_address=False,
            duplicate_window=0.0,
            do_not_call_grace=60.0,
            frame=2**21,
            frame_timeout=30.0,
            send_buffer=2**22,
            start_timeout=20.0,
            stop_timeout=15.0,
            heartbeat=3.0,
            address_rate=0,
            address_burst=0,
            address_connections=0,
            principal_rate=0,
            principal_burst=0,
            principal_connections=0,
            remembered_addresses=10000,
        )

    def test_others(self) -> None:
        """Sections 8, 13: defaults of the Do Not Call list and the log; no other objects."""
        config = self.parse_tables("")
        self.assert_values(config.do_not_call, table="gsw_donotcall_list", scope="tenant", reread=60.0)
        self.assert_values(
            config.log,
            target="stdout",
            level="info",
            format="text",
            contacts="masked",
            http_trace=False,
            access=None,
            access_format="combined",
        )
        self.assertEqual((config.api_keys, config.calling_lists, config.campaigns), ((), (), ()))
        self.assertEqual((config.campaign_groups, config.warnings), ((), ()))
        self.assertTrue(all(isinstance(zone, TimeZone) for zone in config.time_zones))

    def test_required(self) -> None:
        """Section 3: only the application's number is required of a whole file."""
        self.assert_missing("", "[application] dbid")
        self.assert_missing("[application]\n", "[application] dbid")

    def assert_missing(self, text: str, key: str) -> None:
        (problem,) = self.problems(text)
        self.assertEqual((problem.line, problem.key, problem.message), (1, key, "is missing"))

    def test_required_of_objects(self) -> None:
        """Sections 5 to 8, 11: what objects need is reported at their headers."""
        for table, keys in (
            ("api_key", "name key_file"),
            ("client_certificate", "name"),
            ("tenant", "dbid name"),
            ("time_zone", "dbid name zone"),
            ("calling_list", "dbid name table"),
            ("campaign", "dbid name calling_lists"),
            ("campaign_group", "dbid campaign group"),
            ("treatment", "dbid name call_result action"),
        ):
            problems = self.problems_of(f"\n[[{table}]]\n")
            self.assertEqual([problem.key for problem in problems], [f"[[{table}]] {key}" for key in keys.split()])
            self.assertEqual({problem.line for problem in problems}, {5})
        problems = self.problems_of('[[calling_list]]\ndbid = 1\nname = "L"\ntable = "t"\n[[calling_list.field]]\n')
        self.assertEqual([p.key.split()[1] for p in problems], ["name", "type"])


class SpellingTests(ConfigTestCase):
    """C2, C4, section 17."""

    def test_hyphens(self) -> None:
        """C4: hyphens may stand for underscores, in keys and in tables."""
        config = self.parse_text(
            "[application]\ndbid = 1\nhttp-custom-headers = true\n[pre-dial-validation]\nmax-tries = 3\n"
            '[[calling-list]]\ndbid = 1\nname = "L"\ntable = "t"\n[[calling-list.field]]\nname = "f"\ntype = "int"\n'
        )
        self.assertEqual(len(config.application.http_custom_headers), 5)
        self.assertEqual(config.pre_dial_validation.max_tries, 3)
        self.assertEqual(config.calling_lists[0].fields[0].name, "f")

    def test_both_spellings(self) -> None:
        """C4: both spellings of one key together are an error, also of a table."""
        self.assert_problem(
            "[limits]\njson_depth = 3\njson-depth = 3\n", 2, "[limits] json_depth", '"json_depth" and "json-depth"'
        )
        self.assert_problem(
            "[[calling-list]]\ndbid = 1\nname = 'L'\ntable = 't'\n[[calling_list]]\n", 1, "[[calling-list]]", "twice"
        )

    def test_unknown_key(self) -> None:
        """C2: an unknown key is reported with its line and the nearest known key."""
        self.assert_problem('[log]\n\nlevle = "info"\n', 3, "[log] levle", "unknown key", 'did you mean "level"?')
        (problem,) = self.problems("[application]\ndbid = 1\nDbid = 2\n")
        self.assertIn('did you mean "dbid"?', problem.hint)

    def test_example_of_a_report(self) -> None:
        """C2: a misspelled key is reported once; that the meant one is missing is not told as well."""
        problem = self.assert_problem(
            '[[listener]]\nid = "a"\nprotocol = "http"\nprot = 8080\n', 4, "[[listener]] prot"
        )
        self.assertEqual(str(problem), f'{self.path}:7: [[listener]] prot: unknown key; did you mean "port"?')

    def test_unknown_table(self) -> None:
        """C2: an unknown table is reported with the nearest known one, before and among others."""
        self.assert_problem("[limit]\nbody = 1\n", 1, "[limit]", "unknown table", 'did you mean "limits"?')
        self.assert_problem("[[campaign-groups]]\n", 1, "[[campaign-groups]]", 'did you mean "campaign_group"?')
        self.assert_problem("[log.colours]\n", 1, "[log.colours]", "unknown table")

    def test_nothing_near(self) -> None:
        """C2: without a near key the known ones are named."""
        self.assert_problem("[ha]\nxyz = 1\n", 2, "[ha] xyz", "enabled, mode, name, lease_time")

    def test_key_of_another_table(self) -> None:
        """C2: a key that other tables know is sent there."""
        self.assert_problem(
            '[[listener]]\nid = "a"\nprotocol = "http"\nport = 1\ncertificate = "c"\n',
            5,
            "[[listener]] certificate",
            "belongs in [listener.tls]",
        )
        (problem,) = self.problems_of('[log]\ncertificate = "c"\n')  # known in four tables
        self.assertNotIn("belongs", problem.hint)
        self.assert_problem("[log]\nbody = 1\n", 2, "[log] body", "belongs in [limits]")
        self.assert_problem(
            "[[calling_list]]\ndbid = 1\nname = 'L'\ntable = 't'\nsend_attribute = 'x'\n",
            5,
            "[[calling_list]] send_attribute",
            "belongs in [[calling_list.field]]",
        )

    def test_unsupported_options(self) -> None:
        """Section 17: classic options that are not supported are errors with a hint of their own, anywhere."""
        names = "upgrade fips140-enabled campaigngroup-preload-uri digital-dialer-uri cancel-on-desktop"
        names += " desktop-chains-limit check_dnc_list check_dnc_callback outbound_contact_server"
        self.assertEqual({name.replace("-", "_") for name in names.split()}, set(UNSUPPORTED_OPTIONS))
        for name, table in itertools.product(names.split(), ("[log]", "[notifications]")):
            self.assert_problem(f"{table}\n{name} = 1\n", 2, f"{table} {name}", "not supported")
        (problem,) = self.problems("upgrade = 1\n" + APPLICATION)
        self.assertIn("[listener.tls]", problem.hint)

    def test_tables_and_arrays(self) -> None:
        """C2: a table is no array of tables, an array no table, a plain value neither."""
        self.assert_problem("[[log]]\n", 1, "[[log]]", "[log], with one pair")
        self.assert_problem('[listener]\nid = "a"\n', 1, "[listener]", "[[listener]], with two pairs")
        problems = self.problems("log = 5\nlistener = [1, {}]\n" + APPLICATION)
        self.assertEqual([problem.key for problem in problems], ["log", "listener"])
        self.assert_problem(
            '[[listener]]\nid = "a"\nprotocol = "http"\nport = 1\ntls = 1\n', 5, "[[listener]] tls", "[listener.tls]"
        )

    def test_inline_and_dotted(self) -> None:
        """C1: all ways in which TOML writes tables are equal, and their keys have lines."""
        text = 'log.level = "debug"\nlistener = [ { id = "a", protocol = "http", port = 1 },\n'
        text += ' { id = "b", protocol = "http", port = "x" } ]\napplication = { dbid = 1 }\n'
        (problem,) = self.problems(text)
        self.assertEqual((problem.line, problem.key), (3, "[[listener]] port"))
        config = self.parse_text(text.replace('"x"', "2"))
        self.assertEqual((config.log.level, config.listeners[1].port), ("debug", 2))


class GrammarTests(ConfigTestCase):
    """The grammar itself."""

    def test_no_secret_as_text(self) -> None:
        """C6: no key takes a secret as text; those of secrets end in _file."""
        for path, table in tables():
            for key, entry in table.keys.items():
                if isinstance(entry, Key) and getattr(entry.read, "__name__", "") in {
                    "secret",
                    "api_key",
                    "headers",
                    "signing_key",
                }:
                    self.assertTrue(key.endswith("_file"), f"{path}")
                self.assertNotIn(key, {"password", "secret", "key", "token", "passphrase"})

    def test_repr(self) -> None:
        """The mark of required keys explains itself."""
        self.assertEqual(repr(REQUIRED), "required")


def parts_of(value: Any) -> Iterator[msgspec.Struct]:
    """Give all structs of a configuration."""
    if isinstance(value, msgspec.Struct):
        yield value
        for name in value.__struct_fields__:
            yield from parts_of(getattr(value, name))
    elif isinstance(value, tuple):
        for element in value:
            yield from parts_of(element)
