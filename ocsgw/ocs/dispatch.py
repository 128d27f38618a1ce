"""Requests of a link become jobs of the committer, and outcomes become events (protocol.md sections 3 and 5)."""

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocsgw import speedups
from ocsgw.clock import WallClock
from ocsgw.contact.batch import Outcome, fingerprint
from ocsgw.contact.directory import Directory
from ocsgw.contact.unit_of_work import PendingRequest, final_event
from ocsgw.counters import REPLAYED, REQUEST_SECONDS, RESCHEDULES
from ocsgw.counters import REQUESTS as REQUESTS_ANSWERED
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Awaiting
from ocsgw.guard import contain, guarded
from ocsgw.protocol.context import ANONYMOUS, RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event, Request
from ocsgw.protocol.requests import REQUESTS, RequestType, request_named

if speedups.is_used():
    from ocsgw.speedups.back import Job, answers, jobs

# Takes the events of a request, of which all but the last one are marked `more`. One that raises has not taken the
# event, and may be called again with an error event.
Reply = Callable[[Event], None]
_Key = tuple[str, str]
_SUCCEEDED = {name: REQUESTS_ANSWERED.cell(request=name, code="ok") for name in REQUESTS}
_SECONDS = {name: REQUEST_SECONDS.cell(request=name) for name in REQUESTS}
_REPLAYED = REPLAYED.cell()
_KEPT_REFUSALS = 50
_RESCHEDULES = frozenset({"RecordReschedule", "ScheduledRecordReschedule"})
# Requests whose answer has as much text as records have, of which other programs write as much as they like.
MAYBE_LARGE = frozenset({"ChainedRecordRequest", "PreviewRecordRequest"})
# What more clients may ask for is looked up anew.
_MOST_CLIENTS = 1024


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """The part of `[limits]` that concerns requests here, times in seconds.

    With `by_address` idempotency keys of clients that have no principal belong to their addresses; else all of these
    share one pool of keys (H321).
    """

    idempotency_ttl: int = 86400
    duplicate_window: int = 0
    by_address: bool = False


class Home(Protocol):
    """The client's end for requests that came together, and go back together.

    `open_requests` are the refs that have no final event yet, `room` is how many more there may be, `large_room` how
    many of these may have large answers, and `largest` how many bytes an event may have. While the end `is_plain`,
    frames may be sent without its looking at the events.
    """

    largest: int

    @property
    def open_requests(self) -> set[int]:
        """The refs of requests without their final event."""

    @property
    def room(self) -> int:
        """How many requests may come."""

    @property
    def large_room(self) -> int:
        """How many requests may come whose answers may be large."""

    @property
    def is_plain(self) -> bool:
        """Whether nobody wants to see the events."""

    def reply_to(self, request: Request) -> Reply:
        """Return what takes the events of a request."""

    def admit(self, refs: Collection[int]) -> None:
        """Requests whose answers may be large go to work."""

    def send_together(self, frames: bytes) -> None:
        """Send the final events of requests that are open no longer."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal, for whoever wants to know why: `at` in seconds since 1970 UTC, the contact if the request has one."""

    number: int
    at: float
    request: str
    text: str
    contact: str | None


class Dispatcher:
    """Brings requests to the committer. While `available` is false every request is refused with 503.

    `requests` is how many there have been.
    """

    requests = 0
    _log = Logger()

    def __init__(
        self, committer: Committer, clock: IReactorTime, options: DispatchOptions, wall_clock: WallClock = time.time
    ) -> None:
        self._wall_clock = wall_clock
        self.available = True
        self.options = options
        self._committer = committer
        self._clock = clock
        # Keys of requests that are being executed; with those that wait for the first of its kind to end (H331).
        self._executing: dict[_Key, list[_Exchange]] = {}
        # The last refusals, the oldest first.
        self.refused: deque[Refused] = deque(maxlen=_KEPT_REFUSALS)
        self._refusals = 0
        # What clients may ask for, by their kinds and principals, by the directory that says so.
        self._kinds: dict[tuple[str, str], dict[str, RequestType]] = {}
        self._kinds_of: Directory | None = None
        if speedups.is_used():
            committer.answer_together = self.finish_together

    def handle(self, request: Request, context: RequestContext, reply: Reply) -> None:
        """Carry out a request; `reply` takes its final event, exactly one (P2, P72).

        `context` says who asks; it was made where the request entered OCS. Nothing is raised: a request that
        cannot even be handed over is answered with 500.
        """
        self.requests += 1
        try:
            self._hand_over(request, context, reply)
        except Exception:  # noqa: BLE001 - whatever it is concerns this request only
            self._fail(request, reply)

    def _hand_over(self, request: Request, context: RequestContext, reply: Reply) -> None:
        """Check what needs no store, and bring the request to the committer."""
        name = request.data.get("GSW_AGENT_REQ_TYPE")
        known = REQUESTS.get(name) if name.__class__ is str else None
        if known is None:
            try:
                known = request_named(name)
            except Refusal as refusal:
                self.refuse(request, refusal, reply)
                return
        forbidden = self._refusal_of(known, context)
        if forbidden is not None:
            self.refuse(request, forbidden, reply)
            return
        pending = PendingRequest(known, request.data, context, request_id=request.request_id)
        if request.idempotency_key is not None or self.options.duplicate_window:
            self._name(pending, request)
        now = self._clock.seconds()
        deadline = now + request.deadline_ms / 1000 if request.deadline_ms is not None else None
        exchange = _Exchange(self, request, pending, deadline, reply, now)
        if pending.key is None and self.available:
            self._committer.submit(exchange)
        else:
            self._begin(exchange)

    def handle_together(self, requests: list[Request], at: int, context: RequestContext, home: Home) -> int:
        """Carry out the requests from `at` on that are usual, which `context` asks for; return how many.

        None where `handle` has to see the first one. What can be sent together of their answers goes to `home`.
        """
        if not speedups.is_used() or not self.available or self.options.duplicate_window:
            return 0
        taken, large = jobs(
            *(requests, at, home.room, home.large_room, home.open_requests, self._kinds_for(context), MAYBE_LARGE),
            *(context, PendingRequest, self, home, self._clock.seconds()),
        )
        if large:
            home.admit(large)
        self.requests += len(taken)
        try:
            self._committer.submit_all(taken)
        except Exception:  # noqa: BLE001 - whatever it is concerns these requests only
            for job in taken:
                self._fail(job.request, job.reply)
        return len(taken)

    def _kinds_for(self, context: RequestContext) -> dict[str, RequestType]:
        """Return what a client may ask for, by its names; as long as the directory is the same."""
        directory, kinds = self._committer.directory, self._kinds
        if directory is not self._kinds_of or len(kinds) > _MOST_CLIENTS:
            self._kinds_of = directory
            kinds.clear()
        key = context.client, context.principal
        found = kinds.get(key)
        if found is None:
            found = kinds[key] = {
                name: known for name, known in REQUESTS.items() if self._refusal_of(known, context) is None
            }
        return found

    def _refusal_of(self, known: RequestType, context: RequestContext) -> Refusal | None:
        """Return why a client may not send requests of this kind."""
        if context.client not in known.clients:
            return Refusal("forbidden")
        permissions = self._committer.directory.principals.get(context.principal)
        missing = permissions.missing_for_action(known.name) if permissions is not None else None
        return Refusal("forbidden", missing=missing) if missing is not None else None

    def _name(self, pending: PendingRequest, request: Request) -> None:
        """Give a request the key under which its answer is kept: its own, or what makes it a repetition."""
        context, window = pending.context, self.options.duplicate_window
        if request.idempotency_key is not None:
            # The prefixes keep keys of clients apart from those that are made here.
            if self.options.by_address and context.principal == ANONYMOUS:
                pending.key = f"a{context.peer} {request.idempotency_key}"
            else:
                pending.key = f"k{request.idempotency_key}"
            pending.keep_for = self.options.idempotency_ttl
        elif window and pending.request.name == "AddRecord":
            pending.fingerprint = fingerprint(request.data, self._committer.directory, but=("GSW_REFERENCE_ID",))
            pending.key = f"d{pending.fingerprint.hex()} {context.peer}"
            pending.keep_for = window

    def _begin(self, exchange: "_Exchange") -> None:
        """Give a request to the committer; one whose key is in use is refused, or waits for the other."""
        if not self.available:
            self.refuse(exchange.request, Refusal("unavailable"), exchange.reply)
            return
        pending = exchange.pending
        if pending.key is None:
            self._committer.submit(exchange)
            return
        key = pending.context.principal, pending.key
        waiting = self._executing.get(key)
        if waiting is None:
            self._executing[key] = []
            try:
                self._committer.submit(exchange)
            except Exception:
                self._release(key)
                raise
        elif pending.fingerprint is None:
            self.refuse(exchange.request, Refusal("key_in_use"), exchange.reply)
        else:
            waiting.append(exchange)

    def finish_together(self, taken: Sequence[Awaiting], outcomes: Sequence[Outcome], at: int) -> int:
        """Answer the requests from `at` on that are usual and of one client; return how many.

        None where the first one has to be delivered by itself.
        """
        first = taken[at]
        if first.__class__ is not Job or not first.end.is_plain:
            return 0
        home, count = first.end, 0
        try:
            frames, count, seconds_of = answers(
                *(taken, outcomes, at, home.open_requests, home.largest, self._clock.seconds(), REQUEST_SECONDS.bounds),
                _RESCHEDULES,
            )
            for known, buckets, seconds in seconds_of:
                _SECONDS[known.name].add(buckets, seconds)
                _SUCCEEDED[known.name].value += sum(buckets)
            if count:
                home.send_together(frames)
        except Exception:  # noqa: BLE001 - those that are still open are delivered by themselves
            contain(self._log, "reply", first.pending.title)
        return count

    def finish(self, exchange: "_Exchange", outcome: Outcome) -> None:
        """Answer a request that the committer has carried out; its key is free again.

        An event that cannot be sent costs its own request only, which gets 500.
        """
        request, pending, answer = exchange.request, exchange.pending, outcome.reply
        name = pending.request.name
        _SECONDS[name].observe(self._clock.seconds() - exchange.begun)
        try:
            if isinstance(answer, Refusal):
                self.refuse(request, answer, exchange.reply)
                return
            if outcome.replayed:
                _REPLAYED.add()
            if isinstance(answer, list):
                answer = _send_all_but_last(request, answer, exchange.reply)
            exchange.reply(Event(ref=request.ref, data=cast("KV", answer), replayed=outcome.replayed))
            _SUCCEEDED[name].value += 1
            if name in _RESCHEDULES and not outcome.replayed:
                event = final_event(outcome.reply) or {}
                RESCHEDULES.add(request=name, type=str(event.get("GSW_CALLBACK_TYPE", "")))
        except Exception:  # noqa: BLE001 - a value that cannot be encoded, or a defect of the link
            contain(self._log, "reply", pending.title)
            self.refuse(request, Refusal("internal"), exchange.reply)
        finally:
            if pending.key is not None:
                self._release((pending.context.principal, pending.key))

    def _release(self, key: _Key) -> None:
        """A request with a key has ended; those that waited for it go on."""
        for exchange in self._executing.pop(key):
            try:
                self._begin(exchange)
            except Exception:  # noqa: BLE001 - whatever it is concerns this request only
                self._fail(exchange.request, exchange.reply)

    # Answers.

    def _fail(self, request: Request, reply: Reply) -> None:
        """A request could not be handed over because of the exception that is being handled."""
        contain(self._log, "dispatch", _title(request))
        self.refuse(request, Refusal("internal"), reply)

    def answer(self, request: Request, known: RequestType, event: KV, reply: Reply) -> None:
        """Answer a request that needs no store with its final event, and count it."""
        self.requests += 1
        _SUCCEEDED[known.name].value += 1
        guarded(self._log, "reply", reply, Event(ref=request.ref, data=event))

    def refuse(self, request: Request, refusal: Refusal, reply: Reply) -> None:
        """Answer a request with a refusal, and count it."""
        name = request.data.get("GSW_AGENT_REQ_TYPE")
        known = name if isinstance(name, str) and name in REQUESTS else "unknown"
        REQUESTS_ANSWERED.add(request=known, code=refusal.code)
        self._refusals += 1
        phone = request.data.get("GSW_PHONE")
        contact = phone if isinstance(phone, str) else None
        self.refused.append(Refused(self._refusals, self._wall_clock(), known, refusal.text, contact))
        guarded(self._log, "reply", reply, error_event(request, refusal))


class _Exchange(msgspec.Struct, eq=False):
    """A request on its way to the committer and back."""

    dispatcher: Dispatcher
    request: Request
    pending: PendingRequest
    deadline: float | None
    reply: Reply
    begun: float

    def deliver(self, outcome: Outcome) -> None:
        """Take what has become of the request."""
        self.dispatcher.finish(self, outcome)


def _send_all_but_last(request: Request, events: Sequence[KV], reply: Reply) -> KV:
    """Send the events of a request that has several (P20), and return the last one."""
    for event in events[:-1]:
        reply(Event(ref=request.ref, data=event, more=True))
    return events[-1]


def _title(request: Request) -> str:
    """Return what the log calls a request."""
    return (
        f"{request.data.get('GSW_AGENT_REQ_TYPE')} of {request.principal or 'nobody known'}, "
        f"request id {request.request_id}"
    )


def error_event(request: Request, refusal: Refusal) -> Event:
    """Return the Error event of a refusal (P75)."""
    data: KV = {"GSW_USER_EVENT": "Error", "GSW_ERROR": refusal.text, "GSW_ERROR_CODE": refusal.code}
    if refusal.missing is not None:
        data["GSW_MISSING_PERMISSION"] = refusal.missing
    reference = request.data.get("GSW_REFERENCE_ID")
    if reference is not None:
        data["GSW_REFERENCE_ID"] = reference
    return Event(ref=request.ref, data=data, code=refusal.code)
