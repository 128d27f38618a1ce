"""A pair under load whose primary is killed, frozen or asked to hand over, again and again (R38, C80 to C85).

`make test` runs a tenth of the rounds of `make soak`, given by OCSGW_PAIR_KILLS, OCSGW_PAIR_FREEZES, OCSGW_SWITCHES.
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
from datetime import datetime

from twisted.trial.unittest import TestCase

from tests.integration.pair import LEASE, MARGIN, Pair, PairServer
from tests.integration.server import PATIENCE
from tests.support.rounds import rounds

KILLS = int(os.environ.get("OCSGW_PAIR_KILLS", "5"))
FREEZES = int(os.environ.get("OCSGW_PAIR_FREEZES", "5"))
SWITCHES = int(os.environ.get("OCSGW_SWITCHES", "10"))
_CLIENTS = 6


@dataclass
class Ledger:
    """What a client knows of its records."""

    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    # Answers, each with the server that gave it and the times between which it was carried out.
    answers: list[tuple[str, float, float]] = field(default_factory=list)


class Client(threading.Thread):
    """Adds records at whatever server serves; each with a key, and again until it is acknowledged."""

    def __init__(self, name: str, pair: Pair, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.pair = pair
        self.stop = stop
        self.ledger = Ledger()
        self._at = 0
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Send until told to stop."""
        number = 0
        while not self.stop.is_set():
            number += 1
            phone = f"{self.name}-{number}"
            if self._until_acknowledged(phone):
                self.ledger.acknowledged.append(phone)

    def _until_acknowledged(self, phone: str) -> bool:
        while True:
            server = self.pair.servers[self._at]
            began = time.monotonic()
            status = self._send(server, phone)
            if status == 200:
                self.ledger.answers.append((server.name, began, time.monotonic()))
                return True
            if status not in (None, 409, 503, 504):
                self.ledger.unexpected.append(f"{status} for {phone} of {server.name}")
            if self.stop.is_set():
                return False
            if status != 409:
                self._close()
                self._at = 1 - self._at
            time.sleep(0.02)

    def _send(self, server: PairServer, phone: str) -> int | None:
        """Return the status, None if there was no whole answer."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=3)
            headers = {"Idempotency-Key": f"key of {phone}"}
            self._connection.request("POST", "/lists/CL_Test?req=AddRecord", json.dumps({"GSW_PHONE": phone}), headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._close()
            return None
        if response.getheader("Connection") == "close":
            self._close()
        return response.status

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Ports(threading.Thread):
    """Looks all the time whether both ports are open."""

    def __init__(self, pair: Pair, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.pair = pair
        self.stop = stop
        # For how many seconds both have been open at most.
        self.both = 0.0

    def run(self) -> None:
        """Look until told to stop."""
        since: float | None = None
        while not self.stop.is_set():
            first, second = self.pair.servers
            # The first one again: between two looks the roles may have been exchanged.
            if first.serves() and second.serves() and first.serves():
                since = since or time.monotonic()
                self.both = max(self.both, time.monotonic() - since)
            else:
                since = None
            time.sleep(0.01)


def last(server: PairServer, number: int) -> float:
    """Return when a server has last logged a message, in seconds since 1970."""
    times = re.findall(rf"^(\S+)Z \S+ +{number} ", server.log(), re.MULTILINE)
    return datetime.fromisoformat(f"{times[-1]}+00:00").timestamp()


class SwitchTests(TestCase):
    """Whatever happens to the primary under load: the ledgers of the clients and the table agree."""

    timeout = 7200
    postgresql = False
    store = "SQLite"

    def setUp(self) -> None:
        self.randomness = random.Random(4711)
        self.pair = Pair(self, postgresql=self.postgresql).start()
        self.stop = threading.Event()
        self.addCleanup(self.stop.set)
        self.clients = [Client(f"c{at}", self.pair, self.stop) for at in range(_CLIENTS)]
        self.ports = Ports(self.pair, self.stop)
        for each in (*self.clients, self.ports):
            each.start()
        self.took: list[float] = []

    def finish(self) -> None:
        """Stop the clients; compare what they know with what is stored."""
        self.stop.set()
        for each in (*self.clients, self.ports):
            each.join(PATIENCE)
        stored = [row[0] for row in self.pair.servers[0].rows('SELECT contact_info FROM "CL_Test"')]
        acknowledged = [phone for each in self.clients for phone in each.ledger.acknowledged]
        self.assertEqual([each for client in self.clients for each in client.ledger.unexpected], [])
        self.assertEqual(len(stored), len(set(stored)), "stored twice")
        self.assertEqual(sorted(set(acknowledged) - set(stored)), [], "acknowledged and lost")
        # What is stored and was not acknowledged is at most the last request of each client.
        self.assertLessEqual(len(set(stored) - set(acknowledged)), _CLIENTS)
        self.assertGreater(len(acknowledged), 10 * len(self.took))
        self.assertEqual([each for each in self.took if each > LEASE + MARGIN], [])

    def primary(self) -> PairServer:
        """Return the primary, while the other one stands by."""
        found = self.pair.wait_for_primary()
        other = self.pair.other(found)
        other.wait_until(lambda: other.ask("/readyz?role=backup") == 200)
        time.sleep(self.randomness.uniform(0.05, 0.5))
        self.before = {each.name: each.log().count(" 93011 ") for each in self.pair.servers}
        return found

    def takeover(self, victim: PairServer, since: float) -> None:
        """Wait until the other server is primary, which is what the limit is for, and then until it serves."""
        other = self.pair.other(victim)
        other.wait_until(lambda: other.log().count(" 93011 ") > self.before[other.name])
        self.took.append(time.monotonic() - since)
        self.pair.wait_for_primary(victim)

    def test_kills(self) -> None:
        """C84, R37: the primary is killed; its partner serves within `lease_time` + 2 s."""
        for _ in rounds(KILLS, f"kills of a primary on {self.store}"):
            victim = self.primary()
            victim.kill_parent()
            killed = time.monotonic()
            self.takeover(victim, killed)
            victim.start()
        self.finish()
        self.assertEqual(self.ports.both, 0.0)

    def test_freezes(self) -> None:
        """C82, C83, R38: a primary that stands still wakes as backup, or was ended in the middle of a transaction."""
        for _ in rounds(FREEZES, f"freezes of a primary on {self.store}"):
            victim = self.primary()
            os.kill(victim.pid, signal.SIGSTOP)
            frozen = time.monotonic()
            try:
                self.takeover(victim, frozen)
                self.assertFalse(victim.serves())
            finally:
                if victim.runs:
                    os.kill(victim.pid, signal.SIGCONT)
            time.sleep(0.3)
            if not victim.runs:
                # Only a file is locked by a process that stands still; the database ends its transaction itself.
                self.assertFalse(self.postgresql)
                self.assertEqual(victim.wait(), -signal.SIGKILL)
                victim.start()
            victim.wait_until(lambda victim=victim: victim.ask("/readyz?role=backup") == 200)
        self.finish()
        self.assertEqual(self.ports.both, 0.0)

    def test_switches(self) -> None:
        """C84: the roles are exchanged as asked; nothing fails that is asked again of the new primary."""
        for _ in rounds(SWITCHES, f"switch-overs on {self.store}"):
            old = self.primary()
            done = old.control("switchover")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.pair.wait_for_primary(old)
            # How long the start of ocsctl takes is not a matter of the servers.
            self.took.append(last(self.pair.other(old), 93011) - last(old, 93221))
        self.finish()
        self.assertEqual(self.ports.both, 0.0)


class PostgreSQLSwitchTests(SwitchTests):
    """The same on PostgreSQL."""

    postgresql = True
    store = "PostgreSQL"
