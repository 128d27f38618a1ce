"""Further pages of the console: lists, do-not-call, configuration, audit, exports, history."""

import json
from typing import Any
from urllib.parse import urlencode

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ocsgw.access.keys import digest_of
from ocsgw.audit.file import last_lines
from ocsgw.control.errors import ControlError
from ocsgw.operations.parts import in_parts
from tests.ocs.test_admin_console import AGENT, CHIEF, Answer, Browser, ConsoleTestCase

AUDIT = "[audit]\nenabled = true\n"


class PagesTests(ConsoleTestCase):
    """Pages for those who may see everything."""

    def operation(self, name: str, **arguments: object) -> Any:
        done = self.service.commands["operation"].run({"name": name, "arguments": arguments})
        return self.successResultOf(done)

    def add(self, rows: list[list[str]], calling_list: str | None = "CL_Test", fingerprint: str = "f") -> int:
        """Import rows of a number and, for lists, a segment; return the number of the import."""
        header = ["GSW_PHONE", "Segment"] if calling_list is not None else ["phone", "message"]
        common = {"header": header, "fingerprint": fingerprint, "file": "rows.csv", "calling_list": calling_list}
        begun = self.operation("begin import", **common)
        self.operation("import", **common, first=0, parts=in_parts(rows))
        self.operation("import", **common, first=len(rows), parts=[], last=True)
        number: int = begun["number"]
        return number

    def send(self, browser: Browser, path: str, **fields: str) -> Answer:
        return browser.post(path, urlencode({"token": browser.get(path).token, **fields}))

    def blocked(self) -> list[str]:
        return [row[0] for row in self.operation("export")["rows"]]

    # Lists.

    def test_lists(self) -> None:
        """Each list with its state, the newest imports with their counts, and a way to take one back."""
        browser = self.begin(AUDIT)
        self.assertIn("Nothing was imported yet.", browser.get("/lists").text)
        number = self.add([["5550001", "a"], ["5550002", "b"]])
        page = browser.get("/lists").text
        self.assertRegex(page, r"CL_Test\s+import\s+export\s+export for people\s+open\s+Environment\s+CL_Test")
        self.assertIn("rows.csv", page)
        for fields, status in (
            ({"number": "x", "reason": "why"}, 400),
            ({"number": str(number), "reason": ""}, 400),
            ({"number": "99", "reason": "why"}, 404),
        ):
            with self.subTest(fields=fields):
                self.assertEqual(self.send(browser, "/lists", do="undo", **fields).status, status)
        answer = self.send(browser, "/lists", do="undo", number=str(number), reason="wrong file")
        self.assertIn(f"Import {number}: 2 rows removed", answer.text)
        self.assertIn("wrong file", browser.get("/audit").text)
        self.assertIn("Nothing was imported yet.", browser.get("/lists").text)

    def test_closed_list(self) -> None:
        """A list that cannot be used says why."""
        browser = self.begin()
        self.patch(self.service.store, "closed_lists", lambda: {"CL_Test": "its table lacks <phone>"})
        self.assertIn("closed: its table lacks <phone>", browser.get("/lists").text)
        self.assertNotIn("<phone>", browser.get("/lists").body)

    # Records and principals.

    def test_record(self) -> None:
        """A chain is shown as it is, one record in a column; what names none is said, and never a failure."""
        browser = self.begin()
        self.assertIn("Nothing is known of such a record.", browser.get("/record?chain=77").text)
        self.assertIn("Nothing is known of such a record.", browser.get("/record?handle=4611686018427387903").text)
        for query in (
            "chain=0",
            "chain=x",
            "chain=%D9%A3",
            "handle=" + "9" * 5000,
            "handle=1&chain=1",
            "chain=1&at=noon",
        ):
            self.assertEqual(browser.get(f"/record?{query}").status, 400, query)
        self.assertIn("there is no calling list Nope", browser.get("/record?chain=1&list=Nope").text)
        self.add([["<b>1</b>", "a"]])
        answer = browser.get("/record?chain=1&list=CL_Test")
        for words in ("CL_Test, chain 1", "Record 1", "Ready (1)", "&lt;b&gt;1&lt;/b&gt;"):
            self.assertIn(words, answer.body)
        self.assertIn("as of 1999-01-01 00:00 UTC", browser.get("/record?chain=1&at=1999-01-01T00:00").text)

    def test_principals(self) -> None:
        """An installation without keys says so."""
        self.assertIn("No key and no certificate is configured", self.begin().get("/principals").text)

    # Exports.

    def test_export(self) -> None:
        """A list is a file that an import reads and a spreadsheet does not carry out."""
        browser = self.begin()
        self.add([["5550001", "=1+1"], ["5550002", "b"]])
        answer = browser.get("/export?list=CL_Test")
        self.assertEqual(answer.headers["content-disposition"], 'attachment; filename="CL_Test.csv"')
        lines = answer.body.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("5550001", lines[1])
        self.assertIn("'=1+1", lines[1])
        self.assertIn(",1,", lines[1])
        self.assertIn(",Ready,", browser.get("/export?list=CL_Test&for=people").body)
        self.assertEqual(browser.get("/export?list=Nope").status, 409)
        self.add([["5559999", "no"]], None)
        self.assertIn("5559999", browser.get("/export").body)

    def test_slow_export(self) -> None:
        """A browser that reads slowly is waited for; one that goes ends the export."""
        browser = self.begin()
        self.add([["5550001", "a"]])
        for ends in (False, True):
            # Paused from its first write on.
            paused: list[Any] = []
            original = StringTransport.write

            def write(self: Any, data: bytes, paused: list[Any] = paused, original: Any = original) -> None:
                original(self, data)
                if not paused and b"contact_info" in data:
                    paused.append(self.producer)
                    self.producer.pauseProducing()

            with self.patched(StringTransport, write):
                transport, protocol = browser.open("GET", "/export?list=CL_Test")
                self.assertFalse(transport.disconnecting)
                self.assertEqual(len(paused), 1)
                if ends:
                    protocol.connectionLost(Failure(ConnectionDone()))
                else:
                    paused[0].resumeProducing()
                    self.assertIn(b"5550001", transport.value())
                    self.assertTrue(transport.disconnecting)

    def patched(self, owner: Any, write: Any) -> Any:
        from unittest.mock import patch

        return patch.object(owner, "write", write)

    # Do not call.

    def test_block_and_remove(self) -> None:
        """A number is blocked, with its records; the entry is removed for a reason, and its records are ready again."""
        browser = self.begin(AUDIT)
        self.add([["5550001", "a"]])
        answer = self.send(browser, "/do-not-call", do="block", contact="555-0001")
        self.assertIn("555-0001 is blocked; records marked: 1", answer.text)
        self.assertEqual(self.blocked(), ["555-0001"])
        self.assertIn("NoCall", browser.get("/number?phone=5550001").text)
        answer = self.send(browser, "/do-not-call", do="remove", contact="5550001", reason="asked", ready_again="yes")
        self.assertIn("Entries removed: 1; 1 records are ready again", answer.text)
        self.assertEqual(self.blocked(), [])
        audit = browser.get("/audit").text
        self.assertIn("DoNotCall", audit)
        self.assertIn("do-not-call removed", audit)
        # The address of the client, as the transport of the tests has it.
        self.assertIn("192.168.1.1", audit)

    def test_wrong_forms(self) -> None:
        """What cannot be meant changes nothing and says why."""
        browser = self.begin()
        for fields in (
            {"do": "block"},
            {"do": "block", "contact": "1", "customer_id": "2"},
            {"do": "remove", "contact": "1", "reason": ""},
            {"do": "dance", "contact": "1"},
        ):
            with self.subTest(fields=fields):
                self.assertEqual(self.send(browser, "/do-not-call", **fields).status, 400)
        for arguments in ({}, {"contact": "1", "customer_id": "2"}, {"tenant": "Environment"}):
            with self.assertRaises(ControlError):
                self.service.commands["block"].run(arguments)
        self.assertEqual(self.blocked(), [])
        self.assertEqual(self.send(browser, "/do-not-call", do="block", contact="x" * 300).status, 409)
        self.assertIn(
            "nothing was removed", self.send(browser, "/do-not-call", do="remove", contact="1", reason="r").text
        )

    def test_undo_of_entries(self) -> None:
        """An import of entries is taken back here, and one of records is not."""
        browser = self.begin()
        records = self.add([["5550001", "a"]])
        entries = self.add([["5559999", "no"]], None, "g")
        answer = self.send(browser, "/do-not-call", do="undo", number=str(records), reason="r")
        self.assertEqual(answer.status, 404)
        answer = self.send(browser, "/do-not-call", do="undo", number=str(entries), reason="r")
        self.assertIn(f"Import {entries}: 1 rows removed", answer.text)
        self.assertEqual(self.blocked(), [])

    # History.

    def test_history(self) -> None:
        """A number shows what has happened to its records."""
        browser = self.begin()
        self.add([["5550001", "a"]])
        self.send(browser, "/do-not-call", do="block", contact="5550001")
        page = browser.get("/number?phone=5550001").text
        self.assertIn("History of CL_Test, chain 1", page)
        self.assertIn("DoNotCall", page.partition("History of")[2])

    # The installation.

    def test_configuration(self) -> None:
        """Every key in force is shown, and no secret."""
        browser = self.begin_with_keys()
        self.log_in(browser, CHIEF)
        page = browser.get("/configuration")
        for words in ("application.dbid", "134", "api_keys[chief].key_file", "********", "listeners[admin].port"):
            self.assertIn(words, page.text)
        for secret in (CHIEF, digest_of(CHIEF), digest_of(CHIEF).removeprefix("sha256:"), AGENT):
            self.assertNotIn(secret, page.body)

    def test_audit(self) -> None:
        """Who did what from where, also for orders of the console."""
        browser = self.begin_with_keys(more=AUDIT)
        self.log_in(browser, CHIEF)
        browser.post("/", f"token={browser.get('/').token}&order=stop&group=102")
        page = browser.get("/audit").text
        self.assertRegex(page, r"chief\s+\S+\s+StopDialing")
        self.assertNotIn("StopDialing", browser.get("/audit?find=nothing+of+that").text.partition("newest lines")[2])

    def test_no_audit_log(self) -> None:
        """Where none is kept the page says so; a line of somebody else is shown as it is."""
        browser = self.begin()
        self.assertIn("no audit log is kept", browser.get("/audit").text)
        path = self.folder / "log"
        path.write_bytes(b"\xff{broken\n" + json.dumps({"n": 2, "action": "x"}).encode() + b"\n")
        self.assertEqual(last_lines(str(path)), ["\ufffd{broken", '{"n": 2, "action": "x"}'])
        self.assertEqual(last_lines(str(path), 30), ['{"n": 2, "action": "x"}'])
        self.assertEqual(last_lines(str(self.folder / "missing")), [])

    def test_limits(self) -> None:
        """None of them is for principals with limits."""
        browser = self.begin_with_keys('["StopDialing"]')
        self.log_in(browser, AGENT)
        for path in ("/lists", "/do-not-call", "/configuration", "/audit", "/export", "/export?list=CL_Test"):
            self.assertEqual(browser.get(path).status, 403)
        token = browser.get("/").token
        self.assertEqual(browser.post("/do-not-call", f"token={token}&do=block&contact=1").status, 403)
        browser.cookie = ""
        self.assertEqual(browser.get("/export").status, 303)
