"""Chains in process: what live handles stand for, and how a hand-out ends (http.md section 11, K1 to K3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ocsgw.contact.directory import CallingList, Campaign, CampaignGroup
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.transaction import Handle, Handout, Record
from ocsgw.protocol.enumerations import RecordStatus, RecordType
from ocsgw.protocol.messages import KV

# Stands among the records that were rescheduled while a hand-out is being validated; no record has this number.
UNDER_VALIDATION = 0
_READY = RecordStatus.READY.value
_RETRIEVED = RecordStatus.RETRIEVED.value
_UPDATED = RecordStatus.UPDATED.value
_NO_CALL = RecordType.NO_CALL.value


@dataclass(slots=True, eq=False)
class Member:
    """A record of a chain that is in process; `handle` is None if it was not handed out with it.

    `changes` are the columns to be written; `before` and `after` are those that were not noted for the outbox yet.
    """

    record: Record
    handle: Handle | None = None
    changes: dict[str, object] = field(default_factory=dict)
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)

    def set(self, **columns: object) -> None:
        """Change columns."""
        for name, value in columns.items():
            self.before.setdefault(name, getattr(self.record, name))
            setattr(self.record, name, value)
        self.changes.update(columns)
        self.after.update(columns)

    def set_custom(self, calling_list: CallingList, columns: Mapping[str, FieldValue]) -> None:
        """Change custom columns."""
        if columns:
            for at, each in enumerate(calling_list.fields):
                if each.column in columns:
                    self.before.setdefault(each.column, self.record.custom[at])
                    self.record.custom[at] = columns[each.column]
            self.changes.update(columns)
            self.after.update(columns)

    @property
    def is_no_call(self) -> bool:
        """Whether the record must not be contacted."""
        return self.record.record_type == _NO_CALL

    @property
    def is_in_process(self) -> bool:
        """Whether the record still waits for the end of its hand-out; another program may have ended that (K16)."""
        return self.handle is not None and self.record.record_status == _RETRIEVED


@dataclass(slots=True, eq=False)
class ActiveHandout:
    """A chain in process: its hand-out, and all its records in the order of `chain_n`."""

    handout: Handout
    calling_list: CallingList
    group: CampaignGroup | None
    campaign: Campaign | None
    members: list[Member]
    ended: bool = False
    changed: bool = False
    changed_handles: list[Handle] = field(default_factory=list)
    # Whether desktops will be shown that it has ended.
    end_is_shown: bool = False

    @property
    def is_claim(self) -> bool:
        """Whether it is still being validated, so that nobody has been shown it (O21)."""
        return UNDER_VALIDATION in self.handout.rescheduled

    def others(self, member: Member) -> list[Member]:
        """Return the other members in process."""
        return [each for each in self.members if each.is_in_process and each is not member]

    def reschedule(self, member: Member) -> None:
        """Note that a record of the chain is rescheduled during this hand-out (H230, H232).

        A record that is not in process itself is ready from now on: the rest of its chain still keeps it back.
        """
        record_id = member.record.record_id
        if record_id not in self.handout.rescheduled:
            self.handout.rescheduled.append(record_id)
        if not member.is_in_process:
            member.set(record_status=_READY)
        self.changed = True

    def is_rescheduled(self, member: Member) -> bool:
        """Whether a record was rescheduled during this hand-out; one that must not be contacted is not any more."""
        return member.record.record_id in self.handout.rescheduled and not member.is_no_call

    def finish(self, member: Member, status: int) -> None:
        """End the hand-out with a result for `member` (H212, H213, H232).

        The others are done too, unless the chain goes on: then they wait, and what was rescheduled is ready.
        """
        member.set(record_status=status)
        self.ended = True
        if len(self.members) == 1:
            return
        goes_on = status == _READY or any(
            self.is_rescheduled(each) and each.record.record_status in (_READY, _RETRIEVED)
            for each in self.members
            if each is not member
        )
        for other in self.others(member):
            if self.is_rescheduled(other):
                ending = RecordStatus.READY
            elif goes_on and not other.is_no_call:
                ending = RecordStatus.CHAIN_READY
            else:
                ending = RecordStatus.CHAIN_UPDATED
            other.set(record_status=ending.value)

    def release(self) -> None:
        """End the hand-out without a result (H240, H278, P52): the record is ready, the others are as before.

        What was rescheduled is ready too; a record that must not be contacted is done.
        """
        for member in self.members:
            handle = member.handle
            if handle is None or not member.is_in_process:
                continue
            if member.is_no_call:
                status = _UPDATED
            elif member.record.record_id == self.handout.record_id or self.is_rescheduled(member):
                status = _READY
            else:
                status = handle.prior_status
            member.set(record_status=status)
        self.ended = True


def record_keys(handed_out: ActiveHandout, member: Member) -> KV:
    """Return the record keys of an event (http.md section 10)."""
    keys: KV = {}
    if member.handle is not None:
        keys["GSW_RECORD_HANDLE"] = member.handle.handle
    keys["GSW_CALLING_LIST"] = handed_out.calling_list.name
    if handed_out.campaign is not None:
        keys["GSW_CAMPAIGN_NAME"] = handed_out.campaign.name
    keys["GSW_CHAIN_ID"] = handed_out.handout.chain_id
    return keys
