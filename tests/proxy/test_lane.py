"""The compiled lane through a connection: it does what the other ways do, or leaves a request to them."""

import re
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SkipTest

from ocsgw import speedups
from ocsgw.protocol.messages import Drain, Event, Request, encode
from ocsgw.quick_port import QuickPort
from tests.proxy.conformance import bodies, fields, lines
from tests.proxy.conformance.rows import LIMITS
from tests.support.http import PEER, HttpClient, parse_answers, request
from tests.support.proxy import ProxyInMemory, ProxyTestCase

if speedups.is_used():
    from ocsgw.speedups.events import answer

ROWS = (*lines.ROWS, *fields.ROWS, *bodies.ROWS)
SECOND = b'{"GSW_PHONE":"2","own":"y"}'
_DATE = re.compile(rb"Date: [^\r]*\r\n").sub
Script = Callable[[ProxyInMemory], list[HttpClient]]


def answer_all(proxy: ProxyInMemory, since: int = 0) -> None:
    """Let OCS answer what has come."""
    proxy.work()
    for sent in proxy.ocs.requests[since:]:
        proxy.ocs.acknowledge(sent, GSW_CHAIN_ID=sent.ref)
    proxy.work()


def served(proxy: ProxyInMemory, *sent: tuple[HttpClient, bytes]) -> None:
    """Let clients send in one turn, and OCS answer everything in one segment."""
    before = len(proxy.ocs.requests)
    for client, data in sent:
        client.transport.arrive(data)
    answer_all(proxy, before)


class LaneTests(ProxyTestCase):
    """Both ways, side by side."""

    def setUp(self) -> None:
        if not speedups.is_used():
            raise SkipTest("there is no lane without compiled parts")
        super().setUp()

    def outcome(self, script: Script, *, lane: bool, **changes: Any) -> tuple[list[bytes], list[bool], list[Request]]:
        """Return what clients have got, whether their connections are closed, and what OCS was asked."""
        proxy = self.start(**changes)
        clients = script(proxy) if lane else self.without_lane(proxy, script)
        proxy.work()
        frontend = clients[0].channel._frontend
        pending = sum(len(client.channel._pending) for client in clients)
        self.assertEqual((frontend.shares.total, len(proxy.ocs.link._open)), (pending, pending))
        watched = [client.channel._limit is frontend.idle for client in clients]
        self.assertEqual(watched, [client.channel in frontend.idle.since for client in clients])
        outcome = (
            [_DATE(b"", bytes(client.transport.taken)) for client in clients],
            [client.closed for client in clients],
        )
        requests = list(proxy.ocs.requests)
        proxy.stop()
        return *outcome, requests

    def without_lane(self, proxy: ProxyInMemory, script: Script) -> list[HttpClient]:
        """Let everything go the way of the Python code."""
        frontend = proxy.connect().channel._frontend
        frontend.lane = proxy.ocs.link.lane = None
        return script(proxy)

    def both(self, script: Script, **changes: Any) -> tuple[list[bytes], list[bool], list[Request]]:
        """Check that the lane makes no difference; return the outcome."""
        by_lane = self.outcome(script, lane=True, **changes)
        self.assertEqual(by_lane, self.outcome(script, lane=False, **changes))
        return by_lane

    def test_every_row(self) -> None:
        """RFC 9112: each row of the tables in one segment, twice on one connection and once on another."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            clients: list[HttpClient] = []
            for row in ROWS:
                one, other = proxy.connect(), proxy.connect()
                for client in (one, one, other):
                    served(proxy, (client, row.raw))
                clients += (one, other)
                # They have nothing more to do.
                proxy._clients.clear()
            return clients

        _, _, requests = self.both(script, **LIMITS)
        self.assertGreater(len(requests), 200)

    def test_is_taken(self) -> None:
        """What comes again goes through the lane, with and without others in the same turn, and its answer too."""
        proxy = self.start()
        lane, taken = proxy.ocs.link.lane, []
        assert lane is not None
        clients = [proxy.connect() for _ in range(3)]
        self.patch(type(clients[0].channel), "_take_prepared", lambda *_: self.fail("it went another way"))
        self.patch(type(clients[0].channel), "answer", lambda *_: self.fail("it was answered another way"))
        self.patch(type(clients[0].channel), "answer_written", lambda *_: self.fail("it was written another way"))
        for body in (SECOND, b'{"GSW_PHONE":"1"}'):
            served(proxy, *((client, request(body=body)) for client in clients))
            served(proxy, (clients[0], request(body=body)))
            taken.append([client.statuses() for client in clients])
        self.assertEqual(taken, [[[200] * 2, [200], [200]], [[200] * 4, [200] * 2, [200] * 2]])

    def test_socket_that_is_full(self) -> None:
        """H31: what the socket does not take at once Twisted sends later."""
        proxy = self.start()
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.addCleanup(ours.close)
        ours.settimeout(0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        factory = self.reactor.ports[-1].factory
        channel = factory.buildProtocol(PEER)
        reactor: Any = self.reactor
        # As the connections of our port are, or nothing would go this way.
        port = SimpleNamespace(_addressType=IPv4Address)
        transport = QuickPort.transport(ours, channel, ("127.0.0.1", 1), port, 1, reactor)
        self.patch(transport, "setTcpNoDelay", lambda on: None)
        channel.makeConnection(transport)
        written: list[bytes] = []
        self.patch(transport, "write", written.append)
        while not written:
            channel.dataReceived(request())
            proxy.work()
            proxy.ocs.acknowledge(proxy.ocs.requests[-1], a="x" * 1000)
        # Most of it has been sent at once.
        theirs.settimeout(0)
        received = theirs.recv(1 << 24)
        self.assertGreater(len(received), len(written[0]))
        whole = parse_answers(received + written[0])
        self.assertEqual([each.status for each in whole], [200] * len(proxy.ocs.requests))

    def test_numbers_in_targets(self) -> None:
        """Heads that differ in a handle are taken each for itself."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            client = proxy.connect()
            for handle in (11, 12, 11, 130):
                served(proxy, (client, request(f"/records/{handle}?req=RecordProcessed", b'{"GSW_CALL_RESULT":33}')))
            return [client]

        _, _, requests = self.both(script)
        self.assertEqual([sent.data["GSW_RECORD_HANDLE"] for sent in requests], [11, 12, 11, 130])

    def test_many_heads(self) -> None:
        """Heads in turns, with numbers and without, more than are compared with; errors name their own handles."""
        targets = [
            *(
                f"/records/{handle}?req=RecordProcessed"
                for handle in (11, 12, 130, 13, "007", "1x", "12345678901234567")
            ),
            *(f"/records/{handle}?req=UpdateCallCompletionStats" for handle in (99, 98, "9" * 15, "9" * 16)),
            *(f"/phones/{phone}?req=DoNotCall" for phone in (6505550100, 6505550199, "0505550100", 1)),
            *("/lists/CL?req=AddRecord", "/lists/12?req=AddRecord", "/lists/13?req=AddRecord"),
        ]
        bodies_ = [b'{"GSW_PHONE":"1"}', b'{"GSW_PHONE":"22"}']

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            clients = [proxy.connect() for _ in targets]
            for body in (*bodies_, bodies_[0]):
                for client, target in zip(clients, targets, strict=True):
                    served(proxy, (client, request(target, body)))
            before = len(proxy.ocs.requests)
            for client, target in zip(clients, targets, strict=True):
                client.transport.arrive(request(target, bodies_[1]))
            proxy.work()
            refused = {"GSW_USER_EVENT": "Error", "GSW_ERROR": "x"}
            proxy.ocs.send(
                *(Event(ref=each.ref, data={**refused}, code="internal") for each in proxy.ocs.requests[before:])
            )
            return clients

        taken, _, requests = self.both(script)
        self.assertGreater(len(requests), 30)
        for handle, answers in zip((11, 12, 130, 13), taken, strict=False):
            last = parse_answers(answers)[-1]
            self.assertEqual((last.status, last.json["GSW_RECORD_HANDLE"]), (500, handle))

    def test_numbers_are_taken(self) -> None:
        """Heads that have come before go through the lane with another number, and in turns with others."""
        proxy = self.start()
        client = proxy.connect()
        usual = (
            ("/records/{}?req=RecordProcessed", b'{"GSW_CALL_RESULT":33}'),
            ("/phones/{}?req=DoNotCall", b'{"GSW_REFERENCE_ID":7}'),
            ("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}'),
        )
        for at in range(2):
            for target, body in usual:
                served(proxy, (client, request(target.format(at + 20), body)))
        self.patch(type(client.channel), "_receive", lambda *_: self.fail("it went another way"))
        for at in range(2, 9):
            for target, body in usual:
                served(proxy, (client, request(target.format(at + 20), body)))
        self.assertEqual(client.statuses(), [200] * 27)
        handles = [sent.data.get("GSW_RECORD_HANDLE") for sent in proxy.ocs.requests]
        self.assertEqual(handles[::3], list(range(20, 29)))
        phones = [sent.data["GSW_PHONE"] for sent in proxy.ocs.requests[1::3]]
        self.assertEqual(phones, [str(at) for at in range(20, 29)])

    def test_rules_that_change(self) -> None:
        """P100: heads that were judged by other rules are read anew."""
        proxy = self.start()
        client = proxy.connect()
        for _ in range(3):
            served(proxy, (client, request()))
        recent = client.channel._frontend.whole_requests.recent
        self.assertEqual(len(recent), 1)
        client.channel._frontend.whole_requests.forget()
        self.assertEqual(recent, [])
        served(proxy, (client, request()))
        self.assertEqual(client.statuses(), [200] * 4)

    def test_events_with_long_names(self) -> None:
        """An answer is written in one pass whatever its event is called, but for an error, or what may be one."""
        name = "UpdateCallCompletionStatsAcknowledge"
        for event, passes in (({"GSW_USER_EVENT": name}, True), ({"GSW_USER_EVENT": "Error"}, False)):
            frame = encode(Event(ref=7, data={**event}))
            self.assertEqual(answer(frame, 0, 4096, b"") is not None, passes, event)
        # A short name in the form of long ones.
        frame = encode(Event(ref=7, data={"GSW_USER_EVENT": "Error"})).replace(b"\xa5Error", b"\xd9\x05Error")
        self.assertIsNone(answer(bytes([0, 0, 0, len(frame) - 4]) + frame[4:], 0, 4096, b""))

    def test_one_behind_the_other(self) -> None:
        """H3: what comes while a request is in work is answered behind it."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            client = proxy.connect()
            client.send(request())
            client.send(request(body=SECOND) + request())
            client.send(request(body=SECOND))
            for sent in reversed(proxy.ocs.requests):
                proxy.ocs.acknowledge(sent, GSW_CHAIN_ID=sent.ref)
            proxy.work()
            return [client]

        (taken,), _, requests = self.both(script)
        self.assertEqual((taken.count(b"HTTP/1.1 200"), len(requests)), (4, 4))

    def test_unusual_events(self) -> None:
        """Errors, stored answers, several events, and events nobody waits for, between usual ones in one segment."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            clients = [proxy.connect() for _ in range(5)]
            for client in clients:
                client.transport.arrive(request())
            proxy.work()
            usual = {"GSW_USER_EVENT": "AddRecordAcknowledge"}
            proxy.ocs.send(
                Event(ref=1, data={**usual}),
                Event(ref=2, data={"GSW_USER_EVENT": "Error", "GSW_ERROR": "x"}, code="invalid_handle"),
                Event(ref=99, data={**usual}),
                Event(ref=3, data={**usual}, more=True),
                Event(ref=4, data={**usual}, replayed=True),
                Event(ref=3, data={**usual}),
                Event(ref=5, data={**usual}),
                Event(ref=5, data={**usual}),
            )
            return clients

        taken, _, _ = self.both(script)
        self.assertEqual([each[9:12] for each in taken], [b"200", b"404", b"200", b"200", b"200"])

    def test_draining(self) -> None:
        """H2, H353: an answer that is given while the proxy ends says that it is the last one."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            client, idle = proxy.connect().send(request()), proxy.connect()
            proxy.ocs.send(Drain(timeout_ms=5000, reason="renewal"))
            answer_all(proxy)
            served(proxy, (idle, request()))
            return [client, idle]

        taken, closed, _ = self.both(script)
        self.assertTrue(all(b"Connection: close" in each for each in taken))
        self.assertEqual(closed, [True, True])

    def test_no_room(self) -> None:
        """H33: one more than OCS takes is refused, and the connection goes on."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            clients = [proxy.connect() for _ in range(3)]
            served(proxy, *((client, request()) for client in clients))
            served(proxy, (clients[2], request()))
            return clients

        taken, _, _ = self.both(script, in_flight=2)
        self.assertEqual([each.count(b"503") for each in taken], [0, 0, 1])

    def test_client_that_goes(self) -> None:
        """H351: the answer to a client that is gone goes nowhere."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            clients = [proxy.connect().send(request()) for _ in range(3)]
            clients[1].vanish()
            answer_all(proxy)
            return [clients[0], clients[2]]

        taken, _, _ = self.both(script)
        self.assertEqual([each[9:12] for each in taken], [b"200", b"200"])

    def test_idle_time_begins_anew(self) -> None:
        """H27: a connection is idle since its last answer."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            early, late = proxy.connect(), proxy.connect()
            served(proxy, (early, request()), (late, request()))
            self.pass_time(proxy, 4)
            served(proxy, (late, request()))
            self.pass_time(proxy, 4)
            return [early, late]

        _, closed, _ = self.both(script, idle_timeout_ms=6000)
        self.assertEqual(closed, [True, False])

    def test_link_that_is_lost(self) -> None:
        """H160: what is in the hands of OCS then is answered, whichever way it went."""

        def script(proxy: ProxyInMemory) -> list[HttpClient]:
            clients = [proxy.connect().send(request()) for _ in range(2)]
            proxy.ocs.lose()
            proxy.work()
            return clients

        taken, _, _ = self.both(script)
        self.assertEqual([each[9:12] for each in taken], [b"504", b"504"])
