"""The web console of a real server, in Chromium."""

import re
import threading
import urllib.request
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.access.keys import digest_of
from tests.integration.server import STORE, Server, make_server
from tests.support.chromium import Chromium

LISTENER = """
[[listener]]
id = "admin"
protocol = "admin"
interface = "127.0.0.1"
port = 0
"""
KEYS = """
[[api_key]]
name = "chief"
key_file = "chief.key"
listeners = ["admin"]
[[api_key]]
name = "agent"
key_file = "agent.key"
listeners = ["admin"]
actions = ["CampaignStatusRequest"]
"""
GROUP = """
[[campaign_group]]
dbid = {dbid}
campaign = "Campaign1"
group = "{name}"
"""
HTTP_LISTENER = """
[[listener]]
id = "{name}"
protocol = "http"
interface = "127.0.0.1"
port = 0
"""
CHIEF, AGENT = "correct horse battery", "an agent's own long key"
PAGES = (
    "/",
    "/number",
    "/record",
    "/groups",
    "/lists",
    "/do-not-call",
    "/principals",
    "/log",
    "/configuration",
    "/audit",
)


class ConsoleTestCase(SynchronousTestCase):
    """A server and a browser."""

    def begin(self, more: str = "", *, javascript: bool = True, store: str = STORE) -> None:
        server = make_server(self, listener=LISTENER, more=more, store=store)
        for name, key in (("chief", CHIEF), ("agent", AGENT)):
            path = server.folder / f"{name}.key"
            path.write_text(digest_of(key), encoding="ascii")
            path.chmod(0o600)
        self.server: Server = server.start()
        self.base = "http://127.0.0.1:" + re.findall(r"Admin listener admin is ready on \S+:(\d+)", server.log())[0]
        self.browser = Chromium(javascript=javascript)
        self.addCleanup(self.browser.close)

    def open(self, path: str) -> None:
        self.browser.driver.get(self.base + path)

    def log_in(self, key: str) -> None:
        self.open("/login")
        self.browser.fill("key", key)
        self.browser.press("Log in")
        self.browser.expect("Campaign1@Group1")

    def add(self, phone: str, calling_list: str = "CL_Test") -> int:
        return self.server.post(f"/lists/{calling_list}?req=AddRecord", {"GSW_PHONE": phone}).status


class OpenTests(ConsoleTestCase):
    """A listener that is open to this machine."""

    def test_overview(self) -> None:
        """The first screen fits into 1280x800, is right, and lives: refusals and groups change by themselves."""
        self.begin()
        for at in range(3):
            self.add(f"555000{at}")
        self.open("/")
        browser = self.browser
        self.assertEqual(browser.overflow(), (0, 0))
        for words in ("good", "primary", "no pair", "1 of 1 running", "Campaign1@Group1", "Nothing was refused yet."):
            browser.expect(words)
        browser.expect("3 Ready", "#groups")
        browser.shoot("overview")
        self.assertEqual(self.add("5551234", "CL_Nope"), 404)
        browser.wait(lambda: "Calling list not found" in browser.text("#refusals"))
        browser.wait(lambda: "404 list_not_found: 1" in browser.text("#charts"))
        self.server.post("/campaigngroups/Campaign1?req=CampaignStatusRequest", {})
        browser.press("Stop Campaign1@Group1")
        browser.expect("CampaignStopped")
        browser.expect("loaded", "#groups")
        browser.press("Start Campaign1@Group1")
        browser.expect("CampaignStarted")
        browser.shoot("overview-orders")
        browser.driver.find_element("link text", "explain").click()
        browser.expect("No record of any calling list has this number.")
        self.assertEqual(browser.complaints(), [])

    def test_full_screen(self) -> None:
        """With many groups, several listeners and refusals for many reasons, the first screen fits all the same."""
        groups = [GROUP.format(dbid=500 + at, name=f"Further{at}") for at in range(20)]
        self.begin("".join([*groups, *(HTTP_LISTENER.format(name=name) for name in ("second", "third"))]))
        for at in range(10):
            self.add(f"555{at}", "CL_Nope")
            self.server.post("/records/77?req=RecordProcessed", {"GSW_CALL_RESULT": "nonsense"})
            self.server.post("/lists/CL_Test?req=AddRecord", {})
            self.server.post("/campaigngroups/Nope?req=CampaignStatusRequest", {})
            self.server.post("/nothing", {})
        browser = self.browser
        self.open("/")
        browser.expect("13 more groups")
        browser.expect("other reasons", "#charts")
        browser.shoot("overview-full")
        self.assertEqual(browser.overflow(), (0, 0))
        self.assertEqual(browser.violations(), [])

    def test_load(self) -> None:
        """What the first screen says is what clients of a load have seen, record by record and refusal by refusal."""
        self.begin()
        answers: Counter[int] = Counter()

        def send(worker: int) -> None:
            for at in range(150):
                # Every tenth is refused.
                calling_list = "CL_Test" if at % 10 else "CL_Nope"
                answers[self.add(f"55{worker}{at:04}", calling_list)] += 1

        workers = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
        for each in workers:
            each.start()
        self.open("/")
        for each in workers:
            each.join()
        self.assertEqual(answers, {200: 540, 404: 60})
        browser = self.browser
        browser.expect("540 Ready", "#groups")
        browser.expect("404 list_not_found: 60", "#charts")
        metrics = self.fetch("/metrics").decode()
        self.assertIn('ocsgw_requests_total{code="ok",request="AddRecord"} 540.0', metrics)
        browser.shoot("overview-load")

    def test_size(self) -> None:
        """The first screen is below 100 kB with everything that belongs to it; `make bench` says how long it takes."""
        self.begin()
        parts = ("/", "/static/console.css", "/static/console.js", "/static/icon.svg")
        self.assertLess(sum(len(self.fetch(path)) for path in parts), 100_000)

    def fetch(self, path: str) -> bytes:
        with urllib.request.urlopen(self.base + path, timeout=30) as answer:
            data: bytes = answer.read()
            return data

    def test_pages(self) -> None:
        """Each page, light and dark and as narrow as a phone: readable for all, nothing cut off, no complaint."""
        self.begin()
        self.add("5550001")
        self.add("5551234", "CL_Nope")
        browser = self.browser
        for path in (*PAGES, "/number?phone=5550001", "/record?chain=1&list=CL_Test", "/log?find=ready"):
            for scheme in ("light", "dark"):
                for width, height in ((1280, 800), (390, 844)):
                    with self.subTest(path=path, scheme=scheme, width=width):
                        browser.scheme(scheme)
                        browser.size(width, height)
                        self.open(path)
                        self.assertEqual(browser.overflow()[0], 0)
                        self.assertEqual(browser.violations(), [])
                        self.assertEqual(browser.complaints(), [])
                        name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "overview"
                        browser.shoot(f"{name}-{scheme}-{width}")

    def test_number(self) -> None:
        """A number is looked up by hand."""
        self.begin()
        self.add("5550001")
        self.open("/number")
        self.browser.fill("phone", "5550001")
        self.browser.press("Explain")
        self.browser.expect("would be handed out now")
        self.browser.expect("type General, status Ready")
        self.browser.driver.find_element("link text", "chain 1").click()
        self.browser.expect("Ready (1)")
        self.browser.expect("History of CL_Test, chain 1")

    def test_do_not_call(self) -> None:
        """A number is blocked and freed by hand; the audit log is where one sees it."""
        self.begin()
        self.add("5550001")
        browser = self.browser
        self.open("/do-not-call")
        browser.fill("contact", "5550001")
        browser.press("Block")
        browser.expect("5550001 is blocked; records marked: 1")
        browser.shoot("do-not-call-blocked")
        self.open("/number?phone=5550001")
        browser.expect("History of CL_Test, chain 1")
        browser.shoot("number-history")
        self.assertEqual(browser.violations(), [])


class WithoutJavaScriptTests(ConsoleTestCase):
    """A browser that runs no scripts."""

    def test_orders(self) -> None:
        """Everything that matters goes without."""
        self.begin(javascript=False)
        self.open("/groups")
        self.browser.press("Stop Campaign1@Group1")
        self.browser.expect("CampaignStopped")
        self.browser.expect("loaded", "#groups")


class KeyedTests(ConsoleTestCase):
    """A listener where keys count."""

    def test_login(self) -> None:
        """In with a key, out with a button; a wrong key and a page that was left open show the form again."""
        self.begin(KEYS)
        browser = self.browser
        self.open("/")
        self.assertEqual(browser.violations(), [])
        browser.shoot("login")
        browser.fill("key", "wrong")
        browser.press("Log in")
        browser.expect("This is not a key that counts here.")
        browser.fill("key", CHIEF)
        browser.press("Log in")
        browser.expect("Campaign1@Group1")
        # Taken away while the page is open.
        (self.server.folder / "chief.key").write_text(digest_of("another key that is long"), encoding="ascii")
        self.server.reload()
        browser.wait(lambda: browser.driver.current_url.endswith("/login"))

    def test_restart(self) -> None:
        """A page that is left open says when the server does not answer; its session has ended with the old process."""
        self.begin(KEYS)
        self.log_in(CHIEF)
        port = self.base.rpartition(":")[2]
        self.server.configure(listener=LISTENER.replace("port = 0", f"port = {port}"))
        self.server.stop()
        self.browser.expect("This page is not up to date")
        self.assertEqual(self.browser.violations(), [])
        self.browser.shoot("overview-not-up-to-date")
        self.server.start()
        self.browser.wait(lambda: self.browser.driver.current_url.endswith("/login"))

    def test_principals(self) -> None:
        """Keys and certificates are shown with what they allow, and nothing of a key itself."""
        self.begin(KEYS)
        self.log_in(CHIEF)
        self.open("/principals")
        self.browser.expect("requests: CampaignStatusRequest")
        self.assertNotIn(digest_of(CHIEF).removeprefix("sha256:"), self.browser.driver.page_source)
        self.assertEqual(self.browser.violations(), [])
        self.browser.shoot("principals-keys")

    def test_without_permission(self) -> None:
        """Who may only look has no buttons, and no pages about everybody's data."""
        self.begin(KEYS)
        browser = self.browser
        self.open("/login")
        browser.fill("key", AGENT)
        browser.press("Log in")
        browser.expect("Campaign1@Group1")
        self.assertNotIn("Stop", browser.text("#groups"))
        self.assertNotIn("Log ", browser.text("nav"))
        browser.shoot("without-permission")
        self.open("/log")
        browser.expect("for principals without limits")
        self.open("/")
        browser.press("Log out agent")
        browser.wait(lambda: browser.driver.current_url.endswith("/login"))
