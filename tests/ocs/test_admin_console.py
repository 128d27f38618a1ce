"""The web console of a whole OCS, without a browser: who may see and do what, sessions, forms, live parts."""

import html
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site

from ocsgw.access.keys import digest_of
from ocsgw.admin.console.live import EVERY
from ocsgw.admin.console.sessions import IDLE, LONGEST
from tests.ocs.service import FakeProxy, ServiceTestCase

ADMIN = """
[[listener]]
id = "admin"
protocol = "admin"
interface = "127.0.0.1"
port = 9080
"""
KEYS = """
[[api_key]]
name = "chief"
key_file = "chief.key"
[[api_key]]
name = "agent"
key_file = "agent.key"
listeners = ["admin"]
actions = {actions}
campaign_groups = {groups}
"""
CHIEF, AGENT = "correct horse battery", "an agent's own long key"


class Answer:
    """An answer, taken apart."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.decode().partition("\r\n\r\n")
        line, *fields = head.split("\r\n")
        self.status = int(line.split()[1])
        self.headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in fields)}

    @property
    def text(self) -> str:
        """What a reader sees."""
        return html.unescape(re.sub(r"<[^>]+>", " ", self.body))

    @property
    def token(self) -> str:
        """The token of its forms."""
        found = re.search(r'name="token" value="([^"]+)"', self.body)
        assert found is not None, self.body
        return found[1]


class Browser:
    """Keeps the cookie, as a browser does."""

    def __init__(self, site: Site, advance: Callable[[float], None]) -> None:
        self.site = site
        self.advance = advance
        self.cookie = ""
        self.host = "127.0.0.1:9080"

    def open(self, method: str, target: str, body: str = "", **fields: str) -> tuple[StringTransport, Any]:
        protocol: Any = self.site.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        lines = [f"{method} {target} HTTP/1.0", f"Host: {self.host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        if self.cookie:
            lines.append(f"Cookie: {self.cookie}")
        if body:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        protocol.dataReceived("\r\n".join([*lines, "", body]).encode())
        return transport, protocol

    def send(self, method: str, target: str, body: str = "", **fields: str) -> Answer:
        transport, _ = self.open(method, target, body, **fields)
        self.advance(0)
        answer = Answer(transport.value())
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].split(";")[0]
        return answer

    def get(self, target: str) -> Answer:
        return self.send("GET", target)

    def post(self, target: str, body: str, **fields: str) -> Answer:
        return self.send("POST", target, body, **fields)


class ConsoleTestCase(ServiceTestCase):
    """An OCS with an admin listener, and a browser."""

    def begin(self, more: str = "") -> Browser:
        self.configure(listener=ADMIN, more=more)
        self.proxy: FakeProxy = self.start()
        self.addCleanup(self.end)
        factory: Any
        (factory,) = [each[1] for each in self.reactor.tcpServers if each[0] == 9080]
        return Browser(factory, self.reactor.advance)

    def end(self) -> None:
        """Stop; what has become of the proxy meanwhile does not matter."""
        stopped = self.service.stopService()
        for process in self.reactor.processes:
            if process.running:
                process.end(status=0)
        for at in range(len(self.reactor.links)):
            self.reactor.lose_link(at)
        self.reactor.advance(0)
        self.successResultOf(stopped)

    def begin_with_keys(self, actions: str = '["*"]', groups: str = '["*"]', more: str = "") -> Browser:
        for file, key in (("chief.key", CHIEF), ("agent.key", AGENT)):
            path = self.folder / file
            path.write_text(digest_of(key), encoding="ascii")
            path.chmod(0o600)
        return self.begin(more + KEYS.format(actions=actions, groups=groups))

    def log_in(self, browser: Browser, key: str) -> Answer:
        return browser.post("/login", f"key={key.replace(' ', '+')}")


class OpenConsoleTests(ConsoleTestCase):
    """A listener where no key counts: everybody on this machine."""

    def test_overview(self) -> None:
        """The first page has state, charts, groups and proxies, is small, and allows nothing from elsewhere."""
        answer = self.begin().get("/")
        self.assertEqual(answer.status, 200)
        for words in ("good", "primary", "1 of 1 running", "Last 15 minutes", "Campaign1@Group1", "Last refusals"):
            self.assertIn(words, answer.text)
        self.assertLess(len(answer.body), 50_000)
        self.assertIn("default-src 'none'", answer.headers["content-security-policy"])
        self.assertNotRegex(answer.body, r"<script>|style=|onclick|https?://(?!127)")

    def test_static(self) -> None:
        """Style, script and icon come from the server itself."""
        browser = self.begin()
        for name, kind in (
            ("console.css", "text/css"),
            ("console.js", "text/javascript"),
            ("import.js", "text/javascript"),
            ("icon.svg", "image/svg"),
        ):
            answer = browser.get(f"/static/{name}")
            self.assertEqual(answer.status, 200)
            self.assertIn(kind, answer.headers["content-type"])
        self.assertEqual(browser.get("/static/../ocsgw.toml").status, 404)

    def test_orders(self) -> None:
        """A group is stopped and started by its buttons; orders are in the audit log under who gave them."""
        browser = self.begin()
        for order, word, event in (("stop", "loaded", "CampaignStopped"), ("start", "started", "CampaignStarted")):
            answer = browser.post("/", f"token={browser.get('/').token}&order={order}&group=102")
            self.assertEqual(answer.status, 200)
            self.assertIn(event, answer.text)
            self.assertIn(word, answer.text)

    def test_force(self) -> None:
        """Unloading by force needs a tick; without it nothing happens."""
        browser = self.begin()
        form = f"token={browser.get('/groups').token}&order=force-unload&group=102"
        answer = browser.post("/groups", form)
        self.assertEqual(answer.status, 400)
        self.assertIn("started", browser.get("/groups").text)
        self.assertIn("CampaignUnloaded", browser.post("/groups", f"{form}&sure=yes").text)

    def test_refused_order(self) -> None:
        """What OCS refuses is shown in its words, with the page as it is."""
        browser = self.begin()
        token = browser.get("/groups").token
        answer = browser.post("/groups", f"token={token}&order=load&group=102")
        self.assertEqual(answer.status, 409)
        self.assertIn("stop it first", answer.text)
        self.assertEqual(browser.post("/groups", f"token={token}&order=dance&group=102").status, 400)
        self.assertIn("there is no campaign group", browser.post("/groups", f"token={token}&order=stop&group=x").text)

    def test_forms_of_others(self) -> None:
        """A form without our token, or from another site, changes nothing."""
        browser = self.begin()
        token = browser.get("/").token
        form = f"token={token}&order=stop&group=102"
        for body, fields in (
            ("order=stop&group=102", {}),
            ("token=x&order=stop&group=102", {}),
            (form, {"Origin": "https://evil.example"}),
            (form, {"Origin": "null"}),
            (form, {"Sec_Fetch_Site": "cross-site"}),
            (form, {"Sec_Fetch_Site": "same-site"}),
        ):
            with self.subTest(body=body, fields=fields):
                self.assertEqual(browser.post("/", body, **fields).status, 403)
                self.assertIn("started", browser.get("/").text)
        self.assertEqual(
            browser.post("/", form, Origin="http://127.0.0.1:9080", Sec_Fetch_Site="same-origin").status, 200
        )

    def test_other_names(self) -> None:
        """A name that another site has made lead to this machine opens nothing on a listener without keys."""
        browser = self.begin()
        for host, status in (("localhost:9080", 200), ("[::1]:9080", 200), ("evil.example:9080", 303), ("evil", 303)):
            browser.cookie, browser.host = "", host
            self.assertEqual(browser.get("/").status, status, host)
        self.assertNotIn("Campaign1", browser.get("/login").text)

    def test_number(self) -> None:
        """A number is explained; a text is shown as it is and is never markup."""
        browser = self.begin()
        answer = browser.get("/number?phone=5551234")
        self.assertIn("No record of any calling list has this number.", answer.text)
        answer = browser.get("/number?phone=%3Cscript%3Ealert(1)%3C/script%3E%22")
        self.assertNotIn("<script>alert", answer.body)
        self.assertNotIn('script>"', answer.body)
        odd = ", ".join(
            f"('777', {each}, {each})" for each in ("'2027-01-01'", "x'ff'", "9223372036854775807", "1e308")
        )
        with closing(sqlite3.connect(self.folder / "var" / "ocsgw.sqlite", isolation_level=None)) as connection:
            connection.execute(f"INSERT INTO gsw_donotcall_list (phone, expires_at, time_stamp) VALUES {odd}")
        answer = browser.get("/number?phone=777")
        self.assertEqual((answer.status, answer.text.count("in column expires_at cannot be read")), (200, 4))
        self.assertEqual(browser.get("/number?phone=1&at=noon").status, 400)
        self.assertEqual(browser.get("/number?phone=1&at=9999-01-01T00:00").status, 400)
        self.assertEqual(browser.get("/number?refusal=99").status, 404)

    def test_list_that_cannot_be_counted(self) -> None:
        """A list whose records cannot be counted is named on the page, and not counted for ever."""
        browser = self.begin()
        self.assertIn("being counted", browser.get("/groups").text)
        with closing(sqlite3.connect(self.folder / "var" / "ocsgw.sqlite", isolation_level=None)) as connection:
            connection.execute("DROP TABLE CL_Test")
        for _ in range(10):
            self.reactor.advance(0.1)
        text = browser.get("/groups").text
        self.assertIn("cannot be counted: CL_Test", text)
        self.assertNotIn("being counted", text)

    def test_log(self) -> None:
        """The last lines of the log, all or those with a text."""
        browser = self.begin()
        self.service.log_file.configure("text", "info")
        self.service.log_file.write(0.0, "info", 93001, "one <b>line</b>")
        self.service.log_file.write(0.0, "info", 93002, "another line")
        self.assertIn("one <b>line</b>", browser.get("/log").text.replace("&lt;", "<"))
        self.assertNotIn("<b>line", browser.get("/log").body)
        found = browser.get("/log?find=another").text
        self.assertIn("another line", found)
        self.assertNotIn("one ", found.partition("newest first")[2])

    def test_large_body(self) -> None:
        """What is too much is not even kept."""
        browser = self.begin()
        self.assertEqual(browser.post("/login", "key=" + "x" * 100_000).status, 413)

    def test_methods(self) -> None:
        """HEAD has no body; other methods are refused."""
        browser = self.begin()
        self.assertEqual(browser.send("HEAD", "/").body, "")
        self.assertEqual(browser.send("PUT", "/").status, 405)
        self.assertEqual(browser.post("/log", f"token={browser.get('/').token}").status, 405)

    def test_live(self) -> None:
        """A live page gets what has changed, as whole parts, and nothing while nothing does."""
        browser = self.begin()
        token = browser.get("/groups").token
        transport, protocol = browser.open("GET", "/live?page=/groups")
        self.reactor.advance(EVERY)
        self.assertEqual(self.parts(transport), [])
        self.reactor.advance(EVERY)
        browser.post("/groups", f"token={token}&order=stop&group=102")
        self.reactor.advance(EVERY)
        (changed,) = self.parts(transport)[-1:]
        self.assertIn("loaded", changed["groups"])
        # A browser that does not read gets nothing more until it does.
        sent = len(self.parts(transport))
        producer: Any = transport.producer
        producer.pauseProducing()
        browser.post("/groups", f"token={token}&order=start&group=102")
        self.reactor.advance(EVERY)
        self.assertEqual(len(self.parts(transport)), sent)
        producer.resumeProducing()
        self.reactor.advance(EVERY)
        self.assertIn("started", self.parts(transport)[sent]["groups"])
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(browser.get("/live?page=/nothing").status, 404)

    def parts(self, transport: StringTransport) -> list[dict[str, str]]:
        """Return what a live page got after its first picture."""
        events = re.findall(r"event: parts\ndata: (.*)\n\n", transport.value().decode())
        return [json.loads(each) for each in events][1:]


class KeyedConsoleTests(ConsoleTestCase):
    """A listener where keys count."""

    def test_login(self) -> None:
        """Without a key there is only the form; with one a session, whose cookie no script and no other site gets."""
        browser = self.begin_with_keys()
        answer = browser.get("/")
        self.assertEqual((answer.status, answer.headers["location"]), (303, "/login"))
        self.assertIn("API key", browser.get("/login").text)
        self.assertEqual(self.log_in(browser, "wrong").status, 403)
        self.assertIn(93252, self.log.numbers())
        answer = self.log_in(browser, CHIEF)
        self.assertEqual((answer.status, answer.headers["location"]), (303, "/"))
        for flag in ("HttpOnly", "SameSite=strict", "Path=/"):
            self.assertIn(flag, answer.headers["set-cookie"])
        self.assertIn("Log out chief", browser.get("/").text)

    def test_login_from_elsewhere(self) -> None:
        """Another site cannot log a browser in."""
        browser = self.begin_with_keys()
        answer = browser.post("/login", f"key={CHIEF.replace(' ', '+')}", Origin="https://evil.example")
        self.assertEqual((answer.status, browser.cookie), (403, ""))

    def test_logout(self) -> None:
        """A session ends when its user says so, and its cookie opens nothing any more."""
        browser = self.begin_with_keys()
        self.log_in(browser, CHIEF)
        self.assertEqual(browser.post("/logout", "token=x").status, 403)
        browser.post("/logout", f"token={browser.get('/').token}")
        self.assertEqual(browser.get("/").status, 303)

    def test_ends_by_itself(self) -> None:
        """A session that nobody uses ends, one that is used does at last; a page that is only open does not count."""
        browser = self.begin_with_keys()
        self.log_in(browser, CHIEF)
        transport, _ = browser.open("GET", "/live?page=/")
        self.reactor.advance(IDLE - 1)
        self.assertEqual(browser.get("/").status, 200)
        self.reactor.advance(IDLE + 1)
        self.assertEqual(browser.get("/").status, 303)
        self.assertIn("event: end", transport.value().decode())
        self.log_in(browser, CHIEF)
        for _ in range(int(LONGEST / (IDLE - 1))):
            self.assertEqual(browser.get("/").status, 200)
            self.reactor.advance(IDLE - 1)
        self.reactor.advance(IDLE - 1)
        self.assertEqual(browser.get("/").status, 303)

    def test_revoked_key(self) -> None:
        """A key that is taken away takes its sessions along."""
        browser = self.begin_with_keys()
        self.log_in(browser, AGENT)
        self.assertEqual(browser.get("/").status, 200)
        (self.folder / "agent.key").write_text(digest_of("another key that is long"), encoding="ascii")
        self.successResultOf(self.service.commands["reload"].run({}))
        self.assertEqual(browser.get("/").status, 303)

    def test_limits(self) -> None:
        """Who has limits sees their own groups, gives only allowed orders, and gets no page about everybody's data."""
        browser = self.begin_with_keys('["StopDialing", "CampaignStatusRequest"]', '["Campaign1@Group1"]')
        self.log_in(browser, AGENT)
        page = browser.get("/")
        self.assertIn("Stop", page.text)
        self.assertNotIn("Last refusals", page.text)
        self.assertNotIn('href="/number"', page.body)
        for path in ("/number?phone=1", "/record?chain=1", "/principals", "/import", "/log"):
            self.assertEqual(browser.get(path).status, 403)
        token = page.token
        self.assertEqual(browser.post("/", f"token={token}&order=stop&group=102").status, 200)
        page = browser.get("/")
        self.assertNotIn("Start ", page.text.partition("Campaign groups")[2])
        answer = browser.post("/", f"token={token}&order=start&group=102")
        self.assertEqual(answer.status, 403)
        self.assertIn("not allowed to send StartDialing", answer.text)

    def test_groups_of_others(self) -> None:
        """Groups that a principal has nothing to do with are not shown, and take no order of theirs."""
        other = '[[campaign_group]]\ndbid = 103\ncampaign = "Campaign1"\ngroup = "Other"\n'
        browser = self.begin_with_keys(groups='["Campaign1@Other"]', more=other)
        self.log_in(browser, AGENT)
        page = browser.get("/groups")
        self.assertNotIn("Campaign1@Group1", page.text)
        answer = browser.post("/groups", f"token={page.token}&order=stop&group=102")
        self.assertEqual(answer.status, 409)
        self.assertNotIn("CampaignStopped", answer.text)
