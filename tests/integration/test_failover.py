"""Two PostgreSQL servers with synchronous replication: the primary dies under load and the standby is promoted.

`make test` runs few rounds, `make soak` more: the environment variable OCSGW_FAILOVERS gives the number.
"""

import os
import time

from tests.integration.database import DatabaseTestCase
from tests.support.patroni import Patroni
from tests.support.postgresql import PostgreSQL
from tests.support.rounds import rounds

ROUNDS = int(os.environ.get("OCSGW_FAILOVERS", "2"))
# From the promotion to the next acknowledgement; `make test` has to pass on a machine that does other things too.
_BACK = 2.0 if "OCSGW_FAILOVERS" in os.environ else 8.0


class FailoverTests(DatabaseTestCase):
    """The server goes on by itself, through an address with both hosts."""

    def test_promoted(self) -> None:
        """Nothing acknowledged is lost, nothing is stored twice, service is back as soon as the database is."""
        primary, standby = (PostgreSQL(durable=True) for _ in range(2))
        for each in (primary, standby):
            self.addCleanup(each.remove)
        primary.start().make_database("ocsgw")
        standby.follow(primary).start()
        primary.wait_for_standby()
        server = self.serve_on(primary.port, standby.port)
        stop, clients = self.load(server)
        late = []
        for at in rounds(ROUNDS, "promotions of the standby database"):
            time.sleep(0.5)
            primary.kill()
            standby.promote()
            took = self.wait_for_service(server)
            if took > _BACK:
                late.append(f"round {at}: {took:.2f} s")
            primary, standby = standby, primary
            standby.follow(primary).start()
            primary.wait_for_standby()
        self.assertEqual(late, [])
        self.settle(primary, server, stop, clients)

    def test_patroni(self) -> None:
        """With etc/patroni/patroni.yml the standby is promoted without anybody, and the old primary follows it."""
        cluster = Patroni()
        self.addCleanup(cluster.remove)
        cluster.start().make_database()
        server = self.serve_on(*cluster.ports.values(), password=cluster.password)
        stop, clients = self.load(server)
        time.sleep(0.5)
        primary, standby = cluster.wait_for_standby()
        cluster.kill(primary)
        server.wait_until(lambda: cluster.takes_writes(standby), patience=120)
        self.assertLess(self.wait_for_service(server), _BACK)
        cluster.start_one(primary)
        self.assertEqual(cluster.wait_for_standby(), (standby, primary))
        self.finish(server, stop, clients)
        self.compare(cluster.query(standby, 'SELECT contact_info FROM "CL_Test"').splitlines(), clients)
