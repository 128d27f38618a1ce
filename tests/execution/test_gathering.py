"""Whether a batch waits for clients that are just being answered (architecture, One request, one way)."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.batch import Outcome
from ocsgw.execution.committer import Committer
from ocsgw.execution.gathering import Gathering
from ocsgw.execution.jobs import Job
from tests.support.rules import NOW, RuleTestCase, add_record, pending
from tests.support.workers import HeldWorker, IdleWorker


class GatheringTests(SynchronousTestCase):
    """How long the pause is, and when there is none."""

    def test_pause(self) -> None:
        """Half as long as the last batch has taken, 5 ms at most; too short a one is left out."""
        gathering = Gathering()
        self.assertEqual([gathering.pause(3, 2, took) for took in (0.0008, 0.004, 5.0)], [0.0, 0.002, 0.005])
        self.assertEqual(gathering.enough, 5)

    def test_nobody_to_wait_for(self) -> None:
        """A lone request never waits, and of many each costs the same."""
        gathering = Gathering()
        self.assertEqual((gathering.pause(3, 0, 0.004), gathering.pause(40, 25, 0.004)), (0.0, 0.0))

    def test_beside(self) -> None:
        """Where the next one may go beside others, fewer are enough, and so are those that wait for one on its way."""
        gathering = Gathering()
        self.assertEqual([gathering.pause(8, waiting, 0.004, beside=True) for waiting in (4, 5)], [0.002, 0.0])
        self.assertEqual([gathering.too_many(requests) for requests in (1, 12, 13, 40)], [12, 1, 1, 1])

    def test_in_vain(self) -> None:
        """Where less than half of those that were answered come back the next batches begin at once."""
        gathering = Gathering()
        gathering.pause(10, 2, 0.004)
        gathering.note(7)
        self.assertEqual(gathering.pause(10, 2, 0.004), 0.002)
        gathering.note(6)
        self.assertEqual([gathering.pause(10, 2, 0.004) for _ in range(3)], [0.0] * 2 + [0.002])

    def test_in_vain_again(self) -> None:
        """Each further time there are four times as many, up to 128; a pause that was worth it halves them."""
        gathering = Gathering()
        gathering.pause(10, 2, 0.004)
        for came, batches in (
            *((6, 2), (6, 8), (6, 32), (6, 128), (6, 128), (7, 0), (7, 0)),
            *((6, 32), (7, 0), (7, 0), (7, 0), (7, 0), (7, 0), (6, 4)),
        ):
            gathering.note(came)
            pauses = [gathering.pause(10, 2, 0.004) for _ in range(batches + 1)]
            self.assertEqual(pauses, [0.0] * batches + [0.002], (came, batches))

    def test_here(self) -> None:
        """A batch of the reactor waits once for two thirds of the last one's clients, unless that was very short."""
        gathering = Gathering()
        for took, waiting, pause in (
            *((0.0002, 3, 0.0), (0.0004, 3, 0.0008), (0.001, 3, 0.002), (0.002, 11, 0.0)),
            *((0.002, 10, 0.004), (1.0, 3, 0.005)),
        ):
            gathering.answering(16, 7.0, 7.0 + took, lambda: False)
            self.assertAlmostEqual(gathering.still(waiting, 7.0 + took), pause)
            self.assertEqual(gathering.still(waiting, 7.0 + took), 0.0)
        self.assertEqual(gathering.enough, 11)

    def test_two_thirds(self) -> None:
        """Parts of a request are rounded up."""
        gathering = Gathering()
        for answered, enough in ((2, 2), (3, 2), (4, 3), (11, 8), (12, 8)):
            gathering.answering(answered, 7.0, 7.001, lambda: False)
            self.assertGreater(gathering.still(0, 7.001), 0)
            self.assertEqual(gathering.enough, enough)

    def test_here_with_others(self) -> None:
        """Those that came while it was carried out are there already: it waits for the clients beside them."""
        gathering = Gathering()
        gathering.answering(16, 7.0, 7.004, lambda: True)
        self.assertAlmostEqual(gathering.still(14, 7.005), 0.004)
        self.assertEqual(gathering.enough, 25)
        gathering.note(24)
        self.assertEqual([self._still(gathering, 14) > 0 for _ in range(3)], [False] * 2 + [True])

    def test_here_not(self) -> None:
        """No pause for a lone client, for very many, or when its time has passed."""
        gathering = Gathering()
        gathering.answering(1, 7.0, 7.1, self.fail)
        self.assertEqual(gathering.still(1, 7.1), 0.0)
        self.assertEqual(self._still(gathering, 49), 0.0)
        gathering.answering(16, 7.0, 7.004, lambda: False)
        self.assertEqual(gathering.still(3, 7.0091), 0.0)

    def test_here_with_many(self) -> None:
        """After a short batch fewer clients are waited for."""
        gathering = Gathering()
        for took, waiting, waits in ((0.001, 24, True), (0.001, 25, False), (0.0021, 25, True), (0.0021, 49, False)):
            gathering.answering(16, 7.0, 7.0 + took, lambda: True)
            self.assertEqual(gathering.still(waiting, 7.0 + took) > 0, waits, (took, waiting))

    def test_here_in_vain(self) -> None:
        """Two thirds of them have to come back."""
        for took, came, is_in_vain in ((0.001, 10, True), (0.001, 11, False), (0.004, 10, True), (0.004, 11, False)):
            gathering = Gathering()
            gathering.answering(16, 7.0, 7.0 + took, lambda: False)
            self.assertGreater(gathering.still(0, 7.0 + took), 0)
            gathering.note(came)
            self.assertEqual(self._still(gathering, 14) == 0, is_in_vain, (took, came))

    def _still(self, gathering: Gathering, waiting: int) -> float:
        gathering.answering(16, 7.0, 7.004, lambda: True)
        return gathering.still(waiting, 7.004)


class GatheringCommitterTests(RuleTestCase):
    """Clients that send the next request when they have their answer."""

    def setUp(self) -> None:
        super().setUp()
        self.worker = HeldWorker()
        self.committer = Committer(self.store.store, self.worker, self.directory, self.clock, wall_clock=lambda: NOW)
        self.answered: list[str] = []

    def submit(self, phone: str) -> None:
        """Submit an AddRecord."""

        def answer(outcome: Outcome) -> None:
            self.assertIsInstance(outcome.reply, dict)
            self.answered.append(phone)

        self.committer.submit(Job(pending(add_record(phone)), answer))

    def begin(self) -> None:
        """Let one batch of one request take 4 ms, while another request comes."""
        self.submit("a1")
        self.clock.advance(0)
        self.submit("b1")
        self.clock.advance(0.004)
        self.worker.go_on()

    def test_joined(self) -> None:
        """The next batch waits for who has just been answered, and begins as soon as all are there."""
        self.begin()
        self.assertEqual((self.answered, self.worker.tasks), (["a1"], []))
        self.submit("a2")
        self.clock.advance(0)
        self.assertEqual(len(self.worker.tasks), 1)
        self.worker.go_on()
        self.assertEqual(self.answered, ["a1", "b1", "a2"])
        self.assertEqual(self.column("contact_info"), ["a1", "b1", "a2"])

    def test_not_for_ever(self) -> None:
        """Who does not come back is not waited for, and the next time not at all."""
        self.begin()
        self.clock.advance(0.002)
        self.submit("c1")
        self.worker.go_on()
        self.assertEqual(self.answered, ["a1", "b1"])
        self.worker.go_on()
        self.assertEqual(self.answered, ["a1", "b1", "c1"])
        self.assertEqual(self.successResultOf(self.committer.drained()), None)


class ReactorsBatchTests(RuleTestCase):
    """The same where the reactor carries batches out itself."""

    def setUp(self) -> None:
        super().setUp()
        self.has_events = False
        self.committer = Committer(
            self.store.store,
            IdleWorker(),
            self.directory,
            self.clock,
            wall_clock=self.wall_clock,
            has_events=lambda: self.has_events,
        )
        self.took = 0.004
        self.batches: list[str] = []

    def wall_clock(self) -> float:
        """Return the time; a batch asks for it once, and takes as long as the test says."""
        self.clock.rightNow += self.took
        self.batches.append("")
        return NOW

    def submit(self, *phones: str) -> None:
        """Submit AddRecords that have come with one turn of the reactor."""

        def answer(phone: str) -> None:
            self.batches[-1] += phone

        for phone in phones:
            self.committer.submit(Job(pending(add_record(phone)), lambda _, phone=phone: answer(phone)))  # type: ignore[misc]
        self.clock.advance(0)

    def test_joined(self) -> None:
        """Two halves that take turns become one batch, and stay one."""
        self.has_events = True
        self.submit("a", "b")
        self.submit("c", "d")
        self.assertEqual(self.batches, ["ab"])
        self.has_events = False
        self.submit("a", "b")
        self.assertEqual(self.batches, ["ab", "cdab"])
        self.submit("a", "b")
        self.assertEqual(len(self.batches), 2)
        self.submit("c", "d")
        self.assertEqual(self.batches, ["ab", "cdab", "abcd"])

    def test_not_for_ever(self) -> None:
        """Who does not come back is waited for until the pause is over."""
        self.submit("a", "b", "c")
        self.submit("a")
        self.assertEqual(self.batches, ["abc"])
        self.clock.advance(0.0049)
        self.assertEqual(self.batches, ["abc"])
        self.clock.advance(0.0002)
        self.assertEqual(self.batches, ["abc", "a"])

    def test_quick(self) -> None:
        """Behind a very short batch the next one begins at once."""
        self.took = 0.0002
        self.submit("a", "b", "c")
        self.submit("a")
        self.assertEqual(self.batches, ["abc", "a"])
