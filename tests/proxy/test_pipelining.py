"""One connection with many requests (http.md H3, H8, H31): order, window, fairness, `100 Continue`, slow readers."""

import json
import sys
from collections.abc import Callable
from random import Random
from types import FrameType
from typing import Any

from ocsgw.protocol.messages import KV, Event
from tests.support.http import SEGMENT, FakeGateway, HttpTestCase, chunked, request

EXPECTING = "Expect: 100-continue"


def add(reference: int, *fields: str) -> bytes:
    """Return an AddRecord with a reference id."""
    return request(
        "/lists/CL?req=AddRecord", json.dumps({"GSW_PHONE": "1", "GSW_REFERENCE_ID": reference}).encode(), *fields
    )


def large(data: KV) -> Event:
    """Return an answer of 1 KiB."""
    return Event(ref=1, data={"GSW_USER_EVENT": "AddRecordAcknowledge", "filling": "x" * 1000, **data})


class PipeliningTests(HttpTestCase):
    """H3."""

    def test_answers_in_any_order(self) -> None:
        """H3: answers of OCS may come in any order (P73), those on the wire are in the order of the requests."""
        for seed in range(20):
            random = Random(seed)
            for short_cut in (True, False):
                gateway = FakeGateway(holds=True)
                client = self.serve(short_cut=short_cut, gateway=gateway).connect()
                client.send(b"".join(add(number) for number in range(12)))
                while gateway.waiting:
                    gateway.release(random.randrange(len(gateway.waiting)))
                client.take()
                self.assertEqual([a.json["GSW_REFERENCE_ID"] for a in client.answers()], list(range(12)))
                self.assertFalse(client.closed)

    def test_as_soon_as_possible(self) -> None:
        """H3: an answer is written when all before it are, not later."""
        gateway = FakeGateway(holds=True)
        client = self.serve(gateway=gateway).connect().send(add(0) + add(1) + add(2))
        gateway.release(1)
        self.assertEqual(client.take().statuses(), [])
        gateway.release(0)
        self.assertEqual(client.take().statuses(), [200, 200])
        gateway.release()
        self.assertEqual(client.take().statuses(), [200] * 3)

    def test_refusals_wait_for_their_turn(self) -> None:
        """H3, H11: what the proxy refuses itself, fatal or not, is reported after the answers before it."""
        for short_cut in (True, False):
            gateway = FakeGateway(holds=True)
            client = self.serve(short_cut=short_cut, gateway=gateway).connect()
            client.send(add(0) + request("/nowhere", b"") + add(1) + b"rubbish\r\n\r\n" + add(2))
            self.assertEqual(client.statuses(), [])
            gateway.release(1)
            self.assertEqual(client.take().statuses(), [])
            gateway.release()
            self.assertEqual(client.take().statuses(), [200, 404, 200, 400])
            self.assertTrue(client.closed)
            self.assertEqual(len(gateway.requests), 2)

    def test_window(self) -> None:
        """H3: at most `pipeline` requests are in work; the server reads on when one has been answered."""
        for short_cut in (True, False):
            gateway = FakeGateway(holds=True)
            client = self.serve(short_cut=short_cut, gateway=gateway, pipeline=4).connect()
            client.send(b"".join(add(number) for number in range(11)))
            self.assertEqual(len(gateway.requests), 4)
            self.assertFalse(client.transport.reading)
            for answered in range(1, 12):
                gateway.release()
                client.take()
                self.assertEqual(len(client.answers()), answered)
                self.assertEqual(len(gateway.requests), min(11, 4 + answered))
            self.assertTrue(client.transport.reading)

    def test_window_of_one(self) -> None:
        """H3: a window of one means one after the other."""
        gateway = FakeGateway(holds=True)
        client = self.serve(gateway=gateway, pipeline=1).connect().send(add(0) + add(1), every=5)
        for answered in (1, 2):
            self.assertEqual(len(gateway.requests), answered)
            gateway.release()
            self.assertEqual(len(client.take().answers()), answered)

    def test_last_request_of_a_connection(self) -> None:
        """H2: requests behind one with `Connection: close` are not taken, however late its answer comes."""
        gateway = FakeGateway(holds=True)
        client = self.serve(gateway=gateway).connect().send(add(0) + add(1, "Connection: close") + add(2))
        client.send(add(3))
        self.assertEqual(len(gateway.requests), 2)
        gateway.release(1)
        gateway.release(0)
        answers = client.take().answers()
        self.assertEqual([a.header("connection") for a in answers], [None, "close"])
        self.assertTrue(client.closed)

    def test_fairness(self) -> None:
        """H3: a client with many requests at hand does not keep another one waiting."""
        for short_cut in (True, False):
            gateway = FakeGateway()
            server = self.serve(short_cut=short_cut, gateway=gateway, pipeline=8)
            greedy, modest = server.connect(), server.connect()
            modest.transport.arrive(add(-1))
            greedy.send(b"".join(add(number) for number in range(500)))
            order = [data["GSW_REFERENCE_ID"] for data in gateway.requests]
            self.assertLessEqual(order.index(-1), 16)
            self.assertEqual(len(greedy.answers()), 500)


class ContinueTests(HttpTestCase):
    """H8: `100 Continue`."""

    def test_at_once(self) -> None:
        """H8: the client is asked for the body when its head is accepted, once."""
        for fields, body in (
            (("Content-Length: 17",), b'{"GSW_PHONE":"1"}'),
            (("Transfer-Encoding: chunked",), chunked(b'{"GSW_PHONE":', b'"1"}')),
        ):
            client = self.serve().connect()
            client.send(request("/lists/CL?req=AddRecord", b"", EXPECTING, *fields))
            self.assertEqual(client.statuses(), [100])
            client.send(body, every=1)
            self.assertEqual(client.statuses(), [100, 200])

    def test_behind_pending_answers(self) -> None:
        """H3, H8: the invitation comes after the answers before it, when there are none left."""
        gateway = FakeGateway(holds=True)
        head = request("/lists/CL?req=AddRecord", b"", EXPECTING, "Content-Length: 17")
        client = self.serve(gateway=gateway).connect().send(add(0) + add(1) + head)
        self.assertEqual(client.statuses(), [])
        gateway.release(1)
        self.assertEqual(client.take().statuses(), [])
        gateway.release()
        self.assertEqual(client.take().statuses(), [200, 200, 100])
        client.send(b'{"GSW_PHONE":"1"}')
        gateway.release()
        self.assertEqual(client.take().statuses(), [200, 200, 100, 200])

    def test_a_client_that_does_not_wait(self) -> None:
        """RFC 9110 section 10.1.1: a body that has come while the invitation was due needs none."""
        gateway = FakeGateway(holds=True)
        client = self.serve(gateway=gateway).connect().send(add(0) + add(1, EXPECTING))
        gateway.release()
        gateway.release()
        self.assertEqual(client.take().statuses(), [200, 200])

    def test_refused(self) -> None:
        """H8, H11: whoever is refused is not invited; without the body nothing tells where the next request begins."""
        client = self.serve().connect().send(request("/nowhere", b"", EXPECTING, "Content-Length: 5") + add(1))
        self.assertEqual(client.statuses(), [404])
        self.assertTrue(client.closed)

    def test_never_sent(self) -> None:
        """H8, H28: a client that waits for nothing after the invitation gets 408."""
        client = self.serve().connect().send(request("/lists/CL?req=AddRecord", b"", EXPECTING, "Content-Length: 5"))
        self.advance(31)
        self.assertEqual(client.take().statuses(), [100, 408])


class SlowReaderTests(HttpTestCase):
    """H31: a client that does not take its answers."""

    def test_reading_stops_and_goes_on(self) -> None:
        """H31: no further request is read while answers pile up; all are answered when they are taken."""
        for short_cut in (True, False):
            gateway = FakeGateway(large)
            client = self.serve(short_cut=short_cut, gateway=gateway).connect().stall()
            client.send(b"".join(add(number) for number in range(2000)))
            taken = len(gateway.requests)
            self.assertLess(taken, 200)
            self.assertLess(client.transport.unsent, 3 * SEGMENT)
            self.assertFalse(client.transport.reading)
            answers = client.take().answers()
            self.assertEqual([a.json["GSW_REFERENCE_ID"] for a in answers], list(range(2000)))

    def test_in_time(self) -> None:
        """H31: taking the answers within the limit is in time; the limit begins anew with each standstill."""
        client = self.serve(gateway=FakeGateway(large), write_timeout_ms=30_000).connect().stall()
        client.send(b"".join(add(number) for number in range(200)))
        for _ in range(3):
            self.advance(29)
            self.assertTrue(client.transport.connected)
            client.take().stall()
            client.send(b"".join(add(number) for number in range(200)))
        self.assertEqual(len(client.take().answers()), 800)

    def test_too_late(self) -> None:
        """H31: after the limit the connection is cut, and nothing is left of it."""
        server = self.serve(gateway=FakeGateway(large), write_timeout_ms=30_000)
        client = server.connect().stall()
        client.send(b"".join(add(number) for number in range(200)))
        self.advance(29.5)
        self.assertTrue(client.transport.connected)
        self.advance(1.75)
        self.assertFalse(client.transport.connected)
        self.assertEqual(server.frontend.connections, set())

    def test_last_answer(self) -> None:
        """H31: the limit holds for the last answer of a connection too."""
        server = self.serve(gateway=FakeGateway(large))
        client = server.connect().stall().send(add(0, "Connection: close"))
        self.advance(29)
        self.assertTrue(client.transport.connected)
        self.advance(2.25)
        self.assertFalse(client.transport.connected)

    def test_others_are_served(self) -> None:
        """H13, H31: nobody else waits for a slow reader."""
        server = self.serve(gateway=FakeGateway(large))
        server.connect().stall().send(b"".join(add(number) for number in range(500)))
        self.assertEqual(server.connect().send(add(1)).statuses(), [200])


class WorkTests(HttpTestCase):
    """The work grows with what is sent, not with its square: calls are counted, not time."""

    def calls_of(self, act: Callable[[], object]) -> int:
        """Return how many functions are called while `act` runs."""
        count = 0

        def note(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal count
            count += event.endswith("call")

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            act()
        finally:
            sys.setprofile(before)
        return count

    def test_pipelined_requests(self) -> None:
        """H3: 20,000 pipelined requests are answered with 10 times the work of 2,000, in memory that does not grow."""
        counts = []
        for requests in (2_000, 20_000):
            gateway = FakeGateway()
            client = self.serve(gateway=gateway).connect()
            stream = add(1) * requests
            counts.append(self.calls_of(lambda client=client, stream=stream: client.send(stream)))  # type: ignore[misc]
            self.assertEqual(len(gateway.requests), requests)
            self.assertEqual(client.transport.taken.count(b"HTTP/1.1 200 OK\r\n"), requests)
            self.assertLessEqual(client.transport.reads, len(stream) // SEGMENT + 1)
        self.assertLess(counts[1], 11 * counts[0])

    def test_endless_heads(self) -> None:
        """H21, H22, H11: of a head of 20 MB no more is read than the limits and the drain allow."""
        for stream, status in (
            (b"POST /" + b"x" * 20_000_000, 414),
            (b"POST / HTTP/1.1\r\n" + b"A: b\r\n" * 3_000_000, 431),
            (b"POST / HTTP/1.1\r\nA: " + b"x" * 20_000_000, 431),
            (b"X" * 20_000_000, 400),
            (b"\r\n" * 10_000_000, 400),
        ):
            client = self.serve().connect().send(stream)
            self.assertEqual(client.statuses(), [status])
            self.assertLessEqual(client.transport.reads * SEGMENT, (64 << 10) + (256 << 10) + 2 * SEGMENT)
            self.assertFalse(client.transport.reading)

    def test_heads_in_small_pieces(self) -> None:
        """H22: a head is not looked at again from its beginning with each piece that comes."""
        counts = []
        for lines in (300, 3_000):
            client = self.serve(header_block=1 << 20, headers=10_000).connect()
            stream = request("/lists/CL?req=AddRecord", b"", *["A: b" * 5] * lines)
            counts.append(
                self.calls_of(lambda client=client, stream=stream: client.send(stream, 100))  # type: ignore[misc]
            )
            self.assertEqual(client.statuses(), [400])
        self.assertLess(counts[1], 11 * counts[0])

    def test_bodies_in_small_chunks(self) -> None:
        """H20: chunks of one byte cost the same each, however many there are."""
        counts = []
        for size in (2_000, 20_000):
            client = self.serve().connect()
            raw = request("/lists/CL?req=AddRecord", b"", "Transfer-Encoding: chunked")
            raw += chunked(*[bytes((byte,)) for byte in b'{"GSW_PHONE":"1"}' + b" " * size])
            counts.append(self.calls_of(lambda client=client, raw=raw: client.send(raw)))  # type: ignore[misc]
            self.assertEqual(client.statuses(), [200])
        self.assertLess(counts[1], 11 * counts[0])

    def test_bodies_full_of_brackets(self) -> None:
        """H25, H92: a body of 1 MB that is not JSON, or far too deep, costs no more than a small one."""
        for piece in (b"[", b"[{{", b"}-[", b'{"a":', b'"{}', b'{"a":[', b"\\u0000"):
            raw = request(body=piece * (1_000_000 // len(piece)))
            server = self.serve()
            self.assertLess(self.calls_of(lambda server=server, raw=raw: self.ask(raw, server)), 2_000)  # type: ignore[misc]
