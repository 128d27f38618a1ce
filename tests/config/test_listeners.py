"""Tests of ocsgw.config.listener_rules: ports, TLS, authentication."""

from ocsgw.config import PemFile
from ocsgw.tls.server import DEFAULT_CIPHERS
from tests.config.support import ConfigTestCase


def listener(name: str, *lines: str, protocol: str = "http", port: int = 8080) -> str:
    """Write a listener: four lines and the others."""
    return "\n".join([f'[[listener]]\nid = "{name}"\nprotocol = "{protocol}"\nport = {port}', *lines, ""])


FILES = 'certificate = "server.pem"\ncertificate_key = "server.key"\n'
OPEN = 'interface = "0.0.0.0"'
KEY = '[[api_key]]\nname = "k"\nkey_file = "key"\n'


class ListenerTestCase(ConfigTestCase):
    """Has the files that listeners name."""

    def setUp(self) -> None:
        super().setUp()
        self.write_certificates()
        self.write("key", "0123456789abcdef")


class ListenerTests(ListenerTestCase):
    """Section 4."""

    def test_none(self) -> None:
        """C30: without a listener there is none."""
        self.assertEqual(self.parse_tables("").listeners, ())

    def test_defaults(self) -> None:
        """Section 4: the defaults of a listener."""
        found = self.parse_tables(listener("a")).listeners[0]
        self.assertEqual((found.id, found.protocol, found.interface, found.port), ("a", "http", "127.0.0.1", 8080))
        self.assertEqual((found.backlog, found.allow_anonymous, found.tls), (1024, False, None))

    def test_cors_origins(self) -> None:
        """`cors_origins`: origins as browsers write them; others are refused with the one that was meant."""
        good = ["https://crm.example", "http://localhost:3000", "https://[2001:db8::1]:8443", "*"]
        found = self.parse_tables(listener("a", f"cors_origins = {good!r}")).listeners[0]
        self.assertEqual(found.cors_origins, tuple(good))
        for wrong, meant in (
            ("https://CRM.example/", '"https://crm.example"'),
            ("https://crm.example/page", '"https://host:port"'),
            ("crm.example", '"https://host:port"'),
            ("null", '"https://host:port"'),
            ("https://crm.example\\nX: y", "in one line"),
        ):
            (problem,) = self.problems_of(listener("a", f'cors_origins = ["{wrong}"]'))
            self.assertIn(meant, problem.hint)

    def test_required(self) -> None:
        """Section 4: id, protocol and port are required."""
        problems = self.problems_of("[[listener]]\n")
        self.assertEqual([problem.key.split()[1] for problem in problems], ["id", "protocol", "port"])

    def test_loopback(self) -> None:
        """H340: loopback addresses are those from which only this machine can connect."""
        for interface, expected in (
            ("127.0.0.1", True),
            ("127.8.0.1", True),
            ("::1", True),
            ("localhost", True),
            ("::ffff:127.0.0.1", True),
            ("0.0.0.0", False),
            ("::", False),
            ("10.0.0.1", False),
            ("::ffff:10.0.0.1", False),
            ("fe80::1", False),
        ):
            config = self.parse_tables(listener("a", f'interface = "{interface}"', "allow_anonymous = true"))
            self.assertIs(config.listeners[0].is_loopback, expected, interface)

    def test_unique_ids(self) -> None:
        """Section 4: ids are unique."""
        self.assert_problem(listener("a") + listener("a", port=1), 6, "[[listener]] id", "line 4")


class WorkerTests(ListenerTestCase):
    """`workers`: several proxies for one port."""

    def test_workers(self) -> None:
        """`workers` is 1 unless it is given, and for `http` listeners only."""
        for text, number in (("", 1), ("workers = 4", 4)):
            config = self.parse_tables(listener("a", text))
            self.assertEqual([each.workers for each in config.listeners], [number])
        self.assert_problem(listener("a", "workers = 2", protocol="ocs"), 5, "[[listener]] workers", "http listeners")

    def test_port_that_the_system_chooses(self) -> None:
        """Several proxies cannot share a port that the system chooses for each of them."""
        self.assert_problem(listener("a", "workers = 2", port=0), 5, "[[listener]] workers", "can share")


class PortTests(ListenerTestCase):
    """C32, R5: listeners do not share a port."""

    def assert_collide(self, one: str, other: str, collide: bool) -> None:
        text = listener("a", f'interface = "{one}"', "allow_anonymous = true", protocol="ocs")
        text += listener("b", f'interface = "{other}"', "allow_anonymous = true")
        if collide:
            self.assert_problem(text, 10, "[[listener]] port", "taken", "line 4")
        else:
            self.parse_tables(text)

    def test_same_interface(self) -> None:
        """C32, R5: one address and port is for one listener, in whatever spelling."""
        self.assert_collide("127.0.0.1", "127.0.0.1", collide=True)
        self.assert_collide("2001:db8::1", "2001:db8:0::1", collide=True)
        self.assert_collide("127.0.0.1", "127.0.0.2", collide=False)
        self.assert_collide("127.0.0.1", "::1", collide=False)

    def test_all_interfaces(self) -> None:
        """C32: a listener on all interfaces takes the port on each of them."""
        for everywhere in ("0.0.0.0", "::"):
            for other in ("10.0.0.1", "127.0.0.1", "2001:db8::1", "localhost", "0.0.0.0", "::"):
                self.assert_collide(everywhere, other, collide=True)
                self.assert_collide(other, everywhere, collide=True)

    def test_localhost(self) -> None:
        """C32: localhost is any of the two loopback addresses."""
        for other, collide in (("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.0.0.2", False)):
            self.assert_collide("localhost", other, collide=collide)

    def test_other_ports(self) -> None:
        """C32: other ports do not collide, and port 0 never does."""
        self.parse_tables(listener("a") + listener("b", port=8081))
        self.parse_tables(listener("a", port=0) + listener("b", port=0))


class TlsTests(ListenerTestCase):
    """Section 4, C36."""

    def test_defaults(self) -> None:
        """Section 4: the defaults of TLS; the public scheme is https then."""
        found = self.parse_tables(listener("a", f"[listener.tls]\n{FILES}")).listeners[0]
        assert found.tls is not None
        self.assertEqual(found.public_scheme, "https")
        self.assertEqual((found.tls.trusted_ca, found.tls.tls_mutual, found.tls.tls_crl), (None, False, None))
        self.assertEqual(found.tls.sec_protocol, ("TLSv12", "TLSv13"))
        self.assertEqual(found.tls.cipher_list, DEFAULT_CIPHERS)
        self.assertEqual((found.tls.tls_target_name_check, found.tls.client_names), ("no", ()))

    def test_all_keys(self) -> None:
        """Section 4: each key of TLS arrives, also as an inline table and with hyphens."""
        keys = 'certificate = "server.pem", certificate-key = "server.key", trusted-ca = "ca.pem", tls-mutual = true'
        keys += ', sec-protocol = "TLSv13", cipher-list = "AES256", tls-crl = "ca.pem", tls-target-name-check = "host"'
        found = self.parse_tables(listener("a", f'tls = {{ {keys}, client-names = ["x"] }}')).listeners[0].tls
        assert found is not None
        self.assertEqual(found.trusted_ca, PemFile(f"{self.directory}/ca.pem", "text of ca.pem\n"))
        self.assertEqual(found.tls_crl, found.trusted_ca)
        self.assertEqual((found.tls_mutual, found.sec_protocol, found.cipher_list), (True, ("TLSv13",), "AES256"))
        self.assertEqual((found.tls_target_name_check, found.client_names), ("host", ("x",)))

    def test_required(self) -> None:
        """Section 4: certificate and key are required, by the table that is there or by both."""
        problems = self.problems_of(listener("a", "[listener.tls]"))
        self.assertEqual(
            [(p.line - 3, p.key) for p in problems],
            [(5, "[listener.tls] certificate"), (5, "[listener.tls] certificate_key")],
        )
        self.assert_problem(
            '[application.tls]\ncertificate = "server.pem"\n' + listener("a", "tls = {}"),
            7,
            "[listener.tls] certificate_key",
            "missing",
        )

    def test_authorities(self) -> None:
        """Section 4: asking for client certificates needs trusted_ca."""
        for written in ("true", '"optional"'):
            text = listener("a", f"[listener.tls]\n{FILES}tls_mutual = {written}")
            self.assert_problem(text, 8, "[listener.tls] tls_mutual", "trusted_ca")
        self.parse_tables(listener("a", f'[listener.tls]\n{FILES}tls_mutual = true\ntrusted_ca = "ca.pem"'))

    def test_inherited(self) -> None:
        """C36: keys of [application.tls] count where the listener has none; alone they switch nothing on."""
        shared = f'[application.tls]\n{FILES}trusted_ca = "ca.pem"\ntls_mutual = true\nclient_names = ["x"]\n'
        text = shared + listener("a") + listener("b", "tls = {}", port=1)
        text += listener("c", '[listener.tls]\ncertificate = "ca.pem"\ntls_mutual = false\nclient_names = []', port=2)
        plain, inheriting, own = (found.tls for found in self.parse_tables(text).listeners)
        self.assertIsNone(plain)
        assert inheriting is not None
        assert own is not None
        self.assertEqual(inheriting.certificate.text, "text of server.pem\n")
        self.assertEqual((inheriting.tls_mutual, inheriting.client_names), (True, ("x",)))
        self.assertEqual(own.certificate.text, "text of ca.pem\n")
        self.assertEqual(own.certificate_key.text, "text of server.key\n")
        self.assertEqual((own.tls_mutual, own.client_names), (False, ()))

    def test_inherited_problems(self) -> None:
        """C36: a wrong key of [application.tls] is reported once, where it stands, also if nobody inherits it."""
        for tables in ("", listener("a", "tls = {}"), listener("a", "tls = {}") + listener("b", "tls = {}", port=1)):
            problems = self.problems_of(f'[application.tls]\n{FILES}tls_mutual = 5\ncolour = "x"\n{tables}')
            self.assertEqual([p.key for p in problems], ["[application.tls] tls_mutual", "[application.tls] colour"])

    def test_wrong_own_value(self) -> None:
        """C36: a wrong key of the listener is reported, and not replaced by the application's in the rules."""
        problems = self.problems_of(
            f"[application.tls]\n{FILES}tls_mutual = false\n" + listener("a", OPEN, "tls = { tls_mutual = 5 }")
        )
        self.assertEqual([p.key for p in problems], ["[listener.tls] tls_mutual"])

    def test_own_value_for_wrong_one(self) -> None:
        """C36: the listener's own key is used in the rules when that of the application is wrong."""
        problems = self.problems_of(
            f"[application.tls]\n{FILES}tls_mutual = 5\n" + listener("a", OPEN, "tls = { tls_mutual = false }")
        )
        self.assertEqual([p.key for p in problems], ["[application.tls] tls_mutual", "[[listener]] interface"])


class AuthenticationTests(ListenerTestCase):
    """C33, C34, H341."""

    def assert_refused_open(self, *lines: str, protocol: str = "http", tail: str = "") -> None:
        text = listener("a", OPEN, *lines, protocol=protocol) + tail
        self.assert_problem(text, 5, "[[listener]] interface", "without authentication", "[[api_key]]")

    def test_open_listener(self) -> None:
        """C33, H341: a listener for other machines needs authentication; TLS alone is none."""
        for protocol in ("http", "ocs", "admin"):
            self.assert_refused_open(protocol=protocol)
            self.assert_refused_open(f"[listener.tls]\n{FILES}", protocol=protocol)
            self.assert_refused_open(
                f'[listener.tls]\n{FILES}trusted_ca = "ca.pem"\ntls_mutual = "optional"', protocol=protocol
            )
            self.parse_tables(listener("a", protocol=protocol))

    def test_client_certificates(self) -> None:
        """C33: TLS with client certificates suffices, without a warning."""
        for protocol in ("http", "ocs", "admin"):
            tls = f'[listener.tls]\n{FILES}trusted_ca = "ca.pem"\ntls_mutual = true'
            self.assertEqual(self.parse_tables(listener("a", OPEN, tls, protocol=protocol)).warnings, ())

    def test_api_key(self) -> None:
        """C33: an API key suffices if it counts on the listener."""
        tls = f"[listener.tls]\n{FILES}"
        for protocol in ("http", "ocs", "admin"):
            self.assertEqual(self.parse_tables(listener("a", OPEN, tls, protocol=protocol) + KEY).warnings, ())
            self.parse_tables(listener("a", OPEN, tls, protocol=protocol) + KEY + 'listeners = ["a"]\n')
            other = listener("b", port=1) + KEY + 'listeners = ["b"]\n'
            self.assert_refused_open(tls, protocol=protocol, tail=other)

    def test_allow_anonymous(self) -> None:
        """C33: allow_anonymous suffices, except for admin listeners, where it is an error."""
        for protocol in ("http", "ocs"):
            self.parse_tables(listener("a", OPEN, "allow_anonymous = true", protocol=protocol))
        text = listener("a", "allow_anonymous = true", protocol="admin")
        self.assert_problem(text, 5, "[[listener]] allow_anonymous", "admin")
        problems = self.problems_of(listener("a", OPEN, "allow_anonymous = true", protocol="admin"))
        self.assertEqual([p.key.split()[1] for p in problems], ["interface", "allow_anonymous"])
        self.assertNotIn("allow_anonymous", problems[0].hint)

    def test_warning(self) -> None:
        """C34: API keys without TLS from other machines cause a warning, on loopback they do not."""
        (warning,) = self.parse_tables(listener("a", OPEN) + KEY).warnings
        self.assertEqual((warning.line, warning.key), (5, "[[listener]] id"))
        self.assertIn("without TLS", warning.message)
        self.assertEqual(self.parse_tables(listener("a") + KEY).warnings, ())
        anonymous = listener("a", OPEN, "allow_anonymous = true") + listener("b", port=1) + KEY + 'listeners = ["b"]\n'
        self.assertEqual(self.parse_tables(anonymous).warnings, ())

    def test_consequences(self) -> None:
        """C3: what follows from a reported problem is not reported as well."""
        for tail, key in (
            ('[[api_keys]]\nname = "k"\n', "[[api_keys]]"),
            ('[[api_key]]\nname = "k"\nkey_file = "none"\n', "[[api_key]] key_file"),
            (f"{KEY}listeners = 5\n", "[[api_key]] listeners"),
            (
                '[listener.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\ntls_mutal = true\n',
                "[listener.tls] tls_mutal",
            ),
        ):
            problems = self.problems_of(listener("a", OPEN) + tail)
            self.assertEqual([problem.key for problem in problems], [key])
        self.assert_problem(listener("a", OPEN, "allow_anonymus = true"), 6, "[[listener]] allow_anonymus")


class ApiKeyTests(ListenerTestCase):
    """Section 5."""

    def test_defaults(self) -> None:
        """Section 5: without limits a key counts everywhere and for everything."""
        key = self.parse_tables(KEY).api_keys[0]
        self.assertEqual((key.name, key.listeners, key.actions, key.tenants), ("k", None, None, None))

    def test_limits(self) -> None:
        """Section 5: listeners and tenants by name."""
        text = listener("a") + KEY + 'listeners = ["a"]\ntenants = ["Environment"]\n'
        key = self.parse_tables(text).api_keys[0]
        self.assertEqual((key.listeners, key.tenants), (("a",), ("Environment",)))

    def test_references(self) -> None:
        """C9: listeners and tenants of a key exist."""
        self.assert_problem(listener("a") + KEY + 'listeners = ["b"]\n', 8, "[[api_key]] listeners", '[[listener]] "b"')
        self.assert_problem(KEY + 'tenants = ["Enviroment"]\n', 4, "[[api_key]] tenants", '"Environment"')

    def test_rotation(self) -> None:
        """Section 5: a principal may have several keys, which all permit the same."""
        self.write("other", "fedcba9876543210\n")
        second = '[[api_key]]\nname = "k"\nkey_file = "other"\n'
        self.assertEqual(len(self.parse_tables(KEY + second).api_keys), 2)
        limited = KEY + 'actions = ["AddRecord", "DoNotCall"]\n' + second
        self.assertEqual(len(self.parse_tables(limited + 'actions = ["donotcall", "addrecord"]\n').api_keys), 2)
        for key, value in (("actions", "AddRecord"), ("tenants", "Environment")):
            text = f'{KEY}{second}{key} = ["{value}"]\n'
            self.assert_problem(text, 7, f"[[api_key]] {key}", "same name in line 4", "same permissions")
        certificate = '[[client_certificate]]\nname = "k"\nactions = ["AddRecord"]\n'
        self.assert_problem(KEY + certificate, 6, "[[client_certificate]] actions", "line 4")

    def test_all(self) -> None:
        """Section 5: "*" alone stands for all."""
        key = self.parse_tables(KEY + 'actions = ["*"]\ntenants = ["*"]\ncalling_lists = ["*"]\n').api_keys[0]
        self.assertEqual((key.actions, key.tenants, key.calling_lists), (None, None, None))
        self.assert_problem(KEY + 'tenants = ["*", "Environment"]\n', 4, "[[api_key]] tenants", '"*"', "alone")

    def test_objects(self) -> None:
        """C9: calling lists and campaign groups of a key exist."""
        for key, kind in (("calling_lists", "calling_list"), ("campaign_groups", "campaign_group")):
            self.assert_problem(f'{KEY}{key} = ["X"]\n', 4, f"[[api_key]] {key}", f"no [[{kind}]]")

    def test_expires(self) -> None:
        """Section 5: a date stands for its end in UTC; a date and time is UTC unless it says otherwise."""
        for written, seconds in (
            ("2027-01-31", 1801439999),
            ('"2027-01-31"', 1801439999),
            ("2027-01-31T12:00:00Z", 1801396800),
            ("2027-01-31T12:00:00", 1801396800),
            ('"2027-01-31T13:00:00+01:00"', 1801396800),
        ):
            self.assertEqual(self.parse_tables(f"{KEY}expires = {written}\n").api_keys[0].expires, seconds)
        for written in ("12", "12:00:00", '"soon"', '"2027-02-30"', "0001-01-01T00:00:00+14:00", "1969-12-31"):
            self.assert_problem(f"{KEY}expires = {written}\n", 4, "[[api_key]] expires")

    def test_certificates(self) -> None:
        """Section 5: a client certificate has by default the name of its principal, and no two have the same."""
        text = (
            '[[client_certificate]]\nname = "crm"\n[[client_certificate]]\nname = "crm"\nsubject = "CN=crm.example"\n'
        )
        self.assertEqual(
            [each.subject for each in self.parse_tables(text).client_certificates], ["CN=crm", "CN=crm.example"]
        )
        same = '[[client_certificate]]\nname = "a"\n[[client_certificate]]\nname = "b"\nsubject = "a"\n'
        self.assert_problem(same, 5, "[[client_certificate]] subject", "line 4")

    def test_unique(self) -> None:
        """C8: the same key twice would not tell who it is."""
        self.write("same", "0123456789abcdef\n")
        self.assert_problem(KEY + '[[api_key]]\nname = "l"\nkey_file = "same"\n', 6, "[[api_key]] key_file", "line 4")
