"""Clients of a pair under load, and whether what they know and what is stored agree afterwards (R38, C80 to C85)."""

import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.pair import Pair, PairServer
from tests.integration.server import PATIENCE

_CLIENTS = 6


@dataclass
class Ledger:
    """What a client knows of its records."""

    acknowledged: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    # Which server has carried out what was acknowledged at the first try.
    servers: dict[str, str] = field(default_factory=dict)


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
        tries = 0
        while True:
            tries += 1
            server = self.pair.servers[self._at]
            status = self._send(server, phone)
            if status == 200:
                if tries == 1:
                    self.ledger.servers[phone] = server.name
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


class Load:
    """Clients of a pair, and a look at its ports all the time. It has begun when it is made."""

    def __init__(self, test: SynchronousTestCase, pair: Pair) -> None:
        self._test = test
        self._pair = pair
        self._stop = threading.Event()
        test.addCleanup(self._stop.set)
        self.clients = [Client(f"c{at}", pair, self._stop) for at in range(_CLIENTS)]
        self._ports = Ports(pair, self._stop)
        for each in (*self.clients, self._ports):
            each.start()

    @property
    def acknowledged(self) -> list[str]:
        """The contacts that were acknowledged so far."""
        return [phone for each in self.clients for phone in each.ledger.acknowledged]

    def finish(self) -> None:
        """Stop the clients. Whatever happened, both ports were never open, and no answer was unexpected."""
        self._stop.set()
        for each in (*self.clients, self._ports):
            each.join(PATIENCE)
        self._test.assertEqual([each for client in self.clients for each in client.ledger.unexpected], [])
        self._test.assertEqual(self._ports.both, 0.0, "both ports were open")

    def compare(self, stored: Sequence[str]) -> None:
        """Compare what clients know with the contacts that are stored, in the order of their records."""
        test, acknowledged = self._test, self.acknowledged
        test.assertEqual(len(stored), len(set(stored)), "stored twice")
        test.assertEqual(sorted(set(acknowledged) - set(stored)), [], "acknowledged and lost")
        # What is stored and was not acknowledged is at most the last request of each client.
        test.assertLessEqual(len(set(stored) - set(acknowledged)), _CLIENTS)
        # Servers that have acknowledged at once would have given numbers by turns.
        servers = {phone: name for each in self.clients for phone, name in each.ledger.servers.items()}
        turns = [name for name, _ in groupby(servers[phone] for phone in stored if phone in servers)]
        takeovers = sum(each.log().count(" 93011 ") for each in self._pair.servers)
        test.assertLessEqual(len(turns), takeovers, "two servers have acknowledged at once")
