"""A pair under load whose primary is killed, frozen or asked to hand over, again and again (R38, C80 to C85).

`make test` runs a tenth of the rounds of `make soak`, given by OCSGW_PAIR_KILLS, OCSGW_PAIR_FREEZES, OCSGW_SWITCHES.
"""

import os
import random
import re
import signal
import time
from datetime import datetime

from twisted.trial.unittest import TestCase

from tests.integration.pair import LEASE, MARGIN, Pair, PairServer
from tests.integration.pair_load import Load
from tests.support.rounds import note, rounds

KILLS = int(os.environ.get("OCSGW_PAIR_KILLS", "5"))
FREEZES = int(os.environ.get("OCSGW_PAIR_FREEZES", "5"))
SWITCHES = int(os.environ.get("OCSGW_SWITCHES", "10"))


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
        self.load = Load(self, self.pair)
        self.took: list[float] = []

    def finish(self) -> None:
        """Stop the clients; compare what they know with what is stored."""
        self.load.finish()
        rows = self.pair.servers[0].rows('SELECT contact_info FROM "CL_Test" ORDER BY record_id')
        self.load.compare([row[0] for row in rows])
        self.assertGreater(len(self.load.acknowledged), 10 * len(self.took))
        note(f"{len(self.load.acknowledged)} records; longest takeover {max(self.took):.1f} s of {LEASE + MARGIN:g} s")
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


class PostgreSQLSwitchTests(SwitchTests):
    """The same on PostgreSQL."""

    postgresql = True
    store = "PostgreSQL"
