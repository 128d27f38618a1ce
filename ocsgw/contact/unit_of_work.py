"""A request on its way through the rules, and what a batch of them shares."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import msgspec

from ocsgw.contact.backlog import Backlog
from ocsgw.contact.directory import Directory
from ocsgw.contact.news import text_of
from ocsgw.contact.notices import Notice
from ocsgw.contact.outbox import Change, Delivery, RecordChanged, entry_of
from ocsgw.contact.transaction import GroupStatus, Transaction
from ocsgw.protocol.context import NOBODY, RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from ocsgw.protocol.requests import RequestType

T = TypeVar("T")
# When a record is found to be on the do-not-call list: as it is added, chosen, handed out already, or imported.
BlockedAt = Literal["add", "preview", "hand-out", "import"]


class PendingRequest(msgspec.Struct, eq=False):
    """One request on its way through the rules: which one it is, its key-values, and who asks.

    With a `key` its acknowledgement is stored under (principal, key) for `keep_for` seconds, and a repetition gets it
    again (H324). `fingerprint` says what makes two requests the same; None: to be computed (H322). `request_id` is what
    the client calls the request, for the audit log. `resume` is how the request goes on that has got a `Continuation`
    from its rule; `is_recorded` says that its change stands in the audit log already.
    `deadline` is a time of the committer's clock, and `time_left` the seconds until it when the request went on after a
    question; None without one.
    """

    request: RequestType
    data: KV
    context: RequestContext = NOBODY
    key: str | None = None
    keep_for: int = 0
    fingerprint: bytes | None = None
    request_id: str | None = None
    resume: "Callable[[UnitOfWork], Reply] | None" = None
    is_recorded: bool = False
    deadline: float | None = None
    time_left: float | None = None

    @property
    def title(self) -> str:
        """What the log calls the request: its name, who asked, and the client's own name for it."""
        said = f"{self.request.name} of {self.context.principal or 'nobody known'}"
        return f"{said}, request id {self.request_id}" if self.request_id is not None else said


@dataclass(slots=True, eq=False)
class UnitOfWork:
    """One transaction's worth of requests: the store, the time in seconds since 1970 UTC, and the configuration.

    `new_guid` makes a `GSW_CALL_ATTEMPT_GUID`. What should be logged once the transaction is committed is collected:
    `unknown_keys` as (calling list, custom key) that the lists do not have (H97), `differences` as texts (H103),
    `group_messages` as (log number, group name), `warnings` as (log number, fields). `notes` are what an operator has
    changed, for the audit log; `outbox` is what others learn of;
    `deliveries` are notifications to be sent, `delivered` the numbers of those that nobody has to send any more, and
    `removed` the purposes of these that were in the store; `backlog` is what waits. `notices` are what desktops are
    shown. `blocked` has an item for each record that the do-not-call list keeps from being called: on which occasion
    that was found. `question_room` says how many questions a URI takes at the moment, `questions` how many of these the
    unit has used. `group_statuses` are those of the store, None while not read. `origin` distinguishes this
    server from others that serve the same store at the same time; empty if there are none. `is_awaited` says whether
    others wait for the end of the transaction, for work whose size is up to it.
    """

    tx: Transaction
    now: int
    directory: Directory
    new_guid: Callable[[], str]
    backlog: Backlog = field(default_factory=Backlog)
    unknown_keys: set[tuple[str, str]] = field(default_factory=set)
    differences: list[str] = field(default_factory=list)
    group_messages: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, dict[str, object]]] = field(default_factory=list)
    notes: list[dict[str, object]] = field(default_factory=list)
    outbox: list[Change] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    blocked: list[BlockedAt] = field(default_factory=list)
    group_statuses: dict[int, GroupStatus] | None = None
    question_room: Callable[[str], int] = lambda uri: sys.maxsize
    questions: dict[str, int] = field(default_factory=dict)
    origin: str = ""
    is_awaited: Callable[[], bool] = lambda: False

    def event(self, name: str, pending: PendingRequest, members: KV) -> KV:
        """Return an acknowledgement: the common keys, then `members` (http.md section 10)."""
        event: KV = {"GSW_USER_EVENT": name, "GSW_APPLICATION_ID": self.directory.application_dbid}
        event.update(members)
        reference = pending.data.get("GSW_REFERENCE_ID")
        if reference is not None:
            event["GSW_REFERENCE_ID"] = reference
        return event

    def room(self, wanted: int) -> int:
        """Return how many of so many records may be handed out: too many call report records may wait (O55)."""
        limit = self.directory.history_wait
        room = self.backlog.room(self.tx, limit, self.now, self.deliveries) if limit is not None else None
        return wanted if room is None else min(wanted, room)

    def may_ask(self, uri: str) -> bool:
        """Whether somebody outside may be asked one more question now."""
        return self.questions.get(uri, 0) < self.question_room(uri)

    def mark(self) -> tuple[int, ...]:
        """Return how much has been noted so far, for `undo`."""
        return tuple(map(len, self._noted()))

    def undo(self, mark: tuple[int, ...]) -> None:
        """Forget what was noted, or read, since `mark`: the changes that it is about have been undone."""
        for noted, length in zip(self._noted(), mark, strict=True):
            del noted[length:]
        self.group_statuses = None

    def _noted(self) -> tuple[list[Any], ...]:
        return (
            self.differences,
            self.group_messages,
            self.notes,
            self.outbox,
            self.deliveries,
            self.delivered,
            self.notices,
            self.blocked,
        )

    def store_outbox(self) -> None:
        """Store what others learn of, and what is to be sent; called once, when everything else is done."""
        if self.outbox:
            self.tx.append_outbox([entry_of(each, self.now) for each in self.outbox])
        if self.origin:
            told = [text_of(each) for each in (*self.outbox, *self.notices) if not isinstance(each, RecordChanged)]
            if told:
                self.tx.append_news(self.origin, told, self.now)
        if self.deliveries:
            self.tx.add_deliveries(self.deliveries)
        if self.delivered:
            self.removed = self.tx.remove_deliveries(self.delivered)

    def committed(self) -> None:
        """The transaction has been committed; called once."""
        limit = self.directory.history_wait
        self.warnings += self.backlog.committed(limit, self.now, self.deliveries, self.removed)


@dataclass(slots=True, eq=False)
class Continuation:
    """The answer to a request is still pending: it comes from a further transaction, in which `resume` is called.

    `question` is what somebody outside of the store has to answer first; `resume` gets the answer. Without a question
    the answer is None, and the request goes on in one of the next batches: that is how work whose size a client decides
    is done in slices. What this transaction has changed stays so. `event` says what, for the audit log, if the change
    is one that belongs there; the rest of the request adds nothing to it then.
    """

    resume: Callable[[UnitOfWork, object], "Reply"]
    question: object = None
    event: KV | None = None


@dataclass(slots=True, eq=False)
class Unfinished(Generic[T]):
    """The result of a slice of a chore that goes on with `function` in a further transaction."""

    function: "Callable[[UnitOfWork], T | Unfinished[T]]"


# What a rule answers: the key-values of an event, or of several, of which the last one ends the request; a refusal, for
# which nothing was changed (H72); or that the answer is pending.
Reply = KV | list[KV] | Refusal | Continuation


def final_event(reply: Reply) -> KV | None:
    """Return the event that ends a request; None for a refusal and while it is pending."""
    if isinstance(reply, dict):
        return reply
    return reply[-1] if isinstance(reply, list) else None
