"""How connections end (http.md H2, H11, H12, H350 to H353): by either side, at any moment, and at a stop."""

from collections.abc import Callable

from tests.support.http import SEGMENT, FakeGateway, HttpClient, HttpServer, HttpTestCase, chunked, request

ADD = "/lists/CL?req=AddRecord"
LAST = request(ADD, b'{"GSW_PHONE":"1"}', "Connection: close")
REFUSED = request("/nowhere", b"", "Content-Length: 50")
REFUSED_CHUNKS = request("/nowhere", b"", "Transfer-Encoding: chunked") + b"5\r\nabcde\r\n"
INVITED = request(ADD, b"", "Expect: 100-continue", "Content-Length: 17")

# What a client may have sent so far: bytes, and how many of its requests are complete and handed over.
STATES: tuple[tuple[str, bytes, int], ...] = (
    ("idle", b"", 0),
    ("empty line", b"\r\n", 0),
    ("first byte", b"P", 0),
    ("request line", b"POST / HTTP/1.1\r\n", 0),
    ("head but for its end", request(body=b"")[:-1], 0),
    ("body", request()[:-1], 0),
    ("chunk", request(ADD, b"", "Transfer-Encoding: chunked") + b"5\r\nab", 0),
    ("trailers", request(ADD, b"", "Transfer-Encoding: chunked") + chunked(b"{}")[:-2], 0),
    ("invited", INVITED, 0),
    ("pending", request(), 1),
    ("two pending", request() * 2, 2),
    ("pending and a part", request() + b"POST", 1),
    ("pending and a body", request() + request()[:-1], 1),
    ("pending and an invitation", request() + INVITED, 1),
    ("last pending", LAST, 1),
    ("last pending and more", LAST + request(), 1),
    ("full window", request() * 9, 4),
    ("body of a refused one", REFUSED, 0),
    ("chunks of a refused one", REFUSED_CHUNKS, 0),
    ("pending and a body of a refused one", request() + REFUSED, 1),
    ("refused for good", b"rubbish\r\n\r\n", 0),
    ("pending and refused for good", request() + b"rubbish\r\n\r\n", 1),
)


class EndingTestCase(HttpTestCase):
    """Every state, on both ways through the channel."""

    def in_every_state(self, check: Callable[[HttpServer, HttpClient, FakeGateway, str, int], None]) -> None:
        def run(row: tuple[str, bytes, int, bool]) -> None:
            name, raw, handed, short_cut = row
            gateway = FakeGateway(holds=True)
            server = self.serve(short_cut=short_cut, gateway=gateway, pipeline=4)
            client = server.connect().send(raw)
            self.assertEqual(len(gateway.requests), handed)
            check(server, client, gateway, name, handed)
            server.stop()

        self.for_each([(*state, short_cut) for state in STATES for short_cut in (True, False)], run)

    def release_all(self, gateway: FakeGateway, client: HttpClient) -> None:
        """Let OCS answer everything, also what is handed over meanwhile."""
        client.take()
        while gateway.waiting:
            gateway.release()
            client.take()


class HalfCloseTests(EndingTestCase):
    """H12: a client that sends nothing more."""

    def test_in_every_state(self) -> None:
        """H12, H350: complete requests are answered, the last with `Connection: close`; a part changes nothing."""

        def check(server: HttpServer, client: HttpClient, gateway: FakeGateway, name: str, handed: int) -> None:
            client.half_close()
            if handed:
                self.assertFalse(client.closed)
            self.release_all(gateway, client)
            statuses = [status for status in client.statuses() if status != 100]
            whole = 9 if name == "full window" else handed
            self.assertEqual(statuses[:whole], [200] * whole)
            self.assertEqual(len(gateway.requests), whole)
            self.assertLessEqual(len(statuses), whole + 1)
            self.assertFalse(client.transport.connected)
            self.assertEqual(server.frontend.connections, set())

        self.in_every_state(check)

    def test_says_that_it_is_the_last(self) -> None:
        """H2, H12: the answer to the last request before a half-close has `Connection: close`."""
        gateway = FakeGateway(holds=True)
        client = self.serve(gateway=gateway).connect().send(request() * 2).half_close()
        gateway.release(1)
        gateway.release(0)
        self.assertEqual([a.header("connection") for a in client.take().answers()], [None, "close"])


class VanishingTests(EndingTestCase):
    """H350, H351: a client that is gone."""

    def test_in_every_state(self) -> None:
        """H13, H351: nothing is left of it; what was handed over is carried out, late answers harm nobody."""

        def check(server: HttpServer, client: HttpClient, gateway: FakeGateway, name: str, handed: int) -> None:
            other = server.connect()
            client.vanish()
            self.assertEqual(server.frontend.connections, {other.channel})
            while gateway.waiting:
                gateway.release()
            self.assertEqual(len(gateway.requests), handed)
            gateway.holds = False
            self.assertEqual(other.send(request()).statuses(), [200])
            self.advance(100)
            server.work()
            self.assertEqual(server.frontend.connections, set())

        self.in_every_state(check)

    def test_while_it_does_not_read(self) -> None:
        """H31, H351: the same for a client that had stopped reading."""
        server = self.serve()
        client = server.connect().stall().send(request() * 3000)
        client.vanish()
        self.advance(60)
        self.assertEqual(server.frontend.connections, set())


class StopTests(EndingTestCase):
    """H353: the end of HTTP Proxy."""

    def test_in_every_state(self) -> None:
        """H353: what is in work is answered, the last answer says so; idle connections are closed at once."""

        def check(server: HttpServer, client: HttpClient, gateway: FakeGateway, name: str, handed: int) -> None:
            gone: list[bool] = []
            server.frontend.drain(lambda: gone.append(True))
            client.take()
            if name in ("idle", "empty line"):
                self.assertFalse(client.transport.connected)
            self.release_all(gateway, client)
            answers = [answer for answer in client.answers() if answer.status != 100]
            whole = 9 if name == "full window" else handed
            self.assertEqual([answer.status for answer in answers][:whole], [200] * whole)
            if client.closed and answers:
                self.assertEqual(answers[-1].header("connection"), "close")
            self.advance(60)
            server.work()
            self.assertEqual(gone, [True])
            self.assertEqual(server.frontend.connections, set())

        self.in_every_state(check)

    def test_begun_requests_are_ended(self) -> None:
        """H353: a request that is half there at the stop may still be completed, and is answered."""
        for raw in (request(), request(ADD, b"", "Transfer-Encoding: chunked") + chunked(b'{"GSW_PHONE":"1"}')):
            for cut in (1, 30, len(raw) - 1):
                server = self.serve()
                client = server.connect().send(raw[:cut])
                server.frontend.drain(lambda: None)
                (answer,) = client.send(raw[cut:]).answers()
                self.assertEqual((answer.status, answer.header("connection")), (200, "close"))
                self.assertTrue(client.closed)

    def test_keep_alive_ends(self) -> None:
        """H353: after the answer no further request is taken."""
        gateway = FakeGateway(holds=True)
        server = self.serve(gateway=gateway)
        client = server.connect().send(request())
        server.frontend.drain(lambda: None)
        gateway.release()
        client.take().send(request())
        self.assertEqual(client.statuses(), [200])
        self.assertEqual(len(gateway.requests), 1)

    def test_new_connections(self) -> None:
        """H353: a connection that comes in between is closed without an answer."""
        gateway = FakeGateway(holds=True)
        server = self.serve(gateway=gateway)
        server.connect().send(request())
        server.frontend.drain(lambda: None)
        late = server.connect()
        self.assertTrue(late.closed)
        self.assertEqual(late.send(request()).statuses(), [])

    def test_nobody_there(self) -> None:
        """H353: without connections the end comes at once; asked twice, only the last one who asks is reported."""
        told: list[int] = []
        self.serve().frontend.drain(lambda: told.append(1))
        server = self.serve(gateway=FakeGateway(holds=True))
        client = server.connect().send(request())
        server.frontend.drain(lambda: told.append(2))
        server.frontend.drain(lambda: told.append(3))
        client.vanish()
        self.assertEqual(told, [1, 3])


class DrainTests(HttpTestCase):
    """H11: what still comes after a fatal answer."""

    def test_answer_arrives(self) -> None:
        """H11: the server reads on, so that the answer is not lost, but no more than `drain`."""
        server = self.serve(drain=256 << 10)
        client = server.connect().send(request(ADD, b"", "Content-Length: 20000000") + b" " * 20_000_000)
        self.assertEqual(client.statuses(), [413])
        self.assertLessEqual(client.transport.reads * SEGMENT, (256 << 10) + 2 * SEGMENT)
        self.assertFalse(client.transport.reading)
        self.advance(4)
        self.assertFalse(client.transport.connected)

    def test_small_rest_is_read(self) -> None:
        """H11: a rest below the limit is read to its end, then the client closes in peace."""
        client = (
            self.serve(drain=256 << 10).connect().send(request(ADD, b"", "Content-Length: 2000000") + b" " * 200_000)
        )
        self.assertTrue(client.transport.reading)
        client.half_close()
        self.assertFalse(client.transport.connected)
        self.assertFalse(client.transport.aborted)

    def test_not_for_ever(self) -> None:
        """H11: a client that goes on sending below the limit is cut all the same."""
        client = self.serve().connect().send(b"rubbish\r\n\r\n")
        for _ in range(20):
            client.send(b"x")
            self.advance(0.25)
        self.assertFalse(client.transport.connected)

    def test_our_side_first(self) -> None:
        """H11: our side is closed with the answer, so that a client that waits for the end is not kept waiting."""
        for raw in (b"rubbish\r\n\r\n", LAST, request(version="HTTP/1.0")):
            client = self.serve().connect().send(raw)
            self.assertTrue(client.transport.write_closed)
            client.half_close()
            self.assertFalse(client.transport.connected)
