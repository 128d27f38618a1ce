"""Processes that end at any moment while the receiver comes and goes: no notification is lost (outgoing.md O52 to O54).

`make test` runs a tenth of the rounds of `make soak`; the environment variable OCSGW_NOTIFICATION_KILLS gives the
number. The ledger is the receiver's.
"""

import base64
import http.client
import json
import os
import random
import signal
import threading
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.receiver import Sent, receive
from tests.integration.server import PATIENCE, Server, make_server
from tests.support.rounds import rounds

# A notification that was refused often is repeated after a minute (O52), and the next one of its hand-out waits for it.
LAST_REPEATS = 2 * 60.0 + PATIENCE
KILLS = int(os.environ.get("OCSGW_NOTIFICATION_KILLS", "4"))
MORE = """
[notifications]
send_history = true
history_uri = "{uri}/history"
contact_processed_notification = true
contact_processed_notification_uri = "{uri}/processed"
signing_key_file = "key"
"""

# What names a notification for its receiver (O53, O62).
Name = tuple[Any, ...]


class Agent(threading.Thread):
    """Has records added, handed out and processed, as many as it may; knows what was acknowledged."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.stop = threading.Event()
        # It makes more than a receiver takes that is away most of the time.
        self.may_end = 0
        self.handed_out: list[str] = []
        # GUID and chain of each record whose end was acknowledged.
        self.ended: list[tuple[str, int]] = []

    def run(self) -> None:
        """Work until told to stop."""
        number = 0
        while not self.stop.is_set():
            if len(self.ended) >= self.may_end:
                self.stop.wait(0.01)
                continue
            number += 1
            self._send("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": str(number)})
            event = self._send("/campaigngroups/102?req=PreviewRecordRequest", {})
            if event is None or event["GSW_USER_EVENT"] != "PreviewRecord":
                continue
            self.handed_out.append(event["GSW_CALL_ATTEMPT_GUID"])
            target = f"/records/{event['GSW_RECORD_HANDLE']}?req=RecordProcessed"
            if self._send(target, {"GSW_CALL_RESULT": 33}) is not None:
                self.ended.append((event["GSW_CALL_ATTEMPT_GUID"], event["GSW_CHAIN_ID"]))

    def _send(self, target: str, members: dict[str, Any]) -> dict[str, Any] | None:
        """Send a request; None if it was not acknowledged."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("POST", target, json.dumps(members))
            answer = connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.stop.wait(0.02)
            return None
        else:
            return found if answer.status == 200 else None
        finally:
            connection.close()


class Book:
    """What the receiver has seen and taken, in order; it takes nothing while it is away, and then some at random."""

    def __init__(self, chance: random.Random) -> None:
        self.seen: list[tuple[Name, str, bytes, bool]] = []
        self.share = 0.0
        self._chance = chance
        self._lock = threading.Lock()

    def answer(self, sent: Sent) -> tuple[int, bytes]:
        """Note a call, and take it or not."""
        with self._lock:
            takes = self._chance.random() < self.share
            self.seen.append((name_of(sent), sent.headers["Webhook-Id"], sent.raw, takes))
        return (200 if takes else 503), b""

    def taken(self) -> set[Name]:
        """Return the names of what was taken."""
        with self._lock:
            return {name for name, _, _, takes in self.seen if takes}


def name_of(sent: Sent) -> Name:
    """Return what names a notification."""
    body = sent.body
    if sent.path == "/history":
        return "history", body["GSW_CALL_ATTEMPT_GUID"], body["GSW_HIST_SEQUENCE_NUM"]
    keys = ("GSW_CALLING_LIST", "GSW_CHAIN_ID", "GSW_ATTEMPTS", "GSW_COMPLETE_PROCESSING")
    return ("processed", *(body[key] for key in keys))


class NotificationKillTests(TestCase):
    """Kills of parent and child."""

    def test_kills(self) -> None:
        """O52, O53, O54, O62: all that was acknowledged is taken in the end, 0 before 1; repeats have the same id."""
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        book = Book(chance)
        ledger = receive(self)
        ledger.answer = book.answer
        server = make_server(self, more=MORE.replace("{uri}", ledger.uri("")))
        (server.folder / "key").write_text(f"whsec_{base64.b64encode(b'k' * 24).decode()}")
        (server.folder / "key").chmod(0o600)
        server.start()
        agent = Agent(server.port)
        agent.start()
        try:
            for round_ in rounds(KILLS, "kills while notifications are sent"):
                # Away, partly there, there.
                book.share = (0.0, 0.5, 1.0)[round_ % 3]
                self.pass_on(server, agent, book)
                self.kill(server, ("parent", "child")[round_ % 2])
        finally:
            agent.stop.set()
            agent.join(PATIENCE)
        book.share = 1.0
        wanted: set[Name] = {("history", guid, 0) for guid in agent.handed_out}
        wanted |= {("history", guid, 1) for guid, _ in agent.ended}
        self.assertGreater(len(agent.ended), KILLS)
        chains = {chain for _, chain in agent.ended}

        def missing() -> set[Name]:
            taken = book.taken()
            chained = {name[2] for name in taken if name[0] == "processed"}
            return (wanted - taken) | {("processed", chain) for chain in chains - chained}

        try:
            server.wait_until(lambda: not missing(), LAST_REPEATS)
        except AssertionError as error:
            raise AssertionError(f"not taken, seed {seed}: {sorted(missing())}") from error
        self.check(book, seed)
        server.stop()

    def pass_on(self, server: Server, agent: Agent, book: Book) -> None:
        """Let some records be processed, and something be sent, whatever becomes of it."""
        ended, seen = len(agent.ended), len(book.seen)
        agent.may_end = ended + 40
        server.wait_until(lambda: len(agent.ended) >= ended + 5 and len(book.seen) > seen)

    def kill(self, server: Server, victim: str) -> None:
        """Kill a process, and let it be replaced."""
        if victim == "parent":
            server.kill_parent()
            server.start()
            return
        child = server.child_pid
        os.kill(child, signal.SIGKILL)
        server.wait_until(lambda: server.child_pid != child and server.serves())

    def check(self, book: Book, seed: int) -> None:
        """Compare what was seen: the order of reports, and the ids of repeats."""
        first_taken: dict[Name, int] = {}
        ids: dict[Name, tuple[str, bytes]] = {}
        for at, (name, webhook_id, raw, takes) in enumerate(book.seen):
            if name[0] == "history" and name[2] == 1:
                self.assertIn(("history", name[1], 0), first_taken, f"1 before 0 was taken, seed {seed}")
            if takes:
                first_taken.setdefault(name, at)
            self.assertEqual(ids.setdefault(name, (webhook_id, raw)), (webhook_id, raw), f"a repeat, seed {seed}")
        self.assertEqual(len({webhook_id for webhook_id, _ in ids.values()}), len(ids))
