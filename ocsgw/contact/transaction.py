"""What a rule may ask of the store, in the language of the domain.

One transaction is one unit of durability: everything in it is committed, or nothing. Both engines implement it; tests
use a model in memory.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import msgspec

from ocsgw.contact.answer_statements import AnswerStatements, AuditStatements
from ocsgw.contact.bulk_statements import BulkStatements
from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.normal_form import covers, normal_contact
from ocsgw.contact.outbox_statements import OutboxStatements
from ocsgw.protocol.messages import KV


class NewRecord(msgspec.Struct, array_like=True):
    """A row to be inserted; the order is that of the columns, then the custom ones in the order of the list."""

    record_id: int
    contact_info: str
    contact_info_type: int
    record_type: int
    record_status: int
    call_result: int
    attempt: int
    dial_sched_time: int
    call_time: int
    daily_from: int
    daily_till: int
    tz_dbid: int
    campaign_id: int
    agent_id: str | None
    chain_id: int
    chain_n: int
    custom: list[FieldValue | None]


def row_of(record: NewRecord) -> list[Any]:
    """Return the values of all columns of a row, the custom ones at its end."""
    *values, custom = msgspec.structs.astuple(record)
    return [*values, *custom]


class DncLookup(msgspec.Struct, array_like=True):
    """A question to the do-not-call table, whether an entry covers this contact or customer id (K43).

    `contact` and `customer_id` are in their normal forms; `customer_id` is None if there is none. `campaign_dbids` are
    the campaigns that the record belongs to. An entry that covers the contact has one of the search `keys`; whether it
    does is decided by its normal form in the `country`.
    """

    contact: str
    customer_id: str | None
    campaign_dbids: tuple[int, ...]
    keys: tuple[str, ...]
    country: str = ""

    def is_covered_by(self, phone: str) -> bool:
        """Whether the contact of an entry covers this one (K40)."""
        return covers(normal_contact(phone, self.country), self.contact)


class Admission(msgspec.Struct):
    """What has to be known before rows are added: the highest ids, and the places of probes that an entry covers."""

    record_id: int
    chain_id: int
    blocked: set[int]


class DoNotCallEntry(msgspec.Struct, array_like=True):
    """An entry to be made. Exactly one of `phone` and `customer_id` is given; a DBID of 0 means every one.

    `country` is that of the tenant, empty without one or for all tenants.
    """

    phone: str | None
    customer_id: str | None
    message: str
    tenant_dbid: int
    campaign_dbid: int = 0
    list_dbid: int = 0
    country: str = ""


class Match(msgspec.Struct):
    """A record that matches a contact or customer id."""

    record_id: int
    chain_id: int
    contact_info: str


class Record(msgspec.Struct, kw_only=False):
    """A row as the rules see it, with what NULL is read as (constants.md section 5).

    `further` are the `further_columns` of its list, None where the table lacks one.
    """

    record_id: int
    contact_info: str
    contact_info_type: int
    record_type: int
    record_status: int
    call_result: int
    attempt: int
    dial_sched_time: int
    call_time: int
    daily_from: int
    daily_till: int
    tz_dbid: int
    campaign_id: int
    agent_id: str
    chain_id: int
    chain_n: int
    treatments: str
    custom: list[FieldValue | None]
    further: list[FieldValue | None] = []


def further_columns(calling_list: CallingList) -> tuple[str, ...]:
    """Return the columns of the second block that are read of a list because events show them (K64)."""
    return tuple(each.column for each in calling_list.shown if each.column not in Record.__struct_fields__)


def new_record_of(record: Record) -> NewRecord:
    """Return a row to be inserted that is a copy of `record`."""
    return NewRecord(
        record.record_id,
        record.contact_info,
        record.contact_info_type,
        record.record_type,
        record.record_status,
        record.call_result,
        record.attempt,
        record.dial_sched_time,
        record.call_time,
        record.daily_from,
        record.daily_till,
        record.tz_dbid,
        record.campaign_id,
        record.agent_id or None,
        record.chain_id,
        record.chain_n,
        record.custom,
    )


class Window(msgspec.Struct, array_like=True, frozen=True):
    """What decides, besides time, whether and when a record may be handed out; records of one list share few of them.

    `agent` is the agent of a personal callback, empty for records for anyone. Daily windows that begin and end in the
    same half hours are one, however many there are: `shape` says whether they are within a day, over midnight
    or a whole day, `from_slot` and `till_slot` are those. `priority` is the class of record type (H359).
    """

    campaign_dbid: int
    agent: str
    tz_dbid: int
    shape: int
    from_slot: int
    till_slot: int
    priority: int


class Handout(msgspec.Struct):
    """One hand-out of one chain, from the claim to its end (glossary: hand-out).

    `record_id` is the record that was handed out, `rescheduled` the records of the chain that were rescheduled since,
    `timeout` and `expires_at` are in seconds, the latter since 1970 UTC (H278). `holders` are the agents who may
    use it, each with whether it is a full holder; None stands for `agent_id` alone (P129).
    """

    handout_id: int
    list_dbid: int
    chain_id: int
    record_id: int
    group_dbid: int
    agent_id: str
    started_at: int
    timeout: int
    expires_at: int
    rescheduled: list[int]
    holders: dict[str, bool] | None = None

    @property
    def holding(self) -> dict[str, bool]:
        """The agents who hold it, each with whether it is a full holder."""
        if self.holders is not None:
            return self.holders
        return {self.agent_id: True} if self.agent_id else {}

    def hold(self, holders: dict[str, bool]) -> None:
        """Change who holds it."""
        self.holders = None
        if holders != self.holding:
            self.holders = holders


class Handle(msgspec.Struct):
    """A live record handle: one member of a chain in process.

    `prior_status` is the status before the hand-out (K3), `contact` what the record had then (K16), None if that is
    not known. The rest is what updates have said for the end of the
    hand-out: whether they set the attempts (H211), the status (H212), and which treatment they asked for (H216).
    """

    handle: int
    handout_id: int
    list_dbid: int
    record_id: int
    prior_status: int
    guid: str
    contact: str | None = None
    attempts_set: bool = False
    status_set: int | None = None
    treatment: str | None = None


class HandoutInProcess(NamedTuple):
    """A hand-out of a chain of one record, as all of it stands in the store."""

    calling_list: CallingList
    handout: Handout
    handle: Handle
    record: Record


class GroupStatus(msgspec.Struct):
    """State of a campaign group: unloaded, loaded or started; its dial mode; the id of the loaded session (P53).

    `auto_complete` is what was said of auto completion since it was loaded; None: the option decides (P126).
    """

    dbid: int
    state: str
    dial_mode: str
    guid: str
    auto_complete: bool | None = None


class UnavailableListError(Exception):
    """The table of a calling list cannot be used; the reason is in the log (K12)."""

    def __init__(self, calling_list: CallingList) -> None:
        super().__init__(calling_list.name)
        self.calling_list = calling_list


class StoreFailureError(Exception):
    """The store itself fails: no request of the batch can be carried out, and nothing was changed (C41)."""


class NotAloneError(StoreFailureError):
    """What is to be done cannot be decided beside the transactions of other servers.

    Nothing was changed; it has to be carried out again, alone.
    """


class RefusedByTableError(Exception):
    """A table does not take a row: an index, constraint or trigger of the site says no (K16).

    `reason` names it, without values of the row. The statement has changed nothing; what was done before it stays, so
    the caller leaves a savepoint with this error. `table` is what the table is for, a calling list by its name.
    """

    def __init__(self, reason: str, table: str = "") -> None:
        super().__init__(f"{table}: {reason}" if table else reason)
        self.reason = reason
        self.table = table


class UnstorableTextError(RefusedByTableError):
    """A text of a request has characters that the database cannot store: a NUL, or none of its encoding."""

    def __init__(self, table: str = "") -> None:
        super().__init__("a text has characters that the database cannot store", table)


class RecordStatements(Protocol):
    """Calling lists.

    Every method takes a whole run and is one statement, or one for each 64 rows. None reads a whole table: the
    time of each grows with the rows that it names, `windows` with the different windows of the list. Raises
    `UnavailableListError` if the table cannot be used, `RefusedByTableError` if it does not take a row. A row with a
    value that cannot be represented (K63) is neither returned nor changed by what reads whole records.
    """

    def before_adding(
        self, calling_list: CallingList, count: int, lookups: Callable[[], Sequence[DncLookup]], now: int
    ) -> Admission:
        """Return the highest record id and chain id that a list has or ever had, and what `blocked` returns.

        So many records are to be added; `lookups` is called only where there may be an entry. The ids are those that
        this engine has seen, 0 without any (H200).
        """

    def chain_ends(self, calling_list: CallingList, chain_ids: Iterable[int]) -> Mapping[int, int]:
        """Return the highest `chain_n` of those chains that exist."""

    def insert_records(self, calling_list: CallingList, records: Sequence[NewRecord]) -> None:
        """Insert rows."""

    def insert_rows(self, calling_list: CallingList, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, each with its values as `row_of` has them."""

    def import_records(self, calling_list: CallingList, records: Sequence[NewRecord]) -> list[Record]:
        """Insert rows; return those that can be represented as they are read from now on."""

    def copy_further_columns(self, calling_list: CallingList, source: int, target: int) -> None:
        """Give a record what another has in the columns that `NewRecord` lacks, but for `treatments` (K13, H232)."""

    def find_by_contacts(self, calling_list: CallingList, contacts: Collection[str]) -> dict[str, list[Match]]:
        """Return the records with some contacts, by the normal forms of these in the tenant's country (K40)."""

    def find_by_customer_id(self, calling_list: CallingList, customer_id: str) -> list[Match]:
        """Return the records with this customer id (K42); none if the list has no such field."""

    def find_by_chain(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Match]:
        """Return all records of chains."""

    def mark_do_not_call(self, calling_list: CallingList, record_ids: Sequence[int]) -> None:
        """Mark records: type 7, call result 51, status 3 unless in process (H262)."""

    def records(self, calling_list: CallingList, record_ids: Iterable[int]) -> list[Record]:
        """Return those records that exist."""

    def records_of_chains(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Record]:
        """Return all records of chains, ordered by chain and `chain_n`."""

    def free_chains(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Record]:
        """Return likewise all records of those chains that no other server is about to change; wait for none."""

    def demand_all_ready(self, calling_list: CallingList, windows: Mapping[Window, int], now: int) -> None:
        """Raise `NotAloneError` if records are ready that `ready_records` has left out, as others are at them."""

    def unreadable(self, calling_list: CallingList, record_id: int) -> str | None:
        """Return the column with which a record that was met in this transaction cannot be represented (K63)."""

    def record_statuses(self, calling_list: CallingList, record_ids: Iterable[int]) -> dict[int, int]:
        """Return the statuses of those records that exist and have one; of others that cannot be represented too."""

    def change_records(self, calling_list: CallingList, changes: Mapping[int, Mapping[str, object]]) -> None:
        """Set columns of records: record id to column to value. Columns that a table lacks are passed over (K13)."""

    def windows(self, calling_list: CallingList, campaign_dbids: Sequence[int], agents: Sequence[str]) -> list[Window]:
        """Return the different windows of records that are ready, for these campaigns and agents."""

    def recent_windows(
        self, calling_list: CallingList, campaign_dbids: Sequence[int], agents: Sequence[str]
    ) -> list[Window]:
        """Return `windows`, perhaps with some in which nothing is ready any more: whoever looks there finds nothing."""

    def ready_records(
        self, calling_list: CallingList, windows: Mapping[Window, int], now: int, at_most: int
    ) -> list[list[Record]]:
        """Return records that are ready and due, of these windows, whose chain is not in process.

        `windows` have the seconds since midnight that a clock in their zone shows. Two lists for each window, the
        scheduled records and the others: of each the first ones by H273 whose own daily window is open, at most so
        many, in any order.
        """

    def waiting_agents(
        self, calling_list: CallingList, campaign_dbids: Sequence[int], after: str, at_most: int
    ) -> list[str]:
        """Return agents for whom records are ready, in order behind `after`, at most so many (H360)."""

    def reset_unexplained(self, calling_list: CallingList) -> int:
        """Set records in process that no hand-out explains to ready; return how many there were (K2).

        Only for a list that has just been opened for the first time.
        """


class DoNotCallStatements(Protocol):
    """The do-not-call table; a look-up costs some microseconds for each contact, however long the table is."""

    def has_entries(self) -> bool:
        """Whether there may be entries at all: what `blocked` is asked has its price."""

    def blocked(self, calling_list: CallingList, lookups: Sequence[DncLookup], now: int) -> set[int]:
        """Return the places of those probes that an entry of the do-not-call table covers."""

    def add_do_not_call(self, entries: Sequence[DoNotCallEntry], now: int) -> None:
        """Make entries, except those that exist with the same scope and without an end (H264)."""

    def do_not_call_widths(self) -> tuple[int, int]:
        """Return how many characters the columns for contacts and customer ids take (K44)."""


class HandoutStatements(Protocol):
    """Hand-outs and record handles: our own tables, which nobody else writes; found by indexes."""

    def new_handles(self, count: int) -> int:
        """Reserve so many record handles and return the first; they ascend and never come again (H310)."""

    def open_handouts(self, handouts: Sequence[Handout], handles: Sequence[Handle]) -> None:
        """Store hand-outs with their handles."""

    def handles_of_records(self, calling_list: CallingList, record_ids: Iterable[int]) -> list[Handle]:
        """Return the live handles of records."""

    def handouts(self, handout_ids: Iterable[int]) -> list[tuple[Handout, list[Handle]]]:
        """Return hand-outs with all their live handles."""

    def handouts_of_handles(self, numbers: Iterable[int]) -> list[tuple[Handout, list[Handle]]]:
        """Return the hand-outs of those handles that live, with all their live handles."""

    def recall(self, handles: Iterable[int]) -> list[HandoutInProcess]:
        """Return those hand-outs of handles that are known without being read; the others have to be read."""

    def handouts_of_agent(self, agent_id: str) -> list[int]:
        """Return the ids of running hand-outs that an agent holds."""

    def handouts_of_group(self, group_dbid: int, before: int, at_most: int) -> list[int]:
        """Return the ids of running hand-outs of a campaign group below `before`, at most so many."""

    def expired_handouts(self, now: int, at_most: int) -> list[int]:
        """Return the ids of hand-outs whose time is over, at most so many."""

    def restart_future_handouts(self, now: int, latest: int) -> int:
        """Let hand-outs that began in the future begin now; return how many there were.

        Only those are looked at whose time is over after `latest`.
        """

    def change_handouts(self, handouts: Sequence[Handout], handles: Sequence[Handle]) -> None:
        """Store what has changed in running hand-outs and their handles."""

    def close_handouts(self, handout_ids: Iterable[int]) -> None:
        """End hand-outs; all their handles die."""

    def close_handles(self, numbers: Iterable[int]) -> None:
        """Let single handles die; a hand-out without handles ends."""

    def spend_handle(self, handle: int, event: KV, until: int) -> None:
        """Remember a dead handle and the keys of its record for the one RecordProcessed that may follow (H267)."""

    def spent_handle(self, handle: int, now: int) -> KV | None:
        """Return what is remembered of a dead handle; None if nothing is or its time is over."""

    def forget_spent_handle(self, handle: int) -> None:
        """Forget a dead handle."""


class GroupStatements(Protocol):
    """States of campaign groups: a handful of rows."""

    def group_statuses(self) -> dict[int, GroupStatus]:
        """Return the states of campaign groups by their DBIDs."""

    def save_group_status(self, status: GroupStatus) -> None:
        """Store the state of a campaign group."""


class Transaction(
    RecordStatements,
    DoNotCallStatements,
    HandoutStatements,
    AnswerStatements,
    GroupStatements,
    AuditStatements,
    OutboxStatements,
    BulkStatements,
    Protocol,
):
    """The store, within one write transaction, which is used by one thread at a time.

    What others have written before it began is seen. If it is alone no other server writes until it ends; else none
    writes what it has read of hand-outs, chains and keys. Any method may raise `StoreFailureError`, after which the
    transaction can only be left.
    """

    def demand_alone(self) -> None:
        """Raise `NotAloneError` unless nobody else writes until the end of the transaction."""

    def spare_savepoints(self) -> None:
        """Let `savepoint` cost less: where something fails inside, a `StoreFailureError` may have all done again."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo what is done inside if an exception leaves the block."""
