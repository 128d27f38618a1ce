"""What of that which waits is the next batch."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.contact.batch import Outcome
from ocsgw.contact.one_list import OneList, contact_of
from ocsgw.execution.jobs import Job
from ocsgw.execution.waiting import ByList, Mixed, Waiting
from ocsgw.protocol.messages import KV
from tests.support.case import ClockTestCase
from tests.support.rules import add_record, by_handle, by_phone, make_directory, pending

_DIRECTORY = make_directory(second_tenant=True)
_LISTS = ("CL_Test", "CL_CALLBACK", "CL_Second")
_UNKNOWN_HANDLE, _KNOWN_HANDLE = 7, 8
_SHOWN = Outcome({"GSW_RECORD_HANDLE": _KNOWN_HANDLE, "GSW_CALLING_LIST": "CL_Second"})


def job_of(data: KV) -> Job:
    """Return a job."""
    return Job(pending(data), lambda outcome: None)


def batches_of(waiting: Waiting, at_most: int = 512) -> list[list[Job]]:
    """Take everything out, by batches."""
    batches = []
    while jobs := waiting.take(at_most):
        batches.append(jobs)
    return batches  # type: ignore[return-value]  # what was put in


class WaitingTests(ClockTestCase):
    """Requests of several lists."""

    def setUp(self) -> None:
        super().setUp()
        self.waiting = ByList(lambda: _DIRECTORY)

    def batches(self, *requests: KV, at_most: int = 512) -> list[list[int]]:
        """Return the batches of requests, by their places."""
        jobs = [job_of(each) for each in requests]
        self.waiting.extend(jobs)
        self.assertEqual(len(self.waiting), len(jobs))
        found = [[jobs.index(each) for each in batch] for batch in batches_of(self.waiting, at_most)]
        self.assertEqual(len(self.waiting), 0)
        return found

    def test_by_list(self) -> None:
        """Each batch is of one list, and the lists have their turns."""
        requests = [add_record(str(at), _LISTS[at % 3]) for at in range(8)]
        self.assertEqual(self.batches(*requests), [[0, 3, 6], [1, 4, 7], [2, 5]])
        self.assertEqual(self.batches(*requests, at_most=2), [[0, 3], [1, 4], [2, 5], [6], [7]])

    def test_several_lists(self) -> None:
        """What concerns several lists, or one that is not known, is alone, and nobody passes it."""
        requests = [
            add_record("1", "CL_Test"),
            add_record("2", "CL_Second"),
            by_phone("DoNotCall", "9"),
            by_handle("RecordProcessed", _UNKNOWN_HANDLE),
            add_record("3", "CL_Second"),
            by_handle("RecordProcessed", _KNOWN_HANDLE),
            add_record("4", "CL_Test"),
        ]
        self.waiting.learn([_SHOWN])
        self.assertEqual(self.batches(*requests), [[0], [1], [2], [3], [4, 5], [6]])

    def test_one_contact(self) -> None:
        """Requests about one contact keep their order in different lists, too; one list keeps it anyway."""
        requests = [
            add_record("650-555-0100", "CL_Test"),
            add_record("6505550100", "CL_Test"),
            add_record("2", "CL_Second"),
            add_record("(650) 5550100", "CL_Second"),
            add_record("3", "CL_Test"),
        ]
        self.assertEqual(self.batches(*requests), [[0, 1], [2], [3], [4]])

    def test_put_back(self) -> None:
        """What was put back is next, and what comes for its list afterwards is behind it."""
        first, second, third = (job_of(add_record(phone, "CL_Test")) for phone in "123")
        other = job_of(add_record("4", "CL_Second"))
        self.waiting.extend([first, second, other])
        taken = self.waiting.take(512)
        self.waiting.put_back(taken)
        self.assertEqual([*self.waiting.following()], [first, second])
        self.waiting.append(third)
        self.assertEqual(batches_of(self.waiting), [[first, second], [other], [third]])
        alone = job_of(by_phone("DoNotCall", "9"))
        self.waiting.append(alone)
        self.waiting.put_back(self.waiting.take(512))
        self.waiting.append(first)
        self.assertEqual(batches_of(self.waiting), [[alone], [first]])

    def test_may_grow(self) -> None:
        """Who is answered is expected for the same list again."""
        self.assertTrue(self.waiting.may_grow)
        self.waiting.append(job_of(add_record("1", "CL_Test")))
        self.waiting.take(512)
        self.waiting.append(job_of(add_record("2", "CL_Test")))
        self.assertTrue(self.waiting.may_grow)
        self.waiting.append(job_of(add_record("3", "CL_Second")))
        self.assertFalse(self.waiting.may_grow)
        self.waiting.take(512)
        self.assertFalse(self.waiting.may_grow)
        self.waiting.take(512)
        self.assertEqual([*self.waiting.following()], [])

    def test_mixed(self) -> None:
        """Otherwise a batch is what has come, in its order."""
        waiting = Mixed()
        jobs = [job_of(add_record(str(at), _LISTS[at % 3])) for at in range(5)]
        waiting.extend(jobs)
        self.assertEqual([*waiting.following()], jobs)
        waiting.put_back(waiting.take(3))
        waiting.learn([_SHOWN])
        self.assertEqual(batches_of(waiting, 2), [jobs[:2], jobs[2:4], jobs[4:]])
        self.assertTrue(waiting.may_grow)


_REQUESTS = st.one_of(
    st.builds(add_record, st.sampled_from(["1", "2", "3", "4", "5"]), st.sampled_from(_LISTS)),
    st.builds(by_phone, st.sampled_from(["DoNotCall", "RequestRecordCancel"]), st.sampled_from(["1", "9"])),
    st.builds(by_handle, st.just("RecordProcessed"), st.sampled_from([_UNKNOWN_HANDLE, _KNOWN_HANDLE])),
    st.builds(
        by_handle,
        st.just("UpdateCallCompletionStats"),
        st.just(_KNOWN_HANDLE),
        GSW_PHONE=st.sampled_from(["1", "2"]),
    ),
)
# Requests that come, and in between batches that go: of so many at most, put back or not.
_STEPS = st.lists(st.one_of(_REQUESTS, st.tuples(st.integers(1, 4), st.booleans())), max_size=60)


class AnyOrderTests(ClockTestCase):
    """Whatever comes and goes."""

    @given(_STEPS)
    def test_orders(self, steps: Sequence[KV | tuple[int, bool]]) -> None:
        """Nothing is lost, batches are of one list, and what may concern the same keeps its order."""
        lists = OneList(lambda: _DIRECTORY)
        lists.learn(_SHOWN.reply)
        waiting = ByList(lambda: _DIRECTORY)
        waiting.learn([_SHOWN])
        came: list[Job] = []
        went: list[Job] = []

        def take(at_most: int, *, puts_back: bool) -> bool:
            following = [*waiting.following()]
            jobs = waiting.take(at_most)
            self.assertEqual(jobs, following[: len(jobs)])
            if puts_back and jobs:
                waiting.put_back(jobs)
                return True
            of = {lists.of(job.pending) for job in jobs}
            self.assertTrue(len(of) == 1 if jobs else not of)
            self.assertTrue(None not in of or len(jobs) == 1)
            went.extend(jobs)  # type: ignore[arg-type]  # what was put in
            return bool(jobs)

        for step in steps:
            if isinstance(step, tuple):
                take(step[0], puts_back=step[1])
            else:
                came.append(job_of(step))
                waiting.append(came[-1])
            self.assertEqual(len(waiting), len(came) - len(went))
        while take(4, puts_back=False):
            pass
        self.assertEqual(len(waiting), 0)
        self.assertEqual({id(each) for each in went}, {id(each) for each in came})
        self.assertEqual(len(went), len(came))
        at = {id(job): place for place, job in enumerate(went)}
        for place, first in enumerate(came):
            for second in came[place + 1 :]:
                of = {lists.of(first.pending), lists.of(second.pending)}
                contact = contact_of(first.pending)
                is_same = len(of) == 1 or None in of or (contact is not None and contact == contact_of(second.pending))
                if is_same:
                    self.assertLess(at[id(first)], at[id(second)])
