"""Chains in process: what live handles stand for, and how a hand-out ends (http.md section 11, constants.md K1 to K3).

A book is opened for a run of requests by handle. It reads everything they need at once, the rules work on it in
memory, and it writes what has changed at the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from ocsgw.contact.directory import CallingList, Campaign, CampaignGroup, Directory
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.transaction import Handle, Handout, Probe, Record, Transaction, UnavailableListError
from ocsgw.protocol.enumerations import RecordStatus, RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_READY = RecordStatus.READY.value
_NO_CALL = RecordType.NO_CALL.value


@dataclass(slots=True, eq=False)
class Member:
    """A record of a chain that is in process; `handle` is None if it is not in process itself.

    `changes` are the columns to be written.
    """

    record: Record
    handle: Handle | None = None
    changes: dict[str, object] = field(default_factory=dict)

    def set(self, **columns: object) -> None:
        """Change columns."""
        for name, value in columns.items():
            setattr(self.record, name, value)
        self.changes.update(columns)

    def set_custom(self, calling_list: CallingList, columns: Mapping[str, int | float | str]) -> None:
        """Change custom columns."""
        for at, each in enumerate(calling_list.fields):
            if each.column in columns:
                self.record.custom[at] = columns[each.column]
        self.changes.update(columns)

    @property
    def is_no_call(self) -> bool:
        """Whether the record must not be contacted."""
        return self.record.record_type == _NO_CALL


@dataclass(slots=True, eq=False)
class Process:
    """A chain in process: its hand-out, and all its records in the order of `chain_n`."""

    handout: Handout
    calling_list: CallingList
    group: CampaignGroup | None
    campaign: Campaign | None
    members: list[Member]
    ended: bool = False
    changed: bool = False

    def others(self, member: Member) -> list[Member]:
        """Return the other members in process."""
        return [each for each in self.members if each.handle is not None and each is not member]

    def reschedule(self, record_id: int) -> None:
        """Note that a record of the chain was rescheduled during this hand-out (H232)."""
        if record_id not in self.handout.rescheduled:
            self.handout.rescheduled.append(record_id)
        self.changed = True

    def is_rescheduled(self, member: Member) -> bool:
        """Whether the record of a member was rescheduled during this hand-out."""
        return member.record.record_id in self.handout.rescheduled

    def finish(self, member: Member, status: int) -> None:
        """End the hand-out with a result for `member` (H212, H213, H232).

        The others are done too, unless the chain goes on: then they wait, and what was rescheduled is ready.
        """
        member.set(record_status=status)
        goes_on = status == _READY or bool(self.handout.rescheduled)
        for other in self.members:
            if other is member:
                continue
            if self.is_rescheduled(other):
                other.set(record_status=_READY)
            elif other.handle is not None:
                waits = goes_on and not other.is_no_call
                chosen = RecordStatus.CHAIN_READY if waits else RecordStatus.CHAIN_UPDATED
                other.set(record_status=chosen.value)
        self.ended = True

    def release(self, status_of_record: int = _READY) -> None:
        """End the hand-out without a result (H240, H278, P52): the record is ready, the others are as before.

        What was rescheduled stays so; a record that must not be contacted is done.
        """
        for member in self.members:
            handle = member.handle
            if handle is None and not self.is_rescheduled(member):
                continue
            if member.is_no_call:
                status = RecordStatus.UPDATED.value
            elif member.record.record_id == self.handout.record_id:
                status = status_of_record
            elif handle is None or self.is_rescheduled(member):
                status = _READY
            else:
                status = handle.prior_status
            member.set(record_status=status)
        self.ended = True


class Book:
    """The chains in process that a run of requests by handle concerns."""

    def __init__(self, tx: Transaction, directory: Directory, now: int) -> None:
        self.tx = tx
        self.directory = directory
        self.now = now
        self._processes: dict[int, Process] = {}
        self._handles: dict[int, tuple[Process, Member]] = {}
        self._blocked: dict[tuple[int, int], bool] = {}

    def open_for_handles(self, numbers: Iterable[int]) -> None:
        """Read the hand-outs of these handles."""
        self.open({each.handout_id for each in self.tx.handles(numbers)})

    def open(self, handout_ids: Iterable[int]) -> None:
        """Read hand-outs with all records of their chains; those whose list is not open are left out."""
        by_list: dict[CallingList, list[tuple[Handout, list[Handle]]]] = {}
        for handout, handles in self.tx.handouts(handout_ids):
            calling_list = self.directory.list_by_dbid(handout.list_dbid)
            if calling_list is not None:
                by_list.setdefault(calling_list, []).append((handout, handles))
        for calling_list, found in by_list.items():
            try:
                records = self.tx.records_of_chains(calling_list, {handout.chain_id for handout, _ in found})
            except UnavailableListError:
                continue
            chains: dict[int, list[Record]] = {}
            for record in records:
                chains.setdefault(record.chain_id, []).append(record)
            for handout, handles in found:
                self._add(calling_list, handout, handles, chains.get(handout.chain_id, []))

    def _add(
        self, calling_list: CallingList, handout: Handout, handles: Sequence[Handle], records: Sequence[Record]
    ) -> None:
        of_record = {each.record_id: each for each in handles}
        members = [Member(record, of_record.get(record.record_id)) for record in records]
        group = self.directory.group_by_dbid(handout.group_dbid)
        campaign = group.campaign if group is not None else None
        process = Process(handout, calling_list, group, campaign, members)
        self._processes[handout.handout_id] = process
        for member in members:
            if member.handle is not None:
                self._handles[member.handle.handle] = (process, member)

    @property
    def processes(self) -> list[Process]:
        """The hand-outs that were read."""
        return list(self._processes.values())

    def find(self, handle: object, principal: str | None) -> tuple[Process, Member]:
        """Return what a handle stands for. Raises `Refusal`: `invalid_handle` if it is dead, `forbidden` (H314)."""
        found = self.peek(handle)
        if found is None:
            raise Refusal("invalid_handle")
        if not self.directory.permits(principal, found[0].calling_list.tenant):
            raise Refusal("forbidden")
        return found

    def peek(self, handle: object) -> tuple[Process, Member] | None:
        """Return what a live handle stands for, None if it is dead."""
        found = self._handles.get(cast("int", handle))
        return None if found is None or found[0].ended else found

    def touch(self, process: Process) -> None:
        """Start the time of a hand-out anew (H278)."""
        process.handout.expires_at = self.now + process.handout.timeout
        process.changed = True

    # Do-not-call.

    def is_blocked(self, process: Process, record: Record) -> bool:
        """Whether an entry of the do-not-call table covers a record; asked for all records of a list at once."""
        key = (process.calling_list.dbid, record.record_id)
        known = self._blocked.get(key)
        if known is None:
            self._ask(process.calling_list)
            known = self._blocked.get(key)
        if known is None:
            known = bool(self.tx.blocked(process.calling_list, [probe_of(process.calling_list, record)], self.now))
        return known

    def _ask(self, calling_list: CallingList) -> None:
        records = [
            member.record
            for process in self._processes.values()
            if process.calling_list is calling_list
            for member in process.members
            if member.handle is not None
        ]
        covered = self.tx.blocked(calling_list, [probe_of(calling_list, each) for each in records], self.now)
        for place, record in enumerate(records):
            self._blocked[(calling_list.dbid, record.record_id)] = place in covered

    def forget_blocked(self) -> None:
        """Entries have been made or contacts changed: ask again."""
        self._blocked.clear()

    # The end.

    def save(self) -> None:
        """Write what has changed."""
        changes: dict[CallingList, dict[int, dict[str, object]]] = {}
        running = []
        for process in self._processes.values():
            for member in process.members:
                if member.changes:
                    of_list = changes.setdefault(process.calling_list, {})
                    of_list.setdefault(member.record.record_id, {}).update(member.changes)
                    member.changes = {}
            if process.changed and not process.ended:
                running.append(process)
        for calling_list, of_list in changes.items():
            self.tx.change_records(calling_list, of_list)
        if running:
            self.tx.change_handouts(
                [process.handout for process in running],
                [member.handle for process in running for member in process.members if member.handle is not None],
            )
        ended = [process.handout.handout_id for process in self._processes.values() if process.ended]
        if ended:
            self.tx.close_handouts(ended)


def probe_of(calling_list: CallingList, record: Record) -> Probe:
    """Return the question whether a record may be contacted."""
    return Probe(normal_contact(record.contact_info), customer_id_of(calling_list, record), record.campaign_id)


def customer_id_of(calling_list: CallingList, record: Record) -> str | None:
    """Return the customer id of a record in the form in which it is compared, None without one (K34, K42)."""
    if calling_list.customer_id is None:
        return None
    value = record.custom[calling_list.fields.index(calling_list.customer_id)]
    return normal_customer_id(str(value)) or None if value is not None else None


def record_keys(process: Process, member: Member) -> KV:
    """Return the record keys of an event (http.md section 10)."""
    keys: KV = {}
    if member.handle is not None:
        keys["GSW_RECORD_HANDLE"] = member.handle.handle
    keys["GSW_CALLING_LIST"] = process.calling_list.name
    if process.campaign is not None:
        keys["GSW_CAMPAIGN_NAME"] = process.campaign.name
    keys["GSW_CHAIN_ID"] = process.handout.chain_id
    return keys
