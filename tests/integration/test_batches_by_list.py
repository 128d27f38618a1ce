"""A server whose batches are of one list each, on a PostgreSQL database, under load (`[store] batches`)."""

import http.client
import json
import threading
from typing import Any
from urllib.parse import quote

from twisted.trial.unittest import TestCase

from tests.integration.server import Server, make_server
from tests.support.postgresql import PASSWORD, shared_postgresql
from tests.support.postgresql_store import new_database

_LISTS = {"CL_Test": "CL_Test", "CL_CALLBACK": "CL_CALLBACK", "Liste été": "liste_ete"}
_CLIENTS, _ROUNDS = 12, 25
# The group of a campaign with one list.
_GROUP = """
[[campaign_group]]
dbid = 103
campaign = "Campagne"
group = "Group2"
state = "started"
"""


class _Client(threading.Thread):
    """Adds records to one list after the other, hands records out, and reports what has become of them."""

    def __init__(self, number: int, port: int) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._number = number
        self.added: dict[str, list[tuple[str, int]]] = {name: [] for name in _LISTS}
        self.handled = 0
        self.unexpected: list[object] = []

    def run(self) -> None:
        """Send requests, one after the other."""
        for at in range(_ROUNDS):
            name = list(_LISTS)[(self._number + at) % len(_LISTS)]
            contact = f"{self._number:03}-{at:04}"
            added = self._post(f"/lists/{quote(name)}?req=AddRecord", {"GSW_PHONE": contact})
            self.added[name].append((contact, added["GSW_CHAIN_ID"] if added else 0))
            for group in (102, 103) if at % 5 == 0 else ():
                shown = self._post(f"/campaigngroups/{group}?req=PreviewRecordRequest", {"GSW_AGENT_ID": "a"})
                if "GSW_RECORD_HANDLE" in shown:
                    handle = shown["GSW_RECORD_HANDLE"]
                    self._post(f"/records/{handle}?req=UpdateCallCompletionStats", {"GSW_CALL_RESULT": 6})
                    self._post(f"/records/{handle}?req=RecordProcessed", {"GSW_CALL_RESULT": 33})
                    self.handled += 1
        self._post(f"/phones/{self._number:03}-0001?req=DoNotCall", {})
        self._connection.close()

    def _post(self, target: str, body: object) -> dict[str, Any]:
        self._connection.request("POST", target, json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        if answer.status != 200:
            self.unexpected.append((target, answer.status, found))
            return {}
        return found


class BatchesByListTests(TestCase):
    """Clients of several lists."""

    timeout = 300

    def serve(self, url: str) -> Server:
        """Start a server on a database."""
        server = make_server(self)
        password = server.folder / "password"
        password.write_text(f"{PASSWORD}\n", encoding="ascii")
        password.chmod(0o600)
        server.configure(store=f'url = "{url}"\npassword_file = "password"\nbatches = "by_list"', more=_GROUP)
        return server.start()

    def test_transactions(self) -> None:
        """No transaction of usual requests touches two lists, and what was acknowledged is there."""
        url = new_database(self)
        database = url.rpartition("/")[2]
        server = self.serve(url)
        clients = [_Client(number, server.port) for number in range(_CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(120)
        self.assertEqual([each for client in clients for each in client.unexpected], [])
        self.assertTrue(all(client.handled for client in clients))
        server.stop()
        query = shared_postgresql().query
        for name, table in _LISTS.items():
            known = sorted((contact, str(number)) for client in clients for contact, number in client.added[name])
            stored = query(f'SELECT contact_info, chain_id FROM "{table}"', database)
            self.assertEqual(sorted((contact, number) for contact, number in stored), known)
        # Each entry of the outbox, and each row, names the transaction that has written it.
        several = "SELECT xmin FROM ({}) AS r GROUP BY xmin HAVING count(DISTINCT list) > 1"
        entries = "SELECT xmin::text, list_dbid AS list FROM ocsgw_outbox WHERE list_dbid > 0"
        self.assertEqual(query(several.format(entries), database), [])
        rows = " UNION ALL ".join(
            f"SELECT t.xmin::text, '{table}' AS list FROM \"{table}\" AS t" for table in _LISTS.values()
        )
        self.assertEqual(query(several.format(rows), database), [])
