"""A site's own spellings on a real server (http.md section 9)."""

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import make_server

ALIASES = '[aliases]\nAddRecord = ["Add"]\nlists = ["callinglists"]\n'
TARGET = "/callinglists/CL_Test?req=add"


class AliasTests(SynchronousTestCase):
    """`[aliases]`."""

    def test_taken_over_by_a_reload(self) -> None:
        """Section 9, C66: a running proxy takes new spellings with a reload, uses them, and logs each once (93009)."""
        server = make_server(self).start()
        body = {"GSW_PHONE": "6505550100", "GSW_AGENT_REQ_TYPE": "Add"}
        self.assertEqual(server.post(TARGET, body).status, 404)
        server.configure(more=ALIASES)
        server.reload()
        for _ in range(2):
            server.wait_until(lambda: server.post(TARGET, body).status == 200)
        self.assertGreaterEqual(server.rows("SELECT count(*) FROM CL_Test")[0][0], 2)
        server.wait_until(lambda: " 93009 " in server.log())
        self.assertEqual(server.log().count(" 93009 "), 1)
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
