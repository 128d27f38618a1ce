"""Time limits of connections (http.md section 2, H27 to H32): just before and just after each."""

from ocsgw.protocol.messages import HttpLimits
from tests.support.http import FakeGateway, HttpClient, HttpServer, HttpTestCase, request
from tests.support.settings import make_settings

# Limits are looked at once a second.
TICK = 1.0
STEP = 0.25


class TimeLimitTests(HttpTestCase):
    """Each limit by itself; all are different, so that none can stand in for another."""

    def server(self, gateway: FakeGateway | None = None) -> HttpServer:
        return self.serve(
            gateway=gateway,
            header_timeout_ms=10_000,
            body_timeout_ms=20_000,
            idle_timeout_ms=40_000,
            write_timeout_ms=30_000,
        )

    def assert_ends(self, client: HttpClient, seconds: float, statuses: list[int]) -> None:
        """Check that a connection stays for `seconds` and ends right after with these answers."""
        before = client.statuses()
        self.advance(seconds - STEP)
        client.take()
        self.assertEqual((client.statuses(), client.closed), (before, False))
        self.advance(STEP + TICK)
        client.take()
        self.assertEqual((client.statuses(), client.closed), (statuses, True))

    def test_header(self) -> None:
        """H27: 408 when the head is not complete in time, counted from its first byte."""
        for beginning in (b"P", request()[:40], b"POST / HTTP/1.1\r\n", b"\r\n\r\nPOST", request(body=b"")[:-1], b"\r"):
            client = self.server().connect()
            self.advance(5)
            client.send(beginning)
            self.assert_ends(client, 10, [408])

    def test_header_by_drops(self) -> None:
        """H27: more bytes do not begin the time anew."""
        client = self.server().connect()
        for _ in range(9):
            client.send(b"x")
            self.advance(1)
        self.assert_ends(client, 1, [408])

    def test_header_of_a_later_request(self) -> None:
        """H27: each request has its own time, from its own first byte."""
        client = self.server().connect()
        for _ in range(3):
            client.send(request()[:20])
            self.advance(9.5)
            client.send(request()[20:])
        self.assertEqual(client.statuses(), [200] * 3)
        client.send(b"POST")
        self.assert_ends(client, 10, [200] * 3 + [408])

    def test_header_behind_a_pending_request(self) -> None:
        """H3, H27: 408 comes after the answers before it."""
        gateway = FakeGateway(holds=True)
        client = self.server(gateway).connect().send(request() + b"POST")
        self.advance(12)
        self.assertEqual(client.take().statuses(), [])
        gateway.release()
        self.assertEqual(client.take().statuses(), [200, 408])
        self.assertTrue(client.closed)

    def test_body(self) -> None:
        """H28: 408 when the body is not complete in time, counted from the head; nothing is handed over (H350)."""
        for rest in (("Content-Length: 5",), ("Transfer-Encoding: chunked",)):
            gateway = FakeGateway()
            client = self.server(gateway).connect()
            head = request("/lists/CL?req=AddRecord", b"", *rest)
            client.send(head[:-1])
            self.advance(8)
            client.send(head[-1:])
            self.assert_ends(client, 20, [408])
            self.assertEqual(gateway.requests, [])

    def test_body_by_drops(self) -> None:
        """H28: more bytes do not begin the time anew."""
        client = self.server().connect().send(request("/lists/CL?req=AddRecord", b"", "Content-Length: 500"))
        for _ in range(19):
            client.send(b" ")
            self.advance(1)
        self.assert_ends(client, 1, [408])

    def test_body_in_time(self) -> None:
        """H28: a body that is complete just before the limit is taken."""
        client = self.server().connect().send(request()[:-1])
        self.advance(19.5)
        self.assertEqual(client.send(request()[-1:]).statuses(), [200])

    def test_body_of_a_refused_request(self) -> None:
        """H11, H28: a body that nobody needs ends the connection when it does not come; its answer has been given."""
        client = self.server().connect().send(request("/nowhere", b"", "Content-Length: 5"))
        self.assert_ends(client, 20, [404])

    def test_chunks_of_a_refused_request(self) -> None:
        """H11, H28: the same for chunks, where the answer waits for their end."""
        client = self.server().connect().send(request("/nowhere", b"", "Transfer-Encoding: chunked") + b"1\r\n")
        self.assert_ends(client, 20, [404])

    def test_idle(self) -> None:
        """H29: closed without an answer, counted from the beginning or the last answer."""
        self.assert_ends(self.server().connect(), 40, [])
        client = self.server().connect()
        for number in range(1, 4):
            self.advance(39)
            client.send(request())
            self.assertEqual(client.statuses(), [200] * number)
        self.assert_ends(client, 40, [200] * 3)

    def test_not_idle(self) -> None:
        """H29, H30: a connection that waits for OCS is not idle; afterwards it has the whole time again."""
        gateway = FakeGateway(holds=True)
        client = self.server(gateway).connect().send(request())
        self.advance(100)
        self.assertFalse(client.take().closed)
        gateway.release()
        self.assertEqual(client.take().statuses(), [200])
        self.assert_ends(client, 40, [200])

    def test_limits_of_the_moment(self) -> None:
        """P100: new limits count for open connections too."""
        server = self.server()
        client = server.connect()
        server.frontend.use(make_settings(limits=HttpLimits(idle_timeout_ms=5_000)))
        self.assert_ends(client, 5, [])

    def test_lingering(self) -> None:
        """H11: after the last answer a client has a moment to close; one that does not is cut."""
        server = self.server()
        client = server.connect().send(request("/nowhere", b"", "Connection: close"))
        self.assertTrue(client.transport.write_closed)
        self.assertTrue(client.transport.connected)
        self.advance(3.25)
        self.assertFalse(client.transport.connected)
        self.assertEqual(server.frontend.connections, set())

    def test_still_taking(self) -> None:
        """H11: a client that has not taken its last answer yet, which the system keeps for it, is not cut."""
        server = self.server()
        client = server.connect().send(request("/nowhere", b"", "Connection: close"))
        client.transport.kept_by_system = 50_000
        self.advance(20)
        self.assertTrue(client.transport.connected)
        client.transport.kept_by_system = 0
        self.advance(3.25)
        self.assertFalse(client.transport.connected)
        self.assertEqual(server.frontend.connections, set())

    def test_never_taken(self) -> None:
        """H31: a last answer that the system keeps waits for `write_timeout`, however slowly it is taken."""
        server = self.server()
        client = server.connect().send(request("/nowhere", b"", "Connection: close"))
        client.transport.kept_by_system = 50_000
        most = server.frontend.limits.write_timeout_ms / 1000
        self.advance(most)
        self.assertTrue(client.transport.connected)
        self.advance(6)
        self.assertFalse(client.transport.connected)
        self.assertEqual(server.frontend.connections, set())

    def test_many(self) -> None:
        """H27 to H29: 25 connections of each kind end in their time, none earlier, none later."""
        server = self.server(FakeGateway(holds=True))
        kinds = {
            "idle": (b"", 40),
            "header": (request()[:30], 10),
            "body": (request()[:-1], 20),
            "pending": (request(), 1000),
        }
        clients = [(server.connect().send(raw), seconds) for raw, seconds in kinds.values() for _ in range(25)]
        for moment in (9.5, 11.25, 19.5, 21.25, 39.5, 41.25):
            self.advance(moment - self.clock.seconds())
            server.work()
            self.assertEqual(
                [client.closed for client, _ in clients], [moment > seconds for _, seconds in clients], moment
            )


class ConnectionLimitTests(HttpTestCase):
    """H32."""

    def test_longest_idle_gives_way(self) -> None:
        """H32: at the limit the connection that is idle for the longest time is closed, the new one is served."""
        server = self.serve(connections=3)
        clients = []
        for _ in range(3):
            clients.append(server.connect())
            self.advance(1)
        clients[0].send(request())
        newest = server.connect()
        self.assertEqual([client.closed for client in clients], [False, True, False])
        self.assertEqual(newest.send(request()).statuses(), [200])
        self.assertEqual(clients[0].send(request()).statuses(), [200, 200])
        self.assertEqual(clients[1].statuses(), [])

    def test_nobody_idle(self) -> None:
        """H29, H32: a connection with a request on it is never closed for another; the new one gets 503."""
        gateway = FakeGateway(holds=True)
        server = self.serve(connections=3, gateway=gateway)
        busy = [server.connect().send(raw) for raw in (request(), request()[:30], request()[:-1])]
        for _ in range(3):
            refused = server.connect()
            (answer,) = refused.answers()
            self.assertEqual((answer.status, answer.error), (503, "Outbound Contact Server is busy"))
            self.assertEqual((answer.header("retry-after"), answer.header("connection")), ("1", "close"))
            self.assertTrue(refused.closed)
        busy[1].send(request()[30:])
        busy[2].send(request()[-1:])
        while gateway.waiting:
            gateway.release()
        self.assertEqual([client.take().statuses() for client in busy], [[200]] * 3)

    def test_room_again(self) -> None:
        """H32: a connection that is gone makes room; one that is refused takes none for long."""
        server = self.serve(connections=1, gateway=FakeGateway(holds=True))
        first = server.connect().send(request())
        self.assertEqual(server.connect().statuses(), [503])
        first.vanish()
        self.advance(4)
        server.work()
        self.assertEqual(server.frontend.connections, set())
        self.assertEqual(server.connect().statuses(), [])

    def test_flood(self) -> None:
        """H13, H32: whoever floods the port pushes out idle connections only."""
        gateway = FakeGateway(holds=True)
        server = self.serve(connections=10, gateway=gateway)
        working = server.connect().send(request())
        for _ in range(200):
            server.connect()
        self.assertLessEqual(len(server.frontend.connections), 10)
        gateway.release()
        self.assertEqual(working.take().statuses(), [200])

    def test_one_bad_connection(self) -> None:
        """R53: a connection whose transport fails ends neither the watch over the others nor the drain."""

        def fail() -> None:
            raise ZeroDivisionError

        server = self.serve(idle_timeout_ms=5_000)
        clients = [server.connect() for _ in range(3)]
        self.patch(clients[0].transport, "loseConnection", fail)
        self.advance(6)
        self.assertEqual([client.take().closed for client in clients], [False, True, True])
        later = [server.connect() for _ in range(2)]
        self.patch(later[0].channel, "drain", fail)
        server.frontend.drain(lambda: None)
        self.assertTrue(later[1].take().closed)
        self.advance(2)
        clients[0].vanish()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
