"""Tests of ocsgw.config.grammar and sections: tables, keys, spellings, defaults."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ocsgw.config import Config, TimeZone
from ocsgw.config.constants import UNSUPPORTED_OPTIONS
from ocsgw.config.grammar import GRAMMAR
from ocsgw.config.schema import REQUIRED, Key, Table
from tests.config.support import APPLICATION, ConfigTestCase

DERIVED = {"Store": {"kind", "file"}, "Config": {"path", "directory", "warnings"}}
"""Attributes that are no keys."""

ATTRIBUTES = {
    "listener": "listeners",
    "api_key": "api_keys",
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


def tables(table: Table = GRAMMAR, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Table]]:
    """Give all tables of the grammar."""
    yield path, table
    for key, entry in table.keys.items():
        if isinstance(entry, Table):
            yield from tables(entry, (*path, key))


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
            wait=60.0,
        )
        self.assert_values(config.ha, enabled=False, name="OCS", lease_time=5.0, renew_interval=1.0)

    def test_requests_of_ours(self) -> None:
        """Sections 9 to 11: defaults of validation, notifications and treatments."""
        config = self.parse_tables("")
        outgoing: dict[str, Any] = {
            "http_response_timeout": 10.0,
            "http_connection_pool_size": 5,
            "trusted_ca": None,
            "certificate": None,
            "certificate_key": None,
            "headers_file": (),
        }
        self.assert_values(
            config.pre_dial_validation,
            pre_dial_validation=False,
            validation_uri=None,
            validation_timeout_call_result=3,
            max_tries=10,
            failure_retry=300.0,
            **outgoing,
        )
        self.assert_values(
            config.notifications,
            send_campaigngroup_states=False,
            campaigngroup_states_uri=None,
            campaigngroup_states_interval=10.0,
            send_history=False,
            history_uri=None,
            history_wait_condition_threshold=0,
            history_wait_recovery_timeout=60.0,
            history_retention=86400.0,
            validation_race_condition_call_result=3,
            contact_processed_notification=False,
            contact_processed_notification_uri=None,
            http_tunnel=None,
            **outgoing,
        )
        self.assert_values(config.treatment_options, on_processed=False)
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
            json_members=1000,
            header_timeout=10.0,
            body_timeout=30.0,
            idle_timeout=75.0,
            write_timeout=30.0,
            request_timeout=30.0,
            connections=10000,
            in_flight=1024,
            pipeline=64,
            drain=262144,
            drain_timeout=10.0,
            idempotency_ttl=86400.0,
            duplicate_window=0.0,
            do_not_call_grace=60.0,
            frame=2**21,
            frame_timeout=30.0,
            send_buffer=2**22,
            start_timeout=20.0,
            stop_timeout=15.0,
            heartbeat=3.0,
        )

    def test_others(self) -> None:
        """Sections 8, 13: defaults of the Do Not Call list and the log; no other objects."""
        config = self.parse_tables("")
        self.assert_values(config.do_not_call, table="gsw_donotcall_list", scope="tenant", reread=60.0)
        self.assert_values(
            config.log, target="stdout", level="info", format="text", contacts="masked", http_trace=False
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
        """Sections 5 to 8, 11: what objects need is told at their headers."""
        for table, keys in (
            ("api_key", "name key_file"),
            ("tenant", "dbid name"),
            ("time_zone", "dbid name zone"),
            ("calling_list", "dbid name table"),
            ("campaign", "dbid name calling_lists"),
            ("campaign_group", "dbid campaign group"),
            ("treatment", "name call_result action"),
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
            "[[calling-list]]\ndbid = 1\nname = 'L'\ntable = 't'\n[[calling_list]]\n", 5, "[[calling_list]]", "twice"
        )

    def test_unknown_key(self) -> None:
        """C2: an unknown key is told with its line and the nearest known key."""
        self.assert_problem('[log]\n\nlevle = "info"\n', 3, "[log] levle", "unknown key", 'did you mean "level"?')
        (problem,) = self.problems("[application]\ndbid = 1\nDbid = 2\n")
        self.assertIn('did you mean "dbid"?', problem.hint)

    def test_example_of_a_report(self) -> None:
        """C2: a misspelled key is told once; that the meant one is missing is not told as well."""
        problem = self.assert_problem(
            '[[listener]]\nid = "a"\nprotocol = "http"\nprot = 8080\n', 4, "[[listener]] prot"
        )
        self.assertEqual(str(problem), f'{self.path}:7: [[listener]] prot: unknown key; did you mean "port"?')

    def test_unknown_table(self) -> None:
        """C2: an unknown table is told with the nearest known one, before and among others."""
        self.assert_problem("[limit]\nbody = 1\n", 1, "[limit]", "unknown table", 'did you mean "limits"?')
        self.assert_problem("[[campaign-groups]]\n", 1, "[[campaign-groups]]", 'did you mean "campaign_group"?')
        self.assert_problem("[log.colours]\n", 1, "[log.colours]", "unknown table")

    def test_nothing_near(self) -> None:
        """C2: without a near key the known ones are named."""
        self.assert_problem("[ha]\nxyz = 1\n", 2, "[ha] xyz", "enabled, name, lease_time, renew_interval")

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


class OneMistakeTests(ConfigTestCase):
    """C3: one mistake is one problem, whatever depends on the key."""

    def setUp(self) -> None:
        super().setUp()
        self.write_certificates()
        self.write("secret", "X-Header: 0123456789abcdef")

    def assert_one_problem(self, text: str, line: int) -> None:
        problems = self.problems(text)
        self.assertEqual([problem.line for problem in problems], [line], "\n".join(map(str, problems)))

    def test_every_key(self) -> None:
        """C3: a wrong value is told at its line and has no consequences."""
        for text in (EVERYTHING, SPARSE):
            lines = text.split("\n")
            for index, line in enumerate(lines):
                key, equals, _ = line.partition(" = ")
                if equals:
                    changed = [*lines[:index], f"{key} = {{}}", *lines[index + 1 :]]
                    self.assert_one_problem("\n".join(changed), index + 1)

    def test_every_misspelled_key(self) -> None:
        """C3: a misspelled key is told at its line; that the right one is missing is not told as well."""
        for text in (EVERYTHING, SPARSE):
            lines = text.split("\n")
            for index, line in enumerate(lines):
                if " = " in line:
                    changed = [*lines[:index], line.replace(" = ", "x = "), *lines[index + 1 :]]
                    self.assert_one_problem("\n".join(changed), index + 1)

    def test_every_misspelled_table(self) -> None:
        """C3: a misspelled table is told at its first line; references to what it has are not told as well."""
        for text in (EVERYTHING, SPARSE):
            for name in {header[1] for header in re.finditer(r"(?m)^\[+([a-z_]+)", text)}:
                changed = re.sub(rf"(?m)^(\[+){name}(?=[.\]])", rf"\1{name}x", text)
                self.assert_one_problem(changed, changed[: changed.index(f"[{name}x")].count("\n") + 1)

    def test_every_table(self) -> None:
        """C3: a table that is none is told, and nothing that it should have."""
        for name in GRAMMAR.keys:
            others = "".join(
                part for part in (f"\n[{rest}" for rest in SPARSE.split("\n[")[1:]) if header_of(part) != name
            )
            problems = self.problems(f"{name} = 5\n{others}")
            self.assertEqual([problem.line for problem in problems], [1], "\n".join(map(str, problems)))


def header_of(part: str) -> str:
    """Give the outermost table of a part of a text that begins with a header."""
    return part.strip().partition("]")[0].strip("[").partition(".")[0]


class GrammarTests(ConfigTestCase):
    """The grammar itself."""

    def test_no_secret_as_text(self) -> None:
        """C6: no key takes a secret as text; those of secrets end in _file."""
        for path, table in tables():
            for key, entry in table.keys.items():
                if isinstance(entry, Key) and getattr(entry.read, "__name__", "") in {"secret", "api_key", "headers"}:
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


SPARSE = """
[application]
dbid = 1
customer_id = "f"
[[listener]]
id = "a"
protocol = "http"
port = 8080
[listener.tls]
certificate = "server.pem"
certificate_key = "server.key"
[[listener]]
id = "b"
protocol = "ocs"
port = 8081
interface = "0.0.0.0"
[[api_key]]
name = "k"
key_file = "secret"
listeners = ["b"]
tenants = ["T"]
[[tenant]]
dbid = 1
name = "T"
default_time_zone = "Z"
[[time_zone]]
dbid = 1
name = "Z"
zone = "Etc/UTC"
[[calling_list]]
dbid = 1
name = "L"
table = "t"
[[calling_list.field]]
name = "f"
type = "int"
[[campaign]]
dbid = 1
name = "C"
calling_lists = ["L"]
[[campaign_group]]
dbid = 1
campaign = "C"
group = "G"
[[treatment]]
name = "t"
call_result = 6
campaigns = ["C"]
action = "finish"
"""
"""Every object, with little more than what is required."""

EVERYTHING = """
[application]
name = "A"
dbid = 1
reconnect_timeout = 1
encoding = "KOI8-R"
encoding_detect = false
http_custom_headers = ["X-A: 1"]
error_codes = true
customer_id = "f"
state_dir = "/run/ocsgw"
[application.chain_attr]
records = "RecordOnly"
phones = "AllChain"
customer_ids = "RecordOnly"
[[listener]]
id = "a"
protocol = "http"
interface = "10.0.0.1"
port = 8080
public_host = "h"
public_scheme = "http"
public_port = 80
backlog = 5
allow_anonymous = true
[listener.tls]
certificate = "server.pem"
certificate_key = "server.key"
trusted_ca = "ca.pem"
tls_mutual = "optional"
sec_protocol = "TLSv12"
cipher_list = "HIGH"
tls_crl = "ca.pem"
tls_target_name_check = "host"
client_names = ["n"]
[[api_key]]
name = "k"
key_file = "secret"
listeners = ["a"]
actions = ["AddRecord"]
tenants = ["T"]
[store]
url = "postgresql://u@h/d"
password_file = "secret"
journal_retention = "1d"
create = false
create_indexes = false
connect_timeout = 1
wait = 1
[ha]
enabled = true
name = "B"
lease_time = 3
renew_interval = 1
[[tenant]]
dbid = 1
name = "T"
ccid = "c"
default_time_zone = "Z"
[[time_zone]]
dbid = 1
name = "Z"
zone = "Etc/UTC"
[[calling_list]]
dbid = 1
name = "L"
table = "t"
tenant = "T"
enabled = false
pre_dial_validation = true
validation_uri = "http://h"
validation_timeout_call_result = 1
[[calling_list.field]]
name = "f"
type = "char"
length = 5
default = "d"
send_attribute = "F"
[[campaign]]
dbid = 1
name = "C"
description = "d"
template = "t"
tenant = "T"
calling_lists = ["L"]
pre_dial_validation = false
validation_uri = "http://h"
validation_timeout_call_result = 1
[[campaign_group]]
dbid = 1
campaign = "C"
group = "G"
name = "N"
dial_mode = "PushPreview"
state = "loaded"
record_timeout = 60
pre_dial_validation = false
validation_uri = "http://h"
validation_timeout_call_result = 1
[do_not_call]
table = "s.dnc"
scope = "list"
reread = 5
[pre_dial_validation]
pre_dial_validation = true
validation_uri = "https://h"
validation_timeout_call_result = "Busy"
http_response_timeout = 1
http_connection_pool_size = 1
max_tries = 1
failure_retry = 0
trusted_ca = "ca.pem"
certificate = "server.pem"
certificate_key = "server.key"
headers_file = "secret"
[notifications]
send_campaigngroup_states = true
campaigngroup_states_uri = "http://h"
campaigngroup_states_interval = 1
send_history = true
history_uri = "http://h"
history_wait_condition_threshold = 5
history_wait_recovery_timeout = 5
history_retention = 5
validation_race_condition_call_result = 5
contact_processed_notification = true
contact_processed_notification_uri = "http://h"
http_response_timeout = 1
http_connection_pool_size = 1
http_tunnel = "http://p:1"
trusted_ca = "ca.pem"
certificate = "server.pem"
certificate_key = "server.key"
headers_file = "secret"
[treatments]
on_processed = true
[[treatment]]
name = "t"
call_result = 6
campaigns = ["C"]
action = "retry_in"
interval = 5
max_attempts = 5
[limits]
body = 5
request_line = 5
header_block = 5
headers = 5
json_depth = 5
json_members = 5
header_timeout = 5
body_timeout = 5
idle_timeout = 5
write_timeout = 5
request_timeout = 5
connections = 5
in_flight = 5
pipeline = 5
drain = 0
drain_timeout = 0
idempotency_ttl = 60
duplicate_window = 5
do_not_call_grace = 0
frame = 10
frame_timeout = 5
send_buffer = 5
start_timeout = 5
stop_timeout = 0
heartbeat = 0.001
[log]
target = "ocs.log"
level = "trace"
format = "classic"
contacts = "clear"
http_trace = true
"""
