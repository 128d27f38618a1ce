"""The chains in process that a run of requests by handle concerns.

A book reads everything that a run needs at once, the rules work on it in memory, and it writes what has changed at the
end.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import cast

from ocsgw.contact.directory import CallingList
from ocsgw.contact.dnc_lookup import dnc_lookup_of
from ocsgw.contact.handouts import ActiveHandout, Member
from ocsgw.contact.transaction import Handle, Handout, Record, UnavailableListError
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.protocol.enumerations import RecordStatus
from ocsgw.protocol.errors import Refusal

_RETRIEVED = RecordStatus.RETRIEVED.value


class HandoutCache:
    """Hand-outs with all records of their chains."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._active: dict[int, ActiveHandout] = {}
        self._handles: dict[int, tuple[ActiveHandout, Member]] = {}
        self._of_closed_lists: dict[int, CallingList] = {}
        # Handles of records that cannot be represented, with the column (K63).
        self._unreadable: dict[int, str] = {}
        self._blocked: dict[tuple[int, int], bool] = {}
        self._asked: set[CallingList] = set()

    def open_for_handles(self, numbers: Iterable[int]) -> None:
        """Read the hand-outs of these handles; one whose time is over is dead, even if its end is still due (H278)."""
        wanted = set(numbers)
        for calling_list, handout, handle, record in self._unit.tx.recall(wanted):
            wanted.remove(handle.handle)
            if handout.expires_at > self._unit.now:
                self._add(calling_list, handout, [handle], [record])
        if wanted:
            found = self._unit.tx.handouts_of_handles(wanted)
            self._read([each for each in found if each[0].expires_at > self._unit.now])

    def open(self, handout_ids: Iterable[int]) -> None:
        """Read hand-outs."""
        self._read(self._unit.tx.handouts(handout_ids))

    def _read(self, found: Iterable[tuple[Handout, list[Handle]]]) -> None:
        """Read the records of hand-outs; those of a list that is not open are only remembered."""
        by_list: dict[CallingList, list[tuple[Handout, list[Handle]]]] = {}
        for handout, handles in found:
            calling_list = self._unit.directory.list_by_dbid(handout.list_dbid)
            if calling_list is not None:
                by_list.setdefault(calling_list, []).append((handout, handles))
        for calling_list, of_list in by_list.items():
            try:
                records = self._unit.tx.records_of_chains(calling_list, {handout.chain_id for handout, _ in of_list})
            except UnavailableListError:
                self._of_closed_lists.update({each.handle: calling_list for _, handles in of_list for each in handles})
                continue
            chains: dict[int, list[Record]] = {}
            for record in records:
                chains.setdefault(record.chain_id, []).append(record)
            for handout, handles in of_list:
                self._add(calling_list, handout, handles, chains.get(handout.chain_id, []))

    def _add(
        self, calling_list: CallingList, handout: Handout, handles: Sequence[Handle], records: Sequence[Record]
    ) -> None:
        of_record = {each.record_id: each for each in handles}
        members = [Member(record, _handle_of(record, of_record)) for record in records]
        for each in handles:
            column = self._unit.tx.unreadable(calling_list, each.record_id)
            if column is not None:
                self._unreadable[each.handle] = column
        group = self._unit.directory.group_by_dbid(handout.group_dbid)
        campaign = group.campaign if group is not None else None
        handed_out = ActiveHandout(handout, calling_list, group, campaign, members)
        self._active[handout.handout_id] = handed_out
        for member in members:
            if member.handle is not None:
                self._handles[member.handle.handle] = (handed_out, member)

    @property
    def active(self) -> list[ActiveHandout]:
        """The hand-outs that were read."""
        return list(self._active.values())

    # Handles.

    def find(self, pending: PendingRequest, *, is_final: bool = False) -> tuple[ActiveHandout, Member]:
        """Return what the handle of a request stands for.

        Raises `Refusal`: `invalid_handle` if it is dead (H314), or of a list that takes only final requests (C67),
        `forbidden` for what the principal may not touch (H346), `invalid_state` for a desktop whose agent
        does not hold the record, or may only read it (H316).
        """
        handle = cast("int", pending.data["GSW_RECORD_HANDLE"])
        found = self.peek(handle)
        if found is None:
            raise self._why_not(handle)
        handed_out, _ = found
        self._unit.directory.demand_list(pending.context.principal, handed_out.calling_list)
        if handed_out.group is not None:
            self._unit.directory.demand_group(pending.context.principal, handed_out.group)
        if not is_final and self._unit.directory.is_retired(handed_out.calling_list):
            raise Refusal("invalid_handle")
        context = pending.context
        if context.tenant not in (None, handed_out.calling_list.tenant.name):
            raise Refusal("forbidden", missing="tenant")
        if context.client == "desktop":
            is_full = handed_out.handout.holding.get(context.agent_id)
            if is_full is None or not (is_full or pending.request.reads):
                raise Refusal("invalid_state")
        return found

    def _why_not(self, handle: int) -> Refusal:
        if handle in self._of_closed_lists:
            return Refusal("list_unavailable", self._of_closed_lists[handle].name)
        column = self._unreadable.get(handle)
        return Refusal("invalid_handle") if column is None else Refusal("unreadable_record", column)

    def peek(self, handle: int, *, ended: bool = False) -> tuple[ActiveHandout, Member] | None:
        """Return what a live handle stands for, None if it is dead; `ended` finds what has ended in this run, too."""
        found = self._handles.get(handle)
        return None if found is None or (found[0].ended and not ended) else found

    def touch(self, handed_out: ActiveHandout) -> None:
        """Start the time of a hand-out anew (H278)."""
        handed_out.handout.expires_at = self._unit.now + handed_out.handout.timeout
        handed_out.changed = True

    # Do-not-call.

    def is_blocked(self, handed_out: ActiveHandout, member: Member) -> bool:
        """Whether an entry of the do-not-call table covers a record; whoever asks marks the record then.

        The first question is asked for all records of its list at once.
        """
        calling_list, record = handed_out.calling_list, member.record
        key = (calling_list.dbid, record.record_id)
        known = self._blocked.get(key)
        if known is None:
            self._ask(calling_list, [record] if calling_list in self._asked else self._records_of(calling_list, record))
            known = self._blocked[key]
        if known:
            self._unit.blocked.append("hand-out")
        return known

    def _records_of(self, calling_list: CallingList, first: Record) -> list[Record]:
        return [
            first,
            *(
                member.record
                for handed_out in self._active.values()
                if handed_out.calling_list is calling_list
                for member in handed_out.members
                if member.handle is not None
            ),
        ]

    def _ask(self, calling_list: CallingList, records: Sequence[Record]) -> None:
        self._asked.add(calling_list)
        covered: Set[int] = frozenset()
        if self._unit.tx.has_entries():
            lookups = [dnc_lookup_of(self._unit.directory, calling_list, each) for each in records]
            covered = self._unit.tx.blocked(calling_list, lookups, self._unit.now)
        for place, record in enumerate(records):
            self._blocked[(calling_list.dbid, record.record_id)] = place in covered

    def forget_blocked(self, handed_out: ActiveHandout, member: Member) -> None:
        """Contact or customer id of a record have changed: ask again."""
        self._blocked.pop((handed_out.calling_list.dbid, member.record.record_id), None)

    def forget_all_blocked(self) -> None:
        """Entries have been made: ask again."""
        self._blocked.clear()

    # The end.

    def save(self) -> None:
        """Write what has changed."""
        changes: dict[CallingList, dict[int, dict[str, object]]] = {}
        running: list[ActiveHandout] = []
        ended: list[int] = []
        for handed_out in self._active.values():
            for member in handed_out.members:
                if member.changes:
                    changes.setdefault(handed_out.calling_list, {})[member.record.record_id] = member.changes
            if handed_out.ended:
                ended.append(handed_out.handout.handout_id)
            elif handed_out.changed:
                running.append(handed_out)
        for calling_list, of_list in changes.items():
            self._unit.tx.change_records(calling_list, of_list)
        if running:
            self._unit.tx.change_handouts(
                [handed_out.handout for handed_out in running],
                [handle for handed_out in running for handle in handed_out.changed_handles],
            )
        if ended:
            self._unit.tx.close_handouts(ended)


def _handle_of(record: Record, handles: Mapping[int, Handle]) -> Handle | None:
    """Return the handle of a record, if it is that which was handed out and not another with its number (K16).

    Another program may have emptied and filled the list meanwhile. Then the record is not in process, and has another
    contact.
    """
    handle = handles.get(record.record_id)
    if handle is None or record.record_status == _RETRIEVED:
        return handle
    return handle if handle.contact in (None, record.contact_info) else None
