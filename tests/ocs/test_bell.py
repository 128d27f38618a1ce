"""Who waits for what is committed next is told, once."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.outbox import GroupChanged
from ocsgw.ocs.bell import Bell
from ocsgw.protocol.messages import News
from tests.ocs.service import ServiceTestCase
from tests.support.logs import LogCapture

_CHANGE = [GroupChanged("CampaignLoaded", {}, "loaded", "")]


class BellTests(SynchronousTestCase):
    """The bell alone."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.bell = Bell(self.clock)
        self.told: list[str] = []

    def wait(self, who: str) -> None:
        """Wait for the next commit."""
        self.bell.wait(who, lambda: self.told.append(who))

    def test_once(self) -> None:
        """Everybody who waits is told once, a moment after the first of several commits."""
        self.wait("a")
        self.wait("a")
        self.wait("b")
        for _ in range(3):
            self.bell.ring(_CHANGE)
        self.assertEqual(self.told, [])
        self.clock.advance(0.05)
        self.assertEqual(self.told, ["a", "b"])
        self.bell.ring(_CHANGE)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["a", "b"], []))

    def test_nobody(self) -> None:
        """While nobody waits, and once nobody waits any more, a commit leaves nothing to do."""
        self.bell.ring(_CHANGE)
        self.wait("a")
        self.bell.forget("a")
        self.bell.forget("b")
        self.bell.ring(_CHANGE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again(self) -> None:
        """Who is told and waits again at once is told of the next commit."""
        self.bell.wait("a", lambda: self.wait("a"))
        for _ in range(2):
            self.bell.ring(_CHANGE)
            self.clock.advance(0.05)
        self.assertEqual(self.told, ["a"])

    def test_a_failure(self) -> None:
        """One that cannot be told does not concern the next."""
        LogCapture(self)
        self.bell.wait("a", lambda: 1 // 0)  # type: ignore[arg-type]  # it returns nothing
        self.wait("b")
        self.bell.ring(_CHANGE)
        self.clock.advance(0.05)
        self.assertEqual(self.told, ["b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class LinkTests(ServiceTestCase):
    """The whole OCS."""

    def test_news(self) -> None:
        """A proxy that has asked is told after a commit, one time for each time that it asks."""
        proxy = self.start()

        def news() -> int:
            return len([each for each in proxy.received() if isinstance(each, News)])

        def change() -> None:
            for order in ("stop", "start"):
                done: Deferred[Any] = self.service.commands["campaign"].run({"order": order, "name": "102"})
                self.reactor.advance(0)
                self.successResultOf(done)
            self.reactor.advance(0.1)

        change()
        self.assertEqual(news(), 0)
        proxy.send(News())
        self.assertEqual(news(), 0)
        change()
        change()
        self.assertEqual(news(), 1)
        proxy.send(News())
        change()
        self.assertEqual(news(), 2)
        self.stop(proxy)
