"""Tests of ocsgw.config.network: addresses, URIs, headers, versions of TLS."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config.support import ConfigTestCase


class AddressTests(ConfigTestCase):
    """Section 4: interface and public_host."""

    def listener(self, *lines: str) -> str:
        return "\n".join(['[[listener]]\nid = "a"\nprotocol = "http"\nport = 8080', *lines, ""])

    def test_interface(self) -> None:
        """Section 4: an IP address in its short form, or localhost as it is."""
        for written, interface in (("::0001", "::1"), ("localhost", "localhost"), ("127.9.8.7", "127.9.8.7")):
            config = self.parse_tables(self.listener(f'interface = "{written}"'))
            self.assertEqual(config.listeners[0].interface, interface)
        for wrong in ("eth0", "localhost.", "127.0.0.1:80", "[::1]", "127.1", "", "1.2.3.256"):
            self.assert_problem(self.listener(f'interface = "{wrong}"'), 5, "[[listener]] interface")

    def test_public_host(self) -> None:
        """Section 4, H65: a host name or address as it stands in a URI."""
        for written, host in (
            ("ocs.example", "ocs.example"),
            ("ocs", "ocs"),
            ("::1", "[::1]"),
            ("[2001:db8::0]", "[2001:db8::]"),
            ("10.0.0.1", "10.0.0.1"),
            (f"a{'.a' * 126}", f"a{'.a' * 126}"),
        ):
            config = self.parse_tables(self.listener(f'public_host = "{written}"'))
            self.assertEqual(config.listeners[0].public_host, host)
        for wrong in ("ocs.example:80", "http://ocs", "a b", "-a", "a..b", "", "é.example", f"aa{'.a' * 126}", "u@h"):
            self.assert_problem(self.listener(f'public_host = "{wrong}"'), 5, "[[listener]] public_host")

    def test_public_defaults(self) -> None:
        """Section 4: the interface, or the machine's name if bound to all; scheme and port of the listener."""
        listener = self.parse_tables(self.listener('interface = "::1"')).listeners[0]
        self.assertEqual((listener.public_host, listener.public_scheme, listener.public_port), ("[::1]", "http", None))
        for interface in ("0.0.0.0", "::"):
            config = self.parse_tables(self.listener(f'interface = "{interface}"', "allow_anonymous = true"))
            self.assertEqual(config.listeners[0].public_host, os.uname().nodename)
        config = self.parse_tables(self.listener('public_scheme = "https"', "public_port = 443"))
        self.assertEqual((config.listeners[0].public_scheme, config.listeners[0].public_port), ("https", 443))

    def test_ports(self) -> None:
        """Section 4: ports are from 0 to 65535, public ones from 1."""
        self.assert_problem(self.listener("public_port = 0"), 5, "[[listener]] public_port", "1 to 65535")
        text = '[[listener]]\nid = "a"\nprotocol = "http"\nport = 65536\n'
        self.assert_problem(text, 4, "[[listener]] port", "0 to 65535")


class UriTests(ConfigTestCase):
    """O2, O7, O65."""

    def test_accepted(self) -> None:
        """O2: http and https URIs, kept as they are."""
        for uri in ("http://h", "https://h:9090/a?b=c", "http://[::1]:80/", "HTTP://h/%20"):
            config = self.parse_tables(f'[pre_dial_validation]\nvalidation_uri = "{uri}"\n')
            self.assertEqual(config.pre_dial_validation.validation_uri, uri)

    def test_refused(self) -> None:
        """O2: other schemes, no host, a fragment, blanks and characters beyond ASCII are errors."""
        for uri in (
            "ftp://h/",
            "//h/",
            "h/x",
            "http:///x",
            "http://",
            "http://h/#f",
            "http://h/ ",
            "http://h/é",
            "http://h:99999/",
            "http://h:x/",
            "http://[::1/",
            "http://h:0/",
            "",
            "http:x",
            "http://h#",
        ):
            self.assert_refused("[pre_dial_validation]", "validation_uri", f'"{uri}"')
        self.assert_refused("[notifications]", "history_uri", "5", "string")

    def test_user_information(self) -> None:
        """O7: user information is an error that points to headers_file and shows no password."""
        for uri in ("http://joe:hunter2@h/", "http://hunter2@h/", "https://:hunter2@h/"):
            problem = self.assert_refused("[notifications]", "history_uri", f'"{uri}"', "headers_file")
            self.assertNotIn("hunter2", str(problem))

    @settings(deadline=None, max_examples=50)
    @given(st.text("htps:/@[]#?%.0 \\x", max_size=20))
    def test_never_shown(self, tail: str) -> None:
        """O7: whatever is wrong with a URI, the message does not repeat it."""
        problems = self.problems_of(f"[notifications]\nhttp_proxy = 'http://u:hunter2@{tail}'\n")
        self.assertEqual([problem.key for problem in problems], ["[notifications] http_proxy"])
        self.assertNotIn("hunter2", str(problems[0]))

    def test_http_proxy(self) -> None:
        """O65: an HTTP proxy is http://host:port and nothing more; the key of earlier versions is named (C89)."""
        config = self.parse_tables('[notifications]\nhttp_proxy = "http://proxy.example:3128"\n')
        self.assertEqual(config.notifications.http_proxy, "http://proxy.example:3128")
        for uri in ("https://p:1", "http://p", "http://p:1/x", "http://p:1/?x", "http://u@p:1"):
            self.assert_refused("[notifications]", "http_proxy", f'"{uri}"')
        self.assert_refused("[notifications]", "http_tunnel", '"http://p:1"', "earlier version", '"http_proxy"')


class CustomHeaderTests(ConfigTestCase):
    """Section 3, C20."""

    def headers(self, written: str) -> tuple[tuple[str, str], ...]:
        return self.parse_text(
            f"[application]\ndbid = 1\nhttp_custom_headers = {written}\n"
        ).application.http_custom_headers

    def test_switch(self) -> None:
        """C20: true stands for five headers, false for none."""
        self.assertEqual(self.headers("false"), ())
        self.assertEqual(
            self.headers("true"),
            (
                ("X-Frame-Options", "SAMEORIGIN"),
                ("X-XSS-Protection", "1; mode=block"),
                ("X-Content-Type-Options", "nosniff"),
                ("Content-Security-Policy", "script-src 'self'; object-src 'self'"),
                ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
            ),
        )

    def test_array(self) -> None:
        """Section 3: an array is exactly these headers, in order, with repetitions."""
        self.assertEqual(
            self.headers('["X-A: 1", "X-A: 1", "Link:\t<a>; b=\\"c:d\\"  ", "X-Empty:"]'),
            (("X-A", "1"), ("X-A", "1"), ("Link", '<a>; b="c:d"'), ("X-Empty", "")),
        )
        self.assertEqual(self.headers("[]"), ())

    def test_refused(self) -> None:
        """Section 3: names are tokens, values have no control characters; each wrong one is reported."""
        for header in ("X-A", "X A: 1", ": 1", "X-A : 1", "é: 1", "X-A: a\\nb", "X-A: \\u0000", "X-A: \\u007f", "X: é"):
            (problem,) = self.problems(f'[application]\ndbid = 1\nhttp_custom_headers = ["X-B: 1",\n"{header}"]\n')
            self.assertEqual((problem.line, problem.key), (4, "[application] http_custom_headers"))
        for written in ('"X-A: 1"', "1", "{}"):
            (problem,) = self.problems(f"[application]\ndbid = 1\nhttp_custom_headers = {written}\n")
            self.assertIn("boolean or an array", problem.message)
        self.assertEqual(len(self.problems("[application]\ndbid = 1\nhttp_custom_headers = [1, 'x', 'X-A: 1']\n")), 2)

    def test_forbidden(self) -> None:
        """Section 3: framing headers, Date, Server and Content-Type are errors, in any case."""
        for name in (
            "Content-Length",
            "transfer-encoding",
            "Connection",
            "Trailer",
            "Upgrade",
            "TE",
            "Keep-Alive",
            "DATE",
            "Server",
            "content-type",
        ):
            (problem,) = self.problems(f"[application]\ndbid = 1\nhttp_custom_headers = ['{name}: x']\n")
            self.assertIn(name, problem.message)


class TlsVersionTests(ConfigTestCase):
    """Section 4: sec_protocol, tls_mutual."""

    def setUp(self) -> None:
        super().setUp()
        self.write_certificates()

    def tls(self, *lines: str) -> str:
        listener = '[[listener]]\nid = "a"\nprotocol = "http"\nport = 8080\n[listener.tls]\n'
        files = 'certificate = "server.pem"\ncertificate_key = "server.key"\ntrusted_ca = "ca.pem"'
        return "\n".join([listener + files, *lines, ""])

    def versions(self, written: str) -> tuple[str, ...]:
        tls = self.parse_tables(self.tls(f"sec_protocol = {written}")).listeners[0].tls
        assert tls is not None
        return tls.sec_protocol

    def test_versions(self) -> None:
        """Section 4: one version or an array, in ascending order."""
        self.assertEqual(self.versions('"TLSv13"'), ("TLSv13",))
        self.assertEqual(self.versions('["TLSv13", "TLSv12"]'), ("TLSv12", "TLSv13"))
        for wrong in ('"TLSv14"', "[]", "13", "[13]", '["TLSv12", "TLSv12"]'):
            self.assert_problem(self.tls(f"sec_protocol = {wrong}"), 9, "[listener.tls] sec_protocol")

    def test_broken_versions(self) -> None:
        """Section 4: SSLv3, TLSv1 and TLSv11 are errors with a hint."""
        for wrong in ('"SSLv3"', '"TLSv1"', '["TLSv12", "TLSv11"]'):
            self.assert_problem(self.tls(f"sec_protocol = {wrong}"), 9, "[listener.tls] sec_protocol", "not secure")

    def test_sslv23(self) -> None:
        """Section 4: SSLv23 is read as the default, with a warning at its line."""
        config = self.parse_tables(self.tls('sec_protocol = "SSLv23"'))
        assert config.listeners[0].tls is not None
        self.assertEqual(config.listeners[0].tls.sec_protocol, ("TLSv12", "TLSv13"))
        (warning,) = config.warnings
        self.assertEqual((warning.line, warning.key), (12, "[listener.tls] sec_protocol"))
        self.assertIn("SSLv23", warning.message)
        self.assertEqual(self.versions('["SSLv23", "TLSv13"]'), ("TLSv12", "TLSv13"))

    def test_mutual(self) -> None:
        """Section 4: tls_mutual is a boolean or optional."""
        for written, value in (("true", True), ("false", False), ('"optional"', "optional")):
            tls = self.parse_tables(self.tls(f"tls_mutual = {written}")).listeners[0].tls
            assert tls is not None
            self.assertEqual(tls.tls_mutual, value)
        for wrong in ("1", '"yes"', "[]"):
            self.assert_problem(self.tls(f"tls_mutual = {wrong}"), 9, "[listener.tls] tls_mutual", '"optional"')
