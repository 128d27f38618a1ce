"""The server on PostgreSQL, which is restarted, killed, frozen, out of connections and of space under load.

`make test` runs a few rounds, `make soak` more: the environment variable OCSGW_DATABASE_ROUNDS gives the number,
OCSGW_DATABASE_FREEZES how often and OCSGW_DATABASE_FREEZE for how many seconds the database is frozen.
"""

import contextlib
import os
import time

import psycopg

from tests.integration.database import DatabaseTestCase
from tests.integration.server import Server
from tests.support.postgresql import PgBouncer, PostgreSQL, Relay
from tests.support.rounds import rounds

_SOAK = "OCSGW_DATABASE_ROUNDS" in os.environ
ROUNDS = int(os.environ.get("OCSGW_DATABASE_ROUNDS", "4"))
# Of what takes its time to bring about.
FEW = ROUNDS if _SOAK else 1
FREEZES = int(os.environ.get("OCSGW_DATABASE_FREEZES", "1"))
FREEZE = float(os.environ.get("OCSGW_DATABASE_FREEZE", "3"))
# From the moment when the database takes connections to the next acknowledgement; `make test` has to pass on a machine
# that does other things too.
_BACK = 2.0 if _SOAK else 8.0


class DatabaseTests(DatabaseTestCase):
    """A server under load whose database goes away again and again."""

    def serve(self, *, by: str = "") -> tuple[PostgreSQL, Relay, Server]:
        """Start a durable database, a way to it that can be held up, and a server on it."""
        database = PostgreSQL(durable=True)
        self.addCleanup(database.remove)
        database.start()
        database.make_database("ocsgw")
        port = database.port
        if by == "pgbouncer":
            pooler = PgBouncer(database)
            self.addCleanup(pooler.remove)
            port = pooler.start().port
        relay = Relay(port)
        self.addCleanup(relay.remove)
        return database, relay, self.serve_on(relay.port)

    def test_restarts_and_kills(self) -> None:
        """The database restarts or crashes; 0 lost, 0 twice, service is back at once."""
        database, _, server = self.serve()
        stop, clients = self.load(server)
        late = []
        for at in rounds(ROUNDS, "restarts and crashes of the database"):
            time.sleep(0.5)
            (database.kill if at % 2 else database.stop)()
            time.sleep(0.2)
            database.start()
            took = self.wait_for_service(server)
            if took > _BACK:
                late.append(f"round {at}: {took:.2f} s")
        self.settle(database, server, stop, clients)
        self.assertEqual(late, [])

    def test_frozen(self) -> None:
        """A database that stands still for a while: what waits is answered, nothing is lost or stored twice."""
        database, relay, server = self.serve()
        stop, clients = self.load(server)
        for _ in rounds(FREEZES, f"freezes of the database for {FREEZE:g} s"):
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
        for _ in rounds(ROUNDS * 3, "cuts of the connections to the database"):
            time.sleep(0.15)
            relay.cut()
            self.wait_for_service(server)
        self.settle(database, server, stop, clients)

    def test_out_of_connections(self) -> None:
        """A database without a free connection refuses ours; service goes on when there is one again."""
        database, relay, server = self.serve()
        stop, clients = self.load(server)
        for at in rounds(FEW, "times without a free connection to the database"):
            database.query("ALTER DATABASE ocsgw CONNECTION LIMIT 0")
            # The limit does not concern superusers, as the user of these tests is one: it is made an ordinary one.
            database.query("ALTER ROLE ocsgw NOSUPERUSER")
            relay.cut()
            time.sleep(1.0)
            self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": f"refused {at}"}).status, 503)
            with psycopg.connect(f"host={database.socket} port={database.port} user=operator dbname=postgres") as other:
                other.execute("ALTER DATABASE ocsgw CONNECTION LIMIT -1")
                other.execute("ALTER ROLE ocsgw SUPERUSER")
            self.assertLess(self.wait_for_service(server), _BACK)
        self.settle(database, server, stop, clients)

    def test_out_of_space(self) -> None:
        """A database whose tables find no more space: 503, surely not executed; service goes on when there is space."""
        database = PostgreSQL(durable=True)
        self.addCleanup(database.remove)
        database.start().make_database("ocsgw")
        filler = database.move_to_small_disk("ocsgw", 24 + 4 * FEW) / "filler"
        server = self.serve_on(database.port)
        stop, clients = self.load(server)
        self.wait_for_service(server)
        for _ in rounds(FEW, "times without space for the database"):
            refusals = sum(client.refusals for client in clients)
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
            # Pages that have room are filled up first.
            server.wait_until(lambda before=refusals: sum(client.refusals for client in clients) > before)
            self.assertIn(" 93033 The store failed: ", server.log())
            filler.unlink()
            self.assertLess(self.wait_for_service(server), _BACK)
        self.settle(database, server, stop, clients)
