"""Requests of a link become jobs, outcomes become events."""

from collections.abc import Callable
from unittest import mock
from zoneinfo import ZoneInfo

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import CallingList, Directory, Tenant, TimeZone
from ocsgw.counters import REQUEST_SECONDS, REQUESTS, RESCHEDULES
from ocsgw.execution.jobs import Job
from ocsgw.ocs.dispatch import Dispatcher, DispatchOptions
from ocsgw.protocol.context import ANONYMOUS, RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event, Request, encode
from ocsgw.protocol.requests import ClientKind
from tests.ocs.doubles import FakeCommitter

ADD: KV = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL", "GSW_PHONE": "1"}


def make_directory() -> Directory:
    """Return a directory with one list."""
    zone = TimeZone(101, "GMT", ZoneInfo("Etc/UTC"))
    tenant = Tenant(1, "Environment", zone)
    return Directory(
        application_dbid=134,
        tenants=(tenant,),
        zones=(zone,),
        calling_lists=(CallingList.of(201, "CL", "CL", tenant),),
    )


class DispatchTests(SynchronousTestCase):
    """One dispatcher."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.committer = FakeCommitter(make_directory())
        self.dispatcher = Dispatcher(self.committer, self.clock, DispatchOptions())  # type: ignore[arg-type]  # a stand-in
        self.client: ClientKind = "http_proxy"
        self.events: list[Event] = []

    def handle(self, ref: int = 1, data: KV | None = None, **more: object) -> None:
        self.handle_with(self.events.append, ref, data, **more)

    def handle_with(self, reply: Callable[[Event], None], ref: int = 1, data: KV | None = None, **more: object) -> None:
        """Hand a request over whose events go to `reply`."""
        request = Request(ref=ref, data=data or dict(ADD), **more)  # type: ignore[arg-type]  # optional keys
        context = RequestContext(
            request.principal or ANONYMOUS, self.client, peer=request.peer or "", base_uri="http://ocs.example:8080"
        )
        self.dispatcher.handle(request, context, reply)

    def deliver(self, at: int, outcome: Outcome) -> None:
        self.committer.jobs[at].deliver(outcome)

    def test_job(self) -> None:
        """A request becomes a job with its principal, deadline and the URI of its listener (P74, H68)."""
        self.clock.advance(100)
        self.handle(principal="crm", deadline_ms=1500)
        (job,) = self.committer.jobs
        self.assertEqual(
            (job.pending.context.principal, job.pending.context.base_uri, job.deadline),
            ("crm", "http://ocs.example:8080", 101.5),
        )
        self.assertIsNone(job.pending.key)

    def test_event(self) -> None:
        """An acknowledgement is the event of its request, marked if it is a replay (P76)."""
        self.handle(5)
        self.deliver(0, Outcome({"GSW_USER_EVENT": "X"}, replayed=True))
        self.assertEqual(self.events, [Event(ref=5, data={"GSW_USER_EVENT": "X"}, replayed=True)])

    def test_duration(self) -> None:
        """How long a request takes from its arrival to its answer is counted by its type."""
        REQUEST_SECONDS.clear()
        self.clock.advance(100)
        self.handle(5)
        self.clock.advance(0.75)
        self.deliver(0, Outcome({"GSW_USER_EVENT": "X"}))
        self.assertEqual((REQUEST_SECONDS.count, REQUEST_SECONDS.cell(request="AddRecord").sum), (1, 0.75))

    def test_error(self) -> None:
        """P75, H145: an Error event has code, text, code key and the reference id."""
        self.handle(5, {**ADD, "GSW_REFERENCE_ID": 77})
        self.deliver(0, Outcome(Refusal("list_not_found")))
        (event,) = self.events
        self.assertEqual(event.code, "list_not_found")
        self.assertEqual(
            event.data,
            {
                "GSW_USER_EVENT": "Error",
                "GSW_ERROR": "Calling list not found",
                "GSW_ERROR_CODE": "list_not_found",
                "GSW_REFERENCE_ID": 77,
            },
        )

    def test_unknown_request(self) -> None:
        """P4: an unknown request gets Error; the connection stays."""
        self.handle(data={"GSW_AGENT_REQ_TYPE": "Nonsense"})
        self.assertEqual([event.code for event in self.events], ["unknown_request"])

    def test_request_without_a_name(self) -> None:
        """P1: a request without a name, or with a number for one, gets Error."""
        self.handle(1, {"GSW_PHONE": "1"})
        self.handle(2, {"GSW_AGENT_REQ_TYPE": 7})
        self.assertEqual([event.code for event in self.events], ["unknown_request"] * 2)

    def test_forbidden_request(self) -> None:
        """3.1: a request that this kind of client may not send gets Error forbidden."""
        self.handle(data={"GSW_AGENT_REQ_TYPE": "StartDialing", "GSW_CAMPAIGN_GROUP_DBID": 102})
        self.assertEqual([event.code for event in self.events], ["forbidden"])

    def test_not_available(self) -> None:
        """While OCS stops every request gets 503."""
        self.dispatcher.available = False
        self.handle()
        self.assertEqual([event.code for event in self.events], ["unavailable"])

    def test_key_in_execution(self) -> None:
        """H326: the same key of the same principal while the first is executed is 409; another principal's is not."""
        self.handle(1, idempotency_key="a", principal="p")
        self.handle(2, idempotency_key="a", principal="p")
        self.handle(3, idempotency_key="a", principal="q")
        self.assertEqual([(event.ref, event.code) for event in self.events], [(2, "key_in_use")])
        self.deliver(0, Outcome({"GSW_USER_EVENT": "X"}))
        self.handle(4, idempotency_key="a", principal="p")
        self.assertEqual(len(self.committer.jobs), 3)
        self.assertEqual(self.committer.jobs[0].pending.keep_for, 86400)

    def test_keys_of_addresses(self) -> None:
        """H321: clients without a principal share their keys, or each address has its own, as the option says."""
        for by_address, expected in ((False, 2), (True, 3)):
            with self.subTest(by_address=by_address):
                self.dispatcher.options = DispatchOptions(by_address=by_address)
                self.committer.jobs.clear()
                self.handle(1, idempotency_key="a", peer="10.0.0.1")
                self.handle(2, idempotency_key="a", peer="10.0.0.2")
                self.handle(3, idempotency_key="a", peer="10.0.0.1", principal="crm")
                self.handle(4, idempotency_key="a", peer="10.0.0.2", principal="crm")
                self.assertEqual(len(self.committer.jobs), expected)
                for at in range(expected):
                    self.deliver(at, Outcome(Refusal("busy")))
        self.handle(5, idempotency_key="a 10.0.0.1 x", peer="b")
        self.handle(6, idempotency_key="x", peer="a 10.0.0.1 b")
        self.assertEqual(len({job.pending.key for job in self.committer.jobs[3:]}), 2)

    def test_an_error_frees_the_key(self) -> None:
        """H327: after an error the key may be used again."""
        self.handle(1, idempotency_key="a")
        self.deliver(0, Outcome(Refusal("list_not_found")))
        self.handle(2, idempotency_key="a")
        self.assertEqual(len(self.committer.jobs), 2)

    def test_duplicate_window(self) -> None:
        """H331: equal AddRecords of one address share a key; the second waits for the first. Reference ids differ."""
        self.dispatcher.options = DispatchOptions(duplicate_window=30)
        self.handle(1, {**ADD, "GSW_REFERENCE_ID": 1}, peer="10.0.0.1")
        self.handle(2, {**ADD, "GSW_REFERENCE_ID": 2}, peer="10.0.0.1")
        self.handle(3, dict(ADD), peer="10.0.0.2")
        self.handle(4, {**ADD, "GSW_PHONE": "2"}, peer="10.0.0.1")
        self.assertEqual(len(self.committer.jobs), 3)
        self.deliver(0, Outcome({"GSW_USER_EVENT": "X"}))
        self.assertEqual(len(self.committer.jobs), 4)
        first, second = self.committer.jobs[0].pending, self.committer.jobs[3].pending
        self.assertEqual((first.key, first.fingerprint, first.keep_for), (second.key, second.fingerprint, 30))
        self.assertEqual([event.ref for event in self.events], [1])

    def test_keys_of_clients_and_of_the_window_differ(self) -> None:
        """A client cannot choose a key that the duplicate window would make."""
        self.dispatcher.options = DispatchOptions(duplicate_window=30)
        self.handle(1, peer="a")
        made = self.committer.jobs[0].pending.key
        assert made is not None
        self.handle(2, idempotency_key=made)
        self.assertEqual(len(self.committer.jobs), 2)
        self.assertNotEqual(self.committer.jobs[1].pending.key, made)

    def test_several_events(self) -> None:
        """P20: of several events of one request all but the last are marked."""
        self.handle(5)
        self.deliver(0, Outcome([{"GSW_USER_EVENT": "A"}, {"GSW_USER_EVENT": "B"}]))
        self.assertEqual(
            self.events,
            [Event(ref=5, data={"GSW_USER_EVENT": "A"}, more=True), Event(ref=5, data={"GSW_USER_EVENT": "B"})],
        )

    # Barriers: whatever goes wrong with a request, it is answered, and its key is free again.

    def over_a_link(self, event: Event) -> None:
        """Send an event, as a link does."""
        encode(event)
        self.events.append(event)

    def test_event_that_cannot_be_encoded(self) -> None:
        """An event with a value that cannot travel costs its own request only: 500; the key is free."""
        for number, value in enumerate((10**24, -(10**30), object())):
            with self.subTest(value=value):
                self.handle_with(self.over_a_link, idempotency_key="a", request_id="r1")
                self.deliver(number, Outcome({"GSW_USER_EVENT": "X", "GSW_ATTEMPTS": value}))  # type: ignore[dict-item]  # on purpose
                self.assertEqual([event.code for event in self.events], ["internal"])
                self.events.clear()
                self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.handle_with(self.over_a_link, idempotency_key="a")
        self.deliver(3, Outcome({"GSW_USER_EVENT": "X"}))
        self.assertEqual([event.code for event in self.events], [None])

    def test_link_that_takes_nothing(self) -> None:
        """A link that raises at every event does not keep a key, nor those that wait for its request."""
        self.dispatcher.options = DispatchOptions(duplicate_window=30)

        def refuse(event: Event) -> None:
            raise ZeroDivisionError

        self.handle_with(refuse, 1)
        self.handle_with(refuse, 2)
        self.handle_with(self.over_a_link, 3)
        self.assertEqual(len(self.committer.jobs), 1)
        for at in range(2):
            self.deliver(at, Outcome(Refusal("list_not_found")))
        self.deliver(2, Outcome({"GSW_USER_EVENT": "X"}))
        self.assertEqual([event.ref for event in self.events], [3])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_duplicate_that_cannot_be_handed_over(self) -> None:
        """Of several that wait for a request each is handed over on its own, or answered with 500."""
        self.dispatcher.options = DispatchOptions(duplicate_window=30)
        for ref in (1, 2, 3):
            self.handle(ref)
        original = self.committer.submit
        refused: list[Job] = []

        def submit(job: Job) -> None:
            if not refused:
                refused.append(job)
                raise ZeroDivisionError
            original(job)

        with mock.patch.object(self.committer, "submit", submit):
            self.deliver(0, Outcome({"GSW_USER_EVENT": "X"}))
        self.deliver(1, Outcome({"GSW_USER_EVENT": "X"}))
        self.assertEqual([(event.ref, event.code) for event in self.events], [(1, None), (2, "internal"), (3, None)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_request_that_cannot_be_handed_over(self) -> None:
        """Whatever fails before the committer has the request: 500, and the key is free."""
        for number, (owner, name) in enumerate(
            (
                (self.committer, "submit"),
                (self.dispatcher, "_begin"),
                (self.dispatcher, "_name"),
            )
        ):
            with self.subTest(name=name), mock.patch.object(owner, name, side_effect=ZeroDivisionError):
                self.handle(number, idempotency_key="a")
            self.assertEqual([(event.ref, event.code) for event in self.events], [(number, "internal")])
            self.events.clear()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.handle(9, idempotency_key="a")
        self.assertEqual(len(self.committer.jobs), 1)

    def test_reschedules(self) -> None:
        """H357: an acknowledged reschedule counts once; neither a repeat nor a refusal does."""
        RESCHEDULES.clear()
        request: KV = {"GSW_AGENT_REQ_TYPE": "RecordReschedule", "GSW_RECORD_HANDLE": 1}
        reply: KV = {"GSW_USER_EVENT": "RecordRescheduleAcknowledge", "GSW_CALLBACK_TYPE": "Personal"}
        outcomes = (Outcome(reply), Outcome(reply, replayed=True), Outcome(Refusal("do_not_call")))
        for at, outcome in enumerate(outcomes):
            self.handle(at + 1, dict(request))
            self.deliver(at, outcome)
        self.assertEqual(list(RESCHEDULES.samples()), [(("RecordReschedule", "Personal"), 1)])

    def test_counters(self) -> None:
        """Requests are counted by their type and result; what nobody knows is one type."""
        self.handle(1)
        self.deliver(0, Outcome({"GSW_USER_EVENT": "X"}, replayed=True))
        self.handle(2)
        self.deliver(1, Outcome(Refusal("list_not_found")))
        self.handle(3, {"GSW_AGENT_REQ_TYPE": "Nonsense"})
        counted = dict(REQUESTS.samples())
        for labels in (("AddRecord", "ok"), ("AddRecord", "list_not_found"), ("unknown", "unknown_request")):
            self.assertGreaterEqual(counted[labels], 1, labels)
        self.assertNotIn("Nonsense", {name for name, _ in counted})
