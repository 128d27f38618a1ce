"""A request on its way through the rules, and what a batch of them shares."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import GroupStatus, Transaction
from ocsgw.protocol.context import NOBODY, RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

# What a rule answers: the key-values of the event, or a refusal; then nothing was changed (H72).
Reply = KV | Refusal


@dataclass(slots=True, eq=False)
class PendingRequest:
    """One request on its way through the rules: its key-values and who asks.

    With a `key` its acknowledgement is stored under (principal, key) for `keep_for` seconds, and a repetition gets it
    again (H324). `fingerprint` says what makes two requests the same; None: to be computed (H322). `request_id` is what
    the client calls the request, for the audit log.
    """

    data: KV
    context: RequestContext = NOBODY
    key: str | None = None
    keep_for: int = 0
    fingerprint: bytes | None = None
    request_id: str | None = None

    @property
    def title(self) -> str:
        """What the log calls the request: its name, who asked, and the client's own name for it."""
        said = f"{self.data.get('GSW_AGENT_REQ_TYPE')} of {self.context.principal or 'nobody known'}"
        return f"{said}, request id {self.request_id}" if self.request_id is not None else said


@dataclass(slots=True, eq=False)
class UnitOfWork:
    """One transaction's worth of requests: the store, the time in seconds since 1970 UTC, and the configuration.

    `new_guid` makes a `GSW_CALL_ATTEMPT_GUID`. What should be logged once the transaction is committed is collected:
    `unknown_keys` as (calling list, custom key) that the lists do not have (H97), `differences` as texts (H103), and
    `group_messages` as (log number, group name). `notes` are what an operator has changed, for the audit log.
    `group_statuses` are those of the store, None while not read.
    """

    tx: Transaction
    now: int
    directory: Directory
    new_guid: Callable[[], str]
    unknown_keys: set[tuple[str, str]] = field(default_factory=set)
    differences: list[str] = field(default_factory=list)
    group_messages: list[tuple[int, str]] = field(default_factory=list)
    notes: list[dict[str, object]] = field(default_factory=list)
    group_statuses: dict[int, GroupStatus] | None = None

    def event(self, name: str, pending: PendingRequest, members: KV) -> KV:
        """Return an acknowledgement: the common keys, then `members` (http.md section 10)."""
        event: KV = {"GSW_USER_EVENT": name, "GSW_APPLICATION_ID": self.directory.application_dbid}
        event.update(members)
        reference = pending.data.get("GSW_REFERENCE_ID")
        if reference is not None:
            event["GSW_REFERENCE_ID"] = reference
        return event
