"""Tests of ocsgw.config.files: paths, secrets, PEM files, the store's address."""

import copy
import os

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.access.keys import digest_of
from ocsgw.config import ApiKey, ConfigurationError, PemFile, Secret, parse
from tests.config.support import ConfigTestCase

LISTENER = '[[listener]]\nid = "a"\nprotocol = "http"\nport = 8080\n[listener.tls]\n'


class SecretTests(SynchronousTestCase):
    """C6, H347: secrets are not shown."""

    def test_masked(self) -> None:
        """H347: neither repr nor str nor formatting shows a secret, also inside other structs."""
        secret = Secret("hunter2")
        self.assertEqual(secret.value, "hunter2")
        key = ApiKey(
            name="k",
            key_file=secret,
            expires=None,
            listeners=None,
            actions=None,
            tenants=None,
            calling_lists=None,
            campaign_groups=None,
        )
        for text in (repr(secret), str(secret), f"{secret}", repr(key), repr((secret,))):
            self.assertNotIn("hunter2", text)

    def test_value(self) -> None:
        """Secrets with equal texts are equal, cannot be changed and can be copied."""
        secret = Secret("a")
        self.assertEqual(secret, Secret("a"))
        self.assertEqual(hash(secret), hash(Secret("a")))
        self.assertNotEqual(secret, Secret("b"))
        self.assertNotEqual(secret, "a")
        self.assertEqual(copy.copy(secret), secret)
        self.assertRaises(AttributeError, setattr, secret, "value", "b")

    def test_pem_files(self) -> None:
        """H347: the text of a PEM file, perhaps a private key, is not shown."""
        self.assertEqual(repr(PemFile("/a.pem", "hunter2")), "PemFile('/a.pem')")


class SecretFileTests(ConfigTestCase):
    """C6: secrets are in files."""

    def api_key(self, file: str = "key") -> str:
        return f'[[api_key]]\nname = "a"\nkey_file = "{file}"\n'

    def test_line_break(self) -> None:
        """C6: one trailing line break is removed, and no more."""
        for contents, password in (("a b", "a b"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\r", "a\r")):
            self.write("password", contents)
            store = self.parse_tables('[store]\npassword_file = "password"\n').store
            self.assertEqual(store.password_file, Secret(password))

    def test_permissions(self) -> None:
        """C6: a file that others may read or write is an error, that of owner and group is not."""
        self.write("key", "0123456789abcdef\n", mode=0o660)
        self.assertEqual(self.parse_tables(self.api_key()).api_keys[0].key_file.value, digest_of("0123456789abcdef"))
        for mode in (0o644, 0o604, 0o602):
            self.write("key", "0123456789abcdef\n", mode=mode)
            self.assert_problem(self.api_key(), 3, "[[api_key]] key_file", "chmod o=")

    def test_private_key(self) -> None:
        """C6: the private key is a secret under its classic name; certificates are none."""
        self.write_certificates()
        self.write("server.pem", "cert", mode=0o644)
        tls = LISTENER + 'certificate = "server.pem"\ncertificate_key = "server.key"\n'
        self.parse_tables(tls)
        self.write("server.key", "key", mode=0o644)
        self.assert_problem(tls, 7, "[listener.tls] certificate_key", "chmod o=")

    def test_unreadable(self) -> None:
        """C3: a missing file, a directory and a binary file are problems of their keys."""
        self.write("binary", b"\xff\xfe0123456789abcdef")
        os.mkdir(os.path.join(self.directory, "directory"))
        for file, words in (("none", "No such file"), ("directory", "directory"), ("binary", "UTF-8")):
            self.assert_problem(self.api_key(file), 3, "[[api_key]] key_file", file, words)
            problems = self.problems_of(f'{LISTENER}certificate = "{file}"\ncertificate_key = "{file}"\n')
            self.assertEqual([problem.key.split()[1] for problem in problems], ["certificate", "certificate_key"])

    def test_api_keys(self) -> None:
        """Section 5: an API key is 16 to 512 printable ASCII characters, and is not shown if it is not."""
        for key in ("0123456789abcde!", "~" * 512, "a 0123456789 abcde"):
            self.write("key", key)
            self.assertEqual(self.parse_tables(self.api_key()).api_keys[0].key_file.value, digest_of(key))
        for key in (
            "0123456789abcde",
            "~" * 513,
            "0123456789abcdeé",
            "0123456789\n0123456789",
            " 0123456789abcdef",
            "",
        ):
            self.write("key", key)
            problem = self.assert_problem(self.api_key(), 3, "[[api_key]] key_file", "16 to 512")
            self.assertNotIn("0123456789", str(problem))

    def test_digest(self) -> None:
        """Section 5: the file of an API key may hold only its SHA-256; it is the same key."""
        digest = digest_of("0123456789abcdef")
        for written in (digest, f"sha256:{digest[7:].upper()}"):
            self.write("key", f"{written}\n", mode=0o600)
            self.assertEqual(self.parse_tables(self.api_key()).api_keys[0].key_file.value, digest)

    def test_no_secret_as_text(self) -> None:
        """C6: there is no key for a secret; the key of the file is suggested, the secret not repeated."""
        problem = self.assert_refused("[store]", "password", '"hunter2"', 'did you mean "password_file"?')
        self.assertNotIn("hunter2", str(problem))
        self.write("key", "0123456789abcdef")
        self.assert_problem(self.api_key() + 'key = "x"\n', 4, "[[api_key]] key", 'did you mean "key_file"?')

    def test_headers(self) -> None:
        """O7: one header per line, empty lines left out, values masked; the same in both sections."""
        self.write("headers", "Authorization: Bearer hunter2\r\n\nX-A:1\n")
        for section in ("pre_dial_validation", "notifications"):
            config = self.parse_tables(f'[{section}]\nheaders_file = "headers"\n')
            headers = getattr(config, section).headers_file
            self.assertEqual(headers, (("Authorization", Secret("Bearer hunter2")), ("X-A", Secret("1"))))
            self.assertNotIn("hunter2", repr(config))
            self.assertEqual(getattr(self.parse_tables(""), section).headers_file, ())

    def test_signing_key(self) -> None:
        """A key of Standard Webhooks is whsec_ and 24 to 64 bytes in base64; others are refused and not shown."""
        table = '[notifications]\nsigning_key_file = "signing"\n'
        self.write("signing", "whsec_" + "a2tr" * 8 + "\n")
        self.assertEqual(self.parse_tables(table).notifications.signing_key_file, Secret("whsec_" + "a2tr" * 8))
        for wrong in ("a2tr" * 8, "whsec_a2tr", "whsec_" + "a2tr" * 22, "whsec_" + "?2tr" * 8, ""):
            self.write("signing", wrong)
            (problem,) = self.problems_of(table)
            self.assertIn("key of Standard Webhooks" if wrong else "", f"{problem}")
            if wrong:
                self.assertNotIn(wrong, f"{problem}")

    def test_wrong_headers(self) -> None:
        """O7, O1: each wrong line is reported by its number and not shown; what ocsgw sets itself is refused."""
        self.write("headers", "X-A: 1\nhunter2\nX-B: hunter2\x01\nContent-Length: 5\nhost: h\nContent-Type: t\n")
        problems = self.problems_of('[pre_dial_validation]\nheaders_file = "headers"\n')
        self.assertEqual(
            [problem.message.partition(" of the file")[0] for problem in problems],
            [f"line {number}" for number in (2, 3, 4, 5, 6)],
        )
        self.assertEqual({problem.line for problem in problems}, {5})
        self.assertNotIn("hunter2", "".join(map(str, problems)))


class CredentialTests(ConfigTestCase):
    """C6, C7: files that the service manager hands over."""

    def setUp(self) -> None:
        super().setUp()
        self.write_certificates()
        self.patch(os, "environ", {"CREDENTIALS_DIRECTORY": os.path.join(self.directory, "given")})
        self.write("given/crm", "0123456789abcdef\n")
        self.write("given/tls.key", "key\n")

    def test_credentials(self) -> None:
        """C6: every key that takes a file takes a credential by its name."""
        config = self.parse_tables(
            f'{LISTENER}certificate = "server.pem"\ncertificate_key = "credential:tls.key"\n'
            '[[api_key]]\nname = "crm"\nkey_file = "credential:crm"\n'
        )
        tls = config.listeners[0].tls
        assert tls is not None
        self.assertEqual(tls.certificate_key, PemFile(os.path.join(self.directory, "given/tls.key"), "key\n"))

    def test_wrong_names(self) -> None:
        """C3: a credential that was not given, a path, nothing, and a start without the service manager."""
        key = '[[api_key]]\nname = "crm"\nkey_file = '
        for written, says in (
            ("missing", "cannot read"),
            ("../crm", "not a valid name of a credential"),
            ("", "not a valid name"),
        ):
            (problem,) = self.problems_of(f'{key}"credential:{written}"\n')
            self.assertIn(says, problem.message)
        self.patch(os, "environ", {})
        (problem,) = self.problems_of(f'{key}"credential:crm"\n')
        self.assertIn("LoadCredential=crm:FILE", problem.hint)

    def test_other_paths(self) -> None:
        """C7: what is not read is an ordinary path."""
        target = self.parse_tables('[log]\ntarget = "credential:log"\n').log.target
        self.assertEqual(target, os.path.join(self.directory, "credential:log"))


class PathTests(ConfigTestCase):
    """C7: where relative paths begin."""

    def test_relative_to_file(self) -> None:
        """C7: paths begin at the directory of the file; absolute ones stay."""
        self.write("tls/server.pem", "certificate\n")
        key = self.write("server.key", "key\n")
        config = self.parse_tables(
            f'{LISTENER}certificate = "tls/server.pem"\ncertificate_key = "{key}"\n[log]\ntarget = "log/ocs.log"\n'
        )
        tls = config.listeners[0].tls
        assert tls is not None
        path = os.path.join(self.directory, "tls/server.pem")
        self.assertEqual(tls.certificate, PemFile(path, "certificate\n"))
        self.assertEqual(tls.certificate_key, PemFile(key, "key\n"))
        self.assertEqual(config.log.target, os.path.join(self.directory, "log/ocs.log"))

    def test_log_target(self) -> None:
        """Section 13: stdout is no path."""
        self.assertEqual(self.parse_tables('[log]\ntarget = "stdout"\n').log.target, "stdout")
        for wrong in ('""', "5", '"a\\u0000b"'):
            self.assert_refused("[log]", "target", wrong)

    def test_store_begins_at_the_configuration(self) -> None:
        """The SQLite file and state_dir begin where all other paths begin, wherever the command is run."""
        text = '[application]\ndbid = 1\nstate_dir = "s"\n[store]\nurl = "sqlite:///d/x.sqlite"\n'
        config = self.parse_text(text)
        self.assertEqual(config.application.state_dir, os.path.join(self.directory, "s"))
        self.assertEqual(config.application.control_socket, os.path.join(self.directory, "s", "control.sock"))
        self.assertEqual(config.store.file, os.path.join(self.directory, "d/x.sqlite"))

    def test_what_a_former_version_left(self) -> None:
        """A store, or a state directory, that is in the working directory only is reported once, with the remedy."""
        working = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(working, "d"))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(working)
        for written, key, remedy in (
            ('[store]\nurl = "sqlite:///d/x.sqlite"\n', "[store] url", f'url = "sqlite:///{working}/d/x.sqlite"'),
            ('[application]\ndbid = 1\nstate_dir = "d"\n', "[application] state_dir", f'write "{working}/d"'),
        ):
            text = written if "dbid" in written else f'[application]\ndbid = 1\nstate_dir = "/run"\n{written}'
            if key == "[store] url":
                self.parse_text(text)
                with open("d/x.sqlite", "wb"):
                    pass
            (problem,) = self.problems(text)
            self.assertEqual(problem.key, key)
            self.assertIn(remedy, problem.hint)
        self.write("d/x.sqlite", "")
        self.parse_text('[application]\ndbid = 1\nstate_dir = "/run"\n[store]\nurl = "sqlite:///d/x.sqlite"\n')

    def test_no_working_directory(self) -> None:
        """A working directory that was deleted is reported as such, and does not matter to an absolute path."""
        gone = os.path.abspath(self.mktemp())
        os.makedirs(gone)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(gone)
        os.rmdir(gone)
        self.parse_text('[application]\ndbid = 1\nstate_dir = "/run"\n')
        error = self.assertRaises(ConfigurationError, parse, "[application]\ndbid = 1\n", "ocsgw.toml")
        self.assertIn("working directory does not exist", str(error))

    def test_default_state_dir(self) -> None:
        """Section 3: by default state_dir is the directory of the SQLite file, with PostgreSQL var."""
        for url, state_dir in (
            ("sqlite:////data/x.sqlite", "/data"),
            ("sqlite:///x.sqlite", self.directory),
            ("postgresql://u@h/d", os.path.join(self.directory, "var")),
        ):
            config = self.parse_text(f'[application]\ndbid = 1\n[store]\nurl = "{url}"\n')
            self.assertEqual(config.application.state_dir.rstrip("/"), state_dir)


class StoreUrlTests(ConfigTestCase):
    """Section 6."""

    def test_sqlite(self) -> None:
        """Section 6: sqlite:///FILE, with a fourth slash for an absolute path."""
        store = self.parse_tables('[store]\nurl = "sqlite:////data/x y.sqlite"\n').store
        self.assertEqual(
            (store.url, store.kind, store.file), ("sqlite:////data/x y.sqlite", "sqlite", "/data/x y.sqlite")
        )
        for url in ("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:x", "sqlite:///x?mode=ro", "sqlite:///d/"):
            self.assert_refused("[store]", "url", f'"{url}"', "sqlite:///FILE")

    def test_postgresql(self) -> None:
        """Section 6: postgresql:// with a database; the text stays as it is."""
        for url in ("postgresql://u@h:5432/d?sslmode=verify-full", "postgresql://h/d", "postgresql:///d?host=/run"):
            store = self.parse_tables(f'[store]\nurl = "{url}"\n').store
            self.assertEqual((store.url, store.kind, store.file), (url, "postgresql", None))
        for url in (
            "postgres://u@h/d",
            "postgresql://u@h",
            "postgresql://u@h/",
            "postgresql://u@h:x/d",
            "mysql://h/d",
            "postgresql+psycopg://u@h/d",
            "postgresql://[::1/d",
            "var/ocsgw.sqlite",
        ):
            self.assert_refused("[store]", "url", f'"{url}"', "postgresql://")

    def test_password(self) -> None:
        """Section 6, C6: a password in the address is an error that points to password_file and hides it."""
        for url in (
            "postgresql://u:hunter2@h/d",
            "postgresql://u@h/d?password=hunter2",
            "postgresql://u@h/d?password=",
            "postgresql://u:@h/d",
            "postgresql://u@h/d?sslmode=require&sslpassword=hunter2",
            "postgresql://u:hunter2@h",
        ):
            problem = self.assert_refused("[store]", "url", f'"{url}"', "password_file")
            self.assertNotIn("hunter2", str(problem))
        self.assertNotIn("hunter2", str(self.assert_refused("[store]", "url", '"postgres://u:hunter2@h/d"')))
