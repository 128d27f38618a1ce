"""The sender of notifications: order, repetition, what is dropped, restarts (outgoing.md O52 to O54, O62)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import structs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ocsgw.contact.backlog import Backlog
from ocsgw.contact.outbox import Delivery
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.counters import NOTIFICATIONS_LAG, NOTIFICATIONS_WAITING
from ocsgw.ocs.duty import Duty
from ocsgw.ocs.notifications import Notifications
from ocsgw.ocs.outgoing import untried
from ocsgw.protocol.messages import Verdict
from tests.config.support import ConfigTestCase
from tests.support.logs import LogCapture
from tests.support.rules import make_directory

TEXT = """
[notifications]
send_history = true
history_uri = "http://h/history"
contact_processed_notification = true
contact_processed_notification_uri = "http://h/processed"
http_connection_pool_size = 2
history_retention = "1h"
"""


class _World:
    """A store and a caller in memory."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.reactor = Clock()
        self.rows: list[Delivery] = []
        self.calls: list[tuple[str, str, Any, Deferred[Verdict]]] = []
        self.backlog = Backlog()
        self.makes_calls = True

    def clock(self) -> float:
        """Return the time."""
        return 1000.0 + self.reactor.seconds()

    def committer(self) -> Any:
        """The store is its own committer."""
        return self

    def chore(self, function: Any) -> Deferred[Any]:
        """Carry out at once."""
        tx: Any = self
        unit = UnitOfWork(tx, int(self.clock()), make_directory(), str, self.backlog)
        result = function(unit)
        unit.store_outbox()
        unit.committed()
        return succeed(result)

    def deliveries_after(self, number: int, at_most: int) -> list[Delivery]:
        """Return rows."""
        return [each for each in self.rows if each.number > number][:at_most]

    def count_deliveries(self) -> Counter[str]:
        """Return how many there are."""
        return Counter(each.purpose for each in self.rows)

    def add_deliveries(self, rows: Sequence[Delivery]) -> None:
        """Add rows."""
        first = 1 + max((each.number for each in self.rows), default=0)
        self.rows += [structs.replace(each, number=number) for number, each in enumerate(rows, first)]

    def remove_deliveries(self, numbers: Any) -> list[str]:
        """Delete rows."""
        gone = set(numbers)
        found = [each.purpose for each in self.rows if each.number in gone]
        self.rows = [each for each in self.rows if each.number not in gone]
        return found

    def order(self, purpose: Any, uri: str, data: Any, timeout: float, link: int = 0) -> Deferred[Verdict]:
        """Make a call."""
        done: Deferred[Verdict] = Deferred()
        self.calls.append((purpose, uri, data, done))
        return done

    def add(self, *rows: tuple[str, int]) -> None:
        """Add rows, as (purpose, chain)."""
        first = 1 + max((each.number for each in self.rows), default=0)
        written = [
            Delivery(0, purpose, 201, chain, int(self.clock()), f'{{"n":{number}}}')
            for number, (purpose, chain) in enumerate(rows, first)
        ]
        self.chore(lambda unit: unit.deliveries.extend(written))

    def answer(self, status: int | None, at: int = 0) -> None:
        """Answer a call that waits."""
        _, _, _, done = self.calls.pop(at)
        kind: Any = "positive" if status == 200 else "failed"
        done.callback(Verdict(ref=1, outcome=kind, status=status, data={}, reason=None if status else "connect"))

    def numbers(self) -> list[int]:
        """Return which notifications are on their way."""
        return [data["n"] for _, _, data, _ in self.calls]


class NotificationTests(ConfigTestCase):
    """The sender."""

    def start(self, more: str = "", retention: str = "1h") -> None:
        """Start a sender."""
        world: Any = _World(self.parse_tables(TEXT.replace("1h", retention) + more))
        self.world = world
        self.log = LogCapture(self)
        self.sender = Notifications(world, world, world, Duty(None))
        self.sender.startService()
        self.addCleanup(self.sender.stopService)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(int(seconds / 0.25)):
            self.world.reactor.advance(0.25)

    def test_order(self) -> None:
        """O54, O62: one after the other for a chain, others meanwhile; what has arrived is removed."""
        self.start()
        self.world.add(("history", 1), ("history", 1), ("history", 2), ("contact_processed", 1), ("history", 3))
        self.pass_time(0.25)
        self.assertEqual(self.world.numbers(), [1, 3, 4])
        self.assertEqual([each[1] for each in self.world.calls], ["http://h/history"] * 2 + ["http://h/processed"])
        self.world.answer(200)
        self.assertEqual(sorted(self.world.numbers()), [2, 3, 4])
        self.pass_time(0.25)
        self.assertEqual([each.number for each in self.world.rows], [2, 3, 4, 5])
        self.pass_time(0.25)
        self.assertEqual(NOTIFICATIONS_WAITING.cell().value, 4)
        self.pass_time(10)
        self.assertGreaterEqual(NOTIFICATIONS_LAG.cell().value, 10)
        for _ in range(4):
            self.world.answer(200)
        self.pass_time(0.25)
        self.assertEqual((self.world.rows, self.world.numbers()), ([], []))
        self.assertEqual(NOTIFICATIONS_LAG.cell().value, 0)

    def test_repetition(self) -> None:
        """O52: 404 and failures are repeated after 1, 2, 4 ... 60 s; other chains go on; the log says so once."""
        self.start()
        self.world.add(("history", 1), ("history", 1), ("history", 2))
        self.pass_time(0.25)
        self.world.answer(200, at=1)
        for status, wait in ((404, 1), (None, 2), (500, 4), (500, 8), (500, 16), (500, 32), (500, 60), (500, 60)):
            self.world.answer(status)
            self.pass_time(wait - 0.25)
            self.assertEqual(self.world.numbers(), [])
            self.pass_time(0.5)
            self.assertEqual(self.world.numbers(), [1])
        self.world.answer(200)
        self.assertEqual(self.world.numbers(), [2])
        self.assertEqual((len(self.log.texts(93242)), len(self.log.texts(93243))), (1, 1))

    def test_no_proxy(self) -> None:
        """O52, P111: what no HTTP Proxy has tried to its end is no try; nothing is dropped for that."""
        self.start('http_retry_max_attempts = 1\nhttp_retry_applies_to = ["contact_processed"]\n')
        self.world.makes_calls = False
        self.world.add(("history", 1), ("contact_processed", 1))
        self.pass_time(5)
        self.assertEqual(self.world.calls, [])
        self.world.makes_calls = True
        for _ in range(3):
            self.pass_time(1.25)
            self.assertEqual(self.world.numbers(), [1, 2])
            for _, _, _, done in self.world.calls:
                done.callback(untried("the link is lost"))
            self.world.calls.clear()
        self.pass_time(1.25)
        self.world.answer(200)
        self.world.answer(500)
        self.pass_time(1.25)
        self.assertEqual(self.world.numbers(), [2])
        self.assertEqual((len(self.log.texts(93242)), self.log.texts(93245)), (1, []))

    def test_an_hour_away(self) -> None:
        """O52, O54, O62: after an hour without the receiver everything arrives, once, and each chain in its order."""
        self.start(retention="1d")
        for chain in range(20):
            self.world.add(("history", chain), ("history", chain), ("contact_processed", chain))
        for _ in range(720):
            self.pass_time(5)
            while self.world.calls:
                self.world.answer(None)
        self.assertEqual(len(self.world.rows), 60)
        arrived: list[int] = []
        for _ in range(480):
            self.pass_time(0.5)
            while self.world.calls:
                arrived += self.world.numbers()[:1]
                self.world.answer(200)
        self.assertEqual(sorted(arrived), list(range(1, 61)))
        self.assertEqual([each for each in arrived if each % 3 == 1], sorted(each for each in arrived if each % 3 == 1))
        for first in range(1, 61, 3):
            self.assertLess(arrived.index(first), arrived.index(first + 1))
        self.pass_time(0.5)
        self.assertEqual((self.world.rows, NOTIFICATIONS_WAITING.cell().value), ([], 0))

    def test_dropped(self) -> None:
        """O52: too many tries, too old, or a kind that is not repeated: dropped, and the next one comes."""
        for more, tries in (
            ("http_retry_max_attempts = 2\n", 3), ('http_retry_applies_to = ["contact_processed"]\n', 1), ("", None),
        ):  # fmt: skip
            self.start(more)
            self.world.add(("history", 1), ("history", 1))
            self.pass_time(0.25)
            tried = 0
            while self.world.numbers() == [1]:
                tried += 1
                self.world.answer(500)
                self.pass_time(60.25)
            self.assertEqual(self.world.numbers(), [2])
            if tries is not None:
                self.assertEqual(tried, tries)
            self.assertEqual(len(self.log.texts(93245)), 1)
            self.sender.stopService()

    def test_restart(self) -> None:
        """O53: what had no 200 before a restart is sent again, in order; answers that come late change nothing."""
        self.start()
        self.world.add(("history", 1), ("history", 1))
        self.pass_time(0.25)
        late = self.world.calls.pop()[3]
        self.sender.stopService()
        late.callback(Verdict(ref=1, outcome="positive", status=200, data={}))
        self.sender.startService()
        self.pass_time(0.25)
        self.assertEqual((self.world.numbers(), len(self.world.rows)), ([1], 2))

    def test_switched_off(self) -> None:
        """What waits when its kind is switched off is dropped."""
        self.start()
        self.world.config = self.parse_tables("")
        self.world.add(("history", 1))
        self.pass_time(0.5)
        self.assertEqual((self.world.rows, self.world.calls), ([], []))
