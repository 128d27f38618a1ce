"""Changes of records on their way into the outbox, each with who or what has made it."""

from collections.abc import Iterable, Mapping

from ocsgw.contact.directory import CallingList
from ocsgw.contact.handouts import ActiveHandout, Member
from ocsgw.contact.outbox import RecordChanged
from ocsgw.contact.unit_of_work import UnitOfWork

# Occasions that are not requests.
RECORD_TIMEOUT, GROUP_UNLOADED, OVERDUE = "record_timeout", "group unloaded", "overdue callback"


def note_members(unit: UnitOfWork, handed_out: ActiveHandout, kind: str, principal: str = "") -> None:
    """Note what has changed in the members of a chain since the last time."""
    for member in handed_out.members:
        if member.after:
            note_member(unit, handed_out, member, kind, principal)


def note_member(unit: UnitOfWork, handed_out: ActiveHandout, member: Member, kind: str, principal: str = "") -> None:
    """Note what has changed in one member since the last time."""
    record = member.record
    unit.outbox.append(
        RecordChanged(
            kind,
            handed_out.calling_list.dbid,
            record.chain_id,
            record.record_id,
            handed_out.handout.group_dbid,
            member.handle.handle if member.handle is not None else 0,
            principal,
            member.before,
            member.after,
        )
    )
    member.before, member.after = {}, {}


def note_records(
    unit: UnitOfWork,
    calling_list: CallingList,
    records: Iterable[tuple[int, int, Mapping[str, object]]],
    after: Mapping[str, object],
    kind: str,
    principal: str,
) -> None:
    """Note that records, as (chain id, record id, the columns before as far as known), were all changed alike."""
    unit.outbox.extend(
        RecordChanged(kind, calling_list.dbid, chain_id, record_id, 0, 0, principal, before, after)
        for chain_id, record_id, before in records
    )
