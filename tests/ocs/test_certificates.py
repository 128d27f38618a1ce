"""Tests of ocsgw.ocs.certificates: every problem with certificates, in one run, with key, file and remedy (C38, R7)."""

import re
from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import ConfigurationError, parse
from ocsgw.ocs.checks import CHECKS, RULES
from tests.support.certificates import DAY, NOW, Authority, Issued, rsa_key
from tests.support.folders import short_folder

ROOT = Authority()
GOOD = ROOT.issue("localhost")
HEAD = "[application]\ndbid = 1\n"


class CertificateTests(SynchronousTestCase):
    """C38: files of listeners and of outgoing calls."""

    def setUp(self) -> None:
        self.folder = short_folder(self)
        GOOD.write(self.folder, "good")
        self.write("ca.pem", ROOT.pem)

    def write(self, name: str, text: str) -> None:
        """Write a file that only we can read."""
        path = self.folder / name
        path.write_text(text, encoding="ascii")
        path.chmod(0o600)

    def problems(self, *tables: str) -> list[str]:
        """Return what is wrong with listeners and other tables, without the paths of the machine."""
        text = HEAD
        for number, table in enumerate(tables, 1):
            head = f'[[listener]]\nid = "l{number}"\nprotocol = "http"\nport = {8000 + number}\n'
            text += table if table.startswith("[n") else head + table
        try:
            parse(text, self.folder / "c.toml", CHECKS, RULES)
        except ConfigurationError as error:
            return [re.sub(r"/\S*/", "", f"{each.key}: {each.message}; {each.hint}") for each in error.problems]
        return []

    def tls(self, certificate: str = "good.pem", key: str = "good.key", more: str = "") -> str:
        """Return the TLS table of a listener."""
        return f'[listener.tls]\ncertificate = "{certificate}"\ncertificate_key = "{key}"\n{more}\n'

    def only_problem(self, *tables: str) -> str:
        """Return the one problem that there is."""
        (found,) = self.problems(*tables)
        return found

    def test_good(self) -> None:
        """C38: what is in order is silent."""
        crl = ROOT.revoke()
        self.write("crl.pem", crl)
        rsa = ROOT.issue("localhost", key=rsa_key())
        rsa.write(self.folder, "rsa")
        more = 'trusted_ca = "ca.pem"\ntls_mutual = true\ntls_crl = "crl.pem"\n[[listener.sni_certificate]]\n'
        more += 'certificate = "rsa.pem"\ncertificate_key = "rsa.key"'
        outgoing = '[notifications]\ntrusted_ca = "ca.pem"\ncertificate = "good.pem"\ncertificate_key = "good.key"\n'
        self.assertEqual(self.problems(self.tls(more=more), outgoing), [])

    def test_expired(self) -> None:
        """C38: an expired certificate, of the server or in its chain, names key, file, day and remedy."""
        ROOT.issue("localhost", end=NOW - DAY).write(self.folder, "old")
        day = f"{NOW - DAY:%Y-%m-%d}"
        self.assertEqual(
            self.only_problem(self.tls("old.pem", "old.key")),
            f"[listener.tls] certificate: old.pem expired on {day}; renew it, then start again or reload",
        )
        old_authority = ROOT.issue("Middle", end=NOW - DAY)
        Issued(GOOD.certificate, GOOD.key, (old_authority.certificate,)).write(self.folder, "chain")
        self.assertIn(
            f"chain.pem certificate 2 of the chain, CN=Middle, expired on {day}",
            self.only_problem(self.tls("chain.pem", "chain.key")),
        )

    def test_not_yet_valid(self) -> None:
        """C38: a certificate of tomorrow."""
        ROOT.issue("localhost", begin=NOW + DAY).write(self.folder, "new")
        self.assertIn("new.pem is not valid before", self.only_problem(self.tls("new.pem", "new.key")))

    def test_wrong_key(self) -> None:
        """C38: the key of another certificate, in every place that has a pair."""
        ROOT.issue("localhost").write(self.folder, "other")
        wrong = 'certificate = "good.pem"\ncertificate_key = "other.key"\n'
        says = "certificate_key: other.key does not belong to the certificate"
        self.assertIn(f"[listener.tls] {says}", self.only_problem(self.tls(key="other.key")))
        further = self.tls(more=f"[[listener.sni_certificate]]\n{wrong}")
        self.assertIn(f"[[listener.sni_certificate]] {says}", self.only_problem(further))
        self.assertIn(f"[notifications] {says}", self.only_problem(f"[notifications]\n{wrong}"))

    def test_unreadable(self) -> None:
        """R7: files without what they should have, and a key with a passphrase."""
        self.write("text.pem", "no certificate\n")
        self.write("text.key", "no key\n")
        self.assertIn("text.pem has no readable certificate", self.only_problem(self.tls(certificate="text.pem")))
        self.assertIn("text.key has no readable private key", self.only_problem(self.tls(key="text.key")))
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            PrivateFormat,
        )

        locked = GOOD.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
        self.write("locked.key", locked)
        self.assertIn("take it off with: openssl pkey", self.only_problem(self.tls(key="locked.key")))
        self.assertIn(
            "[listener.tls] trusted_ca: text.pem has no readable certificate",
            self.only_problem(self.tls(more='trusted_ca = "text.pem"')),
        )

    def test_revocation_list(self) -> None:
        """R7, tls_crl: one that is out of date, that nobody trusted has signed, or that is none."""
        self.write("old.pem", ROOT.revoke(end=NOW - timedelta(hours=1)))
        self.write("strange.pem", Authority("Stranger").revoke())
        self.write("forged.pem", Authority("Test CA").revoke())
        for name, says in (
            ("old.pem", "was valid until"),
            ("strange.pem", "no authority in trusted_ca has signed"),
            ("forged.pem", "no authority in trusted_ca has signed"),
            ("good.pem", "has no readable revocation list"),
        ):
            more = f'trusted_ca = "ca.pem"\ntls_mutual = true\ntls_crl = "{name}"'
            found = self.only_problem(self.tls(more=more))
            self.assertTrue(found.startswith(f"[listener.tls] tls_crl: {name} "), found)
            self.assertIn(says, found)

    def test_expired_authorities(self) -> None:
        """R7, trusted_ca: authorities that have all expired let nobody in."""
        self.write("old-ca.pem", ROOT.issue("Old CA", end=NOW - DAY).pem)
        more = 'trusted_ca = "old-ca.pem"\ntls_mutual = true'
        self.assertIn("only authorities that have expired", self.only_problem(self.tls(more=more)))

    def test_refused_by_openssl(self) -> None:
        """R7: a key that is too small, and a cipher list without a suite, are reported with their keys."""
        ROOT.issue("localhost", key=rsa_key(1024)).write(self.folder, "weak")
        self.assertIn(
            "certificate: weak.pem is refused by OpenSSL", self.only_problem(self.tls("weak.pem", "weak.key"))
        )
        self.assertIn("[listener.tls] cipher_list: ", self.only_problem(self.tls(more='cipher_list = "NOTHING"')))

    def test_all_in_one_run(self) -> None:
        """C3: a file that is missing hides neither an expired certificate nor a wrong key elsewhere."""
        ROOT.issue("localhost", end=NOW - DAY).write(self.folder, "old")
        found = self.problems(
            self.tls(certificate="missing.pem"),
            self.tls("old.pem", "good.key"),
            self.tls(more='cipher_list = "NOTHING"\ntls_mutual = true'),
            '[notifications]\nsend_history = true\ncertificate = "good.pem"\ncertificate_key = "old.key"\n',
        )
        for says in (
            "cannot read",
            "old.pem expired",
            "certificate_key: good.key does not belong",
            "tls_mutual: needs trusted_ca",
            "history_uri",
            "[notifications] certificate_key: old.key does not belong",
        ):
            self.assertEqual(len([each for each in found if says in each]), 1, f"{says} in {found}")

    def test_without_tls(self) -> None:
        """R7: a further certificate alone does not switch TLS on."""
        more = '[[listener.sni_certificate]]\ncertificate = "good.pem"\ncertificate_key = "good.key"\n'
        self.assertIn("needs [listener.tls]", self.only_problem(more))
