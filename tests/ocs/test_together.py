"""Requests that come together and are alike go to the committer, and back, together: what comes of them is the same."""

from typing import Any
from unittest import skipUnless

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocsgw import speedups
from ocsgw.contact.batch import Outcome
from ocsgw.contact.unit_of_work import Reply
from ocsgw.counters import REQUEST_SECONDS, REQUESTS
from ocsgw.ocs.dispatch import Dispatcher, DispatchOptions
from ocsgw.ocs.link import OcsEnd
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import Hello, Message, Request, WireLimits, encode
from ocsgw.protocol.requests import ClientKind
from tests.ocs.doubles import FakeCommitter, make_identity
from tests.ocs.test_dispatch import make_directory
from tests.ocs.test_link import Owner
from tests.support.logs import LogCapture
from tests.support.processes import LinkTransport

# Few of each, so that neighbours are often alike.
_DATA: list[dict[str, Any]] = [
    {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL", "GSW_PHONE": "1"},
    {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL", "GSW_PHONE": "22", "Segment": "x"},
    {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102},
    {"GSW_AGENT_REQ_TYPE": "RecordReschedule", "GSW_RECORD_HANDLE": 7},
    {"GSW_AGENT_REQ_TYPE": "StartDialing"},
    {"GSW_AGENT_REQ_TYPE": "Nonsense"},
    {"GSW_AGENT_REQ_TYPE": 7},
    {},
]
_REPLIES: list[Reply] = [
    {"GSW_USER_EVENT": "AddRecordAcknowledge", "GSW_CHAIN_ID": 2**40},
    {"GSW_USER_EVENT": "AddRecordAcknowledge", "X": "\u20ac" * 70},
    {"GSW_USER_EVENT": "AddRecordAcknowledge", "X": "\ud800"},
    {"GSW_USER_EVENT": "AddRecordAcknowledge", "X": 2**70},
    {"GSW_USER_EVENT": "AddRecordAcknowledge", "X": "y" * 5000},
    [{"GSW_USER_EVENT": "One"}, {"GSW_USER_EVENT": "Two"}],
    Refusal("list_not_found"),
]


def _requests() -> st.SearchStrategy[list[Request]]:
    optional: dict[str, st.SearchStrategy[Any]] = {
        "deadline_ms": st.none() | st.sampled_from([0, 1500, 2**40]),
        "principal": st.sampled_from([None, None, "crm"]),
        "peer": st.sampled_from([None, "192.0.2.1"]),
        "request_id": st.sampled_from([None, "id"]),
        "idempotency_key": st.sampled_from([None, None, None, "k"]),
    }
    given: dict[str, st.SearchStrategy[Any]] = {
        "ref": st.integers(1, 12),
        "data": st.sampled_from([*_DATA[:3] * 4, *_DATA]),
    }
    one = st.fixed_dictionaries(given, optional=optional)
    return st.lists(one.map(lambda members: Request(**members)), max_size=12)


class Ocs:
    """One link to a proxy, with a dispatcher, and a committer that keeps what it gets."""

    def __init__(self, in_flight: int = 100, send_buffer: int = 1 << 20) -> None:
        self.clock = Clock()
        self.committer = FakeCommitter(make_directory())
        self.dispatcher = Dispatcher(self.committer, self.clock, DispatchOptions(), lambda: 1.0)  # type: ignore[arg-type]  # a stand-in
        identity = make_identity(
            limits=WireLimits(frame=4096, in_flight=in_flight, heartbeat_ms=3000), send_buffer=send_buffer
        )
        kinds: frozenset[ClientKind] = frozenset({"http_proxy"})
        self.end = OcsEnd(Owner(), self.dispatcher, identity, self.clock, accepts=kinds, session=42)
        self.transport = LinkTransport()
        self.end.protocol.makeConnection(self.transport)
        self.receive([Hello(versions=[1], client="http_proxy", pid=1)])
        self.transport.clear()

    def receive(self, messages: list[Message]) -> None:
        """Get messages in one segment."""
        self.end.protocol.dataReceived(b"".join(map(encode, messages)))

    def stop(self) -> None:
        """End the link."""
        self.end.protocol.connectionLost(Failure(ConnectionDone()))

    def state(self) -> object:
        """Return what has become of everything so far."""
        self.clock.advance(0)
        jobs = [
            (job.pending.request.name, job.pending.data, job.pending.context, job.pending.request_id, job.deadline)
            for job in self.committer.jobs
        ]
        return jobs, self.dispatcher.requests, self.end.open_requests, self.transport.value()


@skipUnless(speedups.is_used(), "nothing goes together without compiled parts")
class TogetherTests(SynchronousTestCase):
    """The same requests in one segment and one by one, the same outcomes together and one by one."""

    def both(self, in_flight: int = 100) -> tuple[Ocs, Ocs]:
        """Return two of the same; whatever they log is wanted."""
        LogCapture(self)
        return Ocs(in_flight), Ocs(in_flight)

    @given(_requests(), st.integers(1, 12))
    def test_requests(self, requests: list[Request], in_flight: int) -> None:
        """What is handed over, and what is answered at once, does not depend on what came with it."""
        together, apart = self.both(in_flight)
        together.receive(list(requests))
        self.patch(apart.dispatcher, "handle_together", lambda *_: 0)
        for request in requests:
            apart.receive([request])
        self.assertEqual(together.state(), apart.state())
        together.stop()
        apart.stop()

    @given(
        st.lists(st.sampled_from([*_REPLIES[:2] * 4, *_REPLIES]), max_size=12),
        st.sets(st.integers(0, 11)),
        st.sampled_from([[0, 1], [2], [0, 2, 2, 2]]),
    )
    def test_outcomes(self, replies: list[Reply], replayed: set[int], asked: list[int]) -> None:
        """The same frames go out, in the same order, and as much is counted."""
        seen = []
        for is_together, ocs in zip((True, False), self.both(), strict=True):
            before = dict(REQUESTS.samples())
            REQUEST_SECONDS.clear()
            kinds = [_DATA[asked[at % len(asked)]] for at, _ in enumerate(replies)]
            ocs.receive([Request(ref=at, data=dict(each)) for at, each in enumerate(kinds, 1)])
            outcomes = [
                Outcome(reply.copy() if isinstance(reply, dict) else reply, replayed=at in replayed)
                for at, reply in enumerate(replies)
            ]
            ocs.clock.advance(0.75)
            jobs, at = ocs.committer.jobs, 0
            while at < len(jobs):
                at += ocs.dispatcher.finish_together(jobs, outcomes, at) if is_together else 0
                if at < len(jobs):
                    jobs[at].deliver(outcomes[at])
                    at += 1
            changes = {labels: value - before.get(labels, 0) for labels, value in REQUESTS.samples()}
            counted = REQUEST_SECONDS.buckets, REQUEST_SECONDS.sum, changes
            seen.append((ocs.state(), counted))
            ocs.stop()
        self.assertEqual(seen[0], seen[1])

    def test_that_it_is_together(self) -> None:
        """Requests that are alike are handed over, and answered, by one call each."""
        ocs = Ocs()
        self.patch(ocs.dispatcher, "handle", None)
        ocs.receive([Request(ref=at, data=dict(_DATA[0])) for at in range(1, 9)])
        outcomes = [Outcome({"GSW_USER_EVENT": "X"})] * 8
        self.assertEqual(ocs.dispatcher.finish_together(ocs.committer.jobs, outcomes, 0), 8)
        self.assertEqual(ocs.end.open_requests, set())
        ocs.stop()

    def test_answers_that_may_be_large(self) -> None:
        """As many go to work as have room for their answers; others follow when it is known how large they are."""
        ocs = Ocs(send_buffer=8000)
        self.patch(ocs.dispatcher, "handle", None)
        ocs.receive([Request(ref=at, data=dict(_DATA[2])) for at in range(1, 9)])
        self.assertEqual(len(ocs.committer.jobs), 8)
        ocs.stop()
        large = [Outcome({"GSW_USER_EVENT": "X", "Y": "y" * 3000})] * 2
        for is_together in (True, False):
            ocs = Ocs(send_buffer=8000)
            ocs.receive([Request(ref=at, data=dict(_DATA[2])) for at in range(1, 13)])
            self.assertEqual(len(ocs.committer.jobs), 8)
            if is_together:
                self.assertEqual(ocs.dispatcher.finish_together(ocs.committer.jobs[:2], large, 0), 2)
            else:
                for job in ocs.committer.jobs[:2]:
                    job.deliver(large[0])
            # Six of these have no room any more, so nothing goes to work until they are answered.
            self.assertEqual(len(ocs.committer.jobs), 8)
            for job in ocs.committer.jobs[2:]:
                job.deliver(Outcome({"GSW_USER_EVENT": "X"}))
            self.assertEqual(len(ocs.committer.jobs), 12)
            for job in ocs.committer.jobs[8:]:
                job.deliver(Outcome({"GSW_USER_EVENT": "X"}))
            self.assertEqual(ocs.end.open_requests, set())
            ocs.stop()

    def test_traced(self) -> None:
        """Whoever traces a link is shown each answer."""
        ocs, shown = Ocs(), list[Message]()
        ocs.receive([Request(ref=at, data=dict(_DATA[0])) for at in (1, 2)])
        ocs.end.use_trace(lambda message, received: shown.append(message))
        outcomes = [Outcome({"GSW_USER_EVENT": "X"})] * 2
        self.assertEqual(ocs.dispatcher.finish_together(ocs.committer.jobs, outcomes, 0), 0)
        for job in ocs.committer.jobs:
            job.deliver(outcomes[0])
        self.assertEqual(len(shown), 2)
        ocs.stop()

    def test_client_is_gone(self) -> None:
        """Answers to a link that has ended go nowhere."""
        ocs = Ocs()
        ocs.receive([Request(ref=at, data=dict(_DATA[0])) for at in (1, 2)])
        ocs.stop()
        outcomes = [Outcome({"GSW_USER_EVENT": "X"})] * 2
        self.assertEqual(ocs.dispatcher.finish_together(ocs.committer.jobs, outcomes, 0), 0)
        for job in ocs.committer.jobs:
            job.deliver(outcomes[0])
        self.assertEqual(ocs.transport.value(), b"")

    def test_committer_that_fails(self) -> None:
        """Requests that cannot be handed over are answered with 500, each."""
        ocs = Ocs()

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        self.patch(ocs.committer, "submit_all", fail)
        ocs.receive([Request(ref=at, data=dict(_DATA[0])) for at in (1, 2)])
        ocs.clock.advance(0)
        self.assertEqual((ocs.transport.value().count(b"GSW_ERROR_CODE"), ocs.end.open_requests), (2, set()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        ocs.stop()
