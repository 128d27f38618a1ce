"""Orders of outgoing calls and their verdicts (protocol.md P110)."""

from twisted.internet.task import Clock

from ocsgw.ocs.outgoing import Orders, was_tried
from ocsgw.protocol.messages import Message, Validate, Verdict
from ocsgw.protocol.sendable import UnsendableError
from tests.support.case import ClockTestCase


class OrderTests(ClockTestCase):
    """P110."""

    def setUp(self) -> None:
        self.reactor = Clock()
        self.sent: list[Message] = []
        self.orders = Orders(self.reactor, self.sent.append)

    def test_verdict(self) -> None:
        """P110: each order has a number of its own and gets its verdict; a second one is dropped."""
        first, second = (self.orders.order("history", "http://x/", {"a": n}, 1.5) for n in (1, 2))
        self.assertEqual(
            self.sent,
            [Validate(ref=n, purpose="history", uri="http://x/", data={"a": n}, timeout_ms=1500) for n in (1, 2)],
        )
        verdict = Verdict(ref=2, outcome="positive", status=200, data={})
        self.orders.take(verdict)
        self.orders.take(verdict)
        self.assertIs(self.successResultOf(second), verdict)
        self.assertNoResult(first)

    def test_no_verdict(self) -> None:
        """P110: none within the time and a second: failed, timeout; none because the link is lost: failed, connect."""
        late = self.orders.order("history", "http://x/", {}, 1.5)
        self.reactor.advance(2.4)
        self.assertNoResult(late)
        self.reactor.advance(0.1)
        self.assertEqual(self.successResultOf(late).reason, "timeout")
        lost = self.orders.order("history", "http://x/", {}, 1.5)
        self.orders.lost()
        verdict = self.successResultOf(lost)
        self.assertEqual((verdict.reason, was_tried(verdict)), ("connect", False))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_unsendable(self) -> None:
        """What cannot cross the link has failed at once."""

        def refuse(message: Message) -> None:
            raise UnsendableError("too large")

        done = Orders(self.reactor, refuse).order("history", "http://x/", {}, 1.5)
        self.assertEqual((self.successResultOf(done).outcome, self.reactor.getDelayedCalls()), ("failed", []))
