"""What the console shows of servers that are not alone, and of HTTP Proxies that end; who comes with a certificate."""

import http.client
import os
import re
import signal
import ssl

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.pair import Pair
from tests.integration.server import PATIENCE, make_server
from tests.integration.test_console import LISTENER
from tests.support.certificates import Authority
from tests.support.chromium import Chromium

CERTIFICATES = """
[listener.tls]
certificate = "server.pem"
certificate_key = "server.key"
trusted_ca = "ca.pem"
tls_mutual = true
[[client_certificate]]
name = "chief"
subject = "CN=chief"
listeners = ["admin"]
"""


class ServerTests(SynchronousTestCase):
    """Servers that a browser looks at."""

    def look(self, port: int) -> Chromium:
        """Return a browser with the first screen of a server."""
        browser = Chromium()
        self.addCleanup(browser.close)
        browser.driver.get(f"http://127.0.0.1:{port}/")
        return browser

    def test_pair(self) -> None:
        """Both servers of a pair show their role, the epoch and each other; the backup has no orders."""
        one, two = Pair(self).start().servers
        browser = self.look(one.admin_port)
        for words in ("Role\nprimary", "Epoch\n1", "Peer\ntwo (standby)"):
            browser.expect(words, "#state")
        browser.shoot("pair-primary")
        browser.driver.get(f"http://127.0.0.1:{two.admin_port}/")
        for words in ("Role\nbackup", "Epoch\n1", "Peer\none (primary)"):
            browser.expect(words, "#state")
        browser.expect("The primary has them.", "#groups")
        self.assertEqual(browser.violations(), [])
        browser.shoot("pair-backup")

    def test_ended_proxy(self) -> None:
        """An HTTP Proxy that has ended is shown at once, with when the next one is tried, and why that is bad."""
        server = make_server(self, listener=LISTENER, reconnect="10m").start()
        port = int(re.findall(r"Admin listener admin is ready on \S+:(\d+)", server.log())[0])
        browser = self.look(port)
        browser.expect("1 of 1 running")
        os.kill(server.child_pid, signal.SIGKILL)
        browser.expect("waiting, next try in", "#proxies")
        browser.expect("down", "#state")
        self.assertEqual(browser.violations(), [])
        browser.shoot("overview-down")


class CertificateTests(SynchronousTestCase):
    """An admin listener where certificates count."""

    def test_certificate(self) -> None:
        """Who has a certificate needs no login, gives orders under its name, and others do not even come in."""
        authority = Authority()
        server = make_server(self, listener=f"{LISTENER}{CERTIFICATES}")
        authority.issue("127.0.0.1").write(server.folder, "server")
        authority.issue("chief").write(server.folder, "chief")
        (server.folder / "ca.pem").write_text(authority.pem, encoding="ascii")
        server.start()
        port = int(re.findall(r"Admin listener admin is ready on \S+:(\d+)", server.log())[0])
        context = ssl.create_default_context(cadata=authority.pem)
        strange = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context)
        with self.assertRaises(OSError):
            strange.request("GET", "/")
            strange.getresponse()
        context.load_cert_chain(server.folder / "chief.pem", server.folder / "chief.key")
        known = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context)
        self.addCleanup(known.close)
        known.request("GET", "/")
        answer = known.getresponse()
        page = answer.read().decode()
        self.assertEqual(answer.status, 200)
        self.assertIn('class="who">chief<', page)
        cookie = answer.headers["Set-Cookie"]
        self.assertIn("Secure", cookie)
        token = re.findall(r'name="token" value="([^"]*)"', page)[0]
        known.request(
            "POST",
            "/",
            f"token={token}&order=stop&group=102",
            {"Cookie": cookie.split(";")[0], "Content-Type": "application/x-www-form-urlencoded"},
        )
        self.assertIn("CampaignStopped", known.getresponse().read().decode())
