"""Whether a batch waits for clients that are just being answered (architecture, One request, one way)."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.batch import Outcome
from ocsgw.execution.committer import Committer
from ocsgw.execution.gathering import Gathering
from ocsgw.execution.jobs import Job
from tests.support.rules import NOW, RuleTestCase, add_record, pending
from tests.support.workers import HeldWorker


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
        """Where less than half of those that were answered come back the next 30 batches begin at once."""
        gathering = Gathering()
        gathering.pause(10, 2, 0.004)
        gathering.note(7)
        self.assertEqual(gathering.pause(10, 2, 0.004), 0.002)
        gathering.note(6)
        self.assertEqual([gathering.pause(10, 2, 0.004) for _ in range(31)], [0.0] * 30 + [0.002])


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
