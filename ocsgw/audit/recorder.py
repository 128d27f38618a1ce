"""What of a batch goes into the audit log: one line per change, before the commit (docs/operations.md)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime

import msgspec

from ocsgw.audit.file import AuditError, AuditFile, ChainPosition
from ocsgw.contact.batch import Outcome, is_kept
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, UnitOfWork, final_event
from ocsgw.logs import mask_contact
from ocsgw.protocol.messages import KV, KVValue
from ocsgw.store.errors import CommitUnknownError

Record = Callable[[UnitOfWork, Sequence[PendingRequest], Sequence[Outcome]], None]

_ENCODER = msgspec.json.Encoder()


class _Line(msgspec.Struct, omit_defaults=True):
    """One change. `n` and `previous` are added by the file."""

    time: str
    principal: str
    address: str
    action: str
    list: KVValue = None
    campaign: KVValue = None
    group: KVValue = None
    handle: KVValue = None
    chain: KVValue = None
    chain_n: KVValue = None
    contact: str | None = None
    customer_id: str | None = None
    records: KVValue = None
    request_id: str | None = None
    outcome: KVValue = None
    # Of a reschedule (H357).
    callback_type: KVValue = None
    date_time: KVValue = None
    agent: KVValue = None


class Auditor:
    """Writes the changes of batches, in their order; `wall_clock` is in seconds since 1970 UTC.

    Contacts and customer ids are masked unless `clear` (`[log] contacts`). A batch whose lines cannot be written is
    not committed: nothing is changed that is not in the log.
    """

    def __init__(self, file: AuditFile, wall_clock: Callable[[], float], *, clear: bool) -> None:
        self.clear = clear
        # What could not be written yet about a commit that failed.
        self._owed: list[bytes] = []
        self._file = file
        self._wall_clock = wall_clock
        # Whether the end of the log has been compared with what the store knows of it.
        self._is_compared = False

    def open(self) -> int:
        """Open the log; return how many torn bytes at its end were cut off. Raises `AuditError`."""
        return self._file.open(self._time())

    def reopen(self) -> None:
        """Open the log by its name again, after a rotation. Raises `AuditError`; the old file stays in use then."""
        self._file.reopen(self._time())

    def close(self) -> None:
        """Close the log."""
        self._file.close()

    @contextmanager
    def batch(self) -> Iterator[Record]:
        """Surround the transaction of a batch; what is yielded is called in it, just before the commit.

        If the commit fails after that, a further line says how many of the lines above did not come true.
        """
        lines = 0

        def record(unit: UnitOfWork, requests: Sequence[PendingRequest], outcomes: Sequence[Outcome]) -> None:
            nonlocal lines
            lines = self._record(unit, requests, outcomes)

        try:
            yield record
            self._is_compared = True
        except CommitUnknownError:
            self._revoke("commit unknown", lines)
            raise
        except BaseException:
            self._revoke("not committed", lines)
            raise

    def _record(self, unit: UnitOfWork, requests: Sequence[PendingRequest], outcomes: Sequence[Outcome]) -> int:
        time, clear = self._time(), self.clear
        bodies = [
            _ENCODER.encode(line_of(time, pending, event, clear=clear))
            for pending, outcome in zip(requests, outcomes, strict=True)
            if (event := _change_of(pending, outcome)) is not None
        ]
        if not self._is_compared:
            self._compare(unit)
        operator = {"time": time, "principal": "", "address": "ocsctl"}
        bodies += [_ENCODER.encode({**operator, **_masked(note, clear=clear)}) for note in unit.notes]
        if bodies or self._file.is_new:
            self._append(bodies)
            last = self._file.last
            unit.tx.save_audit_position(last.number, last.mark)
        return len(bodies)

    def _compare(self, unit: UnitOfWork) -> None:
        """Compare the end of the log with what the store knows of it; a lost end stays visible in the chain."""
        position = unit.tx.audit_position()
        if position is None:
            return
        known, last = ChainPosition(*position), self._file.last
        if last.number > known.number or last == known:
            return
        self._file.go_on_behind(known)
        fields: dict[str, object] = {"path": self._file.path, "last": last.number, "known": known.number}
        unit.warnings.append((93112, fields))

    def _revoke(self, action: str, lines: int) -> None:
        if lines:
            self._owed.append(_ENCODER.encode({"time": self._time(), "action": action, "lines": lines}))
            # How the commit has failed is the answer to its requests; the line is written with the next batch at last.
            with suppress(StoreFailureError):
                self._append([])

    def _append(self, bodies: list[bytes]) -> None:
        try:
            self._file.append([*self._owed, *bodies])
        except AuditError as error:
            raise StoreFailureError(str(error)) from error
        self._owed = []

    def _time(self) -> str:
        return datetime.fromtimestamp(self._wall_clock(), UTC).isoformat(timespec="microseconds")


_NOT_AUDITED: AbstractContextManager[Record] = nullcontext(lambda unit, requests, outcomes: None)


def not_audited() -> AbstractContextManager[Record]:
    """Surround a transaction where no audit log is kept."""
    return _NOT_AUDITED


def _change_of(pending: PendingRequest, outcome: Outcome) -> KV | None:
    """Return the event that says what a request has changed; None if it has not, or stands in the log already."""
    reply = outcome.reply
    if isinstance(reply, Continuation):
        return reply.event
    event = final_event(reply)
    if event is None or outcome.replayed or pending.is_recorded or not is_kept(pending, event):
        return None
    return event


def line_of(time: str, pending: PendingRequest, event: KV, *, clear: bool) -> _Line:
    """Return the line of one change."""
    data = pending.data
    contact = event.get("GSW_PHONE", data.get("GSW_PHONE"))
    customer_id = event.get("GSW_CUSTOMER_ID", data.get("GSW_CUSTOMER_ID"))
    line = _Line(
        time,
        pending.context.principal,
        pending.context.peer,
        pending.request.name,
        event.get("GSW_CALLING_LIST"),
        event.get("GSW_CAMPAIGN_NAME"),
        event.get("GSW_CAMPAIGN_GROUP_NAME"),
        event.get("GSW_RECORD_HANDLE"),
        event.get("GSW_CHAIN_ID"),
        event.get("GSW_CHAIN_N"),
        _shown(contact, clear=clear),
        _shown(customer_id, clear=clear),
        event.get("GSW_RECORDS_COUNT"),
        pending.request_id,
        event.get("GSW_USER_EVENT"),
    )
    if "GSW_CALLBACK_TYPE" in event:
        line.callback_type = event["GSW_CALLBACK_TYPE"]
        line.date_time = event.get("GSW_DATE_TIME")
        line.agent = data.get("GSW_AGENT_ID") or pending.context.agent_id or None
    return line


def _masked(note: Mapping[str, object], *, clear: bool) -> dict[str, object]:
    """Return a note of an operator with its contact and customer id as they are shown."""
    shown = {key: _shown(str(note[key]), clear=clear) for key in ("contact", "customer_id") if key in note}
    return {**note, **shown}


def _shown(value: KVValue, *, clear: bool) -> str | None:
    if value is None:
        return None
    return str(value) if clear else mask_contact(str(value))
