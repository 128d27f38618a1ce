"""A server on a database under load, and whether both sides agree afterwards."""

import threading
import time
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.integration.server import Server, make_server
from tests.integration.test_kills import Client
from tests.support.postgresql import PASSWORD, USER, PostgreSQL
from tests.support.rounds import note

_CLIENTS = 8
_ENOUGH = 100
# Resident memory of OCS and HTTP Proxy together, in MiB, whatever the database does.
_MOST_MEMORY = 200.0


class DatabaseTestCase(TestCase):
    """Clients that add records without a pause, while the database goes away again and again."""

    timeout = 3600

    def serve_on(self, *ports: int, password: str = PASSWORD) -> Server:
        """Start a server on a database at one of these ports of 127.0.0.1."""
        server = make_server(self)
        secret = server.folder / "password"
        secret.write_text(f"{password}\n", encoding="ascii")
        secret.chmod(0o600)
        server.configure(store=f'url = "{address_of(*ports)}"\npassword_file = "password"\nconnect_timeout = "2s"')
        return server.start()

    def load(self, server: Server) -> tuple[threading.Event, list[Client]]:
        """Let clients add records without a pause."""
        # How long service took to come back, each time.
        self.took: list[float] = []
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
        took = time.monotonic() - begun
        self.took.append(took)
        return took

    def settle(self, database: PostgreSQL, server: Server, stop: threading.Event, clients: list[Client]) -> None:
        """Stop; compare what clients know with the table."""
        self.finish(server, stop, clients)
        self.compare([row[0] for row in database.query('SELECT contact_info FROM "CL_Test"', "ocsgw")], clients)

    def finish(self, server: Server, stop: threading.Event, clients: list[Client]) -> None:
        """Stop the clients, once they have had so many answers that a comparison says something."""
        server.wait_until(lambda: sum(len(client.ledger.acknowledged) for client in clients) > _ENOUGH)
        stop.set()
        for client in clients:
            client.join(60)
        self.assertLess(peak_of(server.pid) + peak_of(server.child_pid), _MOST_MEMORY)
        self.assertEqual([client.unexpected for client in clients if client.unexpected], [])
        acknowledged = sum(len(client.ledger.acknowledged) for client in clients)
        note(f"{acknowledged} records; service was back within {max(self.took):.1f} s")

    def compare(self, contacts: list[str], clients: list[Client]) -> None:
        """Compare what clients know with what is stored: nothing lost, nothing twice."""
        stored = Counter(contacts)
        acknowledged = {phone for client in clients for phone in client.ledger.acknowledged}
        refused = {phone for client in clients for phone in client.ledger.refused}
        self.assertEqual(sorted(acknowledged - stored.keys()), [])
        self.assertEqual([phone for phone, count in stored.items() if count > 1], [])
        # 503 means surely not executed.
        retried = {phone for client in clients for phone in client.ledger.retried}
        self.assertEqual(sorted((refused - retried) & stored.keys()), [])


def address_of(*ports: int) -> str:
    """Return the address of a database that takes writes at one of these ports of 127.0.0.1."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://{USER}@{hosts}/ocsgw?target_session_attrs=read-write"


def peak_of(pid: int) -> float:
    """Return the most memory that a process has had resident, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} is gone")
