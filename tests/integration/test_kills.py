"""Processes that end at any moment under load: nothing acknowledged is lost, nothing is stored twice (R42).

`make test` runs a tenth of the rounds of `make soak`; the environment variable OCSGW_KILLS gives the number.
"""

import http.client
import json
import os
import random
import re
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from twisted.trial.unittest import TestCase

from tests.integration.server import Server, is_alive, make_server
from tests.support.rounds import rounds

KILLS = int(os.environ.get("OCSGW_KILLS", "20"))
_CLIENTS = 8
_RECONNECT = 0.3
# From the end of a child to the first answer of the next one, beside the Reconnect Timeout; `make test` has to pass on
# a machine that does other things too.
_START = 0.5 if "OCSGW_KILLS" in os.environ else 3.0
# Within which an end of OCS ends its child (R35), and a drained child or OCS its work; with the same allowance.
_ORPHAN = 1.0 if "OCSGW_KILLS" in os.environ else 3.0
_GRACE = 10.0

Victim = Literal["child", "parent", "both"]
Way = Literal["KILL", "TERM", "STOP then KILL"]
# Each pair comes equally often.
_CASES: list[tuple[Victim, Way]] = [
    (victim, way) for victim in ("child", "parent", "both") for way in ("KILL", "TERM", "STOP then KILL")
]


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
        # How many answers were 503, those to requests that were sent again included.
        self.refusals = 0
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
            time.sleep(0.01)
        else:
            self.ledger.unknown.add(phone)
        return status == 200

    def _until_acknowledged(self, phone: str) -> None:
        headers = {"Idempotency-Key": f"key of {phone}"}
        doubtful = False
        while True:
            status = self._send(phone, headers)
            if status == 200:
                self.ledger.acknowledged.add(phone)
                self.ledger.retried.add(phone)
                return
            doubtful |= status != 503
            if self.stop.is_set():
                (self.ledger.unknown if doubtful else self.ledger.refused).add(phone)
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
        self.refusals += response.status == 503
        if response.status not in (200, 409, 503, 504):
            self.unexpected.append(f"{response.status} {body!r}")
        if response.getheader("Connection") == "close":
            self._connection.close()
            self._connection = None
        return response.status


class KillTests(TestCase):
    """A server under load whose processes are ended again and again."""

    timeout = 3600

    def test_nothing_acknowledged_is_lost(self) -> None:
        """R42, R25, R35: whoever ends however: the ledger of the clients and the table agree, and the port is back."""
        randomness = random.Random(4711)
        server = make_server(self, reconnect=f"{_RECONNECT * 1000:g}ms").start()
        stop = threading.Event()
        clients = [Client(f"c{at}", server.port, stop) for at in range(_CLIENTS)]
        for client in clients:
            client.start()
        late: list[str] = []
        for at in rounds(KILLS, "ends of a process"):
            time.sleep(randomness.uniform(0.02, 0.25))
            victim, way = _CASES[at % len(_CASES)]
            child = server.child_pid
            ended = self.end(server, victim, way, randomness.uniform(0, 0.3))
            if victim == "child":
                server.wait_until(lambda child=child: server.child_pid != child)
            else:
                server.start()
            server.wait_until(lambda: self.is_answered(server))
            took = time.monotonic() - ended
            if victim == "child" and took > _RECONNECT + _START:
                late.append(f"round {at}, {way}: {took:.2f} s")
        self.assertEqual(late, [])
        time.sleep(0.5)
        stop.set()
        for client in clients:
            client.join(30)
            self.assertFalse(client.is_alive())
        self.assertEqual(server.stop(), 0)
        self.assertEqual([pid for pid in started_by(server) if is_alive(pid)], [])
        self.compare(server, [client.ledger for client in clients], 2 * KILLS)
        self.assertEqual([text for client in clients for text in client.unexpected], [])
        self.assertTrue(set().union(*(client.ledger.retried for client in clients)))
        self.assertNotIn("Traceback", server.log())

    def end(self, server: Server, victim: Victim, way: Way, pause: float) -> float:
        """End one process or both; return when the child was gone, by the monotonic clock."""
        child = server.child_pid
        victims = [child] if victim == "child" else [server.pid] if victim == "parent" else [server.pid, child]
        if way == "STOP then KILL":
            for pid in victims:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(pause)
        number = signal.SIGTERM if way == "TERM" else signal.SIGKILL
        for pid in victims:
            os.kill(pid, number)
        told = time.monotonic()
        if victim != "child":
            self.assertEqual(server.wait(), 0 if way == "TERM" else -signal.SIGKILL)
        while is_alive(child):
            self.assertLess(time.monotonic() - told, _GRACE if way == "TERM" else _ORPHAN, "an orphan is left")
            time.sleep(0.001)
        return time.monotonic()

    def is_answered(self, server: Server) -> bool:
        """Whether a new connection gets an answer."""
        try:
            return server.post("/nowhere").status == 404
        except (OSError, http.client.HTTPException):
            return False

    def test_stop_under_load(self) -> None:
        """C74, R42: a stop answers everything that was accepted: what is stored was acknowledged; the status is 0."""
        server = make_server(self).start()
        stop = threading.Event()
        clients = [Client(f"s{at}", server.port, stop) for at in range(_CLIENTS)]
        for client in clients:
            client.start()
        server.wait_until(lambda: all(client.ledger.acknowledged for client in clients))
        # From here on nobody asks again: whatever is left unanswered stays so.
        stop.set()
        os.kill(server.pid, signal.SIGTERM)
        told = time.monotonic()
        self.assertEqual(server.wait(), 0)
        self.assertLess(time.monotonic() - told, _GRACE)
        for client in clients:
            client.join(30)
        acknowledged = set().union(*(client.ledger.acknowledged for client in clients))
        self.assertEqual({phone for (phone,) in server.rows("SELECT contact_info FROM CL_Test")}, acknowledged)
        self.compare(server, [client.ledger for client in clients], _CLIENTS - 1)

    def compare(self, server: Server, ledgers: list[Ledger], least: int) -> None:
        """Compare what clients know with what is stored."""
        counts: dict[str, int] = {}
        for (phone,) in server.rows("SELECT contact_info FROM CL_Test"):
            counts[phone] = counts.get(phone, 0) + 1
        acknowledged = set().union(*(ledger.acknowledged for ledger in ledgers))
        refused = set().union(*(ledger.refused for ledger in ledgers))
        unknown = set().union(*(ledger.unknown for ledger in ledgers))
        self.assertEqual([phone for phone in acknowledged if counts.get(phone) != 1], [])
        self.assertEqual([phone for phone in refused if phone in counts], [])
        self.assertEqual([phone for phone in counts if counts[phone] > 1], [])
        self.assertEqual(set(counts) - acknowledged - unknown, set())
        self.assertGreater(len(acknowledged), least)
        numbers = server.rows("SELECT count(*), count(DISTINCT record_id), count(DISTINCT chain_id) FROM CL_Test")[0]
        self.assertEqual(len(set(numbers)), 1)


def started_by(server: Server) -> list[int]:
    """Return the process ids of all children that were ever started."""
    return [int(pid) for pid in re.findall(r"93001 .* process id (\d+)", server.log())]
