"""Texts that a database cannot store, over HTTP."""

import threading

from twisted.trial.unittest import TestCase

from tests.integration.server import make_server
from tests.support.postgresql import PASSWORD
from tests.support.postgresql_store import new_database


class EncodingTests(TestCase):
    """A database whose encoding is not UTF-8, over HTTP."""

    timeout = 300

    def test_text_that_cannot_be_stored(self) -> None:
        """A text that the encoding lacks gets 400 for its request alone; what it has is stored and found."""
        url = new_database(self, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
        server = make_server(self)
        password = server.folder / "password"
        password.write_text(f"{PASSWORD}\n", encoding="ascii")
        password.chmod(0o600)
        server.configure(store=f'url = "{url}"\npassword_file = "password"')
        server.start()
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
