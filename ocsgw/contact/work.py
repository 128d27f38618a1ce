"""A request on its way through the rules, and what a batch of them shares."""

from dataclasses import dataclass, field

from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import Transaction
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

ANONYMOUS = ""

# What a rule answers: the key-values of the event, or a refusal; then nothing was changed (H72).
Reply = KV | Refusal


@dataclass(slots=True, eq=False)
class Work:
    """One request: its key-values and who asks.

    With a `key` its acknowledgement is stored under (principal, key) for `keep_for` seconds, and a repetition gets it
    again (H324). `fingerprint` says what makes two requests the same; None: to be computed (H322).
    """

    data: KV
    principal: str = ANONYMOUS
    key: str | None = None
    keep_for: int = 0
    fingerprint: bytes | None = None


@dataclass(slots=True, eq=False)
class Turn:
    """One transaction's worth of requests: the store, the time in seconds since 1970 UTC, and the configuration.

    `unknown_keys` collects (calling list, custom key) that the lists do not have (H97).
    """

    tx: Transaction
    now: int
    directory: Directory
    unknown_keys: set[tuple[str, str]] = field(default_factory=set)

    def event(self, name: str, work: Work, members: KV) -> KV:
        """Return an acknowledgement: the common keys, then `members` (http.md section 10)."""
        event: KV = {"GSW_USER_EVENT": name, "GSW_APPLICATION_ID": self.directory.application_dbid}
        event.update(members)
        reference = work.data.get("GSW_REFERENCE_ID")
        if reference is not None:
            event["GSW_REFERENCE_ID"] = reference
        return event
