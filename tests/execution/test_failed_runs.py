"""Batches of several runs of which one fails: without savepoints all is carried out again, with them only that run."""

from typing import Any

from ocsgw.contact.batch import Outcome
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from tests.support.rules import NOW, RuleTestCase, add_record, by_handle, pending, preview_record
from tests.support.workers import FlakyStore, HeldWorker

# So many batches have savepoints after one that failed.
_CAREFUL = 100


class FailedRunTests(RuleTestCase):
    """A trigger of the site refuses updates of one record."""

    def setUp(self) -> None:
        super().setUp()
        self.handles = [self.hand_out("13"), self.hand_out("2")]
        for number in range(20, 40):
            self.add(str(number))
        self.store.sql(
            "CREATE TRIGGER refuses BEFORE UPDATE OF attempt ON CL_Test WHEN new.contact_info = '13'"
            " BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        self.worker = HeldWorker()
        self.flaky = FlakyStore(self.store.store)
        self.committer = Committer(
            self.flaky, self.worker, self.directory, self.clock, wall_clock=lambda: NOW, new_guid=lambda: "G" * 32
        )

    def batch(self, *requests: KV) -> tuple[list[Any], int]:
        """Carry out a batch; return the codes of refusals, or names of events, and how many transactions it took."""
        seen: list[Outcome] = []
        before = len(self.flaky.waits)
        for each in requests:
            self.committer.submit(Job(pending(each), seen.append, None))
        self.clock.advance(0)
        self.worker.go_on()
        ends = [each.reply for each in seen]
        return [
            end.code if isinstance(end, Refusal) else end["GSW_USER_EVENT"] if isinstance(end, dict) else end
            for end in ends
        ], len(self.flaky.waits) - before

    def poisoned(self) -> tuple[list[Any], int]:
        """Carry out a batch in which a run behind others fails."""
        return self.batch(
            preview_record(),
            add_record("3"),
            by_handle("UpdateCallCompletionStats", self.handles[0], GSW_ATTEMPTS=1),
            by_handle("UpdateCallCompletionStats", self.handles[1], GSW_ATTEMPTS=2),
        )

    def test_carried_out_again(self) -> None:
        """P41: the fault stays with its request, and what was before it is done once."""
        expected = [
            "PreviewRecord",
            "AddRecordAcknowledge",
            "refused_by_table",
            "UpdateCallCompletionStatsAcknowledge",
        ]
        ends, transactions = self.poisoned()
        self.assertEqual((sorted(ends), transactions), (sorted(expected), 2))
        self.assertEqual(self.store.sql("SELECT count(*) FROM CL_Test WHERE contact_info = '3'"), [(1,)])
        self.assertEqual(self.store.sql("SELECT count(*) FROM ocsgw_handout"), [(3,)])
        self.assertEqual(self.store.sql("SELECT attempt FROM CL_Test WHERE contact_info = '2'"), [(2,)])

    def test_careful_for_a_while(self) -> None:
        """Who sends nothing but such requests has each batch carried out once; later it is tried again."""
        counts = [self.poisoned()[1] for _ in range(3)]
        self.assertEqual(counts, [2, 1, 1])
        for _ in range(_CAREFUL):
            self.batch(add_record("3"))
        self.assertEqual(self.poisoned()[1], 2)

    def test_first_run(self) -> None:
        """A run that fails before anything else has changed is undone alone, and gone through one by one."""
        ends, transactions = self.batch(
            by_handle("UpdateCallCompletionStats", self.handles[0], GSW_ATTEMPTS=1),
            by_handle("UpdateCallCompletionStats", self.handles[1], GSW_ATTEMPTS=2),
        )
        self.assertEqual((ends, transactions), (["refused_by_table", "UpdateCallCompletionStatsAcknowledge"], 1))
