"""Requests of a link become jobs of the committer, and outcomes become events (protocol.md sections 3 and 5)."""

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from ocsgw.contact.batch import Outcome, fingerprint
from ocsgw.contact.unit_of_work import PendingRequest
from ocsgw.execution.committer import Committer, Job
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event, Request
from ocsgw.protocol.requests import REQUESTS

Reply = Callable[[Event], None]
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """The part of `[limits]` that concerns requests here, in seconds."""

    idempotency_ttl: int = 86400
    duplicate_window: int = 0


class Dispatcher:
    """Brings requests to the committer. While `available` is false every request is refused with 503.

    `requests` is how many there have been.
    """

    requests = 0

    def __init__(self, committer: Committer, clock: IReactorTime, options: DispatchOptions) -> None:
        self.available = True
        self.options = options
        self._committer = committer
        self._clock = clock
        # Keys of requests that are being executed; with those that wait for the first of its kind to end (H331).
        self._executing: dict[_Key, list[Callable[[], None]]] = {}

    def handle(self, request: Request, context: RequestContext, reply: Reply) -> None:
        """Carry out a request; `reply` is called exactly once with its final event (P2, P72).

        `context` says who asks; it was made where the request entered OCS.
        """
        self.requests += 1
        kind = request.data.get("GSW_AGENT_REQ_TYPE")
        known = REQUESTS.get(kind) if isinstance(kind, str) else None
        if known is None:
            reply(error_event(request, Refusal("unknown_request", str(kind))))
            return
        if context.client not in known.clients:
            reply(error_event(request, Refusal("forbidden")))
            return
        permissions = self._committer.directory.permissions_of(context.principal)
        missing = permissions.missing_for_action(known.name)
        if missing is not None:
            reply(error_event(request, Refusal("forbidden", missing=missing)))
            return
        deadline = None
        if request.deadline_ms is not None:
            deadline = self._clock.seconds() + request.deadline_ms / 1000
        self._begin(request, self._work(request, context), deadline, reply)

    def _work(self, request: Request, context: RequestContext) -> PendingRequest:
        pending = PendingRequest(request.data, context, request_id=request.request_id)
        window = self.options.duplicate_window
        if request.idempotency_key is not None:
            # The prefix keeps keys of clients apart from those that are made here.
            pending.key = f"k{request.idempotency_key}"
            pending.keep_for = self.options.idempotency_ttl
        elif window and request.data.get("GSW_AGENT_REQ_TYPE") == "AddRecord":
            pending.fingerprint = fingerprint(request.data, self._committer.directory, but=("GSW_REFERENCE_ID",))
            pending.key = f"d{pending.fingerprint.hex()} {context.peer}"
            pending.keep_for = window
        return pending

    def _begin(self, request: Request, pending: PendingRequest, deadline: float | None, reply: Reply) -> None:
        if not self.available:
            reply(error_event(request, Refusal("unavailable")))
            return
        key = (pending.context.principal, pending.key) if pending.key is not None else None
        if key is not None:
            waiting = self._executing.get(key)
            if waiting is not None:
                if pending.fingerprint is None:
                    reply(error_event(request, Refusal("key_in_use")))
                else:
                    waiting.append(lambda: self._begin(request, pending, deadline, reply))
                return
            self._executing[key] = []

        def deliver(outcome: Outcome) -> None:
            reply(event_of(request, outcome))
            if key is not None:
                for again in self._executing.pop(key):
                    again()

        self._committer.submit(Job(pending, deliver, deadline))


def event_of(request: Request, outcome: Outcome) -> Event:
    """Return the final event of a request."""
    if isinstance(outcome.reply, Refusal):
        return error_event(request, outcome.reply)
    return Event(ref=request.ref, data=outcome.reply, replayed=outcome.replayed)


def error_event(request: Request, refusal: Refusal) -> Event:
    """Return the Error event of a refusal (P75)."""
    data: KV = {"GSW_USER_EVENT": "Error", "GSW_ERROR": refusal.text, "GSW_ERROR_CODE": refusal.code}
    if refusal.missing is not None:
        data["GSW_MISSING_PERMISSION"] = refusal.missing
    reference = request.data.get("GSW_REFERENCE_ID")
    if reference is not None:
        data["GSW_REFERENCE_ID"] = reference
    return Event(ref=request.ref, data=data, code=refusal.code)
