"""What other servers of the store tell, with a store that the test has in its hands."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.news import KEPT, StoredNews, text_of
from ocsgw.contact.notices import Notice
from ocsgw.contact.outbox import Change, GroupChanged
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.ocs.applications import Applications
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.news_reader import NewsReader
from ocsgw.ocs.store_service import StoreService
from ocsgw.store.errors import CommitUnknownError
from tests.support.logs import LogCapture

_ROUND = 0.5


class FakeStore:
    """A store that server `ours` serves with others; transactions are carried out at once, or when the test says so."""

    origin = "ours"

    def __init__(self) -> None:
        self.news: list[StoredNews] = []
        self.newest_entry = 0
        # What the next transactions fail with.
        self.failures: list[Exception] = []
        self.held: list[Deferred[Any]] | None = None
        # The time, in seconds since 1970.
        self.now = 1_790_000_000
        self.transactions = 0
        self.counted_anew = 0

    def clock(self) -> float:
        return self.now

    def committer(self) -> "FakeStore":
        return self

    def chore(self, function: Callable[[Any], Any], *, alone: bool = True) -> "Deferred[Any]":
        if self.held is None:
            return maybeDeferred(self._transact, function)
        done: Deferred[Any] = Deferred()
        self.held.append(done)
        return done.addCallback(lambda _: self._transact(function))

    def _transact(self, function: Callable[[Any], Any]) -> Any:
        self.transactions += 1
        if self.failures:
            raise self.failures.pop(0)
        return function(SimpleNamespace(tx=self, backlog=self, now=self.now))

    # Of a backlog.

    def forget(self) -> None:
        self.counted_anew += 1

    # Of a transaction.

    def news_after(self, number: int, at_most: int) -> list[StoredNews]:
        return [each for each in self.news if each.number > number][:at_most]

    def newest_news(self) -> int:
        return self.news[-1].number if self.news else 0

    def outbox_bounds(self) -> tuple[int, int]:
        return 1, self.newest_entry


class FakeApplications:
    """Keeps what desktops would be told; it fails on events that are in `failing`."""

    def __init__(self) -> None:
        self.told: list[Notice | GroupChanged] = []
        # After how many that were told clients were asked to connect again.
        self.left_after: list[int] = []
        self.failing: set[str] = set()

    def _take(self, news: Sequence[Any]) -> None:
        for each in news:
            if each.event in self.failing:
                raise ZeroDivisionError
            self.told.append(each)

    def start_over(self, reason: str) -> None:
        self.left_after.append(len(self.told))

    def show(self, notices: Sequence[Notice]) -> None:
        assert all(isinstance(each, Notice) for each in notices)
        self._take(notices)

    def publish(self, changes: Sequence[Change]) -> None:
        assert all(isinstance(each, GroupChanged) for each in changes)
        self._take(changes)


class NewsReaderTests(SynchronousTestCase):
    """One server; the others are played by the store."""

    def setUp(self) -> None:
        self.log = LogCapture(self)
        self.clock, self.store, self.applications = Clock(), FakeStore(), FakeApplications()
        self.rings = 0
        self.ring_fails = False
        self.reader = NewsReader(
            cast("OCSContext", SimpleNamespace(reactor=self.clock)),
            cast("StoreService", self.store),
            cast("Applications", self.applications),
            self.ring,
        )

    def ring(self, changes: Sequence[Change]) -> None:
        """Be told that the outbox has grown."""
        self.rings += 1
        if self.ring_fails:
            raise ZeroDivisionError

    def start(self) -> None:
        """Start, with a stop at the end that leaves nothing behind."""
        self.reader.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """Stop; nothing is due any more."""
        if self.reader.running:
            self.reader.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def write(self, *events: str, origin: str = "theirs", number: int = 0) -> None:
        """Let a server write notices, numbered from `number` on."""
        for at, event in enumerate(events, number or self.store.newest_news() + 1):
            self.store.news.append(StoredNews(at, origin, text_of(Notice(event, {}, ("a1",)))))

    @property
    def told(self) -> list[str]:
        """The events that desktops were told."""
        return [each.event for each in self.applications.told]

    def test_elsewhere(self) -> None:
        """What another server does after the start is told here as it was there, in order, once."""
        self.write("before")
        self.start()
        notice = Notice("RecordCancel", {"GSW_RECORD_HANDLE": 7}, ("a1", "a2"), but_session=3)
        group = GroupChanged("CampaignStopped", {"GSW_CAMPAIGN_GROUP_DBID": 102}, "loaded", "guid")
        for each in (notice, group):
            self.store.news.append(StoredNews(self.store.newest_news() + 1, "theirs", text_of(each)))
        self.assertEqual(self.applications.told, [])
        self.clock.pump([_ROUND] * 3)
        # The session is one of the other server.
        self.assertEqual(self.applications.told, [Notice(notice.event, notice.members, notice.agents), group])

    def test_own(self) -> None:
        """What this server has done it has told already."""
        self.start()
        self.write("one", origin="ours")
        self.write("two")
        self.write("three", origin="ours")
        self.clock.pump([_ROUND] * 3)
        self.assertEqual(self.told, ["two"])

    def test_bell(self) -> None:
        """Readers of events are woken once whenever the outbox has grown; what waits is counted anew each time."""
        self.start()
        self.assertEqual((self.rings, self.store.counted_anew), (0, 1))
        for newest in (1, 3):
            self.store.newest_entry = newest
            self.clock.pump([_ROUND] * 2)
        self.assertEqual((self.rings, self.store.counted_anew), (2, 5))

    def test_failures(self) -> None:
        """An outage is logged once; the next round reads on where the last one has ended, nothing twice, none lost."""
        self.start()
        self.write("one")
        self.clock.advance(_ROUND)
        for outage in (1, 2):
            self.store.failures = [StoreFailureError("no connection"), CommitUnknownError("gone"), StoreFailureError()]
            self.write(f"in outage {outage}")
            self.clock.pump([_ROUND] * 3)
            self.assertEqual(self.log.numbers(), [93228] * outage)
            self.assertIn("no connection", self.log.text(93228))
            self.write(f"after outage {outage}")
            self.clock.pump([_ROUND] * 2)
        self.assertEqual(self.told, ["one", "in outage 1", "after outage 1", "in outage 2", "after outage 2"])

    def test_failure_at_the_start(self) -> None:
        """Where the first reading fails, the next one says what is new."""
        self.store.failures = [StoreFailureError("no connection")]
        self.write("before")
        self.start()
        self.clock.advance(_ROUND)
        self.write("one")
        self.clock.advance(_ROUND)
        self.assertEqual(self.told, ["one"])
        # Who has come before has missed what was told meanwhile.
        self.assertEqual((self.applications.left_after, self.log.numbers()), ([0], [93228, 93229]))

    def test_too_late(self) -> None:
        """A server that stood still until news may be forgotten tells what is left; then clients have to come again."""
        self.start()
        self.write("one")
        self.clock.advance(_ROUND)
        for still, left in ((KEPT // 2, 0), (KEPT + 1, 1), (1, 1), (KEPT * 100, 2)):
            self.store.now += still
            self.write(f"after {still}")
            self.clock.pump([_ROUND] * 2)
            self.assertEqual(len(self.applications.left_after), left)
        self.assertEqual(self.log.numbers(), [93229, 93229])
        self.assertIn(f"for {KEPT + 1} s", self.log.texts(93229)[0])
        self.assertEqual(self.applications.left_after, [3, 5])
        self.assertEqual(len(self.told), 5)

    def test_outage_that_is_too_long(self) -> None:
        """An outage of the store has the same effect, and a clock that is set back has none."""
        self.start()
        self.clock.advance(_ROUND)
        self.store.failures = [StoreFailureError("no connection")]
        self.clock.advance(_ROUND)
        self.store.now += KEPT
        self.clock.pump([_ROUND] * 2)
        self.assertEqual(self.log.numbers(), [93228, 93229])
        self.store.now -= 10 * KEPT
        self.clock.pump([_ROUND] * 2)
        self.assertEqual(self.applications.left_after, [0])

    def test_a_defect(self) -> None:
        """Whatever else fails is logged with its traceback, and the next round comes."""
        self.start()
        self.write("one")
        self.store.failures = [ZeroDivisionError(), ZeroDivisionError()]
        self.clock.pump([_ROUND] * 3)
        self.assertEqual((self.log.numbers(), self.told), ([93156], ["one"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_gaps(self) -> None:
        """Numbers are left out by what was rolled back, and the first ones are forgotten, or all of them."""
        self.start()
        self.write("one", number=5)
        self.clock.advance(_ROUND)
        self.write("two", number=90)
        del self.store.news[0]
        self.clock.advance(_ROUND)
        self.store.news.clear()
        self.clock.advance(_ROUND)
        self.write("three", number=91)
        self.clock.pump([_ROUND] * 2)
        self.assertEqual(self.told, ["one", "two", "three"])

    def test_numbers_begin_again(self) -> None:
        """A standby database that has missed the last transactions gives their numbers again."""
        self.start()
        self.write("one", "two", "lost")
        self.clock.advance(_ROUND)
        del self.store.news[-1]
        self.clock.advance(_ROUND)
        self.write("three")
        self.clock.pump([_ROUND] * 2)
        self.assertEqual(self.told, ["one", "two", "lost", "three"])

    def test_long_backlog(self) -> None:
        """However much there is, it is told in one round, a page in each transaction."""
        self.start()
        events = [str(at) for at in range(2500)]
        self.write(*events)
        self.store.transactions = 0
        self.clock.advance(_ROUND)
        self.assertEqual((self.told, self.store.transactions), (events, 3))

    def test_stop_in_a_reading(self) -> None:
        """What is being read at a stop is told nobody, and no more is read; a later start begins with the newest."""
        self.start()
        self.write(*["late"] * 1500)
        self.store.held, self.store.newest_entry = [], 9
        self.clock.advance(_ROUND)
        (read,) = self.store.held
        self.reader.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        read.callback(None)
        self.clock.pump([_ROUND] * 3)
        self.assertEqual((self.told, self.rings, len(self.store.held)), ([], 0, 1))
        self.store.held = None
        self.reader.startService()
        self.write("one")
        self.clock.advance(_ROUND)
        self.assertEqual((self.told, self.rings), (["one"], 1))

    def test_stop_in_an_outage(self) -> None:
        """A reading that fails because the server stops is not worth a word."""
        self.start()
        self.store.held, self.store.failures = [], [StoreFailureError("the store is closed")]
        self.clock.advance(_ROUND)
        self.reader.stopService()
        self.store.held[0].callback(None)
        self.assertEqual(self.log.numbers(), [])

    def test_failing_callbacks(self) -> None:
        """Who cannot be told, and news that cannot be read, concern nobody else, and nothing is told again."""
        self.start()
        self.store.newest_entry, self.ring_fails = 1, True
        self.applications.failing = {"bad"}
        self.write("one", "bad", "two")
        self.store.news.append(StoredNews(4, "theirs", "{"))
        self.write("three")
        self.clock.pump([_ROUND] * 3)
        self.assertEqual((self.told, self.rings), (["one", "two", "three"], 1))
        self.assertEqual(self.log.numbers(), [93110] * 3)
        self.assertEqual(len(self.flushLoggedErrors()), 3)
