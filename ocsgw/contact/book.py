"""The chains in process that a run of requests by handle concerns.

A book reads everything that a run needs at once, the rules work on it in memory, and it writes what has changed at the
end.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from ocsgw.contact.directory import CallingList
from ocsgw.contact.handouts import Member, Process
from ocsgw.contact.probes import probe_of
from ocsgw.contact.transaction import Handle, Handout, Record, UnavailableListError
from ocsgw.contact.work import Turn, Work
from ocsgw.protocol.errors import Refusal


class Book:
    """Hand-outs with all records of their chains."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._processes: dict[int, Process] = {}
        self._handles: dict[int, tuple[Process, Member]] = {}
        self._of_closed_lists: set[int] = set()
        self._blocked: dict[tuple[int, int], bool] = {}
        self._asked: set[CallingList] = set()

    def open_for_handles(self, numbers: Iterable[int]) -> None:
        """Read the hand-outs of these handles; one whose time is over is dead, even if its end is still due (H278)."""
        found = self._turn.tx.handouts_of_handles(numbers)
        self._read([each for each in found if each[0].expires_at > self._turn.now])

    def open(self, handout_ids: Iterable[int]) -> None:
        """Read hand-outs."""
        self._read(self._turn.tx.handouts(handout_ids))

    def _read(self, found: Iterable[tuple[Handout, list[Handle]]]) -> None:
        """Read the records of hand-outs; those of a list that is not open are only remembered."""
        by_list: dict[CallingList, list[tuple[Handout, list[Handle]]]] = {}
        for handout, handles in found:
            calling_list = self._turn.directory.list_by_dbid(handout.list_dbid)
            if calling_list is not None:
                by_list.setdefault(calling_list, []).append((handout, handles))
        for calling_list, of_list in by_list.items():
            try:
                records = self._turn.tx.records_of_chains(calling_list, {handout.chain_id for handout, _ in of_list})
            except UnavailableListError:
                self._of_closed_lists.update(each.handle for _, handles in of_list for each in handles)
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
        members = [Member(record, of_record.get(record.record_id)) for record in records]
        group = self._turn.directory.group_by_dbid(handout.group_dbid)
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

    # Handles.

    def find(self, work: Work, *, is_final: bool = False) -> tuple[Process, Member]:
        """Return what the handle of a request stands for.

        Raises `Refusal`: `invalid_handle` if it is dead (H314), or of a list that takes only final requests (C67),
        `forbidden` for what the principal may not touch (H346), `invalid_state` if another desktop holds the record
        (H316).
        """
        handle = cast("int", work.data["GSW_RECORD_HANDLE"])
        found = self.peek(handle)
        if found is None:
            raise Refusal("unavailable" if handle in self._of_closed_lists else "invalid_handle")
        process, _ = found
        self._turn.directory.demand_list(work.principal, process.calling_list)
        if process.group is not None:
            self._turn.directory.demand_group(work.principal, process.group)
        if not is_final and self._turn.directory.is_retired(process.calling_list):
            raise Refusal("invalid_handle")
        if work.client == "desktop" and process.handout.agent_id != work.agent_id:
            raise Refusal("invalid_state")
        return found

    def peek(self, handle: int) -> tuple[Process, Member] | None:
        """Return what a live handle stands for, None if it is dead."""
        found = self._handles.get(handle)
        return None if found is None or found[0].ended else found

    def touch(self, process: Process) -> None:
        """Start the time of a hand-out anew (H278)."""
        process.handout.expires_at = self._turn.now + process.handout.timeout
        process.changed = True

    # Do-not-call.

    def is_blocked(self, process: Process, member: Member) -> bool:
        """Whether an entry of the do-not-call table covers a record.

        The first question is asked for all records of its list at once.
        """
        calling_list, record = process.calling_list, member.record
        key = (calling_list.dbid, record.record_id)
        known = self._blocked.get(key)
        if known is None:
            self._ask(calling_list, [record] if calling_list in self._asked else self._records_of(calling_list, record))
            known = self._blocked[key]
        return known

    def _records_of(self, calling_list: CallingList, first: Record) -> list[Record]:
        return [
            first,
            *(
                member.record
                for process in self._processes.values()
                if process.calling_list is calling_list
                for member in process.members
                if member.handle is not None
            ),
        ]

    def _ask(self, calling_list: CallingList, records: Sequence[Record]) -> None:
        self._asked.add(calling_list)
        probes = [probe_of(self._turn.directory, calling_list, each) for each in records]
        covered = self._turn.tx.blocked(calling_list, probes, self._turn.now)
        for place, record in enumerate(records):
            self._blocked[(calling_list.dbid, record.record_id)] = place in covered

    def forget_blocked(self, process: Process, member: Member) -> None:
        """Contact or customer id of a record have changed: ask again."""
        self._blocked.pop((process.calling_list.dbid, member.record.record_id), None)

    def forget_all_blocked(self) -> None:
        """Entries have been made: ask again."""
        self._blocked.clear()

    # The end.

    def save(self) -> None:
        """Write what has changed."""
        changes: dict[CallingList, dict[int, dict[str, object]]] = {}
        running: list[Process] = []
        ended: list[int] = []
        for process in self._processes.values():
            for member in process.members:
                if member.changes:
                    changes.setdefault(process.calling_list, {})[member.record.record_id] = member.changes
            if process.ended:
                ended.append(process.handout.handout_id)
            elif process.changed:
                running.append(process)
        for calling_list, of_list in changes.items():
            self._turn.tx.change_records(calling_list, of_list)
        if running:
            self._turn.tx.change_handouts(
                [process.handout for process in running],
                [member.handle for process in running for member in process.members if member.handle is not None],
            )
        if ended:
            self._turn.tx.close_handouts(ended)
