"""The server on PostgreSQL, which is restarted, killed, frozen and out of connections under load.

`make test` runs a few rounds, `make soak` more: the environment variable OCSGW_DATABASE_ROUNDS gives the number, and
OCSGW_DATABASE_FREEZE how many seconds the database is frozen.
"""

import os
import threading
import time
from collections import Counter

import psycopg
from twisted.trial.unittest import TestCase

from tests.integration.server import Server, make_server
from tests.integration.test_kills import Client
from tests.support.postgresql import PASSWORD, PgBouncer, PostgreSQL, Relay

_SOAK = "OCSGW_DATABASE_ROUNDS" in os.environ
ROUNDS = int(os.environ.get("OCSGW_DATABASE_ROUNDS", "4"))
FREEZE = float(os.environ.get("OCSGW_DATABASE_FREEZE", "3"))
_CLIENTS = 8
_ENOUGH = 100
# From the moment when the database takes connections to the next acknowledgement; `make test` has to pass on a machine
# that does other things too.
_BACK = 2.0 if _SOAK else 8.0


class DatabaseTests(TestCase):
    """A server under load whose database goes away again and again."""

    timeout = 3600

    def serve(self, *, by: str = "") -> tuple[PostgreSQL, Relay, Server]:
        """Start a durable database, a way to it that can be held up, and a server on it."""
        database = PostgreSQL(durable=True)
        self.addCleanup(database.remove)
        database.start()
        url = database.make_database("ocsgw")
        port = database.port
        if by == "pgbouncer":
            pooler = PgBouncer(database)
            self.addCleanup(pooler.remove)
            port = pooler.start().port
        relay = Relay(port)
        self.addCleanup(relay.remove)
        server = make_server(self)
        password = server.folder / "password"
        password.write_text(f"{PASSWORD}\n", encoding="ascii")
        password.chmod(0o600)
        address = url.replace(f":{database.port}/", f":{relay.port}/")
        server.configure(store=f'url = "{address}"\npassword_file = "password"\nconnect_timeout = "2s"')
        return database, relay, server.start()

    def load(self, server: Server) -> tuple[threading.Event, list[Client]]:
        """Let clients add records without a pause."""
        stop = threading.Event()
        clients = [Client(f"c{at}", server.port, stop) for at in range(_CLIENTS)]
        self.addCleanup(stop.set)
        for client in clients:
            client.start()
        return stop, clients

    def wait_for_service(self, server: Server) -> float:
        """Return after how many seconds a record is acknowledged."""
        begun = time.monotonic()
        number = 0

        def is_added() -> bool:
            nonlocal number
            number += 1
            return server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": f"p{begun}-{number}"}).status == 200

        server.wait_until(is_added)
        return time.monotonic() - begun

    def settle(self, database: PostgreSQL, server: Server, stop: threading.Event, clients: list[Client]) -> None:
        """Compare what clients know with the table: nothing lost, nothing twice."""
        # So many that the comparison says something, however busy the machine is.
        server.wait_until(lambda: sum(len(client.ledger.acknowledged) for client in clients) > _ENOUGH)
        stop.set()
        for client in clients:
            client.join(60)
        self.assertEqual([client.unexpected for client in clients if client.unexpected], [])
        stored = Counter(row[0] for row in database.query('SELECT contact_info FROM "CL_Test"', "ocsgw"))
        acknowledged = {phone for client in clients for phone in client.ledger.acknowledged}
        refused = {phone for client in clients for phone in client.ledger.refused}
        self.assertEqual(sorted(acknowledged - stored.keys()), [])
        self.assertEqual([phone for phone, count in stored.items() if count > 1], [])
        # 503 means surely not executed.
        retried = {phone for client in clients for phone in client.ledger.retried}
        self.assertEqual(sorted((refused - retried) & stored.keys()), [])

    def test_restarts_and_kills(self) -> None:
        """The database restarts or crashes; 0 lost, 0 twice, service is back at once."""
        database, _, server = self.serve()
        stop, clients = self.load(server)
        late = []
        for at in range(ROUNDS):
            time.sleep(0.5)
            (database.kill if at % 2 else database.stop)()
            time.sleep(0.2)
            database.start()
            took = self.wait_for_service(server)
            if took > _BACK:
                late.append(f"round {at}: {took:.2f} s")
        self.assertEqual(late, [])
        self.settle(database, server, stop, clients)

    def test_frozen(self) -> None:
        """A database that stands still for a while: what waits is answered, nothing is lost or stored twice."""
        database, relay, server = self.serve()
        stop, clients = self.load(server)
        time.sleep(0.5)
        relay.hold()
        time.sleep(FREEZE)
        relay.let_go()
        self.assertLess(self.wait_for_service(server), _BACK)
        self.settle(database, server, stop, clients)

    def test_cut(self) -> None:
        """Connections that end at any moment, by way of a pooler in transaction mode."""
        database, relay, server = self.serve(by="pgbouncer")
        stop, clients = self.load(server)
        for _ in range(ROUNDS * 3):
            time.sleep(0.15)
            relay.cut()
            self.wait_for_service(server)
        self.settle(database, server, stop, clients)

    def test_out_of_connections(self) -> None:
        """A database without a free connection refuses ours; service goes on when there is one again."""
        database, relay, server = self.serve()
        stop, clients = self.load(server)
        database.query("ALTER DATABASE ocsgw CONNECTION LIMIT 0")
        # The limit does not concern superusers, as the user of these tests is one: it is made an ordinary one.
        database.query("CREATE ROLE operator SUPERUSER LOGIN; ALTER ROLE ocsgw NOSUPERUSER")
        relay.cut()
        time.sleep(1.0)
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 503)
        with psycopg.connect(f"host={database.socket} port={database.port} user=operator dbname=postgres") as other:
            other.execute("ALTER DATABASE ocsgw CONNECTION LIMIT -1")
            other.execute("ALTER ROLE ocsgw SUPERUSER")
        self.assertLess(self.wait_for_service(server), _BACK)
        self.settle(database, server, stop, clients)
