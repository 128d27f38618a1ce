"""Tests of ocsgw.ocs.certificate_expiry: certificates are reported 30, 7 and 1 days before their end."""

from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import Config, parse
from ocsgw.counters import CERTIFICATE_EXPIRY
from ocsgw.ocs.certificate_expiry import CertificateExpiry
from tests.support.certificates import DAY, NOW, Authority, Issued
from tests.support.folders import short_folder
from tests.support.logs import LogCapture

ROOT = Authority()


class ExpiryTests(SynchronousTestCase):
    """Issue text, reload: expiry is logged 30, 7 and 1 days ahead."""

    def setUp(self) -> None:
        self.folder = short_folder(self)
        self.log = LogCapture(self)
        self.now = NOW.timestamp()
        self.notifier = CertificateExpiry(lambda: self.now)

    def config(self, issued: Issued, more: str = "") -> Config:
        """Return a configuration with a listener that uses a certificate."""
        issued.write(self.folder, "server")
        (self.folder / "ca.pem").write_text(ROOT.pem, encoding="ascii")
        text = f"""
            [application]
            dbid = 1
            [[listener]]
            id = "default"
            protocol = "http"
            port = 8443
            [listener.tls]
            certificate = "server.pem"
            certificate_key = "server.key"
            {more}
        """
        return parse(text, self.folder / "c.toml")

    def days(self) -> list[str]:
        """Return how often, and with which words, the log has told of an end."""
        return [
            text.split(" in ")[0] + " " + word
            for text in self.log.texts()
            for word in ("30 d", "7 d", "1 d", "expired on")
            if f" {word}" in text
        ]

    def pass_days(self, days: float) -> None:
        """Let time pass, hour by hour."""
        for _ in range(round(days * 24)):
            self.now += 3600
            self.notifier.look()

    def test_days_ahead(self) -> None:
        """Issue text: one line each, 30, 7 and 1 days before the end, and one at the end."""
        self.notifier.use(self.config(ROOT.issue("ocs.example", end=NOW + 40 * DAY)))
        self.assertEqual(self.days(), [])
        what = "The certificate of CN=ocs.example "
        for passed, told in ((9, 0), (2, 1), (20, 1), (3, 2), (4, 2), (1.5, 3), (1, 4), (10, 4)):
            self.pass_days(passed)
            self.assertEqual(self.days(), [f"{what}{word}" for word in ("30 d", "7 d", "1 d", "expired on")][:told])

    def test_metric(self) -> None:
        """The end of the first certificate of a file is a metric; a file that is used no more has none."""
        end = NOW + 40 * DAY
        self.notifier.use(self.config(ROOT.issue("ocs.example", end=end)))
        found = dict(CERTIFICATE_EXPIRY.samples())
        self.assertEqual(found, {(str(self.folder / "server.pem"),): end.timestamp()})
        self.notifier.use(parse("[application]\ndbid = 1\n", self.folder / "c.toml"))
        self.assertEqual(list(CERTIFICATE_EXPIRY.samples()), [])

    def test_words(self) -> None:
        """Issue text: the line names the file, the day and the remedy."""
        end = NOW + 5 * DAY
        self.notifier.use(self.config(ROOT.issue("ocs.example", end=end)))
        expected = f"The certificate of CN=ocs.example in {self.folder}/server.pem expires within 7 d, "
        expected += f"on {end:%Y-%m-%d %H:%M} UTC; renew it and reload"
        self.assertEqual(self.log.texts(), [expected])

    def test_reload(self) -> None:
        """C66: a reload with the same files is silent; a new certificate is watched instead of the old one."""
        old = ROOT.issue("ocs.example", end=NOW + 5 * DAY)
        self.notifier.use(self.config(old))
        self.notifier.use(self.config(old))
        self.assertEqual(len(self.days()), 1)
        self.notifier.use(self.config(ROOT.issue("ocs.example", end=NOW + 50 * DAY)))
        self.pass_days(19)
        self.assertEqual(len(self.days()), 1)
        self.pass_days(2)
        self.assertEqual(len(self.days()), 2)

    def test_all_files(self) -> None:
        """C38: chains, further certificates, authorities and outgoing certificates are watched too."""
        middle = Authority("Middle", ROOT)
        ROOT.issue("other.example", end=NOW + 6 * DAY).write(self.folder, "other")
        pair = 'certificate = "other.pem"\ncertificate_key = "other.key"\n'
        more = f"[[listener.sni_certificate]]\n{pair}[notifications]\n{pair}"
        self.notifier.use(self.config(middle.issue("ocs.example", end=NOW + 2 * DAY), more))
        self.assertEqual(
            self.days(), ["The certificate of CN=ocs.example 7 d", "The certificate of CN=other.example 7 d"]
        )
        self.pass_days(3650)
        self.assertIn("The certificate of CN=Middle expired on", self.days())

    def test_revocation_list(self) -> None:
        """Section 4, tls_crl: a list is reported one day ahead, as most live for a week only."""
        (self.folder / "crl.pem").write_text(ROOT.revoke(end=NOW + timedelta(days=3)), encoding="ascii")
        more = 'trusted_ca = "ca.pem"\ntls_mutual = true\ntls_crl = "crl.pem"'
        self.notifier.use(self.config(ROOT.issue("ocs.example"), more))
        self.assertEqual(self.days(), [])
        self.pass_days(4)
        what = "The revocation list of CN=Test CA "
        self.assertEqual(self.days(), [f"{what}1 d", f"{what}expired on"])

    def test_nothing_to_watch(self) -> None:
        """C38: a configuration without certificates is silent."""
        self.notifier.use(parse("[application]\ndbid = 1\n", self.folder / "c.toml"))
        self.pass_days(1)
        self.assertEqual(self.log.texts(), [])
