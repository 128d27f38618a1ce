"""Batches that go beside each other, and what has to wait for them (architecture)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from twisted.internet.task import Clock

from ocsgw.contact.batch import Outcome
from ocsgw.contact.transaction import Admission
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.protocol.errors import Refusal
from ocsgw.store.errors import CommitUnknownError, NotPipelinedError
from tests.support.rules import NOW, RuleTestCase, add_record, by_phone, of_group, pending
from tests.support.workers import FlakyStore, HeldWorker


class _Reactor(Clock):
    """A clock that keeps who wants to read and to write."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.writers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)


class _Transaction:
    """What adding records asks of a transaction; a phone "ask" needs an answer."""

    def __init__(self, pipeline: "_Pipeline") -> None:
        self._pipeline = pipeline
        self.phones: list[str] = []

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        yield

    def before_adding(self, calling_list: Any, count: int, lookups: Any, now: int) -> Admission:
        number = self._pipeline.number
        self._pipeline.number += count
        return Admission(number, number, set())

    def insert_rows(self, calling_list: Any, rows: Any) -> None:
        self.phones = [row[1] for row in rows]
        if "ask" in self.phones:
            raise NotPipelinedError

    def append_outbox(self, entries: Any) -> None:
        pass


class _Batch:
    """A batch whose fate the test decides: committed, refused, lost and committed, or unknown."""

    def __init__(self, pipeline: "_Pipeline") -> None:
        self.tx = _Transaction(pipeline)
        self._pipeline = pipeline
        self.is_sending = False
        self.fate = "under way"

    def fileno(self) -> int:
        return 9

    def give_up(self) -> None:
        self._pipeline.busy -= 1

    def send(self) -> bool:
        self._pipeline.batches.append(self)
        self.is_sending = self._pipeline.is_slow
        return True

    def proceed(self) -> bool:
        self.is_sending = False
        return self.fate != "under way"

    def was_committed(self) -> bool:
        if self.fate == "committed":
            self._pipeline.busy -= 1
        return self.fate == "committed"

    def settle(self, wait: float) -> bool:
        self._pipeline.busy -= 1
        self._pipeline.settled.append(self.tx.phones)
        if self.fate == "unknown":
            raise CommitUnknownError("nobody knows")
        return self.fate == "lost and committed"


class _Pipeline:
    """Two writers."""

    def __init__(self) -> None:
        self.busy = self.number = self.prepared = 0
        self.needs_preparation = False
        self.is_slow = False
        self.has_room = True
        self.is_defect = False
        self.batches: list[_Batch] = []
        self.settled: list[list[str]] = []

    @property
    def is_full(self) -> bool:
        return self.busy == 2

    def begin(self) -> _Batch | None:
        if self.is_defect:
            raise ZeroDivisionError
        if self.is_full or not self.has_room:
            return None
        self.busy += 1
        return _Batch(self)

    def prepare(self, wait: float) -> None:
        self.prepared += 1
        self.needs_preparation = False
        self.has_room = True


class _Worker(HeldWorker):
    """A worker that knows whether it has something to do."""

    def __init__(self) -> None:
        self.tasks: list[Any] = []

    @property
    def is_idle(self) -> bool:  # type: ignore[override]  # what it has is counted
        return not self.tasks


class PipeliningTests(RuleTestCase):
    """Jobs go in; the test lets batches land."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = _Reactor()
        self.pipeline, self.worker = _Pipeline(), _Worker()
        self.flaky = FlakyStore(self.store.store)
        self.committer = self.made()
        # But where a test says otherwise nobody waits to be joined.
        self.patch(self.committer._gathering, "too_many", lambda on_their_way: 1)
        self.codes: list[tuple[str, str]] = []

    def made(self, **options: Any) -> Committer:
        """Return a committer."""
        return Committer(
            self.flaky,
            cast("Any", self.worker),
            self.directory,
            cast("Any", self.reactor),
            wall_clock=lambda: NOW,
            new_guid=lambda: "G" * 32,
            in_reactor=False,
            pipeline=cast("Any", self.pipeline),
            **options,
        )

    def submit(self, *phones: str, data: Any = None) -> None:
        """Submit requests, and let the reactor do what is due."""
        for phone in phones:
            self.committer.submit(
                Job(pending(data or add_record(phone)), lambda outcome, phone=phone: self.note(phone, outcome))  # type: ignore[misc]  # a default
            )
        self.reactor.advance(0)

    def note(self, phone: str, outcome: Outcome) -> None:
        self.codes.append((phone, outcome.reply.code if isinstance(outcome.reply, Refusal) else ""))

    def answered(self) -> list[tuple[str, str]]:
        """Return who has been answered since the last time, with the code of a refusal."""
        codes, self.codes = self.codes, []
        return codes

    def land(self, at: int, fate: str = "committed") -> None:
        """Let a batch come to its end."""
        self.pipeline.batches[at].fate = fate
        for reader in [each for each in self.reactor.readers if each._batch is self.pipeline.batches[at]]:
            reader.doRead()
        self.reactor.advance(0)

    def on_their_way(self) -> list[list[str]]:
        """Return the contacts of the batches that were sent."""
        return [batch.tx.phones for batch in self.pipeline.batches]

    def test_beside_each_other(self) -> None:
        """A batch goes while another one is on its way; a third one gathers until one of them has landed."""
        self.submit("1", "2")
        self.submit("3")
        self.submit("4")
        self.submit("5")
        self.assertEqual(self.on_their_way(), [["1", "2"], ["3"]])
        self.land(1)
        self.assertEqual(self.answered(), [("3", "")])
        self.assertEqual(self.on_their_way(), [["1", "2"], ["3"], ["4", "5"]])
        self.land(0)
        self.land(2)
        self.assertEqual(self.answered(), [("1", ""), ("2", ""), ("4", ""), ("5", "")])
        self.assertEqual((self.worker.tasks, self.reactor.readers), ([], []))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_few(self) -> None:
        """Few requests wait for what is on its way, and a moment for who is just being answered; many do not."""
        self.patch(self.committer._gathering, "too_many", lambda on_their_way: 65 - on_their_way)
        self.submit("1", "2")
        self.reactor.advance(0.0)
        self.submit("3")
        self.assertEqual(self.on_their_way(), [["1", "2"]])
        pause = self.committer._gathering.pause
        self.patch(
            self.committer._gathering, "pause", lambda answered, waiting, took, beside: pause(answered, waiting, 0.01)
        )
        self.land(0)
        self.submit("4")
        self.assertEqual(self.on_their_way(), [["1", "2"]])
        self.reactor.advance(0.005)
        self.assertEqual(self.on_their_way(), [["1", "2"], ["3", "4"]])
        many = [str(number) for number in range(63)]
        self.submit(*many[:62])
        self.assertEqual(len(self.on_their_way()), 2)
        self.submit(many[62])
        self.assertEqual(self.on_their_way()[2:], [many])

    def test_cannot_begin(self) -> None:
        """A pipeline that raises where a batch is to begin costs nobody anything: the batch goes the usual way."""
        self.pipeline.is_defect = True
        self.submit("1", "2")
        self.worker.go_on()
        self.pipeline.is_defect = False
        self.submit("3")
        self.land(0)
        self.assertEqual(self.answered(), [("1", ""), ("2", ""), ("3", "")])
        self.assertEqual(self.successResultOf(self.committer.drained()), None)

    def test_outcome_that_cannot_be_read(self) -> None:
        """A defect where a batch has come to its end is logged, and its outcome is found out in the usual way."""
        self.submit("1")
        self.patch(_Batch, "was_committed", lambda _: 1 // 0)
        self.land(0, "lost and committed")
        self.worker.go_on()
        self.assertEqual((self.answered(), self.pipeline.settled), ([("1", "")], [["1"]]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.successResultOf(self.committer.drained()), None)

    def test_in_pieces(self) -> None:
        """A batch for which there is no room yet is sent further when there is; what was read is not all of it."""
        self.pipeline.is_slow = True
        self.submit("1")
        ((writer,), (reader,)) = self.reactor.writers, self.reactor.readers
        writer.doWrite()
        self.assertEqual((self.reactor.writers, self.reactor.readers), ([], [reader]))
        reader.doRead()
        self.assertEqual(self.answered(), [])
        self.pipeline.batches[0].fate = "committed"
        reader.connectionLost(None)
        reader.doRead()
        self.assertEqual(self.answered(), [("1", "")])
        self.assertEqual((reader.fileno(), reader.logPrefix()), (9, "store"))

    def test_what_is_alone(self) -> None:
        """What needs answers waits until nothing is on its way, and what comes after it waits for it."""
        self.submit("1")
        self.submit("-", data=of_group("CampaignStatus"))
        self.submit("2")
        self.assertEqual((self.on_their_way(), self.worker.tasks), ([["1"]], []))
        self.land(0)
        self.assertEqual(len(self.worker.tasks), 1)
        self.submit("3")
        self.assertEqual(len(self.worker.tasks), 1)
        self.worker.go_on()
        self.assertEqual([phone for phone, _ in self.answered()], ["1", "-", "2"])
        self.assertEqual(self.on_their_way(), [["1"], ["3"]])

    def test_not_possible(self) -> None:
        """What turns out to need an answer is carried out by the worker once nothing is on its way."""
        self.submit("1")
        self.submit("ask")
        self.assertEqual((self.on_their_way(), self.worker.tasks), ([["1"]], []))
        self.land(0)
        self.worker.go_on()
        self.assertEqual(self.answered(), [("1", ""), ("ask", "")])
        self.assertEqual(self.column("contact_info"), ["ask"])
        self.assertEqual(self.pipeline.busy, 0)

    def test_chores(self) -> None:
        """Chores wait until nothing is on its way, and nothing begins before them."""
        self.submit("1")
        done = self.committer.chore(lambda unit: 7)
        self.submit("2")
        self.assertEqual((self.on_their_way(), self.worker.tasks), ([["1"]], []))
        self.land(0)
        self.worker.go_on()
        self.assertEqual(self.successResultOf(done), 7)
        self.worker.go_on()
        self.assertEqual(self.answered(), [("1", ""), ("2", "")])

    def test_refused(self) -> None:
        """Refused batches are carried out by the worker, in their order, when nothing is on its way any more."""
        self.submit("1")
        self.submit("2")
        self.submit("3")
        self.land(1, "refused")
        self.assertEqual((self.answered(), self.worker.tasks), ([], []))
        self.land(0, "refused")
        self.assertEqual(self.pipeline.settled, [])
        self.worker.go_on()
        self.assertEqual(self.pipeline.settled, [["2"], ["1"]])
        self.assertEqual(self.answered(), [("2", ""), ("1", "")])
        self.assertEqual((self.column("contact_info"), self.on_their_way()[2:]), (["2", "1"], [["3"]]))
        # After a second refusal a batch goes the usual way, and then one is sent again.
        self.submit("4")
        self.land(2, "refused")
        self.land(3, "refused")
        self.submit("5")
        self.worker.go_on()
        self.submit("6")
        self.assertEqual(len(self.pipeline.batches), 4)
        self.worker.go_on()
        self.assertEqual(self.on_their_way()[4:], [["6"]])

    def test_lost(self) -> None:
        """The answer to a batch was lost: it was committed, or nobody knows."""
        self.submit("1")
        self.submit("2")
        self.land(0, "lost and committed")
        self.land(1, "unknown")
        self.worker.go_on()
        self.assertEqual(self.answered(), [("1", ""), ("2", "no_response")])
        self.assertEqual(self.column("contact_info"), [])
        self.assertEqual(self.committer.failure, "nobody knows")

    def test_ended_at_once(self) -> None:
        """A connection that ends while a batch is being sent is waited for by nobody."""

        def send(batch: _Batch) -> bool:
            self.pipeline.batches.append(batch)
            return False

        self.patch(_Batch, "send", send)
        self.submit("1")
        self.pipeline.batches[0].fate = "refused"
        self.reactor.advance(0)
        self.worker.go_on()
        self.assertEqual(self.answered(), [("1", "")])

    def test_preparation(self) -> None:
        """Without a connection the worker carries batches out, and gets one ready behind them."""
        self.pipeline.has_room, self.pipeline.needs_preparation = False, True
        self.submit("1")
        self.submit("2")
        self.assertEqual((self.on_their_way(), len(self.worker.tasks)), ([], 2))
        self.worker.go_on()
        self.assertEqual(self.answered(), [("1", "")])
        self.worker.go_on()
        self.assertEqual(self.pipeline.prepared, 1)
        self.worker.go_on()
        self.submit("3")
        self.assertEqual(self.on_their_way(), [["3"]])

    def test_drained(self) -> None:
        """What is on its way is waited for before the store is closed."""
        self.submit("1")
        drained = self.committer.drained()
        self.assertNoResult(drained)
        self.land(0)
        self.successResultOf(drained)

    def test_refused_while_others_come(self) -> None:
        """What was about to begin when a batch was refused waits for it."""
        self.submit("1")
        self.committer.submit(Job(pending(add_record("2")), lambda outcome: self.note("2", outcome)))
        self.pipeline.batches[0].fate = "refused"
        self.reactor.readers[0].doRead()
        self.reactor.advance(0)
        self.assertEqual(len(self.worker.tasks), 1)
        self.worker.go_on()
        self.assertEqual(self.answered(), [("1", "")])
        self.assertEqual(self.on_their_way()[1:], [["2"]])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_by_list(self) -> None:
        """Few requests of another list go beside what is on its way; those of the same list wait to be joined."""
        self.committer = self.made(by_list=True)
        self.patch(self.committer._gathering, "too_many", lambda on_their_way: 3)
        self.submit("1")
        self.submit("2")
        self.submit("3")
        self.assertEqual(self.on_their_way(), [["1"]])
        self.submit("4", data=add_record("4", "CL_CALLBACK"))
        self.assertEqual(self.on_their_way(), [["1"], ["2", "3"]])
        self.land(0)
        self.assertEqual(self.on_their_way()[2:], [["4"]])
        self.submit("-", data=by_phone("DoNotCall", "9"))
        self.submit("5")
        self.land(1)
        self.land(2)
        self.worker.go_on()
        self.assertEqual([phone for phone, _ in self.answered()], ["1", "2", "3", "4", "-"])
        self.assertEqual(self.on_their_way()[3:], [["5"]])

    def test_by_list_without_room(self) -> None:
        """What could not be sent is next all the same, and its list keeps its order."""
        self.committer = self.made(by_list=True)
        self.submit("1")
        self.submit("ask")
        self.submit("2")
        self.submit("3", data=add_record("3", "CL_CALLBACK"))
        self.assertEqual((self.on_their_way(), self.worker.tasks), ([["1"]], []))
        self.land(0)
        self.worker.go_on()
        self.assertEqual(self.answered(), [("1", ""), ("ask", ""), ("2", "")])
        self.assertEqual((self.column("contact_info"), self.on_their_way()[1:]), (["ask", "2"], [["3"]]))
