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

    def test_refused_at_the_commit(self) -> None:
        """K16: a trigger that is deferred costs its own request, however many are in a batch; the others go in once."""
        url = new_database(self)
        server = self.serve(url)
        name = url.rpartition("/")[2]
        shared_postgresql().query(
            "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF new.contact_info LIKE '%bad' THEN"
            " RAISE EXCEPTION 'no'; END IF; RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON"
            ' "CL_Test" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()',
            name,
        )
        statuses: dict[str, int] = {}

        def add(client: int) -> None:
            for at in range(20):
                phone = f"{client}-{at}" + ("bad" if at == client else "")
                answer = server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": phone})
                statuses[phone] = answer.status

        threads = [threading.Thread(target=add, args=(client,)) for client in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(
            {phone for phone, status in statuses.items() if status != 200}, {f"{n}-{n}bad" for n in range(16)}
        )
        self.assertEqual({status for phone, status in statuses.items() if phone.endswith("bad")}, {409})
        stored = [row[0] for row in shared_postgresql().query('SELECT contact_info FROM "CL_Test"', name)]
        self.assertEqual(sorted(stored), sorted(phone for phone, status in statuses.items() if status == 200))
        self.assertEqual(server.log().count(" 93131 "), 1)

    def test_counters_are_deleted(self) -> None:
        """Numbers go on behind what is there, while the server runs and after its next start."""
        url = new_database(self)
        server = self.serve(url)
        for _ in range(3):
            self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
            shared_postgresql().query("DELETE FROM ocsgw_counter", url.rpartition("/")[2])
        server.stop()
        server.start()
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
        numbers = shared_postgresql().query("SELECT number FROM ocsgw_outbox ORDER BY 1", url.rpartition("/")[2])
        self.assertEqual(numbers, [["1"], ["2"], ["3"], ["4"]])
