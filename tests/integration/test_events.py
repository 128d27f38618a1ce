"""Event streams at a real server, over a real socket: resume after kills, slow clients, reload, stop, PostgreSQL."""

import http.client
import json
import math
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Self

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.access.key_file import create_key
from tests.integration.pair import Pair
from tests.integration.server import PATIENCE, Server, make_server
from tests.support.certificates import Authority
from tests.support.postgresql import PASSWORD, PostgreSQL

_ADD = "/lists/CL_Test?req=AddRecord"
_ADMIN = """
[[listener]]
id = "admin"
protocol = "admin"
interface = "127.0.0.1"
port = 0
"""
_PREVIEW = "/campaigngroups/102?req=PreviewRecordRequest"


class EventClient:
    """A client as web browsers are: it reads blocks of lines, and remembers the last id."""

    def __init__(self, port: int, target: str = "/events", last: int | None = None, **options: Any) -> None:
        context: ssl.SSLContext | None = options.pop("context", None)
        if context is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        else:
            self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context)
        headers = {"Accept": "text/event-stream", **options.pop("headers", {})}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.connection.request("GET", target, headers=headers)
        self.response = self.connection.getresponse()
        self.last = last if last is not None else -1
        if self.response.status == 200:
            # Where the stream begins stands at its beginning.
            self._block()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Go away."""
        self.response.close()
        self.connection.close()

    def _block(self) -> dict[str, str] | None:
        """Return the fields of the next block, None at the clean end of the stream."""
        fields: dict[str, str] = {}
        while line := self.response.readline().decode("utf-8").rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        if not fields:
            return None
        self.last = int(fields.get("id", self.last))
        return fields

    def events(self, patience: float = math.inf) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Yield number, type and members of each event until the stream ends, however it does.

        It fails when none comes for so many seconds: signs of life keep the socket from its timeout.
        """
        quiet_since = time.monotonic()
        try:
            while (block := self._block()) is not None:
                if "event" in block:
                    yield self.last, block["event"], json.loads(block["data"])
                    quiet_since = time.monotonic()
                assert time.monotonic() - quiet_since < patience, "no event came"
        except (OSError, http.client.HTTPException):
            return

    def take(self, count: int) -> list[tuple[int, str, dict[str, Any]]]:
        """Return the next events."""
        events = self.events(PATIENCE)
        return [next(events) for _ in range(count)]


class Follower(threading.Thread):
    """Follows the stream whatever happens: it comes again with the last id, as a browser does."""

    def __init__(self, server: Server, enough: int) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._enough = enough
        self.stop = False
        # Records that were seen to be added.
        self.added: set[int] = set()
        self.seen: list[tuple[int, str]] = []
        self.streams = 0
        self.last = 0

    def run(self) -> None:
        """Follow until there are enough records."""
        while not self.stop and len(self.added) < self._enough:
            try:
                with EventClient(self._server.port, last=self.last) as client:
                    if client.response.status != 200:
                        continue
                    self.streams += 1
                    for number, kind, members in client.events():
                        self.last = number
                        self.seen.append((number, kind))
                        if kind == "AddRecord":
                            self.added.update(range(members["GSW_RECORD_ID"], members["GSW_LAST_RECORD_ID"] + 1))
                        if self.stop or len(self.added) >= self._enough:
                            return
            except OSError:
                continue


class EventStreamTests(SynchronousTestCase):
    """One server."""

    def add(self, server: Server, count: int, begin: int = 0) -> None:
        """Add records one by one."""
        for at in range(begin, begin + count):
            self.assertEqual(server.post(_ADD, {"GSW_PHONE": f"650555{at:04}"}).status, 200)

    def fill(self, server: Server, count: int) -> None:
        """Write large entries."""
        server.write(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO ocsgw_outbox"
            " (at, kind, list_dbid, chain_id, record_id, group_dbid, handle, data)"
            " SELECT 1, 'RecordReject', 201, i, i, 0, 0, json_object('after', json_object('remarks', ?)) FROM n",
            count,
            "x" * 4000,
        )

    def test_live_and_resumed(self) -> None:
        """What clients do is seen, in order; who comes again gets what it has missed, and only what it asks for."""
        server = make_server(self).start()
        with EventClient(server.port) as client:
            self.assertEqual(client.response.getheader("Content-Type"), "text/event-stream; charset=utf-8")
            self.add(server, 1)
            handle = server.post(_PREVIEW).json["GSW_RECORD_HANDLE"]
            server.post(f"/records/{handle}?req=RecordProcessed", {"GSW_CALL_RESULT": "Busy"})
            server.post("/phones/6505550000?req=DoNotCall")
            seen = client.take(4)
        kinds = ["AddRecord", "PreviewRecordRequest", "RecordProcessed", "DoNotCall"]
        self.assertEqual([(number, kind) for number, kind, _ in seen], list(enumerate(kinds, 1)))
        self.assertEqual(seen[2][2]["GSW_CALL_RESULT"], 6)
        self.add(server, 3, 1)
        with EventClient(server.port, "/events?type=AddRecord", last=2) as client:
            self.assertEqual([number for number, _, _ in client.take(3)], [5, 6, 7])

    def test_parent_and_child_are_killed(self) -> None:
        """kill -9 of either under load: every acknowledged record is seen, in order, nothing is skipped."""
        server = make_server(self, reconnect="100ms").start()
        follower = Follower(server, enough=315)
        follower.start()
        acknowledged = 0
        for victim in ("child", "parent", "child", "parent"):
            while acknowledged % 75 or not acknowledged:
                acknowledged += self.try_to_add(server)
            acknowledged += self.try_to_add(server)
            before = follower.streams
            if victim == "child":
                os.kill(server.child_pid, signal.SIGKILL)
                server.wait_until(lambda: not follower.is_alive() or follower.streams > before)  # noqa: B023
            else:
                server.kill_parent()
                server.start()
        while acknowledged < 340:
            acknowledged += self.try_to_add(server)
        follower.join(PATIENCE)
        follower.stop = True
        self.assertFalse(follower.is_alive(), follower.seen[-3:])
        stored = {row[0] for row in server.rows("SELECT record_id FROM CL_Test")}
        # Whatever is stored may have been acknowledged.
        self.assertEqual(follower.added, {each for each in stored if each <= max(follower.added)})
        numbers = [number for number, _ in follower.seen]
        # At least once, in order: what comes again follows on what was seen last.
        self.assertEqual(numbers, list(range(1, numbers[-1] + 1)))
        self.assertGreaterEqual(follower.streams, 5)

    def try_to_add(self, server: Server) -> int:
        """Add a record; return whether it was acknowledged."""
        try:
            return int(server.post(_ADD, {"GSW_PHONE": "6505550100"}).status == 200)
        except (OSError, http.client.HTTPException):
            return 0

    def test_missed(self) -> None:
        """Entries that are not kept any more: the client is told before anything else."""
        server = make_server(self).start()
        self.add(server, 5)
        server.write("DELETE FROM ocsgw_outbox WHERE number <= 3")
        with EventClient(server.port, last=1) as client:
            missed, fourth, _ = client.take(3)
        self.assertEqual((missed[:2], fourth[:2]), ((3, "EventsMissed"), (4, "AddRecord")))
        self.assertEqual((missed[2]["GSW_LAST_EVENT_ID"], missed[2]["GSW_NEXT_EVENT_ID"]), (1, 4))

    def test_slow_clients(self) -> None:
        """Who reads nothing is cut after `write_timeout`; others are not held up; it can resume where it was."""
        server = make_server(self, more=f'[limits]\nwrite_timeout = "1s"\n{_ADMIN}').start()
        self.add(server, 1)
        self.fill(server, 3000)
        slow = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 0\r\n\r\n")
        with EventClient(server.port, last=0) as quick:
            self.assertEqual([number for number, _, _ in quick.take(3001)], list(range(1, 3002)))
            # What is written and not read is never more than some buffers; and nobody waits for it.
            server.wait_until(lambda: self.metrics(server)['s_ended_total{reason="slow"}'] == 1)
            self.assertEqual(self.metrics(server)["s"], 1)
        with EventClient(server.port, last=2900) as again:
            self.assertEqual([number for number, _, _ in again.take(101)][-1], 3001)

    def metrics(self, server: Server) -> dict[str, float]:
        """Return what the metrics say about event streams, without the beginning `ocsgw_event_stream` of names."""
        (port,) = re.findall(r"Admin listener admin is ready on \S+:(\d+)", server.log())[:1]
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.findall(r"(?m)^ocsgw_event_stream(\S+) (\S+)$", text)
        return defaultdict(float, {name: float(value) for name, value in found})

    def test_reload(self) -> None:
        """A key that is taken away ends the stream at the reload; the others go on."""
        server = make_server(self)
        made = {name: create_key(name, str(server.folder)) for name in ("web", "other")}
        server.configure(more="".join(each.lines for each in made.values()))
        server.start()
        headers = {name: {"Authorization": f"Bearer {each.key}"} for name, each in made.items()}
        streams = {name: EventClient(server.port, headers=fields) for name, fields in headers.items()}
        for each in streams.values():
            self.addCleanup(each.close)
        with EventClient(server.port) as nobody:
            self.assertEqual(nobody.response.status, 401)
        server.configure(more=made["other"].lines)
        server.reload()
        self.assertEqual(list(streams["web"].events()), [])
        self.assertEqual(server.post(_ADD, {"GSW_PHONE": "6505550100"}, headers["other"]).status, 200)
        self.assertEqual(streams["other"].take(1)[0][1], "AddRecord")

    def test_stop(self) -> None:
        """Streams end cleanly when the server stops, and do not keep it."""
        server = make_server(self).start()
        with EventClient(server.port) as client:
            os.kill(server.pid, signal.SIGTERM)
            self.assertEqual(list(client.events()), [])
        self.assertEqual(server.wait(), 0)

    def test_tls(self) -> None:
        """Over TLS, where writing takes another way: live, much at once, and a clean end."""
        authority = Authority()
        server = make_server(
            self, listener='[listener.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\n'
        )
        authority.issue("localhost", "127.0.0.1").write(server.folder, "server")
        server.start()
        self.fill(server, 500)
        context = ssl.create_default_context(cadata=authority.pem)
        with EventClient(server.port, last=0, context=context) as client:
            self.assertEqual([number for number, _, _ in client.take(500)], list(range(1, 501)))
            os.kill(server.pid, signal.SIGTERM)
            self.assertEqual(list(client.events()), [])
        self.assertEqual(server.wait(), 0)

    def test_postgresql(self) -> None:
        """On PostgreSQL events come in order too, and what was missed comes after a restart."""
        database = PostgreSQL()
        self.addCleanup(database.remove)
        database.start()
        server = make_server(self)
        password = server.folder / "password"
        password.write_text(f"{PASSWORD}\n", encoding="ascii")
        password.chmod(0o600)
        server.configure(store=f'url = "{database.make_database("ocsgw")}"\npassword_file = "password"')
        server.start()
        with EventClient(server.port) as client:
            self.add(server, 20)
            self.assertEqual([number for number, _, _ in client.take(20)], list(range(1, 21)))
        server.kill_parent()
        server.start()
        self.add(server, 5, 20)
        with EventClient(server.port, last=18) as client:
            self.assertEqual([number for number, _, _ in client.take(7)], list(range(19, 26)))


class PairTests(SynchronousTestCase):
    """Two servers of a pair."""

    def test_switch_over(self) -> None:
        """A backup has no stream to offer; after a switch clients go on at the other server where they were."""
        for postgresql in (False, True):
            pair = Pair(self, postgresql=postgresql).start()
            one, two = pair.servers
            self.assertFalse(two.serves())
            with EventClient(one.port) as client:
                for phone in ("1", "2", "3"):
                    one.post(_ADD, {"GSW_PHONE": phone})
                first = client.take(1)[0]
                self.assertEqual(one.control("switchover").returncode, 0)
                rest = list(client.events())
            pair.wait_for_primary(other_than=one)
            two.wait_until(two.serves)
            self.assertFalse(one.serves())
            two.post(_ADD, {"GSW_PHONE": "4"})
            with EventClient(two.port, last=first[0]) as client:
                again = client.take(3)
            self.assertEqual(rest, again[: len(rest)])
            *before, after = [members["GSW_RECORD_ID"] for _, _, members in again]
            self.assertEqual(before, [2, 3])
            self.assertGreater(after, 3)
            for each in pair.servers:
                each.stop()
