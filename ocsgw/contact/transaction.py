"""What a rule may ask of the store, in the language of the domain.

One transaction is one unit of durability: everything in it is committed, or nothing. Both engines implement it; tests
use a model in memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldValue
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


class Probe(msgspec.Struct, array_like=True):
    """A question to the do-not-call table, whether an entry covers this contact or customer id (K43).

    `contact` and `customer_id` are in their normal forms; `customer_id` is None if there is none.
    """

    contact: str
    customer_id: str | None
    campaign_dbid: int


class DoNotCallEntry(msgspec.Struct, array_like=True):
    """An entry to be made. Exactly one of `phone` and `customer_id` is given; a DBID of 0 means every one."""

    phone: str | None
    customer_id: str | None
    message: str
    tenant_dbid: int
    campaign_dbid: int = 0
    list_dbid: int = 0


class Match(msgspec.Struct):
    """A record that matches a contact or customer id."""

    record_id: int
    chain_id: int
    contact_info: str


class StoredAnswer(msgspec.Struct):
    """The acknowledgement that was given under an idempotency key, kept until `expires_at` (H323, H329)."""

    fingerprint: bytes
    event: KV
    expires_at: int


class UnavailableListError(Exception):
    """The table of a calling list cannot be used; the reason is in the log since the list was opened (K12)."""


class StoreFailureError(Exception):
    """The store itself fails: no request of the batch can be carried out, and nothing was changed (C41)."""


class Transaction(Protocol):
    """The store, within one transaction. Any method may raise an error of the engine."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo what is done inside if an exception leaves the block."""

    def stored_answers(self, keys: Sequence[tuple[str, str]], now: int) -> Mapping[tuple[str, str], StoredAnswer]:
        """Return the answers stored under (principal, key) that have not expired."""

    def store_answers(self, answers: Mapping[tuple[str, str], StoredAnswer]) -> None:
        """Store answers under (principal, key)."""

    def highest_ids(self, calling_list: CallingList) -> tuple[int, int]:
        """Return the highest record id and chain id of a list, 0 without rows."""

    def chain_ends(self, calling_list: CallingList, chain_ids: Iterable[int]) -> Mapping[int, int]:
        """Return the highest `chain_n` of those chains that exist."""

    def insert_records(self, calling_list: CallingList, records: Sequence[NewRecord]) -> None:
        """Insert rows."""

    def blocked(self, calling_list: CallingList, probes: Sequence[Probe], now: int) -> set[int]:
        """Return the places of those probes that an entry of the do-not-call table covers."""

    def find_by_contact(self, calling_list: CallingList, contact: str) -> list[Match]:
        """Return the records whose contact has this normal form (K40)."""

    def find_by_customer_id(self, calling_list: CallingList, customer_id: str) -> list[Match]:
        """Return the records with this customer id (K42); none if the list has no such field."""

    def find_by_chain(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Match]:
        """Return all records of chains."""

    def mark_do_not_call(self, calling_list: CallingList, record_ids: Sequence[int]) -> None:
        """Mark records: type 7, call result 51, status 3 unless in process (H262)."""

    def add_do_not_call(self, entries: Sequence[DoNotCallEntry], now: int) -> None:
        """Make entries, except those that exist with the same scope and without an end (H264)."""

    def do_not_call_widths(self) -> tuple[int, int]:
        """Return how many characters the columns for contacts and customer ids take (K44)."""
