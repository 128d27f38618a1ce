"""Several servers that serve one PostgreSQL database at once (`[ha] mode = "active"`).

`make test` previews some thousand records, `make soak` more: the environment variable OCSGW_GATEWAY_RECORDS.
"""

import contextlib
import json
import os
import re
import signal
import threading
from collections import Counter
from http.client import HTTPException
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.client import BlockingClient
from tests.integration.balancer import start_balancer
from tests.integration.gateways import Gateways, Puller
from tests.integration.pair import PairServer, free_port
from tests.integration.server import PATIENCE, Server
from tests.integration.test_desktops import LISTENER
from tests.integration.test_events import EventClient
from tests.support.postgresql import shared_postgresql

RECORDS = int(os.environ.get("OCSGW_GATEWAY_RECORDS", "3000"))
_CLIENTS = 30
# Records that each of six clients adds at the same time.
_ADDED = 25
_DESKTOPS_READY = re.compile(r"93230 .* is ready on 127\.0\.0\.1:(\d+)")


class GatewayTests(SynchronousTestCase):
    """Two or three servers, whole."""

    timeout = 3600

    def serve(self, count: int, **options: Any) -> Gateways:
        """Start so many servers."""
        self.gateways = Gateways(self, count, **options).start()
        return self.gateways

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        return [tuple(row) for row in shared_postgresql().query(text, self.gateways.database)]

    def fill(self, count: int) -> None:
        """Let another program add records."""
        self.query(
            'INSERT INTO "CL_Test" (record_id, contact_info, contact_info_type, record_type, record_status, chain_id,'
            " chain_n, daily_from, daily_till, tz_dbid)"
            f" SELECT n, n::text, 1, 2, 1, n, 0, 0, 86399, 101 FROM generate_series(1, {count}) AS n"
        )

    def pull(self, *, kill: PairServer | None = None) -> list[Puller]:
        """Preview until nothing is left; `kill` dies when half of the records have been handed out."""
        servers = self.gateways.servers
        ports = [each.port for each in servers]
        pullers = [Puller(ports[at % len(ports) :] + ports[: at % len(ports)]) for at in range(_CLIENTS)]
        for each in pullers:
            each.start()
        if kill is not None:
            kill.wait_until(lambda: sum(len(each.shown) for each in pullers) > RECORDS / 2, 600)
            kill.kill_parent()
        for each in pullers:
            each.join(1200)
        self.assertEqual([each.unexpected for each in pullers if each.unexpected], [])
        return pullers

    def judge(self, pullers: list[Puller]) -> None:
        """Nothing was shown twice, and whatever was not shown is in process because its answer was lost."""
        shown = Counter(phone for each in pullers for phone in each.shown)
        self.assertEqual([phone for phone, count in shown.items() if count > 1], [])
        in_process = {row[0] for row in self.query('SELECT contact_info FROM "CL_Test" WHERE record_status = 2')}
        self.assertEqual(len(in_process), RECORDS)
        self.assertLessEqual(RECORDS - len(shown), sum(each.unanswered for each in pullers))
        held = self.query("SELECT count(*), count(DISTINCT record_id), count(DISTINCT handle) FROM ocsgw_handle")
        self.assertEqual(held, [(str(RECORDS),) * 3])

    def test_previews(self) -> None:
        """Clients of three servers empty one list: no record twice, none lost."""
        self.serve(3)
        self.fill(RECORDS)
        pullers = self.pull()
        self.assertEqual(sum(each.unanswered for each in pullers), 0)
        self.assertEqual(sum(len(each.shown) for each in pullers), RECORDS)
        self.judge(pullers)

    def test_previews_and_a_kill(self) -> None:
        """The server that does the chores is killed meanwhile: no record twice, none lost; another one does them."""
        one, two, three = self.serve(3).servers
        self.fill(RECORDS)
        self.judge(self.pull(kill=one))
        two.wait_until(lambda: " 93226 " in two.log() + three.log())

    def test_one_key(self) -> None:
        """One Idempotency-Key sent to two servers at once adds one record, and hands out one."""
        one, two = self.serve(2).servers
        answers: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        for at in range(20):
            targets = [("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": f"p{at}"})]
            targets.append(("/campaigngroups/102?req=PreviewRecordRequest", {"GSW_AGENT_ID": f"a{at}"}))
            for path, body in targets:
                barrier = threading.Barrier(2)
                found = answers.setdefault(f"{path} {at}", [])

                def send(
                    server: PairServer, path: str, body: dict[str, Any], key: str, barrier: Any, found: Any
                ) -> None:
                    barrier.wait(PATIENCE)
                    answer = server.post(path, body, headers={"Idempotency-Key": key})
                    found.append((answer.status, json.loads(answer.body)))

                threads = [
                    threading.Thread(target=send, args=(each, path, body, f"{path}{at}", barrier, found))
                    for each in (one, two)
                ]
                for each in threads:
                    each.start()
                for each in threads:
                    each.join(PATIENCE)
        for found in answers.values():
            self.assertEqual([status for status, _ in found], [200, 200])
            self.assertEqual(found[0][1], found[1][1])
        self.assertEqual(self.query('SELECT count(*), count(DISTINCT record_id) FROM "CL_Test"'), [("20", "20")])
        self.assertEqual(self.query("SELECT count(*) FROM ocsgw_handle"), [("20",)])

    def test_load_balancer(self) -> None:
        """Clients of the supplied HAProxy configuration go on as long as one server is left."""
        servers = self.serve(3).servers
        port = free_port()
        ports = {8080: port, 5050: free_port(), 5051: free_port(), 5052: free_port(), 5053: free_port()}
        for at, each in enumerate(servers, 1):
            ports[8080 + at], ports[7280 + at] = each.port, each.admin_port
        start_balancer(self, "ocsgw-active.cfg", ports)
        door = Server(servers[0].folder.parent / "door")
        door.port = port
        numbers = iter(range(1000))

        def is_added() -> bool:
            with contextlib.suppress(OSError, HTTPException):
                return door.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": f"p{next(numbers)}"}).status == 200
            return False

        door.wait_until(is_added)
        for each in servers[:2]:
            each.kill_parent()
            for _ in range(5):
                door.wait_until(is_added)

    def test_groups(self) -> None:
        """A group that is stopped at one server hands nothing out at another one from then on; both show its state."""
        one, two = self.serve(2).servers
        self.fill(100)
        preview = ("/campaigngroups/102?req=PreviewRecordRequest", {"GSW_AGENT_ID": "a"})
        for first, second in ((one, two), (two, one)):
            self.assertEqual(first.control("campaign", "start", "102").returncode, 0)
            self.assertEqual(second.post(*preview).status, 200)
            self.assertEqual(first.control("campaign", "stop", "102").returncode, 0)
            self.assertEqual(second.post(*preview).status, 409)
            self.assertIn("loaded", second.control("status").stdout)

    def test_desktops(self) -> None:
        """A desktop learns of what is done at another server to the record that it holds, and to its group."""
        one, two = self.serve(2, listener=LISTENER).servers
        one.wait_until(lambda: _DESKTOPS_READY.search(one.log()) is not None)
        port = int(_DESKTOPS_READY.findall(one.log())[-1])
        with BlockingClient([("localhost", port)], agent_id="a1", timeout=PATIENCE) as desktop:
            added = two.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "5551"})
            self.assertEqual(added.status, 200)
            held = desktop.request("PreviewRecordRequest", {"GSW_CAMPAIGN_NAME": "Campaign1"})
            self.assertEqual(held.data["GSW_PHONE"], "5551")
            self.assertEqual(two.post("/phones/5551?req=RequestRecordCancel", {}).status, 200)
            events = [self.event(desktop)]
            self.assertEqual(two.control("campaign", "stop", "102").returncode, 0)
            events.append(self.event(desktop))
        self.assertEqual(events, ["RecordCancel", "CampaignStopped"])

    def event(self, desktop: BlockingClient) -> str:
        """Return the name of the next event but for that of the greeting."""
        while True:
            answer = desktop.next_event(PATIENCE)
            assert answer is not None, "no event came"
            if answer.event != "CampaignStarted":
                return answer.event

    def test_events(self) -> None:
        """Who reads events at one server sees what is done at another one, in order, once."""
        one, two = self.serve(2).servers
        for here, there in ((one, two), (two, one)):
            with EventClient(here.port) as client:
                self.assertEqual(client.response.status, 200)
                phone = f"555{there.port}"
                self.assertEqual(there.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": phone}).status, 200)
                # It waits for what comes next.
                seen = client.take(1)
                self.assertEqual(there.post(f"/phones/{phone}?req=RequestRecordCancel", {}).status, 200)
                seen += client.take(1)
                # Were one of them told twice, that would come before this.
                self.assertEqual(here.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "last"}).status, 200)
                seen += client.take(1)
            self.assertEqual([kind for _, kind, _ in seen], ["AddRecord", "RequestRecordCancel", "AddRecord"])
            rows = dict(self.query('SELECT record_id, contact_info FROM "CL_Test"'))
            contacts = [rows[str(members["GSW_RECORD_ID"])] for _, _, members in seen]
            self.assertEqual(contacts, [phone, phone, "last"])
            numbers = [number for number, _, _ in seen]
            self.assertEqual(numbers, sorted(set(numbers)))

    def test_added_at_once(self) -> None:
        """Records added at three servers at once: no id twice, and who reads events meanwhile misses none of them."""
        servers = self.serve(3).servers
        answers: list[int] = []

        def add(at: int) -> None:
            for number in range(_ADDED):
                found = servers[at % 3].post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": f"{at}x{number}"})
                answers.append(found.status)

        with EventClient(servers[0].port) as client:
            self.assertEqual(client.response.status, 200)
            threads = [threading.Thread(target=add, args=(at,)) for at in range(6)]
            for each in threads:
                each.start()
            seen: list[int] = []
            numbers: list[int] = []
            while len(seen) < 6 * _ADDED:
                ((number, _, members),) = client.take(1)
                numbers.append(number)
                seen += range(members["GSW_RECORD_ID"], members.get("GSW_LAST_RECORD_ID", 0) + 1)
            for each in threads:
                each.join(PATIENCE)
        self.assertEqual(answers, [200] * (6 * _ADDED))
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        rows = self.query('SELECT record_id, chain_id FROM "CL_Test"')
        self.assertEqual(sorted(seen), sorted(int(row[0]) for row in rows))
        self.assertEqual(len({row[1] for row in rows}), 6 * _ADDED)

    def test_frozen(self) -> None:
        """A server that is frozen keeps others neither from serving nor from the chores; when it wakes it serves."""
        one, two = self.serve(2).servers
        self.assertIn("gateway0 (chores)", one.control("status").stdout)
        one.wait_until(lambda: "gateway1" in one.control("status").stdout)
        os.kill(one.pid, signal.SIGSTOP)
        try:
            two.wait_until(lambda: two.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status == 200)
            two.wait_until(lambda: " 93226 " in two.log())
        finally:
            os.kill(one.pid, signal.SIGCONT)
        one.wait_until(lambda: " 93227 " in one.log())
        one.wait_until(lambda: self.is_added(one))
        self.assertIn("gateway1 (chores)", two.control("status").stdout)
        two.stop()
        one.wait_until(lambda: one.log().count(" 93226 ") == 2)
        self.assertIn("all servers of this store serve at once", one.control("switchover").stderr)

    def is_added(self, server: PairServer) -> bool:
        """Add a record."""
        with contextlib.suppress(OSError):
            return server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "2"}).status == 200
        return False
