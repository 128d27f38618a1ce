"""A server on a database that does not take everything, or from which a table goes away, over HTTP."""

import threading

from twisted.trial.unittest import TestCase

from tests.integration.server import Server, make_server
from tests.support.postgresql import PASSWORD, shared_postgresql
from tests.support.postgresql_store import new_database


class DatabaseTests(TestCase):
    """A server on a database of its own."""

    timeout = 300

    def serve(self, url: str) -> Server:
        """Start a server on a database."""
        server = make_server(self)
        password = server.folder / "password"
        password.write_text(f"{PASSWORD}\n", encoding="ascii")
        password.chmod(0o600)
        server.configure(store=f'url = "{url}"\npassword_file = "password"')
        return server.start()

    def test_text_that_cannot_be_stored(self) -> None:
        """A text that the encoding lacks gets 400 for its request alone; what it has is stored and found."""
        url = new_database(self, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
        server = self.serve(url)
        texts = {"été": 200, "łódź": 400, "\u0000": 400, "日本": 400, "plain": 200}
        barrier = threading.Barrier(len(texts))
        statuses = {}

        def add(text: str) -> None:
            barrier.wait()
            answer = server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1", "Remarks": text})
            statuses[text] = answer.status

        threads = [threading.Thread(target=add, args=(text,)) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, texts)
        found = [
            server.post("/campaigngroups/102?req=PreviewRecordRequest", {"GSW_AGENT_ID": "a"}).json["Remarks"]
            for _ in range(2)
        ]
        self.assertEqual(sorted(found), ["plain", "été"])

    def test_table_goes_away(self) -> None:
        """K16: a table that is dropped while the server runs costs its own list; the group goes on with the other."""
        url = new_database(self)
        server = self.serve(url)
        for name in ("CL_CALLBACK", "CL_Test"):
            self.assertEqual(server.post(f"/lists/{name}?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
        shared_postgresql().query('ALTER TABLE "CL_CALLBACK" RENAME TO away', url.rpartition("/")[2])
        preview = server.post("/campaigngroups/102?req=PreviewRecordRequest", {"GSW_AGENT_ID": "a"})
        self.assertEqual((preview.status, preview.json["GSW_CALLING_LIST"]), (200, "CL_Test"))
        refused = server.post("/lists/CL_CALLBACK?req=AddRecord", {"GSW_PHONE": "2"})
        self.assertEqual(
            (refused.status, refused.json["GSW_ERROR"]), (503, "Calling list CL_CALLBACK is not available")
        )
        done = server.post("/phones/1?req=DoNotCall", {})
        self.assertEqual((done.status, done.json["GSW_RECORDS_COUNT"]), (200, 1))
        self.assertEqual(server.log().count(" 93127 "), 1)
        shared_postgresql().query('ALTER TABLE away RENAME TO "CL_CALLBACK"', url.rpartition("/")[2])
        self.assertEqual(server.post("/lists/CL_CALLBACK?req=AddRecord", {"GSW_PHONE": "2"}).status, 200)
