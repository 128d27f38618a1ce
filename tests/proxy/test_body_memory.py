"""Memory for bodies that are being received: bounded for all connections together (R53, `[limits] buffered`)."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.proxy.http.chunked import ChunkedBody, SizedBody
from ocsgw.proxy.policy.body_memory import BodyMemory
from tests.support.http import HttpTestCase

_HEAD = b"POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: ocs.example\r\n"


class HoldingsTests(SynchronousTestCase):
    """Shares."""

    def make(self, most: int) -> BodyMemory[str]:
        body_memory: BodyMemory[str] = BodyMemory()
        body_memory.most = most
        return body_memory

    def test_alone(self) -> None:
        """One holder may have everything, and not more."""
        body_memory = self.make(100)
        self.assertTrue(body_memory.hold("a", 100))
        self.assertFalse(body_memory.hold("a", 101))

    def test_share(self) -> None:
        """When it is too much, who has more than an equal share gives up; who has less goes on."""
        body_memory = self.make(100)
        self.assertTrue(body_memory.hold("large", 90))
        self.assertTrue(body_memory.hold("small", 20))
        self.assertEqual(body_memory.total, 110)
        self.assertFalse(body_memory.hold("large", 91))
        self.assertTrue(body_memory.hold("small", 50))
        self.assertFalse(body_memory.hold("small", 51))

    def test_release(self) -> None:
        """What is released is there for others; releasing twice, or without holding, changes nothing."""
        body_memory = self.make(100)
        body_memory.hold("a", 60)
        body_memory.release("a")
        body_memory.release("a")
        self.assertEqual(body_memory.total, 0)
        self.assertTrue(body_memory.hold("b", 100))


class BodyTests(SynchronousTestCase):
    """R53: a body costs what it has, however small its pieces are."""

    def test_sized(self) -> None:
        """H4: a body in pieces of any size is the same body; what is kept is what came."""
        body = SizedBody(6)
        for at, piece in enumerate((b"ab", b"c", b"def")):
            self.assertEqual(body.feed(piece, 0), (at == 2, len(piece)))
        self.assertEqual((body.content, body.held), (b"abcdef", 6))
        counted = SizedBody(6, keep=False)
        counted.feed(b"abc", 0)
        self.assertEqual(counted.held, 0)

    def test_chunked(self) -> None:
        """H24: thousands of tiny chunks cost their content."""
        body = ChunkedBody(1 << 20, 256, 1000, 100)
        body.feed(b"2\r\nab\r\n" * 1000, 0)
        self.assertEqual((body.content, body.held), (b"ab" * 1000, 2000))


class ChannelTests(HttpTestCase):
    """What a client sees."""

    def begin(self, size: int, chunked: bool) -> bytes:
        """Return a request with so much of its body."""
        if chunked:
            return _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + b" " * (size - 1)
        return _HEAD + b"Content-Length: %d\r\n\r\n" % size + b" " * (size - 1)

    def test_too_much(self) -> None:
        """R53: the client that goes beyond gets 503 and is closed; smaller ones, and those after it, are served."""
        for chunked in (False, True):
            server = self.serve(body=1000, buffered=1500)
            first = server.connect().send(self.begin(900, chunked))
            small = server.connect().send(self.begin(100, chunked))
            second = server.connect().send(self.begin(900, chunked))
            (answer,) = second.answers()
            self.assertEqual((answer.status, answer.header("connection")), (503, "close"))
            self.assertEqual((first.statuses(), small.statuses()), ([], []))
            end = b" \r\n0\r\n\r\n" if chunked else b" "
            # A body of blanks is not JSON: it was received to its end.
            self.assertEqual(small.send(end).statuses(), [400])
            self.assertEqual(first.send(end).statuses(), [400])
            self.assertEqual(server.frontend.body_memory.total, 0)
            third = server.connect().send(self.begin(900, chunked))
            self.assertEqual(third.statuses(), [])
            third.vanish()
            self.assertEqual(server.frontend.body_memory.total, 0)

    def test_idle(self) -> None:
        """R53: a connection that waits for its next request keeps nothing of those before."""
        server = self.serve()
        for chunked in (False, True):
            client = server.connect()
            client.send(self.begin(60_000, chunked))
            client.send(b" \r\n0\r\n\r\n" if chunked else b" ")
            self.assertEqual(client.statuses(), [400])
            reader = client.channel._reader
            self.assertEqual((reader._buffer, reader.held), (b"", 0))
