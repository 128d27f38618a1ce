"""kill -9 at any moment under load: nothing acknowledged is lost, nothing is stored twice (R42).

`make test` runs a tenth of the rounds of `make soak`; the environment variable OCSGW_KILLS gives the number.
"""

import http.client
import json
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field

from twisted.trial.unittest import TestCase

from tests.integration.server import is_alive, make_server

KILLS = int(os.environ.get("OCSGW_KILLS", "50"))
_CLIENTS = 8


@dataclass
class Ledger:
    """What clients know: which requests were acknowledged, refused, or have an unknown outcome."""

    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)


class Client(threading.Thread):
    """Adds records without a pause; every second one has a key and is repeated until it is acknowledged."""

    def __init__(self, name: str, port: int, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.port = port
        self.stop = stop
        self.ledger = Ledger()
        self.unexpected: list[str] = []
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Send until told to stop."""
        number = 0
        while not self.stop.is_set():
            number += 1
            phone = f"{self.name}-{number}"
            if number % 2:
                self._once(phone, {})
            else:
                self._until_acknowledged(phone)

    def _once(self, phone: str, headers: dict[str, str]) -> bool:
        status = self._send(phone, headers)
        if status == 200:
            self.ledger.acknowledged.add(phone)
        elif status == 503:
            self.ledger.refused.add(phone)
        else:
            self.ledger.unknown.add(phone)
        return status == 200

    def _until_acknowledged(self, phone: str) -> None:
        headers = {"Idempotency-Key": f"key of {phone}"}
        while True:
            status = self._send(phone, headers)
            if status == 200:
                self.ledger.acknowledged.add(phone)
                self.ledger.retried.add(phone)
                return
            if self.stop.is_set():
                self.ledger.unknown.add(phone)
                return
            time.sleep(0.01)

    def _send(self, phone: str, headers: dict[str, str]) -> int | None:
        """Return the status, None if there was no whole answer."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                self._connection.connect()
        except OSError:
            # Not even connected: surely not executed.
            self._connection = None
            return 503
        try:
            self._connection.request("POST", "/lists/CL_Test?req=AddRecord", json.dumps({"GSW_PHONE": phone}), headers)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            return None
        if response.status not in (200, 409, 503, 504):
            self.unexpected.append(f"{response.status} {body!r}")
        if response.getheader("Connection") == "close":
            self._connection.close()
            self._connection = None
        return response.status


class KillTests(TestCase):
    """A server under load that is killed again and again."""

    timeout = 3600

    def test_nothing_acknowledged_is_lost(self) -> None:
        """R42: child, parent or both are killed at random moments; the ledger of the clients and the table agree."""
        randomness = random.Random(4711)
        server = make_server(self, reconnect="200ms").start()
        stop = threading.Event()
        clients = [Client(f"c{at}", server.port, stop) for at in range(_CLIENTS)]
        for client in clients:
            client.start()
        for _ in range(KILLS):
            time.sleep(randomness.uniform(0.02, 0.25))
            victim = randomness.choice(("child", "parent", "both"))
            child = server.child_pid
            if victim != "parent" and is_alive(child):
                os.kill(child, signal.SIGKILL)
            if victim != "child":
                server.kill_parent()
                server.start()
                # One second by R35; the rest is for a loaded machine.
                server.wait_until(lambda child=child: not is_alive(child), 2.0)
            server.wait_until(server.serves)
        server.wait_until(server.serves)
        time.sleep(0.5)
        stop.set()
        for client in clients:
            client.join(30)
            self.assertFalse(client.is_alive())
        self.assertEqual(server.stop(), 0)

        stored = [row[0] for row in server.rows("SELECT contact_info FROM CL_Test")]
        counts: dict[str, int] = {}
        for phone in stored:
            counts[phone] = counts.get(phone, 0) + 1
        acknowledged = set().union(*(client.ledger.acknowledged for client in clients))
        refused = set().union(*(client.ledger.refused for client in clients))
        unknown = set().union(*(client.ledger.unknown for client in clients))
        self.assertEqual([phone for phone in acknowledged if counts.get(phone) != 1], [])
        self.assertEqual([phone for phone in refused if phone in counts], [])
        self.assertEqual([phone for phone in counts if counts[phone] > 1], [])
        self.assertEqual(set(counts) - acknowledged - unknown, set())
        self.assertEqual([text for client in clients for text in client.unexpected], [])
        self.assertGreater(len(acknowledged), KILLS)
        retried = set().union(*(client.ledger.retried for client in clients))
        self.assertTrue(retried)
        numbers = server.rows("SELECT count(*), count(DISTINCT record_id), count(DISTINCT chain_id) FROM CL_Test")[0]
        self.assertEqual(len(set(numbers)), 1)
        self.assertNotIn("Traceback", server.log())
