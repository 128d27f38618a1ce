"""Large bodies and the time of everybody else (R53)."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.http.exchange import Exchange
from ocsgw.proxy.http.grammar import NO_HEAD, NO_LINE
from ocsgw.proxy.policy.body_memory import BodyMemory
from ocsgw.proxy.policy.fairness import LARGE, LargeBodies
from tests.support.http import HttpTestCase

_HEAD = b"POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: ocs.example\r\n"


class LargeBodyTests(SynchronousTestCase):
    """Turns and rests."""

    def setUp(self) -> None:
        self.time = Clock()
        self.body_memory: BodyMemory[object] = BodyMemory()
        self.body_memory.most = 1000
        self.large = LargeBodies(self.time, self.body_memory)
        self.carried: list[str] = []
        self.refused: list[Refusal] = []

    def take(self, name: str, seconds: float, size: int = 100) -> None:
        """Let a body come whose reading takes some time."""

        def carry() -> None:
            self.carried.append(name)
            self.time.rightNow += seconds

        self.large.take(Exchange(NO_LINE, NO_HEAD, "127.0.0.1", None, None), size, carry, self.refused.append)

    def test_rest(self) -> None:
        """R53: after a body that took a while the next one waits as long; others have that time."""
        self.take("first", 0.4)
        self.take("second", 0.1)
        self.take("third", 0.1)
        self.assertEqual(self.carried, ["first"])
        self.time.advance(0.39)
        self.assertEqual(self.carried, ["first"])
        self.time.advance(0.02)
        self.assertEqual(self.carried, ["first", "second"])
        self.time.advance(0.11)
        self.assertEqual(self.carried, ["first", "second", "third"])
        self.assertEqual(self.body_memory.total, 0)

    def test_quick(self) -> None:
        """What takes no time to speak of needs no rest."""
        for name in "abc":
            self.take(name, 0.0001)
        self.assertEqual(self.carried, ["a", "b", "c"])

    def test_too_many(self) -> None:
        """R53: bodies that wait count as memory that is held; beyond the limit there is a refusal."""
        self.take("first", 1.0)
        for _ in range(10):
            self.take("waiting", 0.0)
        self.assertEqual(self.refused, [])
        self.take("large", 0.0, size=500)
        self.assertEqual([each.code for each in self.refused], ["busy"])
        self.assertEqual(self.body_memory.total, 1000)

    def test_stop(self) -> None:
        """P89: at the end everything that waits is carried out, and nothing is left to do."""
        self.take("first", 0.4)
        self.take("second", 0.4)
        self.large.stop()
        self.assertEqual(self.carried, ["first", "second"])
        self.assertEqual(self.time.getDelayedCalls(), [])

    def test_defects(self) -> None:
        """R53: a body whose handling fails costs its own request; those behind it have their turn."""

        def fail() -> None:
            self.time.rightNow += 0.4
            raise ZeroDivisionError

        exchange = Exchange(NO_LINE, NO_HEAD, "127.0.0.1", None, None)
        for stop in (False, True):
            self.take("first", 0.4)
            self.large.take(exchange, 100, fail, self.refused.append)
            self.take("second", 0.0)
            if stop:
                self.large.stop()
            else:
                self.time.pump([0.5, 0.5, 0.5])
            self.assertEqual(self.carried, ["first", "second"])
            self.assertEqual([each.code for each in self.refused], ["internal"])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.carried.clear()
            self.refused.clear()
        self.assertEqual(self.body_memory.total, 0)


class ChannelTests(HttpTestCase):
    """What a client sees."""

    def test_order(self) -> None:
        """H3: answers keep the order of their requests, whether large or small."""
        server = self.serve()
        sizes = (2, 2 * LARGE, 3, 3 * LARGE)
        requests = [_HEAD + b"Content-Length: %d\r\n\r\n%b" % (size, b"{}".ljust(size)) for size in sizes]
        client = server.connect().send(b"".join(requests))
        self.assertEqual(client.statuses(), [400] * 4)
